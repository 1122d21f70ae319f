"""The exact errors of loopcore.theory against the kernels, which know nothing of eigenvectors."""

from __future__ import annotations

import math

import numpy as np
import pytest

import loopcore
from loopcore import theory

AT = [0, 1, 2, 5, 10, 30, 100]
SHAPES = [(20, 4), (5, 4), (4, 9), (40, 20), (3, 1)]


def draw(rng, tasks, n, d, noise=1.0):
    """Return X, noisy y and the eigenbasis of each task."""
    X = rng.normal(size=(tasks, n, d))
    y = (X @ rng.normal(size=(tasks, d, 1)))[..., 0] + noise * rng.normal(size=(tasks, n))
    return X, y, theory.eigenbasis(X, y)


def rows(basis):
    """Give eigenvalues and weights an axis for the loops, (tasks, 1, d)."""
    return basis.eigenvalues[:, None], basis.theta[:, None] ** 2


@pytest.mark.parametrize(("n", "d"), SHAPES)
def test_eigenbasis(rng, n, d):
    X, y, basis = draw(rng, 20, n, d)
    V, lam = basis.vectors, basis.eigenvalues
    assert (lam.shape, V.shape, basis.theta.shape) == ((20, d), (20, d, d), (20, d))
    gram = X.swapaxes(1, 2) @ X
    np.testing.assert_allclose(V * lam[:, None] @ V.swapaxes(1, 2), gram, atol=1e-12 * gram.max())
    np.testing.assert_allclose(
        V @ V.swapaxes(1, 2), np.broadcast_to(np.eye(d), V.shape), atol=1e-13
    )
    solution = np.stack([np.linalg.lstsq(a, b, rcond=None)[0] for a, b in zip(X, y, strict=True)])
    np.testing.assert_allclose((V @ basis.theta[..., None])[..., 0], solution, rtol=1e-8, atol=1e-9)
    left = y - (X @ solution[..., None])[..., 0]
    np.testing.assert_allclose(basis.residual, np.linalg.norm(left, axis=1), atol=1e-10)
    measured = loopcore.spectrum(X)
    assert np.array_equal((lam > 0).sum(1), measured.rank)
    np.testing.assert_allclose(lam[:, 0], measured.lambda_max, rtol=1e-12)
    np.testing.assert_allclose(lam[:, min(n, d) - 1], measured.lambda_min, rtol=1e-9)


def test_eigenbasis_of_deficient_and_empty_tasks(rng):
    X = rng.normal(size=(9, 2)) @ rng.normal(size=(2, 5))
    y = rng.normal(size=9)
    basis = theory.eigenbasis(X, y)
    assert (basis.eigenvalues > 0).tolist() == [True, True, False, False, False]
    assert basis.theta[2:].tolist() == [0, 0, 0]
    solution = np.linalg.lstsq(X, y, rcond=None)[0]
    np.testing.assert_allclose(basis.vectors @ basis.theta, solution, rtol=1e-9)
    many = theory.eigenbasis(X, np.stack([y, 2 * y, -y]))  # one X, many y
    np.testing.assert_allclose(many.theta, np.outer([1, 2, -1], basis.theta), rtol=1e-12)
    assert (many.eigenvalues.shape, many.residual.shape) == ((5,), (3,))
    zero = theory.eigenbasis(np.zeros((3, 2)), [3.0, 0.0, 4.0])
    assert (zero.eigenvalues.tolist(), zero.theta.tolist(), zero.residual) == ([0, 0], [0, 0], 5)
    empty = theory.eigenbasis(np.zeros((0, 2)), [])
    assert (empty.eigenvalues.tolist(), empty.theta.tolist(), empty.residual) == ([0, 0], [0, 0], 0)
    # float32 data has a rank of float32: 1e-6 beside 1 is noise there
    small = np.diag([1.0, 1e-7]).astype(np.float32)
    assert (theory.eigenbasis(small, [1, 1]).eigenvalues > 0).tolist() == [True, False]
    assert loopcore.spectrum(small).rank == 1


@pytest.mark.parametrize(("n", "d"), SHAPES)
@pytest.mark.parametrize("part", [0.3, 1.0, 1.9])
def test_relative_error_is_the_measured_one(rng, n, d, part):
    """Up to ηλ = 1.9, where coordinates change sign with every loop, and for n < d."""
    X, y, basis = draw(rng, 100, n, d)
    eta = part / basis.eigenvalues[:, 0]
    lam, weights = rows(basis)
    expected = theory.relative_error(theory.loop_shrinkage(AT, lam, eta[:, None]), weights)
    measured = loopcore.errors(X, y, -2.5, AT[-1], eta=eta, relative=True, at=AT)
    np.testing.assert_allclose(measured, expected, rtol=1e-9, atol=1e-11)
    assert expected[:, :-1].min() < 0.1 * expected[:, 0].min()  # no comparison of ones with ones


