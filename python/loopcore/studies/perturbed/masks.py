"""Which rows move, and what they attend to, with the ideal weights.

With the paper's mask only the query row moves, and only the context is attended to. Elsewhere

- a query row that attends to itself as well (its row of a causal mask) moves by
  q ← q − η (Hq + αXᵀy + (‖q‖² + α²) q), whose fixed point is ridge regression with a penalty that
  depends on its own solution, v = α (H + (α² + ‖v‖²) I)⁻¹ H θ: a floor;
- rows of the context that move change S = Σ zᵀz: the y slots stay and the x shrink, X(t) → 0, since
  x_i = 0 is where every row has nothing more to do, and q stops wherever it is by then. Along an
  eigenvector θ of H, ‖θ‖ = 1, and for small steps, v(∞) = αθ/√2: a floor of 1 − 1/√2 = 0.293;
- a query row that sees itself while the x vanish is left with q ← q − η(‖q‖² + α²) q: v → 0, an
  error of 1. [ours]
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

import loopcore
from loopcore import tasks, theory
from loopcore.studies.frame.intervals import Interval, quantile
from loopcore.studies.frame.parts import Parts
from loopcore.studies.perturbed.algebra import ideal, lost_as_infinite
from loopcore.studies.perturbed.config import Config

Array = npt.NDArray[np.float64]

MASKS: tuple[tuple[Literal["query", "all"], Literal["context", "all", "causal"]], ...] = (
    ("query", "context"),
    ("query", "causal"),
    ("all", "context"),
    ("all", "all"),
    ("all", "causal"),
)
"""What moves, and what is attended to; the paper's first."""

NAMES = (
    "query moves, context seen",
    "query moves, causal",
    "all move, context seen",
    "all move, all seen",
    "all move, causal",
)

FLOW_FLOOR = 1 - np.sqrt(0.5)
"""The floor of "all move, context seen" for small steps where θ is an eigenvector of H."""

_TUNING, _TEST = 4, 5  # the first numbers of the seeds


class Masked(NamedTuple):
    """One mask on the tasks of one n, at one step c/λ_max: B tasks to tune on, and B others.

    All masks and steps have the same tasks.
    """

    tuning: Array
    """Median error by loops, (K,)."""
    error: Array
    """|⟨v(t), θ⟩ − α| / |α| of the others, (B, K); infinite where the loop diverged."""
    shrunk: Array
    """‖X(t)‖ / ‖X(0)‖ in the Frobenius norm of the others, (B, K)."""
    ridge: Array
    """Error of the ridge solution that the query sees itself with, of the others, (B,)."""


def measure(config: Config, n: int, mask: int, step: int) -> Masked:
    """Run one mask with one step."""
    tuning, _, _ = _errors(config, n, mask, step, _TUNING)
    error, shrunk, ridge = _errors(config, n, mask, step, _TEST)
    return Masked(np.median(tuning, axis=0), error, shrunk, ridge)


def _errors(
    config: Config, n: int, mask: int, step: int, stream: int
) -> tuple[Array, Array, Array]:
    B, d, at = config.mask_tasks, config.d, np.array(config.at)
    batch = tasks.draw(B, n, d, targets=tasks.Linear(unit=True), rng=[config.seed, stream, n])
    X, y, theta = batch.X, batch.y, batch.theta
    assert theta is not None
    basis = theory.eigenbasis(X, y)
    Z = np.zeros((B, n + 1, d + 1))
    Z[:, :n, :d], Z[:, :n, d], Z[:, n, d] = X, y, 1
    update, seen = MASKS[mask]
    eta = config.mask_steps[step] / basis.eigenvalues[:, :1]  # (B, 1)
    P, Q = ideal(d)
    model = loopcore.LoopedTransformer(P, Q, eta, update=update, mask=seen)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", loopcore.DivergenceWarning)  # it is what we count
        rows = model.trajectory(Z, int(at[-1]), at=at, num_threads=1)  # (B, K, n + 1, d + 1)
        g = -(rows[:, :, -1, :d] @ theta[..., None])[..., 0] - 1
        norms = np.linalg.norm(rows[:, :, :-1, :d], axis=(2, 3))
        shrunk = norms / np.linalg.norm(X, axis=(1, 2))[:, None]
    error = lost_as_infinite(np.abs(g))
    return error, lost_as_infinite(shrunk), ridge_error(basis)


