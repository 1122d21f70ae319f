"""Excess risk against the kernels: exactly, as the linear map of y that they are, and by chance."""

from __future__ import annotations

import math

import numpy as np
import pytest

import loopcore
from loopcore import theory

SHAPES = [(20, 4), (5, 4), (4, 9), (30, 12)]


def estimator(X, T, **steps):
    """Return the matrix A of θ_T = A y, (d, n): T loops on each unit vector y."""
    n = len(X)
    return loopcore.run(np.broadcast_to(X, (n, *X.shape)), np.eye(n), 1.0, T, **steps).T


def measured(A, X, theta, noise, sigma):
    """Return bias ‖Σ^½(AX − I)θ*‖² and variance σ² tr(AᵀΣA) of the estimator A y."""
    missed = A @ X @ theta - theta
    return missed @ sigma @ missed, noise * np.trace(A.T @ sigma @ A)


@pytest.mark.parametrize(("n", "d"), SHAPES)
@pytest.mark.parametrize("T", [0, 1, 7, 60])
def test_exact_risk_of_fixed_theta(rng, n, d, T):
    X, theta, noise = rng.normal(size=(n, d)), rng.normal(size=d), 0.7
    lam, V, _, _ = theory.eigenbasis(X, np.zeros(n))
    eta = 0.8 / lam[0]
    A = estimator(X, T, eta=eta)
    left, signal = theory.loop_shrinkage(T, lam, eta), (V.T @ theta) ** 2
    for moments, sigma in ((1.0, np.eye(d)), (lam / n, X.T @ X / n)):
        risk = theory.excess_risk(left, lam, signal, noise, moments)
        expected = measured(A, X, theta, noise, sigma)
        np.testing.assert_allclose((risk.bias, risk.variance), expected, rtol=1e-9, atol=1e-13)
        assert risk.total == risk.bias + risk.variance


@pytest.mark.parametrize(("n", "d"), SHAPES)
def test_exact_risk_of_an_isotropic_prior_with_any_query(rng, n, d):
    """E over θ* is exact too: the mean over the d unit vectors times τ², whatever E[xxᵀ]."""
    X, noise, prior = rng.normal(size=(n, d)), 0.3, 2.0
    root = rng.normal(size=(d, d))
    sigma = root @ root.T
    lam, V, _, _ = theory.eigenbasis(X, np.zeros(n))
    schedule = rng.uniform(0, 1.5, size=25) / lam[0]
    A = estimator(X, 25, schedule=schedule)
    each = [measured(A, X, unit, noise, sigma) for unit in np.eye(d)]
    moments = np.einsum("ji,jk,ki->i", V, sigma, V)
    left = theory.schedule_shrinkage(schedule, lam)[-1]
    risk = theory.excess_risk(left, lam, prior, noise, moments)
    assert risk.bias == pytest.approx(prior * sum(bias for bias, _ in each), rel=1e-9)
    assert risk.variance == pytest.approx(each[0][1], rel=1e-9)


@pytest.mark.parametrize("law", ["gaussian", "signs", "student"])
@pytest.mark.parametrize(("n", "d", "T"), [(20, 4, 2), (6, 10, 12)])
def test_risk_by_chance(rng, law, n, d, T):
    """20,000 draws of the noise: mean squared distance within 4 standard errors, each below 2%."""
    X, theta, variance, draws = rng.normal(size=(n, d)), rng.normal(size=d), 1.5, 20_000
    X *= np.geomspace(1, 0.2, d)  # slow directions: bias is left after few loops
    noise = {
        "gaussian": rng.normal(size=(draws, n)),
        "signs": rng.choice([-1.0, 1.0], size=(draws, n)),
        "student": rng.standard_t(10, size=(draws, n)) * math.sqrt(8 / 10),
    }[law] * math.sqrt(variance)
    lam, V, _, _ = theory.eigenbasis(X, np.zeros(n))
    v = loopcore.run(np.broadcast_to(X, (draws, n, d)), X @ theta + noise, 1.0, T)
    squares = ((v - theta) ** 2).sum(-1)
    risk = theory.excess_risk(
        theory.loop_shrinkage(T, lam, 1 / lam[0]), lam, (V.T @ theta) ** 2, variance
    )
    error = squares.std() / math.sqrt(draws)
    assert error < 0.02 * risk.total
    assert abs(squares.mean() - risk.total) < 4 * error
    assert min(risk) > 0.01 * risk.total  # both parts are seen


@pytest.mark.parametrize(("n", "d"), SHAPES)
@pytest.mark.parametrize("part", [0.5, 1.0, 1.7])
def test_best_loops_is_the_least_of_all(rng, n, d, part):
    X, noise = rng.normal(size=(6, n, d)), np.array([0.0, 0.1, 1.0, 5.0, 100.0, 1e4])
    lam = theory.eigenbasis(X, np.zeros((6, n))).eigenvalues
    signal, eta = rng.normal(size=(6, d)) ** 2, part / lam[:, 0]
    best = theory.best_loops(lam, eta, signal, noise, most=400)
    assert best.dtype == np.int64
    left = theory.loop_shrinkage(np.arange(401), lam[:, None], eta[:, None])
    total = theory.excess_risk(left, lam[:, None], signal[:, None], noise[:, None]).total
    least = total.min(axis=1)
    np.testing.assert_allclose(total[np.arange(6), best], least, rtol=1e-12, atol=1e-25)
    assert len(set(best.tolist())) >= 3  # the noise decides
    assert best[-1] == 0 or part == 1.7


