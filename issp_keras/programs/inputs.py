"""Checks that a training goes on with the files that it began with."""

import hashlib
import json

from issp_keras import files
from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.inference import keras_path

_WHAT = {
    "photographs": ("data.train", "has other photographs"),
    "teacher": ("teacher.model", "is another network"),
    "pretrained": ("pretrained", "is another network"),
}


def check_same_files(workdir, pairs, teacher, pretrained, is_first):
    """Raises an `InputError` if a folder was started with other files.

    A config only names them. The names and sizes of the photographs count, and
    the content of the teacher's file and of the pretrained network's file.

    Args:
        workdir: `pathlib.Path` of the folder of a training. Its `inputs.json`
            is written if it is missing.
        pairs: List of `Pair`.
        teacher: `Teacher`, or None.
        pretrained: Path or name of the pretrained network, or None.
        is_first: Boolean, whether this process writes the file.
    """
    sizes = [[pair.name, *pair.hr.shape[:2]] for pair in pairs]
    current = {
        "photographs": hashlib.sha256(json.dumps(sizes).encode()).hexdigest(),
        "teacher": teacher.sha256() if teacher else None,
        "pretrained": pretrained and _sha256(keras_path(pretrained)),
    }
    path = workdir / "inputs.json"
    if path.exists():
        before = files.read_json(path)
        with blame(f"{path}: is not readable", TypeError, KeyError):
            # Trainings of earlier versions have no entry `pretrained`.
            before = {"pretrained": current["pretrained"], **before}
            changed = [name for name in _WHAT if before[name] != current[name]]
        for name in changed:
            entry, what = _WHAT[name]
            raise InputError(
                f"--config.{entry}: {what} than when {workdir} was started, "
                "expected the same, or a new workdir."
            )
    elif is_first:
        files.write_json(path, current)


def _sha256(path):
    with blame(f"{path}: cannot be read", OSError):
        return hashlib.sha256(path.read_bytes()).hexdigest()
