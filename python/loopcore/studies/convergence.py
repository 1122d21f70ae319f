"""The paper's experiment: error against loops on random tasks, beside the theorem's bound.

X is Gaussian (n, d), θ* is random with ‖θ*‖ = 1, and y = Xθ*. Each task runs from q(0) = 0 with
its own step η = 1/λ_max and has its own κ, so also its own bound |α| exp(−T/2κ).

How tasks are aggregated: after every loop T, errors and bounds are each summed up by their 5 %
quantile, median and 95 % quantile over the tasks of one n. Since every task stays below its own
bound, each quantile of the errors stays below the same quantile of the bounds; and the 95 %
quantile of the bounds lies above everything that the figure draws of the errors.

Source: arXiv 2410.11268, the experiments, and the theorem on error convergence. The numbers of
examples and the 5–95 % band are [ours].
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

import loopcore
from loopcore import theory
from loopcore.studies.progress import Progress, silent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = npt.NDArray[np.float64]

QUANTILES = (0.05, 0.5, 0.95)

_LOWEST = 1e-16  # where the figure's errors end: rounding
_CHUNK = 1000  # tasks at a time
_ROUNDING = 1e-12  # of |α|: far above what float64 leaves, far below what a figure shows


@dataclass(frozen=True)
class Config:
    """What to measure.

    Attributes
    ----------
    d : int
        The length of θ*.
    examples : tuple of int
        The numbers of examples n to try, each at least d.
    loops : int
        The number of loops T, at least 1.
    tasks : int
        How many random tasks for each n.
    alpha : float or "random"
        The value to generate; "random" draws one from N(0, 1) for each task.
    seed : int
        Fixes every number. The tasks of one n do not depend on the other n.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """

    d: int = 4
    examples: tuple[int, ...] = (5, 10, 20, 40)
    loops: int = 50
    tasks: int = 10_000
    alpha: float | Literal["random"] = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what means nothing."""
        for name, value, least in (
            ("d", self.d, 1),
            ("examples", min(self.examples, default=0), self.d),
            ("loops", self.loops, 1),
            ("tasks", self.tasks, 1),
            ("seed", self.seed, 0),
        ):
            if value < least:
                raise ValueError(f"{name}: expected at least {least}, got {value}")
        if not isinstance(self.alpha, str) and not (math.isfinite(self.alpha) and self.alpha):
            raise ValueError(f"alpha: expected a finite number that is not 0, got {self.alpha}")


@dataclass(frozen=True, eq=False)
class Curves:
    """What one n gave, over all its tasks.

    Attributes
    ----------
    n : int
        The number of examples.
    kappa : ndarray, shape (3,)
        The `QUANTILES` of κ over the tasks.
    error, bound : ndarray, shape (3, T + 1)
        The `QUANTILES` of |⟨v(t), θ*⟩ − α| and of |α| exp(−t/2κ), for t = 0 … T.
    largest_ratio : float
        The largest error/bound of any task after any loop t ≥ 1.
    above_bound : int
        How many errors were above their task's bound by more than rounding: the theorem says 0.
    """

    n: int
    kappa: Array
    error: Array
    bound: Array
    largest_ratio: float
    above_bound: int


@dataclass(frozen=True, eq=False)
class Result:
    """What was measured: one `Curves` for each n of the configuration, in its order."""

    config: Config
    curves: tuple[Curves, ...]


def compute(config: Config, progress: Progress = silent) -> Result:
    """Measure the error against loops on random tasks.

    Parameters
    ----------
    config : Config
        What to measure.
    progress : callable
        Called after each part with the stage, the tasks done and all tasks.

    Returns
    -------
    Result
        The same for the same configuration.

    Examples
    --------
    >>> result = compute(Config(examples=(8, 32), tasks=200, loops=20))
    >>> [curves.above_bound for curves in result.curves]
    [0, 0]
    >>> few, many = (curves.error[1, -1] for curves in result.curves)  # medians
    >>> bool(many < few / 10)
    True
    """
    total = config.tasks * len(config.examples)
    curves = []
    for i, n in enumerate(config.examples):
        errors = np.empty((config.tasks, config.loops + 1))
        kappa = np.empty(config.tasks)
        alpha = np.empty(config.tasks)
        streams = [
            np.random.default_rng(s) for s in np.random.SeedSequence([config.seed, n]).spawn(3)
        ]
        for start in range(0, config.tasks, _CHUNK):
            part = slice(start, min(start + _CHUNK, config.tasks))
            X, theta, alpha[part] = _draw(config, n, part.stop - start, streams)
            y = np.matmul(X, theta[..., None])[..., 0]  # (B, n)
            kappa[part] = loopcore.spectrum(X).kappa
            errors[part] = loopcore.errors(X, y, alpha[part], config.loops, theta=theta)
            progress("looping", i * config.tasks + part.stop, total)
        curves.append(_summed_up(n, errors, kappa, np.abs(alpha)))
    return Result(config, tuple(curves))


