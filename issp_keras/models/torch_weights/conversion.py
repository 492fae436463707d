"""Keras networks from official PyTorch checkpoints, and the way back."""

from typing import Any

import keras
import numpy as np

from issp_keras.errors import InputError
from issp_keras.errors import blame
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

# Under which names BasicSR saves a network; averages are what it tests.
_GROUPS = ("params_ema", "params")
# What a parallel training puts before each name.
_PARALLEL = "module."
_NAMED = 5


def from_torch(checkpoint: StrPath, **arguments: Any) -> keras.Model:
    """Builds the network that a checkpoint is of, with its weights.

    The network and its sizes are found from names and shapes. What a
    checkpoint does not show can be given: the residual scale of an EDSR
    (else 0.1 from 256 features on, and 1 below), the windows of a CAT-A that
    was saved without its masks, the scale of an FSRCNN (always), and the
    activation of a DIPNet (else SiLU).

    Example:

    >>> model = issp_keras.models.from_torch("SwinIR-light-x4.pth")

    Args:
        checkpoint: Path of a `.pth` file of EDSR, RCAN, SwinIR (`1conv`;
            `pixelshuffle` or `pixelshuffledirect`), CAT, ECBSR as it is after
            training, ABPN, FSRCNN or DIPNet, as BasicSR, the authors or, of
            the last ones, ETDS and NTIRE 2025 save it.
        **arguments: Arguments of the network's function in
            `issp_keras.models`, instead of those found.

    Returns:
        A `keras.Model`.

    Raises:
        InputError: If the file is missing, broken, names anything but
            tensors, or is of another network, or an argument has no such
            value.
        TypeError: If an argument is not one of the network's.
    """
    state = _state(checkpoint)
    with blame(str(checkpoint), ValueError):
        network, found = recognise(state, arguments)
        model = network(**found)
    _assign(model, state, checkpoint)
    return model


def load_torch(model: keras.Model, checkpoint: StrPath) -> keras.Model:
    """Sets all weights of a network from a checkpoint.

    Nothing is set if anything does not fit.

    Args:
        model: A `keras.Model` of `issp_keras.models`, or the path of a
            `.keras` file of one.
        checkpoint: Path of a `.pth` file, as for `from_torch`.

    Returns:
        The model.

    Raises:
        InputError: If a file is missing or broken, or the checkpoint lacks
            an entry, has a surplus one, one of another shape, one without
            floating-point numbers, or positions of other windows.
    """
    if not isinstance(model, keras.Model):
        model = load_model(model)
    _assign(model, _state(checkpoint), checkpoint)
    return model


def to_torch(model: keras.Model, path: StrPath) -> None:
    """Writes the weights of a network as a checkpoint of BasicSR.

    Zeros stay zeros. Sums of branches are merged. ABPN, FSRCNN and DIPNet,
    which BasicSR does not have, get the names of the official checkpoints.
    The file holds `{"params": ...}`, with the buffers that BasicSR's networks
    expect; masks of shifted windows are those of patches of 64x64 LR pixels
    (`img_size: 64`), if windows are a part of that.

    Args:
        model: A `keras.Model` of EDSR, RCAN, SwinIR, CAT, ECBSR, ABPN, FSRCNN
            or DIPNet.
        path: Path of the `.pth` file, replaced if it exists.

    Raises:
        InputError: If the file cannot be written, or no official checkpoint
            is of such a network.
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
            f"The model '{model.name}' is no network that BasicSR has: "
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
            f"{checkpoint}: holds no weights, expected a state dict, bare or "
            f"under one of the names {', '.join(_GROUPS)}."
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
                # Masks are of the size of what was trained on.
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
    rest = len(names) - _NAMED
    more = f" and {rest} more" if rest > 0 else ""
    return f"{verb} {', '.join(names[:_NAMED])}{more}"
