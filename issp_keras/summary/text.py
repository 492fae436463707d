"""The columns of a summary."""

COLUMNS = {
    "kernel": lambda row: row["name"],
    "shape": lambda row: "x".join(map(str, row["shape"])),
    "weights": lambda row: f"{row['weights']:,}",
    "zeros": lambda row: (
        f"{row['zeros']:,} ({row['zeros'] / row['weights']:.2%})"
    ),
    "pattern": lambda row: row["pattern"],
    "multiply-adds": lambda row: _count(row["dense_macs"]),
    "without zeros": lambda row: _count(row["sparse_macs"]),
}


def _count(number):
    return "" if number is None else f"{number:,}"
