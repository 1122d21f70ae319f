"""The machine that a report was made on."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

from loopcore.studies.frame.result_files import versions


def describe() -> dict[str, str]:
    """Name the processor, the cores that this process may use, the memory and the system.

    Examples
    --------
    >>> list(describe())
    ['processor', 'cores', 'memory', 'system']
    """
    return {
        "processor": _processor(),
        "cores": str(_cores()),
        "memory": _memory(),
        "system": versions()["platform"],
    }


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory() -> str:
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return "unknown"
    return f"{size / 2**30:.0f} GiB"
