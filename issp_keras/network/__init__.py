"""The Python API of the commands of `issp`: load a network and use it."""

from typing import TYPE_CHECKING

from issp_keras.late import import_late

if TYPE_CHECKING:
    from issp_keras.network.bundled import networks
    from issp_keras.network.loaded import LoadedNetwork
    from issp_keras.network.loaded import load

__all__ = ["LoadedNetwork", "load", "networks"]

import_late(__name__)
