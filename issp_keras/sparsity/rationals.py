"""The exact fraction that a float stands for."""

from fractions import Fraction

# A billionth of a sparsity is less than one weight.
_LARGEST = 10**9


def meant(number) -> Fraction:
    """Returns the fraction that a float was meant to be.

    No float equals 0.55, and `0.55 * 100` is 55.00000000000001. With this
    fraction, a sparsity of 0.55 is 55 of 100 weights instead of 56, and a
    sparsity of `50 / 68` is 50 of 68 weights.

    Example:

    >>> meant(0.55)
    Fraction(11, 20)

    Args:
        number: Float, or NumPy scalar. The precision of its dtype counts: the
            float32 nearest to 0.8 means 0.8.
    """
    return Fraction(str(number)).limit_denominator(_LARGEST)
