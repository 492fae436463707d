"""What is unimportant, and what happens to it: pure parts, no I/O.

When and how much overall (`schedules`), how much in this kernel
(`distributions`), which weights (`patterns`, `selection`), what happens to
them (`methods`), and what a pruned weight is (`zeros`). None knows another's
answer; `issp_keras.callbacks` puts them together.
"""

from issp_keras.sparsity.distributions import Uniform
from issp_keras.sparsity.methods import ISSP
from issp_keras.sparsity.methods import Method
from issp_keras.sparsity.patterns import Unstructured
from issp_keras.sparsity.schedules import ISSPSchedule
from issp_keras.sparsity.schedules import PruningSchedule

__all__ = [
    "ISSP",
    "ISSPSchedule",
    "Method",
    "PruningSchedule",
    "Uniform",
    "Unstructured",
]
