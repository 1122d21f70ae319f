"""The study of perturbed weights: closed forms against literal loops, and what it makes of them.

Everything is seeded: tolerances are what the numbers of tasks leave, with room for rounding only.
"""

import dataclasses
import warnings

import numpy as np
import pytest

import loopcore
from loopcore import reference, tasks, theory
from loopcore.studies.frame.intervals import Interval
from loopcore.studies.frame.parts import Parts
from loopcore.studies.perturbed import (
    STUDY,
    Config,
    algebra,
    compute,
    drift,
    learned,
    masks,
    starts,
    weights,
)

pytest.importorskip("scipy")

SMALL = Config(
    d=4,
    gaussian=(12,),
    conditions=(5.0, 100.0),
    n=12,
    sigmas=(1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 0.4, 1.0),
    models=40,
    tasks=6,
    start_tasks=60,
    mask_n=(12,),
    mask_steps=(0.03125, 0.125, 0.5, 1.0),
    mask_tasks=40,
    trained_n=6,
    trained_d=2,
    trained_loops=(1, 2),
    near_sigmas=(0.01,),
    near=3,
    random=4,
    trained_tasks=150,
    held_out=200,
    iterations=40,
)
TINY = Config(
    2,
    (),
    (1.0,),
    3,
    (0.5, 1.0),
    models=2,
    tasks=1,
    loops=1,
    longest=2,
    start_lengths=(0.0, 1.0),
    start_tasks=2,
    mask_n=(2,),
    mask_steps=(1.0,),
    mask_tasks=2,
    trained_n=1,
    trained_d=1,
    trained_loops=(1,),
    near_sigmas=(0.1,),
    near=1,
    random=1,
    trained_tasks=3,
    held_out=3,
    iterations=2,
)


@pytest.fixture(scope="module")
def kept():
    return {}


@pytest.fixture(scope="module")
def result(threadpools, kept):
    with threadpools.limit(limits=1, user_api="blas"):  # as for every test, but earlier
        return compute(SMALL, Parts(kept=kept))


@pytest.fixture
def noisy(rng):
    """P, Q, X, y, θ and η of 5 tasks: n = 12, d = 4, one model, σ = 0.1."""
    d = 4
    P, Q = (W + 0.1 * rng.standard_normal((d + 1, d + 1)) for W in algebra.ideal(d))
    batch = tasks.draw(5, 12, d, targets=tasks.Linear(unit=True), rng=rng)
    return P, Q, batch.X, batch.y, batch.theta, 1 / loopcore.spectrum(batch.X).lambda_max


# ---- closed forms --------------------------------------------------------------------------------


def literal(P, Q, X, y, T, eta, alpha=1.0, **kind):
    """Return the query rows (..., d) of prompts after T literal loops, from q(0) = 0."""
    *lead, n, d = X.shape
    Z = np.zeros((*lead, n + 1, d + 1))
    Z[..., :n, :d], Z[..., :n, d], Z[..., n, d] = X, y, alpha
    eta = np.asarray(eta)[..., None]
    return reference.looped(Z, P[None, None], Q[None, None], T, eta=eta, **kind)[..., n, :d]


def test_limit_is_where_literal_loops_end_whatever_x_is(noisy):
    P, Q, X, y, theta, eta = noisy
    v = algebra.limit(P, Q, theta)
    beta = algebra.curvatures(P, Q, theta, X.swapaxes(-1, -2) @ X)
    assert np.all(algebra.radius(beta, eta) < 0.98)
    np.testing.assert_allclose(-literal(P, Q, X, y, 1500, eta, alpha=2.0), 2 * v, rtol=1e-9)
    other = tasks.draw(1, 40, 4, inputs=tasks.Spectrum(3.0), rng=1).X[
        0
    ]  # another X, the same limit
    found = -literal(P, Q, other, other @ theta[0], 1500, 0.01)
    np.testing.assert_allclose(found, v[0], rtol=1e-9)


