"""What a training's config says, checked and built."""

import contextlib
import hashlib
import json
import numbers
import pathlib

import keras
from ml_collections import ConfigDict

from issp_keras import files
from issp_keras import models
from issp_keras.callbacks import SparseTraining
from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.losses import L1FFT
from issp_keras.losses import Distillation
from issp_keras.sparsity import DISTRIBUTIONS
from issp_keras.sparsity import METHODS
from issp_keras.sparsity import PATTERNS
from issp_keras.sparsity import ISSPSchedule
from issp_keras.sparsity import Sampled

# What `config.sparsity.method` says of a training without zeros.
DENSE = "dense"

_DTYPE_POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")
_LOSSES = {"l1": keras.losses.MeanAbsoluteError, "l1_fft": L1FFT}
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
    if name not in list(_LOSSES):
        raise InputError(
            f"--config.loss: is {name!r}, expected one of {', '.join(_LOSSES)}."
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


def digest(config) -> str:
    """A name for all that decides about the result of a training.

    Of the photographs, only the last two names of their paths count, since
    another machine may have them elsewhere.
    """
    settings = _decisive(json.loads(config.to_json_best_effort()))
    names = settings["data"]["train"].split(",")
    settings["data"]["train"] = [
        pathlib.PurePath(name.strip()).parts[-2:] for name in names
    ]
    content = json.dumps(settings, sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()[:16]


def _decisive(settings):
    """Settings, as JSON has them, without those that change no weight."""
    settings = files.finite(settings)
    settings.pop("steps_per_execution", None)
    for name in ("on_device", "held_out"):
        settings["data"].pop(name, None)
    (settings.get("teacher") or {}).pop("cache", None)
    return settings


def check_same(config, path):
    """Raises an `InputError` if a folder belongs to another config.

    A resume would mix two.

    Args:
        config: `ml_collections.ConfigDict`.
        path: `pathlib.Path` of the `config.json` of the folder, which need
            not exist.
    """
    current = _decisive(json.loads(config.to_json_best_effort()))
    if path.exists():
        broken = (OSError, ValueError, TypeError, KeyError)
        with blame(f"{path}: is not a config that can be read", *broken):
            before = _decisive(dict(json.loads(path.read_text())))
        changed = [
            f"{name} ({before.get(name)} before, {current.get(name)} now)"
            for name in sorted({*before, *current})
            if before.get(name) != current.get(name)
        ]
        if changed:
            raise InputError(
                f"--workdir: {path.parent} was begun with another config: "
                f"{', '.join(changed)}; expected the same, or a new workdir."
            )


def sparse_training(config) -> SparseTraining | None:
    """The callback that `config.sparsity` describes, None for dense training.

    `method`, `distribution` and `pattern` name a part; its arguments are in
    the group of that name, if there is one: `config.sparsity.n_m.zeros`.

    Raises:
        InputError: If a name or an argument is not usable.
    """
    entries = config.sparsity
    if entries.method == DENSE:
        return None
    with blame("--config.sparsity", ValueError, TypeError):
        schedule = ISSPSchedule(
            entries.target_sparsity,
            entries.begin_step,
            end_step=entries.end_step,
            ramp=entries.get("ramp", "constant"),
        )
        callback = SparseTraining(
            schedule,
            _part(entries, "method", METHODS, others=(DENSE,)),
            _part(entries, "distribution", DISTRIBUTIONS, "uniform"),
            _part(entries, "pattern", PATTERNS, "unstructured"),
            include=entries.get("include"),
            exclude=entries.get("exclude"),
            optimizer_slots=entries.get("optimizer_slots", "keep"),
        )
    if schedule.end_step > config.steps:
        raise InputError(
            f"--config.sparsity.end_step: is {schedule.end_step}, expected "
            f"at most the {config.steps} steps of the training."
        )
    # In every process, for they must make the same train step.
    callback.record_gradients = True
    return callback


def _part(entries, question, parts, default=None, others=()):
    name = entries.get(question, default)
    if name not in parts:
        raise InputError(
            f"--config.sparsity.{question}: is {name!r}, expected one of "
            f"{', '.join(sorted({*parts, *others}))}."
        )
    arguments = entries.get(name)
    arguments = arguments.to_dict() if arguments is not None else {}
    if "sample_size" in arguments:
        arguments["selection"] = Sampled(arguments.pop("sample_size"))
    with blame(f"--config.sparsity.{name}", ValueError, TypeError):
        return parts[name](**arguments)


def check_network(config):
    """Raises an `InputError` unless `config.network` names a network."""
    name = config.network.name
    if name not in models.NETWORKS:
        raise InputError(
            f"--config.network.name: is '{name}', expected one of "
            f"{', '.join(sorted(models.NETWORKS))}."
        )


def network(config, dtype_policy=None) -> keras.Model:
    """The network that `config.network` describes, with new weights.

    Args:
        config: `ml_collections.ConfigDict`.
        dtype_policy: String, in which dtype it computes. Defaults to the
            global policy of Keras.
    """
    check_network(config)
    arguments = config.network.to_dict()
    name = arguments.pop("name")
    with (
        _policy(dtype_policy),
        blame("--config.network", ValueError, TypeError),
    ):
        return models.NETWORKS[name](**arguments)


@contextlib.contextmanager
def _policy(name):
    before = keras.config.dtype_policy()
    if name is not None:
        keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def steps_per_execution(config) -> int:
    """How many steps Keras runs at once; 1 where this package fuses them."""
    if config.data.get("on_device", False):
        return 1
    return config.get("steps_per_execution", 1)


def loss(config) -> str | keras.losses.Loss:
    """What `config.loss` names, for `compile`; `l1` without that entry.

    With a `config.teacher`, the targets are HR and the teacher's output, and
    `config.teacher.weight` says how much the latter counts.
    """
    name = config.get("loss", "l1")
    if (teacher := config.get("teacher")) is not None:
        return Distillation(_LOSSES[name](), teacher.weight)
    # By its name, as in the checkpoints of earlier versions.
    return "mean_absolute_error" if name == "l1" else _LOSSES[name]()


def optimizer(config) -> keras.optimizers.Optimizer:
    """Adam, with the learning rate that the config describes.

    The rate is constant until the mask is final. Then it is halved after each
    of the numbers of steps in `config.halve_at`; without that entry it decays
    to 0 as a cosine, from `config.decay_begin` on if there is that entry.
    `config.ema_momentum` makes averages of the weights, which take their
    place at the end of the training.
    """
    end = config.sparsity.end_step
    rate: keras.optimizers.schedules.LearningRateSchedule
    if "halve_at" in config:
        rates = [
            config.learning_rate / 2**i for i in range(len(config.halve_at) + 1)
        ]
        rate = keras.optimizers.schedules.PiecewiseConstantDecay(
            [end + step for step in config.halve_at], rates
        )
    else:
        begin = config.get("decay_begin", end)
        rate = keras.optimizers.schedules.CosineDecay(
            config.learning_rate,
            decay_steps=max(1, config.steps - begin),
            # A warm-up that stays where it is.
            warmup_target=config.learning_rate if begin else None,
            warmup_steps=begin,
        )
    averages = {}
    if config.get("ema_momentum") is not None:
        averages = {"use_ema": True, "ema_momentum": config.ema_momentum}
    with blame("--config.ema_momentum", ValueError, TypeError):
        return keras.optimizers.Adam(rate, beta_1=0.9, beta_2=0.99, **averages)
