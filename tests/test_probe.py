"""Questions to TFLite in a separate process."""

import graphs
import numpy as np
import pytest
from test_levels import BROKEN
from test_levels import ROWS
from test_levels import make_file

from issp_keras.errors import InputError
from issp_keras.tflite import encode_sparse
from issp_keras.tflite import flatbuffer
from issp_keras.tflite import inspect
from issp_keras.tflite import probe
from issp_keras.tflite import sparse


def _crashing():
    """A file that makes TFLite write far beyond its memory."""
    _, change, _ = BROKEN["index"]
    return make_file(ROWS, change)


def test_a_file_that_ends_tflite_ends_no_other_process(tmp_path):
    with pytest.raises(probe.ProbeError, match="TFLite ends with the signal"):
        probe.ask("alike", 0, content=_crashing())
    path = tmp_path / "model.tflite"
    model = flatbuffer.parse(make_file(ROWS), path)
    with pytest.raises(
        InputError, match=r"model\.tflite: does not run in TFLite: TFLite ends"
    ):
        sparse.check(_crashing(), model, path)


def test_a_file_that_takes_too_long_is_given_up():
    with pytest.raises(probe.ProbeError, match=r"takes more than 0\.01 s"):
        probe.ask("alike", 0, content=make_file(ROWS), seconds=0.01)


def test_what_tflite_says_is_the_reason():
    with pytest.raises(probe.ProbeError, match=r"[Cc]ould not open"):
        probe.ask("shapes", "no.tflite", 8, 8, 0)


def _named(name):
    """A file for images of any size all of whose tensors have a name."""
    graph = graphs.Graph((1, None, None, 3))
    rng = np.random.default_rng(0)
    kernel = rng.standard_normal((64, 3, 3, 3), np.float32)
    kernel *= rng.random(kernel.shape) > 0.9
    filters = graph.constant(kernel)
    output = graph.convolution(filters, (1, None, None, 64))
    for tensor in graph.tensors:
        tensor.name = name
    return graph.write(output)


def test_names_may_be_any_bytes(tmp_path):
    found = []
    for name in (b"layer", b"\xff\xfe"):
        path = tmp_path / "model.tflite"
        path.write_bytes(_named(name))
        assert encode_sparse(path, path) == 1
        about = inspect(path, size=(16, 24), delegate=True)
        assert about.macs == 16 * 24 * 64 * 27
        found += [layer.delegate for layer in about.layers]
    assert found[0] == found[1] != "TFLite does not load the file with it"
