"""The result of the nonlinear study, and how its parts are summed up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from loopcore.studies.frame.intervals import Interval, of_means, quantile
from loopcore.studies.nonlinear.config import QUADRATIC, Array, Config, Setting, features
from loopcore.studies.nonlinear.measure import Key, Part


@dataclass(frozen=True, eq=False)
class Score:
    """What one method did in one setting.

    Attributes
    ----------
    error : Interval, shape ()
        Mean squared error over tasks and queries, over the mean variance of the values: 1 is what
        the mean of y leaves.
    median : Interval, shape ()
        The median over tasks of each one's error over its variance.
    curve : ndarray, shape (K,) or (1,)
        `error` by T, with all but T as tuned.
    loops : int
        T as tuned; 0 for methods without one, or that choose it task by task.
    step, width : float
        The step in units of 1/λ_max, and the temperature or bandwidth in units of √d, the penalty
        in units of λ_max or the number of neighbours, as tuned; NaN where there is none.
    held_out : float
        Mean squared error on the held-out tasks; NaN for methods that are not tuned.
    deviation : float
        How far kernel attention was from its closed form, over the largest |y|.
    """

    error: Interval
    median: Interval
    curve: Array
    loops: int
    step: float
    width: float
    held_out: float
    deviation: float


@dataclass(frozen=True, eq=False)
class Cell:
    """One setting: its targets, d and n, and the scores of its methods, by their names."""

    target: str
    d: int
    n: int
    scores: dict[str, Score]

    @property
    def rate(self) -> float:
        """Examples over lifted features, n/p."""
        return self.n / features(self.d)


@dataclass(frozen=True, eq=False)
class Result:
    """What was measured: one `Cell` for each setting of the configuration, in its order."""

    config: Config
    cells: tuple[Cell, ...]

    def quadratic(self, d: int, *methods: str) -> tuple[Cell, ...]:
        """Return the settings of quadratic targets with a d that have these methods, by n."""
        return tuple(
            cell
            for cell in self.cells
            if cell.target == QUADRATIC and cell.d == d and set(methods) <= set(cell.scores)
        )

    @property
    def others(self) -> tuple[Cell, ...]:
        """The settings of the other targets."""
        return tuple(cell for cell in self.cells if cell.target != QUADRATIC)


def summed_up(config: Config, keys: Sequence[Key], parts: Sequence[Part]) -> Result:
    """Reduce all parts."""
    scores: dict[Setting, dict[str, Score]] = {setting: {} for setting in config.settings}
    for (target, d, n, method), part in zip(keys, parts, strict=True):
        scores[Setting(target, d, n)][method] = _score(part)
    return Result(config, tuple(Cell(*setting, found) for setting, found in scores.items()))


def _score(part: Part) -> Score:
    pair = np.stack([part.error, part.variance], axis=-1)  # (B, 2)
    with np.errstate(all="ignore"):  # ReLU's may have no bound
        curve = part.curve.mean(axis=0) / part.variance.mean()
    return Score(
        error=of_means(pair, lambda means: means[..., 0] / means[..., 1]),
        median=quantile(part.error / part.variance),
        curve=curve,
        loops=int(part.loops),
        step=float(part.step),
        width=float(part.width),
        held_out=float(part.held_out),
        deviation=float(part.deviation),
    )
