"""The version of this package.

Its modules import it from here, since the package imports them.
"""

__version__ = "0.1.0"
