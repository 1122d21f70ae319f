"""`loopcore.trajectory`: v after every loop that is asked for."""

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
    LAYOUTS,
    LOOPING,
    PATHS,
    STEPS,
    T,
    paths_and_steps,
    paths_for,
    problem,
    tasks_on_paths,
)
from test_run import SHAPES


@exact.needs_extended_precision
@paths_and_steps("auto")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [s for s in SHAPES if s[1] < 50], ids=str)
def test_every_loop_agrees_with_the_truth(rng, path, dtype, shape, steps):
    lead, n, d = shape
    X, y, alpha, q0 = problem(rng, lead, n, d, dtype)
    v = loopcore.trajectory(X, y, alpha, T, q0=q0, path=path, **STEPS[steps])
    assert v.shape == (*lead, T + 1, d)
    assert v.dtype == dtype
    assert_same_bits(v[..., 0, :], -q0)
    exact_steps = exact.step_sizes(X, T, **STEPS[steps])
    for t in (1, 2, 7, 20, T):
        truth = exact.follow(X, y, alpha, exact_steps[..., :t], q0)
        assert exact.ratio(v[..., t, :], truth).max(initial=0) <= 30


def test_by_hand():
    # test_reference.py works this case out; all its numbers are dyadic.
    X, y, q0 = [[1, 0], [0, 2], [1, 1]], [1, 2, 3], [1, -1]
    for path in paths_for({"schedule": [0.25, 0.125]}):
        v = loopcore.trajectory(X, y, 2, 2, schedule=[0.25, 0.125], q0=q0, path=path)
        np.testing.assert_array_equal(v, [[-1, 1], [1.25, 3.5], [1.5, 2.90625]])


@paths_and_steps("auto")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("n", "d"), [(9, 4), (40, 35), (9, 40)])
def test_the_last_loop_alone_is_run(rng, path, dtype, steps, n, d):
    X, y, alpha, q0 = problem(rng, (13,), n, d, dtype)
    keywords = {"q0": q0, "path": path, **STEPS[steps]}
    for loops in (1, T):
        if steps == "schedule":
            keywords["schedule"] = STEPS[steps]["schedule"][:loops]
        v = loopcore.trajectory(X, y, alpha, loops, at=[loops], **keywords)
        assert_same_bits(v[:, 0], loopcore.run(X, y, alpha, loops, **keywords))


@pytest.mark.parametrize("path", LOOPING)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("steps", STEPS)
def test_last_loop_is_run(rng, path, dtype, steps):
    X, y, alpha, q0 = problem(rng, (13,), 9, 4, dtype)
    v = loopcore.trajectory(X, y, alpha, T, q0=q0, path=path, **STEPS[steps])
    assert_same_bits(v[:, T], loopcore.run(X, y, alpha, T, q0=q0, path=path, **STEPS[steps]))
    if steps in {"none", "eta", "optimal"}:
        for t in range(T):
            one = loopcore.run(X, y, alpha, t, q0=q0, path=path, **STEPS[steps])
            assert_same_bits(v[:, t], one)


@pytest.mark.parametrize("path", LOOPING)
@pytest.mark.parametrize("at", [[0], [T], [0, T], [3, 3, 3, 9], [], [1, 2, 20, T, T]])
def test_at_selects_loops(rng, path, at):
    X, y, alpha, q0 = problem(rng, (3, 2), 9, 4)
    everything = loopcore.trajectory(X, y, alpha, T, q0=q0, path=path)
    assert everything.shape == (3, 2, T + 1, 4)
    for kind in (
        list,
        tuple,
        np.array,
        lambda a: np.array(a, np.uint8),
        lambda a: np.array(a, ">i4"),
    ):
        chosen = kind(at) if at else np.array([], int)
        v = loopcore.trajectory(X, y, alpha, T, q0=q0, path=path, at=chosen)
        assert_same_bits(v, np.ascontiguousarray(everything[:, :, at]))


@hypothesis_settings(max_examples=200)
@given(tasks_on_paths(converted=True), st.integers(1, 4))
def test_bits_do_not_depend_on_layout_or_threads(on_path, threads):
    task, path = on_path
    plain = task.map_arrays(lambda a: a.astype(a.dtype.newbyteorder("=")).copy())
    v = task.call(loopcore.trajectory, path=path, num_threads=threads)
    assert_same_bits(v, plain.call(loopcore.trajectory, path=path, num_threads=1))
    last = task.call(loopcore.trajectory, path=path, at=[task.T])[..., 0, :]
    assert_same_bits(last.copy(), task.call(loopcore.run, path=path))
    if path in LOOPING:
        assert_same_bits(v[..., task.T, :].copy(), last.copy())


