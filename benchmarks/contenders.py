"""Everything that is timed, under one signature: problem in, answer out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import loopcore
import loopcore.reference
from peers import numpy_gram, numpy_loop
from problems import Problem

Contender = Callable[[Problem], np.ndarray]


def run(problem: Problem) -> np.ndarray:
    """Call the library under test."""
    p = problem
    if p.cell.asks == "curve":
        return loopcore.errors(p.X, p.y, p.alpha, p.T, theta=p.theta, eta=p.eta)
    return loopcore.run(p.X, p.y, p.alpha, p.T, eta=p.eta)


def reference(problem: Problem) -> np.ndarray:
    """Multiply the literal matrices. For cut problems only: they hold (n+1)² scores a task."""
    p = problem
    if p.cell.asks == "curve":
        v = loopcore.reference.trajectory(p.X, p.y, p.alpha, p.T, eta=p.eta)  # (..., T+1, d)
        return abs((v @ p.theta[..., None])[..., 0] - p.alpha)
    return loopcore.reference.run(p.X, p.y, p.alpha, p.T, eta=p.eta)


WHOLE: dict[str, Contender] = {"loopcore": run, "numpy_loop": numpy_loop, "numpy_gram": numpy_gram}
CUT: dict[str, Contender] = {"loopcore": run, "reference": reference}
