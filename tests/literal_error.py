"""The measure of the family's promise: the error of the literal loop in the same precision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loopcore import reference

Array = NDArray[Any]


class Order(NamedTuple):
    """A prompt in another order, which changes nothing but the rounding."""

    rows: Array
    """(n + m,)"""
    channels: Array
    """(D,)"""


def draw_orders(
    rng: np.random.Generator, update: str, shape: tuple[int, int], *, count: int = 3, rows: int = 0
) -> list[Order]:
    """Return orders of prompts of (n + m, D), the first of them that in which they are.

    The first `rows` rows change places, and the channels; not the y slot where it alone moves.
    """
    free = shape[1] - 1 if update == "targets" else shape[1]

    def permuted(size: int, length: int) -> Array:
        return np.r_[rng.permutation(size), size:length]

    others = [Order(permuted(rows, shape[0]), permuted(free, shape[1])) for _ in range(count - 1)]
    return [Order(np.arange(shape[0]), np.arange(shape[1])), *others]


def literal_error(
    Z: Array,
    T: int,
    arguments: Mapping[str, Any],
    error: Callable[[Array], Array],
    orders: list[Order],
) -> Array:
    """Return the largest error of the literal loop on the prompts in some orders.

    One order alone can be lucky: near a blow-up, errors of equal right differ by a hundred times.
    `error` takes Z(T), `arguments` are those of `reference.looped`.
    """
    rest = dict(arguments)
    P, Q, skip = rest.pop("P"), rest.pop("Q"), rest.pop("skip", np.eye(Z.shape[-1]))
    errors = []
    for rows, channels in orders:
        P_, Q_ = (matrices[..., channels, :][..., channels] for matrices in (P, Q))
        skip_ = skip[channels][:, channels]
        moved = reference.looped(Z[..., rows, :][..., channels], P_, Q_, T, skip=skip_, **rest)
        moved = moved[..., np.argsort(rows), :][..., np.argsort(channels)]
        errors.append(error(moved))
    largest: Array = np.max(errors, 0)
    return largest
