"""Quadratic regression with raw features, lifted features and kernel attention (question 6).

Targets are y = ⟨w, φ(x)⟩ of x ~ N(0, I), with the p = (d + 1)(d + 2)/2 orthonormal features φ of
degree two at most and w ~ N(0, I/p), without noise (`loopcore.tasks.Quadratic`). A function of the
raw x can be linear alone; with the lifted φ(x) the loop of the paper has the right model; kernel
attention has features of its own. Measured, on the same tasks:

- loops of gradient descent on x, on x with a 1 beside it, and on φ(x), by `loopcore.trajectory`;
  on φ(x) also with T from five folds of each task's own examples, and T → ∞;
- kernel attention, `loopcore.models.kernel` with softmax, exp, ReLU and the Gaussian kernel: only
  targets move;
- ridge on φ(x), kernel ridge and nearest neighbours.

All are tuned alike: T, the step in units of 1/λ_max of the task's XᵀX or kernel matrix, temperature
or bandwidth, penalty or number of neighbours are those of the least mean error on held-out tasks of
the same setting, and then measured on others. Kernel attention is tuned by the closed form of its
loops in the eigenbasis of the kernel matrix, and some of the tasks that count run through the
Transformer itself.

Errors are means over tasks and queries, over the mean variance of y: of few features (n < p) and
many alike they have closed forms. `config.raw_floor` is what is left to linear functions, and
`config.least_error` what is left to any method, both worked out there [ours]. Medians over tasks
are in the tables. A second set of tasks has the targets of a two-layer ReLU network and of a
Gaussian process, where φ is not the right model.

Sources: arXiv 2410.11268 leaves the question open; X. Cheng, Y. Chen and S. Sra, "Transformers
implement functional gradient descent to learn non-linear functions in context", 2024, arXiv
2312.06528, for kernel attention; S. Garg, D. Tsipras, P. S. Liang and G. Valiant, 2022, arXiv
2208.01066, for the network. Sizes, steps tied to λ_max, and candidates are [ours].
"""

from __future__ import annotations

from loopcore.studies.frame.blas import one_blas_thread
from loopcore.studies.frame.parts import SILENT, Parts
from loopcore.studies.frame.study import Study
from loopcore.studies.nonlinear.config import QUICK, Config
from loopcore.studies.nonlinear.figure import plot
from loopcore.studies.nonlinear.findings import findings
from loopcore.studies.nonlinear.measure import Part, keys, measure_part
from loopcore.studies.nonlinear.result import Cell, Result, Score, summed_up
from loopcore.studies.nonlinear.sheets import sheets

__all__ = ["STUDY", "Cell", "Config", "Result", "Score", "compute", "plot"]


@one_blas_thread()
def compute(config: Config, parts: Parts = SILENT) -> Result:
    """Tune and measure every method in every setting.

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
    >>> sizes = {"linear_rates": (), "other_rates": (), "loops": 256, "held_out": 20}
    >>> result = compute(Config(dims=(2,), rates=(0.5, 4.0), tasks=100, **sizes))
    >>> few, many = result.cells
    >>> few.n, many.n  # p = 6
    (3, 24)
    >>> bool(few.scores["lifted, T → ∞"].error.holds(3 / 5))
    True
    >>> scores = many.scores
    >>> bool(scores["lifted"].error.value < scores["exp"].error.value < 0.1)
    True
    """
    names = keys(config)
    measured = parts("methods", names, Part, lambda key: measure_part(config, key))
    return summed_up(config, names, measured)


STUDY: Study[Config, Result] = Study(
    name="nonlinear",
    title="Quadratic regression",
    question=(
        "How well are quadratic functions learned in context from raw features, where only a "
        "linear function can be found, from lifted features, and by kernel attention, all tuned "
        "alike on held-out tasks?"
    ),
    caption=(
        "Mean squared error over the variance of y, with 95 % bootstrap intervals; p = "
        "(d + 1)(d + 2)/2 lifted features. Top left: against examples; dashed, what linear "
        "functions of x are left with, (d + 1)/(d + 3); dotted, what any method is left with, "
        "(p − n)/(p − 1). Top right: against loops, step and temperature as tuned. Bottom left: "
        "exp attention and lifted features for every d. Bottom right: targets of a ReLU network "
        "and of a Gaussian process. Errors below what is drawn are left out."
    ),
    sources=("arXiv 2410.11268", "arXiv 2312.06528", "arXiv 2208.01066"),
    full=Config(),
    quick=QUICK,
    compute=compute,
    plot=plot,
    sheets=sheets,
    findings=findings,
)
