"""Prints the shapes of a file's tensors for an image of some size, as JSON.

`inspect` runs this in a process of its own, since a file that is broken can
take the interpreter with it: PATH HEIGHT WIDTH MUST_RUN.
"""

import json
import sys

import numpy as np


def main(path, height, width, must_run):
    from ai_edge_litert import interpreter as litert

    # Without delegates, which keep the shapes of what they compute to
    # themselves.
    plain = litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = litert.Interpreter(
        model_path=path, experimental_op_resolver_type=plain
    )
    (image,) = interpreter.get_input_details()
    shape = (1, int(height), int(width), int(image["shape"][-1]))
    interpreter.resize_tensor_input(image["index"], shape)
    interpreter.allocate_tensors()
    if int(must_run):
        interpreter.set_tensor(image["index"], np.zeros(shape, image["dtype"]))
        interpreter.invoke()
    shapes: dict[int, list[int]] = {}
    for tensor in interpreter.get_tensor_details():
        shapes.setdefault(tensor["index"], tensor["shape"].tolist())
    print(json.dumps([shapes.get(i, []) for i in range(max(shapes) + 1)]))


if __name__ == "__main__":
    main(*sys.argv[1:])
