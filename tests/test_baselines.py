"""Every baseline against the library, or the plain algorithm, that it names."""

from __future__ import annotations

import builtins
from functools import partial

import numpy as np
import pytest

import loopcore
from loopcore import baselines

B, N, D_X, M = 6, 24, 5, 4  # tasks, n, d, queries

PENALTIES = np.geomspace(1e-3, 1e3, 13)
LASSO_PENALTIES = np.geomspace(0.01, 1, 6)
EVERY = {
    "averaging": baselines.averaging,
    "chebyshev": partial(baselines.chebyshev, T=12),
    "chebyshev, tuned": partial(baselines.chebyshev, T=[1, 2, 4, 8]),
    "conjugate_gradient": partial(baselines.conjugate_gradient, T=3),
    "conjugate_gradient, tuned": partial(baselines.conjugate_gradient, T=[0, 1, 2, 5]),
    "gradient_descent": partial(baselines.gradient_descent, T=10),
    "gradient_descent, tuned": partial(
        baselines.gradient_descent, T=[0, 1, 5, 50], eta=[0.1, 0.5], scale="mean"
    ),
    "kernel_ridge": partial(baselines.kernel_ridge, penalty=0.1),
    "kernel_ridge, tuned": partial(baselines.kernel_ridge, penalty=PENALTIES, width=[0.5, 2, 8]),
    "lasso": partial(baselines.lasso, penalty=0.1),
    "lasso, tuned": partial(baselines.lasso, penalty=LASSO_PENALTIES),
    "least_squares": baselines.least_squares,
    "momentum": partial(baselines.momentum, T=9),
    "momentum, tuned": partial(baselines.momentum, T=[0, 3, 9]),
    "nearest_neighbors": baselines.nearest_neighbors,
    "nearest_neighbors, tuned": partial(baselines.nearest_neighbors, neighbors=[1, 2, 5, 9]),
    "newton": partial(baselines.newton, T=8),
    "newton, tuned": partial(baselines.newton, T=[1, 4, 12], m0="gram"),
    "preconditioned": partial(baselines.preconditioned, T=5, gamma="diagonal"),
    "preconditioned, tuned": partial(
        baselines.preconditioned, T=[1, 5, 30], gamma=np.diag([1.0, 2, 3, 4, 5])
    ),
    "ridge": partial(baselines.ridge, penalty=1.0),
    "ridge, tuned": partial(baselines.ridge, penalty=PENALTIES),
}
every = pytest.mark.parametrize("name", EVERY)


@pytest.fixture
def tasks(rng):
    """Return noisy tasks X (B, N, D_X), y (B, N) and queries (B, M, D_X)."""
    X = rng.normal(size=(B, N, D_X)) * [1.0, 1.0, 0.5, 0.5, 2.0]
    theta = rng.normal(size=(B, D_X, 1))
    noise = rng.uniform(0.1, 3, (B, 1)) * rng.normal(size=(B, N))
    return X, (X @ theta)[..., 0] + noise, rng.normal(size=(B, M, D_X))


def close(got, want, rtol=1e-10):
    """Assert near rounding, relative to the largest entry."""
    want = np.asarray(want)
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol * np.abs(want).max(initial=0))


def fits(model, X, y, queries):
    """Return the predictions of a scikit-learn model, one task at a time."""
    return np.stack([model().fit(*task).predict(q) for *task, q in zip(X, y, queries, strict=True)])


def interleaved(n, folds):
    """Return the splits (the others, left out) in which part k has k, k + folds, …."""
    index = np.arange(n)
    return [(index[index % folds != k], index[index % folds == k]) for k in range(folds)]


# What all share ----------------------------------------------------------------------------------


def test_all_are_tested():
    assert {name.split(",")[0] for name in EVERY} == set(baselines.__all__) - {
        "early_stopping",
        "ridge_penalty",
    }


