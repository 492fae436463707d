"""Networks that come with the package."""

import pathlib

# A small x4 network, trained by configs/quickstart_x4.py, and saved with the
# least version of Keras, so that all can load it.
BUNDLED = pathlib.Path(__file__).with_name("quickstart_x4.keras")
