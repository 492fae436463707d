import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

from issp_keras.sparsity import ISSPSchedule

pytestmark = pytest.mark.versions


def test_prunes_from_begin_step_until_before_end_step():
    schedule = ISSPSchedule(0.9, begin_step=2, end_step=4)
    assert [schedule(step) for step in range(6)] == [
        (False, 0.9),
        (False, 0.9),
        (True, 0.9),
        (True, 0.9),
        (False, 0.9),
        (False, 0.9),
    ]


@pytest.mark.tensorflow
def test_takes_steps_as_tensors_inside_a_compiled_function():
    import tensorflow as tf

    schedule = ISSPSchedule(0.9, begin_step=2, end_step=4)
    ask = tf.function(lambda step: schedule(step)[0], jit_compile=True)
    answers = [bool(ask(ops.convert_to_tensor(step))) for step in range(6)]
    assert answers == [False, False, True, True, False, False]


def test_takes_numpy_integers():
    schedule = ISSPSchedule(0.9, np.int64(0), end_step=np.int64(7))
    assert schedule.end_step == 7
    assert bool(schedule(np.int64(6))[0])


@pytest.mark.parametrize(
    ("ramp", "sparsities"),
    [
        ("linear", [0.0, 0.2, 0.4, 0.6, 0.8]),
        ("cubic", [0.0, 0.4625, 0.7, 0.7875, 0.8]),
    ],
)
def test_ramps_up_to_the_target_over_the_pruning_stage(ramp, sparsities):
    schedule = ISSPSchedule(0.8, begin_step=2, end_step=7, ramp=ramp)
    for step, sparsity in enumerate(sparsities, start=2):
        assert schedule(step)[1] == pytest.approx(sparsity)
        tensor = ops.convert_to_tensor(step, "int32")
        assert float(schedule(tensor)[1]) == pytest.approx(sparsity)
    assert schedule(100)[1] == 0.8


def test_refuses_a_ramp_that_is_none():
    with pytest.raises(ValueError, match=r"'cubic'.*ramp='quick'"):
        ISSPSchedule(0.8, end_step=7, ramp="quick")


@pytest.mark.tensorflow
def test_is_a_schedule_of_tfmot():
    import tensorflow_model_optimization as tfmot

    schedule = ISSPSchedule(0.9, end_step=4)
    assert isinstance(schedule, tfmot.sparsity.keras.PruningSchedule)


def test_survives_keras_serialisation():
    schedule = ISSPSchedule(0.95, begin_step=3, end_step=70)
    assert schedule.get_config() == {
        "target_sparsity": 0.95,
        "begin_step": 3,
        "end_step": 70,
        "ramp": "constant",
    }
    config = keras.saving.serialize_keras_object(schedule)
    again = keras.saving.deserialize_keras_object(config)
    assert isinstance(again, ISSPSchedule)
    assert again.get_config() == schedule.get_config()


@pytest.mark.parametrize("sparsity", [1.0, -0.1, float("nan"), 95, "0.9"])
def test_refuses_a_sparsity_outside_its_range(sparsity):
    with pytest.raises(ValueError, match=r"at least 0 and below 1.*Received"):
        ISSPSchedule(sparsity, end_step=10)


@pytest.mark.parametrize(
    ("begin_step", "end_step"), [(5, 4), (5, 5), (-1, 4), (0, 0)]
)
def test_refuses_an_end_that_is_not_after_the_begin(begin_step, end_step):
    with pytest.raises(ValueError, match="0 <= begin_step < end_step"):
        ISSPSchedule(0.9, begin_step, end_step=end_step)


def test_refuses_steps_that_are_not_whole_numbers():
    with pytest.raises(ValueError, match=r"whole number.*end_step=1\.5"):
        ISSPSchedule(0.9, end_step=1.5)
    with pytest.raises(ValueError, match=r"whole number.*end_step='7'"):
        ISSPSchedule(0.9, end_step="7")


def test_shares_become_steps_of_a_training():
    schedule = ISSPSchedule(0.9, 0.1, end_step=0.55, ramp="cubic")
    assert schedule.for_steps(100).get_config() == {
        "target_sparsity": 0.9,
        "begin_step": 10,
        "end_step": 55,
        "ramp": "cubic",
    }
    whole = ISSPSchedule(0.9, 3, end_step=np.float32(1.0)).for_steps(7)
    assert (whole.begin_step, whole.end_step) == (3, 7)
    steps = ISSPSchedule(0.9, 3, end_step=7)
    assert steps.for_steps(1000).get_config() == steps.get_config()


def test_the_shortest_training_has_a_step_that_prunes():
    assert ISSPSchedule(0.9, end_step=0.1).for_steps(2).end_step == 1


@pytest.mark.parametrize(
    ("begin_step", "end_step"),
    [(0.5, 0.4), (0.5, 0.5), (-0.1, 0.5), (0, 0.0), (0, float("nan"))],
)
def test_refuses_shares_that_are_no_stage(begin_step, end_step):
    with pytest.raises(ValueError, match=r"Received: .*step="):
        ISSPSchedule(0.9, begin_step, end_step=end_step)


def test_refuses_a_share_that_ends_before_the_begin():
    schedule = ISSPSchedule(0.9, 50, end_step=0.8)
    with pytest.raises(ValueError, match=r"of 60 steps.* step 50 .* step 48"):
        schedule.for_steps(60)


def test_shares_are_no_steps_before_a_training_is_known():
    schedule = ISSPSchedule(0.9, end_step=0.8)
    with pytest.raises(
        ValueError,
        match=r"ISSPSchedule\(0\.9, end_step=0\.8\): gives steps as.*for_steps",
    ):
        schedule(3)


def test_a_saved_schedule_keeps_its_shares():
    schedule = ISSPSchedule(0.95, 0.0, end_step=0.8)
    config = keras.saving.serialize_keras_object(schedule)
    again = keras.saving.deserialize_keras_object(config)
    assert repr(again.get_config()) == repr(schedule.get_config())
    assert again.get_config()["end_step"] == 0.8


IMPORTS = [
    "import issp_keras, tensorflow as tf",
    "import tensorflow as tf, issp_keras",
    "import tensorflow as tf; tf.keras; import issp_keras",
    "import keras, issp_keras, tensorflow as tf",
    "import issp_keras, tensorflow_model_optimization, tensorflow as tf",
]


@pytest.mark.long
@pytest.mark.tensorflow
def test_import_leaves_tf_keras_at_keras_3():
    programs = [
        f"{imports}\n"
        "import os\n"
        "assert tf.keras.__version__.startswith('3')\n"
        "assert 'tensorflow_model_optimization' in __import__('sys').modules\n"
        + (
            ""
            if "model_optimization" in imports
            else "assert 'TF_USE_LEGACY_KERAS' not in os.environ"
        )
        for imports in IMPORTS
    ]
    # They run at the same time. Each takes seconds to import TensorFlow.
    running = [
        subprocess.Popen([sys.executable, "-c", program])
        for program in programs
    ]
    codes = [process.wait() for process in running]
    assert dict(zip(IMPORTS, codes, strict=True)) == dict.fromkeys(IMPORTS, 0)


def test_import_is_light():
    program = (
        "import sys, keras\n"
        "before = set(sys.modules)\n"
        "import issp_keras\n"
        "new = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "assert not new & {'matplotlib', 'tensorflow_datasets', 'skimage',"
        " 'ai_edge_litert'}, new"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
