"""Where infinitely many loops of prediction end: limits, by eigenvectors.

A loop multiplies the residuals at the examples by I − γ K.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

_RANK = 1e-12  # eigenvalues below this part of the largest one are rounding


class Limit(NamedTuple):
    """Infinitely many loops of prediction on some tasks, and the eigenvalues that lead there."""

    prediction: Array
    """(B, m); infinite where the loop diverges for every step."""
    largest: Array
    """λ_max of the matrix K of a loop, (B,)."""
    smallest: Array
    """λ_min of K, with its sign, (B,)."""


def kernel_matrix(kind: str, A: Array, B: Array, temperature: float) -> Array:
    """Return τ h(⟨a, b⟩/τ), (..., k, l), of rows A (..., k, d) and B (..., l, d); exp for softmax.

    All are divided by l, the number of rows that are attended to, but for softmax.
    """
    scores = A @ B.swapaxes(-1, -2) / temperature
    if kind in ("softmax", "exp"):
        value = np.exp(scores)
    else:
        value = np.maximum(scores, 0) if kind == "relu" else scores
    return np.asarray(temperature * value / (1 if kind == "softmax" else B.shape[-2]))


def prediction_limit(
    kind: str, X: npt.ArrayLike, y: npt.ArrayLike, x_query: npt.ArrayLike, temperature: float
) -> Limit:
    """Return what the y slots tend to, and the spectrum of K, without a loop.

    f(x) = k(x, X) K⁺ y for linear and exp. The matrix of softmax is S = D⁻¹E with E = e^{s/τ} and D
    its row sums: similar to D^{−½} E D^{−½}, which is positive definite, so that its eigenvalues
    lie in (0, τ] and any step γ < 2/τ is stable. There f(x) = e(x, X) E⁻¹ D y / Σ_j e(x, x_j): what
    exp would interpolate of y Z, divided by Z, the sum. The matrix of ReLU is indefinite, so that
    residuals grow for every step wherever it has a negative eigenvalue.

    Parameters
    ----------
    kind : str
        One of `config.PREDICTING`.
    X, y, x_query : (B, n, d), (B, n) and (B, m, d) array_like
    temperature : float
        τ.

    Returns
    -------
    Limit
        Eigenvalues below 1e-12 of the largest one are taken for zero.

    Examples
    --------
    >>> X, y = np.array([[[1.0], [-2.0]]]), np.array([[1.0, -2.0]])
    >>> prediction_limit("linear", X, y, [[[3.0]]], 1.0).prediction.round(6)
    array([[3.]])
    """
    X, y, x = (np.asarray(part, np.float64) for part in (X, y, x_query))
    K = kernel_matrix(kind, X, X, temperature)  # (B, n, n)
    k = kernel_matrix(kind, x, X, temperature)  # (B, m, n)
    root = np.ones_like(y)
    if kind == "softmax":  # K = D^{−½} (D^{−½} E D^{−½}) D^{½}
        k = temperature * k / k.sum(axis=-1, keepdims=True)
        root = np.sqrt(K.sum(axis=-1) / temperature)  # D^½, (B, n)
        K = K / (root[:, :, None] * root[:, None, :])
    values, vectors = np.linalg.eigh(K)
    largest = np.abs(values).max(axis=-1)
    small = np.abs(values) <= _RANK * largest[:, None]
    inverse = np.where(small, 0.0, 1 / np.where(small, 1.0, values))
    along = np.einsum("bni,bn->bi", vectors, root * y)
    solved = np.einsum("bni,bi->bn", vectors, inverse * along) / root
    prediction = np.einsum("bmn,bn->bm", k, solved)
    smallest = np.where(small.any(axis=-1), np.minimum(values[:, 0], 0.0), values[:, 0])
    smallest = np.where(np.abs(smallest) <= _RANK * largest, 0.0, smallest)
    prediction[smallest < 0] = np.inf
    return Limit(prediction, values[:, -1], smallest)
