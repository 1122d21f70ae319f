"""Single large prompts of any looped attention, which a team of threads works on together."""

from __future__ import annotations

import numpy as np
import pytest

from bits import assert_same_bits
from families import KINDS, name_of, random_model
from loopcore import DivergenceWarning, LoopedTransformer
from strategies import LAYOUTS

every_kind = pytest.mark.parametrize("kind", KINDS, ids=name_of)
T = 3


def large(rng, kind, B, dtype=np.float64):
    """Return a model of two layers and two heads, and B prompts whose rows or keys are in parts."""
    D = 33
    n = {"query": 40_000, "all": 300, "targets": 900}[kind["update"]]
    if kind["attention"] == "linear":
        n = 9000
    scale = "sum" if kind["attention"] == "softmax" else "mean"
    model = LoopedTransformer(**random_model(rng, kind, (2, 2, scale, True, True), D, T))
    return model, rng.normal(size=(B, n + 1, D)).astype(dtype)


@every_kind
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_bits_do_not_depend_on_threads(rng, kind, dtype):
    model, Z = large(rng, kind, 1, dtype)
    expected = model(Z[0], T, num_threads=1)
    assert np.isfinite(expected).all()
    assert (expected[-1] != Z[0, -1]).any()
    for num_threads in (2, 3, 7):
        assert_same_bits(model(Z[0], T, num_threads=num_threads), expected)
    assert_same_bits(model(Z[0], T), expected)


@every_kind
def test_bits_of_a_few_are_those_of_one(rng, kind):
    """Whether a team takes them one by one or they are shared out."""
    model, Z = large(rng, kind, 3)
    alone = np.stack([model(prompt, T, num_threads=1) for prompt in Z])
    for B in (1, 2, 3):
        for num_threads in (1, 2, 3):
            assert_same_bits(model(Z[:B], T, num_threads=num_threads), alone[:B])


@every_kind
def test_bits_of_a_trajectory_do_not_depend_on_threads(rng, kind):
    model, Z = large(rng, kind, 2)
    expected = model.trajectory(Z, T, num_threads=1)
    for num_threads in (2, 3):
        assert_same_bits(model.trajectory(Z, T, num_threads=num_threads), expected)


@every_kind
@pytest.mark.parametrize("layout", ["Fortran", "negative strides", "byte-swapped"])
def test_bits_do_not_depend_on_memory_layout(rng, kind, layout):
    model, Z = large(rng, kind, 1)
    expected = model(Z[0], T, num_threads=1)
    assert_same_bits(model(LAYOUTS[layout](Z[0]), T, num_threads=3), expected)


@pytest.mark.parametrize("mask", ["context", "all"])
@pytest.mark.parametrize("attention", ["linear", "relu", "exp", "softmax"])
def test_a_query_attends_to_very_many_keys(rng, attention, mask):
    """Against the formula, z ← z − η h(z Q Zᵀ) Z P, in long double."""
    n, D, eta = 50_000, 27, 0.3
    P, Q = rng.normal(size=(2, D, D)) / D
    Z = rng.normal(size=(n + 1, D))
    scale = "sum" if attention == "softmax" else "mean"
    model = LoopedTransformer(P, Q, eta, attention=attention, mask=mask, scale=scale)
    want, step = Z.astype(np.longdouble), eta if attention == "softmax" else eta / n
    for _ in range(T):
        keys = want[:-1] if mask == "context" else want
        scores = want[-1] @ Q @ keys.T
        if attention == "relu":
            scores = np.maximum(scores, 0)
        if attention in {"exp", "softmax"}:
            scores = np.exp(scores)
        if attention == "softmax":
            scores /= scores.sum()
        want[-1] -= step * (scores @ keys @ P)
    for num_threads in (1, 3):
        got = model(Z, T, num_threads=num_threads)
        np.testing.assert_array_equal(got[:-1], Z[:-1])
        np.testing.assert_allclose(got[-1], want[-1].astype(float), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("attention", ["linear", "softmax"])
@pytest.mark.parametrize("row", [0, 150, 300])
def test_a_row_that_leaves_the_range_is_seen_whichever_thread_writes_it(rng, attention, row):
    """z ← 2 z: the result does not fit float32."""
    D = 40
    none = np.zeros((D, D))
    model = LoopedTransformer(
        none, none, 1.0, attention=attention, update="all", skip=2 * np.eye(D)
    )
    Z = rng.normal(size=(301 if attention == "softmax" else 4001, D)).astype(np.float32)
    Z[row, 3] = 3e38
    for num_threads in (1, 2, 3):
        with pytest.warns(DivergenceWarning, match="1 of 1"):
            got = model(Z, 1, num_threads=num_threads)
        assert np.isinf(got[row, 3])
        assert np.isfinite(np.delete(got, row, axis=0)).all()
