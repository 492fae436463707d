"""The engine in WebAssembly, and a page that upscales photographs with it.

The folder is also an npm package: see its README.
"""

from issp_keras.web.demo import find_demo
from issp_keras.web.demo import make_demo
from issp_keras.web.engine import build_wasm
from issp_keras.web.page import build_page

__all__ = [
    "build_page",
    "build_wasm",
    "find_demo",
    "make_demo",
]
