"""The tables of the condition study."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from loopcore.studies.condition.measure import bound_loops
from loopcore.studies.frame.intervals import Interval, number
from loopcore.studies.frame.study import Sheet

if TYPE_CHECKING:
    from loopcore.studies.condition.result import Result


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
            row.append(fixed(float(result.predicted_growth[k, i])))
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


def _short(kind: int) -> str:
    return f"t{kind}" if kind else "N"


def _cell(value: float, none: str = "–") -> str:
    if np.isnan(value):
        return "–"
    if np.isinf(value):
        return none if none != "–" else "∞"
    return number(value)


def fixed(value: float) -> str:
    """Write a number to a hundredth."""
    # 0.0 + takes the sign of a zero away
    return "–" if np.isnan(value) else f"{0.0 + round(value, 2):.2f}".replace("-", "−")


def _bracket(interval: Interval) -> str:
    if np.isnan(interval.value):
        return "–"
    return f"{fixed(float(interval.low))}…{fixed(float(interval.high))}"
