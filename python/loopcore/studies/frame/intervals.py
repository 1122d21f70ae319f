"""Bootstrap intervals: how far medians, quantiles and means over tasks may be from the truth.

Tasks are resampled, each with all that was measured of it, so that columns keep what they have in
common. All intervals are percentile intervals at `CONFIDENCE`.

Source: B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13; for
quantiles the distribution over all resamples is known exactly (J. S. Maritz and R. G. Jarrett,
"A Note on Estimating the Variance of the Sample Median", 1978), and nothing is drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from loopcore.studies.frame.repeats import CONFIDENCE, Estimate

Array = npt.NDArray[np.float64]

RESAMPLES = 1000

_TAILS = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)


class Interval(NamedTuple):
    """What was estimated, and the ends of its 95 % bootstrap interval."""

    value: Array
    """(...)"""
    low: Array
    """(...)"""
    high: Array
    """(...)"""

    def holds(self, value: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Tell whether a value lies within the interval, (...)."""
        given = np.asarray(value, np.float64)
        return np.asarray((self.low <= given) & (given <= self.high))

    def at(self, *index: int | slice) -> Interval:
        """Return the intervals at an index of (...)."""
        return Interval(*(np.asarray(part)[index] for part in self))


def quantile(samples: npt.ArrayLike, q: float = 0.5) -> Interval:
    """Return a quantile over tasks, the median unless told otherwise.

    Parameters
    ----------
    samples : array_like, shape (B, ...)
        One row a task; infinities sort as numbers do.
    q : float
        Between 0 and 1. The quantile is the ⌈qB⌉-th smallest sample.

    Returns
    -------
    Interval, shape (...)
        NaN where a sample is NaN.

    Raises
    ------
    ModuleNotFoundError
        Without SciPy.

    Examples
    --------
    >>> import numpy as np
    >>> value, low, high = quantile(np.arange(1.0, 102.0))
    >>> print(value, low, high)
    51.0 41.0 61.0
    """
    from scipy.stats import binom

    rows = np.sort(np.asarray(samples, np.float64), axis=0)
    B = len(rows)
    rank = max(int(np.ceil(q * B)), 1)
    # Of a resample at least `rank` values are among the j smallest with this probability: then its
    # quantile is one of these too.
    at_most = binom.sf(rank - 1, B, np.arange(1, B + 1) / B)
    ends = [rows[min(int(np.searchsorted(at_most, tail)), B - 1)] for tail in _TAILS]
    lost = np.isnan(rows[-1])  # NaN sorts last
    return Interval(*(np.where(lost, np.nan, part) for part in (rows[rank - 1], *ends)))


def of_means(
    samples: npt.ArrayLike, function: Callable[[Array], npt.ArrayLike] | None = None, seed: int = 0
) -> Interval:
    """Return a function of means over tasks: the means themselves, ratios, slopes, ….

    Parameters
    ----------
    samples : array_like, shape (B, ...)
        One row a task.
    function : callable, optional
        Takes means (R, ...) of R resamples and returns (R, ...); the means themselves by default.
    seed : int
        Fixes the resamples.

    Returns
    -------
    Interval
        In the shape of one row of what the function returns.

    Examples
    --------
    >>> import numpy as np
    >>> pairs = np.random.default_rng(0).standard_normal((1000, 2)) + [2.0, 4.0]
    >>> ratio = of_means(pairs, lambda means: means[:, 1] / means[:, 0])
    >>> print(ratio.value.round(2), bool(ratio.holds(2.0)))
    2.02 True
    """
    rows = np.asarray(samples, np.float64)
    B = len(rows)
    rng = np.random.default_rng(seed)
    apply = (lambda means: means) if function is None else function
    # How often each task is in a resample, and means as one product; not of BLAS, whose bits
    # depend on its threads.
    counts = rng.multinomial(B, np.full(B, 1 / B), size=RESAMPLES)  # (R, B)
    means = np.einsum("rb,bk->rk", counts / B, rows.reshape(B, -1))
    resampled = np.asarray(apply(means.reshape(RESAMPLES, *rows.shape[1:])), np.float64)
    value = np.asarray(apply(rows.mean(axis=0, keepdims=True)), np.float64)[0]
    return Interval(np.asarray(value), *np.quantile(resampled, _TAILS, axis=0))


def text(interval: Interval, digits: int = 3) -> str:
    """Write one estimate with its interval, ``value (low to high)``.

    Examples
    --------
    >>> import numpy as np
    >>> text(Interval(np.array(0.5), np.array(0.42111), np.array(0.6)))
    '0.5 (0.421 to 0.6)'
    """
    value, low, high = (number(float(part), digits) for part in interval)
    return f"{value} ({low} to {high})"


def number(value: float, digits: int = 3) -> str:
    """Write a number with some digits, large ones in full, and a real minus sign.

    Examples
    --------
    >>> number(12345.6), number(-0.01234), number(1.5e-9), number(3e12)
    ('12,346', '−0.0123', '1.5e−9', '3e12')
    """
    if 10**digits <= abs(value) < 1e6:
        return f"{value:,.0f}".replace("-", "−")
    mantissa, _, exponent = f"{value:.{digits}g}".partition("e")
    power = f"e{int(exponent)}" if exponent else ""
    return f"{mantissa}{power}".replace("-", "−")


def plus_minus(value: Estimate) -> str:
    """Write ``mean ± half width``: one digit of the half width, or two from 10 to 29.

    Examples
    --------
    >>> import numpy as np
    >>> plus_minus(Estimate(np.array(1.1538), np.array(0.0123)))
    '1.154 ± 0.012'
    """
    mean, half_width = float(value.mean), float(value.half_width)
    digits = decimals(half_width)
    if digits is None:
        return number(mean)
    if digits > 5:
        return f"{number(mean, 2)} ± {number(half_width, 1)}"
    return f"{mean:.{digits}f} ± {half_width:.{digits}f}".replace("-", "−")


def decimals(half_width: float) -> int | None:
    """Return how many decimals a half width leaves, None where it is 0 or not finite."""
    if not (np.isfinite(half_width) and half_width > 0):
        return None
    digit, exponent = f"{half_width:.0e}".split("e")
    return max((digit in "12") - int(exponent), 0)
