"""The entries of a config, and whether they are usable."""

import numbers

import keras
from ml_collections import ConfigDict

from issp_keras import metrics
from issp_keras.errors import InputError
from issp_keras.programs.configuration.parts import LOSSES
from issp_keras.sparsity import DISTRIBUTIONS
from issp_keras.sparsity import METHODS
from issp_keras.sparsity import PATTERNS

_DTYPE_POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")
_TEACHER = ("model", "weight", "self_ensemble", "cache")
_ENTRIES = {
    "": ("seed", "steps", "steps_per_epoch", "learning_rate"),
    "network": ("name", "scale"),
    "data": ("train", "held_out", "patch_size", "batch_size"),
    "sparsity": ("method", "target_sparsity", "begin_step", "end_step"),
}
_SPARSITY = {
    *_ENTRIES["sparsity"],
    *("ramp", "distribution", "pattern", "include", "exclude"),
    "optimizer_slots",
    *(*METHODS, *DISTRIBUTIONS, *PATTERNS),
}
_WHOLE = {
    "": ("steps", "steps_per_epoch"),
    "data": ("patch_size", "batch_size"),
}


def check(config):
    """Raises an `InputError` for an entry that is missing or not usable.

    Args:
        config: `ml_collections.ConfigDict` with the entries of
            `configs/quickstart.py`.
    """
    if not isinstance(config, ConfigDict):
        raise InputError(
            f"--config: get_config() returns a {type(config).__name__}, "
            "expected a ml_collections.ConfigDict."
        )
    for group, names in _ENTRIES.items():
        entries = config.get(group) if group else config
        if not isinstance(entries, ConfigDict):
            raise InputError(
                f"--config: has no group '{group}', expected those of "
                "configs/quickstart.py."
            )
        for name in names:
            if name not in entries:
                raise InputError(
                    f"--config: has no entry '{_entry(group, name)}', "
                    "expected those of configs/quickstart.py."
                )
    for group, names in _WHOLE.items():
        for name in names:
            number = config[group][name] if group else config[name]
            if not (isinstance(number, int) and number > 0):
                raise InputError(
                    f"--config.{_entry(group, name)}: is {number!r}, "
                    "expected a positive whole number."
                )
    rate = config.learning_rate
    if not (isinstance(rate, numbers.Real) and 0 < rate < float("inf")):
        raise InputError(
            f"--config.learning_rate: is {rate!r}, expected a positive number."
        )
    if not (isinstance(config.seed, int) and 0 <= config.seed < 2**32):
        raise InputError(
            f"--config.seed: is {config.seed!r}, expected a whole number of "
            "32 bits."
        )
    for name in config.sparsity:
        if name not in _SPARSITY:
            raise InputError(
                f"--config.sparsity.{name}: is no entry, expected one of "
                f"{', '.join(sorted(_SPARSITY))}."
            )
    policy = config.get("dtype_policy", "float32")
    if policy not in _DTYPE_POLICIES:
        raise InputError(
            f"--config.dtype_policy: is {policy!r}, expected one of "
            f"{', '.join(_DTYPE_POLICIES)}."
        )
    name = config.get("loss", "l1")
    if name not in list(LOSSES):
        raise InputError(
            f"--config.loss: is {name!r}, expected one of {', '.join(LOSSES)}."
        )
    channels = score_channels(config)
    if channels not in metrics.CHANNELS:
        raise InputError(
            f"--config.score_channels: is {channels!r}, expected one of "
            f"{', '.join(metrics.CHANNELS)}."
        )
    _check_teacher(config.get("teacher"))
    at_once = config.get("steps_per_execution", 1)
    if (
        not (isinstance(at_once, int) and at_once > 0)
        or config.steps_per_epoch % at_once
    ):
        raise InputError(
            f"--config.steps_per_execution: is {at_once!r}, expected a whole "
            "number that divides --config.steps_per_epoch="
            f"{config.steps_per_epoch}."
        )
    is_jax = keras.backend.backend() == "jax"
    if config.data.get("on_device", False) and not is_jax:
        raise InputError(
            "--config.data.on_device: is True under "
            f"{keras.backend.backend()}, expected KERAS_BACKEND=jax."
        )
    begin = config.get("decay_begin", 0)
    if not (isinstance(begin, int) and 0 <= begin < config.steps):
        raise InputError(
            f"--config.decay_begin: is {begin!r}, expected a step of the "
            f"training, at least 0 and below {config.steps}."
        )
    halve_at = config.get("halve_at", ())
    if not (
        isinstance(halve_at, tuple)
        and all(isinstance(step, int) and step > 0 for step in halve_at)
        and list(halve_at) == sorted(set(halve_at))
    ):
        raise InputError(
            f"--config.halve_at: is {halve_at!r}, expected a tuple of growing "
            "numbers of steps."
        )
    if config.steps % config.steps_per_epoch:
        raise InputError(
            f"--config.steps: is {config.steps}, expected a multiple of "
            f"--config.steps_per_epoch={config.steps_per_epoch}."
        )


def _check_teacher(teacher):
    if teacher is None:
        return
    if not isinstance(teacher, ConfigDict):
        raise InputError(
            f"--config.teacher: is {teacher!r}, expected a group with the "
            f"entries {', '.join(_TEACHER)}."
        )
    for name in teacher:
        if name not in _TEACHER:
            raise InputError(
                f"--config.teacher.{name}: is no entry, expected one of "
                f"{', '.join(_TEACHER)}."
            )
    for name, is_usable, expected in (
        ("model", _is_path, "the path of a .keras or .tflite network"),
        ("weight", _is_share, "a number from 0 to 1"),
        ("self_ensemble", lambda x: x in (None, True, False), "True or False"),
        ("cache", lambda x: x is None or _is_path(x), "the path of a folder"),
    ):
        if not is_usable(value := teacher.get(name)):
            raise InputError(
                f"--config.teacher.{name}: is {value!r}, expected {expected}."
            )


def _is_path(value):
    return isinstance(value, str) and bool(value)


def _is_share(value):
    return isinstance(value, numbers.Real) and 0 <= value <= 1


def _entry(group, name):
    return f"{group}.{name}" if group else name


def steps_per_execution(config) -> int:
    """How many steps Keras runs at once; 1 where this package fuses them."""
    if config.data.get("on_device", False):
        return 1
    return config.get("steps_per_execution", 1)


def score_channels(config) -> str:
    """What is compared when the network is scored: "y", or "rgb"."""
    return config.get("score_channels", "y")
