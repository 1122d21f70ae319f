"""The figure of the schedules study: errors, loops, and learned steps against Chebyshev's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from loopcore.studies.frame.drawing import REFERENCE, legend, new_figure, series
from loopcore.studies.frame.intervals import number
from loopcore.studies.schedules.descent import METHODS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from loopcore.studies.schedules import Result
    from loopcore.studies.schedules.measure import Measured

NAMES = {
    "constant": r"$1/\lambda_{\max}$",
    "optimal": r"$2/(\lambda_{\min} + \lambda_{\max})$",
    "momentum": "momentum",
    "chebyshev": "Chebyshev",
}

_LOWEST = 1e-14  # where errors end: rounding
_LEARNED = 0  # place in `measure.LEARNED` and `training.VARIANTS`


def plot(result: Result) -> Figure:
    """Draw errors for two problems, loops against κ, and learned steps over Chebyshev's.

    Parameters
    ----------
    result : Result
        What `compute` gave.

    Returns
    -------
    matplotlib.figure.Figure
        Readable in gray.
    """
    figure, panels = new_figure(2, 2)
    problems = result.problems
    middle = (len(problems) - 1) // 2
    largest = int(np.argmax([float(problem.known.kappa.value) for problem in problems]))
    for axes, i in zip(panels[0], (middle, largest), strict=True):
        _draw_errors(axes, result, problems[i])
    _draw_loops(panels[1, 0], result)
    _draw_learned(panels[1, 1], result)
    return figure


def title(name: str) -> str:
    """Write the name of a problem for a figure."""
    return name.replace("n/d", "$n/d$").replace("κ", r"$\kappa$")


def _draw_errors(axes: Axes, result: Result, problem: Measured) -> None:
    """Draw error and worst case against T, for each method."""
    T = np.array(result.config.loops)
    for k, method in enumerate(METHODS):
        style = series(k)
        error, bound = problem.known.median.value[k, :, 0], problem.known.bound[k]
        for values, line in ((error, style), (bound, REFERENCE | {"color": style["color"]})):
            shown = values > _LOWEST
            label = NAMES[method] if values is error else None
            axes.plot(T[shown], values[shown], label=label, **line)
    axes.plot([], [], label="worst cases", **REFERENCE)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_ylim(top=max(10.0, axes.get_ylim()[1]))
    axes.set_xlabel("loops $T$")
    axes.set_ylabel(r"median error $|\langle v(T), \theta^*\rangle - 1|$")
    kappa = float(problem.known.kappa.value)
    extra = "" if problem.name.startswith("κ") else rf", median $\kappa$ = {kappa:.3g}"
    axes.set_title(f"{title(problem.name)}{extra}")
    legend(axes, loc="lower left")


def _draw_loops(axes: Axes, result: Result) -> None:
    """Draw the loops to the smallest tolerance against κ, for each method."""
    known = [problem.known for problem in result.problems]
    kappa = np.array([float(one.kappa.value) for one in known])
    order = np.argsort(kappa)
    for k, method in enumerate(METHODS):
        style = series(k)
        value, low, high = (
            np.array([one.loops[part][k, 0, -1] for one in known])[order] for part in range(3)
        )
        axes.errorbar(
            kappa[order],
            value,
            np.stack([value - low, high - value]),
            capsize=2,
            label=NAMES[method],
            **style,
        )
        bound = np.array([one.bound_loops[k, -1] for one in known])[order]
        axes.plot(kappa[order], bound, **REFERENCE | {"color": style["color"]})
    axes.plot([], [], label="worst cases", **REFERENCE)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(r"median $\kappa$ of the problem")
    axes.set_ylabel("loops $T$")
    axes.set_title(f"Loops to an error of {number(result.config.tolerances[-1])}, median")
    legend(axes, loc="upper left")


def _draw_learned(axes: Axes, result: Result) -> None:
    """Draw the error with learned steps over that with Chebyshev's, for as many loops."""
    config = result.config
    longest = config.learned_loops[-1]
    loops = np.array([*config.learned_loops, *(longest * count for count in config.repeats[1:])])
    places = [config.loops.index(T) for T in loops]
    chebyshev = METHODS.index("chebyshev")
    for i, problem in enumerate(result.problems):
        known, learned = problem.known, problem.learned
        for parts, line in (
            ((learned.median, learned.repeated_median, known.median), True),
            ((learned.tail, learned.repeated_tail, known.tail), False),
        ):
            once, again, beside = (part.value for part in parts)
            errors = np.concatenate([once[:, _LEARNED, 0], again[1:, _LEARNED, 0]])
            goal = beside[chebyshev, places, 0]
            shown = (errors > _LOWEST) & (goal > _LOWEST)
            style = series(i, line=line) | ({} if line else {"markerfacecolor": "white"})
            label = title(problem.name) if line else None
            axes.plot(loops[shown], errors[shown] / goal[shown], label=label, **style)
    axes.plot(
        [], [], "o", color="black", markerfacecolor="white", markersize=4, label="95 % quantiles"
    )
    axes.axhline(1, **REFERENCE)
    axes.axvline(1.2 * longest, color="0.5", linestyle=":", linewidth=1)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(loops, [str(T) for T in loops])
    axes.set_xlabel(f"loops $T$ (above {longest}: {longest} learned steps, repeated)")
    axes.set_ylabel("error, learned over Chebyshev")
    axes.set_title("Learned steps against Chebyshev's")
    legend(axes, loc="upper left")
