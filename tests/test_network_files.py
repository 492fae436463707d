"""The networks as TFLite files."""

import numpy as np
import pytest
from networks import TINY
from networks import small_pairs

from issp_keras import models
from issp_keras.callbacks import prunable_kernels
from issp_keras.inference import TFLiteInterpreter
from issp_keras.tflite import Reference
from issp_keras.tflite import export

RNG = np.random.default_rng(0)
_MARKS = {
    **dict.fromkeys(("cat", "cat_axial"), pytest.mark.long),
    **dict.fromkeys(("edsr", "plain", "swinir"), pytest.mark.versions),
}


@pytest.mark.parametrize(
    "network",
    [pytest.param(name, marks=_MARKS.get(name, ())) for name in TINY],
)
def test_a_file_takes_any_size_with_what_every_tflite_has(network, tmp_path):
    """The file has no TensorFlow operations. `export` does not allow them."""
    model = TINY[network]()
    reference = Reference(model, small_pairs())
    export(model, tmp_path / "model.tflite", reference=reference)
    interpreter = TFLiteInterpreter(tmp_path / "model.tflite")
    for height, width in ((16, 32), (9, 13), (1, 1)):
        image = RNG.random((1, height, width, 3), np.float32)
        expected = np.clip(model(image), 0, 1)
        np.testing.assert_allclose(interpreter(image), expected, atol=1e-5)


@pytest.mark.parametrize(
    "network",
    [pytest.param("cat", marks=pytest.mark.long), "edge_sr", "swinir"],
)
def test_a_file_of_one_odd_size_equals_its_network(network, tmp_path):
    model = TINY[network]()
    exported = export(
        model,
        tmp_path / "model.tflite",
        height=9,
        width=13,
        reference=Reference(model, small_pairs()),
    )
    assert exported.parity.max_error <= 1e-5


@pytest.mark.parametrize("size", [(16, 24), (None, None)])
def test_attention_in_windows_is_few_operators_that_move_nothing_in_vain(
    size, tmp_path
):
    """SwinIR with two blocks. The second block shifts the windows."""
    model = models.swinir(2, 6, (2,), heads=2)
    for weight in model.trainable_variables:
        weight.assign(weight + 0.1 * RNG.standard_normal(weight.shape))
    path = tmp_path / "model.tflite"
    reference = Reference(model, small_pairs())
    exported = export(model, path, "float32", False, *size, reference=reference)
    assert exported.parity.max_error < 1e-5
    graph = _Graph(path)
    # Between the products of attention, only additions of bias and mask and
    # the softmax remain. The first block has no mask.
    for second, logits in ((0, ["ADD"]), (1, ["ADD", "SUB"])):
        first, last = graph.nodes("BATCH_MATMUL")[2 * second :][:2]
        kinds = [graph.kind(node) for node in range(first + 1, last)]
        assert kinds == [*logits, "SOFTMAX"]
    # Queries, keys, values, `proj`, `fc1` and `fc2` take whole images.
    products = graph.nodes("FULLY_CONNECTED")
    assert len(products) == 2 * 6
    assert all(len(graph.shape_of_output(node)) == 4 for node in products)
    assert len(graph.nodes("TRANSPOSE")) - (None in size) == 2 * 4
    assert not graph.nodes("REDUCE_PROD") + graph.nodes("SPLIT")
    # Two normalisations in each block, one before and one after the blocks.
    assert len(graph.nodes("RSQRT")) == 6
    if None in size:
        # Image, crop, mask and each attention need the size. The oldest
        # supported TensorFlow asks for it once more.
        assert len(graph.nodes("SHAPE")) <= 6
        return
    mask = 6 * 64 * 64 * 4
    others = 2 * 2 * 64 * 64 * 4 + 4 * model.count_params()
    assert mask + others / 2 < path.stat().st_size < mask + others + 25_000


