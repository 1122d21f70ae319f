"""Trained models of the optima study: random tasks, and what training makes of a start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

import loopcore
from loopcore import LoopedTransformer

Array = npt.NDArray[np.float64]


class Tasks(NamedTuple):
    """Prompts whose query row has 0 in the y slot, and what it should predict."""

    Z: Array
    """(B, n + 1, d + 1)"""
    target: Array
    """(B,)"""


def draw(
    rng: np.random.Generator,
    tasks: int,
    n: int,
    d: int,
    *,
    x_root: Array | None = None,
    w_root: Array | None = None,
) -> Tasks:
    """Draw tasks y = ⟨w, x⟩, where x and w are the roots (d, d), or I, times N(0, I)."""
    X = rng.standard_normal((tasks, n + 1, d))
    w = rng.standard_normal((tasks, d))
    X = X if x_root is None else X @ x_root.T
    w = w if w_root is None else w @ w_root.T
    Z = np.concatenate([X, X @ w[..., None]], axis=-1)
    target = Z[:, -1, -1].copy()
    Z[:, -1, -1] = 0
    return Tasks(Z, target)


def held_out_loss(model: LoopedTransformer, tasks: Tasks, T: int) -> float:
    """Return the mean squared error of a model on tasks that it was not trained on."""
    prediction = -model(tasks.Z, T)[:, -1, -1]
    return float(np.mean(np.square(prediction - tasks.target)))


class Trainer:
    """Trains models on SciPy's L-BFGS, and counts how that ended.

    Attributes
    ----------
    fits : int
        How many models were trained.
    converged : int
        How many met the tolerance of `loopcore.fit`. The others ended where the line search found
        nothing lower, which a start at the optimum does too.
    """

    def __init__(self) -> None:
        self.fits = 0
        self.converged = 0

    def step(
        self, tasks: Tasks, T: int, update: Literal["targets", "all"] = "targets"
    ) -> LoopedTransformer:
        """Train the one step of gradient descent that all T loops take."""
        n, d = _shape(tasks)
        model = loopcore.models.gradient_descent(d, update=update, eta=0.5 / (n + d))
        return self._fit(model, tasks, T, "eta")

    def schedule(self, tasks: Tasks, T: int, constant: float) -> LoopedTransformer:
        """Train T steps, from the best constant on.

        They start apart: equal steps have equal gradients, and would stay equal.
        """
        start = constant * np.linspace(0.5, 1.5, T)[:, None]
        model = loopcore.models.gradient_descent(_shape(tasks)[1], update="targets", schedule=start)
        return self._fit(model, tasks, T, "schedule")

    def preconditioner(self, tasks: Tasks) -> LoopedTransformer:
        """Train Γ of one step, all d² entries of it."""
        n, d = _shape(tasks)
        start = np.eye(d) / (3 * n)
        model = loopcore.models.preconditioned(start, update="targets", eta=1.0)
        return self._fit(model, tasks, 1, "Q")

    def gd_plus_plus(self, tasks: Tasks, T: int) -> LoopedTransformer:
        """Train η and one γ for every coordinate of x, from gradient descent on."""
        n, d = _shape(tasks)
        model = loopcore.models.gd_plus_plus(0.0, d, eta=0.5 / (n + d))
        x_diagonal = np.diag(np.append(np.ones(d, np.bool_), False))
        return self._fit(model, tasks, T, ["eta", "P"], {"P": x_diagonal})

    def _fit(
        self,
        model: LoopedTransformer,
        tasks: Tasks,
        T: int,
        parameters: str | list[str],
        free: Mapping[str, Any] | None = None,
    ) -> LoopedTransformer:
        # One thread: where others use the cores too, two took three times as long, not half.
        found = loopcore.fit(
            model, (tasks.Z, tasks.target), T, parameters, free=free, num_threads=1
        )
        if found.message.startswith("interrupted"):
            raise KeyboardInterrupt  # fit keeps what it has, but half a study is none
        self.fits += 1
        self.converged += found.converged
        return found.model


def _shape(tasks: Tasks) -> tuple[int, int]:
    """Return n and d."""
    return tasks.Z.shape[1] - 1, tasks.Z.shape[2] - 1
