"""Every model of `loopcore.models` against the plain algorithm that it names."""

from __future__ import annotations

import numpy as np
import pytest

import loopcore
from loopcore import LoopedTransformer, models, reference

N, D_X = 12, 4  # n, d


@pytest.fixture
def task(rng):
    """Return X, y, one query x and m of them."""
    X = rng.normal(size=(N, D_X))
    return X, rng.normal(size=N), rng.normal(size=D_X), rng.normal(size=(3, D_X))


def close(got, want, rtol=1e-12):
    """Assert near rounding, relative to the largest entry."""
    want = np.asarray(want)
    np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol * np.abs(want).max(initial=0))


def descend(X, y, steps, gammas=None, theta=None):
    """Return θ after preconditioned gradient descent, a step for each of `steps`."""
    theta = np.zeros(X.shape[1]) if theta is None else theta
    for t, eta in enumerate(steps):
        gamma = np.eye(X.shape[1]) if gammas is None else gammas[t % len(gammas)]
        theta = theta - eta * gamma @ (X.T @ (X @ theta - y))
    return theta


# Gradient descent ----------------------------------------------------------------------------


@pytest.mark.parametrize("T", [0, 1, 2, 30])
def test_gradient_descent(task, rng, T):
    X, y, x, xs = task
    steps = rng.uniform(0.01, 0.04, T + 1)
    for keywords, etas in (
        ({"eta": 0.03}, np.full(T, 0.03)),
        ({}, np.full(T, 1 / np.linalg.norm(X, 2) ** 2)),
        ({"schedule": steps[:, None]}, steps[:T]),
        ({"eta": 0.3, "scale": "mean"}, np.full(T, 0.3 / N)),
    ):
        theta = descend(X, y, etas)
        close(models.gradient_descent(D_X, **keywords).generate(X, y, 1.0, T), theta)
        for update in ("targets", "all"):
            model = models.gradient_descent(D_X, update=update, **keywords)
            close(model.predict(X, y, x, T), x @ theta)
            close(model.predict(X, y, xs, T), xs @ theta)
            # The y slots of the context are the residuals.
            Z = np.vstack([np.column_stack([X, y]), np.append(x, 0)])
            close(model(Z, T)[:-1, -1], y - X @ theta)
            np.testing.assert_array_equal(model(Z, T)[:, :-1], Z[:, :-1])


def test_gradient_descent_is_run(task):
    X, y, _, _ = task
    q0, alpha = np.array([1.0, -2.0, 0.5, 3.0]), -1.7
    for eta in (None, "optimal", 0.02):
        got = models.gradient_descent(D_X, eta=eta).generate(X, y, alpha, 40, q0)
        close(got, loopcore.run(X, y, alpha, 40, eta=eta, q0=q0))


def test_generation_and_regression_are_dual(rng):
    """⟨v(T), x⟩ is the prediction at x: for every model that has both forms."""
    X, y, xs = rng.normal(size=(6, N, D_X)), rng.normal(size=(6, N)), rng.normal(size=(6, 5, D_X))
    gamma = rng.normal(size=(2, D_X, D_X))
    gamma = gamma @ gamma.swapaxes(-1, -2)
    pairs = [
        [models.gradient_descent(D_X, update=u, eta=eta) for u in ("query", "targets", "all")]
        for eta in (None, "optimal", 0.02)
    ]
    pairs.append([models.preconditioned(gamma, update=u) for u in ("query", "targets", "all")])
    pairs.append([models.chebyshev(D_X, 15, 1.0, 40.0, update=u) for u in ("query", "all")])
    for generator, *predictors in pairs:
        v = generator.generate(X, y, 1.0, 15)
        for predictor in predictors:
            close(predictor.predict(X, y, xs, 15), (xs @ v[..., None])[..., 0], 1e-11)


