"""The singular value decomposition of the inputs, and what follows from it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from loopcore.baselines._tasks import Array, Tasks


class Factors(NamedTuple):
    """X = U diag(σ) Vᵀ with r = min(n, d), and what it says of y."""

    U: Array
    """(..., n, r)"""
    sigma: Array
    """(..., r), zero where a singular value counts as zero"""
    Vt: Array
    """(..., r, d)"""
    b: Array
    """Uᵀy, (..., r)"""


def factor(tasks: Tasks) -> Factors:
    """Return the thin singular value decomposition of each X."""
    U, sigma, Vt = np.linalg.svd(tasks.X, full_matrices=False)
    return Factors(U, _counted(tasks, sigma), Vt, times(U.swapaxes(-1, -2), tasks.y))


def eigenvalues(tasks: Tasks) -> Array:
    """Return those of XᵀX, (..., r), zero where they count as zero."""
    sigma: Array = np.asarray(np.linalg.svd(tasks.X, compute_uv=False), np.float64)
    return _counted(tasks, sigma) ** 2


def _counted(tasks: Tasks, sigma: Array) -> Array:
    """Return singular values (..., r), zero at most max(n, d) · eps · σ_max."""
    tolerance = max(tasks.X.shape[-2:]) * tasks.eps * sigma.max(-1, initial=0, keepdims=True)
    return np.where(sigma > tolerance, sigma, 0)


def held_out_residuals(
    U: Array, b: Array, weight: Array, rest: tuple[Array, Array] | None = None
) -> Array:
    """Return y_i minus its prediction from the other examples, (..., n), for a positive penalty.

    With G = U diag(1/w) Uᵀ it is (G⁻¹y)_i / (G⁻¹)_ii, here by w, which may have any common factor;
    `rest` has what G⁻¹y and the diagonal of G⁻¹ have outside the range of U.
    """
    pull, diagonal = times(U, weight * b), times(U * U, weight)
    if rest is not None:
        pull, diagonal = pull + rest[0], diagonal + rest[1]
    return pull / diagonal


def solution(factors: Factors, penalty: Array) -> Array:
    """Return θ = V diag(σ/(σ² + p)) Uᵀy, (..., d); directions of σ = 0 have none."""
    sigma, p = np.broadcast_arrays(factors.sigma, penalty[..., None])
    shrink = np.divide(sigma, sigma**2 + p, out=np.zeros(sigma.shape), where=sigma > 0)
    return times(factors.Vt.swapaxes(-1, -2), shrink * factors.b)


def times(matrix: Array, vector: Array) -> Array:
    """Return matrix (..., n, d) times vector (..., d), (..., n)."""
    product: Array = np.matmul(matrix, vector[..., None])[..., 0]
    return product
