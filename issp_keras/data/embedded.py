"""The embedded photographs, which come with scikit-image.

They need no download. All are in the public domain, CC0, or without known
copyright restrictions. Sizes are height x width.
"""

import pathlib

from issp_keras.extras import needed_by

EMBEDDED = "embedded"

_NAMES = {
    "train": (
        "astronaut.png",  # 512x512, Eileen Collins, NASA
        "brick.png",  # 512x512, grey, a wall
        "camera.png",  # 512x512, grey, a man with a camera
        "coins.png",  # 303x384, grey, Greek coins; no known restrictions
        "grass.png",  # 512x512, grey
        "gravel.png",  # 512x512, grey
        "hubble_deep_field.jpg",  # 872x1000, galaxies, NASA
        "ihc.png",  # 512x512, stained tissue; no known restrictions
        "retina.jpg",  # 1411x1411, the back of an eye
    ),
    "held_out": (
        "chelsea.png",  # 300x451, a cat
        "coffee.png",  # 400x600, a cup
        "rocket.jpg",  # 427x640, a launch of SpaceX
    ),
}


def embedded_photographs(split: str) -> list[pathlib.Path]:
    """Returns the paths of one split.

    Args:
        split: "train", or "held_out" for photographs that are never trained
            on.

    Raises:
        MissingPackage: If scikit-image is not installed.
    """
    with needed_by(f"The source {EMBEDDED!r}"):
        import skimage

    folder = pathlib.Path(skimage.__file__).parent / "data"
    return [folder / name for name in _NAMES[split]]