@pytest.mark.parametrize("layers", [0, 1, 3])
def test_preconditioned(task, rng, layers):
    """Any Γ, symmetric or not; layers = 0 stands for a Γ without the axis of the layers."""
    X, y, x, _ = task
    gammas = np.eye(D_X) + 0.3 * rng.normal(size=(max(layers, 1), D_X, D_X))
    gamma = gammas if layers else gammas[0]
    T, L = 6, len(gammas)
    etas = rng.uniform(0.005, 0.02, (T, L))
    theta = descend(X, y, etas.ravel(), gammas)
    close(models.preconditioned(gamma, schedule=etas).generate(X, y, 1.0, T), theta)
    for update in ("targets", "all"):
        model = models.preconditioned(gamma, update=update, schedule=etas)
        close(model.predict(X, y, x, T), x @ theta)


def test_preconditioned_by_the_inverse_is_newton_in_one_step(task):
    X, y, _, _ = task
    solution = np.linalg.lstsq(X, y, rcond=None)[0]
    model = models.preconditioned(np.linalg.inv(X.T @ X))
    close(model.generate(X, y, 1.0, 1), solution, 1e-11)


@pytest.mark.parametrize("scale", ["sum", "mean"])
def test_gd_plus_plus(task, scale):
    """x ← x − η γ S x, while y_i ← y_i − η Σ_j ⟨x_i, x_j⟩ y_j."""
    X, y, x, _ = task
    gamma, eta, T = 0.4, 0.02, 5
    inputs, residuals, query, slot = X.copy(), y.copy(), x.copy(), 0.0
    for _ in range(T):
        S, K = inputs.T @ inputs, inputs @ inputs.T
        slot -= eta * (query @ inputs.T) @ residuals
        residuals = residuals - eta * K @ residuals
        inputs = inputs - eta * gamma * inputs @ S
        query = query - eta * gamma * S @ query
    step = eta * N if scale == "mean" else eta
    model = models.gd_plus_plus(gamma, D_X, eta=step, scale=scale)
    close(model.predict(X, y, x, T), -slot)
    Z = model(np.vstack([np.column_stack([X, y]), np.append(x, 0)]), T)
    close(Z[:-1, :-1], inputs)
    close(Z[:-1, -1], residuals)
    close(Z[-1], np.append(query, slot))
    plain = models.gd_plus_plus(0.0, D_X, eta=step, scale=scale).predict(X, y, x, T)
    close(plain, x @ descend(X, y, np.full(T, eta)))


@pytest.mark.parametrize("beta", [0.0, 0.3, 0.9])
def test_momentum(task, rng, beta):
    X, y, _, _ = task
    theta0, etas = rng.normal(size=D_X), rng.uniform(0.01, 0.03, 20)
    for T in (0, 1, 2, 20):
        theta, before = theta0, theta0
        for eta in etas[:T]:
            gradient = X.T @ (X @ theta - y)
            theta, before = theta - eta * gradient + beta * (theta - before), theta
        model = models.momentum(beta, D_X, schedule=etas[:, None])
        close(model.generate(X, y, 1.0, T, q0=-theta0), theta)
    assert model.width == 2 * D_X + 1
    # η = 1/λ_max where none is given
    given = models.momentum(beta, D_X, eta=1 / np.linalg.norm(X, 2) ** 2)
    close(models.momentum(beta, D_X).generate(X, y, 2.0, 9), given.generate(X, y, 2.0, 9))


def test_momentum_literal_prompt(task):
    X, y, _, _ = task
    model = models.momentum(0.5, D_X, eta=0.01)
    Z = np.zeros((N + 1, 2 * D_X + 1))
    Z[:-1, :D_X], Z[:-1, -1], Z[-1, -1] = X, y, 1.0
    end = model(Z, 7)
    close(-end[-1, :D_X], model.generate(X, y, 1.0, 7))
    close(-end[-1, D_X:-1], model.generate(X, y, 1.0, 6))


