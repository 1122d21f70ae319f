"""The findings of the condition study."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import numpy as np

from loopcore.studies.condition.limits import ratio_for
from loopcore.studies.condition.measure import bound_loops
from loopcore.studies.condition.sheets import fixed
from loopcore.studies.frame.intervals import Interval, number, text

if TYPE_CHECKING:
    from loopcore.studies.condition.result import Result

_SAME = 0.02  # part by which κ may be above its limit and still count as bounded by it


def findings(result: Result) -> tuple[str, ...]:
    """Say in sentences what the numbers say.

    Parameters
    ----------
    result : Result
        What `condition.compute` gave.

    Returns
    -------
    tuple of str
        The answer first, what is left open last.
    """
    heavy = [_heavy(result, k) for k, kind in enumerate(result.config.kinds) if kind]
    sentences = (
        _answer(result),
        _approach(result),
        _square(result),
        _needed(result),
        _scatter(result),
        *heavy,
        _loops(result),
        _open(result),
    )
    return tuple(sentence for sentence in sentences if sentence)


# ---- Gaussian X ---------------------------------------------------------------------------------


def _limited(result: Result) -> list[int]:
    """Return the ratios above 1, which have a limit."""
    return [i for i, r in enumerate(result.config.ratios) if r > 1]


def _answer(result: Result) -> str:
    """Tell whether Gaussian κ grows beyond its limit, and which tails break it."""
    config, some = result.config, _limited(result)
    if not some:
        return "Open question 2: not asked, since no n/d is above 1."
    parts = [
        Interval(*(one[0, some, j, 1] / result.limit[some, j] for one in result.kappa))
        for j in (0, -1)
    ]
    beyond = [config.ratios[i] for i, low in zip(some, parts[1].low, strict=True) if low > 1]
    broken = [
        f"ν = {nu}" for k, nu in enumerate(config.kinds) if nu and _verdict(result, k) == "breaks"
    ]
    heavy = f" Student's t with {' or '.join(broken)} breaks the bound." if broken else ""
    d = f"{config.dimensions[-1]:,}"
    if beyond:
        return (
            f"Open question 2: not as the theory says. At d = {d} the median κ of Gaussian X is "
            "above Marchenko and Pastur's limit at n/d = "
            f"{', '.join(f'{r:g}' for r in beyond)}.{heavy}"
        )
    rises = "rises towards" if (parts[1].value > parts[0].value).all() else "stays below"
    least = text(parts[1].at(int(np.argmin(parts[1].value))))
    return (
        f"Open question 2: bounded, if not constant. At fixed n/d the median κ of Gaussian X "
        f"{rises} Marchenko and Pastur's limit; at d = {d} it is {least} of it or more, from n/d = "
        f"{config.ratios[some[0]]:g} on. κ ≤ {config.targets[0]:g} takes an n/d of "
        f"{_ratio(result.needed.at(0, -1, 0, 0), config.ratios)} in half of the tasks.{heavy}"
    )


def _approach(result: Result) -> str:
    """Tell by which power of d what is missing of the limit falls."""
    there = [i for i in _limited(result) if np.isfinite(result.deficit.value[i])]
    if not there:
        return ""
    deficit = _pick(result.deficit, there)
    span = f"d^b, b from {_range(deficit, _power)} over n/d, d ≥ {result.config.growth_from}"
    start = (
        f"The rise of Gaussian κ ends at the limit: what is missing of it falls like {span}"
        if deficit.high.max() < 0
        else "Whether the rise of Gaussian κ ends at the limit is not settled: what is missing "
        f"of it changes like {span}"
    )
    return (
        f"{start}; {int(np.sum(deficit.holds(-2 / 3)))} of {len(there)} intervals hold the −2/3 of "
        "the edges' Tracy–Widom laws."
    )


def _square(result: Result) -> str:
    """Tell how κ grows at n = d."""
    if 1.0 not in result.config.ratios:
        return ""
    slope = result.growth.at(0, result.config.ratios.index(1.0))
    hold = "holds" if slope.holds(2) else "does not hold"
    return (
        "At n = d there is no limit: the median κ of Gaussian X grows like d to the power "
        f"{_power(slope)}, which {hold} the 2 of Edelman's law."
    )


def _needed(result: Result) -> str:
    """Tell the n/d that each κ takes, with Gaussian X."""
    config, d = result.config, result.config.dimensions
    words = []
    for t, target in enumerate(config.targets):
        half, most = (_ratio(result.needed.at(0, -1, t, q), config.ratios) for q in range(2))
        words.append(
            f"κ ≤ {target:g} takes an n/d of {half} in half of the tasks and {most} in 95 %, where "
            f"the limit is {number(float(ratio_for(target)))}"
        )
    return f"Gaussian X, d = {d[-1]:,}: {'; '.join(words)}."


def _scatter(result: Result) -> str:
    """Tell how κ scatters at the smallest d against the largest."""
    some = _limited(result)
    if not some:
        return ""
    i, d = some[0], result.config.dimensions
    spread = result.kappa.value[0, i, :, 2] / result.kappa.value[0, i, :, 0]
    return (
        f"What falls with d is the scatter: at n = ⌈{result.config.ratios[i]:g} d⌉ the 95 % "
        if spread[-1] < spread[0]
        else f"The scatter does not fall with d: at n = ⌈{result.config.ratios[i]:g} d⌉ the 95 % "
    ) + (
        f"quantile of κ is {number(float(spread[0]))} times the 5 % quantile at d = {d[0]} and "
        f"{number(float(spread[-1]))} times at d = {d[-1]:,}."
    )


# ---- heavy tails --------------------------------------------------------------------------------


def _asked(result: Result, k: int) -> list[int]:
    """Return the ratios above 1 of which growth is known."""
    return [i for i in _limited(result) if np.isfinite(result.growth.value[k, i])]


def _parts(result: Result, k: int, asked: list[int]) -> Interval:
    """Return the median κ over its limit at the largest d drawn of some ratios."""
    last = [int(np.flatnonzero(result.count[k, i])[-1]) for i in asked]
    return Interval(*(one[k, asked, last, 1] / result.limit[asked, last] for one in result.kappa))


def _verdict(result: Result, k: int) -> Literal["breaks", "bounded", "open"]:
    """Tell whether κ grows beyond its limit at most n/d, or is bounded by it at all."""
    asked = _asked(result, k)
    part, slopes = _parts(result, k, asked), _pick(result.growth.at(k), asked)
    if np.sum(part.low > 1) > len(asked) / 2 and np.sum(slopes.low > 0) > len(asked) / 2:
        return "breaks"
    return "bounded" if asked and not np.any(part.low > 1 + _SAME) else "open"


def _heavy(result: Result, k: int) -> str:
    """Tell what heavy tails do."""
    config, freedom = result.config, result.config.kinds[k]
    asked = _asked(result, k)
    if not asked:
        return (
            f"Student's t with ν = {freedom}: growth is not settled, since too few sizes from d = "
            f"{config.growth_from} on were drawn."
        )
    verdict = {
        "breaks": "breaks the constancy, κ grows with d and beyond the limit",
        "bounded": "leaves κ bounded by the limit, within the intervals",
        "open": "is not settled, κ is above the limit or grows at some n/d and not at others",
    }[_verdict(result, k)]
    return (
        f"Student's t with ν = {freedom} {verdict}: at the largest d drawn the median is "
        f"{_range(_parts(result, k, asked))} times the limit, over n/d.{_spike(result, k)}"
        f"{_needed_there(result, k)}"
    )


def _spike(result: Result, k: int) -> str:
    """Tell how the growth compares with theory, where entries have no fourth moment."""
    freedom, asked = result.config.kinds[k], _asked(result, k)
    if freedom >= 4:
        return ""
    slopes, expected = _pick(result.growth.at(k), asked), result.predicted_growth[k, asked]
    asymptotic = 4 / freedom - 1
    return (
        f" The largest entry as a spike, without a fit, gives κ ~ d^s with s from "
        f"{fixed(float(expected.min()))} to {fixed(float(expected.max()))} at these d, which "
        f"{int(np.sum(slopes.holds(expected)))} of {len(asked)} intervals hold; "
        f"{int(np.sum(slopes.holds(asymptotic)))} hold its 4/ν − 1 = {number(asymptotic)} of d → ∞."
    )


def _needed_there(result: Result, k: int) -> str:
    """Tell the n/d of the first target at the largest d where it was found, beside Gaussian X."""
    found = np.flatnonzero(np.isfinite(result.needed.high[k, :, 0, 0]))
    if not found.size:
        return ""
    j, ratios = int(found[-1]), result.config.ratios
    own, other = (_ratio(result.needed.at(one, j, 0, 0), ratios) for one in (k, 0))
    return (
        f" κ ≤ {result.config.targets[0]:g} in half of the tasks takes an n/d of {own} at d = "
        f"{result.config.dimensions[j]:,}, with Gaussian X {other}."
    )


# ---- loops --------------------------------------------------------------------------------------


def _loops(result: Result) -> str:
    """Tell the loops that follow, beside the theorem's."""
    config, some = result.config, _limited(result)
    if not some:
        return ""
    e = len(config.tolerances) - 1
    loops = result.loops.at(0, slice(None), -1, e)
    told = [
        f"{text(loops.at(i))} at n/d = {config.ratios[i]:g}"
        for i in dict.fromkeys((some[0], some[len(some) // 2], some[-1]))
    ]
    ratio = bound_loops(result.kappa.value[0, some, -1, 1], config.tolerances[e])
    ratio = ratio / np.maximum(loops.value[some], 1)
    return (
        f"Loops to a relative error of {number(config.tolerances[e])}, Gaussian X, random θ*, d = "
        f"{config.dimensions[-1]:,}: {', '.join(told)} in the median. exp(−T/2κ) asks for "
        f"up to {number(float(ratio.max()), 2)} times as many."
    )


def _open(result: Result) -> str:
    left = _left_out(result)
    sizes = f"; left out because X is too large: {left}" if left else ""
    return (
        f"Not settled: d above {result.config.dimensions[-1]:,}{sizes}; dependent entries, "
        "correlated features and real tables, where κ is that of the covariance too; steps other "
        "than 1/λ_max; rounding, which the counts of loops leave out."
    )


def _left_out(result: Result) -> str:
    """Name the sizes without an X, by distribution."""
    config, words = result.config, []
    for k, kind in enumerate(config.kinds):
        pairs = [
            f"({config.ratios[i]:g}, {config.dimensions[j]:,})"
            for i, j in np.argwhere(result.count[k] == 0)
        ]
        if pairs:
            words.append(f"t with ν = {kind} at (n/d, d) = {', '.join(pairs)}")
    return "; ".join(words)


# ---- numbers ------------------------------------------------------------------------------------


def _power(interval: Interval) -> str:
    """Write an exponent with its interval, to a hundredth."""
    value, low, high = (fixed(float(part)) for part in interval)
    return f"{value} ({low} to {high})"


def _pick(interval: Interval, indices: list[int]) -> Interval:
    """Return some intervals of a row of them."""
    return Interval(*(part[indices] for part in interval))


def _range(interval: Interval, write: Callable[[Interval], str] = text) -> str:
    """Write the smallest and the largest of several estimates."""
    ends = int(np.argmin(interval.value)), int(np.argmax(interval.value))
    first, last = (write(interval.at(end)) for end in ends)
    return first if ends[0] == ends[1] else f"{first} to {last}"


def _ratio(interval: Interval, ratios: tuple[float, ...]) -> str:
    if np.isnan(interval.value):
        return "an unknown number"
    if np.isinf(interval.value):
        return f"more than {ratios[-1]:g}"
    if np.isinf(interval.high):
        return f"{number(float(interval.value))} ({number(float(interval.low))} or more)"
    return text(interval)
