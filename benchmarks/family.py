"""The cells of the general family, and the seeded problems behind them.

linear: linear attention, every row moves, the keys are the context rows; asks for Z(T).
softmax: softmax attention over the context rows, only the query row moves; asks for v(T) = −q(T).
gradient: the paper's loop on the cell regress, v(T) and its pullback to X, y, α and η.
linear_vjp, softmax_vjp: those models forward, and backward to P, Q, η and Z. linear_vjp has a tenth
of the prompts: the peers record every product of every loop, 8 GB for 10,000 prompts at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from loopcore.reference import prompt
from problems import CELLS, Cell, build, largest_eigenvalue

LINEAR = Cell("linear", B=10_000, n=40, d=20, T=32)
SOFTMAX = Cell("softmax", B=1_000, n=128, d=32, T=50)
GRADIENT = replace(CELLS["regress"], name="gradient")
LINEAR_VJP = replace(LINEAR, name="linear_vjp", B=1_000)
SOFTMAX_VJP = replace(SOFTMAX, name="softmax_vjp")

VJP_CELLS = {cell.name: cell for cell in (LINEAR_VJP, SOFTMAX_VJP)}
FAMILY_CELLS = {cell.name: cell for cell in (LINEAR, SOFTMAX, GRADIENT)} | VJP_CELLS

SHARPNESS = 8.0  # of the softmax cell's scores, q Q zᵀ: about 2 apart, neither flat nor one-hot
PART = 200  # tasks of a peer that takes them in parts: 1.4 MB of the linear cell's prompts
VJP_PART = 50  # the same where loops are recorded: 40 MB of the linear cell's, in S and products


@dataclass(frozen=True)
class Prompts:
    """A cell of literal prompts and one looped layer for all of them: n context rows, one query.

    One loop is Z ← Z − η Attn(Z; P, Q). D = d + 1.
    """

    cell: Cell
    Z: np.ndarray  # (B, n+1, D)
    P: np.ndarray  # (D, D)
    Q: np.ndarray  # (D, D)
    eta: float
    T: int
    Z_bar: np.ndarray  # (B, n+1, D), the cotangent of Z(T), zero for rows that do not move

    @property
    def dtype(self) -> np.dtype:
        """Give the type of the answer."""
        return self.Z.dtype

    @property
    def is_softmax(self) -> bool:
        """Tell whether the attention is softmax and only the query moves, or linear and all do."""
        return self.cell.name in (SOFTMAX.name, SOFTMAX_VJP.name)

    def part(self, tasks: slice, dtype: np.dtype) -> Prompts:
        """Give some prompts alone, in another type."""
        arrays = {"Z": self.Z[tasks], "P": self.P, "Q": self.Q, "Z_bar": self.Z_bar[tasks]}
        return replace(self, **{name: a.astype(dtype) for name, a in arrays.items()})


@dataclass(frozen=True)
class Gradient:
    """The paper's loop from q(0) = 0, and the cotangent that is pulled back through it."""

    cell: Cell
    X: np.ndarray  # (B, n, d)
    y: np.ndarray  # (B, n)
    alpha: np.ndarray  # (B,)
    eta: np.ndarray  # (B,)
    w: np.ndarray  # (B, d), the cotangent of v(T): gradients are those of Σ w·v(T)
    T: int

    @property
    def dtype(self) -> np.dtype:
        """Give the type of the answer."""
        return self.X.dtype

    def part(self, tasks: slice, dtype: np.dtype) -> Gradient:
        """Give some tasks alone, in another type."""
        arrays = {name: getattr(self, name) for name in ("X", "y", "alpha", "eta", "w")}
        return replace(self, **{name: a[tasks].astype(dtype) for name, a in arrays.items()})


FamilyProblem: TypeAlias = Prompts | Gradient


def build_family(cell: Cell, dtype: str, seed: int = 2410_11268) -> FamilyProblem:
    """Build the problem of a family cell; its name says which."""
    if cell.name == GRADIENT.name:
        return build_gradient(cell, dtype, seed)
    return build_prompts(cell, dtype, seed)


def build_prompts(cell: Cell, dtype: str, seed: int = 2410_11268) -> Prompts:
    """Build prompts [[X, y], [0, 1]] of the cell's Gaussian tasks, and dense random P and Q.

    P = Qᵀ W with ‖Q‖ = 1 and W symmetric, I ≤ W ≤ 2 I. For linear attention, and S = Zcᵀ Zc, one
    loop is Z ← Z (I − η Q S Qᵀ W). In Z W^(−1/2) that is I − η K, K = W^½ Q S Qᵀ W^½, 0 ≤ K ≤ 2 S,
    and S has no eigenvalue beyond 2 λ_max(XᵀX) as ‖θ*‖ = 1. With η = 1 / 4λ_max no loop lengthens
    a row in that norm, so that the iterates stay finite for every T; S falls like 1/t. Softmax
    moves the query by at most η max ‖z P‖ a loop.
    """
    task = build(cell, dtype, "given", seed)
    lead = task.X if task.X.ndim == 3 else task.X[None]
    Z = prompt(lead, task.y.reshape(lead.shape[:-1]), None, task.alpha)  # (B, n+1, D)
    rng = np.random.default_rng(seed)
    D = Z.shape[-1]
    Q, C = rng.standard_normal((2, D, D))
    Q /= np.linalg.norm(Q, 2)
    C /= np.linalg.norm(C, 2)
    P = Q.T @ (np.eye(D) + C @ C.T)
    Z_bar = rng.standard_normal(Z.shape).astype(dtype)
    eta = 1 / (4 * largest_eigenvalue(cell))
    problem = Prompts(cell, Z, P.astype(dtype), Q.astype(dtype), eta, cell.T, Z_bar)
    if not problem.is_softmax:
        return problem
    Z_bar[:, :-1] = 0
    return replace(problem, Q=(SHARPNESS * Q).astype(dtype), eta=0.1)


def build_gradient(cell: Cell, dtype: str, seed: int = 2410_11268) -> Gradient:
    """Build the cell's tasks with an α, a stable η and a Gaussian cotangent for each.

    α and η differ from task to task, so that an answer that mixes tasks up is seen as wrong.
    """
    task = build(cell, dtype, "given", seed)
    rng = np.random.default_rng(seed)
    alpha = rng.uniform(0.5, 1.5, cell.B).astype(dtype)
    eta = (task.eta * rng.uniform(0.5, 1.0, cell.B)).astype(dtype)
    w = rng.standard_normal((cell.B, cell.d)).astype(dtype)
    X, y = task.X.reshape(cell.B, cell.n, cell.d), task.y.reshape(cell.B, cell.n)
    return Gradient(cell, X, y, alpha, eta, w, cell.T)
