"""`loopcore.reference` against cases worked by hand, and against the q-recursion."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import exact
from loopcore import reference


def relative_error(got, expected):
    """Return the largest deviation over the largest magnitude."""
    scale = np.abs(expected).max(initial=0)
    return np.abs(got - expected).max(initial=0) / (scale if scale else 1)


# By hand: attention --------------------------------------------------------------------


def test_attention_where_all_rows_attend():
    Z = np.array([[1.0, 2.0], [3.0, 4.0]])
    identity, everyone = np.eye(2), np.ones((2, 2))
    # Z Zᵀ = [[5, 11], [11, 25]], times Z.
    got = reference.attention(Z, identity, identity, everyone)
    np.testing.assert_array_equal(got, [[38, 54], [86, 122]])


def test_attention_with_causal_mask_and_other_weights():
    Z = np.array([[1.0, 2.0], [3.0, 4.0]])
    P, Q = np.diag([1.0, 0.0]), np.array([[0.0, 1.0], [0.0, 0.0]])
    # Z Q Zᵀ = [[2, 4], [6, 12]], masked [[2, 0], [6, 12]], times Z [[2, 4], [42, 60]], times P.
    got = reference.attention(Z, P, Q, np.tril(np.ones((2, 2))))
    np.testing.assert_array_equal(got, [[2, 0], [42, 0]])


def test_prompt_weights_and_mask():
    Z = reference.prompt([[1, 2], [3, 4], [5, 6]], [7, 8, 9], [10, 11], 12)
    np.testing.assert_array_equal(Z, [[1, 2, 7], [3, 4, 8], [5, 6, 9], [10, 11, 12]])
    assert Z.dtype == np.float64
    P, Q = reference.weights(2)
    np.testing.assert_array_equal(P, [[1, 0, 0], [0, 1, 0], [0, 0, 0]])
    np.testing.assert_array_equal(Q, np.eye(3))
    np.testing.assert_array_equal(
        reference.query_mask(3), [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 0]]
    )


# By hand: whole runs. Every number is dyadic, so nothing is rounded in any type. -------


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
def test_one_row_one_feature(dtype):
    # q ← q − (4 q + 12)/8: 0, −1.5, −2.25, …, tending to −6/2.
    X, y = np.array([[2]], dtype), np.array([6], dtype)
    Z = reference.prompt(X, y, None, 1.0)
    np.testing.assert_array_equal(Z, [[2, 6], [0, 1]])
    parts = (*reference.weights(1), reference.query_mask(1))
    np.testing.assert_array_equal(reference.attention(Z, *parts), [[0, 0], [12, 0]])
    for T, q in [(0, 0), (1, -1.5), (2, -2.25), (3, -2.625)]:
        end = reference.loops(Z, *parts, np.full(T, 0.125))
        np.testing.assert_array_equal(end, [[2, 6], [q, 1]])
        assert end.dtype == dtype
        v = reference.run(X, y, 1.0, T, eta=0.125)
        assert v == -q
        assert v.dtype == dtype


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
def test_three_rows_two_features_two_loops(dtype):
    X = np.array([[1, 0], [0, 2], [1, 1]], dtype)
    y, q0, alpha = np.array([1, 2, 3], dtype), np.array([1, -1], dtype), 2.0
    # XᵀX = [[2, 1], [1, 5]], Xᵀy = [4, 7].
    # r = X q + 2 y = [3, 2, 6],         Xᵀ r = [9, 10],     q = [1, −1] − [9, 10]/4 = [−5/4, −7/2]
    # r = X q + 2 y = [3/4, −3, 5/4],    Xᵀ r = [2, −19/4],  q − [2, −19/4]/8 = [−3/2, −93/32]
    got = reference.trajectory(X, y, alpha, 2, schedule=[0.25, 0.125], q0=q0)
    np.testing.assert_array_equal(got, [[-1, 1], [1.25, 3.5], [1.5, 2.90625]])
    assert got.dtype == dtype
    np.testing.assert_array_equal(
        reference.run(X, y, alpha, 2, schedule=[0.25, 0.125], q0=q0), got[-1]
    )
    # "mean" divides XᵀX and Xᵀy by 3: three times the steps give the same.
    got = reference.run(X, y, alpha, 2, schedule=[0.75, 0.375], q0=q0, scale="mean")
    np.testing.assert_array_equal(got, [1.5, 2.90625])


def test_fewer_rows_than_features():
    # The component of q(0) that no row sees, (0, 0, 5), stays; the rest tends to −α θ̂ = −(2, 0).
    X, y, q0 = [[1.0, 1.0, 0.0]], [2.0], [0.0, 0.0, 5.0]
    # XᵀX = 11ᵀ, Xᵀy = (2, 2), λ_max = 2: one loop is enough.
    for T in (1, 2, 9):
        np.testing.assert_allclose(reference.run(X, y, 1.0, T, q0=q0), [1, 1, -5], rtol=1e-15)


# The paper -----------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "d"), [(1, 1), (5, 1), (1, 4), (20, 4), (3, 8), (40, 20)])
def test_first_experiment_attention_is_the_gradient(rng, n, d):
    """With q = θ and α = −1 the query row's attention is Xᵀ(Xθ − y)."""
    X, y, theta = rng.normal(size=(7, n, d)), rng.normal(size=(7, n)), rng.normal(size=(7, d))
    Z = reference.prompt(X, y, theta, -1.0)
    got = reference.attention(Z, *reference.weights(d), reference.query_mask(n))
    gradient = np.einsum("bnd,bn->bd", X, np.einsum("bnd,bd->bn", X, theta) - y)
    assert relative_error(got[:, n, :d], gradient) < 1e-14
    assert not got[:, n, d].any()
    assert not got[:, :n].any()


