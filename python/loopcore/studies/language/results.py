"""What the language study measured: losses by blocks of the test part, and spectra of prompts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loopcore.studies.frame.intervals import Interval, of_means
from loopcore.studies.language.config import Config

Array = npt.NDArray[np.float64]

PLAIN, WHITENED = "loops, plain inputs", "loops, whitened inputs"
TRAINED, FOLLOWING = "trained P, Q, η", "trained P, Q, η over λ_max"
RIDGE, NEAREST = "ridge", "nearest neighbours"
COUNTS, WHOLE = "counts of the context", "ridge, training part"
UNIGRAM, BIGRAM, TRIGRAM = "unigram", "bigram", "trigram"

_RESAMPLES = 400
_TAILS = (0.025, 0.975)


class Reference(NamedTuple):
    """A model without a context, or with one of two words."""

    name: str
    loss: Array
    """Mean −log p of the blocks, in nats, (blocks,)."""
    hit: Array
    """How often the most probable word came, (blocks,)."""


class Curve(NamedTuple):
    """A method at L context lengths with C candidate settings."""

    name: str
    setting: str
    """What the candidates are; empty where there is nothing to choose."""
    lengths: Array
    """n, (L,)"""
    candidates: Array
    """(C,)"""
    tau: Array
    """The temperature of the least validation loss, (L, C)."""
    validation: Array
    """Mean validation loss with it, (L, C)."""
    best: npt.NDArray[np.int64]
    """The candidate of the least validation loss, (L,)."""
    loss: Array
    """Mean −log p of the blocks of the test part, in nats, (blocks, L, C)."""
    hit: Array
    """How often the most probable word came, (blocks, L, C)."""
    weight: Array
    """The weight of the best candidate beside the trigram model, chosen on validation, (L,)."""
    mixed: Array
    """Mean −log p of the two together, (blocks, L)."""

    def chosen(self, values: Array) -> Array:
        """Return what belongs to the best candidates, (..., L), of values (..., L, C)."""
        return np.asarray(values[..., np.arange(len(self.best)), self.best])

    @property
    def tested(self) -> Array:
        """The losses of the best candidates, (blocks, L)."""
        return self.chosen(self.loss)

    @property
    def longest(self) -> int:
        """The place of the context length with the least validation loss."""
        return int(self.chosen(self.validation).argmin())


class Spectra(NamedTuple):
    """The prompts of the test part, XᵀX and the loop on them, at L lengths and K numbers T."""

    name: str
    d: int
    lambda_max: Array
    """(blocks, positions a block, L)"""
    kappa: Array
    """κ over the non-zero eigenvalues, (blocks, positions a block, L)."""
    rank: Array
    """(blocks, positions a block, L)"""
    error: Interval
    """The relative error, (L, K): medians over prompts of the median over a prompt's targets."""
    bound: Array
    """exp(−T / 2κ): medians over prompts, (L, K)."""
    broken: Array
    """How many of the errors are above their prompt's bound by more than 1e-9, (L, K)."""
    compared: int
    """How many errors each of these numbers is of."""


class Measured(NamedTuple):
    """One text."""

    name: str
    words: int
    """N"""
    training: int
    """Words of the training part."""
    vocabulary: int
    """V"""
    unknown: float
    """The share of the test part that is not in the vocabulary."""
    positions: int
    """Test positions."""
    references: tuple[Reference, ...]
    """Unigram, bigram, trigram."""
    whole: Curve
    """Ridge with the whole training part as its only context, L = 1."""
    counts: Curve
    """A unigram and a bigram model of the context, mixed with the unigram model, C = 1."""
    shares: Array
    """Its weights of bigram, unigram of the context, and unigram, (L, 3)."""
    curves: tuple[Curve, ...]
    spectra: tuple[Spectra, ...]
    """Of plain and of whitened inputs."""
    training_loss: Array
    """Mean squared error of the trained models at the start and the end, (L, 2 · trained T, 2):
    first with the same steps for all prompts, then with steps over λ_max."""
    usual: Array
    """The mean λ_max of the prompts that they are trained on, (L,)."""

    def reference(self, name: str) -> Reference:
        """Return a reference by its name."""
        return next(one for one in self.references if one.name == name)

    def curve(self, name: str) -> Curve:
        """Return a curve by its name."""
        return next(one for one in self.curves if one.name == name)


@dataclass(frozen=True, eq=False)
class Result:
    """What was measured.

    Attributes
    ----------
    config : Config
        The settings.
    texts : tuple of Measured
        The text, and the benchmark where one was named.
    """

    config: Config
    texts: tuple[Measured, ...]


def mean(blocks: Array) -> Interval:
    """Return means (...) of blocks (blocks, ...), with intervals over resampled blocks."""
    return of_means(blocks)


def perplexity(blocks: Array) -> Interval:
    """Return exp of the mean loss (...) of blocks (blocks, ...), with intervals."""
    return of_means(blocks, np.exp)


def median(values: Array, seed: int = 0) -> Interval:
    """Return medians (...) of positions that come in blocks, which are resampled whole.

    Parameters
    ----------
    values : (blocks, positions a block, ...) array
        Neighbouring positions have most of their prompt in common.
    seed : int
        Fixes the resamples.
    """
    rng: Any = np.random.default_rng(seed)
    rows = rng.integers(len(values), size=(_RESAMPLES, len(values)))
    shape = values.shape[2:]
    medians = [np.median(values[row].reshape(-1, *shape), axis=0) for row in rows]
    low, high = np.quantile(medians, _TAILS, axis=0, method="nearest")
    return Interval(np.asarray(np.median(values.reshape(-1, *shape), axis=0)), low, high)
