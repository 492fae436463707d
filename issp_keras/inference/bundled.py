"""The networks that come with the package."""

import dataclasses
import importlib.util
import json
import pathlib

from issp_keras.errors import ArgumentError
from issp_keras.errors import InputError
from issp_keras.files import StrPath

_FOLDER = pathlib.Path(__file__).parent / "networks"
_LIST = _FOLDER / "networks.json"
_INT8 = "_int8"


@dataclasses.dataclass(frozen=True)
class BundledNetwork:
    """A network that comes with the package.

    Attributes:
        name: String, for `load_network`. The name with "_int8" is that of the
            same network in full integers.
        scale: Integer, the magnification.
        architecture: String, a key of `issp_keras.models.NETWORKS`.
        weights: Integer, the number of kernel weights.
        non_zeros: Integer, how many of them are not zero.
        steps: Integer, the steps of the training.
        int8_steps: Integer, the steps of its last training if this simulated
            int8, otherwise 0.
        seed: Integer, the seed of the training.
        photographs: String, the training data.
        licence: String, the licence of the training data.
        zeros_in: String, what became zero together, such as "single weights".
        loss: String, the loss of the training, "l1" or "l1_fft".
        teacher: String, the network whose results it also learned, or None.
        backend: String, the backend of the training, "jax" or "tensorflow".
        made_by: String, the configs that train it, separated by commas.
        scores: Dict from "float32" and "int8" to dicts from test sets to dicts
            with "psnr" in dB and "ssim", both on Y.
        sha256: Dict from the names of its three files to their digests.
        settings: String, the digests of the settings of its trainings,
            separated by commas.
    """

    name: str
    scale: int
    architecture: str
    weights: int
    non_zeros: int
    steps: int
    int8_steps: int
    seed: int
    photographs: str
    licence: str
    zeros_in: str
    loss: str
    teacher: str | None
    backend: str
    made_by: str
    settings: str
    scores: dict[str, dict[str, dict[str, float]]]
    sha256: dict[str, str]

    @property
    def zeros(self) -> float:
        """The share of the weights that is zero."""
        return 1 - self.non_zeros / self.weights

    @property
    def label(self) -> str:
        """The name for people, such as "x4 fast"."""
        return self.name.replace("_", " ")

    @property
    def keras(self) -> pathlib.Path:
        """The network for Keras."""
        return _FOLDER / f"{self.name}.keras"

    @property
    def tflite(self) -> pathlib.Path:
        """The network for TFLite, in float32."""
        return _FOLDER / f"{self.name}.tflite"

    @property
    def int8(self) -> pathlib.Path:
        """The network for TFLite, in full integers."""
        return _FOLDER / f"{self.name}{_INT8}.tflite"

    @property
    def path(self) -> pathlib.Path:
        """The file that `load_network` loads.

        It is a `.tflite` file if LiteRT is installed, since LiteRT starts
        faster than Keras.
        """
        has_litert = importlib.util.find_spec("ai_edge_litert")
        return self.tflite if has_litert else self.keras

    @property
    def bytes(self) -> int:
        """The size of the `.tflite` file in float32."""
        return self.tflite.stat().st_size


def _read() -> list[BundledNetwork]:
    return [BundledNetwork(**entry) for entry in json.loads(_LIST.read_text())]


# The first is the default.
_NETWORKS = _read()
DEFAULT = _NETWORKS[0].name


def bundled_networks() -> list[BundledNetwork]:
    """Returns the networks that come with the package, the default first.

    Example:

    ```python
    for network in bundled_networks():
        print(network.name, network.scale)
    ```
    """
    return list(_NETWORKS)


def find_bundled(name: StrPath) -> BundledNetwork | None:
    """Returns the bundled network with a name, or None.

    Args:
        name: String, the name of a bundled network, or of its form in full
            integers. If a file has this name too, the result is None.
    """
    if pathlib.Path(name).is_file():
        return None
    plain = str(name).removesuffix(_INT8)
    return next((of for of in _NETWORKS if of.name == plain), None)


def network_path(path: StrPath) -> pathlib.Path:
    """Returns the path of the file that `load_network` loads.

    Args:
        path: Path of a file, or string, the name of a bundled network. If a
            file has this name too, the file is used.

    Raises:
        InputError: If it is neither, and looks like a name.
    """
    network = find_bundled(path)
    if network is None:
        _check_name(path)
        return pathlib.Path(path)
    return network.path if network.name == str(path) else network.int8


def _check_name(name: StrPath) -> None:
    path = pathlib.Path(name)
    if path.name == str(name) and not (path.suffix or path.is_file()):
        names = ", ".join(of.name for of in _NETWORKS)
        raise InputError(
            f"{name}: no such file, and no bundled network; expected a file or "
            f"one of {names}, also with {_INT8} at the end."
        )


def keras_path(path: StrPath) -> pathlib.Path:
    """Returns the path of the file from which Keras loads a network.

    Args:
        path: As for `network_path`.
    """
    network = find_bundled(path)
    if network is None or network.name != str(path):
        return network_path(path)
    return network.keras


def name_for_scale(scale: int) -> str:
    """Returns the name of the first bundled network with a magnification.

    Raises:
        ArgumentError: If there is no such network.
    """
    for network in _NETWORKS:
        if network.scale == scale:
            return network.name
    scales = sorted({network.scale for network in _NETWORKS})
    raise ArgumentError(
        "scale",
        f"is {scale}, but the networks that come with issp_keras magnify "
        f"{' or '.join(map(str, scales))} times; give another `model`.",
    )
