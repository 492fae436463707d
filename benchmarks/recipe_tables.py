"""Writes the tables of the comparisons of training recipes.

    python benchmarks/recipe_tables.py
    python benchmarks/recipe_tables.py --results=runs/comparison/results.json

The first command fills the regions `<!-- recipe: NAME -->` of the document
from the JSON files in `benchmarks`. The second one first adds results of
`issp-compare` to these files. Each result goes to the comparison whose config
lists its training. It replaces an older result of this training.
"""

import pathlib
import statistics

from absl import flags
from regions import Regions

from issp_keras import files
from issp_keras.configs import block_comparison
from issp_keras.configs import recipe_comparison
from issp_keras.configs import recipe_search
from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.programs import cli
from issp_keras.programs import results as of_trainings
from issp_keras.programs.trainings import training_names

_FOLDER = pathlib.Path(__file__).parent
_DOCUMENT = _FOLDER.parent / "docs/benchmarks/training.md"
# The name of each comparison, its JSON file and its config.
COMPARISONS = {
    "search": ("recipe_search_cpu.json", recipe_search),
    "comparison": ("recipe_comparison_cpu.json", recipe_comparison),
    "blocks": ("block_comparison_cpu.json", block_comparison),
}
_SETS = ("Kodak24", "set5", "set14")
_TITLES = ("Kodak24", "Set5", "Set14")
# The sets of the last column of each table.
_TEST_SETS = ("set5", "set14")
RECIPE = recipe_search.BEST
_ZEROS = " zeros"
_FEW = f", 99%{_ZEROS}"

flags.DEFINE_list("results", [], "JSON files of results to add.")
flags.DEFINE_string("document", str(_DOCUMENT), "Markdown file.")


class Results:
    """The results of one comparison.

    Args:
        results: List of dicts, as in `results.json` of `issp-compare`.
    """

    def __init__(self, results: list[dict]):
        self._of: dict[str, dict[int, dict]] = {}
        for result in results:
            self._of.setdefault(result["name"], {})[result["seed"]] = result

    def __contains__(self, name):
        return name in self._of

    def __len__(self):
        return sum(map(len, self._of.values()))

    def names(self) -> list[str]:
        return list(self._of)

    def count(self, name) -> int:
        """Returns the number of seeds of a training."""
        return len(self._of[name])

    def non_zeros(self, name) -> int:
        return next(iter(self._of[name].values()))["non_zeros"]

    def mean(self, name, data) -> float:
        """Returns the mean PSNR on a test set over the seeds."""
        return statistics.mean(
            result["scores"][data]["psnr"] for result in self._of[name].values()
        )

    def gain(self, name, rival) -> tuple[float, int] | None:
        """Compares two trainings.

        Returns:
            The difference of the PSNR on the test sets, as the mean over the
            seeds that both have with as many steps, and the number of these
            seeds. None if there is no such seed.
        """
        if name not in self or rival not in self:
            return None
        own, other = self._of[name], self._of[rival]
        gains = [
            _test_psnr(own[seed]) - _test_psnr(other[seed])
            for seed in own
            if seed in other and own[seed]["steps"] == other[seed]["steps"]
        ]
        return (statistics.mean(gains), len(gains)) if gains else None


def _test_psnr(result):
    return statistics.mean(
        result["scores"][data]["psnr"] for data in _TEST_SETS
    )


def merged(known: list[dict], added: list[dict], config) -> list[dict]:
    """Returns known results and new ones of a config, in its order.

    Args:
        known: List of results.
        added: List of results. Those of other configs are left out.
        config: `ml_collections.ConfigDict`.
    """
    order = {key: place for place, key in enumerate(_keys(config))}
    own = [result for result in added if _key(result) in order]
    found = {_key(result): result for result in (*known, *own)}
    return sorted(
        found.values(), key=lambda of: order.get(_key(of), len(order))
    )


def _key(result):
    return result["name"], result["seed"]


