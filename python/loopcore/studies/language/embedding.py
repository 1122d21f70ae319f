"""Vectors of words, from which words follow which in the training part.

With c(u, w) how often w comes right after u, and c the number of pairs::

    M(u, w) = max(log(c(u, w) c / (c(u) c(w))), 0) ≈ U Σ Vᵀ

Each word has two vectors, one for what comes after it and one for what comes before it: its rows of
U Σ^½ and of V Σ^½. The first are inputs, the second targets. Each kind is centred and, but for the
inputs called "plain", turned and scaled so that over the words of the training part, as often as
they occur, its mean is 0 and its covariance I [ours]. For then, to first order in the dependence,
p(w | x) ≈ p(w) (1 + ⟨E[e(next) | x], e(w)⟩) in the span of the vectors: the best linear prediction
of the next vector is the logit that is added to log p(w).

Source: O. Levy and Y. Goldberg, "Neural word embedding as implicit matrix factorization", 2014
(positive pointwise mutual information, and the exponent ½).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Words = npt.NDArray[np.int64]

_DIGITS = 6  # the last bits of a decomposition depend on the threads of its library


class Embedding(NamedTuple):
    """The vectors of V words, m numbers each."""

    plain: Array
    """(V, m), of a word as the present one: centred, and scaled to a mean square norm of m."""
    whitened: Array
    """(V, m), the same in coordinates in which the covariance is I."""
    following: Array
    """(V, m), of a word as the next one, whitened."""


def embed(words: Words, share: Array, m: int) -> Embedding:
    """Return the vectors.

    Parameters
    ----------
    words : (N,) array of int
        The training part.
    share : (V,) array
        How often each word occurs, adding to 1 and nowhere 0.
    m : int
        Length of a vector, below V.

    Raises
    ------
    ValueError
        If M has fewer than m singular values to speak of.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.linalg import svds

    V = len(share)
    before, after = words[:-1], words[1:]
    pairs = coo_array((np.ones(len(before)), (before, after)), shape=(V, V)).tocsr().tocoo()
    firsts, seconds = np.bincount(before, minlength=V), np.bincount(after, minlength=V)
    chance = firsts[pairs.row] * seconds[pairs.col] / len(before)
    information = np.maximum(np.log(pairs.data / chance), 0)
    M = coo_array((information, (pairs.row, pairs.col)), shape=(V, V)).tocsr()
    U, sigma, Vt = svds(M, k=m, v0=np.full(V, V**-0.5))  # in rising order
    if not sigma[0] > 1e-8 * sigma[-1]:
        raise ValueError(f"text: expected words that span {m} dimensions, got fewer")
    present, following = (side[:, ::-1] * np.sqrt(sigma[::-1]) for side in (U, Vt.T))
    present = present - share @ present
    scale = np.sqrt(m / (share @ (present * present).sum(-1)))
    return Embedding(
        _rounded(present * scale), _whitened(present, share), _whitened(following, share)
    )


def _whitened(vectors: Array, share: Array) -> Array:
    """Return A (e − mean), whose covariance is I, along the principal axes, the longest first."""
    centred = vectors - share @ vectors
    values, axes = np.linalg.eigh((centred * share[:, None]).T @ centred)
    return _rounded((centred @ (axes / np.sqrt(values)))[:, ::-1])


def _rounded(vectors: Array) -> Array:
    """Return columns whose largest entry is positive, with digits that any machine agrees on."""
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(0)[None], 0)
    rounded: Array = np.round(vectors * np.sign(largest), _DIGITS)
    return rounded
