"""The simulation of int8 that a config describes."""

from ml_collections import ConfigDict

from issp_keras.callbacks import SimulatedInt8
from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.programs.configuration.pruning import DENSE

_GROUP = "simulated_int8"
_ENTRIES = ("begin_step", "momentum")


def simulated_int8(config) -> SimulatedInt8 | None:
    """Returns the callback that `config.simulated_int8` describes, or None.

    Call `check` and `sparse_training` first: they check other entries that
    this function reads.

    Args:
        config: `ml_collections.ConfigDict`.

    Raises:
        InputError: If an entry is not usable.
    """
    entries = config.get(_GROUP)
    if entries is None:
        return None
    _check_names(entries)
    if entries.get("begin_step") is None:
        return None
    _check_begin_step(config, entries.begin_step)
    if config.network.get("reparameterized", False):
        raise InputError(
            "--config.network.reparameterized: is True, but "
            f"--config.{_GROUP} would round its branches instead of their sum."
        )
    policy = config.get("dtype_policy", "float32")
    if policy != "float32":
        raise InputError(
            f"--config.dtype_policy: is {policy!r}, but --config.{_GROUP} "
            "needs float32."
        )
    with blame(f"--config.{_GROUP}", ValueError, TypeError):
        return SimulatedInt8(**entries.to_dict())


def _check_names(entries):
    if not isinstance(entries, ConfigDict):
        raise InputError(
            f"--config.{_GROUP}: is {entries!r}, expected a group with the "
            f"entries {', '.join(_ENTRIES)}."
        )
    for name in entries:
        if name not in _ENTRIES:
            raise InputError(
                f"--config.{_GROUP}.{name}: is not an entry, expected one of "
                f"{', '.join(_ENTRIES)}."
            )


def _check_begin_step(config, step):
    is_dense = config.sparsity.method == DENSE
    first = 0 if is_dense else config.sparsity.end_step
    is_whole = isinstance(step, int) and not isinstance(step, bool)
    if is_whole and first <= step < config.steps:
        return
    why = "" if is_dense else ", from --config.sparsity.end_step on"
    raise InputError(
        f"--config.{_GROUP}.begin_step: is {step!r}, expected a step of the "
        f"training{why}, at least {first} and below {config.steps}."
    )
