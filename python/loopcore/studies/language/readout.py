"""From a predicted vector to a distribution over words.

    log p(w) = log p₁(w) + ⟨ŷ, e(w)⟩/τ − log Z

p₁ is the unigram model, so that ŷ = 0 or a high temperature τ is that model.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Words = npt.NDArray[np.int64]

_HOTTEST, _HALVINGS = 128.0, 8
TEMPERATURES: Array = np.sort(
    np.concatenate([scale * _HOTTEST * 0.5 ** np.arange(_HALVINGS) for scale in (1, 0.5**0.5)])
)[::-1]
"""The candidates for τ, falling from 128 to 0.7 by factors of √2: (16,)."""

_PANEL = 2**17  # logits at a time: 1 MiB


class Scores(NamedTuple):
    """What a distribution makes of the word that came."""

    loss: Array
    """−log p(word), in nats."""
    hit: npt.NDArray[np.bool_]
    """Whether it was the most probable one."""


def losses(predicted: Array, word: Words, vectors: Array, share: Array) -> Array:
    """Return −log p(word) at all `TEMPERATURES`.

    Parameters
    ----------
    predicted : (B, C, m) array
        ŷ of C candidates at B positions.
    word : (B,) array of int
        What came.
    vectors, share : (V, m) and (V,) arrays
        e(w) and p₁(w).

    Returns
    -------
    (B, C, 16) array
    """
    result = np.empty((*predicted.shape[:2], len(TEMPERATURES)))
    for rows in _panels(predicted, len(share)):
        logits = _products(predicted[rows], vectors) / _HOTTEST
        logits -= logits.max(-1, keepdims=True)
        came = np.take_along_axis(logits, word[rows, None, None], -1)[..., 0]  # (b, C)
        for first, scale in enumerate((1, 2**0.5)):
            powers = np.exp(scale * logits)
            for k in range(_HALVINGS):  # halving τ squares them; those that vanish may
                Z = np.einsum("bcv,v->bc", powers, share)
                result[rows, :, 2 * k + first] = np.log(Z) - scale * 2.0**k * came
                powers *= powers
    result -= np.log(share[word])[:, None, None]
    return result


def scores(predicted: Array, tau: Array, word: Words, vectors: Array, share: Array) -> Scores:
    """Return loss and hit, (B, C), at a temperature of each candidate, (C,)."""
    result = Scores(np.empty(predicted.shape[:2]), np.empty(predicted.shape[:2], np.bool_))
    for rows in _panels(predicted, len(share)):
        logits = _products(predicted[rows], vectors) / tau[:, None] + np.log(share)
        result.hit[rows] = logits.argmax(-1) == word[rows, None]
        came = np.take_along_axis(logits, word[rows, None, None], -1)[..., 0]
        largest = logits.max(-1)
        logits -= largest[..., None]
        result.loss[rows] = np.log(np.exp(logits, out=logits).sum(-1)) + largest - came
    return result


def scores_of(p: Array, word: Words) -> Scores:
    """Return loss and hit, (B,), of distributions (B, V) themselves."""
    return Scores(-np.log(p[np.arange(len(word)), word]), p.argmax(-1) == word)


def _products(predicted: Array, vectors: Array) -> Array:
    """Return ⟨ŷ, e(w)⟩, (b, C, V): not by a library whose bits depend on its threads."""
    return np.asarray(np.einsum("bcm,mv->bcv", predicted, np.ascontiguousarray(vectors.T)))


def _panels(predicted: Array, V: int) -> list[slice]:
    B, C = predicted.shape[:2]
    step = max(_PANEL // (C * V), 1)
    return [slice(i, i + step) for i in range(0, B, step)]
