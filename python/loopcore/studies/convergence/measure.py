"""The parts of the convergence study: errors of random tasks, whole, or reduced for the search."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

import loopcore
from loopcore import tasks, theory
from loopcore.studies.convergence.config import Config
from loopcore.studies.frame.intervals import Interval, quantile
from loopcore.studies.frame.parts import Parts

Array = npt.NDArray[np.float64]

QUANTILES = (0.05, 0.5, 0.95)  # of the error curves
SEARCHED = (0.5, 0.95)  # the quantiles of the search
RESAMPLES = 400

_CHUNK = 1000  # tasks of the error curves at a time
_NUMBERS = 4_000_000  # entries of X at a time, in the search and its check
_ROUNDING = 1e-12  # of |α|: far above what float64 leaves, far below what a figure shows

# The first number of a seed is the configuration's, the second one of these.
_CURVES, _ALPHAS, _SEARCH, _CHECK = range(4)


class _Curve(NamedTuple):
    """Some tasks of one n."""

    errors: Array
    """(B, T + 1)"""
    kappa: Array
    """(B,)"""


class Cell(NamedTuple):
    """The tasks of one d and n in the search."""

    error: Array
    """The quantiles `SEARCHED` of the errors after the loops of the search, (2, K)."""
    resampled: Array
    """The same for resamples of the tasks, (RESAMPLES, 2, K)."""


class _Whole(NamedTuple):
    """Some tasks with all rows drawn."""

    errors: Array
    """(B,)"""


class Curves(NamedTuple):
    """What one n gave, over all its tasks.

    Attributes
    ----------
    n : int
        The number of examples.
    kappa : ndarray, shape (3,)
        The `QUANTILES` of κ over the tasks.
    error, bound : ndarray, shape (3, T + 1)
        The `QUANTILES` of |⟨v(t), θ*⟩ − α| and of |α| exp(−t/2κ), for t = 0 … T.
    largest_ratio : float
        The largest error/bound of any task after any loop t ≥ 1.
    above_bound : int
        How many errors were above their task's bound by more than rounding: the theorem says 0.
    """

    n: int
    kappa: Array
    error: Array
    bound: Array
    largest_ratio: float
    above_bound: int


# ---- error curves -------------------------------------------------------------------------------


def measure_curves(config: Config, parts: Parts) -> tuple[Curves, ...]:
    """Measure the error after every loop, a `Curves` for each n of the configuration."""
    keys = [(n, start) for n in config.examples for start in range(0, config.tasks, _CHUNK)]

    def measure(key: tuple[int, int]) -> _Curve:
        n, start = key
        numbers = np.arange(start, min(start + _CHUNK, config.tasks))
        batch = _draw(config, (_CURVES, n), numbers, n, config.d)
        alpha = _alphas(config, n)[numbers]
        errors = loopcore.errors(batch.X, batch.y, alpha, config.loops, theta=batch.theta)
        return _Curve(np.asarray(errors, np.float64), np.asarray(loopcore.spectrum(batch.X).kappa))

    found = parts("error curves", keys, _Curve, measure)
    curves = []
    for n in config.examples:
        mine = [part for key, part in zip(keys, found, strict=True) if key[0] == n]
        errors, kappa = (np.concatenate(arrays) for arrays in zip(*mine, strict=True))
        curves.append(summed_up(n, errors, kappa, np.abs(_alphas(config, n))))
    return tuple(curves)


def summed_up(n: int, errors: Array, kappa: Array, scale: Array) -> Curves:
    """Reduce errors (tasks, T + 1), κ (tasks,) and |α| (tasks,) to quantiles over the tasks."""
    t = np.arange(errors.shape[1])
    bounds = scale[:, None] * theory.relative_error_bound(t, kappa[:, None])  # (tasks, T + 1)
    allowed = bounds + _ROUNDING * scale[:, None]
    return Curves(
        n=n,
        kappa=np.quantile(kappa, QUANTILES),
        error=np.quantile(errors, QUANTILES, axis=0),
        bound=np.quantile(bounds, QUANTILES, axis=0),
        largest_ratio=float(np.max(errors[:, 1:] / bounds[:, 1:])),
        above_bound=int(np.sum(errors > allowed)),
    )


def _alphas(config: Config, n: int) -> Array:
    """Return α of all tasks of one n, (tasks,)."""
    if config.alpha == "random":
        return np.random.default_rng([config.seed, _ALPHAS, n]).standard_normal(config.tasks)
    return np.full(config.tasks, config.alpha)


def _draw(
    config: Config, key: tuple[int, ...], numbers: npt.NDArray[np.int64], n: int, d: int
) -> tasks.Tasks:
    """Draw the tasks of these numbers: Gaussian X, unit θ*, y = Xθ*."""
    unit = tasks.Linear(unit=True)
    return tasks.draw(numbers, n, d, targets=unit, rng=[config.seed, *key])


# ---- the search ---------------------------------------------------------------------------------


def searched_examples(config: Config, d: int) -> npt.NDArray[np.int64]:
    """Return the rising n that the search tries for d, (N,)."""
    octaves = np.log2(config.largest_ratio) + 1
    steps = np.arange(int(np.floor(octaves * config.per_octave + 1e-9)) + 1)
    return np.unique(np.ceil(d * 2.0 ** (steps / config.per_octave - 1)).astype(np.int64))


def measure_cell(config: Config, d: int, n: int) -> Cell:
    """Measure the quantiles of the error over fresh tasks of one d and n."""
    rng = np.random.default_rng([config.seed, _SEARCH, d, n])
    B, at = config.search_tasks, config.search_loops
    theta = np.eye(1, d)[0]  # (d,), e_1
    errors = np.empty((B, len(at)))
    most = max(_NUMBERS // d**2, 1)
    for start in range(0, B, most):
        X = reduced_inputs(rng, min(most, B - start), n, d)
        part = slice(start, start + len(X))
        errors[part] = loopcore.errors(X, X[..., 0], 1.0, at[-1], theta=theta, at=at)
    errors.sort(axis=0)
    # The ⌈qB⌉-th smallest; that of a resample is the ⌈BU⌉-th one, U the ⌈qB⌉-th of B uniform ones.
    ranks = [max(int(np.ceil(q * B)), 1) for q in SEARCHED]
    places = [np.ceil(B * rng.beta(k, B + 1 - k, RESAMPLES)).astype(np.int64) - 1 for k in ranks]
    return Cell(
        np.stack([errors[k - 1] for k in ranks]),
        np.stack([errors[place] for place in places], axis=1),
    )


def reduced_inputs(rng: np.random.Generator, B: int, n: int, d: int) -> Array:
    """Draw bidiagonal X (B, d, d) that with θ* = e_1 have the errors of Gaussian (n, d) ones.

    The error is a function of λ_max and of ⟨θ*, p(XᵀX) θ*⟩, which no rotation of the rows changes,
    nor one of θ* and the columns together. Householder's reflections turn θ* into e_1 and X into an
    upper bidiagonal matrix; for Gaussian X its entries are independent, and have the distributions

        x_ii ~ χ(n − i),   x_i,i+1 ~ χ(d − 1 − i),   i = 0, 1, …, min(n, d) − 1

    so that a task costs 2d random numbers and not nd, exactly and for any n.

    Source: I. Dumitriu and A. Edelman, "Matrix models for beta ensembles", 2002; G. H. Golub and
    W. Kahan, "Calculating the singular values and pseudo-inverse of a matrix", 1965.
    """
    X = np.zeros((B, d, d))
    i = np.arange(min(n, d))
    X[:, i, i] = np.sqrt(rng.chisquare(n - i, (B, len(i))))
    i = i[: d - 1]
    X[:, i, i + 1] = np.sqrt(rng.chisquare(d - 1 - i, (B, len(i))))
    return X


def check_whole(
    config: Config, sizes: list[tuple[int, int]], T: int, parts: Parts
) -> list[Interval]:
    """Return the median error after T loops of tasks with all rows drawn, for each (d, n)."""
    keys = []
    for d, n in sizes:
        most = max(_NUMBERS // (n * d), 1)
        keys += [(d, n, start, most) for start in range(0, config.search_tasks, most)]

    def measure(key: tuple[int, int, int, int]) -> _Whole:
        d, n, start, most = key
        numbers = np.arange(start, min(start + most, config.search_tasks))
        X, y, theta, *_ = _draw(config, (_CHECK, d, n), numbers, n, d)
        errors = loopcore.errors(X, y, 1.0, T, theta=theta, at=[T])  # (B, 1)
        return _Whole(np.asarray(errors[:, 0], np.float64))

    found = parts("checking", keys, _Whole, measure)
    medians = []
    for size in sizes:
        mine = [part.errors for key, part in zip(keys, found, strict=True) if key[:2] == size]
        medians.append(quantile(np.concatenate(mine)))
    return medians
