"""Noisy weights on noisy y: the floor does not last.

For y = Xθ̂ + r with Xᵀr = 0 and R = ‖r‖², S = V̂ H V̂ᵀ + R e_D e_Dᵀ has full rank, and the eigenvalue
1 of A, which holds the limit in place, becomes 1 − ηβ₀ with, to first order in R and for any
weights,

    β₀ = R / (a Q⁻¹ P⁻¹ a) = σ R E_P[D, D] + O(σ²),    a = (−θ̂, 1)

The ideal weights have β₀ = 0. Of noisy ones half have E_P[D, D] < 0, and v grows like e^(η|β₀|T)
without end; in the others it decays to 0, and the answer is forgotten. The floor is what is seen
long before 1/(η|β₀|) loops. Errors are relative to θ̂. [ours]
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

import loopcore
from loopcore import tasks, theory
from loopcore.studies.frame.intervals import Interval, of_means, quantile
from loopcore.studies.frame.parts import Parts
from loopcore.studies.perturbed.algebra import ideal, lost_as_infinite
from loopcore.studies.perturbed.config import Config

Array = npt.NDArray[np.float64]

_NOISE, _TASKS = 8, 9  # the first numbers of the seeds


class Drifting(NamedTuple):
    """M noisy models of one σ on B tasks each with noise in y."""

    diverges: Array
    """Share of tasks whose loop diverges in the end, (M,)."""
    patience: Array
    """Median of 1/(η|β₀|), the loops of a change by a factor e, (M,)."""
    first_order: Array
    """Median of β₀ over σ R E_P[D, D], (M,)."""
    measured: Array
    """Median of the log factor a loop, measured in their second half, over the exact, (M,)."""
    error: Array
    """Median of |⟨v(t), θ̂⟩ − α‖θ̂‖²| / (|α|‖θ̂‖²), (M, K)."""


def measure(config: Config, sigma_index: int) -> Drifting:
    """Draw models and tasks with n = max(gaussian, n), and run them."""
    d, M, B, sigma = config.d, config.models, config.tasks, config.sigmas[sigma_index]
    n = size(config)
    rng = np.random.default_rng([config.seed, _NOISE, sigma_index])
    E = rng.standard_normal((2, M, d + 1, d + 1))
    P, Q = (W + sigma * E_W for W, E_W in zip(ideal(d), E, strict=True))  # (M, D, D)
    batch = tasks.draw(
        M * B,
        n,
        d,
        targets=tasks.Linear(unit=True),
        snr=config.snr,
        rng=[config.seed, _TASKS, sigma_index],
    )
    basis = theory.eigenbasis(batch.X, batch.y)
    hat = (basis.vectors @ basis.theta[..., None]).reshape(M, B, d)  # θ̂
    R = np.square(basis.residual).reshape(M, B)
    eta = 1 / basis.eigenvalues[:, 0].reshape(M, B)
    z = np.concatenate([batch.X, batch.y[..., None]], axis=-1).reshape(M, B, n, d + 1)
    beta = np.linalg.eigvals(Q[:, None] @ (z.swapaxes(-1, -2) @ z) @ P[:, None])  # (M, B, D)
    slow = np.take_along_axis(beta, np.abs(beta).argmin(axis=-1)[..., None], axis=-1)[..., 0]
    factor = np.abs(1 - eta[..., None] * beta).max(axis=-1)
    at = np.array(config.at)
    models = [loopcore.LoopedTransformer(P[m], Q[m], eta[m, :, None]) for m in range(M)]
    g = np.stack([_read_out(models[m], z[m], hat[m], at) for m in range(M)])  # (M, B, K)
    with np.errstate(all="ignore"):
        halves = np.abs(1 + g[..., [at.tolist().index(at[-1]), _half(at)]])
        rate = np.log(halves[..., 0] / halves[..., 1]) / (at[-1] - at[_half(at)])
        measured = rate / np.log(np.abs(1 - eta * slow))
    return Drifting(
        np.mean(factor > 1, axis=1),
        np.median(1 / np.abs(eta * slow), axis=1),
        np.median(slow.real / (sigma * R * E[0, :, None, -1, -1]), axis=1),
        np.median(np.where(np.isfinite(measured), measured, np.inf), axis=1),
        np.median(lost_as_infinite(np.abs(g)), axis=1),
    )


def size(config: Config) -> int:
    """Return n: more than d, so that something of y is out of reach."""
    return max(*config.gaussian, config.n, config.d + 1)


def _half(at: npt.NDArray[np.int64]) -> int:
    """Return where half of the loops are over."""
    return int(np.searchsorted(at, at[-1] / 2))


def _read_out(
    model: loopcore.LoopedTransformer, z: Array, hat: Array, at: npt.NDArray[np.int64]
) -> Array:
    """Return (⟨v(t), θ̂⟩ − α‖θ̂‖²) / (α‖θ̂‖²) of one model on its tasks, (B, K)."""
    d = hat.shape[-1]
    query = np.zeros((len(z), 1, d + 1))
    query[..., d] = 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", loopcore.DivergenceWarning)
        Z = np.concatenate([z, query], axis=1)
        rows = model.trajectory(Z, int(at[-1]), at=at, num_threads=1)[:, :, -1, :d]  # (B, K, d)
    with np.errstate(all="ignore"):
        return np.asarray(-(rows @ hat[..., None])[..., 0] / np.square(hat).sum(-1)[:, None] - 1)


@dataclass(frozen=True, eq=False)
class Drift:
    """Noise on the weights and on y, for S values of σ and K numbers of loops.

    Attributes
    ----------
    n : int
    diverges : Interval, (S,)
        Share that diverges in the end.
    small_diverges : Interval, ()
        The same over all σ ≤ 0.01, or the least one.
    patience : Interval, (S,)
        Median over models of the loops in which v changes by a factor e.
    first_order : Interval, (S,)
        Median of β₀ over its first order.
    measured : Interval, (S,)
        Median of the measured rate over the exact one, from half the loops to all.
    error : Interval, (S, K)
    """

    n: int
    diverges: Interval
    small_diverges: Interval
    patience: Interval
    first_order: Interval
    measured: Interval
    error: Interval


def compute(config: Config, parts: Parts) -> Drift:
    """Measure every σ."""
    found = parts("noisy y", range(len(config.sigmas)), Drifting, lambda s: measure(config, s))
    runs = Drifting(*(np.stack(column, axis=1) for column in zip(*found, strict=True)))  # (M, S, …)
    small = np.array(config.sigmas) <= 0.01 * (1 + 1e-9)
    small[0] = True
    return Drift(
        size(config),
        of_means(runs.diverges),
        of_means(runs.diverges[:, small].mean(axis=1)),
        quantile(runs.patience),
        quantile(runs.first_order),
        quantile(runs.measured),
        quantile(runs.error),
    )
