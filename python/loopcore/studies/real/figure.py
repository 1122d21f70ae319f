"""The figure of the study on real tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from loopcore import theory
from loopcore.studies.frame.drawing import REFERENCE, legend, new_figure, series
from loopcore.studies.real.measure import LEARNERS
from loopcore.studies.real.pooled import shown, typical

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from loopcore.studies.real.cells import Whole
    from loopcore.studies.real.result import Result

Array = npt.NDArray[np.float64]

CAPTION = (
    "Medians over prompts of n random rows, n nearest to 4 d on the left (in brackets), for tables "
    "spread over κ. Top left: relative error over T in units of the prompts' median κ, with the "
    "theorem's bound and the worst case of gradient descent. Top right: κ of prompts, and of "
    "prompts each of whose columns has rows of its own (thin). Bottom left: test error; the ring "
    "is T by cross-validation, l. s. is least squares. Bottom right: test error of the loops with "
    "that T over those of least squares and tuned ridge, every table and n, with 95 % bootstrap "
    "intervals; below 1 the loops predict better."
)

_TABLES = 6
_LOWEST = 1e-7
_RISKS = (3e-4, 3.0)  # the test errors that are shown


def plot(result: Result) -> Figure:
    """Draw convergence, κ, test errors by T, and comparisons.

    Parameters
    ----------
    result : Result
        What `compute` gave.

    Returns
    -------
    matplotlib.figure.Figure
        Readable in gray; `CAPTION` says what it shows.
    """
    figure, panels = new_figure(2, 2)
    some = shown(result.tables, _TABLES, 0 if result.config.csv is None else 1)
    _draw_errors(panels[0, 0], result, some)
    _draw_kappa(panels[0, 1], result, some)
    _draw_risk(panels[1, 0], result, some)
    _draw_ratios(panels[1, 1], result)
    return figure


def _draw_errors(axes: Axes, result: Result, some: list[Whole]) -> None:
    """Draw relative errors over T/κ, one line a table."""
    at = np.array(result.loops, np.float64)
    for k, table in enumerate(some):
        cell = typical(result.of(table))
        if cell is None or not np.isfinite(cell.kappa.value):
            continue
        x = at / float(cell.kappa.value)
        inside = (at > 0) & (x >= 1e-3) & (x <= 30) & (cell.error >= _LOWEST)
        name = f"{_short(table.name)} ({cell.n})"
        _line(axes, x[inside], cell.error[inside], {**series(k), "markevery": 2}, label=name)
    x = np.geomspace(1e-2, 30, 200)
    axes.plot(x, np.exp(-x / 2), **REFERENCE, label=r"bound $e^{-T/2\kappa}$")
    axes.plot(x, np.exp(-x), **{**REFERENCE, "linestyle": ":"}, label=r"$(1-1/\kappa)^T$")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(1e-2, 30)
    axes.set_ylim(_LOWEST, 2)
    axes.set_xlabel(r"$T$ / median $\kappa$")
    axes.set_ylabel("relative error")
    axes.set_title(r"Convergence to $\hat\theta$")
    legend(axes, loc="lower left")


def _draw_kappa(axes: Axes, result: Result, some: list[Whole]) -> None:
    """Draw κ of prompts, as they are and shuffled, by n/d."""
    largest = 2.0
    for k, table in enumerate(some):
        cells = result.of(table)
        ratio = np.array([cell.n / cell.d for cell in cells])
        kappa = np.array([float(cell.kappa.value) for cell in cells])
        alone = np.array([float(cell.shuffled_kappa.value) for cell in cells])
        largest = max(largest, ratio.max(initial=1.0))
        _line(axes, ratio, kappa, series(k))
        _line(axes, ratio, alone, {**series(k), "linewidth": 0.6, "markersize": 2})
    x = np.geomspace(1.02, largest, 200)
    limit = np.asarray(theory.marchenko_pastur_kappa(x, 1.0))
    axes.plot(x, limit, **REFERENCE, label="Marchenko–Pastur")
    axes.plot([], [], color="0", linewidth=1.4, label="as drawn")
    axes.plot([], [], color="0", linewidth=0.6, label="columns shuffled")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(1, 30 * axes.get_ylim()[1])  # room for the legend
    axes.set_xlabel("rows a prompt per feature, $n/d$")
    axes.set_ylabel(r"$\kappa$ of prompts, median")
    axes.set_title("Condition numbers, tables as at left")
    _plain_ticks(axes.xaxis)
    legend(axes, loc="upper right")


def _draw_risk(axes: Axes, result: Result, some: list[Whole]) -> None:
    """Draw test errors after T loops, the T taken, and least squares at the end."""
    at = np.array(result.loops, np.float64)
    last = 4 * max(at[-1], 1.0)
    for k, table in enumerate(some):
        cell = typical(result.of(table))
        if cell is None:
            continue
        style = series(k)
        risk = np.clip(cell.risk.value, *_RISKS)
        _line(axes, at, risk, {**style, "markevery": 2}, label=_short(table.name))
        squares = float(cell.learners.value[LEARNERS.index("least squares")])
        _line(axes, np.array([last]), np.clip([squares], *_RISKS), {**style, "markersize": 6})
        chosen = float(cell.chosen.value)
        if chosen in result.loops:
            ring = {"marker": "o", "markersize": 10, "markerfacecolor": "none"}
            y = risk[result.loops.index(int(chosen))]
            axes.plot([chosen], [y], **{"color": style["color"], **ring})
    axes.set_xscale("symlog", linthresh=1, linscale=0.4)
    axes.set_xlim(-0.15, 2 * last)
    axes.set_xticks(*_loop_ticks(at, last))
    axes.set_xticks([], minor=True)
    axes.set_yscale("log")
    axes.set_ylim(*_RISKS)
    axes.set_xlabel("loops $T$")
    axes.set_ylabel("test error / variance of $y$")
    axes.set_title("Prediction of rows outside the prompt")
    _plain_ticks(axes.yaxis, (1.0,))
    legend(axes, loc="lower left")


def _draw_ratios(axes: Axes, result: Result) -> None:
    """Draw the loops' test error over those of least squares and ridge, a mark a cell."""
    for k, (name, shift) in enumerate((("least squares", 0.97), ("ridge", 1.03))):
        which = LEARNERS.index(name)
        cells = [cell for cell in result.cells if cell.ratio.value[which] > 0]
        x = np.array([cell.n / cell.d for cell in cells])
        value, low, high = (
            np.array([max(float(cell.ratio[i][which]), 1e-3) for cell in cells]) for i in range(3)
        )
        style = {**series(2 * k, line=False), "markerfacecolor": "none" if k else None}
        axes.errorbar(
            shift * x,
            value,
            [value - low, high - value],
            **{**style, "elinewidth": 0.7},
            label=f"over {name}",
        )
    axes.axhline(1, **REFERENCE)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("rows a prompt per feature, $n/d$")
    axes.set_ylabel("test error of loops / of the other")
    axes.set_title("Loops against least squares and ridge")
    _plain_ticks(axes.xaxis)
    _plain_ticks(axes.yaxis)
    legend(axes, loc="lower right")


def _line(axes: Axes, x: Array, y: Array, style: dict[str, Any], label: str | None = None) -> None:
    """Draw what is finite, and nothing where nothing is."""
    good = np.isfinite(x) & np.isfinite(y)
    axes.plot(x[good], y[good], **style, label=label)


def _loop_ticks(at: Array, last: float) -> tuple[list[float], list[str]]:
    """Return ticks at 0 and powers of ten, and one at the end for least squares."""
    tens = [10.0**k for k in range(int(np.log10(max(at[-1], 1.0))) + 1) if 10.0**k < last / 3]
    names = [
        "0",
        *(f"{ten:,.0f}" if ten < 1e4 else f"$10^{{{np.log10(ten):.0f}}}$" for ten in tens),
    ]
    return [0.0, *tens, last], [*names, "l. s."]


def _plain_ticks(axis: Any, subs: tuple[float, ...] = (1.0, 2.0, 5.0)) -> None:
    """Write the ticks of a logarithmic axis as plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _short(name: str) -> str:
    return name if len(name) <= 16 else name[:14] + "…"
