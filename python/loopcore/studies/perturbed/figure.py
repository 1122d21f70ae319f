"""The figure of the study of perturbed weights: noise, failures, masks, trainings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from loopcore.studies.frame.drawing import REFERENCE, legend, new_figure, series
from loopcore.studies.frame.intervals import number
from loopcore.studies.perturbed import algebra, learned, masks
from loopcore.studies.perturbed.sheets import start_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from loopcore.studies.perturbed import Result

Array = npt.NDArray[np.float64]

CAPTION = (
    "Top left: median error of noisy ideal weights, κ nearest to 100; dashed: theory for the ideal "
    "weights, and the floors 1.65σ. Top right: models × tasks after T loops. Slow: the ideal "
    "weights are not there either; slowed: they are, the noisy ones will be; floor, both: these "
    "never will, the ideal ones are, or are not. Bottom left: ideal weights, other masks, step "
    "tuned for every T on other tasks; dotted: at the step tuned for the T of the panel above; "
    "dashed: 1 − 1/√2, ridge closed form. Bottom right: trainings with more than twice the mean or "
    "median squared error of the ideal weights; bars: exact binomial 95 % intervals."
)

_FLOOR, _CEILING = 1e-8, 1e2

_FACES = {
    "passes": ("white", ""),
    "slow": ("0.85", "...."),
    "slowed": ("#cc7a00", "xxx"),
    "floor": ("#4fb0d9", "///"),
    "both": ("#22478f", ""),
    "diverges": ("black", ""),
}
"""Colour and hatching of what became of a pair."""


def plot(result: Result) -> Figure:
    """Draw errors by loops, what failures are due to, masks, and failed trainings.

    Parameters
    ----------
    result : Result
        What `compute` gave.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, panels = new_figure(2, 2)
    figure.set_size_inches(9.6, 8.2)
    _draw_errors(panels[0, 0], result)
    _draw_causes(panels[0, 1], result)
    _draw_masks(panels[1, 0], result)
    _draw_trainings(panels[1, 1], result)
    return figure


def _draw_errors(axes: Axes, result: Result) -> None:
    config, w = result.config, result.weights
    c = int(np.argmin(np.abs(np.log(w.kappa / 100))))
    at = np.array(config.at)
    axes.plot(at, _shown(w.ideal.value[c]), **REFERENCE, label="ideal weights, theory")
    for k, sigma in enumerate(_chosen(config.sigmas, (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 0.32, 1.0))):
        s = config.sigmas.index(sigma)
        error = w.error.value[c, s]
        axes.plot(at, _shown(error), **series(k), label=f"σ = {number(sigma, 2)}")
        if sigma <= 0.1:
            axes.hlines(algebra.MEDIAN_FLOOR * sigma, at[-1] / 4, at[-1], **REFERENCE)
    _scales(axes)
    axes.set_xlabel("loops $T$")
    axes.set_ylabel(r"median $|\langle v(T), \theta^*\rangle - \alpha|\ /\ |\alpha|$")
    axes.set_title(f"Noise on $P$ and $Q$, {config.cells[c].name(config.d)}")
    legend(axes, loc="lower left")


def _draw_causes(axes: Axes, result: Result) -> None:
    """Draw stacked shares, a group of bars for each σ and a bar for each cell."""
    config, w = result.config, result.weights
    cells = [c for c, cell in enumerate(config.cells) if cell.condition] or list(
        range(len(config.cells))
    )
    sigmas = _chosen(config.sigmas, (1e-4, 1e-3, 1e-2, 1e-1, 0.32))
    width = 0.8 / len(cells)
    ticks, names = [], []
    for g, sigma in enumerate(sigmas):
        for j, c in enumerate(cells):
            place, bottom = g + (j - (len(cells) - 1) / 2) * width, 0.0
            shares = w.cause.value[c, config.sigmas.index(sigma)]
            for cause, share in zip(algebra.CAUSES, shares, strict=True):
                color, hatch = _FACES[cause]
                axes.bar(
                    place,
                    100 * share,
                    0.9 * width,
                    bottom,
                    color=color,
                    hatch=hatch,
                    edgecolor="0.25",
                    linewidth=0.6,
                    label=cause if g == j == 0 else None,
                )
                bottom += 100 * float(share)
            ticks.append(place)
            names.append(config.cells[c].name(config.d).removeprefix("κ = "))
    axes.set_xticks(ticks, names, rotation=90, fontsize="x-small")
    for g, sigma in enumerate(sigmas):
        axes.annotate(
            f"σ = {number(sigma, 2)}" if sigma == sigmas[0] else number(sigma, 2),
            (g, 101),
            ha="center",
            va="bottom",
            fontsize="small",
            annotation_clip=False,
        )
    axes.set_ylim(0, 107)
    axes.grid(visible=False)
    axes.set_xlabel("κ" if config.cells[cells[0]].condition else "cell")
    axes.set_ylabel("% of models × tasks")
    axes.set_title(f"Error above {number(config.epsilon)} after {config.loops} loops: why?")
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(
        handles[::-1],
        labels[::-1],
        frameon=False,
        fontsize="small",
        loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
    )


def _draw_masks(axes: Axes, result: Result) -> None:
    config, m = result.config, result.masks
    n = len(config.mask_n) - 1
    at = np.array(config.at)
    for k, name in enumerate(masks.NAMES):
        style = series(k)
        axes.plot(at, _shown(m.error.value[n, k]), **style, label=name)
        style |= {"marker": "", "linestyle": ":"}
        axes.plot(at, _shown(m.fixed.value[n, k]), **style)
    for level in (masks.FLOW_FLOOR, float(m.ridge.value[n])):
        axes.axhline(level, **REFERENCE)
    _scales(axes, 3e-3)
    axes.set_xlabel("loops $T$")
    axes.set_ylabel("median error")
    axes.set_title(f"Other masks, Gaussian, n/d = {config.mask_n[n] / config.d:g}")
    legend(axes, loc="lower right")


def _draw_trainings(axes: Axes, result: Result) -> None:
    config, t = result.config, result.learned
    places = np.arange(float(len(config.trained_loops)))
    starts = learned.starts(config)
    for s, sigma in enumerate(starts):
        share = t.fails.at(slice(None), s)
        shift = 0.12 * (s - (len(starts) - 1) / 2)
        axes.errorbar(
            places + shift,
            100 * share.value,
            100 * np.stack([share.value - share.low, share.high - share.value]),
            **series(s),
            capsize=3,
            label=f"{start_name(sigma)} ({t.count[s]} each)",
        )
    axes.set_xticks(places, [str(T) for T in config.trained_loops])
    axes.set_ylim(-3, 125)
    axes.set_yticks(range(0, 101, 20))
    axes.set_xlabel("loops $T$ trained with")
    axes.set_ylabel("trainings that fail, %")
    axes.set_title(f"Learned $P$, $Q$: n = {config.trained_n}, d = {config.trained_d}")
    legend(axes, loc="upper left", ncols=2, title="start")


def _chosen(values: tuple[float, ...], wanted: tuple[float, ...]) -> list[float]:
    """Return the values nearest to the wanted ones, each once."""
    logs = np.log(values)
    picked = {int(np.argmin(np.abs(logs - np.log(one)))) for one in wanted}
    return [values[i] for i in sorted(picked)]


def _shown(values: Array) -> Array:
    """Return what a logarithmic axis can show, NaN for the rest."""
    return np.where((values > _FLOOR / 10) & (values < _CEILING), values, np.nan)


def _scales(axes: Axes, low: float = _FLOOR) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(low, _CEILING if low == _FLOOR else 3)
