"""What the nonlinear study found, in sentences and tables made from its numbers."""

from __future__ import annotations

import math

import numpy as np

from loopcore.studies.intervals import number, text
from loopcore.studies.nonlinear.config import (
    CHOSEN,
    CONSTANT,
    KERNEL_RIDGES,
    KERNELS,
    LIFTED,
    LIMIT,
    METHODS,
    NEIGHBORS,
    RAW,
    RIDGE,
    features,
    least_error,
    raw_floor,
)
from loopcore.studies.nonlinear.result import Cell, Result, Score
from loopcore.studies.study import Sheet

_EXACT = 1e-12  # of Var(y): rounding, and κ times that
_SMALL = 1e-3


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
    said = [
        _about_raw(result),
        _about_lifted(result),
        _about_loops(result),
        _about_kernels(result),
        _about_limits(result),
    ]
    if result.others:
        said.append(_about_others(result))
    return (*said, _about_checks(result))


def _about_raw(result: Result) -> str:
    said, below = [], 0
    for d in result.config.dims:
        cells = result.quadratic(d, RAW, CONSTANT)
        last = cells[-1]
        below += sum(
            bool(cell.scores[m].error.high < raw_floor(d, constant=m == CONSTANT))
            for cell in cells
            for m in (RAW, CONSTANT)
        )
        said.append(
            f"d = {d}: {text(last.scores[CONSTANT].error)} at n = {_size(last)}, floor "
            f"{number(raw_floor(d, constant=True))}, and without the constant "
            f"{text(last.scores[RAW].error)}, floor {number(raw_floor(d, constant=False))}"
        )
    broken = (
        "no measured interval lies below them"
        if not below
        else f"{below} measured intervals lie below them, which should not be"
    )
    return (
        "Open question 6, error over Var(y): on raw features x and 1 a quadratic function cannot "
        "be learned, whatever n and T. Its linear part is 2/(d + 3) of the variance, which leaves "
        "the floor (d + 1)/(d + 3), or (p − d)/(p − 1) without the constant, p = (d + 1)(d + 2)/2. "
        f"At the best T, {'; '.join(said)}; {broken}."
    )


def _about_lifted(result: Result) -> str:
    held, few, gaps, exact, near = 0, [], [], [], []
    for d in result.config.dims:
        for cell in result.quadratic(d, LIMIT):
            score = cell.scores[LIMIT].error
            if cell.n < features(d):
                few.append(cell)
                held += bool(score.holds(least_error(cell.n, d)))
                gaps.append(abs(float(score.value) / least_error(cell.n, d) - 1))
            else:
                exact.append(float(score.value))
                near.append(cell)
    said = []
    if few:
        said.append(
            f"for n < p T → ∞ has (p − n)/(p − 1), which no method beats on average over these "
            f"tasks ({held} of {len(few)} intervals hold it, the largest gap is "
            f"{100 * max(gaps):.2g} %)"
        )
    if exact:
        worst = max(exact)
        end = "from n = p on it is exact" if worst < _EXACT else "from n = p on it is NOT exact"
        said.append(f"{end} (at most {number(worst, 2)})")
    at_p = [
        f"{text(cell.scores[LIFTED].error)} at d = {cell.d}"
        for cell in near
        if cell.n == features(cell.d)
    ]
    if at_p:
        said.append(f"at n = p the best T up to {result.config.loops:,} leaves {', '.join(at_p)}")
    beaten = [
        cell
        for d in result.config.dims
        for cell in result.quadratic(d, LIMIT)
        if cell.n > d + 1 and cell.scores[LIMIT].error.high < raw_floor(d, constant=True)
    ]
    all_above = [
        cell for d in result.config.dims for cell in result.quadratic(d, LIMIT) if cell.n > d + 1
    ]
    return (
        f"Lifted features need n = p examples: {'; '.join(said)}. Below the floor of raw x and 1 "
        f"they are from n = d + 2 on by these formulas; measured, in {len(beaten)} of "
        f"{len(all_above)} settings with n above d + 1."
    )


