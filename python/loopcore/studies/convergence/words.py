"""The tables of the convergence study, and what its numbers say in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from loopcore.studies.frame.intervals import Interval, number, text
from loopcore.studies.frame.study import Sheet

if TYPE_CHECKING:
    from loopcore.studies.convergence import Result

_MEDIAN, _TAIL = 0, 1  # places in `SEARCHED`
_GUESS = 0.1  # c of exp(cT), a small one
_SLACK = 1.02  # of a limit: what interpolation between two n may add


def sheets(result: Result) -> tuple[Sheet, ...]:
    """Lay the result out in tables: errors after the last loop, and the smallest n."""
    config = result.config
    alpha = "random α" if config.alpha == "random" else f"α = {config.alpha:g}"
    curves = Sheet(
        f"Errors after T = {config.loops} loops: d = {config.d}, {alpha}, {config.tasks:,} tasks "
        "for each n",
        ("n", "κ median", "κ 95 %", "error 5 %", "median", "95 %", "bound median", "95 %"),
        tuple(
            (
                str(curve.n),
                *(
                    f"{value:.3g}"
                    for value in (*curve.kappa[1:], *curve.error[:, -1], *curve.bound[1:, -1])
                ),
            )
            for curve in result.curves
        ),
    )
    if result.needed is None:
        return (curves,)
    e = len(config.tolerances) // 2
    epsilon = config.tolerances[e]
    loops = tuple(f"T = {T}" for T in config.search_loops)
    by_dim = Sheet(
        f"The smallest n over d for a median error of at most {number(epsilon)}",
        ("d", *loops),
        (
            *(
                (str(d), *(_over(result, i, k, e, _MEDIAN) for k in range(len(loops))))
                for i, d in enumerate(config.dims)
            ),
            ("limit", *(number(ratio) for ratio in result.limits.typical[:, e])),
        ),
    )
    tail = Sheet(
        f"The smallest n over d for a 95 % quantile of at most {number(epsilon)}",
        ("d", *loops),
        tuple(
            (str(d), *(_over(result, i, k, e, _TAIL) for k in range(len(loops))))
            for i, d in enumerate(config.dims)
        ),
    )
    last = len(config.dims) - 1
    by_loops = Sheet(
        f"The smallest n over d at d = {config.dims[-1]}, for a median error of at most ε",
        ("ε", *loops),
        tuple(
            (f"{number(goal)}", *(_over(result, last, k, j, _MEDIAN) for k in range(len(loops))))
            for j, goal in enumerate(config.tolerances)
        ),
    )
    return curves, by_dim, tail, by_loops


def findings(result: Result) -> tuple[str, ...]:
    """Say in sentences what the numbers show, the title's claim first."""
    if result.needed is None:
        return (*_about_bound(result), "Not settled here: how many examples an error takes.")
    return (
        _answer(result),
        _about_dims(result),
        _about_loops(result),
        _about_tolerances(result),
        _about_tail(result),
        _about_promises(result),
        _about_check(result),
        " ".join(_about_bound(result)),
        "Not settled here: noise, inputs that are not Gaussian, weights that training found, and "
        "what the constants in exp(Ω(T)) are. That earlier analyses need so many examples is what "
        "arXiv 2410.11268 says of them: a condition of a proof, which fewer examples on these "
        "tasks do not contradict.",
    )


# ---- the search ---------------------------------------------------------------------------------


