"""The loss of a looped Transformer on tasks, by the numbers of it that are trained."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loopcore._arguments import read_index, read_real, read_threads
from loopcore._attention import LoopedTransformer
from loopcore._native import core
from loopcore._prompts import read_prompt
from loopcore._tokens import NewtonTokens

Array = NDArray[Any]
Vector = NDArray[np.float64]

TRAINABLE = ("eta", "schedule", "P", "Q", "skip")


class Tasks(NamedTuple):
    """Prompts, and what their queries should predict."""

    Z: Array
    """(..., n + 1, D), float64."""
    target: Array
    """(...), float64."""


class Objective:
    """mean over tasks (−y(T) − target)², y the slot of the query, by the free numbers in a vector.

    The vector holds the free entries of the parameters, one parameter after another, each in the
    shape in which the model was given it.
    """

    def __init__(
        self,
        model: LoopedTransformer,
        T: SupportsIndex,
        parameters: str | Sequence[str],
        free: Mapping[str, ArrayLike] | None = None,
        num_threads: SupportsIndex | None = None,
    ) -> None:
        if isinstance(model._tokens, NewtonTokens):
            raise ValueError(
                "model: expected one that predicts minus its y slot, got one that reads u"
            )
        self._kind = type(model)
        self._tokens = model._tokens
        self._given = model._as_given()
        self._T = read_index(T, "T")
        self._threads = read_threads(num_threads)
        self._free = _read_free(self._given, _read_names(parameters, self._given), free or {})
        self._width = model.width

    def start(self) -> Vector:
        """Return the vector of the given model."""
        return np.concatenate([self._given[name][mask] for name, mask in self._free.items()])

    def model(self, vector: Vector) -> LoopedTransformer:
        """Return the model of these numbers."""
        trained, first = dict(self._given), 0
        for name, mask in self._free.items():
            value = np.array(self._given[name])
            value[mask] = vector[first : (first := first + int(mask.sum()))]
            trained[name] = value
        return self._kind._with_tokens(self._tokens, **trained)

    def read_tasks(self, tasks: Any) -> Tasks:
        """Return the tasks (Z, target), checked."""
        if not isinstance(tasks, (tuple, list)) or len(tasks) != 2:
            got = (
                f"{len(tasks)} parts" if isinstance(tasks, (tuple, list)) else type(tasks).__name__
            )
            raise TypeError(f"tasks: expected (Z, target) or a callable, got {got}")
        # In float32 the rounding of y(T) would end the line search long before the tolerance.
        Z = read_prompt(tasks[0], self._width).astype(np.float64, copy=False)
        target = read_real(tasks[1], "target").astype(np.float64)
        if target.shape != Z.shape[:-2]:
            raise ValueError(
                f"target: expected the leading axes of Z, {Z.shape[:-2]}, got shape {target.shape}"
            )
        if not target.size:
            raise ValueError("tasks: expected at least one, got none")
        return Tasks(Z, target)

    def __call__(self, vector: Vector, tasks: Tasks) -> tuple[float, Vector]:
        """Return the loss and its gradient; infinity and zeros where either is not finite."""
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            # A line search may try steps that diverge, and turns back by itself.
            warnings.simplefilter("ignore", core.DivergenceWarning)
            value, pullback = self.model(vector).vjp(tasks.Z, self._T, num_threads=self._threads)
            # residual = −y(T) − target, so that the derivative of its mean square by y(T) is
            # −2 residual / tasks.
            residual = -value[..., -1, -1] - tasks.target
            loss = float(np.square(residual).mean())
            adjoint = np.zeros_like(value)
            adjoint[..., -1, -1] = -2 * residual / residual.size
            bars = pullback(adjoint)
        gradient = np.concatenate([getattr(bars, name)[free] for name, free in self._free.items()])
        if not (np.isfinite(loss) and np.isfinite(gradient).all()):
            return np.inf, np.zeros_like(vector)
        return loss, gradient


def _read_names(parameters: str | Sequence[str], given: Mapping[str, Any]) -> list[str]:
    """Return the names of the parameters to train, each of which the model has as numbers."""
    names = [parameters] if isinstance(parameters, str) else list(parameters)
    if not names:
        raise ValueError("parameters: expected at least one name, got none")
    for name in names:
        if name not in TRAINABLE:
            expected = ", ".join(repr(word) for word in TRAINABLE)
            raise ValueError(f"parameters: expected some of {expected}, got {name!r}")
        if not isinstance(given[name], np.ndarray):
            raise ValueError(
                f"parameters: expected what the model was given as numbers, got {name!r}, which is "
                f"{given[name]!r}"
            )
        if names.count(name) > 1:
            raise ValueError(f"parameters: expected each name once, got {name!r} twice")
    return names


def _read_free(
    given: Mapping[str, Any], names: Sequence[str], free: Mapping[str, ArrayLike]
) -> dict[str, NDArray[np.bool_]]:
    """Return which entries of each parameter are trained, in its shape; all unless `free` says."""
    for name in free:
        if name not in names:
            raise ValueError(f"free: expected names in parameters {names}, got {name!r}")
    masks = {}
    for name in names:
        shape, mask = given[name].shape, np.asarray(free.get(name, True))
        if mask.dtype != np.bool_:
            raise TypeError(f"free[{name!r}]: expected booleans, got dtype {mask.dtype}")
        try:
            masks[name] = np.broadcast_to(mask, shape)
        except ValueError:
            raise ValueError(
                f"free[{name!r}]: expected to broadcast to {shape}, got shape {mask.shape}"
            ) from None
    if not any(mask.any() for mask in masks.values()):
        raise ValueError("free: expected entries to train, got none")
    return masks
