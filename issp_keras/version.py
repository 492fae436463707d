"""The version of this package.

Modules import it from here. An import from the package would be circular.
"""

__version__ = "0.1.0"
