"""The tables of the comparisons of training recipes."""

import json
import pathlib
import shutil

import pytest
from absl.testing import flagsaver
from loading import load_benchmark

from issp_keras.errors import InputError

_ROOT = pathlib.Path(__file__).parent.parent

tables = load_benchmark("recipe_tables")


def _result(name, seed=10, psnr=30.0, non_zeros=100):
    score = {"psnr": psnr, "ssim": 0.9}
    return {
        "name": name,
        "seed": seed,
        "settings": "0",
        "steps": 20000,
        "weights": 1000,
        "non_zeros": non_zeros,
        "cpu_seconds": 60,
        "scores": {"Kodak24": score, "set5": score, "set14": score},
    }


def test_a_gain_is_that_of_the_seeds_that_both_have():
    results = tables.Results(
        [
            *(_result("a", 10, 30.5), _result("a", 11, 31.0)),
            *(_result("b", 11, 30.25), _result("c", 12)),
        ]
    )
    assert results.gain("a", "b") == (0.75, 1)
    assert results.gain("a", "a") == (0.0, 2)
    assert results.gain("a", "c") is None
    assert results.gain("a", "missing") is None
    assert results.mean("a", "set5") == 30.75
    assert len(results) == 4
    assert results.count("a") == 2
    # Trainings of other lengths are not compared.
    longer = {**_result("longer", 11), "steps": 60000}
    results = tables.Results([_result("b", 11), longer])
    assert results.gain("longer", "b") is None


def test_a_goal_is_reached_missed_or_open():
    assert tables.outcome(None, 0.2) == "not finished"
    assert tables.outcome((0.2, 1), 0.2) == "reached: +0.20 dB (1 seed)"
    assert tables.outcome((-0.004, 1), 0.0) == "reached: +0.00 dB (1 seed)"
    assert tables.outcome((0.19, 2), 0.2) == "missed: +0.19 dB (2 seeds)"


def test_the_longer_trainings_and_their_goals():
    results = tables.Results(
        [
            _result("ISS-P, 95% zeros", psnr=30.0),
            _result("gradual magnitude, 95% zeros", psnr=30.1),
            _result(f"{tables.RECIPE}, 95% zeros", psnr=30.35),
            _result(
                f"{tables.RECIPE}, 95% zeros, L1 and FFT, teacher", psnr=30.6
            ),
            _result("dense 14x16", psnr=30.4, non_zeros=1000),
            _result("dense 14x16, L1 and FFT, teacher", psnr=30.5),
        ]
    )
    document = (
        "<!-- recipe: comparison -->\n<!-- end -->\n"
        "<!-- recipe: goals -->\n<!-- end -->\n"
    )
    text = tables.REGIONS.fill(document, {"comparison": results}, "page.md")
    lines = text.splitlines()
    assert lines[2].endswith(" 6 of 72 trainings are finished.")
    rows = [line for line in lines if line.startswith(("| 9", "| dense"))]
    assert [row.split(" | ")[1:] for row in rows] == [
        [
            f"{tables.RECIPE}, L1 and FFT, teacher",
            *("100", *["30.60"] * 3, "+0.60", "1 |"),
        ],
        [tables.RECIPE, "100", *["30.35"] * 3, "+0.35", "1 |"],
        ["gradual magnitude", "100", *["30.10"] * 3, "+0.10", "1 |"],
        ["ISS-P", "100", *["30.00"] * 3, "+0.00", "1 |"],
        [
            "14 features, 16 layers, L1 and FFT, teacher",
            *("100", *["30.50"] * 3, "", "1 |"),
        ],
        ["14 features, 16 layers", "1,000", *["30.40"] * 3, "", "1 |"],
    ]
    goals = [line.strip("| ").split(" | ") for line in lines[-8:-2]]
    assert [goal[1:] for goal in goals] == [
        ["reached: +0.35 dB (1 seed)", "reached: +0.60 dB (1 seed)"],
        [
            *("reached: +0.25 dB (1 seed)", "reached: +0.50 dB (1 seed)"),
            "not finished",
        ],
        ["not finished"] * 2,
        ["not finished"] * 3,
        ["not finished"] * 3,
        [
            *("missed: -0.05 dB (1 seed)", "reached: +0.20 dB (1 seed)"),
            "reached: +0.10 dB (1 seed)",
        ],
    ]


