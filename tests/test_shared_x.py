"""Tasks that share X through a zero-stride axis have the bits of tasks with copies of it."""

from __future__ import annotations

import numpy as np
import pytest

import loopcore
from bits import assert_same_bits
from loopcore._native import core
from strategies import DTYPES, T, paths_and_steps, problem, stable

WIDTH = core.configuration()["lanes"]
M = WIDTH + 3
SHAPES = [(30, 4), (30, 20), (60, 40), (90, 70), (2, 4), (7, 20), (12, 40), (20, 70)]


def sweep(rng, steps, n, d, m):
    """Return the kind of step, given ones different for each of m tasks."""
    return {
        keyword: value
        if isinstance(value, str)
        else rng.uniform(0.2, 1, size=(m, *[1] * np.ndim(value))) * value
        for keyword, value in stable(steps, n, d).items()
    }


@paths_and_steps("auto")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("n", "d"), SHAPES)
def test_one_x_is_as_good_as_copies(rng, path, steps, dtype, n, d):
    X = rng.normal(size=(n, d)).astype(dtype)
    _, y, alpha, q0 = problem(rng, (M,), n, d, dtype)
    copies, view = np.stack([X] * M), np.broadcast_to(X, (M, n, d))
    keywords = {"path": path, **sweep(rng, steps, n, d, M)}
    # m targets, α, η and q0.
    expected = loopcore.run(copies, y, alpha, T, q0=q0, num_threads=1, **keywords)
    for num_threads in (1, 2, 3):
        for shared in (view, X):
            v = loopcore.run(shared, y, alpha, T, q0=q0, num_threads=num_threads, **keywords)
            assert_same_bits(v, expected)
    # One target, α and q0, as far as the steps let m tasks remain; one step for m targets.
    for some in (slice(0, 1), slice(3, 9)):
        for a, b, c, one in [
            (y[0], alpha[0], q0[0], keywords),
            (y[some], alpha[0], None, {"path": path, **stable(steps, n, d)}),
            (y[0], alpha[some], q0[0], {"path": path, **stable(steps, n, d)}),
            (y[0], alpha[0], q0[some], {"path": path, **stable(steps, n, d)}),
        ]:
            v = loopcore.run(X, a, b, T, q0=c, **one)
            same = loopcore.run(copies[: len(v)] if v.ndim > 1 else X, a, b, T, q0=c, **one)
            assert_same_bits(v, same)


@paths_and_steps("auto")
@pytest.mark.parametrize(("n", "d"), [(30, 4), (60, 40), (12, 40)])
def test_several_x_each_shared(rng, path, steps, n, d):
    """Lanes in which one X ends and the next begins."""
    X = rng.normal(size=(3, 1, n, d))
    _, y, alpha, q0 = problem(rng, (3, 5), n, d)
    keywords = {"path": path, **stable(steps, n, d)}
    copies = np.ascontiguousarray(np.broadcast_to(X, (3, 5, n, d)))
    for function in (loopcore.run, loopcore.trajectory, loopcore.errors):
        v = function(X, y, alpha, T, q0=q0, **keywords)
        assert_same_bits(v, function(copies, y, alpha, T, q0=q0, **keywords))
        # The other way round: X changes from task to task.
        turned = X.swapaxes(0, 1), y.swapaxes(0, 1), alpha.T
        v = function(*turned, T, q0=q0.swapaxes(0, 1), **keywords)
        copies_turned = np.ascontiguousarray(copies.swapaxes(0, 1))
        expected = function(copies_turned, *turned[1:], T, q0=q0.swapaxes(0, 1), **keywords)
        assert_same_bits(v, expected)


@paths_and_steps()
@pytest.mark.parametrize(("n", "d"), [(30, 4), (60, 40), (12, 40)])
@pytest.mark.parametrize("size", [1.0, 1e-160, 1e150])
def test_targets_of_every_size_on_one_x(rng, path, steps, n, d, size):
    """A bad number, and targets that need scaling, change nothing for those beside them."""
    X = size * rng.normal(size=(n, d))
    _, y, alpha, q0 = problem(rng, (M,), n, d)
    y *= size
    y[1::4] *= 1e-160 if size >= 1 else 1e160
    y[2] = 0
    y[5, 1] = np.nan
    q0[7, 0] = np.inf
    keywords = {"path": path}
    for keyword, value in sweep(rng, steps, n, d, M).items():
        keywords[keyword] = (
            value / size**2 if size == 1e150 and not isinstance(value, str) else value
        )
    v = loopcore.run(X, y, alpha, T, q0=q0, **keywords)
    expected = loopcore.run(np.stack([X] * M), y, alpha, T, q0=q0, **keywords)
    finite = ~np.isin(np.arange(M), [5, 7])
    assert_same_bits(v[finite], expected[finite])
    assert np.isfinite(v[finite]).all()
    assert not np.isfinite(v[~finite]).all(-1).any()


@paths_and_steps()
def test_a_view_of_rows_of_one_array_is_no_shared_x(rng, path, steps):
    """X that overlap in memory without being the same one."""
    whole = rng.normal(size=(30, 40))
    X = np.lib.stride_tricks.sliding_window_view(whole, 12, axis=0).swapaxes(1, 2)  # (19, 12, 40)
    y = rng.normal(size=(19, 12))
    keywords = {"path": path, **stable(steps, 12, 40)}
    expected = loopcore.run(X.copy(), y, 1.0, T, **keywords)
    assert_same_bits(loopcore.run(X, y, 1.0, T, **keywords), expected)