@every
def test_a_batch_is_its_tasks_one_by_one(name, tasks):
    X, y, queries = tasks
    together = EVERY[name](X, y, queries)
    assert together.shape == (B, M)
    assert together.dtype == np.float64
    for i in range(B):
        close(together[i], EVERY[name](X[i], y[i], queries[i]), 1e-12)
    one_query = EVERY[name](X, y, queries[:, 0])
    close(one_query, together[:, 0], 1e-12)
    assert EVERY[name](X[0], y[0], queries[0, 0]).shape == ()


@every
def test_leading_axes_broadcast(name, tasks):
    X, y, queries = tasks
    # (2, 1, n, d), (3, n) and (3, d): of fewer axes than X, one query for each of the three
    got = EVERY[name](X[:2, None], y[:3], queries[0, :3])
    assert got.shape == (2, 3)
    close(got[1, 2], EVERY[name](X[1], y[2], queries[0, 2]), 1e-12)
    shared = EVERY[name](X[0], y, queries[0])
    assert shared.shape == (B, M)
    for i in range(B):
        close(shared[i], EVERY[name](X[0], y[i], queries[0]), 1e-12)


@every
def test_float32(name, tasks):
    X, y, queries = (a.astype(np.float32) for a in tasks)
    got = EVERY[name](X, y, queries)
    assert got.dtype == np.float32
    want = EVERY[name](*(a.astype(np.float64) for a in (X, y, queries)))
    close(got, want, 2e-7)  # one rounding of the result
    assert EVERY[name](X, y, queries.astype(np.float64)).dtype == np.float64
    assert EVERY[name]([[1, 0, 2, 0, 1]] * 12, [1] * 12, [[1] * 5]).dtype == np.float64


@every
def test_fewer_examples_than_features(name, tasks, rng):
    X = rng.normal(size=(B, 11, 16))
    y, queries = rng.normal(size=(B, 11)), rng.normal(size=(B, M, 16))
    if name == "preconditioned, tuned":
        call = partial(EVERY[name], gamma=np.eye(16))
    else:
        call = EVERY[name]
    got = call(X, y, queries)
    assert np.isfinite(got).all()
    for i in range(B):
        close(got[i], call(X[i], y[i], queries[i]), 1e-11)


@every
def test_what_is_not_finite_stays_in_its_task(name, tasks):
    X, y, queries = (a.copy() for a in tasks)
    want = EVERY[name](X, y, queries)
    X[1, 3, 2], y[2, 5], queries[3, 1, 0] = np.nan, np.inf, -np.inf
    got = EVERY[name](X, y, queries)
    lost = np.zeros((B, M), bool)
    lost[1] = lost[2] = lost[3, 1] = True
    np.testing.assert_array_equal(np.isnan(got), lost)
    close(got[~lost], want[~lost], 1e-12)


@every
def test_nothing_to_do(name):
    call = EVERY[name]
    X, y, queries = np.ones((0, 12, D_X)), np.ones((0, 12)), np.ones((0, M, D_X))
    assert call(X, y, queries).shape == (0, M)
    X, y = np.arange(60.0).reshape(12, D_X) % 7, np.ones(12)
    assert call(X, y, np.ones((0, D_X))).shape == (0,)
    if name != "preconditioned, tuned":  # whose gamma has d = 5
        flat = call(np.ones((2, 12, 0)), [y, y], np.ones((2, M, 0)))  # d = 0: all x are alike
        constant = 1.0 if name.startswith("nearest") else flat[0, 0]
        assert constant == 0 or name.startswith(("nearest", "kernel"))
        np.testing.assert_array_equal(flat, np.full((2, M), constant))


@every
def test_errors_name_the_argument(name):
    call, X, y, x = EVERY[name], np.ones((12, D_X)), np.ones(12), np.ones((M, D_X))
    for bad, error, message in (
        ((X[0], y, x), ValueError, r"X: expected shape \(..., n, d\)"),
        ((X, y[:-1], x), ValueError, "y: expected n = 12"),
        ((X, y, x[:, 1:]), ValueError, "x_query: expected shape"),
        ((X * 1j, y, x), TypeError, "X: expected real numbers"),
        ((X, y, x.astype(object)), TypeError, "x_query: expected real numbers"),
        ((np.ones((2, 12, D_X)), np.ones((3, 12)), x[0]), ValueError, "y: expected leading axes"),
    ):
        with pytest.raises(error, match=message):
            call(*bad)


