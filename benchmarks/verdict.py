"""Is a timed answer right? Float64 truth from the plain loop, and how far an answer may lie off.

Distance from the exact iterate is measured in loopcore's own unit, error_bound = 30 u S_T with the
u of the answer's type. In float64 the truth is itself a rounded loop, so the two bounds are added.
NumPy promises nothing, but on these cells its answers measured at most 8 u S_T (the Gram loop on
tall, float32), so one allowance serves every contender.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

import loopcore
from peers import numpy_loop
from problems import Problem


class Verdict:
    """What every contender's answer to one problem is held against. Made once, used for all."""

    def __init__(self, problem: Problem) -> None:
        p = problem
        wide = replace(p, X=p.X.astype("f8"), y=p.y.astype("f8"), theta=p.theta.astype("f8"))
        self.problem = p
        self.truth = numpy_loop(wide)  # (..., d) or (..., T+1)
        if p.cell.asks == "curve":
            self.loops = [0, 1, p.T // 2, p.T]  # the loops whose error is checked
        else:
            self.loops = [p.T]
        # 30 S_t in the answer's unit roundoff, and in the truth's: (...) each.
        units = 1 + np.finfo(p.X.dtype).eps / np.finfo("f8").eps
        self.bounds = [
            units * loopcore.error_bound(wide.X, wide.y, p.alpha, t, eta=p.eta) for t in self.loops
        ]

    def check(self, got: np.ndarray) -> None:
        """Raise AssertionError unless `got` is within the allowance in every task."""
        p, truth = self.problem, self.truth
        assert got.shape == truth.shape, f"expected {truth.shape}, got {got.shape}"
        assert got.dtype == p.X.dtype, f"expected {p.X.dtype}, got {got.dtype}"
        for t, bound in zip(self.loops, self.bounds, strict=True):
            if p.cell.asks == "curve":
                # ‖θ*‖ = 1, so ⟨v, θ*⟩ moves no more than v does. Its own rounding: d products, a
                # sum and a difference, of terms that add up to no more than α = 1 each.
                off = abs(got[..., t] - truth[..., t])
                allowed = bound + (p.cell.d + 2) * np.finfo(got.dtype).eps
            else:
                off = np.linalg.norm(got - truth, axis=-1)
                allowed = bound
            worst = float(np.max(off / allowed))
            assert worst <= 1, f"{p.cell.name}: loop {t} off by {worst:.3g} × the allowed"
