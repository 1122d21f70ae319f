"""A thousand targets on one X."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from contenders import library
from limits import Limits
from problems import Cell, Eta, Problem, build
from setting import Setting
from timing import spread, turn
from verdict import Verdict

CELL = Cell("shared", B=1_000, n=2_000, d=64, T=100)


@dataclass
class Row:
    """One case: seconds a call of loopcore and of NumPy."""

    cell: Cell
    dtype: str
    eta: Eta
    seconds: dict[str, list[float]]


def measure(setting: Setting) -> list[Row]:
    """Time loopcore and NumPy."""
    cell = replace(CELL, B=20, n=500) if setting.quick else CELL
    return [
        measure_case(setting, cell, dtype, eta) for dtype in setting.dtypes for eta in setting.etas
    ]


def measure_case(setting: Setting, cell: Cell, dtype: str, eta: Eta) -> Row:
    """Check and time both on one case."""
    problem = build_shared(cell, dtype, eta)
    verdict = Verdict(problem)
    calls = {"loopcore": library(problem), "numpy": lambda: numpy_shared(problem)}
    for call in calls.values():
        verdict.check(call())
    turns = {name: turn(call) for name, call in calls.items()}
    return Row(cell, dtype, eta, setting.take_turns(turns))


def build_shared(cell: Cell, dtype: str, eta: Eta) -> Problem:
    """Build one X (n, d), and B targets y (B, n) on it, y = X θ*."""
    one = build(replace(cell, B=1), dtype, eta)
    theta = build(replace(cell, n=1, T=1), dtype, eta).theta  # (B, d), unit vectors
    return replace(one, cell=cell, y=theta @ one.X.T, theta=theta)


def numpy_shared(problem: Problem) -> np.ndarray:
    """Loop Q ← Q (I − η G) − η α Y X, Q (B, d): what a user would write in NumPy."""
    X, y = problem.X, problem.y
    G = X.T @ X  # (d, d)
    step = 1 / np.linalg.eigvalsh(G)[-1] if problem.eta is None else problem.eta
    A = np.eye(len(G), dtype=X.dtype) - step * G
    shift = step * problem.alpha * (y @ X)  # (B, d)
    Q = np.zeros_like(shift)
    for _ in range(problem.T):
        Q = Q @ A - shift
    return -Q


def limit(row: Row, limits: Limits) -> float:
    """Give the seconds for reading X and Y once, or forming XᵀX and Y X; loops are not counted."""
    B, n, d, itemsize = row.cell.B, row.cell.n, row.cell.d, int(row.dtype[-2:]) // 8
    read = n * (d + B) * itemsize / limits.bandwidth
    return max(read, (n * d * (d + 1) + 2 * n * d * B) / limits.peak)


def lines(rows: list[Row], limits: Limits) -> list[str]:
    """Print ms, the limit and the ratios."""
    head = f"{'cell':8} {'dtype':8} {'eta':6} {'ms':>11} {'limit ms':>10} {'limit/time':>10}"
    text = [f"{head} {'numpy/time':>10} {'spread':>7}"]
    for row in rows:
        least, time = limit(row, limits), min(row.seconds["loopcore"])
        text.append(
            f"{row.cell.name:8} {row.dtype:8} {row.eta:6} {1e3 * time:11.4f} {1e3 * least:10.4f}"
            f" {least / time:10.3f} {min(row.seconds['numpy']) / time:10.2f}"
            f" {spread(row.seconds['loopcore']):7.0%}"
        )
    return text


def figures(rows: list[Row], limits: Limits) -> dict[str, float]:
    """Name time / limit, for float64 and given η."""
    found = {}
    for row in rows:
        if (row.dtype, row.eta) == ("float64", "given"):
            found["time / limit:shared"] = min(row.seconds["loopcore"]) / limit(row, limits)
    return found
