"""The values that arguments of `export` may have."""

PRECISIONS = ("float32", "float16", "int8", "int8_dynamic")
INPUTS = ("float32", "uint8")
# How int8 finds the ranges of activations: the best of all ways, or one.
RANGES = ("best", "min_max", "percentile", "mse")
# PSNR in dB that a file may lose.
TOLERANCES = {
    "float32": 0.01,
    "float16": 0.05,
    "int8": 1.0,
    "int8_dynamic": 0.5,
}
