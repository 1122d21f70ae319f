"""Steps that are trained, and the best ones for the known spectrum, both on tasks of their own."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

import loopcore
from loopcore import reference, tasks
from loopcore.studies.optima.reference import best_steps
from loopcore.studies.schedules.config import Config

Array = npt.NDArray[np.float64]

VARIANTS = ("plain", "scaled")  # one schedule for all tasks, or in units of each task's 1/λ_max

_ITERATIONS = 100

# The first number of a seed is the configuration's, the second one of these.
_TEST, _TRAIN, _SPECTRUM = range(3)


class Problem(NamedTuple):
    """A distribution of tasks: Gaussian with n/d, or with a chosen κ."""

    kind: str
    """"gaussian" or "spectrum"."""
    value: float
    """n/d or κ."""

    @property
    def name(self) -> str:
        """A name for tables and figures."""
        return f"n/d = {self.value:g}" if self.kind == "gaussian" else f"κ = {self.value:g}"


class Steps(NamedTuple):
    """The learned and the best steps of one problem, variant and T."""

    learned: Array
    """In the order in which they run, (T,)."""
    best: Array
    """(T,)"""
    loss: Any
    """The mean squared error of the training, on its own tasks."""
    converged: Any
    """Whether L-BFGS met its tolerance."""


def problems(config: Config) -> list[Problem]:
    """Return the problems of a configuration."""
    found = [Problem("gaussian", ratio) for ratio in config.ratios]
    if config.condition is not None:
        found.append(Problem("spectrum", config.condition))
    return found


def draw(config: Config, problem: Problem, purpose: int, numbers: Any) -> tasks.Tasks:
    """Draw tasks of unit θ* with one query x ~ N(0, I) each, by their numbers."""
    d, kind = config.d, problem.kind
    inputs: tasks.inputs.Inputs
    if kind == "gaussian":
        n, inputs = int(np.ceil(problem.value * d)), tasks.Gaussian()
    else:
        n, inputs = 2 * d, tasks.Spectrum(problem.value, "log-uniform")
    return tasks.draw(
        numbers,
        n,
        d,
        inputs=inputs,
        targets=tasks.Linear(unit=True),
        queries=1,
        query_inputs=tasks.Gaussian(),
        rng=[config.seed, purpose, int(kind == "spectrum"), round(1000 * problem.value)],
    )


def draw_tests(config: Config, problem: Problem, start: int, stop: int) -> tasks.Tasks:
    """Draw some of the tasks that everything is measured on."""
    return draw(config, problem, _TEST, np.arange(start, stop))


def train(config: Config, problem: Problem, variant: str, T: int) -> Steps:
    """Train T steps, and compute the best ones.

    The loss is the squared error at a query x ~ N(0, I), in expectation ‖v(T) − θ*‖². Training
    starts from Chebyshev's steps between the median λ_min and the largest λ_max of its tasks, with
    which no task diverges.
    """
    batch = draw(config, problem, _TRAIN, config.train_tasks)
    found = loopcore.spectrum(batch.X)
    low, high = np.asarray(found.lambda_min), np.asarray(found.lambda_max)  # (B,)
    scale = high if variant == "scaled" else np.ones_like(high)
    # y of the query is 0 to start from; dividing rows by √λ_max makes λ_max = 1.
    rows = np.concatenate([batch.X, batch.y[..., None]], axis=-1) / np.sqrt(scale)[:, None, None]
    query = np.concatenate([batch.x_query, np.zeros((len(rows), 1, 1))], axis=-1)
    Z = np.concatenate([rows, query], axis=-2)  # (B, n + 1, d + 1)
    ends = np.array([np.median(low / scale), (high / scale).max()])
    start = reference.adaptive_steps(ends, T, "chebyshev")
    model = loopcore.models.gradient_descent(config.d, update="targets", schedule=start[:, None])
    fit = loopcore.fit(
        model, (Z, batch.y_query[:, 0]), T, "schedule", iterations=_ITERATIONS, num_threads=1
    )
    if fit.message.startswith("interrupted"):
        raise KeyboardInterrupt  # fit keeps what it has, but half a training is none
    assert fit.model.schedule is not None
    learned = np.asarray(fit.model.schedule, np.float64)[:, 0]
    best, _ = best_steps(_eigenvalues(config, problem, variant), T)
    return Steps(in_order(learned), in_order(best), fit.loss, fit.converged)


def in_order(steps: Array) -> Array:
    """Return steps (T,) in an order in which no state on the way is large.

    Gradient descent ends the same in any order; this one is Chebyshev's, by size.
    """
    T = len(steps)
    ordered = np.empty(T)
    ordered[np.argsort(reference.adaptive_steps(np.array([0.1, 1.0]), T, "chebyshev"))] = np.sort(
        steps
    )
    return ordered


def _eigenvalues(config: Config, problem: Problem, variant: str) -> Array:
    """Return the eigenvalues of many tasks, (matrices · d,)."""
    X = draw(config, problem, _SPECTRUM, config.matrices).X
    values = np.square(np.linalg.svd(X, compute_uv=False))
    if variant == "scaled":
        values = values / values.max(axis=-1, keepdims=True)
    return np.asarray(values.ravel())
