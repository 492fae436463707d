"""The repr of an object is the call that creates it."""

import copy
import math
import pickle

import pytest

from issp_keras import ISSPCallback
from issp_keras import ISSPSchedule
from issp_keras import SimulatedInt8
from issp_keras import SparseTraining
from issp_keras import SparsitySummaries
from issp_keras import sparsity
from issp_keras.sparsity import DISTRIBUTIONS
from issp_keras.sparsity import IHT
from issp_keras.sparsity import ISSP
from issp_keras.sparsity import METHODS
from issp_keras.sparsity import NM
from issp_keras.sparsity import Block
from issp_keras.sparsity import Cost
from issp_keras.sparsity import Exact
from issp_keras.sparsity import Global
from issp_keras.sparsity import Latent
from issp_keras.sparsity import Map
from issp_keras.sparsity import Method
from issp_keras.sparsity import Regrowth
from issp_keras.sparsity import Sampled
from issp_keras.sparsity import Scratch
from issp_keras.sparsity import Uniform
from issp_keras.sparsity import Unstructured

SCHEDULE = ISSPSchedule(0.9, 0, end_step=0.8, ramp="cubic")
_IN_CALLS = "ISSPSchedule(0.9, end_step=0.8, ramp='cubic')"


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (SCHEDULE, _IN_CALLS),
        (ISSPSchedule(end_step=7, target_sparsity=0.5), None),
        (ISSPSchedule(0.5, 3, end_step=7), None),
        (ISSP(), "ISSP()"),
        (ISSP(0.95), "ISSP()"),
        (ISSP(0.9, ramp="linear"), "ISSP(shrink_ratio=0.9, ramp='linear')"),
        (Latent(math.inf), "Latent(power=inf)"),
        (Scratch(3), "Scratch(seed=3)"),
        (Uniform(), "Uniform()"),
        (Global(0.01), "Global(floor=0.01)"),
        (Cost(input_shape=(1, 8, 8, 3)), "Cost(input_shape=(1, 8, 8, 3))"),
        (Map({"mlp": 0.5}), "Map({'mlp': 0.5})"),
        (NM(2, 4), "NM(2, 4)"),
        (NM(2, group=4, order="torch"), "NM(2, 4, order='torch')"),
        (Block(outputs=4), "Block(outputs=4)"),
        (Exact(), "Exact()"),
        (
            Unstructured(Sampled(100)),
            "Unstructured(selection=Sampled(sample_size=100))",
        ),
        (SimulatedInt8(7), "SimulatedInt8(begin_step=7)"),
        (SparseTraining(SCHEDULE), f"SparseTraining({_IN_CALLS})"),
        (
            SparseTraining(SCHEDULE, IHT(), include="mlp"),
            f"SparseTraining({_IN_CALLS}, method=IHT(), include='mlp')",
        ),
        (
            ISSPCallback(SCHEDULE, pattern=NM(2, 4), verbose=0),
            f"ISSPCallback({_IN_CALLS}, pattern=NM(2, 4), verbose=0)",
        ),
        (
            SparsitySummaries(SparseTraining(SCHEDULE), "logs", frequency=5),
            f"SparsitySummaries(SparseTraining({_IN_CALLS}), 'logs', "
            "frequency=5)",
        ),
    ],
)
def test_a_part_prints_as_the_call_that_makes_it(part, text):
    if text is not None:
        assert repr(part) == text
    if "inf" not in repr(part):
        names = {**vars(sparsity), **globals()}
        assert repr(eval(repr(part), names)) == repr(part)


@pytest.mark.parametrize("kind", [*METHODS.values(), *DISTRIBUTIONS.values()])
def test_every_part_has_a_short_name(kind):
    part = kind({"a": 0.5}) if kind is Map else kind()
    inside = "{'a': 0.5}" if kind is Map else ""
    assert repr(part) == f"{kind.__name__}({inside})"


def test_a_part_of_the_users_own_prints_too():
    class Mine(Method):
        def __init__(self, strength, *others, mode="fast", **more):
            self.kept = strength

    class Heir(Regrowth):
        def __init__(self):
            super().__init__(interval=3)

    assert repr(Mine(3)) == "Mine(3)"
    assert repr(Mine(3, 4, mode="slow", a=1)) == (
        "Mine(3, 4, mode='slow', a=1)"
    )
    assert repr(Heir()) == "Heir()"


def test_a_function_prints_as_its_name():
    def is_stem(layer):
        return layer.name == "stem"

    training = SparseTraining(SCHEDULE, exclude=is_stem)
    assert repr(training) == f"SparseTraining({_IN_CALLS}, exclude=is_stem)"


def test_copies_print_alike():
    part = NM(2, 4, "torch")
    for other in (copy.deepcopy(part), pickle.loads(pickle.dumps(part))):
        assert repr(other) == repr(part)


def test_wrong_arguments_are_told_by_the_constructor():
    with pytest.raises(TypeError, match="groups"):
        NM(2, groups=4)
    with pytest.raises(TypeError, match="takes no arguments"):
        Uniform(3)
