"""What a user would write in Numba: compiled loops, the tasks spread over all cores.

Large tasks are cut into panels of rows, so that one task fills all cores and a panel is read from
memory once a loop. The compiled code is kept in __pycache__ from one run to the next.

A kernel gives v(T) and, unless θ* has no columns, the products ⟨q(t), θ*⟩ for t = 0 … T.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numba
import numpy as np
from numba import prange

from peers_numpy import largest_eigenvalue
from problems import Call, Problem

PANEL = 16_384  # entries of X in a panel, 128 KiB: a core's own cache holds it for both products
SMALL = 32  # columns up to which loops written out can beat BLAS

Answer = tuple[np.ndarray, np.ndarray]  # v(T) (B, d), ⟨q(t), θ*⟩ (B, T+1) or (B, 0)
Kernel = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int], Answer]

jit = numba.njit(cache=True)
parallel = numba.njit(parallel=True, fastmath=False, cache=True)


def loop(problem: Problem) -> dict[str, Call]:
    """Give the plain loop: one pass over X in every loop."""
    forms: dict[str, Call] = {"panels": partial(run_loop, problem, stream_panels)}
    if problem.cell.d <= SMALL:
        forms["tasks"] = partial(run_loop, problem, stream_tasks)
    return forms


def gram(problem: Problem) -> dict[str, Call]:
    """Give the loop on the Gram matrix, which NumPy forms, or compiled loops for small tasks."""
    forms: dict[str, Call] = {"blas": partial(run_gram, problem, gram_by_blas)}
    if problem.cell.d <= SMALL:
        forms["loops"] = partial(run_gram, problem, gram_by_loops)
    return forms


def run_loop(problem: Problem, kernel: Kernel) -> np.ndarray:
    """Run one of the loops on X."""
    X, y, theta = stacks(problem)
    G = None if problem.eta else X.swapaxes(-1, -2) @ X
    return answer(problem, kernel(X, problem.alpha * y, theta, steps(problem, G), problem.T))


def run_gram(problem: Problem, form: Callable[..., tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Run the loop on the Gram matrix that `form` makes."""
    X, y, theta = stacks(problem)
    G, b = form(X, problem.alpha * y)  # (B, d, d), (B, d)
    kernel = gram_task if len(X) == 1 else gram_tasks
    return answer(problem, kernel(G, b, theta, steps(problem, G), problem.T))


def stacks(problem: Problem) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give X (B, n, d), y (B, n) and θ* (B, d), or (B, 0) if no curve is asked for."""
    p = problem
    X, y, theta = (p.X[None], p.y[None], p.theta[None]) if p.X.ndim == 2 else (p.X, p.y, p.theta)
    return X, y, theta if p.cell.asks == "curve" else theta[:, :0].copy()


def steps(problem: Problem, G: np.ndarray | None) -> np.ndarray:
    """Give the step of every task, (B,), from the Gram matrices (B, d, d) if it is not given."""
    if G is None or problem.eta:
        return np.full(problem.cell.B, problem.eta, problem.X.dtype)
    return 1 / largest_eigenvalue(G)[:, 0]


def answer(problem: Problem, result: Answer) -> np.ndarray:
    """Give what the cell asks for, without the leading axis of one task."""
    v, dots = result
    asked = abs(dots + problem.alpha) if problem.cell.asks == "curve" else v
    return asked.reshape(*problem.X.shape[:-2], -1)


def gram_by_blas(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Form Xᵀ X (B, d, d) and Xᵀ y (B, d) by NumPy's products."""
    if len(X) == 1:
        return (X[0].T @ X[0])[None], (y[0] @ X[0])[None]
    return X.swapaxes(-1, -2) @ X, (y[:, None, :] @ X)[:, 0]


