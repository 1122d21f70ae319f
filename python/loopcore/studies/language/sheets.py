"""The tables of the language study."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from loopcore.studies.frame.intervals import number
from loopcore.studies.frame.study import Sheet
from loopcore.studies.language.results import (
    COUNTS,
    FOLLOWING,
    NEAREST,
    PLAIN,
    TRAINED,
    WHITENED,
    WHOLE,
    Curve,
    Measured,
    Result,
    perplexity,
)

Array = npt.NDArray[np.float64]


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
    WHOLE: "ridge, all",
    COUNTS: "counts",
    NEAREST: "neighbours",
}
_RIGHT = (WHITENED, NEAREST, COUNTS)
"""Of which methods the table by context says how often they are right."""


def _by_context(one: Measured) -> Sheet:
    last = slice(-8, None)
    lengths = one.curves[0].lengths[last]
    fixed = [(r.name, r.loss) for r in one.references]
    fixed.append((_SHORT[WHOLE], one.whole.tested[:, 0]))
    rows = [(name, *[_loss(loss)] * len(lengths)) for name, loss in fixed]
    curves = (*one.curves, one.counts)
    rows += [(_short(c), *map(_loss, c.tested.T[last])) for c in curves]
    rows += [
        (f"{_short(c)}, %", *map(_percent, c.chosen(c.hit).T[last]))
        for c in curves
        if c.name in _RIGHT
    ]
    return Sheet(
        "Test cross-entropy (nats) and right words (%) by context length n:\n" + one.name,
        ("model", *(f"n={n:.0f}" for n in lengths)),
        tuple(rows),
    )


def _by_loops(one: Measured, loops: tuple[int, ...]) -> Sheet:
    white, plain = one.curve(WHITENED), one.curve(PLAIN)
    last = len(white.lengths) - 1
    shown = [(white, "", i) for i in sorted({0, last // 2, last})] + [(plain, "plain ", last)]
    names = [(f"{kind}n={c.lengths[i]:.0f}", "%") for c, kind, i in shown]
    return Sheet(
        "Test cross-entropy (nats) and right words (%) by T: whitened inputs, then plain",
        ("T", *(name for pair in names for name in pair)),
        tuple(
            (
                f"{loops[k]:,}",
                *(
                    entry
                    for c, _, i in shown
                    for entry in (_loss(c.loss[:, i, k]), _percent(c.hit[:, i, k]))
                ),
            )
            for k in range(len(loops))[-14:]
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
                *(
                    number(float(value[i, k]))
                    for s in (plain, white)
                    for value in (s.error.value, s.bound)
                ),
            )
            for i in range(len(lengths))[-14:]
        ),
    )


def _perplexities(one: Measured) -> Sheet:
    rows = []
    for r in one.references:
        rows.append((r.name, "", "", _ppl(r.loss), _percent(r.hit), "", ""))
    for c in (one.whole, *one.curves, one.counts):
        i = c.longest
        setting = f"{c.setting}={c.candidates[c.best[i]]:g}" if c.setting else ""
        rows.append(
            (
                _short(c),
                f"{c.lengths[i]:.0f}",
                setting,
                _ppl(c.tested[:, i]),
                _percent(c.chosen(c.hit)[:, i]),
                _ppl(c.mixed[:, i]),
                f"{c.weight[i]:.2f}",
            )
        )
    return Sheet(
        "Perplexity, right words, and perplexity mixed with the trigram model:\n" + one.name,
        ("model", "n", "setting", "perplexity", "right %", "mixed", "weight"),
        tuple(rows),
    )


def _short(curve: Curve) -> str:
    return _SHORT.get(curve.name, curve.name)


def _ppl(loss: Array) -> str:
    value, low, high = (float(part) for part in perplexity(loss))
    return f"{value:.1f} ({low:.0f}–{high:.0f})"


def _percent(hit: Array) -> str:
    return f"{100 * float(hit.mean()):.1f}"


def _loss(loss: Array) -> str:
    return f"{float(loss.mean()):.3f}"
