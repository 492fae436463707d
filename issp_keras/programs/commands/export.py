"""Converts a Keras network to small `.tflite` files, and checks them.

    issp export model.keras --precision=float16
    issp export model.keras --all
    issp export x4_fast --precision=float16

The first example writes model_float16_sparse.tflite beside the model. Before
that, the interpreter runs the file, and its output is compared with that of
the Keras model. --all writes every sensible variant, and a table of them as
JSON and Markdown.

MODEL may be the name of a network that comes with issp_keras, as in the last
example (`issp models` lists them). Its files are written to the current folder.
"""

from absl import flags

from issp_keras.errors import InputError
from issp_keras.inference import keras_path
from issp_keras.programs import cli
from issp_keras.tflite.choices import INPUTS
from issp_keras.tflite.choices import PRECISIONS
from issp_keras.tflite.choices import RANGES
from issp_keras.tflite.choices import TOLERANCES
from issp_keras.tflite.choices import UPSAMPLINGS


def main(argv):
    (source,) = cli.arguments(argv, "a .keras file")
    cli.check_file(keras_path(source), "a .keras file")
    _check(flags.FLAGS)
    cli.load("issp_keras.tflite.programs.export").main(argv)


def _check(flag):
    cli.check_photographs("data", flag.data, flag.data_dir)
    if flag.calibration:
        cli.check_photographs("calibration", flag.calibration, flag.data_dir)
    if (flag.height is None) != (flag.width is None):
        raise InputError("--height and --width: expected both or neither.")
    if flag.all:
        cli.image_size(flag.size)
        if flag.output:
            raise InputError(
                "--output: names one file, but --all writes several files "
                "beside the .keras file."
            )
    cli.check_output(flag.output, ".tflite")


def run():
    """Entry point of `issp export`."""
    flags.DEFINE_enum(
        "precision", "float32", PRECISIONS, "The number type of kernels."
    )
    flags.DEFINE_bool("sparse", True, "Store kernels sparse if it is smaller.")
    flags.DEFINE_bool("all", False, "Write every sensible variant and a table.")
    flags.DEFINE_string(
        "output", None, "The file; by default beside the model.", short_name="o"
    )
    flags.DEFINE_integer(
        "height", None, "A fixed LR height; use it with --width.", lower_bound=1
    )
    flags.DEFINE_integer(
        "width", None, "A fixed LR width; use it with --height.", lower_bound=1
    )
    flags.DEFINE_enum(
        "input",
        "float32",
        INPUTS,
        "The type of input and output: float32 in 0..1 or uint8 in 0..255.",
    )
    flags.DEFINE_float(
        "tolerance",
        None,
        "The largest allowed loss of PSNR in dB; by default "
        f"{', '.join(f'{k} {v}' for k, v in TOLERANCES.items())}.",
        lower_bound=0,
    )
    flags.DEFINE_list(
        "calibration",
        None,
        "Photographs on which int8 finds its ranges, in the form of --data; by "
        "default the embedded training photographs.",
    )
    flags.DEFINE_enum(
        "ranges",
        "best",
        RANGES,
        "How int8 finds the ranges of activations.",
    )
    flags.DEFINE_enum(
        "upsampling",
        "depth_to_space",
        UPSAMPLINGS,
        "The operators that turn channels into pixels. Use the last two for "
        "GPUs and NPUs that refuse DEPTH_TO_SPACE, with --height, --width and "
        "--nosparse.",
    )
    cli.define_data_flags()
    cli.define_latency_flags()
    cli.run(main, arguments={"MODEL": "The .keras file."})


if __name__ == "__main__":
    run()
