"""What the study of perturbed weights found, in sentences made from its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from loopcore.studies.frame.intervals import Interval, number, text
from loopcore.studies.perturbed import algebra, learned
from loopcore.studies.perturbed.sheets import percent, start_name

if TYPE_CHECKING:
    from loopcore.studies.perturbed import Result


Array = npt.NDArray[np.float64]


def findings(result: Result) -> tuple[str, ...]:
    """Say what the numbers show.

    Parameters
    ----------
    result : Result
        What `compute` gave.

    Returns
    -------
    tuple of str
        The answer first, what is left open last.
    """
    return (
        _answer(result),
        _about_floor(result),
        _about_slowness(result),
        _about_divergence(result),
        _about_drift(result),
        _about_starts(result),
        _about_masks(result),
        _about_trainings(result),
        _left_open(result),
    )


# ---- noise ---------------------------------------------------------------------------------------


def _answer(result: Result) -> str:
    w = result.weights
    right = w.all_right.at(0)
    if np.isnan(right.value):
        return "Slow or wrong was not told apart: no error was above ε."
    exponents = _exponents(result)
    floor = "end at a floor"
    if exponents:
        best = min(exponents, key=lambda e: float(e.high - e.low))
        floor += f" that grows like σ^{text(best)}"
    told = "is told" if right.low > 0.9 else "is told only in part"
    falls = ""
    if _finite(w.slow_ratio.value).size:
        near = _far_from_theory(result) < 0.1
        falls = ", as its κ predicts" if near else ", not quite as κ predicts"
    by_sigma = w.sigma_right.at(slice(None), 0)
    worst = by_sigma.at(int(np.nanargmin(by_sigma.value)))
    return (
        f"Slow or wrong {told} by what more loops do: a slow loop's error goes on falling"
        f"{falls}; wrong weights {floor} or diverge. Errors after T and 2T loops and the spectrum "
        f"name the cause of {_share(right)} of failures, and of {_share(worst)} at the worst σ."
    )


def _exponents(result: Result) -> list[Interval]:
    """Return the powers of σ of the plateaus, of the cells that show one."""
    exponent = result.weights.exponent
    return [exponent.at(int(c)) for c in np.flatnonzero(np.isfinite(exponent.value))]


def _far_from_theory(result: Result) -> float:
    """Return how far slow failures are from theory's error, as a part of it; 0 without any."""
    return float(np.max(np.abs(_finite(result.weights.slow_ratio.value) - 1), initial=0))


def _about_floor(result: Result) -> str:
    w = result.weights
    exponents, half = _exponents(result), w.below_median
    if np.isnan(w.gap):
        exact = "The closed form of the floor was not checked, since no loop settled"
    elif w.gap < 1e-9:
        exact = (
            "Where y = Xθ* the floor does not depend on κ, n or the step: loops that settled are "
            f"within {number(w.gap, 2)} of a closed form in which X does not occur"
        )
    else:
        exact = (
            "The floor is not that of the closed form, which is broken: loops that settled are up "
            f"to {number(w.gap, 2)} from it"
        )
    holds = sum(bool(e.holds(1)) for e in exponents)
    power = (
        f"in {holds} of {len(exponents)} cells the interval of the plateau's power of σ holds the "
        "1 of first order"
        if exponents
        else "no cell reached its plateau, so that its power of σ is not measured"
    )
    hold = "holds" if half.holds(0.5) else "does not hold"
    return (
        f"{exact}. {_share(half)} of floors for σ ≤ {_small(result, 1e-3)} are below 1.65σ|α|, the "
        f"median of first order, which {hold} the half predicted; {power}."
    )


def _about_slowness(result: Result) -> str:
    config, w = result.config, result.weights
    once = config.at.index(config.loops)
    low, high = int(np.argmin(w.kappa)), int(np.argmax(w.kappa))
    first, last = w.lead.at(low, once), w.lead.at(high, once)
    if low == high:
        lead = "What κ leaves hides small floors"
    elif first.high < last.low or (np.isfinite(first.high) and np.isnan(last.value)):
        lead = "The larger κ, the more noise hides behind slowness"
    else:
        lead = "Whether a larger κ hides more noise is not settled"
    cells = [
        f"{config.cells[c].name(config.d)} from {_threshold(w.lead.at(c, once), config.sigmas)}"
        for c in dict.fromkeys((low, high))
    ]
    ratios = _finite(w.slow_ratio.value)
    slow = ""
    if ratios.size:
        verdict = "as predicted" if _far_from_theory(result) < 0.1 else "off by more than 10 %"
        slow = (
            f" Failures that the closed forms put down to κ alone have {_span(ratios)} times the "
            f"error that theory gives the ideal weights, {verdict}."
        )
    rates, rate = _finite(w.rate_ratio.value), ""
    if rates.size:
        rate = f" Loops that converge do so at {_span(rates)} times the exact rate."
    return (
        f"{lead}: after T = {config.loops} loops most tasks have a floor above what κ leaves of "
        f"the error at {' and at '.join(cells)}.{slow}{rate}"
    )


