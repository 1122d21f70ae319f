"""Prompts: read from the caller, whole or as examples and queries."""

from __future__ import annotations

from typing import Any, NamedTuple

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


class Prompt(NamedTuple):
    """The prompt [[X, y], [queries, slots]]; leading axes broadcast.

    In parts, so that what the caller has apart need not be copied together. Its type is that of X
    and the queries, which the last entries never change.
    """

    X: Array
    """The context without its last entries, (..., n, D − 1),"""
    y: Array
    """which are these, (..., n)."""
    queries: Array
    """The queries without their last entries, (..., m, D − 1),"""
    slots: Array
    """which are these, (..., m)."""

    @classmethod
    def literal(cls, Z: Array) -> Prompt:
        """Return the parts of literal prompts, (..., n + 1, D): views."""
        return cls(Z[..., :-1, :-1], Z[..., :-1, -1], Z[..., -1:, :-1], Z[..., -1:, -1])

    @property
    def n(self) -> int:
        """The number of context rows."""
        return int(self.X.shape[-2])

    def shifted(self, k: NDArray[np.intp]) -> Prompt:
        """Return the parts of 2ᵏ Z in float64, k (...)."""
        axes = (2, 1, 2, 1)
        return Prompt(
            *(
                # Targets may be of any type, whose range is smaller.
                np.ldexp(part.astype(np.float64), np.expand_dims(k, tuple(range(-count, 0))))
                for part, count in zip(self, axes, strict=True)
            )
        )

    def context(self) -> Array:
        """Return the context rows, (..., n, D)."""
        return _side_by_side(self.X, self.y)

    def rows(self) -> Array:
        """Return all rows, (..., n + m, D)."""
        context, queries = self.context(), _side_by_side(self.queries, self.slots)
        lead = np.broadcast_shapes(context.shape[:-2], queries.shape[:-2])
        parts = [np.broadcast_to(rows, (*lead, *rows.shape[-2:])) for rows in (context, queries)]
        return np.concatenate(parts, axis=-2)


def _side_by_side(x: Array, y: Array) -> Array:
    """Return the rows (x, y), (..., k, D), in the type of x."""
    rows = np.empty((*np.broadcast_shapes(x.shape[:-1], y.shape), x.shape[-1] + 1), x.dtype)
    rows[..., :-1], rows[..., -1] = x, y
    return rows
