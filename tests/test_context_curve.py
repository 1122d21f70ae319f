"""Every prefix of a prompt at once: v, or the prediction of the next target."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np
import pytest

import exact
import loopcore
from bits import assert_same_bits
from loopcore._native import core
from strategies import DTYPES, LAYOUTS
from test_promise import conditioned

WIDTH = core.configuration()["lanes"]
PANEL = 64  # prefixes
KINDS = ["none", "eta", "schedule", "mean", "mean schedule", "growing"]
curve = loopcore.context_curve


def steps(rng, kind, X, T) -> dict[str, Any]:
    """Return keywords for a kind of step, given ones up to the edge of stability and beyond."""
    B = len(X)
    lambda_max = np.maximum(np.linalg.norm(X.astype(np.float64), 2, axis=(1, 2)) ** 2, 1e-300)
    mean_max = (X.astype(np.float64) ** 2).sum(-1).max(-1)  # λ_max of the mean over any prefix
    return {
        "none": lambda: {},
        "eta": lambda: {"eta": rng.uniform(0.1, 1.95, B) / lambda_max},
        "schedule": lambda: {"schedule": rng.uniform(0.1, 1.95, (B, T)) / lambda_max[:, None]},
        "mean": lambda: {"eta": rng.uniform(0.1, 1.95, B) / mean_max, "scale": "mean"},
        "mean schedule": lambda: {
            "schedule": rng.uniform(0.1, 1.95, (B, T)) / mean_max[:, None],
            "scale": "mean",
        },
        "growing": lambda: {"schedule": rng.uniform(0.1, 3.5, (B, T)) / lambda_max[:, None]},
    }[kind]()


def task(rng, dtype, X, T, kind):
    """Return (X, y, alpha, T, keywords), with y noisy or not and q0 of many sizes."""
    B, n, d = X.shape
    X = X.astype(dtype)
    theta = rng.normal(size=(B, d, 1))
    noise = rng.choice([0, 1e-3, 1], size=(B, 1))
    y = ((X @ theta)[..., 0] + noise * rng.normal(size=(B, n))).astype(dtype)
    keywords = steps(rng, kind, X, T)
    if rng.random() < 0.5:
        size = rng.choice([1e-6, 1, 1e6], size=(B, 1))
        keywords["q0"] = (size * rng.normal(size=(B, d))).astype(dtype)
    return X, y, rng.normal(size=B) * rng.choice([0.01, 1, 100], size=B), T, keywords


def prefix(k, X, y):
    """Return the context of the first k rows."""
    return X[..., :k, :], y[..., :k]


def by_run(X, y, alpha, T, **keywords):
    """Return what context_curve must return, by a run for every prefix."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", loopcore.DivergenceWarning)
        n = X.shape[-2]
        return np.stack(
            [loopcore.run(*prefix(k, X, y), alpha, T, **keywords) for k in range(n + 1)], -2
        )


def largest_ratio(v, X, y, alpha, T, keywords, prefixes=None) -> float:
    """Return the largest R over the prefixes, which must keep the promise."""
    largest = 0.0
    for k in range(X.shape[-2] + 1) if prefixes is None else prefixes:
        truth = exact.truth(*prefix(k, X, y), alpha, T, **keywords)
        ratio = exact.ratio(v[..., k, :], truth)
        assert (ratio <= 30).all(), (X.shape, T, k, list(keywords), ratio.max())
        largest = max(largest, float(ratio.max(initial=0)))
    return largest


# The promise ------------------------------------------------------------------------------------