@pytest.mark.parametrize(
    ("name", "keywords", "error", "message"),
    [
        ("ridge", {"penalty": -1}, ValueError, "penalty: expected a number of at least 0"),
        ("ridge", {"penalty": [0, 1]}, ValueError, "penalty: expected positive numbers, got 0"),
        ("ridge", {"penalty": []}, ValueError, "penalty: expected at least one candidate"),
        ("ridge", {"penalty": np.ones((5, 2))}, ValueError, "penalty: expected leading axes"),
        ("ridge", {"penalty": "small"}, TypeError, "penalty: expected real numbers"),
        ("lasso", {"penalty": 0}, ValueError, "penalty: expected positive"),
        ("lasso", {"penalty": [[1.0]]}, ValueError, "penalty: expected a number or shape"),
        ("lasso", {"penalty": [1, 2], "folds": 1}, ValueError, "folds: expected at least 2"),
        ("kernel_ridge", {"penalty": 1, "kernel": "poly"}, ValueError, "kernel: expected one of"),
        ("kernel_ridge", {"penalty": 1, "width": 0}, ValueError, "width: expected positive"),
        ("kernel_ridge", {"penalty": 1, "kernel": max, "width": 2}, ValueError, "width: expected"),
        (
            "kernel_ridge",
            {"penalty": 1, "kernel": lambda a, b: np.ones(3)},
            ValueError,
            "kernel: expected values of shape",
        ),
        ("gradient_descent", {"T": 1.5}, TypeError, "T: expected integers"),
        ("gradient_descent", {"T": -1}, ValueError, "T: expected at least 0"),
        ("gradient_descent", {"T": [2, 1]}, ValueError, "T: expected integers that rise"),
        ("gradient_descent", {"T": [[2]]}, ValueError, "T: expected an integer or shape"),
        ("gradient_descent", {"T": 2, "eta": "chebyshev"}, ValueError, "eta: expected one of"),
        ("gradient_descent", {"T": 2, "scale": "max"}, ValueError, "scale: expected one of"),
        ("gradient_descent", {"T": 2, "eta": np.ones((7, 1))}, ValueError, "eta: expected leading"),
        ("momentum", {"T": 2, "eta": 0.1}, ValueError, "beta: expected numbers beside"),
        ("momentum", {"T": 2, "beta": np.ones(7)}, ValueError, "beta: expected leading"),
        ("preconditioned", {"T": 2, "gamma": "none"}, ValueError, "gamma: expected one of"),
        ("preconditioned", {"T": 2, "gamma": np.eye(4)}, ValueError, "gamma: .* with d = 5"),
        (
            "preconditioned",
            {"T": 2, "gamma": np.triu(np.ones((5, 5)))},
            ValueError,
            "gamma: expected symmetric",
        ),
        ("preconditioned", {"T": 2, "gamma": -np.eye(5)}, ValueError, "gamma: expected no neg"),
        ("newton", {"T": 2, "m0": "zero"}, ValueError, "m0: expected one of"),
        ("nearest_neighbors", {"neighbors": 13}, ValueError, "neighbors: expected at most n = 12"),
        ("nearest_neighbors", {"neighbors": [2, 12]}, ValueError, "neighbors: .* n - 1 = 11"),
        ("nearest_neighbors", {"neighbors": 0}, ValueError, "neighbors: expected at least 1"),
    ],
)
def test_errors_of_each(name, keywords, error, message):
    X = np.random.default_rng(0).normal(size=(3, 12, D_X))
    with pytest.raises(error, match=message):
        getattr(baselines, name)(X, X[..., 0], X[:, :2], **keywords)


