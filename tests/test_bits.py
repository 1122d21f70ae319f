"""What the bits of a result must not depend on: threads, place in the batch, memory layout."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import loopcore
from bits import assert_same_bits
from strategies import (
    DTYPES,
    LAYOUTS,
    PATHS,
    STEPS,
    T,
    paths_and_steps,
    paths_for,
    problem,
    tasks_on_paths,
)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("n", "d"), [(20, 4), (3, 7), (513, 2), (30, 17)])
@paths_and_steps()
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
    if path in paths_for({"schedule": 0}):
        step = {"schedule": np.broadcast_to(rng.uniform(0, 1e-3, size=T), (*shape[0], T))}
    else:
        step = {"eta": np.asarray(rng.uniform(0, 1e-3, size=shape[0]))}
    changed = {keyword: change(value) for keyword, value in step.items()}
    expected = loopcore.run(X, y, alpha, T, q0=q0, path=path, **step)
    for X_, y_, alpha_, q0_, step_ in [
        (change(X), change(y), change(alpha), change(q0), changed),
        (change(X), y, alpha, q0, step),
        (X, change(y), alpha, change(q0), step),
    ]:
        for num_threads in (1, 3):
            v = loopcore.run(X_, y_, alpha_, T, q0=q0_, path=path, num_threads=num_threads, **step_)
            assert_same_bits(v, expected)


@hypothesis_settings(max_examples=300)
@given(tasks_on_paths(), st.integers(1, 4))
def test_bits_do_not_depend_on_layout_or_threads_for_every_kind_of_argument(on_path, threads):
    task, path = on_path
    plain = task.map_arrays(lambda a: a.astype(a.dtype.newbyteorder("=")).copy())
    v = task.call(loopcore.run, path=path, num_threads=threads)
    assert_same_bits(v, plain.call(loopcore.run, path=path, num_threads=1))


@hypothesis_settings(max_examples=200)
@given(tasks_on_paths())
def test_bits_of_broadcast_arguments_are_those_of_single_tasks(on_path):
    task, path = on_path
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


def test_more_threads_than_any_machine_has_change_nothing():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 20, 4)), rng.normal(size=(300, 20))
    many = loopcore.run(X, y, 1.0, 2000, num_threads=2**40)
    np.testing.assert_array_equal(many, loopcore.run(X, y, 1.0, 2000, num_threads=1))
