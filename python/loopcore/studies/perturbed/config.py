"""What the study of perturbed weights measures: sizes, counts and the seed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from loopcore.studies.frame.intervals import number


class Cell(NamedTuple):
    """A kind of tasks: Gaussian X of n rows, or of a chosen κ."""

    n: int
    condition: float
    """κ of XᵀX, a geometric row of eigenvalues; 0 for Gaussian rows."""

    def name(self, d: int) -> str:
        """Say which tasks they are."""
        return f"κ = {number(self.condition)}" if self.condition else f"n/d = {self.n / d:g}"


def _powers(low: int, high: int, count: int) -> tuple[float, ...]:
    return tuple(float(f"{value:.2g}") for value in np.logspace(low, high, count))


@dataclass(frozen=True)
class Config:
    """What to measure.

    Attributes
    ----------
    d : int
        Length of x, where nothing is trained.
    gaussian : tuple of int
        The n of the cells of Gaussian tasks, each above d.
    conditions : tuple of float
        The κ of the cells with a chosen spectrum, from 1 on.
    n : int
        Examples of those cells, at least d.
    sigmas : tuple of float
        Standard deviations σ of the noise on each entry of P and Q, rising, at least two.
    models, tasks : int
        Noisy models for each cell and σ, at least two, and tasks for each of them.
    loops : int
        T of the question whether the error is above `epsilon`; the rules look at 2T too.
    longest : int
        The most loops, at least 2T. Errors are read after 1, 2, 4, … loops, and after these.
    snr : float
        Signal to noise ratio of y, where it is noisy.
    epsilon : float
        The error that counts as failure, between 0 and 1.
    start_lengths : tuple of float
        ‖q(0)‖, rising, at least two.
    start_tasks : int
        Tasks for each of them.
    mask_n : tuple of int
        The n of the Gaussian tasks for the masks.
    mask_steps : tuple of float
        Steps to tune over, in units of 1/λ_max.
    mask_tasks : int
        Tasks to tune on, and as many to measure on.
    trained_n, trained_d : int
        Examples and length of x of the tasks that models are trained on.
    trained_loops : tuple of int
        Loops to train with.
    near_sigmas : tuple of float
        Noise on the ideal weights that training starts from.
    near, random : int
        Trainings from each such start, and from random weights, for each number of loops.
    trained_tasks, held_out : int
        Tasks to train a model on, and to judge it on.
    iterations : int
        The most iterations of L-BFGS.
    seed : int
        Fixes every number. No part depends on the others.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """

    d: int = 8
    gaussian: tuple[int, ...] = (10, 16, 40)
    conditions: tuple[float, ...] = (10.0, 100.0, 1000.0)
    n: int = 40
    sigmas: tuple[float, ...] = (*_powers(-6, -1, 11), 0.18, 0.32, 0.56, 1.0)
    models: int = 120
    tasks: int = 16
    loops: int = 64
    longest: int = 1024
    snr: float = 10.0
    epsilon: float = 0.01
    start_lengths: tuple[float, ...] = (0.0, 0.1, 1.0, 10.0, 100.0, 1000.0)
    start_tasks: int = 512
    mask_n: tuple[int, ...] = (16, 40)
    mask_steps: tuple[float, ...] = tuple(float(c) for c in 2.0 ** np.arange(-7.0, 1.25, 0.5))
    mask_tasks: int = 192
    trained_n: int = 10
    trained_d: int = 3
    trained_loops: tuple[int, ...] = (1, 2, 4, 8)
    near_sigmas: tuple[float, ...] = (0.01, 0.1)
    near: int = 10
    random: int = 24
    trained_tasks: int = 1000
    held_out: int = 2000
    iterations: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what means nothing."""
        for name, value, least in (
            ("d", self.d, 1),
            ("gaussian", min(self.gaussian, default=self.d + 1), self.d + 1),
            ("n", self.n, self.d),
            ("sigmas", len(self.sigmas), 2),
            ("models", self.models, 2),
            ("tasks", self.tasks, 1),
            ("loops", self.loops, 1),
            ("longest", self.longest, 2 * self.loops),
            ("start_lengths", len(self.start_lengths), 2),
            ("start_tasks", self.start_tasks, 2),
            ("mask_n", len(self.mask_n), 1),
            ("mask_n", min(self.mask_n, default=0), self.d),
            ("mask_steps", len(self.mask_steps), 1),
            ("mask_tasks", self.mask_tasks, 2),
            ("trained_n", self.trained_n, 1),
            ("trained_d", self.trained_d, 1),
            ("trained_loops", len(self.trained_loops), 1),
            ("trained_loops", min(self.trained_loops, default=0), 1),
            ("near_sigmas", len(self.near_sigmas), 1),
            ("near", self.near, 1),
            ("random", self.random, 1),
            ("trained_tasks", self.trained_tasks, 1),
            ("held_out", self.held_out, 2),
            ("iterations", self.iterations, 1),
            ("seed", self.seed, 0),
        ):
            if value < least:
                raise ValueError(f"{name}: expected at least {least}, got {value}")
        if not self.cells:
            raise ValueError("gaussian: expected a number, or one in conditions, got none")
        for name, values in (
            ("sigmas", self.sigmas),
            ("near_sigmas", self.near_sigmas),
            ("mask_steps", self.mask_steps),
        ):
            if not all(0 < value < np.inf for value in values):
                raise ValueError(f"{name}: expected finite numbers above 0, got {values}")
        if not all(1 <= value < np.inf for value in self.conditions):
            raise ValueError(f"conditions: expected finite numbers from 1, got {self.conditions}")
        if not all(0 <= value < np.inf for value in self.start_lengths):
            raise ValueError(f"start_lengths: expected numbers from 0, got {self.start_lengths}")
        for name, values in (("sigmas", self.sigmas), ("start_lengths", self.start_lengths)):
            if any(b <= a for a, b in pairwise(values)):
                raise ValueError(f"{name}: expected rising numbers, got {values}")
        if not 0 < self.snr < np.inf:
            raise ValueError(f"snr: expected a finite number above 0, got {self.snr}")
        if not 0 < self.epsilon < 1:
            raise ValueError(f"epsilon: expected a number between 0 and 1, got {self.epsilon}")

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The kinds of tasks: by n/d, then by κ."""
        return tuple(
            [Cell(n, 0.0) for n in self.gaussian] + [Cell(self.n, c) for c in self.conditions]
        )

    @property
    def at(self) -> tuple[int, ...]:
        """The loops after which errors are read."""
        powers = {2**k for k in range(self.longest.bit_length()) if 2**k <= self.longest}
        return tuple(sorted(powers | {self.loops, 2 * self.loops, self.longest}))


QUICK = Config(
    gaussian=(16, 40),
    conditions=(10.0, 100.0),
    sigmas=(*_powers(-6, -1, 6), 0.18, 0.32, 0.56, 1.0),
    models=60,
    tasks=8,
    start_tasks=64,
    mask_n=(40,),
    mask_steps=tuple(float(c) for c in 2.0 ** np.arange(-7.0, 2.0)),
    mask_tasks=48,
    trained_loops=(1, 2, 4),
    near_sigmas=(0.01,),
    near=4,
    random=8,
    trained_tasks=400,
    held_out=1000,
    iterations=80,
)
"""Within fifteen seconds."""
