"""What the numbers of the language study say, in sentences."""

from __future__ import annotations

import numpy as np

from loopcore import theory
from loopcore.studies.frame.intervals import Interval, number, of_means, text
from loopcore.studies.language.results import (
    BIGRAM,
    FOLLOWING,
    NEAREST,
    PLAIN,
    RIDGE,
    TRAINED,
    TRIGRAM,
    UNIGRAM,
    WHITENED,
    Curve,
    Measured,
    Result,
    Spectra,
    mean,
    median,
    perplexity,
)


def findings(result: Result) -> tuple[str, ...]:
    """Say what the numbers show; intervals are over resampled blocks of the test part."""
    one = result.texts[0]
    return (
        _answer(one),
        _bound(one, result.config.loops),
        _condition(one),
        _stopping(one, result.config.loops),
        _training(one, result.config.prompts),
        _rivals(one),
        *(_beside_trigrams(each) for each in result.texts),
        _open(result),
    )


def _answer(one: Measured) -> str:
    """Answer open question 3: how well the loop predicts, and whether the bound is kept."""
    curve = min((one.curve(name) for name in (PLAIN, WHITENED)), key=lambda c: c.validation.min())
    i = curve.longest
    loss = curve.tested[:, i]
    unigram, bigram = (one.reference(name).loss for name in (UNIGRAM, BIGRAM))
    way = of_means(
        np.stack([unigram, loss, bigram], 1),
        lambda m: 100 * (m[..., 0] - m[..., 1]) / (m[..., 0] - m[..., 2]),
    )
    if way.low > 100:
        place = "less than a bigram model of the training part"
    elif way.high < 0:
        place = "more than a unigram model"
    elif way.low > 0 and way.high < 100:
        place = f"{text(way)} % of the way from a unigram to a bigram model of the training part"
    else:
        place = "not told apart from a unigram or a bigram model of the training part"
    broken = sum(int(s.broken.sum()) for s in one.spectra)
    total = sum(s.compared * s.broken.size for s in one.spectra)
    kept = (
        f"{broken:,} of {total:,} relative errors break exp(−T/2κ)"
        if broken
        else f"all {total:,} relative errors keep exp(−T/2κ)"
    )
    return (
        f"Open question 3, language: on {one.name} the loop ({curve.name.rpartition(', ')[2]}, "
        f"n = {curve.lengths[i]:,.0f}, T = {curve.candidates[curve.best[i]]:,.0f}) leaves "
        f"{text(mean(loss))} nats a word, {place}; {kept}."
    )


def _bound(one: Measured, loops: tuple[int, ...]) -> str:
    """Say how loose the bound is, at the longest context whose median error falls to ½."""
    parts = []
    for s in one.spectra[::-1]:
        value = s.error.value
        low = np.argwhere(value <= 0.5)
        if len(low) == 0:
            parts.append(f"with {s.name} inputs none falls to ½ by T = {loops[-1]:,}")
            continue
        i = int(low[:, 0].max())
        k = int(low[low[:, 0] == i, 1].min())
        promised = 2 * float(np.median(s.kappa[..., i])) * np.log(2)
        parts.append(
            f"with {s.name} inputs, n = {one.curves[0].lengths[i]:,.0f}, it is "
            f"{text(s.error.at(i, k))} at T = {loops[k]:,}, where the bound's median is "
            f"{number(s.bound[i, k])}; that promises ½ at T = {number(promised)}"
        )
    return (
        "The bound on the relative error is a theorem for any y; the question is how loose it is. "
        f"The median error: {'; '.join(parts)}."
    )


def _condition(one: Measured) -> str:
    """Say which κ and rank the prompts have, and what a smaller κ is worth."""
    plain, white = one.curve(PLAIN), one.curve(WHITENED)
    i, n = len(white.lengths) - 1, white.lengths[-1]
    kappas = [text(median(s.kappa[..., i])) for s in one.spectra]
    T = [f"{c.candidates[c.best[i]]:,.0f}" for c in (plain, white)]
    change = mean(white.tested[:, i] - plain.tested[:, i])
    return (
        f"At n = {n:,.0f} the median κ is {kappas[0]} with plain inputs and {kappas[1]} with "
        f"whitened ones{_gaussian(one.spectra[-1], n)}. With these validation takes T = "
        f"{T[1]} instead of {T[0]}, and {_moves(change)}. Words repeat: "
        f"{_rank(one.spectra[-1], white)}."
    )


def _gaussian(s: Spectra, n: float) -> str:
    """Say which κ Gaussian rows would have, where that is finite."""
    return (
        f" (Gaussian rows: {number(float(theory.marchenko_pastur_kappa(s.d, n)))})"
        if n > s.d
        else ""
    )


def _rank(s: Spectra, curve: Curve) -> str:
    ranks = np.median(s.rank, axis=(0, 1))  # (L,)
    full = curve.lengths[ranks >= s.d]
    end = f"full from n = {full[0]:,.0f} on" if len(full) else "never full"
    return f"the median rank at n = {curve.lengths[0]:,.0f} is {ranks[0]:,.0f} of d = {s.d}, {end}"


