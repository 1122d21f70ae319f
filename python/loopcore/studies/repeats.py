"""Independent repeats of a measurement, and the means and intervals that they leave."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from loopcore.studies.progress import Progress, silent

Array = npt.NDArray[np.float64]

CONFIDENCE = 0.95


class Repeats:
    """The repeats of one stage: each has random numbers of its own, and moves the bar.

    Parameters
    ----------
    seed : int
        Fixes every number, together with the key of a call.
    count : int
        How often each part is measured, R.
    stage : str
        What the bar shows.
    parts : int
        How many parts the stage has.
    progress : callable
        The bar.

    Examples
    --------
    >>> repeats = Repeats(seed=0, count=400, stage="drawing", parts=1)
    >>> (heights,) = repeats((7,), lambda rng: (rng.standard_normal(),))
    >>> mean, half_width = estimate(heights)
    >>> print(abs(mean) < 0.15, half_width.round(2))  # 2/√R
    True 0.1
    """

    def __init__(
        self, seed: int, count: int, stage: str, parts: int, progress: Progress = silent
    ) -> None:
        self._seed = seed
        self._count = count
        self._stage = stage
        self._total = parts * count
        self._progress = progress
        self._done = 0

    def __call__(
        self, key: tuple[int, ...], measure: Callable[[np.random.Generator], tuple[object, ...]]
    ) -> list[Array]:
        """Return the columns (R, ...) of what `measure` gives; no two keys share random numbers."""
        rows = []
        for repeat in range(self._count):
            seed = np.random.SeedSequence([self._seed, *key, repeat])
            rows.append(measure(np.random.default_rng(seed)))
            self._done += 1
            self._progress(self._stage, self._done, self._total)
        return [np.array(column, np.float64) for column in zip(*rows, strict=True)]


class Estimate(NamedTuple):
    """A mean over R independent repeats and half the width of its 95 % interval.

    Student's t interval: mean ± t s/√R, s the standard deviation of the repeats and t the 97.5 %
    quantile of Student's distribution with R − 1 degrees of freedom.
    """

    mean: Array
    """(...)"""
    half_width: Array
    """(...)"""

    def agrees(
        self, value: npt.ArrayLike, half_width: npt.ArrayLike = 0.0
    ) -> npt.NDArray[np.bool_]:
        """Tell whether the interval has a value, itself known to within another half width.

        Two independent errors add as squares do.
        """
        reach = np.hypot(self.half_width, half_width)
        return np.asarray(np.abs(self.mean - np.asarray(value, np.float64)) <= reach)


def estimate(samples: npt.ArrayLike) -> Estimate:
    """Return mean and interval of samples (R, ...), one a repeat, R at least 2.

    Raises
    ------
    ModuleNotFoundError
        Without SciPy.

    Examples
    --------
    >>> mean, half_width = estimate([1.0, 2.0, 3.0])
    >>> print(mean, half_width.round(3))
    2.0 2.484
    """
    from scipy.stats import t

    values = np.asarray(samples, np.float64)
    R = len(values)
    error = values.std(axis=0, ddof=1) / np.sqrt(R)
    quantile = float(t.ppf((1 + CONFIDENCE) / 2, R - 1))
    return Estimate(np.asarray(values.mean(axis=0)), np.asarray(quantile * error))


def stacked(estimates: Sequence[Estimate]) -> Estimate:
    """Return one estimate (K, ...) of K estimates (...)."""
    means, half_widths = zip(*estimates, strict=True)
    return Estimate(np.stack(means), np.stack(half_widths))
