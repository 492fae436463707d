"""Timing on a phone, with a stand-in for `adb` and the real one."""

import json
import os
import pathlib
import re
import shutil
import stat
import subprocess
import sys
import types

import pytest
from networks import small_pairs

from issp_keras.errors import InputError
from issp_keras.tflite import Reference
from issp_keras.tflite import export
from issp_keras.tflite.benchmarking import benchmark_model
from issp_keras.tflite.benchmarking import phone
from issp_keras.tflite.benchmarking.adb import Device
from issp_keras.tflite.benchmarking.adb import fastest
from issp_keras.tflite.benchmarking.benchmark import benchmark
from issp_keras.tflite.benchmarking.phone import PhoneContest
from issp_keras.tflite.benchmarking.protocol import Protocol

FAKE = pathlib.Path(__file__).with_name("fake_adb.py")
GOLDEN = pathlib.Path(__file__).with_name("golden")
PROTOCOL = Protocol(8, 12, rounds=3)
SERIAL = "R58M12ABCDE"

# The output of the tool in a version of 2021 (tensorflow/tensorflow#42507) and
# of 2024, and its profile.
OLD = (GOLDEN / "benchmark_model_2021.txt").read_text()
NEW = (GOLDEN / "benchmark_model_2024.txt").read_text()
PROFILE = (GOLDEN / "benchmark_model_profile.csv").read_text()


def _program(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture(scope="module")
def path(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("tflite") / "sparse.tflite"
    export(model, path, reference=Reference(model, small_pairs(2)))
    return path


@pytest.fixture
def root(tmp_path, monkeypatch):
    """The files of a phone with four slow cores and four fast ones."""
    root = tmp_path / "device"
    for core in range(8):
        folder = root / f"sys/devices/system/cpu/cpu{core}/cpufreq"
        folder.mkdir(parents=True)
        frequency = 1_800_000 if core < 4 else 2_400_000
        (folder / "cpuinfo_max_freq").write_text(f"{frequency}\n")
    (root / "data/local/tmp").mkdir(parents=True)
    _program(root / "bin/taskset", ["#!/bin/sh", "shift", 'exec "$@"'])
    _program(
        root / "bin/getprop",
        ["#!/bin/sh", '[ "$1" = ro.product.model ] && echo "Pixel 2"'],
    )
    _program(
        tmp_path / "bin/adb",
        ["#!/bin/sh", f'exec {sys.executable} -S {FAKE} "$@"'],
    )
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_DEVICE", str(root))
    return root


@pytest.fixture
def tool(tmp_path):
    """A `benchmark_model` that prints what a real one printed."""
    (tmp_path / "printed").write_text(NEW)
    (tmp_path / "profile").write_text(PROFILE)
    return _program(
        tmp_path / "benchmark_model",
        [
            "#!/bin/sh",
            'for word in "$@"; do case $word in',
            "  --op_profiling_output_file=*)",
            f"    cp {tmp_path}/profile ${{word#*=}} ;;",
            "  --external_delegate_path=*)",
            "    echo 'VERBOSE: Replacing 20 out of 22 node(s) with delegate "
            "(IsspSparseDelegate) node, yielding 1 partitions for subgraph 0.'",
            "  ;; esac; done",
            f"cat {tmp_path}/printed",
        ],
    )


@pytest.fixture
def contest(root, tool, path):
    def make(device=None, **options):
        return PhoneContest(
            device or Device(), [path], PROTOCOL, tool, cool_down=0, **options
        )

    return make


def _left_on(root):
    return list((root / "data/local/tmp").iterdir())


def test_runs_the_tool_on_fast_cores_and_cleans_up(
    contest, root, path, tmp_path
):
    library = tmp_path / "delegate.so"
    library.write_bytes(b"ELF")
    done = []
    made = contest(android_delegate=library, threads=2)
    stock, delegated = made.measure(done.append)
    assert done == [0.5, 1]
    assert stock.delegate is None
    assert stock.timing.p50_ms == 307.968
    assert stock.timing.peak_bytes == int(112.25 * 2**20)
    assert stock.delegation.nodes == 31
    assert delegated.delegate == library
    assert delegated.delegation.nodes == 20
    assert [of.kind for of in delegated.delegation.profile] == [
        "CONV_2D",
        "ELU",
        "AVERAGE_POOL_2D",
    ]
    assert _left_on(root) == []
    lines = [
        line
        for line in (root / "log").read_text().splitlines()
        if "--graph" in line
    ]
    assert len(lines) == 4
    assert all("taskset f0 /data/local/tmp/" in line for line in lines)
    for flag in (
        "--num_threads=2",
        "--num_runs=3",
        # Without both, the tool times an image of one pixel.
        "--input_layer=image",
        "--input_layer_shape=1,8,12,3",
    ):
        assert flag in lines[0]
    assert "profiling" not in lines[0]
    assert "--external_delegate_path=/data/local/tmp/" in lines[3]
    assert "--report_peak_memory_footprint=true" in lines[3]


def test_the_rows_have_what_the_phone_measures(contest, folder_of_photographs):
    made = contest()
    _, row = benchmark(made, [str(folder_of_photographs)], PROTOCOL)
    assert row.latency_ms == 307.968
    assert row.fps == pytest.approx(3.247, abs=1e-3)
    assert row.ratio == 1
    assert row.timing.p90_ms is None
    assert row.psnr > 0
    assert "cores f0" in made.notes[0]


def test_a_device_of_several_is_named(contest, root, monkeypatch):
    monkeypatch.setenv("FAKE_FAULT", "several")
    with pytest.raises(InputError, match="several devices are connected, exp"):
        Device()
    assert Device(SERIAL).describe() == {"model": "Pixel 2"}
    assert len(contest(Device(SERIAL)).measure()) == 1


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("none", "adb: no device is connected, expected one with USB debug"),
        ("unauthorized", "expected 'Allow USB debugging' to be confirmed on"),
        ("offline", "the device does not answer, expected it to be unlocked"),
        ("permissions", "expected udev rules"),
    ],
)
def test_a_device_that_is_not_ready_is_refused(
    root, monkeypatch, fault, sentence
):
    monkeypatch.setenv("FAKE_FAULT", fault)
    with pytest.raises(InputError, match=sentence) as refused:
        Device()
    assert "\n" not in str(refused.value)
    assert "adb says: error: " in str(refused.value)


