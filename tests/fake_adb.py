"""Replaces `adb` in tests, and gives the same answers.

The device's folders are in FAKE_DEVICE, and its shell is `sh`. FAKE_FAULT names
a fault to simulate, with the messages of adb 1.0.41 (Android's platform-tools
and Debian's 29.0.6).
"""

import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(os.environ["FAKE_DEVICE"])
FAULT = os.environ.get("FAKE_FAULT", "")
UNAUTHORIZED = """device unauthorized.
This adb server's $ADB_VENDOR_KEYS is not set
Try 'adb kill-server' if that seems wrong.
Otherwise check for a confirmation dialog on your device."""


def problem(serial):
    """Why there is no device to talk to, or None."""
    known = {
        "none": "no devices/emulators found",
        "unauthorized": UNAUTHORIZED,
        "offline": "device offline",
        "permissions": "insufficient permissions for device: user in plugdev "
        "group; are your udev rules wrong?",
    }
    if (ROOT / "unplugged").exists():
        return f"device '{serial}' not found" if serial else known["none"]
    if FAULT == "several" and not serial:
        return "more than one device/emulator"
    if serial not in (None, "R58M12ABCDE"):
        return f"device '{serial}' not found"
    return known.get(FAULT)


def fail(text):
    print(text, file=sys.stderr)
    sys.exit(1)


def push(local, remote):
    if FAULT == "full" and remote.endswith("model.tflite"):
        fail(
            f"adb: error: failed to copy '{local}' to '{remote}': remote "
            "couldn't write file: No space left on device"
        )
    shutil.copyfile(local, on_host(remote))
    print(f"{local}: 1 file pushed, 0 skipped. 35.4 MB/s (1 bytes in 0.0s)")


def shell(command):
    (ROOT / "log").open("a").write(command + "\n")
    if "--graph" in command and FAULT == "unplugged":
        # The connection ends, and adb says nothing.
        (ROOT / "unplugged").touch()
        sys.exit(255)
    environment = {**os.environ, "PATH": f"{ROOT}/bin:{os.environ['PATH']}"}
    result = subprocess.run(
        ["sh", "-c", on_host(command)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    # The output must name files as they are named on the device.
    print(result.stdout.replace(str(ROOT), ""), end="")
    sys.exit(result.returncode)


def on_host(text):
    for folder in ("/data/local/tmp", "/sys/devices/system/cpu"):
        text = text.replace(folder, f"{ROOT}{folder}")
    return text


def main(*words):
    serial = None
    if words[0] == "-s":
        _, serial, *words = words
    verb, *arguments = words
    found = problem(serial)
    if found and verb == "push":
        fail(f"adb: error: failed to get feature set: {found}")
    if found:
        fail(f"error: {found}")
    if verb == "get-state":
        print("device")
    else:
        {"push": push, "shell": shell}[verb](*arguments)


if __name__ == "__main__":
    main(*sys.argv[1:])
