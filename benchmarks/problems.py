"""The nine cells that the project is timed on, and the seeded problems behind them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

Asks = Literal["v", "curve"]  # v(T), or the error at every loop
Eta = Literal["given", "none"]  # a constant step size, or 1/λ_max found by each contender
Call = Callable[[], Any]  # answers one problem; NumPy can read what it returns

DTYPES = ("float64", "float32")
ETAS: tuple[Eta, ...] = ("given", "none")


@dataclass(frozen=True)
class Cell:
    """B tasks of n examples in d dimensions, T loops each."""

    name: str
    B: int
    n: int
    d: int
    T: int
    asks: Asks = "v"

    @property
    def loop_work(self) -> int:
        """Count the operations of T loops on X: X q, then Xᵀ r, in every loop."""
        return 4 * self.B * self.n * self.d * self.T

    @property
    def gram_work(self) -> int:
        """Count the operations of half of Xᵀ X, and of T loops on it."""
        return self.B * self.d * (self.n * (min(self.n, self.d) + 1) + 2 * self.d * self.T)

    def quick(self) -> Cell:
        """Give a fraction of the cell that every contender answers in well under a second."""
        n = min(self.n, 1_000)
        B = min(self.B, 64, max(1, 500_000 // (n * self.d)))
        return replace(self, B=B, n=n)

    def cut(self, scores: int) -> Cell:
        """Give the part of the cell with about so many attention scores, (n+1)² a task."""
        n = min(self.n, int(scores**0.5))
        B = min(self.B, max(1, scores // (n + 1) ** 2))
        return replace(self, B=B, n=n)


CELLS = {
    cell.name: cell
    for cell in (
        Cell("paper", B=100_000, n=20, d=4, T=50),
        Cell("regress", B=10_000, n=40, d=20, T=100),
        Cell("medium", B=64, n=512, d=128, T=200),
        Cell("tall", B=1, n=200_000, d=64, T=100),
        Cell("wide", B=1, n=20_000, d=1_000, T=50),
        Cell("short", B=8, n=20_000, d=256, T=3),  # too few loops for a Gram matrix
        Cell("tiny", B=1, n=16, d=4, T=16),  # one Python call: latency
        Cell("deep", B=10_000, n=40, d=20, T=10**6),  # too many loops to loop
        Cell("curve", B=10_000, n=40, d=20, T=100, asks="curve"),
    )
}


@dataclass(frozen=True)
class Problem:
    """A cell with its numbers. One task (B = 1) has no leading axis, as a user would write it."""

    cell: Cell
    X: np.ndarray  # (B, n, d)
    y: np.ndarray  # (B, n), y = X θ*
    theta: np.ndarray  # (B, d), ‖θ*‖ = 1
    alpha: float
    T: int
    eta: float | None  # None: 1/λ_max of each task

    @property
    def kind(self) -> Eta:
        """Tell how η is given, for labels."""
        return "none" if self.eta is None else "given"

    @property
    def facts(self) -> dict[str, Any]:
        """Gather what the benchmark report keeps beside the time."""
        cell, X = self.cell, self.X
        return {
            "cell": cell.name,
            "B": cell.B,
            "n": cell.n,
            "d": cell.d,
            "T": cell.T,
            "asks": cell.asks,
            "dtype": X.dtype.name,
            "eta": self.eta,
            "bytes": X.nbytes + self.y.nbytes,
            "loop_work": cell.loop_work,
            "gram_work": cell.gram_work,
        }


def build(cell: Cell, dtype: str, eta: Eta, seed: int = 2410_11268) -> Problem:
    """Build the cell's problem: Gaussian X of rows about √(d/n) long, unit θ*, y = X θ*, α = 1.

    The given η is one constant for all tasks. At most 1/λ_max, it is stable: divergence needs
    η λ_max > 2. At most 4/T, it leaves the loop on its way after T loops, so that an answer after
    T−1 loops or with another η is seen as wrong.
    """
    rng = np.random.default_rng(seed)
    lead = () if cell.B == 1 else (cell.B,)
    n, d = cell.n, cell.d
    X = rng.standard_normal((*lead, n, d), dtype=np.dtype(dtype).type)
    X *= X.dtype.type(n**-0.5)
    theta = rng.standard_normal((*lead, d)).astype(dtype)
    theta /= np.linalg.norm(theta, axis=-1, keepdims=True)
    y = (X @ theta[..., None])[..., 0]
    step = min(1 / largest_eigenvalue(cell), 4 / cell.T)
    return Problem(cell, X, y, theta, 1.0, cell.T, step if eta == "given" else None)


def largest_eigenvalue(cell: Cell) -> float:
    """Give a λ_max that no XᵀX of the cell exceeds: (1 + √(d/n) + 5/√n)².

    The largest singular value of X exceeds 1 + √(d/n) + t/√n with probability at most exp(−t²/2)
    (Davidson and Szarek, 2001).
    """
    return float((1 + (cell.d / cell.n) ** 0.5 + 5 * cell.n**-0.5) ** 2)
