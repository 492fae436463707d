"""Networks that come with the package, by name."""

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
        architecture: String, which network it is.
        weights: Integer, those in kernels.
        zeros: Float, the share of them that is zero.
        psnr: Dict of test sets to PSNR in dB on Y.
        photographs: String, what it was trained on.
        licence: String, of these photographs.
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


# The first is the default. Each is saved with the least version of Keras, so
# that all versions can load it.
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
    """The networks that come with the package, the default first.

    Example:

    ```python
    for network in bundled_networks():
        print(network.name, network.scale)
    ```
    """
    return list(_NETWORKS)


def network_path(path: StrPath) -> pathlib.Path:
    """The file of a network that is named by its path, or by its name.

    Args:
        path: Path of a file, or string, the name of a bundled network. A file
            of that name comes first.
    """
    path = pathlib.Path(path)
    named = {network.name: network.path for network in _NETWORKS}
    return path if path.exists() else named.get(str(path), path)


def name_for_scale(scale: int) -> str:
    """The name of the first bundled network of a magnification.

    Raises:
        ArgumentError: If there is none.
    """
    for network in _NETWORKS:
        if network.scale == scale:
            return network.name
    scales = sorted({network.scale for network in _NETWORKS})
    raise ArgumentError(
        "scale",
        f"is {scale}, and the networks that come with issp_keras magnify "
        f"{' or '.join(map(str, scales))} times; name another `model`.",
    )