@pytest.mark.parametrize("name", [name for name in EVERY if name.endswith("tuned")])
def test_one_example_is_too_few_to_choose(name):
    with pytest.raises(ValueError, match=r"X: expected at least n = 2|neighbors: expected at most"):
        EVERY[name](np.ones((1, D_X)), [1.0], np.ones(D_X))


@pytest.mark.parametrize(
    ("library", "name"),
    [("sklearn", "lasso"), ("scipy", "nearest_neighbors"), ("scipy", "kernel_ridge")],
)
def test_a_library_is_missing(library, name, tasks, monkeypatch):
    load = builtins.__import__

    def without(module, *rest):
        if module.split(".")[0] == library:
            raise ModuleNotFoundError(f"No module named {library!r}", name=library)
        return load(module, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ModuleNotFoundError, match=library):
        EVERY[name](*tasks)


# Least squares, ridge, lasso, averaging ----------------------------------------------------------


@pytest.mark.parametrize("shape", [(N, D_X), (D_X, N), (8, 8)])
def test_least_squares_is_lstsq(shape, rng):
    X, y = rng.normal(size=(B, *shape)), rng.normal(size=(B, shape[0]))
    queries = rng.normal(size=(B, M, shape[1]))
    want = [q @ np.linalg.lstsq(a, b, rcond=None)[0] for a, b, q in zip(X, y, queries, strict=True)]
    close(baselines.least_squares(X, y, queries), want, 1e-9)


def test_least_squares_of_the_smallest_norm_at_low_rank(rng):
    for dtype, rtol in ((np.float64, 1e-9), (np.float32, 1e-6)):
        X = (rng.normal(size=(N, 2)) @ rng.normal(size=(2, D_X))).astype(dtype)
        y = rng.normal(size=N).astype(dtype)
        theta = baselines.least_squares(X, y, np.eye(D_X, dtype=dtype))
        # To float32 the rounding of X has rank 2, to float64 it has not.
        rcond = N * np.finfo(dtype).eps
        close(theta, np.linalg.lstsq(X.astype(float), y.astype(float), rcond)[0], rtol)
    np.testing.assert_array_equal(baselines.least_squares(0 * X, y, X), np.zeros(N))
    np.testing.assert_array_equal(baselines.least_squares(X[:0], y[:0], X), np.zeros(N))


@pytest.mark.parametrize("penalty", [1e-6, 0.5, 100.0])
def test_ridge_is_scikit_learns(tasks, penalty):
    from sklearn.linear_model import Ridge

    want = fits(lambda: Ridge(penalty, fit_intercept=False), *tasks)
    close(baselines.ridge(*tasks, penalty=penalty), want)


def test_ridge_without_a_penalty_is_least_squares(tasks):
    close(baselines.ridge(*tasks, penalty=0), baselines.least_squares(*tasks))


@pytest.mark.parametrize("shape", [(N, D_X), (D_X, N), (8, 8), (3, 40)])
def test_tuned_ridge_is_ridgecv(shape, rng):
    from sklearn.linear_model import RidgeCV

    X = rng.normal(size=(20, *shape))
    theta, noise = rng.normal(size=(20, shape[1], 1)), rng.normal(size=(20, shape[0]))
    y = (X @ theta)[..., 0] + np.geomspace(0.01, 10, 20)[:, None] * noise
    queries = rng.normal(size=(20, M, shape[1]))
    models = [RidgeCV(PENALTIES, fit_intercept=False).fit(*task) for task in zip(X, y, strict=True)]
    penalties = baselines.ridge_penalty(X, y, penalty=PENALTIES)
    np.testing.assert_array_equal(penalties, [model.alpha_ for model in models])
    assert len(np.unique(penalties)) > 2
    want = [model.predict(q) for model, q in zip(models, queries, strict=True)]
    close(baselines.ridge(X, y, queries, penalty=PENALTIES), want, 1e-9)


