"""The path that "auto" takes: where it changes, and what it must not depend on."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import loopcore
from bits import assert_same_bits
from loopcore._native import core
from strategies import DTYPES, LAYOUTS, PATHS, paths_for, problem

planned = core.planned_path

# The kinds of step by the name that planned_path knows them by; given ones for λ_max = 1.
KINDS = {
    "given": lambda T: {"eta": 0.9},
    "schedule": lambda T: {"schedule": np.linspace(0.2, 1.5, T)},
    "lambda_max": lambda T: {},
    "optimal": lambda T: {"eta": "optimal"},
    "chebyshev": lambda T: {"eta": "chebyshev"},
}


def task(rng, n, d, dtype=np.float64):
    """Return X of λ_max near 1, y, alpha and q0."""
    X, y, alpha, q0 = problem(rng, (), n, d)
    X /= np.sqrt(n) + np.sqrt(d)
    return X.astype(dtype), y.astype(dtype), alpha, q0.astype(dtype)


def calculate(n, d, T, steps, only_end, arguments, path):
    """Return v(T) on a path, read out alone or with q(0) before it."""
    X, y, alpha, q0 = arguments
    keywords = {"q0": q0, "path": path, **KINDS[steps](T)}
    if only_end:
        return loopcore.run(X, y, alpha, T, **keywords)
    return loopcore.trajectory(X, y, alpha, T, at=[0, T], **keywords)[1].copy()


# Boundaries ------------------------------------------------------------------------------


AXES = {
    "n": (
        [1, 2, 5, 12, 40, 150, 700, 3000, 12_000],
        [(4, 8), (20, 30), (32, 3), (40, 60), (90, 7)],
    ),
    "d": ([1, 2, 4, 9, 20, 32, 60, 120, 300], [(5, 20), (30, 3), (40, 100), (300, 12)]),
    "T": (
        [1, 2, 4, 10, 30, 100, 400, 2000, 20_000],
        [(20, 4), (40, 20), (5, 12), (3, 32), (200, 64), (30, 90), (60, 60), (2000, 20)],
    ),
}


def shape(axis, value, others):
    """Return (n, d, T) with this value on the axis."""
    at = "ndT".index(axis)
    return (*others[:at], value, *others[at:])


def boundaries(steps):
    """Yield only_end and the (n, d, T) on both sides of a change of the path, by bisection.

    One for each two paths, axis and reading, and size of task.
    """
    for only_end, (axis, (values, rest)) in itertools.product((True, False), AXES.items()):
        for others, (first, last) in itertools.product(rest, itertools.pairwise(values)):

            def path(value, axis=axis, others=others, only_end=only_end):
                return planned(*shape(axis, value, others), steps, only_end)

            if path(first) == path(last):
                continue
            low, high = first, last
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if path(middle) == path(low) else (low, middle)
            n, d, T = shape(axis, high, others)
            if n * d * T <= 10**8 and d * T <= 3 * 10**5:
                yield only_end, shape(axis, low, others), (n, d, T)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("steps", KINDS)
def test_paths_agree_where_the_plan_changes(rng, steps, dtype):
    found = list(boundaries(steps))
    found = found if dtype == np.float64 else found[::3]
    changes = set()
    for only_end, *sides in found:
        names = [planned(*side, steps, only_end) for side in sides]
        assert names[0] != names[1]
        changes.add(frozenset(names))
        for n, d, T in sides:
            arguments = task(rng, n, d, dtype)
            a, b = (calculate(n, d, T, steps, only_end, arguments, name) for name in names)
            X, y, alpha, q0 = arguments
            allowed = 2 * loopcore.error_bound(X, y, alpha, T, q0=q0, **KINDS[steps](T))
            assert np.linalg.norm(a.astype("f8") - b) <= allowed, (n, d, T, names)
            auto = calculate(n, d, T, steps, only_end, arguments, "auto")
            own = planned(n, d, T, steps, only_end)
            assert_same_bits(auto, calculate(n, d, T, steps, only_end, arguments, own))
    print(f"\n{steps}: {len(found)} boundaries, {sorted(map(sorted, changes))}")
    assert len(found) >= 12
    assert len(changes) >= 2


@pytest.mark.parametrize("steps", KINDS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("n", "d", "more_n", "more_d"),
    [
        (4096, 5, 1, 0),
        (4090, 32, 9, 0),
        (50, 32, 0, 1),
        (9, 32, 0, 3),
        (40, 40, 0, 1),
        (39, 40, 1, 0),
    ],
)
def test_tasks_agree_across_the_sizes_that_change_the_arithmetic(
    rng, steps, dtype, n, d, more_n, more_d
):
    """Rows and columns of zeros change no result, but whether lanes or XXᵀ are used."""
    X, y, alpha, q0 = task(rng, n, d, dtype)
    T = 40
    wider = np.pad(X, [(0, more_n), (0, more_d)]), np.pad(y, (0, more_n)), alpha
    allowed = 2 * loopcore.error_bound(X, y, alpha, T, q0=q0, **KINDS[steps](T))
    for path in paths_for(KINDS[steps](T)):
        keywords = {"path": path, **KINDS[steps](T)}
        v = loopcore.run(X, y, alpha, T, q0=q0, **keywords)
        again = loopcore.run(*wider, T, q0=np.pad(q0, (0, more_d)), **keywords)
        assert np.linalg.norm(v.astype("f8") - again[:d]) <= allowed
        assert not again[d:].any()


# What the plan must not depend on ------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("steps", KINDS)
@pytest.mark.parametrize(
    ("n", "d", "T"),
    [
        (20, 4, 50),
        (20, 4, 3),
        (40, 20, 100),
        (5, 12, 500),
        (600, 64, 2),
        (70, 50, 40),
        (30, 60, 900),
    ],
)
def test_auto_is_the_planned_path_whatever_else_changes(rng, dtype, steps, n, d, T):
    """Not on the batch, the threads, the layout, the type, or the values of an argument."""
    name = planned(n, d, T, steps, True)
    X, y, alpha, q0 = problem(rng, (9,), n, d, dtype)
    X = X / X.dtype.type(np.sqrt(n) + np.sqrt(d))
    keywords = KINDS[steps](T)
    expected = loopcore.run(X, y, alpha, T, q0=q0, path=name, num_threads=1, **keywords)
    for B in (1, 2, 9):
        for num_threads in (1, 2, 3):
            v = loopcore.run(
                X[:B], y[:B], alpha[:B], T, q0=q0[:B], num_threads=num_threads, **keywords
            )
            assert_same_bits(v, expected[:B])
    for change in LAYOUTS.values():
        v = loopcore.run(change(X), change(y), change(alpha), T, q0=change(q0), **keywords)
        assert_same_bits(v, expected)
    one = loopcore.run(np.broadcast_to(X[0], X.shape), y, alpha, T, q0=q0, **keywords)
    copies = loopcore.run(np.stack([X[0]] * 9), y, alpha, T, q0=q0, path=name, **keywords)
    assert_same_bits(one, copies)
    plain = loopcore.run(X, y, alpha, T, path=name, **keywords)
    assert_same_bits(loopcore.run(X, y, alpha, T, **keywords), plain)
    # Read out on the way the plan may be another, and is the same for all ways to ask.
    name = planned(n, d, T, steps, False)
    v = loopcore.trajectory(X, y, alpha, T, at=[0, T], q0=q0, **keywords)
    for B in (1, 9):
        some = X[:B], y[:B], alpha[:B], T
        named = loopcore.trajectory(*some, at=[0, T], q0=q0[:B], path=name, **keywords)
        assert_same_bits(v[:B], named)


@pytest.mark.parametrize("steps", KINDS)
def test_every_plan_is_a_path_that_serves_the_steps(steps):
    served = paths_for(KINDS[steps](3))
    for n, d, T in itertools.product(
        [0, 1, 3, 40, 4096, 4097, 10**6], [0, 1, 4, 32, 33, 1000], [0, 1, 2, 50, 10**6, 2**61]
    ):
        for only_end in (True, False):
            name = planned(n, d, T, steps, only_end)
            assert name in served
            assert name == planned(n, d, T, steps, only_end)
            assert only_end or name != "power"


def test_every_path_is_planned_somewhere():
    """Few loops stream, many small ones are squared, whole curves run in a basis."""
    found = {
        planned(n, d, T, "given", only_end)
        for n in (5, 40, 2000)
        for d in (4, 20, 100)
        for T in (1, 10, 100, 10**4)
        for only_end in (True, False)
    }
    assert found == set(PATHS)
    assert planned(20, 4, 10**6, "given", True) == "power"
    assert planned(20_000, 256, 3, "given", True) == "stream"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("n", "d", "loops"), [(20, 4, 50), (5000, 30, 2), (3, 40, 9), (16, 4, 16)])
def test_auto_is_one_of_the_paths(rng, dtype, n, d, loops):
    X, y, alpha, _ = problem(rng, (3,), n, d, dtype)
    bits = {path: loopcore.run(X, y, alpha, loops, path=path).tobytes() for path in PATHS}
    auto = loopcore.run(X, y, alpha, loops)
    assert auto.tobytes() == bits[planned(n, d, loops, "lambda_max", True)]
    # The plan looks at the shape of a task, never at how many there are.
    assert_same_bits(loopcore.run(X[0], y[0], alpha[0], loops), auto[0])