def _keys(config):
    names = training_names(config)
    return [(name, seed) for seed in config.seeds for name in names]


def _search_table(figures):
    results = figures["search"]
    names = [name for name in results.names() if not name.endswith(_FEW)]
    return _candidates(results, names, "95 % zeros", "ISS-P", "ISS-P")


def _distributions_table(figures):
    """The table of distributions over the layers, with few non-zeros."""
    results = figures["search"]
    names = [name for name in results.names() if name.endswith(_FEW)]
    rival = f"{RECIPE}, uniform{_FEW}"
    return _candidates(results, names, "99 % zeros", rival, "uniform")


def _candidates(results, names, zeros, rival, short):
    """A table of the search. `short` is the name of the rival in it."""
    header = [f"{zeros}, x4, 6,000 steps", "non-zeros", *_TITLES]
    rows = []
    for name in _best_first(results, names):
        label = name
        if name.endswith(_FEW):
            # All of these use the best method.
            label = name.removeprefix(f"{RECIPE}, ").removesuffix(_FEW)
        rows.append([label, *_cells(results, name, rival)])
    return cli.markdown_table([*header, f"against {short}"], rows)


def _comparison_table(figures):
    """The table of the longer trainings, with a sentence about its state."""
    results = figures["comparison"]
    rows = []
    for share in ("90%", "95%", "99%"):
        ending = f", {share}{_ZEROS}"
        names = [name for name in results.names() if ending in name]
        for name in _best_first(results, names):
            label = name.replace(ending, "")
            rival = f"ISS-P{ending}"
            cells = _cells(results, name, rival)
            zeros = share.replace("%", " %")
            rows.append([zeros, label, *cells, str(results.count(name))])
    names = [name for name in results.names() if name.startswith("dense")]
    for name in _best_first(results, names):
        shape, *added = name.removeprefix("dense ").split(", ", 1)
        features, depth = shape.split("x")
        label = ", ".join([f"{features} features, {depth} layers", *added])
        cells = _cells(results, name, None)
        rows.append(["dense", label, *cells, str(results.count(name))])
    header = ["zeros", "method", "non-zeros", *_TITLES, "against ISS-P"]
    table = cli.markdown_table([*header, "seeds"], rows, texts=2)
    return f"{_state(results)}\n\n{table}"


def _state(results):
    total = len(_keys(recipe_comparison.get_config()))
    if len(results) == total:
        return f"All {total} trainings are finished."
    return (
        f"The command has not been run to its end yet: {len(results)} of "
        f"{total} trainings are finished."
    )


def _best_first(results, names):
    return sorted(names, key=lambda name: -results.mean(name, "Kodak24"))


def _cells(results, name, rival):
    gain = results.gain(name, rival)
    return [
        f"{results.non_zeros(name):,}",
        *(f"{results.mean(name, data):.2f}" for data in _SETS),
        "" if gain is None else _signed(gain[0]),
    ]


# The best distribution is not the uniform one with few non-zeros.
_RECIPE_OF = {"99%": f"{RECIPE}, more in the ends"}
# What each goal asks: the share of zeros, the rival, and the gain in dB.
_GOALS = {
    "0.25 dB above ISS-P at 95 % zeros": ("95%", "ISS-P", 0.25),
    "0.20 dB above gradual magnitude pruning at 95 % zeros": (
        *("95%", "gradual magnitude", 0.20),
    ),
    "0.5 dB above ISS-P at 99 % zeros": ("99%", "ISS-P", 0.5),
    "0.4 dB above gradual magnitude pruning at 99 % zeros": (
        *("99%", "gradual magnitude", 0.4),
    ),
    "at 90 % zeros, as good as a dense network with 3 times as many weights": (
        *("90%", "dense 17x16", 0.0),
    ),
    "at 95 % zeros, as good as a dense network with 4 times as many weights": (
        *("95%", "dense 14x16", 0.0),
    ),
}