def ridge_error(basis: theory.Eigenbasis) -> Array:
    """Return |⟨v, θ⟩ − α| / |α| at α = 1, ‖θ‖ = 1, for v = (H + (1 + ‖v‖²) I)⁻¹ H θ, (...).

    ‖v‖² is where a function that falls meets one that rises: the middle of an interval is halved.
    """
    lam, theta = basis.eigenvalues, basis.theta
    low, high = np.zeros(lam.shape[:-1]), np.square(theta).sum(axis=-1)
    for _ in range(60):
        middle = (low + high) / 2
        v = lam / (lam + 1 + middle[..., None]) * theta
        above = np.square(v).sum(axis=-1) > middle
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    v = lam / (lam + 1 + low[..., None]) * theta
    return np.asarray(np.abs((v * theta).sum(axis=-1) - 1))


@dataclass(frozen=True, eq=False)
class Masks:
    """N numbers of examples by 5 masks by K numbers of loops.

    Attributes
    ----------
    step : (N, 5, K) array
        The step, in units of 1/λ_max, of the least median error after that many loops on the tasks
        to tune on.
    error : Interval, (N, 5, K)
        Median error with it on other tasks.
    best : Interval, (N, 5)
        Median error where loops are tuned too.
    best_loops : (N, 5) array
    fixed : Interval, (N, 5, K)
        Median error at the step tuned for T = `loops`, kept for all t: what looping on does.
    shrunk : (N, 5) array
        Median ‖X(t)‖ / ‖X(0)‖ after `loops` loops at that step.
    ridge : Interval, (N,)
        Median error of the closed form of "query moves, causal".
    ridge_gap : Interval, (N,)
        Median error of that mask after the last loop over the closed form, less 1.
    """

    step: Array
    error: Interval
    best: Interval
    best_loops: npt.NDArray[np.int64]
    fixed: Interval
    shrunk: Array
    ridge: Interval
    ridge_gap: Interval


def compute(config: Config, parts: Parts) -> Masks:
    """Measure every mask at every step, and tune."""
    N, G, K = len(config.mask_n), len(config.mask_steps), len(config.at)
    keys = [(n, m, g) for n in config.mask_n for m in range(len(MASKS)) for g in range(G)]
    found = parts("masks", keys, Masked, lambda key: measure(config, *key))
    tuning, error, shrunk, ridge = (
        np.stack(column).reshape(N, len(MASKS), G, *column[0].shape)
        for column in zip(*found, strict=True)
    )
    once = config.at.index(config.loops)
    i, m = np.ix_(range(N), range(len(MASKS)))
    chosen = tuning.argmin(axis=2)  # (N, 5, K)
    k = np.arange(K)
    # Picked entries (N, 5, K, B): advanced indices lead.
    at_best = np.moveaxis(error[i[..., None], m[..., None], chosen, :, k], -1, 0)  # (B, N, 5, K)
    kept = np.moveaxis(error[i, m, chosen[..., once]], 2, 0)  # (B, N, 5, K)
    overall = tuning.min(axis=2).argmin(axis=-1)  # (N, 5)
    best = at_best[:, i, m, overall]  # (B, N, 5)
    context = shrunk[i, m, chosen[..., once]][..., once]  # (N, 5, B)
    causal = at_best[:, :, 1, -1]  # (B, N)
    exact = ridge[i[:, 0], 1, chosen[:, 1, -1]].T  # (B, N)
    return Masks(
        np.array(config.mask_steps)[chosen],
        quantile(at_best),
        quantile(best),
        np.array(config.at)[overall],
        quantile(kept),
        np.median(context, axis=-1),
        quantile(exact),
        quantile(causal / exact - 1),
    )
