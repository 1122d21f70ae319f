"""What the prompts of one table and one n have in common: medians over prompts, and counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

import loopcore
from loopcore import theory
from loopcore.studies.frame.intervals import Interval, quantile
from loopcore.studies.real.config import Config
from loopcore.studies.real.measure import (
    LEARNERS,
    ROUNDING,
    TOLERANCES,
    Part,
    bound_loops,
)
from loopcore.studies.real.prompts import standardised
from loopcore.tables import Table

Array = npt.NDArray[np.float64]

LONGEST_NAME = 20
"""Of a table: a file's name may be any length, and sentences and tables must stay readable."""


@dataclass(frozen=True, eq=False)
class Whole:
    """A table as a whole, every column and the target standardised.

    Attributes
    ----------
    name : str
        Cut where it is long.
    target : str
    n, d : int
        Rows, and features in use.
    kappa : float
        Over the non-zero eigenvalues of XᵀX, and so of the features' correlation matrix.
    rank : int
    explained : float
        R² of least squares on all rows, which it was fitted to.
    notes : tuple of str
        What was left out or converted.
    """

    name: str
    target: str
    n: int
    d: int
    kappa: float
    rank: int
    explained: float
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Cell:
    """What was measured of the prompts of n rows of a table.

    Intervals are medians over prompts. K numbers of loops, as in `Config.loops`; ε as in
    `TOLERANCES`; L learners as in `LEARNERS`.

    Attributes
    ----------
    table : str
    n, d : int
    prompts : int
        B.
    blank : int
        Prompts whose y is constant, or whose θ̂ is 0 for another reason: they have no relative
        error, and no part in what follows but for rank, κ and test errors.
    constant : Interval
        Columns that do not vary in a prompt.
    rank, kappa, shuffled_kappa : Interval
        Of X; κ over the non-zero eigenvalues; and κ where each column has rows of its own.
    limit : float
        Marchenko and Pastur's κ for n − 1 rows: the mean takes one.
    compared : int
        How many relative errors, at T ≥ 1, were held against the bounds.
    above_bound, above_rate : int
        How many of them were above exp(−T/2κ), and above (1 − 1/κ)^T, by more than `ROUNDING`.
    excess : float
        The largest relative error − exp(−T/2κ); NaN if none was compared.
    deviation : float
        The largest |relative error − its exact value|.
    error, bound : ndarray, shape (K,)
        Medians of the relative error and of exp(−T/2κ).
    slowest : Interval
        Share of ‖θ̂‖² along the smallest non-zero eigenvalue.
    needed : Interval, shape (len(TOLERANCES),)
        Loops to a relative error of ε.
    slack : Interval, shape (len(TOLERANCES),)
        How many times more of them exp(−T/2κ) ≤ ε asks for.
    plateau : Interval
        |‖θ̂‖² − 1|, where the raw error |⟨v(T), θ̂⟩ − α| of α = 1 ends.
    raw_above : int
        Prompts whose raw error is above exp(−T/2κ) at some T ≥ 1.
    risk : Interval, shape (K,)
        Test error of T loops: mean square over the variance of the test rows' y, 1 − R².
    chosen : Interval
        T by cross-validation.
    error_chosen, bound_chosen : Interval
        The relative error, and exp(−T/2κ), at that T.
    learners : Interval, shape (L,)
        Test errors.
    ratio : Interval, shape (L,)
        Test error of the loops over that of each learner, prompt by prompt.
    """

    table: str
    n: int
    d: int
    prompts: int
    blank: int
    constant: Interval
    rank: Interval
    kappa: Interval
    shuffled_kappa: Interval
    limit: float
    compared: int
    above_bound: int
    above_rate: int
    excess: float
    deviation: float
    error: Array
    bound: Array
    slowest: Interval
    needed: Interval
    slack: Interval
    plateau: Interval
    raw_above: int
    risk: Interval
    chosen: Interval
    error_chosen: Interval
    bound_chosen: Interval
    learners: Interval
    ratio: Interval


def whole(table: Table) -> Whole:
    """Sum up a table of which all rows are one prompt."""
    X, y = table.X[None], table.y[None]
    prompt = standardised(X, y, X[:, :0], y[:, :0])
    spectrum = loopcore.spectrum(prompt.X[0])
    basis = theory.eigenbasis(prompt.X[0], prompt.y[0])
    n, d = table.X.shape
    left = float(basis.residual) ** 2 / n
    name = table.source
    return Whole(
        name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…",
        table.target_name,
        n,
        d,
        float(spectrum.kappa),
        int(spectrum.rank),
        1 - left,
        table.notes,
    )


def cell(table: Whole, n: int, parts: Sequence[Part], config: Config) -> Cell:
    """Sum up the parts that were measured of the prompts of n rows of a table."""
    all_of = Part(*(np.concatenate(field) for field in zip(*parts, strict=True)))
    known = all_of.squared_norm > 0
    some = Part(*(field[known] for field in all_of))
    at = np.array(config.loops, np.float64)
    kappa = some.kappa[:, None]
    bound = np.asarray(theory.relative_error_bound(at, kappa))  # (B, K)
    rate = np.asarray(theory.gradient_descent_bound(at, kappa))
    asked = np.stack([bound_loops(some.kappa, tolerance) for tolerance in TOLERANCES], axis=-1)
    place = np.searchsorted(at, some.chosen)[:, None]
    later = at > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = all_of.learners[:, :1] / all_of.learners
    return Cell(
        table=table.name,
        n=n,
        d=table.d,
        prompts=len(known),
        blank=int(np.sum(~known)),
        constant=_median(all_of.constant),
        rank=_median(all_of.rank),
        kappa=_median(all_of.kappa),
        shuffled_kappa=_median(all_of.shuffled_kappa),
        limit=float(theory.marchenko_pastur_kappa(n - 1, table.d)),
        compared=int(known.sum() * later.sum()),
        above_bound=int(np.sum((some.error > bound + ROUNDING)[:, later])),
        above_rate=int(np.sum((some.error > rate + ROUNDING)[:, later])),
        excess=_largest((some.error - bound)[:, later]),
        deviation=_largest(np.abs(some.error - some.exact)),
        error=_median(some.error).value,
        bound=_median(bound).value,
        slowest=_median(some.slowest),
        needed=_median(some.needed),
        slack=_median(asked / some.needed),
        plateau=_median(np.abs(some.squared_norm - 1)),
        raw_above=int(np.sum((some.raw > bound + ROUNDING)[:, later].any(axis=-1))),
        risk=_median(all_of.risk),
        chosen=_median(all_of.chosen),
        error_chosen=_median(np.take_along_axis(some.error, place, axis=1)[:, 0]),
        bound_chosen=_median(np.take_along_axis(bound, place, axis=1)[:, 0]),
        learners=_by_learner(all_of.learners),
        ratio=_by_learner(ratio),
    )


def _median(samples: Array) -> Interval:
    """Return medians over prompts, of those that have a number at all; NaN where none has."""
    rows = samples[~np.isnan(samples).any(axis=tuple(range(1, samples.ndim)))]
    if not len(rows):
        nothing = np.full(samples.shape[1:], np.nan)
        return Interval(nothing, nothing, nothing)
    return quantile(rows)


def _by_learner(samples: Array) -> Interval:
    """Return medians (L,) over the prompts for which each learner was measured."""
    columns = [_median(samples[:, i]) for i in range(len(LEARNERS))]
    return Interval(*(np.array(part) for part in zip(*columns, strict=True)))


def _largest(values: Array) -> float:
    return float(values.max()) if values.size else math.nan
