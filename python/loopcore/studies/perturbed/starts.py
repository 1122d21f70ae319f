"""The other reading of a wrong initialisation: the ideal weights from a start q(0) ≠ 0.

v(T) − αθ̂ = Π_t (1 − η_t H) (v(0) − αθ̂): the start is lost at the same rate as the error, but for
its part in the null space of X, which stays. From n ≥ d on a longer start costs ln(length ratio)
divided by −ln(1 − 1/κ) loops, and changes no limit; for n < d it leaves a floor. [ours]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

import loopcore
from loopcore import tasks, theory
from loopcore.studies.frame.intervals import Interval, of_means, quantile
from loopcore.studies.frame.parts import Parts
from loopcore.studies.perturbed.algebra import lost_as_infinite
from loopcore.studies.perturbed.config import Cell, Config

Array = npt.NDArray[np.float64]

_DIRECTIONS, _TASKS = 2, 3  # the first numbers of the seeds


class Started(NamedTuple):
    """One cell from starts of one length; other lengths have the same B tasks and directions."""

    loops: Array
    """Loops after which ‖v − αθ̂‖ ≤ ε|α| for good, (B,); NaN beyond `longest`."""
    last: Array
    """|⟨v(t), θ⟩ − α| / |α| after the last loop, (B,)."""
    floor: Array
    """What its null space leaves: |⟨v(∞), θ⟩ − α| / |α|, (B,)."""
    slope: Array
    """−ln(1 − 1/κ), (B,)."""


def cells(config: Config) -> tuple[Cell, ...]:
    """Return the cells of the starts: the least κ, and Gaussian tasks with n = ⌈d/2⌉ rows."""
    least = Cell(config.n, min(config.conditions)) if config.conditions else config.cells[-1]
    return least, Cell((config.d + 1) // 2, 0.0)


def measure(config: Config, index: int, length: float) -> Started:
    """Run the ideal weights from starts of one length, at α = 1."""
    cell, B, d = cells(config)[index], config.start_tasks, config.d
    batch = tasks.draw(
        B,
        cell.n,
        d,
        inputs=tasks.Spectrum(cell.condition) if cell.condition else tasks.Gaussian(),
        targets=tasks.Linear(unit=True),
        rng=[config.seed, _TASKS, index],
    )
    theta = batch.theta
    assert theta is not None
    rng = np.random.default_rng([config.seed, _DIRECTIONS, index])
    q0 = rng.standard_normal((B, d))
    q0 = length * (q0 / np.linalg.norm(q0, axis=-1, keepdims=True))
    T = config.longest
    v = loopcore.trajectory(batch.X, batch.y, 1.0, T, q0=q0, num_threads=1)  # (B, T + 1, d)
    basis = theory.eigenbasis(batch.X, batch.y)
    hat = (basis.vectors @ basis.theta[..., None])[..., 0]  # θ̂, (B, d)
    far = np.linalg.norm(v - hat[:, None], axis=-1) > config.epsilon  # (B, T + 1)
    loops = np.where(far.any(axis=-1), T + 1 - far[:, ::-1].argmax(axis=-1), 0)
    null = (basis.eigenvalues == 0)[:, None] * basis.vectors  # its columns, or 0: (B, d, d)
    kept = (null @ (q0[:, None] @ null).swapaxes(-1, -2))[..., 0]  # (B, d)
    least = np.where(basis.eigenvalues > 0, basis.eigenvalues, np.inf).min(axis=-1)
    with np.errstate(divide="ignore"):  # at κ = 1 one loop is enough
        slope = -np.log1p(-least / basis.eigenvalues[:, 0])
    return Started(
        np.where(far[:, -1], np.nan, loops),
        np.abs((v[:, -1] * theta).sum(axis=-1) - 1),
        np.abs(((hat - kept) * theta).sum(axis=-1) - 1),
        slope,
    )


@dataclass(frozen=True, eq=False)
class Starts:
    """Starts of J lengths, on tasks of a chosen κ, and on Gaussian ones of n < d.

    Attributes
    ----------
    cell : Cell
        The tasks of n ≥ d.
    loops : Interval, (J,)
        Median loops until ‖v − αθ̂‖ ≤ ε|α|, of these.
    decade : Interval, ()
        Loops that ten times the length costs, by a line through the lengths from 10 on, times
        −ln(1 − 1/κ)/ln 10: 1 by theory. NaN where a task needs more than `longest`, where κ = 1, or
        where fewer than two lengths are that long.
    few : int
        The n = ⌈d/2⌉ of the others, below d but for d = 1.
    floor : Interval, (J,)
        Median error of n < d after the last loop.
    gap : float
        Largest relative difference of that error from its closed form, over tasks of which the rest
        decays below 1e-12.
    """

    cell: Cell
    loops: Interval
    decade: Interval
    few: int
    floor: Interval
    gap: float


def compute(config: Config, parts: Parts) -> Starts:
    """Measure both cells from every length."""
    lengths = np.array(config.start_lengths)
    keys = [(i, length) for i in range(2) for length in config.start_lengths]
    found = parts("starts", keys, Started, lambda key: measure(config, *key))
    J = len(lengths)
    full, few = (
        Started(*(np.stack(column, axis=-1) for column in zip(*half, strict=True)))  # (B, J)
        for half in (found[:J], found[J:])
    )
    long = lengths >= 10
    none = np.array(np.nan)
    decade = Interval(none, none, none)
    if long.sum() > 1 and np.isfinite(full.loops).all() and np.isfinite(full.slope).all():
        x = np.log(lengths[long])
        line = (x - x.mean()) / np.square(x - x.mean()).sum()
        decade = of_means((full.loops[:, long] @ line) * full.slope[:, 0])
    settled = np.exp(-few.slope * config.longest) * (1 + lengths) < 1e-12
    gap = np.abs(few.last - few.floor) / (1 + few.floor)
    return Starts(
        cells(config)[0],
        quantile(lost_as_infinite(full.loops)),
        decade,
        cells(config)[1].n,
        quantile(few.last),
        float(gap[settled].max(initial=0.0)),
    )
