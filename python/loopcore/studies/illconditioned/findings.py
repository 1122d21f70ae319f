"""The findings of the ill-conditioned study."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from loopcore.studies.frame.intervals import Interval, number, text
from loopcore.studies.illconditioned.config import DIRECTIONS, KINDS, TYPES
from loopcore.studies.illconditioned.limits import theory_rate

if TYPE_CHECKING:
    from loopcore.studies.illconditioned.result import Array, Result

_U = 2.0**-53
_ALIKE = 10.0
_CLOSE = 0.05  # a rate this near to theory's, as a part of it, agrees
_MEANT = 1e-2  # the mean error is compared with theory's above this: below it few tasks are seen
_FOLLOWS = 0.8  # not 0.95: the intervals of one κ are right or wrong together
_RANDOM, _WORST = (DIRECTIONS.index(name) for name in ("random", "worst"))
_LOG_UNIFORM, _TWO_POINT = (KINDS.index(name) for name in ("log-uniform", "two-point"))


def findings(result: Result) -> tuple[str, ...]:
    """Say in sentences what the numbers say.

    Parameters
    ----------
    result : Result
        What `illconditioned.compute` gave.

    Returns
    -------
    tuple of str
        The answer first, what is left open last.
    """
    return (
        _answer(result),
        _theorem(result),
        _random_rate(result),
        _slow_start(result),
        _floors64(result),
        _paths(result),
        _floors32(result),
        _promise(result),
        _open(result),
    )


# ---- sentences ----------------------------------------------------------------------------------


def _kappas(result: Result) -> Array:
    return np.array(result.config.kappas)


def _answer(result: Result) -> str:
    """Tell whether the bound holds, how fast the error falls, and where rounding ends that."""
    kappa = _kappas(result)
    span = f"κ = {number(kappa[0])}"
    if len(kappa) > 1:
        span = f"κ from {number(kappa[0])} to {number(kappa[-1])}"
    start = (
        f"for {span} there are errors above exp(−T/2κ) that are not rounding"
        if result.above.any()
        else f"for {span} no error is above exp(−T/2κ) until rounding ends the fall"
    )
    rates = _worst_rates(result)
    fast = ""
    if rates.size:
        like = "like" if float(np.abs(_worst_off(result)).max()) <= _CLOSE else "but not like"
        fast = f"; that of the worst θ* falls {_span(2 * rates)} times as fast, {like} (1 − 1/κ)^T"
    ends = [
        f"{text(result.floor.at(_TWO_POINT, _WORST, -1, k), 2)} in {name}"
        for k, name in enumerate(TYPES)
    ]
    return (
        f"Open question 5: {start}{fast}. At κ = {number(kappa[-1])} (two-point) it ends at "
        f"{' and at '.join(ends)}."
    )


def _worst_rates(result: Result) -> Array:
    """Return κ times the late rates of the worst θ* in float64, where they are known."""
    rate = result.rate.value[:, _WORST, :, 0]  # (2, C)
    return np.asarray(rate[np.isfinite(rate) & (_kappas(result) > 1)])


def _worst_off(result: Result, kind: int = 0) -> Array:
    """Return how far they are from theory, as a part of it, (2, C); 0 where that is not known."""
    kappa = _kappas(result)
    off = result.rate.value[:, _WORST, :, kind] / theory_rate(kappa) - 1
    return np.where(np.isfinite(off) & (kappa > 1), off, 0)


def _theorem(result: Result) -> str:
    """Tell how many errors are above the bound, and how far its rate is from the measured one."""
    total = int(result.clear.sum())
    if result.above.any():
        counts = " and ".join(
            f"{count:,} in {name}" for count, name in zip(result.above, TYPES, strict=True)
        )
        start = f"Of {total:,} errors above ten times their floor exp(−T/2κ) is below {counts}"
    else:
        start = f"exp(−T/2κ) is above all {total:,} errors that are above ten times their floor"
    rates = _worst_rates(result)
    if not rates.size:
        return f"{start}. No rate of the worst θ* could be measured."
    kappa = _kappas(result)
    off, off32 = np.abs(_worst_off(result)), np.abs(_worst_off(result, 1))
    a, c = np.unravel_index(int(np.argmax(off)), off.shape)
    largest = number(100 * float(off[a, c]), 2)
    which = (
        f"which is (1 − 1/κ)^T to within {largest} %"
        if off[a, c] <= _CLOSE
        else f"which is not (1 − 1/κ)^T: {largest} % from it at κ = {number(kappa[c])} ({KINDS[a]})"
    )
    known = np.isfinite(result.rate.value[:, _WORST])  # (2, C, TYPES)
    lost = kappa[(known[..., 0] & ~known[..., 1]).any(axis=0)]
    none = f"; rounding leaves no rate at κ = {', '.join(map(number, lost))}" if lost.size else ""
    return (
        f"{start}. With the worst θ* κ times the rate is {_span(rates)} where the theorem has 0.5, "
        f"{which}; in float32 to within {number(100 * float(off32.max()), 2)} %{none}."
    )


def _random_rate(result: Result) -> str:
    """Tell the late rate of random θ*."""
    kappa, words, near = _kappas(result), [], True
    for a, kind in enumerate(KINDS):
        rate = result.rate.at(a, _RANDOM, slice(None), 0)
        there = np.flatnonzero(np.isfinite(rate.value))
        if there.size:
            ends = dict.fromkeys((int(there[0]), int(there[-1])))
            told = (f"{_text(rate.at(c))} at κ = {number(kappa[c])}" for c in ends)
            words.append(f"{' and '.join(told)} with the {kind} spectrum")
            last = there[-1]
            near &= bool(abs(rate.value[last] / theory_rate(kappa)[last] - 1) <= _CLOSE)
    if not words:
        return "No late rate of random θ* could be measured."
    start = (
        "Random θ* end at the same rate where κ is large, and gain the weight of the small "
        "eigenvalues only"
        if near
        else "Random θ* do not end at the rate of the worst"
    )
    return f"{start}: between 2κ and 8κ loops κ times the rate is {'; '.join(words)}."


def _slow_start(result: Result) -> str:
    """Tell the sub-exponential part."""
    config = result.config
    meant = result.expected > _MEANT  # (C, K)
    holds = result.mean.at(_LOG_UNIFORM, _RANDOM).holds(result.expected) & meant
    powers = result.loops_power.at(_LOG_UNIFORM, _RANDOM)  # (L,)
    told = [
        f"{number(config.levels[e])} after κ^{text(powers.at(e))}"
        for e in dict.fromkeys((0, len(config.levels) - 1))
        if np.isfinite(powers.value[e])
    ]
    share = float(holds.sum() / max(int(meant.sum()), 1))
    verdict = "which the measured means follow" if share >= _FOLLOWS else "which they do not follow"
    median = f" The median task is at an error of {' and of '.join(told)} loops." if told else ""
    return (
        "With a log-uniform spectrum and random θ* the fall is not exponential before T ≈ κ: the "
        "mean error is (ln(κ/T) − 0.577)/ln κ for large d. For any d there is a closed form, "
        f"{verdict}: it lies in {number(100 * share)} % of {int(meant.sum())} intervals (those of "
        f"one κ share their tasks).{median}"
    )


def _floors64(result: Result) -> str:
    """Tell where float64 ends."""
    kappa, f = _kappas(result), result.config.routes.index(("float64", "power"))
    floor = result.route_floor.value[f]  # (2, 2, C)
    unit = floor / (kappa * _U)
    large = kappa >= result.config.powers_from
    shares = unit[..., large] if large.any() else unit
    last = float(-2 * np.log(result.floor.value[:, _WORST, -1, 0].max()))
    return (
        f"In float64 rounding ends the fall at an error that grows like {_powers(result, f)}, over "
        f"spectra and θ*: {number(float(shares.min()), 2)} to {number(float(shares.max()), 2)} "
        f"times κu, u = 2⁻⁵³, on the power path. At κ = {number(kappa[-1])} exp(−T/2κ) is below "
        f"that after {number(last)} κ loops, and says nothing from there on."
    )


def _paths(result: Result) -> str:
    """Compare the paths where all were run."""
    config, kappa = result.config, _kappas(result)
    names = ("stream", "gram", "tridiagonal", "power")
    routes = [config.routes.index(("float64", name)) for name in names]
    floors = [result.route_floor.at(f, _TWO_POINT, _WORST) for f in routes]
    common = np.flatnonzero(np.all([np.isfinite(one.value) for one in floors], axis=0))
    if not common.size:
        return "Paths were not compared: at no κ were all of them run."
    c = int(common[-1])
    each = [one.at(c) for one in floors]
    medians = [float(one.value) for one in each]
    factor = max(medians) / min(medians)
    ends = int(np.argmin(medians)), int(np.argmax(medians))
    verdict = (
        f"All paths end within a factor of {number(factor, 2)} of each other"
        if factor < _ALIKE
        else f"Paths end a factor of {number(factor, 2)} apart, and {names[ends[0]]} lowest"
    )
    told = " to ".join(f"{text(each[end], 2)} ({names[end]})" for end in ends)
    return (
        f"{verdict}: at κ = {number(kappa[c])}, two-point, worst θ*, float64 floors are {told}. "
        "A loop moves q by η g ≈ (1/κ) times the error; where that is below u of q, it is rounded "
        "away, on any path that loops, which is again an error of order κu."
    )


def _floors32(result: Result) -> str:
    """Tell where float32 ends, and why."""
    config, kappa = result.config, _kappas(result)
    f = config.routes.index(("float32", "power"))
    floor = result.route_floor.value[f]
    part = result.data.value[..., 1] / floor  # (2, 2, C)
    large = kappa >= config.powers_from
    share = part[..., large] if large.any() else part
    data = "It is that of the data" if share.min() > 0.5 else "It is not that of the data alone"
    sentence = (
        f"In float32 the floor grows like {_powers(result, f)}. {data}, as loopcore loops float32 "
        "tasks in float64: exact arithmetic on what rounding X and y to float32 leaves has "
        f"{_span(share, 2)} times that error."
    )
    g = config.routes.index(("float32", "literal"))
    literal = result.route_floor.at(g, _TWO_POINT, _WORST)
    there = np.flatnonzero(np.isfinite(literal.value))
    if not there.size:
        return sentence
    c = int(there[-1])
    ratio = float(literal.value[c] / floor[_TWO_POINT, _WORST, c])
    return (
        f"{sentence} A literal loop all in float32 stops at {text(literal.at(c), 2)} at κ = "
        f"{number(kappa[c])} (two-point, worst θ*), {number(ratio, 2)} times that of loopcore."
    )


def _promise(result: Result) -> str:
    """Tell whether the promise held, and how far from it floors are."""
    kappa = _kappas(result)
    use = result.arithmetic.value / result.promise.value  # (2, 2, C, TYPES)
    if result.broken.any():
        counts = " and ".join(
            f"{count:,} in {name}" for count, name in zip(result.broken, TYPES, strict=True)
        )
        start = f"The promise 30 u S_T is broken {counts} of {int(result.checked[0]):,} each"
    else:
        start = (
            f"The promise 30 u S_T holds for all {int(result.checked.sum()):,} results of up to "
            f"{number(result.config.reach * kappa[-1])} loops"
        )
    vain = kappa[(result.promise.value[..., 1] > 1).any(axis=(0, 1))]
    empty = (
        f" In float32 it allows errors above 1, and so says nothing, from κ = {number(vain[0])} on."
        if vain.size
        else ""
    )
    return (
        f"{start}: at the end arithmetic takes {_span(use[..., 0], 2)} of it in float64 (medians)."
        f"{empty}"
    )


def _open(result: Result) -> str:
    config = result.config
    limits = ", ".join(
        f"{path} at κ ≤ {number(config.limit_of(path))}"
        for path in ("stream", "gram", "tridiagonal", "literal")
    )
    return (
        f"Not settled: floors of paths that loop at larger κ ({limits} were run; after many loops "
        "the power path returns the limit by Cholesky's factors, without looping); other shapes "
        f"than n = {config.n}, d = {config.d}; noisy y; adaptive steps, whose floors may differ."
    )


def _powers(result: Result, f: int) -> str:
    """Write the smallest and the largest power of κ of a route."""
    power = Interval(*(part[f].ravel() for part in result.power))
    if not np.isfinite(power.value).all():
        return "an unknown power of κ"
    first, last = int(np.argmin(power.value)), int(np.argmax(power.value))
    return f"κ^{text(power.at(first))} to κ^{text(power.at(last))}"


def _text(interval: Interval) -> str:
    """Write an estimate, and its interval where that has a width as it is written."""
    value, low, high = (number(float(end)) for end in interval)
    return value if low == high else f"{value} ({low} to {high})"


def _span(values: Array, digits: int = 3) -> str:
    """Write the least and the largest, or one of them where they are written alike."""
    low, high = (number(float(end), digits) for end in (values.min(), values.max()))
    return low if low == high else f"{low} to {high}"
