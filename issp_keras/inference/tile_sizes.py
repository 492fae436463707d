"""Heights and widths of tiles, in LR pixels."""

# What large photographs are cut into, unless a caller says otherwise.
TILE = 384
# Windows of attention (8x8 in SwinIR, 4x16 in CAT) lie as in the whole
# photograph in tiles that begin and end at multiples of this.
ALIGNMENT = 16
