"""Floors of iterative least squares, and the descent in float32 of Liu et al. 2025."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

import loopcore
from loopcore.studies.literature import floors
from loopcore.studies.literature.config import Config
from loopcore.studies.literature.prompts import Stream, gaussian

Array = npt.NDArray[np.float64]
Floating = npt.NDArray[np.floating]


class Floor(NamedTuple):
    """The floors of one method in one type at one κ."""

    error: Array
    """(B,)"""
    kappa: Array
    """(B,)"""


def measure_floor(config: Config, key: tuple[str, str, int]) -> Floor:
    """Run a method of `floors.METHODS`."""
    method, dtype, exponent = key
    data = floors.systems([config.seed, Stream.FLOOR, exponent], config.floor_tasks, exponent)
    return Floor(floors.floor(method, dtype, data), data.kappa)


class Descent32(NamedTuple):
    """Liu et al. 2025: medians over tasks of the squared error at the last example, each ()."""

    plain32: Array
    """300 steps of gradient descent in NumPy's float32."""
    plain64: Array
    """In float64."""
    ours32: Array
    """`loopcore.run` on float32 data."""


def measure_descent32(config: Config, repeat: int) -> Descent32:
    """Take 300 steps from θ₀ ~ N(0, I) with n = 20 and d = 5, as in their notebook."""
    prompts = gaussian([config.seed, Stream.LIU, repeat], config.tasks)
    start = np.random.default_rng([config.seed, Stream.LIU, repeat]).standard_normal(
        prompts.w.shape
    )
    eta = 0.1 * 2 / prompts.X.shape[1]  # theirs is 0.1, of the mean squared error

    def last(dtype: str, descend: Callable[..., Floating]) -> Array:
        X, w = prompts.X.astype(dtype), prompts.w.astype(dtype)
        y = np.einsum("bnd,bd->bn", X, w)
        theta = descend(X, y, start.astype(dtype))
        error = np.einsum("bd,bd->b", X[:, -1], theta) - y[:, -1]
        return np.array(np.median(np.square(error)), np.float64)

    def plain(X: Floating, y: Floating, theta: Floating) -> Floating:
        step = X.dtype.type(eta)
        for _ in range(300):
            residual = np.einsum("bnd,bd->bn", X, theta) - y
            theta = theta - step * np.einsum("bnd,bn->bd", X, residual)
        return theta

    def ours(X: Floating, y: Floating, theta: Floating) -> Floating:
        return loopcore.run(X, y, 1.0, 300, eta=eta, q0=-theta, num_threads=1)

    return Descent32(last("float32", plain), last("float64", plain), last("float32", ours))
