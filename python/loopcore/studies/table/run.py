"""One looped transformer on one real table: the vector it generates, and how fast it gets there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

import loopcore
from loopcore import theory
from loopcore.studies.frame.progress import Progress, silent
from loopcore.studies.table.course import TOLERANCES, follow
from loopcore.studies.table.steps import Eta, Steps
from loopcore.tables import Table, TableError, standardize

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = npt.NDArray[np.float64]

_TITLE_CHARACTERS = 32  # of the file's name
_MOST_LOOPS = 2**53
_SCHEDULE_LOOPS = 10_000_000


@dataclass(frozen=True)
class Config:
    """What to do with a table.

    Attributes
    ----------
    alpha : float
        The value α to generate.
    loops : int
        The number of loops T.
    eta : None, "optimal", "chebyshev" or float
        The step size; None is the paper's 1/λ_max.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """

    alpha: float = 1.0
    loops: int = 200
    eta: Eta = None

    def __post_init__(self) -> None:
        """Refuse what means nothing."""
        if not math.isfinite(self.alpha):
            raise ValueError(f"alpha: expected a finite number, got {self.alpha}")
        if not 0 <= self.loops <= _MOST_LOOPS:
            raise ValueError(f"loops: expected 0 to 2^53, got {self.loops}")
        if self.eta == "chebyshev" and self.loops > _SCHEDULE_LOOPS:
            raise ValueError(
                f"loops: expected at most {_SCHEDULE_LOOPS:,} with chebyshev, whose steps are all "
                f"held in memory, got {self.loops:,}"
            )
        if isinstance(self.eta, float) and not 0 < self.eta < math.inf:
            raise ValueError(f"eta: expected a finite number above 0, got {self.eta}")


@dataclass(frozen=True, eq=False)
class Result:
    """What the loop gave on a table.

    Attributes
    ----------
    table, config
        What was run.
    steps : Steps
        The step sizes, with λ_min, λ_max and κ.
    rank : int
        The rank of X, as in `loopcore.spectrum`.
    v : ndarray, shape (d,)
        The generated vector v(T).
    theta : ndarray, shape (d,)
        θ̂, the least-squares solution (the one of least norm where rank < d).
    at, curve : ndarray, shape (K,)
        Numbers of loops from 0 to T, and the relative errors after them.
    loops_needed : dict of float to int or None
        For each of `TOLERANCES` the first loop whose relative error is at most that, or None.
    searched : int
        Up to which loop that was looked for; 0 where only the last loop means anything.
    standardized_kappa : float or None
        κ if the table were standardised; known where the loop was slow and that is possible.
    """

    table: Table
    config: Config
    steps: Steps
    rank: int
    v: Array
    theta: Array
    at: npt.NDArray[np.int64]
    curve: Array
    loops_needed: dict[float, int | None]
    searched: int
    standardized_kappa: float | None

    @property
    def kappa(self) -> float:
        """λ_max/λ_min of XᵀX over its non-zero eigenvalues."""
        return self.steps.kappa

    @property
    def diverged(self) -> bool:
        """Whether v overflowed."""
        return not bool(np.isfinite(self.v).all())

    @property
    def rank_tolerance(self) -> float:
        """The share of σ_max above which a singular value of X counts as non-zero."""
        return float(max(self.table.X.shape) * np.finfo(np.float64).eps)

    @property
    def relative_error(self) -> float:
        """|⟨v, θ̂⟩ − α‖θ̂‖²| / (|α|‖θ̂‖²) after T loops; NaN where α or θ̂ is 0."""
        return float(self.curve[-1])

    @property
    def raw_error(self) -> float:
        """|⟨v, θ̂⟩ − α| after T loops."""
        with np.errstate(all="ignore"):  # where the loop diverged
            return abs(float(self.v @ self.theta) - self.config.alpha)

    @property
    def plateau(self) -> float:
        """|α|·|‖θ̂‖² − 1|, where the raw error ends."""
        return abs(self.config.alpha) * abs(float(self.theta @ self.theta) - 1)

    @property
    def distance(self) -> float:
        """‖v − αθ̂‖ / ‖αθ̂‖ after T loops; NaN where α or θ̂ is 0."""
        limit = self.config.alpha * self.theta
        size = math.hypot(*limit)  # unlike a sum of squares it does not overflow
        with np.errstate(all="ignore"):  # where the loop diverged
            error = float(math.hypot(*(self.v - limit)))
        return error / size if size > 0 else math.nan


