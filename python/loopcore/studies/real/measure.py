"""The prompts of one table and one n: how the loop converges on them, and how well it predicts."""

from __future__ import annotations

import math
import zlib
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

import loopcore
from loopcore import baselines, theory
from loopcore.studies.real.config import Config
from loopcore.studies.real.prompts import Prompts, centre_and_scale, draw_rows, standardised
from loopcore.tables import Table

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

TOLERANCES = (0.1, 1e-3, 1e-6)
LEARNERS = ("loops", "best T", "least squares", "ridge", "neighbours", "mean")
"""What predicts: T loops with T by cross-validation, and what they are compared with.

"best T" is the T of the least test error, which nobody knows beforehand.
"""

FOLDS = 5
PENALTIES = np.geomspace(1e-6, 1e2, 25)
"""Candidates for ridge, per row of the prompt."""
NEIGHBOURS = (1, 2, 3, 5, 8, 12, 20, 30)

ROUNDING = 1e-11
"""By how much a relative error may be above the bound: rounding leaves some 1e-13."""
CHUNK = 40
"""Prompts measured at a time."""


class Part(NamedTuple):
    """What was measured of up to `CHUNK` prompts, B; K numbers of loops, as in `Config.loops`."""

    constant: Array
    """(B,) columns that do not vary in the prompt."""
    rank: Array
    """(B,) of X."""
    kappa: Array
    """(B,) over the non-zero eigenvalues of XᵀX; NaN where X = 0."""
    shuffled_kappa: Array
    """(B,) κ if each column is shuffled by itself among the table's rows."""
    squared_norm: Array
    """(B,) ‖θ̂‖²; 0 where y is constant."""
    slowest: Array
    """(B,) share of ‖θ̂‖² along the smallest non-zero eigenvalue; NaN where θ̂ = 0."""
    error: Array
    """(B, K) relative error, measured; NaN where θ̂ = 0."""
    exact: Array
    """(B, K) the same by theory."""
    raw: Array
    """(B, K) |⟨v(T), θ̂⟩ − α| for α = 1."""
    needed: Array
    """(B, len(TOLERANCES)) the fewest loops to a relative error; NaN where θ̂ = 0."""
    risk: Array
    """(B, K) test error of T loops, over the variance of the test rows' y."""
    chosen: Array
    """(B,) T by cross-validation."""
    learners: Array
    """(B, len(LEARNERS)) test error, in the same unit; NaN where it was not measured."""


def measure_chunk(table: Table, n: int, chunk: int, config: Config) -> Part:
    """Measure some prompts of n rows of a table.

    Parameters
    ----------
    table : Table
        In any units.
    n : int
        Rows a prompt.
    chunk : int
        Which of the prompts: from `CHUNK` times this on.
    config : Config
        How many prompts and loops, and the seed.

    Returns
    -------
    Part
        The same for the same table, n, chunk and configuration.
    """
    rng = np.random.default_rng([config.seed, zlib.crc32(table.source.encode()), n, chunk])
    first = chunk * CHUNK
    B = min(config.prompts - first, CHUNK)
    rows = draw_rows(table.X.shape[0], n, B, config.test_rows, rng)
    prompts = standardised(
        table.X[rows[:, :n]], table.y[rows[:, :n]], table.X[rows[:, n:]], table.y[rows[:, n:]]
    )
    at = config.loops
    v = np.asarray(loopcore.trajectory(prompts.X, prompts.y, 1.0, at[-1], at=at))  # (B, K, d)
    return Part(
        constant=np.sum((prompts.X == 0).all(axis=1), axis=-1),
        shuffled_kappa=_shuffled_kappa(table.X, n, B, rng),
        **_convergence(prompts, v, config),
        **_prediction(prompts, v, max(config.slow_prompts - first, 0), config),
    )


