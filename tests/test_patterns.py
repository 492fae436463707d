import numpy as np
import pytest
from keras import ops

from issp_keras.sparsity import NM
from issp_keras.sparsity import Block
from issp_keras.sparsity import Kernel
from issp_keras.sparsity import Pattern
from issp_keras.sparsity import Sampled
from issp_keras.sparsity import Unstructured


def _mask(pattern, scores, count, inputs=(-2,), outputs=(-1,), **arguments):
    scores = np.asarray(scores, np.float32)
    rank = scores.ndim
    kernel = Kernel(
        0,
        "layer/kernel",
        scores.shape,
        tuple(axis % rank for axis in inputs),
        tuple(axis % rank for axis in outputs),
    )
    (mask,) = pattern.unimportant(
        [kernel], [ops.convert_to_tensor(scores)], [count], **arguments
    )
    return ops.convert_to_numpy(mask)


def test_unstructured_takes_the_least_important():
    mask = _mask(Unstructured(), [[3.0, 1.0], [2.0, 4.0]], 2)
    assert mask.tolist() == [[False, True], [True, False]]


def test_a_sampled_selection_is_exact_where_counts_must_be_met():
    scores = np.random.default_rng(0).random((50, 50))
    pattern = Unstructured(Sampled(100))
    assert _mask(pattern, scores, 2000, exact=True).sum() == 2000
    assert _mask(pattern, scores, 2000, exact=False).sum() != 2000


def test_n_m_groups_along_input_channels():
    # Dense kernel of 4 inputs and 2 outputs.
    scores = [[1, 8], [2, 7], [3, 6], [4, 5]]
    mask = _mask(NM(2, 4), scores, 4)
    assert mask.T.tolist() == [
        [True, True, False, False],
        [False, False, True, True],
    ]


def test_n_m_groups_a_convolution_at_each_place_and_output():
    rng = np.random.default_rng(0)
    mask = _mask(NM(9, 10), rng.random((3, 3, 20, 4)), 648)
    groups = mask.transpose(0, 1, 3, 2).reshape(-1, 10)
    assert (groups.sum(axis=1) == 9).all()


def test_n_m_groups_a_transposed_convolution_along_its_input_too():
    rng = np.random.default_rng(0)
    mask = _mask(
        NM(2, 4), rng.random((3, 3, 5, 8)), 180, inputs=(-1,), outputs=(-2,)
    )
    assert (mask.reshape(-1, 4).sum(axis=1) == 2).all()


def test_n_m_in_the_order_of_torch():
    """torch's order is row-major (output, input, height, width)."""
    rng = np.random.default_rng(0)
    mask = _mask(NM(2, 4, order="torch"), rng.random((3, 3, 2, 6)), 54)
    groups = mask.transpose(3, 2, 0, 1).reshape(-1, 4)
    assert (groups.sum(axis=1) == 2).all()
    groups = mask.transpose(0, 1, 3, 2).reshape(-1, 2)
    assert not (groups.sum(axis=1) == 1).all()


def test_n_m_prunes_the_first_of_equal_scores():
    mask = _mask(NM(2, 4), np.ones((4, 1)), 2)
    assert mask[:, 0].tolist() == [True, True, False, False]


def test_a_shorter_last_group_loses_its_share_rounded_down():
    mask = _mask(NM(3, 4), np.ones((10, 1)), 8)
    assert mask[:, 0].tolist() == [
        *(True, True, True, False),
        *(True, True, True, False),
        *(True, False),
    ]
    assert _mask(NM(3, 4), np.ones((3, 2)), 6).sum() == 4


@pytest.mark.parametrize(
    ("count", "in_each"), [(0, 0), (9, 0), (10, 1), (19, 1), (20, 2), (39, 2)]
)
def test_n_m_follows_the_count_up_to_its_limit(count, in_each):
    mask = _mask(NM(2, 4), np.ones((4, 10)), count)
    assert mask.sum(axis=0).tolist() == [in_each] * 10
    tensor = ops.convert_to_tensor(count, "int32")
    assert (_mask(NM(2, 4), np.ones((4, 10)), tensor) == mask).all()


def test_blocks_are_pruned_whole_by_their_mean():
    scores = np.array([[1, 2, 9, 9], [1, 2, 9, 0]], "float32")
    mask = _mask(Block(1, 2), scores, 4)
    assert mask.tolist() == [[True, True, False, False]] * 2


def test_blocks_of_a_convolution_lie_in_one_place():
    rng = np.random.default_rng(0)
    mask = _mask(Block(2, 4), rng.random((3, 3, 4, 8)), 144)
    blocks = mask.reshape(9, 2, 2, 2, 4).sum(axis=(2, 4))
    assert set(blocks.ravel().tolist()) == {0, 8}
    assert (blocks == 8).sum() == 18


def test_blocks_at_the_end_are_smaller():
    # Blocks of 2x2 over 3x3 have 4, 2, 2 and 1 weights. Means are 5, 1, 2, 3.
    scores = [[5, 5, 1], [5, 5, 1], [2, 2, 3]]
    mask = _mask(Block(2, 2), scores, 7)
    assert mask.tolist() == [
        [False, False, True],
        [False, False, True],
        [True, True, True],
    ]


def test_a_kernel_of_fewer_channels_than_a_block_has_single_weights():
    # A first layer of 3 input channels.
    scores = [[3, 1], [2, 6], [5, 4]]
    mask = _mask(Block(inputs=4), scores, 3)
    assert mask.tolist() == [[True, True], [True, False], [False, False]]
    assert _mask(Block(outputs=4), np.transpose(scores), 3).T.tolist() == (
        mask.tolist()
    )


def test_blocks_of_inputs_lie_along_the_axis_that_tflite_stores():
    rng = np.random.default_rng(0)
    mask = _mask(Block(inputs=4), rng.random((3, 3, 8, 5)), 180)
    # TFLite's order is output, height, width, input.
    stored = mask.transpose(3, 0, 1, 2).reshape(-1, 4).sum(axis=1)
    assert set(stored.tolist()) == {0, 4}
    assert (stored == 4).sum() == 45


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: NM(4, 4), "zeros=4, group=4"),
        (lambda: NM(0, 4), "zeros=0"),
        (lambda: NM(2.0, 4), r"whole number.*zeros=2\.0"),
        (lambda: NM(2, 4, order="keras"), "order='keras'"),
        (lambda: Block(0, 4), "inputs=0"),
    ],
)
def test_refuses_patterns_that_are_none(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_one_of_the_users_own_must_say_what_it_prunes():
    class Own(Pattern):
        pass

    with pytest.raises(
        NotImplementedError, match="Own must define `unimportant`"
    ):
        Own().unimportant([], [], [])
