"""The loops of the family and their derivative along a direction, one prompt, written literally.

NumPy only and in any type: complex for the complex step, long double for the tangent.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Kind(NamedTuple):
    """The words of a model."""

    attention: str = "linear"
    update: str = "query"
    mask: str = "context"
    normalize: str = "masked"
    scale: str = "sum"


class Point(NamedTuple):
    """What a result depends on, or a direction in that space."""

    Z: Array  # (n + m, D)
    P: Array  # (L, H, D, D)
    Q: Array  # (L, H, D, D)
    skip: Array  # (D, D)
    steps: Array  # (T, L)

    def along(self, direction: Point, step: complex) -> Point:
        return Point(*(a + step * b for a, b in zip(self, direction, strict=True)))

    def dot(self, other: Point) -> Any:
        return sum(np.sum(a * b) for a, b in zip(self, other, strict=True))


def every_kind() -> list[Kind]:
    kinds = []
    for attention in ("linear", "softmax", "relu", "exp"):
        for normalize in ("masked", "all") if attention == "softmax" else ("masked",):
            for update in ("query", "all", "targets"):
                kinds += [
                    Kind(attention, update, mask, normalize)
                    for mask in ("context", "all", "causal")
                ]
    return kinds


def masks(kind: Kind, n: int, m: int) -> tuple[Array, Array]:
    """M and N, (n + m, n + m): where a row attends to, and what its softmax is over."""
    i, j = np.indices((n + m, n + m))
    M = {"context": j < n, "all": j >= 0, "causal": j <= i}[kind.mask]
    return M, np.ones_like(M) if kind.normalize == "all" else M


def run(point: Point, kind: Kind, m: int = 1) -> Array:
    """Z(T), (n + m, D)."""
    Z, P, Q, skip, steps = point
    n = len(Z) - m
    M, N = masks(kind, n, m)
    first = n if kind.update == "query" else 0
    for loop in steps:
        for layer, eta in enumerate(loop):
            moved = Z @ skip
            factor = eta if kind.scale == "sum" else eta / n if n else 0
            for P_h, Q_h in zip(P[layer], Q[layer], strict=True):
                moved = moved - factor * weigh(Z @ Q_h @ Z.T, M, N, kind.attention) @ Z @ P_h
            Z = np.concatenate([Z[:first], moved[first:]])
    return Z


def weigh(s: Array, M: Array, N: Array, attention: str) -> Array:
    if attention == "linear":
        w = s
    elif attention == "relu":
        w = np.where(s.real > 0, s, 0)
    elif attention == "exp":
        w = np.exp(s)
    else:
        largest = s.real.max(1, keepdims=True, initial=-np.inf, where=N)
        w = np.where(N, np.exp(np.where(N, s - largest, 0)), 0)
        w = w / np.where(N.any(1), w.sum(1), 1)[:, None]
    return np.where(M, w, 0)


def tangent(point: Point, direction: Point, kind: Kind, m: int = 1) -> Array:
    """The derivative of Z(T) along the direction, (n + m, D): each line of `run` differentiated."""
    Z, P, Q, skip, steps = point
    dZ, dP, dQ, dskip, dsteps = direction
    n = len(Z) - m
    M, N = masks(kind, n, m)
    first = n if kind.update == "query" else 0
    factor = 1 if kind.scale == "sum" else 1 / Z.dtype.type(n) if n else 0
    for t, loop in enumerate(steps):
        for layer, eta in enumerate(loop):
            moved, dmoved = Z @ skip, dZ @ skip + Z @ dskip
            for h in range(P.shape[1]):
                P_h, Q_h = P[layer, h], Q[layer, h]
                s = Z @ Q_h @ Z.T
                ds = dZ @ Q_h @ Z.T + Z @ dQ[layer, h] @ Z.T + Z @ Q_h @ dZ.T
                w = weigh(s, M, N, kind.attention)
                if kind.attention == "linear":
                    dw = ds
                elif kind.attention == "relu":
                    dw = np.where(s > 0, ds, 0)
                elif kind.attention == "exp":
                    dw = w * ds
                else:
                    p = weigh(s, N, N, "softmax")
                    dw = p * (ds - np.sum(p * ds, 1, keepdims=True))
                dw = np.where(M, dw, 0)
                a, da = w @ Z, dw @ Z + w @ dZ
                moved = moved - factor * eta * a @ P_h
                dmoved = dmoved - factor * (
                    dsteps[t, layer] * a @ P_h + eta * (da @ P_h + a @ dP[layer, h])
                )
            Z = np.concatenate([Z[:first], moved[first:]])
            dZ = np.concatenate([dZ[:first], dmoved[first:]])
    return dZ


def random_point(
    rng: np.random.Generator, n: int, D: int, T: int, L: int = 1, H: int = 1, m: int = 1
) -> Point:
    """Weights under which a few loops change the prompt by about its own size."""
    return Point(
        rng.standard_normal((n + m, D)) / np.sqrt(D),
        rng.standard_normal((L, H, D, D)) / np.sqrt(D),
        rng.standard_normal((L, H, D, D)) / np.sqrt(D),
        0.9 * np.eye(D) + 0.1 * rng.standard_normal((D, D)) / np.sqrt(D),
        rng.uniform(0.2, 0.6, (T, L)) / (H * max(1, n)),
    )


def of_targets(point: Point) -> Point:
    """The point with weights that move the targets alone."""
    P, Q, skip = np.zeros_like(point.P), point.Q.copy(), np.eye(len(point.skip))
    P[..., -1, -1] = point.P[..., -1, -1]
    Q[..., -1, :] = Q[..., :, -1] = 0
    skip[:, -1] = point.skip[:, -1]
    return Point(point.Z, P, Q, skip, point.steps)
