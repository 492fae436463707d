"""A table of the networks that come with the package."""

from issp_keras.inference import bundled_networks
from issp_keras.tables import Table

_COLUMNS = {
    "name": lambda row: row["name"],
    "scale": lambda row: f"x{row['scale']}",
    "network": lambda row: row["architecture"],
    "weights": lambda row: f"{row['weights']:,}",
    "zeros": lambda row: f"{row['zeros']:.0%}",
    "steps": lambda row: f"{row['steps']:,}",
    "seed": lambda row: str(row["seed"]),
    "bytes": lambda row: f"{row['bytes']:,}",
    "PSNR in dB on Y, float32 / int8": lambda row: ", ".join(
        f"{name} {of['psnr']:.2f} / {row['scores']['int8'][name]['psnr']:.2f}"
        for name, of in row["scores"]["float32"].items()
    ),
    "trained on": lambda row: row["photographs"],
    "licence of the photographs": lambda row: row["licence"],
}


def networks() -> Table:
    """Lists the networks that come with issp_keras, as `issp models` does.

    Example:

    >>> print(issp_keras.networks())
    >>> issp_keras.load(issp_keras.networks()[0]["name"])

    Returns:
        `Table` of dicts with the attributes of `BundledNetwork` as keys:
        `name`, `scale`, `architecture`, `weights`, `non_zeros`, `zeros` (the
        share of weights), `steps`, `int8_steps`, `seed`, `photographs`,
        `licence`, `zeros_in`, `loss`, `teacher`, `backend`, `made_by`,
        `settings`, `scores`, `sha256`, `path` and `bytes`. The first is the
        default of `load`.
    """
    rows = [
        {
            **vars(network),
            "zeros": network.zeros,
            "path": str(network.path),
            "bytes": network.bytes,
        }
        for network in bundled_networks()
    ]
    return Table(rows, _COLUMNS)
