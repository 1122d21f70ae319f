"""What the noise study found, in sentences made from its numbers."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from loopcore.studies.frame.intervals import Interval, number, text
from loopcore.studies.noise.config import Array
from loopcore.studies.noise.figure import FLOW_BOUND, finite
from loopcore.studies.noise.result import Result
from loopcore.studies.noise.sheets import infinite
from loopcore.studies.noise.summary import LIMIT, ORACLE, TUNED, Cell, ends

_SMALL_GAIN = 0.01
_EXACT = 1e-20  # of Var(xθ*): rounding


def findings(result: Result) -> tuple[str, ...]:
    """Say in sentences what the numbers show.

    Parameters
    ----------
    result : Result
        What `compute` gave.

    Returns
    -------
    tuple of str
        The first one answers the question, the last one says what is left open.
    """
    return (
        _answer(result),
        _about_stopping(result),
        _about_flow(result),
        _about_growth(result),
        _about_rule(result),
        _about_limit(result),
        _about_tuning(result),
        _about_folds(result),
        _about_checks(result),
    )


def _answer(result: Result) -> str:
    ratios, (first, _, last) = finite(result), ends(result.config)
    cell = result.square
    grown = "grows" if cell.oracle[last] > cell.oracle[first] else "goes"
    over = np.stack([one.over_ridge.value[: len(ratios), ORACLE] for one in result.cells])
    c, s = np.unravel_index(np.nanargmax(over), over.shape)
    most = result.cells[c].over_ridge.at(int(s), ORACLE)
    return (
        f"Open question 4: at {_shape(cell)} the best T {grown} from "
        f"{infinite(cell.oracle[first])} at SNR {number(ratios[first])} to "
        f"{infinite(cell.oracle[last])} at {number(ratios[last])}, and the median excess risk with "
        f"it from {text(cell.medians.at(first, ORACLE))} to {text(cell.medians.at(last, ORACLE))} "
        f"of Var(xθ*). Over all shapes and SNR one T for all tasks has at most {_fixed(most)} "
        "times the mean risk of the best ridge."
    )


def _about_stopping(result: Result) -> str:
    ratios, (first, _, _) = finite(result), ends(result.config)
    later = np.stack([c.over_ridge.value[first : len(ratios), ORACLE] for c in result.cells])
    c, s = np.unravel_index(np.nanargmax(later), later.shape)
    most = result.cells[c].over_ridge.at(first + int(s), ORACLE)
    said = [
        f"{_fixed(cell.over_ridge.at(first, LIMIT))} at {_shape(cell)}"
        for cell in _named(result)
        if np.isfinite(cell.over_ridge.value[first, LIMIT])
    ]
    beside = f"; T → ∞ has, at SNR {number(ratios[first])}, {', '.join(said)}" if said else ""
    square = result.square
    mean = "; its mean does not exist" if abs(square.n - square.d) < 2 else ""
    return (
        "How much stopping recovers: from SNR "
        f"{number(ratios[first])} on the best T has at most {_fixed(most)} times the mean risk of "
        f"ridge with Bayes' penalty{beside}. At {_shape(square)} the median of T → ∞ is "
        f"{text(square.medians.at(first, LIMIT))}{mean}."
    )


def _about_flow(result: Result) -> str:
    flow, least = (
        np.stack([getattr(cell, name)[..., -1] for cell in result.cells])
        for name in ("flow", "least")
    )  # (shapes, S)
    most = float(np.nanmax(flow))
    kept = f"within the {FLOW_BOUND}" if most <= FLOW_BOUND else f"above the {FLOW_BOUND}"
    whole, where = _largest(result, least)
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
        f"{number(whole, 4)} times ({where}), {covered}."
    )


def _about_growth(result: Result) -> str:
    ratios, (first, middle, last) = finite(result), ends(result.config)
    low, mid, high = (number(ratios[s]) for s in (first, middle, last))
    widest = max(result.cells, key=lambda cell: cell.n / cell.d)
    shown = [result.square] if widest is result.square else [result.square, widest]
    each = [
        f"{_fixed(cell.exponents.at(0))} and {_fixed(cell.exponents.at(1))} at {_shape(cell)}"
        for cell in shown
    ]
    slower = sum(bool(cell.exponents.high[1] < cell.exponents.low[0]) for cell in result.cells)
    count = "all" if slower == len(result.cells) else f"{slower} of {len(result.cells)}"
    return (
        f"The best T given X goes like SNR^p with p, from SNR {low} to {mid} and from there to "
        f"{high}, {', '.join(each)}; p is smaller at high SNR for {count} shapes. Where "
        "SNR λ_min/d is above 1, what is left of θ* falls exponentially in T, and T need only grow "
        "like log SNR."
    )


def _about_rule(result: Result) -> str:
    ratios, (first, _, last) = finite(result), ends(result.config)
    rule = np.stack([cell.calibrated[:, -1] for cell in result.cells])
    most, where = _largest(result, rule)
    square = result.square.calibration
    return (
        "T = SNR λ_max/d, which asks for the SNR but for no tuning, has by closed form up to "
        f"{number(most, 4)} times the risk of the best ridge ({where}). At {_shape(result.square)} "
        f"the best T is {_times(square.at(first))} that at SNR {number(ratios[first])}, and "
        f"{_times(square.at(last))} that at {number(ratios[last])}."
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
        f"{'; '.join(said)}. It is best without noise alone: with any, the variance that stopping "
        "saves is linear in the small (1 − ηλ)^T, and the bias it adds quadratic."
    )


def _about_tuning(result: Result) -> str:
    _, middle, _ = ends(result.config)
    worst = max(result.cells, key=lambda cell: float(cell.upper_cost.value[middle]))
    shares = [cell.better.at(s) for cell in result.cells for s in range(len(finite(result)))]
    loops = sum(bool(share.low > 0.5) for share in shares)
    ridge = sum(bool(share.high < 0.5) for share in shares)
    return (
        f"Cross-validating T costs most at {_shape(worst)}: at SNR "
        f"{number(result.config.ratios[middle])} its error is {_fixed(worst.cost.at(middle))} "
        f"times that with the oracle T in the median, and {_fixed(worst.upper_cost.at(middle))} "
        f"times in the 95 % quantile over tasks. Of {len(shares)} pairs of shape and SNR, ridge "
        f"tuned on the same folds is better on most tasks in {ridge}, tuned loops in {loops}; "
        f"{len(shares) - ridge - loops} are not settled."
    )


def _about_folds(result: Result) -> str:
    ratios = result.config.ratios
    worse = [(cell, np.flatnonzero(_worse(cell))) for cell in result.cells]
    worse = [(cell, where) for cell, where in worse if len(where)]
    if not worse:
        return "The cross-validated T is nowhere worse than T → ∞ in the median task."
    said = [f"{_since(ratios[where[0]])} at {_shape(cell)}" for cell, where in worse]
    cell, where = worse[0]
    pair = cell.medians.at(int(where[-1]))
    last = ratios[where[-1]]
    at = "without noise" if math.isinf(last) else f"at SNR {number(last)}"
    limit = "rounding alone" if pair.high[LIMIT] < _EXACT else text(pair.at(LIMIT))
    folds = result.config.folds
    short = [_shape(one) for one, _ in worse if one.n >= one.d > one.n - one.n / folds]
    why = (
        f" At {' and '.join(short)} its folds keep fewer examples than there are dimensions, where "
        "T → ∞ is another estimator."
        if short
        else ""
    )
    return (
        f"The cross-validated T is worse than T → ∞ {', '.join(said)}; {at} at {_shape(cell)} "
        f"medians are {text(pair.at(TUNED))} and {limit}.{why}"
    )


def _since(ratio: float) -> str:
    return "without noise" if math.isinf(ratio) else f"from SNR {number(ratio)} on"


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
        f"Loops and closed form agree to {number(deviation, 2)} in θ, and mean errors to "
        f"{max(float(gap.max()) for gap in gaps):.2g} half widths of their intervals. Not settled: "
        "other spectra and priors of θ*, where both the best ridge and the best T are others; "
        "other steps than 1/λ_max; other folds and rules of choice; d above "
        f"{max(cell.d for cell in result.cells)}."
    )


def _named(result: Result) -> tuple[Cell, ...]:
    """Return the shapes that sentences go through."""
    return result.cells[:4]


def _largest(result: Result, values: Array) -> tuple[float, str]:
    c, s = np.unravel_index(np.nanargmax(values), values.shape)
    where = f"{_shape(result.cells[c])}, SNR {infinite(float(result.config.ratios[s]))}"
    return float(values[c, s]), where


def _shape(cell: Cell) -> str:
    if cell.n == cell.d:
        return f"n = d = {cell.n}"
    return f"n = {cell.n}, d = {cell.d}"


def _times(interval: Interval) -> str:
    """Write a ratio, which may be infinite."""
    if not np.isfinite(interval.value):
        return "infinitely many times"
    return f"{text(interval).replace('inf', '∞')} times"


def _fixed(interval: Interval) -> str:
    """Write a ratio near one, or an exponent, with two decimals."""
    value, low, high = (f"{float(part):.2f}".replace("-", "−") for part in interval)
    return value if low == value == high else f"{value} ({low} to {high})"
