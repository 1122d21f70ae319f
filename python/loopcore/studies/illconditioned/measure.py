"""The measurements of the ill-conditioned study: error curves of log T products, and floors."""

from __future__ import annotations

from typing import Literal, NamedTuple, cast

import numpy as np
import numpy.typing as npt

import loopcore
from loopcore import tasks, theory
from loopcore.studies.frame.intervals import of_means
from loopcore.studies.illconditioned.config import DIRECTIONS, KINDS, TYPES, Config

Array = npt.NDArray[np.float64]
Any = npt.NDArray[np.floating]
Key = tuple[str, str, float]  # kind, direction, κ
LoopedKey = tuple[str, str, Key]  # type, path, and what X and θ* are

QUANTILES = (0.05, 0.5, 0.95)
WINDOW = (2.0, 8.0)  # T/κ, between which the rate is fitted

CLEAR = 10.0
"""Errors above this times the floor of their task are not rounding's."""

_LITERAL_REACH = 24.0  # e^−24 is far below what float32 leaves
_LOOPED_REACH = 48.0


Path = Literal["auto", "stream", "gram", "power", "tridiagonal"]


class Curves(NamedTuple):
    """What one spectrum, direction and κ gave, over B tasks; types are those of `TYPES`."""

    error: Array
    """`QUANTILES` of the relative error after each T, (types, 3, K)."""
    mean: Array
    """Its mean over tasks in float64, with the interval's ends, (3, K)."""
    rate: Array
    """κ times the rate within `WINDOW`, NaN where rounding leaves no window, (types, B)."""
    loops: Array
    """Loops to each level in float64, ∞ where it was not reached, (B, L)."""
    lowest: Array
    """The lowest error ever reached, (types, B)."""
    floor: Array
    """The error after the last T, (types, B)."""
    data: Array
    """The part of the floor that is in the data, (types, B)."""
    arithmetic: Array
    """How far the last error is from that of exact arithmetic on the same data, (types, B)."""
    promise: Array
    """The promise for that, relative to ‖θ‖, T → ∞, (types, B)."""
    broken: npt.NDArray[np.int64]
    """How many errors are farther from those of exact arithmetic than promised, (types,)."""
    clear: npt.NDArray[np.int64]
    """How many errors are above `CLEAR` times their task's floor, (types,)."""
    above: npt.NDArray[np.int64]
    """How many of these are above exp(−T/2κ), (types,)."""


class Floor(NamedTuple):
    """The error after so many loops that only rounding is left."""

    floor: Array
    """(B,)"""


class Task(NamedTuple):
    """Tasks as a type holds them, with what exact arithmetic makes of them."""

    X: Any
    """(B, n, d)"""
    y: Any
    """(B, n)"""
    theta: Array
    """θ*, (B, d), in float64."""
    eigenvalues: Array
    """Of XᵀX as it is held, falling, (B, d)."""
    weights: Array
    """Squared coordinates of θ* in the eigenbasis, of sum 1, (B, d)."""
    shift: Array
    """What rounding the data makes of the limit: coordinates of θ̂ − θ* times θ*'s, (B, d)."""
    promise: Array
    """30 u (2 + ‖y‖ / (σ_max ‖θ̂‖)) ‖θ̂‖/‖θ*‖: the promise by the sum of the g_t, (B,)."""


def draw(config: Config, key: Key, B: int) -> tuple[Array, Array]:
    """Draw X (B, n, d) and θ* (B, d): N(0, I), or an eigenvector to λ_min."""
    kind, direction, kappa = key
    seed = [config.seed, KINDS.index(kind), int(np.float64(kappa).view(np.uint64))]
    batch = tasks.draw(B, config.n, config.d, inputs=tasks.Spectrum(kappa, kind), rng=seed)
    if direction == "random":
        assert batch.theta is not None
        return batch.X, batch.theta
    return batch.X, np.linalg.svd(batch.X, full_matrices=False)[2][:, -1]


