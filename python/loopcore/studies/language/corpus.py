"""A text made ready: prompts at its positions, and the words that they are to predict."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from loopcore.studies.language.config import Config
from loopcore.studies.language.embedding import Embedding, embed
from loopcore.studies.language.ngrams import KneserNey, unigram
from loopcore.studies.language.text import (
    Text,
    encode,
    read,
    shipped,
    split_benchmark,
    split_prose,
)

Array = npt.NDArray[np.float64]
Words = npt.NDArray[np.int64]
Inputs = Literal["plain", "whitened"]
Part = Literal["validation", "test"]

_LONGEST_NAME = 32


class Prompts(NamedTuple):
    """Prompts of n pairs of a word and the next one, each with m targets on one X."""

    X: Array
    """(B, n, d)"""
    Y: Array
    """(B, m, n): the next word's vector, an entry a row."""
    x_query: Array
    """(B, d): the input at the present word."""


class Corpus:
    """A text with what its training part teaches: vocabulary, vectors, counts.

    Parameters
    ----------
    text : Text
        In numbers.
    config : Config
        The sizes.

    Raises
    ------
    ValueError
        If the text is too short for the contexts or the blocks.
    """

    def __init__(self, text: Text, config: Config) -> None:
        self.text = text
        self.V = len(text.vocabulary)
        self._history = config.history
        start = config.lengths[-1] + config.history
        if text.training < start or len(text.words) - text.validation < config.blocks:
            raise ValueError(
                f"{text.name}: for these contexts and blocks expected at least "
                f"{max(start / 0.6, config.blocks / 0.2):,.0f} words, got {len(text.words):,}"
            )
        if config.dimension + 2 > self.V:
            raise ValueError(
                f"{text.name}: expected a vocabulary of at least {config.dimension + 2} words, "
                f"got {self.V}"
            )
        training = text.words[: text.training]
        self.share = unigram(training, self.V)  # (V,)
        self.embedding: Embedding = embed(training, self.share, config.dimension)
        self.bigrams = KneserNey(training, 2, self.V)
        self.trigrams = KneserNey(training, 3, self.V)
        self.positions: dict[Part, Words] = {
            "validation": _spread(text.training, text.validation, config),
            "test": _spread(text.validation, len(text.words), config),
        }

    def inputs(self, at: Words, kind: Inputs) -> Array:
        """Return the inputs (..., d) at words of the text, each of it and of those before it."""
        vectors = getattr(self.embedding, kind)[self.text.words]
        one = np.ones((*at.shape, 1))
        return np.concatenate([*(vectors[at - k] for k in range(self._history)), one], axis=-1)

    def prompts(self, positions: Words, n: int, kind: Inputs) -> Prompts:
        """Return the prompts that end before each position, (B,): nothing of what follows is seen.

        Those of the validation and test part reach back into the part before, which a reader at
        that position has read.
        """
        next_words = positions[:, None] - np.arange(n, 0, -1)  # (B, n)
        targets = self.embedding.following[self.text.words[next_words]]  # (B, n, m)
        return Prompts(
            self.inputs(next_words - 1, kind),
            targets.swapaxes(-1, -2),
            self.inputs(positions - 1, kind),
        )


def load(config: Config) -> list[Corpus]:
    """Return the text, and the benchmark where one is named.

    Raises
    ------
    OSError, ValueError
        If a file cannot be read, is not text, or is too short.
    """
    words = split_prose(shipped() if config.text is None else read(config.text, config.most_words))
    texts = [(_name(config.text), words)]
    if config.benchmark is not None:
        words = split_benchmark(read(config.benchmark, config.most_words))
        texts.append((_name(config.benchmark), words))
    return [
        Corpus(encode(name, words, config.least_count, config.vocabulary), config)
        for name, words in texts
    ]


def _name(path: Path | None) -> str:
    name = "Alice's Adventures in Wonderland" if path is None else path.name
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _spread(start: int, end: int, config: Config) -> Words:
    """Return positions of a part at equal distances, the same number in each block."""
    count = min(config.positions, end - start) // config.blocks * config.blocks
    return np.asarray(start + np.arange(count) * (end - start) // count, np.int64)