def _about_divergence(result: Result) -> str:
    config, w = result.config, result.weights
    half = w.half_diverges.value[:, 0]
    known = _finite(half)
    if known.size:
        steady = np.ptp(np.log(known)) < np.log(1.5) and len(known) == len(half)
        first = f"With the step 1/λ_max half of the loops diverge from σ = {_span(known)} on" + (
            ", nearly the same for all cells" if steady else ", depending on κ"
        )
    else:
        first = (
            "With the step 1/λ_max less than half of the loops diverge up to "
            f"σ = {number(config.sigmas[-1], 2)}"
        )
    second = ""
    if config.conditions:
        condition = max(config.conditions)
        c = len(config.gaussian) + config.conditions.index(condition)
        s = int(np.argmin(np.abs(np.log(np.array(config.sigmas) * condition))))
        measured = w.diverges.at(c, s, 1)
        predicted = algebra.optimal_step_share(config.sigmas[s], condition, config.d)
        agree = "within" if measured.holds(predicted) else "outside"
        second = (
            f" The step 2/(λ_min + λ_max) bears σ of the order of 1/κ: at κ = {number(condition)}, "
            f"σ = {number(config.sigmas[s], 2)}, {_share(measured)} diverge; the first order's "
            f"{percent(predicted)} % is {agree} the interval."
        )
    return f"{first}.{second}{_late(result)}"


def _late(result: Result) -> str:
    """Say how many of the loops that diverge show it, at the σ at which about half do."""
    config, w = result.config, result.weights
    once = config.at.index(config.loops)
    told = []
    for c in dict.fromkeys((int(np.argmin(w.kappa)), int(np.argmax(w.kappa)))):
        s = int(np.argmin(np.abs(w.diverges.value[c, :, 0] - 0.5)))
        share = w.grown.at(c, s, once)
        if np.isfinite(share.value):
            told.append(f"{_share(share)} for {config.cells[c].name(config.d)}")
    if not told:
        return ""
    return (
        f" Of loops that diverge, near that σ, these are above 10 after {config.loops} loops: "
        f"{', '.join(told)}."
    )


def _about_drift(result: Result) -> str:
    """Say what noise in y makes of the floor."""
    config, y = result.config, result.drift
    sigmas = np.array(config.sigmas)
    small = np.flatnonzero(sigmas <= 0.01 * (1 + 1e-9))
    small = small if small.size else np.array([0])
    lasts = (
        "the floor does not last"
        if y.small_diverges.low > 0
        else "no sign was seen that small σ make loops diverge"
    )
    hold = "holds" if y.small_diverges.holds(0.5) else "does not hold"
    s = int(small[-1])
    exact = _finite(np.concatenate([y.measured.value[small], y.first_order.value[small]]))
    near = exact.size and float(np.max(np.abs(exact - 1))) < 0.05
    agrees = "within 5 % of" if near else f"{_span(exact)} times" if exact.size else "not near"
    power = ""
    if small.size > 1:
        slope = np.polyfit(np.log(sigmas[small]), np.log(y.patience.value[small]), 1)[0]
        power = f", like σ to the power {number(float(slope), 2)} below"
    return (
        f"With noise in y (SNR {number(config.snr)}) {lasts}: {_share(y.small_diverges)} of loops "
        f"with σ ≤ {number(config.sigmas[s], 2)} diverge in the end, which {hold} the half "
        f"predicted; the others forget the answer. It takes long: v changes by a factor e in "
        f"{text(y.patience.at(s))} loops at σ = {number(config.sigmas[s], 2)}{power}. Measured and "
        f"exact rates are {agrees} their predictions."
    )


def _about_starts(result: Result) -> str:
    config, s = result.config, result.starts
    first, last = (number(config.start_lengths[j]) for j in (0, -1))
    few, many = (
        f"{number(float(loops))} loops" if np.isfinite(loops) else "more loops than were run"
        for loops in s.loops.value[[0, -1]]
    )
    slow = (
        "is plain slowness"
        if np.isfinite(s.loops.value).all()
        else "is not lost within the loops measured"
    )
    if np.isfinite(s.decade.value):
        cost = f"ten times the length costs {text(s.decade)} times ln 10 / −ln(1 − 1/κ), " + (
            "and theory allows 1"
            if s.decade.low <= 1.02
            else "which is more than the 1 that theory allows"
        )
    else:
        cost = "what ten times the length costs was not measured"
    floor = ""
    if s.few < config.d:
        exact = "as the closed form says" if s.gap < 1e-6 else "which is not the closed form's"
        floor = (
            f" For n = {s.few} < d = {config.d} it leaves a floor, its part outside the rows of X: "
            f"median errors end at {number(float(s.floor.value[-1]), 2)} and "
            f"{number(float(s.floor.value[0]), 2)}, {exact}."
        )
    return (
        f"A start q(0) ≠ 0 {slow} for n ≥ d: at {s.cell.name(config.d)} one of length {last} takes "
        f"{many} and one of {first} takes {few}; {cost}.{floor}"
    )


# ---- masks ---------------------------------------------------------------------------------------


