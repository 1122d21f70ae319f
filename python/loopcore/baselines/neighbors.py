"""Nearest neighbours."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loopcore.baselines._distances import squared_distances
from loopcore.baselines._tasks import Array, Tasks, predicted
from loopcore.baselines._tuning import best, read_counts, take

_PANEL = 2**23  # distances at a time: 64 MiB


def nearest_neighbors(
    X: ArrayLike, y: ArrayLike, x_query: ArrayLike, *, neighbors: ArrayLike = 3
) -> NDArray[Any]:
    """Predict by the mean y of the nearest examples in Euclidean distance.

    Parameters
    ----------
    X, y, x_query
        As for `loopcore.baselines.least_squares`: (..., n, d), (..., n) and (..., m, d) or
        (..., d).
    neighbors : int or (K,) array of int
        How many, 1 … n. Of several candidates, which must rise and be below n, each task takes that
        of the least leave-one-out error.

    Returns
    -------
    (..., m) or (...) array
        In units of y.

    Raises
    ------
    ModuleNotFoundError
        Without SciPy.
    TypeError, ValueError
        As all of `loopcore.baselines`.

    Notes
    -----
    Of examples at the same distance the first ones count. All distances are computed, by SciPy, and
    sorted, a panel of queries at a time: for 10,000 tasks with n = 40, d = 20 and one query 0.1 s.
    scikit-learn's search of one X a call took 17 to 130 s. Many y on one X share its distances.

    Source: T. Cover and P. Hart, "Nearest neighbor pattern classification", 1967; with three
    neighbours a baseline of Garg et al. 2022, arXiv 2208.01066.

    Examples
    --------
    >>> from loopcore import baselines
    >>> X, y = [[0.0], [1.0], [5.0]], [1.0, 3.0, 9.0]
    >>> baselines.nearest_neighbors(X, y, [[0.2], [4.0]], neighbors=2)
    array([2., 6.])
    """
    counts = read_counts(neighbors, "neighbors", 1)

    def solve(tasks: Tasks) -> Array:
        many = len(counts) > 1
        if counts[-1] > tasks.n - many:
            expected = f"n - 1 = {tasks.n - 1}, to leave one out," if many else f"n = {tasks.n}"
            raise ValueError(f"neighbors: expected at most {expected} got {counts[-1]}")
        predictions = _means(tasks.y, _nearest(tasks, int(counts[-1]), left_out=False), counts)
        if not many:
            return predictions[..., 0, :]
        held_out = _means(tasks.y, _nearest(tasks, int(counts[-1]), left_out=True), counts)
        errors = ((held_out - tasks.y[..., None, :]) ** 2).sum(-1)  # (..., K)
        return take(predictions, best(errors), -2)

    result: NDArray[Any] = predicted(X, y, x_query, solve)
    return result


def _nearest(tasks: Tasks, most: int, *, left_out: bool) -> NDArray[np.intp]:
    """Return the examples (..., m, most) nearest to each query, or to each example but itself."""
    queries = tasks.X if left_out else tasks.queries
    lead, m = np.broadcast_shapes(tasks.X.shape[:-2], queries.shape[:-2]), queries.shape[-2]
    index = np.zeros((*lead, m, most), np.intp)
    panel = max(_PANEL // max(math.prod(lead) * tasks.n, 1), 1)
    for start in range(0, m, panel):
        part = slice(start, min(start + panel, m))
        squares = squared_distances(queries[..., part, :], tasks.X)  # (..., h, n)
        if left_out:
            each = np.arange(part.stop - start)
            squares[..., each, start + each] = np.inf
        index[..., part, :] = squares.argsort(-1, kind="stable")[..., :most]
    return index


def _means(y: Array, index: NDArray[np.intp], counts: NDArray[np.intp]) -> Array:
    """Return the mean y of the first k of the neighbours (..., m, most), (..., K, m)."""
    lead = np.broadcast_shapes(y.shape[:-1], index.shape[:-2])
    m, most = index.shape[-2:]
    places = np.broadcast_to(index, (*lead, m, most)).reshape(*lead, m * most)
    near = np.take_along_axis(np.broadcast_to(y, (*lead, y.shape[-1])), places, -1)
    sums = near.reshape(*lead, m, most).cumsum(-1)
    means: Array = (sums[..., counts - 1] / counts).swapaxes(-1, -2)
    return means
