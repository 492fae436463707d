import numpy as np
import pytest
from keras import ops

from issp_keras.sparsity import zeros


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_projection_zeroes_what_is_pruned_and_nothing_else(dtype):
    kernel = ops.cast(np.array([[0.5, 0.0], [-0.0, -3.0]]), dtype)
    pruned = ops.array([[True, False], [False, True]])
    projected = zeros.project(kernel, pruned)
    assert projected.dtype == kernel.dtype
    assert np.array_equal(
        ops.convert_to_numpy(zeros.is_pruned(projected)),
        ops.convert_to_numpy(pruned),
    )
    assert float(ops.max(ops.abs(projected))) < 1e-4
