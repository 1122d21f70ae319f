"""What the parts of the noise study say together, for each shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from loopcore.studies.frame.intervals import Interval, of_means, quantile
from loopcore.studies.noise.config import Array, Config
from loopcore.studies.noise.measure import Part

METHODS = (
    "T → ∞",
    "oracle T",
    "T in hindsight",
    "cross-validated T",
    "ridge, Bayes' penalty",
    "ridge, cross-validated",
    "ridge, in hindsight",
)
"""The order of the methods' axis, M."""

LIMIT, ORACLE, HINDSIGHT, TUNED, RIDGE, RIDGE_TUNED, RIDGE_HINDSIGHT = range(len(METHODS))

LEVELS = (0.5, 0.95, 1.0)
"""The quantiles over X of closed forms: the middle, nearly all, and the largest."""


@dataclass(frozen=True, eq=False)
class Cell:
    """What the tasks of one shape gave, for each of S signal-to-noise ratios.

    Errors are excess risks in units of Var(xθ*) = ‖θ*‖² = 1, of one realisation a task. The mean of
    those of T → ∞ does not exist where n and d differ by less than 2, and neither do means of those
    that cross-validation may leave at T → ∞ or at the penalty 0: medians and quantiles do.

    Attributes
    ----------
    n, d : int
        The shape.
    measured : Interval, shape (S, K + 1)
        Mean error after each candidate T and for T → ∞.
    expected : ndarray, shape (S, K + 1)
        Its closed form for the same X, a mean over θ* and the noise.
    oracle : ndarray, shape (S,)
        The candidate T of the least `expected`: one for all tasks.
    medians, upper, means : Interval, shape (S, M)
        The median, the 95 % quantile and the mean of the error of each of `METHODS`.
    over_ridge : Interval, shape (S, M)
        Mean error over that of ridge with Bayes' penalty. NaN, here and below, where both are
        rounding alone, and for T → ∞ where its mean does not exist.
    cost : Interval, shape (S,)
        Median over tasks of the error with the cross-validated T over that with the oracle T.
    upper_cost : Interval, shape (S,)
        The 95 % quantile of the same.
    against_ridge : Interval, shape (S,)
        Median over tasks of the error with the cross-validated T over that of cross-validated
        ridge.
    better : Interval, shape (S,)
        The share of tasks on which the first of these is smaller, equal ones counted half.
    chosen : Interval, shape (S,)
        The median of the cross-validated T.
    best : Interval, shape (S,)
        The median over X of the best T given X, by closed form.
    calibration : Interval, shape (S,)
        The median over X of that T over SNR λ_max/d, at which ηT is one over Bayes' penalty.
    gain : Interval, shape (S,)
        The median over X of what stopping at that T saves, as a part of the risk of T → ∞.
    exponents : Interval, shape (2,)
        p of best T ∝ SNR^p, mean over X of log T (T from 1 to `Config.loops`), from SNR 1 to the
        middle of the others, and from there to the last finite one; see `ends`.
    least, flow, calibrated : ndarray, shape (S, 3)
        `LEVELS` over X of the closed forms of the best T, of the best time of gradient flow and of
        T = SNR λ_max/d, each over that of ridge with Bayes' penalty.
    deviation : float
        The largest relative distance between loops and their closed form.
    """

    n: int
    d: int
    measured: Interval
    expected: Array
    oracle: Array
    medians: Interval
    upper: Interval
    means: Interval
    over_ridge: Interval
    cost: Interval
    upper_cost: Interval
    against_ridge: Interval
    better: Interval
    chosen: Interval
    best: Interval
    calibration: Interval
    gain: Interval
    exponents: Interval
    least: Array
    flow: Array
    calibrated: Array
    deviation: float


def ends(config: Config) -> tuple[int, int, int]:
    """Return where SNR is first at least 1, in the middle (of the logarithm), and last finite."""
    ratios = np.array([ratio for ratio in config.ratios if math.isfinite(ratio)])
    last = len(ratios) - 1
    first = min(int(np.searchsorted(ratios, 1 - 1e-9)), last - 2)
    center = math.sqrt(ratios[first] * ratios[last])
    middle = first + 1 + int(np.argmin(np.abs(np.log(ratios[first + 1 : last] / center))))
    return first, middle, last