@exact.needs_extended_precision
@pytest.mark.parametrize(("n", "d", "T"), [(1, 1, 5), (12, 3, 40), (3, 6, 30), (25, 10, 60)])
@pytest.mark.parametrize("kind", ["given", "schedule", "none", "optimal", "chebyshev", "mean"])
def test_agrees_with_the_q_recursion(rng, n, d, T, kind):
    """The literal loops are q ← q − η (Xᵀ X q + α Xᵀ y), which another program iterates."""
    X, y, q0 = rng.normal(size=(4, n, d)), rng.normal(size=(4, n)), rng.normal(size=(4, d))
    alpha = rng.normal(size=4)
    keywords = {
        "given": {"eta": 0.9 / n / d},
        "schedule": {"schedule": rng.uniform(0, 1 / n / d, size=(4, T))},
        "none": {},
        "optimal": {"eta": "optimal"},
        "chebyshev": {"eta": "chebyshev"},
        "mean": {"eta": 0.9 / d, "scale": "mean"},
    }[kind]
    truth = exact.truth(X, y, alpha, T, q0=q0, **keywords)
    v = reference.run(X, y, alpha, T, q0=q0, **keywords)
    assert v.dtype == np.float64
    assert exact.ratio(v, truth).max() < 30
    # Given steps leave only the rounding of longdouble, else that of the float64 eigenvalues too.
    longer = reference.run(X.astype(np.longdouble), y, alpha, T, q0=q0, **keywords)
    tolerance = 1e-17 if kind in {"given", "schedule", "mean"} else 1e-14
    assert (np.abs(longer + truth.q).max(-1) <= tolerance * truth.S).all()


def test_context_rows_never_move(rng):
    Z = reference.prompt(rng.normal(size=(3, 6, 4)), rng.normal(size=(3, 6)), None, 2.5)
    end = reference.loops(Z, *reference.weights(4), reference.query_mask(6), np.full(30, 0.05))
    np.testing.assert_array_equal(end[:, :6], Z[:, :6])
    np.testing.assert_array_equal(end[:, 6, 4], Z[:, 6, 4])
    assert (end[:, 6, :4] != Z[:, 6, :4]).all()


