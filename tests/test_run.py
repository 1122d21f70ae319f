"""`loopcore.run` against the exact iterates: ordinary and empty tasks, bad numbers, divergence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import exact
import loopcore
from bits import assert_same_bits
from loopcore import reference
from strategies import (
    DTYPES,
    PATHS,
    STEPS,
    T,
    paths_and_steps,
    paths_for,
    problem,
    stable,
    tasks_on_paths,
)

# Agreement with the truth ----------------------------------------------------------------

SHAPES = [
    ((), 20, 4),
    ((3,), 1, 1),
    ((2,), 1, 5),
    ((5,), 7, 1),
    ((4,), 3, 9),
    ((2, 3), 12, 6),
    ((37,), 10, 3),
    ((2,), 600, 5),
    ((1,), 1100, 33),
    ((3,), 70, 70),
    ((0,), 5, 3),
    ((3, 0), 5, 3),
    ((2,), 0, 3),
    ((2,), 4, 0),
]


@exact.needs_extended_precision
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@paths_and_steps("auto")
def test_agrees_with_the_truth(rng, path, dtype, shape, steps):
    lead, n, d = shape
    X, y, alpha, q0 = problem(rng, lead, n, d, dtype)
    keywords = STEPS[steps]
    if n > 100 and "eta" in keywords and not isinstance(keywords["eta"], str):
        keywords = {"eta": 0.5 / n}
    if n > 100 and "schedule" in keywords:
        keywords = {"schedule": keywords["schedule"] / 20}
    v = loopcore.run(X, y, alpha, T, q0=q0, path=path, **keywords)
    assert v.dtype == dtype
    assert v.shape == (*lead, d)
    truth = exact.truth(X, y, alpha, T, q0=q0, **keywords)
    assert exact.ratio(v, truth).max(initial=0) <= 30


@exact.needs_extended_precision
@pytest.mark.parametrize("dtype", DTYPES)
@paths_and_steps()
def test_agrees_with_the_literal_matrices(rng, path, dtype, steps):
    X, y, alpha, q0 = problem(rng, (11,), 9, 4, dtype)
    v = loopcore.run(X, y, alpha, T, q0=q0, path=path, **STEPS[steps])
    literal = reference.run(X.astype(np.longdouble), y, alpha, T, q0=q0, **STEPS[steps])
    allowed = loopcore.error_bound(X, y, alpha, T, q0=q0, **STEPS[steps])
    assert (np.sqrt(((v - literal) ** 2).sum(-1)) <= allowed).all()


@exact.needs_extended_precision
@hypothesis_settings(max_examples=400)
@given(tasks_on_paths(converted=True), st.integers(1, 5))
def test_agrees_with_the_truth_for_every_kind_of_argument(on_path, num_threads):
    task, path = on_path
    v = task.call(loopcore.run, path=path, num_threads=num_threads)
    truth = task.call(exact.truth)
    assert v.shape == truth.q.shape
    assert exact.ratio(v, truth).max(initial=0) <= 30


def test_by_hand():
    # test_reference.py works this case out; all its numbers are dyadic.
    X, y, q0 = [[1, 0], [0, 2], [1, 1]], [1, 2, 3], [1, -1]
    for path in paths_for({"schedule": [0.25, 0.125]}):
        v = loopcore.run(X, y, 2, 2, schedule=[0.25, 0.125], q0=q0, path=path)
        np.testing.assert_array_equal(v, [1.5, 2.90625])
        v = loopcore.run(X, y, 2, 2, schedule=[0.75, 0.375], q0=q0, path=path, scale="mean")
        np.testing.assert_allclose(v, [1.5, 2.90625], rtol=1e-15)


# Edges -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@paths_and_steps("auto")
def test_no_loops_no_rows_and_zero_x_give_minus_q0(rng, path, dtype, steps):
    X, y, alpha, q0 = problem(rng, (5,), 6, 3, dtype)
    keywords = {**STEPS[steps], "path": path, "q0": q0}
    for scale in ("sum", "mean"):
        v = loopcore.run(X[:, :0], y[:, :0], alpha, T, scale=scale, **keywords)
        assert_same_bits(v, -q0)
        v = loopcore.run(0 * X, y, alpha, T, scale=scale, **keywords)
        np.testing.assert_array_equal(v, -q0)
        if steps == "schedule":
            keywords["schedule"] = np.ones(0)
        v = loopcore.run(X, y, alpha, 0, scale=scale, **keywords)
        assert_same_bits(v, -q0)
        keywords.update(STEPS[steps])
    assert not loopcore.run(0 * X, y, alpha, T, path=path, **STEPS[steps]).any()


@paths_and_steps("auto")
def test_no_tasks_and_no_features_are_empty(path, steps):
    keywords = {**STEPS[steps], "path": path}
    v = loopcore.run(np.ones((0, 5, 3)), np.ones(5), 1.0, T, **keywords)
    assert v.shape == (0, 3)
    v = loopcore.run(np.ones((4, 5, 0)), np.ones(5), 1.0, T, **keywords)
    assert v.shape == (4, 0)
    v = loopcore.run(np.ones((2, 0, 0)), np.ones(0), 1.0, T, **keywords)
    assert v.shape == (2, 0)


@pytest.mark.parametrize("path", ["auto", *PATHS])
def test_no_tasks_take_no_time(path):
    v = loopcore.run(np.ones((2, 1, 5, 3), "f4"), np.ones((0, 5), "f4"), 1.0, 2**61, path=path)
    assert v.shape == (2, 0, 3)
    assert v.dtype == np.float32


@paths_and_steps("auto")
@pytest.mark.parametrize("d", [0, 3, 40])
def test_no_examples_take_no_time(path, steps, d):
    loops = 1 if steps == "schedule" else 2**31
    X, y, q0 = np.ones((2, 0, d)), np.ones(0), 1 + np.arange(2.0 * d).reshape(2, d)
    keywords = {**STEPS[steps], "path": path}
    if steps == "schedule":
        keywords["schedule"], loops = np.ones(1), 2**61
    assert_same_bits(loopcore.run(X, y, 1.0, loops, q0=q0, **keywords), -q0)


# NaN, Inf and divergence -----------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@paths_and_steps()
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("n", "d"), [(10, 4), (50, 35), (10, 35)])
def test_a_bad_number_stays_in_its_task(rng, path, dtype, steps, bad, n, d):
    X, y, alpha, q0 = problem(rng, (19,), n, d, dtype)
    # One thread runs them one after the other, with the same memory.
    keywords = {**stable(steps, n, d), "path": path, "num_threads": 1}
    clean = loopcore.run(X, y, alpha, T, q0=q0, **keywords)
    X[2, 9, 3] = X[8, 0, 0] = y[5, 4] = alpha[11] = q0[13, 1] = bad
    # Bad input is no divergence: warnings are errors here.
    v = loopcore.run(X, y, alpha, T, q0=q0, **keywords)
    spoiled = np.isin(np.arange(19), [2, 5, 8, 11, 13])
    assert not np.isfinite(v[spoiled]).all(-1).any()
    assert_same_bits(v[~spoiled], clean[~spoiled])


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("keyword", ["eta", "schedule"])
def test_a_bad_step_stays_in_its_task(rng, path, keyword):
    X, y, alpha, q0 = problem(rng, (19,), 10, 4)
    step = np.full(19, 0.01) if keyword == "eta" else np.full((19, T), 0.01)
    if path not in paths_for({keyword: step}):
        pytest.skip("needs a constant step")
    clean = loopcore.run(X, y, alpha, T, q0=q0, path=path, **{keyword: step})
    step[(4, 7)[: step.ndim]] = np.nan
    v = loopcore.run(X, y, alpha, T, q0=q0, path=path, **{keyword: step})
    assert np.isnan(v[4]).all()
    others = np.arange(19) != 4
    assert_same_bits(v[others], clean[others])


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("n", "d"), [(10, 4), (50, 35), (10, 35)])
def test_a_diverging_task_leaves_the_next_ones_alone(rng, path, n, d):
    X, y, alpha, q0 = problem(rng, (11,), n, d)
    eta = np.full(11, 1e-3)
    clean = loopcore.run(X, y, alpha, 400, q0=q0, eta=eta, path=path)
    eta[[0, 4]] = 50
    with pytest.warns(loopcore.DivergenceWarning, match=r"^2 of 11 tasks diverged, .* \(0,\): "):
        v = loopcore.run(X, y, alpha, 400, q0=q0, eta=eta, path=path, num_threads=1)
    good = eta < 1
    assert_same_bits(v[good], clean[good])


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_divergence_warns_once_and_says_where(rng, path, dtype):
    X, y, alpha, q0 = problem(rng, (5, 7), 10, 4, dtype)
    clean = loopcore.run(X, y, alpha, 3000, q0=q0, eta=0.001, path=path)
    eta = np.full((5, 7), 0.001)
    eta[4, 2] = eta[1, 6] = eta[3, 0] = 5.0
    y[0, 3, 2] = np.nan
    with pytest.warns(loopcore.DivergenceWarning) as record:
        v = loopcore.run(X, y, alpha, 3000, q0=q0, eta=eta, path=path)
    assert [str(w.message) for w in record] == [
        "3 of 35 tasks diverged, the first at index (1, 6): "
        "use a smaller step size (eta=None is always stable)"
    ]
    assert record[0].filename == __file__
    assert not np.isfinite(v[eta == 5]).all(-1).any()
    good = eta != 5
    good[0, 3] = False
    assert_same_bits(v[good], clean[good])
    with pytest.warns(loopcore.DivergenceWarning, match=r"^1 of 1 tasks diverged, .* index \(\): "):
        loopcore.run(X[1, 6], y[1, 6], alpha[1, 6], 3000, eta=5.0, path=path)
    with pytest.warns(loopcore.DivergenceWarning, match=r"^2 of 7 tasks diverged, .* \(2,\): "):
        loopcore.run(X[1], y[1], alpha[1], 3000, eta=np.where(np.arange(7) % 4 == 2, 5.0, 1e-3))


def test_float32_overflow_is_divergence():
    one = np.ones((1, 1), np.float32)
    with pytest.warns(loopcore.DivergenceWarning, match="1 of 1 tasks diverged"):
        v = loopcore.run(one, one[0], 1.0, 60, eta=10.0)  # 9⁶⁰ ≈ 2e57 is a float64, no float32
    assert np.isinf(v).all()
