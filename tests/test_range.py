"""Tasks whose products leave the range of float64, and sums of very many rows."""

from __future__ import annotations

import numpy as np
import pytest

import exact
import loopcore
from bits import assert_same_bits
from strategies import DTYPES, PATHS, T, paths_for, problem


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
    if path not in paths_for({"eta": eta}):
        pytest.skip("needs a constant step")
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


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("size", [1e-155, 1e-160, 1e-170])
@pytest.mark.parametrize("keyword", ["eta", "schedule"])
def test_a_given_step_at_tiny_sizes(path, size, keyword):
    """η XᵀX vanishes beside 1 and v(5) = 5 η α Xᵀy: scaling X up must not scale η to nothing."""
    if path not in paths_for({keyword: 0.3}):
        pytest.skip("needs a constant step")
    rng = np.random.default_rng(0)
    X, y = size * rng.normal(size=(6, 3)), rng.normal(size=6)
    v = loopcore.run(X, y, 1.0, 5, path=path, **{keyword: 0.3})
    np.testing.assert_allclose(v, 1.5 * X.T @ y, rtol=1e-14, atol=0)


@exact.needs_extended_precision
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("tiny", [1e-150, 3e-160, 3e-161, 1e-170])
@pytest.mark.parametrize("eta", [None, 0.2])
@pytest.mark.parametrize("d", [3, 40])
def test_entries_whose_squares_are_subnormal(path, tiny, eta, d):
    """Their few digits must not decide on a basis: reflections were off by 1e-2 that way."""
    X = np.diag(1.0 + np.arange(d) % 2)
    X[0, 1:] = tiny * (1 + np.arange(d - 1) % 3)
    y = 1.0 + np.arange(d) % 3
    v = loopcore.run(X, y, 1.0, 20, eta=eta, path=path)
    assert exact.ratio(v, exact.truth(X, y, 1.0, 20, eta=eta)) <= 30
