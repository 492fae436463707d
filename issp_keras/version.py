"""The version of this package, for what the package itself is made of."""

import sys


def version() -> str:
    """The same as `issp_keras.__version__`."""
    # Imported before any of its modules, and free to import them later.
    return sys.modules["issp_keras"].__version__
