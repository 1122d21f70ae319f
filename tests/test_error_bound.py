"""`loopcore.error_bound` against S_T written out in extended precision."""

from __future__ import annotations

import numpy as np
import pytest

import exact
import loopcore
from loopcore import _error_bound

pytestmark = exact.needs_extended_precision


def assert_bound(bound, truth, dtype, rtol=1e-6):
    expected = 30 * exact.unit_roundoff(dtype) * truth.S
    np.testing.assert_allclose(np.asarray(bound, np.longdouble), expected, rtol=rtol, atol=0)


KINDS = {
    "given": lambda rng, T: {"eta": rng.uniform(0.2, 1.1, size=6) / 40},
    "schedule": lambda rng, T: {"schedule": rng.uniform(-0.2, 1.1, size=(6, T)) / 40},
    "one step": lambda rng, T: {"schedule": [0.02]},
    "none": lambda rng, T: {},
    "optimal": lambda rng, T: {"eta": "optimal"},
    "chebyshev": lambda rng, T: {"eta": "chebyshev"},
    "mean": lambda rng, T: {"eta": 0.3, "scale": "mean"},
    "mean schedule": lambda rng, T: {"schedule": rng.uniform(0, 0.3, size=T), "scale": "mean"},
    "mean none": lambda rng, T: {"scale": "mean"},
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n", "d", "T"), [(15, 4, 20), (1, 1, 3), (3, 7, 12), (12, 1, 5)])
def test_is_thirty_u_times_the_literal_sum(rng, dtype, kind, n, d, T):
    X = rng.normal(size=(6, n, d)).astype(dtype)
    y, q0 = rng.normal(size=(6, n)).astype(dtype), rng.normal(size=(6, d)).astype(dtype)
    alpha = rng.normal(size=6)
    keywords = KINDS[kind](rng, T)
    bound = loopcore.error_bound(X, y, alpha, T, q0=q0, **keywords)
    assert bound.shape == (6,)
    assert bound.dtype == np.float64
    assert_bound(bound, exact.truth(X, y, alpha, T, q0=q0, **keywords), dtype)


def test_by_hand():
    # d = 1, λ = 4, η = 1/8: q is 0, −1/4, −3/8; S_2 = (3/8 + 1/8 + 1/4) + (1/4 + 0 + 1/4)/2.
    bound = loopcore.error_bound([[2.0], [0.0]], [1.0, 0.0], 1.0, 2, eta=0.125)
    assert bound == 30 * 2.0**-53
    assert np.ndim(bound) == 0


def test_small_chunks_give_the_same(rng, monkeypatch):
    X, y = rng.normal(size=(3, 1, 6, 2)), rng.normal(size=(5, 6))
    schedule = rng.uniform(0, 0.1, size=(3, 1, 7))
    whole = loopcore.error_bound(X, y, 1.0, 7, schedule=schedule)
    assert whole.shape == (3, 5)
    for chunk in (1, 9, 40):
        monkeypatch.setattr(_error_bound, "_CHUNK", chunk)
        parts = loopcore.error_bound(X, y, 1.0, 7, schedule=schedule)
        np.testing.assert_allclose(parts, whole, rtol=1e-12)


def test_many_alphas_share_one_x(rng):
    X, y = rng.normal(size=(20, 5)), rng.normal(size=20)
    alpha = rng.normal(size=(3, 50))
    bound = loopcore.error_bound(X, y, alpha, 9)
    assert_bound(bound, exact.truth(X, y, alpha, 9), np.float64)
    np.testing.assert_allclose(bound, np.abs(alpha) * loopcore.error_bound(X, y, 1.0, 9), rtol=1e-9)


@pytest.mark.parametrize("size", [1e-160, 1e150])
@pytest.mark.parametrize("eta", [None, "optimal", "chebyshev"])
def test_extremes(rng, size, eta):
    X, y = rng.normal(size=(4, 10, 3)), rng.normal(size=(4, 10))
    bound = loopcore.error_bound(size * X, size * y, 1.0, 8, eta=eta)
    assert_bound(bound, exact.truth(size * X, size * y, 1.0, 8, eta=eta), np.float64)


def test_no_loops_no_rows_no_tasks_no_features(rng):
    X, y, q0 = rng.normal(size=(2, 5, 3)), rng.normal(size=(2, 5)), np.ones((2, 3))
    np.testing.assert_array_equal(loopcore.error_bound(X, y, 1.0, 0, q0=q0), [0, 0])
    assert loopcore.error_bound(X[:0], y[:0], 1.0, 4).shape == (0,)
    np.testing.assert_array_equal(loopcore.error_bound(X[..., :0], y, 1.0, 4), [0, 0])
    # Without rows every loop still costs a rounding of q: S_4 = 4 ‖q0‖.
    bound = loopcore.error_bound(X[:, :0], y[:, :0], 1.0, 4, q0=q0)
    np.testing.assert_allclose(bound, 30 * 2.0**-53 * 4 * np.sqrt(3), rtol=1e-12)


def test_divergence_is_inf_and_nan_stays_nan(rng):
    X, y = rng.normal(size=(4, 6, 2)), rng.normal(size=(4, 6))
    clean = loopcore.error_bound(X, y, 1.0, 3000)
    X[1, 0, 0] = np.nan
    y[3, 2] = np.inf
    bound = loopcore.error_bound(X, y, 1.0, 3000)
    np.testing.assert_allclose(bound, [clean[0], np.nan, clean[2], np.nan], rtol=1e-12)
    with pytest.warns(loopcore.DivergenceWarning, match="1 of 4 tasks diverged") as record:
        bound = loopcore.error_bound(X, y, 1.0, 3000, eta=[1e-3, 1e-3, 10.0, 1e-3])
    assert len(record) == 1
    assert np.isfinite(bound[0])
    assert bound[2] == np.inf
    assert np.isnan(bound[[1, 3]]).all()


def test_wrong_arguments_fail_as_in_run():
    X, y = np.eye(3), np.ones(3)
    for keywords, error, match in [
        ({"eta": 0.1, "schedule": [0.1]}, ValueError, "eta"),
        ({"eta": "fast"}, ValueError, "eta"),
        ({"schedule": np.ones(3)}, ValueError, "schedule"),
        ({"q0": np.ones(2)}, ValueError, "q0"),
        ({"scale": "median"}, ValueError, "scale"),
    ]:
        with pytest.raises(error, match=match):
            loopcore.error_bound(X, y, 1.0, 4, **keywords)
    with pytest.raises(TypeError, match="T"):
        loopcore.error_bound(X, y, 1.0, 4.0)
    with pytest.raises(ValueError, match="y"):
        loopcore.error_bound(X, np.ones(4), 1.0, 4)
