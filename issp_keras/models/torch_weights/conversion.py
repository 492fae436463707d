"""Converts official PyTorch checkpoints to Keras networks and back."""

from typing import Any

import keras
import numpy as np

from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.errors import some_of
from issp_keras.files import StrPath
from issp_keras.models.keras_files import load_model
from issp_keras.models.merging import merge
from issp_keras.models.parts.reparameterized import ReparameterizedConv2D
from issp_keras.models.torch_weights.architectures import KNOWN
from issp_keras.models.torch_weights.architectures import is_known
from issp_keras.models.torch_weights.architectures import recognise
from issp_keras.models.torch_weights.layout import buffers
from issp_keras.models.torch_weights.layout import entries
from issp_keras.models.torch_weights.names import basicsr_names
from issp_keras.models.torch_weights.reader import read_torch
from issp_keras.models.torch_weights.writer import write_torch

# BasicSR saves a network under these names: averages of the weights, and the
# weights. It tests the averages.
_GROUPS = ("params_ema", "params")
# The prefix of each name after a parallel training.
_PARALLEL = "module."


def from_torch(checkpoint: StrPath, **arguments: Any) -> keras.Model:
    """Builds the network of a checkpoint, with its weights.

    The function finds the network and its sizes by names and shapes. Some
    arguments are not in a checkpoint. Pass them by name: the residual scale of
    an EDSR (default 0.1 for 256 or more features, otherwise 1), the windows of
    a CAT-A that was saved without its masks, the scale of an FSRCNN (required),
    and the activation of a DIPNet (default SiLU).

    Example:

    >>> model = issp_keras.models.from_torch("SwinIR-light-x4.pth")

    Args:
        checkpoint: Path of a `.pth` file of EDSR, RCAN, SwinIR (`1conv`;
            `pixelshuffle` or `pixelshuffledirect`), CAT, ECBSR in its plain
            form after training, ABPN, FSRCNN or DIPNet. BasicSR, the authors,
            ETDS or NTIRE 2025 saved it.
        **arguments: Arguments of the network's function in
            `issp_keras.models`. They replace the arguments that were found.

    Returns:
        A `keras.Model`.

    Raises:
        InputError: If the file is missing or broken, names objects other than
            tensors, or is from another network, or a value of an argument is
            not usable.
        TypeError: If the network has no such argument.
    """
    state = _state(checkpoint)
    with blame(str(checkpoint), ValueError):
        network, found = recognise(state, arguments)
        model = network(**found)
    _assign(model, state, checkpoint)
    return model


def load_torch(model: keras.Model, checkpoint: StrPath) -> keras.Model:
    """Loads all weights of a network from a checkpoint.

    If anything does not fit, no weight changes.

    Args:
        model: A `keras.Model` of `issp_keras.models`, or the path of its
            `.keras` file.
        checkpoint: Path of a `.pth` file, see `from_torch`.

    Returns:
        The model.

    Raises:
        InputError: If a file is missing or broken. Also if the checkpoint
            lacks an entry, or has an extra entry, an entry of another shape,
            an entry that is not floating point, or positions of other windows.
    """
    if not isinstance(model, keras.Model):
        model = load_model(model)
    _assign(model, _state(checkpoint), checkpoint)
    return model


def to_torch(model: keras.Model, path: StrPath) -> None:
    """Writes the weights of a network as a checkpoint for BasicSR.

    Zeros stay zeros. Sums of branches are merged. BasicSR does not have ABPN,
    FSRCNN and DIPNet; they get the names of the official checkpoints. The file
    holds `{"params": ...}` with the buffers that BasicSR's networks expect.
    The masks of shifted windows are for patches of 64x64 LR pixels
    (`img_size: 64`), or for a larger patch if windows do not divide that.

    Args:
        model: A `keras.Model` of EDSR, RCAN, SwinIR, CAT, ECBSR, ABPN, FSRCNN
            or DIPNet.
        path: Path of the `.pth` file, replaced if it exists.

    Raises:
        InputError: If the file cannot be written, or the model is not one of
            these networks.
    """
    if any(isinstance(x, ReparameterizedConv2D) for x in model.layers):
        model = merge(model)
    state = {
        name: entry.to_torch(keras.ops.convert_to_numpy(entry.variable.value))
        for name, entry in entries(model).items()
    }
    state.update(buffers(model))
    if not is_known(state):
        raise InputError(
            f"The model '{model.name}' has no official checkpoints: "
            f"expected {KNOWN}."
        )
    write_torch(path, {"params": state})


def _state(checkpoint):
    content = read_torch(checkpoint)
    for group in _GROUPS:
        if isinstance(content, dict) and group in content:
            content = content[group]
            break
    if not isinstance(content, dict) or not content:
        raise InputError(
            f"{checkpoint}: holds no weights, expected a state dict, directly "
            f"or under one of the names {', '.join(_GROUPS)}."
        )
    for name, value in content.items():
        if not isinstance(value, np.ndarray):
            raise InputError(
                f"{checkpoint}: its entry {name} is of type "
                f"{type(value).__name__}, expected a tensor."
            )
    names = [str(name) for name in content]
    if all(name.startswith(_PARALLEL) for name in names):
        names = [name.removeprefix(_PARALLEL) for name in names]
    return basicsr_names(dict(zip(names, content.values(), strict=True)))


def _assign(model, state, checkpoint):
    expected = entries(model)
    computed = buffers(model)
    reasons = [
        _listed("lacks", sorted(expected.keys() - state.keys())),
        _listed(
            "has as surplus",
            sorted(state.keys() - expected.keys() - computed.keys()),
        ),
        _listed(
            "has in another shape",
            [
                f"{name} {state[name].shape} instead of {entry.shape}"
                for name, entry in expected.items()
                if name in state and state[name].shape != entry.shape
            ],
        ),
        _listed(
            "has no floating-point numbers in",
            [
                f"{name} ({state[name].dtype})"
                for name in expected
                if name in state and not _is_float(state[name])
            ],
        ),
        _listed(
            "is of other windows, which shows in",
            [
                name
                for name, array in computed.items()
                # The size of masks depends on the training patches.
                if name in state
                and "attn_mask" not in name
                and not np.array_equal(state[name], array)
            ],
        ),
    ]
    if any(reasons):
        raise InputError(
            f"{checkpoint}: does not fit the model '{model.name}': it "
            f"{'; it '.join(filter(None, reasons))}."
        )
    for name, entry in expected.items():
        entry.variable.assign(entry.to_keras(state[name]).astype("float32"))


def _is_float(array):
    return array.dtype.kind == "f" or array.dtype.name == "bfloat16"


def _listed(verb, names):
    if not names:
        return ""
    return f"{verb} {some_of(names)}"