def compute(table: Table, config: Config, progress: Progress = silent) -> Result:
    """Run the loop on a table, follow its error, and find the loops that tolerances need.

    Parameters
    ----------
    table : Table
        X (n, d) and y (n,).
    config : Config
        α, the number of loops and the step size.
    progress : callable
        Called now and then with the stage, how much of it is done, and its whole.

    Returns
    -------
    Result
        Errors are relative and against θ̂, since a real table has no θ*. Source: arXiv 2410.11268,
        the theorem on error convergence, in the form that `loopcore.theory` states.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[2.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    >>> table = Table(X, np.array([2.0, 1.0, 5.0]), ("a", "b"), "c")
    >>> result = compute(table, Config(loops=10))
    >>> round(result.kappa, 9), result.v.round(3), round(result.relative_error, 4)
    (4.0, array([1.   , 0.944]), 0.0282)
    """
    progress("decomposing", 0, 2)
    spectrum = loopcore.spectrum(table.X)
    steps = Steps(
        config.eta, float(spectrum.lambda_min), float(spectrum.lambda_max), float(spectrum.kappa)
    )
    progress("decomposing", 1, 2)
    solution = np.linalg.lstsq(table.X, table.y, rcond=None)[0]  # spectrum's rank rule
    theta = np.asarray(solution, np.float64)  # (d,)
    progress("decomposing", 2, 2)

    task = (table.X, table.y, config.alpha)
    course = follow(task, config.loops, steps, theta, progress)
    slow = course.curve[-1] > TOLERANCES[0]
    return Result(
        table=table,
        config=config,
        steps=steps,
        rank=int(spectrum.rank),
        v=course.v,
        theta=theta,
        at=course.at,
        curve=course.curve,
        loops_needed=course.loops_needed,
        searched=course.searched,
        standardized_kappa=_standardized_kappa(table) if slow else None,
    )


def _standardized_kappa(table: Table) -> float | None:
    if table.standardized:
        return None
    try:
        return float(loopcore.spectrum(standardize(table).X).kappa)
    except TableError:  # a constant column
        return None


def plot(result: Result) -> Figure:
    """Draw the relative error against loops, with the bounds above it.

    Parameters
    ----------
    result : Result
        What `compute` gave.

    Returns
    -------
    matplotlib.figure.Figure
        One panel, readable in gray. Bounds that hold after the last loop alone are points there.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.add_subplot()
    steps, words, T = result.steps, result.steps.words, result.config.loops
    point = steps.last_loop_only
    at = np.array([T]) if point else result.at
    where = f" after loop {T}" if point else ""
    if steps.theorem_holds:
        bound = np.asarray(theory.relative_error_bound(at, result.kappa))
        label = f"theorem's bound $e^{{-T/2\\kappa}}${where}"
        axes.plot(at, bound, "^" if point else "--", color="0.3", label=label)
    worst = np.asarray(steps.worst_case(at))
    label = f"worst case {words.worst_case_tex}{where}"
    axes.plot(at, worst, "v" if point else ":", color="0.3", label=label)
    measured = np.where(result.curve > 0, result.curve, np.nan)  # a log axis has no 0
    marker = "o" if T == 0 else None
    label = f"measured, {words.name_tex}"
    axes.plot(result.at, measured, color="black", linewidth=1.8, marker=marker, label=label)
    axes.set_yscale("log")
    _limit_errors(axes, result)
    axes.set_xlabel("loops $T$")
    axes.set_ylabel(
        r"relative error  $|\langle v(T), \hat\theta\rangle - \alpha\|\hat\theta\|^2|"
        r"\,/\,(|\alpha|\,\|\hat\theta\|^2)$"
    )
    n, d = result.table.X.shape
    source = result.table.source.replace("$", r"\$")  # no mathematics
    name = source if len(source) <= _TITLE_CHARACTERS else f"…{source[-_TITLE_CHARACTERS:]}"
    axes.set_title(f"{name}: $n$ = {n}, $d$ = {d}, $\\kappa$ = {result.kappa:.4g}")
    axes.grid(color="0.9")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure


def _limit_errors(axes: Axes, result: Result) -> None:
    """Show at least one decade, and nothing far below rounding, which is marked."""
    low, high = axes.get_ylim()
    rounding = min(result.kappa, 1e12) * 2.0**-53  # θ̂ itself is not known better from XᵀX
    if low < rounding or (result.curve == 0).any():
        low = max(low, 1e-17)
        axes.axhspan(low, rounding, color="0.93", linewidth=0)
        axes.text(
            0.99,
            rounding,
            "rounding ",
            transform=axes.get_yaxis_transform(),
            ha="right",
            va="top",
            color="0.4",
        )
    axes.set_ylim(min(low, 0.1), max(high, 2))
