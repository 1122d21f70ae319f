"""Is a timed answer right? Truth from the eigenbasis, and how far an answer may lie off.

Distance from the exact iterate is measured in loopcore's own unit, 30 u S_T with the u of the
answer's type. The truth is itself rounded in float64, so the bounds of both are added. The peers
promise nothing, but keep that bound on these cells, so one allowance serves every contender.
`bench_run.py` holds the literal matrices against this truth too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from eigenbasis import Eigenbasis
from problems import Problem


class Verdict:
    """What every contender's answer to one problem is held against. Made once, used for all."""

    def __init__(self, problem: Problem) -> None:
        p = self.problem = problem
        basis = Eigenbasis(p)
        # 30 S_T in the answer's unit roundoff, and in the truth's.
        unit = 30 * (float(np.finfo(p.X.dtype).eps) + float(np.finfo("f8").eps)) / 2
        if p.cell.asks == "curve":
            # The error at every loop, (..., T+1). ‖θ*‖ = 1, so ⟨v, θ*⟩ moves no more than v does.
            # Its own rounding: d products, a sum and a difference of terms of at most α = 1 each.
            scales = np.stack([S for _, S in basis.rounding_scales(p.T)], axis=-1)
            vs = (basis.v(t) for t in range(p.T + 1))
            errors = [abs((v * p.theta).sum(-1) - p.alpha) for v in vs]
            self.truth = np.stack(errors, axis=-1)
            self.allowed = unit * scales + (p.cell.d + 2) * float(np.finfo(p.X.dtype).eps)
        else:
            *_, (_, scale) = basis.rounding_scales(p.T)
            self.truth = basis.v(p.T)  # (..., d)
            self.allowed = unit * scale  # (...)

    def check(self, answer: Any) -> None:
        """Raise AssertionError unless the answer is within the allowance in every task."""
        p, truth, got = self.problem, self.truth, np.asarray(answer)
        assert got.shape == truth.shape, f"expected {truth.shape}, got {got.shape}"
        assert got.dtype == p.X.dtype, f"expected {p.X.dtype}, got {got.dtype}"
        off = abs(got - truth)
        if p.cell.asks == "v":
            off = np.linalg.norm(off, axis=-1)
        worst = float(np.max(off / self.allowed))
        assert worst <= 1, f"{p.cell.name}: off by {worst:.3g} × the allowed"
