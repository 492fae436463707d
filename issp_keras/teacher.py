"""What a teacher network makes of the photographs that a student sees."""

import dataclasses
import hashlib
import pathlib
import re
import time

import numpy as np
from absl import logging

from issp_keras import files
from issp_keras.data import Pair
from issp_keras.data import to_rgb
from issp_keras.data import write_photograph
from issp_keras.errors import ArgumentError
from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.files import StrPath
from issp_keras.inference import load_network
from issp_keras.locks import one_at_a_time

# So many characters of a photograph's name are in that of its output.
_LONGEST = 80


class Teacher:
    """A network whose outputs another one learns from.

    Its outputs are made once and kept as photographs of 8 bits, in a folder
    that several trainings may share, at the same time too. A file's name has
    a digest of the teacher's file, of the settings and of the LR pixels, so
    that what another teacher made is never taken. They are PPM files, whose
    bytes are the pixels: patches are cut out of them as they lie on the disk,
    so that they may be larger than memory.

    Args:
        model: String, path of a `.keras` or `.tflite` network.
        scale: Integer, the magnification of the training.
        self_ensemble: Whether the teacher's output is the mean over the 8
            flips and rotations. Defaults to `True`.

    Raises:
        InputError: If the file is no such network. An `ArgumentError` if the
            network is of another scale.
    """

    def __init__(self, model: str, scale: int, self_ensemble: bool = True):
        self._network = load_network(model, self_ensemble=self_ensemble)
        if self._network.scale != scale:
            raise ArgumentError(
                "model",
                f"{model} enlarges {self._network.scale} times, expected "
                f"{scale} times, as the network that learns.",
            )
        with blame(f"{model}: cannot be read", OSError):
            content = pathlib.Path(model).read_bytes()
        self._digest = hashlib.sha256(content)
        self._digest.update(f"self_ensemble={bool(self_ensemble)}".encode())

    def teach(
        self, pairs: list[Pair], folder: StrPath, until: float | None = None
    ) -> list[Pair] | None:
        """Adds the teacher's outputs to pairs.

        An output that is in the folder is taken from there. The others are
        written one by one, each whole or not at all; so the next call goes on
        where this one was killed.

        Args:
            pairs: List of `Pair`.
            folder: Path of the folder for the outputs, made if missing.
            until: Float, when to stop in seconds of `time.monotonic()`.
                Defaults to no such time.

        Returns:
            List of `Pair` with a `teacher`; None where `until` came first.

        Raises:
            InputError: If the folder cannot be written, or holds something
                else under the name of an output.
        """
        folder = files.make_folder(folder)
        taught, made = [], 0
        for i, pair in enumerate(pairs):
            lr = np.ascontiguousarray(to_rgb(pair.lr)[:, :])
            path = folder / self._name(pair.name, lr)
            if not path.exists():
                # Another training may make it meanwhile.
                with one_at_a_time(folder):
                    if not path.exists():
                        is_late = until is not None and (
                            time.monotonic() >= until
                        )
                        # One at least, so that short turns come to an end.
                        if is_late and made:
                            return None
                        made += 1
                        logging.info(
                            "The teacher enlarges %s, %d of %d photographs.",
                            pair.name,
                            i + 1,
                            len(pairs),
                        )
                        write_photograph(path, self._network.upscale(lr))
            output = _mapped(path, pair.hr.shape[:2])
            taught.append(dataclasses.replace(pair, teacher=output))
        return taught

    def _name(self, name, lr):
        digest = self._digest.copy()
        digest.update(f"{lr.shape}".encode())
        digest.update(lr)
        name = re.sub(r"[^\w.-]", "_", name, flags=re.ASCII)[:_LONGEST]
        return f"{name}-{digest.hexdigest()[:20]}.ppm"


def _mapped(path, size):
    """The pixels of a binary PPM file, read where they are used."""
    height, width = size
    header = f"P6\n{width} {height}\n255\n".encode()
    with blame(f"{path}: cannot be read", OSError):
        with path.open("rb") as file:
            found = file.read(len(header))
        is_whole = path.stat().st_size == len(header) + 3 * height * width
        if found != header or not is_whole:
            raise InputError(
                f"{path}: is no PPM file of {width}x{height} pixels; remove "
                "it, and it is made again."
            )
        return np.memmap(path, np.uint8, "r", len(header), (height, width, 3))
