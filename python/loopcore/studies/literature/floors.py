"""How small the error of iterative least squares gets: plain loops in NumPy, and loopcore's paths.

X is three times small integers and θ small integers over three, so that y = Xθ holds exactly in
float32 and float64 alike, and θ is in neither: both types solve the same problem, its solution is
known, and the rounding of the result counts. [ours]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

import loopcore
from loopcore import tasks

Array = npt.NDArray[np.float64]
Floating = npt.NDArray[np.floating]

DTYPES = ("float32", "float64")
ROUNDING = {"float32": 2.0**-24, "float64": 2.0**-53}

PLAIN = ("gradient descent on X", "gradient descent on XᵀX", "conjugate gradients", "Newton")
"""Loops in NumPy, everything in the type."""

PATHS = ("stream", "gram", "power")
"""Of `loopcore.run`; a fourth, tridiagonal, takes what `gram` does not."""

METHODS = PLAIN + tuple(f"loopcore {path}" for path in PATHS)

_LOOPS_TO_CONVERGE = 40  # times κ: (1 − 1/κ)^(40κ) = 4e−18


class Systems(NamedTuple):
    """B consistent systems Xθ = y, of the same κ up to rounding."""

    X: Array
    """(B, n, d), three times integers of at most 16 bits."""
    y: Array
    """(B, n), integers of at most 23 bits."""
    theta: Array
    """(B, d), integers from 1 to 29 that 3 does not divide, over 3, with random signs."""
    lambda_max: Array
    """Of XᵀX, (B,)."""
    kappa: Array
    """Of XᵀX, (B,)."""


def systems(seed: list[int], B: int, exponent: int, n: int = 8, d: int = 4) -> Systems:
    """Draw systems of κ = 10^exponent."""
    batch = tasks.draw(B, n, d, inputs=tasks.Spectrum(10.0**exponent), rng=seed, num_threads=1)
    # d · 31 · 2¹⁶ < 2²³ for d = 4
    X = np.rint(batch.X * (2**16 - 1) / np.abs(batch.X).max((-2, -1), keepdims=True))
    rng = np.random.default_rng(seed)
    z = (3 * rng.integers(0, 10, (B, d)) + rng.integers(1, 3, (B, d))) * rng.choice(
        [-1.0, 1.0], (B, d)
    )
    sigma = np.linalg.svd(3 * X, compute_uv=False)
    kappa = np.square(sigma[:, 0] / sigma[:, -1])
    return Systems(3 * X, (X @ z[..., None])[..., 0], z / 3, np.square(sigma[:, 0]), kappa)


def floor(method: str, dtype: str, data: Systems) -> Array:
    """Return the least relative error ‖θ̂ − θ‖/‖θ‖ that a method reaches, (B,)."""
    if method in PLAIN:
        loop = (_descend_on_rows, _descend_on_gram, _conjugate_gradients, _newton)
        with np.errstate(all="ignore"):  # Newton's iteration and CG may overflow past the floor
            return loop[PLAIN.index(method)](data, np.dtype(dtype))
    X, y = data.X.astype(dtype), data.y.astype(dtype)
    T = int(_LOOPS_TO_CONVERGE * data.kappa.max()) + 1
    path: Any = method.removeprefix("loopcore ")
    v = loopcore.run(X, y, 1.0, T, path=path, num_threads=1)
    return _errors(v, data.theta)


def runs(method: str, exponent: int, plain_exponent: int) -> bool:
    """Tell whether a method that takes some κ loops is still run at this κ."""
    if method.startswith("gradient") or method == "loopcore stream":
        return exponent <= plain_exponent
    return method != "loopcore gram" or exponent <= plain_exponent + 1


def _errors(theta: Floating, exact: Array) -> Array:
    return np.asarray(
        np.linalg.norm(theta - exact, axis=-1) / np.linalg.norm(exact, axis=-1), np.float64
    )


def _least(step: Callable[[], Floating], data: Systems, most: int, every: int) -> Array:
    """Return the least error in `most` steps, looked at in every few; end where nothing changes."""
    least, before = np.full(len(data.theta), np.inf), None
    for t in range(1, most + 1):
        theta = step()
        if t % every == 0 or t == most:
            least = np.fmin(least, _errors(theta.T, data.theta))
            if before is not None and np.array_equal(theta, before):
                break
            before = theta.copy()
    return least


def _columns(data: Systems, dtype: np.dtype[np.floating]) -> tuple[Floating, Floating, Floating]:
    """Return X (n, d, B), y (n, B) and η = 1/λ_max (B,) in a type: one loop for all tasks."""
    X = np.ascontiguousarray(data.X.transpose(1, 2, 0), dtype)
    return X, np.ascontiguousarray(data.y.T, dtype), (1 / data.lambda_max).astype(dtype)


def _descend_on_rows(data: Systems, dtype: np.dtype[np.floating]) -> Array:
    X, y, eta = _columns(data, dtype)
    theta = np.zeros(X.shape[1:], dtype)  # (d, B)

    def step() -> Floating:  # θ ← θ − η Xᵀ(Xθ − y)
        nonlocal theta
        residual = (X * theta).sum(1) - y
        theta = np.asarray(theta - eta * (X * residual[:, None]).sum(0))
        return theta

    return _least(step, data, _most(data), _every(data))


def _descend_on_gram(data: Systems, dtype: np.dtype[np.floating]) -> Array:
    X, y, eta = _columns(data, dtype)
    S, b = _normal_equations(X, y)
    theta = np.zeros_like(b)

    def step() -> Floating:  # θ ← θ − η (Sθ − Xᵀy)
        nonlocal theta
        theta = np.asarray(theta - eta * ((S * theta).sum(1) - b))
        return theta

    return _least(step, data, _most(data), _every(data))


def _conjugate_gradients(data: Systems, dtype: np.dtype[np.floating]) -> Array:
    """Run CGLS, as `loopcore.baselines.conjugate_gradient` does, in a type."""
    X, y, _ = _columns(data, dtype)
    theta, r = np.zeros(X.shape[1:], dtype), y
    p = gradient = (X * r[:, None]).sum(0)
    square = (gradient**2).sum(0)

    def step() -> Floating:
        nonlocal theta, r, p, square
        Xp = (X * p).sum(1)
        a = square / (Xp**2).sum(0)
        theta, r = np.asarray(theta + a * p), r - a * Xp
        gradient, before = (X * r[:, None]).sum(0), square
        square = (gradient**2).sum(0)
        p = gradient + square / before * p
        return theta

    return _least(step, data, 60, 1)


def _newton(data: Systems, dtype: np.dtype[np.floating]) -> Array:
    X, y, _ = _columns(data, dtype)
    S, b = _normal_equations(X, y)
    norm = np.sqrt((S * S).sum((0, 1)))
    M = np.eye(len(S), dtype=dtype)[..., None] / norm

    def step() -> Floating:  # M ← 2M − M S M, θ = M Xᵀy
        nonlocal M
        M = 2 * M - _product(_product(M, S), M)
        return np.asarray((M * b).sum(1))

    return _least(step, data, 80, 1)


def _normal_equations(X: Floating, y: Floating) -> tuple[Floating, Floating]:
    """Return XᵀX (d, d, B) and Xᵀy (d, B)."""
    return (X[:, :, None] * X[:, None]).sum(0), (X * y[:, None]).sum(0)


def _product(A: Floating, B: Floating) -> Floating:
    return np.asarray((A[:, :, None] * B[None]).sum(1))


def _most(data: Systems) -> int:
    return int(_LOOPS_TO_CONVERGE * data.kappa.max()) + 20


def _every(data: Systems) -> int:
    return max(1, int(data.kappa.max()) // 4)
