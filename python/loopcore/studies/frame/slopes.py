"""Powers: the slope of log medians by log size, with its bootstrap interval."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from loopcore.studies.frame.intervals import RESAMPLES, Interval, quantile
from loopcore.studies.frame.repeats import CONFIDENCE

Array = npt.NDArray[np.float64]


def median_slope(
    sizes: npt.ArrayLike,
    samples: Sequence[Array],
    rng: np.random.Generator,
    change: Callable[[Array], Array] | None = None,
) -> Interval:
    """Return p of median ~ size^p: the least-squares slope of log median by log size.

    Parameters
    ----------
    sizes : array_like, shape (K,)
        Above 0; fewer than two give NaN.
    samples : sequence of ndarray, shape (B,)
        What was measured at each; their numbers may differ.
    rng : numpy.random.Generator
        Draws the resamples.
    change : callable, optional
        Takes medians (..., K) and returns what is fitted, (..., K). NaN is given where that, of the
        medians or of a resample, is not above 0.

    Returns
    -------
    Interval, shape ()

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> samples = [size**2 * rng.uniform(0.9, 1.1, 100) for size in (1.0, 2.0, 4.0)]
    >>> p = median_slope([1, 2, 4], samples, rng)
    >>> print(p.value.round(1), bool(p.holds(2)))
    2.0 True
    """
    if len(samples) < 2:
        return nothing()
    values = np.array([float(quantile(one).value) for one in samples])  # (K,)
    drawn = np.stack([resampled_medians(one, rng) for one in samples], axis=-1)  # (RESAMPLES, K)
    if change is not None:
        values, drawn = change(values), change(drawn)
    if not min(values.min(), drawn.min()) > 0:
        return nothing()
    low, high = np.quantile(slope(sizes, drawn), ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    return Interval(np.asarray(slope(sizes, values)), np.asarray(low), np.asarray(high))


def slope(sizes: npt.ArrayLike, values: npt.ArrayLike) -> Array:
    """Return the least-squares slope of log values (..., K) by log size (K,), (...).

    Examples
    --------
    >>> float(slope([1.0, 2.0, 4.0], [3.0, 12.0, 48.0]).round(12))
    2.0
    """
    x = np.log(np.asarray(sizes, np.float64))
    x = x - x.mean()
    return np.asarray(np.log(np.asarray(values, np.float64)) @ (x / (x @ x)))


def resampled_medians(samples: Array, rng: np.random.Generator) -> Array:
    """Return the medians of resamples of samples (B,), (RESAMPLES,), from their exact distribution.

    As in `intervals.quantile`: it is at most the j-th smallest sample with the probability that at
    least half of a resample is among the j smallest.
    """
    from scipy.stats import binom

    ordered = np.sort(samples)
    B = len(ordered)
    at_most = binom.sf(-(-B // 2) - 1, B, np.arange(1, B + 1) / B)
    at_most[-1] = 1
    drawn: Array = ordered[np.searchsorted(at_most, rng.random(RESAMPLES))]
    return drawn


def nothing(shape: tuple[int, ...] = ()) -> Interval:
    """Return intervals of NaN, in arrays of their own."""
    return Interval(*(np.full(shape, np.nan) for _ in range(3)))


def put(where: Interval, index: tuple[int, ...], interval: Interval) -> None:
    """Write intervals into larger ones, in place."""
    for part, value in zip(where, interval, strict=True):
        part[index] = value