def test_dual_reading_predicts_at_the_query(rng):
    """With weights that move the y slot alone, [[X, y], [x, 0]] ends with −⟨v(T), x⟩ there."""
    n, d, T = 9, 3, 25
    X, y, x = rng.normal(size=(n, d)), rng.normal(size=n), rng.normal(size=d)
    steps = reference.step_sizes(X, T)
    last = np.zeros(d + 1)
    last[d] = 1
    everyone_to_context = np.ones((n + 1, n + 1))
    everyone_to_context[:, n] = 0
    Z = reference.prompt(X, y, x, 0.0)
    end = reference.loops(Z, np.diag(last), np.diag(1 - last), everyone_to_context, steps)
    assert -end[n, d] == pytest.approx(reference.run(X, y, 1.0, T) @ x, rel=1e-13)


@pytest.mark.parametrize(("n", "d"), [(30, 5), (4, 7)])
def test_tends_to_alpha_times_least_squares(rng, n, d):
    X, y = rng.normal(size=(n, d)), rng.normal(size=n)
    theta = np.linalg.lstsq(X, y, rcond=None)[0]
    v = reference.run(X, y, -1.5, 400, eta="chebyshev")
    assert relative_error(v, -1.5 * theta) < 1e-12


# Step sizes ----------------------------------------------------------------------------


def test_singular_values_and_rank_rule():
    eps = np.finfo(np.float64).eps
    sigma = reference.singular_values(
        [np.diag([4, 4 * 3 * eps * 1.1, 0]), np.diag([4, 2, 4 * eps])]
    )
    np.testing.assert_allclose(sigma, [[4, 13.2 * eps, 0], [4, 2, 0]], rtol=1e-15)
    # max(n, d) = 5 raises the threshold, and float32 has its own eps.
    wide = np.zeros((2, 5))
    wide[0, 0], wide[1, 1] = 1, 4.5 * eps
    np.testing.assert_array_equal(reference.singular_values(wide), [1, 0, 0, 0, 0])
    small = np.diag([1, 1e-7, 1e-6]).astype(np.float32)
    np.testing.assert_allclose(reference.singular_values(small), [1, 1e-6, 0], rtol=1e-6)
    np.testing.assert_allclose(
        reference.singular_values(small.astype(np.float64)), [1, 1e-6, 1e-7], rtol=1e-6
    )
    X = np.ones((3, 2, 2))
    X[1, 0, 1] = np.inf
    np.testing.assert_allclose(
        reference.singular_values(X), [[2, 0], [np.nan, np.nan], [2, 0]], rtol=1e-15
    )


def test_step_sizes_by_hand():
    X = [[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]]  # λ = 4, 1, and a 0 that does not count
    root = np.sqrt(0.5)
    np.testing.assert_array_equal(reference.step_sizes(X, 3), [0.25, 0.25, 0.25])
    np.testing.assert_array_equal(reference.step_sizes(X, 2, scale="mean"), [0.25, 0.25])
    np.testing.assert_array_equal(reference.step_sizes(X, 2, eta="optimal"), [0.4, 0.4])
    np.testing.assert_allclose(reference.step_sizes(X, 1, eta="chebyshev"), [0.4], rtol=1e-15)
    np.testing.assert_allclose(
        reference.step_sizes(X, 2, eta="chebyshev"),
        [1 / (2.5 + 1.5 * root), 1 / (2.5 - 1.5 * root)],
        rtol=1e-15,
    )
    np.testing.assert_array_equal(reference.step_sizes(X, 2, eta=0.5, scale="mean"), [0.25, 0.25])
    np.testing.assert_array_equal(reference.step_sizes(X, 2, schedule=0.5), [0.5, 0.5])
    np.testing.assert_array_equal(reference.step_sizes(X, 2, schedule=[0.5]), [0.5, 0.5])
    np.testing.assert_array_equal(reference.step_sizes(X, 2, schedule=[0.5, 2]), [0.5, 2])
    assert reference.step_sizes(X, 4, schedule=np.ones((5, 1, 4))).shape == (5, 1, 4)
    assert reference.step_sizes(X, 4, eta=np.ones((5, 1))).shape == (5, 1, 4)
    for kind in (None, "optimal", "chebyshev"):
        np.testing.assert_array_equal(reference.step_sizes(np.zeros((3, 2)), 2, eta=kind), [0, 0])
        assert reference.step_sizes(X, 0, eta=kind).shape == (0,)


