"""Learned weights: all of P and Q trained to predict, from noisy ideal or random ones.

Tokens are (x, y), all rows move and attend to the context, and minus the y slot of the query row is
the prediction after T loops. The ideal weights of that are P = E_yy, Q = diag(1, …, 1, 0)
(`loopcore.models.gradient_descent`), with one step, itself trained for the same T. Learned weights
are free to move x too, as those of GD++ do, and can be better than these. Every training has tasks
and a start of its own. Steps are part of P Q, so that η is fixed at 1/(n + d + 1) where P and Q are
trained; random entries are N(0, 0.3²/D) [ours].

Few held-out tasks with large λ decide a mean of squared errors after many loops: it may be
infinite. So a training is judged twice against the ideal weights on the same held-out tasks [ours]:
it *gets stuck* if its median squared error is more than twice theirs, and it *breaks* if only its
mean is.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

import loopcore
from loopcore import tasks
from loopcore.studies.frame.intervals import Interval, quantile
from loopcore.studies.frame.parts import Parts
from loopcore.studies.frame.repeats import CONFIDENCE
from loopcore.studies.perturbed.algebra import lost_as_infinite
from loopcore.studies.perturbed.config import Config

Array = npt.NDArray[np.float64]

_TRAINING, _HELD_OUT, _START = 6, 7, 10  # the first numbers of the seeds

RANDOM = 0.3
"""Standard deviation of random entries, times √D."""

MULTIPLES = (1, 2, 4, 8)
"""Loops that a trained model is run for, in units of those it was trained with."""


class Trained(NamedTuple):
    """One training, judged beside the ideal weights of the same number of loops."""

    mean: Array
    """Mean squared error on held-out tasks after kT loops, (2, K): ideal, learned."""
    median: Array
    """Median squared error, (2, K)."""
    worse: Array
    """Share of tasks with a squared error above their target's square, after kT loops, (2, K)."""
    first: Array
    """Held-out mean squared error of the start, at T, ()."""
    training: Array
    """Loss on its own tasks at the end, infinite where the start's was, ()."""


def starts(config: Config) -> tuple[float, ...]:
    """Return what trainings start from: σ of noise on the ideal weights, and 0 for random ones."""
    return (*config.near_sigmas, 0.0)


def measure(config: Config, T: int, start: int, repeat: int) -> Trained:
    """Train once from one start for T loops, and judge it."""
    n, d = config.trained_n, config.trained_d
    sigma, D = starts(config)[start], d + 1
    key = (T, start, repeat)
    training = _draw([config.seed, _TRAINING, *key], config.trained_tasks, n, d)
    held_out = _draw([config.seed, _HELD_OUT, *key], config.held_out, n, d)
    rng = np.random.default_rng([config.seed, _START, *key])
    step = loopcore.models.gradient_descent(d, update="all", eta=0.5 / (n + d + 1))
    ideal = _fit(step, training, T, "eta", config.iterations)
    assert isinstance(ideal.model.eta, np.ndarray)
    E = rng.standard_normal((2, D, D))
    eta = 1 / (n + d + 1)
    if sigma:
        gain = float(ideal.model.eta[0]) / eta  # the trained step, as part of P
        P, Q = gain * (step.P[0, 0] + sigma * E[0]), step.Q[0, 0] + sigma * E[1]
    else:
        P, Q = E * (RANDOM / np.sqrt(D))
    model = loopcore.LoopedTransformer(P, Q, eta, update="all")
    loss, first = np.inf, _squares(model, held_out, T)
    try:
        found = _fit(model, training, T, ("P", "Q"), config.iterations)
        model, loss = found.model, found.loss
    except ValueError as error:
        if "finite loss" not in str(error):
            raise
    squares = np.array(
        [[_squares(m, held_out, k * T) for k in MULTIPLES] for m in (ideal.model, model)]
    )  # (2, K, held out)
    worse = np.mean(squares > np.square(held_out[1]), axis=-1)
    with np.errstate(over="ignore"):  # a sum that overflows is the infinity that it should be
        means, medians = squares.mean(axis=-1), np.median(squares, axis=-1)
        at_start = np.asarray(first.mean())
    return Trained(means, medians, worse, at_start, np.asarray(loss))


def _draw(seed: list[int], B: int, n: int, d: int) -> tuple[Array, Array]:
    """Draw prompts (B, n + 1, d + 1) with y = ⟨w, x⟩, x and w ~ N(0, I), and their targets (B,)."""
    batch = tasks.draw(B, n, d, queries=1, rng=seed)
    Z = np.zeros((B, n + 1, d + 1))
    Z[:, :n, :d], Z[:, :n, d], Z[:, n:, :d] = batch.X, batch.y, batch.x_query
    return Z, batch.y_query[:, 0]


def _fit(
    model: loopcore.LoopedTransformer,
    data: tuple[Array, Array],
    T: int,
    parameters: str | tuple[str, ...],
    iterations: int,
) -> loopcore.Fit:
    found = loopcore.fit(model, data, T, parameters, iterations=iterations, num_threads=1)
    if found.message.startswith("interrupted"):
        raise KeyboardInterrupt  # fit keeps what it has, but half a training is none
    return found


def _squares(model: loopcore.LoopedTransformer, data: tuple[Array, Array], T: int) -> Array:
    """Return squared errors, (B,); infinite where the loop diverged."""
    Z, target = data
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", loopcore.DivergenceWarning)
        predicted = -model(Z, T, num_threads=1)[:, -1, -1]
        return lost_as_infinite(np.square(predicted - target))


