import numpy as np
import pytest
from keras import ops

from issp_keras.sparsity import ISSP
from issp_keras.sparsity import Uniform
from issp_keras.sparsity import zeros


@pytest.mark.parametrize(
    ("size", "sparsity", "count"),
    [
        (1000, 0.9, 900),
        (1001, 0.9, 901),
        (10, 0.95, 9),
        (1, 0.95, 0),
        (10_000, 0.999, 9950),
        (1000, 0.0, 0),
    ],
)
def test_uniform_prunes_the_ceiling_but_never_a_whole_kernel(
    size, sparsity, count
):
    assert Uniform().pruned_counts([size], sparsity) == [count]
    tensor = ops.convert_to_tensor(sparsity, "float32")
    (found,) = Uniform().pruned_counts([size], tensor)
    assert abs(int(found) - count) <= 1


def test_uniform_keeps_the_counts_of_the_official_edsr_baseline():
    sizes = [1728, *[36864] * 33, *[147456] * 2, 1728]
    for sparsity, kept in {0.9: 151_472, 0.95: 75_735, 0.99: 15_126}.items():
        pruned = Uniform().pruned_counts(sizes, sparsity)
        assert sum(sizes) - sum(pruned) == kept


def test_iss_p_shrinks_the_unimportant_weights_only():
    kernel = ops.array([4.0, -2.0, 1.0])
    shrunk = ISSP(0.5).update(kernel, ops.array([False, True, True]))
    assert ops.convert_to_numpy(shrunk).tolist() == [4.0, -1.0, 0.5]


@pytest.mark.parametrize("ratio", [1.0, -0.1, "0.9"])
def test_iss_p_refuses_a_ratio_that_does_not_shrink(ratio):
    with pytest.raises(ValueError, match=f"Received: shrink_ratio={ratio!r}"):
        ISSP(ratio)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_projection_zeroes_what_is_pruned_and_nothing_else(dtype):
    kernel = ops.cast([[0.5, 0.0], [-0.0, -3.0]], dtype)
    pruned = ops.array([[True, False], [False, True]])
    projected = zeros.project(kernel, pruned)
    assert projected.dtype == kernel.dtype
    assert np.array_equal(
        ops.convert_to_numpy(zeros.is_pruned(projected)),
        ops.convert_to_numpy(pruned),
    )
    assert float(ops.max(ops.abs(projected))) < 1e-4
