"""A table of the networks that come with the package."""

from issp_keras.inference import bundled_networks
from issp_keras.tables import Table


def _psnr(row, test_set):
    """Returns the PSNR in float32 and in int8 as text."""
    return "/".join(
        f"{row['scores'][form][test_set]['psnr']:.2f}"
        for form in ("float32", "int8")
    )


# They fit into a terminal of 80 columns.
_COLUMNS = {
    "name": lambda row: row["name"],
    "scale": lambda row: f"x{row['scale']}",
    "network": lambda row: row["architecture"],
    "zeros": lambda row: f"{row['zeros']:.0%}",
    "kB": lambda row: f"{row['bytes'] / 1000:.0f}",
    "Set5": lambda row: _psnr(row, "Set5"),
    "Set14": lambda row: _psnr(row, "Set14"),
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
    notes = [
        "kB: of the .tflite file in float32. Set5 and Set14: PSNR in dB on Y, "
        "in float32/int8."
    ]
    notes += dict.fromkeys(
        f"Trained on {row['photographs']}. Licence of the photographs: "
        f"{row['licence']}."
        for row in rows
    )
    return Table(rows, _COLUMNS, notes)
