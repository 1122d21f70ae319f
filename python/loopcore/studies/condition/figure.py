"""The figure of the condition study."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from loopcore.studies.condition.limits import ratio_for
from loopcore.studies.condition.measure import bound_loops
from loopcore.studies.frame import drawing
from loopcore.studies.frame.intervals import Interval, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from loopcore.studies.condition.result import Result

Array = npt.NDArray[np.float64]

_DOTTED: dict[str, Any] = {**drawing.REFERENCE, "linestyle": ":"}


def plot(result: Result) -> Figure:
    """Draw κ over its limit, κ for all distributions, loops, and the n/d needed.

    Parameters
    ----------
    result : Result
        What `condition.compute` gave.

    Returns
    -------
    matplotlib.figure.Figure
        Readable in gray.
    """
    figure, panels = drawing.new_figure(2, 2)
    _draw_parts(panels[0, 0], result)
    _draw_kappa(panels[0, 1], result)
    _draw_loops(panels[1, 0], result)
    _draw_needed(panels[1, 1], result)
    for axes in panels.flat:
        _dimensions(axes, result.config.dimensions)
    return figure


def _draw_parts(axes: Axes, result: Result) -> None:
    """Draw the median κ of Gaussian X over its limit, by d, with the edges' prediction."""
    d = np.array(result.config.dimensions, np.float64)
    some = _spread([i for i, r in enumerate(result.config.ratios) if r > 1], 4)
    axes.axhline(1, color="0.5", linewidth=1)
    for k, i in enumerate(some):
        limit = result.limit[i]
        with np.errstate(invalid="ignore"):
            part = Interval(*(one[0, i, :, 1] / limit for one in result.kappa))
            edges = result.predicted[0, i] / limit
        axes.plot(d, np.where(d >= 8, edges, np.nan), **drawing.REFERENCE)
        label = f"$n/d$ = {result.config.ratios[i]:g}"
        _marks(axes, d, part, {**drawing.series(k), "linestyle": "none"}, label)
    axes.plot([], [], label="limit laws of the edges", **drawing.REFERENCE)
    axes.set_ylim(0, 1.5)
    axes.set_ylabel(r"median $\kappa$ / limit at $d \to \infty$")
    axes.set_title("Gaussian $X$: $\\kappa$ rises to its limit")
    drawing.legend(axes, loc="upper left", ncols=2)


def _draw_kappa(axes: Axes, result: Result) -> None:
    """Draw median κ by d for every distribution, at two n/d."""
    d = np.array(result.config.dimensions, np.float64)
    some = _chosen(result, (2.0, 30.0))
    for i in some:
        axes.plot(d, _finite(result.limit[i]), **drawing.REFERENCE)
        for k, kind in enumerate(result.config.kinds):
            if kind and kind < 4:
                axes.plot(d, _finite(result.predicted[k, i]), **_DOTTED)
            label = (f"$t$, $\\nu$ = {kind}" if kind else "Gaussian") if i == some[0] else ""
            _marks(axes, d, result.kappa.at(k, i, slice(None), 1), drawing.series(k), label)
    axes.plot([], [], label="Marchenko and Pastur", **drawing.REFERENCE)
    axes.plot([], [], label="largest entry as a spike", **_DOTTED)
    axes.set_yscale("log")
    axes.set_title(
        "Heavy tails, $n/d$ = " + ", ".join(f"{result.config.ratios[i]:g}" for i in some)
    )
    axes.set_ylabel(r"median $\kappa$")
    _room(axes, 0.55)
    drawing.legend(axes, loc="upper left", ncols=2)


