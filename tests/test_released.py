"""The program that measures networks with released weights."""

import json
import os
import pathlib
import subprocess
import sys

_BENCHMARKS = pathlib.Path(__file__).parent.parent / "benchmarks"
# Its flags are those of another program, too. So it has its own process.
_PROGRAM = """
import json, sys
import released
from issp_keras.errors import InputError

lines = [
    {"network": "A", "architecture": "a"},
    {"network": "B", "architecture": ""},
]

def refusal(*pairs):
    try:
        released.chosen(pairs, lines)
    except InputError as error:
        return str(error)

def form(psnr, **ms):
    scores = {"set5": {"psnr": psnr}, "set14": {"psnr": psnr - 3}}
    return {"scores": scores, "sizes": {"160x90": {"ms": {"1": ms}}}}

reference = {"forms": {"float32": form(30, XNNPACK=600.0)}}
row = {
    "forms": {
        "float32": form(31.234, XNNPACK=6.0),
        "int8": form(31, XNNPACK=3.0, delegate=2.0),
    }
}
released.add_figures(lines[0], row, reference)
chosen = released.chosen([f"A={sys.argv[1]}"], lines)
refusals = [refusal(), refusal("B=b.pth"), refusal("A"), refusal("A=gone.pth")]
print(json.dumps([lines[0], list(chosen), refusals]))
"""


def test_figures_are_added_to_a_known_network(tmp_path):
    checkpoint = tmp_path / "a.pth"
    checkpoint.touch()
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, checkpoint],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(_BENCHMARKS)},
    )
    assert done.returncode == 0, done.stderr
    line, chosen, refusals = json.loads(done.stdout)
    assert line == {
        "network": "A",
        "architecture": "a",
        "grey as": "levels",
        "Set5": "31.23",
        "Set14": "28.23",
        "times as fast as EDSR-baseline": "100",
        "int8 Set5": "31.00",
        "int8 Set14": "28.00",
        "int8 times as fast as EDSR-baseline": "300",
        "int8 runtime": "delegate",
    }
    assert chosen == ["A"]
    expected = "expected NAME=FILE with one of the names A."
    assert refusals == [
        "--checkpoints: is empty, expected NAME=FILE.",
        f"--checkpoints: is B=b.pth, {expected}",
        f"--checkpoints: is A, {expected}",
        "gone.pth: no such file.",
    ]
