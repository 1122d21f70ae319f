"""The tables and the findings of the optima study."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from loopcore.studies.optima.measure import GdPlusPlus, Preconditioner, Schedule, SingleStep
from loopcore.studies.repeats import Estimate, stacked
from loopcore.studies.study import Sheet

if TYPE_CHECKING:
    from loopcore.studies.optima import Result

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
        One or two sentences a part. Of right intervals 95 % hold what they estimate, and not all.
    """
    return (
        _about_single_steps(result.single_steps),
        *(_about_preconditioner(one, result.config.task_counts) for one in result.preconditioners),
        _about_schedules(result.schedules),
        _about_gd_plus_plus(result.gd_plus_plus),
        _about_trainings(result.converged, result.fits),
    )


# ---- sentences ----------------------------------------------------------------------------------


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
        f"{_text(last.best_ratio)} at best. They go from {_text(last.steps, 0)} to "
        f"{_text(last.steps, -1)}, at best from {_text(last.best_steps, 0)} to "
        f"{_text(last.best_steps, -1)}; the constant is {_text(last.constant)}, at best "
        f"{_text(last.best_constant)}. {_agreement(cells, 'ratio', 'steps', 'constant')}"
    )


def _about_gd_plus_plus(cells: Sequence[GdPlusPlus]) -> str:
    last = cells[-1]
    spread = 100 * max(cell.spread for cell in cells)
    return (
        f"{last.T} loops of GD++ leave {_text(last.ratio)} of the loss of gradient descent, and "
        f"{_text(last.best_ratio)} at best, with ηγ = {_text(last.gamma)}, at best "
        f"{_text(last.best_gamma)}; γ differs by at most {spread:.2g} % between coordinates. "
        f"{_agreement(cells, 'ratio', 'step', 'gamma')}"
    )


def _about_trainings(converged: int, fits: int) -> str:
    if converged == fits:
        return f"L-BFGS met its tolerance in all {fits:,} trainings."
    return (
        f"L-BFGS met its tolerance in {converged:,} of {fits:,} trainings; elsewhere its line "
        "search found nothing lower before."
    )


def _agreement(cells: Sequence[Schedule | GdPlusPlus], *names: str) -> str:
    """Count the learned numbers, of these names, that agree with the best ones."""
    agreed = [
        np.ravel(getattr(cell, name).agrees(*getattr(cell, f"best_{name}")))
        for cell in cells
        for name in names
    ]
    count = np.concatenate(agreed)
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
    """Write the estimate, or its k-th, with one digit of the half width, or two from 10 to 29."""
    mean, half_width = (float(part if k is None else part[k]) for part in value)
    digit, exponent = f"{half_width:.0e}".split("e")
    decimals = max((digit in "12") - int(exponent), 0)
    return f"{mean:.{decimals}f} ± {half_width:.{decimals}f}".replace("-", "−")


def _percent(value: Estimate) -> Estimate:
    return Estimate(100 * value.mean, 100 * value.half_width)


def _range(value: Estimate) -> str:
    return f"{value.mean.min():.3f} to {value.mean.max():.3f}"
