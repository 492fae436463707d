"""Heights and widths of tiles, in LR pixels."""

from issp_keras.errors import ArgumentError

# What large photographs are cut into, unless a caller says otherwise.
TILE = 384
# Windows of attention (8x8 in SwinIR, 4x16 in CAT) lie as in the whole
# photograph in tiles that begin and end at multiples of this.
ALIGNMENT = 16
_LEAST = 64


def check_tile(tile: int) -> None:
    """Checks what tiles photographs are to be cut into.

    Raises:
        ArgumentError: If it is not usable.
    """
    is_whole = isinstance(tile, int) and tile >= 0
    if not is_whole or 0 < tile < _LEAST or tile % ALIGNMENT:
        raise ArgumentError(
            "tile",
            f"is {tile}, expected 0, or a multiple of {ALIGNMENT} of at least "
            f"{_LEAST}.",
        )