@pytest.mark.parametrize("skip", ["bilinear", "nearest", None])
@pytest.mark.parametrize("size", [(16, 24), (13, 9), (16, 9), (None, None)])
def test_the_edge_network_keeps_the_rules_of_sparse_inference(
    skip, size, tmp_path
):
    """The rules of XNNPACK are in the docstring of `edge_sr`."""
    model = models.edge_sr(3, width=4, blocks=2, skip=skip)
    for kernel in prunable_kernels(model, exclude=["stem", "depthwise"]):
        kernel.assign(kernel * (RNG.random(kernel.shape) < 0.1))
    path = tmp_path / "model.tflite"
    reference = Reference(model, small_pairs(3))
    export(model, path, "float32", True, *size, reference=reference)
    graph = _Graph(path)

    (shuffle,) = graph.nodes("DEPTH_TO_SPACE")
    inside = graph.before(shuffle)
    kinds = [graph.kind(node) for node in inside]
    assert set(kinds) == {"CONV_2D", "DEPTHWISE_CONV_2D", "ADD"}
    assert kinds.count("CONV_2D") == 1 + 2 * 2 + 1
    stem, *others = sorted(inside)
    assert graph.shape_of_kernel(stem) == [4, 3, 3, 3]
    assert graph.strides(stem) == (2, 2)
    # Only the image is padded, by one pixel on all sides.
    assert graph.padding(stem) == "VALID"
    (pad,) = graph.nodes("PAD")
    assert graph.outputs(pad) == graph.inputs(stem)
    assert graph.constant(pad, 1).tolist() == [[0, 0], [1, 1], [1, 1], [0, 0]]
    for node in others:
        if graph.kind(node) == "CONV_2D":
            assert graph.shape_of_kernel(node)[1:3] == [1, 1]
            assert graph.strides(node) == (1, 1)
        elif graph.kind(node) == "DEPTHWISE_CONV_2D":
            assert graph.shape_of_kernel(node)[1:3] == [3, 3]
            assert graph.strides(node) == (1, 1)
            assert graph.padding(node) == "SAME"
    # Nothing outside uses tensors from inside.
    for node in inside:
        for user in graph.users(node):
            assert user in inside or user == shuffle


class _Graph:
    """The operations of a TFLite file, by their numbers."""

    def __init__(self, path):
        from ai_edge_litert import schema_py_generated as schema

        self._schema = schema
        self._model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
        (self._graph,) = self._model.subgraphs
        self._kinds = {
            number: name
            for name, number in vars(schema.BuiltinOperator).items()
            if isinstance(number, int)
        }

    def kind(self, node):
        code = self._model.operatorCodes[self._op(node).opcodeIndex]
        return self._kinds[code.builtinCode]

    def nodes(self, kind):
        every = range(len(self._graph.operators))
        return [node for node in every if self.kind(node) == kind]

    def inputs(self, node):
        """The inputs of a node, without constants."""
        return [
            value
            for value in self._op(node).inputs.tolist()
            if value in self._graph.inputs or value in self._makers()
        ]

    def outputs(self, node):
        return self._op(node).outputs.tolist()

    def users(self, node):
        return [
            user
            for user in range(len(self._graph.operators))
            if set(self.outputs(node)) & set(self._op(user).inputs.tolist())
        ]

    def before(self, node):
        """All nodes before one, up to those that pad the image."""
        found: set[int] = set()
        todo = [node]
        while todo:
            for value in self._op(todo.pop()).inputs.tolist():
                maker = self._makers().get(value)
                if maker is None or maker in found:
                    continue
                if self.kind(maker) not in ("PAD", "DENSIFY"):
                    found.add(maker)
                    todo.append(maker)
        return found

    def constant(self, node, place):
        tensor = self._graph.tensors[self._op(node).inputs[place]]
        content = self._model.buffers[tensor.buffer].data
        return np.frombuffer(bytes(content), np.int32).reshape(tensor.shape)

    def shape_of_output(self, node):
        return self._graph.tensors[self._op(node).outputs[0]].shape.tolist()

    def shape_of_kernel(self, node):
        return self._graph.tensors[self._op(node).inputs[1]].shape.tolist()

    def strides(self, node):
        options = self._op(node).builtinOptions
        return options.strideH, options.strideW

    def padding(self, node):
        valid = self._schema.Padding.VALID
        is_valid = self._op(node).builtinOptions.padding == valid
        return "VALID" if is_valid else "SAME"

    def _op(self, node):
        return self._graph.operators[node]

    def _makers(self):
        return {
            value: node
            for node in range(len(self._graph.operators))
            for value in self.outputs(node)
        }
