import numpy as np
import pytest
from keras import ops

from issp_keras.sparsity import zeros

pytestmark = pytest.mark.versions


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


def test_projection_keeps_the_sign_of_small_weights():
    kernel = ops.cast(np.array([-3e-5, 3e-5]), "float16")
    projected = zeros.project(kernel, ops.array([False, False]))
    assert ops.convert_to_numpy(ops.sign(projected)).tolist() == [-1, 1]
