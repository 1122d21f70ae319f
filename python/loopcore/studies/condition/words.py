"""The findings and the tables of the condition study."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from loopcore.studies.condition.measure import bound_loops
from loopcore.studies.intervals import Interval, number, text
from loopcore.studies.study import Sheet

if TYPE_CHECKING:
    from loopcore.studies.condition.result import Result

_SAME = 0.02  # a slope of log κ by log d within this: less than 1.4 % for each doubling of d


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
    sentences = [_answer(result), _approach(result), _needed(result), _small(result)]
    sentences += [
        _heavy(result, k, nu)
        for k, nu in enumerate(result.config.kinds)
        if nu  # (K,)
    ]
    sentences += [_loops(result), _theorem(result), _open(result)]
    return tuple(sentence for sentence in sentences if sentence)


# ---- sentences ----------------------------------------------------------------------------------


def _limited(result: Result) -> list[int]:
    """Return the ratios above 1, which have a limit."""
    return [i for i, r in enumerate(result.config.ratios) if r > 1]


def _answer(result: Result) -> str:
    """Tell whether Gaussian κ grows beyond its limit."""
    config, last, some = result.config, -1, _limited(result)
    if not some:
        return "Open question 2: not asked, since no n/d is above 1."
    part = Interval(*(one[0, some, last, 1] / result.limit[some, last] for one in result.kappa))
    beyond = [config.ratios[i] for i, low in zip(some, part.low, strict=True) if low > 1]
    start, stop = config.dimensions[0], config.dimensions[-1]
    if beyond:
        names = ", ".join(f"{r:g}" for r in beyond)
        return (
            f"Open question 2: not as the theory says. At d = {stop:,} the median κ of Gaussian X "
            f"is above Marchenko and Pastur's limit at n/d = {names}."
        )
    first = Interval(*(one[0, some, 0, 1] / result.limit[some, 0] for one in result.kappa))
    one = some[len(some) // 2]
    rise = Interval(*(part[0, one, last, 1] for part in result.kappa))
    return (
        f"Open question 2: yes, for Gaussian X κ stays bounded at every fixed n/d above 1. Its "
        f"median rises towards Marchenko and Pastur's limit from below: it is {_range(first)} of "
        f"the limit at d = {start} and {_range(part)} at d = {stop:,}, over n/d from "
        f"{config.ratios[some[0]]:g} to {config.ratios[some[-1]]:g}. At n/d = "
        f"{config.ratios[one]:g}, d = {stop:,} it is {text(rise)}; the limit is "
        f"{number(float(result.limit[one, last]))}."
    )


def _approach(result: Result) -> str:
    """Tell the slope with d, what explains it, and how it differs at n = d."""
    config, some = result.config, _limited(result)
    slopes = Interval(*(part[0] for part in result.growth))
    words = []
    if some:
        flat = [i for i in some if abs(slopes.low[i]) < _SAME and abs(slopes.high[i]) < _SAME]
        zero = [i for i in some if slopes.holds(0)[i]]
        start = "No growth is seen" if len(zero) == len(some) else "The slope is not 0 everywhere"
        words.append(
            f"{start} from d = {config.growth_from} on: the median over its limit grows like d^s "
            f"with s from {_range(_pick(slopes, some), _power)}; {len(zero)} of {len(some)} "
            f"intervals hold 0, and {len(flat)} lie within ±{_SAME:g}."
        )
        there = [i for i in some if np.isfinite(result.deficit.value[i])]
        if there:
            held = sum(bool(result.deficit.at(i).holds(-2 / 3)) for i in there)
            words.append(
                f"The part of the limit that is missing falls like d^b with b from "
                f"{_range(_pick(result.deficit, there), _power)}; {held} of {len(there)} "
                "intervals hold the −2/3 of the edges' Tracy–Widom laws, which end at the limit."
            )
    if 1.0 in config.ratios:
        i = config.ratios.index(1.0)
        words.append(f"At n = d there is no limit: median κ grows like d^{text(slopes.at(i))}.")
    return " ".join(words)


def _needed(result: Result) -> str:
    """Tell the n/d that each κ takes, with Gaussian X."""
    config, words = result.config, []
    for t, target in enumerate(config.targets):
        half, most = (result.needed.at(0, -1, t, q) for q in range(2))
        limit = _limit_ratio(target)
        few = result.needed.at(0, 0, t, 1)
        words.append(
            f"κ ≤ {target:g} takes n/d = {_ratio(half, config.ratios)} in half of the tasks at d = "
            f"{config.dimensions[-1]:,} and {_ratio(most, config.ratios)} in 95 % of them (the "
            f"limit: {number(limit)}); at d = {config.dimensions[0]} the 95 % take "
            f"{_ratio(few, config.ratios)}"
        )
    return f"The examples it takes, Gaussian X: {'; '.join(words)}."


def _small(result: Result) -> str:
    """Tell how κ scatters at the smallest d against the largest."""
    some = _limited(result)
    if not some:
        return ""
    i = some[0]
    spread = result.kappa.value[0, i, :, 2] / result.kappa.value[0, i, :, 0]
    d = result.config.dimensions
    return (
        f"What changes with d is the scatter: at n = ⌈{result.config.ratios[i]:g} d⌉ the 95 % "
        f"quantile of κ is {number(float(spread[0]))} times the 5 % quantile at d = {d[0]} and "
        f"{number(float(spread[-1]))} times at d = {d[-1]:,}."
    )


def _heavy(result: Result, k: int, freedom: int) -> str:
    """Tell what heavy tails of ν degrees of freedom do."""
    config = result.config
    asked = [i for i in _limited(result) if np.isfinite(result.growth.value[k, i])]
    if not asked:
        return (
            f"Student's t with ν = {freedom}: growth is not settled, since too few sizes from d = "
            f"{config.growth_from} on were drawn."
        )
    slopes = _pick(result.growth.at(k), asked)
    expected = result.predicted_growth[k, asked]
    agree = int(np.sum(slopes.holds(expected)))
    asymptotic = 4 / freedom - 1
    last = [int(np.flatnonzero(result.count[k, i])[-1]) for i in asked]
    part = Interval(*(one[k, asked, last, 1] / result.limit[asked, last] for one in result.kappa))
    if np.sum(part.low > 1) > len(asked) / 2 and np.sum(slopes.low > 0) > len(asked) / 2:
        verdict = "breaks the constancy: κ grows with d at fixed n/d, beyond the limit"
    elif np.sum(part.low > 1 + _SAME) == 0:
        verdict = "leaves κ bounded by the limit, within the intervals"
    else:
        verdict = "is not settled: κ is above the limit or grows at some n/d and not at others"
    if freedom < 4:
        power = f"theory: tends to 4/ν − 1 = {number(asymptotic)}, which {{}} of {{}} hold"
        theory = power.format(int(np.sum(slopes.holds(asymptotic))), len(asked))
    else:
        theory = "theory: tends to 0"
    middle = len(asked) // 2
    i, j = asked[middle], last[middle]
    return (
        f"Student's t with ν = {freedom} {verdict}. At the largest d drawn, median κ is "
        f"{_range(part)} times Marchenko and Pastur's limit. From d = {config.growth_from} on it "
        f"grows like d^s with s from {_range(slopes, _power)} ({theory}). The largest entry as a "
        f"spike on the bulk, without a fit, gives s from {_fixed(float(expected.min()))} to "
        f"{_fixed(float(expected.max()))} over the same sizes, which {agree} of {len(asked)} "
        f"intervals hold; at n/d = {config.ratios[i]:g}, d = {config.dimensions[j]:,} it gives κ = "
        f"{number(float(result.predicted[k, i, j]))}, measured {text(result.kappa.at(k, i, j, 1))}."
        f"{_needed_there(result, k)}"
    )


def _needed_there(result: Result, k: int) -> str:
    """Tell the n/d of the first target at the largest d where it was found, beside Gaussian X."""
    found = np.flatnonzero(np.isfinite(result.needed.high[k, :, 0, 0]))
    if not found.size:
        return ""
    j, ratios = int(found[-1]), result.config.ratios
    own, other = (_ratio(result.needed.at(one, j, 0, 0), ratios) for one in (k, 0))
    return (
        f" κ ≤ {result.config.targets[0]:g} in half of the tasks takes n/d = {own} at d = "
        f"{result.config.dimensions[j]:,}, with Gaussian X {other}."
    )


def _loops(result: Result) -> str:
    """Tell the loops that follow."""
    config, some = result.config, _limited(result)
    if not some:
        return ""
    words = []
    e = len(config.tolerances) - 1
    for i in dict.fromkeys((some[0], some[len(some) // 2], some[-1])):
        loops = result.loops.at(0, i, -1, e)
        bound = float(bound_loops(result.kappa.value[0, i, -1, 1], config.tolerances[e]))
        words.append(
            f"{text(loops)} at n/d = {config.ratios[i]:g}, where exp(−T/2κ) asks for "
            f"{number(bound)} at the median κ and d → ∞ for "
            f"{number(float(result.limit_loops[i, e]))}"
        )
    return (
        f"Median loops to a relative error of {number(config.tolerances[e])}, Gaussian X and "
        f"random θ*, d = {config.dimensions[-1]:,}: {'; '.join(words)}."
    )


def _theorem(result: Result) -> str:
    if result.above:
        return (
            f"{result.above:,} of {result.checked:,} errors were above (1 − 1/κ)^T, which "
            "contradicts the theory."
        )
    return (
        f"No error was above (1 − 1/κ)^T, and so none above exp(−T/2κ), in {result.checked:,} "
        "counts of loops."
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
            words.append(f"{_name(kind)} at (n/d, d) = {', '.join(pairs)}")
    return "; ".join(words)


# ---- tables -------------------------------------------------------------------------------------


def sheets(result: Result) -> tuple[Sheet, ...]:
    """Lay out κ, its growth, the n/d needed and the loops."""
    return _kappa_sheet(result), _growth_sheet(result), _needed_sheet(result), _loops_sheet(result)


def _kappa_sheet(result: Result) -> Sheet:
    """Lay out medians at a middle and the largest d, and of Gaussian X at the smallest."""
    d = result.config.dimensions
    shown = [(0, 0)] + [
        (k, j)
        for k in range(len(result.config.kinds))
        for j in dict.fromkeys((len(d) // 2, len(d) - 1))
    ]
    rows = []
    for i, r in enumerate(result.config.ratios):
        medians = [_cell(float(result.kappa.value[k, i, j, 1])) for k, j in shown]
        rows.append((f"{r:g}", *medians, _cell(float(result.limit[i, -1]))))
    columns = [f"{_short(result.config.kinds[k])} {d[j]}" for k, j in shown]
    title = "Median κ by n/d; distribution and d, and the limit of Marchenko and Pastur"
    return Sheet(title, ("n/d", *columns, "limit"), tuple(rows))


def _growth_sheet(result: Result) -> Sheet:
    """Lay out the slopes with their intervals."""
    columns = []
    for kind in result.config.kinds:
        columns += [_short(kind), "theory"]
    rows = []
    for i, r in enumerate(result.config.ratios):
        row = [f"{r:g}"]
        for k in range(len(result.config.kinds)):
            row.append(_bracket(result.growth.at(k, i)))
            row.append(_fixed(float(result.predicted_growth[k, i])))
        rows.append(tuple(row))
    start = result.config.growth_from
    title = f"95 % interval of s, median κ / limit ~ d^s, d ≥ {start:,}; theory: edges, spike"
    return Sheet(title, ("n/d", *columns), tuple(rows))


def _needed_sheet(result: Result) -> Sheet:
    config = result.config
    columns = [f"{_short(kind)} {level}" for kind in config.kinds for level in ("50 %", "95 %")]
    rows = []
    for t, target in enumerate(config.targets):
        for j, d in enumerate(config.dimensions):
            cells = [
                _cell(float(result.needed.value[k, j, t, q]), none="more")
                for k in range(len(config.kinds))
                for q in range(2)
            ]
            rows.append((f"{target:g}", f"{d:,}", *cells))
    # Two targets of many dimensions: every second d, and the last.
    step = -(-len(rows) // 14)
    kept = [row for n, row in enumerate(rows) if (len(config.dimensions) - 1 - n) % step == 0]
    title = "n/d for κ at most a target in 50 % and 95 % of the tasks; 'more': than measured"
    return Sheet(title, ("κ", "d", *columns), tuple(kept))


def _loops_sheet(result: Result) -> Sheet:
    config = result.config
    rows = []
    for i, r in enumerate(config.ratios):
        row = [f"{r:g}"]
        for e, tolerance in enumerate(config.tolerances):
            bound = float(bound_loops(result.kappa.value[0, i, -1, 1], tolerance))
            row += [
                _cell(float(result.loops.value[0, i, -1, e])),
                _cell(float(result.limit_loops[i, e])),
                _cell(bound),
            ]
        rows.append(tuple(row))
    columns = [
        name
        for tolerance in config.tolerances
        for name in (f"T({number(tolerance)})", "d → ∞", "bound")
    ]
    title = f"Median loops to a relative error, Gaussian X, d = {config.dimensions[-1]:,}"
    return Sheet(title, ("n/d", *columns), tuple(rows))


# ---- numbers ------------------------------------------------------------------------------------


def _name(kind: int) -> str:
    return f"t with ν = {kind}" if kind else "Gaussian X"


def _short(kind: int) -> str:
    return f"t{kind}" if kind else "N"


def _cell(value: float, none: str = "–") -> str:
    if np.isnan(value):
        return "–"
    if np.isinf(value):
        return none if none != "–" else "∞"
    return number(value)


def _fixed(value: float) -> str:
    # 0.0 + takes the sign of a zero away
    return "–" if np.isnan(value) else f"{0.0 + round(value, 2):.2f}".replace("-", "−")


def _bracket(interval: Interval) -> str:
    if np.isnan(interval.value):
        return "–"
    return f"{_fixed(float(interval.low))}…{_fixed(float(interval.high))}"


def _power(interval: Interval) -> str:
    """Write an exponent with its interval, to a hundredth."""
    value, low, high = (_fixed(float(part)) for part in interval)
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


def _limit_ratio(target: float) -> float:
    from loopcore.studies.condition.limits import ratio_for

    return float(ratio_for(target))
