"""Replaces a matrix product and a split of its result by several products.

The result of a smaller product stays in the cache for the next operator, and no
operator is needed to split channels. Attention computes queries, keys and
values in this way.
"""

import copy

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from issp_keras.tflite.flatbuffer import Graph
from issp_keras.tflite.flatbuffer import inputs_of


def split_products(model: schema.ModelT):
    """Replaces each product whose channels are split by one for each part."""
    for subgraph in model.subgraphs:
        graph = Graph(model, subgraph)
        operators = []
        for operator in subgraph.operators:
            product = _split_product(graph, operator)
            if product is None:
                operators.append(operator)
                continue
            operators = [of for of in operators if of is not product]
            operators += _products(model, subgraph, graph, product, operator)
        subgraph.operators = operators
        _take_in_factors(model, subgraph)
        _forget_unused(Graph(model, subgraph))


def _take_in_factors(model, subgraph):
    """Multiplies kernels by the factor that follows their products."""
    graph = Graph(model, subgraph)
    for factor in list(subgraph.operators):
        product, number = _factor(graph, factor)
        if product is None:
            continue
        for place in (1, 2):
            constant = int(product.inputs[place])
            values = graph.stored(constant) * number
            model.buffers.append(schema.BufferT(values.view(np.uint8)))
            tensor = copy.copy(graph.tensors[constant])
            tensor.buffer = len(model.buffers) - 1
            subgraph.tensors.append(tensor)
            product.inputs[place] = len(subgraph.tensors) - 1
        product.outputs = factor.outputs
        subgraph.operators = [
            of for of in subgraph.operators if of is not factor
        ]


def _factor(graph, operator):
    """The float32 product that an operator scales, and the factor."""
    none = schema.ActivationFunctionType.NONE
    if (
        graph.kind(operator) != "MUL"
        or operator.builtinOptions.fusedActivationFunction != none
    ):
        return None, None
    image, other = inputs_of(operator)
    product = graph.makers.get(image)
    number = graph.stored(other)
    if (
        product is None
        or number is None
        or len(number) != 1
        or graph.kind(product) != "FULLY_CONNECTED"
        or product.builtinOptions.fusedActivationFunction != none
        or len(graph.users[image]) > 1
        or image in graph.outputs
    ):
        return None, None
    constants = [graph.stored(n) for n in product.inputs[1:] if n >= 0]
    # With fewer bits, rounding the kernel again would cost accuracy.
    if len(constants) != 2 or any(
        of is None or of.dtype != np.float32 for of in constants
    ):
        return None, None
    return product, number[0]


def _forget_unused(graph):
    """Removes the values of constants that nothing uses any more."""
    for number, tensor in enumerate(graph.tensors):
        if number not in graph.users and number not in graph.outputs:
            tensor.buffer = 0


def _split_product(graph, operator):
    """The product whose channels an operator splits, or None.

    None also if anything else uses the product.
    """
    if graph.kind(operator) != "SPLIT":
        return None
    axis, whole = inputs_of(operator)
    product = graph.makers.get(whole)
    rank = len(graph.shape(whole))
    if (
        product is None
        or graph.kind(product) != "FULLY_CONNECTED"
        or graph.stored(axis) is None
        or graph.stored(axis)[0] % rank != rank - 1
        or len(graph.users[whole]) > 1
        or whole in graph.outputs
        or any(graph.source(n) is None for n in inputs_of(product)[1:])
    ):
        return None
    return product


def _products(model, subgraph, graph, product, split):
    """The operators that replace a product and the split of its result."""
    made = []
    outputs = split.outputs
    for part, output in enumerate(outputs):
        own = copy.copy(product)
        own.outputs = np.array([output], np.int32)
        own.inputs = product.inputs.copy()
        for place in range(1, len(own.inputs)):
            number = int(own.inputs[place])
            if number >= 0:
                own.inputs[place] = _cut(
                    model, subgraph, graph, number, part, len(outputs), made
                )
        made.append(own)
    return made


def _cut(model, subgraph, graph, number, part, parts, made):
    """Adds a part of a constant's rows. Its unpacking goes to `made`."""
    tensor = copy.copy(graph.tensors[number])
    tensor.shape = tensor.shape.copy()
    tensor.shape[0] //= parts
    stored = graph.stored(number)
    if stored is not None:
        buffer = np.split(stored, parts)[part].view(np.uint8)
        model.buffers.append(schema.BufferT(buffer))
        tensor.buffer = len(model.buffers) - 1
        tensor.quantization = _cut_scales(tensor.quantization, part, parts)
    subgraph.tensors.append(tensor)
    new = len(subgraph.tensors) - 1
    if stored is None:
        unpack = copy.copy(graph.makers[number])
        (packed,) = inputs_of(unpack)
        cut = _cut(model, subgraph, graph, packed, part, parts, made)
        unpack.inputs = np.array([cut], np.int32)
        unpack.outputs = np.array([new], np.int32)
        made.append(unpack)
    return new


def _cut_scales(quantization, part, parts):
    """The scales of a part of the rows, if each row has its own."""
    if quantization is None or quantization.scale is None:
        return quantization
    if len(quantization.scale) % parts or len(quantization.scale) == 1:
        return quantization
    quantization = copy.copy(quantization)
    quantization.scale = np.split(quantization.scale, parts)[part]
    quantization.zeroPoint = np.split(quantization.zeroPoint, parts)[part]
    return quantization
