"""A short run of `killed_commands.py`, and tests that it finds faults."""

import shutil

import killed_commands
import killing
import pytest

pytestmark = [pytest.mark.tensorflow, pytest.mark.one_backend]
# A program that writes one file, and kills itself at every second run.
_PROGRAM = """
import os, pathlib, sys
path = pathlib.Path(sys.argv[1])
runs = pathlib.Path(sys.argv[2])
with runs.open("a") as file:
    file.write("a run ")
is_killed = runs.read_text().count("run") % 2 == 0
partial = path.with_name("{partial}" + path.name)
partial.write_text('{{"a": ')
if is_killed:
    os.kill(os.getpid(), 9)
partial.write_text('{{"a": 1}}\\n')
{end}
"""
_PAGE = """<html>1.5 s, 2027-01-15 12:15:00 UTC
<td data-value="1.5">1.50</td></html>
"""
_RENAME = "partial.replace(path)"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with a file of each kind that commands write."""
    folder = tmp_path_factory.mktemp("files")
    killed_commands.make_inputs(folder)
    (folder / "table.csv").write_text("data,seconds\na,1.5\n")
    (folder / "page.html").write_text(_PAGE)
    (folder / "scores.json").write_text('{"seconds": 1.5}\n')
    (folder / "table.md").write_text("| 1.5 ms |\n")
    return folder


@pytest.mark.parametrize(
    "name",
    [
        "model.keras",
        "model.tflite",
        "page.html",
        "deep.png",
        "photographs/0.png",
        "scores.json",
        "table.csv",
        "table.md",
    ],
)
def test_a_file_that_is_cut_short_is_a_finding(files, tmp_path, name):
    whole = killed_commands.contents(files)
    assert whole[name]
    assert killed_commands.differences(files, whole) == []
    folder = tmp_path / "files"
    shutil.copytree(files, folder)
    content = (files / name).read_bytes()
    for size in (0, len(content) // 2, len(content) - 1):
        (folder / name).write_bytes(content[:size])
        # With other names, no complete file is known.
        for known in (whole, {}):
            (found,) = killed_commands.half_written(folder, known)
            assert found.startswith(f"{name} is damaged")


def test_files_that_are_missing_left_or_changed_are_findings(files, tmp_path):
    whole = killed_commands.contents(files)
    shutil.copytree(files, tmp_path / "files")
    (tmp_path / "files" / "table.csv").write_text("data,seconds\nb,1.5\n")
    (tmp_path / "files" / "table.md").unlink()
    (tmp_path / "files" / ".partial-table.md").touch()
    folder = tmp_path / "files"
    # The next run removes the partial file.
    assert killed_commands.half_written(folder, whole) == ["table.csv differs"]
    assert killed_commands.differences(folder, whole) == [
        "table.md is missing",
        ".partial-table.md is left",
        "table.csv differs",
    ]


def test_measured_times_may_differ(files, tmp_path):
    whole = killed_commands.contents(files)
    folder = tmp_path / "files"
    shutil.copytree(files, folder)
    for name in ("table.csv", "page.html", "scores.json", "table.md"):
        text = (folder / name).read_text()
        (folder / name).write_text(text.replace("1.5", "2.7"))
    assert killed_commands.differences(folder, whole) == []


@pytest.mark.parametrize(
    "partial, end, findings",
    [
        (".partial-", _RENAME, []),
        ("", "", ["SIGKILL: found.json is damaged"]),
        ("other-", _RENAME, ["SIGKILL: other-found.json is damaged"]),
        (
            ".partial-",
            "if not path.exists(): partial.replace(path)",
            ["after the last run: .partial-found.json is left"],
        ),
        (
            ".partial-",
            f"{_RENAME}\nif not is_first: sys.exit('is bad')",
            ["does not run after kills"],
        ),
    ],
)
def test_what_a_killed_program_leaves_is_found(
    tmp_path, monkeypatch, partial, end, findings
):
    end = f"is_first = runs.read_text().count('run') == 1\n{end}"
    (tmp_path / "killed_program.py").write_text(
        _PROGRAM.format(partial=partial, end=end)
    )
    monkeypatch.syspath_prepend(tmp_path)
    # The program kills itself, so that the kill always hits the same place.
    monkeypatch.setattr(killing.Program, "send", lambda self, way: None)
    (tmp_path / "campaign" / "disk").mkdir(parents=True)
    command = killed_commands.Command(
        "killed_program",
        lambda inputs, outputs: [outputs / "found.json", inputs / "runs"],
    )
    campaign = killed_commands.Commands(
        # With this seed, the outputs of the run before are there.
        *(tmp_path / "campaign", ("SIGKILL",), 0),
        {"program": command},
    )
    list(campaign.run(1))
    assert campaign.commands == {"program": {"SIGKILL": 1}}
    whats = [finding["what"] for finding in campaign.findings]
    assert [
        found
        for what, found in zip(whats, findings, strict=True)
        if what.startswith(found)
    ] == findings


@pytest.mark.parametrize(
    "way, ending, found",
    [
        ("full disk", "sys.exit('a: No space left on device')", []),
        ("full disk", "sys.exit('a: is bad')", ["does not say so"]),
        ("full disk", "print(1 / 0)", ["a traceback", "ZeroDivisionError"]),
        ("SIGTERM", "sys.exit(143)", []),
        ("SIGTERM", "sys.exit(1)", ["ends with 1"]),
        ("SIGKILL", "time.sleep(60)", []),
    ],
)
def test_a_wrong_end_is_a_finding(tmp_path, monkeypatch, way, ending, found):
    program = f"import sys, time\nprint('begins', flush=True)\n{ending}\n"
    (tmp_path / "killed_program.py").write_text(program)
    monkeypatch.syspath_prepend(tmp_path)
    campaign = killing.Campaign(tmp_path, killing.WAYS, 0)
    program = killing.Program("killed_program")
    program.wait_for_lines(1, "begins")
    if way == "SIGKILL":
        program.send(way)
    program.wait()
    campaign.check_end("program", way, program)
    whats = [finding["what"] for finding in campaign.findings]
    assert len(whats) == bool(found)
    assert all(text in whats[0] for text in found)


@pytest.mark.long
def test_killed_commands_leave_whole_files(tmp_path):
    with killing.small_disk(tmp_path / "disk") as is_small:
        ways = killing.WAYS if is_small else killing.WAYS[:2]
        campaign = killed_commands.Commands(tmp_path, ways, 0)
        list(campaign.run(2))
    assert campaign.findings == []
    assert {name: of.total() for name, of in campaign.commands.items()} == (
        dict.fromkeys(killed_commands.COMMANDS, 2)
    )
