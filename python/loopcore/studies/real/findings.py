"""What the numbers of the study on real tables say, in sentences."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from loopcore.studies.intervals import Interval, number, text
from loopcore.studies.real.cells import Cell, Whole
from loopcore.studies.real.measure import LEARNERS, TOLERANCES
from loopcore.studies.real.pooled import counted, in_band, typical

if TYPE_CHECKING:
    from loopcore.studies.real.result import Result

_Pairs = list[tuple[Whole, Cell]]


def findings(result: Result) -> tuple[str, ...]:
    """Say what was found: the bound, how loose it is, κ, the raw error, prediction, what is open.

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
        _bound(result),
        _looseness(found),
        _kappa(found, result),
        _raw(result),
        _early_stopping(result),
        _ridge(result),
        _where_it_stops(found),
        _open(result),
    )


def _bound(result: Result) -> str:
    """Answer open question 3: whether the bound is ever broken."""
    compared = sum(cell.compared for cell in result.cells)
    prompts = sum(cell.prompts - cell.blank for cell in result.cells)
    above = sum(cell.above_bound for cell in result.cells)
    rate = sum(cell.above_rate for cell in result.cells)
    kappas = [float(cell.kappa.value) for cell in result.cells if np.isfinite(cell.kappa.value)]
    where = (
        f"{prompts:,} prompts of {_tables(len(result.tables))} (median κ of a table and n from "
        f"{number(min(kappas))} to {number(max(kappas))})"
    )
    excess = max((c.excess for c in result.cells if not math.isnan(c.excess)), default=math.nan)
    deviation = max(
        (c.deviation for c in result.cells if not math.isnan(c.deviation)), default=math.nan
    )
    if above:
        names = sorted({cell.table for cell in result.cells if cell.above_bound})
        verdict = (
            f"the relative error was above exp(−T/2κ) in {above:,} of {compared:,} comparisons, "
            f"by up to {number(excess, 2)}, on {', '.join(names)}; in {where}"
        )
    else:
        verdict = (
            f"the relative error was never above exp(−T/2κ), in {where}, {compared:,} "
            f"comparisons; the largest excess, {number(max(excess, 0.0), 2)}, is rounding"
        )
    sharper = (
        f"The sharper (1 − 1/κ)^T was exceeded {rate:,} times."
        if rate
        else "The sharper (1 − 1/κ)^T was never exceeded either."
    )
    exact = (
        f"The measured errors follow the exact Σ w_i (1 − λ_i/λ_max)^T to {number(deviation, 2)}."
    )
    return f"Open question 3, real tables: {verdict}. {sharper} {exact}"