def _about_loops(result: Result) -> str:
    T = result.config.candidates
    said = []
    for d in result.config.dims:
        for cell in result.quadratic(d, LIFTED):
            if cell.n <= features(d):
                continue
            small = np.flatnonzero(cell.scores[LIFTED].curve < _SMALL)
            found = f"{T[small[0]]:,}" if len(small) else f"over {T[-1]:,}"
            said.append(f"{found} at d = {d}, n = {_size(cell)}")
    chosen = [
        (cell.scores[CHOSEN], cell.scores[LIMIT])
        for d in result.config.dims
        for cell in result.quadratic(d, CHOSEN, LIMIT)
        if cell.n < features(d)
    ]
    cost = [float(a.error.value / b.error.value) for a, b in chosen]
    folds = (
        f" T by five folds of each task's own examples costs, below n = p, up to "
        f"{100 * (max(cost) - 1):.0f} % of error beside T → ∞."
        if cost
        else ""
    )
    if not said:
        return f"No setting has more examples than lifted features.{folds}"
    return (
        f"Loops to a mean error below {_SMALL:g} Var(y) on lifted features (powers of two): "
        f"{'; '.join(said)}.{folds}"
    )


def _about_kernels(result: Result) -> str:
    said, best_names = [], []
    for d in result.config.dims:
        cells = result.quadratic(d, *KERNELS)
        below = [cell for cell in cells if _best(cell)[1].error.high < raw_floor(d, constant=True)]
        first = f"from n = {_size(below[0])} on" if below else "at no n tried"
        last = cells[-1]
        name, score = _best(last)
        best_names.append(name)
        said.append(
            f"d = {d}: below the floor of raw x and 1 {first}; at n = {_size(last)} "
            f"{text(score.error)} ({name}), where the lift has "
            f"{_small(float(last.scores[LIFTED].error.value))} and neighbours "
            f"{text(last.scores[NEIGHBORS].error)}"
        )
    beaten = sum(
        bool(_best(cell)[1].error.low > cell.scores[LIFTED].error.high)
        for d in result.config.dims
        for cell in result.quadratic(d, *KERNELS)
    )
    better = sum(
        bool(_best(cell)[1].error.high < cell.scores[LIFTED].error.low)
        for d in result.config.dims
        for cell in result.quadratic(d, *KERNELS)
    )
    count = sum(len(result.quadratic(d, *KERNELS)) for d in result.config.dims)
    growth = _growth(result)
    learned = all(
        _best(cells[-1])[1].error.high < raw_floor(d, constant=True)
        for d in result.config.dims
        for cells in (result.quadratic(d, *KERNELS),)
    )
    verdict = (
        "learns quadratic functions without being told the features"
        if learned
        else "does not come below the floor of raw x and 1 for every d"
    )
    return (
        f"Kernel attention {verdict}. The best of {_list(KERNELS)}, tuned alike on held-out tasks, "
        f"is, at {'; '.join(said)}.{growth} The lift, tuned the same way, is better in "
        f"{beaten} of {count} settings, worse in {better}, and the rest is not settled."
    )


def _growth(result: Result) -> str:
    """Compare the best kernel attention at the most examples for the first and the last d."""
    ends = result.config.dims[0], result.config.dims[-1]
    first, last = (result.quadratic(d, *KERNELS)[-1] for d in ends)
    if first is last:
        return ""
    a, b = _best(first)[1].error, _best(last)[1].error
    more = (
        f"{number(float(b.value / a.value), 2)} times as much at d = {last.d} as at d = {first.d}"
    )
    apart = a.high < b.low or b.high < a.low
    return f" At the most examples that is {more}{'' if apart else ', which is not settled'}."