@pytest.mark.parametrize("ratio", [0.3, 4.0, 100.0])
@pytest.mark.parametrize("gain", [0.001, 0.05, 0.6])
def test_best_loops_of_one_eigenvalue(ratio, gain):
    """ln(1 + λθ*²/σ²)/−ln(1 − ηλ), rounded one way or the other; ratio = λθ*²/σ²."""
    T = theory.best_loops([2.0, 2.0], gain / 2, ratio / 2, 1.0)
    exact = math.log1p(ratio) / -math.log1p(-gain)
    assert abs(T - exact) < 1
    assert isinstance(T, np.int64)


def test_two_minima_and_the_end_of_the_search():
    # The first direction is best at once and then takes noise; the second has much to learn later.
    lam, moments = np.array([1.0, 1e-3]), [1e4, 1.0]
    left = theory.loop_shrinkage(np.arange(9000), lam, 0.1)
    for later, deepest in ((3e3, 1), (1e5, 8999)):
        signal = np.array([0.1, later])
        total = theory.excess_risk(left, lam, signal, 1.0, moments).total
        falls = np.diff(total) < 0
        assert falls[0]
        assert not falls[20]
        assert falls[200]
        assert np.argmin(total) == deepest
        assert theory.best_loops(lam, 0.1, signal, 1.0, moments, most=8999) == deepest
    assert theory.best_loops(lam, 0.1, signal, 0.0, most=50) == 50  # without noise it falls on
    assert theory.best_loops(lam, 0.1, signal, 1.0, most=0) == 0
    assert theory.best_loops([1.0, 0.0], 1.0, 1.0, 0.0) == 1  # λ = 0 is never learnt
    assert theory.best_loops([1.0], 3.0, 1.0, 1.0) == 0  # a step that diverges


def test_worked_by_hand():
    # s = (1/2, 1): bias ¼·8 + 1·3, variance ¼·6/2 + 0
    risk = theory.excess_risk([0.5, 1.0], [2.0, 0.0], [8.0, 3.0], 6.0)
    assert (risk.bias, risk.variance, risk.total) == (5.0, 0.75, 5.75)
    risk = theory.excess_risk([0.5, 1.0], [2.0, 0.0], [8.0, 3.0], 6.0, [2.0, 1.0])
    assert (risk.bias, risk.variance) == (7.0, 1.5)
    assert isinstance(risk.total, np.float64)


def test_least_squares_is_the_end_of_the_curve(rng):
    """T → ∞: no bias, variance σ² tr (XᵀX)⁻¹, and σ² d/n on the given inputs."""
    X = rng.normal(size=(30, 5))
    lam = theory.eigenbasis(X, np.zeros(30)).eigenvalues
    left = theory.loop_shrinkage(10**6, lam, 1 / lam[0])
    risk = theory.excess_risk(left, lam, 1.0, 2.0)
    assert risk.bias < 1e-200
    assert risk.variance == pytest.approx(2 * np.trace(np.linalg.inv(X.T @ X)), rel=1e-12)
    assert theory.excess_risk(left, lam, 1.0, 2.0, lam / 30).total == pytest.approx(2 * 5 / 30)


def test_broadcasting():
    lam = np.ones((3, 1, 4))
    left = theory.loop_shrinkage(np.arange(5), lam, 0.5)
    risk = theory.excess_risk(left, lam, 1.0, np.ones((2, 1, 1)), np.ones(4))
    assert risk.bias.shape == risk.variance.shape == risk.total.shape == (2, 3, 5)
    assert theory.best_loops(np.ones((3, 4)), 0.5, np.ones((2, 1, 4)), np.ones(3)).shape == (2, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 1], [1, -1], 1, 1), "eigenvalues: expected at least 0, got -1"),
        (([1, 1], [1, 1], -2, 1), "signal: expected at least 0, got -2"),
        (([1, 1], [1, 1], 1, -1), "noise: expected at least 0, got -1"),
        (([1, 1], [1, 1], 1, 1, -3), "moments: expected at least 0, got -3"),
        (([1, 1], [1, 1], [1, 2, 3], 1), r"signal: expected shape \(\.\.\., 2\), got \(3,\)"),
        ((1, [1], 1, 1), "shrinkage: expected an array .*number 1"),
        (([1, 1], 1, 1, 1), "eigenvalues: expected an array .*number 1"),
    ],
)
def test_bad_values_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        theory.excess_risk(*arguments)


def test_best_loops_refuses():
    with pytest.raises(TypeError):
        theory.best_loops([1.0], 1, 1, 1, most=2.0)
    with pytest.raises(ValueError, match="most: expected at least 0, got -1"):
        theory.best_loops([1.0], 1, 1, 1, most=-1)
    with pytest.raises(ValueError, match=r"moments: expected shape \(\.\.\., 2\), got \(3,\)"):
        theory.best_loops([1.0, 2.0], 1, 1, 1, [1, 1, 1])
    with pytest.raises(ValueError, match="noise: expected at least 0, got -1"):
        theory.best_loops([1.0], 1, 1, -1)