def _draw_loops(axes: Axes, result: Result) -> None:
    """Draw loops to the smallest tolerance by d, with Gaussian X."""
    config = result.config
    d = np.array(config.dimensions, np.float64)
    e = len(config.tolerances) - 1
    for k, i in enumerate(_spread([i for i, r in enumerate(config.ratios) if r > 1], 3)):
        style = drawing.series(k)
        limit = result.limit[i, -1]
        flat = np.ones(len(d))
        own = {"color": style["color"]}
        bound = flat * bound_loops(limit, config.tolerances[e])
        axes.plot(d, bound, **{**drawing.REFERENCE, **own})
        axes.plot(d, flat * result.limit_loops[i, e], **{**_DOTTED, **own})
        loops = result.loops.at(0, i, slice(None), e)
        _marks(axes, d, loops, style, f"$n/d$ = {config.ratios[i]:g}")
    axes.set_yscale("log")
    axes.set_ylabel(f"loops $T$ to a relative error of {number(config.tolerances[e])}")
    axes.set_title("Gaussian $X$: loops, median")
    axes.plot([], [], label="theorem's bound", **drawing.REFERENCE)
    axes.plot([], [], label=r"$d \to \infty$", **_DOTTED)
    _room(axes, 0.45)
    drawing.legend(axes, loc="upper left", ncols=2)


def _draw_needed(axes: Axes, result: Result) -> None:
    """Draw n/d for each target κ by d, for every distribution."""
    config = result.config
    d = np.array(config.dimensions, np.float64)
    for t, target in enumerate(config.targets):
        axes.axhline(float(ratio_for(target)), **drawing.REFERENCE)
        for k, kind in enumerate(config.kinds):
            style = drawing.series(k)
            if t % 2:
                style = {**style, "markerfacecolor": "white"}
            name = f"$t$, $\\nu$ = {kind}" if kind else "Gaussian"
            label = rf"$\kappa \leq$ {target:g}, {name}"
            _marks(axes, d, result.needed.at(k, slice(None), t, 0), style, label)
    axes.set_yscale("log")
    axes.set_ylabel("$n/d$ in half of the tasks")
    axes.set_title(r"Examples that a $\kappa$ takes")
    _room(axes, 0.5)
    drawing.legend(axes, loc="upper left", ncols=2)


# ---- marks --------------------------------------------------------------------------------------


def _marks(axes: Axes, d: Array, value: Interval, style: dict[str, Any], label: str) -> None:
    """Draw estimates with their intervals; what is not finite is left out."""
    low, middle, high = (_finite(part) for part in (value.low, value.value, value.high))
    there = ~np.isnan(middle)
    low, high = np.where(np.isnan(low), middle, low), np.where(np.isnan(high), middle, high)
    reach = np.stack([middle - low, high - middle])[:, there]
    axes.errorbar(d[there], middle[there], reach, capsize=2, label=label or None, **style)


def _finite(values: Array) -> Array:
    return np.where(np.isfinite(values), values, np.nan)


def _spread(indices: list[int], count: int) -> list[int]:
    """Return at most so many of some indices, from the first to the last."""
    at = np.linspace(0, len(indices) - 1, min(count, len(indices))).round().astype(int)
    return [indices[i] for i in at]


def _chosen(result: Result, wanted: tuple[float, ...]) -> list[int]:
    """Return the ratios nearest to those wanted, without repeats, among those above 1."""
    ratios = np.array(result.config.ratios)
    above = np.where(ratios > 1, np.log(ratios), np.inf)
    if not np.isfinite(above).any():
        return []
    return list(dict.fromkeys(int(np.argmin(np.abs(above - np.log(r)))) for r in wanted))


def _room(axes: Axes, part: float) -> None:
    """Leave room for a legend above, as a part of the height of a log axis."""
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * (high / low) ** part)


def _dimensions(axes: Axes, dimensions: tuple[int, ...]) -> None:
    """Scale d by powers of two, with plain numbers at the ticks."""
    axes.set_xscale("log", base=2)
    step = -(-len(dimensions) // 6)
    shown = list(dimensions[::-step])[::-1]
    axes.set_xticks(shown, [f"{d:,}" for d in shown])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("dimension $d$")