@pytest.mark.parametrize(("n", "d"), SHAPES)
def test_schedule_is_the_measured_one(rng, n, d):
    X, y, basis = draw(rng, 50, n, d)
    schedule = rng.uniform(0, 1.8, size=(50, 40)) / basis.eigenvalues[:, :1]
    curve = theory.schedule_shrinkage(schedule, basis.eigenvalues)
    assert curve.shape == (50, 41, d)
    expected = theory.relative_error(curve, basis.theta[:, None] ** 2)
    measured = loopcore.errors(X, y, 1.0, 40, schedule=schedule, relative=True)
    np.testing.assert_allclose(measured, expected, rtol=1e-9, atol=1e-11)
    constant = theory.schedule_shrinkage(np.full(7, 0.01), basis.eigenvalues)
    loops = theory.loop_shrinkage(np.arange(8), basis.eigenvalues[:, None], 0.01)
    np.testing.assert_allclose(constant, loops, rtol=1e-12)


@pytest.mark.parametrize(("n", "d"), SHAPES)
def test_distance_and_residual_are_the_measured_ones(rng, n, d):
    X, y, basis = draw(rng, 100, n, d)
    alpha = rng.normal(size=100)
    v = loopcore.trajectory(X, y, alpha, AT[-1], at=AT) / alpha[:, None, None]
    lam, weights = rows(basis)
    left = theory.loop_shrinkage(AT, lam, 1 / lam[..., 0])
    solution = (basis.vectors @ basis.theta[..., None])[..., 0]
    distance = np.linalg.norm(v - solution[:, None], axis=-1)
    scale = np.linalg.norm(solution, axis=-1)[:, None]
    expected = theory.relative_distance(left, weights)
    np.testing.assert_allclose(distance / scale, expected, rtol=1e-9, atol=1e-11)
    assert np.all(theory.relative_error(left, weights) <= expected * (1 + 1e-12))
    residual = np.linalg.norm((X[:, None] @ v[..., None])[..., 0] - y[:, None], axis=-1)
    bound = theory.residual_norm(left, lam, basis.theta[:, None], basis.residual[:, None])
    np.testing.assert_allclose(residual, bound, rtol=1e-9, atol=1e-11)


def test_weights_on_the_smallest_eigenvalue_reach_the_bounds():
    T, lam = np.arange(300), np.geomspace(1, 50, 6)
    slowest = [1, 0, 0, 0, 0, 0]
    worst = theory.relative_error(theory.loop_shrinkage(T, lam, 1 / 50), slowest)
    np.testing.assert_allclose(worst, theory.gradient_descent_bound(T, 50), rtol=1e-12)
    for eta in (0.01, 0.02, 2 / 51, 0.041):
        bound = theory.constant_step_bound(T, eta, 1, 50)
        error = theory.relative_error(theory.loop_shrinkage(T, lam, eta), np.ones(6))
        assert np.all(error <= bound * (1 + 1e-12))
        ends = np.abs(theory.loop_shrinkage(T, lam, eta)).max(-1)
        np.testing.assert_allclose(ends, bound, rtol=1e-11)


def test_small_gains_keep_their_digits():
    # (1 − 1/κ)^κ = e^{−1} (1 − 1/2κ + …), whose naive power is off by 1e-5 at κ = 1e12
    left = theory.loop_shrinkage(10**12, [1.0, 1e-12], 1.0)
    assert left[0] == 0
    assert left[1] == pytest.approx(math.exp(-1), rel=1e-11)


def test_shrinkage_worked_by_hand():
    # ηλ = 1/4, 1/2, 1, 3/2, 4 and three loops
    left = theory.loop_shrinkage(3, [0.25, 0.5, 1, 1.5, 4], 1.0)
    np.testing.assert_allclose(left, [27 / 64, 1 / 8, 0, -1 / 8, -27], rtol=1e-15)
    assert theory.loop_shrinkage(0, [0.25, 1, 4, 0], 1.0).tolist() == [1, 1, 1, 1]
    assert theory.loop_shrinkage([10**6, 10**6 + 1], [4.0], 1.0).tolist() == [
        [math.inf],
        [-math.inf],
    ]
    # weights 1 and 3: (1·(1/4) + 3·(−1/2))/4 and √((1/16 + 3/4)/4)
    assert theory.relative_error([0.25, -0.5], [1, 3]) == pytest.approx(5 / 16, rel=1e-15)
    assert theory.relative_distance([0.25, -0.5], [1, 3]) == pytest.approx(math.sqrt(13) / 8)
    assert np.isnan(theory.relative_error([0.5, 0.5], [0, 0]))
    assert np.isnan(theory.relative_distance([0.5, 0.5], [0, 0]))


