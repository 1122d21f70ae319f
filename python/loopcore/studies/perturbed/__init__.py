"""Perturbed: noise on the ideal weights, other masks, and learned weights.

The paper's looped Transformer has weights P = diag(1, …, 1, 0), Q = I and a mask under which only
the query row moves. It fails to reach an error ε within T loops if κ makes it slow, or if something
is wrong that no number of loops mends: the paper calls it wrong initialisation. We take that in two
ways [ours]: weights P, Q other than the ideal ones, and a start q(0) ≠ 0. Four questions, at α = 1
and for y = Xθ*, ‖θ*‖ = 1 (every error is relative to |α|, and where only the query moves and does
not see itself, it is the same for every α):

1. P + σE_P, Q + σE_Q with standard Gaussian E, one draw a model, many models of many tasks: where
   is there a floor, where does the loop diverge, and where is it only slow, as
   `loopcore.theory.relative_error` of the task's spectrum says? `algebra` has the closed forms of
   limit and rates, for any weights; the loops themselves are `loopcore.LoopedTransformer`'s. Which
   share of "error > ε after T loops" is due to κ, and which to the weights? Two rules that see only
   the errors after T and 2T loops and the spectrum are judged against the closed forms. `drift`
   is what becomes of the floor where y is noisy.
2. The ideal weights from q(0) ≠ 0.
3. The ideal weights with other masks: what else is seen or moves. The step is tuned for each mask
   and number of loops on tasks of their own; all masks have the same tasks.
4. P and Q trained by `loopcore.fit`, from noisy ideal weights and from random ones: how often does
   that fail, and does what was learned go on improving beyond the loops it was trained with?

Medians, because errors of diverging loops have no mean. Noisy models are resampled with all of
their tasks, which share a model and are not independent; medians are then over models of the median
over a model's tasks. Inputs are Gaussian, N(0, I), or have a geometric row of eigenvalues.

Source: arXiv 2410.11268 (weights, theorem); training as K. Gatmiry et al., 2024, arXiv 2410.08292.
Noise, closed forms, rules, classes of failure and masks are [ours].
"""

from __future__ import annotations

from dataclasses import dataclass

from loopcore.studies.frame.blas import one_blas_thread
from loopcore.studies.frame.parts import SILENT, Parts
from loopcore.studies.frame.study import Study
from loopcore.studies.perturbed import drift, learned, masks, starts, weights
from loopcore.studies.perturbed.config import QUICK, Config
from loopcore.studies.perturbed.figure import CAPTION, plot
from loopcore.studies.perturbed.findings import findings
from loopcore.studies.perturbed.sheets import sheets

__all__ = ["STUDY", "Config", "Result", "compute"]


@dataclass(frozen=True, eq=False)
class Result:
    """What was measured, in the order of the configuration."""

    config: Config
    weights: weights.Weights
    drift: drift.Drift
    starts: starts.Starts
    masks: masks.Masks
    learned: learned.Learned


@one_blas_thread()
def compute(config: Config, parts: Parts = SILENT) -> Result:
    """Measure noise, without and with noisy y, starts, masks and trainings.

    Parameters
    ----------
    config : Config
        What to measure.
    parts : Parts
        Measures the parts.

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
    >>> few = {"models": 20, "tasks": 4, "start_tasks": 20, "mask_tasks": 20, "held_out": 50}
    >>> trained = {"trained_loops": (1,), "near": 1, "random": 2, "trained_tasks": 50}
    >>> small = Config(3, (), (10.0,), 6, (1e-4, 1e-3), mask_n=(6,), **few, **trained)
    >>> result = compute(small)
    >>> print(result.weights.exponent.value.round(1), bool(result.weights.gap < 1e-12))
    [1.] True
    >>> print(result.masks.error.value[0, :, -1].round(1))  # the paper's mask first
    [0.  0.3 0.3 0.5 0.7]
    """
    return Result(
        config,
        weights.compute(config, parts),
        drift.compute(config, parts),
        starts.compute(config, parts),
        masks.compute(config, parts),
        learned.compute(config, parts),
    )


STUDY: Study[Config, Result] = Study(
    name="perturbed",
    title="Perturbed weights, other masks and learned weights",
    question=(
        "Is a looped Transformer that misses its error slow, because κ is large, or wrong, "
        "because its weights, its start or its mask are not the ideal ones? Noise of standard "
        "deviation σ on P and Q, starts q(0) ≠ 0, five masks, and P and Q trained from noisy and "
        "from random weights."
    ),
    caption=CAPTION,
    sources=("arXiv 2410.11268", "arXiv 2410.08292", "arXiv 2212.07677"),
    full=Config(),
    quick=QUICK,
    compute=compute,
    plot=plot,
    sheets=sheets,
    findings=findings,
)
