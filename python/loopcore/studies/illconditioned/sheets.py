"""The tables of the ill-conditioned study."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from loopcore.studies.frame.intervals import Interval, number
from loopcore.studies.frame.study import Sheet
from loopcore.studies.illconditioned.config import DIRECTIONS, KINDS
from loopcore.studies.illconditioned.limits import theory_rate

if TYPE_CHECKING:
    from loopcore.studies.illconditioned.result import Result

_RANDOM, _WORST = (DIRECTIONS.index(name) for name in ("random", "worst"))
_LOG_UNIFORM, _TWO_POINT = (KINDS.index(name) for name in ("log-uniform", "two-point"))
_U = 2.0**-53


def sheets(result: Result) -> tuple[Sheet, ...]:
    """Lay out rates, loops, floors and their powers."""
    return _rate_sheet(result), _loops_sheet(result), _floor_sheet(result), _power_sheet(result)


def _rate_sheet(result: Result) -> Sheet:
    theory = theory_rate(np.array(result.config.kappas))
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
        rows.append((number(kappa), number(kappa * _U, 2), *cells, data))
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
