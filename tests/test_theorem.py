"""The paper's theorem on thousands of random tasks: |⟨v(T), θ*⟩ − α| ≤ |α| exp(−T/2κ).

Every allowance below is for rounding alone: the promised bound on v, and the rounding of the inner
product. Where κ is small the measured errors come down to it, where κ is large it plays no part.
"""

from __future__ import annotations

import numpy as np
import pytest

import loopcore
from strategies import DTYPES, PATHS

AT = [0, 1, 2, 5, 10, 30, 100, 300]
T = AT[-1]


def theorem(kappa):
    """Return exp(−t/2κ) for t in AT, (..., K)."""
    return np.exp(-np.array(AT) / (2 * kappa[..., None]))


def allowance(X, y, alpha, theta, **keywords):
    """Return what rounding may add to |⟨v(t), θ⟩ − α‖θ‖²| for t in AT, (..., K)."""
    bound = np.stack([loopcore.error_bound(X, y, alpha, t, **keywords) for t in AT], axis=-1)
    v = loopcore.trajectory(X, y, alpha, T, at=AT, **keywords).astype(np.float64)
    u = np.finfo(np.result_type(X, y)).eps / 2
    norm_theta = np.sqrt((theta**2).sum(-1))[..., None]  # (..., 1)
    inner = 2 * X.shape[-1] * u * np.sqrt((v**2).sum(-1)) * norm_theta
    return bound * norm_theta + inner + 2 * u * np.abs(alpha)[..., None] * norm_theta**2


def unit(theta):
    return theta / np.sqrt((theta**2).sum(-1, keepdims=True))


def gaussian(rng, tasks, n, d, dtype):
    """Return Gaussian X, realizable y, α of both signs and a unit θ*: the paper's experiment."""
    X = rng.normal(size=(tasks, n, d)).astype(dtype)
    theta = unit(rng.normal(size=(tasks, d)))
    y = (X.astype(np.float64) @ theta[..., None])[..., 0].astype(dtype)
    return X, y, rng.normal(size=tasks) * 3, theta


def unrealized(X, y, theta):
    """Return a bound on how far the least-squares solution of the rounded y is from θ*, (...)."""
    residual = y.astype(np.float64) - (X.astype(np.float64) @ theta[..., None])[..., 0]
    sigma_min = np.sqrt(loopcore.spectrum(X).lambda_min)
    return np.sqrt((residual**2).sum(-1)) / sigma_min


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("path", ["auto", *PATHS])
@pytest.mark.parametrize(("n", "d"), [(5, 4), (10, 4), (20, 4), (40, 4), (2, 1), (24, 20)])
def test_paper_experiment(rng, dtype, path, n, d):
    X, y, alpha, theta = gaussian(rng, 400, n, d, dtype)
    e = loopcore.errors(X, y, alpha, T, theta=theta, at=AT, path=path)
    kappa = loopcore.spectrum(X).kappa
    bound = np.abs(alpha)[:, None] * theorem(kappa)
    # y is rounded, so it is realized by a θ a little off θ*: v tends to α times that.
    off = np.abs(alpha) * unrealized(X, y, theta)
    allowed = allowance(X, y, alpha, theta) + off[:, None]
    assert (e <= bound + allowed).all()
    # Not an empty statement: after 1 to 10 loops rounding is a small part of what is allowed, and
    # some task comes within a factor of two of its bound.
    early = slice(1, 5)
    assert np.median(allowed[:, early] / bound[:, early]) < 1e-2
    assert d == 1 or (e[:, early] / bound[:, early]).max() > 0.5
    np.testing.assert_allclose(e[:, 0], np.abs(alpha), rtol=1e-6)


@pytest.mark.parametrize("kappa", [1, 2, 10, 100, 1e4, 1e8, 1e12])
@pytest.mark.parametrize("path", PATHS)
def test_every_condition_number(rng, kappa, path):
    tasks, n, d = 300, 12, 5
    U = np.linalg.qr(rng.normal(size=(tasks, n, d)))[0]
    V = np.linalg.qr(rng.normal(size=(tasks, d, d)))[0]
    X = U * np.geomspace(1, kappa**-0.5, d) @ V.swapaxes(1, 2)
    # A third of the tasks have θ* in the slowest direction, for which the bound is closest.
    theta = unit(rng.normal(size=(tasks, d)))
    theta[::3] = V[::3, :, -1]
    y = (X @ theta[..., None])[..., 0]
    alpha = rng.normal(size=tasks)
    e = loopcore.errors(X, y, alpha, T, theta=theta, at=AT, path=path)
    measured = loopcore.spectrum(X).kappa
    bound = np.abs(alpha)[:, None] * theorem(measured)
    off = np.abs(alpha) * unrealized(X, y, theta) if kappa < 1e6 else np.zeros(tasks)
    assert (e <= bound + allowance(X, y, alpha, theta) + off[:, None]).all()
    # The rate in the slowest direction is (1 − 1/κ)^t, which is below the bound and not far.
    slow = np.abs(alpha[::3, None]) * (1 - 1 / measured[::3, None]) ** np.array(AT)
    np.testing.assert_allclose(e[::3], slow, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("n", "d"), [(5, 4), (20, 4), (3, 8), (30, 12), (7, 1)])
