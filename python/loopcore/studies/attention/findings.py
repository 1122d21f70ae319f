"""What the attention study found, in sentences made from its numbers."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

from loopcore.studies.attention.config import GENERATING, HOMOGENEOUS, PREDICTING, Problem
from loopcore.studies.attention.minimisers import asymptotic_distance
from loopcore.studies.attention.result import Generated, Predicted, Result, by_problem
from loopcore.studies.frame.intervals import Interval, number, text

_SAID = {kind: kind for kind in GENERATING} | {"relu": "ReLU"}

_EXACT = 1e-9  # a distance or an error below is called exact to rounding and unfinished decay

Generations = Sequence[tuple[Problem, dict[str, Generated]]]
Predictions = Sequence[tuple[Problem, dict[str, Predicted]]]
Value = TypeVar("Value")


def findings(result: Result) -> tuple[str, ...]:
    """Say in sentences what the numbers show.

    Parameters
    ----------
    result : Result
        What `compute` gave.

    Returns
    -------
    tuple of str
        The answer first, what follows from it by generation and prediction, and what is not
        settled last.
    """
    generated, predicted = by_problem(result.generated), by_problem(result.predicted)
    quiet = [(problem, parts) for problem, parts in generated if problem.snr is None]
    noisy = [(problem, parts) for problem, parts in generated if problem.snr is not None]
    said = [_answer(result, quiet, predicted)]
    if quiet:
        parts = quiet[0][1]
        said.append(_about_softmax(result, parts["softmax"]))
        said.append(_about_exp(result, parts["exp"]))
        said.append(_about_few_rows(result, quiet))
        said.append(_about_heads_and_scale(result, parts))
    if noisy:
        said.append(_about_noise(*max(noisy, key=lambda pair: pair[0].n / pair[0].d)))
    said.append(_about_relu(predicted))
    said.append(_about_endless_loops(result, predicted))
    said.append(_unsettled(result))
    return tuple(said)


# ---- the answer ----------------------------------------------------------------------------------


def _answer(result: Result, quiet: Generations, predicted: Predictions) -> str:
    linear = [pair for pair in predicted if pair[0].targets == "linear"]
    other = [pair for pair in predicted if pair[0].targets != "linear"]
    groups = ((linear, "problems with linear targets"), (other, "with others"))
    wins = [f"{_wins(pairs)} {targets}" for pairs, targets in groups if pairs]
    said = f"predicting, the best is {', '.join(wins)}"
    if other:
        problem, parts = other[0]
        errors = {kind: part.error.at(-1) for kind, part in parts.items()}
        best = min(errors, key=lambda kind: float(errors[kind].value))
        name = "Gaussian process" if problem.targets == "gaussian process" else "ReLU network"
        said += f"; {_SAID[best]} leaves {_level(errors[best])} of Var y on a {name}"
    if quiet:
        said = f"{_generating(result.config.loops[-1], *quiet[0])} P{said[1:]}"
    return f"Open question 1: {said}."


def _generating(T: int, problem: Problem, parts: Mapping[str, Generated]) -> str:
    distances = {kind: parts[kind].distance.at(-1) for kind in PREDICTING}
    first, rest = _leaders(distances)
    said = f"generating (n = {problem.n}, d = {problem.d}, T = {T}), {_and(first)} "
    ends = "s" if len(first) == 1 else ""
    if all(distances[kind].high < _EXACT for kind in first):
        said += f"reach{'es' if ends else ''} αθ*"
    else:
        said += f"come{ends} nearest to αθ*, {_level(distances[first[0]])} away"
    if rest:
        said += f", {_SAID[rest[0]]} next, {_level(distances[rest[0]])} away"
    return f"{said}."


def _leaders(values: Mapping[str, Interval]) -> tuple[list[str], list[str]]:
    """Split the kinds into the best one with those not told apart from it, and the rest."""
    order = sorted(values, key=lambda kind: float(values[kind].value))
    reach = max(float(values[order[0]].high), _EXACT)
    rest = [kind for kind in order if values[kind].low > reach]
    return [kind for kind in order if kind not in rest], rest


def _wins(pairs: Predictions) -> str:
    """Say which kind is alone the best one on most of some problems."""
    leaders = [
        _leaders({kind: part.error.at(-1) for kind, part in parts.items()})[0] for _, parts in pairs
    ]
    alone = Counter(kinds[0] for kinds in leaders if len(kinds) == 1)
    if not alone:
        return f"none alone on {len(pairs)}"
    kind, count = alone.most_common(1)[0]
    return f"{_SAID[kind]} on {count} of {len(pairs)}"


# ---- generation ----------------------------------------------------------------------------------


def _about_softmax(result: Result, softmax: Generated) -> str:
    limit, above = softmax.limit.at(-1), softmax.above_limit.at(-1)
    if not np.isfinite(limit.value):
        floor = "On half of the tasks softmax has no minimiser at all"
    elif np.isfinite(above.value) and above.low <= 2:
        floor = (
            "What stops softmax is its own minimiser, Σ p_i x_i = 0, at a distance from αθ* "
            f"proportional to τ: the loop ends at {text(above)} times it"
        )
    else:
        floor = (
            f"Softmax ends at {text(above)} times the distance of its minimiser, "
            f"{text(limit)}: the minimiser alone does not explain it"
        )
    loops, tau = result.config.loops, softmax.tuned.temperature
    return (
        f"{floor}. Tuning takes τ from {tau[0]:.3g} at T = {loops[0]} to {tau[-1]:.3g} at T = "
        f"{loops[-1]}, and {_fall(result, softmax.rate, -1.0, '1/T')}."
    )


def _about_exp(result: Result, exp: Generated) -> str:
    loops = np.array(result.config.loops)
    said = (
        "exp has the minimiser of softmax, but at low τ its first loop weighs some rows by "
        f"e^{{s/τ}} and allows small steps only. After T = {loops[-1]} it is "
        f"{_level(exp.distance.at(-1))} away"
    )
    if loops[-3] < 2:
        return f"{said}."
    # Of log(1/log T), the slope that is also taken of the distance.
    expected = float(np.polyfit(np.log(loops[-3:]), -np.log(np.log(loops[-3:])), 1)[0])
    return f"{said}, and {_fall(result, exp.rate, expected, '1/log T')}."


def _fall(result: Result, rate: Interval, expected: float, order: str) -> str:
    """Say how the distance falls with T, and whether as expected by an argument about orders.

    A temperature is tuned to within half the step between its candidates, in the logarithm, and
    the floor is proportional to it: the slope is not known better than that.
    """
    x = np.log(result.config.loops[-3:])
    weights = np.abs(x - x.mean()).sum() / np.sum((x - x.mean()) ** 2)
    apart = np.diff(np.log(result.config.temperatures)).max(initial=0.0)
    reach = weights * apart / 2
    said = (
        f"the distance goes over T = {result.config.loops[-3]} to {result.config.loops[-1]} as T "
        f"to the power {text(rate)}"
    )
    if reach > 0:
        said += f", give or take {number(reach, 2)} for the spacing of candidates of τ"
    power = "" if order == "1/T" else f", which has {number(expected, 2)} there"
    if rate.low - reach <= expected <= rate.high + reach:
        return f"{said}: in keeping with {order}{power}"
    return f"{said}: {'more slowly' if rate.low > expected else 'faster'} than {order}{power}"


def _about_few_rows(result: Result, quiet: Generations) -> str:
    hulls = [hull for hull in result.surrounded if hull.problem.snr is None]
    fewest = min(range(len(quiet)), key=lambda i: quiet[i][0].n / quiet[i][0].d)
    (problem, parts), hull = quiet[fewest], hulls[fewest]
    wrong = [h for h in hulls if not _agrees(h.share, h.probability, result.config.tasks)]
    agree = (
        f"Wendel's theorem says {_percent(hull.probability)}"
        if not wrong
        else f"against Wendel's theorem, as on {len(wrong)} of {len(hulls)} problems"
    )
    distances = {kind: parts[kind].distance.at(-1) for kind in PREDICTING}
    return (
        "Softmax, exp and ReLU need rows that surround 0 for a minimiser of their own, half of the "
        f"tasks at n = 2d, where linear needs n = d. At n = {problem.n}, d = {problem.d} "
        f"{_percent(float(hull.share.value))} have them ({agree}). There the best is "
        f"{_order(distances)}."
    )


def _agrees(share: Interval, probability: float, count: int) -> bool:
    """Tell whether a share of tasks is within 3.5 standard errors of a probability."""
    error = np.sqrt(probability * (1 - probability) / count)
    return bool(abs(float(share.value) - probability) <= 3.5 * error + 1 / count)


def _about_heads_and_scale(result: Result, parts: Mapping[str, Generated]) -> str:
    two = {kind: parts[kind].distance.at(-1) for kind in ("softmax ±", "exp ±")}
    lower = [
        kind
        for kind in two
        if two[kind].high < parts[kind.removesuffix(" ±")].distance.low[-1] / 10
    ]
    heads = (
        "takes the floor away"
        if len(lower) == len(two)
        else f"helps {len(lower)} of 2 kinds tenfold"
    )
    said = (
        f"A second head with scores and values negated (±) {heads}: "
        f"{' and '.join(f'{_SAID[kind]} {_level(two[kind])}' for kind in two)}."
    )
    if result.config.alphas:
        said += " " + _about_scale(result.config.alphas, parts)
    return said


def _about_scale(alphas: Sequence[float], parts: Mapping[str, Generated]) -> str:
    """Say what other values of α do to what was tuned at α = 1."""
    curved = [kind for kind in parts if kind not in HOMOGENEOUS]
    worse = [
        _SAID[kind]
        for kind in curved
        if np.any(parts[kind].scaled.low > max(2 * parts[kind].distance.high[-1], _EXACT))
    ]
    same = all(
        np.allclose(parts[kind].scaled.value, parts[kind].distance.value[-1], rtol=1e-6, atol=1e-12)
        for kind in HOMOGENEOUS
    )
    lose = (
        f"{', '.join(worse)} at least double their distance"
        if worse
        else "no kind doubles its distance"
    )
    return (
        f"All is tuned at α = 1, and a larger α is a lower temperature: at α = "
        f"{' or '.join(f'{alpha:g}' for alpha in alphas)} {lose}; linear and ReLU "
        f"{'do not notice' if same else 'change too, against the theory'}."
    )


def _about_noise(problem: Problem, parts: Mapping[str, Generated]) -> str:
    assert problem.snr is not None
    sigma = problem.snr**-0.5
    n, d, linear = problem.n, problem.d, parts["linear"]
    floor = float(asymptotic_distance("linear", n, d, sigma, sigma))
    constants = {
        kind: float(asymptotic_distance(kind, n, d, sigma, sigma)) / floor
        for kind in ("relu", "softmax", "exp")
    }
    ratios = ", ".join(f"{_SAID[kind]} at {text(parts[kind].multiple)}" for kind in constants)
    below = [kind for kind in constants if parts[kind].multiple.high < constants[kind]]
    verdict = ""
    if below:
        with np.errstate(divide="ignore", invalid="ignore"):
            own = [parts[k].limit.value[-1] / linear.limit.value[-1] < constants[k] for k in below]
        why = ", as do the minimisers of so few examples" if all(own) else ", unlike the minimisers"
        verdict = f"; {_and(below)} lie{'s' if len(below) == 1 else ''} below{why}"
    return (
        f"With noise every kind has a floor. At n = {n}, d = {d}, SNR {problem.snr:g} linear ends "
        f"at {text(linear.distance.at(-1))}, where σ√(d/n) = {number(floor)}; in multiples of it, "
        f"{ratios}. For n ≫ d M-estimation has {number(constants['relu'])} for ReLU and at least "
        f"{number(constants['exp'])} for softmax and exp{verdict}."
    )


# ---- prediction ----------------------------------------------------------------------------------


def _about_relu(predicted: Predictions) -> str:
    relu = [parts["relu"] for _, parts in predicted]
    others = [parts[kind] for _, parts in predicted for kind in ("linear", "softmax", "exp")]
    least = min(part.indefinite for part in relu)
    if least > 0:
        quickest = min(relu, key=lambda part: float(part.doubling.value))
        share = "all tasks" if least == 1 else f"at least {_percent(least)} of a problem's tasks"
        said = (
            f"Predicting, the matrix of ReLU has a negative eigenvalue on {share}: no step is "
            "stable there, and ReLU depends on stopping early. At the tuned steps the fastest "
            f"growing residuals double every {text(quickest.doubling)} loops on "
            f"{quickest.problem.text}, where that is quickest."
        )
    else:
        said = (
            "Predicting, on some problem no task has a matrix of ReLU with a negative eigenvalue: "
            "there its loop does converge."
        )
    if max(part.indefinite for part in others) == 0:
        return f"{said} Those of linear, softmax and exp have none."
    return f"{said} Against the theory, some matrix of linear, softmax or exp has one too."


def _about_endless_loops(result: Result, predicted: Predictions) -> str:
    """Say where softmax and exp would go beyond the last T at its temperature."""
    parts = [parts[kind] for _, parts in predicted for kind in ("softmax", "exp")]
    better = [part for part in parts if part.limit.high < part.error.low[-1]]
    worse = [part for part in parts if part.limit.low > part.error.high[-1]]
    said = (
        f"At the temperatures tuned for T = {result.config.kernel_loops[-1]} endless loops would "
        f"help {len(better)} of the {len(parts)} softmax and exp models of prediction, and harm "
        f"{len(worse)}"
    )
    if worse:
        noisy = sum(part.problem.snr is not None for part in worse)
        said += f" ({noisy} of them with noise, which they interpolate)"
    for some, least in ((better, min), (worse, max)):
        if some:
            most = least(some, key=lambda part: float(part.limit.value / part.error.value[-1]))
            said += (
                f"; {_SAID[most.kind]} on {most.problem.text} would end at {_level(most.limit)} "
                f"instead of {text(most.error.at(-1))}"
            )
    return f"{said}."


# ---- what is open --------------------------------------------------------------------------------


def _unsettled(result: Result) -> str:
    plain = [part.tuned for part in result.generated if not part.kind.endswith("±")]
    plain += [part.tuned for part in result.predicted]
    edges = sum(int(tuned.at_edge.sum()) for tuned in plain)
    total = sum(tuned.at_edge.size for tuned in plain)
    return (
        "Not settled: steps or temperatures that change from loop to loop, trained weights, a "
        "tuned scale of the read-out, inputs that are not N(0, I), larger d. The rates 1/T and "
        "1/log T are arguments about orders. Intervals are over tasks: what was tuned on "
        f"{result.config.tuning} others is held fixed; {edges} of {total} choices with one head "
        "lie at an end of their candidates."
    )


# ---- words ---------------------------------------------------------------------------------------


def _level(value: Interval) -> str:
    """Write an estimate; of what is exact, or diverges, its interval says nothing."""
    if np.isinf(value.value):
        return "∞"
    if value.high < _EXACT:
        return f"below {number(10.0 ** np.ceil(np.log10(max(float(value.high), 1e-15))))}"
    return text(value)


def _order(values: Mapping[str, Interval]) -> str:
    """List the kinds from the best, and say between which neighbours intervals overlap."""
    order = sorted(values, key=lambda kind: float(values[kind].value))
    open_ = [
        f"{_SAID[a]} and {_SAID[b]}"
        for a, b in itertools.pairwise(order)
        if not (values[a].high < values[b].low or values[b].high < _EXACT)
    ]
    listed = ", then ".join(f"{_SAID[kind]}, {_level(values[kind])}" for kind in order[:2])
    said = f"{listed}, then {' and '.join(_SAID[kind] for kind in order[2:])}"
    return said if not open_ else f"{said}; not settled between {', nor between '.join(open_)}"


def _and(kinds: Sequence[str]) -> str:
    names = [_SAID[kind] for kind in kinds]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