def test_fewest_loops_is_what_the_kernels_need(rng):
    X, y, basis = draw(rng, 10, 20, 4)
    for task in range(10):
        lam, weights = basis.eigenvalues[task], basis.theta[task] ** 2

        def error(T, lam=lam, weights=weights):
            return theory.relative_error(theory.loop_shrinkage(T, lam, 1 / lam[0]), weights)

        T = theory.fewest_loops(1e-6, error)
        measured = loopcore.errors(X[task], y[task], 1.0, T, relative=True)
        assert measured[T] <= 1e-6 * (1 + 1e-6)
        assert measured[T - 1] > 1e-6 * (1 - 1e-6)
        kappa = lam[0] / lam[-1]
        promised = theory.loops_to_tolerance(1e-6, kappa, theory.gradient_descent_bound)
        assert promised >= T


def test_a_direction_out_of_reach_is_never_learnt():
    def error(T):
        return theory.relative_error(theory.loop_shrinkage(T, [1.0, 0.0], 1.0), [3.0, 1.0])

    assert theory.fewest_loops(0.25, error) == 1
    with pytest.raises(ValueError, match=r"bound: still above 0\.2 after 2\^1000 loops"):
        theory.fewest_loops(0.2, error)


def test_broadcasting():
    lam, eta = np.ones((3, 1, 4)), np.full((2, 3, 1), 0.5)
    left = theory.loop_shrinkage(np.arange(5), lam, eta)
    assert left.shape == (2, 3, 5, 4)
    assert theory.relative_error(left, np.ones(4)).shape == (2, 3, 5)
    assert theory.residual_norm(left, lam, np.ones(4), np.ones((2, 1, 1))).shape == (2, 3, 5)
    assert theory.schedule_shrinkage(np.ones((2, 1, 6)), np.ones((3, 4))).shape == (2, 3, 7, 4)
    for one in (
        theory.relative_error([0.5], [1]),
        theory.relative_distance([0.5], [1]),
        theory.residual_norm([0.5], [1], [1]),
    ):
        assert isinstance(one, np.float64)
        assert one == 0.5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: theory.loop_shrinkage(-1, [1.0], 1), "T: expected at least 0, got -1"),
        (
            lambda: theory.loop_shrinkage([1, 2.5], [1.0], 1),
            "T: expected finite whole numbers, got 2.5",
        ),
        (lambda: theory.loop_shrinkage(1, [1, -2], 1), "eigenvalues: expected at least 0, got -2"),
        (lambda: theory.loop_shrinkage(1, 2.0, 1), "eigenvalues: expected an array .*number 2"),
        (lambda: theory.loop_shrinkage(math.inf, [1.0], 1), "T: expected finite whole numbers"),
        (lambda: theory.schedule_shrinkage(1.0, [1]), "schedule: expected an array .*number 1"),
        (lambda: theory.relative_error([1, 1], [1, -1]), "weights: expected at least 0, got -1"),
        (lambda: theory.relative_error(1, [1]), "shrinkage: expected an array .*number 1"),
        (
            lambda: theory.relative_distance([1, 1], [1, 1, 1]),
            r"weights: expected .*2\), got \(3,\)",
        ),
        (lambda: theory.residual_norm([1], [1], [1], -1), "residual: expected at least 0, got -1"),
        (
            lambda: theory.residual_norm([1, 1], [1, 1], [1, 2, 3]),
            r"theta: expected shape \(\.\.\., 2",
        ),
        (lambda: theory.eigenbasis([1.0], [1.0]), r"X: expected shape .*got \(1,\)"),
        (
            lambda: theory.eigenbasis([[1.0]], [1.0, 2]),
            r"y: expected shape \(\.\.\., 1\), got \(2,\)",
        ),
        (lambda: theory.eigenbasis([[math.nan]], [1.0]), "X: expected finite numbers"),
        (lambda: theory.eigenbasis([[1.0]], [math.inf]), "y: expected finite numbers"),
    ],
)
def test_bad_values_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
