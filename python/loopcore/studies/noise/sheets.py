"""The tables of the noise study."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from loopcore.studies.frame.intervals import number
from loopcore.studies.frame.study import Sheet
from loopcore.studies.noise.figure import finite
from loopcore.studies.noise.result import Result
from loopcore.studies.noise.summary import (
    LIMIT,
    ORACLE,
    RIDGE,
    RIDGE_TUNED,
    TUNED,
    Cell,
    ends,
)

_ROWS = 15


def sheets(result: Result) -> tuple[Sheet, ...]:
    """Lay out risks, best T, the oracle beside ridge, and what cross-validation costs.

    Parameters
    ----------
    result : Result
        What `compute` gave.

    Returns
    -------
    tuple of Sheet
    """
    return (
        _risks(result),
        _by_ratio(result, "Oracle T: one for all tasks", lambda cell, s: number(cell.oracle[s])),
        _by_ratio(
            result,
            "Mean excess risk with the oracle T over ridge with Bayes' penalty",
            lambda cell, s: number(cell.over_ridge.value[s, ORACLE], 4),
        ),
        _by_ratio(
            result,
            "95 % quantile of the error of the cross-validated T over the oracle's",
            lambda cell, s: number(cell.upper_cost.value[s]),
        ),
    )


def _risks(result: Result) -> Sheet:
    ratios = finite(result)
    count = min(max(_ROWS // len(result.cells), 1), len(ratios))
    first, _, last = ends(result.config)
    shown = np.unique(np.linspace(last, first, count).round().astype(int))
    methods = (LIMIT, ORACLE, TUNED, RIDGE, RIDGE_TUNED)
    names = ("T → ∞", "oracle", "tuned T", "ridge", "tuned ridge")
    rows = [
        (
            str(cell.n),
            str(cell.d),
            number(ratios[s]),
            *(number(cell.medians.value[s, method]) for method in methods),
        )
        for cell in result.cells
        for s in shown
    ]
    return Sheet("Median excess risk", ("n", "d", "SNR", *names), tuple(rows[:_ROWS]))


def _by_ratio(result: Result, title: str, write: Callable[[Cell, int], str]) -> Sheet:
    columns = ("SNR", *(f"{cell.n}×{cell.d}" for cell in result.cells))
    rows = [
        (infinite(ratio), *(infinite(write(cell, s)) for cell in result.cells))
        for s, ratio in enumerate(result.config.ratios)
    ]
    return Sheet(f"{title}, by n×d", columns, tuple(rows[-_ROWS:]))


def infinite(value: float | str) -> str:
    """Write a number, or what is written of one, with a sign for infinity and for none."""
    written = number(value) if isinstance(value, float) else value
    return {"inf": "∞", "nan": "–"}.get(written, written)
