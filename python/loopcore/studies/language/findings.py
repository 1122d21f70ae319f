"""What the numbers of the language study say, in sentences and tables."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from loopcore import theory
from loopcore.studies.intervals import Interval, number, of_means, text
from loopcore.studies.language.results import Curve, Measured, Result, Spectra, mean, median
from loopcore.studies.study import Sheet

Array = npt.NDArray[np.float64]

PLAIN, WHITENED, TRAINED = "loops, plain inputs", "loops, whitened inputs", "trained P, Q, η"
FOLLOWING = "trained P, Q, η over λ_max"
RIDGE, NEAREST = "ridge", "nearest neighbours"


def findings(result: Result) -> tuple[str, ...]:
    """Say what the numbers show; intervals are over resampled blocks of the test part."""
    one = result.texts[0]
    return (
        _answer(one),
        _bound(one, result.config.loops),
        _spectrum(one),
        _stopping(one, result.config.loops),
        _preconditioning(one),
        _training(one),
        _rivals(one),
        *(_beside_trigrams(each) for each in result.texts),
        _open(result),
    )


def longest(curve: Curve) -> int:
    """Return the place of the context length with the least validation loss."""
    return int(curve.chosen(curve.validation).argmin())


def test_loss(curve: Curve) -> Array:
    """Return the block losses of the chosen candidates, (blocks, L)."""
    return curve.chosen(curve.loss)


def _answer(one: Measured) -> str:
    curve = min((one.curve(name) for name in (PLAIN, WHITENED)), key=lambda c: c.validation.min())
    i = longest(curve)
    loss, hit = test_loss(curve)[:, i], curve.chosen(curve.hit)[:, i]
    unigram, bigram = (one.reference(name).loss for name in ("unigram", "bigram"))
    way = of_means(
        np.stack([unigram, loss, bigram], 1),
        lambda m: (m[..., 0] - m[..., 1]) / (m[..., 0] - m[..., 2]),
    )
    if way.low > 1:
        place = "below the bigram model"
    elif way.high < 0:
        place = "above the unigram model"
    elif way.low > 0 and way.high < 1:
        place = "between the two"
    else:
        place = "not told apart from one of the two"
    return (
        f"Open question 3, language: on {one.name}, gradient descent in context ({curve.name}, "
        f"n = {curve.lengths[i]:.0f} and T = {curve.candidates[curve.best[i]]:.0f}, chosen on "
        f"validation) leaves a cross-entropy of {text(mean(loss))} nats, perplexity "
        f"{text(of_means(loss, np.exp))}, with the most probable word right in "
        f"{text(mean(100 * hit))} %. The unigram model leaves {text(mean(unigram))}, a bigram "
        f"model of the whole training part {text(mean(bigram))} nats: the loop is {place}, "
        f"{text(Interval(*(100 * part for part in way)))} % of the way from the first to the "
        "second."
    )


def _bound(one: Measured, loops: tuple[int, ...]) -> str:
    broken = sum(int(s.broken.sum()) for s in one.spectra)
    total = sum(s.compared * s.broken.size for s in one.spectra)
    if broken:
        kept = f"is broken by {broken:,} of {total:,} relative errors"
    else:
        kept = f"is kept by all {total:,} relative errors (prompts × targets × T, two inputs)"
    parts = []
    for s in one.spectra:
        low = np.argwhere(s.error[1] <= 0.5)
        if len(low) == 0:
            parts.append(f"with {s.name} inputs no median error falls to ½ by T = {loops[-1]}")
            continue
        i = int(low[:, 0].max())  # the longest context
        k = int(low[low[:, 0] == i, 1].min())
        promised = 2 * float(np.median(s.kappa[..., i])) * np.log(2)
        parts.append(
            f"with {s.name} inputs and n = {one.curves[0].lengths[i]:.0f} the median error after "
            f"T = {loops[k]} is {number(s.error[1, i, k])} and the bound's median "
            f"{number(s.bound[1, i, k])}, which at the median κ promises ½ after T = "
            f"{number(promised)}"
        )
    return f"The bound exp(−T/2κ) {kept}. How loose it is: {'; '.join(parts)}."


def _spectrum(one: Measured) -> str:
    lengths = one.curves[0].lengths
    ends = [[median(s.kappa[..., i]) for i in (0, -1)] for s in one.spectra]
    parts = [
        f"{text(first)} to {text(last)} with {s.name} inputs"
        for s, (first, last) in zip(one.spectra, ends, strict=True)
    ]
    s = one.spectra[-1]
    ranks = np.median(s.rank, axis=(0, 1))
    full = lengths[ranks >= s.d]
    sentence = (
        f"From n = {lengths[0]:.0f} to {lengths[-1]:.0f} the median κ over non-zero eigenvalues "
        f"goes from {' and from '.join(parts)}; words repeat, and the median rank at "
        f"n = {lengths[0]:.0f} is {ranks[0]:.0f} of d = {s.d}"
    )
    sentence += f", full from n = {full[0]:.0f} on" if len(full) else ", and never full"
    if lengths[-1] > s.d:
        ideal = float(theory.marchenko_pastur_kappa(s.d, lengths[-1]))
        sentence += f". Gaussian rows would have κ = {number(ideal)} at n = {lengths[-1]:.0f}"
        if ends[-1][-1].low > ideal:
            sentence += ": the prompts are worse conditioned than that"
    return sentence + "."


def _stopping(one: Measured, loops: tuple[int, ...]) -> str:
    curve, spectra = one.curve(WHITENED), one.spectra[-1]
    parts = []
    for i in sorted({0, len(curve.lengths) - 1}):
        k = int(curve.best[i])
        at = f"at n = {curve.lengths[i]:.0f}"
        if k == len(loops) - 1:
            parts.append(f"{at} the most loops tried, T = {loops[k]}, are best")
            continue
        change = mean(curve.loss[:, i, -1] - curve.loss[:, i, k])
        parts.append(
            f"{at} validation takes T = {loops[k]}, where the median relative error is still "
            f"{number(spectra.error[1, i, k], 2)}, and by T = {loops[-1]} "
            f"{_moves(change)}"
        )
    i = longest(curve)
    ridge = mean(test_loss(one.curve(RIDGE))[:, i] - test_loss(curve)[:, i])
    return (
        f"T as a regulariser, with whitened inputs: {'; '.join(parts)}. With ridge in its place, "
        f"its penalty chosen in the same way, {_moves(ridge)} at n = {curve.lengths[i]:.0f}."
    )


def _preconditioning(one: Measured) -> str:
    plain, white = one.curve(PLAIN), one.curve(WHITENED)
    parts = []
    for i in sorted({0, len(white.lengths) - 1}):
        T = [f"{c.candidates[c.best[i]]:.0f}" for c in (plain, white)]
        change = mean(test_loss(white)[:, i] - test_loss(plain)[:, i])
        parts.append(
            f"at n = {white.lengths[i]:.0f} by whitened instead of plain inputs (T = {T[1]} "
            f"instead of {T[0]}) {_moves(change)}"
        )
    return f"Preconditioning by hand: {'; '.join(parts)}."


def _training(one: Measured) -> str:
    white = one.curve(WHITENED)
    parts = []
    for i in sorted({0, len(white.lengths) // 2, len(white.lengths) - 1}):
        changes = [
            f"with {name} (T = {c.candidates[c.best[i]]:.0f}) "
            f"{_moves(mean(test_loss(c)[:, i] - test_loss(white)[:, i]))}"
            for name, c in (
                ("the same steps for all prompts", one.curve(TRAINED)),
                ("steps over each prompt's λ_max", one.curve(FOLLOWING)),
            )
        ]
        parts.append(f"at n = {white.lengths[i]:.0f} {' and '.join(changes)}")
    stretch = one.spectra[-1].lambda_max[..., -1].max() / one.usual[-1]
    return (
        "P, a diagonal Q and steps trained on the training part, in place of a constant step with "
        f"whitened inputs: {'; '.join(parts)}. At n = {white.lengths[-1]:.0f} the largest λ_max of "
        f"a test prompt is {number(float(stretch))} times the mean of those trained on."
    )


def _rivals(one: Measured) -> str:
    curve = one.curve(WHITENED)
    i = longest(curve)
    loss = test_loss(curve)[:, i]
    rivals = (
        ("nearest neighbours in the same context", test_loss(one.curve(NEAREST))[:, i]),
        ("counts of the same context", test_loss(one.counts)[:, i]),
        ("ridge with the whole training part as its context", test_loss(one.whole)[:, 0]),
    )
    parts = [f"by {name} {_moves(mean(other - loss))}" for name, other in rivals]
    return (
        f"The loop with whitened inputs and n = {curve.lengths[i]:.0f} replaced: "
        f"{'; '.join(parts)}."
    )


def _beside_trigrams(one: Measured) -> str:
    trigram = one.reference("trigram").loss
    curve = one.curve(WHITENED)
    i, j = longest(curve), longest(one.counts)
    change = mean(curve.mixed[:, i] - trigram)
    counts = mean(one.counts.mixed[:, j] - trigram)
    between = mean(curve.mixed[:, i] - one.counts.mixed[:, j])
    if change.high < 0:
        verdict = "the context tells what the counts of the training part do not"
    elif change.low > 0:
        verdict = "the weight of validation is too much for the test part"
    else:
        verdict = "the context adds nothing that could be seen"
    return (
        f"On {one.name} a trigram model (interpolated Kneser–Ney) has perplexity "
        f"{text(of_means(trigram, np.exp))}, the loop alone "
        f"{text(of_means(test_loss(curve)[:, i], np.exp))}, and both mixed, with a weight chosen "
        f"on validation, {text(of_means(curve.mixed[:, i], np.exp))}: from the trigram "
        f"model to the mixture {_moves(change)}, so that {verdict}. With counts of the context "
        f"mixed in instead {_moves(counts)}, and from these to the loop's mixture "
        f"{_moves(between)}."
    )


def _open(result: Result) -> str:
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
        value, low, high = difference
        return f"the loss falls by {text(Interval(-value, -high, -low))} nats"
    if difference.low > 0:
        return f"the loss rises by {text(difference)} nats"
    return f"the loss moves by {text(difference)} nats (not settled)"


def sheets(result: Result) -> tuple[Sheet, ...]:
    """Lay out losses by context and by loops, spectra, and perplexities of each text."""
    one = result.texts[0]
    return (
        _by_context(one),
        _by_loops(one, result.config.loops),
        _spectra(one, result.config.loops),
        *(_perplexities(each) for each in result.texts),
    )


_SHORT = {
    PLAIN: "loops, plain",
    WHITENED: "loops, whitened",
    TRAINED: "trained",
    FOLLOWING: "trained/λ_max",
    "ridge, training part": "ridge, all",
    "counts of the context": "counts",
    NEAREST: "neighbours",
}


def _by_context(one: Measured) -> Sheet:
    lengths = one.curves[0].lengths[-8:]
    rows = [(r.name, *[_loss(r.loss.mean())] * len(lengths)) for r in one.references]
    rows.append(("ridge, all", *[_loss(test_loss(one.whole).mean())] * len(lengths)))
    rows += [
        (_SHORT.get(c.name, c.name), *(_loss(x) for x in test_loss(c).mean(0)[-len(lengths) :]))
        for c in (*one.curves, one.counts)
    ]
    return Sheet(
        f"Test cross-entropy in nats by context length n: {one.name}",
        ("model", *(f"n={n:.0f}" for n in lengths)),
        tuple(rows),
    )


def _by_loops(one: Measured, loops: tuple[int, ...]) -> Sheet:
    white, plain = one.curve(WHITENED), one.curve(PLAIN)
    at = sorted({0, len(white.lengths) // 2, len(white.lengths) - 1})
    columns = [(s, c, i) for s, c in (("plain", plain), ("white", white)) for i in at]
    shown = range(len(loops))[-14:]
    return Sheet(
        "Test cross-entropy by T (plain and whitened inputs)",
        ("T", *(f"{s} n={c.lengths[i]:.0f}" for s, c, i in columns)),
        tuple(
            (f"{loops[k]:,}", *(_loss(c.loss[:, i, k].mean()) for _, c, i in columns))
            for k in shown
        ),
    )


def _spectra(one: Measured, loops: tuple[int, ...]) -> Sheet:
    k = int(np.argmin(np.abs(np.log(np.maximum(loops, 1) / 64))))
    plain, white = one.spectra
    lengths = one.curves[0].lengths
    return Sheet(
        f"Prompts by n, d = {white.d}: medians; errors and bounds at T = {loops[k]}",
        ("n", "rank", "κ plain", "κ white", "error pl.", "bound pl.", "error wh.", "bound wh."),
        tuple(
            (
                f"{lengths[i]:.0f}",
                f"{np.median(white.rank[..., i]):.0f}",
                number(float(np.median(plain.kappa[..., i]))),
                number(float(np.median(white.kappa[..., i]))),
                *(number(float(s[1, i, k])) for s in _four(plain, white)),
            )
            for i in range(len(lengths))[-14:]
        ),
    )


def _four(plain: Spectra, white: Spectra) -> tuple[Array, ...]:
    return plain.error, plain.bound, white.error, white.bound


def _perplexities(one: Measured) -> Sheet:
    rows = []
    for r in one.references:
        rows.append((r.name, "", "", _ppl(r.loss), _percent(r.hit), "", ""))
    for c in (one.whole, *one.curves, one.counts):
        i = longest(c)
        setting = f"{c.setting}={c.candidates[c.best[i]]:g}" if c.setting else ""
        rows.append(
            (
                _SHORT.get(c.name, c.name),
                f"{c.lengths[i]:.0f}",
                setting,
                _ppl(test_loss(c)[:, i]),
                _percent(c.chosen(c.hit)[:, i]),
                _ppl(c.mixed[:, i]),
                f"{c.weight[i]:.2f}",
            )
        )
    return Sheet(
        f"Perplexity, accuracy, and perplexity mixed with the trigram model: {one.name}",
        ("model", "n", "setting", "perplexity", "right %", "mixed", "weight"),
        tuple(rows),
    )


def _ppl(loss: Array) -> str:
    value, low, high = (float(part) for part in of_means(loss, np.exp))
    return f"{value:.1f} ({low:.0f}–{high:.0f})"


def _percent(hit: Array) -> str:
    return f"{100 * float(hit.mean()):.1f}"


def _loss(value: float) -> str:
    return f"{value:.3f}"
