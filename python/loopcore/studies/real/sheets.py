"""The tables of the study on real tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from loopcore.studies.frame.intervals import Interval, number
from loopcore.studies.frame.study import Sheet
from loopcore.studies.real.cells import Cell, Whole
from loopcore.studies.real.measure import LEARNERS, TOLERANCES
from loopcore.studies.real.pooled import nearest, typical

if TYPE_CHECKING:
    from loopcore.studies.real.result import Result


def sheets(result: Result) -> tuple[Sheet, ...]:
    """Lay out the tables, how fast the loops converge on them, and how well they predict."""
    rows = [(table, typical(result.of(table))) for table in result.tables]
    found = [(table, cell) for table, cell in rows if cell is not None]
    return (
        _tables(result.tables),
        _convergence(found),
        _prediction(found, result.loops[-1]),
        _against_n(result),
    )


def _tables(tables: tuple[Whole, ...]) -> Sheet:
    return Sheet(
        "The tables: rows N, features d, κ of the features, R² of least squares on all",
        ("table", "target", "N", "d", "κ", "R²"),
        tuple(
            (
                table.name,
                table.target[:22],
                f"{table.n:,}",
                f"{table.d}",
                number(table.kappa),
                f"{table.explained:.2f}",
            )
            for table in tables
        ),
    )


def _convergence(found: list[tuple[Whole, Cell]]) -> Sheet:
    loosest = TOLERANCES.index(0.1)
    middle = TOLERANCES.index(1e-3)
    strictest = TOLERANCES.index(1e-6)
    return Sheet(
        "Convergence, n nearest to 4 d: medians over prompts; loops asked for by the\n"
        "bound over loops needed, to a relative error of 0.1, 1e-3 (loops) and 1e-6",
        ("table", "n", "rank", "κ", "shuffled", "loops", "0.1", "1e-3", "1e-6", "|‖θ̂‖²−1|"),
        tuple(
            (
                table.name[:14],
                f"{cell.n}",
                number(float(cell.rank.value)),
                number(float(cell.kappa.value)),
                number(float(cell.shuffled_kappa.value)),
                number(float(cell.needed.value[middle])),
                *(f"{cell.slack.value[i]:.3g}" for i in (loosest, middle, strictest)),
                f"{float(cell.plateau.value):.2g}",
            )
            for table, cell in found
        ),
    )


def _prediction(found: list[tuple[Whole, Cell]], most: int) -> Sheet:
    which = [i for i, name in enumerate(LEARNERS) if name not in {"best T", "mean"}]
    return Sheet(
        "Test error over the variance of y, n nearest to 4 d: medians over prompts;\n"
        "T by cross-validation, * the most that was allowed",
        ("table", "n", "T", "loops", "l. sq.", "ridge", "near.", "loops / l. sq."),
        tuple(
            (
                table.name[:14],
                f"{cell.n}",
                number(float(cell.chosen.value)) + ("*" if cell.chosen.value >= most else ""),
                *(f"{cell.learners.value[i]:.3f}" for i in which),
                _ratio(cell.ratio.at(LEARNERS.index("least squares"))),
            )
            for table, cell in found
        ),
    )


def _ratio(interval: Interval) -> str:
    value, low, high = (float(part) for part in interval)
    return f"{value:.2f} ({low:.2f} to {high:.2f})" if np.isfinite(value) else "–"


def _against_n(result: Result) -> Sheet:
    rows = []
    for table in result.tables:
        cells = result.of(table)
        if cells:
            three = (nearest(cells, 1.0), nearest(cells, 2.0), cells[-1])
            rows.append((table.name[:14], *map(_two, three)))
    return Sheet(
        "Test error over the variance of y, as n: loops | least squares",
        ("table", "n nearest to d", "n nearest to 2 d", "largest n"),
        tuple(rows),
    )


def _two(cell: Cell | None) -> str:
    """Write n, the test error of the loops and that of least squares."""
    if cell is None:
        return "–"
    loops, squares = (cell.learners.value[LEARNERS.index(k)] for k in ("loops", "least squares"))
    return f"{cell.n}: {loops:.3f} | {squares:.3f}"
