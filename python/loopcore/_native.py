"""The compiled module for this processor, chosen once at import.

The kernels are compiled several times, once for each instruction set. The best that the processor
can run is taken; the environment variable ``LOOPCORE_ISA`` names another one.
"""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from loopcore import _cpu

__all__ = ["core"]

_MODULES = {
    "x86-64-v4": "loopcore._core_v4",
    "x86-64-v3": "loopcore._core_v3",
    "baseline": "loopcore._core_baseline",
}


def _choose() -> str:
    """Name of the module to import; ImportError if LOOPCORE_ISA asks for what cannot be had."""
    built = [isa for isa in _cpu.supported() if find_spec(_MODULES[isa]) is not None]
    wanted = os.environ.get("LOOPCORE_ISA")
    if wanted is None:
        return _MODULES[built[0]]
    if wanted not in built:
        raise ImportError(f"LOOPCORE_ISA: expected one of {', '.join(built)}, got {wanted!r}")
    return _MODULES[wanted]


if TYPE_CHECKING:
    from loopcore import _core_baseline as core
else:
    core = import_module(_choose())
