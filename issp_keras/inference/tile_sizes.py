"""Sizes of tiles in LR pixels."""

from issp_keras.errors import ArgumentError

# The default height and width of a tile.
TILE = 384
# Tiles begin and end at multiples of this. So their attention windows (8x8 in
# SwinIR, 4x16 in CAT) are those of the whole photograph.
ALIGNMENT = 16
_LEAST = 64


def check_tile(tile: int) -> None:
    """Checks the size of the tiles.

    Raises:
        ArgumentError: If it is neither 0 nor a multiple of 16 of at least 64.
    """
    is_whole = isinstance(tile, int) and tile >= 0
    if not is_whole or 0 < tile < _LEAST or tile % ALIGNMENT:
        raise ArgumentError(
            "tile",
            f"is {tile}, expected 0, or a multiple of {ALIGNMENT} of at least "
            f"{_LEAST}.",
        )
