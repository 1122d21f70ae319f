"""Tasks: examples and queries as every baseline reads them, and the way back to predictions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loopcore._arguments import broadcast_leading, common_type, read_real
from loopcore._looped import warn_of_divergence
from loopcore._prompts import read_rows, read_targets

Array = NDArray[np.float64]
Extra = tuple[str, tuple[int, ...], int]
"""A further argument with leading axes: its name, its shape, how many axes are not leading."""


class Tasks(NamedTuple):
    """Examples and queries in float64; their leading axes broadcast."""

    X: Array
    """(..., n, d)"""
    y: Array
    """(..., n)"""
    queries: Array
    """(..., m, d)"""
    eps: float
    """The spacing of the type in which X was given."""

    @property
    def n(self) -> int:
        """The number of examples."""
        return int(self.X.shape[-2])

    def predict(self, theta: Array) -> Array:
        """Return ⟨θ, x⟩ of K parameters (..., K, d) at the queries, (..., K, m)."""
        predictions: Array = theta @ self.queries.swapaxes(-1, -2)
        return predictions

    def without(self, left_out: slice) -> Tasks:
        """Return the tasks that must predict some of the examples from the others."""
        keep = np.delete(np.arange(self.n), left_out)
        X, y, held = self.X[..., keep, :], self.y[..., keep], self.X[..., left_out, :]
        return self._replace(X=X, y=y, queries=held)


def predicted(
    X: ArrayLike,
    y: ArrayLike,
    x_query: ArrayLike,
    solve: Callable[[Tasks], Array],
    *extras: Extra,
) -> Any:
    """Return what `solve` predicts, (..., m), in the shape and the type that the caller expects.

    Parameters
    ----------
    X, y, x_query
        As the caller gave them.
    solve : callable
        Gives (..., m) of finite tasks.
    extras
        What else must broadcast with them.
    """
    inputs, targets = _read_examples(X, y)
    many = read_real(x_query, "x_query").ndim >= inputs.ndim
    queries = read_rows(x_query, "x_query", 1 + many, inputs.shape[-1])
    lead = broadcast_leading(
        ("X", inputs.shape, 2),
        ("y", targets.shape, 1),
        ("x_query", queries.shape, 1 + many),
        *extras,
    )
    dtype = common_type(inputs, targets, queries)
    given = queries if many else queries[..., None, :]  # (..., m, d)
    tasks, finite = _finite_examples(inputs, targets)
    known = np.asarray(np.isfinite(given).all(-1))  # (..., m)
    tasks = tasks._replace(queries=np.where(known[..., None], given, 0).astype(np.float64))
    with np.errstate(all="ignore"):
        values = np.where(finite[..., None] & known, solve(tasks), np.nan).astype(dtype)
    values = np.broadcast_to(values, (*lead, given.shape[-2]))
    # Of its own: a broadcast could not be written to.
    result = np.array(values if many else values[..., 0], order="C")
    advice = "use smaller step sizes or numbers nearer to one"
    axes = int(many)
    warn_of_divergence(result, axes, [(inputs, 2), (targets, 1), (queries, 1 + many)], advice)
    return result if result.ndim else result[()]


def chosen(
    X: ArrayLike, y: ArrayLike, choose: Callable[[Tasks], NDArray[Any]], *extras: Extra
) -> Any:
    """Return what `choose` chooses of each task, (...), without queries; NaN or −1 has no task."""
    inputs, targets = _read_examples(X, y)
    lead = broadcast_leading(("X", inputs.shape, 2), ("y", targets.shape, 1), *extras)
    tasks, finite = _finite_examples(inputs, targets)
    with np.errstate(all="ignore"):
        choice = choose(tasks)
    nothing = np.nan if choice.dtype.kind == "f" else -1
    result = np.array(np.broadcast_to(np.where(finite, choice, nothing), lead))
    return result if result.ndim else result[()]


def _read_examples(X: ArrayLike, y: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    inputs = read_real(X, "X")
    if inputs.ndim < 2:
        raise ValueError(f"X: expected shape (..., n, d), got {inputs.shape}")
    return inputs, read_targets(y, inputs)


def _finite_examples(X: NDArray[Any], y: NDArray[Any]) -> tuple[Tasks, NDArray[np.bool_]]:
    """Return tasks with zeros where examples are not finite, without queries, and which are finite.

    LAPACK gives up a whole batch for one NaN.
    """
    in_X = np.asarray(np.isfinite(X).all((-2, -1)))  # (...)
    in_y = np.asarray(np.isfinite(y).all(-1))  # (...)
    eps = float(np.finfo(X.dtype).eps) if X.dtype.kind == "f" else np.finfo(np.float64).eps
    tasks = Tasks(
        np.where(in_X[..., None, None], X, 0).astype(np.float64, copy=False),
        np.where(in_y[..., None], y, 0).astype(np.float64, copy=False),
        np.zeros((0, X.shape[-1])),
        float(eps),
    )
    return tasks, in_X & in_y
