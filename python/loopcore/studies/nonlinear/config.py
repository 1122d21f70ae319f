"""What the nonlinear study measures: targets, sizes, candidates and the seed."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from loopcore import tasks
from loopcore.tasks.targets import Targets

Array = npt.NDArray[np.float64]

QUADRATIC = "quadratic"
NETWORK = "ReLU network"
PROCESS = "Gaussian process"

RAW, CONSTANT, LIFTED = "raw x", "raw x and 1", "lifted"
CHOSEN = "lifted, folds"
LIMIT = "lifted, T → ∞"
KERNELS = ("softmax", "exp", "relu", "rbf")
RIDGE = "ridge, lifted"
KERNEL_RIDGES = ("ridge, exp", "ridge, rbf")
NEIGHBORS = "neighbours"

METHODS = (RAW, CONSTANT, LIFTED, CHOSEN, LIMIT, *KERNELS, RIDGE, *KERNEL_RIDGES, NEIGHBORS)
"""All methods; kernels alone are kernel attention."""


_MOST_NUMBERS = 4_000_000  # in the X of a setting of raw x alone: half a second, 32 MB


class Setting(NamedTuple):
    """Which tasks: their targets, dimension, and number of examples."""

    target: str
    d: int
    n: int


@dataclass(frozen=True)
class Config:
    """What to measure.

    Attributes
    ----------
    dims : tuple of int
        The lengths d of x; the tables and figures that show one show the middle one.
    rates : tuple of float
        Rising numbers of examples n over p = (d + 1)(d + 2)/2, the number of lifted features; n is
        rounded, and at least 2.
    linear_rates : tuple of float
        More of them, above `rates`, for raw x alone, which needs many examples to come to its
        floor.
    other_rates : tuple of float
        Those for the targets that are not quadratic, at the middle d; none leaves them out.
    hidden : int
        Hidden units of the network.
    length : float
        Length scale of the Gaussian process over √d.
    steps : tuple of float
        Candidate steps, in units of 1/λ_max of the task, below 2.
    widths : tuple of float
        Candidate temperatures, and bandwidths of "rbf", in units of √d.
    penalties : tuple of float
        Candidate penalties of ridge, in units of λ_max of the task.
    neighbors : tuple of int
        Candidate numbers of neighbours; those above n are left out.
    loops : int
        The largest candidate T, at least 1.
    tasks, held_out : int
        Tasks to measure errors on, and other ones to tune on, of each setting. Settings of raw x
        alone have up to ten times as many.
    checked : int
        How many of the tasks kernel attention itself runs on; the errors of the others are those
        of its closed form.
    queries : int
        Queries of each task, at least 2.
    seed : int
        Fixes every number. The tasks of one setting do not depend on the others.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """

    dims: tuple[int, ...] = (3, 5, 8)
    rates: tuple[float, ...] = (0.25, 0.5, 1.0, 1.5, 2.0, 4.0)
    linear_rates: tuple[float, ...] = (16.0, 64.0)
    other_rates: tuple[float, ...] = (1.0, 4.0)
    hidden: int = 100
    length: float = 1.0
    steps: tuple[float, ...] = (0.5, 1.0, 1.5)
    widths: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
    penalties: tuple[float, ...] = (1e-10, 1e-8, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
    neighbors: tuple[int, ...] = (1, 2, 4, 8, 16)
    loops: int = 4096
    tasks: int = 300
    held_out: int = 60
    checked: int = 40
    queries: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what means nothing."""
        for name, value, least in (
            ("dims", min(self.dims, default=0), 1),
            ("rates", len(self.rates), 1),
            ("hidden", self.hidden, 1),
            ("neighbors", min(self.neighbors, default=0), 1),
            ("loops", self.loops, 1),
            ("tasks", self.tasks, 2),
            ("held_out", self.held_out, 1),
            ("checked", self.checked, 1),
            ("queries", self.queries, 2),
            ("seed", self.seed, 0),
        ):
            if value < least:
                raise ValueError(f"{name}: expected at least {least}, got {value}")
        for name, values in (
            ("dims", self.dims),
            ("rates and linear_rates", self.rates + self.linear_rates),
            ("other_rates", self.other_rates),
        ):
            if any(b <= a for a, b in itertools.pairwise(values)):
                raise ValueError(f"{name}: expected rising numbers, got {values}")
        for name, numbers, most in (
            ("rates", self.rates + self.linear_rates, math.inf),
            ("other_rates", self.other_rates, math.inf),
            ("length", (self.length,), math.inf),
            ("steps", self.steps, 2.0),
            ("widths", self.widths, math.inf),
            ("penalties", self.penalties, math.inf),
        ):
            if not all(0 < value < most for value in numbers):
                raise ValueError(f"{name}: expected between 0 and {most:g}, got {numbers}")
        if not (self.steps and self.widths and self.penalties):
            raise ValueError("steps, widths and penalties: expected at least one candidate each")

    @property
    def candidates(self) -> npt.NDArray[np.int64]:
        """The candidates T, (K,): powers of two, and `loops`."""
        powers = 2 ** np.arange(self.loops.bit_length())
        return np.union1d(powers, [self.loops])

    @property
    def middle(self) -> int:
        """The d of the tables and figures that show one."""
        return self.dims[len(self.dims) // 2]

    @property
    def settings(self) -> tuple[Setting, ...]:
        """All settings: quadratic ones by d and n, then the other targets at the middle d."""
        rates = self.rates + self.linear_rates
        quadratic = [(QUADRATIC, d, rate) for d in self.dims for rate in rates]
        other = [(t, self.middle, rate) for t in (NETWORK, PROCESS) for rate in self.other_rates]
        return tuple(
            Setting(target, d, max(round(rate * features(d)), 2))
            for target, d, rate in quadratic + other
        )

    def methods(self, setting: Setting) -> tuple[str, ...]:
        """Return the methods that a setting is measured with."""
        most = max(self.rates) * features(setting.d)
        many = setting.target == QUADRATIC and setting.n > max(round(most), 2)
        return (RAW, CONSTANT) if many else METHODS

    def count(self, setting: Setting) -> int:
        """Return on how many tasks a setting is measured."""
        if len(self.methods(setting)) == len(METHODS):
            return self.tasks
        most = _MOST_NUMBERS // ((setting.n + self.queries) * setting.d)
        return max(min(most, 10 * self.tasks), self.tasks)

    def targets(self, setting: Setting) -> Targets:
        """Return what the y of a setting come from."""
        if setting.target == NETWORK:
            return tasks.ReluNetwork(self.hidden)
        if setting.target == PROCESS:
            return tasks.GaussianProcess(self.length * math.sqrt(setting.d))
        return tasks.Quadratic()


def features(d: int) -> int:
    """Return the number of lifted features, p."""
    return (d + 1) * (d + 2) // 2


def raw_floor(d: int, *, constant: bool) -> float:
    """Return the least mean error of a linear function of x for quadratic targets, over Var(y).

    The features are orthonormal and their weights N(0, I/p), so that p − 1 of them, all but the
    constant, make up Var(y) = (p − 1)/p on average. A linear function with a constant is left with
    p − 1 − d of them: (d + 1)/(d + 3). Without one it also misses the constant: (p − d)/(p − 1).

    Examples
    --------
    >>> round(raw_floor(5, constant=True), 9), round(raw_floor(5, constant=False), 9)
    (0.75, 0.8)
    """
    p = features(d)
    return (p - d - constant) / (p - 1)


def least_error(n: int, d: int) -> float:
    """Return the least mean error of any method for quadratic targets, over Var(y).

    Given n < p examples, w ~ N(0, I/p) has the least-norm solution as its posterior mean and
    covariance (I − P)/p, P the projection on the n lifted examples: what is left of E y² at a new
    x is tr(I − P)/p = (p − n)/p on average, and of Var(y) it is (p − n)/(p − 1). From n = p on it
    is 0.

    Examples
    --------
    >>> least_error(11, 5), least_error(21, 5)
    (0.5, 0.0)
    """
    p = features(d)
    return max(p - n, 0) / (p - 1)


QUICK = Config(
    dims=(3, 5),
    rates=(0.5, 1.0, 2.0, 4.0),
    other_rates=(2.0,),
    widths=(1.0, 2.0, 4.0, 8.0),
    loops=1024,
    tasks=100,
    held_out=40,
    checked=20,
)
