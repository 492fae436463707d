"""Finds the folders of the test sets of papers and of other photographs."""

import pathlib

from issp_keras.data.embedded import EMBEDDED
from issp_keras.errors import InputError

# Test sets: the names of their folders in lower case, and the number of
# photographs.
BENCHMARKS = {
    "set5": (("set5",), 5),
    "set14": (("set14",), 14),
    "b100": (("b100", "bsd100", "bsds100"), 100),
    "urban100": (("urban100",), 100),
    "manga109": (("manga109",), 109),
}

LAYOUTS = """\
    NAME/HR/*.png, with or without NAME/LR_bicubic/X4/*x4.png
    NAME/GTmod12/*.png, with or without NAME/LRbicx4/*.png
    NAME/image_SRF_4/*_HR.png, with or without *_LR.png beside them
    NAME/NAME_HR/*.png, with or without NAME/NAME_LR_bicubic/X4/*x4.png
    NAME/*.png"""


def find_benchmark(root: pathlib.Path, name: str) -> pathlib.Path:
    """Finds the folder of a test set.

    Args:
        root: Path of a folder of data sets.
        name: String, a key of `BENCHMARKS`.

    Raises:
        InputError: If there is no such folder. The message lists the expected
            layouts.
    """
    names, _ = BENCHMARKS[name]
    folders = sorted(root.iterdir()) if root.is_dir() else []
    for folder in folders:
        if folder.is_dir() and folder.name.lower() in names:
            return folder
    raise InputError(
        f"{root}: has no folder {' or '.join(names)} (upper or lower case), "
        f"expected one of these layouts:\n{LAYOUTS}\nwhere NAME is that folder."
    )


def find_folder(source: str, data_dir: str = "data") -> pathlib.Path | None:
    """Finds the folder of a source of photographs.

    Args:
        source: "embedded", the name of a test set ("set5"), or the path of a
            folder.
        data_dir: Path of the folder of test sets.

    Returns:
        The folder, or None for the embedded photographs.

    Raises:
        InputError: If there is no such folder.
    """
    if not source:
        raise InputError(
            "expected a folder of photographs. Received: an empty name"
        )
    if source == EMBEDDED:
        return None
    folder = pathlib.Path(source)
    if source.lower() in BENCHMARKS and not folder.is_dir():
        return find_benchmark(pathlib.Path(data_dir), source.lower())
    if not folder.is_dir():
        raise InputError(
            f"{source}: no such folder (expected a folder with photographs, "
            f"'{EMBEDDED}', or one of {', '.join(BENCHMARKS)})."
        )
    return folder
