"""What a user would write in NumPy: the loop on X, and the loop on the Gram matrix.

X (..., n, d) and y (..., n) have one type, which is the type of the arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from problems import Call, Problem

Product = Callable[[np.ndarray, np.ndarray], np.ndarray]  # q (..., d), A (..., d, d) -> (..., d)


def loop(problem: Problem) -> dict[str, Call]:
    """Give the plain loop: both products with X in every loop."""
    return {"matmul": partial(numpy_loop, problem)}


def gram(problem: Problem) -> dict[str, Call]:
    """Give the loop on the precomputed Gram matrix; einsum is the faster product for tiny d."""
    return {
        "matmul": partial(numpy_gram, problem, by_matmul),
        "einsum": partial(numpy_gram, problem, by_einsum),
    }


def numpy_loop(problem: Problem) -> np.ndarray:
    """Answer by the plain loop."""
    return answer(problem, loop_iterates(problem))


def numpy_gram(problem: Problem, product: Product) -> np.ndarray:
    """Answer by the loop on the Gram matrix."""
    return answer(problem, gram_iterates(problem, product))


def loop_iterates(problem: Problem) -> Iterator[np.ndarray]:
    """Yield q(0) … q(T), (..., d): q ← q − η Xᵀ (X q + α y). Two passes over X a loop."""
    X = problem.X  # (..., n, d)
    step = problem.eta
    if step is None:
        step = 1 / largest_eigenvalue(X.swapaxes(-1, -2) @ X)  # (..., 1)
    target = problem.alpha * problem.y  # (..., n)
    q = np.zeros((*X.shape[:-2], X.shape[-1]), X.dtype)
    yield q
    for _ in range(problem.T):
        r = (X @ q[..., None])[..., 0] + target  # (..., n)
        q = q - step * by_matmul(r, X)
        yield q


def gram_iterates(problem: Problem, product: Product) -> Iterator[np.ndarray]:
    """Yield q(0) … q(T), (..., d): q ← (I − η G) q − η α Xᵀ y, G = Xᵀ X. One pass over X in all."""
    X = problem.X  # (..., n, d)
    G = X.swapaxes(-1, -2) @ X  # (..., d, d)
    step = 1 / largest_eigenvalue(G) if problem.eta is None else problem.eta
    A = -np.asarray(step, X.dtype)[..., None] * G  # I − η G, (..., d, d)
    diagonal = np.arange(X.shape[-1])
    A[..., diagonal, diagonal] += 1
    shift = step * problem.alpha * by_matmul(problem.y, X)  # (..., d)
    q = np.zeros_like(shift)
    yield q
    for _ in range(problem.T):
        q = product(q, A) - shift
        yield q


def largest_eigenvalue(G: np.ndarray) -> np.ndarray:
    """Find λ_max of the symmetric G (..., d, d), as (..., 1) so that it scales a vector."""
    return np.linalg.eigvalsh(G)[..., -1:]


def by_matmul(q: np.ndarray, A: np.ndarray) -> np.ndarray:
    """Multiply rows: q A. On a stack this is faster than the column Aᵀ q."""
    return (q[..., None, :] @ A)[..., 0, :]


def by_einsum(q: np.ndarray, A: np.ndarray) -> np.ndarray:
    """Multiply the symmetric A by q, without a call of BLAS for every task."""
    return np.einsum("...ij,...j->...i", A, q)


def answer(problem: Problem, iterates: Iterator[np.ndarray]) -> np.ndarray:
    """Give v(T) = −q(T), (..., d), or the curve |⟨v(t), θ*⟩ − α| for t = 0 … T, (..., T+1)."""
    if problem.cell.asks == "curve":
        theta, alpha = problem.theta, problem.alpha
        return np.stack([abs((q * theta).sum(-1) + alpha) for q in iterates], axis=-1)
    for q in iterates:  # noqa: B007  (only the last is wanted)
        pass
    return -q