@pytest.mark.parametrize("T", [1, 2, 7, 64])
def test_chebyshev(task, T):
    X, y, x, _ = task
    spectrum = loopcore.spectrum(X)
    bounds = spectrum.lambda_min, spectrum.lambda_max
    model = models.chebyshev(D_X, T, *bounds)
    close(model.generate(X, y, 1.0, T), loopcore.run(X, y, 1.0, T, eta="chebyshev"), 1e-11)
    assert model.schedule.shape == (T, 1)
    # The error polynomial Π(1 − η_k λ) is Chebyshev's: ±1/T_T(c/h) at both ends.
    c, h = (bounds[1] + bounds[0]) / 2, (bounds[1] - bounds[0]) / 2
    peak = 1 / np.cosh(T * np.arccosh(c / h))
    ends = [abs(np.prod(1 - model.schedule[:, 0] * bound)) for bound in bounds]
    close(ends, [peak, peak], 1e-9)
    predictor = models.chebyshev(D_X, T, *bounds, update="targets")
    close(predictor.predict(X, y, x, T), x @ model.generate(X, y, 1.0, T), 1e-11)


def test_chebyshev_for_each_prompt(rng):
    X, y = rng.normal(size=(5, N, D_X)), rng.normal(size=(5, N))
    found = loopcore.spectrum(X, scale="mean")
    model = models.chebyshev(D_X, 9, found.lambda_min, found.lambda_max, scale="mean")
    assert model.schedule.shape == (5, 9, 1)
    want = reference.run(X, y, 1.0, 9, eta="chebyshev", scale="mean")
    close(model.generate(X, y, 1.0, 9), want, 1e-11)


# Newton ------------------------------------------------------------------------------------


def newton_matrix(X, T, m0):
    """Return M after T of Newton's iterations M ← 2M − M S M."""
    S = X.T @ X
    norm = np.sqrt((S**2).sum())
    M = {"identity": np.eye(len(S)) / norm, "gram": 2 * S / norm**2}[m0]
    for _ in range(T):
        M = 2 * M - M @ S @ M
    return M


@pytest.mark.parametrize("m0", ["identity", "gram"])
def test_newton(task, m0):
    X, y, x, xs = task
    model = models.newton(D_X, 30, m0=m0)
    assert model.width == 2 * D_X + 1
    for T in (0, 1, 2, 5, 30):
        theta = newton_matrix(X, T, m0) @ X.T @ y
        close(model.predict(X, y, x, T), x @ theta, 1e-11)
        close(model.predict(X, y, xs, T), xs @ theta, 1e-11)
    solution = np.linalg.lstsq(X, y, rcond=None)[0]
    close(model.predict(X, y, xs, 30), xs @ solution, 1e-10)


def test_newton_literal_prompt(task):
    """u = 2ᵏ ũ is M x in every row."""
    X, y, x, _ = task
    S = X.T @ X
    M0 = newton_matrix(X, 0, "identity")
    rows = np.vstack([X, x])
    Z = np.column_stack([rows, rows @ M0, np.append(y, 0)])
    Z6 = models.newton(D_X)(Z, 6)
    close(2**6 * Z6[:, D_X:-1], rows @ newton_matrix(X, 6, "identity"), 1e-11)
    np.testing.assert_array_equal(Z6[:, :D_X], Z[:, :D_X])
    given = models.newton(D_X, m0=M0)
    close(given.predict(X, y, x, 6), models.newton(D_X).predict(X, y, x, 6), 1e-12)
    close(given.predict(X, y, x, 40), x @ np.linalg.solve(S, X.T @ y), 1e-10)


