"""Independent repeats of a measurement, and the means and intervals that they leave."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loopcore.studies.frame.parts import SILENT, Parts

Array = npt.NDArray[np.float64]
Key = tuple[int, ...]

CONFIDENCE = 0.95


class Repeats:
    """Measures several things again and again, each time with random numbers of its own.

    Parameters
    ----------
    seed : int
        Fixes every number, together with the key of what is measured.
    count : int
        How often each is measured, R.
    parts : Parts
        What measures them.

    Examples
    --------
    >>> repeats = Repeats(seed=0, count=400)
    >>> ((heights,),) = repeats("drawing", [(7,)], lambda key, rng: (rng.standard_normal(),))
    >>> mean, half_width = estimate(heights)
    >>> print(abs(mean) < 0.15, half_width.round(2))  # 2/√R
    True 0.1
    """

    def __init__(self, seed: int, count: int, parts: Parts = SILENT) -> None:
        self._seed = seed
        self._count = count
        self._parts = parts

    def __call__(
        self,
        stage: str,
        keys: Sequence[Key],
        measure: Callable[[Key, np.random.Generator], tuple[Any, ...]],
    ) -> list[list[Array]]:
        """Return for each key the columns (R, ...) of what `measure` gives.

        No two keys share random numbers.
        """

        def measure_one(what: tuple[Key, int]) -> tuple[Any, ...]:
            key, repeat = what
            sequence = np.random.SeedSequence([self._seed, *key, repeat])
            return measure(key, np.random.default_rng(sequence))

        every = [(key, repeat) for key in keys for repeat in range(self._count)]
        rows = self._parts(stage, every, lambda *fields: fields, measure_one)
        R = self._count
        return [
            [np.array(column, np.float64) for column in zip(*rows[k * R : k * R + R], strict=True)]
            for k in range(len(keys))
        ]


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
