"""The tables and findings of the attention study."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from loopcore.studies.attention.config import (
    GENERATING,
    HOMOGENEOUS,
    PREDICTING,
    Problem,
)
from loopcore.studies.attention.limits import asymptotic_distance
from loopcore.studies.attention.measure import Generated, Predicted
from loopcore.studies.intervals import Interval, number, text
from loopcore.studies.study import Sheet

if TYPE_CHECKING:
    from loopcore.studies.attention import Result

Cell = TypeVar("Cell", Generated, Predicted)

_SAID = {"linear": "linear", "softmax": "softmax", "relu": "ReLU", "exp": "exp"}
_SAID |= {"softmax ±": "two-headed softmax", "exp ±": "two-headed exp"}

_EXACT = 1e-9  # a distance or an error below is called exact to rounding and unfinished decay


# ---- tables --------------------------------------------------------------------------------------


def sheets(result: Result) -> tuple[Sheet, ...]:
    """Lay the result out in tables.

    Parameters
    ----------
    result : Result
        What `compute` gave.

    Returns
    -------
    tuple of Sheet
        Generation by problem and by T, what decides its floors, and prediction.
    """
    return (
        _generation_sheet(result),
        _loops_sheet(result),
        _limits_sheet(result),
        _prediction_sheet(result),
    )


def _generation_sheet(result: Result) -> Sheet:
    T = result.config.loops[-1]
    rows = [
        (_short(problem), *(_cell(part.distance.value[-1]) for part in parts))
        for problem, parts in _by_problem(result.generated)
    ]
    return Sheet(
        f"Generation: median ‖v − αθ*‖ / (|α| ‖θ*‖) after T = {T} loops",
        ("problem", *(_kind(kind) for kind in GENERATING)),
        tuple(rows),
    )


def _loops_sheet(result: Result) -> Sheet:
    problem, parts = _by_problem(result.generated)[0]
    rows = []
    for k, T in enumerate(result.config.loops):
        for part in parts:
            if part.kind in ("softmax", "exp"):
                values = (part.distance, part.tail, part.limit, part.value_error)
                tau, gamma = part.tuned.temperature[k], part.tuned.step[k]
                cells = [*(_cell(value.value[k]) for value in values), f"{tau:.3g}", f"{gamma:.3g}"]
                rows.append((str(T), part.kind, *cells))
    return Sheet(
        f"Softmax and exp by loops, {problem.text}: medians, and tuned τ, γ",
        ("T", "kind", "distance", "90 %", "at minimiser", "value error", "τ", "γ"),
        tuple(rows),
    )


def _limits_sheet(result: Result) -> Sheet:
    rows = []
    for hull, (problem, parts) in zip(
        result.surrounded, _by_problem(result.generated), strict=True
    ):
        ratios = {part.kind: part.above_limit.value[-1] for part in parts}
        cells = [_cell(ratios[kind]) for kind in ("softmax", "exp", "relu")]
        rows.append((_short(problem), f"{hull.share.value:.3f}", f"{hull.probability:.3f}", *cells))
    return Sheet(
        "0 in the hull of the rows; distance over that at the minimiser, last T",
        ("problem", "share", "Wendel", "softmax", "exp", "ReLU"),
        tuple(rows),
    )


def _prediction_sheet(result: Result) -> Sheet:
    T = result.config.kernel_loops[-1]
    rows = []
    for problem, parts in _by_problem(result.predicted):
        ends = (_cell(parts[i].limit.value) for i in range(len(parts)) if parts[i].kind != "relu")
        rows.append((_short(problem), *(_cell(p.error.value[-1]) for p in parts), *ends))
    return Sheet(
        f"Prediction: median squared error / Var y after T = {T} loops, and T → ∞",
        ("problem", *(_kind(kind) for kind in PREDICTING), "lin. ∞", "softm. ∞", "exp ∞"),
        tuple(rows),
    )


def _by_problem(parts: Sequence[Cell]) -> list[tuple[Problem, list[Cell]]]:
    """Return the parts of each problem; a problem that is there twice comes twice."""
    kinds = len(GENERATING) if isinstance(parts[0], Generated) else len(PREDICTING)
    groups = [list(parts[i : i + kinds]) for i in range(0, len(parts), kinds)]
    return [(group[0].problem, group) for group in groups]


def _kind(kind: str) -> str:
    return "ReLU" if kind == "relu" else kind


def _short(problem: Problem) -> str:
    kind = {"linear": "", "relu network": "net ", "gaussian process": "GP "}[problem.targets]
    noise = "" if problem.snr is None else f" SNR {problem.snr:g}"
    return f"{kind}{problem.n}×{problem.d}{noise}"


def _cell(value: npt.ArrayLike) -> str:
    """Write a number; "∞" for one without end, "–" where there is none."""
    one = float(np.asarray(value))
    if np.isnan(one):
        return "–"
    return "∞" if np.isinf(one) else number(one, 3)


# ---- findings ------------------------------------------------------------------------------------


def findings(result: Result) -> tuple[str, ...]:
    """Say in sentences what the numbers show.

    Parameters
    ----------
    result : Result
        What `compute` gave.

    Returns
    -------
    tuple of str
        The answer for generation and for prediction first, and what is not settled last.
    """
    quiet = [(p, parts) for p, parts in _by_problem(result.generated) if p.snr is None]
    noisy = [(p, parts) for p, parts in _by_problem(result.generated) if p.snr is not None]
    said = []
    if quiet:
        said.append(_about_generation(result, *quiet[0]))
    said.extend(_about_prediction(result))
    if quiet:
        said.append(_about_floors(result, quiet[0][1]))
        said.append(_about_hulls(result, quiet))
        said.append(_about_heads_and_scale(result, quiet[0][1]))
    if noisy:
        said.append(_about_noise(*max(noisy, key=lambda pair: pair[0].n / pair[0].d)))
    said.append(_unsettled(result))
    return tuple(said)


def _about_generation(result: Result, problem: Problem, parts: Sequence[Generated]) -> str:
    plain = [part for part in parts if part.kind in PREDICTING]
    distances = {part.kind: part.distance.at(-1) for part in plain}
    errors = {part.kind: part.value_error.at(-1) for part in plain}
    values = ", ".join(f"{_SAID[kind]} {_level(errors[kind])}" for kind in errors)
    return (
        f"Open question 1, generation: on {problem.text}, T = {result.config.loops[-1]}, the "
        f"median distance of v from αθ*, relative to |α|‖θ*‖, is {_listed(distances)}; "
        f"{_ranking(distances)} The error of the value, |⟨v, θ*⟩ − α|/|α|, is {values}."
    )


def _about_prediction(result: Result) -> list[str]:
    T = result.config.kernel_loops[-1]
    said = []
    groups = _by_problem(result.predicted)
    for wanted, name in (("linear", "linear targets"), ("other", "non-linear targets")):
        some = [pair for pair in groups if (pair[0].targets == "linear") == (wanted == "linear")]
        if not some:
            continue
        texts = []
        for problem, parts in some:
            errors = {part.kind: part.error.at(-1) for part in parts}
            texts.append(f"on {problem.text}, {_listed(errors)}; {_ranking(errors)}")
        said.append(
            f"Open question 1, prediction of {name}: after T = {T} loops the median squared error "
            f"at the queries over Var y is " + " And ".join(texts)
        )
    said.append(_about_kernels(groups))
    return said


def _about_kernels(groups: Sequence[tuple[Problem, list[Predicted]]]) -> str:
    """Say what the spectra and the limits are."""
    of = {kind: [p for _, parts in groups for p in parts if p.kind == kind] for kind in PREDICTING}
    shares = [part.indefinite for part in of["relu"]]
    definite = [p for kind in ("linear", "softmax", "exp") for p in of[kind]]
    if min(shares) > 0:
        span = " to ".join(dict.fromkeys(_percent(share) for share in (min(shares), max(shares))))
        quickest = min(of["relu"], key=lambda part: float(part.doubling.value))
        relu = (
            f"The matrix of ReLU has a negative eigenvalue on {span} of a problem's tasks, for "
            "which no step is stable: ReLU depends on stopping early. At the tuned steps the "
            "fastest growing residuals double "
            f"every {text(quickest.doubling)} loops on {quickest.problem.text}, where that is "
            "quickest."
        )
    else:
        relu = (
            "On some problem no task has a matrix of ReLU with a negative eigenvalue: there its "
            "loop does converge."
        )
    if max(part.indefinite for part in definite) == 0:
        rest = " Those of linear, softmax and exp have none."
    else:
        rest = " Against the theory, some matrix of linear, softmax or exp has one too."
    return relu + rest + _about_endless_loops([*of["softmax"], *of["exp"]])


def _about_endless_loops(parts: Sequence[Predicted]) -> str:
    """Say where softmax and exp would go beyond the last T at its temperature."""
    said = ""
    better = [part for part in parts if part.limit.high < part.error.low[-1]]
    worse = [part for part in parts if part.limit.low > part.error.high[-1]]
    if better:
        most = min(better, key=lambda part: float(part.limit.value / part.error.value[-1]))
        said += (
            f" More loops at the last temperature would still help {len(better)} of the "
            f"{len(parts)} softmax and exp models: {_SAID[most.kind]} on {most.problem.text} would "
            f"end at {_level(most.limit)} instead of {text(most.error.at(-1))}."
        )
    if worse:
        most = max(worse, key=lambda part: float(part.limit.value / part.error.value[-1]))
        noisy = sum(part.problem.snr is not None for part in worse)
        said += (
            f" They would harm {len(worse)} ({noisy} with noise, which they interpolate): "
            f"{_SAID[most.kind]} on {most.problem.text} would end at {_level(most.limit)} instead "
            f"of {text(most.error.at(-1))}."
        )
    return said


def _about_floors(result: Result, parts: Sequence[Generated]) -> str:
    by = {part.kind: part for part in parts}
    softmax, exp = by["softmax"], by["exp"]
    limit, above = softmax.limit.at(-1), softmax.above_limit.at(-1)
    loops = result.config.loops
    tau = softmax.tuned.temperature
    range_ = f"T = {loops[-3]} to {loops[-1]}"
    rate = softmax.rate
    if rate.high >= -0.2:
        speed = f"its distance hardly falls over {range_}, as T to the power {text(rate)}"
    elif rate.holds(-1):
        speed = (
            f"its distance falls over {range_} as T to the power {text(rate)}, like 1/T, with τT "
            f"{_range(tau[-3:] * np.array(loops[-3:]))}"
        )
    else:
        speed = (
            f"its distance falls over {range_} as T to the power {text(rate)}, where the argument "
            "about orders says −1"
        )
    slower = (
        f"exp falls more slowly, as {text(exp.rate)}, with τ log T "
        f"{_range(exp.tuned.temperature[-3:] * np.log(loops[-3:]))} (constant for 1/log T)"
        if exp.rate.low > rate.high
        else f"whether exp is slower is not settled: {text(exp.rate)}"
    )
    if not np.isfinite(limit.value):
        floor = "On half of the tasks softmax has no minimiser at all"
    elif np.isfinite(above.value) and above.low <= 2:
        floor = (
            f"What stops softmax is its own minimiser, Σ p_i x_i = 0, at a distance of "
            f"{text(limit)} (found without a loop); the loop ends at {text(above)} times that"
        )
    else:
        floor = (
            f"Softmax ends at {text(above)} times the distance of its minimiser, "
            f"{text(limit)}: the minimiser alone does not explain it"
        )
    return (
        f"{floor}. It lies proportionally to the temperature, and tuning lowers τ from "
        f"{tau[0]:.3g} at T = {loops[0]} to {tau[-1]:.3g}: {speed}; {slower}. Linear and ReLU have "
        f"no such floor and fall exponentially, to {_level(by['linear'].distance.at(-1))} and "
        f"{_level(by['relu'].distance.at(-1))}."
        if _is_small(by["linear"]) and _is_small(by["relu"])
        else f"{floor}; τ goes from {tau[0]:.3g} at T = {loops[0]} to {tau[-1]:.3g}, and {speed}; "
        f"{slower}. Linear and ReLU have reached {_level(by['linear'].distance.at(-1))} and "
        f"{_level(by['relu'].distance.at(-1))}."
    )


def _is_small(part: Generated) -> bool:
    return bool(part.distance.value[-1] < 1e-3 and part.rate.high < -2)


def _about_hulls(result: Result, quiet: Sequence[tuple[Problem, list[Generated]]]) -> str:
    hulls = [hull for hull in result.surrounded if hull.problem.snr is None]
    wrong = [h for h in hulls if not _agrees(h.share, h.probability, result.config.tasks)]
    agree = (
        "as Wendel's theorem says"
        if not wrong
        else f"against Wendel's theorem on {len(wrong)} of {len(hulls)} problems"
    )
    shares = ", ".join(
        f"{_percent(float(hull.share.value))} at n/d = {hull.problem.n / hull.problem.d:.3g}"
        for hull in sorted(hulls, key=lambda hull: hull.problem.n / hull.problem.d)
    )
    problem, parts = min(quiet, key=lambda pair: pair[0].n / pair[0].d)
    distances = {part.kind: part.distance.at(-1) for part in parts if part.kind in PREDICTING}
    return (
        "Softmax, exp and ReLU need rows that surround 0 for a minimiser of their own; of the "
        f"tasks these are {shares}, {agree} (1/2 at n = 2d, where linear needs n = d). With the "
        f"fewest, on {problem.text}, {_listed(distances)}; {_ranking(distances)}"
    )


def _agrees(share: Interval, probability: float, count: int) -> bool:
    """Tell whether a share of tasks is within 3.5 standard errors of a probability."""
    error = np.sqrt(probability * (1 - probability) / count)
    return bool(abs(float(share.value) - probability) <= 3.5 * error + 1 / count)


def _about_heads_and_scale(result: Result, parts: Sequence[Generated]) -> str:
    by = {part.kind: part for part in parts}
    two = {kind: by[kind].distance.at(-1) for kind in ("softmax ±", "exp ±")}
    lower = [
        kind for kind in two if two[kind].high < by[kind.removesuffix(" ±")].distance.low[-1] / 10
    ]
    heads = (
        "A second head with scores and values negated takes the floor away"
        if len(lower) == len(two)
        else f"A second head with scores and values negated helps {len(lower)} of 2 kinds tenfold"
    )
    said = f"{heads}: {_listed(two)}."
    if result.config.alphas:
        said += " " + _about_scale(result.config.alphas, by)
    return said


def _about_scale(alphas: Sequence[float], by: dict[str, Generated]) -> str:
    """Say what other values of α do to what was tuned at α = 1."""
    curved = [kind for kind in by if kind not in HOMOGENEOUS]
    told = "; ".join(
        f"at α = {alpha:g} {_listed({kind: by[kind].scaled.at(k) for kind in curved})}"
        for k, alpha in enumerate(alphas)
    )
    worse = [
        kind for kind in curved if np.any(by[kind].scaled.low > 2 * by[kind].distance.high[-1])
    ]
    same = all(
        np.allclose(by[kind].scaled.value, by[kind].distance.value[-1], rtol=1e-6, atol=1e-12)
        for kind in HOMOGENEOUS
    )
    return (
        f"Of what is tuned at α = 1, {len(worse)} of the {len(curved)} kinds with a temperature "
        f"lose a factor of two or more at another α, for a larger α is a lower temperature: "
        f"{told}. "
        f"Linear and ReLU {'do not notice' if same else 'change too, against the theory'}."
    )


def _about_noise(problem: Problem, parts: Sequence[Generated]) -> str:
    assert problem.snr is not None
    sigma = problem.snr**-0.5
    by = {part.kind: part for part in parts}
    linear = float(by["linear"].distance.value[-1])
    with np.errstate(divide="ignore", invalid="ignore"):
        two = [
            float(np.divide(by[kind].distance.value[-1], linear)) for kind in ("softmax ±", "exp ±")
        ]
    predicted = {
        kind: float(
            asymptotic_distance(kind, problem.n, problem.d, sigma, sigma)
            / asymptotic_distance("linear", problem.n, problem.d, sigma, sigma)
        )
        for kind in ("relu", "softmax", "exp")
    }
    ratios, below, explained = [], [], True
    for kind, constant in predicted.items():
        distance = by[kind].distance.at(-1)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = Interval(*(np.divide(part, linear) for part in distance))
            own = np.divide(by[kind].limit.value[-1], by["linear"].limit.value[-1])
        least = "" if kind == "relu" else "at least "
        if ratio.high < constant:
            below.append(_SAID[kind])
            explained = explained and bool(own < constant)
        ratios.append(
            f"{_SAID[kind]} {text(ratio)} (minimisers {number(float(own))}; n ≫ d: "
            f"{least}{constant:.3g})"
        )
    verdict = ""
    if below:
        why = "as are the minimisers of so few examples" if explained else "unlike the minimisers"
        verdict = f"; {' and '.join(below)} below the constant for n ≫ d, {why}"
    floor = float(asymptotic_distance("linear", problem.n, problem.d, sigma, sigma))
    return (
        f"With noise all kinds stop at a floor. On {problem.text}, linear ends at "
        f"{text(by['linear'].distance.at(-1))}, where σ√(d/n) = {number(floor)}, and the others at "
        f"a multiple of its median: {', '.join(ratios)}{verdict}; two heads at {number(two[0])} "
        f"(softmax) and {number(two[1])} (exp)."
    )


def _unsettled(result: Result) -> str:
    plain = [part.tuned for part in result.generated if not part.kind.endswith("±")]
    plain += [part.tuned for part in result.predicted]
    edges = sum(int(tuned.at_edge.sum()) for tuned in plain)
    total = sum(tuned.at_edge.size for tuned in plain)
    return (
        "Not settled: steps or temperatures that change from loop to loop, trained weights, inputs "
        "that are not N(0, I) and larger d; a scale of the read-out was not tuned, and the rates "
        f"1/T and 1/log T are arguments about orders. Of {total} tuned choices with one head "
        f"{edges} lie at an end of their candidates, where a wider search might do better."
    )


# ---- words ---------------------------------------------------------------------------------------


def _listed(values: dict[str, Interval]) -> str:
    return ", ".join(f"{_SAID[kind]} {_level(value)}" for kind, value in values.items())


def _level(value: Interval) -> str:
    """Write an estimate; of what is exact, or diverges, its interval says nothing."""
    if np.isinf(value.value):
        return "diverged"
    if value.high < _EXACT:
        return f"below {number(10.0 ** np.ceil(np.log10(max(float(value.high), 1e-15))))}"
    return text(value)


def _ranking(values: dict[str, Interval]) -> str:
    """Order the kinds from the best, and say between which neighbours intervals overlap."""
    order = sorted(values, key=lambda kind: float(values[kind].value))
    exact = [kind for kind in order if values[kind].high < _EXACT]
    rest = [kind for kind in order if kind not in exact]
    open_ = [
        f"{_SAID[a]} and {_SAID[b]}"
        for a, b in itertools.pairwise(rest)
        if not values[a].high < values[b].low
    ]
    names = [" and ".join(_SAID[kind] for kind in exact)] if exact else []
    names += [_SAID[kind] for kind in rest]
    if not open_:
        return f"from the best: {', '.join(names)}, with intervals apart."
    return f"from the best: {', '.join(names)}, not settled between {', nor between '.join(open_)}."


def _range(values: npt.ArrayLike) -> str:
    """Write the least and the largest of some numbers, or the one that all are."""
    ends = [number(float(end)) for end in (np.min(values), np.max(values))]
    return f"at {ends[0]}" if ends[0] == ends[1] else f"from {ends[0]} to {ends[1]}"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