def test_distributions_with_few_non_zeros_have_their_own_table():
    uniform, best = (f"{tables.RECIPE}, {of}" for of in ("uniform", "global"))
    results = tables.Results(
        [
            _result("ISS-P"),
            _result(f"{uniform}, 99% zeros", psnr=28.0),
            _result(f"{best}, 99% zeros", psnr=28.25),
        ]
    )
    document = (
        "<!-- recipe: search -->\n<!-- end -->\n"
        "<!-- recipe: distributions -->\n<!-- end -->\n"
    )
    text = tables.REGIONS.fill(document, {"search": results}, "page.md")
    search, distributions = text.split("<!-- end -->")[:2]
    assert "99% zeros" not in search
    assert search.splitlines()[-2].startswith("| ISS-P | ")
    assert distributions.splitlines()[-3:-1] == [
        "| global | 100 | 28.25 | 28.25 | 28.25 | +0.25 |",
        "| uniform | 100 | 28.00 | 28.00 | 28.00 | +0.00 |",
    ]


def test_new_results_replace_older_ones_in_the_order_of_the_config():
    config = tables.COMPARISONS["blocks"][1].get_config()
    first, second = "single weights, 90% zeros", "2 inputs, 90% zeros"
    known = [_result(second, psnr=30.0), _result(first)]
    found = tables.merged(known, [_result(second, psnr=31.0)], config)
    assert [result["name"] for result in found] == [first, second]
    assert found[1]["scores"]["set5"]["psnr"] == 31.0
    assert tables.merged(known, [_result("other")], config) == known[::-1]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{}", "it is no list"),
        ('[{"name": "a"}]', "'seed'"),
        (json.dumps([{**_result("a"), "scores": {}}]), "Kodak24, set14, set5"),
        (json.dumps([{**_result("a"), "outcome": "diverged"}]), "'a' diverged"),
    ],
)
def test_results_that_cannot_be_shown_are_refused(content, problem, tmp_path):
    path = tmp_path / "results.json"
    path.write_text(content)
    with pytest.raises(InputError, match=problem) as error:
        tables.read(path)
    assert str(error.value).startswith(f"{path}: is not a list of results")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A copy of the figures, and a document with every region."""
    for file, _ in tables.COMPARISONS.values():
        shutil.copy(_ROOT / "benchmarks" / file, tmp_path)
    regions = ("search", "distributions", "comparison", "goals", "blocks")
    (tmp_path / "page.md").write_text(
        "".join(f"<!-- recipe: {of} -->\n<!-- end -->\n" for of in regions)
    )
    monkeypatch.setattr(tables, "_FOLDER", tmp_path)
    return tmp_path


def test_the_program_adds_results_and_fills_the_document(folder, capsys):
    added = _result("ISS-P", psnr=99.0, non_zeros=8094)
    (folder / "new.json").write_text(json.dumps([added]))
    page = folder / "page.md"
    with flagsaver.as_parsed(
        document=str(page), results=str(folder / "new.json")
    ):
        tables.main([])
    found = json.loads((folder / "recipe_search_cpu.json").read_text())
    assert [of for of in found if of["name"] == "ISS-P"] == [added]
    assert "| ISS-P | 8,094 | 99.00 | 99.00 | 99.00 | +0.00 |" in (
        page.read_text()
    )
    assert capsys.readouterr().out.count("Wrote") == 2


def test_a_training_that_no_comparison_lists_changes_nothing(folder):
    before = (folder / "recipe_search_cpu.json").read_bytes()
    results = [_result("ISS-P", psnr=99.0), _result("other")]
    (folder / "new.json").write_text(json.dumps(results))
    with (
        flagsaver.as_parsed(
            document=str(folder / "page.md"), results=str(folder / "new.json")
        ),
        pytest.raises(InputError, match=r"new.json: .*'other', seed 10, which"),
    ):
        tables.main([])
    assert (folder / "recipe_search_cpu.json").read_bytes() == before


def test_the_tables_of_the_document_are_up_to_date():
    path = _ROOT / "docs/benchmarks/training.md"
    figures = {
        name: tables.Results(tables.read(_ROOT / "benchmarks" / file))
        for name, (file, _) in tables.COMPARISONS.items()
    }
    text = path.read_text()
    assert text.count("<!-- recipe: ") == 5
    assert text == tables.REGIONS.fill(text, figures, path)
