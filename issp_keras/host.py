"""Describes the machine that runs a benchmark."""

import os
import pathlib
import platform
import re


def describe() -> dict[str, str | int | None]:
    """Returns the processor, its cores and the system, for a report."""
    return {
        "model": _processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
    }


def memory() -> int:
    """Returns the bytes of main memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _processor():
    try:
        text = pathlib.Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    found = re.search(r"^model name\s*:\s*(.+)", text, re.MULTILINE)
    return found[1] if found else platform.processor() or platform.machine()
