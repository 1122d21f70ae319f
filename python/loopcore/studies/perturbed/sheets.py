"""The tables of the study of perturbed weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from loopcore.studies.frame.intervals import number
from loopcore.studies.frame.study import Sheet
from loopcore.studies.perturbed import algebra, learned, masks

if TYPE_CHECKING:
    from loopcore.studies.perturbed import Result


Array = npt.NDArray[np.float64]


def sheets(result: Result) -> tuple[Sheet, ...]:
    """Lay the numbers out: noise, failures, masks, trainings."""
    return (_noise(result), _failures(result), _masks(result), _learned(result))


def _noise(result: Result) -> Sheet:
    config, w = result.config, result.weights
    c, hard = int(np.argmin(w.kappa)), int(np.argmax(w.kappa))
    names = [cell.name(config.d) for cell in config.cells]
    rows = []
    for s, sigma in enumerate(config.sigmas):
        plateau = float(w.error.value[c, s, -1])
        rows.append(
            (
                number(sigma, 2),
                number(plateau),
                number(plateau / (algebra.MEDIAN_FLOOR * sigma)),
                *(percent(w.diverges.value[i, s, 0]) for i in (c, hard)),
                *(percent(w.diverges.value[i, s, 1]) for i in (c, hard)),
                *(percent(part) for part in w.sigma_right.value[s]),
            )
        )
    return Sheet(
        f"Noise: median error after {config.longest:,} loops ({names[c]}), diverging and rules in "
        f"%, cells {names[c]} (a) and {names[hard]} (b)",
        ("σ", "error", "/1.65σ", "div. a", "div. b", "opt. a", "opt. b", "rule 1", "rule 2"),
        tuple(rows),
    )


def _failures(result: Result) -> Sheet:
    config, w = result.config, result.weights
    rows = []
    for s, sigma in enumerate(config.sigmas):
        entries = []
        for c in range(len(config.cells)):
            cause = w.cause.value[c, s]
            fails = 1 - float(cause[0])
            slow = f"{100 * float(cause[1]) / fails:.0f}" if fails > 1e-9 else "–"
            entries.append(f"{100 * fails:.0f} ({slow})")
        rows.append((number(sigma, 2), *entries))
    return Sheet(
        f"Error above {number(config.epsilon)} after {config.loops} loops, % of all, and (of "
        "these) % due to κ alone",
        ("σ", *(cell.name(config.d) for cell in config.cells)),
        tuple(rows),
    )


def _masks(result: Result) -> Sheet:
    config, m = result.config, result.masks
    once = config.at.index(config.loops)
    rows = []
    for i, n in enumerate(config.mask_n):
        for k, name in enumerate(masks.NAMES):
            rows.append(
                (
                    f"{n / config.d:g}",
                    name,
                    number(float(m.error.value[i, k, once])),
                    number(float(m.best.value[i, k])),
                    f"{m.best_loops[i, k]:,}",
                    number(float(m.fixed.value[i, k, -1])),
                    number(float(m.shrunk[i, k]), 2),
                )
            )
    return Sheet(
        f"Masks: median error at steps tuned for {config.loops} loops, for the best number of "
        f"loops, and at the former after {config.longest:,}",
        ("n/d", "mask", f"T = {config.loops}", "best", "at", "looped on", "‖X‖/‖X₀‖"),
        tuple(rows),
    )


def _learned(result: Result) -> Sheet:
    config, t = result.config, result.learned
    rows = []
    for i, T in enumerate(config.trained_loops):
        for s, sigma in enumerate(learned.starts(config)):
            fails = t.fails.at(i, s)
            rows.append(
                (
                    str(T),
                    start_name(sigma),
                    str(t.count[s]),
                    f"{percent(fails.value)} ({percent(fails.low)} to {percent(fails.high)})",
                    percent(t.stuck.value[i, s]),
                    number_or_dash(t.good_loss.value[i, s], 2),
                    number_or_dash(t.good_median.value[i, s, 1], 2),
                    percent(t.further.value[i, s]),
                    percent(t.good_worse.value[i, s, -1]),
                )
            )
    return Sheet(
        "Trainings, failed and stuck in %; of the good ones loss over the ideal weights' at T "
        "(mean) and 2T (median), % lower still after 2T, and % of tasks with more error than the "
        f"answer 0 after {learned.MULTIPLES[-1]}T",
        ("T", "start", "count", "failed", "stuck", "T", "2T", "lower", "lost"),
        tuple(rows),
    )


def start_name(sigma: float) -> str:
    """Name what a training starts from."""
    return f"ideal, σ = {number(sigma, 2)}" if sigma else "random"


def percent(share: float | Array) -> str:
    """Write a share in per cent, a dash for NaN."""
    return f"{100 * float(share):.3g}" if np.isfinite(share) else "–"


def number_or_dash(value: float, digits: int = 3) -> str:
    """Write a number, a dash for NaN, and ∞."""
    if np.isnan(value):
        return "–"
    return "∞" if np.isinf(value) else number(float(value), digits)
