"""Which attention should be looped? Linear, softmax, ReLU and exp on the same tasks.

Open question 1 of the project: how do non-linear looped attention and linear attention compare?
Asked twice, because with the query row moving (generation) and with the y slots moving (prediction)
the loop minimises different things.

**Generation.** q ← q − γ τ Σ_i w_i x_i with w = h(s/τ) and the scores s = Xq + αy is gradient
descent on a convex function of the scores [ours, but for linear]::

    linear    Σ s²/2            ReLU    Σ max(s, 0)²/2
    softmax   τ² log Σ e^{s/τ}  exp     τ² Σ e^{s/τ}         (over n, but for softmax)

Without noise s = Xw with w = q + αθ*, and w = 0 is the answer. What each minimiser says:

- linear: w = 0 where n ≥ d.
- softmax and exp have the same one, for the logarithm rises: Σ p_i x_i = 0 with p = softmax(Xw/τ).
  It is τ times a vector that X alone decides, −Cov(x)⁻¹ x̄ to first order, so that a floor of
  ‖w‖ ≈ τ √(d/n) is left. It exists only where 0 lies inside the convex hull of the rows, of which
  Wendel's theorem gives the probability: 1/2 at n = 2d, where linear attention needs n = d.
- ReLU: w = 0 under the same condition, otherwise the loop stops where it meets the cone Xw ≤ 0. On
  its way only the rows with a positive score count: half the curvature of half the rows.
- The floor could be taken away with τ → 0 if loops cost nothing: one of softmax moves q by at most
  γ τ max‖x‖, and stability near the minimiser keeps γ ≲ 2/λ_max(Cov). The way αθ* then needs
  τ ≳ 1/T: the error falls as 1/T, not as e^{−cT}. A step of exp must be small enough for its first
  loop, where weights are e^{s/τ}; then γ ∝ e^{−m/τ}, T ∝ e^{m/τ}, and the error falls as 1/log T.
  Both are arguments about orders, not theorems.
- A second head with scores and values negated makes F even, h(s/τ) − h(−s/τ): then w = 0 is the
  minimiser of softmax ± and exp ± for every τ and every X of full rank. That of ReLU is linear.
- With noise the minimisers are M-estimators: for n ≫ d their errors are A σ √(d/n) with A² = 1 for
  linear, 2 for ReLU, (τ/σ)² e^{σ²/τ²} ≥ e for softmax and exp.

**Prediction.** The residuals r = y − f at the examples go as r ← (I − γK) r, functional gradient
descent in the kernel k(x, x') = τ h(⟨x, x'⟩/τ), and what remains at a query is decided by K:

- linear: least squares in the end.
- exp: K is positive definite; the loop interpolates.
- softmax: K = τ D⁻¹E, similar to a positive definite matrix, with eigenvalues in (0, τ] for every
  X: any γ < 2/τ is stable. It tends to e(x, X) E⁻¹ D y / Z(x), what exp would interpolate of y Z,
  divided by Z, the sum of a row.
- ReLU: max(s, 0) = (s + |s|)/2, and |s| is no positive definite kernel: on the sphere in three
  dimensions |u| = 1/2 + 5/8 P₂(u) − 3/16 P₄(u) + … in Legendre polynomials. Where K has a negative
  eigenvalue, which takes a few rows, some residual grows for every step, and only early stopping
  helps. With a second head it is linear.

How it is measured. All kinds get the same gain on small scores: scores are divided and values
multiplied by τ [ours]. The rest of the value scale and the step are one number, γ = η c, as only
their product is in a loop. For each T, each kind and each problem the pair (τ, γ) is the one of the
least upper quartile over tasks that are not measured on (of ‖v − αθ*‖ / (|α| ‖θ*‖), or of the
squared error at queries over Var y), so that no more than a quarter of the tasks may diverge, of
equally many candidates: linear and ReLU, to which τ is nothing, try finer steps. No kind, linear
neither, adapts its step to the prompt as 1/λ_max does. Then medians over new tasks, with bootstrap
intervals; limits of infinitely many loops come from Newton's method and from eigenvectors, of the
same tasks. x ~ N(0, I), ‖θ*‖ = 1, α = 1.

Sources: arXiv 2410.11268 (the loop and generation); X. Cheng, Y. Chen and S. Sra, 2023, arXiv
2312.06528 (prediction with kernels); J. G. Wendel, 1962; P. J. Huber, 1973. Minimisers, floors,
problems and candidates are [ours].
"""

from __future__ import annotations

from loopcore.studies.attention.config import QUICK, Config, Problem
from loopcore.studies.attention.figure import plot
from loopcore.studies.attention.findings import findings
from loopcore.studies.attention.measure import generation, hulls, prediction
from loopcore.studies.attention.result import Result
from loopcore.studies.attention.sheets import sheets
from loopcore.studies.frame.blas import one_blas_thread
from loopcore.studies.frame.parts import SILENT, Parts
from loopcore.studies.frame.study import Study

__all__ = ["QUICK", "STUDY", "Config", "Problem", "Result", "compute", "findings", "plot", "sheets"]


@one_blas_thread()
def compute(config: Config, parts: Parts = SILENT) -> Result:
    """Tune every kind of attention on every problem, and measure it on other tasks.

    Parameters
    ----------
    config : Config
        What to measure.
    parts : Parts
        Measures part by part. The parts that measure use what those that tune have found, which
        the configuration decides.

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
    >>> few = Problem(20, 3)
    >>> sizes = {"tuning": 20, "tasks": 40, "queries": 4}
    >>> grids = {"temperatures": (0.1, 1.0), "kernel_temperatures": (1.0,), "steps": (0.25, 0.5, 1)}
    >>> loops = {"loops": (1, 8, 64), "kernel_loops": (1, 8, 64)}
    >>> result = compute(Config((few,), (few,), **loops, **grids, **sizes))
    >>> distance = {part.kind: part.distance.value[-1] for part in result.generated}
    >>> bool(distance["linear"] < distance["softmax"] / 1000 < distance["exp"] / 1000)
    True
    """
    return Result(
        config, generation(config, parts), prediction(config, parts), hulls(config, parts)
    )


STUDY = Study(
    name="attention",
    title="Linear and non-linear looped attention",
    question=(
        "How do looped softmax, ReLU and exp attention compare with linear attention on the same "
        "tasks, each with its step, temperature and value scale tuned on other tasks? Asked for "
        "generation, where the query row moves, and for prediction, where the y slots move."
    ),
    caption=(
        "Medians over tasks with 95 % bootstrap intervals, every kind tuned for every T. Above: "
        "generation without and with noise; dashed, the medians at the minimisers of softmax and "
        "exp at the temperatures they were tuned to, and with noise what M-estimation predicts for "
        "many examples. Below: prediction of linear and of non-linear targets; the dashes at the "
        "right are infinitely many loops at the last temperature, where they end within the axes."
    ),
    sources=(
        "arXiv 2410.11268",
        "arXiv 2312.06528",
        "J. G. Wendel, A Problem in Geometric Probability, 1962",
        "P. J. Huber, Robust Regression: Asymptotics, Conjectures and Monte Carlo, 1973",
    ),
    full=Config(),
    quick=QUICK,
    compute=compute,
    plot=plot,
    sheets=sheets,
    findings=findings,
)
