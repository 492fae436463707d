"""A short run of `hostile_files.py`, and tests that it finds faults."""

import hostile_files
import pytest
from hostile_files import KINDS

from issp_keras.errors import InputError

pytestmark = pytest.mark.tensorflow


@pytest.mark.long
def test_damaged_files_are_taken_or_refused(tmp_path):
    watch = hostile_files.Watch(tmp_path)
    watch.run([[name, 1, 0, 100] for name in KINDS])
    assert watch.findings == []
    for name in KINDS:
        assert sum(watch.counts[name].values()) == 100
        assert {"refused", "taken"} <= {*watch.counts[name]}


@pytest.mark.parametrize(
    "error, outcome",
    [
        (None, "taken"),
        (InputError("model.keras: is none."), "refused"),
        (InputError(""), "an empty sentence"),
        (KeyError("a"), "KeyError at test_hostile_files.py"),
        (MemoryError(), "MemoryError at test_hostile_files.py"),
    ],
)
def test_what_is_no_input_error_is_a_finding(tmp_path, error, outcome):
    def read(path):
        assert path.read_bytes() == b"content"
        if error:
            raise error

    kind = hostile_files.Kind(".bin", None, read)
    found = hostile_files.outcome(kind, b"content", tmp_path)
    assert found.partition(":")[0] == outcome


@pytest.mark.parametrize(
    "ending, outcome",
    [
        ("import os; os.abort()", "ends with -6:"),
        ("print(1 / 0)", "ends with 1: ZeroDivisionError: division by zero"),
        ("import time; time.sleep(60)", "takes longer than 2 s"),
    ],
)
def test_a_process_that_ends_or_hangs_is_a_finding(
    tmp_path, monkeypatch, ending, outcome
):
    program = tmp_path / "program.py"
    # It reads one file, and crashes with the next.
    program.write_text(
        "import json, pathlib, sys\n"
        "pathlib.Path(sys.argv[3], 'input.bmp').write_bytes(b'content')\n"
        "((kind, seed, first, last),) = json.loads(sys.argv[2])\n"
        "print('\"ready\"', flush=True)\n"
        "print(json.dumps([kind, first, 'taken']), flush=True)\n"
        f"if first == 3: sys.exit()\n{ending}\n"
    )
    monkeypatch.setattr(hostile_files, "__file__", str(program))
    monkeypatch.setattr(hostile_files, "MOST_SECONDS", 2)
    watch = hostile_files.Watch(tmp_path / "kept")
    watch.run([["bmp", 7, 1, 4]])
    assert watch.counts["bmp"] == {"taken": 2, outcome: 1}
    assert watch.findings == [
        {"kind": "bmp", "seed": 7, "number": 2, "what": outcome}
    ]
    assert (tmp_path / "kept" / "bmp_7_2.bmp").read_bytes() == b"content"


def test_a_number_always_names_the_same_file():
    seeds = [bytes(range(100)), bytes(50)]
    made = [hostile_files.make_file("bmp", seeds, 3, i) for i in range(30)]
    assert made == [
        hostile_files.make_file("bmp", seeds, 3, i) for i in range(30)
    ]
    assert len({*made}) > 25
