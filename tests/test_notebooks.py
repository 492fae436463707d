"""The notebooks of the site run from their first cell to the last."""

import contextlib
import io
import json
import pathlib
import re

import matplotlib
import matplotlib.pyplot as plt
import pytest

pytestmark = pytest.mark.long

FOLDER = pathlib.Path(__file__).parent.parent / "docs/notebooks"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A function that runs a notebook's cells, and returns their output."""
    monkeypatch.chdir(tmp_path)
    backend = matplotlib.get_backend()
    matplotlib.use("agg")

    def run_cells(name):
        cells = json.loads((FOLDER / name).read_text())["cells"]
        names = {}
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            for cell in cells:
                if cell["cell_type"] == "code":
                    assert not cell["outputs"], "outputs do not belong to it"
                    exec("".join(cell["source"]), names)
        return names, printed.getvalue()

    yield run_cells
    plt.close("all")
    matplotlib.use(backend)


def test_a_classifier_is_pruned_and_still_right(run):
    names, _ = run("classifier.ipynb")
    assert names["accuracy"] >= 0.9
    assert names["zeros"] > 0.85 * names["model"].count_params()
    assert "conv2d" in names["table"]._repr_html_()


def test_super_resolution_beats_bicubic_interpolation(run):
    names, printed = run("super_resolution.ipynb")
    pairs = re.findall(r"bicubic (\S+) dB, network (\S+) dB", printed)
    assert len(pairs) == 3
    for bicubic, ours in pairs:
        assert float(ours) > float(bicubic) + 0.2
    assert names["exported"]


def test_every_notebook_is_run_here():
    assert {path.name for path in FOLDER.iterdir()} == {
        "classifier.ipynb",
        "super_resolution.ipynb",
    }