def _looseness(found: _Pairs) -> str:
    """Say how many times more loops the bound asks for than it takes."""
    parts = []
    for i, tolerance in enumerate(TOLERANCES):
        ordered = sorted(found, key=lambda pair: float(pair[1].slack.value[i]))
        middle = float(ordered[(len(ordered) - 1) // 2][1].slack.value[i])
        low, high = ordered[0], ordered[-1]
        parts.append(
            f"{number(tolerance)}: {number(middle)} times, from "
            f"{text(low[1].slack.at(i))} on {low[0].name} to {text(high[1].slack.at(i))} on "
            f"{high[0].name}"
            if len(found) > 1
            else f"{number(tolerance)}: {text(low[1].slack.at(i))} times"
        )
    strict = [float(cell.slack.value[-1]) for _, cell in found]
    mostly = sum(slack <= 3 for slack in strict)
    heavy = sum(bool(cell.slowest.low > 1 / cell.d) for _, cell in found)
    why = (
        "much of θ̂ lies where gradient descent is slowest"
        if heavy > len(found) / 2
        else "θ̂ does not lie along the smallest eigenvalue more than an even spread would"
    )
    return (
        "How loose: at n nearest to 4 d the bound asks for more loops than it takes to a relative "
        f"error of {'; '.join(parts)} (middle and ends of the tables' medians). A factor 2 is the "
        f"step from (1 − 1/κ)^T to exp(−T/2κ), and on {mostly} of {len(found)} tables no more than "
        f"another half is left at {number(TOLERANCES[-1])}. The share of ‖θ̂‖² along the smallest "
        f"eigenvalue is a median {_ends(found, lambda cell: cell.slowest)}, above the 1/d of an "
        f"even spread on {heavy} of {len(found)} tables: {why}."
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
    middle = TOLERANCES.index(1e-3)
    loops = sorted((float(cell.needed.value[middle]), table.name) for table, cell in found)
    quick = sum(count <= 1000 for count, _ in loops)
    deficient = [cell for cell in result.cells if cell.rank.value < min(cell.n - 1, cell.d)]
    return (
        f"{lead}: at n nearest to 4 d its median is {over} times Marchenko and Pastur's limit, "
        f"but {alone} times where each column has rows "
        f"of its own (κ as drawn is larger on {apart} of {len(found)} tables). It is within a "
        f"factor 2 of κ of the whole table (both ends of the interval) on {near} of {len(found)} "
        f"tables at that n, and on {last} at the largest n. A relative error of 1e-3 "
        f"takes {number(loops[0][0])} loops ({loops[0][1]}) to {number(loops[-1][0])} "
        f"({loops[-1][1]}), at most 1,000 on {quick} of {len(found)} tables. "
        f"The median rank is min(n − 1, d) but in {len(deficient)} of "
        f"{len(result.cells)} tables × n, where columns are constant in a prompt or depend on "
        "each other."
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


def _early_stopping(result: Result) -> str:
    """Say when loops with T by cross-validation beat least squares."""
    which = LEARNERS.index("least squares")
    wins = [
        _verdict(in_band(result.cells, 0), "least squares", "with fewer than 1.75 d rows a prompt"),
        _verdict(in_band(result.cells, 1), "least squares", "with 1.75 d to 6 d"),
        _verdict(in_band(result.cells, 2), "least squares", "with more"),
    ]
    known = [cell for cell in result.cells if np.isfinite(cell.ratio.value[which])]
    best = min(known, key=lambda cell: float(cell.ratio.value[which]))
    lost = [
        f"{cell.table} (n = {cell.n}: {text(cell.ratio.at(which))})"
        for cell in sorted(known, key=lambda cell: -float(cell.ratio.low[which]))
        if cell.ratio.low[which] > 1
    ][:3]
    losses = f" The loops lose most on {', '.join(lost)}." if lost else ""
    return (
        "Early stopping against least squares, test errors compared prompt by prompt: "
        f"{'; '.join(wins)}. The least ratio of test errors is {text(best.ratio.at(which))}, "
        f"on {best.table} with n = {best.n}.{losses}"
    )


def _ridge(result: Result) -> str:
    """Say where ridge, and neighbours, predict better."""
    ridge, near = LEARNERS.index("ridge"), LEARNERS.index("neighbours")
    total = counted(result.cells, "ridge")
    values = [
        float(c.ratio.value[ridge]) for c in result.cells if np.isfinite(c.ratio.value[ridge])
    ]
    close = sum(0.95 <= value <= 1.05 for value in values)
    gains = _most(result.cells, ridge, better=False)
    losses = _most(result.cells, ridge, better=True)
    ended = [cell for cell in result.cells if cell.ratio.low[ridge] > 1]
    capped = sum(bool(cell.chosen.value >= result.loops[-1]) for cell in ended)
    cap = f" (in {capped} of them T is the most that was allowed)" if capped else ""
    others = counted(result.cells, "neighbours")
    beaten = sorted({c.table for c in result.cells if c.ratio.low[near] > 1})
    local = f" ({', '.join(beaten)})" if beaten else ""
    return (
        f"Against ridge tuned on the same folds the loops are better in {total.better}, worse in "
        f"{total.worse}{cap} and not settled in {total.open} of {total.all} tables × n; the "
        f"median ratio is within 5 % of 1 in {close}. Ridge wins most on {gains}; the loops on "
        f"{losses}. Against nearest neighbours they are better in {others.better}, worse in "
        f"{others.worse}{local}."
    )


def _where_it_stops(found: _Pairs) -> str:
    """Compare bound and measurement at the T that predicts best."""
    middle = TOLERANCES.index(1e-3)
    share = sorted(float(cell.chosen.value) / float(cell.needed.value[middle]) for _, cell in found)
    few = sum(part < 0.1 for part in share)
    promised = _ends(found, lambda cell: cell.bound_chosen)
    measured = _ends(found, lambda cell: cell.error_chosen)
    mean = LEARNERS.index("mean")
    useless = [table.name for table, cell in found if not cell.ratio.high[mean] < 1]
    idle = (
        f" On {', '.join(useless)} they are not shown to beat the mean of y at that n."
        if useless
        else ""
    )
    far = few > len(found) / 2
    lead = (
        "What predicts best is far from convergence"
        if far
        else "What predicts best is near convergence on most tables"
    )
    return (
        f"{lead}: at n nearest to 4 d the T of cross-validation is below a tenth of the loops to "
        f"1e-3 on {few} of {len(found)} tables. At that T the relative error is a median "
        f"{measured}, and exp(−T/2κ) {promised}"
        f"{': the bound holds there but says nothing of which T to take' if far else ''}.{idle}"
    )


def _open(result: Result) -> str:
    """Say what is not settled."""
    config = result.config
    blank = sum(cell.blank for cell in result.cells)
    left = f" {blank:,} prompts had a constant y, and no relative error." if blank else ""
    return (
        f"Not settled: {_tables(len(result.tables))}, most of them small, are no sample of real "
        "data, and their targets are our choice; intervals are over random prompts of one table, "
        "which share rows, and are not corrected for how many there are; rows in order of time "
        "(longley, macrodata, elnino) are drawn as if exchangeable, so that test rows lie between "
        f"the prompt's; T was chosen among numbers √2 apart up to {config.loops[-1]:,}, with the "
        f"step 1/λ_max only, and features were taken as they are.{left}"
    )


def _verdict(cells: Sequence[Cell], learner: str, when: str) -> str:
    if not cells:
        return f"{when} nothing was measured"
    count = counted(cells, learner)
    return (
        f"{when} the loops predict better in {count.better} of {count.all} tables × n, worse in "
        f"{count.worse}, not settled in {count.open}"
    )


def _most(cells: Sequence[Cell], which: int, *, better: bool) -> str:
    """Name the three cells where the loops are the most below, or above, another learner."""

    def edge(cell: Cell) -> float:
        return float(cell.ratio.high[which] if better else -cell.ratio.low[which])

    settled = [cell for cell in cells if (edge(cell) < 1 if better else edge(cell) < -1)]
    if not settled:
        return "none for certain"
    named = [
        f"{cell.table} (n = {cell.n}: {text(cell.ratio.at(which))})"
        for cell in sorted(settled, key=edge)[:3]
    ]
    return ", ".join(named)


def _ends(found: _Pairs, of: Callable[[Cell], Interval]) -> str:
    """Write the least and the largest median of the tables, with their intervals."""
    ordered = sorted(found, key=lambda pair: float(of(pair[1]).value))
    low, high = ordered[0], ordered[-1]
    if len(found) == 1:
        return text(of(low[1]))
    return f"{text(of(low[1]))} ({low[0].name}) to {text(of(high[1]))} ({high[0].name})"


def _tables(count: int) -> str:
    return "one table" if count == 1 else f"{count} tables"
