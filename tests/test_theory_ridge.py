"""Ridge beside T loops: the matrices themselves, the calibration's bounds, the best penalty."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

import loopcore
from loopcore import theory

# The largest (1 − (1 − a)^T)(1 + aT)/(aT) over 0 < a ≤ 1, as calibrated_penalty states it.
GAIN = {1: 2.0, 2: 25 / 16, 10**4: 1.2985}


@pytest.mark.parametrize(("n", "d"), [(20, 4), (4, 9)])
@pytest.mark.parametrize("penalty", [1e-3, 1.0, 50.0])
def test_ridge_is_the_solved_system(rng, n, d, penalty):
    X, theta, noise = rng.normal(size=(n, d)), rng.normal(size=d), 0.4
    y = X @ theta + rng.normal(size=n)
    A = np.linalg.solve(X.T @ X + penalty * np.eye(d), X.T)
    lam, V, estimate, _ = theory.eigenbasis(X, y)
    left = theory.ridge_shrinkage(penalty, lam)
    np.testing.assert_allclose(V @ ((1 - left) * estimate), A @ y, rtol=1e-8, atol=1e-10)
    missed = A @ X @ theta - theta
    for moments, sigma in ((1.0, np.eye(d)), (lam / n, X.T @ X / n)):
        risk = theory.excess_risk(left, lam, (V.T @ theta) ** 2, noise, moments)
        assert risk.bias == pytest.approx(missed @ sigma @ missed, rel=1e-8)
        assert risk.variance == pytest.approx(noise * np.trace(A.T @ sigma @ A), rel=1e-8)


def test_ends_of_the_penalty():
    lam = [4.0, 1e-300, 0.0]
    assert theory.ridge_shrinkage(0, lam).tolist() == [0, 0, 1]
    assert theory.ridge_shrinkage(math.inf, lam).tolist() == [1, 1, 1]
    assert theory.ridge_shrinkage([0, 4.0], [4.0, 0.0]).tolist() == [[0, 1], [0.5, 1]]
    assert np.isnan(theory.ridge_shrinkage(math.nan, lam)).all()


@pytest.mark.parametrize("T", [1, 2, 17, 1000])
@pytest.mark.parametrize("part", [0.01, 0.6, 1.0])
def test_equivalent_penalty_leaves_what_the_loops_leave(T, part):
    lam = np.geomspace(1e-12, 3, 40)
    eta = part / 3
    penalty = theory.equivalent_penalty(T, lam, eta)
    matched = np.array(
        [theory.ridge_shrinkage(mu, [x])[0] for mu, x in zip(penalty, lam, strict=True)]
    )
    np.testing.assert_allclose(matched, theory.loop_shrinkage(T, lam, eta), rtol=1e-9, atol=1e-300)
    # It falls with λ from 1/(ηT) to μ(λ_max), 0 at η = 1/λ_max.
    calibrated = theory.calibrated_penalty(T, eta)
    assert calibrated == pytest.approx(1 / (eta * T), rel=1e-15)
    assert np.all(np.diff(penalty) <= 1e-12 * calibrated)
    assert np.all(penalty <= calibrated * (1 + 1e-12))
    assert penalty[0] == pytest.approx(calibrated, rel=1e-8)
    assert theory.equivalent_penalty(T, [0.0], eta)[0] == pytest.approx(calibrated, rel=1e-15)
    assert penalty[-1] == 0 or part < 1
    if T == 1:  # 1 − ηλ = μ/(λ + μ): μ = 1/η − λ
        np.testing.assert_allclose(penalty, 1 / eta - lam, rtol=1e-12, atol=1e-12)


def test_no_loops_are_an_infinite_penalty():
    assert theory.equivalent_penalty(0, [3.0, 1.0, 0.0], 1 / 3).tolist() == [math.inf] * 3
    assert theory.calibrated_penalty([0, 2], 0.5).tolist() == [math.inf, 1.0]


@pytest.mark.parametrize(("T", "largest"), GAIN.items())
def test_the_calibrated_penalty_leaves_more_but_not_much(T, largest):
    a = np.unique(np.concatenate([np.geomspace(1e-9, 1, 20_001), np.linspace(1e-6, 1, 20_001)]))
    loops = theory.loop_shrinkage(T, a, 1.0)
    ridge = theory.ridge_shrinkage(theory.calibrated_penalty(T, 1.0), a)
    assert np.all(loops <= ridge * (1 + 1e-12))
    # 1 − s as −expm1(T log1p(−a)) and a/(a + μ): at a = 1e-9 the difference from 1 holds no digits
    with np.errstate(divide="ignore"):
        gains = -np.expm1(T * np.log1p(-a)) * (a + 1 / T) / a
    assert gains.min() >= 1 - 1e-12
    assert gains.max() == pytest.approx(largest, rel=1e-4)


@pytest.mark.parametrize(("T", "largest"), GAIN.items())
def test_risk_of_loops_is_a_small_multiple_of_the_calibrated_ridge(rng, T, largest):
    spread = rng.uniform(0, 8, size=(2000, 1))
    lam = 10 ** -(spread * rng.uniform(0, 1, size=(2000, 6)))
    signal = 10 ** rng.normal(size=(2000, 6))
    noise = 10 ** rng.uniform(-6, 3, size=2000)
    ridge = theory.ridge_shrinkage(theory.calibrated_penalty(T, 1.0), lam)
    ratio = (
        theory.excess_risk(theory.loop_shrinkage(T, lam, 1.0), lam, signal, noise).total
        / theory.excess_risk(ridge, lam, signal, noise).total
    )
    assert ratio.max() <= largest**2 * (1 + 1e-4)
    assert ratio.max() > 0.8 * largest**2  # the bound is not idle
    assert ratio.min() < 0.5  # and the loops can be far better


@pytest.mark.parametrize("noise", [0.01, 1.0, 30.0])
def test_best_penalty_is_the_best(rng, noise):
    X = rng.normal(size=(15, 6))
    lam, prior = theory.eigenbasis(X, np.zeros(15)).eigenvalues, 0.7
    moments = rng.uniform(0.1, 3, size=6)

    def risk(log_penalty):
        left = theory.ridge_shrinkage(math.exp(log_penalty), lam)
        return theory.excess_risk(left, lam, prior, noise, moments).total

    penalty = theory.best_penalty(prior, noise)
    found = minimize_scalar(risk, bracket=(-10, 10), tol=1e-12)
    assert math.exp(found.x) == pytest.approx(penalty, rel=1e-5)
    best = risk(math.log(penalty))
    # No T, no step and no schedule does better; the best T comes close.
    T = theory.best_loops(lam, 0.3 / lam[0], prior, noise, moments)
    left = theory.loop_shrinkage(T, lam, 0.3 / lam[0])
    stopped = theory.excess_risk(left, lam, prior, noise, moments).total
    assert best < stopped < 1.1 * best
    schedules = rng.uniform(0, 2, size=(2000, 8)) / lam[0]
    curves = theory.schedule_shrinkage(schedules, lam)
    assert theory.excess_risk(curves, lam, prior, noise, moments).total.min() > best


def test_best_penalty_by_chance(rng):
    """20,000 drawn θ* and y: risks within 4 standard errors, the theory's penalty clearly best."""
    draws, prior, noise = 20_000, 0.5, 2.0
    X = rng.normal(size=(12, 5))
    theta = rng.normal(size=(draws, 5)) * math.sqrt(prior)
    y = theta @ X.T + rng.normal(size=(draws, 12)) * math.sqrt(noise)
    best = theory.best_penalty(prior, noise)
    lam = theory.eigenbasis(X, np.zeros(12)).eigenvalues
    means = []
    for factor in (0.1, 1.0, 10.0):
        A = np.linalg.solve(X.T @ X + factor * best * np.eye(5), X.T)
        squares = ((y @ A.T - theta) ** 2).sum(-1)
        error = squares.std() / math.sqrt(draws)
        left = theory.ridge_shrinkage(factor * best, lam)
        assert abs(squares.mean() - theory.excess_risk(left, lam, prior, noise).total) < 4 * error
        means.append((squares.mean(), error))
    (low, a), (middle, b), (high, c) = means
    assert low - middle > 4 * (a + b)
    assert high - middle > 4 * (b + c)


