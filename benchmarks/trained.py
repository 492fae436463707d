"""Networks that `issp-compare` has trained, for other programs here."""

import dataclasses
import functools
import hashlib
import pathlib
import zipfile
import zlib

from issp_keras import files
from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.inference import bundled_networks
from issp_keras.inference import load_network
from issp_keras.scores import mean_score
from issp_keras.tflite.sources import pairs_of

_EPOCH = (1980, 1, 1, 0, 0, 0)
_COPIED = ("name", "seed", "steps", "weights", "non_zeros")
# What Python raises for a file that is cut off or changed.
_DAMAGED = (OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error)


@dataclasses.dataclass(frozen=True)
class Trained:
    """A network that `issp-compare` has trained.

    Attributes:
        path: Path of the `.keras` file.
        result: Dict, the content of its `result.json`.
        config: Dict, the content of its `config.json`.
        is_bundled: Whether it comes with the package.
    """

    path: pathlib.Path
    result: dict
    config: dict
    is_bundled: bool = False

    @property
    def key(self) -> str:
        """A string that no other training has."""
        if self.is_bundled:
            return self.result["name"]
        return f"{self.result['settings']}-{self.result['seed']}"

    @functools.cached_property
    def digest(self) -> str:
        """A string that no other weights have."""
        return digest_of(self.path)

    @property
    def scale(self) -> int:
        """The magnification."""
        return self.config["network"]["scale"]

    @property
    def network(self) -> tuple[str, dict]:
        """A key of `issp_keras.models.NETWORKS`, and its arguments."""
        options = dict(self.config["network"])
        # After the training, its branches are merged.
        options.pop("reparameterized", None)
        return options.pop("name"), options

    @property
    def method(self) -> str:
        """The pruning method, or "dense"."""
        return self.config.get("sparsity", {}).get("method", "dense")

    def facts(self) -> dict:
        """What is known about the network before it is measured."""
        return {
            "key": self.key,
            "digest": self.digest,
            "is_bundled": self.is_bundled,
            **{name: self.result[name] for name in _COPIED},
            "network": self.config["network"]["name"],
            "scale": self.scale,
            "is_sparse": self.method != "dense",
            "has_teacher": bool(self.config.get("teacher")),
        }


def digest_of(path: pathlib.Path) -> str:
    """A string that no other weights of a `.keras` file have.

    Raises:
        InputError: If the file is damaged.
    """
    with (
        blame(f"{path}: is not a whole .keras file", *_DAMAGED),
        zipfile.ZipFile(path) as file,
    ):
        weights = file.read("model.weights.h5")
    return hashlib.sha256(weights).hexdigest()[:16]


def find(folders) -> list[Trained]:
    """Finds the networks in folders of `issp-compare`, each only once.

    Raises:
        InputError: If there is none, or if the files of one are damaged.
    """
    found: dict[str, Trained] = {}
    for folder in map(pathlib.Path, folders):
        for path in sorted(folder.glob("*/model.keras")):
            trained = _read(path)
            if trained is not None:
                found.setdefault(trained.key, trained)
    if not found:
        raise InputError(
            f"--runs: {', '.join(map(str, folders))} has no trained network, "
            "expected folders that issp-compare has written."
        )
    return list(found.values())


def _read(path):
    """The training of a `.keras` file, or None if it has no usable result."""
    result = path.with_name("result.json")
    # Without a result, the training is not finished. A killed program leaves a
    # hidden folder.
    if path.parent.name.startswith(".") or not result.exists():
        return None
    config = path.with_name("config.json")
    trained = Trained(path, files.read_json(result), files.read_json(config))
    _check(trained.result, (*_COPIED, "settings", "scores"), result)
    _check(trained.config, ("network",), config)
    _check(trained.config["network"], ("name", "scale"), config)
    # A training that diverged has no scores.
    if not trained.result["scores"]:
        return None
    # This finds damaged weights now, not after minutes of other work.
    _ = trained.digest
    return trained


def _check(content, entries, path):
    known = content if isinstance(content, dict) else {}
    lacking = [of for of in entries if of not in known]
    if lacking:
        raise InputError(
            f"{path}: has no entry {', '.join(lacking)}, expected a file that "
            "issp-compare has written."
        )


def bundled() -> list[Trained]:
    """Lists the networks that come with the package."""
    return [
        Trained(
            of.keras,
            {
                **{name: getattr(of, name) for name in _COPIED},
                "scores": {
                    name.lower(): score
                    for name, score in of.scores["float32"].items()
                },
            },
            {
                "network": {"name": of.architecture, "scale": of.scale},
                "sparsity": {"method": "latent"},
            },
            is_bundled=True,
        )
        for of in bundled_networks()
    ]


def scores(path, scale, sources, data_dir) -> dict[str, dict[str, float]]:
    """Scores a `.tflite` file.

    Args:
        path: Path of the file.
        scale: Integer, the magnification.
        sources: List of strings, test sets or folders of photographs.
        data_dir: Path of the folder of test sets.

    Returns:
        Dict from sources to dicts with `psnr` in dB and `ssim`, both on Y.
    """
    network = load_network(path, threads=1)
    found = {}
    for source in sources:
        pairs = pairs_of([source], "held_out", scale, data_dir)
        mean = mean_score(network.upscale, pairs)
        found[source] = {"psnr": mean.psnr, "ssim": mean.ssim}
    return found


def compress(source, target):
    """Copies a `.keras` file. Most of its weights are zero and need no bytes.

    Args:
        source: Path.
        target: Path.

    Raises:
        InputError: If the file is damaged.
    """
    with (
        blame(f"{source}: is not a whole .keras file", *_DAMAGED),
        zipfile.ZipFile(source) as whole,
        files.replacing(target) as partial,
        zipfile.ZipFile(
            partial, "w", zipfile.ZIP_DEFLATED, compresslevel=9
        ) as small,
    ):
        for name in whole.namelist():
            # Equal networks are equal files.
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            small.writestr(entry, whole.read(name))
