"""The values that arguments of `export` may have."""

from issp_keras.errors import ArgumentError

PRECISIONS = ("float32", "float16", "int8", "int8_dynamic")
INPUTS = ("float32", "uint8")
# How int8 finds the ranges of activations: "best" tries all ways.
RANGES = ("best", "min_max", "percentile", "mse")
# The operators that turn channels into pixels.
UPSAMPLINGS = ("depth_to_space", "transposed_conv", "zero_stuffed_conv")
# The most PSNR in dB that a file may lose.
TOLERANCES = {
    "float32": 0.01,
    "float16": 0.05,
    "int8": 1.0,
    "int8_dynamic": 0.5,
}


def check_choice(argument: str, value, known):
    """Checks that an argument has one of the allowed values.

    Args:
        argument: String, its name.
        value: What the user passed.
        known: Iterable of strings.

    Raises:
        ArgumentError: If it does not.
    """
    if value not in known:
        raise ArgumentError(
            argument, f"is {value!r}, expected one of {', '.join(known)}."
        )