# ---- over all trainings --------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Learned:
    """L numbers of loops by S starts (noise on the ideal weights, then random) by K multiples.

    Ratios are those of learned weights to the ideal ones, after as many loops on the same tasks;
    intervals of shares of trainings are exact binomial ones (Clopper and Pearson).

    Attributes
    ----------
    count : (S,) array of int
        Trainings for each number of loops.
    ideal_loss : Interval, (L,)
        Median over trainings of the mean squared error of the ideal weights at T.
    first : Interval, (L, S)
        Median ratio of the mean squared error at T, of the start.
    loss, good_loss : Interval, (L, S)
        Likewise of what was learned; and over the good trainings alone, which neither get stuck nor
        break, NaN without any.
    fails, stuck, breaks : Interval, (L, S)
        Share of trainings; the first is the sum of the others.
    good : (L, S) array of int
        How many are good.
    good_median : Interval, (L, S, K)
        Median over good trainings of the ratio of median squared errors after kT loops.
    ideal_worse, good_worse : Interval, (L, S, K)
        Medians over (good) trainings of the share of held-out tasks on which predicting 0 is
        better.
    further : Interval, (L, S)
        Share of good trainings whose median squared error is lower still after twice the loops.
    """

    count: npt.NDArray[np.int64]
    ideal_loss: Interval
    first: Interval
    loss: Interval
    good_loss: Interval
    fails: Interval
    stuck: Interval
    breaks: Interval
    good: npt.NDArray[np.int64]
    good_median: Interval
    ideal_worse: Interval
    good_worse: Interval
    further: Interval


def compute(config: Config, parts: Parts) -> Learned:
    """Train all models, and compare them with the ideal weights."""
    S = len(starts(config))
    counts = [config.near] * (S - 1) + [config.random]
    keys = [(T, s, r) for T in config.trained_loops for s in range(S) for r in range(counts[s])]
    found = parts("learned weights", keys, Trained, lambda key: measure(config, *key))
    cells: dict[tuple[int, int], list[Trained]] = {}
    for (T, s, _), one in zip(keys, found, strict=True):
        cells.setdefault((T, s), []).append(one)
    grid = [[_summarize(cells[T, s]) for s in range(S)] for T in config.trained_loops]
    ideal = [
        quantile([one.mean[0, 0] for s in range(S) for one in cells[T, s]])
        for T in config.trained_loops
    ]
    names = [f.name for f in fields(Learned) if f.name not in ("count", "ideal_loss", "good")]
    return Learned(
        count=np.array(counts),
        ideal_loss=_gathered(ideal),
        good=np.array([[int(cell["good"].value) for cell in row] for row in grid]),
        **{name: _gathered([_gathered([c[name] for c in row]) for row in grid]) for name in names},
    )


def _gathered(intervals: list[Interval]) -> Interval:
    """Return one interval (R, ...) of R intervals (...)."""
    return Interval(*(np.stack(ends) for ends in zip(*intervals, strict=True)))


def judge(mean: Array, median: Array) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Tell which trainings get stuck and which break, (R,), from ratios to the ideal weights.

    Examples
    --------
    >>> stuck, breaks = judge(np.array([0.5, 5.0, np.inf]), np.array([0.5, 3.0, 1.0]))
    >>> stuck.tolist(), breaks.tolist()
    ([False, True, False], [False, False, True])
    """
    stuck = ~(median <= 2)
    return stuck, ~stuck & ~(mean <= 2)


def _summarize(trained: list[Trained]) -> dict[str, Interval]:
    """Summarize the trainings of one number of loops and one start."""
    runs = Trained(*(np.stack(column) for column in zip(*trained, strict=True)))  # (R, …)
    with np.errstate(all="ignore"):
        mean, median = (a[:, 1] / a[:, 0] for a in (runs.mean, runs.median))  # (R, K)
        first = runs.first / runs.mean[:, 0, 0]
    mean, median = lost_as_infinite(mean), lost_as_infinite(median)  # ∞/∞: no better
    stuck, breaks = judge(mean[:, 0], median[:, 0])
    good = ~(stuck | breaks)
    R, count, K = len(good), int(good.sum()), len(MULTIPLES)
    further = runs.median[good, 1, 1] < runs.median[good, 1, 0]
    return {
        "first": quantile(first),
        "loss": quantile(mean[:, 0]),
        "good_loss": quantile(mean[good, 0]) if count else _none(),
        "fails": proportion(R - count, R),
        "stuck": proportion(int(stuck.sum()), R),
        "breaks": proportion(int(breaks.sum()), R),
        "good": Interval(*[np.array(count)] * 3),
        "good_median": quantile(median[good]) if count else _none(K),
        "ideal_worse": quantile(runs.worse[:, 0]),
        "good_worse": quantile(runs.worse[good, 1]) if count else _none(K),
        "further": proportion(int(further.sum()), count) if count else _none(),
    }


def _none(*shape: int) -> Interval:
    return Interval(*[np.full(shape, np.nan)] * 3)


def fisher(first: float, second: float, of: int) -> float:
    """Return Fisher's exact p for two shares, each of as many trainings, to be the same.

    Examples
    --------
    >>> round(fisher(0.0, 0.75, 8), 3)
    0.007
    """
    from scipy.stats import fisher_exact

    counts = [round(share * of) for share in (first, second)]
    return float(fisher_exact([[count, of - count] for count in counts]).pvalue)


def proportion(count: int, of: int) -> Interval:
    """Return a share with the exact binomial interval.

    Source: C. Clopper and E. Pearson, "The use of confidence or fiducial limits illustrated in the
    case of the binomial", 1934.

    Examples
    --------
    >>> print(*(end.round(3) for end in proportion(0, 10)))
    0.0 0.0 0.308
    """
    from scipy.stats import binomtest

    low, high = binomtest(count, of).proportion_ci(CONFIDENCE)
    return Interval(np.array(count / of), np.array(low), np.array(high))
