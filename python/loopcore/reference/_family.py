"""The whole family of looped attention: any weights, layers, heads, masks and activations.

A loop is the L layers in turn; layer l moves its rows, all from the same old Z, by

    Z ← Z skip − η_l Σ_h Attn(Z; P_lh, Q_lh)          (..., n + 1, D)
    Attn(Z; P, Q) = (M ∘ h(Z Q Zᵀ)) Z P               (..., n + 1, D)

where M is 1 where row i may attend to row j, and h is the identity, max(·, 0), exp, or the softmax
of each row.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import chain
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loopcore.reference._types import FloatArray, real

Mask = NDArray[np.bool_]

WORDS = {
    "attention": ("linear", "softmax", "relu", "exp"),
    "update": ("query", "all", "targets"),
    "mask": ("context", "all", "causal"),
    "normalize": ("masked", "all"),
    "scale": ("sum", "mean"),
}


def looped(
    Z: ArrayLike,
    P: ArrayLike,
    Q: ArrayLike,
    T: int,
    *,
    eta: ArrayLike | None = None,
    schedule: ArrayLike | None = None,
    skip: ArrayLike | None = None,
    attention: Literal["linear", "softmax", "relu", "exp"] = "linear",
    update: Literal["query", "all", "targets"] = "query",
    mask: Literal["context", "all", "causal"] = "context",
    normalize: Literal["masked", "all"] = "masked",
    scale: Literal["sum", "mean"] = "sum",
    queries: int = 1,
) -> FloatArray:
    """Return Z(T), by T literal loops of a looped Transformer.

    Parameters
    ----------
    Z : (..., n + 1, D) array_like
        Tokens, one a row: n of context, then the query.
    P, Q : (L, H, D, D) array_like
        Value weights and query–key weights of L layers of H heads.
    T : int
        Number of loops.
    eta : (..., L) array_like
        The step of each layer.
    schedule : (..., ≥ T, L) array_like
        The step of each layer in each loop, instead of eta; of more than T the first T.
    skip : (D, D) array_like, optional
        What a row that moves is multiplied by; the identity by default.
    attention : "linear", "softmax", "relu" or "exp"
        What becomes of a score s: s, its part in the softmax over the row, max(s, 0) or exp(s).
    update : "query", "all" or "targets"
        What moves: the query row, every row, or the last entry of every row.
    mask : "context", "all" or "causal"
        Where a row attends to: the n rows of context, all n + 1, or those up to itself.
    normalize : "masked" or "all"
        Over which keys softmax sums to one: those that the row may see, or all n + 1 of them,
        of which the mask then takes its part.
    scale : "sum" or "mean"
        "mean" divides the steps by n; without context rows the attention is then left out.
    queries : int
        How many rows at the end are queries, (..., n + queries, D). More than one needs
        mask="context" and an attention in which no row sees a query but that query itself.

    Returns
    -------
    (..., n + 1, D) ndarray
        In the type of Z, which is also the type of the arithmetic; all else is rounded to it.

    Raises
    ------
    TypeError
        If Z is not real.
    ValueError
        If the shapes do not fit together, or several queries would see each other.

    Notes
    -----
    Source: the layer of Ahn et al. (arXiv 2306.00297) with tokens as rows and the step subtracted,
    looped as by Gatmiry et al. (arXiv 2410.08292); normalize="all" is what the former's code does.

    Examples
    --------
    The paper's construction: two loops are two steps of gradient descent.

    >>> Z = np.array([[1.0, 2.0], [1.0, 2.0], [0.0, 1.0]])
    >>> looped(Z, np.diag([1, 0])[None, None], np.eye(2)[None, None], 2, eta=[0.25])
    array([[ 1. ,  2. ],
           [ 1. ,  2. ],
           [-1.5,  1. ]])
    """
    kind = {"attention": attention, "update": update, "mask": mask, "normalize": normalize}
    states = _states(
        Z, P, Q, T, eta=eta, schedule=schedule, skip=skip, scale=scale, queries=queries, **kind
    )
    return np.array(deque(states, maxlen=1)[0])


def looped_trajectory(
    Z: ArrayLike,
    P: ArrayLike,
    Q: ArrayLike,
    T: int,
    *,
    at: ArrayLike | None = None,
    **kind: Any,
) -> FloatArray:
    """Return Z(t) for the loops t named in `at`.

    Parameters
    ----------
    Z, P, Q, T, **kind
        As in `looped`.
    at : (K,) array_like of int, optional
        Loops, each in 0 … T; all of them by default.

    Returns
    -------
    (..., K, n + 1, D) ndarray

    Raises
    ------
    TypeError, ValueError
        As `looped`.

    Examples
    --------
    >>> Z = np.array([[1.0, 2.0], [1.0, 2.0], [0.0, 1.0]])
    >>> P, Q = np.diag([1, 0])[None, None], np.eye(2)[None, None]
    >>> looped_trajectory(Z, P, Q, 2, eta=[0.25])[:, -1]
    array([[ 0. ,  1. ],
           [-1. ,  1. ],
           [-1.5,  1. ]])
    """
    wanted = np.arange(T + 1) if at is None else np.asarray(at)  # (K,)
    states = _states(Z, P, Q, T, **kind)
    first = next(states)
    kept = np.empty((*first.shape[:-2], wanted.size, *first.shape[-2:]), first.dtype)
    for t, state in enumerate(chain([first], states)):
        kept[..., wanted == t, :, :] = state[..., None, :, :]
    return kept


def _states(
    Z: ArrayLike,
    P: ArrayLike,
    Q: ArrayLike,
    T: int,
    *,
    eta: ArrayLike | None = None,
    schedule: ArrayLike | None = None,
    skip: ArrayLike | None = None,
    attention: str = "linear",
    update: str = "query",
    mask: str = "context",
    normalize: str = "masked",
    scale: str = "sum",
    queries: int = 1,
) -> Iterator[FloatArray]:
    """Yield Z(0), …, Z(T), each (..., n + queries, D)."""
    state = real(Z)
    dtype, (rows, D) = state.dtype, state.shape[-2:]
    n = rows - queries
    P_, Q_ = np.asarray(P).astype(dtype), np.asarray(Q).astype(dtype)  # (L, H, D, D)
    skip_ = np.asarray(np.eye(D) if skip is None else skip).astype(dtype)  # (D, D)
    _check({"attention": attention, "update": update, "mask": mask})
    _check({"normalize": normalize, "scale": scale})
    if queries != 1 and (mask != "context" or (normalize == "all" and update != "query")):
        raise ValueError(f"queries: expected 1 where rows see the query, got {queries}")
    M = sees(n, mask, queries)  # (n + queries, n + queries)
    steps = _steps(eta, schedule, T).astype(dtype)  # (..., T or 1, L or 1)
    if scale == "mean":
        steps, M = steps / dtype.type(max(n, 1)), M if n else np.zeros_like(M)
    steps = np.broadcast_to(steps, (*steps.shape[:-2], T, len(P_)))
    N = M if normalize == "masked" else counts(n, queries)
    state = np.broadcast_to(
        state, (*np.broadcast_shapes(state.shape[:-2], steps.shape[:-2]), rows, D)
    )
    moving = slice(n if update == "query" else 0, None)  # these rows, and in them these entries:
    entries = slice(-1 if update == "targets" else 0, None)
    yield state
    for t in range(T):
        for layer in range(len(P_)):
            # Z skip − η_l Σ_h Attn(Z; P_lh, Q_lh), where it moves
            moved = state[..., moving, :] @ skip_
            if M.any():
                attended = _attend(state, P_[layer], Q_[layer], moving, M=M, N=N, h=attention)
                moved = moved - steps[..., t, layer, None, None] * attended
            state = state.copy()
            state[..., moving, entries] = moved[..., entries]
        yield state


def _check(words: dict[str, str]) -> None:
    """Raise ValueError for a word that is not one of its argument's."""
    for argument, word in words.items():
        if word not in WORDS[argument]:
            raise ValueError(f"{argument}: expected one of {WORDS[argument]}, got {word!r}")


