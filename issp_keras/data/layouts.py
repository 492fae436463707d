"""Where photographs and their LR files lie: the layouts in common use."""

import collections
import dataclasses
import pathlib

from issp_keras.data.benchmarks import find_folder
from issp_keras.data.embedded import embedded_photographs
from issp_keras.data.pairs import Pair
from issp_keras.data.pairs import make_pair
from issp_keras.data.photographs import photographs_in
from issp_keras.data.photographs import read_opaque_photograph
from issp_keras.data.photographs import to_rgb
from issp_keras.errors import InputError

_HR_FOLDERS = ("HR", "GTmod12", "GTmod24")


@dataclasses.dataclass(frozen=True)
class PairFiles:
    """The files of one photograph.

    Attributes:
        name: String, the file name of HR without its ending.
        hr: Path.
        lr: Path, or None if LR is made of HR.
    """

    name: str
    hr: pathlib.Path
    lr: pathlib.Path | None = None

    def read(self, scale: int, smallest: int = 1) -> Pair:
        """Reads the pair. HR is cut to `scale` times LR; missing LR is made.

        Args:
            scale: Integer.
            smallest: Integer, the least height and width of HR in pixels.

        Raises:
            InputError: If a file cannot be read or is too small, or if LR is
                not of floor(HR / scale) pixels.
        """
        photograph = read_opaque_photograph(self.hr)
        height, width = photograph.pixels.shape[:2]
        if min(height, width) < max(smallest, scale):
            least = max(smallest, scale)
            raise InputError(
                f"{self.hr}: is {width}x{height} pixels, expected at least "
                f"{least}x{least}."
            )
        if self.lr is None:
            return make_pair(photograph, scale)
        lr = read_opaque_photograph(self.lr).pixels
        expected = height // scale, width // scale
        if lr.shape[:2] != expected:
            raise InputError(
                f"{self.lr}: is {lr.shape[1]}x{lr.shape[0]} pixels, expected "
                f"{expected[1]}x{expected[0]} for {self.hr}, which is "
                f"{width}x{height}."
            )
        hr = photograph.pixels[: scale * expected[0], : scale * expected[1]]
        if lr.ndim != hr.ndim:
            lr, hr = to_rgb(lr), to_rgb(hr)
        return Pair(self.name, lr, hr)


def find_pairs(folder: str | pathlib.Path, scale: int) -> list[PairFiles]:
    """Finds the photographs of a data set in any of the common layouts.

    Args:
        folder: Path of a folder of HR photographs, or of one that holds
            folders of HR, and LR files of `scale` or not.
        scale: Integer.

    Returns:
        List of `PairFiles`, sorted by name.

    Raises:
        InputError: If the folder does not exist or has no photograph, if only
            some photographs have LR files, or if the names of LR files do not
            say to which photograph they belong.
    """
    folder = pathlib.Path(folder) if isinstance(folder, str) else folder
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder.")
    if folder.name in ("", ".."):
        folder = folder.resolve()  # Its name tells of its layout.
    together = folder / f"image_SRF_{scale}"
    if together.is_dir():
        paths = photographs_in(together)
        hr = [path for path in paths if path.stem.endswith("_HR")]
        lr = [path for path in paths if path.stem.endswith("_LR")]
        if not hr:
            raise InputError(
                f"{together}: holds no photograph whose name ends in _HR."
            )
        return _pairs(hr, lr, scale, together)
    for name in (*_HR_FOLDERS, f"{folder.name}_HR"):
        if (folder / name).is_dir():
            folder = folder / name
            break
    hr = photographs_in(folder)
    for lr_folder in _lr_folders(folder, scale):
        if lr_folder.is_dir():
            return _pairs(hr, photographs_in(lr_folder), scale, lr_folder)
    return _pairs(hr, [], scale, folder)


def find_source(
    source: str, split: str, scale: int, data_dir: str = "data"
) -> list[PairFiles]:
    """Finds photographs by what a flag or a config says of them.

    Args:
        source: "embedded", the name of a test set ("set5"), or the path of a
            folder in one of the layouts.
        split: "train" or "held_out": which of the embedded ones.
        scale: Integer.
        data_dir: Path of the folder of test sets.

    Raises:
        InputError: As `find_pairs` and `find_folder`.
    """
    folder = find_folder(source, data_dir)
    if folder is None:
        return [PairFiles(p.stem, p) for p in embedded_photographs(split)]
    return find_pairs(folder, scale)


def _lr_folders(hr_folder, scale):
    """Where LR may lie, by where HR does."""
    parent, name = hr_folder.parent, hr_folder.name
    if name in _HR_FOLDERS:
        yield parent / "LR_bicubic" / f"X{scale}"
        yield parent / f"LRbicx{scale}"
    if name.endswith("_HR"):
        yield parent / f"{name.removesuffix('_HR')}_LR_bicubic" / f"X{scale}"


def _pairs(hr, lr, scale, folder):
    lr_of = {path.stem: path for path in lr}
    pairs = [
        PairFiles(path.stem, path, _lr_of(path.stem, lr_of, scale))
        for path in hr
    ]
    used = collections.Counter(pair.lr for pair in pairs)
    for pair in pairs:
        if lr and pair.lr is None:
            raise InputError(
                f"{folder}: has no LR file for {pair.hr.name}, expected one "
                "for each photograph or none."
            )
        if lr and used[pair.lr] > 1:
            raise InputError(
                f"{pair.lr}: may be LR of {used[pair.lr]} photographs, for "
                f"one {pair.hr.name}; expected names that tell."
            )
    return pairs


def _lr_of(stem, lr_of, scale):
    """The LR file of a photograph, by the names that are in use."""
    base = stem.removesuffix(f"_x{scale}").removesuffix("_HR")
    for name in (
        f"{stem}x{scale}",
        f"{base}x{scale}",
        f"{base}_LRBI_x{scale}",
        f"{base}_LR",
        stem,
    ):
        if name in lr_of:
            return lr_of[name]
    return None
