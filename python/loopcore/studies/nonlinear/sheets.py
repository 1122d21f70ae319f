"""The tables of the nonlinear study."""

from __future__ import annotations

import math

from loopcore.studies.frame.intervals import number
from loopcore.studies.frame.study import Sheet
from loopcore.studies.nonlinear.config import METHODS, RIDGE, least_error
from loopcore.studies.nonlinear.result import Result, Score

EXACT = 1e-12
"""Of Var(y): rounding, and κ times that."""


def sheets(result: Result) -> tuple[Sheet, ...]:
    """Lay out errors by n, and the tuned settings.

    Parameters
    ----------
    result : Result
        What `compute` gave.

    Returns
    -------
    tuple of Sheet
    """
    dims = (result.config.dims[0], result.config.middle, result.config.dims[-1])
    return (*(_errors(result, d) for d in sorted(set(dims))), _tuned(result))


def _errors(result: Result, d: int) -> Sheet:
    cells = result.quadratic(d)
    columns = ("n =", *(str(cell.n) for cell in cells))
    rows = [
        (method, *(_written(cell.scores.get(method)) for cell in cells))
        for method in METHODS
        if method != RIDGE
    ]
    bounds = ("least of any", *(small(least_error(cell.n, d)) for cell in cells))
    return Sheet(f"Mean error over Var(y), quadratic, d = {d}", columns, (*rows, bounds))


def _written(score: Score | None) -> str:
    return "–" if score is None else small(float(score.error.value))


def small(value: float) -> str:
    """Write an error in at most six characters, so that tables of many n fit."""
    if value < EXACT:
        return "0"
    if value >= 1e-3:
        return number(value, 2 if value < 0.1 else 3)
    mantissa, exponent = f"{value:.1e}".split("e")
    return "<1e−6" if value < 1e-6 else f"{mantissa}e−{-int(exponent)}"


def _tuned(result: Result) -> Sheet:
    cell = result.quadratic(result.config.middle, *METHODS)[-1]
    rows = [
        (
            method,
            f"{score.loops:,}" if score.loops else "–",
            _or_dash(score.step),
            _or_dash(score.width),
            small(float(score.error.value)),
            small(float(score.median.value)),
        )
        for method, score in cell.scores.items()
    ]
    title = f"As tuned, quadratic, d = {cell.d}, n = {cell.n}"
    return Sheet(title, ("method", "T", "η λ_max", "width", "error", "median"), tuple(rows))


def _or_dash(value: float) -> str:
    return "–" if math.isnan(value) else number(value)
