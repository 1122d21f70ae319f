"""The smallest number of examples with which an error is reached, and how it grows with d."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from loopcore.studies.convergence.measure import Cell
from loopcore.studies.frame.intervals import Interval
from loopcore.studies.frame.repeats import CONFIDENCE

Array = npt.NDArray[np.float64]

_TAILS = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)
_LOWEST = 1e-300  # has a logarithm


class Grid(NamedTuple):
    """The errors of one d by the number of examples.

    Attributes
    ----------
    d : int
        The length of θ*.
    n : ndarray, shape (N,)
        The rising numbers of examples.
    error : ndarray, shape (N, 2, K)
        The median and the 95 % quantile of |⟨v(T), θ*⟩ − 1| after each T of the search.
    """

    d: int
    n: npt.NDArray[np.int64]
    error: Array


class Needed(NamedTuple):
    """The smallest n with which a quantile of the errors is at most ε, with bootstrap intervals.

    Axes: D dims, K loops, E tolerances, 2 quantiles (the median, and 95 %).

    Attributes
    ----------
    n : Interval, shape (D, K, E, 2)
        Not rounded: between two n of the grid it is interpolated on logarithmic scales. Infinite
        where no n of the grid is enough; the first n of the grid where that is.
    exponent : Interval, shape (K, E, 2)
        The slope of log n by log d over all dims (least squares); NaN where an n is not finite.
    last_exponent : Interval, shape (K, E, 2)
        The same over the two largest dims.
    tolerance_exponent : Interval, shape (K, 2)
        The slope of log n by log 1/ε at the largest d.
    """

    n: Interval
    exponent: Interval
    last_exponent: Interval
    tolerance_exponent: Interval


def gather(
    sizes: Sequence[tuple[int, npt.NDArray[np.int64]]],
    cells: Sequence[Sequence[Cell]],
    tolerances: Sequence[float],
) -> tuple[tuple[Grid, ...], Needed]:
    """Gather the cells of all dims; sizes are (d, n (N,)), cells the N of each."""
    grids, found, resampled = [], [], []
    for (d, n), row in zip(sizes, cells, strict=True):
        error = np.stack([cell.error for cell in row])  # (N, 2, K)
        grids.append(Grid(d, n, error))
        found.append(smallest(n, error, tolerances))  # (2, K, E)
        samples = np.stack([cell.resampled for cell in row])  # (N, R, 2, K)
        resampled.append(smallest(n, samples, tolerances))  # (R, 2, K, E)
    n_found = np.moveaxis(np.stack(found), 1, -1)  # (D, K, E, 2)
    n_resampled = np.moveaxis(np.stack(resampled, axis=1), 2, -1)  # (R, D, K, E, 2)
    dims = np.array([d for d, _ in sizes], np.float64)
    inverse = 1 / np.array(tolerances)

    def over_dims(values: Array) -> Array:
        return _slope(np.log(dims), np.log(values), axis=-4)

    def over_last(values: Array) -> Array:
        return _slope(np.log(dims[-2:]), np.log(values[..., -2:, :, :, :]), axis=-4)

    def over_tolerances(values: Array) -> Array:
        return _slope(np.log(inverse), np.log(values[..., -1, :, :, :]), axis=-2)

    with np.errstate(invalid="ignore"):  # infinities: not reached
        slopes = [
            _interval(function(n_found), function(n_resampled))
            for function in (over_dims, over_last, over_tolerances)
        ]
    return tuple(grids), Needed(_interval(n_found, n_resampled), *slopes)


def smallest(n: npt.NDArray[np.int64], errors: Array, tolerances: Sequence[float]) -> Array:
    """Return where errors (N, ...), of rising n (N,), first are at most each ε, (..., E).

    Examples
    --------
    >>> n = np.array([10, 100, 1000])
    >>> smallest(n, np.array([1e-1, 1e-2, 1e-3]), [0.5, 0.1**1.5, 1e-4]).round(3)
    array([10.   , 31.623,    inf])
    """
    x = np.log(n.astype(np.float64))
    z = np.log(np.maximum(errors, _LOWEST))
    found = []
    for goal in np.log(tolerances):
        enough = z <= goal
        k = np.argmax(enough, axis=0)  # (...), the first; 0 where there is none
        before = np.maximum(k - 1, 0)
        high, low = (np.take_along_axis(z, i[None], 0)[0] for i in (before, k))
        share = np.divide(high - goal, high - low, out=np.zeros(k.shape), where=high > low)
        crossing = np.exp(x[before] + np.where(k > 0, share, 0) * (x[k] - x[before]))
        found.append(np.where(enough.any(axis=0), crossing, np.inf))
    return np.stack(found, axis=-1)


def _slope(x: Array, y: Array, axis: int) -> Array:
    """Return the least-squares slope of y by x along an axis; NaN for fewer than two x."""
    if len(x) < 2:
        return np.full(np.delete(np.array(y.shape), axis), np.nan)
    weights = (x - x.mean()) / np.sum((x - x.mean()) ** 2)
    return np.asarray(np.tensordot(weights, np.moveaxis(y, axis, 0), axes=1))


def _interval(value: Array, resampled: Array) -> Interval:
    """Return a value (...) and the quantiles of its resamples (R, ...), which may be infinite."""
    lost = np.isnan(resampled)
    ordered = np.where(lost, np.inf, resampled)
    low, high = np.quantile(ordered, _TAILS, axis=0, method="inverted_cdf")
    return Interval(value, *(np.where(np.isnan(value), np.nan, end) for end in (low, high)))
