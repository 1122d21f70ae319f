"""Ill-conditioned X: the measured rate, and the floors of float32 and float64.

The theorem says error ≤ exp(−T/2κ), the eigenbasis says error ≤ (1 − 1/κ)^T. Four questions, for κ
from 1 to 1e12, spectra that are log-uniform or have two points, θ* random or an eigenvector to
λ_min (the worst case), X (32, 16):

1. How fast does the error fall in the end, in units of 1/κ? The theorem promises 1/2, the worst
   case is −κ ln(1 − 1/κ), 1 for large κ.
2. And before? With a log-uniform spectrum and random θ*, eigenvalues die out one after the other,
   and the mean error is known (`limits.expected_error`): it falls with log T, not exponentially.
3. Where do rounding errors end the fall, in which type and on which path, and how does that floor
   grow with κ?
4. How much of the floor is in the data (y = Xθ* as the type holds it), how much in the loops, and
   does that stay within the promise of `loopcore.error_bound`?

How it is measured: κ = 1e12 takes 1e13 loops, which squaring the loop's affine map makes of 44
products (``path="power"``); after that many it returns the limit by Cholesky's factors. The other
paths loop, and their floors are measured after 48 κ loops up to the κ that can be paid for; beside
them a literal loop on X all in float32, as a framework has it (loopcore itself computes float32
tasks in float64, and rounds the result). Errors are relative, |⟨v, θ*⟩ − ‖θ*‖²| / ‖θ*‖², with
α = 1 and the θ* that y was made from in float64. Exact arithmetic on the data as held is known in
the eigenbasis, δ = y − Xθ* from extended precision; the promise 30 u S_T has a closed form there.

How it is aggregated: medians over tasks with bootstrap intervals; the mean error where theory gives
a mean. The late rate is a least-squares slope for each task over 2κ ≤ T ≤ 8κ, of errors above 10
times the task's floor. Floors' powers of κ are least-squares slopes of log median by log κ.
Spectra, windows and sizes are [ours].

Sources: arXiv 2410.11268 for the theorem; N. J. Higham 2002, "Accuracy and Stability of Numerical
Algorithms", chapters 17 and 20, for the errors of stationary iterations and of normal equations.
"""

from __future__ import annotations

import numpy as np

from loopcore.studies.frame.blas import one_blas_thread
from loopcore.studies.frame.intervals import Interval, quantile
from loopcore.studies.frame.parts import SILENT, Parts
from loopcore.studies.frame.slopes import median_slope, nothing, put
from loopcore.studies.frame.study import Study
from loopcore.studies.illconditioned.config import DIRECTIONS, KINDS, QUICK, TYPES, Config
from loopcore.studies.illconditioned.figure import plot
from loopcore.studies.illconditioned.findings import findings
from loopcore.studies.illconditioned.limits import expected_error
from loopcore.studies.illconditioned.measure import (
    QUANTILES,
    Curves,
    Floor,
    Key,
    LoopedKey,
    curve_keys,
    looped_keys,
    measure_curves,
    measure_looped,
    times,
)
from loopcore.studies.illconditioned.result import Array, Result
from loopcore.studies.illconditioned.sheets import sheets

__all__ = ["QUICK", "STUDY", "Config", "Result", "compute", "findings", "plot", "sheets"]

_FEWEST = 6  # samples of a median with an interval


@one_blas_thread()
def compute(config: Config, parts: Parts = SILENT) -> Result:
    """Measure curves and floors.

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
    ...     Config(kappas=(100.0, 1e10), tasks=6, times=20, stream_kappa=0, gram_kappa=100,
    ...            tridiagonal_kappa=0, literal_kappa=0)
    ... )
    >>> result.rate.value[0, 1, :, 0].round(2)  # log-uniform, worst θ*, float64
    array([1.01, 1.  ])
    """
    keys, loop_keys = curve_keys(config), looped_keys(config)
    drawn = parts("curves", keys, Curves, lambda key: measure_curves(config, key))
    ended = parts("floors", loop_keys, Floor, lambda key: measure_looped(config, key))
    curves = dict(zip(keys, drawn, strict=True))
    looped = dict(zip(loop_keys, ended, strict=True))
    shape = len(KINDS), len(DIRECTIONS), len(config.kappas)
    T = np.stack([times(config, kappa) for kappa in config.kappas])  # (C, K)
    route_floor, power = _routes(config, curves, looped)
    broken = np.stack([one.broken for one in curves.values()]).sum(axis=0)
    return Result(
        config=config,
        times=T,
        error=np.stack([one.error for one in curves.values()]).reshape(
            *shape, len(TYPES), len(QUANTILES), -1
        ),
        mean=Interval(
            *(
                np.stack([one.mean[end] for one in curves.values()]).reshape(*shape, -1)
                for end in range(3)
            )
        ),
        expected=np.stack(
            [expected_error(t, kappa, config.d) for t, kappa in zip(T, config.kappas, strict=True)]
        ),
        **{name: _medians(curves, shape, name) for name in _SUMMED},
        loops_power=_loops_power(config, curves),
        route_floor=route_floor,
        power=power,
        checked=np.full(len(TYPES), len(keys) * config.tasks * T.shape[1]),
        broken=broken,
        clear=np.stack([one.clear for one in curves.values()]).sum(axis=0),
        above=np.stack([one.above for one in curves.values()]).sum(axis=0),
    )