def _steps(eta: ArrayLike | None, schedule: ArrayLike | None, T: int) -> FloatArray:
    """Return the steps as (..., 1, L) from eta, (..., L), or (..., T, L) from schedule."""
    if (eta is None) == (schedule is None):
        raise ValueError("eta: expected eta or schedule, got both or none")
    if eta is not None:
        return real(eta)[..., None, :]
    given = real(np.asarray(schedule))[..., :T, :]
    if given.shape[-2] != T:
        raise ValueError(f"schedule: expected {T} loops, got {given.shape[-2]}")
    return given


def sees(n: int, mask: str, queries: int = 1) -> Mask:
    """Return M, (n + queries, n + queries): whether row i may attend to row j."""
    rows = n + queries
    j = np.arange(rows)
    M = j <= j[:, None] if mask == "causal" else (j < n) | (mask == "all")
    return np.broadcast_to(M, (rows, rows))


def counts(n: int, queries: int = 1) -> Mask:
    """Return N, (n + queries, n + queries): whether softmax over "all" in row i sums over row j.

    All rows, but of the queries only itself.
    """
    i, j = np.indices((n + queries, n + queries))
    return np.asarray((j < n) | (i == j) | (queries == 1))


def _attend(
    Z: FloatArray, P: FloatArray, Q: FloatArray, rows: slice, *, M: Mask, N: Mask, h: str
) -> FloatArray:
    """Return Σ_h Attn(Z; P_h, Q_h) of some rows."""
    keys = M.any(0)  # who is nobody's key stays outside: 0 · NaN would let it in
    attended = np.zeros_like(Z[..., rows, :])
    for P_h, Q_h in zip(P, Q, strict=True):
        scores = Z[..., rows, :] @ Q_h @ Z.swapaxes(-1, -2)  # (..., rows, n + queries)
        weights = _weights(scores, M[rows], N[rows], h)
        attended = attended + weights[..., keys] @ Z[..., keys, :] @ P_h
    return attended


def _weights(scores: FloatArray, M: Mask, N: Mask, attention: str) -> FloatArray:
    """Return M ∘ h(scores); softmax sums to one over N."""
    if attention == "linear":
        weights = scores
    elif attention == "relu":
        weights = np.maximum(scores, 0)
    elif attention == "exp":
        weights = np.exp(np.where(M, scores, 0))
    else:  # softmax
        # The greatest score taken off, e^(s − max) ≤ 1 cannot overflow. Without keys: max = 0.
        some = np.any(N, axis=-1, keepdims=True)
        greatest = np.where(some, scores.max(-1, keepdims=True, initial=-np.inf, where=N), 0)
        weights = np.exp(np.where(N, scores - greatest, -np.inf))
        weights = weights / np.where(some, weights.sum(-1, keepdims=True), 1)
    return np.asarray(np.where(M, weights, 0))
