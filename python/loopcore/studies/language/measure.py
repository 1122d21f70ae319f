"""The measurements of one text: choosing on its validation part, testing on its test part."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

import loopcore
from loopcore import baselines, theory
from loopcore.studies.frame.parts import Parts
from loopcore.studies.language.config import Config
from loopcore.studies.language.corpus import Corpus, Inputs, Part
from loopcore.studies.language.learners import Learner, Tasks, Training, draw_tasks, learners, train
from loopcore.studies.language.readout import TEMPERATURES, losses, scores, scores_of
from loopcore.studies.language.results import (
    BIGRAM,
    COUNTS,
    TRIGRAM,
    UNIGRAM,
    WHOLE,
    Curve,
    Measured,
    Reference,
    Spectra,
    median,
)

Array = npt.NDArray[np.float64]
Words = npt.NDArray[np.int64]
Predict = Callable[[Words], Array]  # positions (B,) → ŷ (B, C, m)

_SLICE = 500  # positions a part
_ROUNDING = 1e-9  # what an error may be above the bound, which falls below all rounding
_WEIGHTS = np.linspace(0, 1, 41)


class _Counted(NamedTuple):
    loss: Array
    """(3, P): unigram, bigram, trigram."""
    hit: Array
    """(3, P)"""


class _Trained(NamedTuple):
    gamma: Array
    p: Array
    schedule: Array
    before: Array
    after: Array
    lambda_max: Array
    """The mean over the prompts, ()."""


class _Sum(NamedTuple):
    loss: Array
    """Over the positions of a slice, (C, temperatures)."""


class _Tested(NamedTuple):
    validation: Array
    """Loss of the best candidate, (B,)."""
    loss: Array
    """(B', C)"""
    hit: Array
    """(B', C)"""


class _Context(NamedTuple):
    p: Array
    """p(word) by bigram and unigram of the context, (2, P)."""


class _Hit(NamedTuple):
    hit: Array
    """(P,)"""


class _Prompts(NamedTuple):
    lambda_max: Array
    """(P,)"""
    kappa: Array
    """(P,)"""
    rank: Array
    """(P,)"""
    error: Array
    """Medians over targets, (P, K)."""
    broken: Array
    """(K,)"""


REFERENCES = (UNIGRAM, BIGRAM, TRIGRAM)
INPUTS: tuple[Inputs, ...] = ("plain", "whitened")


def measure(corpus: Corpus, number: int, config: Config, parts: Parts) -> Measured:
    """Measure one text.

    Parameters
    ----------
    corpus : Corpus
        The text.
    number : int
        Which of the texts it is.
    config : Config
        What to measure.
    parts : Parts
        Measures the parts.

    Returns
    -------
    Measured
    """
    text, run = corpus.text, _Run(corpus, number, config, parts)
    trained, usual = run.train()
    names = [one.name for one in learners(config, 1, ())]
    references = [
        Reference(name, run.blocks(run.counted["test"].loss[i]), run.blocks(run.hits[i]))
        for i, name in enumerate(REFERENCES)
    ]
    curves = [
        run.curve([learners(config, n, trained[n])[i] for n in config.lengths])
        for i in range(len(names))
    ]
    counts, shares = run.counts()
    return Measured(
        text.name,
        len(text.words),
        text.training,
        corpus.V,
        float((text.words[text.validation :] == 0).mean()),
        len(corpus.positions["test"]),
        tuple(references),
        run.whole(),
        counts,
        shares,
        tuple(curves),
        tuple(run.spectra(kind) for kind in INPUTS),
        np.array([[(one.before, one.after) for one in trained[n]] for n in config.lengths]),
        usual,
    )


class _Run:
    """The stages of one text."""

    def __init__(self, corpus: Corpus, number: int, config: Config, parts: Parts) -> None:
        self._corpus = corpus
        self._number = number
        self._config = config
        self._parts = parts
        self._words = {part: corpus.text.words[at] for part, at in corpus.positions.items()}
        sides: tuple[Part, Part] = ("validation", "test")
        found = parts("counting words", [(number, s) for s in sides], _Counted, self._count)
        self.counted = dict(zip(sides, found, strict=True))
        self.hits = self.counted["test"].hit

    def blocks(self, values: Array) -> Array:
        """Return means over blocks of test positions, (blocks, ...), of values (P, ...)."""
        blocks = self._config.blocks
        return np.asarray(values.reshape(blocks, -1, *values.shape[1:]).mean(1))

    def train(self) -> tuple[dict[int, list[Training]], Array]:
        """Train the models for each length, and return the mean λ_max of their prompts, (L,)."""
        config = self._config
        keys = [
            (self._number, n, T, over)
            for n in config.lengths
            for over in (0, 1)
            for T in config.trained_loops
        ]

        @lru_cache(maxsize=1)
        def tasks(n: int) -> Tasks:
            rng = np.random.default_rng([config.seed, self._number, n])
            return draw_tasks(self._corpus, n, config, rng)

        def one(key: tuple[int, int, int, int]) -> _Trained:
            given = tasks(key[1])
            trained = train(given, key[2], over_lambda_max=bool(key[3]))
            return _Trained(*trained, given.lambda_max.mean())

        found = self._parts("training", keys, _Trained, one)
        count = 2 * len(config.trained_loops)
        rows = [found[i : i + count] for i in range(0, len(found), count)]
        models = [[Training(*one[:-1]) for one in row] for row in rows]
        usual = np.array([row[0].lambda_max for row in rows])
        return dict(zip(config.lengths, models, strict=True)), usual

    def curve(self, each: list[Learner]) -> Curve:
        """Measure a method, given for each length."""
        lengths = self._config.lengths
        first = each[0]

        def predictor(learner: Learner, n: int) -> Predict:
            def predict(at: Words) -> Array:
                return learner.predict(self._corpus.prompts(at, n, learner.inputs))

            return predict

        predict = {n: predictor(one, n) for one, n in zip(each, lengths, strict=True)}
        return self._curve(first.name, first.setting, first.candidates, predict)

    def whole(self) -> Curve:
        """Measure ridge on the whole training part."""
        corpus, penalties = self._corpus, self._config.penalties
        at = np.arange(self._config.history, corpus.text.training)
        X = corpus.inputs(at - 1, "whitened")  # (n, d)
        Y = corpus.embedding.following[corpus.text.words[at]].T  # (m, n)
        p = np.reshape(penalties, (-1, 1, 1)) * len(X)

        def predict(at: Words) -> Array:
            x = corpus.inputs(at - 1, "whitened")
            return np.moveaxis(baselines.ridge(X, Y, x, penalty=p), -1, 0)  # from (C, m, B)

        return self._curve(WHOLE, "p/n", penalties, {len(X): predict})

    def counts(self) -> tuple[Curve, Array]:
        """Measure a bigram and a unigram model of the context, mixed with the unigram model."""
        lengths, blocks = self._config.lengths, self._config.blocks
        sides: tuple[Part, Part] = ("validation", "test")
        keys = [(self._number, n, side) for n in lengths for side in sides]
        contexts = self._parts("counting contexts", keys, _Context, self._count_context)
        static = {side: np.exp(-self.counted[side].loss[0])[None] for side in sides}
        p = {
            key[1:]: np.concatenate([found.p, static[key[2]]])  # (3, P)
            for key, found in zip(keys, contexts, strict=True)
        }
        shares = {n: _best_shares(p[n, "validation"]) for n in lengths}

        def top(key: tuple[int, int]) -> _Hit:
            return self._top_of_counts(key[1], shares[key[1]])

        hits = self._parts("testing counts", [(self._number, n) for n in lengths], _Hit, top)
        validation = np.stack([-np.log(shares[n] @ p[n, "validation"]) for n in lengths], 1)
        test = np.stack([-np.log(shares[n] @ p[n, "test"]) for n in lengths], 1)  # (P, L)
        weight, mixed = self._mix(validation, test)
        L = len(lengths)
        curve = Curve(
            COUNTS,
            "",
            np.array(lengths, np.float64),
            np.zeros(1),
            np.full((L, 1), np.nan),
            validation.mean(0)[:, None],
            np.zeros(L, np.int64),
            self.blocks(test)[..., None],
            np.stack([one.hit.reshape(blocks, -1).mean(1) for one in hits], 1)[..., None],
            weight,
            mixed,
        )
        return curve, np.array([shares[n] for n in lengths])

    def spectra(self, kind: Inputs) -> Spectra:
        """Measure κ, rank and relative errors of the test prompts."""
        config, corpus = self._config, self._corpus
        at = np.array_split(corpus.positions["test"], -(-len(corpus.positions["test"]) // _SLICE))
        keys = [(self._number, kind, n, i) for n in config.lengths for i in range(len(at))]

        def one(key: tuple[int, Inputs, int, int]) -> _Prompts:
            return self._loop(key[2], key[1], at[key[3]])

        found = self._parts(f"looping, {kind} inputs", keys, _Prompts, one)
        L = len(config.lengths)
        rows = [found[i * len(at) : (i + 1) * len(at)] for i in range(L)]
        largest, kappa, rank, error = (
            np.stack([np.concatenate([getattr(one, name) for one in row]) for row in rows], 1)
            for name in ("lambda_max", "kappa", "rank", "error")
        )  # (P, L) and (P, L, K)
        shape = (config.blocks, -1, L)
        bound = theory.relative_error_bound(np.array(config.loops), kappa[..., None])
        return Spectra(
            kind,
            config.history * config.dimension + 1,
            largest.reshape(shape),
            kappa.reshape(shape),
            rank.reshape(shape),
            median(error.reshape(*shape, len(config.loops))),
            np.median(bound, axis=0),
            np.stack([np.sum([one.broken for one in row], axis=0) for row in rows]),
            len(kappa) * config.dimension,
        )

    def _curve(
        self,
        name: str,
        setting: str,
        candidates: tuple[float, ...],
        predict: dict[int, Predict],
    ) -> Curve:
        """Choose temperature and candidate on validation data, and test."""
        lengths = list(predict)
        vectors, share = self._corpus.embedding.following, self._corpus.share
        at, words = self._corpus.positions, self._words
        slices = {side: _slices(len(at[side])) for side in at}
        keys = [(self._number, n, i) for n in lengths for i in range(len(slices["validation"]))]

        def add(key: tuple[int, int, int]) -> _Sum:
            rows = slices["validation"][key[2]]
            predicted = predict[key[1]](at["validation"][rows])
            loss = losses(predicted, words["validation"][rows], vectors, share)
            return _Sum(loss.sum(0))

        sums = self._parts(f"choosing: {name}", keys, _Sum, add)
        loss = np.array([one.loss for one in sums])  # (L · slices, C, temperatures)
        mean = loss.reshape(len(lengths), -1, *loss.shape[1:]).sum(1) / len(at["validation"])
        tau, validation = TEMPERATURES[mean.argmin(-1)], mean.min(-1)  # (L, C)
        best = validation.argmin(-1)
        place = {n: i for i, n in enumerate(lengths)}

        def test(key: tuple[int, int, int]) -> _Tested:
            n, i = key[1], place[key[1]]
            rows = {side: slices[side][key[2]] for side in at}
            weighed = predict[n](at["validation"][rows["validation"]])[:, best[i], None]
            came = words["validation"][rows["validation"]]
            chosen = scores(weighed, tau[i, best[i], None], came, vectors, share)
            tested = predict[n](at["test"][rows["test"]])
            result = scores(tested, tau[i], words["test"][rows["test"]], vectors, share)
            return _Tested(chosen.loss[:, 0], result.loss, np.asarray(result.hit, np.float64))

        found = self._parts(f"testing: {name}", keys, _Tested, test)
        by_length = [
            [one for key, one in zip(keys, found, strict=True) if key[1] == n] for n in lengths
        ]
        weighed, tested, hit = (
            np.stack([np.concatenate([getattr(one, field) for one in row]) for row in by_length], 1)
            for field in _Tested._fields
        )  # (P, L), (P, L, C), (P, L, C)
        weight, mixed = self._mix(weighed, tested[:, np.arange(len(lengths)), best])
        return Curve(
            name,
            setting,
            np.array(lengths, np.float64),
            np.array(candidates, np.float64),
            tau,
            validation,
            best,
            self.blocks(tested),
            self.blocks(hit),
            weight,
            mixed,
        )

    def _mix(self, validation: Array, test: Array) -> tuple[Array, Array]:
        """Mix with the trigram model, by losses (P, L) of both parts; weights from the first."""
        beside = {side: np.exp(-found.loss[2])[:, None] for side, found in self.counted.items()}
        p = np.exp(-validation)
        tried = [-np.log(w * p + (1 - w) * beside["validation"]).mean(0) for w in _WEIGHTS[:-1]]
        weight = _WEIGHTS[np.argmin(tried, axis=0)]  # (L,)
        mixed = -np.log(weight * np.exp(-test) + (1 - weight) * beside["test"])
        return weight, self.blocks(mixed)

    def _count(self, key: tuple[int, Part]) -> _Counted:
        corpus, side = self._corpus, key[1]
        at, word = corpus.positions[side], self._words[side]
        before = corpus.text.words[at[:, None] - np.array([2, 1])]  # (P, 2)
        found = [scores_of(np.broadcast_to(corpus.share, (len(at), corpus.V)), word)]
        found += [scores_of(corpus.bigrams(before[:, 1:]), word)]
        found += [scores_of(corpus.trigrams(before), word)]
        return _Counted(np.stack([one.loss for one in found]), np.stack([one.hit for one in found]))

    def _context(self, at: Words, n: int) -> tuple[Words, npt.NDArray[np.bool_]]:
        """Return the next words of the prompts (B, n), and where the present one is the query's."""
        words = self._corpus.text.words
        rows = at[:, None] - np.arange(n, 0, -1)
        return words[rows], words[rows - 1] == words[at - 1][:, None]

    def _count_context(self, key: tuple[int, int, Part]) -> _Context:
        at, word = self._corpus.positions[key[2]], self._words[key[2]][:, None]
        follows, same = self._context(at, key[1])
        came = follows == word
        unigram = came.mean(1)
        seen = same.sum(1)
        bigram = np.where(seen > 0, (came & same).sum(1) / np.maximum(seen, 1), unigram)
        return _Context(np.stack([bigram, unigram]))

    def _top_of_counts(self, n: int, shares: Array) -> _Hit:
        at, word, V = self._corpus.positions["test"], self._words["test"], self._corpus.V
        hits = []
        for rows in _slices(len(at)):
            follows, same = self._context(at[rows], n)
            place = (np.arange(len(follows))[:, None] * V + follows).ravel()
            size = len(follows) * V
            unigram = np.bincount(place, minlength=size).reshape(-1, V) / n
            bigram = np.bincount(place, same.ravel(), minlength=size).reshape(-1, V)
            seen = bigram.sum(1, keepdims=True)
            bigram = np.where(seen > 0, bigram / np.maximum(seen, 1), unigram)
            p = shares[0] * bigram + shares[1] * unigram + shares[2] * self._corpus.share
            hits.append(p.argmax(1) == word[rows])
        return _Hit(np.concatenate(hits))

    def _loop(self, n: int, kind: Inputs, at: Words) -> _Prompts:
        loops = np.array(self._config.loops)
        X, Y, _ = self._corpus.prompts(at, n, kind)
        basis = theory.eigenbasis(X[:, None], Y)  # one X, many y
        theta = (basis.vectors @ basis.theta[..., None])[..., 0]  # (B, m, d)
        error = loopcore.errors(
            X[:, None], Y, 1.0, int(loops[-1]), theta=theta, relative=True, at=loops
        )  # (B, m, K)
        values = basis.eigenvalues[:, 0]  # (B, d)
        kept = values > 0
        kappa = values[:, 0] / np.where(kept, values, np.inf).min(-1)
        bound = np.asarray(theory.relative_error_bound(loops, kappa[:, None]))  # (B, K)
        return _Prompts(
            values[:, 0],
            kappa,
            kept.sum(-1),
            np.median(error, axis=1),
            (error > bound[:, None] + _ROUNDING).sum((0, 1)),
        )


def _slices(P: int) -> list[slice]:
    return [slice(i, min(i + _SLICE, P)) for i in range(0, P, _SLICE)]


def _best_shares(p: Array) -> Array:
    """Return the weights (3,) of p (3, P) of the least mean −log: tenths, the last one positive."""
    grid = [
        (i / 10, j / 10, (10 - i - j) / 10) for i, j in product(range(10), repeat=2) if i + j < 10
    ]
    tried = [-np.log(np.array(weights) @ p).mean() for weights in grid]
    return np.array(grid[int(np.argmin(tried))])
