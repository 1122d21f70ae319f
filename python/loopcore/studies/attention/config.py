"""What the attention study measures: problems, candidates and sizes."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from loopcore import tasks
from loopcore.tasks import Tasks

Array = npt.NDArray[np.float64]

GENERATING = ("linear", "softmax", "relu", "exp", "softmax ±", "exp ±")
"""Kinds of attention that generate; ± has a second head, with scores and values negated."""

PREDICTING = ("linear", "softmax", "relu", "exp")
"""Kinds that predict."""

HOMOGENEOUS = ("linear", "relu")
"""Kinds with h(s/τ) τ = h(s), to which the temperature is nothing."""

GENERATION, PREDICTION = 0, 1
"""The two parts of the study."""

TARGETS = ("linear", "relu network", "gaussian process")


class Problem(NamedTuple):
    """A distribution of tasks with x ~ N(0, I)."""

    n: int
    """Examples."""
    d: int
    """Length of x."""
    snr: float | None = None
    """The signal-to-noise ratio of the examples' targets, None without noise."""
    targets: str = "linear"
    """One of `TARGETS`: ⟨θ*, x⟩ with ‖θ*‖ = 1, 100 hidden units, or a process of length √d."""

    @property
    def text(self) -> str:
        """The problem in words."""
        words = {"linear": "", "relu network": "ReLU network, "}
        kind = words.get(self.targets, "Gaussian process, ")
        noise = "no noise" if self.snr is None else f"SNR {self.snr:g}"
        return f"{kind}n = {self.n}, d = {self.d}, {noise}"

    def draw(self, count: int, queries: int, seed: list[int]) -> Tasks:
        """Return tasks of this problem."""
        kinds: dict[str, tasks.targets.Targets] = {
            "linear": tasks.Linear(unit=True),
            "relu network": tasks.ReluNetwork(),
            "gaussian process": tasks.GaussianProcess(float(np.sqrt(self.d))),
        }
        targets = kinds[self.targets]
        return tasks.draw(
            count, self.n, self.d, targets=targets, queries=queries, snr=self.snr, rng=seed
        )


