"""What the study of perturbed weights found, in sentences made from its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from loopcore.studies.intervals import Interval, number, text
from loopcore.studies.perturbed import algebra, learned, masks
from loopcore.studies.perturbed.tables import percent, start_name

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
        _about_floor(result),
        _about_lead(result),
        _about_divergence(result),
        _about_causes(result),
        _about_starts(result),
        _about_masks(result),
        _about_trainings(result),
        _left_open(result),
    )


# ---- noise ---------------------------------------------------------------------------------------


def _about_floor(result: Result) -> str:
    w = result.weights
    exponents = [w.exponent.at(c) for c in range(len(w.kappa))]
    seen = [e for e in exponents if np.isfinite(e.value)]
    half = w.below_median
    exact = (
        f"settled loops are within {number(w.gap, 2)} of the closed form, in which X does not occur"
        if w.gap < 1e-9
        else f"but settled loops are up to {number(w.gap, 2)} from the closed form, which is broken"
    )
    if seen:
        holds = sum(bool(e.holds(1)) for e in seen)
        best = min(seen, key=lambda e: float(e.high - e.low))
        exponent = (
            f"The plateau grows like σ to the power {text(best)} in the cell that shows it best "
            f"({holds} of {len(seen)} cells' intervals hold the 1 of first order)"
        )
    else:
        exponent = "No cell reached its plateau, so that its exponent in σ is not measured"
    hold = "which holds" if half.holds(0.5) else "which does not hold"
    return (
        "Wrong weights and slowness differ in what more loops do: weights with noise σ on every "
        f"entry converge to a floor that no loops lower, a slow loop goes on falling. {exponent}; "
        f"{exact}, nor κ, n or the step. {_share(half)} of floors for σ ≤ 0.001 are below "
        f"1.65σ|α|, the median of first order, {hold} the one half predicted."
    )


def _about_lead(result: Result) -> str:
    config, w = result.config, result.weights
    once = config.at.index(config.loops)
    cells = [
        f"{cell.name(config.d)}: {_threshold(w.lead.at(c, once), config.sigmas)}"
        for c, cell in enumerate(config.cells)
    ]
    ratios, rates = _finite(w.slow_ratio.value), _finite(w.rate_ratio.value)
    slow = ""
    if ratios.size:
        far = float(np.max(np.abs(np.log(ratios))))
        verdict = "as predicted" if far < np.log(1.1) else "which is off by more than 10 %"
        slow = (
            f" Failures that the closed forms put down to κ alone have {_span(ratios)} times the "
            f"error that the task's spectrum predicts for the ideal weights, {verdict}."
        )
    rate = ""
    if rates.size:
        rate = (
            f" Where loops converge, distances to the limit shrink at {_span(rates)} times the "
            "exact rate, ln of the largest |1 − ηβ|."
        )
    return (
        f"After T = {config.loops} loops most tasks have a floor above what κ leaves of the error "
        f"from this σ on: {'; '.join(cells)}.{slow}{rate}"
    )


def _about_divergence(result: Result) -> str:
    config, w = result.config, result.weights
    half = w.half_diverges.at(slice(None), 0)
    known = half.value[np.isfinite(half.value)]
    if known.size:
        steady = np.ptp(np.log(known)) < np.log(1.5) and len(known) == len(half.value)
        first = f"With the step 1/λ_max half of the loops diverge from σ = {_span(known)} on" + (
            ", nearly the same for every κ and n/d measured" if steady else ", depending on κ"
        )
    else:
        first = (
            "With the step 1/λ_max less than half of the loops diverge up to "
            f"σ = {number(config.sigmas[-1], 2)}"
        )
    shown = []
    for c, cell in enumerate(config.cells):
        if not cell.condition:
            continue
        s = int(np.argmin(np.abs(np.log(np.array(config.sigmas) * cell.condition))))
        measured = w.diverges.at(c, s, 1)
        predicted = algebra.optimal_step_share(config.sigmas[s], cell.condition, config.d)
        agree = "" if measured.holds(predicted) else ", outside the interval"
        shown.append(
            f"κ = {number(cell.condition)}, σ = {number(config.sigmas[s], 2)}: {_share(measured)}, "
            f"first order {percent(predicted)} %{agree}"
        )
    second = (
        ". The step 2/(λ_min + λ_max) leaves room for σ of the order of 1/κ only "
        f"({'; '.join(shown)})"
        if shown
        else ""
    )
    once = config.at.index(config.loops)
    late = []
    for c, cell in enumerate(config.cells):
        s = int(np.nanargmin(np.abs(w.diverges.value[c, :, 0] - 0.5)))
        total = float(w.diverges.value[c, s, 0])
        if total > 0.05:
            late.append((float(w.grown.value[c, s, once]) / total, cell.name(config.d)))
    third = ""
    if late:
        least = min(late)
        third = (
            ". Divergence shows late where κ is large: of loops that diverge, near that σ, "
            f"{percent(least[0])} % have an error above 10 after {config.loops} loops for "
            f"{least[1]}, {percent(max(late)[0])} % for {max(late)[1]}"
            if max(late)[0] - least[0] > 0.1
            else f". Of loops that diverge {percent(least[0])} % or more have an error above 10 "
            f"after {config.loops} loops"
        )
    return f"{first}{second}{third}. {_about_drift(result)}"


def _about_drift(result: Result) -> str:
    """Say what noise in y makes of the floor."""
    config, y = result.config, result.drift
    sigmas = np.array(config.sigmas)
    small = np.flatnonzero(sigmas <= 0.01 * (1 + 1e-9))
    small = small if small.size else np.array([0])
    lasts = (
        "the floor does not last, however small σ is"
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
        f"With noise in y (SNR {number(config.snr)}) {lasts}: "
        f"{_share(y.small_diverges)} of loops with σ ≤ {number(config.sigmas[s], 2)} diverge in "
        f"the end, which {hold} the half predicted, the others forget the answer; v changes by a "
        f"factor e in {text(y.patience.at(s))} loops at σ = {number(config.sigmas[s], 2)}{power}, "
        f"and measured and exact rates are {agrees} their predictions."
    )


def _about_causes(result: Result) -> str:
    config, w = result.config, result.weights
    told = []
    for sigma in (1e-3, 1e-2, 1e-1):
        s = int(np.argmin(np.abs(np.log(np.array(config.sigmas) / sigma))))
        shares = []
        for c, cell in enumerate(config.cells):
            cause = w.cause.value[c, s]
            fails = 1 - float(cause[0])
            if fails > 0.005:
                slow = 100 * float(cause[1]) / fails
                shares.append(f"{cell.name(config.d)} ({100 * fails:.0f} % fail) {slow:.0f} %")
            else:
                shares.append(f"{cell.name(config.d)} (none fails)")
        told.append(f"σ = {number(config.sigmas[s], 2)}: {', '.join(shares)}")
    one, two = w.all_right.at(0), w.all_right.at(1)
    if one.low > two.high:
        better = "which is better than"
    elif two.low > one.high:
        better = "which is worse than"
    else:
        better = "not told apart from"
    enough = "are enough for most" if float(one.value) > 0.9 else "tell less than nine in ten"
    return (
        f"Of errors above {number(config.epsilon)} after {config.loops} loops these parts are due "
        f"to κ alone, the others to the weights, at least in part: {'; '.join(told)}. Without "
        f"closed forms, the errors after T and 2T loops and the spectrum {enough}: a floor "
        f"extrapolated from them names the cause of {_share(one)} of all failures, {better} asking "
        f"whether both are within twice the prediction, {_share(two)}."
    )


def _about_starts(result: Result) -> str:
    config, s = result.config, result.starts
    lengths = [number(length) for length in config.start_lengths]
    loops = [number(float(value)) if np.isfinite(value) else "more" for value in s.loops.value]
    if np.isfinite(s.decade.value):
        cost = f"ten times the length costs {text(s.decade)} times ln 10 / −ln(1 − 1/κ) loops, " + (
            "of which theory allows 1, where the slowest direction is all that is left"
            if s.decade.low <= 1.02
            else "which is more than the 1 that theory allows"
        )
    else:
        cost = "the cost of ten times the length was not measured"
    slow = (
        "is plain slowness"
        if np.isfinite(s.loops.value).all()
        else "is not lost within the loops measured"
    )
    exact = "as the closed form says" if s.gap < 1e-6 else "which is not the closed form's"
    return (
        f"A start q(0) ≠ 0 {slow} for n ≥ d: with κ = {number(s.condition)} starts of "
        f"length {', '.join(lengths)} need {', '.join(loops)} loops, and {cost}. With n = {s.few} "
        f"< d = {config.d} the part of q(0) outside the rows of X stays: median errors end at "
        f"{', '.join(number(float(value), 2) for value in s.floor.value)}, {exact}."
    )


# ---- masks ---------------------------------------------------------------------------------------


def _about_masks(result: Result) -> str:
    config, m = result.config, result.masks
    once, last = config.at.index(config.loops), len(config.mask_n) - 1
    told = []
    for i, n in enumerate(config.mask_n):
        order = [int(k) for k in np.argsort(m.error.value[i, :, once], kind="stable")]
        names = [f"{masks.NAMES[order[0]]} {number(float(m.error.value[i, order[0], once]), 2)}"]
        for before, after in pairwise(order):
            wins = m.wins.at(i, before, after)
            apart = "then" if wins.low > 0.5 else "not told apart from it"
            names.append(f"{apart} {masks.NAMES[after]} {text(m.error.at(i, after, once), 2)}")
        told.append(f"n/d = {n / config.d:g}: {', '.join(names)}")
    ridge, flow = float(m.ridge_gap.value[last]), float(m.error.value[last, 2, -1])
    exact = (
        "ends at the ridge solution with penalty α² + ‖v‖² that its fixed point is"
        if abs(ridge) < 0.01
        else f"ends {percent(abs(ridge))} % from the ridge solution of its fixed point"
    )
    near = "near" if abs(flow - masks.FLOW_FLOOR) < 0.05 else "not near"
    falls = [
        f"{name} {number(float(fixed[once]), 2)} → {number(float(fixed[-1]), 2)}"
        for name, fixed in zip(masks.NAMES[1:], m.fixed.value[last, 1:], strict=True)
    ]
    least = float(m.error.value[:, 1:].min())
    if float(m.best.value[:, 0].max()) > 1e-6:
        lead = "With the ideal weights the paper's mask did not reach 1e−6 in the loops measured"
    elif least > 1e-3:
        lead = (
            "With the ideal weights only the paper's mask converges to the answer; of all others "
            f"no step and number of loops measured has a median error below {number(least, 2)}"
        )
    else:
        lead = "With the ideal weights the paper's mask is not the only one to come close"
    return (
        f"{lead}. After {config.loops} loops, step tuned for each, best first: {'; '.join(told)}. "
        f"A query that sees itself {exact}; where all rows move and see the context, it shrinks "
        f"(to {number(float(m.shrunk[last, 2]), 2)} of its norm in {config.loops} loops), and the "
        f"error after {config.longest:,} is {number(flow, 3)}, {near} the 1 − 1/√2 = 0.293 of "
        f"small steps. Looping on from {config.loops} to {config.longest:,} at one step: "
        f"{', '.join(falls)}."
    )


# ---- trainings -----------------------------------------------------------------------------------


def _about_trainings(result: Result) -> str:
    config, t = result.config, result.learned
    T = config.trained_loops
    told = []
    for s, sigma in enumerate(learned.starts(config)):
        shares = [f"{_share(t.fails.at(i, s))} with T = {loops}" for i, loops in enumerate(T)]
        start = (
            start_name(sigma).replace("ideal,", "ideal weights with") if sigma else "random weights"
        )
        told.append(f"from {start} {', '.join(shares)}")
    s = len(config.near_sigmas)  # random
    if len(T) > 1:
        first, last = t.fails.at(0, s), t.fails.at(len(T) - 1, s)
        trend = (
            "more loops make random starts fail more often"
            if last.low > first.high
            else "more loops make random starts fail less often"
            if last.high < first.low
            else "whether loops matter for random starts is not settled"
        )
    else:
        trend = "one number of loops shows no trend"
    good = [
        f"T = {loops}, {start_name(sigma)}: {text(t.good_loss.at(i, j), 2)}"
        for i, loops in enumerate(T)
        for j, sigma in enumerate(learned.starts(config))
        if t.good[i, j] >= 3 and j in (0, s)
    ]
    failed = int(np.rint((t.fails.value * t.count).sum()))
    rare = int(np.rint((t.breaks.value * t.count).sum()))
    return (
        "Trained P and Q fail, with more than twice the error of the ideal weights and a trained "
        f"step, in these shares: {'; '.join(told)}; {trend}. Of {failed} failures {rare} are of "
        "the mean alone, by some of the tasks; in the others the median error is more than twice "
        "as large too. Loss of those that do not fail over that of the ideal weights: "
        f"{'; '.join(good) or 'fewer than three in every case'}. "
        f"{_further(result)}"
    )


def _further(result: Result) -> str:
    """Say what good trainings do beyond the loops that they were trained with."""
    config, t = result.config, result.learned
    rows = [(i, int(np.argmax(t.good[i]))) for i in range(len(config.trained_loops))]
    rows = [(i, j) for i, j in rows if t.good[i, j] >= 3]
    told = []
    for i, j in dict.fromkeys([*rows[:1], *rows[-1:]]):
        worse, ideal = t.good_worse.value[i, j], t.ideal_worse.value[i, j]
        told.append(
            f"T = {config.trained_loops[i]} ({start_name(learned.starts(config)[j])}): "
            f"{_share(t.further.at(i, j))} are better still after 2T, and predicting 0 is better "
            f"than they are on {percent(worse[0])} % of tasks after T and {percent(worse[-1])} % "
            f"after {learned.MULTIPLES[-1]}T (ideal weights: {percent(ideal[0])} and "
            f"{percent(ideal[-1])} %)"
        )
    if not told:
        return "Too few did not fail to say what they do beyond T."
    return f"Beyond T, of the start with most that do not fail: {'; '.join(told)}."


# ---- what is open --------------------------------------------------------------------------------


def _left_open(result: Result) -> str:
    config = result.config
    return (
        "Not settled: noise that is not Gaussian or lies on some entries only, other d than "
        f"{config.d}; masks with weights made for them; whether random starts fail for want of "
        f"iterations (at most {config.iterations}), of tasks ({config.trained_tasks:,}) or of "
        f"scale, and larger models than n = {config.trained_n}, d = {config.trained_d}."
    )


def _finite(values: Array) -> Array:
    return np.asarray(values[np.isfinite(values)])


def _span(values: Sequence[float] | Array) -> str:
    """Write a number, or the least and the largest."""
    low, high = number(float(np.min(values))), number(float(np.max(values)))
    return low if low == high else f"{low} to {high}"


def _share(share: Interval) -> str:
    return f"{percent(share.value)} % ({percent(share.low)} to {percent(share.high)})"


def _threshold(sigma: Interval, sigmas: tuple[float, ...]) -> str:
    if np.isnan(sigma.value):
        return f"none up to {number(sigmas[-1], 2)}"
    if sigma.value <= sigmas[0]:
        return f"below {number(sigmas[0], 2)}"
    return text(sigma, 2)
