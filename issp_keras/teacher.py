"""The outputs of a teacher network, for distillation."""

import dataclasses
import hashlib
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
from issp_keras.inference import network_path
from issp_keras.locks import one_at_a_time

# The name of an output has at most this many characters of the photograph's.
_LONGEST = 80


class Teacher:
    """A network whose outputs another network learns from.

    Each output is computed once and stored as an 8-bit photograph in a folder.
    Several trainings can share the folder, also at the same time. A file name
    contains a digest of the teacher's file, the settings and the LR pixels. So
    outputs of another teacher are never used. The outputs are PPM files with
    uncompressed pixels. Patches are read from the disk, so the outputs can be
    larger than the memory.

    Args:
        model: String, path of a `.keras` or `.tflite` network, or the name of
            a bundled network.
        scale: Integer, the magnification of the training.
        self_ensemble: Boolean, whether the teacher's output is the mean over
            the 8 flips and rotations. Defaults to `True`.

    Raises:
        InputError: If the file is not such a network. If the network has
            another magnification, it is an `ArgumentError`.
    """

    def __init__(self, model: str, scale: int, self_ensemble: bool = True):
        self._network = load_network(model, self_ensemble=self_ensemble)
        if self._network.scale != scale:
            raise ArgumentError(
                "model",
                f"{model} enlarges {self._network.scale} times, expected "
                f"{scale} times as the network to train does.",
            )
        with blame(f"{model}: cannot be read", OSError):
            content = network_path(model).read_bytes()
        self._digest = hashlib.sha256(content)
        self._digest.update(f"self_ensemble={bool(self_ensemble)}".encode())

    def sha256(self) -> str:
        """Returns a digest of the network's file and the settings."""
        return self._digest.hexdigest()

    def teach(
        self, pairs: list[Pair], folder: StrPath, until: float | None = None
    ) -> list[Pair] | None:
        """Adds the teacher's outputs to pairs.

        Outputs that are already in the folder are reused. The others are
        computed and written one by one. No file is ever incomplete. After an
        interruption, the next call continues with the missing outputs.

        Args:
            pairs: List of `Pair`.
            folder: Path of the folder for the outputs. It is created if it is
                missing.
            until: Float, the time to stop, in seconds of `time.monotonic()`.
                Defaults to None, no limit.

        Returns:
            List of `Pair` with a `teacher`; None if the time `until` came
            before the last output.

        Raises:
            InputError: If the folder cannot be written, or a file with the
                name of an output does not hold an output.
        """
        folder = files.make_folder(folder)
        taught, made = [], 0
        for i, pair in enumerate(pairs):
            lr = np.ascontiguousarray(to_rgb(pair.lr)[:, :])
            path = folder / self._name(pair.name, lr)
            if not path.exists():
                # Another training may write this output meanwhile.
                with one_at_a_time(folder):
                    if not path.exists():
                        is_late = until is not None and (
                            time.monotonic() >= until
                        )
                        # At least one for each call, so that repeated short
                        # calls finish.
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
    """Returns the pixels of a binary PPM file as a memory map."""
    height, width = size
    header = f"P6\n{width} {height}\n255\n".encode()
    with blame(f"{path}: cannot be read", OSError):
        with path.open("rb") as file:
            found = file.read(len(header))
        is_whole = path.stat().st_size == len(header) + 3 * height * width
        if found != header or not is_whole:
            raise InputError(
                f"{path}: is not a PPM file of {width}x{height} pixels; remove "
                "it to have it made again."
            )
        return np.memmap(path, np.uint8, "r", len(header), (height, width, 3))