@dataclass(frozen=True)
class Config:
    """What to measure.

    Attributes
    ----------
    generation, prediction : tuple of Problem
        The problems of either part. Those of generation are linear. The first ones of each kind
        are drawn in the figure.
    loops, kernel_loops : tuple of int
        The numbers of loops T in generation and in prediction, rising, at least three; everything
        is tuned for each of them.
    temperatures : tuple of float
        Candidates of τ in generation, rising.
    kernel_temperatures : tuple of float
        Candidates of τ/d in prediction, rising.
    steps : tuple of float
        Candidates of the step γ, rising, at least two. "linear" and "relu", which have no
        temperature, try as many steps as the others try pairs, between the same ends.
    tuning, tasks : int
        Tasks to tune on, and others to measure on, of each problem.
    queries : int
        Queries of each task of prediction, at least 2.
    alphas : tuple of float
        Other values to generate, with what was tuned at α = 1; positive.
    seed : int
        Fixes every number.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """

    generation: tuple[Problem, ...] = (
        Problem(40, 8),
        Problem(12, 8),
        Problem(20, 8),
        Problem(160, 8),
        Problem(20, 4),
        Problem(40, 8, 4.0),
        Problem(160, 8, 4.0),
    )
    prediction: tuple[Problem, ...] = (
        Problem(40, 8),
        Problem(12, 8),
        Problem(40, 8, 4.0),
        Problem(80, 4, None, "relu network"),
        Problem(80, 4, None, "gaussian process"),
        Problem(80, 4, 4.0, "gaussian process"),
    )
    loops: tuple[int, ...] = (1, 4, 16, 64, 256)
    kernel_loops: tuple[int, ...] = (1, 4, 16, 64, 256)
    temperatures: tuple[float, ...] = tuple(2.0 ** (k / 2) for k in range(-18, 7))
    kernel_temperatures: tuple[float, ...] = tuple(2.0 ** (k / 2) for k in range(-6, 9))
    steps: tuple[float, ...] = tuple(2.0**k for k in range(-11, 3))
    tuning: int = 48
    tasks: int = 400
    queries: int = 32
    alphas: tuple[float, ...] = (0.1, 10.0)
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what means nothing."""
        problems = (*self.generation, *self.prediction)
        for name, value, least in (
            ("generation", len(self.generation), 1),
            ("prediction", len(self.prediction), 1),
            ("n", min((problem.n for problem in problems), default=1), 1),
            ("d", min((problem.d for problem in problems), default=1), 1),
            ("loops", len(self.loops), 3),
            ("loops", min(self.loops, default=1), 1),
            ("kernel_loops", len(self.kernel_loops), 3),
            ("kernel_loops", min(self.kernel_loops, default=1), 1),
            ("temperatures", len(self.temperatures), 1),
            ("kernel_temperatures", len(self.kernel_temperatures), 1),
            ("steps", len(self.steps), 2),
            ("tuning", self.tuning, 1),
            ("tasks", self.tasks, 2),
            ("queries", self.queries, 2),
            ("seed", self.seed, 0),
        ):
            if value < least:
                raise ValueError(f"{name}: expected at least {least}, got {value}")
        for name, row in (
            ("loops", self.loops),
            ("kernel_loops", self.kernel_loops),
            ("temperatures", self.temperatures),
            ("kernel_temperatures", self.kernel_temperatures),
            ("steps", self.steps),
        ):
            if any(b <= a for a, b in itertools.pairwise(row)):
                raise ValueError(f"{name}: expected rising numbers, got {row}")
        for name, row in (
            ("temperatures", self.temperatures),
            ("kernel_temperatures", self.kernel_temperatures),
            ("steps", self.steps),
            ("alphas", self.alphas),
        ):
            if not all(0 < value < np.inf for value in row):
                raise ValueError(f"{name}: expected finite numbers above 0, got {row}")
        for problem in problems:
            if problem.targets not in TARGETS:
                raise ValueError(
                    f"targets: expected one of {', '.join(TARGETS)}, got {problem.targets!r}"
                )
            if problem.snr is not None and not 0 < problem.snr < np.inf:
                raise ValueError(f"snr: expected a finite number above 0, got {problem.snr}")
        for problem in self.generation:
            if problem.targets != "linear":
                raise ValueError(f"generation: expected linear targets, got {problem.targets!r}")
            if problem.n < problem.d:
                raise ValueError(f"n: expected at least d = {problem.d}, got {problem.n}")

    def tau(self, part: int, i: int) -> tuple[float, ...]:
        """Return the candidates of τ on a part's i-th problem."""
        if part == GENERATION:
            return self.temperatures
        return tuple(self.prediction[i].d * t for t in self.kernel_temperatures)

    def draw(self, part: int, i: int, *, tuning: bool) -> Tasks:
        """Return the tasks of a part's i-th problem: those to tune on, or those to measure on."""
        problem = (self.generation, self.prediction)[part][i]
        count = self.tuning if tuning else self.tasks
        queries = self.queries if part == PREDICTION else 0
        return problem.draw(count, queries, [self.seed, part, i, 0 if tuning else 1])


QUICK = Config(
    generation=(Problem(40, 8), Problem(12, 8), Problem(40, 8, 4.0)),
    prediction=(
        Problem(40, 8),
        Problem(40, 8, 4.0),
        Problem(60, 4, None, "gaussian process"),
    ),
    loops=(1, 4, 16, 64, 256),
    kernel_loops=(1, 4, 16, 64),
    temperatures=tuple(2.0**k for k in range(-8, 3)),
    kernel_temperatures=tuple(2.0**k for k in range(-3, 4)),
    steps=tuple(2.0**k for k in range(-9, 3)),
    tuning=32,
    tasks=200,
    queries=24,
)
