"""The family in NumPy: the literal matrices, which are the truth, and what a user would write.

All arrays of a problem have one type, which is the type of the arithmetic, longdouble included.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from family import Gradient, Prompts
from loopcore import reference
from peers_numpy import by_matmul, loop_iterates
from problems import Call


def linear(problem: Prompts) -> dict[str, Call]:
    """Give linear attention with all rows moving."""
    return {
        "scores": partial(linear_scores, problem),
        "reordered": partial(linear_reordered, problem),
        "fixed size": partial(linear_fixed_size, problem),
    }


def softmax(problem: Prompts) -> dict[str, Call]:
    """Give softmax attention with the query row moving."""
    return {"matmul": partial(softmax_query, problem)}


def gradient(problem: Gradient) -> dict[str, Call]:
    """Give the loop on X with its reverse pass, written by hand."""
    return {"by hand": partial(loop_and_pullback, problem)}


def linear_scores(problem: Prompts) -> np.ndarray:
    """Multiply the literal matrices: Z ← Z − η (M ∘ (Z Q Zᵀ)) Z P. (B, n+1, D)."""
    rows = problem.Z.shape[-2]
    M = np.ones((rows, rows), np.float32)
    M[:, -1] = 0  # the query is no key
    steps = np.full(problem.T, problem.eta)
    return reference.loops(problem.Z, problem.P, problem.Q, M, steps)


def linear_reordered(problem: Prompts) -> np.ndarray:
    """Loop Z ← Z − η Z Q (Zcᵀ Zc) P: no scores, n D² a loop. (B, n+1, D)."""
    Z = problem.Z
    for _ in range(problem.T):
        context = Z[:, :-1]
        S = context.swapaxes(-1, -2) @ context  # (B, D, D)
        Z = Z - Z @ (problem.eta * problem.Q @ S @ problem.P)
    return Z


def linear_fixed_size(problem: Prompts) -> np.ndarray:
    """Loop A = I − η Q S P, S ← Aᵀ S A; Z(T) = Z A_0 A_1 …: D³ a loop. (B, n+1, D)."""
    context = problem.Z[:, :-1]
    S = context.swapaxes(-1, -2) @ context  # (B, D, D)
    identity = np.eye(S.shape[-1], dtype=S.dtype)
    product = identity
    for _ in range(problem.T):
        A = identity - problem.eta * problem.Q @ S @ problem.P
        S = A.swapaxes(-1, -2) @ S @ A
        product = product @ A
    return problem.Z @ product


def softmax_query(problem: Prompts) -> np.ndarray:
    """Loop q ← q − η softmax(q Q Zcᵀ) Zc P, q the query row. (B, D)."""
    context, q = problem.Z[:, :-1], problem.Z[:, -1]  # (B, n, D), (B, D)
    keys = context.swapaxes(-1, -2)
    for _ in range(problem.T):
        scores = by_matmul(q @ problem.Q, keys)  # (B, n)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        q = q - problem.eta * by_matmul(weights, context) @ problem.P
    return q


def loop_and_pullback(problem: Gradient) -> tuple[np.ndarray, ...]:
    """Give v(T) and the gradients of Σ w·v(T) with respect to X, y, α and η.

    Forward, q ← q − η Xᵀ r with r = X q + α y. Backward from q̄ = −w, with s = X q̄,

        X̄ −= η (r q̄ᵀ + s qᵀ),  ȳ −= η α s,  ᾱ −= η s·y,  η̄ −= s·r,  q̄ ← q̄ − η Xᵀ s
    """
    X, y, w = problem.X, problem.y, problem.w
    alpha, eta = problem.alpha[:, None], problem.eta[:, None]  # (B, 1)
    Xt = X.swapaxes(-1, -2)
    *before, last = loop_iterates(replace(problem, alpha=alpha, eta=eta))  # each (B, d)
    q = np.stack(before, axis=-2)  # (B, T, d)
    r = q @ Xt + (alpha * y)[:, None]  # (B, T, n)
    after = [-w]  # q̄(T) … q̄(1)
    for _ in range(problem.T - 1):
        after.append(after[-1] - eta * by_matmul(by_matmul(after[-1], Xt), X))
    q_bar = np.stack(after[::-1], axis=-2)  # (B, T, d)
    s = q_bar @ Xt  # (B, T, n)
    total = s.sum(-2)  # (B, n)
    X_bar = -eta[..., None] * (r.swapaxes(-1, -2) @ q_bar + s.swapaxes(-1, -2) @ q)
    alpha_bar = -problem.eta * (total * y).sum(-1)
    return -last, X_bar, -eta * alpha * total, alpha_bar, -(s * r).sum((-1, -2))
