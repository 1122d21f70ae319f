"""The errors of loops, which may diverge."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

import loopcore

Array = npt.NDArray[np.float64]


def quiet(call: Callable[..., npt.NDArray[Any]], *arguments: object) -> Array:
    """Run loops without warnings of those that diverge: their errors count as infinite."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", loopcore.DivergenceWarning)
        return np.asarray(call(*arguments), np.float64)


def distances(v: Array, theta: Array, alpha: float) -> tuple[Array, Array]:
    """Return ‖v − αθ*‖ / (α ‖θ*‖) and |⟨v, θ*⟩ − α| / α, each (...), of v (..., d) and α > 0.

    Infinite where v is, NaN where v has NaN.
    """
    finite = np.asarray(np.isfinite(v).all(axis=-1))  # (...)
    some = np.where(finite[..., None], v, 0.0)
    with np.errstate(over="ignore"):
        distance = np.linalg.norm(some - alpha * theta, axis=-1)
        distance = distance / (alpha * np.linalg.norm(theta, axis=-1))
        error = np.abs(np.einsum("...d,...d->...", some, theta) - alpha) / alpha
    lost = np.where(np.isnan(v).any(axis=-1), np.nan, np.inf)
    return np.where(finite, distance, lost), np.where(finite, error, lost)


def relative_error(f: Array, values: Array) -> Array:
    """Return the mean squared error of f (..., B, m) over the variance of the values (B, m)."""
    with np.errstate(over="ignore", invalid="ignore"):
        error = ((f - values) ** 2).mean(axis=-1) / values.var(axis=-1)
    return np.where(np.isnan(error), np.inf, error)