@exact.needs_extended_precision
@hypothesis_settings(max_examples=200)
@given(tasks_on_paths(converted=True))
def test_last_loop_among_all_agrees_with_the_truth(on_path):
    task, path = on_path
    v = task.call(loopcore.trajectory, path=path)[..., task.T, :]
    assert exact.ratio(v, task.call(exact.truth)).max(initial=0) <= 30


@pytest.mark.parametrize("at", [[0], [3], [0, T], [3, 3, 3, 9], [], [1, 2, 20, T, T]])
@pytest.mark.parametrize("loops", [T, 500])
def test_at_selects_loops_under_auto_too(rng, at, loops):
    """One plan for all readings but that of v(T) alone, which powers may serve."""
    X, y, alpha, q0 = problem(rng, (3,), 9, 4)
    everything = loopcore.trajectory(X, y, alpha, loops, q0=q0)
    v = loopcore.trajectory(X, y, alpha, loops, q0=q0, at=np.array(at, int))
    assert_same_bits(v, np.ascontiguousarray(everything[:, at]))


@exact.needs_extended_precision
@pytest.mark.parametrize("at", [[0], [3], [0, T], [3, 3, 9], [1, 2, 20, T, T]])
@pytest.mark.parametrize(("n", "d"), [(9, 4), (40, 35), (9, 40)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_powers_from_reading_to_reading(rng, dtype, n, d, at):
    X, y, alpha, q0 = problem(rng, (5,), n, d, dtype)
    v = loopcore.trajectory(X, y, alpha, T, q0=q0, at=at, path="power")
    for k, t in enumerate(at):
        truth = exact.truth(X, y, alpha, t, q0=q0)
        assert exact.ratio(v[:, k], truth).max() <= 30


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_out(rng, path, dtype):
    X, y, alpha, q0 = problem(rng, (3, 4), 8, 5, dtype)
    expected = loopcore.trajectory(X, y, alpha, 6, q0=q0, at=[1, 6], path=path)
    for layout in ("C", "Fortran", "negative strides", "sliced", "by column", "unaligned"):
        out = LAYOUTS[layout](np.full((3, 4, 2, 5), 7, dtype))
        got = loopcore.trajectory(X, y, alpha, 6, q0=q0, at=[1, 6], path=path, out=out)
        assert got is out
        assert_same_bits(out, expected)


def test_empty_stacks_rows_and_loops():
    assert loopcore.trajectory(np.ones((0, 5, 3)), np.ones(5), 1.0, 4).shape == (0, 5, 3)
    assert loopcore.trajectory(np.ones((2, 5, 0)), np.ones(5), 1.0, 4).shape == (2, 5, 0)
    q0 = np.array([1.0, -2.0, 3.0])
    v = loopcore.trajectory(np.ones((0, 3)), np.ones(0), 1.0, 4, q0=q0)
    np.testing.assert_array_equal(v, [-q0] * 5)
    np.testing.assert_array_equal(loopcore.trajectory(np.eye(3), np.ones(3), 1.0, 0, q0=q0), [-q0])


@pytest.mark.parametrize("path", PATHS)
def test_divergence_is_seen_in_the_loops_that_are_asked_for(rng, path):
    X, y, alpha, q0 = problem(rng, (4, 5), 10, 4)
    eta = np.full((4, 5), 0.001)
    eta[2, 3] = 5.0
    # Finite until loop 100, which is all that is asked for.
    v = loopcore.trajectory(X, y, alpha, 1000, q0=q0, eta=eta, at=[0, 100], path=path)
    assert np.isfinite(v).all()
    with pytest.warns(loopcore.DivergenceWarning) as record:
        v = loopcore.trajectory(X, y, alpha, 1000, q0=q0, eta=eta, at=[0, 100, 1000], path=path)
    assert [str(w.message) for w in record] == [
        "1 of 20 tasks diverged, the first at index (2, 3): "
        "use a smaller step size (eta=None is always stable)"
    ]
    assert np.isfinite(v[2, 3, :2]).all()
    assert not np.isfinite(v[2, 3, 2]).all()
    v[2, 3] = 0
    assert np.isfinite(v).all()


def test_agrees_with_the_literal_trajectory(rng):
    X, y, alpha, q0 = problem(rng, (3,), 7, 4)
    for eta in ("optimal", "chebyshev"):
        literal = reference.trajectory(X, y, alpha, 12, q0=q0, eta=eta)
        for path in paths_for({"eta": eta}):
            v = loopcore.trajectory(X, y, alpha, 12, q0=q0, eta=eta, path=path)
            np.testing.assert_allclose(v, literal, rtol=1e-11)