def _stopping(one: Measured, loops: tuple[int, ...]) -> str:
    """Say what more loops than validation takes would do."""
    curve, error = one.curve(WHITENED), one.spectra[-1].error.value
    parts = []
    for i in sorted({0, len(curve.lengths) - 1}):
        k = int(curve.best[i])
        at = f"at n = {curve.lengths[i]:,.0f}"
        if k == len(loops) - 1:
            parts.append(f"{at} the most loops tried, T = {loops[k]:,}, are best")
            continue
        change = mean(curve.loss[:, i, -1] - curve.loss[:, i, k])
        parts.append(
            f"{at} validation takes T = {loops[k]:,}, where the median relative error is still "
            f"{number(error[i, k], 2)}, and by T = {loops[-1]:,} {_moves(change)}"
        )
    return f"T as a regulariser, with whitened inputs: {'; '.join(parts)}."


def _training(one: Measured, prompts: int) -> str:
    """Say what trained models are worth beside a constant step."""
    white = one.curve(WHITENED)
    i = len(white.lengths) - 1
    parts = []
    for name, curve in (
        ("the same steps for all prompts", one.curve(TRAINED)),
        ("steps over each prompt's λ_max", one.curve(FOLLOWING)),
    ):
        change = mean(curve.tested - white.tested)  # (L,)
        parts.append(
            f"with {name} the loss is lower at {int((change.high < 0).sum())} and higher at "
            f"{int((change.low > 0).sum())} of {i + 1} context lengths (n = "
            f"{white.lengths[i]:,.0f}: by {text(change.at(i))} nats)"
        )
    stretch = float(one.spectra[-1].lambda_max[..., i].max() / one.usual[i])
    return (
        f"P, a diagonal Q and steps trained on {prompts:,} prompts of the training part, beside a "
        f"constant step on the same inputs: {'; '.join(parts)}; the others are not settled. At n = "
        f"{white.lengths[i]:,.0f} the largest λ_max of a test prompt is {number(stretch)} times "
        "the mean of those trained on."
    )


def _rivals(one: Measured) -> str:
    """Say which other learners predict better, and worse, than the loop."""
    curve = one.curve(WHITENED)
    i = curve.longest
    rivals = (
        ("ridge", one.curve(RIDGE).tested[:, i]),
        ("nearest neighbours", one.curve(NEAREST).tested[:, i]),
        ("counts of the same context", one.counts.tested[:, i]),
        ("ridge with the whole training part as its context", one.whole.tested[:, 0]),
    )
    better, worse, level = [], [], []
    for name, loss in rivals:
        change = mean(loss - curve.tested[:, i])
        if change.high < 0:
            better.append(f"{name} by {text(_minus(change))} nats")
        elif change.low > 0:
            worse.append(f"{name} by {text(change)} nats")
        else:
            level.append(name)
    parts = [
        f"{verdict}: {', '.join(names)}"
        for verdict, names in (
            ("better for certain", better),
            ("worse for certain", worse),
            ("not told apart from it", level),
        )
        if names
    ]
    return (
        f"Other learners beside the loop, whitened inputs, n = {curve.lengths[i]:,.0f}: "
        f"{'; '.join(parts)}."
    )


def _beside_trigrams(one: Measured) -> str:
    """Say what the loop, and counts of the context, add to an n-gram model."""
    trigram, curve = one.reference(TRIGRAM), one.curve(WHITENED)
    i, j = curve.longest, one.counts.longest
    right = [number(100 * float(h.mean())) for h in (curve.chosen(curve.hit)[:, i], trigram.hit)]
    change = mean(curve.mixed[:, i] - trigram.loss)
    between = mean(curve.mixed[:, i] - one.counts.mixed[:, j])
    if change.high < 0:
        verdict = "the context tells what the counts of the training part do not"
    elif change.low > 0:
        verdict = "the weight of validation is too much for the test part"
    else:
        verdict = "the context adds nothing that could be seen"
    if between.high < 0:
        counts = "Counts of the context add less"
    elif between.low > 0:
        counts = "Counts of the context add more"
    else:
        counts = "Whether counts of the context would add as much is not settled"
    return (
        f"{one.name}: the loop's perplexity is {text(perplexity(curve.tested[:, i]))}, with "
        f"{right[0]} % of words right; a trigram model (interpolated Kneser–Ney) has "
        f"{text(perplexity(trigram.loss))} and {right[1]} %. From the trigram model to both mixed, "
        f"the weight from validation, {_moves(change)}: {verdict}. {counts}."
    )


def _open(result: Result) -> str:
    """Say what is not settled."""
    more = "" if len(result.texts) > 1 else " no benchmark file was named;"
    return (
        f"Not settled:{more} the vocabulary is that of the training part, and perplexities are "
        "comparable within a text only, not with published ones; one kind of word vectors, linear "
        "attention, and models trained on squared error, not on cross-entropy; intervals resample "
        "blocks of one test part, and do not see other texts, other vectors or other trainings."
    )


def _moves(difference: Interval) -> str:
    """Say what a difference of two losses is, as a clause."""
    if difference.high < 0:
        return f"the loss falls by {text(_minus(difference))} nats"
    if difference.low > 0:
        return f"the loss rises by {text(difference)} nats"
    return f"the loss moves by {text(difference)} nats (not settled)"


def _minus(difference: Interval) -> Interval:
    value, low, high = difference
    return Interval(-value, -high, -low)
