"""The figure of the literature study: a panel for each paper, and one for the floors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from loopcore.studies.frame.drawing import REFERENCE, legend, new_figure, series
from loopcore.studies.frame.repeats import estimate
from loopcore.studies.literature import closed, floors, fu, oswald, table
from loopcore.studies.literature.result import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = npt.NDArray[np.float64]


def plot(result: Result) -> Figure:
    """Draw the four panels.

    Parameters
    ----------
    result : Result
        What `compute` gave.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, panels = new_figure(2, 2)
    figure.set_size_inches(10.5, 8.6)
    _draw_layers(panels[0, 0], result)
    _draw_damped(panels[0, 1], result)
    _draw_iterations(panels[1, 0], result)
    _draw_floors(panels[1, 1], result)
    return figure


def _draw_layers(axes: Axes, result: Result) -> None:
    L = np.array(closed.LAYERS, np.float64)
    shown = {
        "rotated": r"GD, $\Sigma$ rotated",
        "identity": r"GD, $\Sigma=I$; $\Gamma\propto\Sigma^{-1}$, $\Sigma$ rotated",
        "steps": r"$\Gamma_l\propto\Sigma^{-1}$, $L$ step sizes",
        "plus": r"GD++, one $\eta$ and $\gamma$",
        "layered": r"GD++, $\eta_l$ and $\gamma_l$",
    }
    for k, (name, label) in enumerate(shown.items()):
        mean, half_width = estimate(getattr(result.layers, name))
        below = np.minimum(half_width, 0.9 * np.abs(mean))  # a log axis has no zero
        axes.errorbar(L, _positive(mean), [below, half_width], capsize=2, label=label, **series(k))
    printed = 1e-4 * table.PRINTED_FRESH.mean()
    star: dict[str, Any] = {
        "color": "white",
        "markeredgecolor": "black",
        "markersize": 13,
        "zorder": 5,
    }
    axes.plot([3], [printed], "*", linestyle="none", label="printed by Ahn et al.", **star)
    axes.set_yscale("log")
    axes.set_xticks(L)
    axes.set_xlabel("layers $L$")
    axes.set_ylabel("loss (predicting 0: 5)")
    axes.set_title("Ahn et al.: $n=20$, $d=5$")
    legend(axes, loc="lower left")


def _draw_damped(axes: Axes, result: Result) -> None:
    t = oswald.REPEATED
    mean, median = 10 ** np.median(result.damped.log_mean, 0), np.median(result.damped.median, 0)
    names = (r"undamped", r"damped by 0.75")
    for k, name in enumerate(names):
        axes.plot(t, _positive(mean[k]), label=f"{name}, mean", **series(2 * k))
        axes.plot(t, _positive(median[k]), label=f"{name}, median", **series(2 * k + 1))
    axes.axhline(oswald.ONE.loss, label="best single step, 49/99", **REFERENCE)
    axes.set_xscale("log")
    axes.set_yscale("log")
    ticks = [1, 2, 5, 10, 20, 50]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_ylim(0.02, 5)
    axes.set_xlabel("steps $t$")
    axes.set_ylabel(r"loss / E $y^2$")
    axes.set_title("von Oswald et al.: $N=d=10$, uniform $x$")
    legend(axes, loc="upper left")


def _draw_iterations(axes: Axes, result: Result) -> None:
    for i, (kappa, part) in enumerate(zip(fu.KAPPAS, result.iterations, strict=True)):
        lines = (
            ("GD", fu.GD_STEPS, np.median(part.descent, 0), 8),
            ("Newton", fu.NEWTON_STEPS[1:], np.median(part.newton, 0)[1:], 1),
        )
        for j, (name, steps, error, every) in enumerate(lines):
            seen = np.where(error > 1e-27, error, np.nan)
            label = rf"{name}, $\kappa(\Sigma)={kappa:.0f}$"
            axes.plot(steps, seen, label=label, markevery=every, **series(2 * i + j))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("steps")
    axes.set_ylabel(r"median $\|\theta-w\|_\Sigma^2\,/\,\|w\|_\Sigma^2$")
    axes.set_title("Fu et al.: $n=40$, $d=20$")
    legend(axes, loc="lower left")


def _draw_floors(axes: Axes, result: Result) -> None:
    shown = {
        "gradient descent on X": "gradient descent, NumPy",
        "Newton": "Newton, NumPy",
        "conjugate gradients": "CG, NumPy",
        "loopcore power": "loopcore.run",
    }
    for curve in result.curves:
        if curve.method in shown:
            k = list(shown).index(curve.method)
            single = curve.dtype == "float32"
            style = series(k) | ({"markerfacecolor": "white"} if single else {})
            label = None if single else shown[curve.method]
            axes.plot(curve.kappa, _positive(curve.error.value), label=label, **style)
    kappa = np.array([1.0, 10.0 ** result.config.floor_exponents[-1]])
    for u in floors.ROUNDING.values():
        axes.plot(kappa, u * kappa, **REFERENCE)
        axes.plot(kappa, u * np.sqrt(kappa), **(REFERENCE | {"linestyle": ":"}))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(1e-17, 10)
    for text, at in (("float32: open marks", 1e-9), ("float64: filled", 2e-17)):
        axes.text(kappa[1], at, text, fontsize="small", color="0.3", ha="right")
    axes.set_xlabel(r"$\kappa(X^TX)$")
    axes.set_ylabel(r"smallest $\|\hat\theta-\theta\|\,/\,\|\theta\|$")
    axes.set_title(r"Precision floors: $u\kappa$ (dashed), $u\sqrt{\kappa}$ (dotted)")
    legend(axes, loc="upper left", ncols=2)


def _positive(values: Array) -> Array:
    """Return what a log axis can show, NaN for the rest."""
    return np.where(values > 0, values, np.nan)
