"""The one table: what the papers give, beside what we measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from loopcore.studies.frame.repeats import Estimate, estimate
from loopcore.studies.literature import ahn, closed, fu, oswald
from loopcore.studies.literature.summary import as_estimate, extrapolated, growth

if TYPE_CHECKING:
    from loopcore.studies.literature.result import Result

Array = npt.NDArray[np.float64]
Range = tuple[float, float, float]

# Printed in the authors' notebooks, github.com/chengxiang/LinearTransformer, L = 3, Σ rotated.
PRINTED_FRESH = np.array(
    [
        *(6.725, 6.128, 7.443, 7.748, 7.162, 7.249, 7.260, 8.294, 6.222, 6.591),
        *(6.162, 7.275, 6.578, 8.915, 6.558, 7.574, 7.629, 10.091, 7.357, 6.578),
    ]
)
"""Adam, both trainings, iterations 99,000 to 99,900: each on 20,000 fresh prompts, in 1e−4."""
PRINTED_OWN = np.array([6.2415, 5.2682, 6.0871])
"""L-BFGS, three seeds: each on the 20,000 prompts that it was trained on, in 1e−4."""


@dataclass(frozen=True)
class Row:
    """One published result and ours.

    Attributes
    ----------
    paper : str
        "ours" for what no paper states.
    setting, quantity : str
        Of both numbers.
    source : "formula", "printed", "text" or "figure"
        Where theirs is from: a formula, theirs or derived here; numbers printed in the authors'
        notebooks or documents; a statement of theirs without a number; or a figure alone.
    theirs : float
        NaN where there is no number.
    low, high : float
        The range of theirs: a point for a closed form; the 95 % interval or the range of what was
        printed. A claim has the range that it claims.
    ours, ours_low, ours_high : float
        With the 95 % interval.
    agrees : str
        "yes" where the ranges meet, "to 1 %", or "no"; a claim holds "in kind", or "no". "open"
        where our interval is too wide to tell: partly outside of what is claimed, or wider than
        ± 25 % and partly outside of the range of theirs.
    """

    paper: str
    setting: str
    quantity: str
    source: str
    theirs: float
    low: float
    high: float
    ours: float
    ours_low: float
    ours_high: float
    agrees: str


class Entry(NamedTuple):
    """A row before it is judged."""

    paper: str
    setting: str
    quantity: str
    source: str
    theirs: Range
    """A number and its range; NaN and a range for a claim."""
    ours: Estimate


def compare(entry: Entry) -> Row:
    """Judge an entry."""
    ours, (number, least, most) = entry.ours, entry.theirs
    value = float(ours.mean)
    low, high = value - float(ours.half_width), value + float(ours.half_width)
    if np.isnan(number):
        inside, outside = least <= low and high <= most, high < least or low > most
        agrees = "in kind" if inside else "no" if outside else "open"
    elif low <= most and high >= least:
        within = least <= low and high <= most
        agrees = "yes" if within or high - value <= _WIDEST * value else "open"
    else:
        agrees = "to 1 %" if abs(value / number - 1) < 0.01 else "no"
    if not np.isfinite(value):
        agrees = "open"
    return Row(*entry[:4], number, least, most, value, low, high, agrees)


def rows(result: Result) -> tuple[Row, ...]:
    """Lay out all results; those of `result` are not read."""
    return tuple(compare(entry) for entry in (*_ahn(result), *_oswald(result), *_others(result)))


def _ahn(result: Result) -> list[Entry]:
    layers = result.layers
    n, d = ahn.N_AHN, ahn.D_AHN
    flat, turned = (closed.one_step(n, np.array(D)) for D in (np.ones(d), ahn.SPECTRUM))
    identity = "n = 20, d = 5, x ~ N(0, I), w ~ N(0, I)"
    rotated = "n = 20, d = 5, x ~ N(0, Σ), w ~ N(0, Σ⁻¹), Σ rotated"

    def entry(setting: str, quantity: str, source: str, theirs: Range, ours: Array) -> Entry:
        return Entry("Ahn", setting, quantity, source, theirs, estimate(ours))

    two, three, four = 1, 2, 3  # where L is
    return [
        entry(identity, "GD, L = 1, Σ = I", _CLOSED, _exact(d * flat.loss), layers.identity[:, 0]),
        entry(
            rotated, "GD, L = 1, Σ rotated", _CLOSED, _exact(d * turned.loss), layers.rotated[:, 0]
        ),
        entry(
            rotated,
            "Γ ∝ Σ⁻¹, 2 like steps",
            _CLOSED,
            _exact(closed.best_two_constant(n, d)),
            layers.preconditioned[:, two],
        ),
        entry(
            rotated,
            "Γ ∝ Σ⁻¹, 2 best steps",
            _CLOSED,
            _exact(closed.best_two_steps(n, d)),
            layers.steps[:, two],
        ),
        entry(
            rotated,
            "Γ ∝ Σ⁻¹ / GD, L = 4",
            _FIGURE,
            _BELOW_ONE,
            layers.preconditioned[:, four] / layers.rotated[:, four],
        ),
        entry(
            rotated,
            "L = 3, new prompts, e−4",
            _PRINTED,
            _interval(estimate(PRINTED_FRESH)),
            1e4 * layers.layered[:, three],
        ),
        entry(
            rotated,
            "L = 3, own prompts, e−4",
            _PRINTED,
            (float(PRINTED_OWN.mean()), float(PRINTED_OWN.min()), float(PRINTED_OWN.max())),
            1e4 * result.trained.training,
        ),
    ]


def _oswald(result: Result) -> list[Entry]:
    layer, loops, median = result.layer, result.loops, result.damped.median[:, 1]

    def entry(quantity: str, source: str, theirs: Range, ours: Estimate) -> Entry:
        setting = "N = d = 10, x ~ U(−1, 1), w ~ N(0, I)"
        return Entry("Oswald", setting, quantity, source, theirs, ours)

    falls = estimate(median[:, -1] / median[:, 0])
    single, double = extrapolated(layer.trained), extrapolated(loops.trained)
    return [
        entry("one step, loss / E y²", _CLOSED, _exact(oswald.ONE.loss), estimate(layer.loss)),
        entry("trained layer / one step", _TEXT, _exact(1.0), single),
        entry("2 loops, GD++ / GD", _TEXT, _BELOW_ONE, estimate(loops.plus)),
        entry("2 loops, trained / GD++", _FIGURE, _exact(1.0), double),
        entry("damped, 50 / 1, median", _FIGURE, _BELOW_ONE, falls),
    ]


def _others(result: Result) -> list[Entry]:
    single = estimate(1e13 * result.descent32.plain32)
    floor = next(c for c in result.curves if c.method == "gradient descent on X").over_u_kappa
    newton = [
        Entry(
            "Fu",
            f"n = 40, d = 20, x ~ N(0, Σ), κ(Σ) = {kappa:.0f}, w ~ N(0, I)",
            f"GD per Newton, κ = {kappa:.0f}",
            _TEXT,
            _ABOVE_ONE,
            growth(part),
        )
        for kappa, part in zip(fu.KAPPAS, result.iterations, strict=True)
    ]
    liu, floors = "n = 20, d = 5, x ~ N(0, I), 300 steps", "n = 8, d = 4, κ(XᵀX) at its largest"
    return [
        *newton,
        Entry("Liu", liu, "GD float32, error², e−13", _PRINTED, _ABOUT_ONE, single),
        Entry("ours", floors, "GD float32, floor / u κ", _CLOSED, _BELOW_ONE, as_estimate(floor)),
    ]


_WIDEST = 0.25
_CLOSED, _PRINTED, _TEXT, _FIGURE = "formula", "printed", "text", "figure"
_BELOW_ONE = (np.nan, 0.0, 1.0)
_ABOVE_ONE = (np.nan, 1.0, np.inf)
_ABOUT_ONE = (1.0, 10**-0.5, 10**0.5)  # an order of magnitude


def _exact(value: float) -> Range:
    return value, value, value


def _interval(value: Estimate) -> Range:
    mean, half_width = float(value.mean), float(value.half_width)
    return mean, mean - half_width, mean + half_width
