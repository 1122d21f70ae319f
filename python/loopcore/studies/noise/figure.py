"""The figure of the noise study."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from loopcore import theory
from loopcore.studies.frame.drawing import REFERENCE, legend, new_figure, series
from loopcore.studies.frame.intervals import number
from loopcore.studies.noise.config import Array
from loopcore.studies.noise.result import Result
from loopcore.studies.noise.summary import LIMIT, METHODS, ORACLE, RIDGE, RIDGE_TUNED, TUNED, Cell

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FLOW_BOUND = 1.22
"""Of the best time of gradient flow over the best ridge (Ali, Kolter and Tibshirani 2019)."""


def plot(result: Result) -> Figure:
    """Draw risk against loops and against SNR, the oracle's risk over ridge's, and the best T.

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
    _draw_loops(panels[0, 0], result)
    _draw_methods(panels[0, 1], result)
    _draw_ratios(panels[1, 0], result)
    _draw_best(panels[1, 1], result)
    for axes in panels.flat:
        axes.set_xscale("log")
    for axes in panels.flat[1:]:
        axes.set_xlabel(r"SNR = Var$(x^\top\theta^*)/\sigma^2$")
    return figure


def finite(result: Result) -> Array:
    """Return the finite signal-to-noise ratios, which come first."""
    return np.array([ratio for ratio in result.config.ratios if math.isfinite(ratio)])


def _draw_loops(axes: Axes, result: Result) -> None:
    cell, T, ratios = result.square, result.config.candidates, finite(result)
    shown = np.unique(np.linspace(0, len(ratios) - 1, 4).round().astype(int))
    for i, s in enumerate(shown):
        style = series(i)
        label = f"SNR {number(ratios[s], 2)}"
        line = style | {"marker": "None"}
        mark = style | {"linestyle": "none"}
        axes.plot(T[1:], cell.expected[s, 1:-1], **line)
        axes.plot(T[1:], cell.measured.value[s, 1:-1], **mark, label=label)
    axes.axhline(1, **REFERENCE | {"label": "no loop"})
    axes.set_yscale("log")
    _, high = axes.get_ylim()
    lines = cell.expected[shown, 1:-1]
    lowest = lines[lines > 0].min(initial=1)
    axes.set_ylim(lowest / 10, min(high, 30))  # the legend's
    axes.set_xlabel("loops $T$")
    axes.set_ylabel("mean excess risk")
    axes.set_title(f"$n$ = {cell.n}, $d$ = {cell.d}")
    legend(axes, ncols=2, loc="lower left")


def _draw_methods(axes: Axes, result: Result) -> None:
    cell, ratios = result.square, finite(result)
    for i, method in enumerate((LIMIT, ORACLE, TUNED, RIDGE, RIDGE_TUNED)):
        y = cell.medians.value[: len(ratios), method]
        axes.plot(ratios, _positive(y), **series(i), label=METHODS[method])
    axes.set_yscale("log")
    axes.set_ylabel("median excess risk")
    axes.set_title(f"$n$ = {cell.n}, $d$ = {cell.d}")
    legend(axes)


def _draw_ratios(axes: Axes, result: Result) -> None:
    ratios = finite(result)
    for i, cell in enumerate(result.cells):
        value, low, high = cell.over_ridge.at(slice(0, len(ratios)), ORACLE)
        # Beside each other: intervals that lie on one another cannot be read.
        at = ratios * 1.03 ** (i - (len(result.cells) - 1) / 2)
        reach = np.abs(np.stack([value - low, high - value]))  # (2, S)
        axes.errorbar(at, value, reach, **series(i), elinewidth=0.8, label=_name(cell))
    axes.axhline(FLOW_BOUND, **REFERENCE | {"label": f"{FLOW_BOUND}: gradient flow"})
    bottom, top = axes.get_ylim()
    axes.set_ylim(min(bottom, 0.97), max(top, FLOW_BOUND) + 0.16)  # the legend's
    axes.set_ylabel("oracle $T$ / ridge, mean risk")
    axes.set_title("Best loops beside best ridge")
    legend(axes, ncols=2, loc="upper right")


def _draw_best(axes: Axes, result: Result) -> None:
    ratios, square = finite(result), result.square
    for i, cell in enumerate(result.cells):
        y = _positive(cell.best.value[: len(ratios)])
        axes.plot(ratios, y, **series(i), label=_name(cell))
    _, top = theory.marchenko_pastur_edges(square.n, square.d)
    line = ratios * top / square.d
    label = rf"SNR $\lambda_{{\max}}/d$, $n$ = {square.n}"
    axes.plot(ratios, np.where(line >= 0.5, line, np.nan), **REFERENCE | {"label": label})
    axes.set_yscale("log")
    axes.set_ylabel("best $T$, median over $X$")
    axes.set_title("Best number of loops")
    legend(axes)


def _name(cell: Cell) -> str:
    return f"$n$ = {cell.n}, $d$ = {cell.d}"


def _positive(y: Array) -> Array:
    """Leave out what a logarithmic axis does not have."""
    kept: Array = np.where((y > 0) & np.isfinite(y), y, np.nan)
    return kept
