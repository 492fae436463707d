"""Flags that several programs share."""

from typing import TYPE_CHECKING

from absl import flags

from issp_keras.data import EMBEDDED
from issp_keras.errors import InputError
from issp_keras.files import check_file
from issp_keras.inference import NO_DELEGATE
from issp_keras.inference import TILE
from issp_keras.inference import check_tile
from issp_keras.inference import network_path

if TYPE_CHECKING:
    from issp_keras.inference import Network


def define_network_flags(model: str | None = None):
    """Defines the flags that `network` reads.

    Args:
        model: String, the default of `--model`. None for programs that require
            `--model` and accept it several times.
    """
    define = flags.DEFINE_multi_string if model is None else flags.DEFINE_string
    define(
        "model",
        model,
        "A .keras or .tflite network, or the name of a network that comes with "
        "issp_keras (`issp models` lists them).",
        short_name="m",
    )
    if model is None:
        flags.mark_flag_as_required("model")
    flags.DEFINE_bool(
        "self_ensemble", False, "Return the mean over 8 flips and rotations."
    )
    flags.DEFINE_integer(
        "tile",
        TILE,
        "Height and width of the tiles that large photographs are cut into, in "
        "LR pixels; 0 for no tiles.",
        lower_bound=0,
    )
    flags.DEFINE_string(
        "delegate",
        None,
        "For .tflite networks: 'sparse' for the sparse delegate of issp_keras, "
        "which skips zeros, the path of another delegate library, or 'none'; "
        "by default 'sparse' for networks that come with issp_keras if it is "
        "compiled, and else 'none'.",
        short_name="d",
    )
    _define_threads_flag()


def check_network():
    """Checks the flags of `define_network_flags` without loading a network.

    Raises:
        InputError: If a flag is not usable, or the file does not exist.
    """
    flag = flags.FLAGS
    check_tile(flag.tile)
    for model in [flag.model] if isinstance(flag.model, str) else flag.model:
        path = network_path(model)
        has_delegate = flag.delegate not in (None, NO_DELEGATE)
        if has_delegate and path.suffix.lower() != ".tflite":
            raise InputError(
                f"--delegate: {flag.delegate}: is for .tflite files, but the "
                f"network is {model}."
            )
        check_file(path, "a .keras or .tflite file")


def network(model: str | None = None) -> "Network":
    """Loads the network that the flags of `define_network_flags` describe.

    Args:
        model: String, a value of `--model`. Defaults to its only value.

    Raises:
        InputError: If a flag or the file is not usable.
    """
    # Imported here, so that flags are checked before NumPy is imported.
    from issp_keras.inference import load_network

    flag = flags.FLAGS
    return load_network(
        model or flag.model,
        flag.threads,
        flag.delegate,
        tile=flag.tile,
        self_ensemble=flag.self_ensemble,
    )


def _define_threads_flag():
    flags.DEFINE_integer(
        "threads", 1, "Threads of the TFLite interpreter.", lower_bound=1
    )


def define_data_flags():
    """Defines the flags for the photographs to score."""
    flags.DEFINE_list(
        "data",
        [EMBEDDED],
        "Photographs, separated by commas: folders, test sets in --data_dir "
        f"(set5, set14, b100, urban100, manga109), or '{EMBEDDED}'.",
    )
    flags.DEFINE_string("data_dir", "data", "Folder of the test sets.")


def define_latency_flags():
    """Defines the flags for the measurement of latency."""
    flags.DEFINE_list(
        "size", [128, 128], "LR height and width for the latency, in pixels."
    )
    flags.DEFINE_integer("rounds", 20, "Number of timed runs.", lower_bound=1)
    _define_threads_flag()


def image_size(values: list) -> tuple[int, int]:
    """Returns the height and width in `--size`.

    Raises:
        InputError: If the value is not two positive whole numbers.
    """
    try:
        height, width = map(int, values)
    except ValueError:
        height = width = 0
    if height < 1 or width < 1:
        raise InputError(
            f"--size: is '{','.join(map(str, values))}', expected LR height "
            "and width in pixels, such as 128,128."
        )
    return height, width
