"""The truth that the tests measure against: exact iterates and S_T, in extended precision.

`numpy.longdouble` has 64 bits of mantissa on x86-64 and 113 on AArch64, against 53 in float64.
Where it has no more than float64, the tests that need it are skipped. This module is deliberately
not `loopcore.reference` run in longdouble: it iterates q(t) = q(t−1) − η (Xᵀ X q(t−1) + α Xᵀ y),
and finds eigenvalues to more digits. `test_reference.py` shows that both agree.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from loopcore.reference import chebyshev_order

LD = np.longdouble
LongArray = NDArray[np.longdouble]

needs_extended_precision = pytest.mark.skipif(
    np.finfo(LD).eps > 2.0**-60, reason="numpy.longdouble is no wider than float64 here"
)


class Truth(NamedTuple):
    """The exact result of T loops and the scale S_T by which rounding is judged."""

    q: LongArray  # (..., d)
    S: LongArray  # (...)
    size: LongArray  # (...), max ‖q_t‖


def unit_roundoff(dtype: Any) -> float:
    """Return u, 2⁻²⁴ for float32 and 2⁻⁵³ for float64."""
    return float(np.finfo(dtype).eps) / 2


def eigenvalues(X: NDArray[Any]) -> LongArray:
    """Return all d eigenvalues of XᵀX, descending, in extended precision, (..., d).

    They are the Rayleigh quotients ‖X v‖² of the right singular vectors v that float64 finds: their
    error is of second order in that of v, relative 1e-19 for λ_max and about 1e-19 κ^½ for λ_min.
    Only for λ that agree to all digits of float64 is v arbitrary; there Jacobi rotations follow.
    """
    n, d = X.shape[-2:]
    V = np.linalg.svd(X.astype(np.float64), full_matrices=False)[2]  # (..., min(n, d), d)
    V = V.astype(LD)
    V = V + (np.eye(V.shape[-2]) - V @ V.swapaxes(-1, -2)) @ V / 2  # orthonormal to 1e-19
    W = X.astype(LD) @ V.swapaxes(-1, -2)  # (..., n, min(n, d)), X v
    _rotate_clusters(W)
    lam = np.zeros((*X.shape[:-2], d), LD)
    lam[..., : min(n, d)] = (W**2).sum(-2)
    return -np.sort(-lam, axis=-1)


def _rotate_clusters(W: LongArray) -> None:
    """Make columns of W orthogonal where that moves ‖W_i‖² by more than 1e-4 u, in place."""
    for _ in range(6):
        G = W.swapaxes(-1, -2) @ W  # (..., k, k), nearly diagonal
        lam = np.einsum("...ii->...i", G)  # (..., k)
        gap = np.abs(lam[..., :, None] - lam[..., None, :])
        limit = LD(1e-20) * lam[..., :, None] * (gap + np.abs(G))
        if not _rotate(limit < G**2, W):
            return


def _rotate(moves: NDArray[np.bool_], W: LongArray, *others: LongArray) -> bool:
    """Make pairs of columns of W orthogonal, in place; `others` take part. False if there is none.

    A pair is taken if it is marked in any of the tasks, (..., k, k).
    """
    pairs = np.argwhere(np.triu(moves.any(tuple(range(moves.ndim - 2))), 1))
    for i, j in pairs:
        a, b = W[..., i], W[..., j]  # (..., n)
        theta = np.arctan2(2 * (a * b).sum(-1), (a**2 - b**2).sum(-1))[..., None] / 2
        c, s = np.cos(theta), np.sin(theta)
        for M in (W, *others):
            a, b = M[..., i].copy(), M[..., j].copy()
            M[..., i], M[..., j] = c * a + s * b, c * b - s * a
    return len(pairs) > 0


def eigenbasis(X: NDArray[Any]) -> tuple[LongArray, LongArray, LongArray]:
    """Return orthonormal columns V with orthogonal X V, and X V, and the squares of its norms.

    They are (..., d, k), (..., n, k) and (..., k) for k = min(n, d), good to 1e-19 ‖X‖: the
    singular vectors that float64 finds, and rotations after that.
    """
    V = np.linalg.svd(X.astype(np.float64), full_matrices=False)[2].swapaxes(-1, -2).astype(LD)
    for _ in range(2):
        V = V + V @ (np.eye(V.shape[-1]) - V.swapaxes(-1, -2) @ V) / 2  # orthonormal to 1e-19
    W = X.astype(LD) @ V
    for _ in range(8):
        G = W.swapaxes(-1, -2) @ W  # (..., k, k), nearly diagonal
        largest = np.einsum("...ii->...i", G).max(-1, initial=0)[..., None, None]
        if not _rotate(np.abs(G) > LD(2e-19) * largest, W, V):
            break
    return V, W, (W**2).sum(-2)


def extremes(X: NDArray[Any]) -> tuple[LongArray, LongArray, NDArray[np.int64]]:
    """Return λ_min, λ_max over the eigenvalues that count, and the rank; each (...)."""
    n, d = X.shape[-2:]
    lam = eigenvalues(X)  # (..., d)
    if min(n, d) == 0:
        zero = np.zeros(X.shape[:-2], LD)
        return zero, zero, np.zeros(X.shape[:-2], np.int64)
    eps = np.finfo(np.float32 if X.dtype == np.float32 else np.float64).eps
    sigma = np.sqrt(lam)
    counts = sigma > LD(max(n, d) * eps) * sigma[..., :1]  # (..., d)
    smallest = np.where(counts, lam, np.inf).min(-1)
    return np.where(counts.any(-1), smallest, 0), lam[..., 0], counts.sum(-1)


def step_sizes(
    X: NDArray[Any],
    T: int,
    eta: ArrayLike | None = None,
    schedule: ArrayLike | None = None,
    scale: str = "sum",
) -> LongArray:
    """Return the steps that multiply XᵀXq + αXᵀy, (..., T), in extended precision."""
    divisor = max(X.shape[-2], 1) if scale == "mean" else 1
    if schedule is not None:
        steps = np.atleast_1d(np.asarray(schedule, np.float64)).astype(LD) / divisor
    elif eta is not None and not isinstance(eta, str):
        steps = np.asarray(eta, np.float64).astype(LD)[..., None] / divisor
    else:
        least, most, _ = extremes(X)
        least, most = least[..., None], most[..., None]  # (..., 1)
        if eta is None:
            inverse = most
        elif eta == "optimal":
            inverse = (least + most) / 2
        else:
            # 11 digits are lost at κ = 1e12 by the cancellation in c + h x_k; 8 are left over.
            pi = 4 * np.arctan(LD(1))
            x = np.cos(pi * (2 * chebyshev_order(T).astype(LD) + 1) / (2 * max(T, 1)))  # (T,)
            inverse = (most + least) / 2 + (most - least) / 2 * x
        steps = np.divide(LD(1), inverse, out=np.zeros_like(inverse), where=inverse > 0)
    lead = np.broadcast_shapes(X.shape[:-2], steps.shape[:-1])
    return np.broadcast_to(steps, (*lead, T))


def iterates(
    X: NDArray[Any], y: NDArray[Any], alpha: ArrayLike, steps: LongArray, q0: NDArray[Any] | None
) -> LongArray:
    """Return q(0) … q(T) in extended precision, (T + 1, ..., d)."""
    d = X.shape[-1]
    X, y = X.astype(LD), y.astype(LD)  # (..., n, d), (..., n)
    alpha = np.asarray(alpha).astype(LD)[..., None]  # (..., 1)
    q = np.zeros(d, LD) if q0 is None else q0.astype(LD)  # (..., d)
    lead = np.broadcast_shapes(
        X.shape[:-2], y.shape[:-1], alpha.shape[:-1], q.shape[:-1], steps.shape[:-1]
    )
    steps = np.broadcast_to(steps, (*lead, steps.shape[-1]))
    path = np.empty((steps.shape[-1] + 1, *lead, d), LD)
    path[0] = q
    for t in range(steps.shape[-1]):
        # q ← q − η_t Xᵀ (X q + α y)
        r = (X @ path[t][..., None])[..., 0] + alpha * y  # (..., n)
        g = (r[..., None, :] @ X)[..., 0, :]  # (..., d)
        path[t + 1] = path[t] - steps[..., t, None] * g
    return path


def truth(
    X: NDArray[Any],
    y: NDArray[Any],
    alpha: ArrayLike,
    T: int,
    *,
    eta: ArrayLike | None = None,
    schedule: ArrayLike | None = None,
    q0: NDArray[Any] | None = None,
    scale: str = "sum",
) -> Truth:
    """Return the exact q_T, and S_T written out.

    S_T = Σ_{t<T} g_t [‖q_{t+1}‖ + η_t(‖X‖²‖q_t‖ + |α|‖X‖‖y‖)],  g_t = max_i Π_{j>t} |1 − η_j λ_i|
    """
    return follow(X, y, alpha, step_sizes(X, T, eta, schedule, scale), q0)


def follow(
    X: NDArray[Any],
    y: NDArray[Any],
    alpha: ArrayLike,
    steps: LongArray,
    q0: NDArray[Any] | None = None,
) -> Truth:
    """Return the `truth` after the loops with these steps, (..., T)."""
    path = iterates(X, y, alpha, steps, q0)  # (T + 1, ..., d)
    lam = eigenvalues(X)  # (..., d)
    norm_X2 = lam.max(-1, initial=0)  # (...), ‖X‖²
    norm_Xy = np.sqrt(norm_X2) * np.sqrt((y.astype(LD) ** 2).sum(-1))  # (...), ‖X‖‖y‖
    norm_q = np.sqrt((path**2).sum(-1))  # (T + 1, ...)
    alpha = np.abs(np.asarray(alpha).astype(LD))
    products = np.ones_like(lam)  # (..., d), Π_{j>t} |1 − η_j λ_i|
    S = np.zeros(path.shape[1:-1], LD)
    for t in reversed(range(steps.shape[-1])):
        eta_t = np.abs(steps[..., t])
        g_t = products.max(-1, initial=0)
        S = S + g_t * (norm_q[t + 1] + eta_t * (norm_X2 * norm_q[t] + alpha * norm_Xy))
        products = products * np.abs(1 - steps[..., t, None] * lam)
    return Truth(path[-1], S, norm_q.max(0))


def follow_far(
    X: NDArray[Any],
    y: NDArray[Any],
    alpha: ArrayLike,
    T: int,
    eta: ArrayLike,
    q0: NDArray[Any] | None = None,
) -> Truth:
    """Return the `truth` after very many loops with one step a task, as multiplies XᵀXq + αXᵀy.

    With XᵀX v_i = λ_i v_i, v_i · q moves by itself, z ← a z − η α (Xᵀy)_i with a = 1 − η λ_i:
    z(t) = f + aᵗ (z(0) − f) around f = −α (Xᵀy)_i / λ_i. The part of q0 in the null space stays.
    S_T needs few digits and is summed in float64.
    """
    B, d = len(X), X.shape[-1]
    V, W, lam = eigenbasis(X)  # (B, d, k), (B, n, k), (B, k)
    alpha, eta = (np.broadcast_to(a, B).astype(LD) for a in (alpha, eta))  # (B,)
    q0 = np.zeros((B, d), LD) if q0 is None else q0.astype(LD)
    f = -alpha[:, None] * np.einsum("bnk,bn->bk", W, y.astype(LD)) / lam
    z0 = np.einsum("bdk,bd->bk", V, q0)
    a = 1 - eta[:, None] * lam
    slow = np.where(a > 0.5, eta[:, None] * lam, 0)
    change = np.where(a > 0.5, np.expm1(T * np.log1p(-slow)), np.power(a, LD(T)) - 1) * (z0 - f)
    q = q0 + np.einsum("bdk,bk->bd", V, change)
    rest = np.sqrt(np.maximum((q0**2).sum(-1) - (z0**2).sum(-1), 0))  # (B,), in the null space
    S, size = np.zeros(B, LD), np.zeros(B, LD)
    drive = np.abs(alpha) * np.sqrt(lam.max(-1)) * np.sqrt((y.astype(LD) ** 2).sum(-1))  # (B,)
    for b in range(B):
        rates = a[b].astype(np.float64)
        largest = max(np.abs(rates).max(), 1.0 if lam.shape[-1] < d else 0.0)
        norm_X2 = float(lam[b].max())
        offset, centre = (z0 - f)[b].astype(np.float64), f[b].astype(np.float64)
        for start in range(0, T, 2**16):
            t = np.arange(start, min(start + 2**16, T) + 1)
            powers = np.where(np.abs(rates**start) > 1e-40, rates**start, 0)[None]  # few digits
            if powers.any():
                powers = powers * np.cumprod(np.where(t[:, None] > start, rates, 1), axis=0)
            norm_q = np.sqrt(float(rest[b]) ** 2 + ((centre + powers * offset) ** 2).sum(-1))
            norm_q = np.broadcast_to(norm_q, len(t))  # one where all powers are gone
            g = largest ** (T - 1 - t[:-1]).astype(np.float64)
            pull = float(eta[b]) * (norm_X2 * norm_q[:-1] + float(drive[b]))
            S[b] += (g * (norm_q[1:] + pull)).sum()
            size[b] = max(size[b], LD(norm_q.max()))
    return Truth(q, S, size)


def ratio(v: NDArray[Any], exact: Truth) -> LongArray:
    """Return R = ‖q̂_T − q_T‖ / (u S_T) of v = −q̂_T, (...).

    A u² of the largest iterate is allowed besides: with d = 1 and η = 1/λ the exact 1 − ηλ, and
    S_T with it, can be zero, where the rounded step leaves 1 − ηλ = u.
    """
    u = unit_roundoff(v.dtype)
    error = np.sqrt(((v.astype(LD) + exact.q) ** 2).sum(-1))
    allowed = u * exact.S + u**2 * exact.size
    return np.where(error == 0, 0, error / np.where(allowed == 0, LD("1e-4900"), allowed))
