"""The language study: its parts against literal computations and libraries, and what it says."""

from __future__ import annotations

import dataclasses
import warnings
from itertools import product

import numpy as np
import pytest

import loopcore
from loopcore import baselines
from loopcore.studies.frame.intervals import Interval
from loopcore.studies.frame.parts import Parts
from loopcore.studies.language import QUICK, STUDY, Config, compute, findings, plot, sheets
from loopcore.studies.language import learners as learning
from loopcore.studies.language.corpus import load
from loopcore.studies.language.embedding import embed
from loopcore.studies.language.ngrams import KneserNey, unigram
from loopcore.studies.language.readout import TEMPERATURES, losses, scores
from loopcore.studies.language.results import mean, median
from loopcore.studies.language.text import UNKNOWN, encode, read, shipped, split_prose

special = pytest.importorskip("scipy.special")
neighbors = pytest.importorskip("sklearn.neighbors")
linear_model = pytest.importorskip("sklearn.linear_model")

TINY = Config(
    lengths=(6, 48),
    loops=(0, 2, 30),
    dimension=4,
    positions=60,
    blocks=6,
    penalties=(0.03, 1.0),
    neighbors=(1, 9),
    trained_loops=(1, 2),
    prompts=400,
)


@pytest.fixture(scope="module")
def corpus():
    return load(TINY)[0]


@pytest.fixture(scope="module")
def kept():
    return {}


@pytest.fixture(scope="module")
def result(threadpools, kept):
    with threadpools.limit(limits=1, user_api="blas"):  # as for every test, but earlier
        return compute(TINY, Parts(kept=kept))


@pytest.fixture(scope="module")
def alice(result):
    return result.texts[0]


# ---- the text ------------------------------------------------------------------------------------


def test_shipped_text_is_alice():
    words = split_prose(shipped())
    assert len(words) == 34340
    assert words[:4] == ["alice's", "adventures", "in", "wonderland"]
    assert words[-2:] == ["the", "end"]


def test_vocabulary_is_that_of_the_training_part():
    text = encode("toy", list("aaabbcnnnn"), 2, 10)
    assert text.vocabulary == (UNKNOWN, "a", "b")
    assert text.words.tolist() == [1, 1, 1, 2, 2, 0, 0, 0, 0, 0]
    assert encode("toy", ["a"] * 3 + ["b"] * 7, 2, 2).vocabulary == (UNKNOWN, "a")
    assert encode("toy", [UNKNOWN] * 10, 1, 9).vocabulary == (UNKNOWN,)


def test_long_files_are_read_up_to_a_line(tmp_path):
    path = tmp_path / "long.txt"
    path.write_text("one two\n" * 100, encoding="utf-8")
    assert read(path, 11) == "one two\n" * 6
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"long\.txt: expected text in UTF-8"):
        read(path, 11)


# ---- models that count ---------------------------------------------------------------------------


def literal_kneser_ney(words, order, V, history):
    """Return p(w | history) by dictionaries."""
    levels = []
    grams = [tuple(words[i : i + order]) for i in range(len(words) - order + 1)]
    counts = {gram: grams.count(gram) for gram in grams}
    for _ in range(order):
        levels.insert(0, counts)
        shorter = {}
        for gram in counts:
            shorter[gram[1:]] = shorter.get(gram[1:], 0) + 1
        counts = shorter
    p = np.full(V, 1 / V)
    for length, counts in enumerate(levels):
        h = tuple(history[len(history) - length :])
        follows = {gram[-1]: c for gram, c in counts.items() if gram[:-1] == h}
        if not follows:
            continue
        once, twice = (list(counts.values()).count(c) for c in (1, 2))
        D = once / (once + 2 * twice) if once else 0.5
        total = sum(follows.values())
        p = D * len(follows) / total * p
        for w, c in follows.items():
            p[w] += max(c - D, 0) / total
    return p