def _about_masks(result: Result) -> str:
    config, m = result.config, result.masks
    once, last = config.at.index(config.loops), len(config.mask_n) - 1
    ridge = float(m.ridge_gap.value[last])
    exact = (
        "as the ridge solution of its fixed point says"
        if abs(ridge) < 0.01
        else f"{percent(abs(ridge))} % from the ridge solution of its fixed point"
    )
    least = float(m.error.value[:, 1:].min())
    if float(m.best.value[:, 0].max()) > 1e-6:
        lead = "With the ideal weights the paper's mask did not reach 1e−6 in the loops measured"
    elif least > 1e-3:
        lead = "With the ideal weights only the paper's mask converges to the answer"
    else:
        lead = "With the ideal weights the paper's mask is not the only one to come close"
    return (
        f"{lead}: its median error after {config.loops} loops, step tuned, is "
        f"{number(float(m.error.value[last, 0, once]), 2)} at n/d = "
        f"{config.mask_n[last] / config.d:g}. A query that sees itself too, as under a causal "
        f"mask, ends at {text(m.error.at(last, 1, -1), 2)}, {exact}. Where all rows move, the x "
        "shrink, and no mask, step and number of loops measured has an error below "
        f"{number(float(m.error.value[:, 2:].min()), 2)}."
    )


# ---- trainings -----------------------------------------------------------------------------------


def _about_trainings(result: Result) -> str:
    config, t = result.config, result.learned
    T, random = config.trained_loops, len(config.near_sigmas)
    ends = list(dict.fromkeys((0, len(T) - 1)))
    shares = [f"{_share(t.fails.at(i, random))} at T = {T[i]}" for i in ends]
    near = len(config.near_sigmas) - 1
    near_start = start_name(config.near_sigmas[near]).replace("ideal,", "ideal weights with")
    return (
        "Trained P and Q fail, with more than twice the error of the ideal weights and a trained "
        f"step, in {' and '.join(shares)} from random weights, and in "
        f"{_share(t.fails.at(ends[-1], near))} at T = {T[ends[-1]]} from {near_start}; "
        f"{_trend(result)}.{_further(result)}"
    )


def _trend(result: Result) -> str:
    """Say whether more loops make random starts fail more often."""
    T, t = result.config.trained_loops, result.learned
    if len(T) == 1:
        return "one number of loops shows no trend"
    first, last = t.fails.at(0, -1), t.fails.at(len(T) - 1, -1)
    chance = learned.fisher(float(first.value), float(last.value), int(t.count[-1]))
    if chance > 0.05:
        return "whether loops matter for random starts is not settled"
    more = "more" if last.value > first.value else "less"
    return f"more loops make random starts fail {more} often (p = {number(chance, 1)})"


def _further(result: Result) -> str:
    """Say what good trainings do beyond the loops that they were trained with."""
    config, t = result.config, result.learned
    rows = [(i, int(np.argmax(t.good[i]))) for i in range(len(config.trained_loops))]
    rows = [(i, j) for i, j in rows if t.good[i, j] >= 3]
    told = [
        f"{_share(t.further.at(i, j))} at T = {config.trained_loops[i]}"
        for i, j in dict.fromkeys([*rows[:1], *rows[-1:]])
    ]
    if not told:
        return " Too few did not fail to say what they do beyond T."
    return f" Of those that do not fail {' and '.join(told)} are better still after 2T."


# ---- what is open --------------------------------------------------------------------------------


def _left_open(result: Result) -> str:
    config, t = result.config, result.learned
    return (
        "Not settled: noise that is not Gaussian or lies on some entries only, other d than "
        f"{config.d}; masks with weights made for them; whether random starts ({t.count[-1]} a "
        f"number of loops) fail for want of iterations (at most {config.iterations}), of tasks "
        f"({config.trained_tasks:,}) or of scale, and larger models than n = {config.trained_n}, "
        f"d = {config.trained_d}."
    )


def _finite(values: Array) -> Array:
    return np.asarray(values[np.isfinite(values)])


def _small(result: Result, most: float) -> str:
    """Write the largest σ up to one, or the least that there is."""
    sigmas = np.array(result.config.sigmas)
    small = sigmas[sigmas <= most * (1 + 1e-9)]
    return number(float(small[-1] if small.size else sigmas[0]), 2)


def _span(values: Sequence[float] | Array) -> str:
    """Write a number, or the least and the largest."""
    low, high = number(float(np.min(values))), number(float(np.max(values)))
    return low if low == high else f"{low} to {high}"


def _share(share: Interval) -> str:
    value, low, high = (percent(end) for end in share)
    return f"{value} %" if low == high else f"{value} % ({low} to {high})"


def _threshold(sigma: Interval, sigmas: tuple[float, ...]) -> str:
    """Write the σ from which on something is so; some resamples may have none."""
    if np.isnan(sigma.value):
        return f"no σ up to {number(sigmas[-1], 2)} on"
    if sigma.value <= sigmas[0]:
        return f"σ = {number(sigmas[0], 2)} or less on"
    if np.isnan(sigma.high):
        return f"about σ = {number(float(sigma.value), 2)} on"
    return f"σ = {text(sigma, 2)} on"
