"""Compare loopcore with NumPy in one process: interleaved, minimum over repeats, as ratios.

Run it as `python benchmarks/compare.py --cells paper,regress,medium --dtype float64`. Every answer
is checked before anything is timed. Contenders take turns, so that a slow spell of the machine
falls on all of them; `spread` is how far the median lies above the minimum.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable

import numpy as np

import loopcore
from contenders import WHOLE, Contender
from problems import CELLS, DTYPES, ETAS, Problem, build
from verdict import Verdict

BASE = "loopcore"
TURN = 0.005  # seconds: the clock and a Python call are far below it
REST = 0.1  # seconds: OpenBLAS's threads go on spinning for 2²⁶ cycles after a call, about 30 ms


def arguments(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line; unknown names stop here, with the known ones listed."""
    served = [name for name, cell in CELLS.items() if not cell.not_served]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=names(served), default=served, help=",".join(served))
    parser.add_argument("--dtype", type=names(DTYPES), default=DTYPES, help=",".join(DTYPES))
    parser.add_argument("--eta", type=names(ETAS), default=("given",), help=",".join(ETAS))
    parser.add_argument("--repeats", type=int, default=7, help="turns each contender takes")
    parser.add_argument("--quick", action="store_true", help="a fraction of each cell")
    options = parser.parse_args(argv)
    if options.repeats < 1:
        parser.error(f"--repeats: expected at least 1, got {options.repeats}")
    return options


def names(known: Iterable[str]) -> Callable[[str], list[str]]:
    """Read a comma-separated choice among the known names."""

    def read(text: str) -> list[str]:
        chosen = text.split(",")
        for name in chosen:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
        return chosen

    return read


def seconds_per_call(contender: Contender, problem: Problem, calls: int) -> float:
    """Time so many calls in a row."""
    start = time.perf_counter()
    for _ in range(calls):
        contender(problem)
    return (time.perf_counter() - start) / calls


def interleaved(problem: Problem, repeats: int) -> dict[str, list[float]]:
    """Give seconds of each contender's call, `repeats` turns each; a turn lasts TURN or more."""
    calls = {
        name: max(1, round(TURN / seconds_per_call(contender, problem, 1)))
        for name, contender in WHOLE.items()
    }
    seconds: dict[str, list[float]] = {name: [] for name in WHOLE}
    for _ in range(repeats):
        for name, contender in WHOLE.items():
            time.sleep(REST)
            seconds[name].append(seconds_per_call(contender, problem, calls[name]))
    return seconds


def check(verdict: Verdict) -> None:
    """Assert every contender's answer, which also warms caches and thread pools."""
    for contender in WHOLE.values():
        verdict.check(contender(verdict.problem))


def rows(problem: Problem, seconds: dict[str, list[float]]) -> list[str]:
    """Write one line a contender: best time, that as a multiple of loopcore's, spread."""
    best = {name: min(times) for name, times in seconds.items()}
    case = f"{problem.cell.name:8} {problem.X.dtype.name:8} {problem.kind:6}"
    return [
        f"{case} {name:11} {1e3 * best[name]:11.4f} {best[name] / best[BASE]:9.1f}"
        f" {statistics.median(times) / best[name] - 1:8.0%}"
        for name, times in seconds.items()
    ]


def main(argv: list[str] | None = None) -> None:
    """Print the table, case by case."""
    options = arguments(argv)
    machine = f"Python {platform.python_version()}, NumPy {np.__version__}, {platform.machine()}"
    print(f"loopcore {loopcore.__version__} ({loopcore.isa()}), {machine}")
    print(f"best of {options.repeats} interleaved; ratio = time / loopcore's time\n")
    print("cell     dtype    eta    contender            ms     ratio   spread")
    for cell in options.cells:
        for dtype in options.dtype:
            for eta in options.eta:
                size = CELLS[cell].quick() if options.quick else CELLS[cell]
                verdict = Verdict(build(size, dtype, eta))
                check(verdict)
                times = interleaved(verdict.problem, options.repeats)
                print("\n".join(rows(verdict.problem, times)), flush=True)


if __name__ == "__main__":
    sys.exit(main())
