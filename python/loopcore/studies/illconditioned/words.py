"""The findings and the tables of the ill-conditioned study."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from loopcore.studies.illconditioned.config import DIRECTIONS, KINDS, TYPES
from loopcore.studies.intervals import Interval, number, text
from loopcore.studies.study import Sheet

if TYPE_CHECKING:
    from loopcore.studies.illconditioned.result import Array, Result

_U = {"float64": 2.0**-53, "float32": 2.0**-24}
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
        f"{_theorem(result)} {_worst_rate(result)}",
        _random_rate(result),
        _slow_start(result),
        _floors64(result),
        _paths(result),
        _floors32(result),
        _promise(result),
        _open(result),
    )


# ---- sentences ----------------------------------------------------------------------------------


def theory_rate(kappa: Array) -> Array:
    """Return κ times the rate of (1 − 1/κ)^T, −κ ln(1 − 1/κ); ∞ at κ = 1."""
    with np.errstate(divide="ignore"):
        return np.asarray(-kappa * np.log1p(-1 / kappa))


def _kappas(result: Result) -> Array:
    return np.array(result.config.kappas)


def _theorem(result: Result) -> str:
    """Tell whether the bound holds, and where rounding ends it."""
    kappa, total = _kappas(result), int(result.checked.sum())
    span = f"κ from {number(kappa[0])} to {number(kappa[-1])}"
    if result.above.any():
        counts = " and ".join(
            f"{count:,} in {name}" for count, name in zip(result.above, TYPES, strict=True)
        )
        return (
            f"Open question 5: exp(−T/2κ) does not hold for {span}: of {total:,} errors there are "
            f"above it, by more than rounding may do, {counts}."
        )
    ends = [
        number(float(-2 * np.log(result.floor.value[:, _WORST, -1, kind].max())))
        for kind in range(len(TYPES))
    ]
    return (
        f"Open question 5: exp(−T/2κ) holds for {span} until rounding takes over: none of "
        f"{total:,} errors is above it by more than rounding may do. At κ = {number(kappa[-1])} it "
        f"falls below the floor after {ends[0]} κ loops in float64 and {ends[1]} κ in float32."
    )


def _worst_rate(result: Result) -> str:
    """Tell the rate of the worst θ* against theory's."""
    kappa = _kappas(result)
    rate = result.rate.value[:, _WORST, :, 0]  # (2, C)
    there = np.isfinite(rate) & (kappa > 1)
    if not there.any():
        return "No rate of the worst θ* could be measured."
    off = np.where(there, np.abs(rate / theory_rate(kappa) - 1), 0)
    largest = float(off.max())
    a, c = np.unravel_index(int(np.argmax(off)), off.shape)
    seen = rate[there]
    which = (
        f"that is (1 − 1/κ)^T to within {number(100 * largest, 2)} %"
        if largest <= _CLOSE
        else f"that is not (1 − 1/κ)^T: {number(100 * largest, 2)} % from it at κ = "
        f"{number(kappa[c])} ({KINDS[a]})"
    )
    single = result.rate.value[:, _WORST, :, 1]
    lost = kappa[(there & ~np.isfinite(single)).any(axis=0)]
    off32 = np.where(there & np.isfinite(single), np.abs(single / theory_rate(kappa) - 1), 0)
    in32 = f"; in float32 to within {number(100 * float(off32.max()), 2)} %"
    if lost.size:
        in32 += f", and rounding leaves no rate at κ = {', '.join(number(k) for k in lost)}"
    left = number(float(result.floor.value[:, :, 0, 0].max()), 2)
    one = f" At κ = 1 the first loop leaves {left} or less." if kappa[0] == 1 else ""
    return (
        f"The bound's rate 0.5/κ is {number(0.5 / float(seen.max()))} to "
        f"{number(0.5 / float(seen.min()))} of the measured one: with the worst θ* the error falls "
        f"at {number(float(seen.min()))} to {number(float(seen.max()))} times 1/κ, and {which}"
        f"{in32}.{one}"
    )


