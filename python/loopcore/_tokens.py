"""Tokens: how an example becomes a row of the prompt, and what is read back from the query row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Tokens:
    """Tokens (x, y) with nothing between: y is the last entry of a row, x all the others."""

    def features(self, width: int) -> int:
        """Return d, the length of an x, for tokens of D entries."""
        return width - 1

    def lift(self, x: Array, X: Array) -> Array:
        """Return the entries before y, (..., k, D − 1), of the rows x.

        Parameters
        ----------
        x : (..., k, d) array
        X : (..., n, d) array
            The context that they stand in.
        """
        del X
        return x

    def lift_state(self, q0: Array) -> Array:
        """Return the entries before α, (..., D − 1), of a query row for the state q0, (..., d)."""
        return q0

    def read_state(self, row: Array) -> Array:
        """Return v = −q, (..., d), from the query row, (..., D)."""
        return -row[..., : self.features(row.shape[-1])]

    def moves_targets(self, P: Array, skip: Array) -> bool:
        """Return whether a model of these P and skip can change what `read_prediction` reads."""
        column = skip[:, -1].copy()
        column[-1] -= 1
        return bool(P[..., -1].any() or column.any())

    def read_prediction(self, rows: Array, X: Array, y: Array, T: int) -> Array:
        """Return the predictions, (..., m).

        Parameters
        ----------
        rows : (..., m, D) array
            The query rows after T loops.
        X : (..., n, d) array
        y : (..., n) array
        T : int
        """
        del X, y, T
        return -rows[..., -1]


@dataclass(frozen=True)
class MomentumTokens(Tokens):
    """Tokens (q, q_prev, y); context rows have zeros for q_prev, and q_prev(0) = q(0)."""

    def features(self, width: int) -> int:
        """Return d = (D − 1)/2."""
        return (width - 1) // 2

    def lift(self, x: Array, X: Array) -> Array:
        """Return (x, 0)."""
        del X
        return np.concatenate([x, np.zeros_like(x)], axis=-1)

    def lift_state(self, q0: Array) -> Array:
        """Return (q0, q0)."""
        return np.concatenate([q0, q0], axis=-1)


@dataclass(frozen=True)
class GaussianTokens(Tokens):
    """Tokens (x, −‖x‖²/2σ², 1, y), whose bilinear form can be −‖x_i − x_j‖²/2σ²."""

    bandwidth: float

    def features(self, width: int) -> int:
        """Return d = D − 3."""
        return width - 3

    def lift(self, x: Array, X: Array) -> Array:
        """Return (x, −‖x‖²/2σ², 1), in float64."""
        del X
        x = x.astype(np.float64)
        half = -np.square(x / self.bandwidth).sum(-1, keepdims=True) / 2
        return np.concatenate([x, half, np.ones_like(half)], axis=-1)


@dataclass(frozen=True)
class NewtonTokens(Tokens):
    """Tokens (x, ũ, y) with ũ(0) = M₀ x, read as 2^T Σ_j ⟨ũ, x_j⟩ y_j."""

    m0: str | tuple[tuple[float, ...], ...]
    """A word of `first_inverse`, or M₀ itself."""

    def features(self, width: int) -> int:
        """Return d = (D − 1)/2."""
        return (width - 1) // 2

    def lift(self, x: Array, X: Array) -> Array:
        """Return (x, M₀ x), in float64."""
        x = x.astype(np.float64)
        M0 = first_inverse(X, self.m0) if isinstance(self.m0, str) else np.array(self.m0)
        u = x @ M0.swapaxes(-1, -2)
        lead = np.broadcast_shapes(x.shape[:-1], u.shape[:-1])
        return np.concatenate([np.broadcast_to(x, (*lead, x.shape[-1])), u], axis=-1)

    def moves_targets(self, P: Array, skip: Array) -> bool:
        """Return True: the prediction is read from ũ."""
        del P, skip
        return True

    def read_prediction(self, rows: Array, X: Array, y: Array, T: int) -> Array:
        """Return 2^T Σ_j ⟨ũ, x_j⟩ y_j."""
        d = self.features(rows.shape[-1])
        theta = X.swapaxes(-1, -2).astype(np.float64) @ y[..., None]  # (..., d, 1), Xᵀy
        prediction: Array = np.ldexp((rows[..., d : 2 * d] @ theta)[..., 0], T)
        return prediction


def first_inverse(X: Array, m0: str) -> Array:
    """Return M₀, (..., d, d), for S = XᵀX: "gram", 2S/‖S‖²_F, or "identity", I/‖S‖_F; 0 if S is."""
    X = X.astype(np.float64)
    # By a power of two, so that no square leaves the range: M₀ of 2ᵏX is M₀/4ᵏ.
    k = -np.frexp(np.abs(X).max((-2, -1), keepdims=True, initial=0))[1]  # (..., 1, 1)
    X = np.ldexp(X, k)
    S = X.swapaxes(-1, -2) @ X  # (..., d, d)
    norm = np.linalg.norm(S, axis=(-2, -1), keepdims=True)
    inverse = np.divide(1, norm, out=np.zeros_like(norm), where=norm > 0)
    M0 = inverse * (2 * inverse * S if m0 == "gram" else np.eye(S.shape[-1]))
    return np.asarray(np.ldexp(M0, 2 * k))