@parallel
def gram_by_loops(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Form Xᵀ X (B, d, d) and Xᵀ y (B, d), a task a turn."""
    B, n, d = X.shape
    G, b = np.zeros((B, d, d), X.dtype), np.zeros((B, d), X.dtype)
    for k in prange(B):
        for i in range(n):
            for j in range(d):
                b[k, j] += y[k, i] * X[k, i, j]
                for m in range(d):
                    G[k, j, m] += X[k, i, j] * X[k, i, m]
    return G, b


@jit
def room(theta: np.ndarray, T: int) -> np.ndarray:
    """Make room for ⟨q(t), θ*⟩, (B, T+1), or (B, 0) if nobody asks."""
    return np.empty((len(theta), T + 1 if theta.shape[1] else 0), theta.dtype)


@jit
def keep(dots: np.ndarray, t: int, q: np.ndarray, theta: np.ndarray) -> None:
    """Note ⟨q(t), θ*⟩ in dots (T+1,), if anybody asks."""
    if dots.size:
        dots[t] = 0
        for j in range(q.size):
            dots[t] += q[j] * theta[j]


@parallel
def gram_tasks(
    G: np.ndarray, b: np.ndarray, theta: np.ndarray, eta: np.ndarray, T: int
) -> tuple[np.ndarray, np.ndarray]:
    """Loop q ← q − η (G q + b), a task a turn; rows of the symmetric G are added up as vectors."""
    B, d = b.shape
    v, dots = np.empty_like(b), room(theta, T)
    for k in prange(B):
        q, g = np.zeros(d, G.dtype), np.empty(d, G.dtype)
        keep(dots[k], 0, q, theta[k])
        for t in range(T):
            g[:] = b[k]
            for j in range(d):
                for m in range(d):
                    g[m] += G[k, j, m] * q[j]
            q -= eta[k] * g
            keep(dots[k], t + 1, q, theta[k])
        v[k] = -q
    return v, dots


@jit
def gram_task(
    G: np.ndarray, b: np.ndarray, theta: np.ndarray, eta: np.ndarray, T: int
) -> tuple[np.ndarray, np.ndarray]:
    """Loop q ← q − η (G q + b) for one task; BLAS spreads the product over the cores."""
    dots = room(theta, T)
    q = np.zeros_like(b[0])
    keep(dots[0], 0, q, theta[0])
    for t in range(T):
        q -= eta[0] * (np.dot(G[0], q) + b[0])
        keep(dots[0], t + 1, q, theta[0])
    return -q.reshape(1, -1), dots


@parallel
def stream_tasks(
    X: np.ndarray, target: np.ndarray, theta: np.ndarray, eta: np.ndarray, T: int
) -> tuple[np.ndarray, np.ndarray]:
    """Loop q ← q − η Xᵀ (X q + α y), a task a turn, a row a time."""
    B, n, d = X.shape
    v, dots = np.empty((B, d), X.dtype), room(theta, T)
    for k in prange(B):
        q, g = np.zeros(d, X.dtype), np.empty(d, X.dtype)
        keep(dots[k], 0, q, theta[k])
        for t in range(T):
            g[:] = 0
            for i in range(n):
                r = target[k, i]
                for j in range(d):
                    r += X[k, i, j] * q[j]
                for j in range(d):
                    g[j] += r * X[k, i, j]
            q -= eta[k] * g
            keep(dots[k], t + 1, q, theta[k])
        v[k] = -q
    return v, dots


@parallel
def stream_panels(
    X: np.ndarray, target: np.ndarray, theta: np.ndarray, eta: np.ndarray, T: int
) -> tuple[np.ndarray, np.ndarray]:
    """Loop q ← q − η Xᵀ (X q + α y), a panel of rows a turn, both products while it is in cache."""
    B, n, d = X.shape
    rows = max(1, PANEL // d)
    panels = (n + rows - 1) // rows
    q, g = np.zeros((B, d), X.dtype), np.empty((B, panels, d), X.dtype)
    dots = room(theta, T)
    for k in range(B):
        keep(dots[k], 0, q[k], theta[k])
    for t in range(T):
        for turn in prange(B * panels):
            k, p = turn // panels, turn % panels
            part = X[k, p * rows : (p + 1) * rows]  # (rows, d)
            r = np.dot(part, q[k]) + target[k, p * rows : (p + 1) * rows]  # (rows,)
            g[k, p] = np.dot(r, part)
        for k in prange(B):
            for p in range(panels):
                for j in range(d):
                    q[k, j] -= eta[k] * g[k, p, j]
            keep(dots[k], t + 1, q[k], theta[k])
    return -q, dots
