"""DF2K: DIV2K from TFDS, and Flickr2K from a folder."""

import tensorflow_datasets.public_api as tfds

from issp_keras.data import find_pairs
from issp_keras.data.tfds.features import example
from issp_keras.data.tfds.features import lr_and_hr
from issp_keras.errors import InputError

_FLICKR2K = "Flickr2K"


class DF2KConfig(tfds.core.BuilderConfig):
    """The config of one scale, with LR by bicubic interpolation.

    Args:
        scale: Integer, the magnification.
    """

    def __init__(self, scale):
        super().__init__(
            name=f"bicubic_x{scale}",
            description=f"LR by bicubic downscaling, {scale} times smaller.",
        )
        self.scale = scale


class Builder(tfds.core.GeneratorBasedBuilder):
    """DIV2K and Flickr2K, the training data of super-resolution papers.

    "train" has 800 photographs of DIV2K and 2,650 of Flickr2K. "validation"
    has the 100 validation photographs of DIV2K. TFDS's `div2k` downloads and
    prepares DIV2K once.

    The preparation raises an `InputError` if the folder of Flickr2K is missing
    or empty, a file cannot be read, or the size of LR is not
    floor(HR / scale). If there are no LR files, MATLAB's bicubic `imresize`
    makes LR.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Initial release."}
    BUILDER_CONFIGS = [DF2KConfig(scale) for scale in (2, 3, 4)]
    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    Put the photographs of Flickr2K into the manual_dir:

    Flickr2K/Flickr2K_HR/000001.png ... 002650.png
    Flickr2K/Flickr2K_LR_bicubic/X4/000001x4.png ..., if you have them

    A folder Flickr2K/HR, or Flickr2K with the HR files in it, also works.
    """

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=lr_and_hr(), supervised_keys=("lr", "hr")
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager):
        folder = dl_manager.manual_dir / _FLICKR2K
        if not folder.is_dir():
            raise InputError(
                f"{folder}: no such folder.{self.MANUAL_DOWNLOAD_INSTRUCTIONS}"
            )
        # Check this first: the download takes hours.
        flickr2k = find_pairs(folder, self.builder_config.scale)
        # The data_dir of this data set: <data_dir>/df2k/<config>/<version>.
        root = self.data_path.parents[2]
        div2k = _load_div2k(self.builder_config.name, root)
        return {
            "train": self._generate_examples(div2k["train"], flickr2k),
            "validation": self._generate_examples(div2k["validation"], []),
        }

    def _generate_examples(self, div2k, flickr2k):
        """Yields examples. The keys are the set and a number or name."""
        for i, row in enumerate(tfds.as_numpy(div2k)):
            yield f"DIV2K/{i:04}", row
        for photograph in flickr2k:
            yield (
                f"{_FLICKR2K}/{photograph.name}",
                example(photograph, self.builder_config.scale),
            )


def _load_div2k(name, data_dir):
    """Returns the splits of TFDS's `div2k`, with undecoded images."""
    as_bytes = tfds.decode.SkipDecoding()
    return tfds.load(
        f"div2k/{name}",
        data_dir=data_dir,
        decoders={"lr": as_bytes, "hr": as_bytes},
    )
