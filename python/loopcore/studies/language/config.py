"""What the language study measures: texts, prompts, candidates and the seed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path


@dataclass(frozen=True)
class Config:
    """What to measure.

    Attributes
    ----------
    text : Path, optional
        A text in UTF-8; the one that is shipped by default.
    benchmark : Path, optional
        A second one, of which the same is measured: a file of a benchmark such as Penn Treebank or
        WikiText, with words parted by blanks, a sentence or a paragraph a line. Its vocabulary,
        vectors and counts are those of its own first part.
    lengths : tuple of int
        Rising context lengths n, in pairs of a word and the next one.
    loops : tuple of int
        Rising numbers of loops T, from 0 on: T = 0 is the unigram model.
    dimension : int
        Length of a word's vector, and so the number of targets of each prompt, m.
    history : int
        How many words an input is made of, h: the present one, the one before it, …; with a
        constant the inputs have d = h m + 1 entries.
    positions : int
        Positions of each of the validation and the test part, at equal distances, at which the next
        word is predicted; as many as there are in shorter texts.
    blocks : int
        Blocks of neighbouring positions that the bootstrap resamples, at least 2.
    penalties : tuple of float
        Rising candidates for ridge, in units of n.
    neighbors : tuple of int
        Rising candidates for the number of nearest neighbours, of which n are taken at most.
    trained_loops : tuple of int
        Rising T of the trained models, from 1 on.
    prompts : int
        Prompts from the training part that each model is trained on.
    least_count : int
        How often a word must occur in the training part to be in the vocabulary.
    vocabulary : int
        The most words in the vocabulary.
    most_words : int
        A longer file is read up to about here.
    seed : int
        Fixes the prompts that models are trained on, and the resamples.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """

    text: Path | None = None
    benchmark: Path | None = None
    lengths: tuple[int, ...] = (16, 32, 64, 128, 256, 512, 1024)
    loops: tuple[int, ...] = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000)
    dimension: int = 16
    history: int = 1
    positions: int = 1600
    blocks: int = 40
    penalties: tuple[float, ...] = (0.001, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
    neighbors: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)
    trained_loops: tuple[int, ...] = (1, 4)
    prompts: int = 3000
    least_count: int = 2
    vocabulary: int = 2000
    most_words: int = 300_000
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what means nothing."""
        for name, values, least in (
            ("lengths", self.lengths, 1),
            ("loops", self.loops, 0),
            ("penalties", self.penalties, 1e-12),
            ("neighbors", self.neighbors, 1),
            ("trained_loops", self.trained_loops, 1),
        ):
            if not values:
                raise ValueError(f"{name}: expected at least one, got none")
            if any(b <= a for a, b in pairwise(values)):
                raise ValueError(f"{name}: expected rising numbers, got {values}")
            if values[0] < least:
                raise ValueError(f"{name}: expected at least {least}, got {values[0]}")
        if self.loops[0] != 0 or len(self.loops) < 2:
            raise ValueError(f"loops: expected 0 and at least one more, got {self.loops}")
        for name, value, least in (
            ("dimension", self.dimension, 1),
            ("history", self.history, 1),
            ("blocks", self.blocks, 2),
            ("positions", self.positions, self.blocks),
            ("prompts", self.prompts, 1),
            ("least_count", self.least_count, 1),
            ("vocabulary", self.vocabulary, self.dimension + 2),
            ("most_words", self.most_words, 1),
            ("seed", self.seed, 0),
        ):
            if value < least:
                raise ValueError(f"{name}: expected at least {least}, got {value}")


QUICK = Config(
    lengths=(16, 64, 256),
    loops=(0, 1, 4, 16, 64, 250, 1000),
    positions=400,
    blocks=20,
    penalties=(0.01, 0.1, 0.3, 1.0, 3.0),
    neighbors=(2, 8, 16),
    trained_loops=(2,),
    prompts=1500,
)
"""Ten seconds; `Config()` takes about two minutes."""
