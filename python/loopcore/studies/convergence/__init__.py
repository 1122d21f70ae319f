"""How many loops and how many examples a small error takes.

Three questions, on the paper's tasks: X Gaussian (n, d), θ* random with ‖θ*‖ = 1, y = Xθ*, every
task run from q(0) = 0 with its own step η = 1/λ_max:

1. The paper's experiment. How does |⟨v(T), θ*⟩ − α| fall with T, beside |α| exp(−T/2κ) of each
   task's own κ?
2. How does it depend on n and d?
3. The claim of the paper's title. What is the smallest n with which the median, or the 95 %
   quantile, of the errors after T loops is at most ε? Is it O(d), and how does it depend on T and ε
   beside the exp(Ω(T)) that earlier analyses need?

How tasks are aggregated, 1: after every loop errors and bounds are each summed up by their 5 %
quantile, median and 95 % quantile over the tasks of one n. Since every task stays below its own
bound, each quantile of the errors stays below the same quantile of the bounds.

How the smallest n is found: for each d a geometric row of n from d/2 on is tried, each on fresh
tasks, reduced to 2d random numbers with the same errors in distribution (`measure.reduced_inputs`).
Between two n the quantile is interpolated on logarithmic scales, and the first n at which it is ε
is taken. Its interval is that of a bootstrap: the tasks of each n are resampled. At one T and ε
tasks with all their rows drawn are run at the ends of that interval.

References: Marchenko and Pastur's law says what n/d tends to as d grows, for a typical θ*, for the
worst one, and by the theorem's own bound (`limits`). That earlier analyses need n = exp(Ω(T)) is
what arXiv 2410.11268 says of them. It is a condition of their proofs, and no lower bound on what
these tasks need; its constants are not given, and curves exp(cT) show its shape and no more.

Source: arXiv 2410.11268, the experiments, and the theorem on error convergence. Numbers of
examples, quantiles, the search and its reduction are [ours].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from loopcore.studies.convergence import limits
from loopcore.studies.convergence.config import QUICK, Config
from loopcore.studies.convergence.figure import plot
from loopcore.studies.convergence.measure import (
    QUANTILES,
    SEARCHED,
    Cell,
    Curves,
    check_whole,
    measure_cell,
    measure_curves,
    searched_examples,
)
from loopcore.studies.convergence.search import Grid, Needed, gather
from loopcore.studies.convergence.words import findings, sheets
from loopcore.studies.frame.blas import one_blas_thread
from loopcore.studies.frame.intervals import Interval
from loopcore.studies.frame.parts import SILENT, Parts
from loopcore.studies.frame.study import Study

__all__ = ["QUANTILES", "SEARCHED", "STUDY", "Config", "Result", "compute", "plot"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Limits:
    """What n/d tends to with d, (K, E) for the loops and tolerances of the search.

    Attributes
    ----------
    typical : ndarray, shape (K, E)
        Where almost every task has an error of at most ε.
    worst : ndarray, shape (K, E)
        Where every θ* has one: (1 − 1/κ)^T is at most ε.
    theorem : ndarray, shape (K, E)
        Where exp(−T/2κ) is; infinite where it is for no κ.
    """

    typical: Array
    worst: Array
    theorem: Array


@dataclass(frozen=True, eq=False)
class Check:
    """Tasks with all rows drawn, at both ends of the interval of the smallest n of one T and ε.

    Attributes
    ----------
    T : int
        The number of loops.
    tolerance : float
        ε.
    d : tuple of int
        Those of the search where the interval is finite.
    below, above : tuple of int
        Its ends for each of them, rounded down and up.
    error_below, error_above : tuple of Interval
        The median errors there: at least and at most ε if the interval is right.
    """

    T: int
    tolerance: float
    d: tuple[int, ...]
    below: tuple[int, ...]
    above: tuple[int, ...]
    error_below: tuple[Interval, ...]
    error_above: tuple[Interval, ...]


@dataclass(frozen=True, eq=False)
class Result:
    """What was measured, in the order of the configuration.

    Attributes
    ----------
    curves : tuple of Curves
        One for each n of the error curves.
    grids : tuple of Grid
        One for each d of the search.
    needed : Needed or None
        The smallest n; None without dims.
    limits : Limits
        The references of the search.
    check : Check or None
        The check of the search; None without dims.
    """

    config: Config
    curves: tuple[Curves, ...]
    grids: tuple[Grid, ...]
    needed: Needed | None
    limits: Limits
    check: Check | None


@one_blas_thread()
def compute(config: Config, parts: Parts = SILENT) -> Result:
    """Measure the errors of random tasks, and find the smallest n of each T and ε.

    Parameters
    ----------
    config : Config
        What to measure.
    parts : Parts
        What measures the parts.

    Returns
    -------
    Result
        The same for the same configuration.

    Raises
    ------
    ModuleNotFoundError
        Without SciPy.

    Examples
    --------
    >>> config = Config(
    ...     examples=(8, 32), tasks=200, loops=20, dims=(4, 8), search_loops=(8, 32),
    ...     tolerances=(1e-2,), per_octave=3, largest_ratio=64, search_tasks=200,
    ... )
    >>> result = compute(config)
    >>> [curves.above_bound for curves in result.curves]
    [0, 0]
    >>> few, many = (curves.error[1, -1] for curves in result.curves)  # medians
    >>> bool(many < few / 10)
    True
    >>> n = result.needed.n.value[:, :, 0, 0]  # (2 dims, 2 loops), for the median
    >>> bool((n[1] > n[0]).all()), bool((n[:, 1] < n[:, 0]).all())
    (True, True)
    """
    curves = measure_curves(config, parts)
    references = _limits(config)
    if not config.dims:
        return Result(config, curves, (), None, references, None)
    sizes = [(d, searched_examples(config, d)) for d in config.dims]
    keys = [(d, int(n)) for d, row in sizes for n in row]
    cells = parts("searching n", keys, Cell, lambda key: measure_cell(config, *key))
    by_dim = [
        [cell for key, cell in zip(keys, cells, strict=True) if key[0] == d] for d in config.dims
    ]
    grids, needed = gather(sizes, by_dim, config.tolerances)
    return Result(config, curves, grids, needed, references, _check(config, needed, parts))


def _limits(config: Config) -> Limits:
    pairs = [[(T, epsilon) for epsilon in config.tolerances] for T in config.search_loops]
    return Limits(
        *(
            np.array([[function(*pair) for pair in row] for row in pairs])
            for function in (limits.typical_ratio, limits.worst_ratio, limits.theorem_ratio)
        )
    )


def _check(config: Config, needed: Needed, parts: Parts) -> Check:
    """Run whole tasks at the T and the ε in the middle of the search."""
    k, e = len(config.search_loops) // 2, len(config.tolerances) // 2
    T, tolerance = config.search_loops[k], config.tolerances[e]
    ends = [part[:, k, e, 0] for part in (needed.n.low, needed.n.high)]
    d, below, above = [], [], []
    for size, low, high in zip(config.dims, *ends, strict=True):
        if np.isfinite(high):
            d.append(size)
            below.append(int(np.floor(low)))
            above.append(int(np.ceil(high)))
    sizes = [*zip(d, below, strict=True), *zip(d, above, strict=True)]
    errors = check_whole(config, sizes, T, parts)
    return Check(
        T,
        tolerance,
        tuple(d),
        tuple(below),
        tuple(above),
        tuple(errors[: len(d)]),
        tuple(errors[len(d) :]),
    )


STUDY = Study(
    name="convergence",
    title="Convergence: how many loops and how many examples",
    question=(
        "How does the error |⟨v(T), θ*⟩ − α| fall with the loops T, and how many examples n does "
        "it take to reach an error ε after T loops? Gaussian X (n, d), unit θ*, y = Xθ*, "
        "η = 1/λ_max."
    ),
    caption=(
        "Top left: error after each loop for several n; lines are medians, bands hold 5–95 % of "
        "the tasks, dashes are the 95 % quantile of the tasks' bounds |α| exp(−T/2κ). Top right: "
        "median error after a fixed T against n/d for several d, with the limit of large d "
        "(dashed). Bottom left: the smallest n with which the median error is at most ε, over d; "
        "horizontal lines would be exactly O(d), dashes are the limits of large d. Bottom right: "
        "the same at the largest d, against T, with 95 % bootstrap intervals (most hidden by their "
        "marks), beside curves exp(cT) through the first point: the shape of exp(Ω(T)), whose c "
        "is not known. Larger triangles at the top: no n tried is sure to be enough."
    ),
    sources=("arXiv 2410.11268",),
    full=Config(),
    quick=QUICK,
    compute=compute,
    plot=plot,
    sheets=sheets,
    findings=findings,
)
