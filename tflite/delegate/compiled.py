"""The delegate in LiteRT's CompiledModel, the API after the interpreter."""

import ctypes
import pathlib
import tempfile
from typing import Any

from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.extras import needed_by
from issp_keras.files import StrPath
from issp_keras.tflite.delegate.loading import library
from issp_keras.tflite.delegate.loading import load

# LiteRT looks for accelerators in its library folder, by their names.
_ACCELERATOR = "libLiteRtGpuAccelerator.so"


def compiled_model(path: StrPath, loaded: Any = None) -> Any:
    """Compiles a `.tflite` file with LiteRT, for the delegate and the CPU.

    LiteRT loads the delegate as if it were a GPU. It must be
    `ai-edge-litert` 2.2 or newer. XNNPACK computes what the delegate leaves,
    with one thread.

    Example:

    ```python
    loaded = delegate.load(num_threads=2)
    model = delegate.compiled_model("model.tflite", loaded)
    model.resize_input_tensor(0, images.shape)
    (entry,) = model.create_input_buffers(0)
    (result,) = model.create_output_buffers(0)
    entry.write(images)
    model.run_by_index(0, [entry], [result])
    ```

    Args:
        path: Path of a `.tflite` file.
        loaded: A delegate from `load`. Defaults to a new one with the default
            options. By default, a delegate uses one thread here.

    Returns:
        An `ai_edge_litert.compiled_model.CompiledModel`.

    Raises:
        InputError: If the file is missing, if LiteRT cannot compile it, or if
            this version of LiteRT does not load the delegate.
    """
    path = pathlib.Path(path)
    with needed_by("A compiled model"):
        # Imported here, since building the delegate does not need it.
        from issp_keras.tflite import flatbuffer

        flatbuffer.check_constants(path)
        from ai_edge_litert import compiled_model as litert
        from ai_edge_litert import environment as environments

    loaded = loaded or load()
    offer = ctypes.CDLL(str(library())).issp_delegate_offer
    offer.argtypes = [ctypes.c_void_p]
    hardware = litert.HardwareAccelerator
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / _ACCELERATOR).symlink_to(library().resolve())
        environment = environments.Environment.create(runtime_path=folder)
        offer(loaded._get_native_delegate_pointer())
        try:
            with blame(f"{path}: LiteRT cannot compile it", RuntimeError):
                model = litert.CompiledModel.from_file(
                    str(path),
                    hardware_accel=hardware.GPU | hardware.CPU,
                    environment=environment,
                )
        finally:
            is_left = offer(None)
    if is_left:
        raise InputError(
            "this LiteRT does not load the sparse delegate for compiled "
            "models, expected ai-edge-litert 2.2 or newer."
        )
    return model
