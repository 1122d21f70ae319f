"""The figure of the convergence study: a panel for each of its questions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from loopcore.studies.convergence import limits
from loopcore.studies.frame.drawing import REFERENCE, legend, new_figure, series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from loopcore.studies.convergence import Result

Array = npt.NDArray[np.float64]

_LOWEST = 1e-16  # where errors end: rounding
_GUESSES = ((0.1, "0.1T", "--"), (1.0, "T", ":"))  # c of exp(cT)


def plot(result: Result) -> Figure:
    """Draw the error curves, and of the search, where there was one, three panels more.

    Parameters
    ----------
    result : Result
        What `compute` gave.

    Returns
    -------
    matplotlib.figure.Figure
        Readable in gray.
    """
    searched = result.needed is not None
    figure, panels = new_figure(2 if searched else 1, 2 if searched else 1)
    _draw_curves(panels[0, 0], result)
    if searched:
        _draw_collapse(panels[0, 1], result)
        _draw_by_dim(panels[1, 0], result)
        _draw_by_loops(panels[1, 1], result)
    return figure


def _draw_curves(axes: Axes, result: Result) -> None:
    """Draw errors and bounds against T, for each n."""
    config = result.config
    t = np.arange(config.loops + 1)
    marks = max(config.loops // 8, 1)
    for i, curves in enumerate(result.curves):
        style = series(i) | {"markevery": (i * marks // 4, marks)}
        low, middle, high = np.maximum(curves.error, _LOWEST / 10)  # a log axis has no 0
        axes.fill_between(t, low, high, color=style["color"], alpha=0.12, linewidth=0)
        axes.plot(t, middle, label=f"$n$ = {curves.n}", **style)
        axes.plot(t, curves.bound[2], **REFERENCE | {"color": style["color"], "linewidth": 0.9})
    axes.plot([], [], label="bound, 95 % quantile", **REFERENCE)
    axes.set_yscale("log")
    low_end, high_end = axes.get_ylim()
    axes.set_ylim(max(low_end, _LOWEST), high_end)
    axes.set_xlabel("loops $T$")
    axes.set_ylabel(r"error $|\langle v(T), \theta^*\rangle - \alpha|$")
    alpha = "random" if config.alpha == "random" else f"{config.alpha:g}"
    axes.set_title(rf"Error against loops, $d$ = {config.d}, $\alpha$ = {alpha}")
    legend(axes, loc="lower left")


def _draw_collapse(axes: Axes, result: Result) -> None:
    """Draw the median error after one T against n/d, for each d."""
    config = result.config
    k = _middle(config.search_loops)
    T = config.search_loops[k]
    for i, grid in enumerate(result.grids):
        shown = grid.error[:, 0, k] > 10 * _LOWEST
        axes.plot(
            (grid.n / grid.d)[shown], grid.error[shown, 0, k], label=f"$d$ = {grid.d}", **series(i)
        )
    ratios = np.geomspace(0.5, config.largest_ratio, 100)
    errors = np.array([limits.typical_error(ratio, T) for ratio in ratios])
    shown = errors > 10 * _LOWEST
    axes.plot(ratios[shown], errors[shown], label=r"limit, $d \to \infty$", zorder=3, **REFERENCE)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(bottom=max(axes.get_ylim()[0], 1e-12))
    axes.set_xlim(right=_right_end(ratios, errors))
    axes.set_xlabel("examples a dimension, $n/d$")
    axes.set_ylabel("median error")
    axes.set_title(f"Error against $n/d$ after $T$ = {T} loops")
    legend(axes, loc="lower left")


def _right_end(ratios: Array, errors: Array) -> float:
    """Return up to which n/d the figure goes: where the limit is below its smallest error."""
    below = ratios[errors < 1e-12]
    return float(below[0] if len(below) else ratios[-1])


def _draw_by_dim(axes: Axes, result: Result) -> None:
    """Draw n/d against d for each T, at one ε."""
    assert result.needed is not None
    config = result.config
    e = _middle(config.tolerances)
    dims = np.array(config.dims, np.float64)
    for i, T in enumerate(config.search_loops):
        style = series(i)
        known = np.isfinite(result.needed.n.high[:, i, e, 0])
        value, low, high = ((part[:, i, e, 0] / dims)[known] for part in result.needed.n)
        error = np.stack([value - low, high - value])
        axes.errorbar(dims[known], value, error, capsize=2, label=f"$T$ = {T}", **style)
        _draw_lost(axes, dims[~known], config.largest_ratio, style)
        limit = result.limits.typical[i, e]
        if limit <= config.largest_ratio:
            axes.plot(
                [dims[0], dims[-1] * 1.6], [limit] * 2, **REFERENCE | {"color": style["color"]}
            )
    axes.plot([], [], label=r"limits, $d \to \infty$", **REFERENCE)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(dims, [str(d) for d in config.dims])
    axes.set_xlabel("$d$")
    axes.set_ylabel("smallest $n$ over $d$")
    axes.set_title(rf"$n/d$ for a median error of {_power(config.tolerances[e])}")
    _leave_room(axes, 0.25)
    legend(axes, loc="upper center", ncols=3)


def _draw_by_loops(axes: Axes, result: Result) -> None:
    """Draw n against T at the largest d, for each ε, beside exp(cT)."""
    assert result.needed is not None
    config = result.config
    d = config.dims[-1]
    loops = np.array(config.search_loops, np.float64)
    top = d * config.largest_ratio
    starts = []
    for i, epsilon in enumerate(config.tolerances):
        known = np.isfinite(result.needed.n.high[-1, :, i, 0])
        value, low, high = (part[-1, known, i, 0] for part in result.needed.n)
        error = np.stack([value - low, high - value])
        style = series(i)
        axes.errorbar(
            loops[known],
            value,
            error,
            capsize=2,
            label=rf"$\epsilon$ = {_power(epsilon)}",
            **style,
        )
        _draw_lost(axes, loops[~known], top, style)
        starts += list(value[:1])
    if starts:
        fine = np.linspace(loops[0], loops[-1], 200)
        for c, name, line in _GUESSES:
            curve = min(starts) * np.exp(c * (fine - loops[0]))
            style = REFERENCE | {"linestyle": line}
            axes.plot(fine[curve < top], curve[curve < top], label=f"$e^{{{name}}}$", **style)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(loops, [f"{T:g}" for T in loops])
    axes.set_xlabel("loops $T$")
    axes.set_ylabel("smallest $n$")
    axes.set_title(rf"$n$ for a median error of $\epsilon$, $d$ = {d}")
    _leave_room(axes, 0.35)
    legend(axes, loc="upper center", ncols=3)


def _draw_lost(axes: Axes, at: Array, top: float, style: dict[str, Any]) -> None:
    """Draw triangles at the largest n tried where no n was enough, or none is sure to be."""
    axes.plot(at, np.full(len(at), top), "^", color=style["color"], markersize=7)


def _leave_room(axes: Axes, share: float) -> None:
    """Leave room above for a legend, a share of the logarithmic scale."""
    low, high = axes.get_ylim()
    if 0 < low < high:  # not where nothing is drawn
        axes.set_ylim(low, high * (high / low) ** share)


def _power(epsilon: float) -> str:
    """Write a tolerance, powers of ten below 0.01 as such."""
    exponent = round(np.log10(epsilon))
    if exponent < -2 and np.isclose(epsilon, 10.0**exponent, rtol=1e-9):
        return f"$10^{{{exponent}}}$"
    return f"{epsilon:g}"


def _middle(sizes: tuple[float, ...]) -> int:
    return len(sizes) // 2