_SUMMED = ("rate", "loops", "lowest", "floor", "data", "arithmetic", "promise")


def _medians(curves: dict[Key, Curves], shape: tuple[int, int, int], name: str) -> Interval:
    """Return medians over tasks of a field, (2, 2, C, TYPES or L)."""
    columns = []
    for one in curves.values():
        field = getattr(one, name)
        rows = field if name == "loops" else field.T  # (B, ...)
        columns.append([_median(row) for row in rows.T])
    return Interval(
        *(
            np.array([[float(cell[end]) for cell in column] for column in columns]).reshape(
                *shape, -1
            )
            for end in range(3)
        )
    )


def _median(samples: Array) -> Interval:
    """Return the median of what is there, NaN where that is less than half."""
    there = samples[~np.isnan(samples)]
    return quantile(there) if len(there) >= max(_FEWEST, len(samples) / 2) else nothing()


def _loops_power(config: Config, curves: dict[Key, Curves]) -> Interval:
    """Return the powers of κ of the loops to each level, (2, 2, L)."""
    found = nothing((len(KINDS), len(DIRECTIONS), len(config.levels)))
    sizes = [kappa for kappa in config.kappas if kappa >= config.powers_from]
    for a, b, level in np.ndindex(found.value.shape):
        samples = [curves[(KINDS[a], DIRECTIONS[b], kappa)].loops[:, level] for kappa in sizes]
        rng = np.random.default_rng([config.seed, a, b, level])
        if all(np.isfinite(one).all() for one in samples):
            put(found, (a, b, level), median_slope(sizes, samples, rng))
    return found


def _routes(
    config: Config,
    curves: dict[Key, Curves],
    looped: dict[LoopedKey, Floor],
) -> tuple[Interval, Interval]:
    """Return the median floors of all routes, (F, 2, 2, C), and their powers of κ, (F, 2, 2)."""
    shape = len(config.routes), len(KINDS), len(DIRECTIONS), len(config.kappas)
    floors, powers = nothing(shape), nothing(shape[:3])
    for f, a, b in np.ndindex(*shape[:3]):
        (kind, path), samples, sizes = config.routes[f], [], []
        for c, kappa in enumerate(config.kappas):
            key = KINDS[a], DIRECTIONS[b], kappa
            if path == "power":
                found = curves[key].floor[TYPES.index(kind)]
            elif (kind, path, key) in looped:
                found = looped[(kind, path, key)].floor
            else:
                continue
            put(floors, (f, a, b, c), quantile(found))
            if kappa >= config.powers_from:
                samples.append(found)
                sizes.append(kappa)
        rng = np.random.default_rng([config.seed, f, a, b])
        put(powers, (f, a, b), median_slope(sizes, samples, rng))
    return floors, powers


STUDY = Study(
    name="illconditioned",
    title="Ill-conditioned X: rates and floors",
    question=(
        "How does the measured error compare with exp(−T/2κ) and (1 − 1/κ)^T for κ from 1 to 1e12, "
        "and where do the floors of float32 and float64 lie? Log-uniform and two-point spectra, θ* "
        "random and worst-case."
    ),
    caption=(
        "Top left: median error by T/κ, two-point spectrum, worst θ*, float64 (filled) and float32 "
        "(hollow); dashed, the theorem's bound; dotted, (1 − 1/κ)^T. Top right: mean error by "
        "log T / log κ, log-uniform spectrum, random θ*, with the mean by theory (dashed) and "
        "1 − log T / log κ (solid). Bottom left: κ times the late rate; dashed, the theorem's 1/2; "
        "dotted, (1 − 1/κ)^T. Bottom right: median floors, two-point spectrum, random θ*; dashed "
        "and dotted, κu for float64 and float32. Bars: 95 % bootstrap intervals."
    ),
    sources=("arXiv 2410.11268", "Higham 2002, Accuracy and Stability of Numerical Algorithms"),
    full=Config(),
    quick=QUICK,
    compute=compute,
    plot=plot,
    sheets=sheets,
    findings=findings,
)
