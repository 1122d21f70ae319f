"""The report on the optima study: tables and findings for people, and the numbers as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table as Grid

from loopcore.studies.optima import Result
from loopcore.studies.optima.parts import GdPlusPlus, Preconditioner, Schedule, SingleStep
from loopcore.studies.repeats import Estimate, stacked
from loopcore.studies.result_files import versions, write_json, write_text

SOURCES = ("arXiv 2306.00297", "arXiv 2307.03576", "arXiv 2212.07677")

_PRIOR_NAMES = {"inverse": "N(0, Σ⁻¹)", "isotropic": "N(0, I)"}


def print_report(result: Result, console: Console) -> None:
    """Print a table for each part, and what they say.

    Parameters
    ----------
    result : Result
        What `optima.compute` gave.
    console : rich.console.Console
        Where to; lines fit 80 columns.
    """
    console.print(_settings(result), style="bold")
    console.print("mean ± half the 95 % interval; steps are in units of 1/(n + d + 1)")
    for title, grid in (
        ("The best single step: trained over closed form", _single_steps(result)),
        ("The learned preconditioner: ‖Γ − Γ*‖_F / ‖Γ*‖_F in % by tasks", _preconditioners(result)),
        ("Learned steps: loss over that of one learned constant", _schedules(result)),
        ("GD++: loss over that of gradient descent", _gd_plus_plus(result)),
    ):
        console.print(f"\n{title}", style="bold")
        console.print(grid)
    console.print()
    for finding in findings(result):
        console.print(f"- {finding}")


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


def save(result: Result, path: Path) -> None:
    """Write the numbers behind tables and figure, with the seed, the settings and the versions.

    Parameters
    ----------
    result : Result
        What `optima.compute` gave.
    path : path
        The JSON file.
    """
    write_json(
        path,
        {
            "study": "optima",
            "source": SOURCES,
            "settings": dataclasses.asdict(result.config),
            "versions": versions(),
            "single_steps": _plain(result.single_steps),
            "preconditioners": _plain(result.preconditioners),
            "schedules": _plain(result.schedules),
            "gd_plus_plus": _plain(result.gd_plus_plus),
            "fits": result.fits,
            "converged": result.converged,
            "findings": findings(result),
        },
    )


def save_findings(result: Result, path: Path, figure: Path) -> None:
    """Write the findings as Markdown that shows the figure.

    Parameters
    ----------
    result : Result
        What `optima.compute` gave.
    path, figure : path
        The Markdown file, and the figure, in one folder.
    """
    found = "\n".join(f"- {finding}" for finding in findings(result))
    made = ", ".join(f"{name} {version}" for name, version in versions().items())
    write_text(
        path,
        f"# Trained optima\n\n![Trained against known optima]({figure.name})\n\n"
        f"{_settings(result)}; mean ± half the 95 % interval, steps in units of 1/(n + d + 1).\n\n"
        f"{found}\n\nSources: {', '.join(SOURCES)}. Computed with {made}.\n",
    )


def _settings(result: Result) -> str:
    config = result.config
    return (
        f"Trained optima: n = {config.n}, d = {config.d} where not said, {config.repeats} repeats, "
        f"seed {config.seed}"
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
        f"L-BFGS met its tolerance in {converged:,} of {fits:,} trainings; the others ended where "
        "its line search found nothing lower."
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


def _single_steps(result: Result) -> Grid:
    grid = _grid("n", "d", "step", "loss")
    for cell in result.single_steps:
        grid.add_row(str(cell.n), str(cell.d), _text(cell.step), _text(cell.loss))
    return grid


def _preconditioners(result: Result) -> Grid:
    counts = result.config.task_counts
    grid = _grid("w", *(f"{count:,}" for count in counts), "power")
    for one in result.preconditioners:
        errors = (_text(_percent(one.error), k) for k in range(len(counts)))
        grid.add_row(_PRIOR_NAMES[one.prior], *errors, _text(one.slope))
    return grid


def _schedules(result: Result) -> Grid:
    grid = _grid("T", "loss", "at best", "smallest step", "largest step")
    for cell in result.schedules:
        steps = (_text(cell.steps, 0), _text(cell.steps, -1))
        grid.add_row(str(cell.T), _text(cell.ratio), _text(cell.best_ratio), *steps)
    return grid


def _gd_plus_plus(result: Result) -> Grid:
    grid = _grid("T", "loss", "at best", "ηγ", "at best")
    for cell in result.gd_plus_plus:
        numbers = (cell.ratio, cell.best_ratio, cell.gamma, cell.best_gamma)
        grid.add_row(str(cell.T), *map(_text, numbers))
    return grid


def _grid(*names: str) -> Grid:
    grid = Grid(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for name in names:
        grid.add_column(name, justify="right")
    return grid


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


def _plain(cells: Sequence[Any]) -> list[dict[str, Any]]:
    """Turn parts into names and numbers: estimates into mean and half width."""
    return [
        {
            name: value._asdict() if isinstance(value, Estimate) else value
            for name, value in vars(cell).items()
        }
        for cell in cells
    ]
