"""Writes a Keras network as a TFLite file.

    issp-export model.keras

writes `model_dense.tflite` and `model_sparse.tflite` beside it: the same
float32 network, with its zeros stored and with its zeros left out. Both are
run in the interpreter and compared with the Keras model first.
"""

import contextlib
import io
import pathlib

import keras
import numpy as np
from absl import flags
from absl import logging

from issp_keras import cli
from issp_keras import files
from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.inference import TFLiteInterpreter
from issp_keras.inference import fixed_size
from issp_keras.inference import keras_network
from issp_keras.inference import network_of
from issp_keras.models import load_model

# In units of the output, which is 0..1: a fortieth of an 8-bit level.
_TOLERANCE = 1e-4


def export(
    model: keras.Model,
    path,
    sparse: bool = True,
    height: int | None = None,
    width: int | None = None,
) -> float:
    """Converts a network to TFLite, float32, and checks the result.

    Args:
        model: A `keras.Model` that maps RGB images of shape (1, height,
            width, 3) to larger ones.
        path: Path of the `.tflite` file, replaced if it exists.
        sparse: Boolean, whether kernels with at least 30 % zeros are stored
            without their zeros. Defaults to `True`.
        height: Integer, the one LR height in pixels that the file takes.
            Defaults to what the model takes.
        width: Integer, likewise; needed if, and only if, `height` is given.

    Returns:
        Float, the largest absolute difference between the outputs of the
        file in the interpreter and of `model`, on noise.

    Raises:
        InputError: If that difference exceeds 1e-4, the file cannot be
            written, the model cannot be converted or takes another size, or
            the height is given without the width.
    """
    if (height is None) != (width is None):
        raise InputError(
            "--height and --width belong together. Received: "
            f"height={height}, width={width}"
        )
    size = fixed_size(model)
    if height is not None and width is not None:
        if size not in (None, (height, width)):
            raise InputError(
                f"--height and --width: are ({height}, {width}), but the "
                f"model takes {size} only."
            )
        size = height, width
    with files.replacing(path) as partial:
        with blame(f"{path}: cannot be converted to", Exception):
            content = _convert(model, sparse, size)
        partial.write_bytes(content)
        error = _largest_error(model, partial, size or (24, 40))
        if not error <= _TOLERANCE:
            raise InputError(
                f"{path}: differs from the Keras model by {error:.1e}, "
                f"expected at most {_TOLERANCE:.0e}; it was not written."
            )
    return error


def _convert(model, sparse, size):
    import tensorflow as tf

    if size:
        image = keras.Input((*size, 3), batch_size=1)
        model = keras.Model(image, model(image))
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if sparse:
        converter.optimizations = [tf.lite.Optimize.EXPERIMENTAL_SPARSITY]
    with _quiet():
        return converter.convert()


@contextlib.contextmanager
def _quiet():
    """Hides what Keras prints and logs of its steps to the converter."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.set_verbosity(verbosity)


def _largest_error(model, path, size):
    noise = np.random.default_rng(0).random((1, *size, 3), np.float32)
    expected = keras_network(model)(noise)
    return float(np.abs(TFLiteInterpreter(path)(noise) - expected).max())


def main(argv):
    flag = flags.FLAGS
    source = pathlib.Path(*cli.arguments(argv, "a .keras file"))
    model = load_model(source)
    network_of(model, source)  # Refuses what is no super-resolution network.
    for variant in ("dense", "sparse"):
        path = source.with_name(f"{source.stem}_{variant}.tflite")
        error = export(
            model, path, variant == "sparse", flag.height, flag.width
        )
        print(
            f"Wrote {path}: {path.stat().st_size} bytes, differs from the "
            f"Keras model by at most {error:.1e}."
        )


def run():
    """Entry point of `issp-export`."""
    flags.DEFINE_integer(
        "height", None, "The one LR height the files take.", lower_bound=1
    )
    flags.DEFINE_integer(
        "width", None, "The one LR width the files take.", lower_bound=1
    )
    cli.run(main)


if __name__ == "__main__":
    run()
