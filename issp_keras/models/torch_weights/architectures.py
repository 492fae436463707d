"""Finds the network of a checkpoint by the names and shapes of its entries."""

import math
import re

from issp_keras.models.abpn import abpn
from issp_keras.models.cat import cat
from issp_keras.models.dipnet import dipnet
from issp_keras.models.ecbsr import ecbsr
from issp_keras.models.edsr import edsr
from issp_keras.models.fsrcnn import fsrcnn
from issp_keras.models.rcan import rcan
from issp_keras.models.swinir import swinir

KNOWN = "EDSR, RCAN, SwinIR, CAT, ECBSR, ABPN, FSRCNN or DIPNet"
# EDSR-L scales its residuals, EDSR-baseline does not.
_WIDE = 256


def is_known(state):
    """Whether a checkpoint belongs to one of the known networks."""
    return any(entry in state for entry in _NETWORKS)


def recognise(state, given):
    """Finds the constructor of a checkpoint's network, and its arguments.

    The weights do not show the residual scale. It is that of the published
    networks: 0.1 for an EDSR with 256 or more features, and 1 otherwise.

    Args:
        state: Dict from BasicSR's names to arrays.
        given: Dict of arguments that the caller gives.

    Returns:
        Two values: a function of `issp_keras.models`, and a dict of arguments.

    Raises:
        ValueError: If the checkpoint is from another network or variant.
    """
    for entry, (network, arguments) in _NETWORKS.items():
        if entry in state:
            return network, {**arguments(_Shapes(state, given)), **given}
    raise ValueError(
        f"is not from a known network: expected {KNOWN}, "
        f"with one of the entries {', '.join(_NETWORKS)}."
    )


class _Shapes:
    """Returns the shapes of entries. An error names a missing entry."""

    def __init__(self, state, given):
        self.state = state
        self.given = given

    def __call__(self, name, rank):
        shape = getattr(self.state.get(name), "shape", None)
        if shape is None or len(shape) != rank or 0 in shape:
            raise ValueError(
                f"has no entry {name} with {rank} axes, which its network has."
            )
        return shape

    def count(self, expression):
        """Counts the different numbers that a group matches in the names."""
        found = {
            int(match[1])
            for match in map(re.compile(expression).match, self.state)
            if match
        }
        return len(found)


def _edsr(shape):
    features, *_ = shape("conv_first.weight", 4)
    return {
        "scale": _scale(shape),
        "features": features,
        "blocks": shape.count(r"body\.(\d+)\."),
        "residual_scale": 0.1 if features >= _WIDE else 1.0,
    }


def _rcan(shape):
    features, *_ = shape("conv_first.weight", 4)
    squeezed, *_ = shape("body.0.residual_group.0.rcab.3.attention.1.weight", 4)
    return {
        "scale": _scale(shape),
        "features": features,
        "groups": shape.count(r"body\.(\d+)\."),
        "blocks": shape.count(r"body\.0\.residual_group\.(\d+)\."),
        "squeeze": features // squeezed,
    }


