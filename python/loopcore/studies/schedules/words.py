"""The tables of the schedules study, and what its numbers say in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from loopcore.studies.frame.intervals import Interval, number, text
from loopcore.studies.frame.study import Sheet
from loopcore.studies.schedules.measure import LEARNED

if TYPE_CHECKING:
    from loopcore.studies.schedules import Result
    from loopcore.studies.schedules.measure import Measured

_CONSTANT, _OPTIMAL, _MOMENTUM, _CHEBYSHEV = range(4)
_ERROR, _DISTANCE = range(2)
_HALVED = 16  # the longest schedule whose half is told: longer ones reach rounding
_AS_GOOD = 1.5  # times the error of another schedule: about as good
_HEADS = ("1/λ_max", "2/(λ_min+λ_max)", "momentum", "Chebyshev")
_NAMES = ("η = 1/λ_max", "η = 2/(λ_min + λ_max)", "momentum", "Chebyshev's steps")


def sheets(result: Result) -> tuple[Sheet, ...]:
    """Lay the result out in tables: loops to each tolerance, and errors of learned steps."""
    config = result.config
    loops = []
    for e, epsilon in list(enumerate(config.tolerances))[-2:]:
        rows = []
        for problem in result.problems:
            known = problem.known
            rows += [
                (
                    problem.name,
                    number(float(known.kappa.value), 4),
                    "median",
                    *(f"{T:,.0f}" for T in known.loops.value[:, _ERROR, e]),
                ),
                ("", "", "worst case", *(f"{T:,.0f}" for T in known.bound_loops[:, e])),
            ]
        title = (
            f"Loops until |⟨v(T), θ*⟩ − 1| stays at most {number(epsilon)}, and by the worst case"
        )
        loops.append(Sheet(title, ("problem", "κ", "", *_HEADS), tuple(rows)))
    errors = []
    for title, tail in (("Median errors", False), ("95 % quantiles of the errors", True)):
        rows = []
        for problem in result.problems:
            for k, T in enumerate(config.learned_loops):
                beside = (problem.known.tail if tail else problem.known.median).value
                mine = (problem.learned.tail if tail else problem.learned.median).value
                values = (beside[_CHEBYSHEV, config.loops.index(T), _ERROR], *mine[k, :, _ERROR])
                rows.append(
                    (
                        "" if k else problem.name,
                        str(T),
                        *(number(float(value), 2) for value in values),
                    )
                )
        errors.append(Sheet(title, ("problem", "T", "Chebyshev", *LEARNED), tuple(rows)))
    return (*loops, *errors)


def findings(result: Result) -> tuple[str, ...]:
    """Say in sentences what the numbers show, the answers first."""
    return (
        _answer(result),
        _about_loops(result),
        _about_learned(result),
        _about_tails(result),
        _about_repeats(result),
        _about_training(result),
        _about_bounds(result),
        _about_stopping(result),
        "Not settled here: noise, where more loops are not better; steps that are trained on more "
        "tasks, for more loops or on another loss than the mean square; and errors that few tasks "
        "have, beyond the 95 % quantile.",
    )


def _answer(result: Result) -> str:
    """Say which steps take the fewest loops, and whether learned ones beat them."""
    medians = [problem.known.loops.value[:, _ERROR, -1] for problem in result.problems]
    fewest = sum(bool(loops[_CHEBYSHEV] <= loops.min()) for loops in medians)
    count = len(medians)
    hardest = max(result.problems, key=_kappa)
    loops = hardest.known.loops
    better, worse, pairs = _counts(result, tail=False, variant=0)
    return (
        "Chebyshev's steps take the fewest loops on "
        f"{f'all {count}' if fewest == count else f'{fewest} of {count}'} problems: for "
        f"{hardest.name} half of the tasks reach {number(result.config.tolerances[-1])} after "
        f"{_whole(loops.at(_CHEBYSHEV, _ERROR, -1))}, and with η = 1/λ_max after "
        f"{_whole(loops.at(_CONSTANT, _ERROR, -1))}. Learned steps, which know no task's spectrum, "
        f"have the smaller median error in {better} of {pairs} pairs of problem and T, the larger "
        f"in {worse}."
    )


# ---- steps that know the spectrum ---------------------------------------------------------------


def _about_loops(result: Result) -> str:
    """Say in which order the methods are, and how the gain grows with κ."""
    by_kappa = sorted(result.problems, key=_kappa)
    said, ordered = [], 0
    for problem in by_kappa:
        loops = problem.known.loops.value[:, _ERROR, -1]
        ordered += bool(np.all(np.diff(loops) <= 0))
        ratio = number(float(loops[_CONSTANT] / loops[_CHEBYSHEV]))
        said.append(f"{ratio} at κ = {number(_kappa(problem), 4)}")
    roots = [number(float(np.sqrt(_kappa(problem)))) for problem in by_kappa]
    return (
        "The order of the worst cases, Chebyshev, momentum, 2/(λ_min + λ_max), 1/λ_max, holds for "
        f"the median loops to {number(result.config.tolerances[-1])} on {ordered} of "
        f"{len(by_kappa)} problems. There 1/λ_max takes more loops than Chebyshev's steps by a "
        f"factor of {', '.join(said)}; √κ goes from {roots[0]} to {roots[-1]}."
    )


def _about_bounds(result: Result) -> str:
    """Say whether the worst cases held, and how far from them tasks are."""
    above = np.sum([problem.known.above_bound for problem in result.problems], axis=0)
    tasks = result.config.tasks * len(result.problems)
    if above.any():
        opening = ", ".join(
            f"{int(count):,} with {name}" for count, name in zip(above, _NAMES, strict=True)
        )
        opening = f"Above the worst case at their own κ lie distances of {tasks:,} tasks: {opening}"
    else:
        opening = (
            f"No distance of {tasks:,} tasks lies above the worst case of its steps at the task's "
            "own κ, after any T"
        )
    shares = np.array(
        [
            problem.known.loops.value[:, _ERROR, -1] / problem.known.bound_loops[:, -1]
            for problem in result.problems
        ]
    )
    parts = ", ".join(
        f"{number(100 * float(low), 2)} to {number(100 * float(high), 2)} % with {name}"
        for low, high, name in zip(shares.min(axis=0), shares.max(axis=0), _NAMES, strict=True)
    )
    return (
        f"{opening}. The median loops to {number(result.config.tolerances[-1])} are, of what the "
        f"worst case at the median κ asks for, {parts}."
    )


def _about_stopping(result: Result) -> str:
    """Say what Chebyshev's schedule is worth before its last loop."""
    config = result.config
    pairs = [(T, T // 2) for T in config.loops if T // 2 in config.loops and T <= _HALVED]
    if not pairs:
        return "What Chebyshev's steps are worth before their last loop was not measured."
    T, half = pairs[-1]
    at, own = config.loops.index(T), config.loops.index(half)
    known = [problem.known for problem in result.problems]
    halves = [
        float(one.early.value[at, 0] / one.median.value[_CHEBYSHEV, own, _ERROR]) for one in known
    ]
    last = [
        float(one.early.value[at, 1] / one.median.value[_CHEBYSHEV, at, _ERROR]) for one in known
    ]
    verdict = (
        "Chebyshev's steps must not be stopped early"
        if min(halves) > 1 and min(last) > 1
        else "Chebyshev's steps may be stopped half way, but not just before their end"
        if max(halves) < _AS_GOOD and min(last) > _AS_GOOD
        else "What Chebyshev's steps are worth before their last loop depends on the problem"
    )
    return (
        f"{verdict}: after {half} of {T} loops the median error is {_range(halves)} times that of "
        f"the schedule made for {half}, after {T - 1} it is {_range(last)} times that after {T}."
    )


# ---- steps that know the distribution -----------------------------------------------------------


def _about_learned(result: Result) -> str:
    """Say where learned steps beat those that know λ_min and λ_max, in the median."""
    better, worse, total = _counts(result, tail=False, variant=1)
    cells = [
        (float(mine.value) / max(float(theirs.value), 1e-300), name, mine, theirs)
        for name, mine, theirs in _pairs(result, tail=False, variant=0)
    ]
    ends = (min(cells, key=lambda cell: cell[0]), max(cells, key=lambda cell: cell[0]))
    best, worst = (f"{name}: {text(mine)} against {text(theirs)}" for _, name, mine, theirs in ends)
    return (
        f"The median error with learned steps is {_compared(result, tail=False)}; the best for "
        f"them is {best}, the worst {worst}. Learned in units of each task's 1/λ_max they have the "
        f"smaller one in {better} of {total} pairs, the larger in {worse}."
    )


def _about_tails(result: Result) -> str:
    """Say the same of the 95 % quantile, and of the share of tasks."""
    shares = [
        (float(problem.learned.wins.value[k, 0]), f"{problem.name}, T = {T}", problem, k)
        for problem in result.problems
        for k, T in enumerate(result.config.learned_loops)
    ]
    ends = (min(shares, key=lambda one: one[0]), max(shares, key=lambda one: one[0]))
    few, many = (f"{_percent(p.learned.wins.at(k, 0))} ({name})" for _, name, p, k in ends)
    return (
        f"The 95 % quantile of the error with learned steps is {_compared(result, tail=True)}. The "
        f"share of tasks on which they have the smaller error goes from {few} to {many}."
    )


def _compared(result: Result, *, tail: bool) -> str:
    """Count where learned steps are better and worse."""
    better, worse, total = _counts(result, tail=tail, variant=0)
    return (
        f"smaller than with Chebyshev's in {better} of {total} pairs of problem and T, larger in "
        f"{worse}, not settled in {total - better - worse}"
    )


def _counts(result: Result, *, tail: bool, variant: int) -> tuple[int, int, int]:
    """Return in how many pairs of problem and T learned steps are better, worse, and of how many.

    Intervals that overlap leave it open.
    """
    pairs = _pairs(result, tail=tail, variant=variant)
    better = sum(bool(mine.high < theirs.low) for _, mine, theirs in pairs)
    worse = sum(bool(mine.low > theirs.high) for _, mine, theirs in pairs)
    return better, worse, len(pairs)


def _pairs(result: Result, *, tail: bool, variant: int) -> list[tuple[str, Interval, Interval]]:
    """Return problem and T, and the error with learned and with Chebyshev's steps."""
    config = result.config
    found = []
    for problem in result.problems:
        mine = problem.learned.tail if tail else problem.learned.median
        theirs = problem.known.tail if tail else problem.known.median
        for k, T in enumerate(config.learned_loops):
            beside = theirs.at(_CHEBYSHEV, config.loops.index(T), _ERROR)
            found.append((f"{problem.name}, T = {T}", mine.at(k, variant, _ERROR), beside))
    return found


def _about_repeats(result: Result) -> str:
    """Say what becomes of learned steps for more loops than they were trained for."""
    config = result.config
    longest, count = config.learned_loops[-1], config.repeats[-1]
    T = longest * count
    place = config.loops.index(T)
    ratios, lost = [], []
    for problem in result.problems:
        goal = float(problem.known.median.value[_CHEBYSHEV, place, _ERROR])
        error = float(problem.learned.repeated_median.value[-1, 0, _ERROR])
        ratios.append(error / max(goal, 1e-300))
        lost.append(float(problem.learned.diverged.value[-1, 0]))
    low, high = int(np.argmin(ratios)), int(np.argmax(ratios))
    sentence = (
        f"For more loops than they were trained for, {longest} learned steps run {count} times, "
        f"the median error after T = {T} is {number(ratios[low])} ({result.problems[low].name}) to "
        f"{number(ratios[high])} ({result.problems[high].name}) times that of Chebyshev's steps"
    )
    worst = int(np.argmax(lost))
    if lost[worst] > 0:
        share = result.problems[worst].learned.diverged
        sentence += (
            f". They leave ‖v(T) − θ*‖ above 1, that of v = 0, on {_percent(share.at(-1, 0))} of "
            f"the tasks for {result.problems[worst].name}: what one run multiplies by more than 1 "
            "grows with each"
        )
    else:
        sentence += ", and they diverge on none of the tasks"
    return sentence + "."


def _about_training(result: Result) -> str:
    """Say how far training is from the best steps for the distribution."""
    config = result.config
    ratios = [problem.learned.loss_ratio for problem in result.problems]
    values = np.array([ratio.value for ratio in ratios])  # (P, L, 2)
    worst = []
    for v in range(2):
        p, k = np.unravel_index(np.argmax(values[..., v]), values.shape[:2])
        ratio = ratios[int(p)].at(int(k), v)
        name = f"{result.problems[int(p)].name}, T = {config.learned_loops[int(k)]}"
        worst.append((ratio, f"{text(ratio)} ({name})"))
    done = sum(sum(problem.learned.converged) for problem in result.problems)
    sentence = (
        f"On tasks that it has not seen, training on {config.train_tasks:,} comes to within 5 % of "
        f"the mean ‖v(T) − θ*‖² of the best steps in {int(np.sum(values <= 1.05))} of "
        f"{values.size} cases; at worst it is {worst[0][1]} times that, and {worst[1][1]} times "
        "with steps in units of each task's 1/λ_max"
    )
    if worst[0][0].low > worst[1][0].high:
        sentence += (
            ". Steps that do not know λ_max are too long for the few tasks where it is larger than "
            "in the training, and these make the mean"
        )
    return f"{sentence}. {done} of {values.size} trainings met their tolerance."


# ---- words --------------------------------------------------------------------------------------


def _kappa(problem: Measured) -> float:
    """Return the median κ of a problem."""
    return float(problem.known.kappa.value)


def _range(values: list[float]) -> str:
    return f"{number(min(values))} to {number(max(values))}"


def _whole(loops: Interval) -> str:
    value, low, high = (f"{float(part):,.0f}" for part in loops)
    return value if low == high else f"{value} ({low} to {high})"


def _percent(share: Interval) -> str:
    if share.low == share.high:
        return f"{number(100 * float(share.value), 2)} %"
    return f"{text(Interval(*(100 * part for part in share)), 2)} %"
