"""The parts of the nonlinear study: one method on the tasks of one setting, tuned on others."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

import loopcore
from loopcore import baselines, tasks, theory
from loopcore.studies.nonlinear.config import (
    CHOSEN,
    CONSTANT,
    KERNELS,
    LIFTED,
    LIMIT,
    NEIGHBORS,
    RAW,
    RIDGE,
    Array,
    Config,
    Setting,
)
from loopcore.studies.nonlinear.kernels import Whole, modes
from loopcore.tasks import Tasks, quadratic_features

Key = tuple[str, int, int, str]


class Part(NamedTuple):
    """What one method did on B tasks of one setting."""

    error: Array
    """Mean squared error over the queries with everything tuned, (B,)."""
    curve: Array
    """The same by T, with all but T as tuned, (B, K); as `error`, (B, 1), for methods without T."""
    variance: Array
    """Variance of the values at the queries, unbiased, (B,)."""
    loops: Whole
    """T as tuned, (); 0 for methods without one, and for that which chooses it task by task."""
    step: Array
    """The step as tuned, in units of 1/λ_max, (); NaN for methods without one."""
    width: Array
    """The temperature, bandwidth, penalty or number of neighbours as tuned, (), or NaN."""
    held_out: Array
    """The mean squared error on the held-out tasks, (); NaN for methods that are not tuned."""
    deviation: Array
    """How far kernel attention was from its closed form, over the largest |y|, (); or 0."""


Tried = tuple[Array, float, float]
"""Squared errors (B, K) by T with one step and one width, that step, that width."""


class Best(NamedTuple):
    """What has the least mean error on held-out tasks."""

    place: int
    """Of step and width, among those that were tried."""
    k: int
    """Of T, among the candidates."""
    step: float
    width: float
    error: float


_UNTUNED = Best(0, 0, np.nan, np.nan, np.nan)


def keys(config: Config) -> list[Key]:
    """Return target, d, n and method of each part."""
    return [(*one, method) for one in config.settings for method in config.methods(one)]


def measure_part(config: Config, key: Key) -> Part:
    """Tune one method on held-out tasks, and measure it on others."""
    target, d, n, method = key
    setting = Setting(target, d, n)
    B = config.count(setting)
    test = draw(config, setting, range(B))
    held_out = draw(config, setting, range(B, B + config.held_out))
    if method in (RAW, CONSTANT, LIFTED):
        return _linear(config, method, held_out, test)
    if method in KERNELS:
        return _kernel(config, method, d, held_out, test)
    if method in (CHOSEN, LIMIT):
        return _part(test, _task_by_task(config, method, test)[:, None])
    best = _tuned(_baseline(config, method, d, held_out))
    return _part(test, _baseline(config, method, d, test)[best.place][0], best)


@lru_cache(maxsize=2)  # measured and held-out tasks: of one setting, method after method
def draw(config: Config, setting: Setting, numbers: range) -> Tasks:
    """Draw tasks of a setting by their numbers; all methods have the same."""
    seed = [config.seed, *setting.target.encode(), setting.d, setting.n]
    targets = config.targets(setting)
    size = setting.n, setting.d
    return tasks.draw(numbers, *size, targets=targets, queries=config.queries, rng=seed)


def _tuned(tried: list[Tried]) -> Best:
    """Return what has the least finite mean."""
    means = np.array([errors.mean(axis=0) for errors, _, _ in tried])  # (W, K)
    means = np.where(np.isfinite(means), means, np.inf)
    w, k = np.unravel_index(means.argmin(), means.shape)
    return Best(int(w), int(k), *tried[w][1:], float(means[w, k]))


def _part(
    test: Tasks,
    curve: Array,
    best: Best = _UNTUNED,
    *,
    loops: int = 0,
    error: Array | None = None,
    deviation: float = 0.0,
) -> Part:
    return Part(
        error=curve[:, best.k] if error is None else error,
        curve=curve,
        variance=test.y_query.var(axis=-1, ddof=1),
        loops=np.asarray(loops),
        step=np.asarray(best.step),
        width=np.asarray(best.width),
        held_out=np.asarray(best.error),
        deviation=np.asarray(deviation),
    )


def _squared(predicted: npt.NDArray[Any], batch: Tasks) -> Array:
    """Return mean squared errors of predictions (B, m) or (B, K, m), (B, 1) or (B, K)."""
    rows = predicted if predicted.ndim == 3 else predicted[:, None]
    with np.errstate(all="ignore"):
        return np.asarray(((rows - batch.y_query[:, None]) ** 2).mean(-1))


# ---- loops on features ---------------------------------------------------------------------------


def lift(method: str, X: Array) -> Array:
    """Return the features of a linear method, (..., p)."""
    if method == LIFTED:
        return quadratic_features(X)
    return X if method == RAW else np.concatenate([X, np.ones((*X.shape[:-1], 1))], axis=-1)


def _linear(config: Config, method: str, held_out: Tasks, test: Tasks) -> Part:
    T = config.candidates

    def looped(batch: Tasks, steps: tuple[float, ...]) -> list[Tried]:
        X, queries = lift(method, batch.X), lift(method, batch.x_query)
        top = loopcore.spectrum(X).lambda_max  # (B,)
        tried = []
        for step in steps:
            v = loopcore.trajectory(X, batch.y, 1.0, int(T[-1]), at=T, eta=step / top)
            tried.append((_squared(v @ queries.swapaxes(-1, -2), batch), step, np.nan))
        return tried

    best = _tuned(looped(held_out, config.steps))
    return _part(test, looped(test, (best.step,))[0][0], best, loops=int(T[best.k]))


# ---- kernel attention ----------------------------------------------------------------------------


def _kernel(config: Config, name: str, d: int, held_out: Tasks, test: Tasks) -> Part:
    """Tune by the closed form, and measure with the loops of the Transformer and it."""
    T, root = config.candidates, np.sqrt(d)
    # The temperature of ReLU is a factor of K, which the step takes out again.
    widths = (1.0,) if name == "relu" else config.widths

    def looped(batch: Tasks) -> list[Tried]:
        tried = []
        for width in widths:
            spectrum = modes(name, width * root, *_examples(batch))
            for step in config.steps:
                predicted = spectrum.looped(T, step)
                tried.append((_squared(predicted, batch), step, width))
        return tried

    best = _tuned(looped(held_out))
    width = best.width * root
    spectrum = modes(name, width, *_examples(test))
    predicted = spectrum.looped(T, best.step)
    curve = _squared(predicted, test)
    few = slice(0, config.checked)
    options: dict[str, Any] = {
        "bandwidth" if name == "rbf" else "temperature": width,
        "eta": (best.step / spectrum.top[few])[:, None],
    }
    model = loopcore.models.kernel(name, d, **options)  # type: ignore[arg-type]
    X, y, x_query = (part[few] for part in _examples(test))
    loops = int(T[best.k])
    measured = model.predict(X, y, x_query, loops)  # (checked, m)
    apart = float(np.abs(measured - predicted[few, best.k]).max() / np.abs(y).max())
    rest = curve[config.checked :, best.k]
    error = np.append(((measured - test.y_query[few]) ** 2).mean(-1), rest)
    return _part(test, curve, best, loops=loops, error=error, deviation=apart)


def _examples(batch: Tasks) -> tuple[Array, Array, Array]:
    return batch.X, batch.y, batch.x_query


# ---- without loops, or without tuning ------------------------------------------------------------


def _task_by_task(config: Config, method: str, batch: Tasks) -> Array:
    """Return the errors (B,) of lifted features with T from five folds of the task, or T → ∞."""
    task = quadratic_features(batch.X), batch.y, quadratic_features(batch.x_query)
    if method == LIMIT:
        return _squared(baselines.least_squares(*task), batch)[:, 0]
    return _squared(baselines.gradient_descent(*task, config.candidates), batch)[:, 0]


def _baseline(config: Config, method: str, d: int, batch: Tasks) -> list[Tried]:
    """Return the errors of each candidate of a method without loops."""
    penalties = np.array(config.penalties)
    if method == NEIGHBORS:
        n = batch.X.shape[1]
        counts = sorted({min(count, n) for count in config.neighbors})
        return [
            (
                _squared(baselines.nearest_neighbors(*_examples(batch), neighbors=count), batch),
                np.nan,
                float(count),
            )
            for count in counts
        ]
    if method == RIDGE:
        basis = theory.eigenbasis(quadratic_features(batch.X), batch.y)
        mu = penalties * basis.eigenvalues[:, :1]  # (B, K)
        left = theory.ridge_shrinkage(mu, basis.eigenvalues[:, None])  # (B, K, p)
        along = (quadratic_features(batch.x_query) @ basis.vectors).swapaxes(-1, -2)
        errors = _squared(((1 - left) * basis.theta[:, None]) @ along, batch)
        return [(errors[:, [i]], np.nan, p) for i, p in enumerate(config.penalties)]
    tried = []
    for width in config.widths:
        name = method.removeprefix("ridge, ")
        spectrum = modes(name, width * np.sqrt(d), *_examples(batch))
        errors = _squared(spectrum.ridge(penalties), batch)
        tried += [(errors[:, [i]], np.nan, width) for i in range(len(penalties))]
    return tried
