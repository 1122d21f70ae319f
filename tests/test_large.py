"""Single large tasks, which a team of threads works on together."""

from __future__ import annotations

import numpy as np
import pytest

import exact
import loopcore
from bits import assert_same_bits
from strategies import LAYOUTS, PATHS, paths_for, problem

SHAPES = [(9000, 40), (9000, 300), (70, 400)]
LOOPS = 6


def steps(kind, n, d):
    """Return the keyword of a kind of step that is stable for a Gaussian X of (n, d)."""
    largest = 1 / (np.sqrt(n) + np.sqrt(d)) ** 2
    return {
        "none": {},
        "eta": {"eta": 0.9 * largest},
        "schedule": {"schedule": largest * np.linspace(0.5, 1.5, LOOPS)},
    }[kind]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("path", ["auto", *PATHS])
@pytest.mark.parametrize("kind", ["none", "eta", "schedule"])
@pytest.mark.parametrize(("n", "d"), SHAPES)
def test_bits_do_not_depend_on_threads(rng, dtype, path, kind, n, d):
    keywords = steps(kind, n, d)
    if path not in ("auto", *paths_for(keywords)):
        pytest.skip("needs a constant step")
    X, y, alpha, q0 = problem(rng, (), n, d, dtype)
    expected = loopcore.run(X, y, alpha, LOOPS, q0=q0, path=path, num_threads=1, **keywords)
    for num_threads in (2, 3, 7):
        v = loopcore.run(X, y, alpha, LOOPS, q0=q0, path=path, num_threads=num_threads, **keywords)
        assert_same_bits(v, expected)
    assert_same_bits(loopcore.run(X, y, alpha, LOOPS, q0=q0, path=path, **keywords), expected)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("n", "d"), [(9000, 40), (70, 400)])
def test_bits_of_a_few_are_those_of_one(rng, path, n, d):
    """Two tasks are run one by one by the team, nine are shared out."""
    X, y, alpha, q0 = problem(rng, (9,), n, d)
    keywords = {"path": path, **steps("eta", n, d)}
    alone = [
        loopcore.run(X[i], y[i], alpha[i], LOOPS, q0=q0[i], num_threads=1, **keywords)
        for i in range(9)
    ]
    for B in (1, 2, 5, 9):
        for num_threads in (1, 2, 3):
            v = loopcore.run(
                X[:B], y[:B], alpha[:B], LOOPS, q0=q0[:B], num_threads=num_threads, **keywords
            )
            assert_same_bits(v, np.stack(alone[:B]))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("layout", ["Fortran", "negative strides", "sliced", "byte-swapped"])
@pytest.mark.parametrize(("n", "d"), [(3000, 40), (600, 300), (70, 400)])
def test_bits_do_not_depend_on_memory_layout(rng, path, layout, n, d):
    X, y, alpha, q0 = problem(rng, (), n, d)
    keywords = {"path": path, **steps("eta", n, d)}
    expected = loopcore.run(X, y, alpha, LOOPS, q0=q0, num_threads=1, **keywords)
    X = LAYOUTS[layout](X)
    for num_threads in (1, 3):
        v = loopcore.run(X, y, alpha, LOOPS, q0=q0, num_threads=num_threads, **keywords)
        assert_same_bits(v, expected)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("function", [loopcore.trajectory, loopcore.errors])
@pytest.mark.parametrize(("n", "d"), [(9000, 40), (70, 400)])
def test_bits_of_what_is_read_out_do_not_depend_on_threads(rng, path, function, n, d):
    X, y, alpha, q0 = problem(rng, (), n, d)
    keywords = {"q0": q0, "path": path, **steps("eta", n, d)}
    expected = function(X, y, alpha, LOOPS, num_threads=1, **keywords)
    for num_threads in (2, 3):
        again = function(X, y, alpha, LOOPS, num_threads=num_threads, **keywords)
        assert_same_bits(again, expected)


@exact.needs_extended_precision
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("n", "d"), [(9000, 40), (300, 270), (70, 400)])
def test_the_promise_is_kept(rng, dtype, n, d):
    X, y, alpha, q0 = problem(rng, (), n, d, dtype)
    for kind in ("eta", "schedule"):
        keywords = steps(kind, n, d)
        truth = exact.truth(X, y, alpha, LOOPS, q0=q0, **keywords)
        for path in paths_for(keywords):
            v = loopcore.run(X, y, alpha, LOOPS, q0=q0, path=path, num_threads=3, **keywords)
            assert exact.ratio(v, truth) <= 30, path
