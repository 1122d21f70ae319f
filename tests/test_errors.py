"""`loopcore.errors`: the theorem's two errors after every loop that is asked for."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import exact
import loopcore
from bits import assert_same_bits
from strategies import (
    DTYPES,
    LAYOUTS,
    LOOPING,
    PATHS,
    STEPS,
    T,
    paths_and_steps,
    problem,
    tasks_on_paths,
)


def from_trajectory(v, alpha, theta, relative):
    """Return the errors of v, (..., K, d), in extended precision, (..., K)."""
    v, theta = v.astype(np.longdouble), np.asarray(theta, np.longdouble)[..., None, :]
    alpha = np.asarray(alpha, np.longdouble)[..., None]
    square = (theta**2).sum(-1) if relative else 1
    difference = np.abs((v * theta).sum(-1) - alpha * square)
    return difference / (np.abs(alpha) * square) if relative else difference


def rounding(v, alpha, theta):
    """Return what rounding v and the inner product may cost, in the units of the raw error."""
    u = np.finfo(v.dtype).eps / 2
    theta = np.asarray(theta)
    norms = np.sqrt((v.astype(np.float64) ** 2).sum(-1)) * np.sqrt((theta**2).sum(-1))[..., None]
    square = np.maximum(1, (theta**2).sum(-1))[..., None]
    return u * (2 + v.shape[-1]) * (norms + np.abs(np.asarray(alpha))[..., None] * square)


@exact.needs_extended_precision
@paths_and_steps("auto")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize(("n", "d"), [(12, 4), (3, 7), (1, 1), (40, 20), (50, 40), (12, 50)])
def test_is_the_error_of_the_trajectory(rng, path, dtype, relative, steps, n, d):
    X, y, alpha, q0 = problem(rng, (9,), n, d, dtype)
    theta = rng.normal(size=(9, d))
    keywords = {"q0": q0, "path": path, **STEPS[steps]}
    e = loopcore.errors(X, y, alpha, T, theta=theta, relative=relative, **keywords)
    assert e.shape == (9, T + 1)
    assert e.dtype == dtype
    v = loopcore.trajectory(X, y, alpha, T, **keywords)
    expected = from_trajectory(v, alpha, theta, relative)
    allowed = 2 * rounding(v, alpha, theta)
    if relative:
        allowed = allowed / (np.abs(alpha) * (theta**2).sum(-1))[:, None]
    assert (np.abs(e - expected) <= allowed + np.finfo(dtype).eps * expected).all()


def test_by_hand():
    # q is 0, −3/2, −9/4 for X = 2, y = 6, α = 1, η = 1/8; θ̂ = 3.
    for path in PATHS:
        keywords = {"eta": 0.125, "path": path}
        e = loopcore.errors([[2.0]], [6.0], 1.0, 2, theta=[1.0], **keywords)
        np.testing.assert_array_equal(e, [1, 0.5, 1.25])
        e = loopcore.errors([[2.0]], [6.0], 1.0, 2, **keywords)
        np.testing.assert_allclose(e, [1, 3.5, 5.75], rtol=1e-14)
        e = loopcore.errors([[2.0]], [6.0], 1.0, 2, relative=True, **keywords)
        np.testing.assert_allclose(e, [1, 0.5, 0.25], rtol=1e-14)
        # Where the raw error levels off: |α| |‖θ̂‖² − 1|.
        e = loopcore.errors([[2.0]], [6.0], -0.5, 90, at=[90], **keywords)
        np.testing.assert_allclose(e, [4], rtol=1e-9)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("n", "d"), [(30, 5), (5, 5), (4, 9), (1, 3), (3, 1), (200, 40), (50, 70)])
def test_theta_defaults_to_the_minimum_norm_least_squares_solution(rng, dtype, n, d):
    X, y, alpha, _ = problem(rng, (6,), n, d, dtype)
    X[3:, :, -1] = X[3:, :, 0]  # rank-deficient
    # The rank rule is that of `spectrum`, with the eps of the type of X.
    eps = np.finfo(dtype).eps
    theta = np.stack(
        [
            scipy.linalg.lstsq(a, b, cond=max(n, d) * eps)[0]
            for a, b in zip(X.astype("f8"), y.astype("f8"), strict=True)
        ]
    )
    for relative in (False, True):
        e = loopcore.errors(X, y, alpha, T, relative=relative)
        expected = loopcore.errors(X, y, alpha, T, theta=theta, relative=relative)
        # θ̂ has an error of a few κ^½ u, and here κ^½ may be some hundreds.
        np.testing.assert_allclose(e, expected, rtol=1e4 * eps, atol=1e4 * eps)


@pytest.mark.parametrize("path", PATHS)
def test_theta_broadcasts_and_never_promotes(rng, path):
    X, y, _, _ = problem(rng, (), 8, 3, np.float32)
    theta = rng.normal(size=(5, 1, 3))
    alpha = rng.normal(size=2)
    e = loopcore.errors(X, y, alpha, 4, theta=theta, path=path)
    assert e.shape == (5, 2, 5)
    assert e.dtype == np.float32
    for i, j in np.ndindex(5, 2):
        one = loopcore.errors(X, y, alpha[j], 4, theta=theta[i, 0], path=path)
        assert_same_bits(one, e[i, j])
    for change in LAYOUTS.values():
        assert_same_bits(loopcore.errors(X, y, alpha, 4, theta=change(theta), path=path), e)
    integers = loopcore.errors(X, y, 1.0, 4, theta=[1, 2, 3], path=path)
    assert_same_bits(integers, loopcore.errors(X, y, 1.0, 4, theta=[1.0, 2.0, 3.0], path=path))


@pytest.mark.parametrize("path", LOOPING)
@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("at", [[0], [T], [], [3, 3, 9], [1, 2, 20, T, T]])
def test_at_selects_loops(rng, path, relative, at):
    X, y, alpha, q0 = problem(rng, (3, 2), 9, 4)
    keywords = {"q0": q0, "path": path, "relative": relative}
    everything = loopcore.errors(X, y, alpha, T, **keywords)
    chosen = np.array(at, np.int64)
    e = loopcore.errors(X, y, alpha, T, at=chosen, **keywords)
    assert_same_bits(e, np.ascontiguousarray(everything[:, :, at]))


@pytest.mark.parametrize("path", ["auto", *PATHS])
@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("at", [[0], [T], [3, 3, 9], [1, 2, 20, T, T]])
@pytest.mark.parametrize(("n", "d"), [(9, 4), (60, 40), (12, 50)])
def test_at_selects_errors_of_the_trajectory(rng, path, relative, at, n, d):
    X, y, alpha, q0 = problem(rng, (3,), n, d)
    theta = rng.normal(size=(3, d))
    keywords = {"q0": q0, "path": path, "at": at}
    e = loopcore.errors(X, y, alpha, T, theta=theta, relative=relative, **keywords)
    v = loopcore.trajectory(X, y, alpha, T, **keywords)
    expected = from_trajectory(v, alpha, theta, relative)
    allowed = 2 * rounding(v, alpha, theta)
    if relative:
        allowed = allowed / (np.abs(alpha) * (theta**2).sum(-1))[:, None]
    assert (np.abs(e - expected) <= allowed + np.finfo(np.float64).eps * expected).all()


@hypothesis_settings(max_examples=200)
@given(tasks_on_paths(converted=True), st.integers(1, 4), st.booleans())
def test_bits_do_not_depend_on_layout_or_threads(on_path, threads, relative):
    task, path = on_path
    plain = task.map_arrays(lambda a: a.astype(a.dtype.newbyteorder("=")).copy())
    e = task.call(loopcore.errors, path=path, num_threads=threads, relative=relative)
    again = plain.call(loopcore.errors, path=path, num_threads=1, relative=relative)
    nan = np.isnan(again)
    assert (nan == np.isnan(e)).all()
    assert_same_bits(np.where(nan, 0, e), np.where(nan, 0, again))


def test_relative_error_of_zero_is_nan():
    X, y = np.eye(2), np.array([1.0, 2.0])
    for alpha, theta in [(0.0, [1.0, 0.0]), (1.0, [0.0, 0.0]), (0.0, None)]:
        assert np.isnan(loopcore.errors(X, y, alpha, 3, theta=theta, relative=True)).all()
    assert np.isnan(loopcore.errors(X, 0 * y, 1.0, 3, relative=True)).all()
    # Raw errors are numbers there, and the other tasks of the batch keep theirs.
    e = loopcore.errors(X, y, [0.0, 1.0], 3, theta=[1.0, 0.0], relative=True)
    assert np.isnan(e).tolist() == [[True] * 4, [False] * 4]
    np.testing.assert_array_equal(loopcore.errors(X, y, 0.0, 3, theta=[1.0, 0.0]), [0] * 4)
    np.testing.assert_array_equal(loopcore.errors(X, y, 2.0, 1, theta=[0.0, 0.0]), [2, 2])


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_bad_number_stays_in_its_task(rng, path, bad):
    X, y, alpha, q0 = problem(rng, (19,), 10, 4)
    theta = rng.normal(size=(19, 4))
    clean = loopcore.errors(X, y, alpha, T, q0=q0, path=path)
    clean_theta = loopcore.errors(X, y, alpha, T, q0=q0, theta=theta, path=path)
    X[2, 9, 3] = y[5, 4] = alpha[11] = q0[13, 1] = bad
    theta[17, 0] = bad
    e = loopcore.errors(X, y, alpha, T, q0=q0, path=path)
    good = ~np.isin(np.arange(19), [2, 5, 11, 13])
    assert not np.isfinite(e[~good, T]).any()
    assert_same_bits(e[good], clean[good])
    e = loopcore.errors(X, y, alpha, T, q0=q0, theta=theta, path=path)
    good[17] = False
    assert not np.isfinite(e[~good, T]).any()
    assert_same_bits(e[good], clean_theta[good])


@pytest.mark.parametrize("path", PATHS)
def test_divergence(rng, path):
    X, y, alpha, q0 = problem(rng, (4, 5), 10, 4)
    eta = np.full((4, 5), 0.001)
    eta[2, 3] = eta[3, 1] = 5.0
    with pytest.warns(loopcore.DivergenceWarning) as record:
        e = loopcore.errors(X, y, alpha, 1000, q0=q0, eta=eta, path=path)
    assert [str(w.message) for w in record] == [
        "2 of 20 tasks diverged, the first at index (2, 3): "
        "use a smaller step size (eta=None is always stable)"
    ]
    assert not np.isfinite(e[eta == 5][:, -1]).any()
    assert np.isfinite(e[eta < 5]).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_out(rng, dtype):
    X, y, alpha, q0 = problem(rng, (3, 4), 8, 5, dtype)
    expected = loopcore.errors(X, y, alpha, 6, q0=q0, at=[1, 6])
    for layout in ("C", "Fortran", "negative strides", "sliced", "unaligned"):
        out = LAYOUTS[layout](np.full((3, 4, 2), 7, dtype))
        assert loopcore.errors(X, y, alpha, 6, q0=q0, at=[1, 6], out=out) is out
        assert_same_bits(out, expected)


def test_empty_stacks_rows_and_loops():
    assert loopcore.errors(np.ones((0, 5, 3)), np.ones(5), 1.0, 4).shape == (0, 5)
    # No features: ⟨v, θ⟩ = 0. No rows: θ̂ = 0 and v = −q0.
    np.testing.assert_array_equal(
        loopcore.errors(np.ones((2, 5, 0)), np.ones(5), 3.0, 1), [[3, 3]] * 2
    )
    np.testing.assert_array_equal(loopcore.errors(np.ones((0, 3)), np.ones(0), 3.0, 1), [3, 3])
    e = loopcore.errors(np.ones((0, 2)), np.ones(0), 3.0, 1, theta=[1.0, 2.0], q0=[1.0, 1.0])
    np.testing.assert_array_equal(e, [6, 6])
    assert loopcore.errors(np.eye(3), np.ones(3), 1.0, 0).shape == (1,)


@exact.needs_extended_precision
@pytest.mark.parametrize("size", [1e-160, 1e150])
@pytest.mark.parametrize("path", PATHS)
def test_extreme_sizes(rng, size, path):
    """X and y of any size have the same θ̂ and the same errors."""
    X, y, alpha, _ = problem(rng, (7,), 12, 4)
    for relative in (False, True):
        expected = loopcore.errors(X, y, alpha, T, relative=relative, path=path)
        e = loopcore.errors(size * X, size * y, alpha, T, relative=relative, path=path)
        np.testing.assert_allclose(e, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("x_size", "y_size", "alpha"), [(1e-160, 1, 1), (1, 1e160, 1), (1, 1, 1e300)]
)
def test_relative_errors_do_not_depend_on_size(x_size, y_size, alpha):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(6, 3)), rng.normal(size=6)
    plain = loopcore.errors(X, y, 1.0, 8, relative=True)
    sized = loopcore.errors(x_size * X, y_size * y, alpha, 8, relative=True)
    np.testing.assert_allclose(sized, plain, rtol=1e-12, atol=1e-15)