def held(X: Array, theta: Array, kind: str) -> Task:
    """Round the data to a type, and see the limit that exact arithmetic goes to from there.

    With y = Xθ* + δ, as held, the limit is θ̂ = θ* + X⁺δ; δ is what float64 and rounding make, and
    is found in extended precision.
    """
    y = np.matmul(X, theta[..., None])[..., 0]
    X, y = X.astype(kind), y.astype(kind)
    U, sigma, Vt = np.linalg.svd(X.astype(np.float64), full_matrices=False)
    exact = X.astype(np.longdouble) * theta[:, None].astype(np.longdouble)
    delta = (y.astype(np.longdouble) - exact.sum(-1)).astype(np.float64)  # (B, n)
    here = np.einsum("bij,bj->bi", Vt, theta)  # θ* in the eigenbasis, (B, d)
    moved = np.einsum("bni,bn->bi", U, delta) / sigma  # θ̂ − θ*
    size2 = (here**2).sum(-1)
    limit = np.linalg.norm(here + moved, axis=-1)  # ‖θ̂‖
    drive = np.linalg.norm(y.astype(np.float64), axis=-1) / sigma[:, 0]
    unit = float(np.finfo(np.dtype(kind)).eps) / 2
    return Task(
        X,
        y,
        theta,
        sigma**2,
        here**2 / size2[:, None],
        here * moved / size2[:, None],
        30 * unit * (2 * limit + drive) / np.sqrt(size2),
    )


def exact_deviation(task: Task, T: npt.ArrayLike) -> Array:
    """Return (⟨v(T), θ*⟩ − ‖θ*‖²)/‖θ*‖² of exact arithmetic on the data as held, (B, K).

    v_i(T) = (1 − s_i) θ̂_i, so it is −Σ w_i s_i + Σ (1 − s_i)(θ̂_i − θ*_i) θ*_i / ‖θ*‖².
    """
    eta = 1 / task.eigenvalues[:, :1]
    s = theory.loop_shrinkage(np.asarray(T), task.eigenvalues[:, None], eta)  # (B, K, d)
    # 1 − s through expm1 would matter for s near 1 alone, where the first sum is 1.
    return np.asarray(
        ((1 - s) * task.shift[:, None] - s * task.weights[:, None]).sum(-1), np.float64
    )


def allowed(task: Task, T: npt.ArrayLike) -> Array:
    """Return what rounding may do after T loops, relative to ‖θ*‖, (B, K): 30 u S_T ≤ … .

    From q(0) = 0 with η = 1/λ_max, ‖q_t‖ never exceeds ‖θ̂‖, and Σ_t g_t = κ (1 − (1 − 1/κ)^T).
    """
    kappa = (task.eigenvalues[:, 0] / task.eigenvalues[:, -1])[:, None]
    t = np.asarray(T, np.float64)
    with np.errstate(divide="ignore"):
        terms = np.where(kappa > 1, -kappa * np.expm1(t * np.log1p(-1 / kappa)), 1)
    return np.asarray(task.promise[:, None] * np.minimum(terms, t))


def deviation(v: Any, theta: Array) -> Array:
    """Return (⟨v, θ*⟩ − ‖θ*‖²)/‖θ*‖² with ‖θ*‖², as the error is, (B,)."""
    reached = (v.astype(np.float64) - theta) * theta
    return np.asarray(reached.sum(-1) / (theta**2).sum(-1), np.float64)


def times(config: Config, kappa: float) -> npt.NDArray[np.int64]:
    """Return T from 1 to κ and on to `reach` κ, rising, repeated where κ is small, (2 times − 1,).

    The number does not depend on κ.
    """
    early = np.geomspace(1, max(kappa, 1), config.times)
    late = kappa * np.geomspace(1, config.reach, config.times)
    return np.round(np.concatenate([early, late[1:]])).astype(np.int64)


def measure_curves(config: Config, key: Key) -> Curves:
    """Measure the error after each T, in both types, by squaring the loop's affine map."""
    kappa = key[2]
    X, theta = draw(config, key, config.tasks)
    T = times(config, kappa)
    columns = [_measure_type(held(X, theta, kind), T, kappa) for kind in TYPES]
    both = {name: np.stack([column[name] for column in columns]) for name in columns[0]}
    errors = both["error"]  # (types, B, K)
    ranks = [max(int(np.ceil(q * config.tasks)), 1) - 1 for q in QUANTILES]  # as `quantile` has it
    return Curves(
        error=np.sort(errors, axis=1)[:, ranks],
        mean=np.stack(of_means(errors[0], seed=config.seed)),
        rate=both["rate"],
        loops=np.stack([crossing(T, errors[0], level) for level in config.levels], axis=-1),
        lowest=errors.min(-1),
        floor=errors[..., -1],
        data=both["data"],
        arithmetic=both["arithmetic"],
        promise=both["promise"],
        broken=both["broken"].astype(np.int64),
        clear=both["clear"].astype(np.int64),
        above=both["above"].astype(np.int64),
    )