@pytest.mark.parametrize("noise", [0.0, 0.1, 10.0])
def test_relative_error_for_any_y(rng, dtype, n, d, noise):
    """With θ = θ̂ the relative error obeys the bound: noisy y, any ‖θ̂‖, and n < d as well."""
    X, y, alpha, _ = gaussian(rng, 300, n, d, dtype)
    y = (
        y * rng.choice([1e-3, 1, 1e3], size=(300, 1)) * (1 + noise * rng.normal(size=y.shape))
    ).astype(dtype)
    e = loopcore.errors(X, y, alpha, T, relative=True, at=AT)
    kappa = loopcore.spectrum(X).kappa
    estimate = np.stack(
        [
            np.linalg.lstsq(a, b, rcond=None)[0]
            for a, b in zip(X.astype("f8"), y.astype("f8"), strict=True)
        ]
    )
    square = np.abs(alpha)[:, None] * (estimate**2).sum(-1)[:, None]
    # θ̂ is found in float64, by a method with a backward error of some u: perturbation theory gives
    # ‖δθ̂‖ ≤ c u (κ^½ ‖θ̂‖ + κ^½ ‖y‖/σ_max + κ ‖r‖/σ_max), and δ of the relative error is 3 ‖δθ̂‖/‖θ̂‖.
    sigma_max = np.sqrt(loopcore.spectrum(X).lambda_max)
    size = np.sqrt((estimate**2).sum(-1))
    norm_y = np.sqrt((y.astype("f8") ** 2).sum(-1))
    perturbed = 3 * 20 * n * 2.0**-53 * (np.sqrt(kappa) + kappa * norm_y / sigma_max / size)
    allowed = allowance(X, y, alpha, estimate) / square + perturbed[:, None]
    assert np.median(allowed[:, :6]) < (1e-9 if dtype == np.float64 else 1e-1)
    assert (e <= theorem(kappa) + allowed).all()
    np.testing.assert_allclose(e[:, 0], np.ones(300), rtol=1e-6)


def test_raw_error_levels_off_where_theta_is_no_unit_vector(rng):
    X, y, alpha, _ = gaussian(rng, 200, 20, 3, np.float64)
    y *= 2
    estimate = np.stack([np.linalg.lstsq(a, b, rcond=None)[0] for a, b in zip(X, y, strict=True)])
    e = loopcore.errors(X, y, alpha, 3000, at=[3000])[:, 0]
    plateau = np.abs(alpha) * np.abs((estimate**2).sum(-1) - 1)
    np.testing.assert_allclose(e, plateau, rtol=1e-9)


def test_prediction_is_dual_to_generation(rng):
    """With α = 1, ⟨v(T), x⟩ is what T steps of gradient descent on ½‖Xθ − y‖² predict at x."""
    X, y = rng.normal(size=(50, 12, 4)), rng.normal(size=(50, 12))
    x = rng.normal(size=(50, 4))
    theta = np.zeros((50, 4))
    eta = 1 / np.linalg.norm(X, 2, axis=(1, 2)) ** 2
    for _ in range(30):
        residual = np.einsum("bnd,bd->bn", X, theta) - y
        theta -= eta[:, None] * np.einsum("bnd,bn->bd", X, residual)
    v = loopcore.run(X, y, 1.0, 30, eta=eta)
    np.testing.assert_allclose((v * x).sum(-1), (theta * x).sum(-1), rtol=1e-11, atol=1e-12)


def test_linear_in_alpha(rng):
    """From q(0) = 0, v scales with α; powers of two scale it exactly."""
    X, y, _, _ = gaussian(rng, 30, 9, 4, np.float64)
    v = loopcore.run(X, y, 1.0, 25)
    np.testing.assert_array_equal(loopcore.run(X, y, -8.0, 25), -8 * v)
    np.testing.assert_allclose(loopcore.run(X, y, 0.3, 25), 0.3 * v, rtol=1e-12)


def test_kappa_of_gaussian_rows_is_that_of_marchenko_and_pastur():
    """κ → ((1 + √(d/n))/(1 − √(d/n)))² for large n, d."""
    rng = np.random.default_rng(0)
    for n, d in [(2000, 200), (3000, 30)]:
        root = np.sqrt(d / n)
        kappa = loopcore.spectrum(rng.normal(size=(2, n, d))).kappa
        np.testing.assert_allclose(kappa, ((1 + root) / (1 - root)) ** 2, rtol=0.1)