def _shuffled_kappa(table: Array, n: int, B: int, rng: np.random.Generator) -> Array:
    """Return κ (B,) of prompts each of whose columns has rows of its own: none correlate."""
    N, d = table.shape
    rows = np.array([rng.choice(N, n, replace=False) for _ in range(B * d)], np.int64)
    X = table[rows.reshape(B, d, n).swapaxes(1, 2), np.arange(d)]  # (B, n, d)
    nothing = np.zeros((B, 0))
    alone = standardised(X, np.zeros((B, n)), np.zeros((B, 0, d)), nothing)
    return np.asarray(loopcore.spectrum(alone.X).kappa)


def _convergence(prompts: Prompts, v: Array, config: Config) -> dict[str, Array]:
    """Return what `Part` says of convergence, for α = 1 and v(T), (B, K, d)."""
    X, y, *_ = prompts
    at = np.array(config.loops)
    spectrum = loopcore.spectrum(X)
    basis = theory.eigenbasis(X, y)
    theta = np.matmul(basis.vectors, basis.theta[..., None])[..., 0]  # (B, d)
    weights, lam = basis.theta**2, basis.eigenvalues
    norm2 = weights.sum(axis=-1)
    learnable = norm2 > 0
    error = loopcore.errors(X, y, 1.0, int(at[-1]), theta=theta, relative=True, at=at)
    eta = np.divide(1, lam[:, 0], out=np.zeros(len(lam)), where=lam[:, 0] > 0)
    shrinkage = theory.loop_shrinkage(at, lam[:, None], eta[:, None])  # (B, K, d)
    exact = theory.relative_error(shrinkage, weights[:, None])
    kappa, rank = np.asarray(spectrum.kappa), np.asarray(spectrum.rank)
    least = np.take_along_axis(weights, np.maximum(rank - 1, 0)[:, None], axis=1)[:, 0]
    needed = np.full((len(lam), len(TOLERANCES)), np.nan)
    for i, tolerance in enumerate(TOLERANCES):
        needed[learnable, i] = fewest_loops(
            lam[learnable], weights[learnable], kappa[learnable], tolerance
        )
    return {
        "rank": rank.astype(np.float64),
        "kappa": kappa,
        "squared_norm": norm2,
        "slowest": np.divide(least, norm2, out=np.full(len(lam), np.nan), where=learnable),
        "error": np.asarray(error),
        "exact": np.asarray(exact),
        "raw": np.abs(np.matmul(v, theta[..., None])[..., 0] - 1),
        "needed": needed,
    }


def fewest_loops(eigenvalues: Array, weights: Array, kappa: Array, tolerance: float) -> Array:
    """Find the fewest loops to a relative error, with η = 1/λ_max, by `theory.relative_error`.

    Parameters
    ----------
    eigenvalues, weights : ndarray, shape (B, d)
        λ falling, and θ̂_i².
    kappa : ndarray, shape (B,)
    tolerance : float
        Below 1.

    Returns
    -------
    ndarray, shape (B,)
        Whole numbers; infinite where twice what the theorem promises is not enough.
    """
    low = np.zeros(len(kappa))  # too few
    high = np.ceil(2 * bound_loops(kappa, tolerance)) + 1
    eta = 1 / eigenvalues[:, 0]

    def error(T: Array) -> npt.ArrayLike:
        return theory.relative_error(theory.loop_shrinkage(T, eigenvalues, eta), weights)

    enough = np.asarray(error(high)) <= tolerance
    for _ in range(200):
        middle = np.floor((low + high) / 2)
        if not ((middle > low) & (middle < high)).any():
            break
        good = np.asarray(error(middle)) <= tolerance
        low, high = np.where(good, low, middle), np.where(good, middle, high)
    return np.where(enough, high, np.inf)


def bound_loops(kappa: Array, tolerance: float) -> Array:
    """Tell after how many loops exp(−T/2κ) is down to a tolerance: 2κ log(1/ε), rounded up."""
    return np.ceil(2 * kappa * math.log(1 / tolerance))


