"""The rows of a summary as text."""

_HEADER = [
    *("kernel", "shape", "weights", "zeros", "pattern"),
    *("multiply-adds", "without zeros"),
]


def table(rows: list[dict]) -> str:
    """Lines of text, the header first, one for each row."""
    lines = [_HEADER, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(_line(cells, widths) for cells in lines)


def _cells(row):
    return [
        row["name"],
        "x".join(map(str, row["shape"])),
        f"{row['weights']:,}",
        f"{row['zeros']:,} ({row['zeros'] / row['weights']:.2%})",
        row["pattern"],
        _count(row["dense_macs"]),
        _count(row["sparse_macs"]),
    ]


def _line(cells, widths):
    """All columns but the first are aligned to the right."""
    (name, *others), (first, *rest) = cells, widths
    padded = [cell.rjust(n) for cell, n in zip(others, rest, strict=True)]
    return "  ".join([name.ljust(first), *padded])


def _count(number):
    return "" if number is None else f"{number:,}"