def test_newton_of_deficient_rank(rng):
    X, y, x = rng.normal(size=(3, 6)), rng.normal(size=3), rng.normal(size=6)
    want = x @ np.linalg.lstsq(X, y, rcond=None)[0]
    close(models.newton(6).predict(X, y, x, 12), want, 1e-10)
    close(models.newton(6, m0="gram").predict(X, y, x, 40), want, 1e-10)
    # "identity" doubles what lies outside the row space in every loop, and its rounding errors.
    lost = abs(models.newton(6).predict(X, y, x, 50) - want)
    assert 1e-9 < lost < 1
    # At rank one "gram" has M₁ = 2M₀ − M₀SM₀ = 0.
    one, target = np.array([[3.0, 4.0]]), np.array([5.0])
    assert abs(models.newton(2, m0="gram").predict(one, target, [3.0, 4.0], 9)) < 1e-10
    close(models.newton(2).predict(one, target, [3.0, 4.0], 9), 5.0, 1e-12)
    nothing = models.newton(2).predict(np.zeros((3, 2)), np.ones(3), [1.0, 1.0], 5)
    assert nothing == 0


def test_newton_float32_and_many_loops(rng):
    """The 2^-T of ũ and the 2^T of the read-out are powers of two, in float32 as well."""
    X, y = rng.normal(size=(9, N, D_X)), rng.normal(size=(9, N))
    xs = rng.normal(size=(9, 2, D_X))
    single = [a.astype(np.float32) for a in (X, y, xs)]
    got = models.newton(D_X, 300).predict(*single, 300)
    assert got.dtype == np.float32
    close(got, models.newton(D_X, 20).predict(*(a.astype(float) for a in single), 20), 1e-6)


# Kernels -----------------------------------------------------------------------------------


def kernel_of(name, A, B, temperature, bandwidth):
    """Return the kernel matrix k(a_i, b_j)."""
    scores = A @ B.T / temperature
    if name == "rbf":
        distances = ((A[:, None] - B[None]) ** 2).sum(-1)
        return np.exp(-distances / (2 * bandwidth**2))
    if name == "softmax":
        powers = np.exp(scores)
        return powers / powers.sum(1, keepdims=True)
    return {"linear": scores, "exp": np.exp(scores), "relu": np.maximum(scores, 0)}[name]


@pytest.mark.parametrize("name", ["linear", "exp", "relu", "softmax", "rbf"])
@pytest.mark.parametrize("scale", ["sum", "mean"])
def test_kernel(task, name, scale):
    X, y, x, xs = task
    temperature, bandwidth, T = 2.5, 0.8, 12
    K = kernel_of(name, X, X, temperature, bandwidth)
    k = kernel_of(name, np.vstack([xs, x]), X, temperature, bandwidth)
    eta = 0.9 / np.linalg.norm(K, 2)
    residuals, f = y.copy(), np.zeros(4)
    for _ in range(T):
        f = f + eta * k @ residuals
        residuals = residuals - eta * K @ residuals
    width = {"bandwidth": bandwidth} if name == "rbf" else {"temperature": temperature}
    model = models.kernel(name, D_X, **width, eta=eta * N if scale == "mean" else eta, scale=scale)
    close(model.predict(X, y, xs, T), f[:3])
    close(model.predict(X, y, x, T), f[3])
    assert model.width == D_X + (3 if name == "rbf" else 1)


def test_relu_kernel_is_indefinite_and_diverges(rng):
    X, y = rng.normal(size=(30, D_X)), rng.normal(size=30)
    values = np.linalg.eigvalsh(np.maximum(X @ X.T, 0))
    assert values[0] < -1e-3 * values[-1]
    model = models.kernel("relu", D_X, eta=1 / values[-1])
    assert np.isfinite(model.predict(X, y, X, 10)).all()
    with pytest.warns(loopcore.DivergenceWarning, match="use a smaller step size"):
        model.predict(X, y, X[:1], 20_000)


def test_linear_kernel_is_gradient_descent(task):
    X, y, _, xs = task
    want = models.gradient_descent(D_X, update="targets").predict(X, y, xs, 9)
    close(models.kernel("linear", D_X, temperature=3.0).predict(X, y, xs, 9), want)


