"""The networks that come with the package."""

import dataclasses
import pathlib

from issp_keras.errors import ArgumentError
from issp_keras.files import StrPath

_FOLDER = pathlib.Path(__file__).parent


@dataclasses.dataclass(frozen=True)
class BundledNetwork:
    """A network that comes with the package.

    Attributes:
        name: String, for `load_network`.
        scale: Integer, the magnification.
        architecture: String, a key of `issp_keras.models.NETWORKS`.
        weights: Integer, the number of kernel weights.
        zeros: Float, the share of these weights that is zero.
        psnr: Dict from test sets to PSNR in dB on Y.
        photographs: String, the training data.
        licence: String, the licence of the training data.
        made_by: String, the config that trains it.
    """

    name: str
    scale: int
    architecture: str
    weights: int
    zeros: float
    psnr: dict[str, float]
    photographs: str
    licence: str
    made_by: str

    @property
    def path(self) -> pathlib.Path:
        """The file."""
        return _FOLDER / f"{self.name}.keras"

    @property
    def bytes(self) -> int:
        """The size of the file."""
        return self.path.stat().st_size


# The first is the default. Each is saved with the oldest supported version of
# Keras, so that all versions can load it.
_NETWORKS = (
    BundledNetwork(
        name="quickstart_x4",
        scale=4,
        architecture="edge_sr_100k",
        weights=101_232,
        zeros=73_739 / 101_232,
        psnr={"Set5": 29.77, "Set14": 26.99},
        photographs="scikit-image",
        licence="public domain, CC0, or no known restrictions",
        made_by="configs/quickstart_x4.py",
    ),
)
DEFAULT = _NETWORKS[0].name
# The file of the default.
BUNDLED = _NETWORKS[0].path


def bundled_networks() -> list[BundledNetwork]:
    """Returns the networks that come with the package, the default first.

    Example:

    ```python
    for network in bundled_networks():
        print(network.name, network.scale)
    ```
    """
    return list(_NETWORKS)


def network_path(path: StrPath) -> pathlib.Path:
    """Returns the path of a network's file.

    Args:
        path: Path of a file, or string, the name of a bundled network. If a
            file has this name too, the file is used.
    """
    path = pathlib.Path(path)
    named = {network.name: network.path for network in _NETWORKS}
    return path if path.exists() else named.get(str(path), path)


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
