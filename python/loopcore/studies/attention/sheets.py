"""The tables of the attention study."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from loopcore.studies.attention.config import GENERATING, PREDICTING, Problem
from loopcore.studies.attention.result import Result, by_problem
from loopcore.studies.frame.intervals import number
from loopcore.studies.frame.study import Sheet


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
        (_short(problem), *(_cell(part.distance.value[-1]) for part in parts.values()))
        for problem, parts in by_problem(result.generated)
    ]
    return Sheet(
        f"Generation: median ‖v − αθ*‖ / (|α| ‖θ*‖) after T = {T} loops",
        ("problem", *(_kind(kind) for kind in GENERATING)),
        tuple(rows),
    )


def _loops_sheet(result: Result) -> Sheet:
    problem, parts = by_problem(result.generated)[0]
    rows = []
    for k, T in enumerate(result.config.loops):
        for kind in ("softmax", "exp"):
            part = parts[kind]
            values = (part.distance, part.tail, part.limit, part.value_error)
            tau, gamma = part.tuned.temperature[k], part.tuned.step[k]
            cells = [*(_cell(value.value[k]) for value in values), f"{tau:.3g}", f"{gamma:.3g}"]
            rows.append((str(T), kind, *cells))
    return Sheet(
        f"Softmax and exp by loops, {problem.text}: medians, and tuned τ, γ",
        ("T", "kind", "distance", "90 %", "at minimiser", "value error", "τ", "γ"),
        tuple(rows),
    )


def _limits_sheet(result: Result) -> Sheet:
    rows = []
    for hull, (problem, parts) in zip(result.surrounded, by_problem(result.generated), strict=True):
        cells = [_cell(parts[kind].above_limit.value[-1]) for kind in ("softmax", "exp", "relu")]
        rows.append((_short(problem), f"{hull.share.value:.3f}", f"{hull.probability:.3f}", *cells))
    return Sheet(
        "0 in the hull of the rows; distance over that at the minimiser, last T",
        ("problem", "share", "Wendel", "softmax", "exp", "ReLU"),
        tuple(rows),
    )


def _prediction_sheet(result: Result) -> Sheet:
    T = result.config.kernel_loops[-1]
    rows = []
    for problem, parts in by_problem(result.predicted):
        errors = (_cell(part.error.value[-1]) for part in parts.values())
        ends = (_cell(parts[kind].limit.value) for kind in ("linear", "softmax", "exp"))
        rows.append((_short(problem), *errors, *ends))
    return Sheet(
        f"Prediction: median squared error / Var y after T = {T} loops, and T → ∞",
        ("problem", *(_kind(kind) for kind in PREDICTING), "lin. ∞", "softm. ∞", "exp ∞"),
        tuple(rows),
    )


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
