"""Is a timed answer of the family right? Truth from the literal matrices.

A task's answer may be off by 30 max(u, e), as a fraction of its size: u is the unit roundoff of its
type, and e how far the literal loop in that type is off at most on some of the problem's own tasks,
against the next wider type. The truth is the literal loop in float64. A gradient may vanish while
its terms do not, so that no task counts as smaller than the mean. The gradient of what all prompts
share is a sum over them: its e is that of its terms, and it counts no smaller than √B terms, which
is what terms with errors of their own are off by.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import family_numpy
from family import VJP_CELLS, FamilyProblem

# Tasks on which e is found, a second or two of longdouble. It has a tail over tasks in the gradient
# of η alone: on 32 of them it came out so small that two peers lay 1.7 times beyond 30 e.
SAMPLE = {"linear": 32, "softmax": 128, "gradient": 512, "linear_vjp": 16, "softmax_vjp": 64}
LITERAL: dict[str, Callable[[Any], Any]] = {
    "linear": family_numpy.linear_scores,
    "softmax": family_numpy.generate,
    "gradient": family_numpy.loop_and_pullback,
} | dict.fromkeys(VJP_CELLS, family_numpy.model_and_pullback)
SHARED = (1, 2, 3)  # of the arrays of a VJP cell: the gradients by P, Q and η


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
        self.shared = SHARED if problem.cell.name in VJP_CELLS else ()
        wider = np.dtype(np.float64 if problem.dtype == np.float32 else np.longdouble)
        everything, double = slice(problem.cell.B), np.dtype(np.float64)
        self.truth = self.parts(literal(problem.part(everything, double)))
        own, exact = (self.sample(literal, sample, dtype) for dtype in (problem.dtype, wider))
        unit = float(np.finfo(problem.dtype).eps) / 2
        self.allowed = [
            30 * max(unit, error(mine, there)) for mine, there in zip(own, exact, strict=True)
        ]
        self.least = [
            np.sqrt(problem.cell.B) * lengths(there).mean() if i in self.shared else 0.0
            for i, there in enumerate(exact)
        ]

    def sample(
        self, literal: Callable[[Any], Any], count: int, dtype: np.dtype
    ) -> list[np.ndarray]:
        """Give the arrays of the first tasks, with the terms that sum to what all tasks share."""
        arrays = self.parts(literal(self.problem.part(slice(count), dtype)))
        if not self.shared:
            return arrays
        alone = [literal(self.problem.part(slice(k, k + 1), dtype)) for k in range(count)]
        terms = {i: np.stack([one[i] for one in alone]) for i in self.shared}
        return [terms.get(i, array) for i, array in enumerate(arrays)]

    def check(self, answer: Any) -> None:
        """Raise AssertionError unless every array is within the allowance in every task."""
        name, found = self.problem.cell.name, self.parts(answer)
        assert len(found) == len(self.truth), f"{name}: got {len(found)} arrays"
        for i, (got, truth) in enumerate(zip(found, self.truth, strict=True)):
            at = f"{name}, array {i}"
            assert got.shape == truth.shape, f"{at}: expected {truth.shape}, got {got.shape}"
            # α and η, one number a task, are read as float64, and so are the models' parameters.
            if got.ndim > 1 and i not in self.shared:
                expected = self.problem.dtype
                assert got.dtype == expected, f"{at}: expected {expected}, got {got.dtype}"
            worst = error(got, truth, self.least[i]) / self.allowed[i]
            assert worst <= 1, f"{at}: off by {worst:.3g} × the allowed"

    def parts(self, answer: Any) -> list[np.ndarray]:
        """Give the arrays of an answer, each with the tasks first."""
        arrays = [np.asarray(a) for a in (answer if isinstance(answer, tuple) else (answer,))]
        return [a[None] if i in self.shared else a for i, a in enumerate(arrays)]


def error(got: np.ndarray, truth: np.ndarray, least: float = 0.0) -> float:
    """Give the largest distance of a task from the truth, as a fraction of the truth's size."""
    size = lengths(truth)  # (B,)
    return float((lengths(got - truth) / np.maximum(size, max(size.mean(), least))).max())


def lengths(a: np.ndarray) -> np.ndarray:
    """Give the length of every task's entries, (B,)."""
    return np.sqrt((a.reshape(len(a), -1) ** 2).sum(-1))
