"""Models that count: unigram, and n-grams smoothed by interpolated Kneser–Ney.

With counts c of the words w after a context h, and its D taken from each of them::

    p(w | h) = (max(c(h w) − D, 0) + D · N(h) · p(w | h')) / c(h)

N(h) is how many different words follow h, and h' is h without its first word; p(w | h) = p(w | h')
where h was never seen. Below the highest order c(h w) is not how often h w occurs, but how many
different words stand before it. The last h', less than nothing, has p = 1/V.

Source: R. Kneser and H. Ney, "Improved backing-off for m-gram language modeling", 1995,
interpolated as in S. F. Chen and J. Goodman, "An empirical study of smoothing techniques for
language modeling", 1999; D = n₁ / (n₁ + 2 n₂) from how many c are 1 and 2 (H. Ney, U. Essen and
R. Kneser, 1994).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Words = npt.NDArray[np.int64]


def unigram(words: Words, V: int) -> Array:
    """Return (c(w) + 1) / (N + V), shape (V,): no word is impossible."""
    counts = np.bincount(words, minlength=V) + 1.0
    return np.asarray(counts / counts.sum())


class _Level(NamedTuple):
    contexts: Words
    """Rising codes of the contexts, (C,)."""
    counts: Any
    """c(h w), a sparse matrix (C, V)."""
    discount: float
    totals: Array
    """c(h), (C,)."""
    kinds: Array
    """N(h), (C,)."""


class KneserNey:
    """An n-gram model.

    Parameters
    ----------
    words : (N,) array of int
        What to count, N at least the order.
    order : int
        2 is a bigram model, whose contexts are single words.
    V : int
        Words are 0 … V − 1.

    Examples
    --------
    >>> model = KneserNey(np.array([0, 1, 0, 1, 0, 2]), 2, 3)
    >>> model(np.array([[0], [1]])).round(3)
    array([[0.044, 0.644, 0.311],
           [0.933, 0.033, 0.033]])
    """

    def __init__(self, words: Words, order: int, V: int) -> None:
        from scipy.sparse import csr_array

        self.order = order
        self._V = V
        self._levels: list[_Level] = []  # from the highest order down
        codes = np.zeros(len(words) - order + 1, np.int64)
        for k in range(order):
            codes = codes * V + words[k : len(codes) + k]
        for k in range(order, 0, -1):
            grams, counts = np.unique(codes, return_counts=True)
            contexts, rows = np.unique(grams // V, return_inverse=True)
            shape = len(contexts), V
            matrix = csr_array((counts.astype(np.float64), (rows, grams % V)), shape=shape)
            once, twice = (int((counts == c).sum()) for c in (1, 2))
            self._levels.append(
                _Level(
                    contexts,
                    matrix,
                    once / (once + 2 * twice) if once else 0.5,
                    np.asarray(np.bincount(rows, counts), np.float64),
                    np.asarray(np.bincount(rows), np.float64),
                )
            )
            codes = grams % V ** (k - 1)  # each kind of h' w once for every word before it

    def __call__(self, histories: Words) -> Array:
        """Return p(w | h) for histories (B, order − 1), shape (B, V)."""
        p = np.full((len(histories), self._V), 1 / self._V)
        for length, level in enumerate(reversed(self._levels)):
            codes = np.zeros(len(histories), np.int64)
            for k in range(self.order - 1 - length, self.order - 1):
                codes = codes * self._V + histories[:, k]
            rows = np.minimum(np.searchsorted(level.contexts, codes), len(level.contexts) - 1)
            known = level.contexts[rows] == codes
            rows = rows[known]
            D = level.discount
            kept = np.maximum(level.counts[rows].toarray() - D, 0)
            back = D * level.kinds[rows, None] * p[known]
            p[known] = (kept + back) / level.totals[rows, None]
        return p
