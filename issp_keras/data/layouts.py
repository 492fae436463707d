"""Finds photographs and their LR files in the common folder layouts."""

import collections
import dataclasses
import pathlib

from issp_keras.data.benchmarks import find_folder
from issp_keras.data.embedded import embedded_photographs
from issp_keras.data.pairs import Pair
from issp_keras.data.pairs import make_pair
from issp_keras.data.photographs import photographs_in
from issp_keras.data.photographs import read_opaque_photograph
from issp_keras.data.photographs import size_of
from issp_keras.data.photographs import to_rgb
from issp_keras.errors import InputError

_HR_FOLDERS = ("HR", "GTmod12", "GTmod24")


@dataclasses.dataclass(frozen=True)
class PairFiles:
    """The files of one photograph.

    Attributes:
        name: String, the file name of HR without its suffix.
        hr: Path of HR.
        lr: Path of LR, or None if LR is made from HR.
    """

    name: str
    hr: pathlib.Path
    lr: pathlib.Path | None = None

    def read(self, scale: int, smallest: int = 1) -> Pair:
        """Reads the pair.

        HR is cropped to `scale` times LR. A missing LR image is made by
        bicubic downscaling.

        Args:
            scale: Integer, the magnification.
            smallest: Integer, the smallest height and width of HR in pixels.

        Raises:
            InputError: If a file cannot be read or is too small, or if the
                size of LR is not floor(HR / scale).
        """
        photograph = read_opaque_photograph(self.hr)
        height, width = photograph.pixels.shape[:2]
        self._check(height, width, max(smallest, scale))
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

    def check_size(self, scale: int, smallest: int) -> None:
        """Checks the size in the header of HR, as `read` checks its pixels.

        Args:
            scale: Integer, as in `read`.
            smallest: Integer, likewise.

        Raises:
            InputError: If HR is too small.
        """
        height, width = size_of(self.hr)
        # A file without a readable header is refused when it is read.
        if height and width:
            self._check(height, width, max(smallest, scale))

    def _check(self, height, width, least):
        if min(height, width) < least:
            raise InputError(
                f"{self.hr}: is {width}x{height} pixels, expected at least "
                f"{least}x{least}."
            )


def find_pairs(folder: str | pathlib.Path, scale: int) -> list[PairFiles]:
    """Finds the photographs of a data set in any of the common layouts.

    Args:
        folder: Path of a folder of HR photographs, or of a folder with
            subfolders for HR and, optionally, for LR of this scale.
        scale: Integer, the magnification.

    Returns:
        List of `PairFiles`, sorted by name.

    Raises:
        InputError: If the folder does not exist or has no photograph, if only
            some photographs have LR files, or if the names of LR files are
            ambiguous.
    """
    folder = pathlib.Path(folder) if isinstance(folder, str) else folder
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder.")
    if folder.name in ("", ".."):
        folder = folder.resolve()  # The layout depends on the folder's name.
    together = folder / f"image_SRF_{scale}"
    if together.is_dir():
        paths = photographs_in(together)
        hr = [path for path in paths if path.stem.endswith("_HR")]
        lr = [path for path in paths if path.stem.endswith("_LR")]
        if not hr:
            raise InputError(
                f"{together}: holds no photograph with a name ending in _HR."
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
    """Finds the photographs of a source that a flag or a config names.

    Args:
        source: "embedded", the name of a test set ("set5"), or the path of a
            folder in one of the layouts.
        split: "train" or "held_out", the split of the embedded photographs.
        scale: Integer, the magnification.
        data_dir: Path of the folder of test sets.

    Raises:
        InputError: For the reasons that `find_pairs` and `find_folder` list.
    """
    folder = find_folder(source, data_dir)
    if folder is None:
        return [PairFiles(p.stem, p) for p in embedded_photographs(split)]
    return find_pairs(folder, scale)


def _lr_folders(hr_folder, scale):
    """Yields the possible folders of LR for a folder of HR."""
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
                f"{folder}: has no LR file for {pair.hr.name}, expected LR "
                "files for all photographs or for none."
            )
        if lr and used[pair.lr] > 1:
            raise InputError(
                f"{pair.lr}: matches {used[pair.lr]} photographs, for example "
                f"{pair.hr.name}; expected one LR file for each photograph."
            )
    return pairs


def _lr_of(stem, lr_of, scale):
    """Returns the LR file of a photograph by the common names, or None."""
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
