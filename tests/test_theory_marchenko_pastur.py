"""The limits of Marchenko and Pastur against spectra of drawn X."""

from __future__ import annotations

import numpy as np
import pytest

import loopcore
from loopcore import theory


@pytest.mark.parametrize(("n", "d"), [(2000, 200), (3000, 30), (200, 2000), (1200, 800)])
@pytest.mark.parametrize("entries", ["gaussian", "uniform"])
def test_edges_of_large_spectra(rng, n, d, entries):
    X = rng.normal(size=(2, n, d)) if entries == "gaussian" else rng.uniform(-1, 1, (2, n, d))
    variance = 1 if entries == "gaussian" else 1 / 3
    low, high = theory.marchenko_pastur_edges(n, d, variance)
    measured = loopcore.spectrum(X)
    np.testing.assert_allclose(measured.lambda_min, low, rtol=0.08)
    np.testing.assert_allclose(measured.lambda_max, high, rtol=0.05)
    np.testing.assert_allclose(measured.kappa, theory.marchenko_pastur_kappa(n, d), rtol=0.1)


def test_kappa_depends_on_the_ratio_alone():
    # r = n/d: ((1 + r^−½)/(1 − r^−½))², 9 at r = 4 and (3 + 2√2)² at r = 2
    assert theory.marchenko_pastur_kappa([4, 400], [1, 100]) == pytest.approx([9, 9], rel=1e-14)
    assert theory.marchenko_pastur_kappa(100, 400) == pytest.approx(9, rel=1e-14)
    assert theory.marchenko_pastur_kappa(64, 32) == pytest.approx((3 + 8**0.5) ** 2, rel=1e-14)
    assert theory.marchenko_pastur_kappa(7, 7) == np.inf
    assert theory.marchenko_pastur_edges(9, 4, 2.0) == pytest.approx((2, 50), rel=1e-14)
    # n = d + 1: (√n − √d)² = (√n + √d)^−2 keeps its digits
    assert theory.marchenko_pastur_kappa(10**12 + 1, 10**12) == pytest.approx(1.6e25, rel=1e-11)


def test_kappa_of_small_problems_is_smaller(rng):
    """The medians that the docstring states, at n = 2d; the standard error is below 0.008."""
    limit = theory.marchenko_pastur_kappa(2, 1)
    assert limit == pytest.approx(33.97, abs=0.005)
    for d, draws, part in ((2, 4000, 0.12), (8, 4000, 0.47), (32, 1000, 0.76), (128, 200, 0.90)):
        kappa = loopcore.spectrum(rng.normal(size=(draws, 2 * d, d))).kappa / limit
        assert np.median(kappa) == pytest.approx(part, abs=0.025)
        if d == 8:
            assert np.quantile(kappa, [0.05, 0.95]) == pytest.approx([0.25, 1.1], abs=0.1)


def test_square_matrices_follow_edelman(rng):
    n, draws = 60, 1000
    kappa = loopcore.spectrum(rng.normal(size=(draws, n, n))).kappa
    logs = np.log(np.sqrt(kappa) / n)
    error = logs.std() / np.sqrt(draws)
    assert error < 0.04
    assert abs(logs.mean() - 1.537) < 4 * error + 0.02  # the limit is off by some 1/n


@pytest.mark.parametrize(("n", "d"), [(8, 4), (30, 20), (5, 9), (12, 11)])
def test_gordon(rng, n, d):
    """√n − √d ≤ E σ_min and E σ_max ≤ √n + √d, at any size."""
    found = loopcore.spectrum(rng.normal(size=(4000, n, d)))
    low, high = (np.sqrt(edge) for edge in theory.marchenko_pastur_edges(n, d))
    sigma_min, sigma_max = np.sqrt(found.lambda_min), np.sqrt(found.lambda_max)
    assert sigma_min.mean() - 4 * sigma_min.std() / 4000**0.5 > low
    assert sigma_max.mean() + 4 * sigma_max.std() / 4000**0.5 < high


@pytest.mark.parametrize(
    ("n", "d", "variance"), [(400, 100, 1.0), (100, 400, 2.5), (300, 299, 0.1)]
)
def test_density_has_its_moments(n, d, variance):
    """Its moments are those of tr XᵀX: mean σ² nd / m, second σ⁴ nd(n + d) / m, m = min(n, d)."""
    low, high = theory.marchenko_pastur_edges(n, d, variance)
    # x = middle − radius cos φ: Gauss–Chebyshev points take the roots at the edges away
    phi = (np.arange(20000) + 0.5) * np.pi / 20000
    x = (low + high) / 2 - (high - low) / 2 * np.cos(phi)
    step = theory.marchenko_pastur_density(x, n, d, variance) * np.sin(phi)
    step *= (high - low) / 2 * np.pi / 20000
    small = min(n, d)
    assert step.sum() == pytest.approx(1, rel=1e-5)
    assert (x * step).sum() == pytest.approx(variance * n * d / small, rel=1e-9)
    assert (x * x * step).sum() == pytest.approx(variance**2 * n * d * (n + d) / small, rel=1e-9)
    outside = theory.marchenko_pastur_density([-1, 0, low / 2, high + 1], n, d, variance)
    assert outside.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(("n", "d"), [(800, 200), (200, 800)])
def test_density_is_that_of_the_eigenvalues(rng, n, d):
    X = 3 * rng.normal(size=(n, d))
    lam = np.linalg.eigvalsh(X @ X.T if n < d else X.T @ X)
    low, high = theory.marchenko_pastur_edges(n, d, 9)
    grid = np.linspace(low, high, 20001)
    middle = (grid[1:] + grid[:-1]) / 2
    below = np.cumsum(theory.marchenko_pastur_density(middle, n, d, 9)) * (grid[1] - grid[0])
    expected = np.interp(lam, grid[1:], below)
    # eigenvalues repel each other: far closer to the limit than 200 independent draws (0.1)
    assert np.abs(expected - (np.arange(200) + 0.5) / 200).max() < 0.015


def test_broadcasting_and_bad_values():
    low, high = theory.marchenko_pastur_edges([[4], [9]], [1, 2, 3], 1.0)
    assert low.shape == high.shape == (2, 3)
    assert isinstance(theory.marchenko_pastur_kappa(4, 1), np.float64)
    assert isinstance(theory.marchenko_pastur_density(1.0, 4, 1), np.float64)
    with pytest.raises(ValueError, match="n: expected at least 1, got 0"):
        theory.marchenko_pastur_kappa([4, 0], 1)
    with pytest.raises(ValueError, match="d: expected at least 1, got -2"):
        theory.marchenko_pastur_edges(4, -2)
    with pytest.raises(ValueError, match="variance: expected at least 0, got -1"):
        theory.marchenko_pastur_edges(4, 2, -1)
    with pytest.raises(ValueError, match="variance: expected above 0, got 0"):
        theory.marchenko_pastur_density(1, 4, 2, 0)
