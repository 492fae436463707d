"""Names of entries in checkpoints of other code than BasicSR."""

import re

_SHARED = {
    r"head\.0\.": "conv_first.",
    r"tail\.0\.(\d)\.": r"upsample.\1.",
    r"tail\.1\.": "conv_last.",
    r"body\.(\d+)\.(weight|bias)$": r"conv_after_body.\2",
}
_EDSR = {
    r"body\.(\d+)\.body\.0\.": r"body.\1.conv1.",
    r"body\.(\d+)\.body\.2\.": r"body.\1.conv2.",
}
_RCAN = {
    r"body\.(\d+)\.body\.(\d+)\.body\.3\.conv_du\.0\.": (
        r"body.\1.residual_group.\2.rcab.3.attention.1."
    ),
    r"body\.(\d+)\.body\.(\d+)\.body\.3\.conv_du\.2\.": (
        r"body.\1.residual_group.\2.rcab.3.attention.3."
    ),
    r"body\.(\d+)\.body\.(\d+)\.body\.(\d)\.": (
        r"body.\1.residual_group.\2.rcab.\3."
    ),
    r"body\.(\d+)\.body\.(\d+)\.(weight|bias)$": r"body.\1.conv.\3",
}
_ECBSR = {
    r"backbone\.(\d+)\.0\.": r"backbone.\1.conv3x3.",
    r"backbone\.(\d+)\.1\.": r"backbone.\1.act.",
}
# Layers that shift by the mean colour, which all these networks share.
_FIXED = ("sub_mean.", "add_mean.")


def basicsr_names(state):
    """Renames the entries of other code to BasicSR's names.

    The other code is thstkdgus35/EDSR-PyTorch, yulunzhang/RCAN, and
    ECNUSR/ETDS for the plain form of ECBSR.

    Args:
        state: Dict from names to arrays.

    Returns:
        The dict with BasicSR's names. It is `state` itself if the names are
        not from this code.
    """
    if "backbone.0.0.weight" in state:
        rules = _ECBSR
    elif "head.0.weight" in state:
        is_rcan = any("conv_du" in name for name in state)
        rules = {**(_RCAN if is_rcan else _EDSR), **_SHARED}
    else:
        return state
    return {
        _renamed(name, rules): array
        for name, array in state.items()
        if not name.startswith(_FIXED)
    }


def _renamed(name, rules):
    for expression, replacement in rules.items():
        if re.match(expression, name):
            return re.sub(expression, replacement, name, count=1)
    return name
