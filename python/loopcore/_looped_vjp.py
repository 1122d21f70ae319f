"""The reverse pass of a looped Transformer: from the adjoint of Z(T) to all it came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loopcore._layer_steps import Steps
from loopcore._layers import Layers
from loopcore._native import core
from loopcore._prompts import Prompt

Array = NDArray[Any]
Shape = tuple[int, ...]


class ModelGradient(NamedTuple):
    """The adjoints of a model's parameters and of its prompts; None for what was not given."""

    P: Array
    """As P was given: (D, D), (L, D, D) or (L, H, D, D)."""
    Q: Array
    """Likewise."""
    eta: Array | None
    """As eta was given, summed over the prompts that shared a step."""
    schedule: Array | None
    """Likewise; zero for loops beyond T."""
    skip: Array | None
    """(D, D)."""
    Z: Array
    """In the shape and type of Z, summed over the runs that shared a prompt."""


def pull_back(
    Z: Array,
    layers: Layers,
    steps: Steps,
    T: int,
    Z_bar: ArrayLike,
    *,
    shapes: Mapping[str, Shape | None],
    num_threads: int | None,
) -> ModelGradient:
    """Return the adjoints of a model's parameters and of its prompts, from that of Z(T).

    Parameters
    ----------
    Z : (..., n + 1, D) array
        Literal prompts.
    layers, steps
        As `looped` takes them.
    T : int
    Z_bar : (..., n + 1, D) array
        The derivative of a number by Z(T), not yet checked.
    shapes : mapping
        Those in which P, Q, eta, schedule and skip were given, in which the gradients come; None
        for what was not given.
    num_threads : int, optional

    Returns
    -------
    ModelGradient
        Linear attention with update="query", or with update="all" or "targets" and a mask other
        than "causal", reads its keys once, as in the call of the model.
    """
    Z0_bar, P_bar, Q_bar, skip_bar, steps_bar = core.looped_vjp(
        Prompt.literal(Z),
        layers.weights,
        layers.words(steps.scale),
        steps.per_loop,
        T,
        Z_bar,
        num_threads,
    )
    if layers.update == "targets":
        P_bar, Q_bar, skip_bar = _of_targets(P_bar, Q_bar, skip_bar)
    eta_bar = schedule_bar = None
    if steps.schedule is None:
        eta_bar = _sum_to(steps_bar[..., 0, :], shapes["eta"])
    else:
        schedule_bar = _sum_to(_beyond(steps_bar, shapes["schedule"]), shapes["schedule"])
    return ModelGradient(
        P=_sum_to(P_bar, shapes["P"]),
        Q=_sum_to(Q_bar, shapes["Q"]),
        eta=eta_bar,
        schedule=schedule_bar,
        skip=None if shapes["skip"] is None else skip_bar,
        Z=_sum_to(Z0_bar, Z.shape),
    )


def _beyond(steps_bar: Array, given: Shape | None) -> Array:
    """Return the adjoints of the steps with zeros for those of the given loops beyond T."""
    assert given is not None
    padding = [(0, 0)] * (steps_bar.ndim - 2) + [(0, given[-2] - steps_bar.shape[-2]), (0, 0)]
    return np.pad(steps_bar, padding)


def _of_targets(P_bar: Array, Q_bar: Array, skip_bar: Array) -> tuple[Array, Array, Array]:
    """Keep the adjoints of what may differ from zero, or the identity, with update="targets"."""
    P_bar[..., :-1, :] = P_bar[..., -1, :-1] = 0
    Q_bar[..., -1, :] = Q_bar[..., -1] = 0
    skip_bar[:, :-1] = 0
    return P_bar, Q_bar, skip_bar


def _sum_to(bar: Array, shape: Shape | None) -> Array:
    """Return the adjoint of what broadcast from `shape` to the shape of `bar`: sums over new axes.

    Axes of 1 in `bar` that `shape` lacks are dropped, wherever they stand, as (L, 1, D, D) becomes
    (L, D, D).
    """
    assert shape is not None
    if bar.size == np.prod(shape, dtype=int):
        return bar.reshape(shape)
    new = bar.ndim - len(shape)
    shared = [new + k for k, size in enumerate(shape) if size == 1]
    summed = bar.sum((*range(new), *shared), dtype=np.float64)
    return np.asarray(summed, bar.dtype).reshape(shape)
