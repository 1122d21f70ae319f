"""Does training find the known optima? Models trained by `loopcore.fit`, beside exact references.

Four questions, each on Gaussian tasks y = ⟨w, x⟩ that are drawn anew for every repeat:

1. The best single step, for several (n, d): is η = 1/(n + d + 1), its loss d(d + 1)/(n + d + 1)?
2. The learned preconditioner of one step, for w ~ N(0, Σ⁻¹) and w ~ N(0, I): does it tend to
   Σ⁻¹/(n + d + 1) and ((n + 1)Σ + tr(Σ) I)⁻¹ like 1/√(tasks)?
3. T learned steps instead of one constant: how much better, and are they the roots of the
   orthogonal polynomial that `reference.best_steps` knows without training?
4. GD++ instead of gradient descent: how much better, with which γ?

Losses are those of tasks that were not trained on. Every number is a mean over independent repeats
with Student's 95 % interval; the references of 3 and 4 are means over as many independent samples
of XᵀX, and have intervals too. Both are minima over samples, which see too few large eigenvalues:
their steps lie above those of an infinity of tasks, by less the larger the sample, and the learned
ones of GD++ by some per cent.

Source: K. Ahn et al., 2023, arXiv 2306.00297 (preconditioners); A. Mahankali, T. B. Hashimoto and
T. Ma, 2023, arXiv 2307.03576 (one step); J. von Oswald et al., 2023, arXiv 2212.07677 (GD++). The
references of 3 and 4, the sizes and the intervals are [ours].
"""

from __future__ import annotations

from dataclasses import dataclass

from loopcore.studies.frame.blas import one_blas_thread
from loopcore.studies.frame.parts import SILENT, Parts
from loopcore.studies.frame.repeats import Repeats
from loopcore.studies.frame.study import Study
from loopcore.studies.optima.config import QUICK, Config
from loopcore.studies.optima.figure import plot
from loopcore.studies.optima.measure import (
    GdPlusPlus,
    Preconditioner,
    Schedule,
    SingleStep,
    measure_gd_plus_plus,
    measure_preconditioners,
    measure_schedules,
    measure_single_steps,
)
from loopcore.studies.optima.words import findings, sheets

__all__ = ["QUICK", "STUDY", "Config", "Result", "compute", "plot"]


@dataclass(frozen=True, eq=False)
class Result:
    """What was measured, in the order of the configuration.

    Attributes
    ----------
    fits, converged : int
        How many models were trained, and for how many L-BFGS met its tolerance; the others ended
        where its line search found nothing lower.
    """

    config: Config
    single_steps: tuple[SingleStep, ...]
    preconditioners: tuple[Preconditioner, ...]
    schedules: tuple[Schedule, ...]
    gd_plus_plus: tuple[GdPlusPlus, ...]
    fits: int
    converged: int


@one_blas_thread()
def compute(config: Config, parts: Parts = SILENT) -> Result:
    """Train the models, and compare them with the references.

    Parameters
    ----------
    config : Config
        What to measure.
    parts : Parts
        What measures each repeat.

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
    >>> sizes = {"tasks": 500, "held_out": 500, "matrices": 500, "repeats": 3}
    >>> small = Config(((6, 3),), 12, 3, 4.0, (50, 500), 2, 2, **sizes)
    >>> result = compute(small)
    >>> round(float(result.single_steps[0].step.mean), 1)
    1.0
    >>> round(float(result.schedules[0].ratio.mean), 1)  # of the loss with one constant
    0.8
    >>> round(float(result.gd_plus_plus[0].ratio.mean), 1)
    0.3
    """
    repeats = Repeats(config.seed, config.repeats, parts)
    single_steps, steps_fits = measure_single_steps(config, repeats)
    preconditioners, preconditioners_fits = measure_preconditioners(config, repeats)
    schedules, schedules_fits = measure_schedules(config, repeats)
    pluses, pluses_fits = measure_gd_plus_plus(config, repeats)
    return Result(
        config,
        tuple(single_steps),
        tuple(preconditioners),
        tuple(schedules),
        tuple(pluses),
        *(steps_fits + preconditioners_fits + schedules_fits + pluses_fits),
    )


STUDY = Study(
    name="optima",
    title="Trained optima",
    question=(
        "Does training find the optima that are known without it: the best single step, the best "
        "preconditioner, the best steps of T loops, GD++? Gaussian tasks y = ⟨w, x⟩; losses are "
        "those of tasks that were not trained on."
    ),
    caption=(
        "Marks: trained, mean and 95 % interval of the repeats; lines and dashes: known without "
        "training. Steps are in units of 1/(n + d + 1)."
    ),
    sources=("arXiv 2306.00297", "arXiv 2307.03576", "arXiv 2212.07677"),
    full=Config(),
    quick=QUICK,
    compute=compute,
    plot=plot,
    sheets=sheets,
    findings=findings,
)
