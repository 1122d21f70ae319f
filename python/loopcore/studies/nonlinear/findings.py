"""What the nonlinear study found, in sentences made from its numbers."""

from __future__ import annotations

import numpy as np

from loopcore.studies.frame.intervals import Interval, number, text
from loopcore.studies.frame.repeats import CONFIDENCE
from loopcore.studies.nonlinear.config import (
    CONSTANT,
    KERNELS,
    LIFTED,
    LIMIT,
    NEIGHBORS,
    RAW,
    features,
    least_error,
    raw_floor,
)
from loopcore.studies.nonlinear.result import Cell, Result, Score
from loopcore.studies.nonlinear.sheets import EXACT

_REACHED = 1e-3


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
    said = [
        _answer(result),
        _about_raw(result),
        _about_lifted(result),
        _about_loops(result),
        _about_kernels(result),
        _about_each_kernel(result),
        _about_lacking_loops(result),
    ]
    if result.others:
        said.append(_about_others(result))
    return (*said, _about_checks(result))


def _answer(result: Result) -> str:
    d = result.config.middle
    cell = result.quadratic(d, *KERNELS)[-1]
    name, score = _best(cell)
    raw, lifted = cell.scores[CONSTANT].error, cell.scores[LIFTED].error
    if score.error.high < raw_floor(d, constant=True):
        verdict = "less than any linear function"
    elif score.error.low > raw_floor(d, constant=True):
        verdict = "no less than a linear function"
    else:
        verdict = "not settled from the best linear function"
    return (
        f"Open question 6: of the variance of quadratic functions of {d} variables, from {cell.n} "
        f"examples, loops on raw features leave {_left(raw)}, on the {features(d)} lifted features "
        f"{_left(lifted)}, and kernel attention ({name}, chosen on held-out tasks) "
        f"{_left(score.error)}: {verdict}."
    )


def _about_raw(result: Result) -> str:
    cells = [cell for d in result.config.dims for cell in result.quadratic(d, RAW, CONSTANT)]
    intervals = [
        (cell.scores[method].error, raw_floor(cell.d, constant=method == CONSTANT))
        for cell in cells
        for method in (RAW, CONSTANT)
    ]
    below = sum(bool(error.high < floor) for error, floor in intervals)
    chance = len(intervals) * (1 - CONFIDENCE) / 2
    allowed = "as chance allows" if below <= chance + 3 * chance**0.5 else "which should not be"
    said = [
        f"{text(last.scores[CONSTANT].error)} at d = {d} (where that is "
        f"{number(raw_floor(d, constant=True))})"
        for d in _ends(result)
        for last in result.quadratic(d, CONSTANT)[-1:]
    ]
    return (
        "With raw features x and 1 a quadratic function cannot be learned, whatever n and T: its "
        "linear part is 2/(d + 3) of the variance, and (d + 1)/(d + 3) is left. With the most "
        f"examples loops leave {' and '.join(said)}. Of {len(intervals)} intervals, with and "
        f"without the 1, {below} lie below their floors{f', {allowed}' if below else ''}."
    )


def _about_lifted(result: Result) -> str:
    cells = [cell for d in result.config.dims for cell in result.quadratic(d, LIMIT)]
    few = [cell for cell in cells if cell.n < features(cell.d)]
    many = [cell for cell in cells if cell.n >= features(cell.d)]
    said = []
    if few:
        held = sum(bool(c.scores[LIMIT].error.holds(least_error(c.n, c.d))) for c in few)
        said.append(
            "for n < p T → ∞ leaves (p − n)/(p − 1), which no method beats on average over these "
            f"tasks ({held} of {len(few)} intervals hold it)"
        )
    if many:
        worst = max(float(cell.scores[LIMIT].error.value) for cell in many)
        exact = "exact" if worst < EXACT else "NOT exact"
        said.append(f"from n = p on it is {exact} (at most {number(worst, 2)})")
    above = [cell for cell in cells if cell.n > cell.d + 1]
    beaten = [c for c in above if c.scores[LIMIT].error.high < raw_floor(c.d, constant=True)]
    measured = f"; measured, in {len(beaten)} of {len(above)} settings" if above else ""
    return (
        f"Lifted features need n = p = (d + 1)(d + 2)/2 examples: {'; '.join(said)}. Below the "
        f"floor of raw x and 1 they are from n = d + 2 on by these formulas{measured}."
    )


def _about_loops(result: Result) -> str:
    T = result.config.candidates
    reached, at_p = [], []
    for d in _ends(result):
        for cell in result.quadratic(d, LIFTED):
            score = cell.scores[LIFTED]
            if cell.n == features(d):
                at_p.append(f"{text(score.error)} at d = {d}")
            if cell.n > features(d):
                enough = np.flatnonzero(score.curve < _REACHED)
                found = f"{T[enough[0]]:,}" if len(enough) else f"over {T[-1]:,}"
                reached.append(f"{found} at d = {d}, n = {_size(cell)}")
    said = []
    if at_p:
        said.append(
            f"At n = p, where κ is large, the best T up to {result.config.loops:,} still leaves "
            f"{' and '.join(at_p)}."
        )
    if reached:
        said.append(
            f"Loops to a mean error below {_REACHED:g} on lifted features (powers of two): "
            f"{', '.join(reached)}."
        )
    return " ".join(said) or "No setting has as many examples as lifted features."