@pytest.mark.parametrize("order", [1, 2, 3])
def test_kneser_ney_is_the_literal_one(rng, order):
    V = 5
    words = rng.choice(V - 1, 60, p=[0.5, 0.3, 0.15, 0.05])  # word 4 is never seen
    histories = np.array(list(product(range(V), repeat=order - 1)), int)
    histories = histories.reshape(V ** (order - 1), order - 1)
    p = KneserNey(words, order, V)(histories)
    assert p.sum(1) == pytest.approx(1)
    assert (p > 0).all()
    for row, history in zip(p, histories, strict=True):
        assert row == pytest.approx(literal_kneser_ney(words, order, V, history), abs=1e-14)


def test_unigram_has_no_impossible_word():
    assert unigram(np.array([0, 0, 1]), 3) == pytest.approx(np.array([3, 2, 1]) / 6)


# ---- vectors -------------------------------------------------------------------------------------


def test_vectors_are_the_singular_vectors_of_the_information(rng):
    V, m = 12, 3
    words = rng.integers(V, size=400)
    words[::2] = np.minimum(words[::2], 4)
    share = unigram(words, V)
    found = embed(words, share, m)
    counts = np.zeros((V, V))
    np.add.at(counts, (words[:-1], words[1:]), 1)
    chance = counts.sum(1, keepdims=True) * counts.sum(0) / counts.sum()
    with np.errstate(divide="ignore"):
        information = np.maximum(np.log(counts / chance), 0)
    U, sigma, Vt = np.linalg.svd(information)
    plain, following = U[:, :m] * sigma[:m] ** 0.5, Vt[:m].T * sigma[:m] ** 0.5
    plain, following = plain - share @ plain, following - share @ following
    for vectors, literal in (
        (found.plain, plain),
        (found.whitened, plain),
        (found.following, following),
    ):
        solution = np.linalg.lstsq(literal, vectors, rcond=None)[0]
        assert vectors == pytest.approx(literal @ solution, abs=1e-5)
        assert share @ vectors == pytest.approx(0, abs=1e-5)
    assert share @ (found.plain**2).sum(1) == pytest.approx(m, abs=1e-4)
    signs = np.linalg.lstsq(plain, found.plain, rcond=None)[0]
    assert np.abs(signs) == pytest.approx(np.eye(m) * np.abs(signs[0, 0]), abs=1e-5)
    for vectors in (found.whitened, found.following):
        assert vectors.T @ (vectors * share[:, None]) == pytest.approx(np.eye(m), abs=1e-4)


def test_vectors_of_too_few_words_are_refused():
    words = np.tile([0, 1], 50)
    with pytest.raises(ValueError, match="text: expected words that span 3 dimensions"):
        embed(words, unigram(words, 8), 3)


# ---- the read-out --------------------------------------------------------------------------------


def test_losses_are_those_of_the_softmax(rng):
    B, C, V, m = 7, 3, 11, 4
    predicted, vectors = 3 * rng.standard_normal((B, C, m)), rng.standard_normal((V, m))
    word, share = rng.integers(V, size=B), rng.dirichlet(np.ones(V))
    found = losses(predicted, word, vectors, share)
    for k, tau in enumerate(TEMPERATURES):
        log_p = special.log_softmax(predicted @ vectors.T / tau + np.log(share), axis=-1)
        literal = -np.take_along_axis(log_p, word[:, None, None], -1)[..., 0]
        assert found[..., k] == pytest.approx(literal, rel=1e-9, abs=1e-9)
        tested = scores(predicted, np.full(C, tau), word, vectors, share)
        assert tested.loss == pytest.approx(literal, rel=1e-12, abs=1e-12)
        assert (tested.hit == (log_p.argmax(-1) == word[:, None])).all()
    assert losses(0 * predicted, word, vectors, share) == pytest.approx(
        np.broadcast_to(-np.log(share[word])[:, None, None], found.shape)
    )


