"""Kernel attention in closed form: its loops, and ridge, in the eigenbasis of the kernel matrix.

With scores K (n, n) between examples and k(x) (n,) between a query and them, T loops of
`loopcore.models.kernel` predict

    f(x) = k(x)ᵀ Σ_{t<T} η (I − ηK)ᵗ y,

where only targets move, so that K never changes. Softmax has K = D⁻¹E with E_ij = exp(⟨x_i, x_j⟩/τ)
and D its row sums; D^(−1/2) E D^(−1/2) is symmetric and has the same eigenvalues.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from loopcore.studies.nonlinear.config import Array

Whole = npt.NDArray[np.int64]


class Modes(NamedTuple):
    """B tasks in the eigenbasis of their kernel matrices."""

    eigenvalues: Array
    """λ, (B, n), rising; those of ReLU's are of both signs."""
    targets: Array
    """The coordinates of y, (B, n)."""
    queries: Array
    """Those of k(x) at the queries, (B, m, n)."""

    @property
    def top(self) -> Array:
        """λ_max, (B,)."""
        return self.eigenvalues[:, -1]

    def predict(self, filters: Array) -> Array:
        """Return Σ_i k_i(x) g_i y_i at the queries, (B, K, m), of filters g (B, K, n)."""
        predicted: Array = (filters * self.targets[:, None]) @ self.queries.swapaxes(-1, -2)
        return predicted

    def looped(self, T: Whole, step: float) -> Array:
        """Predict by T (K,) loops of η = step/λ_max, (B, K, m); not finite where they diverge."""
        eta = step / self.top[:, None, None]
        lam, t = self.eigenvalues[:, None], T[:, None]
        gain = eta * lam
        with np.errstate(all="ignore"):
            # 1 − (1 − ηλ)^T without cancellation, and over λ; ηT where that is 0
            done = np.where(
                np.abs(gain) < 0.5,
                -np.expm1(t * np.log1p(-np.clip(gain, -0.5, 0.5))),
                1 - (1 - gain) ** t,
            )
            return self.predict(np.where(lam == 0, eta * t, done / lam))

    def ridge(self, penalties: Array) -> Array:
        """Predict by (K + μI)⁻¹ with μ (K,) in units of λ_max, (B, K, m)."""
        mu = penalties[:, None] * self.top[:, None, None]
        with np.errstate(all="ignore"):
            return self.predict(1 / (self.eigenvalues[:, None] + mu))


def modes(name: str, width: float, X: Array, y: Array, x_query: Array) -> Modes:
    """Return tasks in the eigenbasis of a kernel.

    Parameters
    ----------
    name : "softmax", "exp", "relu" or "rbf"
        As for `loopcore.models.kernel`.
    width : float
        The temperature, or the bandwidth of "rbf".
    X, y, x_query : (B, n, d), (B, n) and (B, m, d) arrays
    """
    K, k = _scores(name, width, X, X), _scores(name, width, x_query, X)
    scale = np.ones(K.shape[:2])
    if name == "softmax":
        scale = np.sqrt(K.sum(-1))  # D^(1/2), (B, n)
        K = K / (scale[:, :, None] * scale[:, None, :])
        k = k / k.sum(-1, keepdims=True)
    lam, U = np.linalg.eigh(K)
    coordinates = ((scale * y)[:, None] @ U)[:, 0]
    return Modes(lam, coordinates, (k / scale[:, None]) @ U)


def _scores(name: str, width: float, rows: Array, others: Array) -> Array:
    """Return k(x, x') of rows (B, m, d) and (B, n, d), (B, m, n); softmax without its division."""
    scores: Array = rows @ others.swapaxes(-1, -2)
    if name == "relu":
        return np.maximum(scores / width, 0)
    if name == "rbf":
        half = [np.einsum("...j,...j->...", x, x) / 2 for x in (rows, others)]
        scores = scores - half[0][:, :, None] - half[1][:, None, :]
        return np.exp(np.minimum(scores, 0) / width**2)
    scores = scores / width
    if name == "softmax":  # any factor of a row cancels; one for a whole task keeps K symmetric
        scores = scores - scores.max((-2, -1), keepdims=True)
    return np.exp(scores)