def _prediction(prompts: Prompts, v: Array, slow: int, config: Config) -> dict[str, Array]:
    """Return what `Part` says of test errors; the slow learners are tuned for the first `slow`."""
    X, y, queries, targets = prompts
    unit = np.var(targets, axis=-1)  # (B,)

    def risk(predictions: Array) -> Array:
        """Return the mean square over the variance, (B, ...), of predictions (B, ..., m)."""
        axes = (slice(None), *[None] * (predictions.ndim - 2))
        squares = ((predictions - targets[axes]) ** 2).mean(axis=-1)
        blank = np.full(squares.shape, np.nan)
        return np.asarray(np.divide(squares, unit[axes], out=blank, where=unit[axes] > 0))

    by_loops = risk(v @ queries.swapaxes(-1, -2))
    loops, penalty = choose(prompts, config)
    n = X.shape[1]
    near = np.full(targets.shape, np.nan)
    near[:slow] = baselines.nearest_neighbors(
        X[:slow], y[:slow], queries[:slow], neighbors=[k for k in NEIGHBOURS if k < n]
    )
    learners = {
        "loops": np.take_along_axis(by_loops, loops[:, None], axis=1)[:, 0],
        "best T": by_loops.min(axis=-1),
        "least squares": risk(baselines.least_squares(X, y, queries)),
        "ridge": risk(baselines.ridge(X, y, queries, penalty=n * PENALTIES[penalty][:, None])),
        "neighbours": risk(near),
        "mean": risk(np.zeros(targets.shape)),
    }
    return {
        "risk": by_loops,
        "chosen": np.array(config.loops, np.float64)[loops],
        "learners": np.stack([learners[name] for name in LEARNERS], axis=-1),
    }


def choose(prompts: Prompts, config: Config) -> tuple[Indices, Indices]:
    """Choose the loops and ridge's penalty of each prompt by cross-validation, on the same folds.

    A fold's examples are standardised by the other ones alone: a mean over all rows would tell of
    those left out, and where n ≤ d + 1 it tells everything (then every row is minus the sum of the
    others, and so is its target).

    Both are the exact filters of `theory.eigenbasis`: one decomposition serves all candidates.

    Returns
    -------
    tuple of two ndarray of int, shape (B,)
        Indices into `Config.loops` and `PENALTIES`, the first where two are equal.
    """
    n = prompts.X.shape[1]
    at = np.array(config.loops)
    squares = 0.0
    for k in range(FOLDS):
        fold, scale = _fold(prompts, np.arange(k, n, FOLDS))
        basis = theory.eigenbasis(fold.X, fold.y)
        lam = basis.eigenvalues[:, None]  # (B, 1, d)
        eta = np.divide(1, lam[..., 0], out=np.zeros(lam.shape[:2]), where=lam[..., 0] > 0)
        left = [
            theory.loop_shrinkage(at, lam, eta),
            theory.ridge_shrinkage(fold.X.shape[1] * PENALTIES, lam),
        ]
        theta = (1 - np.concatenate(left, axis=1)) * basis.theta[:, None]  # (B, K + …, d)
        seen = np.matmul(fold.queries, basis.vectors).swapaxes(-1, -2)
        wrong = scale[:, None] * (theta @ seen - fold.targets[:, None])
        squares = squares + (wrong**2).sum(axis=-1)
    by_loops, by_penalty = np.split(squares, [at.size], axis=1)
    return by_loops.argmin(axis=-1), by_penalty.argmin(axis=-1)


def _fold(prompts: Prompts, held: Indices) -> tuple[Prompts, Array]:
    """Return prompts that must predict some of their rows, and the unit of their y, (B, 1).

    In the unit of a prompt's own y, a fold whose other rows vary little counts no more than others.
    """
    X, y = prompts.X, prompts.y
    rest = np.delete(np.arange(X.shape[1]), held)
    _, scale = centre_and_scale(y[:, rest, None])
    fold = standardised(X[:, rest], y[:, rest], X[:, held], y[:, held])
    return fold, np.where(scale > 0, scale, 1)[..., 0]