@exact.needs_extended_precision
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kappa", [None, 1, 1e4, 1e8, 1e12])
def test_promise_of_every_prefix(rng, dtype, kappa):
    """Over 10,000 prompts in all, each prefix of a task being one."""
    largest, prompts = 0.0, 0
    for n, d in [(12, 4), (9, 6), (20, 3), (5, 9)]:
        for kind in KINDS:
            B, T = 10, int(rng.choice([1, 2, 20, 60]))
            X = rng.normal(size=(B, n, d)) if kappa is None else conditioned(rng, B, n, d, kappa)
            X, y, alpha, T, keywords = task(rng, dtype, X, T, kind)
            v = curve(X, y, alpha, T, **keywords)
            assert v.dtype == dtype
            largest = max(largest, largest_ratio(v, X, y, alpha, T, keywords))
            prompts += B * n
    assert prompts > 2500
    print(f"\nkappa {kappa} {np.dtype(dtype).name} {prompts} prompts, largest R {largest:.3f}")


@exact.needs_extended_precision
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("d", [17, 20, 32, 33, 64, 65, 90])
def test_promise_where_d_is_larger(rng, dtype, d):
    """In lanes up to 64, and one prefix at a time beyond."""
    for kind, loops in itertools.product(["none", "eta", "schedule", "mean"], [1, 10, 100]):
        X = rng.normal(size=(2, d + 40, d))
        X = np.abs(X) if rng.random() < 0.5 else X
        X, y, alpha, T, keywords = task(rng, dtype, X, loops, kind)
        v = curve(X, y, alpha, T, **keywords)
        some = [0, 1, 2, d // 2, d - 1, d, d + 1, d + 40]
        largest_ratio(v, X, y, alpha, T, keywords, some)


@exact.needs_extended_precision
@pytest.mark.parametrize("d", [2, 8, 20, 32, 64, 65])
def test_step_size_of_orthogonal_rows(rng, d):
    """k eigenvalues that agree, and rank one, where λ_max is found hardest."""
    X = np.linalg.qr(rng.normal(size=(8, d, d)))[0]
    y = rng.normal(size=(8, d))
    some = sorted({0, 1, 2, d // 4, d // 2, d // 2 + 1, d - 1, d})
    assert largest_ratio(curve(X, y, 1.0, 1), X, y, 1.0, 1, {}, some) <= 10


@exact.needs_extended_precision
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_million_rows_do_not_drift(dtype):
    n = 10**6
    X, y, eta = np.full((n, 1), 1 / 3, dtype), np.full(n, 0.3, dtype), 0.4 * 9 / n
    v = curve(X, y, 1.0, 3, eta=eta)
    largest_ratio(v, X, y, 1.0, 3, {"eta": eta}, [1, 63, 64, 65, 1000, 345_678, n])


# What each prefix is ----------------------------------------------------------------------------


@pytest.mark.parametrize("d", range(1, 41))
def test_every_prefix_is_a_run(rng, d):
    for n in (0, 1, 7, 8, 9, 65):
        X, y, q0 = rng.normal(size=(n, d)), rng.normal(size=n), rng.normal(size=d)
        for T, keywords in [
            (0, {}),
            (1, {"eta": 0.01}),
            (30, {}),
            (30, {"q0": q0}),
            (30, {"schedule": rng.uniform(0, 0.5 / (n + d), 30)}),
            (30, {"eta": 0.1, "scale": "mean", "q0": q0}),
            (30, {"scale": "mean"}),
        ]:
            v = curve(X, y, 1.5, T, **keywords)
            assert v.shape == (n + 1, d)
            expected = by_run(X, y, 1.5, T, **keywords)
            np.testing.assert_allclose(v, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("d", [1, 4, 9, 70])
def test_predictions_are_inner_products_with_the_next_row(rng, dtype, d):
    for n in (0, 1, 9, 70):
        X = rng.normal(size=(3, n, d)).astype(dtype)
        y, q0 = rng.normal(size=(3, n)).astype(dtype), rng.normal(size=(3, d)).astype(dtype)
        for keywords in ({}, {"eta": 0.001, "q0": q0}, {"scale": "mean", "eta": 0.1}):
            v = curve(X, y, 0.7, 12, **keywords)
            p = curve(X, y, 0.7, 12, predict=True, **keywords)
            assert p.shape == (3, n)
            assert p.dtype == dtype
            terms = v[:, :-1].astype(np.float64) * X
            size = np.abs(terms).sum(-1) + 1e-300
            tolerance = 4 * np.finfo(dtype).eps
            assert (np.abs(p - terms.sum(-1)) <= tolerance * size).all()


def test_predictions_are_those_of_gradient_descent_on_what_came_before(rng):
    X, y = rng.normal(size=(30, 3)), rng.normal(size=30)
    p = curve(X, y, 1.0, 15, eta=0.01, predict=True)
    for k in range(30):
        theta = np.zeros(3)
        for _ in range(15):
            theta -= 0.01 * X[:k].T @ (X[:k] @ theta - y[:k])
        assert p[k] == pytest.approx(theta @ X[k], rel=1e-12, abs=1e-13)
    np.testing.assert_allclose(curve(X, y, -3.0, 15, eta=0.01, predict=True), -3 * p, rtol=1e-13)


def test_predictions_converge_to_the_targets_once_there_are_enough_rows(rng):
    X = rng.normal(size=(20, 4))
    y = X @ rng.normal(size=4)
    p = curve(X, y, 1.0, 10**6, predict=True)
    assert p[0] == 0
    np.testing.assert_allclose(p[4:], y[4:], atol=1e-6)
    assert np.abs(p[:4] - y[:4]).min() > 1e-3


# Edges ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [4, 9, 70])
def test_the_empty_prefix_and_no_loops_give_q0(rng, d):
    X, y, q0 = rng.normal(size=(2, 9, d)), rng.normal(size=(2, 9)), rng.normal(size=(2, d))
    for keywords in ({}, {"eta": 0.01}, {"scale": "mean", "eta": 0.1}):
        np.testing.assert_array_equal(curve(X, y, 1.0, 20, q0=q0, **keywords)[:, 0], -q0)
        assert_same_bits(curve(X, y, 1.0, 20, **keywords)[:, 0], np.zeros((2, d)))
        v = curve(X, y, 1.0, 0, q0=q0, **keywords)
        np.testing.assert_array_equal(v, np.broadcast_to(-q0[:, None], (2, 10, d)))


@pytest.mark.parametrize("d", [3, 70])
def test_rows_and_targets_of_zero(rng, d):
    X, y, q0 = rng.normal(size=(12, d)), rng.normal(size=12), rng.normal(size=d)
    zero = curve(0 * X, y, 1.0, 7, q0=q0)
    np.testing.assert_array_equal(zero, np.broadcast_to(-q0, (13, d)))
    X[:5], y[:8] = 0, 0
    v = curve(X, y, 1.0, 7, q0=q0)
    np.testing.assert_allclose(v, by_run(X, y, 1.0, 7, q0=q0), atol=1e-13)
    np.testing.assert_array_equal(v[:6], np.broadcast_to(-q0, (6, d)))


def test_empty_shapes():
    assert curve(np.ones((0, 5, 3)), np.ones((0, 5)), 1.0, 3).shape == (0, 6, 3)
    assert curve(np.ones((0, 5, 3)), np.ones((0, 5)), 1.0, 3, predict=True).shape == (0, 5)
    assert curve(np.ones((4, 0, 3)), np.ones((4, 0)), 1.0, 3).shape == (4, 1, 3)
    assert curve(np.ones((4, 0, 3)), np.ones((4, 0)), 1.0, 3, predict=True).shape == (4, 0)
    assert curve(np.ones((4, 5, 0)), np.ones((4, 5)), 1.0, 3).shape == (4, 6, 0)
    assert_same_bits(
        curve(np.ones((4, 5, 0)), np.ones((4, 5)), 1.0, 3, predict=True), np.zeros((4, 5))
    )


def test_types_are_those_of_run(rng):
    X, y, q0 = rng.normal(size=(5, 3)), rng.normal(size=5), rng.normal(size=3)
    for types in itertools.product(["f4", "f8"], repeat=3):
        arrays = [a.astype(t) for a, t in zip((X, y, q0), types, strict=True)]
        expected = loopcore.run(*arrays[:2], 1.0, 3, q0=arrays[2]).dtype
        assert curve(*arrays[:2], 1.0, 3, q0=arrays[2]).dtype == expected
    assert curve(np.eye(3, dtype="i4"), [1, 2, 3], 1, 3).dtype == np.float64


# Bits -------------------------------------------------------------------------------------------

SHAPES = [(1, 200, 4), (1, 500, 9), (3, 130, 33), (1, 140, 70), (40, 30, 5)]


@pytest.mark.parametrize("predict", [False, True])
@pytest.mark.parametrize(("B", "n", "d"), SHAPES)
def test_threads_change_nothing(rng, B, n, d, predict):
    """Whether tasks are shared out or, where they are few, panels of prefixes."""
    X, y = rng.normal(size=(B, n, d)), rng.normal(size=(B, n))
    for keywords in ({}, {"schedule": rng.uniform(0, 0.5 / (n + d), 300)}):
        one = curve(X, y, 1.0, 300, predict=predict, num_threads=1, **keywords)
        for threads in (2, 3, 5, 8, None):
            many = curve(X, y, 1.0, 300, predict=predict, num_threads=threads, **keywords)
            assert_same_bits(many, one)


@pytest.mark.parametrize("d", [4, 9, 33, 70])
def test_a_prefix_does_not_depend_on_later_rows(rng, d):
    n = 2 * PANEL + 9
    X, y = rng.normal(size=(n, d)), rng.normal(size=n)
    whole = curve(X, y, 1.0, 9)
    for k in (1, WIDTH - 1, WIDTH, PANEL - 1, PANEL, PANEL + 1, n - 1):
        assert_same_bits(curve(*prefix(k, X, y), 1.0, 9), whole[: k + 1])


@pytest.mark.parametrize("d", [4, 9, 70])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_bad_row_reaches_the_prefixes_that_hold_it(rng, d, bad):
    n = PANEL + 20
    X, y, q0 = rng.normal(size=(n, d)), rng.normal(size=n), rng.normal(size=d)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for row in (0, 3, WIDTH - 1, PANEL - 2, PANEL, n - 1):
            for spoil_X in (True, False):
                X_, y_ = X.copy(), y.copy()
                if spoil_X:
                    X_[row, d // 2] = bad
                else:
                    y_[row] = bad
                for keywords in ({}, {"eta": 0.001}, {"schedule": np.full(9, 0.001), "q0": q0}):
                    clean = curve(X, y, 1.0, 9, **keywords)
                    v = curve(X_, y_, 1.0, 9, **keywords)
                    assert_same_bits(v[: row + 1], clean[: row + 1])
                    assert not np.isfinite(v[row + 1 :]).all(-1).any()
                    p = curve(X_, y_, 1.0, 9, predict=True, **keywords)
                    clean_p = curve(X, y, 1.0, 9, predict=True, **keywords)
                    assert_same_bits(p[:row], clean_p[:row])
                    assert np.isfinite(p[row]) == (not spoil_X)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["f4", "f8", "f2", "i1", "u4", "?"])
def test_memory_layout_changes_nothing(rng, layout, dtype):
    X = (2 * np.abs(rng.normal(size=(3, 20, 5)))).astype(dtype)
    y = (2 * np.abs(rng.normal(size=(3, 20)))).astype(dtype)
    q0, alpha = rng.normal(size=(3, 5)).astype("f4"), rng.normal(size=3)
    schedule = rng.uniform(0, 0.002, (3, 6))
    change = LAYOUTS[layout]
    for keywords in ({}, {"q0": q0}, {"schedule": schedule}):
        changed = {k: change(v) for k, v in keywords.items()}
        assert_same_bits(
            curve(change(X), change(y), change(alpha), 6, **changed),
            curve(X, y, alpha, 6, **keywords),
        )


def test_broadcasting(rng):
    X, y = rng.normal(size=(4, 1, 20, 3)), rng.normal(size=(5, 20))
    alpha, eta, q0 = rng.normal(size=(4, 5)), rng.uniform(0, 0.01, (5,)), rng.normal(size=(4, 1, 3))
    schedule = rng.uniform(0, 0.01, (4, 1, 7))
    for keywords in ({}, {"eta": eta, "q0": q0}, {"schedule": schedule}):
        v = curve(X, y, alpha, 7, **keywords)
        assert v.shape == (4, 5, 21, 3)
        p = curve(X, y, alpha, 7, predict=True, **keywords)
        assert p.shape == (4, 5, 20)
        for i, j in np.ndindex(4, 5):
            alone = {
                "eta": lambda i, j: eta[j],
                "q0": lambda i, j: q0[i, 0],
                "schedule": lambda i, j: schedule[i, 0],
            }
            one = {k: alone[k](i, j) for k in keywords}
            assert_same_bits(v[i, j], curve(X[i, 0], y[j], alpha[i, j], 7, **one))
            assert_same_bits(p[i, j], curve(X[i, 0], y[j], alpha[i, j], 7, predict=True, **one))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("predict", [False, True])
def test_out(rng, dtype, predict):
    X, y = rng.normal(size=(3, 9, 2)).astype(dtype), rng.normal(size=(3, 9)).astype(dtype)
    expected = curve(X, y, 1.0, 5, predict=predict)
    assert expected.ctypes.data % 64 == 0
    for layout in ("C", "Fortran", "negative strides", "sliced", "unaligned"):
        out = LAYOUTS[layout](np.zeros_like(expected))
        assert curve(X, y, 1.0, 5, predict=predict, out=out) is out
        assert_same_bits(np.ascontiguousarray(out), expected)
    for wrong, error in [
        (expected[:2].copy(), ValueError),
        (expected.astype("f2"), TypeError),
        (np.broadcast_to(expected[:1], expected.shape), ValueError),
        ([[0.0]], TypeError),
    ]:
        with pytest.raises(error, match=r"^out: expected .*, got "):
            curve(X, y, 1.0, 5, predict=predict, out=wrong)
    whole = np.zeros(3 * 10 * 2, dtype)
    inside = whole[: 3 * 9 * 2].reshape(3, 9, 2)
    if not predict:
        with pytest.raises(ValueError, match=r"^out: expected memory of its own, got .* with X"):
            curve(inside, y, 1.0, 5, out=whole.reshape(3, 10, 2))


# Range and divergence ---------------------------------------------------------------------------


@exact.needs_extended_precision
@pytest.mark.parametrize("d", [4, 40, 70])
@pytest.mark.parametrize(
    ("dtype", "X_size", "y_size"),
    [
        (np.float64, 1e-160, 1e-160),
        (np.float64, 1e150, 1e150),
        (np.float64, 1e150, 1.0),
        (np.float64, 1e-160, 1e100),
        (np.float64, 1.0, 1e-160),
        (np.float32, 1e-30, 1e-30),
        (np.float32, 1e30, 1e30),
    ],
)
def test_extreme_sizes(rng, d, dtype, X_size, y_size):
    X = (rng.normal(size=(2, 12, d)) * X_size).astype(dtype)
    y = (rng.normal(size=(2, 12)) * y_size).astype(dtype)
    v = curve(X, y, 1.5, 20)
    assert np.isfinite(v).all()
    assert np.abs(v[:, 1:]).max(-1).min() > 0
    largest_ratio(v, X, y, 1.5, 20, {})


@pytest.mark.parametrize("size", [1e-155, 1e-160, 1e-170])
@pytest.mark.parametrize("keyword", ["eta", "schedule"])
@pytest.mark.parametrize("d", [3, 70])
def test_a_given_step_at_tiny_sizes(rng, d, size, keyword):
    """η XᵀX vanishes beside 1 and v(5) = 5 η α Xᵀy: scaling X up must not scale η to nothing."""
    X, y = size * rng.normal(size=(10, d)), rng.normal(size=10)
    for scale in ("sum", "mean"):
        v = curve(X, y, 1.0, 5, scale=scale, **{keyword: 0.3})
        terms = y[:, None] * X
        rows = np.arange(1, 11)[:, None] if scale == "mean" else 1
        tolerance = 1e-14 * np.cumsum(np.abs(terms), axis=0)
        assert (np.abs(v[1:] - 1.5 * np.cumsum(terms, axis=0) / rows) <= tolerance).all()


@exact.needs_extended_precision
@pytest.mark.parametrize("d", [3, 70])
@pytest.mark.parametrize(
    "sizes", [[1e-200, 1.0], [1e-180, 1e-20, 1e160], [1.0, 1e200], [0, 1e-170]]
)
def test_rows_of_very_different_sizes(rng, d, sizes):
    """Prefixes that the scale of the whole task cannot help are solved by themselves."""
    size = np.repeat(sizes, 5)
    X, y = rng.normal(size=(len(size), d)) * size[:, None], rng.normal(size=len(size)) * size
    v = curve(X, y, 1.0, 9)
    largest_ratio(v, X, y, 1.0, 9, {})
    np.testing.assert_array_equal(v[1:].any(-1), np.cumsum(size) > 0)


def test_one_warning_names_the_tasks_that_diverged(rng):
    X, y = rng.normal(size=(5, 20, 3)), rng.normal(size=(5, 20))
    X[1, 0, 0] = np.nan  # before it would diverge
    X[4, 15, 0] = np.nan  # after it has
    eta = np.array([1e-3, 1e9, 1e-3, 1e9, 1e9])
    message = r"^2 of 5 tasks diverged, the first at index \(3,\)"
    for predict in (False, True):
        with pytest.warns(loopcore.DivergenceWarning, match=message) as caught:
            v = curve(X, y, 1.0, 60, eta=eta, predict=predict)
        assert len(caught) == 1
        assert np.isfinite(v[[0, 2]]).all()
        assert not np.isfinite(v[3, -1]).any()


def test_what_float32_cannot_hold_is_a_divergence(rng):
    X, y = np.full((9, 1), 1e-30, np.float32), np.full(9, 1e30, np.float32)
    with pytest.warns(loopcore.DivergenceWarning, match=r"1 of 1 .* range of the result's type"):
        v = curve(X, y, 1.0, 5)
    assert np.isinf(v[1:]).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(curve(X, y, 1.0, 5, predict=True)).all()


# Wrong calls: those that it shares with the other functions are in test_bad_calls.py --------------


def test_steps_that_need_the_smallest_eigenvalue_are_refused():
    X, y = np.ones((3, 2)), np.ones(3)
    for word in ("optimal", "chebyshev"):
        with pytest.raises(
            ValueError, match=rf"^eta: expected .*smallest eigenvalue.* got '{word}'"
        ):
            curve(X, y, 1.0, 3, eta=word)
    with pytest.raises(
        ValueError, match=r"^eta: expected one of 'optimal', 'chebyshev', got 'best'"
    ):
        curve(X, y, 1.0, 3, eta="best")


def test_predict_is_a_bool():
    with pytest.raises(TypeError, match=r"^predict: expected True or False, got int"):
        curve(np.ones((3, 2)), np.ones(3), 1.0, 3, predict=1)


def test_signature():
    X, y = np.ones((3, 2)), np.ones(3)
    for arguments, keywords, message in [
        ((X, y, 1.0), {}, r"context_curve\(\) missing required argument 'T'"),
        ((X, y, 1.0, 2), {"path": "gram"}, r"got an unexpected keyword argument 'path'"),
        ((X, y, 1.0, 2, None), {}, r"takes 4 positional arguments but 5 were given"),
    ]:
        with pytest.raises(TypeError, match=message):
            curve(*arguments, **keywords)
