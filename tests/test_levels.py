"""Sparse tensors of files that are not to be trusted.

TFLite does not check them. Some of these files crash it with SIGSEGV while
XNNPACK unpacks their kernel.
"""

import graphs
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from issp_keras import inference
from issp_keras.errors import InputError
from issp_keras.tflite import delegate
from issp_keras.tflite import encode_sparse
from issp_keras.tflite import flatbuffer
from issp_keras.tflite import inspect
from issp_keras.tflite.benchmarking.contest import Contest
from issp_keras.tflite.benchmarking.protocol import Protocol
from issp_keras.tflite.encoding import Encoding

RNG = np.random.default_rng(0)
# The last level is compressed.
ROWS = Encoding((0, 1, 2, 3), (False, False, False, True))
BLOCKS = Encoding(
    (0, 1, 2, 3, 4), (False, False, False, True, False), ((3, 2),)
)


def make_file(encoding, change=lambda graph, sparse: None):
    """A 1x1 convolution of RGB images whose kernel is stored sparse."""
    graph = graphs.Graph((1, 8, 8, 4))
    # The first filter has two weights, the last one has one.
    kernel = np.zeros((4, 1, 1, 4), np.float32)
    kernel[0, 0, 0, :2] = kernel[3, 0, 0, 3] = 1
    unpacked = graph.sparse(kernel, encoding)
    output = graph.convolution(unpacked, (1, 8, 8, 4), padding=1)
    model = flatbuffer.parse(graph.write(output), "a file")
    (subgraph,) = model.subgraphs
    change(subgraph, next(of for of in subgraph.tensors if of.sparsity))
    return flatbuffer.write(model)


def _set(name, value):
    def change(_, tensor):
        setattr(tensor.sparsity, name, value)

    return change


def _set_level(depth, **values):
    def change(_, tensor):
        for name, value in values.items():
            setattr(tensor.sparsity.dimMetadata[depth], name, value)

    return change


def _set_last(name, values, depth=3):
    def change(_, tensor):
        numbers = schema.Int32VectorT(np.array(values, np.int32))
        kind = schema.SparseIndexVector.Int32Vector
        level = tensor.sparsity.dimMetadata[depth]
        setattr(level, f"array{name}", numbers)
        setattr(level, f"array{name}Type", kind)

    return change


def _leave_out_levels(_, tensor):
    del tensor.sparsity.dimMetadata[2:]


def _leave_out_values(graph, tensor):
    """Stores the bias as the kernel: four values instead of three."""
    tensor.buffer = graph.tensors[graph.operators[-1].inputs[2]].buffer


def _unpack_to_another_shape(graph, _):
    graph.tensors[graph.operators[0].outputs[0]].shape = [2, 1, 1, 4]


def _use_as_it_is(graph, tensor):
    inputs = graph.operators[-1].inputs.copy()
    inputs[1] = graph.tensors.index(tensor)
    graph.operators[-1].inputs = inputs


def _order(*numbers):
    return _set("traversalOrder", np.array(numbers, np.int32))


def _block_map(*numbers):
    return _set("blockMap", np.array(numbers, np.int32))