def test_rbf_interpolates_in_float32_too(rng):
    X = np.linspace(-1, 1, 8)[:, None].astype(np.float32)
    y = np.sin(3 * X[:, 0])
    model = models.kernel("rbf", 1, bandwidth=0.2, eta=0.5)
    got = model.predict(X, y, X, 500)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, y, atol=2e-6)


# Wrong arguments ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: models.gradient_descent(0), "d: expected at least 1, got 0"),
        (lambda: models.gradient_descent(2, update="none"), "update: expected one of"),
        (lambda: models.gradient_descent(2, eta=1.0, schedule=[[1.0]]), "eta: expected eta or"),
        (lambda: models.preconditioned(np.ones((2, 3))), r"gamma: expected shape \(d, d\) or"),
        (lambda: models.preconditioned(np.ones(3)), r"gamma: expected shape \(d, d\) or"),
        (lambda: models.preconditioned([[1.0, 2.0], [0.0, 1.0]]), "eta: expected a number"),
        (lambda: models.preconditioned(-np.eye(2)), "eta: expected a number"),
        (lambda: models.gd_plus_plus(0.1, 2), "eta: expected a number or a schedule"),
        (lambda: models.gd_plus_plus([0.1], 2, eta=1.0), "gamma: expected a number"),
        (lambda: models.momentum([0.1], 2), "beta: expected a number"),
        (lambda: models.chebyshev(2, 0, 1.0, 2.0), "T: expected at least 1, got 0"),
        (lambda: models.chebyshev(2, 3, 0.0, 2.0), "lambda_min: expected positive numbers, got"),
        (lambda: models.chebyshev(2, 3, 3.0, 2.0), "lambda_max: expected finite numbers"),
        (lambda: models.chebyshev(2, 3, [1.0, 1.0], [1.0] * 3), "lambda_max: expected to broad"),
        (lambda: models.newton(2, 1025), "T: expected at most 1024, got 1025"),
        (lambda: models.newton(2, m0="none"), "m0: expected one of 'identity', 'gram', got"),
        (lambda: models.newton(2, m0=np.eye(3)), r"m0: expected shape \(d, d\) = \(2, 2\), got"),
        (
            lambda: models.newton(2, m0=[[1, 2], [3, 4]]),
            "m0: expected a symmetric matrix of finite",
        ),
        (lambda: models.newton(2, m0=np.full((2, 2), np.nan)), "m0: expected a symmetric matrix"),
        (lambda: models.newton(2, 5).predict(np.eye(2), [1, 1], [1, 1], 6), "schedule: expected"),
        (lambda: models.kernel("cubic", 2), "name: expected one of"),
        (lambda: models.kernel("exp", 2), "eta: expected a number or a schedule"),
        (lambda: models.kernel("rbf", 2, bandwidth=0.0, eta=1.0), "bandwidth: expected a pos"),
        (lambda: models.kernel("exp", 2, temperature=-1.0, eta=1.0), "temperature: expected a p"),
        (
            lambda: models.kernel("softmax", 2, bandwidth=1.0, eta=1.0),
            "bandwidth: expected None for 'softmax', which has none, got 1.0",
        ),
        (
            lambda: models.kernel("rbf", 2, temperature=2.0, eta=1.0),
            "temperature: expected None for 'rbf', which has none, got 2.0",
        ),
        (lambda: models.momentum(0.5, 2).predict(np.eye(2), [1, 1], [1, 1], 6), "P: expected"),
        (lambda: models.gradient_descent(2).predict(np.eye(2), [1, 1], [1, 1], 6), "P: expected"),
        (lambda: models.newton(2).generate(np.eye(2), [1, 1], 1.0, 6), "update: expected 'query'"),
    ],
)
def test_wrong_arguments(make, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        make()


def test_models_are_looped_transformers():
    made = [
        models.gradient_descent(2),
        models.gd_plus_plus(0.1, 2, eta=0.1),
        models.preconditioned(np.eye(2)),
        models.momentum(0.5, 2),
        models.chebyshev(2, 3, 1.0, 2.0),
        models.newton(2),
        models.kernel("rbf", 2, eta=0.1),
    ]
    assert all(isinstance(model, LoopedTransformer) for model in made)
    # γ and σ count: equal weights with other tokens are another model.
    assert models.newton(2) != models.newton(2, m0="gram")
    assert models.newton(2) == models.newton(2)


@pytest.mark.parametrize("m0", ["identity", "gram"])
@pytest.mark.parametrize("size", [1e-100, 1e-60, 1e60, 1e100])
def test_newton_finds_its_first_inverse_at_every_size(rng, m0, size):
    X, x = rng.normal(size=(9, 2)), rng.normal(size=2)
    predicted = models.newton(2, m0=m0).predict(X * size, X @ [0.6, 0.8] * size, x, 30)
    assert predicted == pytest.approx(x @ [0.6, 0.8], rel=1e-9)


@pytest.mark.parametrize("size", [1e-165, 1e-100, 1e100, 1e170])
@pytest.mark.parametrize("eta", [None, "optimal"])
def test_generate_with_the_papers_weights_is_run(rng, eta, size):
    q0 = rng.normal(size=2)
    for n in (9, 12):  # so few that the context is kept as it is, and more
        X = rng.normal(size=(3, n, 2)) * size
        y = X @ [0.6, 0.8]
        for scale in ("sum", "mean"):
            model = models.gradient_descent(2, eta=eta, scale=scale)
            want = loopcore.run(X, y, 2.0, 50, eta=eta, scale=scale, q0=q0)
            close(model.generate(X, y, 2.0, 50, q0), want, 1e-12 if n == 9 else 0)


def at_every_size(test):
    """Give a test prompts X, y with many and few examples, and a factor (3,) for each prompt."""
    for name, values in {
        "size": [2.0**-700, 2.0**-520, 2.0**-300, 2.0**300, 2.0**510, 2.0**650],
        "eta": [None, "optimal"],
        "n": [5, 30],
    }.items():
        test = pytest.mark.parametrize(name, values)(test)
    return test


def noisy(rng, n):
    X = rng.normal(size=(3, n, 4))
    return X, X @ rng.normal(size=4) + 0.1 * rng.normal(size=(3, n))


@at_every_size
@pytest.mark.parametrize("update", ["targets", "all"])
def test_predictions_with_adaptive_steps_at_every_size(rng, update, size, eta, n):
    """X and y in another unit leave θ as it is; of the prompts one keeps its unit."""
    (X, y), x = noisy(rng, n), rng.normal(size=(3, 2, 4))
    sizes = np.array([size, 1, size])
    X_, y_ = X * sizes[:, None, None], y * sizes[:, None]
    for gamma in (np.eye(4), np.diag([1.0, 2.0, 3.0, 4.0])):
        model = models.preconditioned(gamma, eta=eta, update=update)
        close(model.predict(X_, y_, x, 20), model.predict(X, y, x, 20), 1e-10)
        slots = rng.normal(size=(3, 2))
        got = model.predict(X * size, y * size, x * size, 20, slots * size)
        close(got, model.predict(X, y, x, 20, slots) * size, 1e-10)
        Z = np.concatenate([X, y[..., None]], -1)
        for index, result in enumerate(model(Z * sizes[:, None, None], 20)):
            close(result, model(Z, 20)[index] * sizes[index], 1e-10)
        states = model.trajectory(Z * sizes[:, None, None], 20, [0, 3, 20])
        for index, result in enumerate(states):
            close(result, model.trajectory(Z, 20, [0, 3, 20])[index] * sizes[index], 1e-10)


@at_every_size
def test_generation_with_adaptive_steps_at_every_size(rng, size, eta, n):
    (X, y), q0 = noisy(rng, n), rng.normal(size=4)
    sizes = np.array([size, 1, size])
    X_, y_ = X * sizes[:, None, None], y * sizes[:, None]
    for model in (
        models.gradient_descent(4, eta=eta),
        models.preconditioned(np.diag([1.0, 2.0, 3.0, 4.0]), eta=eta),
        models.momentum(0.5, 4, eta=eta),
    ):
        close(model.generate(X_, y_, 1.5, 20, q0), model.generate(X, y, 1.5, 20, q0), 1e-10)


@pytest.mark.parametrize("size", [2.0**-520, 2.0**510])
def test_adaptive_steps_where_only_inputs_are_out_of_range(rng, size):
    X, y, x = rng.normal(size=(9, 4)), rng.normal(size=9), rng.normal(size=4)
    for update in ("targets", "all"):
        model = models.preconditioned(np.eye(4), update=update)
        close(model.predict(X * size, y, x * size, 20), model.predict(X, y, x, 20), 1e-10)


@pytest.mark.parametrize("kind", [np.float32, np.float16, np.int8, np.int64, bool])
@pytest.mark.parametrize("size", [2.0**-270, 2.0**300])
def test_adaptive_steps_of_targets_in_a_smaller_type(rng, kind, size):
    X, x = rng.normal(size=(9, 4)) * size, rng.normal(size=4)
    y = rng.integers(0, 2, 9).astype(kind)
    whole = y.astype(float)
    for model in (models.preconditioned(np.eye(4)), models.gradient_descent(4)):
        got, want = (model.generate(X, targets, 1.0, 20) for targets in (y, whole))
        np.testing.assert_array_equal(got, want)
        close(got, loopcore.run(X, y, 1.0, 20), 1e-12)
    model = models.gradient_descent(4, update="targets")
    got, want = (model.predict(X, targets, x, 20) for targets in (y, whole))
    np.testing.assert_array_equal(got, want)


def test_adaptive_steps_of_zero_prompts_are_zero():
    for update in ("query", "targets", "all"):
        for eta in (None, "optimal"):
            model = models.preconditioned(np.eye(2), eta=eta, update=update)
            Z = np.zeros((3, 9, 3))
            Z[1, 0, 0], Z[2] = 1e-200, 1e200
            Z[:, -1] = [1.0, 2.0, 3.0]
            moved = model(Z, 5)
            assert np.isfinite(moved).all()
            np.testing.assert_array_equal(moved[0], Z[0])


# The paper's weights ---------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("eta", [None, "optimal", 0.02, [[0.02], [0.01], [0.03]]])
def test_prompts_with_the_papers_weights_are_run(rng, eta, dtype):
    Z = rng.normal(size=(3, 31, 5)).astype(dtype)
    X, y, q0, alpha = Z[:, :-1, :-1], Z[:, :-1, -1], Z[:, -1, :-1], Z[:, -1, -1]
    model = models.gradient_descent(4, eta=eta)
    steps = {"eta": np.asarray(eta)[..., 0] if isinstance(eta, list) else eta, "q0": q0}
    end, at = Z.copy(), [0, 2, 7]
    end[:, -1, :-1] = -loopcore.run(X, y, alpha, 7, **steps)
    np.testing.assert_array_equal(model(Z, 7), end)
    states = model.trajectory(Z, 7, at)
    assert states.shape == (3, 3, 31, 5)
    assert states.dtype == dtype
    want = np.repeat(Z[:, None], 3, 1)
    want[:, :, -1, :-1] = -loopcore.trajectory(X, y, alpha, 7, at=at, **steps)
    np.testing.assert_array_equal(states, want)
    np.testing.assert_array_equal(model(Z, 0), Z)


def test_predictions_with_the_papers_weights_are_run(rng):
    X, y, xs = rng.normal(size=(3, 30, 4)), rng.normal(size=(3, 30)), rng.normal(size=(3, 2, 4))
    y0, steps = rng.normal(size=(5, 3, 2)), rng.uniform(0.01, 0.02, (3, 9, 1))
    for update in ("targets", "all"):
        model = models.gradient_descent(4, update=update, schedule=steps)
        theta = loopcore.run(X, y, 1.0, 7, schedule=steps[..., :7, 0])
        want = (xs @ theta[..., None])[..., 0]
        close(model.predict(X, y, xs, 7), want, 1e-15)
        close(model.predict(X, y, xs, 7, y0), want - y0, 1e-15)
        close(model.predict(X, y, xs[0, 0], 7), (xs[0, 0] @ theta[..., None])[..., 0], 1e-15)
        close(model.predict(X, y, xs, 0, y0), -y0, 0)
        Z = np.concatenate([np.concatenate([X, y[..., None]], -1), np.zeros((3, 1, 5))], 1)
        Z[:, -1, :-1] = xs[:, 0]
        close(-model(Z, 7)[:, -1, -1], want[:, 0])


def test_predictions_that_overflow_are_said_beside_a_nan(rng):
    X, y, x = rng.normal(size=(3, 30, 2)), rng.normal(size=(3, 30)), np.ones((3, 2))
    X[0, 4, 1], y[1], x[1] = np.nan, y[1] * 1e200, 1e200
    model = models.gradient_descent(2, update="targets")
    with pytest.warns(loopcore.DivergenceWarning, match=r"^1 of 3 .* at index \(1,\)") as caught:
        predicted = model.predict(X, y, x, 5)
    assert len(caught) == 1
    assert np.isfinite(predicted).tolist() == [False, False, True]


@pytest.mark.parametrize("eta", [None, 0.02])
def test_predictions_in_float64_of_float32_examples(rng, eta):
    X, y = rng.normal(size=(30, 4)).astype(np.float32), rng.normal(size=30).astype(np.float32)
    xs = rng.normal(size=(2, 4))
    model = models.gradient_descent(4, eta=eta, update="targets")
    want = model.predict(X.astype(float), y.astype(float), xs, 7)
    np.testing.assert_array_equal(model.predict(X, y, xs, 7), want)
    assert model.predict(X, y, xs.astype(np.float32), 7).dtype == np.float32


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bits_of_predictions_depend_neither_on_layout_nor_on_company(rng, dtype):
    X, y = rng.normal(size=(3, 40, 9)).astype(dtype), rng.normal(size=(3, 40)).astype(dtype)
    xs = rng.normal(size=(3, 5, 9)).astype(dtype)
    model = models.gradient_descent(9, eta=0.01, update="targets")
    want = model.predict(X, y, xs, 7)
    np.testing.assert_array_equal(model.predict(X, y, np.asfortranarray(xs), 7), want)
    for k, i in np.ndindex(3, 5):
        assert model.predict(X[k], y[k], xs[k, i], 7) == want[k, i]


@pytest.mark.parametrize("update", ["query", "targets"])
def test_divergence_is_said_once_where_run_makes_the_loops(rng, update):
    X, y, eta = (
        rng.normal(size=(2, 3, 30, 2)),
        rng.normal(size=(2, 3, 30)),
        np.full((2, 3, 1), 1e-3),
    )
    eta[0, 2] = eta[1, 1] = 1e30
    model = models.gradient_descent(2, update=update, eta=eta)
    Z = np.concatenate([X, y[..., None]], -1)
    calls = [lambda: model(Z, 40), lambda: model.trajectory(Z, 40)]
    if update == "query":
        calls.append(lambda: model.generate(X, y, 1.0, 40))
    else:
        calls.append(lambda: model.predict(X, y, X[..., :2, :], 40))
    for call in calls:
        with pytest.warns(
            loopcore.DivergenceWarning, match=r"^2 of 6 .* at index \(0, 2\): use a smaller step"
        ) as caught:
            result = call()
        assert len(caught) == 1
        assert caught[0].filename == __file__
        finite = np.isfinite(result).reshape(2, 3, -1).all(-1)
        assert finite.tolist() == [[True, True, False], [True, False, True]]