def _draw(
    config: Config, n: int, B: int, streams: list[np.random.Generator]
) -> tuple[Array, Array, Array]:
    """Draw X (B, n, d), unit θ* (B, d) and α (B,), each from its own stream."""
    X = streams[0].standard_normal((B, n, config.d))
    theta = streams[1].standard_normal((B, config.d))
    theta /= np.linalg.norm(theta, axis=-1, keepdims=True)
    if config.alpha == "random":
        return X, theta, streams[2].standard_normal(B)
    return X, theta, np.full(B, config.alpha)


def _summed_up(n: int, errors: Array, kappa: Array, scale: Array) -> Curves:
    """Reduce errors (tasks, T + 1), κ (tasks,) and |α| (tasks,) to quantiles over the tasks."""
    t = np.arange(errors.shape[1])
    bounds = scale[:, None] * theory.relative_error_bound(t, kappa[:, None])  # (tasks, T + 1)
    allowed = bounds + _ROUNDING * scale[:, None]
    return Curves(
        n=n,
        kappa=np.quantile(kappa, QUANTILES),
        error=np.quantile(errors, QUANTILES, axis=0),
        bound=np.quantile(bounds, QUANTILES, axis=0),
        largest_ratio=float(np.max(errors[:, 1:] / bounds[:, 1:])),
        above_bound=int(np.sum(errors > allowed)),
    )


def plot(result: Result) -> Figure:
    """Draw one panel for each n: median and 5–95 % band of the errors, and the bound.

    Parameters
    ----------
    result : Result
        What `compute` gave.

    Returns
    -------
    matplotlib.figure.Figure
        Readable in gray. The dashed line is the 95 % quantile of the tasks' bounds, and so above
        the whole band; the dotted one is their median, to be compared with the median error.
    """
    from matplotlib.figure import Figure

    config, count = result.config, len(result.curves)
    columns = min(count, 4)
    rows = -(-count // columns)
    figure = Figure(figsize=(max(2.6 * columns, 4.5), 3.2 * rows + 0.6), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    t = np.arange(config.loops + 1)
    for axes, curves in zip(panels.flat, result.curves, strict=False):
        low, middle, high = np.maximum(curves.error, _LOWEST / 10)  # a log axis has no 0
        axes.fill_between(t, low, high, color="0.8", linewidth=0, label="errors, 5–95 % of tasks")
        axes.plot(t, middle, color="black", linewidth=1.8, label="error, median")
        axes.plot(t, curves.bound[2], "--", color="0.2", label=_bound_label("95 % quantile"))
        axes.plot(t, curves.bound[1], ":", color="0.2", label=_bound_label("median"))
        axes.set_yscale("log")
        axes.set_title(f"$n$ = {curves.n}, median $\\kappa$ = {curves.kappa[1]:.3g}")
        axes.grid(color="0.92")
        axes.spines[["top", "right"]].set_visible(False)
    low, high = panels[0, 0].get_ylim()
    panels[0, 0].set_ylim(max(low, _LOWEST), high)
    for axes in panels.flat[count:]:
        axes.set_visible(False)
    for axes in panels[:, 0]:
        axes.set_ylabel(r"$|\langle v(T), \theta^*\rangle - \alpha|$")
    for axes in panels[-1]:
        axes.set_xlabel("loops $T$")
    alpha = "random" if config.alpha == "random" else f"{config.alpha:g}"
    figure.suptitle(
        f"Gaussian tasks, $d$ = {config.d}, $\\alpha$ = {alpha}, {config.tasks:,} for each $n$"
    )
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=2 if columns < 3 else 4, frameon=False
    )
    return figure


def _bound_label(which: str) -> str:
    return rf"bound $|\alpha| e^{{-T/2\kappa}}$, {which}"
