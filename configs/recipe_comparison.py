"""Trains the best candidates of `recipe_search.py` longer, with two seeds.

issp-compare --config=configs/recipe_comparison.py --workdir=runs/comparison

Trains for 20,000 steps, at 90, 95 and 99 % zeros. The first candidate had the
best PSNR on Kodak24 of those that change only the method. Three more are other
methods with a latent copy, and two are the rivals. The winner is also trained
with zeros in blocks of 4 input channels, and with 95 % zeros for 60,000 steps.
At 99 % zeros, the winner and gradual magnitude pruning are also trained with
more of their non-zeros in the first layer and the head.

Dense networks are trained, too. Their numbers of weights are 3 times the
non-zeros at 90 % (17 features, 16 layers) and 4 times those at 95 % (14
features, 16 layers). The others are small, large, and the network that is
pruned. The winner and its rivals are also trained with two changes that may
help every method: a loss of pixels and of their Fourier transform, and a
teacher. All of this takes some 30 hours on one core. The data is that of
`recipe_search.py`.

`recipe_comparison.py:99%` trains only those whose names contain this word.
`--known=benchmarks/recipe_comparison_cpu.json` skips the trainings whose
results are already in that file.
"""

from ml_collections import ConfigDict

from issp_keras.configs import recipe_search

_STEPS, _LONGER = 20_000, 60_000
_BEST = (
    "latent, Feather, all of an update",
    "ISS-P",
    "gradual magnitude",
    "latent, Feather",
    "latent, hard",
    "SR-STE",
)
# The best sparse networks and their rivals are also trained with this.
HELP = ", L1 and FFT, teacher"
_HELPED = (
    f"{_BEST[0]}, 95% zeros",
    f"{_BEST[0]}, more in the ends, 99% zeros",
    f"{_BEST[0]}, 90% zeros",
    "dense 17x16",
    "gradual magnitude, 95% zeros",
    "gradual magnitude, 99% zeros",
    "dense 14x16",
)
_BLOCKS = {"pattern": "block", "block": {"inputs": 4, "outputs": 1}}


def get_config(only: str = "") -> ConfigDict:
    candidates = recipe_search.CANDIDATES
    config = recipe_search.get_config()
    config.training = recipe_search.training(_STEPS)
    config.seeds = (10, 11)
    trainings = {}
    for sparsity in (0.95, 0.9, 0.99):
        target = {"target_sparsity": sparsity}
        for name in _BEST:
            trainings[f"{name}, {sparsity:.0%} zeros"] = {
                "sparsity": {**candidates[name], **target}
            }
        trainings[f"{_BEST[0]}, blocks, {sparsity:.0%} zeros"] = {
            "sparsity": {**candidates[_BEST[0]], **_BLOCKS, **target}
        }
    for name in (_BEST[0], "gradual magnitude"):
        trainings[f"{name}, more in the ends, 99% zeros"] = {
            "sparsity": {
                **candidates[name],
                **recipe_search.MORE_IN_THE_ENDS,
            }
        }
    longer = recipe_search.training(_LONGER)
    trainings[f"{_BEST[0]}, 95% zeros, {_LONGER:,} steps"] = {
        "steps": _LONGER,
        "sparsity": {
            **candidates[_BEST[0]],
            "end_step": longer.sparsity.end_step,
        },
    }
    dense = {"sparsity": {"method": "dense"}}
    for size in ("16x8", "16x16", "32x16"):
        name = {"network": {"name": f"plain_{size}"}}
        trainings[f"dense {size}"] = {**dense, **name}
    for features in (17, 14):
        shape = {"name": "plain", "features": features, "blocks": 8}
        trainings[f"dense {features}x16"] = {**dense, "network": shape}
    for name in _HELPED:
        trainings[f"{name}{HELP}"] = {
            **trainings[name],
            **recipe_search.FFT,
            **recipe_search.TEACHER,
        }
    config.trainings = recipe_search.selected(trainings, only)
    return config