def _answer(result: Result) -> str:
    """Say whether n is O(d), and what more loops do to it."""
    config = result.config
    ratios, reached = _ratios(result)
    exceeding = int((_exceeding(result, ratios) & reached).sum())
    count = int(reached.sum())
    if not count:
        verdict = "Whether O(d) examples are enough is not settled"
        because = "for no T and ε the smallest n was found at every d"
    elif exceeding:
        verdict = "That O(d) examples are enough is not shown"
        because = f"n/d exceeds its limit for large d in {exceeding} of {count} pairs of T and ε"
    else:
        verdict = "O(d) examples are enough"
        pairs = f"all {count} pairs of" if count > 1 else "the one pair of"
        because = f"n/d does not exceed its limit for large d in {pairs} T and ε"
    more = {"fewer": ", and more loops need fewer, not more", "more": ", but more loops need more"}
    verdict += more.get(_course(result), "")
    span = f"From d = {config.dims[0]} to" if len(config.dims) > 1 else "At d ="
    sentence = f"{span} {config.dims[-1]}: {verdict}; {because}."
    e = len(config.tolerances) // 2
    known = np.flatnonzero(np.isfinite(ratios.value[-1, :, e]))
    if len(known) > 1:
        first, last = (
            f"{_shortly(ratios.at(-1, int(k), e))} at T = {config.search_loops[k]}"
            for k in (known[0], known[-1])
        )
        sentence += (
            f" For ε = {number(config.tolerances[e])} and d = {config.dims[-1]} n/d is {first} and "
            f"{last}."
        )
    return sentence


def _ratios(result: Result) -> tuple[Interval, npt.NDArray[np.bool_]]:
    """Return n/d for the median (D, K, E), and for which T and ε it is known at every d (K, E)."""
    assert result.needed is not None
    dims = np.array(result.config.dims, np.float64)
    ratios = Interval(*(part[..., _MEDIAN] / dims[:, None, None] for part in result.needed.n))
    return ratios, np.asarray(np.isfinite(ratios.value).all(axis=0))


def _exceeding(result: Result, ratios: Interval) -> npt.NDArray[np.bool_]:
    """Return for which T and ε some n/d is sure to be above the limit of large d, (K, E)."""
    return np.asarray((ratios.low > _SLACK * result.limits.typical).any(axis=0))


def _about_dims(result: Result) -> str:
    """Say how n grows with d for one T and ε."""
    assert result.needed is not None
    config, needed = result.config, result.needed
    ratios, reached = _ratios(result)
    if not reached.any():
        return "How n grows with d is not settled: for no T and ε was it found at every d."
    k, e = _shown(result, reached)
    at = (slice(None), k, e)
    where = f"For T = {config.search_loops[k]} and ε = {number(config.tolerances[e])}"
    limit = number(result.limits.typical[k, e])
    if len(config.dims) < 2:
        return f"{where} n/d is {_shortly(ratios.at(*at).at(0))}, its limit for large d {limit}."
    last = needed.last_exponent.at(k, e, _MEDIAN)
    powers = needed.last_exponent.value[..., _MEDIAN][reached]
    if last.holds(1.0):
        verdict = "which 1 agrees with"
    elif last.low > 1:
        verdict = "still above 1, as small tasks need fewer examples than the limit says"
    else:
        verdict = "below 1: no more than in proportion"
    return (
        f"{where} n/d goes from {_shortly(ratios.at(*at).at(0))} at d = {config.dims[0]} to "
        f"{_shortly(ratios.at(*at).at(-1))} at d = {config.dims[-1]}; its limit for large d is "
        f"{limit}. Between d = {config.dims[-2]} and {config.dims[-1]} n grows as d to the power "
        f"{text(last)}, {verdict}; the power is {number(float(powers.min()))} to "
        f"{number(float(powers.max()))} for all T and ε."
    )


def _known_loops(result: Result) -> list[tuple[int, npt.NDArray[np.intp]]]:
    """Return for which T n is known at the largest d, for each ε for which there are two."""
    assert result.needed is not None
    known = np.isfinite(result.needed.n.value[-1, :, :, _MEDIAN])  # (K, E)
    found = [(e, np.flatnonzero(column)) for e, column in enumerate(known.T)]
    return [(e, loops) for e, loops in found if len(loops) > 1]