def test_curvatures_are_the_eigenvalues_of_the_kernel_operator_but_for_one(noisy):
    P, Q, X, y, theta, eta = noisy
    # One loop of the twin in which all rows move by A = I − η Q S P.
    A = loopcore.LoopedTransformer(P, Q, eta[:, None], update="all").operator(X, y, 1)
    beta = algebra.curvatures(P, Q, theta, X.swapaxes(-1, -2) @ X)
    factors = np.concatenate([1 - eta[:, None] * beta, np.ones((5, 1))], axis=-1)
    for found, expected in zip(np.linalg.eigvals(A), factors, strict=True):
        distance = np.abs(found[:, None] - expected)
        assert max(distance.min(0).max(), distance.min(1).max()) < 1e-9
    np.testing.assert_allclose(algebra.radius(beta, eta), np.abs(factors[:, :-1]).max(-1))


def test_the_kernel_trajectory_is_powers_of_that_matrix(noisy):
    P, Q, X, y, theta, eta = noisy
    z = np.concatenate([X, y[..., None]], axis=-1)
    A = np.eye(5) - eta[:, None, None] * (Q @ (z.swapaxes(-1, -2) @ z) @ P)
    model, at = loopcore.LoopedTransformer(P, Q, eta[:, None]), np.array([1, 5, 64])
    found = weights._read_out(model, X, y, theta, at)
    for k, t in enumerate(at):
        v = -np.linalg.matrix_power(A, t)[:, -1, :-1]  # e_D Aᵗ
        np.testing.assert_allclose(found[:, k], (v * theta).sum(-1) - 1, atol=1e-12)


def test_first_order_floor_is_the_derivative_of_the_floor(rng):
    E = rng.standard_normal((2, 50, 6, 6))
    theta = rng.standard_normal((50, 5))
    theta /= np.linalg.norm(theta, axis=-1, keepdims=True)
    P, Q = algebra.ideal(5)
    first = algebra.first_order_floor(*E, theta)
    for sigma in (1e-4, 1e-6):
        exact = algebra.floor(P + sigma * E[0], Q + sigma * E[1], theta)
        assert np.max(np.abs(exact / sigma - first)) < 1000 * sigma


def test_first_order_floor_has_variance_six(rng):
    E = rng.standard_normal((2, 40_000, 4, 4))
    theta = rng.standard_normal((40_000, 3))
    theta /= np.linalg.norm(theta, axis=-1, keepdims=True)
    first = algebra.first_order_floor(*E, theta)
    assert np.var(first) == pytest.approx(6, rel=0.03)
    assert np.median(np.abs(first)) == pytest.approx(algebra.MEDIAN_FLOOR, rel=0.02)


def test_optimal_step_share_is_that_of_drawn_matrices(rng):
    M, d, kappa = 2000, 6, 200.0
    P, Q = algebra.ideal(d)
    theta = rng.standard_normal((M, d))
    theta /= np.linalg.norm(theta, axis=-1, keepdims=True)
    H = np.broadcast_to(np.diag(np.geomspace(1, kappa, d)), (M, d, d))
    for sigma in (0.002, 0.01):
        E = sigma * rng.standard_normal((2, M, d + 1, d + 1))
        beta = algebra.curvatures(P + E[0], Q + E[1], theta, H)
        share = np.mean(algebra.radius(beta, np.full(M, 2 / (1 + kappa))) > 1)
        assert share == pytest.approx(algebra.optimal_step_share(sigma, kappa, d), abs=0.03)


def test_causes_by_hand():
    #         passes slow slowed floor both diverges, and one that diverges but has not grown yet
    error = [0.001, 0.1, 0.1, 0.5, 0.5, np.inf, 0.001]
    ideal = [0.001, 0.1, 0.001, 0.001, 0.1, 0.001, 0.001]
    limit = [0.0001, 0.001, 0.001, 0.5, 0.5, 0.001, 0.001]
    factor = [0.9, 0.99, 0.99, 0.9, 0.99, 1.5, 1.5]
    found = algebra.causes(*(np.array(a) for a in (error, ideal, limit, factor)), 0.01)
    assert found.tolist() == [0, 1, 2, 3, 4, 5, 0]
    assert algebra.truth(found).tolist() == [-1, 0, 0, 1, 1, 2, -1]


