"""The tables and the findings of the optima study."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from loopcore.studies.frame.intervals import number, plus_minus
from loopcore.studies.frame.repeats import Estimate, stacked
from loopcore.studies.frame.study import Sheet
from loopcore.studies.optima.measure import GdPlusPlus, Preconditioner, Schedule, SingleStep

if TYPE_CHECKING:
    from loopcore.studies.optima import Result

Array = npt.NDArray[np.float64]

_ENOUGH = 0.85  # of right intervals 95 % hold what they estimate; those of one T share their tasks
_SCHEDULE, _PLUS = ("ratio", "steps", "constant"), ("ratio", "step", "gamma")
_PRIOR_NAMES = {"inverse": "N(0, Σ⁻¹)", "isotropic": "N(0, I)"}


def findings(result: Result) -> tuple[str, ...]:
    """Say in sentences what the numbers say.

    Parameters
    ----------
    result : Result
        What `optima.compute` gave.

    Returns
    -------
    tuple of str
        The answer, one or two sentences a part, and what is open.
    """
    return (
        _answer(result),
        _about_single_steps(result.single_steps),
        *(_about_preconditioner(one, result.config.task_counts) for one in result.preconditioners),
        _about_schedules(result.schedules),
        _about_gd_plus_plus(result.gd_plus_plus),
        _about_the_rest(result),
    )


# ---- sentences ----------------------------------------------------------------------------------


def _answer(result: Result) -> str:
    """Say whether training finds the optima."""
    agreed, away = _compared(result)
    finds = "finds" if np.mean(agreed) >= _ENOUGH else "does not find all of"
    return (
        f"Training {finds} the optima that are known without it: {agreed.sum()} of {agreed.size} "
        "learned steps, losses and rates agree with them within 95 % intervals, of which one in "
        f"twenty may miss by chance. The steps and losses are {number(100 * np.median(away), 2)} % "
        f"away in the median, and {number(100 * away.max(), 2)} % at most."
    )


def _about_single_steps(cells: Sequence[SingleStep]) -> str:
    step, loss = stacked([cell.step for cell in cells]), stacked([cell.loss for cell in cells])
    return (
        f"The trained single step is {_range(step)} times 1/(n + d + 1) for {len(cells)} shapes, "
        f"and its loss {_range(loss)} times d(d + 1)/(n + d + 1): {step.agrees(1).sum()} and "
        f"{loss.agrees(1).sum()} of {len(cells)} intervals hold the closed form."
    )


def _about_preconditioner(one: Preconditioner, counts: Sequence[int]) -> str:
    error, inside = _percent(one.error), "holds" if one.slope.agrees(-0.5) else "does not hold"
    return (
        f"For w ~ {_PRIOR_NAMES[one.prior]} the learned preconditioner is {_text(error, 0)} % from "
        f"its closed form after {counts[0]:,} tasks and {_text(error, -1)} % after {counts[-1]:,}: "
        f"like tasks to the power {_text(one.slope)}, which {inside} the −1/2 of noise alone. The "
        f"mean over the repeats is {100 * one.error_of_mean[-1]:.2g} % away, the closed form of "
        f"the other prior {100 * one.distance_to_other:.0f} %."
    )


def _about_schedules(cells: Sequence[Schedule]) -> str:
    last = cells[-1]
    return (
        f"{last.T} learned steps leave {_text(last.ratio)} of the loss of one constant, and "
        f"{_text(last.best_ratio)} at best; in units of 1/(n + d + 1) the largest of them is "
        f"{_text(last.steps, -1)}, at best {_text(last.best_steps, -1)}. "
        f"{_agreement(cells, _SCHEDULE)}"
    )


def _about_gd_plus_plus(cells: Sequence[GdPlusPlus]) -> str:
    last = cells[-1]
    spread = 100 * max(cell.spread for cell in cells)
    return (
        f"{last.T} loops of GD++ leave {_text(last.ratio)} of the loss of gradient descent, and "
        f"{_text(last.best_ratio)} at best; ηγ is {_text(last.gamma)}, at best "
        f"{_text(last.best_gamma)}, and differs by at most {spread:.2g} % between coordinates. "
        f"{_agreement(cells, _PLUS)}"
    )


def _about_the_rest(result: Result) -> str:
    converged, fits, config = result.converged, result.fits, result.config
    if converged == fits:
        trainings = f"L-BFGS met its tolerance in all {fits:,} trainings."
    else:
        trainings = (
            f"L-BFGS met its tolerance in {converged:,} of {fits:,} trainings; elsewhere its line "
            "search found nothing lower before."
        )
    return (
        f"{trainings} Not settled: inputs that are not Gaussian, noise, training from other "
        f"starts, and more than {config.schedule_loops} learned steps or {config.plus_loops} loops "
        "of GD++, where a few large eigenvalues make the mean loss."
    )


def _compared(result: Result) -> tuple[npt.NDArray[np.bool_], Array]:
    """Return which learned numbers agree with the known ones, and how far steps and losses are."""
    singles = [(one, 1.0) for cell in result.single_steps for one in (cell.step, cell.loss)]
    agreed = [np.ravel(one.agrees(known)) for one, known in singles]
    away = [np.ravel(abs(one.mean / known - 1)) for one, known in singles]
    agreed += [np.ravel(one.slope.agrees(-0.5)) for one in result.preconditioners]
    for cells, names in ((result.schedules, _SCHEDULE), (result.gd_plus_plus, _PLUS)):
        agreed += _agreed(cells, names)
        away += [
            np.ravel(abs(getattr(cell, name).mean / getattr(cell, f"best_{name}").mean - 1))
            for cell in cells
            for name in names
        ]
    return np.concatenate(agreed), np.concatenate(away)


def _agreed(
    cells: Sequence[Schedule | GdPlusPlus], names: Sequence[str]
) -> list[npt.NDArray[np.bool_]]:
    """Return which of the learned numbers of these names agree with the best ones."""
    return [
        np.ravel(getattr(cell, name).agrees(*getattr(cell, f"best_{name}")))
        for cell in cells
        for name in names
    ]


def _agreement(cells: Sequence[Schedule | GdPlusPlus], names: Sequence[str]) -> str:
    count = np.concatenate(_agreed(cells, names))
    return (
        f"For T = {cells[0].T} to {cells[-1].T}, {count.sum()} of {count.size} losses and steps "
        "agree with the best; those of one T share their tasks."
    )


# ---- tables -------------------------------------------------------------------------------------


def sheets(result: Result) -> tuple[Sheet, ...]:
    """Lay out a table for each part; mean ± half the 95 % interval, steps times n + d + 1."""
    counts = result.config.task_counts
    return (
        Sheet(
            "The best single step: trained over closed form",
            ("n", "d", "step", "loss"),
            tuple(
                (str(cell.n), str(cell.d), _text(cell.step), _text(cell.loss))
                for cell in result.single_steps
            ),
        ),
        Sheet(
            "The learned preconditioner: ‖Γ − Γ*‖_F / ‖Γ*‖_F in % by tasks",
            ("w", *(f"{count:,}" for count in counts), "power"),
            tuple(
                (
                    _PRIOR_NAMES[one.prior],
                    *(_text(_percent(one.error), k) for k in range(len(counts))),
                    _text(one.slope),
                )
                for one in result.preconditioners
            ),
        ),
        Sheet(
            "Learned steps: loss over that of one learned constant; steps times n + d + 1",
            ("T", "loss", "at best", "smallest step", "largest step"),
            tuple(
                (
                    str(cell.T),
                    *map(_text, (cell.ratio, cell.best_ratio)),
                    *(_text(cell.steps, k) for k in (0, -1)),
                )
                for cell in result.schedules
            ),
        ),
        Sheet(
            "GD++: loss over that of gradient descent; ηγ times n + d + 1",
            ("T", "loss", "at best", "ηγ", "at best"),
            tuple(
                (
                    str(cell.T),
                    *map(_text, (cell.ratio, cell.best_ratio, cell.gamma, cell.best_gamma)),
                )
                for cell in result.gd_plus_plus
            ),
        ),
    )


# ---- numbers ------------------------------------------------------------------------------------


def _text(value: Estimate, k: int | None = None) -> str:
    """Write the estimate, or its k-th."""
    return plus_minus(value if k is None else Estimate(value.mean[k], value.half_width[k]))


def _percent(value: Estimate) -> Estimate:
    return Estimate(100 * value.mean, 100 * value.half_width)


def _range(value: Estimate) -> str:
    return f"{value.mean.min():.3f} to {value.mean.max():.3f}"
