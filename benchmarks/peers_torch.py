"""What a user would write in PyTorch, on the CPU with all cores and without gradients.

The tensors share the problem's memory; nothing is copied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import torch

from machine import cores
from problems import Call, Problem

Product = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]

torch.set_num_threads(cores())


def loop(problem: Problem) -> dict[str, Call]:
    """Give the plain loop: both products with X in every loop."""
    return {
        "bmm": partial(run, problem, loop_iterates, by_bmm),
        "baddbmm": partial(run, problem, loop_iterates, by_baddbmm),
    }


def gram(problem: Problem) -> dict[str, Call]:
    """Give the loop on the precomputed Gram matrix."""
    return {
        "bmm": partial(run, problem, gram_iterates, by_bmm),
        "baddbmm": partial(run, problem, gram_iterates, by_baddbmm),
    }


def run(problem: Problem, iterates: Callable[..., Iterator[torch.Tensor]], f: Product) -> object:
    """Give v(T), (..., d), or the curve, (..., T+1); one task is a stack of one meanwhile."""
    X, y, theta = (torch.from_numpy(a) for a in (problem.X, problem.y, problem.theta))
    if X.ndim == 2:
        X, y, theta = X[None], y[None], theta[None]
    with torch.no_grad():
        columns = iterates(problem, X, y[..., None], f)  # each (B, d, 1)
        if problem.cell.asks == "curve":
            errors = [((q[..., 0] * theta).sum(-1) + problem.alpha).abs() for q in columns]
            result = torch.stack(errors, dim=-1)
        else:
            for q in columns:  # noqa: B007  (only the last is wanted)
                pass
            result = -q[..., 0]
    return result.reshape(*problem.X.shape[:-2], -1)


def loop_iterates(
    problem: Problem, X: torch.Tensor, y: torch.Tensor, f: Product
) -> Iterator[torch.Tensor]:
    """Yield q(0) … q(T), (B, d, 1): q ← q − η Xᵀ (X q + α y)."""
    Xt = X.mT
    step = inverse_largest(Xt @ X) if problem.eta is None else problem.eta
    target = problem.alpha * y  # (B, n, 1)
    q = X.new_zeros(len(X), X.shape[-1], 1)
    yield q
    for _ in range(problem.T):
        q = q - step * torch.bmm(Xt, f(target, X, q))
        yield q


def gram_iterates(
    problem: Problem, X: torch.Tensor, y: torch.Tensor, f: Product
) -> Iterator[torch.Tensor]:
    """Yield q(0) … q(T), (B, d, 1): q ← (I − η G) q − η α Xᵀ y, G = Xᵀ X."""
    Xt = X.mT
    G = torch.bmm(Xt, X)  # (B, d, d)
    step = inverse_largest(G) if problem.eta is None else problem.eta
    A = torch.eye(X.shape[-1], dtype=X.dtype) - step * G  # (B, d, d)
    shift = -step * problem.alpha * torch.bmm(Xt, y)  # (B, d, 1)
    q = torch.zeros_like(shift)
    yield q
    for _ in range(problem.T):
        q = f(shift, A, q)
        yield q


def inverse_largest(G: torch.Tensor) -> torch.Tensor:
    """Give 1/λ_max of the symmetric G (B, d, d), as (B, 1, 1)."""
    return 1 / torch.linalg.eigvalsh(G)[..., -1:, None]


def by_bmm(shift: torch.Tensor, A: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """Give A q + shift in two steps."""
    return torch.bmm(A, q) + shift


def by_baddbmm(shift: torch.Tensor, A: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """Give A q + shift in one call."""
    return torch.baddbmm(shift, A, q)
