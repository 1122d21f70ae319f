"""The figure of the ill-conditioned study."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from loopcore.studies.frame import drawing
from loopcore.studies.frame.intervals import Interval
from loopcore.studies.illconditioned.config import DIRECTIONS, KINDS
from loopcore.studies.illconditioned.limits import theory_rate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from loopcore.studies.illconditioned.result import Array, Result

_DOTTED: dict[str, Any] = {**drawing.REFERENCE, "linestyle": ":"}
_MEDIAN = 1  # of `measure.QUANTILES`
_LOWEST = 1e-17  # where the figure's errors end


def plot(result: Result) -> Figure:
    """Draw errors by T/κ, the slow start, rates and floors.

    Parameters
    ----------
    result : Result
        What `illconditioned.compute` gave.

    Returns
    -------
    matplotlib.figure.Figure
        Readable in gray.
    """
    figure, panels = drawing.new_figure(2, 2)
    _draw_errors(panels[0, 0], result)
    _draw_start(panels[0, 1], result)
    _draw_rates(panels[1, 0], result)
    _draw_floors(panels[1, 1], result)
    return figure


def _draw_errors(axes: Axes, result: Result) -> None:
    """Draw the median error by T/κ of the worst θ*, two-point, both types."""
    kappas = result.config.kappas
    x = np.linspace(0, result.config.reach, 200)
    axes.plot(x, np.exp(-x / 2), label=r"bound $e^{-T/2\kappa}$", **drawing.REFERENCE)
    axes.plot(x, np.exp(-x), label=r"$(1-1/\kappa)^T$", **_DOTTED)
    for k, c in enumerate(_shown(result, 3)):
        T = result.times[c] / kappas[c]
        late = kappas[c] / 8 <= result.times[c]
        for kind, (name, face) in enumerate((("", None), (", float32", "white"))):
            error = result.error[KINDS.index("two-point"), DIRECTIONS.index("worst"), c, kind]
            style = drawing.series(k)
            style |= {"markerfacecolor": face or style["color"], "markevery": 3}
            if kind:
                style |= {"linewidth": 0.8}
            axes.plot(
                T[late], _positive(error[_MEDIAN][late]), label=_power(kappas[c]) + name, **style
            )
    axes.set_yscale("log")
    axes.set_ylim(_LOWEST, 1e9)  # the legend's
    axes.set_xlim(0, result.config.reach)
    axes.set_xlabel(r"loops $T / \kappa$")
    axes.set_ylabel("relative error, median")
    axes.set_title(r"Two-point spectrum, worst $\theta^*$")
    drawing.legend(axes, loc="upper right", ncols=2, fontsize="x-small")


def _draw_start(axes: Axes, result: Result) -> None:
    """Draw the mean error of random θ* by log T / log κ, log-uniform."""
    kappas = result.config.kappas
    axes.plot([0, 1], [1, 0], color="0.7", linewidth=1.2, label=r"$1 - \log T / \log \kappa$")
    shown = [c for c in _shown(result, 3) if kappas[c] > 1]
    for k, c in enumerate(shown):
        x = np.log(result.times[c]) / np.log(kappas[c])
        mean = result.mean.at(KINDS.index("log-uniform"), DIRECTIONS.index("random"), c)
        axes.plot(x, result.expected[c], label="" if k else "mean by theory", **drawing.REFERENCE)
        # a few marks suffice
        some = np.linspace(0, len(x) - 1, 24).round().astype(int)
        reach = np.stack([mean.value - mean.low, mean.high - mean.value])[:, some]
        style = {**drawing.series(k), "linestyle": "none"}
        axes.errorbar(x[some], mean.value[some], reach, capsize=2, label=_power(kappas[c]), **style)
    axes.set_xlim(-0.02, 1.3)
    axes.set_ylim(0, 1.05)
    axes.set_xlabel(r"$\log T / \log \kappa$")
    axes.set_ylabel("relative error, mean")
    axes.set_title(r"Log-uniform spectrum, random $\theta^*$")
    drawing.legend(axes, loc="upper right")


def _draw_rates(axes: Axes, result: Result) -> None:
    """Draw κ times the late rate by κ."""
    kappas = np.array(result.config.kappas)
    axes.axhline(0.5, label="theorem", **drawing.REFERENCE)
    fine = np.geomspace(max(kappas[0], 1.5), max(kappas[-1], 2.0), 200)
    axes.plot(fine, theory_rate(fine), label=r"$(1-1/\kappa)^T$", **_DOTTED)
    k = 0
    for a, kind in enumerate(KINDS):
        for b, direction in enumerate(DIRECTIONS):
            rate = result.rate.at(a, b, slice(None), 0)
            style = {**drawing.series(k), "linestyle": "none"}
            # side by side: the rates are nearly the same
            _marks(axes, kappas * 1.25 ** (k - 1.5), rate, style, f"{kind}, {direction}")
            k += 1
    axes.set_xscale("log")
    axes.set_ylim(0, 1.4)
    axes.set_xlabel(r"condition number $\kappa$")
    axes.set_ylabel(r"$\kappa \times$ rate for $2\kappa \leq T \leq 8\kappa$")
    axes.set_title("How fast it falls in the end, float64")
    drawing.legend(axes, loc="lower center", ncols=2)


def _draw_floors(axes: Axes, result: Result) -> None:
    """Draw median floors by κ, two-point spectrum, random θ*."""
    kappas = np.array(result.config.kappas)
    axes.plot(kappas, kappas * 2.0**-53, label=r"$\kappa u$, float64", **drawing.REFERENCE)
    axes.plot(kappas, kappas * 2.0**-24, label=r"$\kappa u$, float32", **_DOTTED)
    for k, route in enumerate(
        (
            ("float64", "power"),
            ("float64", "stream"),
            ("float64", "tridiagonal"),
            ("float32", "power"),
            ("float32", "literal"),
        )
    ):
        f = result.config.routes.index(route)
        floor = result.route_floor.at(f, KINDS.index("two-point"), DIRECTIONS.index("random"))
        _marks(axes, kappas, floor, drawing.series(k), ", ".join(route))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(_LOWEST, 1e14)  # the legend's
    axes.set_xlabel(r"condition number $\kappa$")
    axes.set_ylabel("relative error after the last loop, median")
    axes.set_title(r"Floors, two-point, random $\theta^*$")
    drawing.legend(axes, loc="upper left", ncols=2)


# ---- marks --------------------------------------------------------------------------------------


def _marks(axes: Axes, x: Array, value: Interval, style: dict[str, Any], label: str) -> None:
    there = np.isfinite(value.value)
    reach = np.stack([value.value - value.low, value.high - value.value])[:, there]
    axes.errorbar(x[there], value.value[there], reach, capsize=2, label=label, **style)


def _shown(result: Result, count: int) -> list[int]:
    """Return the indices of a few κ, small, middle and large, above 10 where there are such."""
    kappas = result.config.kappas
    some = [c for c, kappa in enumerate(kappas) if kappa > 10] or list(range(len(kappas)))
    at = np.linspace(0, len(some) - 1, min(count, len(some))).round().astype(int)
    return [some[i] for i in at]


def _positive(values: Array) -> Array:
    return np.maximum(values, _LOWEST / 10)  # a log axis has no 0


def _power(kappa: float) -> str:
    exponent = np.log10(kappa)
    if exponent == round(exponent):
        return rf"$\kappa = 10^{{{round(exponent)}}}$"
    return rf"$\kappa$ = {kappa:g}"
