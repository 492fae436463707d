"""Prepares photographs for training on data sets larger than the memory.

    issp prepare DIV2K_train_HR Flickr2K_HR prepared/df2k_x4 --scale=4
    issp prepare tfds:df2k/bicubic_x4 prepared/df2k_x4 --scale=4

Use the new folder as --config.data.train of `issp train`. It needs three bytes
for each pixel of HR and LR.
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
            "expected one or more folders of photographs and the new folder. "
            f"Received: {folder or 'none'}"
        )
    for source in sources:
        if not source.startswith(_TFDS):
            find_folder(source, flags.FLAGS.data_dir or "data")
    if pathlib.Path(folder).exists():
        raise InputError(f"{folder}: exists, expected a new folder.")
    cli.load("issp_keras.programs.prepare").main(argv)


def run():
    """Entry point of `issp prepare`."""
    flags.DEFINE_integer(
        "scale", None, "Magnification from LR to HR.", lower_bound=2
    )
    flags.mark_flag_as_required("scale")
    flags.DEFINE_string(
        "data_dir",
        None,
        "Folder of test sets or of TensorFlow Datasets; by default 'data' for "
        "test sets.",
    )
    cli.run(
        main,
        arguments={
            "SOURCE...": "Folders of photographs, with or without LR files; "
            "'embedded'; or data sets of TensorFlow Datasets with the features "
            "lr and hr, such as tfds:df2k/bicubic_x4.",
            "FOLDER": "The new folder.",
        },
    )


if __name__ == "__main__":
    run()