BROKEN = {
    "axis twice": (ROWS, _order(0, 0, 2, 3), "its traversal order is [0, 0, 2"),
    "no such axis": (
        ROWS,
        _order(0, 1, 2, 10**8),
        "its traversal order is [0, 1, 2, 100000000], expected dimensions 0 to "
        "3, each once, and then 0 blocks.",
    ),
    "no order": (ROWS, _set("traversalOrder", None), "its traversal order is"),
    "block map": (BLOCKS, _block_map(7), "its block map is [7], expected dim"),
    "block twice": (BLOCKS, _block_map(3, 3), "its traversal order is [0, 1,"),
    "block of 3": (
        BLOCKS,
        _set_level(4, denseSize=3),
        "a block of dimension 3 has the size 3, expected a dense one that "
        "divides 4.",
    ),
    "block of 0": (BLOCKS, _set_level(4, denseSize=0), "3 has the size 0, exp"),
    "levels": (
        ROWS,
        _leave_out_levels,
        "it describes 2 levels, expected 4, one for each of its traversal "
        "order.",
    ),
    "format": (ROWS, _set_level(1, format=2), "level 1 has the format 2, exp"),
    "size": (
        ROWS,
        _set_level(0, denseSize=10**6),
        "level 0 has the size 1000000, expected 4 as the tensor's shape says.",
    ),
    "no indices": (
        ROWS,
        _set_level(3, arrayIndices=None, arrayIndicesType=0),
        "level 3 is compressed without segments or indices, expected both.",
    ),
    "few segments": (
        ROWS,
        _set_last("Segments", [0, 2, 3]),
        "its levels do not fit: 3 segments, expected 5 in level 3.",
    ),
    "segments fall": (
        ROWS,
        _set_last("Segments", [0, 2, 1, 2, 3]),
        "segments that do not begin with 0 and increase in level 3.",
    ),
    "beyond indices": (
        ROWS,
        _set_last("Segments", [0, 2, 2, 2, 250]),
        "its levels do not fit: 3 indices, expected 250 in level 3.",
    ),
    "index": (
        ROWS,
        _set_last("Indices", [0, 10**8, 3]),
        "its levels do not fit: indices that are not below 4 in level 3.",
    ),
    "negative": (
        ROWS,
        _set_last("Indices", [-1, 1, 3]),
        "indices that are not below 4 in level 3.",
    ),
    "index of a block": (
        BLOCKS,
        _set_last("Indices", [0, 2]),
        "indices that are not below 2 in level 3.",
    ),
    "unordered": (
        ROWS,
        _set_last("Indices", [1, 0, 3]),
        "its levels do not fit: indices that do not increase in level 3.",
    ),
    "values": (ROWS, _leave_out_values, "it has 4 values, expected 3 for its"),
    "shape": (ROWS, _unpack_to_another_shape, "is unpacked to another shape"),
    "not unpacked": (
        ROWS,
        _use_as_it_is,
        "is sparse and an input of CONV_2D, expected DENSIFY",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_no_interpreter_sees_a_sparse_tensor_that_contradicts_itself(
    name, tmp_path
):
    encoding, change, problem = BROKEN[name]
    path = tmp_path / "model.tflite"
    path.write_bytes(make_file(encoding, change))
    for use in (
        inspect,
        inference.TFLiteInterpreter,
        lambda path: encode_sparse(path, tmp_path / "again.tflite"),
        lambda path: Contest([path], Protocol(8, 8), delegate="sparse"),
        delegate.compiled_model,
    ):
        with pytest.raises(InputError) as caught:
            use(path)
        sentence = str(caught.value)
        assert sentence.startswith(f"{path}: tensor 'constant1': ")
        assert problem in sentence
        assert len(sentence.splitlines()) == 1
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "encoding",
    [
        ROWS,
        BLOCKS,
        Encoding((3, 1, 0, 2), (True, False, True, False)),
        Encoding((0, 1, 2, 3), (True, True, True, True)),
        Encoding(
            (3, 0, 1, 2, 4, 5),
            (False, True, False, False, False, False),
            ((0, 2), (3, 4)),
        ),
    ],
)
def test_what_is_stored_right_is_described(encoding, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(make_file(encoding))
    (layer,) = inspect(path).layers
    assert layer.kernel.is_sparse
    assert layer.kernel.nonzeros == 3
    inside = " ".join(f"block of {size}" for _, size in encoding.blocks)
    assert layer.kernel.encoding.endswith(inside)
    graphs.run(
        graphs.interpreter(path.read_bytes()),
        RNG.random((1, 8, 8, 4), np.float32),
    )


def test_a_file_without_sparse_tensors_is_left_to_the_interpreter(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(b"\x10\0\0\0TFL3" + bytes(64))
    flatbuffer.check_constants(path)
    with pytest.raises(InputError, match=r"model\.tflite: is not a TFLite mo"):
        inference.TFLiteInterpreter(path)
