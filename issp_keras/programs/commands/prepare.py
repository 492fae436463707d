"""Prepares photographs for training on more than memory holds.

    issp prepare DIV2K_train_HR Flickr2K_HR prepared/df2k_x4 --scale=4
    issp prepare tfds:df2k/bicubic_x4 prepared/df2k_x4 --scale=4

The folder is for --config.data.train of `issp train`. It takes three bytes for
each pixel of HR and LR.
"""

import pathlib

from absl import flags

from issp_keras.data import find_folder
from issp_keras.errors import InputError
from issp_keras.programs import cli

_TFDS = "tfds:"


def main(argv):
    *sources, folder = argv[1:] or [""]
    if not sources:
        raise InputError(
            "expected one or more folders of photographs and the folder to "
            f"make. Received: {folder or 'none'}"
        )
    for source in sources:
        if not source.startswith(_TFDS):
            find_folder(source)
    if pathlib.Path(folder).exists():
        raise InputError(f"{folder}: exists, expected a new folder.")
    cli.load("issp_keras.programs.prepare").main(argv)


def run():
    """Entry point of `issp prepare`."""
    flags.DEFINE_integer(
        "scale", None, "How many times larger HR is than LR.", lower_bound=2
    )
    flags.mark_flag_as_required("scale")
    flags.DEFINE_string("data_dir", None, "Folder of TensorFlow Datasets.")
    cli.run(
        main,
        arguments={
            "SOURCE...": "Folders of photographs, with LR files beside them "
            "or without; 'embedded'; or data sets of TensorFlow Datasets that "
            "yield lr and hr, such as tfds:df2k/bicubic_x4.",
            "FOLDER": "The folder to make.",
        },
    )


if __name__ == "__main__":
    run()