def test_tuned_ridge_at_low_rank_leaves_each_example_out(rng):
    X = rng.normal(size=(N, 2)) @ rng.normal(size=(2, D_X))
    y = rng.normal(size=N)
    errors = np.zeros(len(PENALTIES))
    for i in range(N):
        rest = np.arange(N) != i
        for k, p in enumerate(PENALTIES):
            theta = np.linalg.solve(X[rest].T @ X[rest] + p * np.eye(D_X), X[rest].T @ y[rest])
            errors[k] += (y[i] - X[i] @ theta) ** 2
    assert baselines.ridge_penalty(X, y, penalty=PENALTIES) == PENALTIES[errors.argmin()]


def test_ridge_is_not_to_be_tuned_around_the_mean_of_few_examples(rng):
    # A row is minus the sum of the others, and so is its target: the others tell it.
    X, y = rng.normal(size=(50, 6, 8)), rng.normal(size=(50, 6))
    around_mean = X - X.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    penalties = np.geomspace(1e-6, 1e2, 9)
    assert (baselines.ridge_penalty(*around_mean, penalty=penalties) == penalties[0]).all()
    assert np.median(baselines.ridge_penalty(X, y, penalty=penalties)) > 1  # y is noise
    queries = rng.normal(size=(50, M, 8))
    moved = baselines.nearest_neighbors(
        around_mean[0], around_mean[1], queries - X.mean(axis=1, keepdims=True), neighbors=[1, 2, 4]
    )
    still = baselines.nearest_neighbors(X, y, queries, neighbors=[1, 2, 4])
    close(moved + y.mean(axis=1, keepdims=True), still, 1e-12)


def test_a_penalty_for_each_task(tasks):
    X, y, queries = tasks
    own = np.geomspace(0.1, 10, B)[:, None]
    got = baselines.ridge(X, y, queries, penalty=own)
    for i in range(B):
        close(got[i], baselines.ridge(X[i], y[i], queries[i], penalty=own[i]), 1e-12)
    np.testing.assert_array_equal(baselines.ridge_penalty(X, y, penalty=own), own[:, 0])
    assert np.isnan(baselines.ridge_penalty(X[0] * np.nan, y[0], penalty=PENALTIES))


@pytest.mark.parametrize("penalty", [0.02, 0.3])
def test_lasso_is_scikit_learns(tasks, penalty):
    from sklearn.linear_model import Lasso

    want = fits(lambda: Lasso(penalty, fit_intercept=False, tol=1e-12, max_iter=10**6), *tasks)
    # A duality gap of 1e-8 ‖y‖² is about 1e-4 ‖y‖ in the residuals at worst; measured 2e-7.
    close(baselines.lasso(*tasks, penalty=penalty), want, 1e-5)


def test_tuned_lasso_is_lassocv(tasks):
    from sklearn.linear_model import LassoCV

    cv = interleaved(N, 4)  # of one size: LassoCV weighs parts alike, and we weigh examples alike
    settings = {"alphas": LASSO_PENALTIES, "cv": cv, "tol": 1e-10, "max_iter": 10**6}
    want = fits(lambda: LassoCV(fit_intercept=False, **settings), *tasks)
    close(baselines.lasso(*tasks, penalty=LASSO_PENALTIES, folds=4), want, 1e-5)
    close(baselines.lasso(*tasks, penalty=LASSO_PENALTIES[::-1], folds=4), want, 1e-5)


def test_averaging(tasks):
    X, y, queries = tasks
    close(baselines.averaging(X, y, queries), np.einsum("bmd,bnd,bn->bm", queries, X, y) / N)


# Iterations --------------------------------------------------------------------------------------


