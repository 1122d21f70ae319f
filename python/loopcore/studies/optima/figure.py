"""The figure of the optima study: a panel for each of its questions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from loopcore.studies.frame.repeats import Estimate, stacked
from loopcore.studies.optima.measure import GdPlusPlus, Schedule

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from loopcore.studies.optima import Result

Array = npt.NDArray[np.float64]


def plot(result: Result) -> Figure:
    """Draw one panel for each part: measured marks with 95 % intervals, and lines of references.

    Parameters
    ----------
    result : Result
        What `compute` gave.

    Returns
    -------
    matplotlib.figure.Figure
        Readable in gray: marks differ in shape and filling. Intervals that a mark hides are
        narrower than it.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 8), layout="constrained")
    panels = figure.subplots(2, 2)
    _draw_single_steps(panels[0, 0], result)
    _draw_preconditioners(panels[0, 1], result)
    _draw_steps(panels[1, 0], result)
    _draw_ratios(panels[1, 1], result)
    for axes in panels.flat:
        axes.legend(frameon=False, fontsize="small", loc="upper right")
        axes.grid(color="0.92")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    config = result.config
    figure.suptitle(
        f"Trained optima: $n$ = {config.n}, $d$ = {config.d} where not said, "
        f"mean and 95 % interval of {config.repeats} repeats"
    )
    return figure


def _draw_single_steps(axes: Axes, result: Result) -> None:
    """Draw step and loss over their closed forms, by shape."""
    cells = result.single_steps
    at = np.arange(float(len(cells)))
    step, loss = stacked([cell.step for cell in cells]), stacked([cell.loss for cell in cells])
    axes.axhline(1, color="0.5", linewidth=1, label="closed form")
    _marks(axes, at - 0.1, step, "o", r"step $\eta$ over $1/(n+d+1)$")
    _marks(axes, at + 0.1, loss, "s", "loss over $d(d+1)/(n+d+1)$")
    axes.set_xticks(at, [f"({cell.n}, {cell.d})" for cell in cells])
    axes.set_xlim(-0.5, len(cells) - 0.5)
    axes.margins(y=0.4)  # the legend's
    axes.set_xlabel("examples and dimension $(n, d)$")
    axes.set_ylabel("trained / closed form")
    axes.set_title("The best single step")


def _draw_preconditioners(axes: Axes, result: Result) -> None:
    """Draw the error of Γ by the number of tasks."""
    counts = np.array(result.config.task_counts)
    for one, marker, line in zip(result.preconditioners, "os", ("--", ":"), strict=True):
        name = r"$\Sigma^{-1}$" if one.prior == "inverse" else "$I$"
        slope = rf"slope ${one.slope.mean:.2f} \pm {one.slope.half_width:.2f}$"
        _marks(axes, counts, one.error, marker, f"$w$ of covariance {name}: {slope}")
        middle = np.exp(np.mean(np.log(one.error.mean * np.sqrt(counts))))
        axes.plot(counts, middle / np.sqrt(counts), line, color="0.5", linewidth=1)
    axes.plot([], [], "--", color="0.5", linewidth=1, label=r"lines: $\propto 1/\sqrt{\rm tasks}$")
    axes.set_xscale("log")
    axes.set_xticks(counts, [f"{count:,}" for count in counts])
    axes.set_xticks([], minor=True)
    _log_scale(axes)
    axes.set_xlabel("tasks to train on")
    axes.set_ylabel(r"relative error of $\Gamma$, Frobenius norm")
    axes.set_title(r"The learned preconditioner $\Gamma$ of one step")


def _draw_steps(axes: Axes, result: Result) -> None:
    """Draw the learned steps and γ by the number of loops."""
    for i, cell in enumerate(result.schedules):
        at = np.full(cell.T, float(cell.T))
        best = cell.best_steps.mean
        axes.plot(at, best, "_", color="0.5", markersize=16, label="" if i else "best steps")
        _marks(axes, at, cell.steps, "o", "" if i else r"learned steps $\eta_t$")
    loops = np.array([cell.T for cell in result.schedules], np.float64)
    constant = stacked([cell.constant for cell in result.schedules])
    _marks(axes, loops + 0.15, constant, "s", "one learned constant")
    at = np.array([cell.T for cell in result.gd_plus_plus], np.float64)
    gamma = stacked([cell.gamma for cell in result.gd_plus_plus])
    _marks(axes, at - 0.15, gamma, "^", r"$\eta\gamma$ of GD++")
    _log_scale(axes)
    _loop_ticks(axes, result)
    axes.set_ylabel("step in units of $1/(n+d+1)$")
    axes.set_title("Learned steps")


def _draw_ratios(axes: Axes, result: Result) -> None:
    """Draw the losses of learned steps and of GD++ over those of one constant."""
    _draw_ratio(axes, result.schedules, "o", "-", "learned steps")
    _draw_ratio(axes, result.gd_plus_plus, "^", "--", "GD++")
    _log_scale(axes)
    _loop_ticks(axes, result)
    axes.set_ylabel("loss / loss with one constant step")
    axes.set_title("Against gradient descent with one constant step")


def _draw_ratio(
    axes: Axes, cells: Sequence[Schedule | GdPlusPlus], marker: str, line: str, name: str
) -> None:
    at = np.array([cell.T for cell in cells], np.float64)
    best = stacked([cell.best_ratio for cell in cells])
    axes.plot(at, best.mean, line, color="0.5", linewidth=1, label=f"{name}, best possible")
    _marks(axes, at, stacked([cell.ratio for cell in cells]), marker, name)


def _loop_ticks(axes: Axes, result: Result) -> None:
    most = max(result.config.schedule_loops, result.config.plus_loops)
    axes.set_xticks(range(2, most + 1))
    axes.set_xlim(1.5, most + 0.5)
    axes.set_xlabel("loops $T$")


def _log_scale(axes: Axes) -> None:
    """Scale y by powers of ten, with plain numbers at the ticks, and room above."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * (high / low) ** 0.3)  # the legend's
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0,) if high / low > 300 else (1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _marks(axes: Axes, at: Array, value: Estimate, marker: str, label: str) -> None:
    """Draw marks with their intervals; circles are filled, so that gray tells them apart."""
    axes.errorbar(
        at,
        value.mean,
        value.half_width,
        fmt=marker,
        color="black",
        markerfacecolor="black" if marker == "o" else "white",
        markersize=5,
        linewidth=1,
        capsize=3,
        label=label,
    )
