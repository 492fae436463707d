"""A headless browser for pages that this project makes."""

import functools
import json
import pathlib
import shutil
import subprocess

import pytest

from issp_keras import files
from issp_keras.locks import one_at_a_time

_HERE = pathlib.Path(__file__).parent / "browser"
# The last version 24. Later versions need a newer Node than Debian has.
_DRIVER = "puppeteer-core@24.8.2"
_NAMES = ("chromium", "chromium-browser", "google-chrome")


def opened(page, check: str, folder):
    """Opens a page from disk, and runs a check in it.

    Skips the test if there is no Chromium, no Node or no npm registry.

    Args:
        page: Path of an HTML file.
        check: String, the name of a module in `tests/browser`, whose default
            export takes the page of puppeteer and `folder`.
        folder: Path of a folder for screenshots.

    Returns:
        Dict: `found`, what the check returns; `errors`, list of strings, those
        of console and scripts; `requests`, list of strings, all but that for
        the page.
    """
    command = [
        _program("node"),
        _HERE / "driver.mjs",
        _modules(),
        _program(*_NAMES),
        _HERE / f"{check}.mjs",
        page,
        folder,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


def _program(*names):
    for name in names:
        if path := shutil.which(name):
            return path
    pytest.skip(f"there is no {names[0]}")


@functools.cache
def _modules():
    """The folder in which the driver is installed, once for all runs."""
    folder = files.cache_folder() / _DRIVER.replace("@", "-")
    folder.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(folder):
        if not (folder / "installed").exists():
            _install(folder)
    return folder


def _install(folder):
    command = [_program("npm"), "install", "--prefix", folder, "--no-save"]
    command += ["--ignore-scripts", "--no-audit", "--no-fund", _DRIVER]
    # Without a network, the test should be skipped quickly.
    command += ["--fetch-retries=0", "--fetch-timeout=60000"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        reason = done.stderr.strip().splitlines() or ["no reason"]
        pytest.skip(f"npm cannot install {_DRIVER}: {reason[0]}")
    (folder / "installed").touch()
