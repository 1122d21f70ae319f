"""Steps of T loops: constant, optimal, by momentum, Chebyshev's and learned ones, side by side.

Each loop takes a step of gradient descent; this study compares how its size is chosen:

- constant: η = 1/λ_max of the task, the paper's;
- optimal: η = 2/(λ_min + λ_max), the constant with the smallest worst case;
- momentum: the heavy ball with Polyak's η and β, which also know λ_min and λ_max of the task;
- Chebyshev: for each T its own T steps, of the smallest worst case for λ_min and λ_max of the task
  after the last of the T loops;
- learned: T steps that `loopcore.fit` trained on other tasks of the same distribution, one schedule
  for all tasks, which knows neither λ_min nor λ_max of a task; "scaled" ones are in units of each
  task's 1/λ_max, and so know that one;
- best: the steps of least mean ‖v(T) − θ*‖² for the distribution of the eigenvalues, which many
  other tasks tell (`optima.reference.best_steps`): what training should find.

Problems are tasks y = Xθ*, ‖θ*‖ = 1, α = 1, q(0) = 0, with Gaussian X of several n/d, and one with
a chosen κ and eigenvalues drawn log-uniformly. Everything but momentum is run by loopcore's
kernels; momentum, whose β differs between tasks, and the numbers of loops to a tolerance are
computed in the eigenbasis, exactly (`descent`).

How tasks are aggregated: medians and 95 % quantiles over the tasks of a problem, with exact
bootstrap intervals. The error is the paper's |⟨v(T), θ*⟩ − 1|. It is measured beside the distance
‖v(T) − θ*‖, which is never smaller, and which training and bounds are about: where shrinkages have
both signs the error can be small by chance. Loops to a tolerance are therefore those from which on
a measure stays at most ε.

Source: arXiv 2410.11268 (constant); B. T. Polyak, 1964 (momentum); V. I. Lebedev and S. A.
Finogenov, 1971 (the order of Chebyshev's steps); F. Pedregosa and D. Scieur, 2020 (best steps).
The problems, the scaled variant and the comparison are [ours].
"""

from __future__ import annotations

from dataclasses import dataclass

from loopcore.studies.frame.blas import one_blas_thread
from loopcore.studies.frame.parts import SILENT, Parts
from loopcore.studies.frame.study import Study
from loopcore.studies.schedules.config import QUICK, Config
from loopcore.studies.schedules.figure import plot
from loopcore.studies.schedules.measure import Measured, measure_all
from loopcore.studies.schedules.words import findings, sheets

__all__ = ["STUDY", "Config", "Result", "compute", "plot"]


@dataclass(frozen=True, eq=False)
class Result:
    """What was measured: one `Measured` for each problem, the Gaussian ones first."""

    config: Config
    problems: tuple[Measured, ...]


@one_blas_thread()
def compute(config: Config, parts: Parts = SILENT) -> Result:
    """Train the steps, and measure all of them on the same tasks.

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
    >>> sizes = {"tasks": 200, "train_tasks": 100, "matrices": 200}
    >>> small = Config(4, (3.0,), 100.0, (2, 4, 8), learned_loops=(2, 4), repeats=(1, 2), **sizes)
    >>> result = compute(small)
    >>> gaussian, chosen = result.problems
    >>> [known.above_bound for known in (gaussian.known, chosen.known)]
    [(0, 0, 0, 0), (0, 0, 0, 0)]
    >>> constant, optimal, momentum, chebyshev = chosen.known.loops.value[:, 0, 1]  # to 1e-6
    >>> bool(chebyshev < momentum < optimal < constant)
    True
    """
    return Result(config, measure_all(config, parts))


STUDY = Study(
    name="schedules",
    title="Schedules: constant, optimal, momentum, Chebyshev and learned steps",
    question=(
        "How fast does |⟨v(T), θ*⟩ − 1| fall with the loops T for each choice of the steps, how "
        "many loops does an error of 1e-3 or 1e-6 take, and do learned steps, which know only the "
        "distribution of the tasks, beat those that know λ_min and λ_max of each task?"
    ),
    caption=(
        "Top: median error against loops, for a Gaussian problem and the one of the largest κ; "
        "dashed lines in the same colours are the medians of the tasks' worst cases, marks of "
        "Chebyshev's steps each a schedule of its own. Bottom left: loops to the smallest "
        "tolerance against the median κ of each problem, medians with 95 % bootstrap intervals "
        "(most hidden by their marks), and what the worst case at that κ asks for (dashed). Bottom "
        "right: error with learned steps over that with Chebyshev's for as many loops, medians "
        "(lines) and 95 % quantiles (marks alone); right of the dotted line the longest learned "
        "schedule is repeated. Below one learned steps are better."
    ),
    sources=(
        "arXiv 2410.11268",
        "B. T. Polyak, 1964",
        "V. I. Lebedev and S. A. Finogenov, 1971",
        "F. Pedregosa and D. Scieur, 2020",
    ),
    full=Config(),
    quick=QUICK,
    compute=compute,
    plot=plot,
    sheets=sheets,
    findings=findings,
)
