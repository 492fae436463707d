"""What `issp` does at a shell, for Python: a network that is loaded."""

from typing import TYPE_CHECKING

from issp_keras.late import import_late

if TYPE_CHECKING:
    from issp_keras.network.bundled import networks
    from issp_keras.network.loaded import LoadedNetwork
    from issp_keras.network.loaded import load

__all__ = ["LoadedNetwork", "load", "networks"]

import_late(__name__)