def summed_up(config: Config, n: int, d: int, parts: Sequence[Part]) -> Cell:
    """Reduce the parts of one shape."""
    loops, ridge, chosen, least, best, limit, flow, calibrated, bayes, top = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in (
            *("loops", "ridge", "chosen", "least", "best", "limit", "flow", "calibrated"),
            *("bayes", "top"),
        )
    )
    counts = [len(part.top) for part in parts]
    expected = np.average([part.expected for part in parts], axis=0, weights=counts)  # (S, K + 1)
    T = np.append(config.candidates, math.inf)
    # Where T → ∞ is as good as any it is what the oracle takes: of closed forms equal to rounding
    # the last one.
    good = expected <= expected.min(-1, keepdims=True) * (1 + 1e-12) + 1e-26
    oracle = len(T) - 1 - good[:, ::-1].argmax(-1)
    errors = np.stack(
        [
            loops[..., -1],
            np.take_along_axis(loops, oracle[None, :, None], -1)[..., 0],
            loops.min(-1),
            np.take_along_axis(loops, chosen[..., None], -1)[..., 0],
            *np.moveaxis(ridge, -1, 0),
        ],
        axis=-1,
    )  # (B, S, M)
    exact = np.array([math.isinf(ratio) for ratio in config.ratios]) & (n >= d)  # (S,)

    def ratio(above: Array, below: Array) -> Array:
        """Divide (..., S), to NaN where both are rounding alone."""
        divided: Array = np.divide(above, below, out=np.full(above.shape, np.nan), where=~exact)
        return divided

    def over_ridge(means: Array) -> Array:
        """Divide means (R, S, M) by those of ridge."""
        below = np.repeat(means[..., [RIDGE]], len(METHODS), axis=-1)
        found = ratio(means.swapaxes(-1, -2), below.swapaxes(-1, -2)).swapaxes(-1, -2)
        if abs(n - d) < 2:
            found[..., LIMIT] = np.nan
        return np.asarray(found)

    first, middle, last = ends(config)
    logs = np.log(np.clip(best[:, [first, middle, last]], 1, config.loops))
    spans = np.diff(np.log(np.array(config.ratios)[[first, middle, last]]))
    ratios, finite = np.array(config.ratios), np.isfinite(config.ratios)
    calibration = np.where(finite, best * d / (np.where(finite, ratios, 1) * top[:, None]), np.nan)
    tuned, tuned_ridge = errors[..., TUNED], errors[..., RIDGE_TUNED]
    better = (np.sign(tuned_ridge - tuned) + 1) / 2
    return Cell(
        n=n,
        d=d,
        measured=of_means(loops),
        expected=expected,
        oracle=T[oracle],
        medians=quantile(errors),
        upper=quantile(errors, 0.95),
        means=of_means(errors),
        over_ridge=of_means(errors, over_ridge),
        cost=quantile(ratio(tuned, errors[..., ORACLE])),
        upper_cost=quantile(ratio(tuned, errors[..., ORACLE]), 0.95),
        against_ridge=quantile(ratio(tuned, tuned_ridge)),
        better=of_means(better, lambda means: np.where(exact, np.nan, means)),
        chosen=quantile(T[chosen]),
        best=quantile(best),
        calibration=quantile(calibration),
        gain=quantile(1 - ratio(least, limit)),
        exponents=of_means(logs, lambda means: np.diff(means, axis=-1) / spans),
        least=_levels(ratio(least, bayes)),
        flow=_levels(ratio(flow, bayes)),
        calibrated=_levels(ratio(calibrated, bayes)),
        deviation=float(max(part.deviation for part in parts)),
    )


def _levels(samples: Array) -> Array:
    """Return `LEVELS` of (B, S), (S, 3), NaN where a sample is NaN."""
    return np.asarray(np.quantile(samples, LEVELS, axis=0).T)
