"""The number that a float stands for."""

from fractions import Fraction

# A billionth of a sparsity is less than one weight.
_LARGEST = 10**9


def meant(number) -> Fraction:
    """Returns exactly the number that was written or computed.

    No float is equal to 0.55, and `0.55 * 100` is 55.00000000000001. With
    this fraction, a sparsity of 0.55 is 55 of 100 weights, and not 56; that
    of `50 / 68` is 50 of 68.

    Example:

    >>> meant(0.55)
    Fraction(11, 20)

    Args:
        number: Float, or scalar of NumPy, whose precision then counts: the
            float32 nearest to 0.8 means 0.8.
    """
    return Fraction(str(number)).limit_denominator(_LARGEST)
