"""What the numbers of the study on real tables say, in sentences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from loopcore.studies.frame.intervals import Interval, number, text
from loopcore.studies.frame.repeats import CONFIDENCE
from loopcore.studies.real.cells import Cell, Whole
from loopcore.studies.real.measure import LEARNERS, ROUNDING, TOLERANCES
from loopcore.studies.real.pooled import BANDS, counted, in_band, typical

if TYPE_CHECKING:
    from loopcore.studies.real.result import Result

_Pairs = list[tuple[Whole, Cell]]

_MIDDLE, _STRICT = TOLERANCES.index(1e-3), TOLERANCES.index(1e-6)


def findings(result: Result) -> tuple[str, ...]:
    """Say what was found: the answer, the bound, κ, the raw error, prediction, what is open.

    Parameters
    ----------
    result : Result
        What `compute` gave.

    Returns
    -------
    tuple of str
        Made from the numbers: they change with them.
    """
    pairs = [(table, typical(result.of(table))) for table in result.tables]
    found = [(t, cell) for t, cell in pairs if cell is not None and cell.blank < cell.prompts]
    if not found:
        return ("No prompt had a target that varies: nothing was measured.",)
    return (
        _answer(result, found),
        _bound(result),
        _looseness(found),
        _kappa(found, result),
        _raw(result),
        _where_it_stops(found, result.loops[-1]),
        _least_squares(result),
        _rivals(result, found),
        _open(result),
    )


def _answer(result: Result, found: _Pairs) -> str:
    """Answer open question 3: whether the bound is kept, how loose it is, whether it matters."""
    above = sum(cell.above_bound for cell in result.cells)
    prompts = sum(cell.prompts - cell.blank for cell in result.cells)
    if above:
        compared = sum(cell.compared for cell in result.cells)
        names = _listed(sorted({cell.table for cell in result.cells if cell.above_bound}))
        kept = (
            f"the relative error is above exp(−T/2κ) in {above:,} of {compared:,} comparisons, on "
            f"{names}. The bound asks for"
        )
    else:
        kept = (
            f"in none of {prompts:,} prompts of {_tables(len(result.tables))} is the relative "
            "error above exp(−T/2κ), which asks for"
        )
    slack = _span(found, lambda cell: cell.slack.at(_MIDDLE))
    few = _far_from_convergence(found, result.loops[-1])
    return (
        f"Open question 3, real tables: {kept} {slack} times the loops that an error of 1e−3 "
        f"takes (n ≈ 4 d). To predict other rows, cross-validation takes less than a tenth of "
        f"those loops on {few} of {_tables(len(found))}."
    )


def _bound(result: Result) -> str:
    """Say what the comparison with the bound shows, and with the exact error."""
    compared = sum(cell.compared for cell in result.cells)
    above = sum(cell.above_bound for cell in result.cells)
    rate = sum(cell.above_rate for cell in result.cells)
    kappas = [float(cell.kappa.value) for cell in result.cells if np.isfinite(cell.kappa.value)]
    excess = max((c.excess for c in result.cells if np.isfinite(c.excess)), default=0.0)
    deviation = max((c.deviation for c in result.cells if np.isfinite(c.deviation)), default=0.0)
    verdict = "more than" if above else "no more than"
    sharper = (
        f"was exceeded {rate:,} times" if rate else "the rate of gradient descent, is kept too"
    )
    return (
        "The bound on the relative error is a theorem for any y; what is tested is the loop in "
        f"floating point. In {compared:,} comparisons (prompts × T, median κ of a table and n "
        f"from {number(min(kappas))} to {number(max(kappas))}) the largest excess over it is "
        f"{number(max(excess, 0.0), 2)}, {verdict} rounding ({number(ROUNDING)}). "
        f"(1 − 1/κ)^T, {sharper}. The exact Σ w_i (1 − λ_i/λ_max)^T is met to "
        f"{number(deviation, 2)}."
    )


def _looseness(found: _Pairs) -> str:
    """Say how many times more loops the bound asks for than it takes, and why."""
    middle = _ends(found, lambda cell: cell.slack.at(_MIDDLE))
    strict = _span(found, lambda cell: cell.slack.at(_STRICT))
    heavy = sum(bool(cell.slowest.low > 1 / cell.d) for _, cell in found)
    return (
        f"How loose, at n nearest to 4 d: to 1e−3 the bound asks for "
        f"{middle} times the loops needed, to 1e−6 for {strict} times. A "
        "factor 2 of that is the step from (1 − 1/κ)^T to exp(−T/2κ); the rest tells how little of "
        "θ̂ lies where descent is slowest. The share of ‖θ̂‖² along the smallest eigenvalue is above "
        f"an even 1/d on {heavy} of {_tables(len(found))}."
    )


def _kappa(found: _Pairs, result: Result) -> str:
    """Say how κ compares with the limit, and how many loops it takes."""
    limited = [(table, cell) for table, cell in found if np.isfinite(cell.limit)]
    over = _times_limit(limited, lambda cell: cell.kappa)
    alone = _times_limit(limited, lambda cell: cell.shuffled_kappa)
    near = sum(_near(table, cell) for table, cell in found)
    last = sum(_near(table, result.of(table)[-1]) for table, _ in found)
    apart = sum(bool(cell.kappa.low > cell.shuffled_kappa.high) for _, cell in found)
    lead = (
        "κ of real rows comes from correlated columns"
        if apart > len(found) / 2
        else "κ of these rows is no more than that of independent columns on most tables"
    )
    loops = sorted((float(cell.needed.value[_MIDDLE]), table.name) for table, cell in found)
    quick = sum(count <= 1000 for count, _ in loops)
    return (
        f"{lead}: at n nearest to 4 d its median is {over} times Marchenko and Pastur's limit, "
        f"with each column shuffled {alone} times; κ as drawn is larger on {apart} of "
        f"{_tables(len(found))}. Within a factor 2 of κ of the whole table it is on {near} tables, "
        f"and on {last} at the largest n. An error of 1e−3 takes {number(loops[0][0])} to "
        f"{number(loops[-1][0])} loops, at most 1,000 on {quick} tables."
    )


def _times_limit(pairs: _Pairs, of: Callable[[Cell], Interval]) -> str:
    """Write the least and the largest median κ over its limit."""
    if not pairs:
        return "(nowhere finite)"
    ratios = sorted((float(of(cell).value) / cell.limit, table.name) for table, cell in pairs)
    (low, first), (high, last) = ratios[0], ratios[-1]
    return f"{number(low, 2)} ({first}) to {number(high, 2)} ({last})"


def _near(table: Whole, cell: Cell) -> bool:
    """Tell whether the interval of κ is within a factor 2 of κ of the whole table."""
    return bool(cell.kappa.high <= 2 * table.kappa and cell.kappa.low >= table.kappa / 2)


def _raw(result: Result) -> str:
    """Say what the theorem's own error does where ‖θ̂‖ ≠ 1."""
    known = [cell for cell in result.cells if cell.prompts > cell.blank]
    prompts = sum(cell.prompts - cell.blank for cell in known)
    above = sum(cell.raw_above for cell in known)
    plateaus = sorted(known, key=lambda cell: float(cell.plateau.value))
    low, high = plateaus[0], plateaus[-1]
    return (
        f"The theorem's own error |⟨v(T), θ̂⟩ − α|, which assumes ‖θ̂‖ = 1, was for α = 1 above "
        f"exp(−T/2κ) at some T in {above:,} of {prompts:,} prompts. "
        f"It ends at |‖θ̂‖² − 1|, a median of {text(low.plateau, 2)} "
        f"({low.table}, n = {low.n}) to {text(high.plateau, 2)} ({high.table}, n = {high.n}). "
        "Dividing y by ‖θ̂‖, or taking the relative error, meets the assumption."
    )


