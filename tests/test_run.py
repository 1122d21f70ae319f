"""`loopcore.run` against the exact iterates, and everything its result must not depend on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import exact
import loopcore
from loopcore import reference
from strategies import LAYOUTS, tasks

PATHS = ["stream", "gram"]
DTYPES = [np.float32, np.float64]
STEPS = {
    "none": {},
    "eta": {"eta": 0.01},
    "optimal": {"eta": "optimal"},
    "chebyshev": {"eta": "chebyshev"},
    "schedule": {"schedule": np.linspace(0.002, 0.02, 25)},
}
T = 25


def problem(rng, lead, n, d, dtype=np.float64):
    """Return Gaussian X, y and q0, and alpha in float64."""
    X = rng.normal(size=(*lead, n, d)).astype(dtype)
    y = rng.normal(size=(*lead, n)).astype(dtype)
    q0 = rng.normal(size=(*lead, d)).astype(dtype)
    return X, y, np.asarray(rng.normal(size=lead)), q0


def assert_same_bits(got, expected):
    assert got.dtype == expected.dtype
    assert got.shape == expected.shape
    assert got.tobytes() == expected.tobytes()


# Agreement with the truth --------------------------------------------------------------


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
@pytest.mark.parametrize("path", ["auto", *PATHS])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("steps", STEPS)
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
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("steps", STEPS)
def test_agrees_with_the_literal_matrices(rng, path, dtype, steps):
    X, y, alpha, q0 = problem(rng, (11,), 9, 4, dtype)
    v = loopcore.run(X, y, alpha, T, q0=q0, path=path, **STEPS[steps])
    literal = reference.run(X.astype(np.longdouble), y, alpha, T, q0=q0, **STEPS[steps])
    allowed = loopcore.error_bound(X, y, alpha, T, q0=q0, **STEPS[steps])
    assert (np.sqrt(((v - literal) ** 2).sum(-1)) <= allowed).all()


@exact.needs_extended_precision
@hypothesis_settings(max_examples=400)
@given(tasks(converted=True), st.sampled_from(["auto", *PATHS]), st.integers(1, 5))
def test_agrees_with_the_truth_for_every_kind_of_argument(task, path, num_threads):
    v = task.call(loopcore.run, path=path, num_threads=num_threads)
    truth = task.call(exact.truth)
    assert v.shape == truth.q.shape
    assert exact.ratio(v, truth).max(initial=0) <= 30


def test_by_hand():
    # test_reference.py works this case out; all its numbers are dyadic.
    X, y, q0 = [[1, 0], [0, 2], [1, 1]], [1, 2, 3], [1, -1]
    for path in PATHS:
        v = loopcore.run(X, y, 2, 2, schedule=[0.25, 0.125], q0=q0, path=path)
        np.testing.assert_array_equal(v, [1.5, 2.90625])
        v = loopcore.run(X, y, 2, 2, schedule=[0.75, 0.375], q0=q0, path=path, scale="mean")
        np.testing.assert_allclose(v, [1.5, 2.90625], rtol=1e-15)


# Bits that must not change -------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("n", "d"), [(20, 4), (3, 7), (513, 2), (30, 17)])
@pytest.mark.parametrize("steps", STEPS)
def test_bits_do_not_depend_on_threads_or_place_in_the_batch(rng, path, dtype, n, d, steps):
    X, y, alpha, q0 = problem(rng, (41,), n, d, dtype)
    keywords = {**STEPS[steps], "path": path}
    if n > 100 and steps in {"eta", "schedule"}:
        keywords[steps] = np.asarray(keywords[steps]) / 20
    whole = loopcore.run(X, y, alpha, T, q0=q0, num_threads=1, **keywords)
    for num_threads in (2, 3, 8, 50):
        again = loopcore.run(X, y, alpha, T, q0=q0, num_threads=num_threads, **keywords)
        assert_same_bits(again, whole)
    assert_same_bits(loopcore.run(X, y, alpha, T, q0=q0, **keywords), whole)
    for i in range(41):
        alone = loopcore.run(X[i], y[i], alpha[i], T, q0=q0[i], **keywords)
        assert_same_bits(alone, whole[i])
    for start, stop in [(1, 41), (3, 10), (7, 24), (5, 7)]:
        some = slice(start, stop)
        part = loopcore.run(X[some], y[some], alpha[some], T, q0=q0[some], **keywords)
        assert_same_bits(part, whole[some])
    order = rng.permutation(41)
    shuffled = loopcore.run(X[order], y[order], alpha[order], T, q0=q0[order], **keywords)
    assert_same_bits(shuffled, whole[order])
    square = loopcore.run(
        X[:40].reshape(5, 8, n, d),
        y[:40].reshape(5, 8, n),
        alpha[:40].reshape(5, 8),
        T,
        q0=q0[:40].reshape(5, 8, d),
        **keywords,
    )
    assert_same_bits(square.reshape(40, d), whole[:40])


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "shape", [((), 20, 4), ((13,), 9, 5), ((2, 3), 3, 8), ((2,), 700, 6)], ids=str
)
def test_bits_do_not_depend_on_memory_layout(rng, path, dtype, layout, shape):
    X, y, alpha, q0 = problem(rng, *shape, dtype)
    change = LAYOUTS[layout]
    schedule = np.broadcast_to(rng.uniform(0, 1e-3, size=T), (*shape[0], T))
    expected = loopcore.run(X, y, alpha, T, q0=q0, schedule=schedule, path=path)
    for X_, y_, alpha_, q0_, schedule_ in [
        (change(X), change(y), change(alpha), change(q0), change(schedule)),
        (change(X), y, alpha, q0, schedule),
        (X, change(y), alpha, change(q0), schedule),
    ]:
        for num_threads in (1, 3):
            v = loopcore.run(
                X_, y_, alpha_, T, q0=q0_, schedule=schedule_, path=path, num_threads=num_threads
            )
            assert_same_bits(v, expected)


@hypothesis_settings(max_examples=300)
@given(tasks(), st.sampled_from(["auto", *PATHS]), st.integers(1, 4))
def test_bits_do_not_depend_on_layout_or_threads_for_every_kind_of_argument(task, path, threads):
    plain = task.map_arrays(lambda a: a.astype(a.dtype.newbyteorder("=")).copy())
    v = task.call(loopcore.run, path=path, num_threads=threads)
    assert_same_bits(v, plain.call(loopcore.run, path=path, num_threads=1))


@hypothesis_settings(max_examples=200)
@given(tasks(), st.sampled_from(PATHS))
def test_bits_of_broadcast_arguments_are_those_of_single_tasks(task, path):
    v = task.call(loopcore.run, path=path)
    lead = v.shape[:-1]
    n, d = task.X.shape[-2:]
    q0 = np.broadcast_to(task.keywords.get("q0", np.zeros(d, v.dtype)), (*lead, d))
    eta, schedule = task.keywords.get("eta"), task.keywords.get("schedule")
    for i in np.ndindex(lead):
        keywords = {"eta": eta, "scale": task.keywords["scale"], "path": path}
        if isinstance(eta, np.ndarray):
            keywords["eta"] = np.broadcast_to(eta, lead)[i]
        if schedule is not None:
            keywords["schedule"] = np.broadcast_to(schedule, (*lead, task.T))[i]
        X, y = np.broadcast_to(task.X, (*lead, n, d))[i], np.broadcast_to(task.y, (*lead, n))[i]
        alpha = np.broadcast_to(task.alpha, lead)[i]
        assert_same_bits(loopcore.run(X, y, alpha, task.T, q0=q0[i], **keywords), v[i])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("n", "d", "loops"), [(20, 4, 50), (5000, 30, 2), (3, 40, 9), (16, 4, 16)])
def test_auto_is_one_of_the_paths(rng, dtype, n, d, loops):
    X, y, alpha, _ = problem(rng, (3,), n, d, dtype)
    bits = {path: loopcore.run(X, y, alpha, loops, path=path).tobytes() for path in PATHS}
    auto = loopcore.run(X, y, alpha, loops)
    assert auto.tobytes() in bits.values()
    # The plan looks at the shape of a task, never at how many there are.
    assert_same_bits(loopcore.run(X[0], y[0], alpha[0], loops), auto[0])


@pytest.mark.parametrize("path", PATHS)
def test_a_zero_stride_axis_is_as_good_as_copies(rng, path):
    X, y, alpha, q0 = problem(rng, (), 15, 4)
    expected = loopcore.run(np.stack([X] * 9), np.stack([y] * 9), alpha, T, q0=q0, path=path)
    view = loopcore.run(np.broadcast_to(X, (9, 15, 4)), y, alpha, T, q0=q0, path=path)
    assert_same_bits(view, expected)
    # Ten thousand million rows of one X: only a view can hold them.
    many = np.broadcast_to(X[:1], (10**6, 15, 4))
    assert many.nbytes == 48 * 10**7
    assert loopcore.run(many[:3], y, alpha, T, path=path).shape == (3, 4)
    rows = np.broadcast_to(X[:1], (15, 4))
    assert_same_bits(
        loopcore.run(rows, y, alpha, T, path=path),
        loopcore.run(rows.copy(), y, alpha, T, path=path),
    )


# Types, shapes, out --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("X_type", "y_type", "q0_type", "expected"),
    [
        ("f4", "f4", None, "f4"),
        ("f4", "f4", "f4", "f4"),
        (">f4", "<f4", ">f4", "f4"),
        ("f4", "f4", "f8", "f8"),
        ("f4", "f8", None, "f8"),
        ("f8", "f4", "f4", "f8"),
        ("f2", "f2", None, "f8"),
        ("f4", "f2", None, "f8"),
        ("i4", "f4", None, "f8"),
        ("u1", "i8", None, "f8"),
        ("?", "?", "?", "f8"),
        (">i2", "f8", None, "f8"),
    ],
)
def test_result_type(X_type, y_type, q0_type, expected):
    X, y = np.eye(2).astype(X_type), np.ones(2).astype(y_type)
    q0 = None if q0_type is None else np.ones(2).astype(q0_type)
    # alpha, eta, schedule and theta never promote.
    for keywords in ({"eta": np.float64(0.5)}, {"schedule": np.full(2, 0.5)}):
        v = loopcore.run(X, y, np.float64(1), 2, q0=q0, **keywords)
        assert v.dtype == np.dtype(expected)
        assert v.dtype.isnative
        np.testing.assert_array_equal(v, [0.75 - (q0 is not None) * 0.25] * 2)


def test_lists_and_python_numbers(rng):
    X, y, alpha, q0 = problem(rng, (), 4, 2)
    expected = loopcore.run(X, y, alpha, 3, q0=q0, eta=0.125)
    got = loopcore.run(X.tolist(), tuple(y), float(alpha), np.int8(3), q0=q0.tolist(), eta=0.125)
    assert_same_bits(got, expected)
    assert_same_bits(
        loopcore.run(X, y, True, True, eta=1), loopcore.run(X, y, 1.0, 1, schedule=[1.0])
    )
    assert_same_bits(
        loopcore.run(X, y, np.float16(0.5), 3, eta=np.float32(0.125)),
        loopcore.run(X, y, 0.5, 3, eta=0.125),
    )


def test_every_argument_broadcasts(rng):
    X, y, _, _ = problem(rng, (), 6, 3)
    shapes = {
        "X": (2, 1, 1, 1, 1, 1),
        "y": (3, 1, 1, 1, 1),
        "alpha": (4, 1, 1, 1),
        "q0": (5, 1, 1),
        "eta": (2, 1),
    }
    X = rng.normal(size=(*shapes["X"], 6, 3))
    y = rng.normal(size=(*shapes["y"], 6))
    alpha = rng.normal(size=shapes["alpha"])
    q0 = rng.normal(size=(*shapes["q0"], 3))
    eta = rng.uniform(0, 0.05, size=shapes["eta"])
    v = loopcore.run(X, y, alpha, 5, q0=q0, eta=eta)
    assert v.shape == (2, 3, 4, 5, 2, 1, 3)
    i = (1, 2, 3, 4, 1, 0)
    one = loopcore.run(
        X[1, 0, 0, 0, 0, 0], y[2, 0, 0, 0, 0], alpha[3, 0, 0, 0], 5, q0=q0[4, 0, 0], eta=eta[1, 0]
    )
    assert_same_bits(one, v[i])
    schedule = np.repeat(eta[..., None], 5, axis=-1)
    np.testing.assert_allclose(
        loopcore.run(X, y, alpha, 5, q0=q0, schedule=schedule), v, rtol=1e-12
    )


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_out(rng, path, dtype):
    X, y, alpha, q0 = problem(rng, (3, 4), 8, 5, dtype)
    expected = loopcore.run(X, y, alpha, T, q0=q0, path=path)
    for layout in ("C", "Fortran", "negative strides", "sliced", "by column", "unaligned"):
        out = LAYOUTS[layout](np.full((3, 4, 5), 7, dtype))
        got = loopcore.run(X, y, alpha, T, q0=q0, path=path, out=out)
        assert got is out
        assert_same_bits(out, expected)
    larger = np.full((5, 4, 7), 7, dtype)
    loopcore.run(X, y, alpha, T, q0=q0, path=path, out=larger[1:4, :, 1:6])
    assert_same_bits(larger[1:4, :, 1:6], expected)
    larger[1:4, :, 1:6] = 7
    assert (larger == 7).all()


def test_results_are_aligned_and_owned(rng):
    for lead, n, d in [((), 3, 1), ((7,), 3, 3), ((2, 5), 9, 7), ((1001,), 2, 5)]:
        for dtype in DTYPES:
            X, y, alpha, q0 = problem(rng, lead, n, d, dtype)
            for result in (
                loopcore.run(X, y, alpha, 3, q0=q0),
                loopcore.trajectory(X, y, alpha, 3, q0=q0),
                loopcore.errors(X, y, alpha, 3, q0=q0),
            ):
                assert result.ctypes.data % 64 == 0
                assert result.flags.c_contiguous
                assert result.flags.writeable


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_inputs_are_never_written(rng, path, layout):
    arrays = [LAYOUTS[layout](a) for a in problem(rng, (6,), 7, 3)]
    schedule = LAYOUTS[layout](rng.uniform(0, 0.1, size=(6, 4)))
    before = [a.tobytes() for a in (*arrays, schedule)]
    X, y, alpha, q0 = arrays
    loopcore.run(X, y, alpha, 4, q0=q0, schedule=schedule, path=path)
    loopcore.run(X, y, alpha, 4, q0=q0, path=path)
    assert [a.tobytes() for a in (*arrays, schedule)] == before


# Edges ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["auto", *PATHS])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("steps", STEPS)
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


@pytest.mark.parametrize("path", ["auto", *PATHS])
def test_no_tasks_and_no_features_are_empty(path):
    for steps in STEPS.values():
        v = loopcore.run(np.ones((0, 5, 3)), np.ones(5), 1.0, T, path=path, **steps)
        assert v.shape == (0, 3)
        v = loopcore.run(np.ones((4, 5, 0)), np.ones(5), 1.0, T, path=path, **steps)
        assert v.shape == (4, 0)
        v = loopcore.run(np.ones((2, 0, 0)), np.ones(0), 1.0, T, path=path, **steps)
        assert v.shape == (2, 0)
    v = loopcore.run(np.ones((2, 1, 5, 3), "f4"), np.ones((0, 5), "f4"), 1.0, 2**61, path=path)
    assert v.shape == (2, 0, 3)
    assert v.dtype == np.float32


@exact.needs_extended_precision
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("dtype", "X_size", "y_size"),
    [
        (np.float64, 1e-160, 1e-160),
        (np.float64, 1e150, 1e150),
        (np.float64, 1e150, 1.0),
        (np.float64, 1e-160, 1e100),
        (np.float64, 1.0, 1e150),
        (np.float64, 1.0, 1e-160),
        (np.float32, 1e-30, 1e-30),
        (np.float32, 1e30, 1e30),
    ],
)
@pytest.mark.parametrize("eta", [None, "optimal", "chebyshev"])
def test_extreme_sizes(rng, path, dtype, X_size, y_size, eta):
    X, y, alpha, _ = problem(rng, (9,), 12, 4)
    X, y = (X * X_size).astype(dtype), (y * y_size).astype(dtype)
    v = loopcore.run(X, y, alpha, T, eta=eta, path=path)
    assert np.isfinite(v).all()
    assert np.abs(v).min() > 0
    assert exact.ratio(v, exact.truth(X, y, alpha, T, eta=eta)).max() <= 30


@exact.needs_extended_precision
@pytest.mark.parametrize("path", PATHS)
def test_extreme_sizes_in_one_batch(rng, path):
    """Tasks of 1e-160 and of 1e150 share lanes with tasks of size one, whose bits stay."""
    X, y, alpha, q0 = problem(rng, (24,), 12, 4)
    plain = loopcore.run(X, y, alpha, T, q0=q0, path=path)
    size = np.ones(24)
    size[3::5], size[4::5] = 1e-160, 1e150
    X, y = X * size[:, None, None], y * size[:, None]
    v = loopcore.run(X, y, alpha, T, q0=q0, path=path)
    assert exact.ratio(v, exact.truth(X, y, alpha, T, q0=q0)).max() <= 30
    assert_same_bits(v[size == 1], plain[size == 1])


@exact.needs_extended_precision
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_long_columns_sum_without_drift(path, dtype):
    """10⁶ equal terms, whose roundings do not average out."""
    n = 10**6
    for value in (1 / 3, 0.1, 0.3):
        X, y, eta = np.full((n, 1), value, dtype), np.full(n, 0.3, dtype), 0.4 / (n * value**2)
        v = loopcore.run(X, y, 1.0, 3, eta=eta, path=path)
        assert exact.ratio(v, exact.truth(X, y, 1.0, 3, eta=eta)) <= 30


# NaN, Inf and divergence ---------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_bad_number_stays_in_its_task(rng, path, dtype, steps, bad):
    X, y, alpha, q0 = problem(rng, (19,), 10, 4, dtype)
    keywords = {**STEPS[steps], "path": path}
    clean = loopcore.run(X, y, alpha, T, q0=q0, **keywords)
    X[2, 9, 3] = X[8, 0, 0] = y[5, 4] = alpha[11] = q0[13, 1] = bad
    # Bad input is no divergence: warnings are errors here.
    v = loopcore.run(X, y, alpha, T, q0=q0, **keywords)
    spoiled = np.isin(np.arange(19), [2, 5, 8, 11, 13])
    assert not np.isfinite(v[spoiled]).all(-1).any()
    assert_same_bits(v[~spoiled], clean[~spoiled])


@pytest.mark.parametrize("path", PATHS)
def test_a_bad_step_stays_in_its_task(rng, path):
    X, y, alpha, q0 = problem(rng, (19,), 10, 4)
    eta = np.full(19, 0.01)
    schedule = np.full((19, T), 0.01)
    clean = loopcore.run(X, y, alpha, T, q0=q0, eta=eta, path=path)
    clean_schedule = loopcore.run(X, y, alpha, T, q0=q0, schedule=schedule, path=path)
    eta[4] = schedule[4, 7] = np.nan
    v = loopcore.run(X, y, alpha, T, q0=q0, eta=eta, path=path)
    assert np.isnan(v[4]).all()
    others = np.arange(19) != 4
    assert_same_bits(v[others], clean[others])
    v = loopcore.run(X, y, alpha, T, q0=q0, schedule=schedule, path=path)
    assert np.isnan(v[4]).all()
    assert_same_bits(v[others], clean_schedule[others])


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


def test_divergence_warning_can_be_an_error_and_leaves_the_state_usable(rng):
    X, y, alpha, _ = problem(rng, (3,), 10, 4)
    assert issubclass(loopcore.DivergenceWarning, RuntimeWarning)
    expected = loopcore.run(X, y, alpha, T)
    for _ in range(3):
        with pytest.raises(loopcore.DivergenceWarning, match="3 of 3 tasks"):
            loopcore.run(X, y, alpha, 5000, eta=2.0)
        assert_same_bits(loopcore.run(X, y, alpha, T), expected)


# Step sizes ----------------------------------------------------------------------------


@exact.needs_extended_precision
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("n", "d"), [(1, 1), (2, 2), (20, 4), (40, 20), (5, 12), (300, 3), (60, 60), (90, 130)]
)
def test_eta_none_is_one_over_lambda_max_to_8u(rng, path, dtype, n, d):
    """One loop from 0 on y = e_i gives v = η X_i, whose only other rounding is that of v."""
    X = rng.normal(size=(30, n, d)).astype(dtype)
    X[10:20] = np.abs(X[10:20])
    # With orthonormal columns all λ agree to the last digits: the hard case.
    X[20:23] = np.linalg.qr(rng.normal(size=(3, n, d)))[0] if n >= d else X[20:23]
    row = np.zeros(n, dtype)
    row[n // 2] = 1
    v = loopcore.run(X, row, 1.0, 1, path=path)
    lam = exact.eigenvalues(X)[:, 0]
    relative = v.astype(np.longdouble) / X[:, n // 2] * lam[:, None] - 1
    u = exact.unit_roundoff(dtype)
    assert np.abs(relative).max() <= (8 + 2) * u


@pytest.mark.parametrize("path", PATHS)
def test_kinds_of_step_by_hand(path):
    # λ = 4 and 1, Xᵀy = (2, 1), θ̂ = (1/2, 1).
    X, y = [[2.0, 0.0], [0.0, 1.0]], [1.0, 1.0]
    for keywords, expected in [
        ({"eta": None}, [0.5, 1 - 0.75**2]),
        ({"eta": "optimal"}, [0.5 * (1 - 0.36), 1 - 0.36]),
        # The Chebyshev polynomial of degree 2: T₂(±1)/T₂(5/3) = 1/(2·25/9 − 1) = 9/41.
        ({"eta": "chebyshev"}, [0.5 * 32 / 41, 32 / 41]),
        ({"eta": 0.125}, [0.5 * 0.75, 1 - 0.875**2]),
        ({"schedule": [0.125, 0.25]}, [0.5, 1 - 0.875 * 0.75]),
        ({"schedule": 0.125}, [0.5 * 0.75, 1 - 0.875**2]),
        ({"schedule": [0.125]}, [0.5 * 0.75, 1 - 0.875**2]),
    ]:
        v = loopcore.run(X, y, 1.0, 2, path=path, **keywords)
        np.testing.assert_allclose(v, expected, rtol=1e-14)
        if keywords.get("eta") is None or isinstance(keywords["eta"], str):
            if "schedule" not in keywords:
                mean = loopcore.run(X, y, 1.0, 2, path=path, scale="mean", **keywords)
                np.testing.assert_allclose(mean, expected, rtol=1e-14)
        else:
            mean = loopcore.run(X, y, 1.0, 2, path=path, scale="mean", eta=2 * keywords["eta"])
            np.testing.assert_allclose(mean, expected, rtol=1e-14)


@pytest.mark.parametrize("path", PATHS)
def test_chebyshev_reaches_least_squares_where_a_constant_step_is_far_away(rng, path):
    n, d, loops = 60, 12, 500
    U, V = np.linalg.qr(rng.normal(size=(n, d)))[0], np.linalg.qr(rng.normal(size=(d, d)))[0]
    X = U * np.geomspace(1, 1e-2, d) @ V.T  # κ = 1e4
    theta = V[:, -1]
    distance = {
        eta: np.linalg.norm(loopcore.run(X, X @ theta, 1.0, loops, eta=eta, path=path) - theta)
        for eta in (None, "optimal", "chebyshev")
    }
    # θ* is the slowest direction: (1 − 1/κ)^T, ((κ−1)/(κ+1))^T and 2ρ^T/(1 + ρ^2T), ρ = 99/101.
    assert distance[None] == pytest.approx((1 - 1e-4) ** loops, rel=1e-8)
    assert distance["optimal"] == pytest.approx((9999 / 10001) ** loops, rel=1e-8)
    rho = (99 / 101) ** loops
    assert distance["chebyshev"] == pytest.approx(2 * rho / (1 + rho**2), rel=1e-6)


# Interrupts, threads, forks ------------------------------------------------------------


LONG_RUNS = {
    "one task, stream": "loopcore.run(X[0], y[0], 1.0, 10**12, eta=1e-9, path='stream')",
    "one task, gram": "loopcore.run(X[0], y[0], 1.0, 10**12, eta=1e-9, path='gram')",
    "batch, stream": "loopcore.run(X, y, 1.0, 10**11, eta=1e-9, path='stream')",
    "batch, gram": "loopcore.run(X, y, 1.0, 10**11, eta=1e-9, path='gram')",
    "one thread": "loopcore.run(X, y, 1.0, 10**11, eta=1e-9, path='gram', num_threads=1)",
    "trajectory": "loopcore.trajectory(X, y, 1.0, 10**11, eta=1e-9, at=[0, 10**11], path='gram')",
    "errors": "loopcore.errors(X, y, 1.0, 10**11, eta=1e-9, at=[0, 10**11], path='stream')",
}


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("call", LONG_RUNS)
def test_ctrl_c_interrupts_and_leaves_the_state_usable(call):
    program = f"""
        import signal
        import numpy as np
        import loopcore
        signal.signal(signal.SIGINT, signal.default_int_handler)
        X, y = np.ones((40, 30, 8)), np.ones((40, 30))
        before = loopcore.run(X, y, 1.0, 50)
        print("ready", flush=True)
        try:
            {LONG_RUNS[call]}
        except KeyboardInterrupt:
            print("interrupted", (loopcore.run(X, y, 1.0, 50) == before).all())
        """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        try:
            assert child.stdout.readline() == "ready\n"
            with pytest.raises(subprocess.TimeoutExpired):
                child.wait(0.3)
            child.send_signal(signal.SIGINT)
            output, problems = child.communicate(timeout=30)
        finally:
            child.kill()
    assert output == "interrupted True\n", problems
    assert child.returncode == 0


def test_python_threads_at_once_give_the_same_bits(rng):
    X, y, alpha, q0 = problem(rng, (60,), 20, 4)
    X32, y32 = X.astype(np.float32), y.astype(np.float32)
    calls = [
        lambda: loopcore.run(X, y, alpha, T, q0=q0, num_threads=2),
        lambda: loopcore.run(X, y, alpha, T, eta="optimal", path="stream", num_threads=3),
        lambda: loopcore.run(X32, y32, alpha, T, path="gram"),
        lambda: loopcore.trajectory(X, y, alpha, T, at=[3, T]),
        lambda: loopcore.errors(X, y, alpha, T, num_threads=2),
        lambda: loopcore.spectrum(X).kappa,
    ]
    expected = [call().tobytes() for call in calls]
    with ThreadPoolExecutor(12) as pool:
        futures = [pool.submit(calls[i % len(calls)]) for i in range(360)]
        for i, future in enumerate(futures):
            assert future.result(timeout=60).tobytes() == expected[i % len(calls)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_works_after_fork():
    program = """
        import os, signal, warnings
        import numpy as np
        import loopcore
        warnings.simplefilter("ignore")  # Python 3.12 warns of forks of a process with threads
        rng = np.random.default_rng(0)
        X, y = rng.normal(size=(200, 20, 4)), rng.normal(size=(200, 20))
        expected = loopcore.run(X, y, 1.0, 50, num_threads=4)
        for i in range(25):
            child = os.fork()
            if child == 0:
                signal.alarm(20)  # a hang ends in a signal, which the parent sees
                results = [loopcore.run(X, y, 1.0, 50, num_threads=k) for k in (4, 1, 3)]
                same = all((v == expected).all() for v in results)
                os._exit(0 if same else 1)
            status = os.waitpid(child, 0)[1]
            assert status == 0, f"fork {i}: status {status}"
            assert (loopcore.run(X, y, 1.0, 50, num_threads=4) == expected).all()
        print("25 forks")
        """
    child = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert child.stdout == "25 forks\n", child.stderr


@pytest.mark.parametrize("path", ["stream", "gram"])
@pytest.mark.parametrize("size", [1e-155, 1e-160, 1e-170])
@pytest.mark.parametrize("keyword", ["eta", "schedule"])
def test_a_given_step_at_tiny_sizes(path, size, keyword):
    """η XᵀX vanishes beside 1 and v(5) = 5 η α Xᵀy: scaling X up must not scale η to nothing."""
    rng = np.random.default_rng(0)
    X, y = size * rng.normal(size=(6, 3)), rng.normal(size=6)
    v = loopcore.run(X, y, 1.0, 5, path=path, **{keyword: 0.3})
    np.testing.assert_allclose(v, 1.5 * X.T @ y, rtol=1e-14, atol=0)


def test_float32_overflow_is_divergence():
    one = np.ones((1, 1), np.float32)
    with pytest.warns(loopcore.DivergenceWarning, match="1 of 1 tasks diverged"):
        v = loopcore.run(one, one[0], 1.0, 60, eta=10.0)  # 9⁶⁰ ≈ 2e57 is a float64, no float32
    assert np.isinf(v).all()


def test_more_threads_than_any_machine_has_change_nothing():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 20, 4)), rng.normal(size=(300, 20))
    many = loopcore.run(X, y, 1.0, 2000, num_threads=2**40)
    np.testing.assert_array_equal(many, loopcore.run(X, y, 1.0, 2000, num_threads=1))


@pytest.mark.parametrize(
    ("arguments", "keywords", "message"),
    [
        (3, {}, r"run\(\) missing required argument 'T'"),
        (4, {"foo": 1}, r"run\(\) got an unexpected keyword argument 'foo'"),
        (5, {}, r"run\(\) takes 4 positional arguments but 5 were given"),
        (4, {"X": 1}, r"run\(\) got multiple values for argument 'X'"),
    ],
)
def test_calls_that_fit_no_signature(arguments, keywords, message):
    with pytest.raises(TypeError, match=message):
        loopcore.run(*(np.eye(2), np.ones(2), 1.0, 5, 0.1)[:arguments], **keywords)