@pytest.mark.parametrize("eta", [None, "optimal", 0.01, "each"])
def test_gradient_descent_is_run(tasks, eta):
    X, y, queries = tasks
    step = np.linspace(0.001, 0.01, B) if isinstance(eta, str) and eta == "each" else eta
    given = step[:, None] if isinstance(step, np.ndarray) else step
    for T in (0, 1, 40):
        want = (queries @ loopcore.run(X, y, 1.0, T, eta=step)[..., None])[..., 0]
        close(baselines.gradient_descent(X, y, queries, T, eta=given), want, 1e-9)
        if eta is None:
            want = (queries @ loopcore.run(X, y, 1.0, T, eta="chebyshev")[..., None])[..., 0]
            close(baselines.chebyshev(X, y, queries, T), want, 1e-9)


def test_tuned_gradient_descent_is_the_best_of_plain_cross_validation(tasks):
    X, y, queries = tasks
    loops, steps = [0, 1, 3, 10, 100], [0.05, 0.3]
    got = baselines.gradient_descent(X, y, queries, loops, eta=steps, scale="mean", folds=4)
    stops = baselines.early_stopping(X, y, loops, eta=0.3, scale="mean", folds=4)
    for i in range(B):
        errors = np.zeros((len(steps), len(loops)))
        for keep, held in interleaved(N, 4):
            for j, eta in enumerate(steps):
                for k, T in enumerate(loops):
                    theta = loopcore.run(X[i, keep], y[i, keep], 1.0, T, eta=eta, scale="mean")
                    errors[j, k] += ((X[i, held] @ theta - y[i, held]) ** 2).sum()
        j, k = np.unravel_index(errors.argmin(), errors.shape)
        theta = loopcore.run(X[i], y[i], 1.0, loops[k], eta=steps[j], scale="mean")
        close(got[i], queries[i] @ theta, 1e-9)
        assert stops[i] == loops[errors[1].argmin()]
    assert len(np.unique(stops)) > 1


def test_early_stopping_alone(tasks):
    X, y, _ = tasks
    assert baselines.early_stopping(X[0], y[0], 7) == 7
    assert baselines.early_stopping(X[0] * np.nan, y[0], [1, 2]) == -1
    np.testing.assert_array_equal(baselines.early_stopping(X, y, [4]), np.full(B, 4))
    with pytest.raises(ValueError, match="eta: expected one step a task"):
        baselines.early_stopping(X, y, [1, 2], eta=[0.1, 0.2])


def test_more_folds_than_examples_leave_each_out(tasks):
    X, y, queries = (a[:, :6] for a in tasks)
    few = baselines.gradient_descent(X, y, queries, [1, 5, 60], folds=6)
    np.testing.assert_array_equal(
        baselines.gradient_descent(X, y, queries, [1, 5, 60], folds=50), few
    )


def test_a_candidate_that_diverges_is_not_taken(tasks):
    X, y, queries = tasks
    got = baselines.gradient_descent(X, y, queries, 4000, eta=[50.0, 0.01])
    close(got, baselines.gradient_descent(X, y, queries, 4000, eta=0.01), 1e-12)
    with pytest.warns(loopcore.DivergenceWarning, match="6 of 6 tasks diverged"):
        baselines.gradient_descent(X, y, queries, 4000, eta=50.0)


def test_preconditioned_is_the_plain_recursion(tasks, rng):
    X, y, queries = tasks
    gamma = rng.normal(size=(B, D_X, D_X))
    gamma = gamma @ gamma.swapaxes(-1, -2)
    jacobi = np.stack([np.diag(1 / np.diag(x.T @ x)) for x in X])
    for given, matrix in ((gamma, gamma), ("diagonal", jacobi)):
        got = baselines.preconditioned(X, y, queries, 15, gamma=given)
        for i in range(B):
            eta = 1 / np.linalg.eigvals(X[i].T @ X[i] @ matrix[i]).real.max()
            theta = np.zeros(D_X)
            for _ in range(15):
                theta = theta - eta * matrix[i] @ X[i].T @ (X[i] @ theta - y[i])
            close(got[i], queries[i] @ theta, 1e-9)
    model = loopcore.models.preconditioned(gamma[0])
    want = queries[0] @ model.generate(X[0], y[0], 1.0, 15)
    close(baselines.preconditioned(X[0], y[0], queries[0], 15, gamma=gamma[0]), want, 1e-9)


