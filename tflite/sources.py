"""The origin of an exported network, and the photographs to compare it on."""

import pathlib

from issp_keras import files
from issp_keras.data import Pair
from issp_keras.data import find_source
from issp_keras.scores import SMALLEST


def pairs_of(
    sources: list[str], split: str, scale: int, data_dir="data"
) -> list[Pair]:
    """Reads the photographs that several sources name.

    Args:
        sources: List of strings as for `data.find_source`.
        split: "train" or "held_out": which of the embedded photographs.
        scale: Integer.
        data_dir: Path of the folder of test sets.

    Raises:
        InputError: If one cannot be read.
    """
    return [
        photograph.read(scale, SMALLEST)
        for source in sources
        for photograph in find_source(source, split, scale, data_dir)
    ]


def method_of(path: pathlib.Path) -> str | None:
    """The method that `issp train` says it pruned a network with, or None."""
    config = path.with_name("config.json")
    try:
        return files.parse_json(config.read_text())["sparsity"]["method"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