def test_another_serial_is_refused(root):
    with pytest.raises(InputError, match=r"adb:X: the device is not connected"):
        Device("X")


@pytest.mark.parametrize("serial", [None, SERIAL])
def test_a_device_unplugged_in_the_middle(contest, monkeypatch, serial, capsys):
    made = contest(Device(serial))
    monkeypatch.setenv("FAKE_FAULT", "unplugged")
    with pytest.raises(InputError, match=r"device is (not )?connected"):
        made.measure()
    assert re.search(
        r"/data/local/tmp/issp_keras-\w+ is left on the device",
        capsys.readouterr().err,
    )


def test_what_runs_there_ends_when_it_is_interrupted_here(root):
    if not shutil.which("pkill"):
        pytest.skip("there is no pkill")
    with pytest.raises(KeyboardInterrupt), Device().folder() as folder:
        path = _program(
            root / folder[1:] / "tool", ["#!/bin/sh", "sleep 60; true"]
        )
        tool = subprocess.Popen([path])
        raise KeyboardInterrupt
    assert tool.wait(10) < 0
    assert _left_on(root) == []


def test_full_storage_is_told_and_cleaned_up(contest, root, monkeypatch):
    made = contest()
    monkeypatch.setenv("FAKE_FAULT", "full")
    with pytest.raises(InputError, match="the device's storage is full"):
        made.measure()
    assert _left_on(root) == []


@pytest.mark.parametrize(
    ("says", "sentence"),
    [
        (
            "/system/bin/sh: /data/local/tmp/x/benchmark_model: not "
            "executable: 64-bit ELF file",
            "`benchmark_model`: .*does not start on the device, expected a "
            "build for its processor: .*64-bit ELF file",
        ),
        (
            "/system/bin/sh: /data/local/tmp/x/benchmark_model: inaccessible "
            "or not found",
            "`benchmark_model`: .*does not start.*inaccessible or not found",
        ),
        (
            'CANNOT LINK EXECUTABLE "benchmark_model": library '
            '"libc++_shared.so" not found',
            "`benchmark_model`: .*does not start.*libc",
        ),
        (
            'ERROR: dlopen failed: "/data/local/tmp/x/delegate.so" is for '
            "EM_X86_64 (62) instead of EM_AARCH64 (183)",
            "`android_delegate`: .*cannot be loaded on the device, expected",
        ),
        (
            "ERROR: Failed to load model /data/local/tmp/x/model.tflite",
            r"sparse\.tflite: cannot be run on the device: ERROR: Failed",
        ),
        ("Segmentation fault", r"expected timings .*Received: Segmentation"),
    ],
)
def test_what_does_not_run_on_the_device(contest, tool, root, says, sentence):
    _program(tool, ["#!/bin/sh", f"echo '{says}'", "exit 126"])
    with pytest.raises(InputError, match=sentence):
        contest().measure()
    assert _left_on(root) == []