def test_preconditioned_by_jacobi_with_an_empty_column():
    X = np.array([[2.0, 0.0], [0.0, 0.0]])
    got = baselines.preconditioned(X, [1.0, 1.0], np.eye(2), 1, gamma="diagonal", eta=1.0)
    np.testing.assert_array_equal(got, [0.5, 0.0])


def test_momentum_is_the_model(tasks):
    X, y, queries = tasks
    for keywords in ({"beta": 0.4}, {"beta": 0.4, "eta": 0.01}):
        model = loopcore.models.momentum(0.4, D_X, eta=keywords.get("eta"))
        for T in (0, 1, 30):
            want = (queries @ model.generate(X, y, 1.0, T)[..., None])[..., 0]
            close(baselines.momentum(X, y, queries, T, **keywords), want, 1e-9)


def test_momentum_has_polyaks_rate(tasks):
    X, y, queries = tasks
    got = baselines.momentum(X, y, queries, 60)
    for i in range(B):
        low, high = np.sort(np.linalg.svd(X[i], compute_uv=False))[[0, -1]]
        beta = ((high - low) / (high + low)) ** 2
        model = loopcore.models.momentum(beta, D_X, eta=4 / (high + low) ** 2)
        close(got[i], queries[i] @ model.generate(X[i], y[i], 1.0, 60), 1e-9)
    close(baselines.momentum(X, y, queries, 400), baselines.least_squares(X, y, queries), 1e-9)
    np.testing.assert_array_equal(baselines.momentum(0 * X, y, queries, 5), np.zeros((B, M)))


@pytest.mark.parametrize("shape", [(N, D_X), (4, 9)])
def test_conjugate_gradient_is_scipys(shape, rng):
    from scipy.sparse.linalg import cg

    X, y = rng.normal(size=(B, *shape)), rng.normal(size=(B, shape[0]))
    basis = np.eye(shape[1])[None]
    for T in range(min(shape) + 1):
        theta = baselines.conjugate_gradient(X, y, basis, T)
        for i in range(B):
            want = cg(X[i].T @ X[i], X[i].T @ y[i], rtol=0, maxiter=T)[0] if T else 0 * theta[i]
            close(theta[i], want, 1e-8)
    beyond = baselines.conjugate_gradient(X, y, basis, 300)
    close(beyond, baselines.least_squares(X, y, basis), 1e-9)
    np.testing.assert_array_equal(baselines.conjugate_gradient(0 * X, y, basis, 9), 0 * beyond)


@pytest.mark.parametrize("m0", ["identity", "gram"])
def test_newton_is_the_plain_iteration(tasks, m0):
    X, y, queries = tasks
    for T in (0, 1, 6, 25):
        got = baselines.newton(X, y, queries, T, m0=m0)
        for i in range(B):
            S = X[i].T @ X[i]
            norm = np.linalg.norm(S)
            inverse = np.eye(D_X) / norm if m0 == "identity" else 2 * S / norm**2
            for _ in range(T):
                inverse = 2 * inverse - inverse @ S @ inverse
            close(got[i], queries[i] @ inverse @ X[i].T @ y[i], 1e-8)
    close(got, baselines.least_squares(X, y, queries), 1e-8)
    model = loopcore.models.newton(D_X, 25, m0=m0)
    close(got, model.predict(X, y, queries, 25), 1e-8)
    np.testing.assert_array_equal(baselines.newton(0 * X, y, queries, 5), np.zeros((B, M)))


@pytest.mark.parametrize("name", ["chebyshev", "conjugate_gradient", "momentum", "newton"])
def test_tuned_iterations_take_the_best_of_plain_cross_validation(name, tasks):
    X, y, queries = tasks
    call, loops = getattr(baselines, name), [1, 2, 5, 12]
    got = call(X, y, queries, loops)
    errors = np.zeros((B, len(loops)))
    for k, T in enumerate(loops):
        for keep, held in interleaved(N, 5):
            predictions = call(X[:, keep], y[:, keep], X[:, held], T)
            errors[:, k] += ((predictions - y[:, held]) ** 2).sum(-1)
    best = errors.argmin(-1)
    assert len(np.unique(best)) > 1
    for i in range(B):
        close(got[i], call(X[i], y[i], queries[i], loops[best[i]]), 1e-12)


