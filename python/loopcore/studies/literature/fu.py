"""Gradient descent against Newton's iteration, step by step, as in Fu et al. 2024."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

import loopcore
from loopcore import baselines, models
from loopcore.studies.literature.config import Config
from loopcore.studies.literature.prompts import Prompts, Stream, conditioned, parameter_losses

Array = npt.NDArray[np.float64]

KAPPAS = (1.0, 100.0)
"""Of Σ: the two settings."""
NEWTON_STEPS = np.arange(25)
GD_STEPS = np.unique(np.rint(np.geomspace(1, 2**17, 120)).astype(np.int64))
LONGEST = 1300  # steps of gradient descent on the linear grid of the authors' code


class Iterations(NamedTuple):
    """Medians over tasks of ‖θ − w‖²_Σ / ‖w‖²_Σ."""

    descent: Array
    """After `GD_STEPS` steps of gradient descent, (K,)."""
    newton: Array
    """After `NEWTON_STEPS` steps of Newton's iteration, (25,)."""
    matched: Array
    """Steps of gradient descent with the same median as each step of Newton, (25,), or NaN."""
    longest: Array
    """After 1,300 steps of gradient descent, ()."""
    rate: Array
    """log of the decay in a late step over log(1 − ηλ_min)², a median over tasks, ()."""
    gap: Array
    """Largest difference of Newton's closed form and the Transformer's, relative, ()."""


def measure_iterations(config: Config, key: tuple[float, int]) -> Iterations:
    """Compare gradient descent and Newton's iteration on the same tasks."""
    kappa, repeat = key
    prompts = conditioned([config.seed, Stream.FU, int(kappa), repeat], config.tasks, kappa)
    _, sigma, Vt = np.linalg.svd(prompts.X, full_matrices=False)
    values = sigma**2  # (B, d)
    size = parameter_losses(np.zeros_like(prompts.w), prompts)[:, None]
    eta = 0.01 if kappa == 1 else 1 / values[:, 0]
    # The residual of w in the eigenbasis: (1 − ηλ)^t, and (1 − m₀λ)^(2^k) with M₀ = 2S/‖S²‖_F.
    coordinates = np.einsum("bij,bj->bi", Vt, prompts.w)
    at = np.union1d(GD_STEPS, [LONGEST])
    theta = loopcore.trajectory(
        prompts.X, prompts.y, 1.0, int(at[-1]), at=at, eta=eta, num_threads=1
    )
    found = parameter_losses(theta, prompts) / size  # (B, K)
    descent_error = np.median(found, 0)
    start = 1 - 2 * values**2 / np.linalg.norm(values**2, axis=-1, keepdims=True)
    newton_error = []
    for k in NEWTON_STEPS:
        residual = (start ** (2.0**k)) * coordinates
        theta_k = prompts.w - np.einsum("bij,bi->bj", Vt, residual)
        newton_error.append(np.median(parameter_losses(theta_k, prompts) / size[:, 0]))
    newton = np.array(newton_error)
    return Iterations(
        descent_error[np.searchsorted(at, GD_STEPS)],
        newton,
        _matched(at, descent_error, newton),
        descent_error[np.searchsorted(at, LONGEST)],
        np.array(_late_rate(at, found, eta * values[:, -1])),
        np.array(_newton_gap(prompts)),
    )


def _matched(steps: npt.NDArray[np.int64], error: Array, newton: Array) -> Array:
    """Return the steps at which the falling errors (K,) pass each of `newton`, by interpolation."""
    above = error > 1e-24  # below, the floor of float64
    x, f = np.log(steps[above]), np.log(error[above])
    level = np.log(np.maximum(newton, 1e-300))
    inside = (level <= f[0]) & (level >= f[-1])
    return np.where(inside, np.exp(np.interp(-level, -f, x)), np.nan)


def _late_rate(steps: npt.NDArray[np.int64], found: Array, smallest: Array) -> float:
    """Return the median over tasks of log decay a step over log(1 − ηλ_min)², where it is late."""
    late = (found < 1e-12) & (found > 1e-22)  # (B, K)
    first, last = late.argmax(1), late.shape[1] - 1 - late[:, ::-1].argmax(1)
    rows = np.flatnonzero(late.any(1) & (last > first))
    if not len(rows):
        return np.nan
    ends = np.log(found[rows, last[rows]] / found[rows, first[rows]])
    spent = steps[last[rows]] - steps[first[rows]]
    return float(np.median(ends / spent / (2 * np.log1p(-smallest[rows]))))


def _newton_gap(prompts: Prompts) -> float:
    """Return how far the Transformer of Newton's iteration is from its closed form, M₀ ∝ S."""
    X, y, w = prompts.X[:20], prompts.y[:20], prompts.w[:20]
    d = X.shape[-1]
    basis = np.broadcast_to(np.eye(d), (len(X), d, d))
    theta = models.newton(d, m0="gram").predict(X, y, basis, 10, num_threads=1)
    exact = baselines.newton(X, y, basis, 10, m0="gram")
    return float(np.max(np.linalg.norm(theta - exact, axis=-1) / np.linalg.norm(w, axis=-1)))
