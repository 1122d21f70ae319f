"""The measurements of the condition study: κ and loops, size by size."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from loopcore import theory
from loopcore.studies.condition import limits
from loopcore.studies.condition.config import Config, examples
from loopcore.studies.condition.draws import condition_numbers, gaussian_spectra, student_spectra
from loopcore.studies.frame.intervals import Interval, quantile
from loopcore.studies.frame.parts import Parts
from loopcore.studies.frame.repeats import CONFIDENCE
from loopcore.studies.frame.slopes import nothing

Array = npt.NDArray[np.float64]
Key = tuple[int, int, int, int, int]  # kind, n, d, the first X, and how many
Size = tuple[int, int, int]  # kind, n, d

QUANTILES = (0.05, 0.5, 0.95)

_PART = 0.5  # of a size's work: parts are of tenths of a second
_LARGEST_PART = 300  # X at a time


class Draws(NamedTuple):
    """Some X of one size."""

    kappa: Array
    """(B,)"""
    loops: Array
    """Fewest loops to each tolerance for θ* ~ N(0, I), (B, E)."""


def tasks_of(config: Config, kind: int, n: int, d: int) -> int:
    """Return how many X of a size are drawn, 0 where it is left out."""
    if kind and n * d > config.largest:
        return 0
    if not kind:
        return int(np.clip(config.gaussian_work / (d * d), config.fewest, config.tasks))
    budget, fewest = config.drawn_work / (n * d * (1 + d / 700)), config.fewest
    budget, fewest = (2 * budget, 2 * fewest) if kind < 4 else (budget / 2, fewest)
    return int(min(max(budget, fewest), config.tasks))


def measure(config: Config, parts: Parts) -> dict[Size, Draws]:
    """Draw all X of all sizes; two r of one n share theirs."""
    sizes = dict.fromkeys(
        (kind, examples(r, d), d)
        for kind in config.kinds
        for d in config.dimensions
        for r in config.ratios
    )
    keys = [key for size in sizes for key in _keys(config, *size)]
    drawn = parts("drawing X", keys, Draws, lambda key: _draw(config, key))
    found: dict[Size, list[Draws]] = {}
    for key, part in zip(keys, drawn, strict=True):
        found.setdefault(key[:3], []).append(part)
    return {
        size: Draws(
            np.concatenate([part.kappa for part in some]),
            np.concatenate([part.loops for part in some]),
        )
        for size, some in found.items()
    }


def _keys(config: Config, kind: int, n: int, d: int) -> Iterable[Key]:
    """Cut a size into parts."""
    B = tasks_of(config, kind, n, d)
    work = n * d * (1 + d / 700) / 1e7 if kind else d * d / 4e7  # about seconds
    step = int(np.clip(_PART / work, 1, _LARGEST_PART))
    for start in range(0, B, step):
        yield kind, n, d, start, min(step, B - start)


def _draw(config: Config, key: Key) -> Draws:
    kind, n, d, _, B = key
    rng = np.random.Generator(np.random.SFC64(np.random.SeedSequence([config.seed, *key[:4]])))
    eigenvalues = student_spectra(rng, B, n, d, kind) if kind else gaussian_spectra(rng, B, n, d)
    # Eigenvectors are not needed: θ* ~ N(0, I) is so on any axes.
    weights = rng.standard_normal((B, d)) ** 2
    loops = [fewest_loops(eigenvalues, weights, t) for t in config.tolerances]
    return Draws(condition_numbers(eigenvalues), np.stack(loops, axis=-1))


def kappa_quantile(kappa: Array, level: float) -> Interval:
    """Return a quantile of κ (B,), with an interval that is open where few X cannot close it.

    No sample is above the 95 % quantile of 38 X with a probability of 14 %: an interval that ends
    at the largest sample holds it too seldom, and ends at infinity instead; at 1 below.

    Examples
    --------
    >>> print(*kappa_quantile(np.arange(1.0, 39.0), 0.95))
    37.0 33.0 inf
    """
    found, tail = quantile(kappa, level), (1 - CONFIDENCE) / 2
    low = found.low if (1 - level) ** len(kappa) <= tail else np.array(1.0)
    high = found.high if level ** len(kappa) <= tail else np.array(np.inf)
    return Interval(found.value, low, high)


def fewest_loops(eigenvalues: Array, weights: Array, tolerance: float) -> Array:
    """Return the fewest loops to a relative error, η = 1/λ_max, (B,).

    Parameters
    ----------
    eigenvalues : ndarray, shape (B, d)
        Rising.
    weights : ndarray, shape (B, d)
        θ_i², in the eigenbasis.
    tolerance : float
        In (0, 1).
    """
    kappa = condition_numbers(eigenvalues)
    eta = 1 / eigenvalues[:, -1]
    lam = np.clip(eigenvalues, eigenvalues[:, -1:] / kappa[:, None], None)

    def error(T: Array) -> Array:
        left = theory.loop_shrinkage(T, lam, eta)
        return np.asarray(theory.relative_error(left, weights))

    few = np.full(len(lam), -1.0)
    many = worst_loops(kappa, tolerance)
    for _ in range(int(np.log2(many.max() + 2)) + 1):
        middle = np.floor((few + many) / 2)
        middle = np.where((few < middle) & (middle < many), middle, many)
        enough = error(middle) <= tolerance
        few, many = np.where(enough, few, middle), np.where(enough, middle, many)
        few = np.minimum(few, many - 1)
    return many


def worst_loops(kappa: npt.ArrayLike, tolerance: float) -> Array:
    """Return the fewest T with (1 − 1/κ)^T ≤ tolerance.

    Examples
    --------
    >>> worst_loops([2.0, 1.0], 0.25).tolist()
    [2.0, 1.0]
    """
    with np.errstate(divide="ignore"):
        loops = np.log(tolerance) / np.log1p(-1 / np.asarray(kappa, np.float64))
    return np.asarray(np.maximum(np.ceil(loops * (1 - 1e-12)), 1))


def bound_loops(kappa: npt.ArrayLike, tolerance: float) -> Array:
    """Return the fewest T with exp(−T/2κ) ≤ tolerance, 2κ ln(1/tolerance).

    Examples
    --------
    >>> bound_loops(50.0, 1e-6)
    array(1382.)
    """
    loops = -2 * np.log(tolerance) * np.asarray(kappa, np.float64)
    return np.asarray(np.ceil(loops * (1 - 1e-12)))


# ---- n/d needed ---------------------------------------------------------------------------------


def ratio_needed(ratios: Array, kappa: Interval, target: float) -> Interval:
    """Return the n/d at which a quantile of κ is a target, between those that were measured.

    The n/d that Marchenko and Pastur's limit would ask for κ is nearly proportional to the real
    one: linear between sizes in both logarithms.

    Parameters
    ----------
    ratios : ndarray, shape (R,)
        n/d, rising.
    kappa : Interval, shape (R,)
        A quantile of κ at each; NaN where nothing was measured.
    target : float
        Above 1.

    Returns
    -------
    Interval, shape ()
        Infinite where no n/d is enough, the first one where that is enough.
    """
    there = np.isfinite(kappa.value)
    x = np.log(ratios[there])

    def at(values: Array) -> Array:
        finite = np.isfinite(values[there])
        reached = np.where(finite, values[there], 4.0)
        # an infinite κ is that of n/d = 1
        ratio = np.where(finite, limits.ratio_for(reached), 1.0)
        seen = np.maximum.accumulate(np.log(ratio))
        wanted = float(np.log(limits.ratio_for(target)))
        return np.asarray(np.exp(np.interp(wanted, seen, x, right=np.inf)))

    return Interval(*map(at, kappa)) if there.any() else nothing()
