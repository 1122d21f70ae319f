"""The parts of the attention study: tuning, and measuring what was tuned on other tasks."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

import loopcore
from loopcore.studies.attention import limits
from loopcore.studies.attention.config import (
    GENERATING,
    HOMOGENEOUS,
    PREDICTING,
    Candidates,
    Config,
    Problem,
    candidates,
)
from loopcore.studies.attention.models import generator, predictor
from loopcore.studies.intervals import Interval, of_means, quantile
from loopcore.studies.parts import Parts

Array = npt.NDArray[np.float64]

GENERATION, PREDICTION = 0, 1
_TUNING, _MEASURING = 0, 1

TAIL = 0.9
"""The quantile that is given beside the median."""

_SMALLEST = 1e-16  # of distances and errors: rounding
_TINY = 1e-12  # at a minimiser: it is αθ*


# ---- what is returned ----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Tuned:
    """What was chosen for each of K numbers of loops.

    Attributes
    ----------
    temperature, step : ndarray, shape (K,)
        τ and γ.
    at_edge : ndarray of bool, shape (K,)
        Whether one of them is the first or last of its candidates (a temperature only where the
        kind has one).
    """

    temperature: Array
    step: Array
    at_edge: npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Generated:
    """How one kind generates on one problem, after each of K numbers of loops.

    Attributes
    ----------
    problem : Problem
    kind : str
    tuned : Tuned
    distance : Interval, shape (K,)
        Median of ‖v − αθ*‖ / (|α| ‖θ*‖).
    tail : Interval, shape (K,)
        Its 90 % quantile.
    value_error : Interval, shape (K,)
        Median of |⟨v, θ*⟩ − α| / |α|.
    limit : Interval, shape (K,)
        Median of the distance at the minimiser that infinitely many loops at this temperature tend
        to; infinite where half of the tasks have none.
    value_limit : Interval, shape (K,)
        Median of the value error there.
    above_limit : Interval, shape (K,)
        Median of the distance over that at the task's own minimiser, over the tasks that have one
        other than αθ*; NaN without any.
    asymptotic : ndarray, shape (K,)
        `limits.asymptotic_distance` at the temperature.
    scaled : Interval, shape (A,)
        The distance after the last loops for the other α of the configuration.
    rate : Interval, shape ()
        Median over the tasks of the slope of log distance against log T over the last three T: −1
        for a distance that falls as 1/T.
    """

    problem: Problem
    kind: str
    tuned: Tuned
    distance: Interval
    tail: Interval
    value_error: Interval
    limit: Interval
    value_limit: Interval
    above_limit: Interval
    asymptotic: Array
    scaled: Interval
    rate: Interval


@dataclass(frozen=True, eq=False)
class Predicted:
    """How one kind predicts on one problem, after each of K numbers of loops.

    Attributes
    ----------
    problem : Problem
    kind : str
    tuned : Tuned
    error : Interval, shape (K,)
        Median over tasks of the mean squared error at the queries over the variance of their
        values.
    tail : Interval, shape (K,)
        Its 90 % quantile.
    limit : Interval, shape ()
        Median of the error after infinitely many loops at the temperature of the last T; infinite
        where half of the tasks diverge.
    indefinite : float
        The share of tasks whose matrix has a negative eigenvalue there.
    smallest : Interval, shape ()
        Median of λ_min/λ_max of the matrix there.
    doubling : Interval, shape ()
        Median of the loops in which the fastest growing part of the residuals doubles at the step
        of the last T; infinite where nothing grows.
    rate : Interval, shape ()
        Median over the tasks of the slope of log error against log T over the last three T.
    """

    problem: Problem
    kind: str
    tuned: Tuned
    error: Interval
    tail: Interval
    limit: Interval
    indefinite: float
    smallest: Interval
    doubling: Interval
    rate: Interval


@dataclass(frozen=True, eq=False)
class Surrounded:
    """Whether softmax, exp and ReLU have one minimiser: whether rows have 0 in their hull.

    Attributes
    ----------
    problem : Problem
    share : Interval, shape ()
        The share of tasks.
    probability : float
        Wendel's.
    """

    problem: Problem
    share: Interval
    probability: float


# ---- parts ---------------------------------------------------------------------------------------


class _Scores(NamedTuple):
    quartile: Array
    """The upper one over the tuning tasks, of G candidates after K numbers of loops, (K, G)."""


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
    tuned = _tune(config, parts, GENERATION, cells)
    measured = parts(
        "generation",
        cells,
        _Generation,
        lambda cell: _generate(config, cell[0], cell[1], tuned[cell]),
    )
    return tuple(
        _generated(config, config.generation[i], kind, tuned[i, kind], part)
        for (i, kind), part in zip(cells, measured, strict=True)
    )


def prediction(config: Config, parts: Parts) -> tuple[Predicted, ...]:
    """Tune and measure prediction: each problem with each of its kinds, in this order."""
    cells = [(i, kind) for i in range(len(config.prediction)) for kind in PREDICTING]
    tuned = _tune(config, parts, PREDICTION, cells)
    measured = parts(
        "prediction",
        cells,
        _Prediction,
        lambda cell: _predict(config, cell[0], cell[1], tuned[cell]),
    )
    return tuple(
        _predicted(config, config.prediction[i], kind, tuned[i, kind], part)
        for (i, kind), part in zip(cells, measured, strict=True)
    )


def hulls(config: Config, parts: Parts) -> tuple[Surrounded, ...]:
    """Count on which tasks of each generation problem the rows surround 0."""

    def measure(i: int) -> _Hulls:
        tasks = config.generation[i].draw(config.tasks, 0, [config.seed, GENERATION, i, _MEASURING])
        return _Hulls(limits.surrounded(tasks.X))

    counted = parts("convex hulls", range(len(config.generation)), _Hulls, measure)
    return tuple(
        Surrounded(
            problem,
            of_means(part.surrounded, seed=config.seed),
            limits.surrounded_probability(problem.n, problem.d),
        )
        for problem, part in zip(config.generation, counted, strict=True)
    )


# ---- tuning --------------------------------------------------------------------------------------

_Cell = tuple[int, str]


def _tune(config: Config, parts: Parts, what: int, cells: Sequence[_Cell]) -> dict[_Cell, Tuned]:
    """Choose for each number of loops the candidate of the least upper quartile.

    Of the least median some candidates let almost half of the tasks diverge, and more of others.
    """
    measure = _tune_generation if what == GENERATION else _tune_prediction
    tried = {cell: _tried(config, what, *cell) for cell in cells}
    keys = [(i, kind, row) for i, kind in cells for row in range(len(tried[i, kind].step))]
    scores = parts(
        f"tuning {'generation' if what == GENERATION else 'prediction'}",
        keys,
        _Scores,
        lambda key: _Scores(measure(config, key[0], key[1], _row(tried[key[0], key[1]], key[2]))),
    )
    rows: dict[_Cell, list[Array]] = {cell: [] for cell in cells}
    for (i, kind, _), part in zip(keys, scores, strict=True):
        rows[i, kind].append(part.quartile)
    return {
        cell: _best(np.stack(rows[cell], axis=1), tried[cell], cell[1] not in HOMOGENEOUS)
        for cell in cells
    }


def _tried(config: Config, what: int, i: int, kind: str) -> Candidates:
    if what == GENERATION:
        return candidates(kind, config.temperatures, config.steps)
    d = config.prediction[i].d
    return candidates(kind, tuple(d * t for t in config.kernel_temperatures), config.steps)


def _row(tried: Candidates, row: int) -> Candidates:
    return Candidates(tried.temperature[row], tried.step[row])


def _best(scores: Array, tried: Candidates, has_temperature: bool) -> Tuned:
    """Take the first of the least scores (K, A, G)."""
    A, G = tried.step.shape
    flat = scores.reshape(len(scores), -1).argmin(axis=-1)
    row, column = flat // G, flat % G
    if has_temperature:
        at_edge = (column == 0) | (column == G - 1) | (row == 0) | (row == A - 1)
    else:
        at_edge = (flat == 0) | (flat == A * G - 1)
    return Tuned(tried.temperature.ravel()[flat], tried.step.ravel()[flat], at_edge)


def _tune_generation(config: Config, i: int, kind: str, tried: Candidates) -> Array:
    """Return the distance (K, G) of one row of candidates; each goes on where it was."""
    tasks = config.generation[i].draw(config.tuning, 0, [config.seed, GENERATION, i, _TUNING])
    X, y, theta = tasks.X, tasks.y, _theta(tasks)
    model = generator(kind, X.shape[-1], float(tried.temperature[0]), tried.step[:, None])
    q, before, scores = None, 0, []
    for T in config.loops:
        v = _quiet(model.generate, X, y, 1.0, T - before, q)  # (G, B, d)
        q, before = -v, T
        scores.append(_upper_quartile(_distances(v, theta, 1.0)[0]))
    return np.array(scores)


def _tune_prediction(config: Config, i: int, kind: str, tried: Candidates) -> Array:
    """Return the error (K, G) of one row of candidates."""
    seed = [config.seed, PREDICTION, i, _TUNING]
    tasks = config.prediction[i].draw(config.tuning, config.queries, seed)
    d = config.prediction[i].d
    model = predictor(kind, d, float(tried.temperature[0]), tried.step[:, None])
    scores = []
    for T in config.kernel_loops:
        f = _quiet(model.predict, tasks.X, tasks.y, tasks.x_query, T)  # (G, B, m)
        scores.append(_upper_quartile(_relative_error(f, tasks.y_query)))
    return np.array(scores)


# ---- measuring -----------------------------------------------------------------------------------


def _generate(config: Config, i: int, kind: str, tuned: Tuned) -> _Generation:
    problem, loops = config.generation[i], config.loops
    tasks = problem.draw(config.tasks, 0, [config.seed, GENERATION, i, _MEASURING])
    X, y, theta = tasks.X, tasks.y, _theta(tasks)
    shape = (len(X), len(loops))
    distance, value_error = np.empty(shape), np.empty(shape)
    limit, value_limit = np.empty(shape), np.empty(shape)
    ends: dict[float, Array] = {}
    for k, T in enumerate(loops):
        tau, gamma = float(tuned.temperature[k]), float(tuned.step[k])
        v = _quiet(generator(kind, problem.d, tau, gamma).generate, X, y, 1.0, T)
        distance[:, k], value_error[:, k] = _distances(v, theta, 1.0)
        if tau not in ends:
            ends[tau] = _minimisers(kind, X, y, theta, tau, exact=problem.snr is None)
        limit[:, k], value_limit[:, k] = _distances(ends[tau], theta, 1.0)
    last = generator(kind, problem.d, float(tuned.temperature[-1]), float(tuned.step[-1]))
    scaled = np.empty((len(X), len(config.alphas)))
    for k, alpha in enumerate(config.alphas):
        v = _quiet(last.generate, X, y, alpha, loops[-1])
        scaled[:, k], _ = _distances(v, theta, alpha)
    return _Generation(distance, value_error, limit, value_limit, scaled)


def _minimisers(kind: str, X: Array, y: Array, theta: Array, tau: float, *, exact: bool) -> Array:
    """Return `limits.minimisers` at α = 1; without noise they are θ* + τ (those at τ = 1 − θ*)."""
    if not exact:
        return limits.minimisers(kind, X, y, 1.0, tau)
    if kind == "linear" or kind.endswith("±"):
        return theta
    # At α = 0 the scores are those of w = q + αθ*, whose minimiser is w itself.
    return theta + tau * limits.minimisers(kind, X, np.zeros_like(y), 0.0, 1.0)


def _predict(config: Config, i: int, kind: str, tuned: Tuned) -> _Prediction:
    problem, loops = config.prediction[i], config.kernel_loops
    seed = [config.seed, PREDICTION, i, _MEASURING]
    X, y, _, x, values, _ = problem.draw(config.tasks, config.queries, seed)
    error = np.empty((len(X), len(loops)))
    for k, T in enumerate(loops):
        model = predictor(kind, problem.d, float(tuned.temperature[k]), float(tuned.step[k]))
        error[:, k] = _relative_error(_quiet(model.predict, X, y, x, T), values)
    end = limits.prediction_limit(kind, X, y, x, float(tuned.temperature[-1]))
    return _Prediction(error, _relative_error(end.prediction, values), end.largest, end.smallest)


def _quiet(call: object, *arguments: object) -> Array:
    """Run loops without warnings of those that diverge: their errors count as infinite."""
    assert callable(call)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", loopcore.DivergenceWarning)
        return np.asarray(call(*arguments))


def _theta(tasks: loopcore.tasks.Tasks) -> Array:
    assert tasks.theta is not None
    return tasks.theta


def _distances(v: Array, theta: Array, alpha: float) -> tuple[Array, Array]:
    """Return ‖v − αθ*‖ / (|α| ‖θ*‖) and |⟨v, θ*⟩ − α| / |α|, each (...), of v (..., d).

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


