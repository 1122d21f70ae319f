"""A process of its own that runs loopcore: on another instruction set, or to see its memory.

Requests and answers are lines of JSON on a pipe. The child builds the seeded problem itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from problems import Call, Cell, Eta, Problem, build

STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")


class Worker:
    """The parent's side: a child that lives until `close`."""

    def __init__(self, isa: str | None = None) -> None:
        environment = os.environ | ({"LOOPCORE_ISA": isa} if isa else {})
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def ask(self, action: str, **request: Any) -> Any:
        """Send one request and wait for its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"action": action} | request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"worker: {action} ended it with {self._process.wait()}")
        return json.loads(line)

    def prepare(self, cell: Cell, dtype: str, eta: Eta) -> None:
        """Have it build the case's problem and check loopcore's answer."""
        self.ask("prepare", cell=asdict(cell), dtype=dtype, eta=eta)

    def time(self) -> float:
        """Have it take one turn; gives seconds a call."""
        return float(self.ask("time"))

    def memory(self, cell: Cell, dtype: str, eta: Eta) -> int | None:
        """Have it measure the bytes that one call needs beyond inputs and result."""
        grown = self.ask("memory", cell=asdict(cell), dtype=dtype, eta=eta)
        return None if grown is None else int(grown)

    def close(self) -> None:
        """End the child."""
        self._process.communicate()


class Child:
    """The child's side: one problem at a time, and the call that answers it."""

    def __init__(self) -> None:
        self.take: Callable[[], float] | None = None

    def prepare(self, cell: dict[str, Any], dtype: str, eta: Eta) -> str:
        """Build the problem, check the answer, and make a turn; tells the instruction set."""
        import loopcore
        from contenders import library
        from timing import turn
        from verdict import Verdict

        verdict = Verdict(build(Cell(**cell), dtype, eta))
        call = library(verdict.problem)
        verdict.check(call())
        self.take = turn(call)
        return loopcore.isa()

    def time(self) -> float:
        """Take one turn."""
        assert self.take is not None
        return self.take()

    def memory(self, cell: dict[str, Any], dtype: str, eta: Eta) -> int | None:
        """Measure one call's peak beyond inputs and result; None where the system tells nothing."""
        from contenders import library

        problem = build(Cell(**cell), dtype, eta)
        library(warm_up(problem))()
        return growth(library(problem))


def warm_up(problem: Problem) -> Problem:
    """Give a small problem of the same kind, so that threads exist and modules are loaded."""
    cell = problem.cell.quick()
    T = min(cell.T, 10)
    small = Cell(cell.name, max(2, min(cell.B, 64)), min(cell.n, 64), min(cell.d, 8), T, cell.asks)
    return build(small, problem.X.dtype.name, problem.kind)


def growth(call: Call) -> int | None:
    """Count the bytes by which the process grows at most during the call, less its result."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)  # or the call would reuse what building X has left
    try:
        CLEAR.write_text("5")  # the peak starts again from here
        before = resident("VmRSS")
        result = call()
        return max(0, resident("VmHWM") - before - int(result.nbytes))
    except OSError:
        return None


def resident(name: str) -> int:
    """Read the process's resident bytes, now (VmRSS) or at their peak (VmHWM)."""
    for line in STATUS.read_text().splitlines():
        if line.startswith(name + ":"):
            return 1024 * int(line.split()[1])
    raise OSError(f"{STATUS} has no {name}")


def serve() -> None:
    """Answer requests until standard input ends."""
    child = Child()
    for line in sys.stdin:
        request = json.loads(line)
        action = getattr(child, request.pop("action"))
        print(json.dumps(action(**request)), flush=True)


if __name__ == "__main__":
    serve()
