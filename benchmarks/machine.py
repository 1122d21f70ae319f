"""What the figures were measured on: the machine, and every version that matters."""

from __future__ import annotations

import contextlib
import datetime
import io
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

import loopcore

PACKAGES = ("loopcore", "numpy", "scipy", "torch", "jax", "jaxlib", "numba", "llvmlite")


def cores() -> int:
    """Count the cores this process may run on; a container may own fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def describe(compiler: str) -> dict[str, Any]:
    """Gather everything; `compiler` is the one that built the program that measures the limits."""
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": {
            "processor": processor(),
            "architecture": platform.machine(),
            "cores": cores(),
            "memory_bytes": memory(),
            "system": platform.platform(),
        },
        "isa": loopcore.isa(),
        "loopcore": loopcore_config(),
        "versions": {"python": platform.python_version(), "compiler": first_line(compiler)}
        | {name: found for name in PACKAGES if (found := installed(name))},
        "numpy_blas": numpy_blas(),
    }


def processor() -> str:
    """Name the processor's model, where the system tells."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown"


def memory() -> int | None:
    """Count the bytes of memory, where the system tells."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def installed(package: str) -> str | None:
    """Give the version of a package, None if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def loopcore_config() -> Any:
    """Give what loopcore tells of its build, as data or as text, if it tells."""
    show_config = getattr(loopcore, "show_config", None)
    if show_config is None:
        return None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        config = show_config()
    return config if config is not None else printed.getvalue()


def numpy_blas() -> str | None:
    """Name the BLAS that NumPy was built with; NumPy before 1.25 only prints that."""
    try:
        blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    except (TypeError, KeyError):
        return None
    return f"{blas.get('name')} {blas.get('version')}"


def commit() -> str | None:
    """Name the checkout's commit, with a + if files differ from it; None outside a checkout."""
    here = Path(__file__).parent
    head = output("git", "-C", str(here), "rev-parse", "--short=12", "HEAD")
    if head is None:
        return None
    return head + ("+" if output("git", "-C", str(here), "status", "--porcelain") else "")


def first_line(compiler: str) -> str | None:
    """Give the compiler's own first line about itself."""
    text = output(compiler, "--version")
    return text.splitlines()[0] if text else None


def output(*command: str) -> str | None:
    """Run a command and give what it prints; None if it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
