"""The parts of the schedules study, and what they come to."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

import loopcore
from loopcore import reference, theory
from loopcore.studies.frame.intervals import Interval, of_means, quantile
from loopcore.studies.frame.parts import Parts
from loopcore.studies.schedules import descent
from loopcore.studies.schedules.config import Config
from loopcore.studies.schedules.training import (
    VARIANTS,
    Problem,
    Steps,
    draw_tests,
    problems,
    train,
)

Array = npt.NDArray[np.float64]

TAIL = 0.95
LEARNED = ("learned", "learned, scaled", "best", "best, scaled")

_CHUNK = 500  # tasks at a time
_ROUNDING = 1e-9  # far above what float64 leaves at κ = 1e4, far below ε


class _Tested(NamedTuple):
    """Some tasks of one problem, measured with all steps; axes as in `Course` and `Learned`."""

    kappa: Array
    """(B,)"""
    curves: Array
    """(B, M, K, 2)"""
    early: Array
    """(B, K, 2)"""
    loops: Array
    """(B, M, 2, E)"""
    learned: Array
    """(B, L, 4, 2)"""
    repeated: Array
    """(B, R, 2, 2)"""


@dataclass(frozen=True, eq=False)
class Course:
    """What steps that know each task's spectrum gave on one problem.

    Axes: M `descent.METHODS`, K loops, 2 `descent.MEASURES` (the error |⟨v(T), θ*⟩ − 1|, and the
    distance ‖v(T) − θ*‖), E tolerances.

    Attributes
    ----------
    kappa : Interval, shape ()
        The median of κ.
    median, tail : Interval, shape (M, K, 2)
        The median and the 95 % quantile over the tasks.
    bound : ndarray, shape (M, K)
        The median over the tasks of the worst case at their own κ.
    early : Interval, shape (K, 2)
        The median error half way (⌊T/2⌋) through Chebyshev's schedule of T loops, and one loop
        before its end.
    loops, tail_loops : Interval, shape (M, 2, E)
        From which T on a measure stays at most ε: the median and the 95 % quantile.
    bound_loops : ndarray, shape (M, E)
        From which T on the worst case at the median κ does.
    above_bound : tuple of int
        How many distances of each method, over tasks and loops, lie above their bound.
    """

    kappa: Interval
    median: Interval
    tail: Interval
    bound: Array
    early: Interval
    loops: Interval
    tail_loops: Interval
    bound_loops: Array
    above_bound: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Learned:
    """What steps that know the distribution of tasks gave on one problem.

    Axes: L learned loops, 4 `LEARNED`, V = 2 `training.VARIANTS`, R repeats, 2 measures.

    Attributes
    ----------
    steps, best_steps : tuple of tuple of ndarray
        By variant and T, (T,) each.
    converged : tuple of int
        How many of the L trainings of each variant met their tolerance.
    median, tail : Interval, shape (L, 4, 2)
        The median and the 95 % quantile over the tasks.
    wins : Interval, shape (L, 4)
        The share of tasks with a smaller error than with Chebyshev's steps for the same T.
    loss_ratio : Interval, shape (L, V)
        The mean of ‖v(T) − θ*‖², learned over best.
    repeated_median, repeated_tail : Interval, shape (R, V, 2)
        The same for the longest learned schedule, run several times.
    diverged : Interval, shape (R, V)
        The share of tasks with a distance above 1, that of v = 0.
    """

    steps: tuple[tuple[Array, ...], ...]
    best_steps: tuple[tuple[Array, ...], ...]
    converged: tuple[int, ...]
    median: Interval
    tail: Interval
    wins: Interval
    loss_ratio: Interval
    repeated_median: Interval
    repeated_tail: Interval
    diverged: Interval


@dataclass(frozen=True, eq=False)
class Measured:
    """One problem."""

    name: str
    known: Course
    learned: Learned


def measure_all(config: Config, parts: Parts) -> tuple[Measured, ...]:
    """Train, and measure every problem."""
    found = problems(config)
    keys = [
        (p, variant, T)
        for p in range(len(found))
        for variant in VARIANTS
        for T in config.learned_loops
    ]
    trained = parts("training", keys, Steps, lambda key: train(config, found[key[0]], *key[1:]))
    steps = dict(zip(keys, trained, strict=True))

    def measure(key: tuple[int, int]) -> _Tested:
        p, start = key
        mine = {(variant, T): one for (q, variant, T), one in steps.items() if q == p}
        return _test(config, found[p], start, mine)

    starts = range(0, config.tasks, _CHUNK)
    tests = [(p, start) for p in range(len(found)) for start in starts]
    tested = parts("measuring", tests, _Tested, measure)
    results = []
    for p, problem in enumerate(found):
        rows = [part for key, part in zip(tests, tested, strict=True) if key[0] == p]
        whole = _Tested(*(np.concatenate(arrays) for arrays in zip(*rows, strict=True)))
        mine = {(variant, T): steps[p, variant, T] for q, variant, T in keys if q == p}
        results.append(
            Measured(problem.name, _course(config, whole), _learned(config, whole, mine))
        )
    return tuple(results)


# ---- one part -----------------------------------------------------------------------------------


def _test(
    config: Config, problem: Problem, start: int, steps: dict[tuple[str, int], Steps]
) -> _Tested:
    """Measure some tasks of a problem with all steps."""
    batch = draw_tests(config, problem, start, min(start + _CHUNK, config.tasks))
    task = _Task(batch.X, batch.y, batch.theta)
    basis = theory.eigenbasis(batch.X, batch.y)
    lam, weights = basis.eigenvalues, np.square(basis.theta)  # (B, d)
    weights = weights / weights.sum(axis=-1, keepdims=True)  # θ̂ = θ*, to rounding
    at = config.loops
    momentum = np.stack(
        [
            descent.measures(s, weights)
            for T, s in enumerate(islice(descent.momentum_shrinkage(lam), at[-1] + 1))
            if T in at
        ],
        axis=1,
    )  # (B, K, 2)
    chebyshev, early = [], []
    for T in at:
        schedule = reference.adaptive_steps(lam, T, "chebyshev")  # (B, T)
        stops = sorted({T // 2, T - 1, T})
        errors = task.measures(T, stops, schedule=schedule)  # (B, 2 or 3, 2)
        chebyshev.append(errors[:, -1])
        early.append(errors[:, [stops.index(T // 2), stops.index(T - 1)], 0])
    known = [
        task.measures(at[-1], at),
        task.measures(at[-1], at, eta="optimal"),
        momentum,
        np.stack(chebyshev, axis=1),
    ]
    high = lam.max(axis=-1, keepdims=True)  # (B, 1)

    def scaled(one: Array, variant: str) -> Array:
        return one / high if variant == "scaled" else one

    learned = [
        [
            task.measures(T, [T], schedule=scaled(getattr(steps[variant, T], kind), variant))[:, 0]
            for kind in ("learned", "best")
            for variant in VARIANTS
        ]
        for T in config.learned_loops
    ]  # L × 4 × (B, 2)
    longest, counts = config.learned_loops[-1], config.repeats
    repeated = [
        task.measures(
            longest * counts[-1],
            [longest * count for count in counts],
            schedule=scaled(np.tile(steps[variant, longest].learned, counts[-1]), variant),
        )
        for variant in VARIANTS
    ]  # V × (B, R, 2)
    return _Tested(
        lam.max(axis=-1) / lam.min(axis=-1),
        np.stack(known, axis=1),
        np.stack(early, axis=1),
        descent.loops_needed(lam, weights, config.tolerances),
        np.moveaxis(np.array(learned), 2, 0),
        np.stack(repeated, axis=2),
    )


class _Task(NamedTuple):
    """Tasks whose loops are run: X (B, n, d), y (B, n), unit θ* (B, d)."""

    X: Array
    y: Array
    theta: Any

    def measures(self, T: int, at: Any, **steps: Any) -> Array:
        """Return error and distance after the loops in `at`, (B, len(at), 2)."""
        v = loopcore.trajectory(self.X, self.y, 1.0, T, at=at, **steps)  # (B, K, d)
        left = self.theta[:, None] - v
        error = np.abs(np.einsum("bkd,bd->bk", left, self.theta))  # ‖θ*‖ = 1
        return np.stack([error, np.sqrt(np.einsum("bkd,bkd->bk", left, left))], axis=-1)


# ---- over the tasks -----------------------------------------------------------------------------


def _course(config: Config, tested: _Tested) -> Course:
    T, kappa = np.array(config.loops), tested.kappa
    middle = quantile(kappa)
    bounds = [np.asarray(bound(T, kappa[:, None])) for bound in descent.BOUNDS]  # M × (B, K)
    above = [
        int(np.sum(tested.curves[:, k, :, 1] > bound + _ROUNDING)) for k, bound in enumerate(bounds)
    ]
    return Course(
        kappa=middle,
        median=quantile(tested.curves),
        tail=quantile(tested.curves, TAIL),
        bound=np.median(np.stack(bounds, axis=1), axis=0),
        early=quantile(tested.early),
        loops=quantile(tested.loops),
        tail_loops=quantile(tested.loops, TAIL),
        bound_loops=np.array(
            [
                [descent.bound_loops(k, goal, float(middle.value)) for goal in config.tolerances]
                for k in range(len(descent.METHODS))
            ]
        ),
        above_bound=tuple(above),
    )


def _learned(config: Config, tested: _Tested, steps: dict[tuple[str, int], Steps]) -> Learned:
    places = [config.loops.index(T) for T in config.learned_loops]
    chebyshev = tested.curves[:, descent.METHODS.index("chebyshev"), places, 0]  # (B, L)
    wins = tested.learned[..., 0] < chebyshev[..., None]  # (B, L, 4)
    squares = np.square(tested.learned[..., 1])  # (B, L, 4), those of `best` after the learned

    def ratio(means: Array) -> Array:  # (R, L, 4)
        return np.asarray(means[..., :2] / means[..., 2:])

    return Learned(
        steps=_by_variant(config, steps, "learned"),
        best_steps=_by_variant(config, steps, "best"),
        converged=tuple(
            sum(bool(steps[variant, T].converged) for T in config.learned_loops)
            for variant in VARIANTS
        ),
        median=quantile(tested.learned),
        tail=quantile(tested.learned, TAIL),
        wins=of_means(wins, seed=config.seed),
        loss_ratio=of_means(squares, ratio, seed=config.seed),
        repeated_median=quantile(tested.repeated),
        repeated_tail=quantile(tested.repeated, TAIL),
        diverged=of_means(tested.repeated[..., 1] > 1, seed=config.seed),
    )


def _by_variant(
    config: Config, steps: dict[tuple[str, int], Steps], kind: str
) -> tuple[tuple[Array, ...], ...]:
    return tuple(
        tuple(getattr(steps[variant, T], kind) for T in config.learned_loops)
        for variant in VARIANTS
    )