def test_a_delegate_that_takes_nothing_has_no_row(contest, tmp_path, path):
    (tmp_path / "printed").write_text(
        "INFO: Though EXTERNAL delegate is explicitly applied, the model "
        "graph will not be executed by the delegate.\n" + NEW
    )
    library = tmp_path / "delegate.so"
    library.write_bytes(b"ELF")
    made = contest(android_delegate=library)
    assert [entry.delegate for entry in made.measure()] == [None]
    assert made.notes[1] == f"The delegate takes no part of {path}."


def test_the_device_rests_before_each_run(root, tool, path, monkeypatch):
    rests = []
    clock = types.SimpleNamespace(sleep=rests.append)
    monkeypatch.setattr(phone, "time", clock)
    made = PhoneContest(Device(), [path, path], PROTOCOL, tool, cool_down=2.5)
    assert len(made.measure()) == 2
    assert rests == [2.5, 2.5]


def test_the_program_from_flags_to_files(
    root, tool, path, folder_of_photographs, tmp_path
):
    arguments = [
        path,
        "--target=adb",
        f"--benchmark_model={tool}",
        "--cool_down=0",
        "--size=8,12",
        f"--data={folder_of_photographs}",
        f"--output={tmp_path}/phone.json,{tmp_path}/phone.md",
    ]
    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "issp_keras.tflite.programs.benchmark",
            *arguments,
        ],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert "median of 50 runs for an LR image of 12x8" in result.stdout
    assert "1 thread, Pixel 2. " in result.stdout
    content = json.loads((tmp_path / "phone.json").read_text())
    assert content["settings"]["machine"] == {"model": "Pixel 2"}
    assert content["rows"][1]["timing"]["p95_ms"] == 315.711
    assert content["rows"][1]["timing"]["p90_ms"] is None
    assert "| 315.7 |" in (tmp_path / "phone.md").read_text()


def test_without_taskset_any_core_is_used(contest, root):
    _program(root / "bin/taskset", ["#!/bin/sh", "exit 1"])
    made = contest()
    made.measure()
    assert "any cores" in made.notes[0]
    assert "taskset f0 /data" not in (root / "log").read_text()


def test_the_fastest_cores_that_are_enough():
    three_kinds = dict(enumerate([18, 18, 18, 18, 24, 24, 24, 28]))
    assert fastest(three_kinds, 1) == 0x80
    assert fastest(three_kinds, 2) == 0xF0
    assert fastest(three_kinds, 8) == 0xFF
    assert fastest({}, 1) == 0


def test_reads_what_old_and_new_versions_print():
    timing = benchmark_model.parse(OLD)
    assert timing.init_ms == 0.855
    assert timing.first_ms == 49.06
    assert timing.mean_ms == timing.latency() == 33.2094
    assert (timing.min_ms, timing.max_ms) == (32.641, 34.005)
    assert timing.std_ms == 0.45
    assert (timing.p50_ms, timing.p90_ms, timing.p95_ms) == (None, None, None)
    assert timing.runs == 50
    assert timing.memory_bytes == int(12.8672 * 2**20)
    timing = benchmark_model.parse(NEW)
    assert timing.latency() == timing.p50_ms == 307.968
    assert timing.p95_ms == 315.711
    assert timing.seconds == pytest.approx(15.4675)
    assert benchmark_model.parse("INFO: STARTING!") is None
    same = NEW.replace(
        NEW[NEW.index("count=50") :].splitlines()[0],
        "count=5 curr=33(all same)",
    )
    assert benchmark_model.parse(same).max_ms == 0.033


def test_without_adb_there_is_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="no `adb` on the PATH"):
        Device()


@pytest.mark.skipif(
    not shutil.which("adb"), reason="adb (Android's platform tools) is not here"
)
def test_the_real_adb_without_a_device(monkeypatch, tmp_path):
    # Use a separate adb server, which sees no phones, and stop it at the end.
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", "5998")
    monkeypatch.setenv("ADB_LIBUSB", "0")
    monkeypatch.setenv("HOME", str(tmp_path))
    try:
        with pytest.raises(InputError, match="no device is conn"):
            Device()
        with pytest.raises(InputError, match="is not connected or was unplug"):
            Device("X")
    finally:
        subprocess.run(["adb", "kill-server"], check=True)
