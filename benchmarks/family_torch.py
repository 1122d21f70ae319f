"""The family as a user would write it in PyTorch, on the CPU with all cores.

The tensors share the problem's memory; nothing is copied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import torch
from torch.nn.functional import scaled_dot_product_attention

from family import PART, Gradient, Prompts
from peers_torch import by_baddbmm, by_bmm, gram_iterates, loop_iterates
from problems import Call


def linear(problem: Prompts) -> dict[str, Call]:
    """Give linear attention with all rows moving."""
    forms = {
        "scores": linear_scores,
        "reordered": linear_reordered,
        "one matrix": linear_one_matrix,
        "one matrix, in parts": partial(in_parts, linear_one_matrix),
        "fixed size": linear_fixed_size,
    }
    return {name: partial(run, problem, form) for name, form in forms.items()}


def softmax(problem: Prompts) -> dict[str, Call]:
    """Give softmax attention with the query row moving."""
    forms = {
        "bmm": softmax_bmm,
        "keys, values": softmax_keys_values,
        "sdpa": softmax_sdpa,
        "sdpa, in parts": partial(in_parts, softmax_sdpa),
    }
    return {name: partial(run, problem, form) for name, form in forms.items()}


def gradient(problem: Gradient) -> dict[str, Call]:
    """Give the loops of `peers_torch`, on X and on the Gram matrix, and autograd."""
    forms = {
        "loop": partial(loop_iterates, f=by_bmm),
        "gram bmm": partial(gram_iterates, f=by_bmm),
        "gram baddbmm": partial(gram_iterates, f=by_baddbmm),
    }
    return {name: partial(pull_back, problem, iterates) for name, iterates in forms.items()}


def run(problem: Prompts, form: Callable[..., torch.Tensor]) -> torch.Tensor:
    """Give what the form gives, without gradients."""
    with torch.no_grad():
        Z, P, Q = (torch.from_numpy(a) for a in (problem.Z, problem.P, problem.Q))
        return form(Z, P, Q, problem.eta, problem.T)


def in_parts(form: Callable[..., torch.Tensor], Z: torch.Tensor, *model: object) -> torch.Tensor:
    """Give what the form gives, PART prompts at a time, which stay in the cache for all loops."""
    return torch.cat([form(part, *model) for part in Z.split(PART)])


def linear_scores(
    Z: torch.Tensor, P: torch.Tensor, Q: torch.Tensor, eta: float, T: int
) -> torch.Tensor:
    """Loop Z ← Z − η (Z Q Zcᵀ) Zc P. (B, n+1, D)."""
    for _ in range(T):
        context = Z[:, :-1]
        Z = Z - eta * torch.bmm(torch.bmm(Z @ Q, context.mT), context) @ P
    return Z


def linear_reordered(
    Z: torch.Tensor, P: torch.Tensor, Q: torch.Tensor, eta: float, T: int
) -> torch.Tensor:
    """Loop Z ← Z − η Z Q (Zcᵀ Zc) P: no scores, n D² a loop. (B, n+1, D)."""
    for _ in range(T):
        context = Z[:, :-1]
        S = torch.bmm(context.mT, context)  # (B, D, D)
        Z = Z - eta * torch.bmm(Z @ Q, S) @ P
    return Z


def linear_one_matrix(
    Z: torch.Tensor, P: torch.Tensor, Q: torch.Tensor, eta: float, T: int
) -> torch.Tensor:
    """Loop Z ← Z (I − η Q (Zcᵀ Zc) P), the small matrices first. (B, n+1, D)."""
    identity = torch.eye(Z.shape[-1], dtype=Z.dtype)
    for _ in range(T):
        context = Z[:, :-1]
        S = torch.bmm(context.mT, context)  # (B, D, D)
        Z = torch.bmm(Z, identity - eta * (Q @ (S @ P)))
    return Z


def linear_fixed_size(
    Z: torch.Tensor, P: torch.Tensor, Q: torch.Tensor, eta: float, T: int
) -> torch.Tensor:
    """Loop A = I − η Q S P, S ← Aᵀ S A; Z(T) = Z A_0 A_1 …: D³ a loop. (B, n+1, D)."""
    context = Z[:, :-1]
    S = torch.bmm(context.mT, context)  # (B, D, D)
    identity = torch.eye(Z.shape[-1], dtype=Z.dtype)
    product = identity.expand_as(S)
    for _ in range(T):
        A = identity - eta * (Q @ (S @ P))
        S = torch.bmm(A.mT, torch.bmm(S, A))
        product = torch.bmm(product, A)
    return torch.bmm(Z, product)


def softmax_bmm(
    Z: torch.Tensor, P: torch.Tensor, Q: torch.Tensor, eta: float, T: int
) -> torch.Tensor:
    """Loop q ← q − η softmax(q Q Zcᵀ) Zc P. (B, D)."""
    context, q = Z[:, :-1], Z[:, -1:]  # (B, n, D), (B, 1, D)
    keys = context.mT
    for _ in range(T):
        q = q - eta * torch.bmm(torch.bmm(q @ Q, keys).softmax(-1), context) @ P
    return q[:, 0]


def softmax_keys_values(
    Z: torch.Tensor, P: torch.Tensor, Q: torch.Tensor, eta: float, T: int
) -> torch.Tensor:
    """Loop q ← q − softmax(q Kᵀ) V with the keys K = Zc Qᵀ and the values V = η Zc P. (B, D)."""
    context, q = Z[:, :-1], Z[:, -1:]  # (B, n, D), (B, 1, D)
    keys, values = (context @ Q.mT).mT, eta * context @ P  # (B, D, n), (B, n, D)
    for _ in range(T):
        q = q - torch.bmm(torch.bmm(q, keys).softmax(-1), values)
    return q[:, 0]


def softmax_sdpa(
    Z: torch.Tensor, P: torch.Tensor, Q: torch.Tensor, eta: float, T: int
) -> torch.Tensor:
    """Loop q ← q − η softmax(q Q Zcᵀ) Zc P with PyTorch's own fused attention. (B, D)."""
    context, q = Z[:, None, :-1], Z[:, None, -1:]  # (B, 1, n, D), (B, 1, 1, D): one head
    for _ in range(T):
        q = q - eta * scaled_dot_product_attention(q @ Q, context, context, scale=1.0) @ P
    return q[:, 0, 0]


def pull_back(
    problem: Gradient, iterates: Callable[..., Iterator[torch.Tensor]]
) -> tuple[torch.Tensor, ...]:
    """Give v(T) and the gradients of Σ w·v(T) with respect to X, y, α and η."""
    arrays = (problem.X, problem.y, problem.alpha, problem.eta)
    X, y, alpha, eta = leaves = [torch.from_numpy(a).requires_grad_() for a in arrays]
    columns = replace(problem, alpha=alpha[:, None, None], eta=eta[:, None, None])
    for q in iterates(columns, X, y[..., None]):  # noqa: B007  (only the last is wanted)
        pass
    v = -q[..., 0]
    return v.detach(), *torch.autograd.grad(v, leaves, torch.from_numpy(problem.w))
