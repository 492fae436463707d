"""Facts about the network, in a metadata entry of the `.tflite` file."""

import json

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from issp_keras import files

_NAME = b"issp_keras"


def add_metadata(model: schema.ModelT, content: dict):
    """Adds a JSON entry named `issp_keras` to a model's metadata."""
    data = json.dumps(content, separators=(",", ":")).encode()
    model.buffers.append(schema.BufferT(np.frombuffer(data, np.uint8)))
    entry = schema.MetadataT(_NAME, len(model.buffers) - 1)
    model.metadata = [
        *(other for other in model.metadata or () if other.name != _NAME),
        entry,
    ]


def read_metadata(model: schema.ModelT) -> dict | None:
    """The entry of `add_metadata`, or None if there is none.

    Raises:
        ValueError: If it is not JSON.
    """
    for entry in model.metadata or ():
        data = model.buffers[entry.buffer].data
        if entry.name == _NAME and data is not None:
            content = files.parse_json(bytes(data))
            return content if isinstance(content, dict) else None
    return None