def _relative_error(f: Array, values: Array) -> Array:
    """Return the mean squared error of f (..., B, m) over the variance of the values (B, m)."""
    with np.errstate(over="ignore", invalid="ignore"):
        error = ((f - values) ** 2).mean(axis=-1) / values.var(axis=-1)
    return np.where(np.isnan(error), np.inf, error)


def _upper_quartile(values: Array) -> Array:
    """Return the ⌈3B/4⌉-th smallest of the last axis; what is not a number is larger than any."""
    kept = np.sort(np.where(np.isnan(values), np.inf, values), axis=-1)
    return np.asarray(kept[..., -(-3 * values.shape[-1] // 4) - 1])


# ---- summing up ----------------------------------------------------------------------------------


def _generated(
    config: Config, problem: Problem, kind: str, tuned: Tuned, part: _Generation
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
            limits.asymptotic_distance(kind, problem.n, problem.d, noise, tuned.temperature)
        ),
        scaled=quantile(_ordered(part.scaled)),
        rate=_rate(config.loops, part.distance),
    )


def _predicted(
    config: Config, problem: Problem, kind: str, tuned: Tuned, part: _Prediction
) -> Predicted:
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
        rate=_rate(config.kernel_loops, part.error),
    )


def _ordered(values: Array) -> Array:
    """Put what is not a number where the quantiles of diverging tasks belong."""
    return np.where(np.isnan(values), np.inf, values)


def _rate(loops: Sequence[int], values: Array) -> Interval:
    """Return the median slope of log values (B, K) against log T over the last three T."""
    x = np.log(loops[-3:])
    x = (x - x.mean()) / np.sum((x - x.mean()) ** 2)
    logs = np.log(np.clip(_ordered(values[:, -3:]), _SMALLEST, 1 / _SMALLEST))
    return quantile(logs @ x)
