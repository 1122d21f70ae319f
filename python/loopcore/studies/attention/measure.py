"""The parts of the attention study: what was tuned, measured on other tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from loopcore.studies.attention import limits, minimisers
from loopcore.studies.attention.config import (
    GENERATING,
    GENERATION,
    PREDICTING,
    PREDICTION,
    Config,
    Problem,
)
from loopcore.studies.attention.errors import distances, quiet, relative_error
from loopcore.studies.attention.models import generator, predictor
from loopcore.studies.attention.result import Generated, Predicted, Surrounded, Tuned
from loopcore.studies.attention.tuning import tune
from loopcore.studies.frame.intervals import RESAMPLES, Interval, of_means, quantile
from loopcore.studies.frame.parts import Parts
from loopcore.studies.frame.repeats import CONFIDENCE

Array = npt.NDArray[np.float64]

TAIL = 0.9
"""The quantile that is given beside the median."""

_SMALLEST = 1e-16  # of distances and errors: rounding
_TINY = 1e-12  # at a minimiser: it is αθ*


class _Generation(NamedTuple):
    distance: Array
    """(B, K)"""
    value_error: Array
    """(B, K)"""
    limit: Array
    """(B, K)"""
    value_limit: Array
    """(B, K)"""
    scaled: Array
    """(B, A)"""


class _Prediction(NamedTuple):
    error: Array
    """(B, K)"""
    limit: Array
    """(B,)"""
    largest: Array
    """(B,)"""
    smallest: Array
    """(B,)"""


class _Hulls(NamedTuple):
    surrounded: npt.NDArray[np.bool_]
    """(B,)"""


def generation(config: Config, parts: Parts) -> tuple[Generated, ...]:
    """Tune and measure generation: each problem with each of its kinds, in this order."""
    cells = [(i, kind) for i in range(len(config.generation)) for kind in GENERATING]
    tuned = tune(config, parts, GENERATION, cells)
    measured = parts(
        "generation",
        cells,
        _Generation,
        lambda cell: _generate(config, cell[0], cell[1], tuned[cell]),
    )
    linear = [part for (_, kind), part in zip(cells, measured, strict=True) if kind == "linear"]
    return tuple(
        _generated(config, config.generation[i], kind, tuned[i, kind], part, linear=linear[i])
        for (i, kind), part in zip(cells, measured, strict=True)
    )


def prediction(config: Config, parts: Parts) -> tuple[Predicted, ...]:
    """Tune and measure prediction: each problem with each of its kinds, in this order."""
    cells = [(i, kind) for i in range(len(config.prediction)) for kind in PREDICTING]
    tuned = tune(config, parts, PREDICTION, cells)
    measured = parts(
        "prediction",
        cells,
        _Prediction,
        lambda cell: _predict(config, cell[0], cell[1], tuned[cell]),
    )
    return tuple(
        _predicted(config.prediction[i], kind, tuned[i, kind], part)
        for (i, kind), part in zip(cells, measured, strict=True)
    )


def hulls(config: Config, parts: Parts) -> tuple[Surrounded, ...]:
    """Count on which tasks of each generation problem the rows surround 0."""

    def measure(i: int) -> _Hulls:
        return _Hulls(minimisers.surrounded(config.draw(GENERATION, i, tuning=False).X))

    counted = parts("convex hulls", range(len(config.generation)), _Hulls, measure)
    return tuple(
        Surrounded(
            problem,
            of_means(part.surrounded, seed=config.seed),
            minimisers.surrounded_probability(problem.n, problem.d),
        )
        for problem, part in zip(config.generation, counted, strict=True)
    )


# ---- measuring -----------------------------------------------------------------------------------


def _generate(config: Config, i: int, kind: str, tuned: Tuned) -> _Generation:
    problem, loops = config.generation[i], config.loops
    tasks = config.draw(GENERATION, i, tuning=False)
    assert tasks.theta is not None
    X, y, theta = tasks.X, tasks.y, tasks.theta
    shape = (len(X), len(loops))
    distance, value_error = np.empty(shape), np.empty(shape)
    limit, value_limit = np.empty(shape), np.empty(shape)
    ends: dict[float, Array] = {}
    for k, T in enumerate(loops):
        tau, gamma = float(tuned.temperature[k]), float(tuned.step[k])
        v = quiet(generator(kind, problem.d, tau, gamma).generate, X, y, 1.0, T)
        distance[:, k], value_error[:, k] = distances(v, theta, 1.0)
        if tau not in ends:
            ends[tau] = _minimisers(kind, X, y, theta, tau, exact=problem.snr is None)
        limit[:, k], value_limit[:, k] = distances(ends[tau], theta, 1.0)
    last = generator(kind, problem.d, float(tuned.temperature[-1]), float(tuned.step[-1]))
    scaled = np.empty((len(X), len(config.alphas)))
    for k, alpha in enumerate(config.alphas):
        v = quiet(last.generate, X, y, alpha, loops[-1])
        scaled[:, k], _ = distances(v, theta, alpha)
    return _Generation(distance, value_error, limit, value_limit, scaled)


def _minimisers(kind: str, X: Array, y: Array, theta: Array, tau: float, *, exact: bool) -> Array:
    """Return minimisers at α = 1; without noise they are θ* + τ (those at τ = 1 − θ*)."""
    if not exact:
        return minimisers.minimisers(kind, X, y, 1.0, tau)
    if kind == "linear" or kind.endswith("±"):
        return theta
    # At α = 0 the scores are those of w = q + αθ*, whose minimiser is w itself.
    return theta + tau * minimisers.minimisers(kind, X, np.zeros_like(y), 0.0, 1.0)


def _predict(config: Config, i: int, kind: str, tuned: Tuned) -> _Prediction:
    problem, loops = config.prediction[i], config.kernel_loops
    X, y, _, x, values, _ = config.draw(PREDICTION, i, tuning=False)
    error = np.empty((len(X), len(loops)))
    for k, T in enumerate(loops):
        model = predictor(kind, problem.d, float(tuned.temperature[k]), float(tuned.step[k]))
        error[:, k] = relative_error(quiet(model.predict, X, y, x, T), values)
    end = limits.prediction_limit(kind, X, y, x, float(tuned.temperature[-1]))
    return _Prediction(error, relative_error(end.prediction, values), end.largest, end.smallest)


# ---- summing up ----------------------------------------------------------------------------------


def _generated(
    config: Config,
    problem: Problem,
    kind: str,
    tuned: Tuned,
    part: _Generation,
    *,
    linear: _Generation,
) -> Generated:
    with_limit = np.all(np.isfinite(part.limit) & (part.limit > _TINY), axis=-1)  # (B,)
    above = np.full((1, len(config.loops)), np.nan)
    if with_limit.any():
        above = _ordered(part.distance[with_limit]) / part.limit[with_limit]
    noise = 0.0 if problem.snr is None else problem.snr**-0.5
    return Generated(
        problem=problem,
        kind=kind,
        tuned=tuned,
        distance=quantile(_ordered(part.distance)),
        tail=quantile(_ordered(part.distance), TAIL),
        value_error=quantile(_ordered(part.value_error)),
        limit=quantile(part.limit),
        value_limit=quantile(part.value_limit),
        above_limit=quantile(above),
        asymptotic=np.asarray(
            minimisers.asymptotic_distance(kind, problem.n, problem.d, noise, tuned.temperature)
        ),
        multiple=_multiple(config, problem, part.distance[:, -1], linear.distance[:, -1]),
        scaled=quantile(_ordered(part.scaled)),
        rate=_rate(config.loops, part.distance),
    )


def _predicted(problem: Problem, kind: str, tuned: Tuned, part: _Prediction) -> Predicted:
    with np.errstate(divide="ignore"):
        doubling = np.log(2) / np.log1p(tuned.step[-1] * np.maximum(-part.smallest, 0))
    return Predicted(
        problem=problem,
        kind=kind,
        tuned=tuned,
        error=quantile(part.error),
        tail=quantile(part.error, TAIL),
        limit=quantile(part.limit),
        indefinite=float(np.mean(part.smallest < 0)),
        smallest=quantile(part.smallest / part.largest),
        doubling=quantile(doubling),
    )


def _ordered(values: Array) -> Array:
    """Put what is not a number where the quantiles of diverging tasks belong."""
    return np.where(np.isnan(values), np.inf, values)


def _multiple(config: Config, problem: Problem, distance: Array, linear: Array) -> Interval:
    """Return the ratio of medians of (B,) and (B,), of the same tasks in every resample."""
    if problem.snr is None:
        return Interval(*np.full(3, np.nan))
    pairs = _ordered(np.stack([distance, linear], axis=-1))  # (B, 2)
    B = len(pairs)
    picked = np.random.default_rng(config.seed).integers(0, B, (RESAMPLES, B))
    picked[0] = np.arange(B)  # the tasks themselves
    medians = np.sort(pairs[picked], axis=1)[:, (B - 1) // 2]  # (R, 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = _ordered(medians[:, 0] / medians[:, 1])
    ends = [int(tail * (RESAMPLES - 1)) for tail in ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)]
    return Interval(ratios[0], *np.sort(ratios)[ends])


def _rate(loops: Sequence[int], values: Array) -> Interval:
    """Return the median slope of log values (B, K) against log T over the last three T."""
    x = np.log(loops[-3:])
    x = (x - x.mean()) / np.sum((x - x.mean()) ** 2)
    logs = np.log(np.clip(_ordered(values[:, -3:]), _SMALLEST, 1 / _SMALLEST))
    return quantile(logs @ x)