@pytest.mark.parametrize("rule", ["extrapolating", "ratio"])
def test_rules_name_pure_cases(rule):
    e, e2 = np.full(4, 0.4), np.full(4, 0.16)
    f = np.array([0.0, 0.0005, 0.5, -0.3])  # the floor, which the rules do not see
    g, g2 = f - e * (1 - f), f - e2 * (1 - f)
    judge = {
        "extrapolating": lambda *seen: algebra.extrapolating_verdict(*seen, 0.01),
        "ratio": algebra.ratio_verdict,
    }[rule]
    assert judge(g[:2], g2[:2], e[:2], e2[:2]).tolist() == [0, 0]
    assert judge(10 * f[2:], 10 * f[2:], e[2:], e2[2:] / 100).tolist() == [1, 1]
    assert judge(3 * np.ones(2), np.array([30, np.nan]), e[:2], e2[:2]).tolist() == [2, 2]
    if rule == "extrapolating":
        assert judge(g, g2, e, e2).tolist() == [0, 0, 1, 1]


def test_crossing_interpolates_in_the_logarithm():
    sigmas = np.array([1e-3, 1e-2, 1e-1])
    np.testing.assert_allclose(
        weights.crossing(np.array([[0, 0, 1], [0.4, 0.6, 0.9], [0.6, 0.2, 0.8]]), sigmas),
        [10**-1.5, 10**-2.5, 10**-1.5],
    )
    assert weights.crossing(np.array([0.6, 0.7, 0.8]), sigmas) == 1e-3
    assert np.isnan(weights.crossing(np.array([0.6, 0.7, 0.2]), sigmas))


def test_settled_medians_are_those_of_floors_to_two_in_a_hundred(rng):
    floors = np.abs(rng.standard_normal(100_001))
    slow = np.where(rng.random(100_001) < 0.02, np.inf, floors)  # as bad as it can be
    assert np.median(slow) / np.median(floors) == pytest.approx(1.024, abs=0.003)
    assert weights._settled(np.array([[1, 1, 0.9], [1, 0.97, 0.9]])).tolist() == [True, True, False]


# ---- masks ---------------------------------------------------------------------------------------


def test_ridge_error_is_the_end_of_literal_causal_loops_of_the_query(rng):
    batch = tasks.draw(3, 10, 3, targets=tasks.Linear(unit=True), rng=rng)
    P, Q = algebra.ideal(3)
    expected = masks.ridge_error(theory.eigenbasis(batch.X, batch.y))
    v = -literal(P, Q, batch.X, batch.y, 1500, 0.02, mask="causal")
    np.testing.assert_allclose(np.abs((v * batch.theta).sum(-1) - 1), expected, rtol=1e-9)
    for X, theta, found in zip(batch.X, batch.theta, v, strict=True):
        ridge = np.linalg.solve(X.T @ X + (1 + found @ found) * np.eye(3), X.T @ X @ theta)
        np.testing.assert_allclose(found, ridge, rtol=1e-9)


def test_all_rows_moving_end_at_the_flow_floor_of_small_steps():
    X = np.sqrt(10) * np.linalg.qr(np.arange(30.0).reshape(10, 3) ** 2 % 7)[0]  # XᵀX = 10 I
    theta = np.array([0.6, 0.0, 0.8])
    P, Q = algebra.ideal(3)
    v = -literal(P, Q, X, X @ theta, 2000, 0.002, update="all")
    assert 1 - v @ theta == pytest.approx(masks.FLOW_FLOOR, abs=0.003)


