"""The parts of the nonlinear study: one method on the tasks of one setting, tuned on others."""

from __future__ import annotations

from collections.abc import Callable
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
    deviation: Array
    """How far kernel attention was from its closed form, over the largest |y|, (); or 0."""


Tried = tuple[Array, float, float]
"""Squared errors (B, K) by T with one step and one width, that step, that width."""


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
    tried, best = _tuned(lambda batch: _baseline(config, method, d, batch), held_out)
    return _part(test, _baseline(config, method, d, test)[best][0], width=tried[2])


@lru_cache(maxsize=2)  # measured and held-out tasks: of one setting, method after method
def draw(config: Config, setting: Setting, numbers: range) -> Tasks:
    """Draw tasks of a setting by their numbers; all methods have the same."""
    seed = [config.seed, *setting.target.encode(), setting.d, setting.n]
    targets = config.targets(setting)
    size = setting.n, setting.d
    return tasks.draw(numbers, *size, targets=targets, queries=config.queries, rng=seed)


def _tuned(
    method: Callable[[Tasks], list[Tried]], held_out: Tasks
) -> tuple[tuple[int, float, float], int]:
    """Return T's place, step and width of the least mean error, and the place of the last two."""
    tried = method(held_out)
    means = np.array([errors.mean(axis=0) for errors, _, _ in tried])  # (W, K)
    means = np.where(np.isfinite(means), means, np.inf)
    w, k = np.unravel_index(means.argmin(), means.shape)
    return (int(k), *tried[w][1:]), int(w)


def _part(test: Tasks, curve: Array, k: int = 0, **settings: Any) -> Part:
    found = {"loops": 0, "step": np.nan, "width": np.nan, "deviation": 0.0} | settings
    variance = test.y_query.var(axis=-1, ddof=1)
    error = found.pop("error", curve[:, k])
    return Part(error, curve, variance, **{n: np.asarray(v) for n, v in found.items()})


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

    (k, step, _), _ = _tuned(lambda batch: looped(batch, config.steps), held_out)
    return _part(test, looped(test, (step,))[0][0], k, loops=T[k], step=step)


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

    (k, step, width), _ = _tuned(looped, held_out)
    spectrum = modes(name, width * root, *_examples(test))
    predicted = spectrum.looped(T, step)
    curve = _squared(predicted, test)
    few = slice(0, config.checked)
    options: dict[str, Any] = {
        "bandwidth" if name == "rbf" else "temperature": width * root,
        "eta": (step / spectrum.top[few])[:, None],
    }
    model = loopcore.models.kernel(name, d, **options)  # type: ignore[arg-type]
    X, y, x_query = (part[few] for part in _examples(test))
    measured = model.predict(X, y, x_query, int(T[k]))  # (checked, m)
    apart = np.abs(measured - predicted[few, k]).max() / np.abs(y).max()
    error = np.append(((measured - test.y_query[few]) ** 2).mean(-1), curve[config.checked :, k])
    return _part(test, curve, k, error=error, loops=T[k], step=step, width=width, deviation=apart)


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
