"""The figure of the language study: losses by n and by T, errors and bound, κ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from loopcore import theory
from loopcore.studies.frame.drawing import REFERENCE, legend, new_figure, series
from loopcore.studies.language.results import (
    FOLLOWING,
    NEAREST,
    PLAIN,
    RIDGE,
    TRAINED,
    UNIGRAM,
    WHITENED,
    Measured,
    Result,
    mean,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = npt.NDArray[np.float64]

_LOSS = "test cross-entropy (nats)"
_FLOOR = 1e-6  # errors below are not drawn


def plot(result: Result) -> Figure:
    """Draw four panels of the first text."""
    one, loops = result.texts[0], np.array(result.config.loops, np.float64)
    figure, panels = new_figure(2, 2)
    figure.set_size_inches(10, 8.4)
    _draw_contexts(panels[0, 0], one)
    _draw_loops(panels[0, 1], one, loops)
    _draw_errors(panels[1, 0], one, loops)
    _draw_kappa(panels[1, 1], one)
    figure.suptitle(f"Next words of {one.name}: {one.positions:,} test positions")
    return figure


def _draw_contexts(axes: Axes, one: Measured) -> None:
    """Draw the losses by context length."""
    lengths = one.curves[0].lengths
    named = (
        (one.curve(WHITENED), "loops, whitened"),
        (one.curve(PLAIN), "loops, plain"),
        (one.curve(TRAINED), r"trained $P, Q, \eta$"),
        (one.curve(FOLLOWING), r"trained, $\eta/\lambda_{\max}$"),
        (one.curve(RIDGE), "ridge"),
        (one.curve(NEAREST), "neighbours"),
        (one.counts, "counts"),
    )
    unigram = one.reference(UNIGRAM).loss
    below = mean(named[0][0].tested - unigram[:, None])
    low, high = below.low + unigram.mean(), below.high + unigram.mean()
    axes.fill_between(lengths, low, high, color="0.86", linewidth=0)
    for k, (curve, name) in enumerate(named):
        axes.plot(lengths, curve.tested.mean(0), label=name, **series(k))
    lines = [(r.name, float(r.loss.mean())) for r in one.references]
    lines.append(("ridge, training part", float(one.whole.tested.mean())))
    for name, value in lines:
        axes.axhline(value, **REFERENCE)
        axes.annotate(
            name,
            (0, value),
            (2, -3 if name == "trigram" else 2),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="top" if name == "trigram" else "bottom",
            fontsize="small",
            color="0.3",
        )
    axes.set_xscale("log", base=2)
    axes.set_xticks(lengths, [f"{n:.0f}" for n in lengths])
    axes.minorticks_off()
    axes.margins(y=0.08)
    axes.set_xlabel("context length $n$ (pairs of words)")
    axes.set_ylabel(_LOSS)
    axes.set_title("Losses by context")
    legend(axes, ncols=2, loc="center left", bbox_to_anchor=(0.0, 0.33))


def _draw_loops(axes: Axes, one: Measured, loops: Array) -> None:
    """Draw the losses by loops, the temperature chosen for each."""
    lengths = one.curves[0].lengths
    k = 0
    for i in sorted({0, len(lengths) // 2, len(lengths) - 1}):
        for name, kind in ((WHITENED, "whitened"), (PLAIN, "plain")):
            style = series(k) | ({"fillstyle": "none"} if name == PLAIN else {})
            curve = one.curve(name)
            label = f"$n$ = {lengths[i]:.0f}, {kind}"
            axes.plot(loops, curve.loss[:, i].mean(0), label=label, **style)
            k += 1
    _loop_axis(axes, loops)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.35 * (high - low))  # the legend's
    axes.set_ylabel(_LOSS)
    axes.set_title("Losses by loops ($T$ = 0: unigram)")
    legend(axes, ncols=2, loc="upper center")


def _draw_errors(axes: Axes, one: Measured, loops: Array) -> None:
    """Draw the median relative errors, and the bound's medians in the same marks, unfilled."""
    lengths = one.curves[0].lengths
    k = 0
    for i in sorted({0, len(lengths) - 1}):
        for s in one.spectra[::-1]:
            style = series(k)
            name = f"$n$ = {lengths[i]:.0f}, {s.name}"
            error, bound = (np.where(e > _FLOOR, e, np.nan) for e in (s.error.value[i], s.bound[i]))
            axes.plot(loops, error, label=name, **style)
            style |= {"linestyle": ":", "fillstyle": "none"}
            axes.plot(loops, bound, **style)
            k += 1
    bounds: dict[str, Any] = {
        "color": "0.4",
        "marker": "o",
        "markersize": 4,
        "linestyle": ":",
        "fillstyle": "none",
    }
    axes.plot([], [], label=r"unfilled: $\exp(-T/2\kappa)$", **bounds)
    _loop_axis(axes, loops)
    axes.set_yscale("log")
    axes.set_ylim(max(_FLOOR, 1e-4), 2)
    axes.set_ylabel("relative error, median")
    axes.set_title("Errors and bound")
    legend(axes, loc="lower left")


def _draw_kappa(axes: Axes, one: Measured) -> None:
    """Draw the quartiles of κ, and what Gaussian rows would have."""
    lengths = one.curves[0].lengths
    for k, s in enumerate(one.spectra[::-1]):
        low, middle, high = np.quantile(s.kappa, (0.25, 0.5, 0.75), axis=(0, 1))
        bars = np.stack([middle - low, high - middle])
        axes.errorbar(lengths, middle, bars, capsize=2, label=f"{s.name} inputs", **series(k))
    d = one.spectra[0].d
    wide = lengths[lengths > 1.5 * d]
    if len(wide):
        ideal = theory.marchenko_pastur_kappa(d, wide)
        axes.plot(wide, ideal, label="Gaussian rows (Marchenko–Pastur)", **REFERENCE)
    axes.set_xscale("log", base=2)
    axes.set_xticks(lengths, [f"{n:.0f}" for n in lengths])
    axes.minorticks_off()
    axes.set_yscale("log")
    axes.set_xlabel("context length $n$ (pairs of words)")
    axes.set_ylabel(r"$\kappa$ of $X^{\mathsf{T}}X$, median and quartiles")
    axes.set_title(f"Condition of the prompts, $d$ = {d}")
    legend(axes)


def _loop_axis(axes: Axes, loops: Array) -> None:
    axes.set_xscale("symlog", linthresh=1, linscale=0.4)
    axes.set_xlim(-0.1, 1.3 * loops[-1])
    ticks = [t for t in (0, 1, 10, 100, 1000, 10_000, 100_000) if t <= loops[-1]]
    axes.set_xticks(ticks, [f"{t:,}" for t in ticks])
    axes.set_xlabel("loops $T$")