def _about_kernels(result: Result) -> str:
    cells = [cell for d in result.config.dims for cell in result.quadratic(d, *KERNELS)]
    floors = [raw_floor(cell.d, constant=True) for cell in cells]
    first: dict[int, str] = {}
    for cell, floor in zip(cells, floors, strict=True):
        if _best(cell)[1].error.high < floor:
            first.setdefault(cell.d, _size(cell))
    since = ", ".join(
        f"from n = {first[d]} on at d = {d}" if d in first else f"at no n tried at d = {d}"
        for d in result.config.dims
    )
    learned = "learns" if len(first) == len(result.config.dims) else "does not always learn"
    pairs = [(_best(cell)[1].error, cell.scores[LIFTED].error) for cell in cells]
    beaten = sum(bool(kernel.low > lift.high) for kernel, lift in pairs)
    better = sum(bool(kernel.high < lift.low) for kernel, lift in pairs)
    return (
        f"Kernel attention {learned} quadratic functions without being told the features: it "
        f"leaves less than raw features ever can {since}.{_growth(result)} The lift, tuned the "
        f"same way, is better in {beaten} of {len(pairs)} settings, worse in {better}; "
        f"{len(pairs) - beaten - better} are not settled."
    )


def _growth(result: Result) -> str:
    """Compare the best kernel attention at the most examples for the first and the last d."""
    ends = result.config.dims[0], result.config.dims[-1]
    first, last = (result.quadratic(d, *KERNELS)[-1] for d in ends)
    a, b = _best(first)[1].error, _best(last)[1].error
    said = f" With the most examples it leaves {text(a)} at d = {first.d}"
    if first is last:
        return f"{said}."
    apart = a.high < b.low or b.high < a.low
    return f"{said} and {text(b)} at d = {last.d}{'' if apart else ', which is not settled'}."


def _about_each_kernel(result: Result) -> str:
    cell = result.quadratic(result.config.middle, *KERNELS)[-1]
    ranked = sorted(KERNELS, key=lambda name: float(cell.scores[name].error.value))
    each = ", ".join(f"{name} {text(cell.scores[name].error)}" for name in ranked)
    return (
        f"Which kernel: at d = {cell.d}, n = {_size(cell)} {each}; nearest neighbours leave "
        f"{text(cell.scores[NEIGHBORS].error)}."
    )


def _about_lacking_loops(result: Result) -> str:
    cells = [cell for d in result.config.dims for cell in result.quadratic(d, *KERNELS)]
    most = result.config.loops
    at_end = [
        cell.scores[name].loops == most
        for cell in cells
        for name in KERNELS
        if name != "relu" and cell.n >= features(cell.d)
    ]
    relu = [cell.scores["relu"].loops for cell in cells]
    last = [result.quadratic(d, *KERNELS)[-1].scores for d in result.config.dims]
    lacking = all(one["ridge, exp"].error.high < one["exp"].error.low for one in last)
    cell = result.quadratic(result.config.middle, *KERNELS)[-1]
    cause = (
        "exp attention lacks loops, not features"
        if lacking
        else "whether exp attention lacks loops or features is not settled"
    )
    ended = (
        f"From n = p on the best T of exp, softmax and rbf is the largest one, {most:,}, in "
        f"{sum(at_end)} of {len(at_end)} cases. "
        if at_end
        else ""
    )
    span = str(min(relu)) if min(relu) == max(relu) else f"{min(relu)} to {max(relu)}"
    return (
        f"{ended}Ridge with the kernel of exp in place of loops leaves "
        f"{text(cell.scores['ridge, exp'].error)} at d = {cell.d}, n = {_size(cell)}: {cause}. "
        f"ReLU, which is indefinite, is best after {span} loops."
    )


def _about_others(result: Result) -> str:
    said = []
    last = {cell.target: cell for cell in result.others}  # of the most examples
    for cell in last.values():
        methods = (CONSTANT, LIFTED, *KERNELS, NEIGHBORS)
        best = min(methods, key=lambda name, cell=cell: cell.scores[name].held_out)  # type: ignore[misc]
        error = cell.scores[best].error
        close = [n for n in methods if n != best and cell.scores[n].error.low <= error.high]
        unsettled = f" (not settled from {', '.join(close)})" if close else ""
        said.append(
            f"{cell.target}, n = {_size(cell)}: {best} {text(error)}{unsettled}, where the lift "
            f"has {text(cell.scores[LIFTED].error)}"
        )
    return (
        f"Where the lift is not the right model (d = {result.config.middle}), the method that is "
        f"best on held-out tasks: {'; '.join(said)}."
    )


def _about_checks(result: Result) -> str:
    deviation = max(score.deviation for cell in result.cells for score in cell.scores.values())
    return (
        f"Kernel attention and its closed form agree to {number(deviation, 2)} of the largest |y|. "
        f"Not settled: noise, where T → ∞ is no longer best; d above {max(result.config.dims)}; "
        f"more than {result.config.loops:,} loops of kernel attention, trained weights, and steps "
        "that are not tied to λ_max of the task. Intervals are over tasks, with what was tuned on "
        f"{result.config.held_out} others held fixed."
    )


def _best(cell: Cell) -> tuple[str, Score]:
    """Return the kernel attention of the least mean error on held-out tasks, and its name."""
    name = min(KERNELS, key=lambda kernel: cell.scores[kernel].held_out)
    return name, cell.scores[name]


def _ends(result: Result) -> tuple[int, ...]:
    """Return the first and the last d, or the one that there is."""
    return tuple(sorted({result.config.dims[0], result.config.dims[-1]}))


def _size(cell: Cell) -> str:
    """Write n in units of p."""
    return "p" if cell.n == features(cell.d) else f"{cell.rate:.3g}p"


def _left(error: Interval) -> str:
    """Write an error, rounding in words."""
    return "nothing but rounding" if error.high < EXACT else text(error)