def test_large_predictions_stay_finite(rng):
    predicted, vectors = np.full((1, 1, 2), 1e4), rng.standard_normal((5, 2))
    found = losses(predicted, np.array([0]), vectors, np.full(5, 0.2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(found).all()


# ---- prompts and learners ------------------------------------------------------------------------


def test_prompts_are_what_stands_before_and_nothing_else(corpus):
    words, at, n = corpus.text.words, np.array([100, 25_000]), 6
    X, Y, x_query = corpus.prompts(at, n, "whitened")
    e, f = corpus.embedding.whitened, corpus.embedding.following
    for b, p in enumerate(at):
        for i in range(n):
            present, following = words[p - n + i - 1], words[p - n + i]
            assert X[b, i] == pytest.approx(np.append(e[present], 1))
            assert Y[b, :, i] == pytest.approx(f[following])
        assert x_query[b] == pytest.approx(np.append(e[words[p - 1]], 1))


def test_longer_histories_are_the_words_before(corpus):
    longer = load(dataclasses.replace(TINY, history=2))[0]
    x, e = longer.inputs(np.array([50]), "plain"), longer.embedding.plain
    words = longer.text.words
    assert x[0] == pytest.approx(np.concatenate([e[words[50]], e[words[49]], [1]]))


def test_positions_are_of_their_parts(corpus):
    assert len(corpus.positions["validation"]) == len(corpus.positions["test"]) == 60
    assert corpus.positions["validation"].min() == corpus.text.training
    assert corpus.positions["validation"].max() < corpus.text.validation
    assert corpus.positions["test"].min() == corpus.text.validation
    assert np.ptp(np.diff(corpus.positions["test"])) <= 1


def test_learners_are_the_literal_ones(corpus):
    n, at = 48, corpus.positions["test"][:8]
    trained = [
        learning.Training(np.full(5, 0.01), np.array(2.0), np.array([1.0, 0.5])[:T], 0.0, 0.0)
        for T in TINY.trained_loops * 2
    ]
    found = {
        one.name: one.predict(corpus.prompts(at, n, one.inputs))
        for one in learning.learners(TINY, n, trained)
    }
    for kind in ("plain", "whitened"):
        for b, (X, Y, x) in enumerate(zip(*corpus.prompts(at, n, kind), strict=True)):
            theta, step = np.zeros((5, 4)), 1 / np.linalg.norm(X, 2) ** 2
            for t in range(31):
                if t in TINY.loops:
                    predicted = found[f"loops, {kind} inputs"][b, TINY.loops.index(t)]
                    assert predicted == pytest.approx(x @ theta, rel=1e-9, abs=1e-12)
                theta += step * X.T @ (Y.T - X @ theta)
    for b, (X, Y, x) in enumerate(zip(*corpus.prompts(at, n, "whitened"), strict=True)):
        for k, penalty in enumerate(TINY.penalties):
            ridge = linear_model.Ridge(alpha=penalty * n, fit_intercept=False).fit(X, Y.T)
            assert found["ridge"][b, k] == pytest.approx(ridge.predict(x[None])[0], abs=1e-9)
        theta = np.zeros((5, 4))
        for T, step in enumerate((1.0, 0.5)):
            theta += step * 2.0 * 0.01 * X.T @ (Y.T - X @ theta)
            assert found["trained P, Q, η"][b, T] == pytest.approx(x @ theta, rel=1e-9)
        theta, largest = np.zeros((5, 4)), np.linalg.norm(X, 2) ** 2
        for T, step in enumerate((1.0, 0.5)):
            theta += step * 2.0 * 0.01 / largest * X.T @ (Y.T - X @ theta)
            assert found["trained P, Q, η over λ_max"][b, T] == pytest.approx(x @ theta, rel=1e-9)
        distance = ((X - x) ** 2).sum(1)
        nearest = np.argsort(distance, kind="stable")[:9]
        clear = np.sort(distance)[9] > np.sort(distance)[8] + 1e-9  # no tie at the end
        if clear:
            assert found["nearest neighbours"][b, 1] == pytest.approx(Y[:, nearest].mean(1))


def test_short_contexts_have_no_more_neighbours_than_pairs(corpus):
    (nearest,) = (one for one in learning.learners(TINY, 6, ()) if one.name == "nearest neighbours")
    prompts = corpus.prompts(corpus.positions["test"][:3], 6, "whitened")
    assert nearest.predict(prompts)[:, 1] == pytest.approx(prompts.Y.mean(-1))


def test_models_are_trained_on_the_prompts_themselves(corpus):
    n = 48
    tasks = learning.draw_tasks(corpus, n, TINY, np.random.default_rng(1))
    rng = np.random.default_rng(1)
    at = rng.integers(n + 1, corpus.text.training, TINY.prompts)
    a = rng.standard_normal((TINY.prompts, 4))
    a /= np.linalg.norm(a, axis=1, keepdims=True)
    X, Y, x = corpus.prompts(at, n, "whitened")
    for over in (False, True):
        trained = learning.train(tasks, 2, over_lambda_max=over)
        assert trained.after < trained.before
    trained = learning.train(tasks, 2, over_lambda_max=False)
    predicted = learning.model(trained).predict(X[:, None], Y, x[:, None, None], 2)[..., 0]
    came = corpus.embedding.following[corpus.text.words[at]]
    error = (((predicted - came) * a).sum(1) ** 2).mean()
    assert trained.after == pytest.approx(error, rel=1e-6)  # though it saw d + 1 rows each


# ---- the study -----------------------------------------------------------------------------------


def test_no_loops_are_the_unigram_model(alice):
    reference = alice.reference("unigram")
    for name in ("loops, plain inputs", "loops, whitened inputs"):
        curve = alice.curve(name)
        for i in range(2):
            assert curve.loss[:, i, 0] == pytest.approx(reference.loss)
            assert curve.hit[:, i, 0] == pytest.approx(reference.hit)


def test_losses_of_the_study_are_those_of_its_learners(corpus, alice):
    curve, n, T = alice.curve("loops, whitened inputs"), 48, 30
    for side in ("validation", "test"):
        X, Y, x = corpus.prompts(corpus.positions[side], n, "whitened")
        v = loopcore.run(X[:, None], Y, 1.0, T)
        logits = np.einsum("bmd,bd->bm", v, x) @ corpus.embedding.following.T / curve.tau[1, 2]
        log_p = special.log_softmax(logits + np.log(corpus.share), axis=-1)
        word = corpus.text.words[corpus.positions[side]]
        loss = -log_p[np.arange(60), word]
        if side == "validation":
            assert curve.validation[1, 2] == pytest.approx(loss.mean())
        else:
            assert curve.loss[:, 1, 2] == pytest.approx(loss.reshape(6, 10).mean(1))
            hit = log_p.argmax(1) == word
            assert curve.hit[:, 1, 2] == pytest.approx(hit.reshape(6, 10).mean(1))
    assert (curve.best == curve.validation.argmin(1)).all()


def test_whole_training_part_is_one_large_context(corpus, alice):
    at = np.arange(1, corpus.text.training)
    X = corpus.inputs(at - 1, "whitened")
    Y = corpus.embedding.following[corpus.text.words[at]]
    curve = alice.whole
    theta = np.linalg.solve(X.T @ X + TINY.penalties[0] * len(X) * np.eye(5), X.T @ Y)
    test = corpus.positions["test"]
    logits = corpus.inputs(test - 1, "whitened") @ theta @ corpus.embedding.following.T
    log_p = special.log_softmax(logits / curve.tau[0, 0] + np.log(corpus.share), axis=-1)
    assert curve.loss[:, 0, 0].mean() == pytest.approx(
        -log_p[np.arange(60), corpus.text.words[test]].mean()
    )


def test_counts_are_those_of_the_context(corpus, alice):
    words, loss, hits = corpus.text.words, [], []
    for p in corpus.positions["test"]:
        came, before = words[p - 48 : p], words[p - 49 : p - 1]
        one = np.bincount(came, minlength=corpus.V) / 48
        follows = came[before == words[p - 1]]
        two = np.bincount(follows, minlength=corpus.V) / len(follows) if len(follows) else one
        mixed = np.array(alice.shares[1]) @ np.stack([two, one, corpus.share])
        loss.append(-np.log(mixed[words[p]]))
        hits.append(mixed.argmax() == words[p])
    assert alice.counts.loss[:, 1, 0].mean() == pytest.approx(np.mean(loss))
    assert alice.counts.hit[:, 1, 0].mean() == pytest.approx(np.mean(hits))
    assert alice.shares.sum(1) == pytest.approx(1)


def test_mixtures_are_those_of_two_probabilities(alice):
    trigram = alice.reference("trigram").loss[:, None]
    for curve in (*alice.curves, alice.counts, alice.whole):
        w = curve.weight
        assert ((w >= 0) & (w < 1)).all()
        # −log is convex: the loss of the mixture is at most the mixture of the losses.
        assert (curve.mixed <= w * curve.chosen(curve.loss) + (1 - w) * trigram + 1e-12).all()
        assert curve.mixed[:, w == 0] == pytest.approx(np.repeat(trigram, (w == 0).sum(), 1))


def test_spectra_and_errors_are_those_of_loopcore(corpus, alice):
    at = corpus.positions["test"]
    for s in alice.spectra:
        for i, n in enumerate(TINY.lengths):
            X, Y, _ = corpus.prompts(at, n, s.name)
            spectrum = loopcore.spectrum(X)
            assert s.kappa[..., i].ravel() == pytest.approx(spectrum.kappa, rel=1e-9)
            assert (s.rank[..., i].ravel() == spectrum.rank).all()
            assert s.lambda_max[..., i].ravel() == pytest.approx(spectrum.lambda_max)
            error = loopcore.errors(X[:, None], Y, 1.0, 30, relative=True, at=TINY.loops)
            middle = np.median(error, axis=1)  # over targets, (60, 3)
            assert s.error.value[i] == pytest.approx(np.median(middle, axis=0), rel=1e-7)
            alone = median(middle.reshape(6, 10, 3)[..., 2])
            assert s.error.low[i, 2] == pytest.approx(alone.low, rel=1e-7)
            assert s.error.high[i, 2] == pytest.approx(alone.high, rel=1e-7)
            bound = np.exp(-np.array(TINY.loops) / (2 * spectrum.kappa[:, None]))
            assert s.bound[i] == pytest.approx(np.median(bound, axis=0), rel=1e-7)
            assert s.compared == 60 * 4
        assert s.d == 5
        assert not s.broken.any()
        assert (s.error.value <= s.bound + 1e-9).all()
    assert alice.spectra[1].rank[..., 0].min() < 5  # words repeat


def test_training_lowers_the_squared_error(alice):
    assert alice.training_loss.shape == (2, 4, 2)
    assert (alice.training_loss[..., 1] <= alice.training_loss[..., 0]).all()


def test_ctrl_c_in_a_training_ends_the_study(monkeypatch):
    fit = loopcore.fit

    def interrupted(*arguments, **options):
        found = fit(*arguments, **(options | {"iterations": 0}))
        return found._replace(message="interrupted in iteration 1")

    monkeypatch.setattr(loopcore, "fit", interrupted)
    tasks = learning.Tasks(np.ones((2, 3, 3)), np.ones(2), np.ones(2))
    with pytest.raises(KeyboardInterrupt):
        learning.train(tasks, 1, over_lambda_max=True)


def test_same_configuration_gives_the_same_bits_also_from_kept_parts(result, kept):
    again = compute(TINY)
    resumed = compute(TINY, Parts(kept=dict(list(kept.items())[: len(kept) // 2])))
    for other in again, resumed:
        for a, b in zip(leaves(result.texts), leaves(other.texts), strict=True):
            assert a.shape == b.shape
            assert a.tobytes() == b.tobytes()


def leaves(value):
    if isinstance(value, tuple):
        return [leaf for part in value for leaf in leaves(part)]
    return [np.asarray(value)]


def test_own_texts_and_benchmarks(tmp_path, rng):
    follows = rng.integers(30, size=(30, 3))
    words = [0]
    for _ in range(3000):
        words.append(int(follows[words[-1], rng.integers(3)]))
    names = [f"w{'abcdefghijklmnopqrstuvwxyzäöüß'[w]}" for w in words]
    rows = [" ".join(names[i : i + 20]) for i in range(0, 3000, 20)]
    text, benchmark = tmp_path / "own.txt", tmp_path / "bench.tokens"
    text.write_text("\n".join(rows), encoding="utf-8")
    benchmark.write_text("\n".join(rows), encoding="utf-8")
    config = dataclasses.replace(TINY, text=text, benchmark=benchmark, lengths=(48,), loops=(0, 3))
    result = compute(config)
    own, bench = result.texts
    assert (own.name, bench.name) == ("own.txt", "bench.tokens")
    assert bench.words == own.words + 150  # the ends of lines
    assert own.curve("loops, whitened inputs").tau.shape == (1, 2)
    # Each word has three successors, and log 3 = 1.10 nats are left to those who know.
    assert own.reference("bigram").loss.mean() == pytest.approx(np.log(3), abs=0.15)
    assert "bench.tokens" in " ".join(findings(result))
    assert "no benchmark" not in findings(result)[-1]
    assert len(sheets(result)) == 5
    plot(result)


@pytest.mark.parametrize(
    ("content", "message"),
    [("too short", "expected at least"), ("a b " * 300, "expected a vocabulary of at least 6")],
)
def test_texts_that_do_not_do_are_refused(tmp_path, content, message):
    path = tmp_path / "text.txt"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        load(dataclasses.replace(TINY, text=path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lengths": ()}, "lengths: expected at least one"),
        ({"lengths": (0, 4)}, "lengths: expected at least 1, got 0"),
        ({"lengths": (8, 4)}, "lengths: expected rising numbers"),
        ({"loops": (1, 2)}, "loops: expected 0 and at least one more"),
        ({"loops": (0,)}, "loops: expected 0 and at least one more"),
        ({"penalties": (0.0,)}, "penalties: expected at least"),
        ({"trained_loops": (0,)}, "trained_loops: expected at least 1"),
        ({"neighbors": (0,)}, "neighbors: expected at least 1"),
        ({"dimension": 0}, "dimension: expected at least 1"),
        ({"history": 0}, "history: expected at least 1"),
        ({"blocks": 1}, "blocks: expected at least 2"),
        ({"positions": 5}, "positions: expected at least 6, got 5"),
        ({"prompts": 0}, "prompts: expected at least 1"),
        ({"least_count": 0}, "least_count: expected at least 1"),
        ({"vocabulary": 5}, "vocabulary: expected at least 6"),
        ({"most_words": 0}, "most_words: expected at least 1"),
        ({"seed": -1}, "seed: expected at least 0"),
    ],
)
def test_configurations_that_mean_nothing_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(TINY, **change)


# ---- intervals, findings, figure -----------------------------------------------------------------


def test_median_resamples_blocks_whole(rng):
    values = np.repeat(rng.standard_normal((50, 1)), 20, axis=1)  # all of a block is the same
    value, low, high = median(values)
    assert value == np.median(values)
    assert high - low == pytest.approx(2 * 1.96 * 1.2533 / 50**0.5, rel=0.5)  # of 50, not of 1,000
    assert float(mean(values).value[0]) == pytest.approx(values.mean())


def change(result, **parts):
    one = result.texts[0]
    return dataclasses.replace(result, texts=(one._replace(**parts),))


def test_findings_say_what_the_numbers_say(result, alice):
    found = findings(result)
    assert found[0].startswith("Open question 3, language: on Alice's Adventures in Wonderland")
    total = 2 * 60 * 4 * 2 * 3  # inputs, prompts, targets, n, T
    assert f"all {total:,} relative errors keep exp(−T/2κ)" in found[0]
    broken = np.zeros_like(alice.spectra[0].broken)
    broken[0, 1] = 7
    spectra = (alice.spectra[0]._replace(broken=broken), alice.spectra[1])
    assert f"7 of {total:,} relative errors break" in findings(change(result, spectra=spectra))[0]

    def shifted(by):
        curves = tuple(
            c._replace(loss=c.loss - by) if c.name.startswith("loops") else c for c in alice.curves
        )
        return findings(change(result, curves=curves))

    assert "less than a bigram model of the training part" in shifted(3.0)[0]
    assert "more than a unigram model" in shifted(-3.0)[0]
    rivals = 5
    assert "better for certain" not in shifted(3.0)[rivals]
    assert "worse for certain: ridge by" in shifted(3.0)[rivals]
    assert "better for certain: ridge by" in shifted(-3.0)[rivals]
    assert "worse for certain" not in shifted(-3.0)[rivals]
    assert "lower at 0 and higher at 2 of 2 context lengths" in shifted(3.0)[4]
    assert "lower at 2 and higher at 0 of 2 context lengths" in shifted(-3.0)[4]
    trigram = alice.reference("trigram").loss
    white = alice.curve("loops, whitened inputs")
    for by, words in (
        (np.full(6, -0.5), "tells what the counts"),
        (np.full(6, 0.5), "too much for the test part"),
        (np.array([0.5, -0.5] * 3), "adds nothing that could be seen"),
    ):
        mixed = np.broadcast_to((trigram + by)[:, None], white.mixed.shape)
        curves = tuple(c._replace(mixed=mixed) if c is white else c for c in alice.curves)
        assert words in findings(change(result, curves=curves))[6]
    assert found[-1].startswith("Not settled: no benchmark")
    slow = tuple(s._replace(error=Interval(*[np.ones((2, 3))] * 3)) for s in alice.spectra)
    assert "none falls to ½ by T = 30" in findings(change(result, spectra=slow))[1]


@pytest.mark.parametrize("by", [-3.0, 0.0, 3.0])
def test_findings_are_short(result, alice, by):
    one = alice._replace(
        name="x" * 32, curves=tuple(c._replace(loss=c.loss + by) for c in alice.curves)
    )
    first, *others = findings(dataclasses.replace(result, texts=(one, one)))
    assert first.startswith("Open question 3")
    assert len(first) <= 350
    assert len(others) <= 8
    assert max(map(len, others)) <= 600
    assert len(STUDY.question) <= 300
    assert len(STUDY.caption) <= 700


def test_tables_fit(result):
    for sheet in sheets(result):
        assert len(sheet.rows) <= 15
        assert all(len(row) == len(sheet.columns) for row in sheet.rows)
        widths = [
            max(len(row[i]) for row in (sheet.columns, *sheet.rows))
            for i in range(len(sheet.columns))
        ]
        assert sum(widths) + 2 * (len(widths) - 1) <= 80


def test_figure_draws_what_there_is_without_warnings(result, alice):
    assert len(plot(result).axes) == 4
    hollow = tuple(
        s._replace(error=Interval(*[0 * s.error.value] * 3), kappa=np.full_like(s.kappa, np.nan))
        for s in alice.spectra
    )
    plot(change(result, spectra=hollow)).canvas.draw()
    findings(change(result, spectra=(hollow[0]._replace(kappa=alice.spectra[0].kappa),) * 2))


def test_study_is_as_the_command_expects():
    assert STUDY.name == "language"
    assert STUDY.quick is QUICK
    assert STUDY.full == Config()
    assert baselines.ridge is not None
