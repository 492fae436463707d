"""Builds the sparse training of a config."""

import inspect

from ml_collections import ConfigDict

from issp_keras.callbacks import SparseTraining
from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.sparsity import DISTRIBUTIONS
from issp_keras.sparsity import METHODS
from issp_keras.sparsity import PATTERNS
from issp_keras.sparsity import ISSPSchedule
from issp_keras.sparsity import Sampled

# The value of `config.sparsity.method` for a training without zeros.
DENSE = "dense"


def sparse_training(config) -> SparseTraining | None:
    """Returns the callback of `config.sparsity`; None for dense training.

    `method`, `distribution` and `pattern` name a part. The arguments of a part
    are in the group with its name, for example `config.sparsity.n_m.zeros`.
    The default of an argument `seed` is `config.seed`.

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
            _part(config, "method", METHODS, others=(DENSE,)),
            _part(config, "distribution", DISTRIBUTIONS, "uniform"),
            _part(config, "pattern", PATTERNS, "unstructured"),
            include=entries.get("include"),
            exclude=entries.get("exclude"),
            optimizer_slots=entries.get("optimizer_slots", "keep"),
        )
    for name in ("begin_step", "end_step"):
        if not isinstance(getattr(schedule, name), int):
            raise InputError(
                f"--config.sparsity.{name}: is {entries[name]}, expected a "
                "whole number of steps."
            )
    if schedule.end_step > config.steps:
        raise InputError(
            f"--config.sparsity.end_step: is {schedule.end_step}, expected "
            f"at most the {config.steps} steps of the training."
        )
    return callback


def check_sparse(config, network):
    """Raises an `InputError` unless the network can be trained sparse.

    Args:
        config: `ml_collections.ConfigDict`.
        network: `keras.Model`, the network of the config.
    """
    sparse = sparse_training(config)
    if sparse is None:
        return
    pretrained = config.get("pretrained")
    if pretrained is not None and sparse.method.redraw_seed is not None:
        raise InputError(
            f"--config.sparsity.method: is {config.sparsity.method}, which "
            f"draws new weights, but --config.pretrained is {pretrained}; "
            "expected another method."
        )
    with blame("--config.sparsity", ValueError):
        sparse.set_model(network)


def _part(config, question, parts, default=None, others=()):
    entries = config.sparsity
    name = entries.get(question, default)
    if name not in parts:
        raise InputError(
            f"--config.sparsity.{question}: is {name!r}, expected one of "
            f"{', '.join(sorted({*parts, *others}))}."
        )
    group = entries.get(name, ConfigDict())
    if not isinstance(group, ConfigDict):
        raise InputError(
            f"--config.sparsity.{name}: is {group!r}, expected a group of "
            "arguments."
        )
    arguments = group.to_dict()
    if "sample_size" in arguments:
        arguments["selection"] = Sampled(arguments.pop("sample_size"))
    if "seed" in inspect.signature(parts[name]).parameters:
        arguments.setdefault("seed", config.seed)
    with blame(f"--config.sparsity.{name}", ValueError, TypeError):
        return parts[name](**arguments)
