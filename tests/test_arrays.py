"""The arrays of a call: types, lists, broadcasting, `out`; inputs are read and never written."""

from __future__ import annotations

import numpy as np
import pytest

import loopcore
from bits import assert_same_bits
from strategies import DTYPES, LAYOUTS, PATHS, T, paths_for, problem


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
    for steps in ({}, {"schedule": schedule}, {"eta": schedule[:, 0]}):
        if path in paths_for(steps):
            loopcore.run(X, y, alpha, 4, q0=q0, path=path, **steps)
    assert [a.tobytes() for a in (*arrays, schedule)] == before
