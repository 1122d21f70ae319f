"""What the noise study found, in sentences and tables made from its numbers."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from loopcore.studies.intervals import Interval, number, text
from loopcore.studies.noise.config import Array
from loopcore.studies.noise.figure import FLOW_BOUND, finite
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
from loopcore.studies.study import Sheet

_SMALL_GAIN = 0.01
_ROWS = 15


def findings(result: Result) -> tuple[str, ...]:
    """Say in sentences what the numbers show.

    Parameters
    ----------
    result : Result
        What `compute` gave.

    Returns
    -------
    tuple of str
        The first ones answer the question, the last one says what is left open.
    """
    return (
        _about_error(result),
        _about_oracle(result),
        _about_flow(result),
        _about_best(result),
        _about_limit(result),
        _about_tuning(result),
        _about_folds(result),
        _about_checks(result),
    )


def _about_error(result: Result) -> str:
    ratios, (first, _, last) = finite(result), ends(result.config)
    widest = max(result.cells, key=lambda cell: cell.n / cell.d)
    cells = [result.square] if widest is result.square else [result.square, widest]
    said = [
        f"at {_shape(cell)} and SNR {number(ratios[s])} T → ∞ has {text(cell.medians.at(s, LIMIT))}"
        f", the oracle T = {number(cell.oracle[s])} {text(cell.medians.at(s, ORACLE))}, ridge with "
        f"Bayes' penalty {text(cell.medians.at(s, RIDGE))}"
        for cell in cells
        for s in (first, last)
    ]
    return (
        "Open question 4, median excess risk in units of Var(xθ*), where no loop at all has 1: "
        f"{'; '.join(said)}."
    )


def _about_oracle(result: Result) -> str:
    ratios, (first, _, _) = finite(result), ends(result.config)
    over = [cell.over_ridge.at(slice(0, len(ratios)), ORACLE) for cell in result.cells]
    values = np.stack([one.value for one in over])  # (shapes, S')
    c, s = np.unravel_index(np.nanargmax(values), values.shape)
    later_c, later_s = np.unravel_index(np.nanargmax(values[:, first:]), values[:, first:].shape)
    later = over[later_c].at(first + int(later_s))
    said = [
        f"{_fixed(cell.over_ridge.at(first, LIMIT))} at {_shape(cell)}"
        for cell in _named(result)
        if np.isfinite(cell.over_ridge.value[first, LIMIT])
    ]
    beside = f"; T → ∞ has, at SNR {number(ratios[first])}, {', '.join(said)}" if said else ""
    return (
        "How much early stopping recovers: one T for all tasks, known from n, d and SNR alone, has "
        f"at most {_fixed(over[c].at(int(s)))} times the mean risk of ridge with Bayes' penalty, "
        f"at {_shape(result.cells[c])} and SNR {number(ratios[s])}, and from SNR "
        f"{number(ratios[first])} on at most {_fixed(later)} times{beside}. At n = d the mean risk "
        "of T → ∞ does not exist."
    )


def _about_flow(result: Result) -> str:
    flow, least, calibrated = (
        np.stack([getattr(cell, name)[..., -1] for cell in result.cells])
        for name in ("flow", "least", "calibrated")
    )  # (shapes, S)
    most = float(np.nanmax(flow))
    kept = f"within the {FLOW_BOUND}" if most <= FLOW_BOUND else f"above the {FLOW_BOUND}"
    whole, where = _largest(result, least)
    rule, where_rule = _largest(result, calibrated)
    covered = (
        f"above {FLOW_BOUND}, which is not proved for such long steps: between no loop and one "
        "there is nothing"
        if whole > FLOW_BOUND
        else f"below {FLOW_BOUND} too, though that is not proved for such long steps"
    )
    return (
        "By closed form, given X, gradient flow stopped at the best time has at most "
        f"{number(most, 4)} times the risk of the best ridge on any X drawn, {kept} that Ali, "
        "Kolter and Tibshirani (2019) prove. Whole loops of η = 1/λ_max at their best T have up to "
        f"{number(whole, 4)} times ({where}), {covered}. T = SNR λ_max/d, which needs no tuning, "
        f"has up to {number(rule, 4)} times ({where_rule})."
    )


def _about_best(result: Result) -> str:
    ratios, (first, middle, last) = finite(result), ends(result.config)
    low, mid, high = (number(ratios[s]) for s in (first, middle, last))
    each = [
        f"{_fixed(cell.exponents.at(0))} and {_fixed(cell.exponents.at(1))} at {_shape(cell)}"
        for cell in _named(result)
    ]
    slower = sum(bool(cell.exponents.high[1] < cell.exponents.low[0]) for cell in result.cells)
    count = "all" if slower == len(result.cells) else f"{slower} of {len(result.cells)}"
    square = result.square.calibration
    twins = [
        f"; at {_shape(b)} it is {number(b.best.value[middle])} at SNR {mid}, at {_shape(a)} "
        f"{number(a.best.value[middle])}"
        for a in result.cells
        for b in result.cells
        if a.n * b.d == b.n * a.d and a.d < b.d
    ]
    return (
        f"The best T grows like SNR^p with p, from SNR {low} to {mid} and from there to {high}, "
        f"{'; '.join(each)}; it is smaller at high SNR for {count} shapes. Where SNR λ_min/d is "
        "above 1, what is left of θ* falls exponentially in T, so that T need only grow like log "
        f"SNR, while ridge's best penalty falls like 1/SNR. At {_shape(result.square)} the best T "
        f"is {text(square.at(first))} times SNR λ_max/d at SNR {low}, and {text(square.at(last))} "
        f"times at {high}{''.join(twins)}."
    )


def _about_limit(result: Result) -> str:
    ratios = finite(result)
    said = []
    for cell in _named(result):
        small = np.flatnonzero(cell.gain.high[: len(ratios)] < _SMALL_GAIN)
        if len(small):
            said.append(f"from SNR {number(ratios[small[0]])} on at {_shape(cell)}")
        else:
            gain = cell.gain.value[len(ratios) - 1]
            said.append(
                f"at no SNR tried at {_shape(cell)} (stopping still saves {100 * gain:.2g} % at "
                f"{number(ratios[-1])})"
            )
    return (
        f"T → ∞ costs less than {100 * _SMALL_GAIN:.0f} % beside the best T, in the median over X, "
        f"{'; '.join(said)}. It is best without noise alone: with any, by closed form, the "
        "variance that stopping saves is linear in the small (1 − ηλ)^T, and the bias it adds "
        "quadratic."
    )


def _about_tuning(result: Result) -> str:
    _, middle, _ = ends(result.config)
    each = [
        f"{_fixed(cell.cost.at(middle))} and {_fixed(cell.upper_cost.at(middle))} at {_shape(cell)}"
        for cell in _named(result)
    ]
    shares = [cell.better.at(s) for cell in result.cells for s in range(len(finite(result)))]
    loops = sum(bool(share.low > 0.5) for share in shares)
    ridge = sum(bool(share.high < 0.5) for share in shares)
    against = [f"{_fixed(c.against_ridge.at(middle))} at {_shape(c)}" for c in _named(result)]
    return (
        f"What cross-validation costs at SNR {number(result.config.ratios[middle])}, its error "
        f"over that with the oracle T, median and 95 % quantile over tasks: {'; '.join(each)}. "
        "Over the error of ridge tuned on the same folds among as many candidates it is, in the "
        f"median, {'; '.join(against)}. Of the {len(shares)} pairs of shape and SNR, tuned ridge "
        f"is better on most tasks in {ridge}, tuned loops in {loops}; "
        f"{len(shares) - ridge - loops} are not settled."
    )


def _about_folds(result: Result) -> str:
    ratios, said, short = result.config.ratios, [], []
    for cell in result.cells:
        worse = np.flatnonzero(_worse(cell))
        if len(worse):
            first, last = ratios[worse[0]], ratios[worse[-1]]
            since = f"from SNR {number(first)} on" if math.isfinite(first) else "without noise"
            at = f"at SNR {number(last)}, " if math.isfinite(last) else "without noise, "
            at = at if len(worse) > 1 else ""
            pair = cell.medians.at(int(worse[-1]))
            said.append(
                f"{since} at {_shape(cell)} ({at}medians {text(pair.at(TUNED))} beside "
                f"{text(pair.at(LIMIT))})"
            )
            if cell.n >= cell.d > cell.n - cell.n / result.config.folds:
                short.append(_shape(cell))
    if not said:
        return "The cross-validated T is nowhere worse than T → ∞ in the median task."
    why = (
        f" At {' and '.join(short)} its folds keep fewer examples than there are dimensions, where "
        "T → ∞ is another estimator."
        if short
        else ""
    )
    return f"The cross-validated T is worse than T → ∞ {'; '.join(said)}.{why}"


def _worse(cell: Cell) -> npt.NDArray[np.bool_]:
    """Tell at which SNR the cross-validated T is worse than T → ∞, settled by intervals, (S,)."""
    medians = cell.medians
    return np.asarray(medians.low[:, TUNED] > medians.high[:, LIMIT] + 1e-12)


def _about_checks(result: Result) -> str:
    kept = slice(0, len(finite(result))), slice(1, -1)  # finite SNR and T
    gaps = []
    for cell in result.cells:
        value, low, high = cell.measured.at(*kept)
        gaps.append(np.abs(value - cell.expected[kept]) / ((high - low) / 2))
    deviation = max(cell.deviation for cell in result.cells)
    return (
        f"Loops and closed form agree to {number(deviation, 2)} in θ, and mean errors are at most "
        f"{max(float(gap.max()) for gap in gaps):.2g} half widths of their intervals from the "
        f"closed form, over all shapes, SNR and T ({sum(gap.size for gap in gaps):,}, those of one "
        "shape on the same tasks). Not settled here: other spectra and priors of θ*, where both "
        "the best ridge and the oracle T are others; other steps than 1/λ_max; other folds and "
        f"rules of choice; d above {max(cell.d for cell in result.cells)}."
    )


def _named(result: Result) -> tuple[Cell, ...]:
    """Return the shapes that sentences go through."""
    return result.cells[:4]


def _largest(result: Result, values: Array) -> tuple[float, str]:
    c, s = np.unravel_index(np.nanargmax(values), values.shape)
    where = f"{_shape(result.cells[c])}, SNR {_infinite(float(result.config.ratios[s]))}"
    return float(values[c, s]), where


def _shape(cell: Cell) -> str:
    if cell.n == cell.d:
        return f"n = d = {cell.n}"
    return f"n = {cell.n}, d = {cell.d}"


def _fixed(interval: Interval) -> str:
    """Write a ratio near one, or an exponent, with two decimals."""
    value, low, high = (f"{float(part):.2f}".replace("-", "−") for part in interval)
    return f"{value} ({low} to {high})"


# ---- tables -------------------------------------------------------------------------------------


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
            "Cross-validated T: 95 % quantile of its error over that with the oracle T",
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
        (_infinite(ratio), *(_infinite(write(cell, s)) for cell in result.cells))
        for s, ratio in enumerate(result.config.ratios)
    ]
    return Sheet(f"{title}, by n×d", columns, tuple(rows[-_ROWS:]))


def _infinite(value: float | str) -> str:
    written = number(value) if isinstance(value, float) else value
    return {"inf": "∞", "nan": "–"}.get(written, written)
