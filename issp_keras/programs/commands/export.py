"""Writes a Keras network as `.tflite` files, small, and checks them.

    issp export model.keras --precision=float16
    issp export model.keras --all

The first writes model_float16_sparse.tflite beside the model. The file is run
in the interpreter and compared with the Keras model first. --all writes every
sensible variant, and a table of them, also as JSON and Markdown.
"""

from absl import flags

from issp_keras.errors import InputError
from issp_keras.programs import cli
from issp_keras.tflite.choices import INPUTS
from issp_keras.tflite.choices import PRECISIONS
from issp_keras.tflite.choices import RANGES
from issp_keras.tflite.choices import TOLERANCES


def main(argv):
    (source,) = cli.arguments(argv, "a .keras file")
    cli.check_file(source, "a .keras file")
    _check(flags.FLAGS)
    cli.load("issp_keras.tflite.programs.export").main(argv)


def _check(flag):
    cli.check_photographs("data", flag.data, flag.data_dir)
    if flag.calibration:
        cli.check_photographs("calibration", flag.calibration, flag.data_dir)
    if (flag.height is None) != (flag.width is None):
        raise InputError("--height and --width: expected both or none.")
    if flag.all:
        cli.image_size(flag.size)
        if flag.output:
            raise InputError(
                "--output: names one file, and --all writes several beside "
                "the .keras file."
            )
    cli.check_output(flag.output, ".tflite")


def run():
    """Entry point of `issp export`."""
    flags.DEFINE_enum(
        "precision", "float32", PRECISIONS, "What kernels are stored as."
    )
    flags.DEFINE_bool("sparse", True, "Leave zeros out where that is smaller.")
    flags.DEFINE_bool("all", False, "Write every sensible variant and a table.")
    flags.DEFINE_string(
        "output", None, "The file, by default beside the model.", short_name="o"
    )
    flags.DEFINE_integer(
        "height", None, "The one LR height the file takes.", lower_bound=1
    )
    flags.DEFINE_integer(
        "width", None, "The one LR width the file takes.", lower_bound=1
    )
    flags.DEFINE_enum(
        "input", "float32", INPUTS, "0..1 or 0..255, of the output too."
    )
    flags.DEFINE_float(
        "tolerance",
        None,
        "PSNR in dB that the file may lose; by default "
        f"{', '.join(f'{k} {v}' for k, v in TOLERANCES.items())}.",
        lower_bound=0,
    )
    flags.DEFINE_list(
        "calibration",
        None,
        "What int8 finds its ranges on, as --data; by default the embedded "
        "photographs that are not held out.",
    )
    flags.DEFINE_enum(
        "ranges",
        "best",
        RANGES,
        "How int8 finds the ranges of activations on these.",
    )
    cli.define_data_flags()
    cli.define_latency_flags()
    cli.run(main, arguments={"MODEL": "The .keras file."})


if __name__ == "__main__":
    run()
