"""Flags that several programs have, and what they say."""

from typing import TYPE_CHECKING

from absl import flags

from issp_keras.data import EMBEDDED
from issp_keras.errors import InputError
from issp_keras.inference import TILE
from issp_keras.inference import check_tile
from issp_keras.inference import network_path
from issp_keras.programs.cli.arguments import check_file

if TYPE_CHECKING:
    from issp_keras.inference import Network


def define_network_flags(model: str | None = None):
    """Defines the flags of programs that apply networks, for `network`.

    Args:
        model: String, the network without `--model`. None for programs that
            require `--model`, and take it several times.
    """
    define = flags.DEFINE_multi_string if model is None else flags.DEFINE_string
    define(
        "model",
        model,
        "A .keras or .tflite network, or the name of one that comes with "
        "issp_keras (`issp models`).",
        short_name="m",
    )
    if model is None:
        flags.mark_flag_as_required("model")
    flags.DEFINE_bool(
        "self_ensemble", False, "Take the mean over 8 flips and rotations."
    )
    flags.DEFINE_integer(
        "tile",
        TILE,
        "Height and width in LR pixels of the tiles that large photographs "
        "are cut into; 0 for none.",
        lower_bound=0,
    )
    flags.DEFINE_string(
        "delegate",
        None,
        "For .tflite networks: 'sparse' for the delegate that leaves out "
        "zeros, or the library of another one.",
        short_name="d",
    )
    _define_threads_flag()


def check_network():
    """Checks the flags of `define_network_flags`, and loads nothing.

    Raises:
        InputError: If a flag is not usable, or there is no such file.
    """
    flag = flags.FLAGS
    check_tile(flag.tile)
    for model in [flag.model] if isinstance(flag.model, str) else flag.model:
        path = network_path(model)
        if flag.delegate and path.suffix.lower() != ".tflite":
            raise InputError(
                f"--delegate: {flag.delegate}: is for .tflite files, and the "
                f"network is {model}."
            )
        check_file(path, "a .keras or .tflite file")


def network(model: str | None = None) -> "Network":
    """The network that the flags of `define_network_flags` describe.

    Args:
        model: String, one that `--model` names. Defaults to the only one.

    Raises:
        InputError: If a flag or the file is not usable.
    """
    # Here alone, so that flags are checked before NumPy is imported.
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
    """Defines the flags that say which photographs to score."""
    flags.DEFINE_list(
        "data",
        [EMBEDDED],
        "Folders of photographs, test sets in --data_dir (set5, set14, b100, "
        f"urban100, manga109), or '{EMBEDDED}', with commas between.",
    )
    flags.DEFINE_string("data_dir", "data", "Folder that holds test sets.")


def define_latency_flags():
    """Defines the flags that say how latency is measured."""
    flags.DEFINE_list(
        "size", [128, 128], "LR height and width in pixels, for the latency."
    )
    flags.DEFINE_integer("rounds", 20, "Timed runs.", lower_bound=1)
    _define_threads_flag()


def image_size(values: list) -> tuple[int, int]:
    """The height and width that `--size` gives.

    Raises:
        InputError: If it does not.
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
