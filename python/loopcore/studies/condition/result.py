"""What the condition study gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from loopcore.studies.condition.config import Config
from loopcore.studies.frame.intervals import Interval

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Result:
    """What was measured: K distributions, R ratios and D dimensions, in the configuration's order.

    What was not measured is NaN.

    Attributes
    ----------
    n : ndarray, shape (R, D)
        ⌈rd⌉.
    count : ndarray, shape (K, R, D)
        How many X; 0 where a size was left out.
    limit : ndarray, shape (R, D)
        Marchenko and Pastur's κ at n/d.
    predicted : ndarray, shape (K, R, D)
        `limits.edge_kappa` for Gaussian X, `limits.spike_kappa` for the others.
    kappa : Interval, shape (K, R, D, 3)
        The `measure.QUANTILES` of κ, by `measure.kappa_quantile`.
    loops : Interval, shape (K, R, D, E)
        Median loops to each tolerance.
    limit_loops : ndarray, shape (R, E)
        Their limit for d → ∞ where Marchenko and Pastur's holds.
    growth : Interval, shape (K, R)
        The slope of log(median κ / limit) by log d, from `growth_from` on.
    predicted_growth : ndarray, shape (K, R)
        The same of `predicted`, over the same d.
    deficit : Interval, shape (R,)
        The slope of log(1 − median κ / limit) by log d of Gaussian X, likewise.
    needed : Interval, shape (K, D, targets, 2)
        n/d for κ at most each target in half of the tasks, and in 95 % of them.
    """

    config: Config
    n: npt.NDArray[np.int64]
    count: npt.NDArray[np.int64]
    limit: Array
    predicted: Array
    kappa: Interval
    loops: Interval
    limit_loops: Array
    growth: Interval
    predicted_growth: Array
    deficit: Interval
    needed: Interval