def _where_it_stops(found: _Pairs, most: int) -> str:
    """Compare bound and measurement at the T that predicts best."""
    few = _far_from_convergence(found, most)
    far = few > len(found) / 2
    lead = (
        "What predicts best is far from convergence"
        if far
        else "What predicts best is near convergence on most tables"
    )
    useless = ": the bound holds there, and does not tell which T to take" if far else ""
    return (
        f"{lead}: at n nearest to 4 d the T of cross-validation is below a tenth of the loops to "
        f"1e−3 on {few} of {_tables(len(found))}. The relative error at that T is a median "
        f"{_ends(found, lambda cell: cell.error_chosen)}; exp(−T/2κ) is "
        f"{_span(found, lambda cell: cell.bound_chosen)}{useless}."
    )


def _far_from_convergence(found: _Pairs, most: int) -> int:
    """Count the tables whose T by cross-validation is below a tenth of the loops to 1e-3.

    The largest T that was allowed tells nothing of where cross-validation would stop.
    """
    return sum(
        bool(cell.chosen.value < min(0.1 * cell.needed.value[_MIDDLE], most)) for _, cell in found
    )


def _least_squares(result: Result) -> str:
    """Say when loops with T by cross-validation beat least squares."""
    which = LEARNERS.index("least squares")
    counts = [counted(in_band(result.cells, band), "least squares") for band in range(len(BANDS))]
    shares = [count.better / count.all for count in counts if count.all]
    fewer = len(shares) > 1 and all(np.diff(shares) < 0)
    lead = (
        "The fewer rows a prompt has, the more often early stopping predicts better than least "
        "squares"
        if fewer
        else "Early stopping against least squares, test errors prompt by prompt"
    )
    (_, few), (_, many), _ = BANDS
    names = (f"n < {few:g} d", f"n up to {many:g} d", "larger n")
    bands = [
        f"with {name} better in {count.better} of {count.all} tables × n and worse in {count.worse}"
        for name, count in zip(names, counts, strict=True)
        if count.all
    ]
    known = [cell for cell in result.cells if np.isfinite(cell.ratio.value[which])]
    ordered = sorted(known, key=lambda cell: float(cell.ratio.value[which]))
    ends = " to ".join(_named(cell, which) for cell in (ordered[0], ordered[-1]))
    return (
        f"{lead}: {', '.join(bands)}; the others are not settled. The median ratio of the two "
        f"test errors, prompt by prompt, goes from {ends}."
    )


