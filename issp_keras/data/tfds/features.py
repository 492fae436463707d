"""The features of both data sets."""

import tensorflow_datasets.public_api as tfds

from issp_keras.data import to_rgb


def lr_and_hr() -> tfds.features.FeaturesDict:
    """Returns the features of an example, the same as in TFDS's `div2k`."""
    image = {"shape": (None, None, 3), "encoding_format": "png"}
    return tfds.features.FeaturesDict(
        {
            "lr": tfds.features.Image(**image),
            "hr": tfds.features.Image(**image),
        }
    )


def example(photograph, scale: int) -> dict:
    """Reads an example of RGB images from `PairFiles`."""
    pair = photograph.read(scale)
    return {"lr": to_rgb(pair.lr), "hr": to_rgb(pair.hr)}