def test_calibrated_loops_come_close_to_the_best_penalty():
    """One eigenvalue at a time, so for every spectrum: at worst 1.2147, for ηλ ≤ 0.02."""
    noise, prior, T = 1.0, 2.0, 10**5
    lam = np.geomspace(1e-4, 1e3, 4001)[:, None]
    eta = prior / (noise * T)
    best = theory.best_penalty(prior, noise)
    assert theory.calibrated_penalty(T, eta) == pytest.approx(best, rel=1e-14)
    loops = theory.excess_risk(theory.loop_shrinkage(T, lam, eta), lam, prior, noise).total
    ridge = theory.excess_risk(theory.ridge_shrinkage(best, lam), lam, prior, noise).total
    assert (loops / ridge).min() >= 1 - 1e-9
    assert (loops / ridge).max() == pytest.approx(1.2147, abs=2e-4)


def test_one_fixed_theta_may_want_another_penalty():
    lam, signal = np.array([4.0, 1.0]), np.array([2.0, 0.0])  # of mean 1
    usual = theory.excess_risk(theory.ridge_shrinkage(1.0, lam), lam, signal, 1.0).total
    other = theory.excess_risk(theory.ridge_shrinkage(1.5, lam), lam, signal, 1.0).total
    assert other < usual - 0.01


