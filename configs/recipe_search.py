"""Searches for the best recipe for sparse training, under equal conditions.

issp-compare --config=configs/recipe_search.py --workdir=runs/recipe_search

Every candidate trains the same network x4, a plain network with 32 features and
16 layers, from the same random weights, on the same patches, for 6,000 steps of
16 patches, to 95 % zeros. Choose by Kodak24; Set5 and Set14 are for the report.
`recipe_search.py:Feather` trains only the candidates whose names contain this
word. Expects T91, BSD200, DIV2K_quarter, Kodak24, Set5 and Set14 in `data/`.
"""

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder


def _layers(**sparsities):
    """Entries that give layers, by parts of their names, a sparsity."""
    return {
        "distribution": "map",
        "map": {"sparsities": tuple(sparsities.items())},
    }


def _ends(sparsity):
    """Entries that give the head and the first layer a sparsity."""
    return _layers(**{"conv_first|head": sparsity})


_STEPS = 6000
CUBIC = {"ramp": "cubic"}
BEST = "latent, Feather, all of an update"
# Changes that may help every method.
FFT = {"loss": "l1_fft"}
TEACHER = {
    "teacher": {"model": "x4_good", "weight": 0.5, "self_ensemble": True}
}
# The best distribution of 1 % non-zeros over the layers.
MORE_IN_THE_ENDS = {
    **_layers(conv_first=0.8, head=0.97),
    "target_sparsity": 0.99305,
}


def get_config(only: str = "") -> ConfigDict:
    config = ConfigDict()
    config.training = training(_STEPS)
    config.seeds = (10,)
    config.score_on = ("data/Kodak24", "set5", "set14")
    config.data_dir = "data"
    config.trainings = selected({**_alone(), **_combined(), **_few()}, only)
    return config


def selected(trainings: dict, only: str) -> ConfigDict:
    """The trainings whose names contain a word."""
    return ConfigDict(
        {name: of for name, of in trainings.items() if only in name},
        allow_dotted_keys=True,
    )


def _alone():
    return {
        name: {"sparsity": sparsity} for name, sparsity in CANDIDATES.items()
    }


