"""The figure of the attention study: generation above, prediction below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from loopcore.studies.attention.config import GENERATING, Problem
from loopcore.studies.attention.minimisers import asymptotic_distance
from loopcore.studies.attention.result import Cell, Generated, Predicted, Result
from loopcore.studies.frame.drawing import REFERENCE, legend, new_figure, series
from loopcore.studies.frame.intervals import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D


Array = npt.NDArray[np.float64]

_FLOOR, _CEILING = 1e-8, 1e3  # of the axes: below is convergence, above divergence

NAMES = {"linear": "linear", "softmax": "softmax", "relu": "ReLU", "exp": "exp"}
NAMES |= {"softmax ±": "softmax, two heads", "exp ±": "exp, two heads"}


def plot(result: Result) -> Figure:
    """Draw the medians against T: two panels for generation, two for prediction.

    Parameters
    ----------
    result : Result
        What `compute` gave.

    Returns
    -------
    matplotlib.figure.Figure
        Generation of the first problem without noise and of the last one with noise; prediction of
        the first problem, and of the first one that is not linear. Panels without a problem are
        left out.
    """
    figure, panels = new_figure(2, 2)
    generated, predicted = result.generated, result.predicted
    quiet = [part for part in generated if part.problem.snr is None]
    noisy = [part for part in generated if part.problem.snr is not None]
    curved = [part for part in predicted if part.problem.targets != "linear"]
    drawn = (
        _draw_generation(panels[0, 0], result, _of(quiet, 0)),
        _draw_generation(panels[0, 1], result, _of(noisy, -1)),
        _draw_prediction(panels[1, 0], result, _of(predicted, 0)),
        _draw_prediction(panels[1, 1], result, _of(curved, 0)),
    )
    for axes, is_drawn in zip(panels.flat, drawn, strict=True):
        axes.set_visible(is_drawn)
    handles = [_handle(kind) for kind in GENERATING]
    figure.legend(
        handles,
        [NAMES[kind] for kind in GENERATING],
        loc="outside lower center",
        ncols=3,
        frameon=False,
    )
    return figure


def _of(parts: Sequence[Cell], which: int) -> Sequence[Cell]:
    """Return the parts of the problem of the first or last of them."""
    return [part for part in parts if part.problem == parts[which].problem] if parts else ()


def _handle(kind: str) -> Line2D:
    from matplotlib.lines import Line2D

    return Line2D([], [], **_style(kind))


def _style(kind: str) -> dict[str, Any]:
    return series(GENERATING.index(kind))


def _draw_generation(axes: Axes, result: Result, parts: Sequence[Generated]) -> bool:
    loops = np.array(result.config.loops, np.float64)
    some = False
    for part in parts:
        _draw(axes, loops, part.kind, part.distance)
        if part.problem.snr is None:
            if part.kind in ("softmax", "exp"):
                label = "" if some else "minimisers of\nsoftmax and exp"
                axes.plot(loops, _within(part.limit.value), label=label, **REFERENCE)
                some = True
        elif part.kind in _CONSTANTS:
            _draw_asymptote(axes, loops, part.problem, part.kind)
            some = True
        axes.set_title(_title("Generation", part.problem))
    if parts:
        _dress(axes, loops, r"$\Vert v(T)-\alpha\theta^*\Vert\,/\,|\alpha|\Vert\theta^*\Vert$")
    if some:
        legend(axes, loc="lower left" if parts[0].problem.snr is None else "upper right")
    return bool(parts)


_CONSTANTS = {"linear": "1", "relu": r"\sqrt{2}", "exp": r"\sqrt{e}"}


def _draw_asymptote(axes: Axes, loops: Array, problem: Problem, kind: str) -> None:
    """Draw σ √(d/n) times a constant, named at its left end."""
    assert problem.snr is not None
    sigma = problem.snr**-0.5
    level = float(asymptotic_distance(kind, problem.n, problem.d, sigma, sigma))
    first = kind == "linear"
    label = r"minimisers, $n\gg d$, in $\sigma\sqrt{d/n}$" if first else ""
    axes.axhline(level, label=label, **REFERENCE)
    axes.annotate(
        f"${_CONSTANTS[kind]}$", (loops[0], level), (0, 2), textcoords="offset points", color="0.3"
    )


def _draw_prediction(axes: Axes, result: Result, parts: Sequence[Predicted]) -> bool:
    loops = np.array(result.config.kernel_loops, np.float64)
    ticks = [*loops]
    for part in parts:
        _draw(axes, loops, part.kind, part.error)
        end = float(part.limit.value)
        if _FLOOR < end < _CEILING:
            style = {**_style(part.kind), "linestyle": "-", "linewidth": 2.0, "markevery": [1]}
            around = np.array([1.5, 4.5**0.5, 3.0]) * loops[-1]
            axes.plot(around, [end] * 3, **style)
            ticks = [*loops, around[1]]
        axes.set_title(_title("Prediction", part.problem))
    if parts:
        _dress(axes, ticks, r"squared error at queries / Var $y$")
    return bool(parts)


def _draw(axes: Axes, loops: Array, kind: str, interval: Interval) -> None:
    value, low, high = (_within(part) for part in interval)
    axes.fill_between(loops, low, high, color=str(_style(kind)["color"]), alpha=0.15, linewidth=0)
    axes.plot(loops, value, **_style(kind))


def _within(values: Array) -> Array:
    """Return what a log axis can show."""
    return np.clip(np.where(np.isnan(values), np.inf, values), _FLOOR / 100, _CEILING)


def _title(what: str, problem: Problem) -> str:
    kind = {"linear": "", "relu network": "ReLU net, ", "gaussian process": "GP, "}[problem.targets]
    noise = "" if problem.snr is None else f", SNR {problem.snr:g}"
    return f"{what}: {kind}$n$ = {problem.n}, $d$ = {problem.d}{noise}"


def _dress(axes: Axes, ticks: npt.ArrayLike, label: str) -> None:
    """Name the axes; a panel shows what lies between convergence and divergence.

    A tick beyond the numbers of loops stands for infinitely many.
    """
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    low, high = max(low, _FLOOR), min(high, _CEILING)
    axes.set_ylim(low, high)
    names = [f"{T:,.0f}" if float(T).is_integer() else r"$\infty$" for T in np.asarray(ticks)]
    axes.set_xticks(np.asarray(ticks), names)
    axes.set_xticks([], minor=True)
    axes.set_xlabel("loops $T$")
    axes.set_ylabel(label)
    if high / low < 300:  # decades alone would leave an axis without numbers
        from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

        subs = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0) if high / low < 10 else (1.0, 2.0, 5.0)
        axes.yaxis.set_major_locator(LogLocator(subs=subs))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
