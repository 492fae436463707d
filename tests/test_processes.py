"""`issp-train --processes`: two processes give the result of one."""

import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

from issp_keras.errors import InputError
from issp_keras.programs.interrupts import Terminated
from issp_keras.programs.processes import Processes

EDSR_SMALL = pathlib.Path(__file__).parent.parent / "configs/edsr_small.py"
TINY = {
    "steps": 24,
    "steps_per_epoch": 3,
    "network.features": 4,
    "network.blocks": 1,
    "data.patch_size": 8,
    "data.batch_size": 4,
    "sparsity.end_step": 14,
}
# The beginning of the error if another process has ended.
_APART = "--processes: the processes can no longer compute together ("


def _start(workdir, photographs, *flags):
    config = TINY | {"data.train": photographs, "data.held_out": photographs}
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "issp_keras.programs.train", *flags),
            *(f"--config={EDSR_SMALL}", f"--workdir={workdir}"),
            *(f"--config.{name}={value}" for name, value in config.items()),
        ],
        env=os.environ | {"KERAS_BACKEND": "jax"},
    )


def _start_two(workdir, photographs):
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        coordinator = f"localhost:{probe.getsockname()[1]}"
    return [
        _start(
            workdir,
            photographs,
            "--processes=2",
            f"--coordinator={coordinator}",
            f"--process_id={index}",
        )
        for index in range(2)
    ]


_MEET = """
import sys
from issp_keras.programs.processes import Processes
Processes.connect(2, sys.argv[1], int(sys.argv[2]))
import jax
from jax.experimental import multihost_utils
print(multihost_utils.process_allgather(jax.process_index()).tolist())
"""


@pytest.mark.long
def test_processes_meet_without_a_word():
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        coordinator = f"localhost:{probe.getsockname()[1]}"
    two = [
        subprocess.Popen(
            [sys.executable, "-c", _MEET, coordinator, str(index)],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"KERAS_BACKEND": "jax"},
        )
        for index in range(2)
    ]
    shown = [process.communicate()[0] for process in two]
    assert shown == ["[0, 1]\n", "[0, 1]\n"]


@pytest.mark.long
def test_two_processes_that_were_killed_once_equal_one(
    tmp_path, folder_of_photographs
):
    alone = _start(tmp_path / "one", folder_of_photographs)
    two = _start_two(tmp_path / "two", folder_of_photographs)
    while not (tmp_path / "two" / "checkpoint.keras").exists():
        assert [process.poll() for process in two] == [None, None]
        time.sleep(0.01)
    for process in two:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert not (tmp_path / "two" / "model.keras").exists()
    two = _start_two(tmp_path / "two", folder_of_photographs)
    assert [process.wait() for process in (alone, *two)] == [0, 0, 0]
    models = [
        keras.models.load_model(tmp_path / name / "model.keras")
        for name in ("one", "two")
    ]
    for a, b in zip(*(m.get_weights() for m in models), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-6)
        np.testing.assert_array_equal(a == 0, b == 0)
    for name in ("metrics.csv", "sparsity.csv"):
        rows = [(tmp_path / n / name).read_text() for n in ("one", "two")]
        assert rows[0].count("\n") == rows[1].count("\n") > 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((2, "localhost:1234", 2), "--process_id: is 2, expected less than"),
        ((2, None, 0), "--coordinator: is None, expected HOST:PORT"),
        ((2, "localhost", 0), "--coordinator: is 'localhost'"),
        ((2, "localhost:1234", 0), "--processes: is 2.*KERAS_BACKEND=jax"),
    ],
)
def test_refuses_flags_that_cannot_work(arguments, message):
    with pytest.raises(InputError, match=message):
        Processes.connect(*arguments)


def test_refuses_a_batch_that_cannot_be_shared():
    with pytest.raises(InputError, match=r"batch_size: is 8.*--processes=3"):
        Processes(3).check_batch(8)
    assert Processes.connect(1, None, 0) == Processes()


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (InputError("a.png: is bad."), 1, "a.png: is bad."),
        (RuntimeError("INTERNAL: Gloo all-reduce failed\nline"), 1, _APART),
        # JAX also raises this type.
        (ValueError("UNKNOWN: Gloo AllGather failed"), 1, _APART),
        (Terminated(), 143, "terminated."),
    ],
)
def test_a_process_that_fails_does_not_wait_for_others(
    monkeypatch, capsys, error, status, message
):
    def end(status):
        raise SystemExit(status)

    monkeypatch.setattr("os._exit", end)
    monkeypatch.setattr("sys.argv", ["issp train"])
    with pytest.raises(SystemExit) as found, Processes(2).ending_at_once():
        raise error
    assert found.value.code == status
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"issp train: {message}")


@pytest.mark.parametrize(
    ("count", "error"), [(2, ValueError("a bug")), (1, InputError("is bad."))]
)
def test_other_errors_are_passed_on(count, error):
    with pytest.raises(type(error)), Processes(count).ending_at_once():
        raise error
    with Processes(count).ending_at_once():
        pass


def test_sigterm_is_not_left_to_jax(monkeypatch):
    import jax

    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    # It would take stdout from pytest.
    monkeypatch.setattr(
        "issp_keras.programs.processes._python_stdout_alone", lambda: None
    )
    name = "jax_enable_preemption_service"
    found = []
    monkeypatch.setattr(
        "keras.distribution.initialize",
        lambda *_: found.append(jax.config.values[name]),
    )
    before = jax.config.values[name]
    assert before
    try:
        Processes.connect(2, "localhost:1234", 0)
    finally:
        jax.config.update(name, before)
    assert found == [False]