def test_chebyshev_order_by_hand():
    expected = {
        0: [],
        1: [0],
        2: [0, 1],
        3: [1, 0, 2],
        4: [0, 3, 1, 2],
        5: [2, 0, 4, 1, 3],
        6: [1, 4, 0, 5, 2, 3],
        8: [0, 7, 3, 4, 1, 6, 2, 5],
    }
    for T, order in expected.items():
        assert reference.chebyshev_order(T).tolist() == order


@pytest.mark.parametrize("T", [1, 2, 7, 31, 50, 128, 200, 211, 997, 3000])
def test_chebyshev_order_is_a_stable_permutation(T):
    assert sorted(reference.chebyshev_order(T)) == list(range(T))
    kappa = 1e4
    lam = np.geomspace(1 / kappa, 1, 500)
    steps = reference.adaptive_steps(lam[::-1], T, "chebyshev")
    logs = np.log(np.maximum(np.abs(1 - np.multiply.outer(steps, lam)), 1e-300))  # (T, 500)
    forward = np.cumsum(logs, axis=0)
    backward = np.cumsum(logs[::-1], axis=0)
    # Measured: the first loops of a run amplify by up to 2,500, the last by up to 4,900.
    assert forward.max() < np.log(kappa)
    assert backward.max() < np.log(kappa)
    # All loops together are the Chebyshev polynomial: at most 2 ρ^T, ρ = (√κ − 1)/(√κ + 1).
    rho = (np.sqrt(kappa) - 1) / (np.sqrt(kappa) + 1)
    assert forward[-1].max() <= np.log(2 * rho**T / (1 + rho ** (2 * T))) + 1e-9


@exact.needs_extended_precision
def test_chebyshev_nodes_do_not_cancel():
    """At κ = 1e12 the sum c + h cos φ would keep 4 digits of the steps near 1/λ_min."""
    lam = np.array([1.0, 1e-12])
    lam_long = lam.astype(np.longdouble)
    pi = 4 * np.arctan(np.longdouble(1))
    T = 1001
    x = np.cos(pi * (2 * reference.chebyshev_order(T) + 1).astype(np.longdouble) / (2 * T))
    truth = 1 / ((lam_long[0] + lam_long[1]) / 2 + (lam_long[0] - lam_long[1]) / 2 * x)
    got = reference.adaptive_steps(lam, T, "chebyshev")
    np.testing.assert_allclose(got.astype(float), truth.astype(float), rtol=1e-7)
    got_long = reference.adaptive_steps(lam_long, T, "chebyshev")
    np.testing.assert_allclose(got.astype(float), got_long.astype(float), rtol=1e-14)


# Shapes, types, edges ------------------------------------------------------------------


def test_stacks_broadcast_as_single_tasks_do(rng):
    X, y = rng.normal(size=(3, 1, 5, 2)), rng.normal(size=(4, 5))
    q0, alpha = rng.normal(size=(3, 4, 2)), rng.normal(size=4)
    schedule = rng.uniform(0, 0.1, size=(2, 1, 1, 6))
    got = reference.run(X, y, alpha, 6, schedule=schedule, q0=q0)
    assert got.shape == (2, 3, 4, 2)
    for i, j, k in np.ndindex(2, 3, 4):
        one = reference.run(X[j, 0], y[k], alpha[k], 6, schedule=schedule[i, 0, 0], q0=q0[j, k])
        np.testing.assert_allclose(got[i, j, k], one, rtol=1e-13)


def test_trajectory_holds_every_run(rng):
    X, y = rng.normal(size=(2, 5, 3)), rng.normal(size=(2, 5))
    path = reference.trajectory(X, y, 0.7, 8)
    assert path.shape == (2, 9, 3)
    for t in range(9):
        np.testing.assert_allclose(path[:, t], reference.run(X, y, 0.7, t), rtol=1e-13)