def _random_rate(result: Result) -> str:
    """Tell the late rate of random θ*."""
    kappa, words = _kappas(result), []
    for a, kind in enumerate(KINDS):
        rate = result.rate.at(a, _RANDOM, slice(None), 0)
        there = np.flatnonzero(np.isfinite(rate.value))
        if there.size:
            first, last = int(there[0]), int(there[-1])
            words.append(
                f"{text(rate.at(first))} at κ = {number(kappa[first])} and {text(rate.at(last))} "
                f"at κ = {number(kappa[last])} with the {kind} spectrum"
            )
    if not words:
        return "No late rate of random θ* could be measured."
    return (
        "Random θ* end at the same rate: between 2κ and 8κ loops κ times the rate is "
        f"{'; '.join(words)}. What they gain is the weight of the small eigenvalues, not the rate."
    )


def _slow_start(result: Result) -> str:
    """Tell the sub-exponential part."""
    config = result.config
    meant = result.expected > _MEANT  # (C, K)
    holds = result.mean.at(_LOG_UNIFORM, _RANDOM).holds(result.expected) & meant
    words = []
    for e, level in enumerate(config.levels):
        power = result.loops_power.at(_LOG_UNIFORM, _RANDOM, e)
        if np.isfinite(power.value):
            words.append(
                f"{number(level)} after κ^{text(power)} (by the mean: "
                f"{number(float(result.expected_power[e]))}, for d → ∞ {number(1 - level)})"
            )
    share = float(holds.sum() / max(int(meant.sum()), 1))
    verdict = "which the measured means follow" if share >= _FOLLOWS else "which they do not follow"
    powers = f" The median task is at an error of {'; '.join(words)}." if words else ""
    return (
        "With a log-uniform spectrum and random θ* the fall is not exponential before T ≈ κ: the "
        "mean error is (ln(κ/T) − 0.577)/ln κ for large d, and has a closed form for any d, "
        f"{verdict}: it lies in {number(100 * share)} % of {int(meant.sum())} intervals (those of "
        f"one κ share their tasks).{powers} exp(−T/2κ) asks for κ^1 in each."
    )