# Neighbours and kernels --------------------------------------------------------------------------


@pytest.mark.parametrize("neighbors", [1, 3, N])
def test_nearest_neighbors_is_scikit_learns(tasks, neighbors):
    from sklearn.neighbors import KNeighborsRegressor

    want = fits(lambda: KNeighborsRegressor(neighbors), *tasks)
    close(baselines.nearest_neighbors(*tasks, neighbors=neighbors), want, 1e-12)


def test_nearest_neighbors_a_panel_at_a_time(tasks, monkeypatch):
    whole = [baselines.nearest_neighbors(*tasks, neighbors=k) for k in (3, [1, 4])]
    monkeypatch.setattr("loopcore.baselines.neighbors._PANEL", 3 * B * N)
    parts = [baselines.nearest_neighbors(*tasks, neighbors=k) for k in (3, [1, 4])]
    np.testing.assert_array_equal(parts, whole)


def test_tuned_nearest_neighbors_is_grid_search(tasks):
    from sklearn.model_selection import GridSearchCV, LeaveOneOut
    from sklearn.neighbors import KNeighborsRegressor

    counts = [1, 2, 4, 8, 16]
    settings = {"cv": LeaveOneOut(), "scoring": "neg_mean_squared_error"}
    grid = {"n_neighbors": counts}
    want = fits(lambda: GridSearchCV(KNeighborsRegressor(), grid, **settings), *tasks)
    close(baselines.nearest_neighbors(*tasks, neighbors=counts), want, 1e-12)


@pytest.mark.parametrize(
    ("kernel", "width", "theirs"),
    [
        ("rbf", 1.5, {"kernel": "rbf", "gamma": 1 / (2 * 1.5**2)}),
        ("linear", 1.0, {"kernel": "linear"}),
        ("exp", 4.0, {"kernel": lambda a, b: np.exp(a @ b / 4)}),
        (lambda a, b: (a @ b.swapaxes(-1, -2) + 1) ** 2, 1.0, {"kernel": "poly", "gamma": 1}),
    ],
)
def test_kernel_ridge_is_scikit_learns(tasks, kernel, width, theirs):
    from sklearn.kernel_ridge import KernelRidge

    if theirs["kernel"] == "poly":
        theirs = theirs | {"degree": 2, "coef0": 1}
    want = fits(lambda: KernelRidge(alpha=0.3, **theirs), *tasks)
    got = baselines.kernel_ridge(*tasks, penalty=0.3, kernel=kernel, width=width)
    close(got, want, 1e-8)


def test_the_linear_kernel_is_ridge(tasks):
    for penalty in (1.0, PENALTIES):
        got = baselines.kernel_ridge(*tasks, penalty=penalty, kernel="linear")
        close(got, baselines.ridge(*tasks, penalty=penalty), 1e-8)


def test_tuned_kernel_ridge_is_grid_search(tasks):
    from sklearn.kernel_ridge import KernelRidge
    from sklearn.model_selection import GridSearchCV, LeaveOneOut

    X, y, queries = (a[:3] for a in tasks)
    penalties, widths = [0.01, 0.3, 10.0], np.array([0.5, 2.0, 8.0])
    grid = {"alpha": penalties, "gamma": 1 / (2 * widths**2)}
    settings = {"cv": LeaveOneOut(), "scoring": "neg_mean_squared_error"}
    want = fits(lambda: GridSearchCV(KernelRidge(kernel="rbf"), grid, **settings), X, y, queries)
    got = baselines.kernel_ridge(X, y, queries, penalty=penalties, width=widths)
    close(got, want, 1e-9)
