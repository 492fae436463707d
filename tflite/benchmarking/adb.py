"""An Android device, through `adb`."""

import contextlib
import re
import secrets
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator

from issp_keras.errors import InputError

# The one folder from which a shell may start programs.
_FOLDER = "/data/local/tmp"
_SECONDS = 60
_PUSH_SECONDS = 600
# Patterns of messages of adb or the device's shell, and what the user can do.
_PROBLEMS = {
    r"no devices(/emulators)? found": "no device is connected, expected one "
    "with USB debugging switched on",
    r"more than one (device|emulator)": "several devices are connected, "
    "expected the serial of one, as `adb devices` lists",
    r"device unauthorized": "the device does not trust this computer, "
    "expected 'Allow USB debugging' to be confirmed on its screen",
    r"device offline": "the device does not answer, expected it to be "
    "unlocked and connected anew",
    r"insufficient permissions|no permissions": "this user may not open the "
    "device, expected udev rules for it (Debian: "
    "android-sdk-platform-tools-common)",
    r"device '.*' not found|device not found|error: closed"
    r"|failed to read copy response": "the device is not connected or was "
    "unplugged, expected it to stay connected",
    r"[Nn]o space left on device": "the device's storage is full, expected "
    f"room for the files in {_FOLDER}",
}


class Device:
    """An Android device.

    Args:
        serial: String, as `adb devices` lists; None for the only one.

    Raises:
        InputError: If there is no `adb`, or no such device that is ready;
            all methods raise it if the device is unplugged.
    """

    def __init__(self, serial: str | None = None):
        self.name = f"adb:{serial}" if serial else "adb"
        self._command = [shutil.which("adb") or "adb"]
        if serial:
            self._command += ["-s", serial]
        self._run("get-state")

    def shell(self, command: str, seconds: float = _SECONDS) -> str:
        """Runs a command of the device's shell.

        Args:
            command: String, a line for the shell.
            seconds: Float, how long it may take.

        Returns:
            Its output, with errors.

        Raises:
            InputError: If it fails.
        """
        return self._run("shell", f"{{ {command}; }} 2>&1", seconds=seconds)

    def push(self, local, remote: str):
        """Copies a file to the device."""
        self._run("push", str(local), remote, seconds=_PUSH_SECONDS)

    def read(self, remote: str) -> str:
        """The text of a file of the device."""
        return self.shell(f"cat {shlex.quote(remote)}", _PUSH_SECONDS)

    @contextlib.contextmanager
    def folder(self) -> Iterator[str]:
        """Yields the path of a new folder, which is removed at the end."""
        path = f"{_FOLDER}/issp_keras-{secrets.token_hex(4)}"
        try:
            self.shell(f"mkdir {path}")
            yield path
        except BaseException:
            # A program on the device does not stop when adb is interrupted.
            # The brackets keep the pattern from matching its own command line.
            try:
                self.shell(f"pkill -f '[/]{path[1:]}' || true")
                self.shell(f"rm -rf {path}")
            except InputError:
                # The first error, raised below, says more than this one.
                print(f"{path} is left on the device.", file=sys.stderr)
            raise
        self.shell(f"rm -rf {path}")

    def describe(self) -> dict[str, str]:
        """The device's model, processor and Android, for a report."""
        names = {
            "model": "ro.product.model",
            "maker": "ro.product.manufacturer",
            "soc": "ro.soc.model",
            "board": "ro.board.platform",
            "abi": "ro.product.cpu.abi",
            "android": "ro.build.version.release",
        }
        lines = self.shell(
            "; ".join(f'echo "$(getprop {name})"' for name in names.values())
        ).splitlines()
        return {
            name: line.strip()
            for name, line in zip(names, lines, strict=False)
            if line.strip()
        }

    def mask(self, threads: int) -> str | None:
        """The fastest cores for some threads, as `taskset` takes them.

        Returns:
            String, a hexadecimal mask; None if the device does not tell, or
            does not let a shell choose.
        """
        text = self.shell(
            "grep -H . /sys/devices/system/cpu/cpu*/cpufreq/cpuinfo_max_freq"
            " || true"
        )
        found = re.findall(r"/cpu(\d+)/cpufreq/\S+?:(\d+)", text)
        mask = fastest({int(core): int(of) for core, of in found}, threads)
        chosen = f"{mask:x}"
        answer = self.shell(f"taskset {chosen} echo chosen || true")
        return chosen if mask and answer.strip() == "chosen" else None

    def _run(self, *arguments, seconds=_SECONDS):
        try:
            result = subprocess.run(
                [*self._command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                timeout=seconds,
            )
        except FileNotFoundError as error:
            raise InputError(
                "adb: there is no `adb` on the PATH, expected that "
                "of Android's platform tools (Debian: apt install adb)."
            ) from error
        except subprocess.TimeoutExpired as error:
            raise InputError(
                f"{self.name}: the device did not answer to `adb "
                f"{arguments[0]}` within {seconds:.0f} seconds."
            ) from error
        if result.returncode:
            self._fail(arguments, result.stdout)
        return result.stdout

    def _fail(self, arguments, text):
        for pattern, problem in _PROBLEMS.items():
            if found := re.search(f".*({pattern}).*", text):
                raise InputError(
                    f"{self.name}: {problem} (adb says: {found[0].strip()})."
                )
        if arguments[0] != "get-state":
            # Some versions of adb say nothing if the device is unplugged.
            self._run("get-state")
        raise DeviceError(text.strip() or "no reason is given")


class DeviceError(InputError):
    """A command failed on a connected device. The text is its output."""


def fastest(frequencies: dict[int, int], threads: int) -> int:
    """Chooses the fastest cores, at least one for each thread.

    All cores of one frequency are taken together.

    Args:
        frequencies: Dict, the highest frequency of each core by its number.
        threads: Integer, how many cores are needed.

    Returns:
        Integer, a mask with the bit of each core, 0 if none is known.
    """
    cores: list[int] = []
    for frequency in sorted(set(frequencies.values()), reverse=True):
        if len(cores) < threads:
            cores += [c for c, of in frequencies.items() if of == frequency]
    return sum(1 << core for core in cores)