def _course(result: Result) -> str:
    """Return whether n is "fewer" or "more" with the most loops for every ε, or "" if neither."""
    assert result.needed is not None
    courses = set()
    for e, found in _known_loops(result):
        first, last = (result.needed.n.at(-1, int(k), e, _MEDIAN) for k in (found[0], found[-1]))
        courses.add("fewer" if last.high < first.low else "more" if last.low > first.high else "")
    return courses.pop() if len(courses) == 1 else ""


def _about_loops(result: Result) -> str:
    """Say whether more loops need more examples, or fewer."""
    assert result.needed is not None
    config, known = result.config, _known_loops(result)
    loops = config.search_loops
    if not known:
        return "How n depends on T is not settled: n was found for fewer than two T at every ε."
    course = _course(result)
    what = {
        "fewer": "More loops need fewer examples, not more",
        "more": "More loops need more examples",
    }.get(course, "Whether more loops need more or fewer examples is not settled")
    said = []
    for e, found in (known[0], known[-1])[: len(known)]:
        first, last = (result.needed.n.at(-1, int(k), e, _MEDIAN) for k in (found[0], found[-1]))
        said.append(
            f"from {_whole(first)} at T = {loops[found[0]]} to {_whole(last)} at T = "
            f"{loops[found[-1]]} for ε = {number(config.tolerances[e])}"
        )
    growth = float(np.exp(_GUESS * (loops[-1] - loops[0])))
    ending = f", where even exp({_GUESS:g} T) would grow {number(growth)}-fold"
    return (
        f"{what}: at d = {config.dims[-1]} the smallest n goes {' and '.join(said)}"
        f"{ending if course == 'fewer' else ''}."
    )