def _rivals(result: Result, found: _Pairs) -> str:
    """Say where ridge, neighbours and the mean predict better."""
    ridge, mean = LEARNERS.index("ridge"), LEARNERS.index("mean")
    total, others = counted(result.cells, "ridge"), counted(result.cells, "neighbours")
    close = sum(bool(0.95 <= cell.ratio.value[ridge] <= 1.05) for cell in result.cells)
    worse = [cell for cell in result.cells if cell.ratio.low[ridge] > 1]
    most = max(worse, key=lambda cell: float(cell.ratio.low[ridge]), default=None)
    lost = f"; the loops lose most by {_named(most, ridge)}" if most else ""
    capped = sum(bool(cell.chosen.value >= result.loops[-1]) for cell in worse)
    cap = f" In {capped} of these T is the most that was allowed." if capped else ""
    useless = _listed([table.name for table, cell in found if not cell.ratio.high[mean] < 1])
    idle = f" On {useless}, n ≈ 4 d, they are not shown to beat the mean." if useless else ""
    return (
        f"Against ridge tuned on the same folds the loops predict better in {total.better}, worse "
        f"in {total.worse} and not settled in {total.open} of {total.all} tables × n; the median "
        f"ratio of test errors is within 5 % of 1 in {close}{lost}.{cap} Against nearest "
        f"neighbours they are better in {others.better}, worse in {others.worse}.{idle}"
    )


def _open(result: Result) -> str:
    """Say what is not settled."""
    config = result.config
    blank = sum(cell.blank for cell in result.cells)
    left = f" In {blank:,} of the prompts y was constant: no relative error." if blank else ""
    count = len(result.cells)
    chance = (1 - CONFIDENCE) / 2 * count
    return (
        f"Not settled: {_tables(len(result.tables))}, most of them small, are no sample of real "
        "data, and the choice of targets is ours. Intervals are over random prompts of one table; "
        f"of {count} equal medians about {chance:.0f} would look better by chance, as many worse. "
        "Rows in order of time are drawn as if exchangeable. T was chosen among numbers √2 apart "
        f"up to {config.loops[-1]:,}, with the step 1/λ_max only.{left}"
    )


def _named(cell: Cell, which: int) -> str:
    """Write a ratio of test errors with its interval, and where it was measured."""
    value, low, high = (number(float(part)) for part in cell.ratio.at(which))
    return f"{value} ({low} to {high}; {cell.table}, n = {cell.n})"


def _ends(found: _Pairs, of: Callable[[Cell], Interval]) -> str:
    """Write the least and the largest median of the tables, with their intervals."""
    low, high = _extremes(found, of)
    if len(found) == 1:
        return _estimate(of(low[1]))
    return f"{_estimate(of(low[1]))} ({low[0].name}) to {_estimate(of(high[1]))} ({high[0].name})"


def _span(found: _Pairs, of: Callable[[Cell], Interval]) -> str:
    """Write the least and the largest median of the tables, or the only one with its interval."""
    low, high = _extremes(found, of)
    if len(found) == 1:
        return _estimate(of(low[1]))
    return f"{number(float(of(low[1]).value))} to {number(float(of(high[1]).value))}"


def _estimate(interval: Interval) -> str:
    """Write an estimate with its interval, alone where that has no width."""
    return text(interval) if interval.low < interval.high else number(float(interval.value))


def _extremes(
    found: _Pairs, of: Callable[[Cell], Interval]
) -> tuple[tuple[Whole, Cell], tuple[Whole, Cell]]:
    ordered = sorted(found, key=lambda pair: float(of(pair[1]).value))
    return ordered[0], ordered[-1]


def _listed(names: Sequence[str]) -> str:
    """Write up to three names, and how many more there are."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _tables(count: int) -> str:
    return "one table" if count == 1 else f"{count} tables"
