"""Prompts: random rows of a table, in units of their own."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


class Prompts(NamedTuple):
    """B prompts, each standardised by its own rows, and their test rows."""

    X: Array
    """(B, n, d), each column of mean 0 and variance 1, or 0 where it is constant in the prompt."""
    y: Array
    """(B, n), likewise."""
    queries: Array
    """(B, m, d): the test rows, shifted and scaled as the prompt's."""
    targets: Array
    """(B, m), likewise."""


def draw_rows(N: int, n: int, B: int, most: int, rng: np.random.Generator) -> Indices:
    """Draw n rows for each of B prompts, and at most `most` test rows of the others, (B, n + m)."""
    m = min(N - n, most)
    return np.array([rng.choice(N, n + m, replace=False) for _ in range(B)], np.int64)


def standardised(X: Array, y: Array, queries: Array, targets: Array) -> Prompts:
    """Shift and scale examples and queries by mean and standard deviation of the examples.

    Columns, and targets, that are constant among the examples become 0: queries too.

    Parameters
    ----------
    X : ndarray, shape (B, n, d)
    y : ndarray, shape (B, n)
    queries : ndarray, shape (B, m, d)
    targets : ndarray, shape (B, m)
        Only shifted where y is constant.
    """
    X_centre, X_scale = centre_and_scale(X)
    y_centre, y_scale = centre_and_scale(y[..., None])
    X_gain = np.divide(1, X_scale, out=np.zeros(X_scale.shape), where=X_scale > 0)
    y_gain = np.divide(1, y_scale, out=np.zeros(y_scale.shape), where=y_scale > 0)
    y_unit = np.where(y_scale > 0, y_gain, 1)
    return Prompts(
        _recentred((X - X_centre) * X_gain),
        _recentred((y[..., None] - y_centre) * y_gain)[..., 0],
        (queries - X_centre) * X_gain,
        ((targets[..., None] - y_centre) * y_unit)[..., 0],
    )


def centre_and_scale(columns: Array) -> tuple[Array, Array]:
    """Return mean and standard deviation over the rows, (B, 1, d): 0 where all are equal."""
    centre = columns.mean(axis=1, keepdims=True)
    scale = columns.std(axis=1, keepdims=True)
    varies = np.ptp(columns, axis=1, keepdims=True) > 0
    return centre, np.where(varies, scale, 0)


def _recentred(columns: Array) -> Array:
    """Take away what rounding left of a mean far from 0: it would count as a direction."""
    centred: Array = columns - columns.mean(axis=1, keepdims=True)
    return centred
