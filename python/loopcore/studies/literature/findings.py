"""What the literature study shows, in sentences made from its numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from loopcore.studies.frame.intervals import number, plus_minus, text
from loopcore.studies.frame.repeats import Estimate, estimate
from loopcore.studies.literature import floors, fu, oswald, table
from loopcore.studies.literature.fu import Iterations
from loopcore.studies.literature.result import Result
from loopcore.studies.literature.sheets import ours_text, theirs_text
from loopcore.studies.literature.summary import extrapolated, growth
from loopcore.studies.literature.table import Row

Array = npt.NDArray[np.float64]

_WIDE = 0.05  # a half width of a ratio that says nothing of 1


def findings(result: Result) -> tuple[str, ...]:
    """Say what is reproduced, and how well, paper by paper; what is not, and what is untested."""
    return (
        _about_table(result.rows),
        *_about_exceptions(result.rows),
        _about_layers(result),
        _about_training(result),
        _about_trained_layers(result),
        _about_damping(result),
        _about_newton(result),
        _about_floors(result),
        _about_the_rest(result),
    )


def _about_table(rows: tuple[Row, ...]) -> str:
    numbers = [row for row in rows if not np.isnan(row.theirs)]
    claims = [row for row in rows if np.isnan(row.theirs)]
    agree = [row for row in numbers if row.agrees in ("yes", "to 1 %")]
    exact = [row for row in agree if row.low == row.high]
    ways = [f"{len(agree) - len(exact)} within the range that their authors give"]
    if exact:
        worst = max(abs(row.ours / row.theirs - 1) for row in exact)
        width = max((row.ours_high - row.ours) / row.ours for row in exact)
        ways.insert(
            0,
            f"{len(exact)} exact ones to {_at_most(worst)} or better (95 % intervals: ± "
            f"{_at_most(width)} or less)",
        )
    kind = sum(row.agrees == "in kind" for row in claims)
    return (
        f"{_share(len(agree), len(numbers))} published or derived numbers are reproduced: "
        f"{', and '.join(ways)}. {_share(kind, len(claims))} claims without a number hold."
    )


def _share(some: int, whole: int) -> str:
    return f"All {whole}" if some == whole else f"{some} of {whole}"


def _about_exceptions(rows: tuple[Row, ...]) -> list[str]:
    """Name what is not reproduced, and what the intervals leave open, if anything."""
    words = {"no": "Not reproduced", "open": "Not settled, for wide intervals"}
    parts = []
    for agrees, word in words.items():
        shown = [
            f"{row.paper}, {row.quantity}: {theirs_text(row)} against {ours_text(row)}"
            for row in rows
            if row.agrees == agrees
        ]
        more = f"; and {len(shown) - 3} more" if len(shown) > 3 else ""
        parts += [f"{word}: {'; '.join(shown[:3])}{more}."] if shown else []
    return [" ".join(parts)] if parts else []


def _about_layers(result: Result) -> str:
    layers = result.layers
    ratios = estimate(layers.preconditioned / layers.rotated)
    plus = estimate(layers.layered[:, :3] / layers.preconditioned[:, :3])
    less = bool(np.all(ratios.mean + ratios.half_width < 1))
    verdict = "less at every depth" if less else "not less at every depth"
    return (
        f"Ahn et al., Σ rotated: preconditioning by Σ⁻¹ leaves {verdict} than gradient descent, "
        f"{plus_minus(_at(ratios, 0))} of its loss for one layer and {plus_minus(_at(ratios, 3))} "
        "for four. Of what that leaves, GD++ with η_l and γ_l of their own in each layer leaves "
        f"{plus_minus(_at(plus, 2))} for three."
    )


def _about_training(result: Result) -> str:
    printed, ours = estimate(table.PRINTED_FRESH), estimate(1e4 * result.layers.layered[:, 2])
    meets = "not told apart by" if printed.agrees(ours.mean, ours.half_width) else "outside of"
    change = estimate(result.trained.after / result.trained.before)
    low, high = change.mean - change.half_width, change.mean + change.half_width
    if high < 1:
        verdict = "their structure is not the best"
    elif low > 1:
        verdict = "what training adds is overfitting"
    else:
        verdict = "training adds nothing that we can tell"
    return (
        f"Ahn et al.: two trained Transformers of three layers print {plus_minus(printed)}e−4 as "
        "losses on fresh prompts. The best five numbers η_l and γ_l of layers with A_l ∝ Σ⁻¹ and "
        f"B_l ∝ I leave {plus_minus(ours)}e−4, {meets} these intervals. Training all 125 entries "
        f"from there on {result.config.batch:,} prompts makes the loss on fresh ones "
        f"{plus_minus(change)} times what it was: {verdict}."
    )


def _about_trained_layers(result: Result) -> str:
    single, double = extrapolated(result.layer.trained), extrapolated(result.loops.trained)
    loss, plus = estimate(result.layer.loss), estimate(result.loops.plus)
    return (
        f"von Oswald et al.: the best single step leaves {plus_minus(loss)} of E y² (49/99 = "
        f"{oswald.ONE.loss:.4f}). A layer trained from there has, extrapolated to infinitely many "
        f"prompts, {plus_minus(single)} times its loss: {_equal(single, 'one step')}. Two loops of "
        f"GD++ leave {plus_minus(plus)} of what gradient descent leaves, and a layer trained to be "
        f"looped twice {plus_minus(double)} times that: {_equal(double, 'GD++')}."
    )


def _equal(ratio: Estimate, name: str) -> str:
    away = abs(float(ratio.mean) - 1)
    if not ratio.half_width < _WIDE:
        return f"whether it equals {name} is not settled"
    if bool(ratio.agrees(1.0)):
        return f"it equals {name}"
    if away < 0.01:
        return f"it equals {name} to {_at_most(away)}, outside the interval of the extrapolation"
    return f"it does not equal {name}"


def _about_damping(result: Result) -> str:
    damped = result.damped
    unstable, median = estimate(100 * damped.unstable), estimate(damped.median[:, 1, -1])
    layer = estimate(result.layer.repeated)
    undamped, tamed = (_course(curve) for curve in np.median(damped.log_mean, 0))
    return (
        "Why von Oswald et al. damp: the best single step, repeated, diverges on "
        f"{plus_minus(_at(unstable, 0))} % of the prompts (η λ_max > 2), and the mean loss of "
        f"{result.config.prompts:,} prompts {undamped}. Damped by 0.75 it does so on "
        f"{plus_minus(_at(unstable, 1))} %, and their mean loss {tamed}; the median prompt has "
        f"{plus_minus(median)} of E y² left after {oswald.REPEATED[-1]} steps, and the trained "
        f"layer, so repeated, {plus_minus(layer)} times that."
    )


def _course(log_means: Array) -> str:
    """Say whether a mean loss (K,) falls to the end."""
    if log_means[-1] > log_means.min() + np.log10(1.2):
        return f"is least after {oswald.REPEATED[log_means.argmin()]} steps and then grows"
    return f"did not grow in {oswald.REPEATED[-1]} steps"


def _about_newton(result: Result) -> str:
    factors = [growth(part) for part in result.iterations]
    grows = all(bool(factor.mean - factor.half_width > 1) for factor in factors)
    verdict = "as published" if grows else "which is not settled here"
    worth = " and ".join(
        f"{plus_minus(factor)} times for κ(Σ) = {kappa:.0f}"
        for kappa, factor in zip(fu.KAPPAS, factors, strict=True)
    )
    steps = " and ".join(_newton_steps(part) for part in result.iterations)
    return (
        "Fu et al.: a constant factor more steps of gradient descent for one more of Newton's "
        f"iteration, so exponentially many, {verdict}: {worth} (medians from an error of 1e−4 on; "
        f"2 is the limit for one task). What {fu.LONGEST:,} steps leave, Newton's leaves after "
        f"{steps}."
    )


def _newton_steps(part: Iterations) -> str:
    passed = np.flatnonzero(np.median(part.newton, 0) <= float(np.median(part.longest)))
    return f"{fu.NEWTON_STEPS[passed[0]]}" if len(passed) else f"more than {fu.NEWTON_STEPS[-1]}"


def _about_floors(result: Result) -> str:
    curves = {(c.method, c.dtype): c for c in result.curves}
    plain, ours = curves["gradient descent on X", "float32"], curves["loopcore power", "float32"]
    bound = "below" if plain.over_u_kappa.high <= 1 else "not clearly below"
    slope = curves["conjugate gradients", "float32"].slope
    reached = float((ours.error.value / floors.ROUNDING["float32"]).max())
    largest = 10.0 ** result.config.floor_exponents[-1]
    own = "the rounding of the result alone" if reached <= 1 else "more than its rounding"
    return (
        f"Precision in float32: plain gradient descent ends at {text(plain.over_u_kappa)} u κ, "
        f"{bound} u κ, where its steps round away; the floor of conjugate gradients rises like κ "
        f"to the power {text(slope, 2)}. loopcore.run, which sums and loops in float64, ends "
        f"within {number(reached, 2)} u up to κ = {largest:,.0f}: {own}."
    )


def _about_the_rest(result: Result) -> str:
    four = estimate(result.layers.layered[:, 3])
    return (
        "Not settled: what is published as a figure alone is compared in kind. Four layers of GD++ "
        f"with steps of their own, {plus_minus(four)}, are a mean of rare large errors and are not "
        "compared. Untested: trained softmax Transformers, layers of von Oswald et al. that do not "
        "share weights, noisy and shifted prompts, and training from random weights: ours starts "
        "at the best structured layers, so that other minima are not ruled out."
    )


def _at(value: Estimate, i: int) -> Estimate:
    return Estimate(value.mean[i], value.half_width[i])


def _at_most(share: float) -> str:
    """Write a share in per cent with two digits, rounded up.

    Examples
    --------
    >>> _at_most(0.01421), _at_most(0.0)
    ('1.5 %', '0 %')
    """
    if not (np.isfinite(share) and share > 0):
        return f"{number(100 * float(share))} %"
    unit = 10.0 ** (np.floor(np.log10(share)) - 1)
    return f"{number(100 * unit * np.ceil(share / unit - 1e-6), 2)} %"
