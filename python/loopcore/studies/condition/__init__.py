"""κ as d grows: whether it stays constant, and how many examples that takes.

The loop's error falls like (1 − 1/κ)^T, κ = λ_max/λ_min of XᵀX: what d and n do to the loops that a
task needs, they do through κ. Four questions, for X of independent entries, Gaussian and of
Student's t distribution, d up to 1,024 and n = ⌈rd⌉:

1. Does the median κ stay constant with d at fixed r, at the limit of Marchenko and Pastur?
2. Which n/d does a κ of 10, or of 2, take, in half of the tasks and in 95 % of them?
3. Do heavy tails break it? For ν < 4 degrees of freedom, where entries have no fourth moment, the
   limit does not hold: the largest entry drives λ_max, and κ should grow like d^(4/ν − 1).
4. How many loops follow, for relative errors of 1e-3 and 1e-6?

How it is measured: the eigenvalues of Gaussian XᵀX are drawn without an X (`draws`), those of
heavy-tailed X from XᵀX summed over panels of rows. θ* ~ N(0, I), η = 1/λ_max, q(0) = 0 and
y = Xθ*; loops are counted exactly in the eigenbasis (`theory.relative_error`), in exact arithmetic.

How it is aggregated: quantiles of κ and medians of loops over the X of one size, with bootstrap
intervals, which are open where too few X could close them. Growth is the least-squares slope of
log(median κ / limit) by log d; the limit is taken at n/d and not at r, since ⌈rd⌉/d is above r by
much where d is small; at n = d, where there is no limit, the median itself is fitted. n/d needed is
interpolated between the r measured. Sizes, fits and the interpolation are [ours].

Sources: arXiv 2410.11268, for the theorem and for κ = O(1) at n = O(d); V. A. Marchenko and
L. A. Pastur 1967; Z. D. Bai and Y. Q. Yin 1993; those named in `draws` and `limits`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from loopcore import theory
from loopcore.studies.condition import limits
from loopcore.studies.condition.config import QUICK, Config, examples
from loopcore.studies.condition.figure import plot
from loopcore.studies.condition.findings import findings
from loopcore.studies.condition.measure import (
    QUANTILES,
    Draws,
    Size,
    kappa_quantile,
    measure,
    ratio_needed,
)
from loopcore.studies.condition.result import Result
from loopcore.studies.condition.sheets import sheets
from loopcore.studies.frame.blas import one_blas_thread
from loopcore.studies.frame.intervals import Interval, quantile
from loopcore.studies.frame.parts import SILENT, Parts
from loopcore.studies.frame.slopes import median_slope, nothing, put, slope
from loopcore.studies.frame.study import Study

__all__ = ["QUICK", "STUDY", "Config", "Result", "compute", "findings", "plot", "sheets"]

Array = npt.NDArray[np.float64]
Sizes = npt.NDArray[np.int64]


@one_blas_thread()
def compute(config: Config, parts: Parts = SILENT) -> Result:
    """Draw X of all sizes, and sum their κ and loops up.

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
    >>> result = compute(
    ...     Config(dimensions=(8, 32), ratios=(2.0, 8.0), freedoms=(3,), tasks=50, growth_from=8)
    ... )
    >>> gaussian, heavy = result.kappa.value[:, 1, 1, 1]  # medians at r = 8, d = 32
    >>> bool(gaussian < result.limit[1, 1] < heavy)
    True
    """
    drawn = measure(config, parts)
    shape = len(config.kinds), len(config.ratios), len(config.dimensions)
    n = np.array([[examples(r, d) for d in config.dimensions] for r in config.ratios])  # (R, D)
    limit = np.asarray(theory.marchenko_pastur_kappa(n, config.dimensions), np.float64)
    predicted = np.full(shape, np.nan)
    count = np.zeros(shape, np.int64)
    kappa, loops = nothing((*shape, len(QUANTILES))), nothing((*shape, len(config.tolerances)))
    for k, r, j in np.ndindex(shape):
        size = config.kinds[k], int(n[r, j]), config.dimensions[j]
        predicted[k, r, j] = _predicted(*size)
        if size in drawn:
            count[k, r, j] = len(drawn[size].kappa)
            put(loops, (k, r, j), quantile(drawn[size].loops))
            for q, level in enumerate(QUANTILES):
                put(kappa, (k, r, j, q), kappa_quantile(drawn[size].kappa, level))
    growth, predicted_growth, deficit = _growth(config, drawn, n, limit, predicted)
    return Result(
        config=config,
        n=n,
        count=count,
        limit=limit,
        predicted=predicted,
        kappa=kappa,
        loops=loops,
        limit_loops=np.array(
            [[limits.limit_loops(r, t) for t in config.tolerances] for r in config.ratios]
        ),
        growth=growth,
        predicted_growth=predicted_growth,
        deficit=deficit,
        needed=_needed(config, n, kappa),
    )


def _predicted(kind: int, n: int, d: int) -> float:
    return limits.spike_kappa(n, d, kind) if kind else limits.edge_kappa(n, d)


def _growth(
    config: Config, drawn: dict[Size, Draws], n: Sizes, limit: Array, predicted: Array
) -> tuple[Interval, Array, Interval]:
    """Fit the growth of medians and of predictions, (K, R), and the approach to the limit, (R,)."""
    growth, deficit = nothing(predicted.shape[:2]), nothing(predicted.shape[1:2])
    expected = np.full(predicted.shape[:2], np.nan)
    unit = np.where(np.isfinite(limit), limit, 1.0)  # (R, D)
    d = np.array(config.dimensions)
    for k, r in np.ndindex(expected.shape):
        sizes = [(config.kinds[k], int(n[r, j]), int(d[j])) for j in range(len(d))]
        there = [j for j in range(len(d)) if d[j] >= config.growth_from and sizes[j] in drawn]
        samples = [drawn[sizes[j]].kappa for j in there]
        rng = np.random.default_rng([config.seed, k, r])
        put(growth, (k, r), median_slope(d[there], samples, rng, _over(unit[r, there])))
        known = (predicted[k, r] / unit[r])[there]
        if len(there) > 1 and np.isfinite(known).all():
            expected[k, r] = slope(d[there], known)
        if config.kinds[k] == 0 and n[r, -1] > d[-1]:
            put(deficit, (r,), median_slope(d[there], samples, rng, _missing(limit[r, there])))
    return growth, expected, deficit


def _over(limit: Array) -> Callable[[Array], Array]:
    return lambda medians: medians / limit


def _missing(limit: Array) -> Callable[[Array], Array]:
    return lambda medians: 1 - medians / limit


def _needed(config: Config, n: Sizes, kappa: Interval) -> Interval:
    """Find the n/d of each target for the median and the 95 % quantile, (K, D, targets, 2)."""
    shape = len(config.kinds), len(config.dimensions), len(config.targets), 2
    needed = nothing(shape)
    for k, j, t, q in np.ndindex(shape):
        ratios, first = np.unique(n[:, j] / config.dimensions[j], return_index=True)
        column = Interval(*(part[k, first, j, q + 1] for part in kappa))
        put(needed, (k, j, t, q), ratio_needed(ratios, column, config.targets[t]))
    return needed


STUDY = Study(
    name="condition",
    title="The condition number as d grows",
    question=(
        "Does κ of XᵀX stay constant as d grows far beyond 4, and what n/d does it take? X (⌈rd⌉, "
        "d) with independent entries, Gaussian or heavy-tailed (Student's t), beside the limit of "
        "Marchenko and Pastur, and the loops that follow."
    ),
    caption=(
        "Top left: median κ of Gaussian X as a part of its limit at d → ∞, by n/d; dashed, what "
        "the medians of the extreme eigenvalues' limit laws give. Top right: median κ for three "
        "distributions at two r; dashed, Marchenko and Pastur; dotted, the largest entry as a "
        "spike, without a fit. Bottom left: loops to the last tolerance, Gaussian X and random "
        "θ*; dashed, the theorem's bound at κ's limit; dotted, the limit for random θ*. Bottom "
        "right: n/d that a κ takes in half of the tasks; dashed, Marchenko and Pastur. Bars: 95 % "
        "bootstrap intervals."
    ),
    sources=(
        "arXiv 2410.11268",
        "Marchenko and Pastur 1967",
        "Bai and Yin 1993",
        "arXiv math-ph/0206043",
        "arXiv 0710.3132",
        "arXiv 1410.6263",
        "arXiv 1103.2221",
    ),
    full=Config(),
    quick=QUICK,
    compute=compute,
    plot=plot,
    sheets=sheets,
    findings=findings,
)