# What the recipe and its rival get besides the method.
_HELP = {
    "the method alone": ("", ""),
    "with loss and teacher": (recipe_comparison.HELP, ""),
    "the rival has them, too": (recipe_comparison.HELP,) * 2,
}


def _goals_table(figures):
    results = figures["comparison"]
    trained = training_names(recipe_comparison.get_config())
    rows = []
    for goal, (share, rival, least) in _GOALS.items():
        ending = f", {share}{_ZEROS}"
        other = rival if rival.startswith("dense") else rival + ending
        own = _RECIPE_OF.get(share, RECIPE) + ending
        row = [goal]
        for of_own, of_other in _HELP.values():
            gain = results.gain(own + of_own, other + of_other)
            is_listed = other + of_other in trained
            row.append(outcome(gain, least) if is_listed else "")
        rows.append(row)
    return cli.markdown_table(["goal", *_HELP], rows, texts=4)


def outcome(gain: tuple[float, int] | None, least: float) -> str:
    """Returns whether a goal is reached.

    Args:
        gain: As `Results.gain` returns it.
        least: Float, the goal in dB.
    """
    if gain is None:
        return "not finished"
    # The table shows hundredths.
    verdict = "reached" if round(gain[0], 2) >= least else "missed"
    seeds = f"{gain[1]} seed{'s' * (gain[1] != 1)}"
    return f"{verdict}: {_signed(gain[0])} dB ({seeds})"


def _signed(gain):
    # The sum with 0.0 turns -0.0 into 0.0.
    return f"{round(gain, 2) + 0.0:+.2f}"


def _blocks_table(figures):
    results = figures["blocks"]
    rows = []
    for name in results.names():
        label, share = name.removesuffix(_ZEROS).split(", ")
        single = f"single weights, {share}{_ZEROS}"
        _, *cells, gain = _cells(results, name, single)
        rows.append(
            [
                *(share.replace("%", " %"), label.replace(" weights", "")),
                *(*cells, "" if name == single else gain),
            ]
        )
    header = ["zeros", "pattern", *_TITLES, "against single zeros"]
    return cli.markdown_table(header, rows, texts=2)


# The figures are a dict from the names of the comparisons to `Results`.
REGIONS = Regions(
    "recipe",
    {
        "search": _search_table,
        "distributions": _distributions_table,
        "comparison": _comparison_table,
        "goals": _goals_table,
        "blocks": _blocks_table,
    },
)


def read(path) -> list[dict]:
    """Reads results, and checks them.

    Raises:
        InputError: If the file has no list of results.
    """
    results = files.read_json(path)
    broken = (KeyError, TypeError, ValueError)
    with blame(f"{path}: is not a list of results", *broken):
        if not isinstance(results, list):
            raise TypeError("it is no list")
        for result in results:
            of_trainings.check(result)
            if of_trainings.has_diverged(result):
                raise ValueError(f"'{result['name']}' diverged")
            if missing := set(_SETS) - set(result["scores"]):
                raise KeyError(", ".join(sorted(missing)))
    return results


def _added(paths):
    """Reads results, and checks that some comparison has their trainings."""
    configs = [config.get_config() for _, config in COMPARISONS.values()]
    keys = {key for config in configs for key in _keys(config)}
    added = []
    for path in paths:
        for result in read(path):
            if _key(result) not in keys:
                raise InputError(
                    f"{path}: has the training '{result['name']}', seed "
                    f"{result['seed']}, which no comparison lists."
                )
            added.append(result)
    return added


def main(_):
    flag = flags.FLAGS
    REGIONS.check([flag.document])
    added = _added(flag.results)
    figures = {}
    for name, (file, config) in COMPARISONS.items():
        path = _FOLDER / file
        known = read(path)
        results = merged(known, added, config.get_config())
        if results != known:
            files.write_json(path, results)
            print(f"Wrote {path}: {len(results)} results.")
        figures[name] = Results(results)
    for path in REGIONS.write(figures, [flag.document]):
        print(f"Wrote {path}.")


if __name__ == "__main__":
    cli.run(main)