def _about_limits(result: Result) -> str:
    said = []
    for d in result.config.dims:
        cell = result.quadratic(d, *KERNELS)[-1]
        each = ", ".join(f"{name} {text(cell.scores[name].error)}" for name in KERNELS)
        said.append(f"d = {d}, n = {_size(cell)}: {each}; {_ridges(cell)}")
    most = result.config.loops
    at_end = [
        cell.scores[name].loops == most
        for d in result.config.dims
        for cell in result.quadratic(d, *KERNELS)
        for name in KERNELS
        if name != "relu" and cell.n >= features(d)
    ]
    relu = [
        cell.scores["relu"].loops
        for d in result.config.dims
        for cell in result.quadratic(d, *KERNELS)
    ]
    lacking = all(
        cell.scores["ridge, exp"].error.high < cell.scores["exp"].error.low
        for d in result.config.dims
        for cell in result.quadratic(d, *KERNELS)[-1:]
    )
    cause = (
        ": exp attention lacks loops, not features, since ridge with its kernel does better"
        if lacking
        else ""
    )
    return (
        f"Which kernel: {'; '.join(said)}. From n = p on the best T of exp, softmax and rbf is the "
        f"largest one, {most:,}, in {sum(at_end)} of {len(at_end)} cases{cause}. ReLU, which is "
        f"indefinite, is best after {min(relu)} to {max(relu)} loops."
    )


def _ridges(cell: Cell) -> str:
    ridges = ", ".join(
        f"{name.removeprefix('ridge, ')} {text(cell.scores[name].error)}" for name in KERNEL_RIDGES
    )
    return f"with ridge in place of loops {ridges}"


def _about_others(result: Result) -> str:
    said = []
    for cell in result.others:
        ranked = sorted(
            (name for name in (CONSTANT, LIFTED, *KERNELS, NEIGHBORS)),
            key=lambda name, cell=cell: float(cell.scores[name].error.value),  # type: ignore[misc]
        )
        first, second = (cell.scores[name].error for name in ranked[:2])
        apart = first.high < second.low
        runner_up = "" if apart else f", not settled from {ranked[1]} {text(second)}"
        said.append(
            f"{cell.target}, n = {_size(cell)}: {ranked[0]} {text(first)}{runner_up}; lifted "
            f"{text(cell.scores[LIFTED].error)}, raw x and 1 {text(cell.scores[CONSTANT].error)}"
        )
    return (
        f"Where the lift is not the right model (d = {result.config.middle}), the least error is "
        f"that of, {'; '.join(said)}."
    )


def _about_checks(result: Result) -> str:
    deviation = max(score.deviation for cell in result.cells for score in cell.scores.values())
    return (
        f"Kernel attention and its closed form agree to {number(deviation, 2)} of the largest |y|. "
        f"Not settled here: noise, where T → ∞ is no longer best; d above "
        f"{max(result.config.dims)}; more than {result.config.loops:,} loops of kernel attention, "
        "trained weights, and steps that are not tied to λ_max of the task."
    )


def _size(cell: Cell) -> str:
    """Write n in units of p."""
    return "p" if cell.n == features(cell.d) else f"{cell.rate:.3g}p"


def _best(cell: Cell) -> tuple[str, Score]:
    """Return the kernel attention of the least mean error, and its name."""
    name = min(KERNELS, key=lambda kernel: float(cell.scores[kernel].error.value))
    return name, cell.scores[name]


def _list(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"


# ---- tables -------------------------------------------------------------------------------------


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
    bounds = ("least of any", *(_small(least_error(cell.n, d)) for cell in cells))
    return Sheet(f"Mean error over Var(y), quadratic, d = {d}", columns, (*rows, bounds))


def _written(score: Score | None) -> str:
    return "–" if score is None else _small(float(score.error.value))


def _small(value: float) -> str:
    """Write an error in at most six characters, so that tables of many n fit."""
    if value < _EXACT:
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
            _small(float(score.error.value)),
            _small(float(score.median.value)),
        )
        for method, score in cell.scores.items()
    ]
    title = f"As tuned, quadratic, d = {cell.d}, n = {cell.n}"
    return Sheet(title, ("method", "T", "η λ_max", "width", "error", "median"), tuple(rows))


def _or_dash(value: float) -> str:
    return "–" if math.isnan(value) else number(value)
