"""What the ill-conditioned study gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from loopcore.studies.frame.intervals import Interval
from loopcore.studies.illconditioned.config import Config

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Result:
    """What was measured, by spectrum `KINDS`, direction of θ* `DIRECTIONS` and κ.

    Leading axes (..., C) are (2, 2, C) for the C condition numbers of the configuration; TYPES are
    float64 and float32; K times T. What was not measured is NaN.

    Attributes
    ----------
    times : ndarray, shape (C, K)
        T of the curves.
    error : ndarray, shape (2, 2, C, TYPES, 3, K)
        The `measure.QUANTILES` of the relative error.
    mean : Interval, shape (2, 2, C, K)
        Its mean in float64.
    expected : ndarray, shape (C, K)
        The mean that theory gives for log-uniform spectra and random θ*.
    rate : Interval, shape (2, 2, C, TYPES)
        Median of κ times the late rate −d log(error)/dT. The theorem promises 1/2.
    loops : Interval, shape (2, 2, C, L)
        Median loops to each level, in float64.
    loops_power : Interval, shape (2, 2, L)
        p of loops ~ κ^p, from `powers_from` on.
    lowest, floor, data, arithmetic, promise : Interval, shape (2, 2, C, TYPES)
        Medians of the lowest error, of the last one, of what rounded data make of it, of what
        arithmetic does, and of what is promised for that.
    route_floor : Interval, shape (F, 2, 2, C)
        Median floors of the configuration's `routes`.
    power : Interval, shape (F, 2, 2)
        p of floor ~ κ^p, from `powers_from` on.
    checked, broken : ndarray, shape (TYPES,)
        How many errors were checked, and how many were farther from exact arithmetic than promised.
    clear, above : ndarray, shape (TYPES,)
        How many errors are above `measure.CLEAR` times their task's floor, and how many of these
        are above exp(−T/2κ).
    """

    config: Config
    times: npt.NDArray[np.int64]
    error: Array
    mean: Interval
    expected: Array
    rate: Interval
    loops: Interval
    loops_power: Interval
    lowest: Interval
    floor: Interval
    data: Interval
    arithmetic: Interval
    promise: Interval
    route_floor: Interval
    power: Interval
    checked: npt.NDArray[np.int64]
    broken: npt.NDArray[np.int64]
    clear: npt.NDArray[np.int64]
    above: npt.NDArray[np.int64]
