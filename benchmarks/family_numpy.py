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
    return {"matmul": partial(generate, problem)}


def gradient(problem: Gradient) -> dict[str, Call]:
    """Give the loop on X with its reverse pass, written by hand."""
    return {"by hand": partial(loop_and_pullback, problem)}


def linear_vjp(problem: Prompts) -> dict[str, Call]:
    """Give the literal loop with its reverse pass, written by hand."""
    return {"by hand": partial(model_and_pullback, problem)}


softmax_vjp = linear_vjp


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


def generate(problem: Prompts) -> np.ndarray:
    """Give v(T) = −q(T) of `softmax_query`. (B, d)."""
    return -softmax_query(problem)[:, :-1]


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


def model_and_pullback(problem: Prompts) -> tuple[np.ndarray, ...]:
    """Give what moves of Z(T), and the gradients of Σ Z_bar·Z(T) by P, Q, η and Z.

    Forward, with the rows z that move and the context C, z ← z − η a P, a = w C, w = h(z Q Cᵀ).
    Backward, from λ' to λ, with v = λ' Pᵀ and ā = −η v,

        P̄ −= η aᵀ λ',  η̄ −= a·v,  w̄ = ā Cᵀ,  s̄ = h'(w̄),  ū = s̄ C,  Q̄ += zᵀ ū,
        C̄ += wᵀ ā + s̄ᵀ z Q,  λ = λ' + ū Qᵀ
    """
    P, Q, eta = problem.P, problem.Q, problem.dtype.type(problem.eta)
    rows = slice(-1, None) if problem.is_softmax else slice(None)
    record = [problem.Z[:, rows]]  # z(0) … z(T), each (B, 1 or n+1, D)
    for _ in range(problem.T):
        C = context_at(problem, record[-1])
        record.append(record[-1] - eta * (weigh(problem, record[-1], C) @ C) @ P)
    end = record.pop()
    Z_bar = problem.Z_bar.copy()
    bar = Z_bar[:, rows]  # λ, of which C̄ is another part where the context moves
    C_bar = Z_bar[:, :-1]
    P_bar, Q_bar, eta_bar = np.zeros_like(P), np.zeros_like(Q), np.zeros((), problem.dtype)
    for z in reversed(record):
        C = context_at(problem, z)
        w = weigh(problem, z, C)
        a, v = w @ C, bar @ P.T
        P_bar -= eta * sum_outer(a, bar)
        eta_bar -= (a * v).sum()
        a_bar = -eta * v
        s_bar = a_bar @ C.swapaxes(-1, -2)
        if problem.is_softmax:
            s_bar = w * (s_bar - (w * s_bar).sum(-1, keepdims=True))
        u_bar = s_bar @ C
        Q_bar += sum_outer(z, u_bar)
        bar += u_bar @ Q.T
        C_bar += w.swapaxes(-1, -2) @ a_bar + s_bar.swapaxes(-1, -2) @ (z @ Q)
    return end[:, 0] if problem.is_softmax else end, P_bar, Q_bar, eta_bar, Z_bar


def context_at(problem: Prompts, z: np.ndarray) -> np.ndarray:
    """Give the context, (B, n, D), where the rows that move are z."""
    return problem.Z[:, :-1] if problem.is_softmax else z[:, :-1]


def weigh(problem: Prompts, z: np.ndarray, C: np.ndarray) -> np.ndarray:
    """Give the weights h(z Q Cᵀ) of rows z, (B, rows, n)."""
    scores = z @ problem.Q @ C.swapaxes(-1, -2)
    if not problem.is_softmax:
        return scores
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def sum_outer(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Give Σ leftᵀ right over all rows of all prompts, (D, D)."""
    D = left.shape[-1]
    return left.reshape(-1, D).T @ right.reshape(-1, D)
