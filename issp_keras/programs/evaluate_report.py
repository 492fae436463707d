"""The page of `issp evaluate --report`."""

import dataclasses
import itertools
import math
import pathlib

import numpy as np

from issp_keras import report
from issp_keras.data import Pair
from issp_keras.data import to_rgb
from issp_keras.pictures import where_most
from issp_keras.scores import Score

# Height and width of a crop, and the most crops. Each has three pictures. All
# together have at most 8 MB of pixels.
_CROP = 192
_MOST = 24
_ENLARGE = 2
_MOST_FIGURES = 4


@dataclasses.dataclass(frozen=True)
class _Crop:
    """A crop of a photograph, with a picture for each label."""

    title: str
    difference: float
    pictures: dict[str, np.ndarray]


class Crops:
    """The places where the network and bicubic interpolation differ most."""

    def __init__(self):
        self.count = 0
        self._kept: list[_Crop] = []

    def see(
        self,
        source: str,
        pair: Pair,
        made: dict[str, tuple[Score, np.ndarray]],
    ):
        """Keeps a crop of a photograph if its difference is large enough.

        Args:
            source: String, the source of the photograph.
            pair: `Pair`.
            made: Dict from two ways to their score and image. Bicubic
                interpolation is first.
        """
        (before, old), (after, new) = made.values()
        window = where_most(old, new, _CROP)
        # Copies, since a view would keep the whole array in memory.
        old, new, original = (
            to_rgb(pixels)[window].copy() for pixels in (old, new, pair.hr)
        )
        difference = np.abs(old.astype(float) - new).mean()
        pictures = {
            f"bicubic, {before.psnr:.2f} dB": old,
            f"network, {after.psnr:.2f} dB": new,
            "original": original,
        }
        self.count += 1
        title = f"{_short(source)}: {pair.name}"
        self._kept.append(_Crop(title, float(difference), pictures))
        self._kept.sort(key=lambda crop: -crop.difference)
        del self._kept[_MOST:]

    def sliders(self) -> list[report.Html]:
        """Returns a slider for each crop, the largest difference first."""
        return [
            report.slider(
                crop.title,
                {
                    label: report.encode(pixels)
                    for label, pixels in crop.pictures.items()
                },
                enlarge=_ENLARGE,
            )
            for crop in self._kept
        ]


def page(
    settings: dict,
    scores: dict[str, dict[str, list[Score]]],
    failures: list[str],
    crops: Crops,
    facts: list[tuple[str, str]],
) -> report.Page:
    """Makes the page.

    Args:
        settings: Dict, the settings that `issp evaluate` writes to JSON.
        scores: Dict from sources to dicts from ways to lists of scores.
            Bicubic interpolation is the first way. The mean is last in each
            list.
        failures: List of sentences about photographs without a score.
        crops: `Crops` of the photographs.
        facts: List of pairs of strings, facts about the run.
    """
    found = {
        source: list(zip(*ways.values(), strict=True))
        for source, ways in scores.items()
        if all(ways.values())
    }
    name = pathlib.Path(settings["model"]).name
    ensemble = (
        " Each result is the mean over 8 flips and rotations."
        * settings["self_ensemble"]
    )
    return report.Page(
        kind="issp_keras · evaluation",
        title=f"{name} on {crops.count} photograph{'s' * (crops.count != 1)}",
        lead="The network and bicubic interpolation make photographs "
        f"{settings['scale']} times larger. The results are compared with the "
        f"originals.{ensemble}",
        figures=[_figure(*item) for item in found.items()][:_MOST_FIGURES],
        sections=[
            report.Section("Each set", _sets(found, settings)),
            report.Section("Pictures", _pictures(crops)),
            report.Section("Each photograph", _photographs(found)),
            *([_failed(failures)] if failures else []),
        ],
        facts=[("Model", settings["model"]), *facts],
    )


def _figure(source, rows):
    bicubic, network = rows[-1]
    return report.Figure(
        f"{network.psnr:.2f} dB",
        f"PSNR on {_short(source)}",
        f"{_gain(bicubic, network)} dB over bicubic",
    )


def _sets(found, settings):
    rows = [
        [_short(source), str(len(of) - 1), *_numbers(*of[-1])]
        for source, of in found.items()
    ]
    return [
        report.table(["set", "photographs", *_COLUMNS], rows),
        "Means over the photographs of each set: PSNR in dB and SSIM on "
        f"{settings['channels'].upper()}, without a border of "
        f"{settings['border']} pixels. Higher is better. The gain is the "
        "PSNR of the network minus the PSNR of bicubic interpolation.",
    ]


def _photographs(found):
    rows = [
        [of[0].name, _short(source), *_numbers(*of), f"{of[1].seconds:.2f}"]
        for source, rows in found.items()
        for of in rows[:-1]
    ]
    header = ["photograph", "set", *_COLUMNS, "seconds"]
    return [
        report.table(header, rows, texts=2),
        "The same for each photograph. The seconds are the time of the "
        "network.",
        report.hint("Click a column heading to sort by that column."),
    ]


def _pictures(crops):
    sliders = crops.sliders()
    which = (
        "of each photograph"
        if len(sliders) == crops.count
        else f"of the {len(sliders)} photographs with the largest difference"
    )
    return [
        f"The part {which}, {_CROP} pixels wide and high, in which the network "
        "and bicubic interpolation differ most. The PSNR is that of the whole "
        "photograph. Compression changes no pixel.",
        report.hint(
            "Drag over a picture, or use the arrow keys, to move the line "
            "between the two. The lists above a picture choose the image on "
            "each side; the original is one of them."
        ),
        report.element("div", *sliders, class_="gallery"),
    ]


def _failed(failures):
    return report.Section("Without a score", failures)


_COLUMNS = (
    "bicubic PSNR",
    "network PSNR",
    "gain",
    "bicubic SSIM",
    "network SSIM",
)


def _numbers(bicubic, network):
    return [
        f"{bicubic.psnr:.2f}",
        f"{network.psnr:.2f}",
        _gain(bicubic, network),
        f"{bicubic.ssim:.4f}",
        f"{network.ssim:.4f}",
    ]


def _gain(bicubic, network):
    gain = network.psnr - bicubic.psnr
    # For a photograph of one colour, both PSNR values are infinite.
    return "" if math.isnan(gain) else f"{gain:+.2f}"


def _short(source):
    """Returns the name of a test set, or the last two folders of a path."""
    parts = pathlib.PurePath(source).parts
    return "/".join(itertools.islice(parts, max(0, len(parts) - 2), None))