def _measure_type(task: Task, T: npt.NDArray[np.int64], kappa: float) -> dict[str, Array]:
    # A run is a millisecond: waking a second thread and letting it wait costs more than it does.
    runs = {
        t: loopcore.run(task.X, task.y, 1.0, t, path="power", num_threads=1)
        for t in set(T.tolist())
    }
    measured = np.stack([deviation(runs[t], task.theta) for t in T.tolist()], axis=-1)  # (B, K)
    exact, room = exact_deviation(task, T), allowed(task, T)
    error = np.abs(measured)
    bound = theory.relative_error_bound(T, kappa)
    clear = _clear(error)
    return {
        "error": error,
        "rate": rates(T / kappa, error),
        "data": np.abs(task.shift.sum(-1)),
        "arithmetic": np.abs(measured - exact)[:, -1],
        "promise": allowed(task, np.inf)[:, 0],
        "broken": np.sum(np.abs(measured - exact) > room),
        "clear": np.sum(clear),
        "above": np.sum(clear & (error > bound * (1 + 1e-6))),
    }


def _clear(error: Array) -> npt.NDArray[np.bool_]:
    """Tell which errors (B, K) are above `CLEAR` times the last one, and not rounding's."""
    return np.asarray(error > CLEAR * np.maximum(error[:, -1:], np.finfo(np.float64).eps))


def rates(x: Array, error: Array) -> Array:
    """Return −d log(error)/dx by least squares within `WINDOW`, task by task, (B,).

    Parameters
    ----------
    x : ndarray, shape (K,)
        T/κ.
    error : ndarray, shape (B, K)
        Those of `_clear` count; fewer than three give NaN.
    """
    used = (WINDOW[0] <= x) & (x <= WINDOW[1]) & _clear(error)  # (B, K)
    count = used.sum(-1)
    log = np.log(np.where(used, error, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        x0 = (used * x).sum(-1) / count
        from_mean = np.where(used, x - x0[:, None], 0)
        slope = (from_mean * log).sum(-1) / (from_mean**2).sum(-1)
    return np.where(count >= 3, -slope, np.nan)


def crossing(T: npt.NDArray[np.int64], error: Array, level: float) -> Array:
    """Return the loops after which errors (B, K) are at most a level, (B,).

    Between two T it is interpolated in both logarithms; 1 where the first error is below, ∞ where
    none is.
    """
    below = error <= level
    k = np.argmax(below, axis=-1)
    task = np.arange(len(error))
    before = np.maximum(k - 1, 0)
    high, low = np.log(error[task, before]), np.log(np.maximum(error[task, k], 1e-300))
    t0, t1 = np.log(T[before]), np.log(T[k])
    with np.errstate(invalid="ignore", divide="ignore"):
        part = np.where(k > 0, (high - np.log(level)) / (high - low), 0)
    return np.where(below.any(-1), np.exp(t0 + part * (t1 - t0)), np.inf)


def measure_looped(config: Config, key: LoopedKey) -> Floor:
    """Measure the floor of a path that loops."""
    kind, path, curve_key = key
    X, theta = draw(config, curve_key, config.looped_tasks)
    task = held(X, theta, kind)
    reach = _LITERAL_REACH if path == "literal" else _LOOPED_REACH
    T = int(np.ceil(reach * curve_key[2]))
    if path == "literal":
        v = literal_loop(task.X, task.y, T)
    else:
        v = loopcore.run(task.X, task.y, 1.0, T, path=cast(Path, path))
    return Floor(np.abs(deviation(v, theta)))


def literal_loop(X: Any, y: Any, T: int) -> Any:
    """Loop as a framework does it, all in the type of X: v ← v − η Xᵀ(Xv − y), (B, d)."""
    sigma = np.linalg.norm(X.astype(np.float64), 2, axis=(-2, -1))
    eta = (1 / sigma**2).astype(X.dtype)[:, None, None]
    across = np.ascontiguousarray(X.swapaxes(-1, -2))
    v = np.zeros((len(X), X.shape[-1], 1), X.dtype)
    target = y[..., None]
    for _ in range(T):
        residual = X @ v
        residual -= target
        step = across @ residual
        step *= eta
        v -= step
    return v[..., 0]


def curve_keys(config: Config) -> list[Key]:
    """Return what curves are measured of, in the order of the result's arrays."""
    return [
        (k, direction, kappa) for k in KINDS for direction in DIRECTIONS for kappa in config.kappas
    ]


def looped_keys(config: Config) -> list[LoopedKey]:
    """Return the floors that are reached loop by loop."""
    return [
        (kind, path, key)
        for kind, path in config.routes
        if path != "power"
        for key in curve_keys(config)
        if key[2] <= config.limit_of(path)
    ]