def _combined():
    """The best candidate with changes that may improve it.

    All layers of a plain network see images of the same size, so a distribution
    by cost would be the global one.
    """
    best = {"sparsity": CANDIDATES[BEST]}
    magnitude = {"sparsity": CANDIDATES["gradual magnitude"]}
    return {
        f"{BEST}, averages": {**best, "ema_momentum": 0.999},
        f"{BEST}, L1 and FFT": {**best, **FFT},
        f"{BEST}, teacher": {**best, **TEACHER},
        f"{BEST}, L1 and FFT, teacher": {**best, **FFT, **TEACHER},
        "gradual magnitude, L1 and FFT, teacher": {
            **magnitude,
            **FFT,
            **TEACHER,
        },
        **{
            f"{BEST}, {name}": {"sparsity": {**CANDIDATES[BEST], **changes}}
            for name, changes in {
                "global": {"distribution": "global"},
                "head and first layer half": _ends(0.5),
                "head and first layer dense": _ends(0.0),
                # 8,106 non-zeros, about as many as without a map.
                "head and first layer 80 %, as many non-zeros": {
                    **_ends(0.8),
                    "target_sparsity": 0.965,
                },
                "frozen at 40 %": {"end_step": _STEPS * 4 // 10},
                "frozen at 80 %": {"end_step": _STEPS * 8 // 10},
                "power 2": {"latent": {"power": 2.0, "pruned_rate": 1.0}},
                "power 5": {"latent": {"power": 5.0, "pruned_rate": 1.0}},
            }.items()
        },
    }


def _few():
    """Distributions of few non-zeros over the layers, with the best method.

    A uniform distribution leaves 9 weights in the first layer, and 1,618 in the
    network. The others leave 1,607 to 1,621 in the network. One leaves 1,702,
    since each layer keeps at least 0.5 % of its weights. The best distribution
    is also tried with another method.
    """
    distributions = {
        "uniform": {},
        "global": {"distribution": "global"},
        "ERK": {"distribution": "erk"},
        "first layer 90 %": {
            **_layers(conv_first=0.9, head=0.99),
            "target_sparsity": 0.9905,
        },
        "first layer 80 %, head 97 %": MORE_IN_THE_ENDS,
        "first layer 60 %, head 97 %": {
            **_layers(conv_first=0.6, head=0.97),
            "target_sparsity": 0.9942,
        },
        "first layer 80 %, head 98 %": {
            **_layers(conv_first=0.8, head=0.98),
            "target_sparsity": 0.99205,
        },
        "first layer 80 %, head 95 %": {
            **_layers(conv_first=0.8, head=0.95),
            "target_sparsity": 0.99486,
        },
        "first layer 70 %, head 95 %": {
            **_layers(conv_first=0.7, head=0.95),
            "target_sparsity": 0.99545,
        },
    }
    few = {
        f"{BEST}, {name}, 99% zeros": {
            "sparsity": {
                **CANDIDATES[BEST],
                "target_sparsity": 0.99,
                **distribution,
            }
        }
        for name, distribution in distributions.items()
    }
    half = "latent, Feather"
    few[f"{half}, first layer 80 %, head 97 %, 99% zeros"] = {
        "sparsity": {**CANDIDATES[half], **MORE_IN_THE_ENDS}
    }
    return few


def training(steps: int) -> ConfigDict:
    """The settings that all candidates share."""
    config = ConfigDict()
    config.seed = 10
    config.steps = steps
    config.pretrained = placeholder(str)
    config.steps_per_epoch = 500
    config.learning_rate = 1e-3
    config.decay_begin = 0
    config.dtype_policy = "mixed_bfloat16"
    # With JAX on a GPU, set `data.on_device` to True and use many steps here.
    config.steps_per_execution = 1
    config.network = ConfigDict({"name": "plain_32x16", "scale": 4})
    config.data = ConfigDict(
        {
            "train": "data/T91,data/BSD200,data/DIV2K_quarter",
            "on_device": False,
            "held_out": "embedded",
            "patch_size": 24,
            "batch_size": 16,
        }
    )
    config.sparsity = ConfigDict(
        {
            "method": "iss_p",
            "target_sparsity": 0.95,
            "begin_step": 0,
            "end_step": steps * 6 // 10,
            "ramp": "constant",
        }
    )
    return config


CANDIDATES = {
    "ISS-P": {"method": "iss_p"},
    "gradual magnitude": {"method": "iht", **CUBIC},
    "latent, Feather": {"method": "latent", **CUBIC},
    "latent, hard": {
        "method": "latent",
        "latent": {"power": float("inf")},
        **CUBIC,
    },
    "latent, soft": {"method": "latent", "latent": {"power": 1.0}, **CUBIC},
    "latent, Feather, all of an update": {
        "method": "latent",
        "latent": {"pruned_rate": 1.0},
        **CUBIC,
    },
    "latent, Feather, shrink 0.95": {
        "method": "latent",
        "latent": {"shrink_ratio": 0.95},
        **CUBIC,
    },
    "latent, Feather, shrink 0.9998": {
        "method": "latent",
        "latent": {"shrink_ratio": 0.9998},
        **CUBIC,
    },
    "SR-STE": {
        "method": "latent",
        "latent": {
            "power": float("inf"),
            "pruned_rate": 1.0,
            "shrink_ratio": 0.9998,
        },
        **CUBIC,
    },
    "Top-KAST": {
        "method": "latent",
        "latent": {"power": float("inf"), "pruned_rate": 1.0, "reach": 2.0},
        **CUBIC,
    },
    "regrowth by momentum": {"method": "regrowth", **CUBIC},
    "AC/DC": {"method": "ac_dc"},
    "ISS-P, cubic ramp": {"method": "iss_p", **CUBIC},
    "ISS-P, cubic ramp, alpha 0.99": {
        "method": "iss_p",
        "iss_p": {"shrink_ratio": 0.99},
        **CUBIC,
    },
    "ISS-P, cubic ramp, alpha 0.5": {
        "method": "iss_p",
        "iss_p": {"shrink_ratio": 0.5},
        **CUBIC,
    },
    "ISS-P, cubic ramp, alpha tied to the rate": {
        "method": "iss_p",
        "iss_p": {"full_rate": 1e-3},
        **CUBIC,
    },
    "gradual magnitude, ERK": {
        "method": "iht",
        "distribution": "erk",
        **CUBIC,
    },
    "gradual magnitude, global": {
        "method": "iht",
        "distribution": "global",
        **CUBIC,
    },
    "latent, Feather, ERK": {
        "method": "latent",
        "distribution": "erk",
        **CUBIC,
    },
    "latent, Feather, global": {
        "method": "latent",
        "distribution": "global",
        **CUBIC,
    },
    "latent, Feather, head and first layer half": {
        "method": "latent",
        **_ends(0.5),
        **CUBIC,
    },
}
