"""The version of this package, for its own modules."""

import sys


def version() -> str:
    """The same as `issp_keras.__version__`."""
    # The package is always imported before its modules.
    return sys.modules["issp_keras"].__version__
