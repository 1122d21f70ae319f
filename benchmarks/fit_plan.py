"""Fit the weights of the cost model in plan.hpp, and show what its choices cost.

Run it as `python benchmarks/fit_plan.py` after a change to a kernel, on an idle machine (a minute).
The first table gives weights of plan.hpp as measured with given η: how many times slower a
multiply-add is than in the Gram matrix of the same task. A weight of plan.hpp stands for many
shapes and is set by hand from these; that of a column, and those of a basis and the way to it
by themselves, are not told apart here. The second one times every path of some tasks; `regret`
is how much slower the planned path is than the best.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

import loopcore
from loopcore._native import core

Shape = tuple[int, int]  # (n, d)

PATHS = ("stream", "gram", "power", "tridiagonal")
PACKED: Sequence[Shape] = ((20, 4), (40, 8), (40, 20), (64, 32))
LARGE: Sequence[Shape] = ((256, 48), (512, 128), (2_000, 64), (1_000, 600))
LOOPS = (1, 3, 10, 30, 100, 1_000, 100_000)
TOO_LONG = 3e9  # multiply-adds of a path that are not waited for


def seconds(n: int, d: int, T: int, path: str, repeats: int = 5) -> float:
    """Time one task of a batch on one thread, in seconds: the least of some calls."""
    rng = np.random.default_rng(n + d)
    B = max(8, min(512, 2_000_000 // (n * d)) // 8 * 8)
    X = rng.standard_normal((B, n, d)) * n**-0.5
    y = rng.standard_normal((B, n))
    best = np.inf
    for _ in range(repeats):
        start = time.perf_counter()
        loopcore.run(X, y, 1.0, T, eta=0.2, path=path, num_threads=1)
        best = min(best, time.perf_counter() - start)
    return best / B


def loop_seconds(n: int, d: int, path: str, few: int, many: int) -> float:
    """Time one more loop."""
    return (seconds(n, d, many, path) - seconds(n, d, few, path)) / (many - few)


def fitted(n: int, d: int) -> dict[str, float]:
    """Measure the weights at one shape, in the order of plan.hpp."""
    sums = seconds(n, d, 1, "gram")
    unit = sums / (n * d * (d + 3) / 2)
    loop = loop_seconds(n, d, "gram", 10, 60)
    short = loop_seconds(n, d, "tridiagonal", 50, 550)
    squarings = 10  # from 2¹⁸ to 2²⁸ loops: that many squarings more
    powers = seconds(n, d, 2**28, "power") - seconds(n, d, 2**18, "power")
    basis = seconds(n, d, 1, "tridiagonal") - sums
    return {
        "pass": loop_seconds(n, d, "stream", 2, 6) / (2 * n * d) / unit,
        "loop": loop / d**2 / unit,
        "squaring": powers / squarings / (d**2 * (d + 4) / 2) / unit,
        "reduction + transform": basis / (2 * d**3 / 3) / unit,
        "short loop": short / (4 * d) / unit,
    }


def regret(n: int, d: int, T: int) -> str:
    """Write one line: the time of every path, and how far the planned one is from the best."""
    planned = core.planned_path(n, d, T, "given", True)
    work = {"stream": 2.0 * n * d * T, "gram": float(d * d * T), "tridiagonal": 4.0 * d * T}
    times = {path: seconds(n, d, T, path, 3) for path in PATHS if 64 * work.get(path, 0) < TOO_LONG}
    best = min(times.values())
    loss = times[planned] / best - 1 if planned in times else float("nan")
    cells = " ".join(
        f"{1e6 * times[path]:11.2f}" if path in times else f"{'':>11}" for path in PATHS
    )
    return f"{n:6} {d:5} {T:7} {cells}  {planned:12} {loss:6.0%}"


def main() -> None:
    """Print both tables."""
    print(f"loopcore {loopcore.__version__} ({loopcore.isa()}), one thread\n")
    print("Weights: multiply-adds of the Gram matrix that one multiply-add elsewhere costs")
    for n, d in (*PACKED, *LARGE):
        line = "  ".join(f"{name} {weight:.2f}" for name, weight in fitted(n, d).items())
        print(f"{n:6} {d:5}  {line}", flush=True)
    print("\nMicroseconds a task, given eta")
    print(f"{'n':>6} {'d':>5} {'T':>7} " + " ".join(f"{path:>11}" for path in PATHS))
    for n, d in (*PACKED, *LARGE):
        for T in LOOPS:
            print(regret(n, d, T), flush=True)


if __name__ == "__main__":
    main()