def _swinir(shape):
    embedding, *_ = shape("conv_first.weight", 4)
    depths = _depths(shape, r"\.residual_group")
    block = "layers.{}.residual_group.blocks.0"
    table = f"{block}.attn.relative_position_bias_table"
    places, _ = shape(table.format(0), 2)
    hidden, _ = shape(f"{block.format(0)}.mlp.fc1.weight", 2)
    arguments = {
        "embedding": embedding,
        "depths": depths,
        "heads": tuple(
            shape(table.format(i), 2)[1] for i in range(len(depths))
        ),
        "window": (math.isqrt(places) + 1) // 2,
        "mlp_ratio": _ratio(hidden, embedding),
    }
    if "conv_before_upsample.0.weight" in shape.state:
        features, *_ = shape("conv_before_upsample.0.weight", 4)
        return {
            "scale": _scale(shape),
            "upsampler": "pixelshuffle",
            "features": features,
            **arguments,
        }
    outputs, *_ = shape("upsample.0.weight", 4)
    return {
        "scale": math.isqrt(outputs // 3),
        "upsampler": "pixelshuffledirect",
        **arguments,
    }


def _cat(shape):
    embedding, *_ = shape("conv_first.weight", 4)
    depths = _depths(shape, "")
    hidden, _ = shape("layers.0.blocks.0.mlp.fc1.weight", 2)
    features, *_ = shape("conv_before_upsample.0.weight", 4)
    groups = range(len(depths))
    head = "layers.{}.blocks.0.attns.0.pos.pos3.2.bias"
    return {
        "scale": _scale(shape),
        "embedding": embedding,
        "depths": depths,
        "heads": tuple(2 * shape(head.format(i), 1)[0] for i in groups),
        "windows": shape.given.get("windows")
        or tuple(_windows(shape, f"layers.{i}.blocks") for i in groups),
        "mlp_ratio": _ratio(hidden, embedding),
        "features": features,
    }


def _ecbsr(shape):
    features, *_ = shape("backbone.0.conv3x3.weight", 4)
    last = shape.count(r"backbone\.(\d+)\.") - 1
    outputs, *_ = shape(f"backbone.{last}.conv3x3.weight", 4)
    has_slopes = "backbone.0.act.weight" in shape.state
    return {
        "scale": math.isqrt(outputs // 3),
        "features": features,
        "blocks": last - 1,
        "activation": "prelu" if has_slopes else "relu",
    }


def _abpn(shape):
    features, *_ = shape("backbone.2.0.weight", 4)
    blocks = shape.count(r"backbone\.(\d+)\.0\.")
    outputs, *_ = shape(f"backbone.{blocks + 4}.weight", 4)
    return {
        "scale": math.isqrt(outputs // 3),
        "features": features,
        "blocks": blocks,
    }


def _fsrcnn(shape):
    features, *_ = shape("first_part.0.weight", 4)
    shrunk, *_ = shape("mid_part.0.weight", 4)
    if "scale" not in shape.given:
        raise ValueError(
            "is from FSRCNN, whose weights have the same shapes for every "
            "magnification: expected the argument `scale`."
        )
    return {
        "features": features,
        "shrunk": shrunk,
        # Each convolution has a PReLU, and two convolutions are 1x1.
        "mappings": shape.count(r"mid_part\.(\d+)\.") // 2 - 2,
    }


def _dipnet(shape):
    features, *_ = shape("conv_1.eval_conv.weight", 4)
    attention, *_ = shape("block_1.esa.conv1.weight", 4)
    outputs, *_ = shape("upsampler.0.eval_conv.weight", 4)
    return {
        "scale": math.isqrt(outputs // 3),
        "features": features,
        "blocks": shape.count(r"block_(\d+)\."),
        "attention": attention,
    }


def _ratio(hidden, embedding):
    """Returns a ratio that gives these hidden channels, rounded down."""
    ratio = hidden / embedding
    is_exact = int(embedding * ratio) == hidden
    return ratio if is_exact else (hidden + 0.5) / embedding


def _depths(shape, inner):
    groups = shape.count(r"layers\.(\d+)\.")
    return tuple(
        shape.count(rf"layers\.{i}{inner}\.blocks\.(\d+)\.")
        for i in range(groups)
    )


def _windows(shape, blocks):
    """Returns the sides of the rectangles of a group of CAT."""
    positions = f"{blocks}.0.attns.0.rpe_biases"
    if positions in shape.state:
        shape(positions, 2)
        rows, columns = shape.state[positions][0]
        return 1 - int(rows), 1 - int(columns)
    mask = f"{blocks}.1.attn_mask_0"
    if mask in shape.state:
        # (windows, pixels, pixels) of a square patch cut into columns.
        count, pixels, _ = shape(mask, 3)
        return math.isqrt(pixels // count), None
    raise ValueError(
        f"has neither {positions} nor {mask}, which show the windows of CAT: "
        "expected the argument `windows`, for CAT-A "
        "((2, None),) * 3 + ((4, None),) * 3."
    )


def _scale(shape):
    """The magnification, from the convolutions before pixel shuffles."""
    outputs, inputs, *_ = shape("upsample.0.weight", 4)
    if outputs == 9 * inputs:
        return 3
    return 2 ** shape.count(r"upsample\.(\d+)\.")


# From an entry that only one network has to this network, and to the function
# that finds its arguments.
_NETWORKS = {
    "body.0.conv1.weight": (edsr, _edsr),
    "body.0.residual_group.0.rcab.0.weight": (rcan, _rcan),
    "layers.0.residual_group.blocks.0.attn.qkv.weight": (swinir, _swinir),
    "layers.0.blocks.0.attns.0.pos.pos_proj.weight": (cat, _cat),
    "backbone.0.conv3x3.weight": (ecbsr, _ecbsr),
    "backbone.2.0.weight": (abpn, _abpn),
    "first_part.0.weight": (fsrcnn, _fsrcnn),
    "block_1.c1_r.eval_conv.weight": (dipnet, _dipnet),
}
