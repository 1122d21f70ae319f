"""The attention study: its models, minimisers and limits against other computations."""

import dataclasses
import math

import numpy as np
import pytest

import loopcore
from loopcore.studies.attention import (
    QUICK,
    STUDY,
    Config,
    Problem,
    compute,
    findings,
    limits,
    minimisers,
    plot,
    sheets,
)
from loopcore.studies.attention.config import GENERATING, GENERATION, PREDICTING, PREDICTION
from loopcore.studies.attention.models import generator, predictor
from loopcore.studies.attention.tuning import candidates
from loopcore.studies.frame.intervals import Interval
from loopcore.studies.frame.parts import Parts
from loopcore.studies.frame.result_files import figure_bytes, plain

scipy = pytest.importorskip("scipy")

SMALL = Config(
    generation=(Problem(24, 3), Problem(5, 3), Problem(60, 3, 4.0)),
    prediction=(Problem(24, 3), Problem(24, 3, 4.0), Problem(30, 2, None, "gaussian process")),
    loops=(1, 8, 32, 128),
    kernel_loops=(1, 4, 32),
    temperatures=(1 / 64, 1 / 16, 1 / 4, 1.0),
    kernel_temperatures=(0.5, 1.0, 4.0),
    steps=tuple(2.0**k for k in range(-6, 2)),
    tuning=24,
    tasks=120,
    queries=6,
)


@pytest.fixture(scope="module")
def result(threadpools):
    with threadpools.limit(limits=1, user_api="blas"):
        return compute(SMALL)


# ---- what a loop descends ------------------------------------------------------------------------


def _objective(kind, s, tau):
    """F of scores s (n,), written as in the study's first paragraph."""
    n = len(s)
    match kind:
        case "linear":
            return np.sum(s**2) / 2 / n
        case "relu":
            return np.sum(np.maximum(s, 0) ** 2) / 2 / n
        case "softmax":
            return tau**2 * np.log(np.sum(np.exp(s / tau)))
        case "exp":
            return tau**2 * np.sum(np.exp(s / tau)) / n
        case "softmax ±":
            return (_objective("softmax", s, tau) + _objective("softmax", -s, tau)) / 2
        case "exp ±":
            return (_objective("exp", s, tau) + _objective("exp", -s, tau)) / 2


