"""Is a timed answer of the family right? Truth from the literal matrices.

A task's answer may be off by 30 max(u, e), as a fraction of its size: u is the unit roundoff of its
type, and e how far the literal loop in that type is off at most on some of the problem's own tasks,
against the next wider type. The truth is the literal loop in float64. A gradient may vanish while
its terms do not, so that no task counts as smaller than the mean.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import family_numpy
from family import FamilyProblem

# Tasks on which e is found, a second or two of longdouble. It has a tail over tasks in the gradient
# of η alone: on 32 of them it came out so small that two peers lay 1.7 times beyond 30 e.
SAMPLE = {"linear": 32, "softmax": 128, "gradient": 512}
LITERAL: dict[str, Callable[[Any], Any]] = {
    "linear": family_numpy.linear_scores,
    "softmax": family_numpy.softmax_query,
    "gradient": family_numpy.loop_and_pullback,
}


class FamilyVerdict:
    """What every contender's answer to one problem is held against. Made once, used for all.

    An answer is an array with the tasks first, or a tuple of such arrays; each has its own e.
    """

    def __init__(
        self,
        problem: FamilyProblem,
        literal: Callable[[Any], Any] | None = None,
        sample: int | None = None,
    ) -> None:
        self.problem = problem
        literal = LITERAL[problem.cell.name] if literal is None else literal
        sample = SAMPLE[problem.cell.name] if sample is None else sample
        wider = np.dtype(np.float64 if problem.dtype == np.float32 else np.longdouble)
        self.truth = parts(literal(problem.part(problem.cell.B, np.dtype(np.float64))))
        self.sizes = [np.maximum(lengths(a), lengths(a).mean()) for a in self.truth]  # (B,) each
        own = parts(literal(problem.part(sample, problem.dtype)))
        exact = parts(literal(problem.part(sample, wider)))
        unit = float(np.finfo(problem.dtype).eps) / 2
        self.allowed = [
            30 * max(unit, float((lengths(mine - there) / size[:sample]).max()))
            for mine, there, size in zip(own, exact, self.sizes, strict=True)
        ]

    def check(self, answer: Any) -> None:
        """Raise AssertionError unless every array is within the allowance in every task."""
        name, found = self.problem.cell.name, parts(answer)
        assert len(found) == len(self.truth), f"{name}: got {len(found)} arrays"
        for i, (got, truth) in enumerate(zip(found, self.truth, strict=True)):
            at = f"{name}, array {i}"
            assert got.shape == truth.shape, f"{at}: expected {truth.shape}, got {got.shape}"
            if got.ndim > 1:  # α and η, one number a task, are read as float64
                expected = self.problem.dtype
                assert got.dtype == expected, f"{at}: expected {expected}, got {got.dtype}"
            worst = float((lengths(got - truth) / self.sizes[i]).max()) / self.allowed[i]
            assert worst <= 1, f"{at}: off by {worst:.3g} × the allowed"


def parts(answer: Any) -> list[np.ndarray]:
    """Give the arrays of an answer."""
    return [np.asarray(a) for a in (answer if isinstance(answer, tuple) else (answer,))]


def lengths(a: np.ndarray) -> np.ndarray:
    """Give the length of every task's entries, (B,)."""
    return np.sqrt((a.reshape(len(a), -1) ** 2).sum(-1))
