"""Tests whether two trainings have the same settings."""

import hashlib
import json
import pathlib

from issp_keras import files
from issp_keras.errors import InputError
from issp_keras.errors import blame

_DEFAULTS = {
    "dtype_policy": "float32",
    "loss": "l1",
    "ema_momentum": None,
    "pretrained": None,
    "teacher": None,
    "simulated_int8": None,
}


def digest(config) -> str:
    """Returns a digest of all settings that affect the result of a training.

    Only the last two parts of the photographs' paths count, since another
    machine may have another folder.
    """
    settings = _decisive(json.loads(config.to_json_best_effort()))
    names = settings["data"]["train"].split(",")
    settings["data"]["train"] = [
        pathlib.PurePath(name.strip()).parts[-2:] for name in names
    ]
    content = json.dumps(settings, sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()[:16]


def _decisive(settings):
    """Returns the JSON settings without those that do not affect weights."""
    settings = files.finite(settings)
    for name in ("steps_per_execution", "score_channels"):
        settings.pop(name, None)
    for name in ("on_device", "held_out"):
        settings["data"].pop(name, None)
    (settings.get("teacher") or {}).pop("cache", None)
    int8 = settings.get("simulated_int8")
    if isinstance(int8, dict) and int8.get("begin_step") is None:
        settings["simulated_int8"] = None
    # A default is the same as no entry.
    for name, default in _DEFAULTS.items():
        if settings.get(name) == default:
            settings.pop(name, None)
    return settings


def _changes(before, current, group=""):
    """Yields a text for each entry that differs, also in groups."""
    for name in sorted({*before, *current}):
        then, now = before.get(name), current.get(name)
        if isinstance(then, dict) and isinstance(now, dict):
            yield from _changes(then, now, f"{group}{name}.")
        elif then != now:
            yield f"{group}{name} ({then} before, {now} now)"


def check_same(config, path):
    """Raises an `InputError` if a folder belongs to another config.

    A resumed training would mix the two configs.

    Args:
        config: `ml_collections.ConfigDict`.
        path: `pathlib.Path` of the `config.json` of the folder. The file may
            be missing.
    """
    current = _decisive(json.loads(config.to_json_best_effort()))
    if path.exists():
        broken = (OSError, ValueError, TypeError, KeyError, AttributeError)
        with blame(f"{path}: is not a readable config", *broken):
            before = _decisive(dict(files.parse_json(path.read_text())))
        changed = list(_changes(before, current))
        if changed:
            raise InputError(
                f"--workdir: {path.parent} was started with another config: "
                f"{', '.join(changed)}; expected the same config, or a new "
                "workdir."
            )