@pytest.mark.parametrize("kind", GENERATING)
def test_a_loop_of_generation_is_a_step_down_the_objective(kind, rng):
    X, y, q, alpha, tau, gamma = (
        rng.standard_normal((9, 3)),
        rng.standard_normal(9),
        rng.standard_normal(3),
        0.7,
        0.8,
        0.3,
    )
    after = -generator(kind, 3, tau, gamma).generate(X, y, alpha, 1, q)

    def objective(q):
        return _objective(kind, X @ q + alpha * y, tau)

    h = 1e-5
    gradient = [(objective(q + h * e) - objective(q - h * e)) / (2 * h) for e in np.eye(3)]
    np.testing.assert_allclose(after, q - gamma * np.array(gradient), rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("kind", GENERATING)
def test_value_scale_and_step_are_one_number(kind, rng):
    X, y = rng.standard_normal((5, 9, 3)), rng.standard_normal((5, 9))
    model = generator(kind, 3, 0.8, 0.3)
    options = {"attention": model.attention, "scale": model.scale}
    other = loopcore.LoopedTransformer(5 * model.P, model.Q, 0.3 / 5, **options)
    expected = model.generate(X, y, 1.0, 6)
    np.testing.assert_allclose(other.generate(X, y, 1.0, 6), expected, rtol=1e-11)


@pytest.mark.parametrize("kind", ["linear", "relu"])
def test_to_homogeneous_kinds_the_temperature_is_nothing(kind, rng):
    X, y, x = rng.standard_normal((9, 3)), rng.standard_normal(9), rng.standard_normal((2, 3))
    one, other = (generator(kind, 3, tau, 0.2).generate(X, y, 1.0, 5) for tau in (1.0, 0.07))
    np.testing.assert_allclose(one, other, rtol=1e-12)
    one, other = (predictor(kind, 3, tau, 0.2).predict(X, y, x, 5) for tau in (1.0, 0.07))
    np.testing.assert_allclose(one, other, rtol=1e-12)


@pytest.mark.parametrize("kind", PREDICTING)
def test_a_loop_of_prediction_is_functional_gradient_descent(kind, rng):
    X, y, x = rng.standard_normal((9, 3)), rng.standard_normal(9), rng.standard_normal((4, 3))
    tau, gamma, T = 2.5, 0.05, 7

    def k(a, b):
        s = a @ b.T / tau
        if kind == "softmax":
            e = np.exp(s)
            return tau * e / e.sum(axis=-1, keepdims=True)
        h = {"linear": s, "relu": np.maximum(s, 0), "exp": np.exp(s)}[kind]
        return tau * h / len(b)

    residuals, f = y.copy(), np.zeros(4)
    for _ in range(T):
        f = f + gamma * k(x, X) @ residuals
        residuals = residuals - gamma * k(X, X) @ residuals
    found = predictor(kind, 3, tau, gamma).predict(X, y, x, T)
    np.testing.assert_allclose(found, f, rtol=1e-11)


# ---- minimisers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", GENERATING)
def test_minimisers_are_those_that_scipy_finds(kind, rng):
    from scipy.optimize import minimize

    X, tau = rng.standard_normal((6, 18, 2)), 0.6
    y = X @ np.array([0.6, -0.8]) + 0.4 * rng.standard_normal((6, 18))
    assert minimisers.surrounded(X).all()
    found = minimisers.minimisers(kind, X, y, 1.5, tau)
    for one, A, b in zip(found, X, y, strict=True):
        end = minimize(
            lambda q, A=A, b=b: _objective(kind, A @ q + 1.5 * b, tau),
            np.zeros(2),
            method="Nelder-Mead",
            options={"xatol": 1e-9, "fatol": 1e-15, "maxiter": 4000},
        )
        np.testing.assert_allclose(one, -end.x, atol=2e-6)


def test_softmax_and_exp_share_their_minimiser_and_loops_tend_to_it(rng):
    X = rng.standard_normal((4, 30, 3))
    y = X @ np.array([0.6, 0.0, -0.8]) + 0.3 * rng.standard_normal((4, 30))
    found = minimisers.minimisers("softmax", X, y, 1.0, 0.7)
    np.testing.assert_array_equal(found, minimisers.minimisers("exp", X, y, 1.0, 0.7))
    for kind, gamma in (("softmax", 0.5), ("exp", 0.2)):
        v = generator(kind, 3, 0.7, gamma).generate(X, y, 1.0, 4000)
        np.testing.assert_allclose(v, found, rtol=1e-8)


def test_without_noise_the_floor_is_proportional_to_the_temperature(rng):
    X, theta = rng.standard_normal((5, 30, 3)), rng.standard_normal((5, 3))
    y = np.einsum("bnd,bd->bn", X, theta)
    offset = minimisers.minimisers("softmax", X, 0 * y, 0.0, 1.0)
    for tau in (0.05, 0.4, 3.0):
        found = minimisers.minimisers("softmax", X, y, 2.0, tau)
        np.testing.assert_allclose(found - 2 * theta, tau * offset, rtol=1e-5, atol=1e-8)
    # to first order Cov⁻¹ x̄, so that its size is √(d/n)
    X = rng.standard_normal((40, 2000, 3))
    offset = minimisers.minimisers("softmax", X, np.zeros((40, 2000)), 0.0, 1.0)
    first = np.linalg.solve(np.einsum("bni,bnj->bij", X, X) / 2000, X.mean(axis=1)[..., None])[
        ..., 0
    ]
    np.testing.assert_allclose(offset, first, atol=0.012)


def test_two_heads_and_relu_are_exact_without_noise(rng):
    X, theta = rng.standard_normal((5, 30, 3)), rng.standard_normal((5, 3))
    y = np.einsum("bnd,bd->bn", X, theta)
    for kind in ("linear", "relu", "softmax ±", "exp ±"):
        found = minimisers.minimisers(kind, X, y, 2.0, 0.3)
        np.testing.assert_allclose(found, 2 * theta, atol=1e-10)


def test_rows_that_do_not_surround_zero_have_no_minimiser(rng):
    angles = rng.uniform(0, 2 * np.pi, (300, 5))
    gaps = np.diff(
        np.sort(angles, axis=-1), axis=-1, append=np.min(angles, -1)[:, None] + 2 * np.pi
    )
    X = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    inside = minimisers.surrounded(X)
    np.testing.assert_array_equal(inside, gaps.max(axis=-1) < np.pi)
    assert abs(inside.mean() - minimisers.surrounded_probability(5, 2)) < 3.5 * 0.5 / math.sqrt(300)
    found = minimisers.minimisers("exp", X, np.zeros((300, 5)), 0.0, 1.0)
    np.testing.assert_array_equal(np.isinf(found).all(axis=-1), ~inside)
    assert np.isfinite(found[inside]).all()


def test_wendels_probability_is_one_half_at_two_d():
    for d in (1, 3, 8, 40):
        assert minimisers.surrounded_probability(2 * d, d) == 0.5
        assert minimisers.surrounded_probability(d, d) == 0.0
    assert minimisers.surrounded_probability(3, 2) == 0.25  # a triangle with the centre inside


@pytest.mark.parametrize("kind", GENERATING)
def test_asymptotic_distance_is_that_of_an_m_estimator(kind):
    sigma, tau = 0.5, 0.6
    e, w = np.polynomial.hermite_e.hermegauss(200)
    e, w = sigma * e, w / w.sum()
    h = 1e-6
    psi = {
        "linear": lambda s: s,
        "relu": lambda s: np.maximum(s, 0),
        "softmax": lambda s: np.exp(s / tau),
        "softmax ±": lambda s: np.sinh(s / tau),
    }
    psi |= {"exp": psi["softmax"], "exp ±": psi["softmax ±"]}
    value = psi[kind]
    slope = (w @ value(e + h) - w @ value(e - h)) / (2 * h)
    A = math.sqrt(w @ value(e) ** 2) / slope
    found = minimisers.asymptotic_distance(kind, 5000, 2, sigma, tau)
    assert found == pytest.approx(A * math.sqrt(2 / 5000), rel=2e-3)


@pytest.mark.parametrize("kind", ["linear", "relu", "exp", "softmax ±"])
def test_minimisers_of_many_examples_are_at_the_asymptotic_distance(kind, rng):
    X, theta = rng.standard_normal((60, 1500, 2)), np.array([0.6, 0.8])
    y = X @ theta + 0.5 * rng.standard_normal((60, 1500))
    found = minimisers.minimisers(kind, X, y, 1.0, 0.5)
    size = math.sqrt(np.mean(np.sum((found - theta) ** 2, axis=-1)))
    # 120 coordinates: 6.5 % standard error
    assert size == pytest.approx(minimisers.asymptotic_distance(kind, 1500, 2, 0.5, 0.5), rel=0.2)


def test_asymptotic_constants_are_least_at_the_noise():
    tau = np.geomspace(0.1, 10, 201)
    found = minimisers.asymptotic_distance("exp", 100, 4, 0.5, tau) / (0.5 * math.sqrt(4 / 100))
    assert found.min() == pytest.approx(math.sqrt(math.e), rel=1e-3)
    assert tau[found.argmin()] == pytest.approx(0.5, rel=0.05)


# ---- limits of prediction ------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "tau"), [("linear", 1.0), ("softmax", 2.0), ("exp", 4.0)])
def test_loops_of_prediction_tend_to_the_limit(kind, tau, rng):
    X, x = 1.5 * rng.standard_normal((3, 4, 3)), rng.standard_normal((3, 4, 3))
    y = rng.standard_normal((3, 4))
    end = limits.prediction_limit(kind, X, y, x, tau)
    f = predictor(kind, 3, tau, 1.9 / end.largest).predict(X, y, x, 40_000)
    np.testing.assert_allclose(f, end.prediction, rtol=1e-6, atol=1e-7)


def test_softmax_is_stable_for_every_prompt(rng):
    X, tau = rng.standard_normal((20, 8, 2)), 0.3
    end = limits.prediction_limit("softmax", X, np.ones((20, 8)), X[:, :2], tau)
    np.testing.assert_allclose(end.largest, tau, rtol=1e-12)  # the constants'
    np.testing.assert_allclose(end.prediction, 1, rtol=1e-6)  # which it finds
    assert np.all(end.smallest >= 0)
    e = np.exp(X @ X.swapaxes(-1, -2) / tau)
    rows = np.linalg.eigvals(tau * e / e.sum(axis=-1, keepdims=True))
    np.testing.assert_allclose(np.sort(rows.real)[:, 0], end.smallest, atol=1e-12)
    assert np.abs(rows.imag).max() < 1e-6


def test_relu_grows_at_its_negative_eigenvalue(rng):
    X, y = rng.standard_normal((2, 15, 3)), rng.standard_normal((2, 15))
    end = limits.prediction_limit("relu", X, y, X, 1.0)
    assert np.all(end.smallest < 0)
    assert np.isinf(end.prediction).all()
    gamma = 0.5 / end.largest.max()
    f, after = (predictor("relu", 3, 1.0, gamma).predict(X, y, X, T) for T in (6000, 6001))
    grown = np.linalg.norm(after, axis=-1) / np.linalg.norm(f, axis=-1)
    np.testing.assert_allclose(grown, 1 - gamma * end.smallest, rtol=1e-6)


# ---- the study -----------------------------------------------------------------------------------


def _cell(parts, problem, kind):
    (found,) = [part for part in parts if part.problem == problem and part.kind == kind]
    return found


def test_candidates_are_as_many_for_every_kind():
    for kind in GENERATING:
        tried = candidates(kind, SMALL.temperatures, SMALL.steps)
        assert tried.temperature.shape == tried.step.shape == (4, 8)
        assert (tried.step.min(), tried.step.max()) == pytest.approx((2**-6, 2))
        pairs = set(zip(tried.temperature.flat, tried.step.flat, strict=True))
        assert len(pairs) == 32


def test_linear_is_what_the_eigenbasis_says(result):
    for problem in SMALL.generation:
        part = _cell(result.generated, problem, "linear")
        i = SMALL.generation.index(problem)
        tasks = problem.draw(SMALL.tasks, 0, [0, GENERATION, i, 1])
        S = tasks.X.swapaxes(-1, -2) @ tasks.X / problem.n
        moment = np.einsum("bni,bn->bi", tasks.X, tasks.y) / problem.n
        values, vectors = np.linalg.eigh(S)
        for k, T in enumerate(SMALL.loops):
            gamma = part.tuned.step[k]
            filters = (1 - (1 - gamma * values) ** T) / values
            v = np.einsum("bij,bj,bkj,bk->bi", vectors, filters, vectors, moment)
            distance = np.sort(np.linalg.norm(v - tasks.theta, axis=-1))
            assert part.distance.value[k] == pytest.approx(distance[59], rel=1e-6, abs=1e-14)


def test_tuned_is_the_best_of_literal_loops(result):
    problem = SMALL.generation[0]
    part = _cell(result.generated, problem, "softmax")
    tasks = problem.draw(SMALL.tuning, 0, [0, GENERATION, 0, 0])
    best = math.inf
    for tau in SMALL.temperatures:
        for gamma in SMALL.steps:
            q = np.zeros_like(tasks.theta)
            for _ in range(SMALL.loops[1]):
                s = np.einsum("bnd,bd->bn", tasks.X, q) + tasks.y
                e = np.exp((s - s.max(axis=-1, keepdims=True)) / tau)
                p = e / e.sum(axis=-1, keepdims=True)
                q = q - gamma * tau * np.einsum("bn,bnd->bd", p, tasks.X)
            quartile = np.sort(np.linalg.norm(q + tasks.theta, axis=-1))[17]  # the 18th of 24
            if quartile < best:
                best, pair = quartile, (tau, gamma)
    assert (part.tuned.temperature[1], part.tuned.step[1]) == pair


def test_floors_are_where_the_loops_end(result):
    main = SMALL.generation[0]
    softmax, exp = (_cell(result.generated, main, kind) for kind in ("softmax", "exp"))
    assert softmax.above_limit.value[-1] == pytest.approx(1, abs=0.35)
    assert softmax.limit.value[-1] == pytest.approx(softmax.asymptotic[-1], rel=0.6)
    assert softmax.distance.high[-1] < exp.distance.low[-1] / 3
    assert -1.3 < softmax.rate.value < -0.6 < exp.rate.value < 0.1
    for kind in ("linear", "relu", "softmax ±", "exp ±"):
        part = _cell(result.generated, main, kind)
        assert np.all(part.limit.value < 1e-9)
        assert part.distance.value[-1] < 1e-5


def test_other_values_rescale_homogeneous_kinds_alone(result):
    for part in result.generated:
        same = np.allclose(part.scaled.value, part.distance.value[-1], rtol=1e-6, atol=1e-12)
        if part.kind in ("linear", "relu"):
            assert same
        elif part.problem == SMALL.generation[0] and "±" not in part.kind:
            assert not same
            # α = 0.1 at the temperature for α = 1: the floor is ten times as far, relatively
            assert part.scaled.value[0] > 5 * part.distance.value[-1]


def test_hulls_are_counted(result):
    for hull in result.surrounded:
        error = math.sqrt(0.25 / SMALL.tasks)
        assert abs(float(hull.share.value) - hull.probability) < 3.5 * error
    few = _cell(result.generated, SMALL.generation[1], "exp")
    assert result.surrounded[1].probability == pytest.approx(5 / 16)
    assert np.isinf(few.limit.value).all()


def test_prediction_is_what_eigenvectors_say(result):
    problem = SMALL.prediction[2]
    for kind in PREDICTING:
        part = _cell(result.predicted, problem, kind)
        X, y, _, x, values, _ = problem.draw(SMALL.tasks, SMALL.queries, [0, PREDICTION, 2, 1])
        tau, gamma = part.tuned.temperature[-1], part.tuned.step[-1]
        K = limits.kernel_matrix(kind, X, X, tau)
        k = limits.kernel_matrix(kind, x, X, tau)
        if kind == "softmax":
            K, k = (tau * m / m.sum(axis=-1, keepdims=True) for m in (K, k))
        powers = np.linalg.matrix_power(np.eye(problem.n) - gamma * K, SMALL.kernel_loops[-1])
        left = np.einsum("bij,bj->bi", powers, y)
        # Σ_t (I − γK)ᵗ y = K⁻¹ (y − (I − γK)ᵀ y)/γ, summed literally where K is singular
        total, residual = np.zeros_like(y), y
        for _ in range(SMALL.kernel_loops[-1]):
            total, residual = (
                total + residual,
                residual - gamma * np.einsum("bij,bj->bi", K, residual),
            )
        np.testing.assert_allclose(residual, left, atol=1e-8)
        f = gamma * np.einsum("bmj,bj->bm", k, total)
        error = np.sort(((f - values) ** 2).mean(axis=-1) / values.var(axis=-1))
        assert part.error.value[-1] == pytest.approx(error[59], rel=1e-7)
    relu, softmax = (_cell(result.predicted, problem, kind) for kind in ("relu", "softmax"))
    assert relu.indefinite == 1.0
    assert relu.smallest.value < -0.01
    assert softmax.indefinite == 0.0
    assert softmax.error.high[-1] < relu.error.low[-1]


def test_the_same_seed_gives_the_same_numbers():
    tiny = dataclasses.replace(
        SMALL,
        generation=SMALL.generation[1:2],
        prediction=SMALL.prediction[1:2],
        temperatures=(0.25, 1.0),
        kernel_temperatures=(1.0,),
        loops=(1, 2, 4),
        kernel_loops=(1, 2, 4),
        tuning=5,
        tasks=9,
    )
    kept = {}
    first, again, resumed = (compute(tiny, Parts(kept=k)) for k in (None, kept, kept))
    assert plain(first) == plain(again) == plain(resumed)
    assert len(kept) == 6 * 2 + 6 + 4 * 1 + 4 + 1
    other = compute(dataclasses.replace(tiny, seed=1))
    assert plain(other.generated) != plain(first.generated)


# ---- words and figure ----------------------------------------------------------------------------


def _said(result, start):
    (one,) = [sentence for sentence in findings(result) if sentence.startswith(start)]
    return one


SOFTMAX = ("What stops softmax", "Softmax ends", "On half of the tasks softmax")


def test_findings_say_what_was_measured(result):
    said = findings(result)
    assert len(said) == 9
    assert "linear" in said[0]
    assert "reach αθ*, softmax next, 0." in said[0]
    assert "the best is linear on 2 of 2 problems with linear targets, softmax on 1" in said[0]
    assert "of Var y on a Gaussian process" in said[0]
    assert "in keeping with 1/T" in _said(result, SOFTMAX)
    assert "in keeping with 1/log T, which has −0." in _said(result, "exp has the minimiser")
    assert "Wendel's theorem says 31.2 %" in _said(result, "Softmax, exp and ReLU need")
    assert "takes the floor away" in _said(result, "A second head")
    assert "do not notice" in _said(result, "A second head")
    assert "1.41 for ReLU and at least 1.65" in _said(result, "With noise")
    assert "negative eigenvalue on all tasks" in _said(result, "Predicting, the matrix of ReLU")
    assert said[-1].startswith("Not settled")


def _are_short(said):
    assert said[0].startswith("Open question 1: ")
    assert len(said[0]) <= 350
    assert max(len(sentence) for sentence in said) <= 600
    assert len(said) <= 9


def test_findings_are_short(result):
    _are_short(findings(result))
    assert len(STUDY.question) <= 300
    assert len(STUDY.caption) <= 700


def _altered(result, part, **changes):
    fields = {}
    for name in ("generated", "predicted"):
        cells = getattr(result, name)
        fields[name] = tuple(
            dataclasses.replace(cell, **changes) if cell is part else cell for cell in cells
        )
    return dataclasses.replace(result, **fields)


def _constant(like, value, low, high):
    return Interval(*(np.full(np.shape(like), number) for number in (value, low, high)))


def test_findings_change_with_the_numbers(result):
    main = SMALL.generation[0]
    softmax = _cell(result.generated, main, "softmax")
    exp = _cell(result.generated, main, "exp")
    far = _altered(result, softmax, above_limit=_constant(softmax.above_limit.value, 9, 8, 10))
    assert "does not explain it" in _said(far, SOFTMAX)
    none = _altered(result, softmax, limit=_constant(softmax.limit.value, *[np.inf] * 3))
    assert "no minimiser at all" in _said(none, SOFTMAX)
    stuck = _altered(result, softmax, rate=_constant(0, -0.1, -0.15, -0.05))
    assert "more slowly than 1/T" in _said(stuck, SOFTMAX)
    level = _altered(result, exp, rate=_constant(0, -1.5, -1.6, -1.4))
    assert "faster than 1/log T" in _said(level, "exp has the minimiser")
    linear = _cell(result.generated, main, "linear")
    relu = _cell(result.generated, main, "relu")
    distance = _constant(linear.distance.value, 0.5, 0.4, 0.6)
    slow = _altered(_altered(result, linear, distance=distance), relu, distance=distance)
    assert "change too, against the theory" in _said(slow, "A second head")
    assert "softmax comes nearest to αθ*, 0." in findings(slow)[0]
    assert "exp next, 0." in findings(slow)[0]
    two = _cell(result.generated, main, "exp ±")
    bad = _altered(result, two, distance=exp.distance)
    assert "helps 1 of 2 kinds" in _said(bad, "A second head")
    for other in (far, none, stuck, level, slow, bad):
        _are_short(findings(other))


def test_the_answer_tells_winners_from_ties(result):
    process = SMALL.prediction[2]
    parts = [part for part in result.predicted if part.problem == process]
    tied = result
    for part in parts:
        tied = _altered(tied, part, error=_constant(part.error.value, 0.5, 0.4, 0.6))
    assert "none alone on 1 with others" in findings(tied)[0]
    best = _constant(parts[0].error.value, 0.1, 0.09, 0.11)
    other = _altered(tied, _cell(tied.predicted, process, "relu"), error=best)
    assert "ReLU on 1 of 1 with others" in findings(other)[0]
    assert "ReLU leaves 0.1 (0.09 to 0.11) of Var y" in findings(other)[0]
    for one in (tied, other):
        _are_short(findings(one))


def test_findings_tell_where_the_theory_is_broken(result):
    hulls = (dataclasses.replace(result.surrounded[0], probability=0.1), *result.surrounded[1:])
    wrong = dataclasses.replace(result, surrounded=hulls)
    assert "against Wendel's theorem, as on 1 of 2" in _said(wrong, "Softmax, exp and ReLU need")
    softmax = _cell(result.predicted, SMALL.prediction[0], "softmax")
    broken = _altered(result, softmax, indefinite=0.5)
    assert "Against the theory" in _said(broken, "Predicting, the matrix")
    noisy = SMALL.generation[2]
    relu = _cell(result.generated, noisy, "relu")
    linear = _cell(result.generated, noisy, "linear")
    low = _altered(result, relu, multiple=_constant(0, 1.1, 1.0, 1.2))
    assert "ReLU lies below" in _said(low, "With noise")
    few = _altered(low, _cell(low.generated, noisy, "relu"), limit=linear.limit)
    assert "as do the minimisers" in _said(few, "With noise")
    many = _altered(few, linear, limit=_constant(linear.limit.value, *[0.001] * 3))
    assert "unlike the minimisers" in _said(many, "With noise")
    relu = _cell(result.predicted, SMALL.prediction[0], "relu")
    fine = _altered(result, relu, indefinite=0.0)
    assert "does converge" in _said(fine, "Predicting, on some problem")
    for other in (wrong, broken, low, few, many, fine):
        _are_short(findings(other))


def test_multiples_of_linear_are_of_the_same_tasks(result):
    noisy = SMALL.generation[2]
    linear, relu = (_cell(result.generated, noisy, kind) for kind in ("linear", "relu"))
    assert tuple(linear.multiple) == (1, 1, 1)
    assert relu.multiple.value == relu.distance.value[-1] / linear.distance.value[-1]
    assert 1 < relu.multiple.low < relu.multiple.value < relu.multiple.high
    assert np.isnan(_cell(result.generated, SMALL.generation[0], "relu").multiple.value)


def test_tables_fit_a_terminal(result):
    for sheet in sheets(result):
        rows = [sheet.columns, *sheet.rows]
        assert len({len(row) for row in rows}) == 1
        assert len(sheet.rows) <= 15
        widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
        assert sum(widths) + 2 * (len(widths) - 1) <= 80
        assert len(sheet.title) <= 80


def test_the_figure_has_a_panel_for_each_part(result):
    figure = plot(result)
    titles = [axes.get_title() for axes in figure.axes if axes.get_visible()]
    assert titles == [
        "Generation: $n$ = 24, $d$ = 3",
        "Generation: $n$ = 60, $d$ = 3, SNR 4",
        "Prediction: $n$ = 24, $d$ = 3",
        "Prediction: GP, $n$ = 30, $d$ = 2",
    ]
    drawn = figure.axes[0].get_lines()
    values = _cell(result.generated, SMALL.generation[0], "softmax").distance.value
    assert any(np.array_equal(line.get_ydata(), values) for line in drawn)


def test_the_figure_takes_what_a_log_axis_does_not(result):
    values = np.resize([0.0, np.nan, np.inf], len(SMALL.loops))
    errors = np.resize([0.0, np.nan, np.inf], len(SMALL.kernel_loops))

    def odd(value):
        distance = dict.fromkeys(("distance", "limit"), Interval(value, value, value))
        error = Interval(*[value[: len(errors)]] * 3)
        return dataclasses.replace(
            result,
            generated=tuple(dataclasses.replace(part, **distance) for part in result.generated),
            predicted=tuple(
                dataclasses.replace(part, error=error, limit=error.at(-1))
                for part in result.predicted
            ),
        )

    plot(odd(values)).draw_without_rendering()
    for value in values[:3]:
        one = odd(np.full(len(values), value))
        plot(one)
        _are_short(findings(one))
        assert sheets(one)


def test_panels_without_a_problem_are_left_out():
    few = dataclasses.replace(
        SMALL,
        generation=SMALL.generation[2:],
        prediction=SMALL.prediction[2:],
        temperatures=(0.5,),
        kernel_temperatures=(1.0,),
        loops=(1, 2, 4),
        kernel_loops=(1, 2, 4),
        tuning=4,
        tasks=8,
        alphas=(),
    )
    result = compute(few)
    assert [axes.get_visible() for axes in plot(result).axes] == [False, True, True, True]
    said = findings(result)
    assert len(said) == 5
    assert said[0].startswith("Open question 1: predicting, ")
    _are_short(said)
    assert len(figure_bytes(plot(result), "png")) > 1000


def test_the_study_is_one_that_a_command_can_run():
    assert STUDY.name == "attention"
    assert STUDY.full == Config()
    assert STUDY.quick is QUICK


# ---- configurations ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tasks": 1}, "tasks: expected at least 2, got 1"),
        ({"tuning": 0}, "tuning: expected at least 1, got 0"),
        ({"queries": 1}, "queries: expected at least 2, got 1"),
        ({"seed": -1}, "seed: expected at least 0, got -1"),
        ({"generation": ()}, "generation: expected at least 1, got 0"),
        ({"prediction": ()}, "prediction: expected at least 1, got 0"),
        ({"loops": (1, 2)}, "loops: expected at least 3, got 2"),
        ({"loops": (0, 1, 2)}, "loops: expected at least 1, got 0"),
        ({"kernel_loops": (4, 2, 8)}, "kernel_loops: expected rising numbers"),
        ({"steps": (1.0,)}, "steps: expected at least 2, got 1"),
        ({"steps": (0.0, 1.0)}, "steps: expected finite numbers above 0"),
        ({"temperatures": (2.0, 1.0)}, "temperatures: expected rising numbers"),
        ({"kernel_temperatures": (np.inf,)}, "kernel_temperatures: expected finite numbers"),
        ({"alphas": (-1.0,)}, "alphas: expected finite numbers above 0"),
        ({"generation": (Problem(8, 0),)}, "d: expected at least 1, got 0"),
        ({"generation": (Problem(4, 8),)}, "n: expected at least d = 8, got 4"),
        ({"generation": (Problem(8, 4, None, "relu network"),)}, "expected linear targets"),
        ({"prediction": (Problem(8, 4, -1.0),)}, "snr: expected a finite number above 0"),
        ({"prediction": (Problem(8, 4, None, "cubic"),)}, "targets: expected one of linear, "),
    ],
)
def test_nonsense_is_refused(changes, message):
    with pytest.raises(ValueError, match="^.*" + message.replace("(", r"\(")):
        Config(**changes)