def _floors64(result: Result) -> str:
    """Tell where float64 ends."""
    kappa, f = _kappas(result), result.config.routes.index(("float64", "power"))
    floor = result.route_floor.value[f]  # (2, 2, C)
    unit = floor / (kappa * _U["float64"])
    large = kappa >= result.config.powers_from
    shares = unit[..., large] if large.any() else unit
    lowest = float((result.lowest.value / result.floor.value)[..., 0].min())
    end = floor[..., -1]
    return (
        f"In float64 rounding ends the fall at an error that grows like {_powers(result, f)} on "
        f"the power path (all spectra and θ*): {number(float(shares.min()), 2)} to "
        f"{number(float(shares.max()), 2)} times κu, u = 2⁻⁵³; at κ = {number(kappa[-1])} "
        f"{number(float(end.min()), 2)} to {number(float(end.max()), 2)}. The lowest error on the "
        f"way is {number(lowest, 2)} times the floor or more."
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
    lowest = names[int(np.argmin(medians))]
    verdict = (
        f"All paths end within a factor of {number(factor, 2)} of each other"
        if factor < _ALIKE
        else f"Paths end a factor of {number(factor, 2)} apart, and {lowest} lowest"
    )
    listed = ", ".join(f"{name} {text(one, 2)}" for name, one in zip(names, each, strict=True))
    return (
        f"{verdict}: at κ = {number(kappa[c])}, two-point, worst θ*, float64 floors are {listed}. "
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
    end = floor[..., -1]
    sentence = (
        f"In float32 the floor grows like {_powers(result, f)}: {number(float(end.min()), 2)} to "
        f"{number(float(end.max()), 2)} at κ = {number(kappa[-1])}. loopcore loops float32 tasks "
        "in float64; what exact arithmetic would leave on the data as rounded to float32 is "
        f"{number(float(share.min()), 2)} to {number(float(share.max()), 2)} times the floor from "
        f"κ = {number(config.powers_from)} on."
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
        f"{number(kappa[c])} (two-point, worst θ*), {number(ratio, 2)} times higher, and grows "
        f"like {_powers(result, g)}."
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
        f"{start}: at the end arithmetic takes {number(float(use[..., 0].min()), 2)} to "
        f"{number(float(use[..., 0].max()), 2)} of it in float64 (medians).{empty}"
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


# ---- tables -------------------------------------------------------------------------------------


def sheets(result: Result) -> tuple[Sheet, ...]:
    """Lay out rates, loops, floors and their powers."""
    return _rate_sheet(result), _loops_sheet(result), _floor_sheet(result), _power_sheet(result)


def _rate_sheet(result: Result) -> Sheet:
    theory = theory_rate(_kappas(result))
    rows = []
    for c, kappa in enumerate(result.config.kappas):
        cells = [
            _cell(float(result.rate.value[a, b, c, 0]), 4)
            for a in range(2)
            for b in (_RANDOM, _WORST)
        ]
        single = _cell(float(result.rate.value[_TWO_POINT, _WORST, c, 1]), 4)
        rows.append((number(kappa), _cell(float(theory[c]), 4), *cells, single))
    columns = ("κ", "(1−1/κ)^T", "log random", "log worst", "two random", "two worst", "float32")
    title = "κ × late rate, median; theorem: 0.5; log-uniform, two-point; last: two worst"
    return Sheet(title, columns, tuple(rows))


def _loops_sheet(result: Result) -> Sheet:
    levels = result.config.levels
    rows = []
    for c, kappa in enumerate(result.config.kappas):
        cells = [
            _cell(float(result.loops.value[_LOG_UNIFORM, b, c, e]))
            for e in range(len(levels))
            for b in (_RANDOM, _WORST)
        ]
        rows.append((number(kappa), *cells))
    columns = [f"{number(level)} {name}" for level in levels for name in ("random", "worst")]
    title = "Median loops to an error, log-uniform spectrum, float64"
    return Sheet(title, ("κ", *columns), tuple(rows))


def _floor_sheet(result: Result) -> Sheet:
    routes = result.config.routes
    shown = [
        ("float64", "power"),
        ("float64", "stream"),
        ("float64", "gram"),
        ("float64", "tridiagonal"),
        ("float32", "power"),
        ("float32", "literal"),
    ]
    rows = []
    for c, kappa in enumerate(result.config.kappas):
        cells = [
            _cell(float(result.route_floor.value[routes.index(one), _TWO_POINT, _RANDOM, c]), 2)
            for one in shown
        ]
        data = _cell(float(result.data.value[_TWO_POINT, _RANDOM, c, 1]), 2)
        rows.append((number(kappa), number(kappa * _U["float64"], 2), *cells, data))
    columns = (
        "κ",
        "κu",
        "power",
        "stream",
        "gram",
        "tridiag.",
        "power32",
        "loop32",
        "data32",
    )
    title = "Median floors, two-point, random θ*; float64, and float32 where it says 32"
    return Sheet(title, columns, tuple(rows))


def _power_sheet(result: Result) -> Sheet:
    rows = []
    for f, (kind, path) in enumerate(result.config.routes):
        cells = [_bracket(result.power.at(f, a, b)) for a in range(2) for b in (_RANDOM, _WORST)]
        rows.append((kind, path, *cells))
    columns = ("type", "path", "log random", "log worst", "two random", "two worst")
    start = number(result.config.powers_from)
    title = f"95 % interval of p in floor ~ κ^p, from κ = {start} on"
    return Sheet(title, columns, tuple(rows))


def _cell(value: float, digits: int = 3) -> str:
    if np.isnan(value):
        return "–"
    return "∞" if np.isinf(value) else number(value, digits)


def _bracket(interval: Interval) -> str:
    if np.isnan(interval.value):
        return "–"
    return f"{interval.low:.2f}…{interval.high:.2f}".replace("-", "−")
