"""Prompts: read from the caller, or put together from examples and queries."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loopcore._arguments import common_type, read_real

Array = NDArray[Any]


def read_prompt(Z: ArrayLike, D: int) -> Array:
    """Return literal prompts as float32 or float64, (..., n + 1, D)."""
    prompt = read_real(Z, "Z")
    shape = prompt.shape
    if len(shape) < 2 or shape[-2] < 1 or shape[-1] != D:
        raise ValueError(f"Z: expected shape (..., n + 1, D) with D = {D}, got {shape}")
    return prompt.astype(common_type(prompt), copy=False)


def read_rows(value: ArrayLike, name: str, axes: int, d: int) -> Array:
    """Return an array of d entries on its last axis and at least `axes` axes, 1 or 2."""
    rows = read_real(value, name)
    if rows.ndim < axes or rows.shape[-1] != d:
        core = {1: "(..., d)", 2: "(..., n, d)"}[axes]
        raise ValueError(f"{name}: expected shape {core} with d = {d}, got {rows.shape}")
    return rows


def read_targets(y: ArrayLike, X: Array) -> Array:
    """Return y, (..., n), for inputs X, (..., n, d)."""
    targets, n = read_real(y, "y"), X.shape[-2]
    if targets.ndim < 1 or targets.shape[-1] != n:
        raise ValueError(
            f"y: expected n = {n} entries on its last axis to match X {X.shape}, got shape "
            f"{targets.shape}"
        )
    return targets


def read_first_values(y0: ArrayLike, result: tuple[int, ...], *, many: bool) -> Array:
    """Return y0 in float64 on the axes of the result, (..., m) if many, else (...).

    It may bring new leading axes.
    """
    first = read_real(y0, "y0")
    try:
        shape = np.broadcast_shapes(first.shape, result)
    except ValueError:
        shape = ()
    if len(shape) < len(result) or (many and shape[-1] != result[-1]):
        raise ValueError(
            f"y0: expected to broadcast with the result {result}, got shape {first.shape}"
        )
    return np.broadcast_to(first.astype(np.float64), shape)


def join(rows: Array, targets: Array, queries: Array, slots: Array) -> Array:
    """Return the prompt [[rows, targets], [queries, slots]].

    Parameters
    ----------
    rows : (..., n, D − 1) array
        The context without its last entries,
    targets : (..., n) array
        which are these.
    queries : (..., m, D − 1) array
        The queries without their last entries,
    slots : (..., m) array
        which are these.

    Returns
    -------
    (..., n + m, D) array
        In the type of the rows and the queries; the last entries never change it.
    """
    n, m = rows.shape[-2], queries.shape[-2]
    leads = (rows.shape[:-2], targets.shape[:-1], queries.shape[:-2], slots.shape[:-1])
    shape = (*np.broadcast_shapes(*leads), n + m, rows.shape[-1] + 1)
    Z = np.empty(shape, np.result_type(rows, queries))
    Z[..., :n, :-1], Z[..., :n, -1] = rows, targets
    Z[..., n:, :-1], Z[..., n:, -1] = queries, slots
    return Z