def test_masks_are_those_of_literal_loops(result):
    m = result.masks
    d, n, B = SMALL.d, 12, SMALL.mask_tasks
    batch = tasks.draw(B, n, d, targets=tasks.Linear(unit=True), rng=[SMALL.seed, masks._TEST, n])
    P, Q = algebra.ideal(d)
    step, once = m.step, SMALL.at.index(16)
    for k, (update, mask) in enumerate(masks.MASKS):
        eta = step[0, k, once] / np.linalg.norm(batch.X, 2, axis=(1, 2)) ** 2
        v = -literal(P, Q, batch.X, batch.y, 16, eta, update=update, mask=mask)
        error = np.sort(np.abs((v * batch.theta).sum(-1) - 1))
        assert m.error.value[0, k, once] == pytest.approx(error[B // 2 - 1], rel=1e-6)


def test_only_the_papers_mask_converges(result):
    m = result.masks
    assert m.best.value[0, 0] < 1e-10
    assert (m.best.value[0, 1:] > 0.02).all()
    assert m.ridge_gap.value[0] == pytest.approx(0, abs=1e-6)
    assert m.shrunk[0, :2].tolist() == [1, 1]
    assert (m.shrunk[0, 2:] < 1).all()


# ---- noise and starts ----------------------------------------------------------------------------


def test_plateau_is_proportional_to_sigma_and_independent_of_x(result):
    w = result.weights
    seen = np.isfinite(w.exponent.value)
    assert seen.tolist() == [True, True, True]
    np.testing.assert_allclose(w.exponent.value, 1, atol=0.1)
    assert w.below_median.value == pytest.approx(0.5, abs=0.06)
    assert w.gap < 1e-11
    np.testing.assert_allclose(w.floor.value[:, 2] / 1e-3, algebra.MEDIAN_FLOOR, rtol=0.4)


def test_slow_failures_have_the_error_of_theory(result):
    w = result.weights
    slow = w.slow_ratio.value[2, :3]  # κ = 100
    np.testing.assert_allclose(slow, 1, atol=0.02)
    np.testing.assert_allclose(w.rate_ratio.value[1, :4], 1, atol=0.05)
    np.testing.assert_allclose(w.kappa[1:], [5, 100])


def test_shares_add_up(result):
    w = result.weights
    np.testing.assert_allclose(w.cause.value.sum(-1), 1)
    assert np.all(w.diverges.value[:, :3, 0] == 0)
    assert np.all(w.diverges.value[:, -1, 0] > 0.8)
    grown = w.grown.value[:, -1]
    assert np.all((grown >= 0) & (grown <= 1))
    assert grown[0, -1] > 0.95  # long enough, all of them show
    fails = 1 - w.cause.value[..., 0].mean()
    np.testing.assert_allclose(w.verdicts.sum((1, 2)), fails)
    np.testing.assert_allclose(
        np.trace(w.verdicts, axis1=1, axis2=2) / fails, w.all_right.value, rtol=1e-12
    )
    assert w.all_right.value[0] > 0.9
    failing = 1 - w.cause.value[..., 0].mean(axis=0)  # (S,)
    by_sigma = np.nan_to_num(w.sigma_right.value[:, 0])
    assert by_sigma @ failing / failing.sum() == pytest.approx(w.all_right.value[0])


def test_starts_of_a_single_step_and_of_a_single_input_are_told():
    one = dataclasses.replace(TINY, d=1, start_lengths=(10.0, 100.0))  # κ = 1: one loop is enough
    found = compute(one)
    assert np.isnan(found.starts.decade.value)
    told = STUDY.findings(found)
    assert "was not measured" in told[5]
    assert "leaves a floor" not in told[5]  # ⌈d/2⌉ = d


def test_starts_are_lost_at_the_rate_of_the_slowest_direction(result):
    s = result.starts
    assert s.cell.condition == 5
    assert np.all(np.diff(s.loops.value[2:]) > 0)
    assert 0.9 < s.decade.value < 1.02
    assert s.gap < 1e-9
    assert s.few == 2
    assert s.floor.value[-1] > 100


def test_start_floor_is_that_of_the_pseudoinverse():
    found = starts.measure(SMALL, 1, 10.0)
    batch = tasks.draw(
        SMALL.start_tasks, 2, 4, targets=tasks.Linear(unit=True), rng=[0, starts._TASKS, 1]
    )
    q0 = np.random.default_rng([0, starts._DIRECTIONS, 1]).standard_normal((SMALL.start_tasks, 4))
    q0 *= 10 / np.linalg.norm(q0, axis=-1, keepdims=True)
    for i in range(5):
        X = batch.X[i]
        v = np.linalg.pinv(X) @ batch.y[i] - (np.eye(4) - np.linalg.pinv(X) @ X) @ q0[i]
        assert found.floor[i] == pytest.approx(abs(v @ batch.theta[i] - 1), rel=1e-9)


# ---- noisy y -------------------------------------------------------------------------------------


def test_noise_in_y_moves_the_eigenvalue_one_to_its_first_order(rng):
    d, n = 3, 9
    X, theta = rng.standard_normal((n, d)), np.array([0.6, 0.0, 0.8])
    r = rng.standard_normal(n)
    r -= X @ np.linalg.lstsq(X, r, rcond=None)[0]
    P, Q = (W + 0.1 * rng.standard_normal((d + 1, d + 1)) for W in algebra.ideal(d))
    a = np.append(-theta, 1)
    for size in (1e-3, 1e-4):
        z = np.column_stack([X, X @ theta + size * r])
        beta = np.linalg.eigvals(Q @ (z.T @ z) @ P)
        slow = beta[np.abs(beta).argmin()]
        R = size**2 * (r @ r)
        first = R / (a @ np.linalg.inv(Q) @ np.linalg.inv(P) @ a)
        assert slow == pytest.approx(first, rel=1e3 * R)


def test_noisy_y_loops_drift_at_the_exact_rate_and_half_of_them_diverge(result):
    y = result.drift
    assert y.n == 12
    np.testing.assert_allclose(y.measured.value[1:4], 1, atol=1e-3)
    np.testing.assert_allclose(y.first_order.value[:4], 1, atol=0.1)
    assert y.diverges.value[:4].mean() == pytest.approx(0.5, abs=0.12)  # 160 models: ± 0.08
    np.testing.assert_allclose(
        y.patience.value[:3] * SMALL.sigmas[:3], y.patience.value[1] * 1e-4, rtol=0.6
    )


def test_noisy_y_read_out_is_that_of_literal_loops(rng):
    d, n = 3, 8
    z = rng.standard_normal((2, n, d + 1))
    hat = np.stack([np.linalg.lstsq(one[:, :d], one[:, d], rcond=None)[0] for one in z])
    P, Q = (W + 0.05 * rng.standard_normal((d + 1, d + 1)) for W in algebra.ideal(d))
    model = loopcore.LoopedTransformer(P, Q, 0.02)
    found = drift._read_out(model, z, hat, np.array([3, 40]))
    for k, t in enumerate((3, 40)):
        v = -literal(P, Q, z[..., :d], z[..., d], t, np.full(2, 0.02))
        np.testing.assert_allclose(found[:, k], (v * hat).sum(-1) / (hat * hat).sum(-1) - 1)


# ---- trainings -----------------------------------------------------------------------------------


def test_trainings_near_the_ideal_weights_are_as_good_and_counted(result):
    t = result.learned
    assert t.count.tolist() == [3, 4]
    assert t.fails.value[0, 0] == 0
    assert t.good_loss.value[0, 0] == pytest.approx(1, abs=0.2)  # a single step has little to gain
    np.testing.assert_allclose(t.fails.value, t.stuck.value + t.breaks.value)
    np.testing.assert_allclose(t.fails.value, 1 - t.good / t.count)


def test_proportion_is_the_interval_of_clopper_and_pearson():
    from scipy.stats import beta

    value, low, high = learned.proportion(3, 20)
    assert value == 0.15
    assert low == pytest.approx(beta.ppf(0.025, 3, 18))
    assert high == pytest.approx(beta.ppf(0.975, 4, 17))


def test_a_start_that_is_not_finite_is_a_failure(monkeypatch):
    monkeypatch.setattr(learned, "RANDOM", 1e200)
    one = learned.measure(TINY, 1, 1, 0)
    assert one.training == np.inf
    assert one.median[1, 0] == np.inf
    assert learned.judge(one.mean[1:, 0], one.median[1:, 0])[0].all()


# ---- study ---------------------------------------------------------------------------------------


def test_findings_say_what_the_numbers_say(result):
    found = STUDY.findings(result)
    assert len(found) == 9
    assert "is told by what more loops do" in found[0]
    assert "as its κ predicts" in found[0]
    holds = int(result.weights.exponent.holds(1).sum())
    assert f"in {holds} of 3 cells" in found[1]
    assert "within" in found[1]
    assert "as predicted" in found[2]
    assert "only the paper's mask converges" in found[6]
    failed = result.learned.fails.at(1, 1)
    assert f"{100 * failed.value:.3g} % (" in found[7]
    assert "at T = 2 from random weights" in found[7]
    assert found[-1].startswith("Not settled")


def check_lengths(found):
    assert len(found) <= 9
    assert len(found[0]) <= 350
    assert max(len(sentence) for sentence in found) <= 600


def test_findings_change_with_the_numbers(result):
    w, m, s, t = result.weights, result.masks, result.starts, result.learned

    def said(**changes):
        found = STUDY.findings(dataclasses.replace(result, **changes))
        check_lengths(found)
        return found

    assert "which is broken" in said(weights=dataclasses.replace(w, gap=0.1))[1]
    assert "was not checked" in said(weights=dataclasses.replace(w, gap=np.nan))[1]
    off = Interval(*(np.full(3, x) for x in (1.5, 1.4, 1.6)))
    found = said(weights=dataclasses.replace(w, exponent=off))
    assert "in 0 of 3 cells" in found[1]
    assert "grows like σ^1.5 (1.4 to 1.6) or" in found[0]
    none = Interval(*np.full((3, 3), np.nan))
    found = said(weights=dataclasses.replace(w, exponent=none))
    assert "is not measured" in found[1]
    assert "grows" not in found[0]
    wrong = Interval(*(np.array(x) for x in (0.7, 0.65, 0.75)))
    assert "does not hold" in said(weights=dataclasses.replace(w, below_median=wrong))[1]
    slow = Interval(*(3 * end for end in w.slow_ratio))
    found = said(weights=dataclasses.replace(w, slow_ratio=slow))
    assert "off by more than 10 %" in found[2]
    assert "not quite as κ predicts" in found[0]
    flat = Interval(*(np.full_like(end, 1e-3) for end in w.lead))
    assert "is not settled" in said(weights=dataclasses.replace(w, lead=flat))[2]
    lost = Interval(*(np.array(x) for x in ([0.9, 0.9], [0.8, 0.8], [0.95, 0.95])))
    assert "only in part" in said(weights=dataclasses.replace(w, all_right=lost))[0]
    no = Interval(*np.full((3, 2), np.nan))
    assert "not told apart" in said(weights=dataclasses.replace(w, all_right=no))[0]
    never = Interval(*(0 * end for end in w.diverges))
    none = Interval(*(np.nan * end for end in w.half_diverges))
    quiet = dataclasses.replace(w, diverges=never, half_diverges=none)
    found = said(weights=quiet)[3]
    assert "less than half of the loops diverge up to" in found
    assert "outside the interval" in found
    y = result.drift
    assert "within 5 % of their" in said()[4]
    half = Interval(*(np.array(x) for x in (0.2, 0.1, 0.3)))
    found = said(drift=dataclasses.replace(y, small_diverges=half))[4]
    assert "which does not hold the half" in found
    far = Interval(*(1.3 * end for end in y.measured))
    assert "within 5 %" not in said(drift=dataclasses.replace(y, measured=far))[4]
    dear = Interval(*(np.array(x) for x in (1.5, 1.4, 1.6)))
    assert "more than the 1 that" in said(starts=dataclasses.replace(s, decade=dear))[5]
    fine = Interval(*(0 * end for end in m.error))
    assert "not the only one" in said(masks=dataclasses.replace(m, error=fine))[6]
    slow = Interval(*(end + 1 for end in m.best))
    assert "did not reach" in said(masks=dataclasses.replace(m, best=slow))[6]
    for first, last, count, words in (
        (0.0, 0.75, 8, "fail more often (p = 0.007)"),
        (0.75, 0.0, 8, "fail less often (p = 0.007)"),
        (0.0, 0.75, 4, "not settled"),
    ):
        shares = np.array([[0, first], [0, last]])
        fails = Interval(shares, shares, shares)
        counts = np.array([3, count])
        assert words in said(learned=dataclasses.replace(t, fails=fails, count=counts))[7]


def test_tables_have_rows_of_their_columns_and_fit_a_terminal(result):
    for sheet in STUDY.sheets(result):
        assert all(len(row) == len(sheet.columns) for row in sheet.rows)
        widths = [
            max(len(row[i]) for row in (sheet.columns, *sheet.rows))
            for i in range(len(sheet.columns))
        ]
        assert sum(widths) + 2 * (len(widths) - 1) <= 80
    for config in (STUDY.full, STUDY.quick):
        assert len(config.sigmas) <= 15
        assert len(config.trained_loops) * (len(config.near_sigmas) + 1) <= 15


@pytest.mark.parametrize("config", [SMALL, TINY], ids=["small", "tiny"])
def test_figure_and_words_take_every_configuration(config, kept, result):
    found = result if config is SMALL else compute(config)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = STUDY.plot(found)
        figure.draw_without_rendering()
        assert len(figure.axes) == 4
        sentences = STUDY.findings(found)
        assert all(sentence.endswith(".") for sentence in sentences)
        check_lengths(sentences)
        assert len(STUDY.sheets(found)) == 4


def test_the_same_configuration_gives_the_same_numbers_kept_or_not(result, kept):
    small = dataclasses.replace(TINY, seed=3)
    first = {}
    bits = [plain_bits(compute(small, Parts(kept=k))) for k in (first, first, {}, None)]
    assert bits[0] == bits[1] == bits[2] == bits[3]
    assert plain_bits(compute(SMALL, Parts(kept=kept))) == plain_bits(result)
    assert plain_bits(compute(TINY)) != bits[0]


def plain_bits(value):
    """Return the bits of every number in a result."""
    if dataclasses.is_dataclass(value):
        return tuple(plain_bits(getattr(value, f.name)) for f in dataclasses.fields(value))
    if isinstance(value, tuple):
        return tuple(plain_bits(part) for part in value)
    return np.asarray(value).tobytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"d": 0}, "d: expected at least 1, got 0"),
        ({"gaussian": (8,)}, "gaussian: expected at least 9, got 8"),
        ({"n": 7}, "n: expected at least 8, got 7"),
        ({"gaussian": (), "conditions": ()}, "gaussian: expected a number, or one in conditions"),
        ({"conditions": (0.5,)}, "conditions: expected finite numbers from 1"),
        ({"sigmas": (1.0,)}, "sigmas: expected at least 2, got 1"),
        ({"sigmas": (0.0, 1.0)}, "sigmas: expected finite numbers above 0"),
        ({"sigmas": (1.0, 0.1)}, "sigmas: expected rising numbers"),
        ({"models": 1}, "models: expected at least 2, got 1"),
        ({"longest": 100}, "longest: expected at least 128, got 100"),
        ({"snr": 0.0}, "snr: expected a finite number above 0"),
        ({"epsilon": 1.0}, "epsilon: expected a number between 0 and 1"),
        ({"start_lengths": (1.0, 0.0)}, "start_lengths: expected rising numbers"),
        ({"start_lengths": (-1.0, 0.0)}, "start_lengths: expected numbers from 0"),
        ({"mask_steps": ()}, "mask_steps: expected at least 1, got 0"),
        ({"trained_loops": (0,)}, "trained_loops: expected at least 1, got 0"),
        ({"near": 0}, "near: expected at least 1, got 0"),
        ({"seed": -1}, "seed: expected at least 0, got -1"),
    ],
)
def test_config_refuses_nonsense(change, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        Config(**change)