def _about_tolerances(result: Result) -> str:
    """Say how n grows as ε falls."""
    assert result.needed is not None
    config, slopes = result.config, result.needed.tolerance_exponent
    known = [k for k in range(len(config.search_loops)) if np.isfinite(slopes.value[k, _MEDIAN])]
    if not known:
        return "How n depends on ε is not settled: for no T was n found at every ε."
    said = [
        f"{text(slopes.at(k, _MEDIAN))} at T = {config.search_loops[k]} (2/T = "
        f"{number(2 / config.search_loops[k])})"
        for k in sorted({known[0], known[len(known) // 2], known[-1]})
    ]
    return (
        f"At d = {config.dims[-1]} n grows as 1/ε to the power {', '.join(said)}. Where n is much "
        "larger than d the power tends to 2/T, for then 1 − λ/λ_max is of the order of √(d/n), and "
        "the error of (d/n)^(T/2); more loops make ε cheaper."
    )


def _about_tail(result: Result) -> str:
    """Say how many more examples the 95 % quantile needs."""
    assert result.needed is not None
    config, n = result.config, result.needed.n
    k, e = _shown(result, np.isfinite(n.value[..., _MEDIAN]).all(axis=0))
    said = []
    for i in sorted({0, len(config.dims) - 1}):
        median, tail = (n.at(i, k, e, q) for q in (_MEDIAN, _TAIL))
        if np.isfinite(tail.value) and np.isfinite(median.value):
            times = number(float(tail.value / median.value))
            said.append(f"{times} times as many at d = {config.dims[i]}, {_whole(tail)}")
        else:
            said.append(f"{_whole(tail)} at d = {config.dims[i]}")
    return (
        f"For 95 % of the tasks and not half of them to reach {number(config.tolerances[e])} after "
        f"{config.search_loops[k]} loops takes {', and '.join(said)}."
    )


def _about_promises(result: Result) -> str:
    """Say how many examples the bounds ask for."""
    config, references = result.config, result.limits
    e = len(config.tolerances) // 2
    epsilon = config.tolerances[e]
    none = [
        str(T)
        for T, ratio in zip(config.search_loops, references.theorem[:, e], strict=True)
        if not np.isfinite(ratio)
    ]
    typical, worst, theorem = (
        number(float(part[-1, e]))
        for part in (references.typical, references.worst, references.theorem)
    )
    T = config.search_loops[-1]
    sentence = (
        f"By the limits of large d, an error of {number(epsilon)} after {T} loops takes n/d = "
        f"{typical} for a typical θ* and {worst} for the worst one"
    )
    if np.isfinite(references.theorem[-1, e]):
        sentence += f", and the theorem's exp(−T/2κ) promises it from {theorem} on"
    if none:
        sentence += (
            f"; for T = {', '.join(none)} that bound promises it for no n, as κ is at least 1"
        )
    return sentence + "."


def _about_check(result: Result) -> str:
    """Say whether tasks with all rows drawn agree."""
    check = result.check
    assert check is not None
    if not check.d:
        return (
            f"The search found no n for T = {check.T} and ε = {number(check.tolerance)} to check."
        )
    good = [
        bool(below.high >= check.tolerance and above.low <= check.tolerance)
        for below, above in zip(check.error_below, check.error_above, strict=True)
    ]
    return (
        f"Tasks with all rows drawn, T = {check.T} and ε = {number(check.tolerance)}: in "
        f"{'all' if all(good) else sum(good)} of {len(good)} sizes the median errors at both ends "
        f"of the interval of n enclose ε; at d = {check.d[-1]} they are "
        f"{text(check.error_below[-1])} for n = {check.below[-1]:,} and "
        f"{text(check.error_above[-1])} for n = {check.above[-1]:,}."
    )


# ---- error curves -------------------------------------------------------------------------------


def _about_bound(result: Result) -> tuple[str, str]:
    """Say whether the theorem's bound held, and what the errors are."""
    config, curves = result.config, result.curves
    tasks = config.tasks * len(curves)
    above = sum(int(curve.above_bound) for curve in curves)
    largest = max(float(curve.largest_ratio) for curve in curves)
    first, last = curves[0], curves[-1]
    if above:
        opening = f"{above:,} errors of {tasks:,} tasks lie above their bound |α| exp(−T/2κ)"
    else:
        opening = (
            f"Every error of {tasks:,} tasks of the paper's experiment stayed below its task's "
            f"bound |α| exp(−T/2κ) after every loop; the largest was {number(largest)} of it"
        )
    return (
        f"{opening}.",
        f"After {config.loops} loops at d = {config.d} the median error is "
        f"{number(float(first.error[1, -1]))} for n = {first.n} and "
        f"{number(float(last.error[1, -1]))} for n = {last.n}, the median bound "
        f"{number(float(first.bound[1, -1]))} and {number(float(last.bound[1, -1]))}.",
    )


# ---- words --------------------------------------------------------------------------------------


def _shown(result: Result, known: npt.ArrayLike) -> tuple[int, int]:
    """Return the places of T and ε in the middle, or else the first ones that are known (K, E)."""
    config, known = result.config, np.asarray(known)
    k, e = len(config.search_loops) // 2, len(config.tolerances) // 2
    if known[k, e] or not known.any():
        return k, e
    first, second = np.argwhere(known)[0]
    return int(first), int(second)


def _over(result: Result, i: int, k: int, e: int, q: int) -> str:
    """Write n/d."""
    assert result.needed is not None
    n = result.needed.n.at(i, k, e, q)
    if not np.isfinite(n.value):
        return "not reached"
    return number(float(n.value) / result.config.dims[i])


def _whole(n: Interval) -> str:
    """Write a smallest n, rounded up."""
    if not np.isfinite(n.value):
        return "more than were tried"
    value, low, high = (np.ceil(float(part) - 1e-9) for part in n)
    end = f"{high:,.0f}" if np.isfinite(high) else "more than were tried"
    return f"{value:,.0f} ({low:,.0f} to {end})"


def _shortly(ratio: Interval) -> str:
    """Write n/d, of which an end may be open."""
    return text(ratio) if np.isfinite(ratio.high) else number(float(ratio.value))
