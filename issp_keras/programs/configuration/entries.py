"""Checks the entries of a config."""

import numbers

import keras
from ml_collections import ConfigDict

from issp_keras import host
from issp_keras import metrics
from issp_keras.errors import InputError
from issp_keras.extras import check_backend
from issp_keras.programs.configuration.parts import LOSSES
from issp_keras.programs.configuration.pruning import DENSE
from issp_keras.sparsity import DISTRIBUTIONS
from issp_keras.sparsity import METHODS
from issp_keras.sparsity import PATTERNS

# What a seed is, for messages.
SEED = "a whole number from 0 to 2**32 - 1"
# RGB in float32.
_BYTES_PER_PIXEL = 12
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
# Entries that a config may have besides those of `_ENTRIES`.
_OPTIONAL = {
    "": (
        # The groups.
        *filter(None, _ENTRIES),
        *("teacher", "simulated_int8"),
        *("loss", "dtype_policy", "decay_begin", "halve_at", "ema_momentum"),
        *("steps_per_execution", "score_channels", "pretrained"),
    ),
    "data": ("on_device",),
}
_WHOLE = {
    "": ("steps", "steps_per_epoch"),
    "data": ("patch_size", "batch_size"),
}


def check(config):
    """Raises an `InputError` if an entry or Keras' backend is not usable.

    Args:
        config: `ml_collections.ConfigDict` with the entries of
            `configs/quickstart.py`.
    """
    check_backend(keras.backend.backend())
    if not isinstance(config, ConfigDict):
        raise InputError(
            f"--config: get_config() returns a {type(config).__name__}, "
            "expected a ml_collections.ConfigDict."
        )
    for group, names in _ENTRIES.items():
        _check_presence(config, group, names)
    for group, names in _OPTIONAL.items():
        for name in config[group] if group else config:
            known = sorted((*_ENTRIES[group], *names))
            check_known(_entry(group, name), name, known)
    for group, names in _WHOLE.items():
        for name in names:
            _check_positive(config, group, name)
    for name in ("train", "held_out"):
        _check_text(config, "data", name)
    _check_batch(config)
    _check_learning_rate(config.learning_rate)
    _check_seed(config.seed)
    for name in config.sparsity:
        check_known(f"sparsity.{name}", name, sorted(_SPARSITY))
    for name in ("include", "exclude"):
        _check_patterns(f"sparsity.{name}", config.sparsity.get(name))
    _check_end_of_constant_rate(config)
    _check_one_of(config, "dtype_policy", "float32", _DTYPE_POLICIES)
    _check_one_of(config, "loss", "l1", list(LOSSES))
    _check_one_of(config, "score_channels", "y", metrics.CHANNELS)
    _check_teacher(config.get("teacher"))
    _check_pretrained(config.get("pretrained"))
    _check_reparameterized(config)
    _check_steps_per_execution(config)
    _check_on_device(config)
    _check_decay_begin(config)
    _check_halve_at(config.get("halve_at", ()))
    _check_epochs(config)


def _check_presence(config, group, names):
    entries = config.get(group) if group else config
    if not isinstance(entries, ConfigDict):
        raise InputError(
            f"--config: has no group '{group}', expected the groups of "
            "configs/quickstart.py."
        )
    for name in names:
        if name not in entries:
            raise InputError(
                f"--config: has no entry '{_entry(group, name)}', "
                "expected the entries of configs/quickstart.py."
            )


def check_known(entry: str, name: str, names):
    """Raises an `InputError` if a name is not one of those of entries."""
    if name not in names:
        raise InputError(
            f"--config.{entry}: is not an entry, expected one of "
            f"{', '.join(names)}."
        )


def _check_positive(config, group, name):
    number = config[group][name] if group else config[name]
    if not is_whole(number) or number < 1:
        _refuse(_entry(group, name), number, "a positive whole number")


def is_whole(value) -> bool:
    """Whether a value is an integer. In Python, a boolean is one, too."""
    return isinstance(value, int) and not isinstance(value, bool)


def _check_text(config, group, name):
    text = config[group][name]
    if not isinstance(text, str):
        _refuse(_entry(group, name), text, "a text")


def _check_batch(config):
    data, scale = config.data, config.network.scale
    # Another scale is refused later, with the other arguments of the network.
    has_scale = isinstance(scale, int) and scale > 0
    side = data.patch_size * (scale if has_scale else 1)
    most = host.memory() // (_BYTES_PER_PIXEL * side**2)
    if data.batch_size > most:
        _refuse(
            "data.batch_size",
            data.batch_size,
            f"at most {most} patches of {side}x{side} pixels, which fit into "
            "memory",
        )


