"""Noise: the best number of loops against the signal-to-noise ratio, beside ridge (question 4).

Tasks are y = Xθ* + σz with Gaussian X (n, d), θ* uniform on the unit sphere and z Gaussian, so that
SNR = Var(xθ*)/σ² = 1/σ². The step is η = 1/λ_max(XᵀX) of each task. What counts is the excess risk
‖v(T) − θ*‖² = E(xᵀv(T) − xᵀθ*)² at x ~ N(0, I), in units of Var(xθ*): zero loops have 1.

Measured for every task, with the loops themselves (`loopcore.trajectory`):

- T → ∞, least squares of least norm;
- the oracle T: one for all tasks of a shape and an SNR, chosen by the closed form of the risk
  (`loopcore.theory.excess_risk`) without a look at the task;
- T in hindsight: the best candidate for the task's own error, below which no rule of choice comes;
- the cross-validated T, by five folds of the task's examples, part k having the examples k, k + 5,
  …; each fold's loops have the step of its own examples, as `loopcore.baselines.early_stopping`
  has it;
- ridge, min ‖Xθ − y‖² + μ‖θ‖², with Bayes' penalty μ = σ²d, which no other linear shrinkage beats
  on average over θ*; with that of cross-validation, over as many candidates, on the same folds;
  and in hindsight.

Candidates T are 0, 1, 2, 3, 4, 6, 8, 12, … and T → ∞; penalties are μ = λ/T of the same T, λ where
λ_max tends (Marchenko and Pastur). All SNR of a task have the same X, θ* and z.

Given X, the closed forms are means over θ* and the noise, at eight T an octave. They give the T
that is best for that X, what it and T = SNR λ_max/d (where ηT = 1/(σ²d)) cost beside ridge, and the
same for gradient flow, η → 0. Ali, Kolter and Tibshirani 2019 prove for the flow that stopped at
its best it has at most 1.22 times the risk of the best ridge, and at t = 1/μ at most 1.69 times
that of ridge at any μ. Whole loops with η = 1/λ_max are not covered by either.

Aggregated as medians and quantiles over tasks, or as ratios of means where tails are light;
intervals are bootstrap intervals over tasks. [ours]: unit θ*, candidates, folds, shapes and SNR.

Sources: arXiv 2410.11268; Y. Yao, L. Rosasco and A. Caponnetto, "On early stopping in gradient
descent learning", 2007; A. Ali, J. Z. Kolter and R. J. Tibshirani, "A continuous-time view of early
stopping for least squares", 2019, arXiv 1810.10082.
"""

from __future__ import annotations

from loopcore.studies.frame.blas import one_blas_thread
from loopcore.studies.frame.parts import SILENT, Parts
from loopcore.studies.frame.study import Study
from loopcore.studies.noise.config import QUICK, Config
from loopcore.studies.noise.figure import plot
from loopcore.studies.noise.findings import findings
from loopcore.studies.noise.measure import Part, keys, measure_part
from loopcore.studies.noise.result import Result
from loopcore.studies.noise.sheets import sheets
from loopcore.studies.noise.summary import Cell, summed_up

__all__ = ["STUDY", "Cell", "Config", "Result", "compute", "plot"]


@one_blas_thread()
def compute(config: Config, parts: Parts = SILENT) -> Result:
    """Measure errors of stopped loops and of ridge.

    Parameters
    ----------
    config : Config
        What to measure.
    parts : Parts
        Measures the parts of the study.

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
    >>> result = compute(Config(((20, 10),), (1.0, 10.0, 100.0), loops=256, tasks=200))
    >>> (cell,) = result.cells
    >>> cell.oracle.tolist()
    [3.0, 24.0, 96.0]
    >>> bool((cell.over_ridge.value[:, 1] < 1.22).all())  # the oracle T
    True
    """
    measured: dict[tuple[int, int], list[Part]] = {shape: [] for shape in config.shapes}
    names = keys(config)
    found = parts("stopping", names, Part, lambda key: measure_part(config, key))
    for (n, d, _), part in zip(names, found, strict=True):
        measured[n, d].append(part)
    return Result(config, tuple(summed_up(config, n, d, p) for (n, d), p in measured.items()))


STUDY: Study[Config, Result] = Study(
    name="noise",
    title="Noise and early stopping",
    question=(
        "How large is the error against the signal-to-noise ratio and the number of loops, how "
        "many loops are best, and what does stopping there leave beside ridge that is tuned the "
        "same way? Gaussian tasks y = Xθ* + noise with ‖θ*‖ = 1 and η = 1/λ_max."
    ),
    caption=(
        "Excess risk in units of Var(xθ*), SNR = Var(xθ*)/σ². Top left: mean risk against loops, "
        "marks measured with the loops, lines the closed form, both at n = d or what is closest. "
        "Top right: median risk against SNR at the same shape; cross-validation picks T or the "
        "penalty by five folds of the examples. Bottom left: mean risk of the best T for all tasks "
        "over that of ridge with Bayes' penalty, with 95 % bootstrap intervals; 1.22 bounds this "
        "ratio for gradient flow. Bottom right: the median over X of the best T; dashed, where "
        "ηT = 1/(σ²d). The case without noise is in the tables alone."
    ),
    sources=("arXiv 2410.11268", "arXiv 1810.10082", "Yao, Rosasco and Caponnetto 2007"),
    full=Config(),
    quick=QUICK,
    compute=compute,
    plot=plot,
    sheets=sheets,
    findings=findings,
)