def test_no_loops_no_rows_no_features_no_tasks(rng):
    X, y, q0 = rng.normal(size=(2, 5, 3)), rng.normal(size=(2, 5)), rng.normal(size=(2, 3))
    np.testing.assert_array_equal(reference.run(X, y, 1.0, 0, q0=q0), -q0)
    np.testing.assert_array_equal(reference.run(X[:, :0], y[:, :0], 1.0, 7, q0=q0), -q0)
    np.testing.assert_array_equal(
        reference.run(X[:, :0], y[:, :0], 1.0, 7, q0=q0, eta=0.3, scale="mean"), -q0
    )
    np.testing.assert_array_equal(reference.run(0 * X, y, 1.0, 7, q0=q0), -q0)
    assert reference.run(X[:, :, :0], y, 1.0, 7).shape == (2, 0)
    assert reference.run(X[:0], y[:0], 1.0, 7).shape == (0, 3)
    assert reference.trajectory(X[:0], y[:0], 1.0, 7).shape == (0, 8, 3)
    assert reference.run(X, y, 1.0, 0, schedule=np.ones((4, 1, 0))).shape == (4, 2, 3)


def test_types():
    X, y = np.eye(2), np.ones(2)
    for x_type, y_type, expected in [
        ("f4", "f4", "f4"),
        (">f4", "<f4", "f4"),
        ("f4", "f8", "f8"),
        ("f2", "f2", "f8"),
        ("i1", "f4", "f8"),
        ("?", "?", "f8"),
        ("f4", "longdouble", "longdouble"),
    ]:
        v = reference.run(X.astype(x_type), y.astype(y_type), np.float64(1), 2, eta=np.float64(0.5))
        assert v.dtype == np.dtype(expected)
        np.testing.assert_array_equal(v, [0.75, 0.75])


def test_extremes_need_only_the_range_of_longdouble(rng):
    X, y = rng.normal(size=(6, 3)), rng.normal(size=6)
    v = reference.run(X, y, 1.0, 20)
    if np.finfo(np.longdouble).maxexp > np.finfo(np.float64).maxexp:
        tiny = reference.run(X * np.longdouble("1e-160"), y * np.longdouble("1e-160"), 1.0, 20)
        assert relative_error(tiny, v) < 1e-13
    huge = reference.run(X * 1e150, y * 1e150, 1.0, 20)
    assert relative_error(huge, v) < 1e-13


def test_nan_stays_in_its_task(rng):
    X, y = rng.normal(size=(3, 5, 2)), rng.normal(size=(3, 5))
    clean = reference.run(X, y, 1.0, 4)
    X[1, 2, 0] = np.nan
    for eta in (None, "optimal", "chebyshev", 0.1):
        v = reference.run(X, y, 1.0, 4, eta=eta)
        assert np.isnan(v).tolist() == [[False] * 2, [True] * 2, [False] * 2]
        if eta is None:
            np.testing.assert_allclose(v[[0, 2]], clean[[0, 2]], rtol=1e-13)


def test_wrong_arguments():
    X, y = np.eye(2), np.ones(2)
    with pytest.raises(ValueError, match="eta or schedule, not both"):
        reference.run(X, y, 1.0, 2, eta=0.1, schedule=0.1)
    with pytest.raises(ValueError, match="got 'fast'"):
        reference.run(X, y, 1.0, 2, eta="fast")
    with pytest.raises(ValueError, match="broadcast"):
        reference.run(X, np.ones(3), 1.0, 2)
    for bad in (1j * X, X.astype(str), X.astype(object), X.astype("M8[s]")):
        with pytest.raises(TypeError, match="Cannot cast"):
            reference.run(bad, y, 1.0, 2)


def test_every_number_is_exact_in_rationals():
    """Ten loops of a task with small integers, against Python's fractions."""
    X, y, alpha, eta = [[1, 2], [0, 1], [3, -1]], [1, -2, 4], Fraction(1, 2), Fraction(1, 16)
    q = [Fraction(0), Fraction(0)]
    for _ in range(10):
        r = [row[0] * q[0] + row[1] * q[1] + alpha * t for row, t in zip(X, y, strict=True)]
        g = [sum(row[k] * s for row, s in zip(X, r, strict=True)) for k in range(2)]
        q = [q[k] - eta * g[k] for k in range(2)]
    v = reference.run(X, y, 0.5, 10, eta=0.0625)
    np.testing.assert_allclose(v, [-float(a) for a in q], rtol=1e-15)