def test_ends_of_the_best_penalty():
    assert theory.best_penalty([1.0, 0.0, 2.0], [3.0, 1.0, 0.0]).tolist() == [3.0, math.inf, 0.0]
    assert np.isnan(theory.best_penalty(0.0, 0.0))
    assert isinstance(theory.best_penalty(1, 1), np.float64)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: theory.ridge_shrinkage(-1, [1]), "penalty: expected at least 0, got -1"),
        (lambda: theory.ridge_shrinkage(1, 1), "eigenvalues: expected an array .*number 1"),
        (
            lambda: theory.equivalent_penalty(1, [4.0], 0.3),
            r"eta: expected at most 1/λ_max, got 1\.2",
        ),
        (lambda: theory.equivalent_penalty(1, [4.0], 0), "eta: expected above 0, got 0"),
        (
            lambda: theory.equivalent_penalty(0.5, [4.0], 0.1),
            "T: expected finite whole numbers, got 0.5",
        ),
        (lambda: theory.calibrated_penalty(-2, 1), "T: expected at least 0, got -2"),
        (lambda: theory.calibrated_penalty(2, -1), "eta: expected above 0, got -1"),
        (lambda: theory.best_penalty(-1, 1), "prior: expected at least 0, got -1"),
        (lambda: theory.best_penalty(1, -1), "noise: expected at least 0, got -1"),
    ],
)
def test_bad_values_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_kernels_meet_the_calibrated_ridge_on_slow_directions(rng):
    """v(T) and ridge at 1/(ηT) agree to first order where ηλT is small: 1 − s differ by ~x/2."""
    X, y = rng.normal(size=(20, 4)), rng.normal(size=20)
    eta, T = 1e-6, 5
    v = loopcore.run(X, y, 1.0, T, eta=eta)
    penalty = theory.calibrated_penalty(T, eta)
    ridge = np.linalg.solve(X.T @ X + penalty * np.eye(4), X.T @ y)
    np.testing.assert_allclose(v, ridge, rtol=1e-3)
