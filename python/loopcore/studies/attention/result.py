"""The result of the attention study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from loopcore.studies.attention.config import Config, Problem
from loopcore.studies.frame.intervals import Interval

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Tuned:
    """What was chosen for each of K numbers of loops.

    Attributes
    ----------
    temperature, step : ndarray, shape (K,)
        τ and γ.
    at_edge : ndarray of bool, shape (K,)
        Whether one of them is the first or last of its candidates (a temperature only where the
        kind has one).
    """

    temperature: Array
    step: Array
    at_edge: npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Generated:
    """How one kind generates on one problem, after each of K numbers of loops.

    Attributes
    ----------
    problem : Problem
    kind : str
    tuned : Tuned
    distance : Interval, shape (K,)
        Median of ‖v − αθ*‖ / (|α| ‖θ*‖).
    tail : Interval, shape (K,)
        Its 90 % quantile.
    value_error : Interval, shape (K,)
        Median of |⟨v, θ*⟩ − α| / |α|.
    limit : Interval, shape (K,)
        Median of the distance at the minimiser that infinitely many loops at this temperature tend
        to; infinite where half of the tasks have none.
    value_limit : Interval, shape (K,)
        Median of the value error there.
    above_limit : Interval, shape (K,)
        Median of the distance over that at the task's own minimiser, over the tasks that have one
        other than αθ*; NaN without any.
    asymptotic : ndarray, shape (K,)
        `minimisers.asymptotic_distance` at the temperature.
    multiple : Interval, shape ()
        The median distance after the last loops over that of linear attention, tasks resampled
        together; NaN without noise, where that of linear is rounding.
    scaled : Interval, shape (A,)
        The distance after the last loops for the other α of the configuration.
    rate : Interval, shape ()
        Median over the tasks of the slope of log distance against log T over the last three T: −1
        for a distance that falls as 1/T.
    """

    problem: Problem
    kind: str
    tuned: Tuned
    distance: Interval
    tail: Interval
    value_error: Interval
    limit: Interval
    value_limit: Interval
    above_limit: Interval
    asymptotic: Array
    multiple: Interval
    scaled: Interval
    rate: Interval


@dataclass(frozen=True, eq=False)
class Predicted:
    """How one kind predicts on one problem, after each of K numbers of loops.

    Attributes
    ----------
    problem : Problem
    kind : str
    tuned : Tuned
    error : Interval, shape (K,)
        Median over tasks of the mean squared error at the queries over the variance of their
        values.
    tail : Interval, shape (K,)
        Its 90 % quantile.
    limit : Interval, shape ()
        Median of the error after infinitely many loops at the temperature of the last T; infinite
        where half of the tasks diverge.
    indefinite : float
        The share of tasks whose matrix has a negative eigenvalue there.
    smallest : Interval, shape ()
        Median of λ_min/λ_max of the matrix there.
    doubling : Interval, shape ()
        Median of the loops in which the fastest growing part of the residuals doubles at the step
        of the last T; infinite where nothing grows.
    """

    problem: Problem
    kind: str
    tuned: Tuned
    error: Interval
    tail: Interval
    limit: Interval
    indefinite: float
    smallest: Interval
    doubling: Interval


@dataclass(frozen=True, eq=False)
class Surrounded:
    """Whether softmax, exp and ReLU have one minimiser: whether rows have 0 in their hull.

    Attributes
    ----------
    problem : Problem
    share : Interval, shape ()
        The share of tasks.
    probability : float
        Wendel's.
    """

    problem: Problem
    share: Interval
    probability: float


@dataclass(frozen=True, eq=False)
class Result:
    """What was measured, in the order of the configuration.

    Attributes
    ----------
    config : Config
    generated : tuple of Generated
        For each problem of generation each of its kinds.
    predicted : tuple of Predicted
        For each problem of prediction each of its kinds.
    surrounded : tuple of Surrounded
        For each problem of generation.
    """

    config: Config
    generated: tuple[Generated, ...]
    predicted: tuple[Predicted, ...]
    surrounded: tuple[Surrounded, ...]


Cell = TypeVar("Cell", Generated, Predicted)


def by_problem(cells: Sequence[Cell]) -> list[tuple[Problem, dict[str, Cell]]]:
    """Return the kinds of each problem; a problem that is there twice comes twice."""
    kinds = len(dict.fromkeys(cell.kind for cell in cells))
    groups = [cells[i : i + kinds] for i in range(0, len(cells), kinds)]
    return [(group[0].problem, {cell.kind: cell for cell in group}) for group in groups]
