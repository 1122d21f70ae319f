"""Any loop without looping: the loop in the eigenbasis of XᵀX, in float64.

With XᵀX = U diag(λ) Uᵀ, b = Uᵀ α Xᵀ y and a constant η each coordinate is a geometric sum,

    (Uᵀ v(t))_i = s_i(t) b_i,        s_i(t) = (1 − (1 − ηλ_i)ᵗ) / λ_i

The decomposition is exact for a neighbour of XᵀX that is off by a few u‖X‖² (Golub and Van Loan,
8.1), and that moves v(T) by a few u Σ_t g_t η ‖X‖² ‖q_t‖: by a few u S_T, like a loop's own
rounding. So what a float64 loop may be off, this may.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from problems import Problem

EXACT = 200  # loops up to which S_T is summed loop by loop; the cells that peers run have no more
TINY = 1e-300


class Eigenbasis:
    """The tasks of one problem in their eigenbases."""

    def __init__(self, problem: Problem) -> None:
        X, y = problem.X.astype("f8"), problem.y.astype("f8")  # (..., n, d), (..., n)
        lam, self.U = np.linalg.eigh(X.swapaxes(-1, -2) @ X)  # (..., d), (..., d, d)
        self.lam = np.maximum(lam, TINY)
        self.largest = lam[..., -1:]  # (..., 1)
        self.eta = 1 / self.largest if problem.eta is None else problem.eta
        b = problem.alpha * (y[..., None, :] @ X)  # (..., 1, d)
        self.b = (b @ self.U)[..., 0, :]  # (..., d)
        self.drive = np.sqrt(self.largest[..., 0]) * np.linalg.norm(problem.alpha * y, axis=-1)

    def coordinates(self, t: int) -> np.ndarray:
        """Give Uᵀ v(t), (..., d)."""
        fall = np.asarray(self.eta * self.lam)  # 1 − (1 − ηλ), (..., d)
        # Near 1 the power would cancel, and 10⁶ loops would multiply the rounding of 1 − ηλ.
        below = np.minimum(fall, 0.5)
        slow = -np.expm1(t * np.log1p(-below))
        return np.where(fall <= 0.5, slow, 1 - (1 - fall) ** t) / self.lam * self.b

    def v(self, t: int) -> np.ndarray:
        """Give v(t), (..., d)."""
        return (self.U @ self.coordinates(t)[..., None])[..., 0]

    def rounding_scales(self, T: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (t, S_t), S_t (...), for t = 0 … T; beyond EXACT loops only some t.

        S_T of `loopcore.error_bound`, which loops; here ρ = max_i |1 − ηλ_i| gives g_t = ρ^(T−1−t)
        and so S_{t+1} = ρ S_t + term(t), term(t) = ‖q_{t+1}‖ + η(‖X‖²‖q_t‖ + |α|‖X‖‖y‖). Beyond
        EXACT loops a block of m loops counts as m times its first, which is its least, as ‖q_t‖
        grows with t while ηλ ≤ 1: never more than S_T.
        """
        fall = np.asarray(self.eta * self.lam)
        gap = np.minimum(fall, 2 - fall).min(-1)  # 1 − ρ, (...)
        gap = np.clip(gap, TINY, 1 - 2**-53)
        eta, norm_G = np.asarray(self.eta), self.largest[..., 0]
        eta = eta[..., 0] if eta.ndim else eta
        S = np.zeros(self.drive.shape)
        yield 0, S
        edges = np.unique(np.linspace(0, T, min(T, EXACT) + 1).astype(int))
        norm = np.zeros_like(S)  # ‖q_t‖
        for start, stop in pairwise(edges.tolist()):
            after = np.linalg.norm(self.coordinates(start + 1), axis=-1)
            term = after + eta * (norm_G * norm + self.drive)
            decay = np.log1p(-gap) * (stop - start)
            S = np.exp(decay) * S - np.expm1(decay) / gap * term
            norm = after if stop == start + 1 else np.linalg.norm(self.coordinates(stop), axis=-1)
            yield stop, S