def _check_learning_rate(rate):
    if not (isinstance(rate, numbers.Real) and 0 < rate < float("inf")):
        _refuse("learning_rate", rate, "a positive number")


def _check_seed(seed):
    if not is_seed(seed):
        _refuse("seed", seed, SEED)


def is_seed(value) -> bool:
    """Whether a value can be the seed of a training."""
    return is_whole(value) and 0 <= value < 2**32


def _check_one_of(config, entry, default, names):
    value = config.get(entry, default)
    if value not in names:
        _refuse(entry, value, f"one of {', '.join(names)}")


def _check_patterns(entry, value):
    # Configs of functions could not be compared.
    several = value if isinstance(value, (tuple, list)) else [value]
    if not all(of is None or isinstance(of, str) for of in several):
        _refuse(entry, value, "a regular expression or a tuple of them")


def _check_end_of_constant_rate(config):
    """Checks when the rate begins to fall in a training without zeros."""
    if config.sparsity.method != DENSE:
        # Its schedule checks the step.
        return
    if "halve_at" in config:
        why = "--config.halve_at counts from there on"
    elif "decay_begin" in config:
        # The rate falls from there on.
        return
    else:
        why = "the learning rate falls from there on; or a --config.decay_begin"
    end = config.sparsity.end_step
    if not (isinstance(end, int) and 0 <= end <= config.steps):
        _refuse(
            "sparsity.end_step",
            end,
            f"a whole number from 0 to the {config.steps} steps of the "
            f"training, since {why}",
        )


def _check_teacher(teacher):
    if teacher is None:
        return
    if not isinstance(teacher, ConfigDict):
        _refuse(
            "teacher",
            teacher,
            f"a group with the entries {', '.join(_TEACHER)}",
        )
    for name in teacher:
        check_known(f"teacher.{name}", name, _TEACHER)
    for name, is_usable, expected in (
        ("model", _is_path, "the path of a .keras or .tflite network"),
        ("weight", _is_share, "a number from 0 to 1"),
        ("self_ensemble", _is_boolean_or_none, "True or False"),
        ("cache", lambda x: x is None or _is_path(x), "the path of a folder"),
    ):
        if not is_usable(value := teacher.get(name)):
            _refuse(f"teacher.{name}", value, expected)


def _is_boolean_or_none(value):
    return value is None or isinstance(value, bool)


def _check_pretrained(name):
    if name is not None and not _is_path(name):
        expected = "the path of a .keras network, or the name of a bundled one"
        _refuse("pretrained", name, expected)


def _check_reparameterized(config):
    is_sum = config.network.get("reparameterized", False)
    if is_sum and config.sparsity.method != DENSE:
        raise InputError(
            "--config.network.reparameterized: is for dense trainings, because "
            "zeros of branches are no zeros of their sum; expected False or "
            f"--config.sparsity.method={DENSE}."
        )


def _check_steps_per_execution(config):
    at_once = config.get("steps_per_execution", 1)
    is_usable = isinstance(at_once, int) and at_once > 0
    if not is_usable or config.steps_per_epoch % at_once:
        _refuse(
            "steps_per_execution",
            at_once,
            "a whole number that divides "
            f"--config.steps_per_epoch={config.steps_per_epoch}",
        )


def _check_on_device(config):
    backend = keras.backend.backend()
    if config.data.get("on_device", False) and backend != "jax":
        raise InputError(
            f"--config.data.on_device: is True under {backend}, expected "
            "KERAS_BACKEND=jax."
        )


def _check_decay_begin(config):
    begin = config.get("decay_begin", 0)
    if not (isinstance(begin, int) and 0 <= begin < config.steps):
        _refuse(
            "decay_begin",
            begin,
            f"a step of the training, at least 0 and below {config.steps}",
        )


def _check_halve_at(steps):
    if not (
        isinstance(steps, tuple)
        and all(isinstance(step, int) and step > 0 for step in steps)
        and list(steps) == sorted(set(steps))
    ):
        _refuse("halve_at", steps, "a tuple of steps in ascending order")


def _check_epochs(config):
    if config.steps % config.steps_per_epoch:
        _refuse(
            "steps",
            config.steps,
            f"a multiple of --config.steps_per_epoch={config.steps_per_epoch}",
        )


def _refuse(entry, value, expected):
    raise InputError(f"--config.{entry}: is {value!r}, expected {expected}.")


def _is_path(value):
    return isinstance(value, str) and bool(value)


def _is_share(value):
    return isinstance(value, numbers.Real) and 0 <= value <= 1


def _entry(group, name):
    return f"{group}.{name}" if group else name


def score_channels(config) -> str:
    """Returns the channels of the scores: "y" or "rgb"."""
    return config.get("score_channels", "y")
