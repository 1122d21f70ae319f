"""What the literature study shows, in sentences made from its numbers."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from loopcore.studies.intervals import number, text
from loopcore.studies.literature import closed, floors, fu, oswald, table
from loopcore.studies.literature.result import Result
from loopcore.studies.literature.sheets import ours_text, plus_minus, theirs_text
from loopcore.studies.literature.summary import extrapolated, growth
from loopcore.studies.literature.table import Row
from loopcore.studies.repeats import Estimate, estimate

Array = npt.NDArray[np.float64]


def findings(result: Result) -> tuple[str, ...]:
    """Say what is reproduced, and how well, paper by paper; what is not, and what is untested."""
    return (
        _about_table(result.rows),
        _about_layers(result),
        _about_trained(result),
        _about_one_layer(result),
        _about_damping(result),
        _about_newton(result),
        _about_floors(result),
        _about_the_rest(result),
    )


def _about_table(rows: tuple[Row, ...]) -> str:
    numbers = [row for row in rows if not np.isnan(row.theirs)]
    claims = [row for row in rows if np.isnan(row.theirs)]
    agree = [row for row in numbers if row.agrees != "no"]
    exact = [row for row in agree if row.low == row.high]
    worst = max((abs(row.ours / row.theirs - 1) for row in exact), default=np.nan)
    kind = sum(row.agrees == "in kind" for row in claims)
    sentence = (
        f"Of {len(numbers)} published or derived numbers {len(agree)} are reproduced: "
        f"{len(exact)} exact ones to {100 * worst:.1g} % or better, and "
        f"{len(agree) - len(exact)} within the range that their authors printed. "
        f"{kind} of {len(claims)} claims without a number hold."
    )
    return sentence + _exceptions(row for row in rows if row.agrees in ("no", "open"))


def _exceptions(rows: Iterable[Row]) -> str:
    words = {"no": "Not reproduced", "open": "Not settled"}
    return "".join(
        f" {words[row.agrees]}: {row.paper}, {row.quantity}: {theirs_text(row)} against "
        f"{ours_text(row)}."
        for row in rows
    )


def _about_layers(result: Result) -> str:
    layers = result.layers
    ratios = estimate(layers.preconditioned / layers.rotated)
    best = estimate(layers.layered[:, :3] / layers.preconditioned[:, :3])
    always = np.all(ratios.mean + ratios.half_width < 1)
    verdict = "less at every depth" if always else "not less at every depth"
    shares = ", ".join(plus_minus(_at(ratios, L)) for L in range(len(closed.LAYERS)))
    grid = estimate(layers.code_preconditioned[:, 3] / layers.preconditioned[:, 3])
    descent = estimate(layers.code_rotated / layers.rotated).mean - 1
    return (
        f"Ahn et al., Σ rotated: preconditioning by Σ⁻¹ leaves {verdict}, {shares} of the loss of "
        f"gradient descent for L = 1 to 4; GD++ with η_l and γ_l of their own in each layer leaves "
        f"{plus_minus(_at(best, 1))} and {plus_minus(_at(best, 2))} of that for L = 2 and 3. In "
        "the published notebook, as we read it, both baselines see 19 of the 20 examples and take "
        "one of six or nine steps: so run, the loss of gradient descent is "
        f"{_percent(descent.min())} to {_percent(descent.max())} above its best, and the "
        f"preconditioned one, at L = 4, {plus_minus(grid)} times its best."
    )


def _about_trained(result: Result) -> str:
    fresh, ours = estimate(table.PRINTED_FRESH), estimate(1e4 * result.layers.layered[:, 2])
    own = estimate(1e4 * result.trained.training)
    above = float(fresh.mean / ours.mean - 1)
    where = f"{_percent(abs(above))} {'above' if above > 0 else 'below'}"
    meets = "within the intervals" if fresh.agrees(ours.mean, ours.half_width) else "outside them"
    change = estimate(result.trained.after / result.trained.before)
    low, high = change.mean - change.half_width, change.mean + change.half_width
    if high < 1:
        verdict = "so that the structure of their theorem is not the best"
    elif low > 1:
        verdict = "so that what training adds to the structure of their theorem is overfitting"
    else:
        verdict = "so that training adds nothing that we can tell to the structure of their theorem"
    return (
        "The trained three layers of Ahn et al. have, in ten printed numbers, a loss of "
        f"{plus_minus(fresh)}e−4 on fresh prompts. The five numbers η_l and γ_l of layers with "
        f"A_l ∝ Σ⁻¹ and B_l ∝ I give {plus_minus(ours)}e−4: theirs is {where}, {meets}. From there "
        f"on, training all 125 entries on {result.config.batch:,} prompts ends at "
        f"{plus_minus(own)}e−4 on these (theirs: {table.PRINTED_OWN.min():.2f} to "
        f"{table.PRINTED_OWN.max():.2f}) and at {plus_minus(change)} times the loss on fresh "
        f"prompts, {verdict}."
    )


def _about_one_layer(result: Result) -> str:
    layer, loops, config = result.layer, result.loops, result.config
    step, loss = estimate(layer.step), estimate(layer.loss)
    single, double = extrapolated(layer.trained), extrapolated(loops.trained)
    at_hand, plus = estimate(layer.trained[:, 1]), estimate(loops.plus)
    better = "so it is better" if plus.mean + plus.half_width < 1 else "which settles nothing"
    return (
        f"von Oswald et al.: the best single step is {plus_minus(step)} times its closed form, and "
        f"leaves {plus_minus(loss)} of E y² (49/99 = {oswald.ONE.loss:.4f}). A layer trained on "
        f"{config.layer_prompts:,} prompts has {plus_minus(at_hand)} times this loss, extrapolated "
        f"to infinitely many {plus_minus(single)}: {_equal(single, 'one step')}. Two loops of GD++ "
        f"leave {plus_minus(plus)} of the loss of gradient descent, {better}; a layer trained to "
        f"be looped twice has, extrapolated, {plus_minus(double)} times the loss of GD++: "
        f"{_equal(double, 'GD++')}."
    )


def _equal(ratio: Estimate, name: str) -> str:
    away = abs(float(ratio.mean) - 1)
    if bool(ratio.agrees(1.0)):
        return f"it equals {name}"
    if away < 0.01:
        return f"it equals {name} to {_percent(away)}, outside the interval of the extrapolation"
    return f"it does not equal {name}"


def _about_damping(result: Result) -> str:
    damped = result.damped
    unstable, median = estimate(100 * damped.unstable), estimate(damped.median[:, :, -1])
    means = np.median(damped.log_mean, 0)
    late = oswald.REPEATED > 9
    slopes = [
        np.polyfit(np.log(oswald.REPEATED[late]), np.log(curve[1, late]), 1)[0]
        for curve in damped.median
    ]
    undamped, tamed = (_course(curve) for curve in means)
    return (
        "Why they damp: undamped, the best single step exceeds 2/λ_max on "
        f"{plus_minus(_at(unstable, 0))} % of the prompts, where repeating it diverges, and the "
        f"mean loss {undamped}; damped by 0.75 it does on {plus_minus(_at(unstable, 1))} %, and "
        f"the mean loss {tamed}. After 50 damped steps the median prompt has "
        f"{plus_minus(_at(median, 1))} of E y², falling like t^({plus_minus(estimate(slopes))}), "
        "and the trained layer, so looped, "
        f"{plus_minus(estimate(result.layer.repeated))} times that."
    )


def _course(log_means: Array) -> str:
    """Say whether a mean loss (K,) falls to the end."""
    if log_means[-1] > log_means.min() + np.log10(1.2):
        return f"is least after {oswald.REPEATED[log_means.argmin()]} steps and then grows"
    return f"did not grow in {oswald.REPEATED[-1]} steps"


def _about_newton(result: Result) -> str:
    parts, factors = [], []
    for kappa, part in zip(fu.KAPPAS, result.iterations, strict=True):
        factors.append(growth(part))
        longest = float(np.median(part.longest))
        passed = np.flatnonzero(np.median(part.newton, 0) <= longest)
        steps = f"{fu.NEWTON_STEPS[passed[0]]}" if len(passed) else "more than 24"
        parts.append(
            f"for κ(Σ) = {kappa:.0f} {plus_minus(factors[-1])} times as many, and what "
            f"{fu.LONGEST:,} steps leave, {number(longest, 2)}, Newton's has after {steps}"
        )
    grows = all(bool(factor.mean - factor.half_width > 1) for factor in factors)
    verdict = "as published" if grows else "which is not settled here"
    rate = max(abs(float(np.nanmedian(part.rate)) - 1) for part in result.iterations)
    return (
        "Fu et al.: for the median error after one more step of Newton's iteration gradient "
        f"descent needs a constant factor more steps, exponentially many, {verdict}: "
        f"{'; '.join(parts)}. For one task the factor tends to 2, for Newton squares what gradient "
        "descent multiplies. Late steps of gradient descent follow (1 − ηλ_min)^t to "
        f"{_percent(rate)} of the exponent."
    )


def _about_floors(result: Result) -> str:
    curves = {(c.method, c.dtype): c for c in result.curves}
    descent = "gradient descent on X"
    single, double = (curves[descent, dtype].over_u_kappa for dtype in floors.DTYPES)
    bound = "below" if single.high <= 1 and double.high <= 1 else "not clearly below"
    slopes = ", ".join(
        text(curves[method, "float32"].slope, 2)
        for method in (descent, "Newton", "conjugate gradients")
    )
    power = [curves["loopcore power", dtype] for dtype in floors.DTYPES]
    reached = power[0].error.value / floors.ROUNDING["float32"]
    own = "which is the rounding of the result alone" if reached.max() <= 1 else "not only rounding"
    plain32, plain64 = (
        float(np.median(error)) for error in (result.descent32.plain32, result.descent32.plain64)
    )
    near = "about what float32 allows" if 0.1 < plain32 / 1e-13 < 10 else "not what we find"
    return (
        "Precision: plain gradient descent stops where its steps round away, "
        f"{bound} u κ: at {text(single)} u κ in float32 and {text(double)} u κ in float64. Floors "
        "of gradient descent, Newton's iteration and conjugate gradients in float32 rise like κ to "
        f"the powers {slopes} (u κ would be 1, u √κ 0.5). loopcore.run sums and loops in float64: "
        f"on float32 data it stays within {number(float(reached.max()), 2)} u up to κ = "
        f"{number(float(power[0].kappa[-1]), 2)}, {own}; on float64 data it ends at "
        f"{text(power[1].over_u_kappa)} u κ. In the setting of Liu et al. 300 steps leave a "
        f"squared error of {number(plain32, 2)} in plain float32 and of {number(plain64, 2)} in "
        f"float64: the 1e−13 that they give for trained models is {near}."
    )


def _about_the_rest(result: Result) -> str:
    four = estimate(result.layers.layered[:, 3])
    return (
        "Not settled: what the papers give as figures only is compared in kind, not with a number. "
        f"For L = 4 the loss of GD++ with η_l and γ_l, {plus_minus(four)}, is a mean of rare large "
        f"errors (± {_percent(float(four.half_width / four.mean))}) and is not compared. Untested: "
        "trained softmax Transformers (Fu et al. report about three steps of Newton a layer), "
        "layers of von Oswald et al. that do not share weights, noisy and shifted prompts, and "
        "training from random weights: ours starts at the best structured layers, so that other "
        "minima are not ruled out."
    )


def _at(value: Estimate, i: int) -> Estimate:
    return Estimate(value.mean[i], value.half_width[i])


def _percent(share: float) -> str:
    return f"{number(100 * float(share), 2)} %"
