"""What a user would write without loopcore: NumPy on X, and NumPy on the Gram matrix.

Every function takes X (..., n, d) and y (..., n) of one type and works in that type.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from problems import Problem


def largest_eigenvalue(G: np.ndarray) -> np.ndarray:
    """Find λ_max of the symmetric G (..., d, d), as (..., 1) so that it scales a vector."""
    return np.linalg.eigvalsh(G)[..., -1:]


def loop_iterates(
    X: np.ndarray, y: np.ndarray, alpha: float, T: int, eta: float | None
) -> Iterator[np.ndarray]:
    """Yield q(0) … q(T), (..., d): q ← q − η Xᵀ (X q + α y). Two passes over X a loop."""
    Xt = X.swapaxes(-1, -2)  # (..., d, n), a view
    step = 1 / largest_eigenvalue(Xt @ X) if eta is None else eta
    target = alpha * y
    q = np.zeros((*X.shape[:-2], X.shape[-1]), X.dtype)
    yield q
    for _ in range(T):
        r = (X @ q[..., None])[..., 0] + target  # (..., n)
        q = q - step * (Xt @ r[..., None])[..., 0]
        yield q


def gram_iterates(
    X: np.ndarray, y: np.ndarray, alpha: float, T: int, eta: float | None
) -> Iterator[np.ndarray]:
    """Yield q(0) … q(T), (..., d): q ← q − η (G q + α Xᵀ y), G = Xᵀ X. One pass over X in all."""
    Xt = X.swapaxes(-1, -2)
    G = Xt @ X  # (..., d, d)
    b = alpha * (Xt @ y[..., None])[..., 0]  # (..., d)
    step = 1 / largest_eigenvalue(G) if eta is None else eta
    q = np.zeros_like(b)
    yield q
    for _ in range(T):
        q = q - step * ((G @ q[..., None])[..., 0] + b)
        yield q


def answer(problem: Problem, iterates: Iterator[np.ndarray]) -> np.ndarray:
    """Give v(T) = −q(T), (..., d), or the curve |⟨v(t), θ*⟩ − α| for t = 0 … T, (..., T+1)."""
    if problem.cell.asks == "curve":
        theta, alpha = problem.theta, problem.alpha
        return np.stack([abs((q * theta).sum(-1) + alpha) for q in iterates], axis=-1)
    for q in iterates:  # noqa: B007  (only the last is wanted)
        pass
    return -q


def numpy_loop(problem: Problem) -> np.ndarray:
    """Run the plain loop: both products with X in every loop."""
    p = problem
    return answer(p, loop_iterates(p.X, p.y, p.alpha, p.T, p.eta))


def numpy_gram(problem: Problem) -> np.ndarray:
    """Run the loop on the precomputed Gram matrix."""
    p = problem
    return answer(p, gram_iterates(p.X, p.y, p.alpha, p.T, p.eta))
