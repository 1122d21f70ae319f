"""The family as a user would write it in PyTorch, on the CPU with all cores.

The tensors share the problem's memory; nothing is copied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch.nn.functional import scaled_dot_product_attention

from family import PART, VJP_PART, Gradient, Prompts
from peers_torch import by_baddbmm, by_bmm, gram_iterates, loop_iterates
from problems import Call


def linear(problem: Prompts) -> dict[str, Call]:
    """Give linear attention with all rows moving."""
    in_cache = {"one matrix, in parts": partial(in_parts, linear_one_matrix)}
    return {name: partial(run, problem, form) for name, form in (LINEAR | in_cache).items()}


def softmax(problem: Prompts) -> dict[str, Call]:
    """Give softmax attention with the query row moving: v(T)."""
    in_cache = {"sdpa, in parts": partial(in_parts, softmax_sdpa)}
    forms = {name: partial(generate, form) for name, form in (SOFTMAX | in_cache).items()}
    return {name: partial(run, problem, form) for name, form in forms.items()}


def linear_vjp(problem: Prompts) -> dict[str, Call]:
    """Give the forms of `linear` and autograd, on all prompts and in parts."""
    return forwards_and_backwards(problem, LINEAR)


def softmax_vjp(problem: Prompts) -> dict[str, Call]:
    """Give the forms of `softmax` and autograd, on all prompts and in parts."""
    return forwards_and_backwards(problem, SOFTMAX)


def gradient(problem: Gradient) -> dict[str, Call]:
    """Give the loops of `peers_torch`, on X and on the Gram matrix, and autograd."""
    forms = {
        "loop": partial(loop_iterates, f=by_bmm),
        "gram bmm": partial(gram_iterates, f=by_bmm),
        "gram baddbmm": partial(gram_iterates, f=by_baddbmm),
    }
    return {name: partial(pull_back, problem, iterates) for name, iterates in forms.items()}


def forwards_and_backwards(
    problem: Prompts, forms: dict[str, Callable[..., torch.Tensor]]
) -> dict[str, Call]:
    """Give the calls that differentiate the forms."""
    parts = {"": problem.cell.B, ", in parts": VJP_PART}
    return {
        name + how: partial(pull_back_model, problem, form, part)
        for name, form in forms.items()
        for how, part in parts.items()
    }


def run(problem: Prompts, form: Callable[..., torch.Tensor]) -> torch.Tensor:
    """Give what the form gives, without gradients."""
    with torch.no_grad():
        Z, P, Q = (torch.from_numpy(a) for a in (problem.Z, problem.P, problem.Q))
        return form(Z, P, Q, problem.eta, problem.T)


def generate(form: Callable[..., torch.Tensor], *model: object) -> torch.Tensor:
    """Give v(T) = −q(T) of a form that gives the query row, (B, d)."""
    return -form(*model)[:, :-1]


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


def pull_back_model(
    problem: Prompts, form: Callable[..., torch.Tensor], part: int
) -> tuple[torch.Tensor, ...]:
    """Give what moves of Z(T), and the gradients of Σ Z_bar·Z(T) by P, Q, η and Z.

    `part` prompts at a time, so that what autograd records of them may stay in the cache.
    """
    eta = np.asarray(problem.eta, problem.dtype)
    P, Q, step = model = [torch.from_numpy(a).requires_grad_() for a in (problem.P, problem.Q, eta)]
    bars = problem.Z_bar[:, -1] if problem.is_softmax else problem.Z_bar
    ends, Z_bars, model_bars = [], [], [torch.zeros_like(a) for a in model]
    pairs = (torch.from_numpy(a).split(part) for a in (problem.Z, bars))
    for Z, bar in zip(*pairs, strict=True):
        leaf = Z.detach().requires_grad_()
        end = form(leaf, P, Q, step, problem.T)
        Z_bar, *found = torch.autograd.grad(end, [leaf, *model], bar)
        model_bars = [total + one for total, one in zip(model_bars, found, strict=True)]
        ends.append(end.detach())
        Z_bars.append(Z_bar)
    return torch.cat(ends), *model_bars, torch.cat(Z_bars)


LINEAR: dict[str, Callable[..., torch.Tensor]] = {
    "scores": linear_scores,
    "reordered": linear_reordered,
    "one matrix": linear_one_matrix,
    "fixed size": linear_fixed_size,
}
SOFTMAX: dict[str, Callable[..., torch.Tensor]] = {
    "bmm": softmax_bmm,
    "keys, values": softmax_keys_values,
    "sdpa": softmax_sdpa,
}
