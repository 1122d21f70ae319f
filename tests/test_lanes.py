"""Small tasks run in lanes: neither how many there are nor their mates change a bit of any."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import loopcore
from bits import assert_same_bits
from loopcore._native import core
from strategies import DTYPES, T, paths_and_steps, problem, stable

WIDTH = core.configuration()["lanes"]
SHAPES = [(1, 1), (20, 4), (5, 13), (40, 20), (3, 32), (600, 7)]


def one_step_a_task(keywords, B):
    """Return the same steps, as arrays with an entry a task."""
    steps = {}
    for keyword, value in keywords.items():
        given = not isinstance(value, str)
        steps[keyword] = np.array(np.broadcast_to(value, (B, *np.shape(value)))) if given else value
    return steps


def of_tasks(steps, which):
    """Return the steps of some tasks."""
    return {k: v[which] if isinstance(v, np.ndarray) else v for k, v in steps.items()}


@paths_and_steps("auto")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("n", "d"), SHAPES)
def test_every_number_of_tasks(rng, path, steps, dtype, n, d):
    most = 2 * WIDTH + 1
    X, y, alpha, q0 = problem(rng, (most,), n, d, dtype)
    keywords = {"path": path, **stable(steps, n, d)}
    alone = [loopcore.run(X[i], y[i], alpha[i], T, q0=q0[i], **keywords) for i in range(most)]
    for B in range(1, most + 1):
        v = loopcore.run(X[:B], y[:B], alpha[:B], T, q0=q0[:B], **keywords)
        assert_same_bits(v, np.stack(alone[:B]))


@paths_and_steps("auto")
@pytest.mark.parametrize(("n", "d"), SHAPES)
def test_every_number_of_tasks_read_out_loop_by_loop(rng, path, steps, n, d):
    most = 2 * WIDTH + 1
    X, y, alpha, q0 = problem(rng, (most,), n, d)
    keywords = {"path": path, **stable(steps, n, d)}
    for function in (loopcore.trajectory, loopcore.errors):
        alone = [function(X[i], y[i], alpha[i], T, q0=q0[i], **keywords) for i in range(most)]
        for B in (1, 2, WIDTH - 1, WIDTH, WIDTH + 1, most):
            v = function(X[:B], y[:B], alpha[:B], T, q0=q0[:B], **keywords)
            assert_same_bits(v, np.stack(alone[:B]))


def spoil(mate, i, X, y, q0, steps):
    """Make task i a bad mate, in place."""
    if mate == "NaN":
        X[i, -1, -1] = np.nan
    elif mate == "Inf":
        y[i, 0] = np.inf
    elif mate == "NaN q0":
        q0[i] = np.nan
    elif mate == "zero":
        X[i] = 0
    elif mate == "diverging":
        for value in steps.values():
            if isinstance(value, np.ndarray):
                value[i] *= 1e30
    else:
        size = float(mate)
        X[i], y[i] = X[i] * size, y[i] * size
        for value in steps.values():
            if isinstance(value, np.ndarray):
                value[i] /= size**2 if size > 1 else 1


MATES = ["NaN", "Inf", "NaN q0", "zero", "diverging", "1e-160", "1e150"]


@paths_and_steps()
@pytest.mark.parametrize(("n", "d"), [(12, 4), (5, 13), (40, 20)])
def test_mates_have_no_influence(rng, path, steps, n, d):
    """Every place of a lane, among mates of every kind, all alike or a different one each."""
    X, y, alpha, q0 = problem(rng, (WIDTH,), n, d)
    keywords = one_step_a_task(stable(steps, n, d), WIDTH)
    clean = [
        loopcore.run(X[i], y[i], alpha[i], T, q0=q0[i], path=path, **of_tasks(keywords, i))
        for i in range(WIDTH)
    ]
    for place in range(WIDTH):
        for mates in [*([mate] * WIDTH for mate in MATES), MATES * WIDTH]:
            X_, y_, q0_ = X.copy(), y.copy(), q0.copy()
            steps_ = of_tasks(keywords, slice(None))
            steps_ = {k: v.copy() if isinstance(v, np.ndarray) else v for k, v in steps_.items()}
            for i in range(WIDTH):
                if i != place:
                    spoil(mates[i], i, X_, y_, q0_, steps_)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", loopcore.DivergenceWarning)
                v = loopcore.run(X_, y_, alpha, T, q0=q0_, path=path, **steps_)
            assert_same_bits(v[place], clean[place])


@paths_and_steps()
def test_every_place(rng, path, steps):
    """One task has the same bits in each place of two lanes and a rest."""
    B = 2 * WIDTH + 1
    X, y, alpha, q0 = problem(rng, (B + 1,), 20, 4)
    keywords = {"path": path, **stable(steps, 20, 4)}
    alone = loopcore.run(X[B], y[B], alpha[B], T, q0=q0[B], **keywords)
    for place in range(B):
        order = np.arange(B)
        order[place] = B
        v = loopcore.run(X[order], y[order], alpha[order], T, q0=q0[order], **keywords)
        assert_same_bits(v[place], alone)
