"""The figure of the nonlinear study."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from loopcore.studies.frame.drawing import REFERENCE, legend, new_figure, series
from loopcore.studies.nonlinear.config import (
    CONSTANT,
    KERNELS,
    LIFTED,
    Array,
    features,
    least_error,
    raw_floor,
)
from loopcore.studies.nonlinear.result import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SHOWN = (CONSTANT, LIFTED, *KERNELS)
_LOWEST = 1e-4


def plot(result: Result) -> Figure:
    """Draw errors against examples and loops, exp attention for all d, and the other targets.

    Parameters
    ----------
    result : Result
        What `compute` gave.

    Returns
    -------
    matplotlib.figure.Figure
        Readable in gray. Intervals that a mark hides are narrower than it.
    """
    figure, panels = new_figure(2, 2)
    _draw_examples(panels[0, 0], result)
    _draw_loops(panels[0, 1], result)
    _draw_dims(panels[1, 0], result)
    _draw_others(panels[1, 1], result)
    for axes in panels.flat[:3]:
        axes.set_yscale("log")
        axes.set_ylim(_LOWEST, 4)
    for axes in panels.flat:
        axes.set_ylabel("error / Var(y)")
    handles, labels = panels[0, 1].get_legend_handles_labels()
    options = {"ncols": len(labels), "frameon": False, "fontsize": "small"}
    figure.legend(handles, labels, loc="outside lower center", **options)
    return figure


def _draw_examples(axes: Axes, result: Result) -> None:
    d = result.config.middle
    for i, method in enumerate(_SHOWN):
        cells = result.quadratic(d, method)
        at = np.array([cell.rate for cell in cells])
        values = np.array([tuple(cell.scores[method].error) for cell in cells])  # (N, 3)
        _marks(axes, at, values, i, method)
    axes.axhline(raw_floor(d, constant=True), **REFERENCE | {"label": "floor of raw x and 1"})
    rates = np.linspace(1 / features(d), 1, 100)
    bound = [least_error(1, d) * (1 - r) / (1 - 1 / features(d)) for r in rates]
    line = {"linestyle": ":", "label": "least error of any"}
    axes.plot(rates, _drawn(np.array(bound)), **REFERENCE | line)
    _rate_axis(axes)
    axes.set_title(f"Quadratic targets, $d$ = {d}")
    legend(axes, handles=axes.lines[-2:], loc="lower right")


def _draw_loops(axes: Axes, result: Result) -> None:
    d, T = result.config.middle, result.config.candidates
    cell = result.quadratic(d, *_SHOWN)[-1]
    for i, method in enumerate(_SHOWN):
        axes.plot(T, _drawn(cell.scores[method].curve), **series(i), label=method)
    axes.axhline(raw_floor(d, constant=True), **REFERENCE)
    axes.set_xscale("log")
    axes.set_xlabel("loops $T$")
    axes.set_title(f"Quadratic targets, $d$ = {d}, $n$ = {cell.n} = {cell.rate:.2g} $p$")


def _draw_dims(axes: Axes, result: Result) -> None:
    k = 0
    for method in ("exp", LIFTED):
        for d in result.config.dims:
            cells = result.quadratic(d, method)
            at = np.array([cell.rate for cell in cells])
            values = np.array([tuple(cell.scores[method].error) for cell in cells])
            _marks(axes, at, values, k, f"{method}, $d$ = {d}")
            k += 1
    _rate_axis(axes)
    axes.set_title("exp attention and lifted features, by $d$")
    legend(axes, loc="lower left")


def _draw_others(axes: Axes, result: Result) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    cells, methods = result.others, _SHOWN
    places = np.arange(len(cells), dtype=np.float64)
    for i, method in enumerate(methods if cells else ()):
        at = places + 0.11 * (i - (len(methods) - 1) / 2)
        values = np.array([tuple(cell.scores[method].error) for cell in cells])
        _marks(axes, at, values, i, method, line=False)
    names = ["\n".join(cell.target.split(" ")) for cell in cells]
    rates = [f"$n$ = {cell.rate:.2g} $p$" for cell in cells]
    axes.set_xticks(places, [f"{name}\n{rate}" for name, rate in zip(names, rates, strict=True)])
    axes.tick_params(axis="x", labelsize="small")
    axes.set_title(f"Other targets, $d$ = {result.config.middle}")
    axes.set_xlim(-0.6, max(len(cells), 1) - 0.4)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _rate_axis(axes: Axes) -> None:
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    some = (0.25, 1, 4, 16, 64, 256) if high / low > 50 else (0.125, 0.25, 0.5, 1, 2, 4, 8)
    ticks = [tick for tick in some if low <= tick <= high]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("examples / lifted features $n/p$")


def _marks(axes: Axes, at: Array, values: Array, k: int, label: str, *, line: bool = True) -> None:
    """Draw estimates (N, 3) with their intervals."""
    middle, low, high = _drawn(values).T
    reach = np.stack([middle - low, high - middle])
    axes.errorbar(at, middle, reach, **series(k, line=line), elinewidth=0.8, label=label)


def _drawn(values: Array) -> Array:
    """Keep errors on a logarithmic axis: small ones below its end, and no infinite ones."""
    kept: Array = np.where(np.isfinite(values), np.clip(values, _LOWEST / 100, 1e3), np.nan)
    return kept
