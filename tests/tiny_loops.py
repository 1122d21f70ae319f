"""The looped family once more, row by row and key by key: what the reference is tested by.

One prompt at a time, scalars and vectors alone, so that no mask, broadcast or stacked product can
be wrong in the same way twice.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def tiny_loops(
    Z: Any,  # (n + 1, D)
    P: Any,  # (L, H, D, D)
    Q: Any,  # (L, H, D, D)
    steps: Any,  # (T, L)
    *,
    skip: Any = None,
    attention: str = "linear",
    update: str = "query",
    mask: str = "context",
    normalize: str = "masked",
    scale: str = "sum",
) -> list[Any]:
    """Return [Z(0), …, Z(T)]."""
    Z = np.array(Z, float)
    n, D = len(Z) - 1, Z.shape[1]
    skip = np.eye(D) if skip is None else skip
    states = [Z.copy()]
    for row_of_steps in steps:
        for layer, eta in enumerate(row_of_steps):
            new = Z.copy()
            for i in range(n + 1):
                if update == "query" and i < n:
                    continue
                moved = Z[i] @ skip
                if scale == "sum" or n > 0:
                    for P_h, Q_h in zip(P[layer], Q[layer], strict=True):
                        weights = key_weights(Z, Q_h, i, attention, mask, normalize)
                        for j, weight in weights.items():
                            moved = moved - eta / (n if scale == "mean" else 1) * weight * (
                                Z[j] @ P_h
                            )
                if update == "targets":
                    new[i, -1] = moved[-1]
                else:
                    new[i] = moved
            Z = new
        states.append(Z.copy())
    return states


def key_weights(Z, Q, i, attention, mask, normalize) -> dict[int, float]:
    """Return the weight of every key of row i."""
    n = len(Z) - 1
    keys = {"context": range(n), "all": range(n + 1), "causal": range(i + 1)}[mask]
    scores = {j: float(Z[i] @ Q @ Z[j]) for j in range(n + 1)}
    if attention == "linear":
        return {j: scores[j] for j in keys}
    if attention == "relu":
        return {j: scores[j] if scores[j] > 0 else 0.0 for j in keys}
    if attention == "exp":
        return {j: math.exp(scores[j]) for j in keys}
    everyone = keys if normalize == "masked" else range(n + 1)
    total = sum(math.exp(scores[j]) for j in everyone)
    return {j: math.exp(scores[j]) / total for j in keys}
