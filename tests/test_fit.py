"""Training: known optima of in-context regression, the gradient of the loss, and bad calls.

Optima are those of an infinity of tasks. A test with B of them allows what follows from B: a few
standard errors of the optimum on a sample, found from the sample by the delta method, and asserts
that this error is itself small.
"""

from __future__ import annotations

import builtins
import os
import signal

import numpy as np
import pytest

import loopcore
from loopcore._objective import Objective

SIGMA = np.diag([0.5, 1.0, 2.0]) + 0.2


def gaussian_tasks(rng, B, n, d, x_root=None, w_root=None):
    """Z (B, n + 1, d + 1) and targets of y = <w, x>, with x and w the roots times N(0, I)."""
    X, w = rng.standard_normal((B, n + 1, d)), rng.standard_normal((B, d))
    X = X if x_root is None else X @ x_root.T
    w = w if w_root is None else w @ w_root.T
    Z = np.concatenate([X, (X @ w[..., None])], axis=-1)
    target = Z[:, -1, -1].copy()
    Z[:, -1, -1] = 0
    return Z, target


def many(request, B):
    """B tasks, or up to ten times as many with --promise-scale: they must fit into memory."""
    return B * min(request.config.getoption("--promise-scale"), 10)


def one_step_features(Z):
    """F (B, d²): a step of gradient descent with the preconditioner Γ predicts F vec(Γ)."""
    g = np.einsum("bni,bn->bi", Z[:, :-1, :-1], Z[:, :-1, -1])
    return (Z[:, -1, :-1, None] * g[:, None, :]).reshape(len(Z), -1)


def standard_error(F, target, theta):
    """The root of the expected ‖θ̂ − θ*‖² of least squares on the rows of F, by the sandwich."""
    residual = target - F @ theta
    inverse = np.linalg.inv(F.T @ F)
    scores = F * residual[:, None]
    return np.sqrt(np.trace(inverse @ scores.T @ scores @ inverse))


# ---- known optima --------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "d"), [(10, 4), (40, 5)])
def test_best_single_step_on_gaussian_tasks(n, d, rng, request):
    B = many(request, 40_000)
    Z, target = gaussian_tasks(rng, B, n, d)
    model = loopcore.models.gradient_descent(d, update="targets", eta=0.2 / n)
    found = loopcore.fit(model, (Z, target), 1, "eta")
    eta = float(found.model.eta[0])

    step = one_step_features(Z)[:, :: d + 1].sum(1, keepdims=True)
    assert found.converged
    # The loss is a parabola by η, whose minimum on these tasks is known.
    assert eta == pytest.approx(float(step[:, 0] @ target / (step[:, 0] @ step[:, 0])), rel=1e-5)
    error = standard_error(step, target, np.array([eta]))
    assert error < 0.01 / (n + d + 1)
    assert abs(eta - 1 / (n + d + 1)) < 4 * error
    squares = np.square(target - eta * step[:, 0])
    error = squares.std() / np.sqrt(B)
    assert error < 0.03 * squares.mean()
    assert found.loss == pytest.approx(squares.mean(), rel=1e-12)
    assert abs(found.loss - d * (d + 1) / (n + d + 1)) < 4 * error


@pytest.mark.parametrize("prior", ["w of covariance inverse to that of x", "w isotropic"])
def test_learned_one_step_preconditioner(prior, rng, request):
    n, d, B = 20, 3, many(request, 40_000)
    root = np.linalg.cholesky(SIGMA)
    if prior == "w isotropic":
        Z, target = gaussian_tasks(rng, B, n, d, root)
        exact = np.linalg.inv((n + 1) * SIGMA + np.trace(SIGMA) * np.eye(d))
    else:
        Z, target = gaussian_tasks(rng, B, n, d, root, np.linalg.inv(root).T)
        exact = np.linalg.inv(SIGMA) / (n + d + 1)
    model = loopcore.models.preconditioned(np.eye(d) / (3 * n), update="targets", eta=1.0)
    found = loopcore.fit(model, (Z, target), 1, ["Q"])
    gamma = found.model.Q[0, 0, :d, :d]

    assert found.converged
    F = one_step_features(Z)
    best = np.linalg.lstsq(F, target, rcond=None)[0]
    np.testing.assert_allclose(gamma.ravel(), best, atol=1e-4 * np.abs(best).max())
    # ‖Γ̂ − Γ‖ has nine entries in it: three of its expected values are rare.
    error = standard_error(F, target, gamma.ravel())
    assert error < 0.02 * np.linalg.norm(exact)
    assert np.linalg.norm(gamma - exact) < min(3 * error, 0.05 * np.linalg.norm(exact))
    # The two closed forms are not one another: the test can tell them apart.
    others = np.linalg.inv((n + 1) * SIGMA + np.trace(SIGMA) * np.eye(d)), np.linalg.inv(SIGMA) / 24
    assert np.linalg.norm(others[0] - others[1]) > 3 * error


def test_learned_steps_beat_one_constant(rng):
    n, d, T = 20, 5, 5

    def descent(**steps):
        return loopcore.models.gradient_descent(d, update="targets", **steps)

    tasks = gaussian_tasks(rng, 4_000, n, d)
    one = loopcore.fit(descent(eta=0.5 / n), tasks, T, "eta")
    ramp = one.model.eta * np.linspace(0.5, 1.5, T)
    several = loopcore.fit(descent(schedule=ramp[:, None]), tasks, T, "schedule")
    assert one.converged
    assert several.converged
    # Measured: 0.21 of it, with steps from half the constant to four times it.
    assert several.loss < 0.4 * one.loss
    # Not on the tasks of the training alone.
    Z, target = gaussian_tasks(rng, 4_000, n, d)
    losses = [np.mean(np.square(-fit.model(Z, T)[:, -1, -1] - target)) for fit in (one, several)]
    assert losses[1] < 0.4 * losses[0]
    # The prediction is symmetric in the steps: equal ones have equal gradients, and stay equal.
    equal = loopcore.fit(descent(schedule=np.full((T, 1), 0.5 / n)), tasks, T, "schedule")
    assert equal.loss == pytest.approx(one.loss, rel=1e-6)


def test_gd_plus_plus_beats_gradient_descent(rng):
    n, d, T = 20, 5, 3
    tasks = gaussian_tasks(rng, 4_000, n, d)
    plain = loopcore.models.gradient_descent(d, update="all", eta=0.5 / n)
    moved = loopcore.models.gd_plus_plus(0.0, d, eta=0.5 / n)
    x_block = np.diag(np.append(np.ones(d, bool), False))
    gd = loopcore.fit(plain, tasks, T, "eta")
    better = loopcore.fit(moved, tasks, T, ["eta", "P"], free={"P": x_block})
    assert gd.converged
    assert better.converged
    # Measured: 0.05 of it.
    assert better.loss < 0.1 * gd.loss
    P = better.model.P[0, 0]
    np.testing.assert_array_equal(P[~x_block], moved.P[0, 0][~x_block])
    # Gaussian x have no direction of their own: one γ, up to what the sample breaks.
    gamma = np.diag(P)[:d]
    assert gamma.min() > 0
    assert np.ptp(gamma) < 0.1 * gamma.mean()


# ---- Adam ----------------------------------------------------------------------------------------


def test_adam_reaches_what_lbfgs_reaches(rng):
    pytest.importorskip("torch")
    n, d = 10, 3
    tasks = gaussian_tasks(rng, 500, n, d)
    model = loopcore.models.preconditioned(np.eye(d), update="targets", eta=0.5 / n)
    exact = loopcore.fit(model, tasks, 1, ["Q"])
    found = loopcore.fit(
        model, tasks, 1, ["Q"], optimizer="adam", learning_rate=0.02, iterations=400
    )
    assert len(found.history) == 401
    assert not found.converged
    assert found.loss == pytest.approx(exact.loss, rel=1e-6)
    assert exact.loss < 0.9 * exact.history[0]
    np.testing.assert_allclose(found.model.Q, exact.model.Q, atol=2e-3)


def test_adam_on_fresh_tasks_is_deterministic(rng):
    pytest.importorskip("torch")
    n, d = 10, 3
    model = loopcore.models.gradient_descent(d, update="targets", eta=0.01)
    seen = []

    def train(seed):
        return loopcore.fit(
            model,
            lambda rng: gaussian_tasks(rng, 2_000, n, d),
            1,
            "eta",
            optimizer="adam",
            learning_rate=2e-3,
            iterations=60,
            rng=seed,
            progress=lambda iteration, loss: seen.append((iteration, loss)),
        )

    first = train(1)
    assert seen == list(enumerate(first.history))[1:]
    again, other = train(np.random.default_rng(1)), train(2)
    assert again.history == first.history
    assert again.model == first.model
    assert other.history != first.history
    assert first.loss == first.history[-1]
    # A batch tells η to some 3 %, and Adam goes about 2e-3 a step where the gradient changes sign.
    assert float(first.model.eta[0]) == pytest.approx(1 / (n + d + 1), rel=0.1)


def test_adam_ends_where_it_diverges(rng):
    pytest.importorskip("torch")
    model = loopcore.models.gradient_descent(3, update="targets", eta=0.01)
    tasks = gaussian_tasks(rng, 100, 10, 3)
    found = loopcore.fit(model, tasks, 60, "eta", optimizer="adam", learning_rate=1e9)
    assert "diverged in iteration 1" in found.message
    assert found.model == model


# ---- the search ----------------------------------------------------------------------------------


@pytest.mark.parametrize("attention", ["linear", "softmax"])
@pytest.mark.parametrize("update", ["all", "targets", "query"])
@pytest.mark.parametrize("steps", ["eta", "schedule"])
def test_gradient_of_the_loss(attention, update, steps, rng):
    D, T, L = 4, 3, 2
    P, Q, skip = 0.3 * rng.standard_normal((3, L, D, D))
    skip = np.eye(D) + 0.1 * skip[0]
    free = {}
    if update == "targets":
        P = np.zeros((L, D, D))
        P[:, -1, -1] = 0.7
        Q[:, -1], Q[:, :, -1] = 0, 0
        skip[:, :-1] = np.eye(D)[:, :-1]
        inner = np.arange(D) < D - 1
        free = {"P": np.outer(~inner, ~inner), "Q": np.outer(inner, inner), "skip": ~inner}
    values = {"eta": 0.04, "schedule": 0.04 * rng.random((T, L))}
    model = loopcore.LoopedTransformer(
        P, Q, skip=skip, attention=attention, update=update, mask="all", **{steps: values[steps]}
    )
    objective = Objective(model, T, [steps, "P", "Q", "skip"], free)
    tasks = objective.read_tasks(gaussian_tasks(rng, 5, 6, D - 1))
    start = objective.start()
    loss, gradient = objective(start, tasks)
    assert loss == np.mean(np.square(-model(tasks.Z, T)[:, -1, -1] - tasks.target))
    size = {"eta": 1, "schedule": T * L}[steps]
    assert len(start) == size + (L * (1 + 9) + 4 if update == "targets" else (2 * L + 1) * D * D)
    # Central differences of order four: truncation h⁴ and rounding u/h are 1e-16 and 1e-12.
    h, weights = 1e-4, {-2: 1 / 12, -1: -2 / 3, 1: 2 / 3, 2: -1 / 12}
    differences = [
        sum(w * objective(start + k * h * unit, tasks)[0] for k, w in weights.items()) / h
        for unit in np.eye(len(start))
    ]
    np.testing.assert_allclose(gradient, differences, rtol=1e-6, atol=1e-8 * abs(gradient).max())
    assert (gradient[:size] != 0).all()


def test_history_falls_and_the_model_is_left_alone(rng):
    tasks = gaussian_tasks(rng, 300, 10, 3)
    model = loopcore.models.gd_plus_plus(0.0, 3, schedule=np.full((4, 1), 0.02))
    before = [a.copy() for a in (model.P, model.Q, model.schedule, *tasks)]
    seen = []
    found = loopcore.fit(
        model,
        tasks,
        3,
        ("schedule", "P", "Q"),
        iterations=30,
        progress=lambda iteration, loss: seen.append((iteration, loss)),
    )
    assert seen == list(enumerate(found.history))[1:]
    assert 1 < len(found.history) <= 31
    assert (np.diff(found.history) < 0).all()
    assert found.loss == found.history[-1] < 0.1 * found.history[0]
    for a, b in zip(before, (model.P, model.Q, model.schedule, *tasks), strict=True):
        np.testing.assert_array_equal(a, b)
    assert found.model.update == model.update
    # The fourth loop has no part in three.
    assert found.model.schedule[3, 0] == 0.02
    assert (found.model.schedule[:3, 0] != 0.02).all()
    Z, target = tasks
    predicted = found.model.predict(Z[:, :-1, :-1], Z[:, :-1, -1], Z[:, -1, :-1], 3)
    assert np.mean(np.square(predicted - target)) == pytest.approx(found.loss, rel=1e-12)


def test_parameters_keep_shapes_and_tokens(rng):
    weights = loopcore.models.kernel("rbf", 2, bandwidth=0.7, eta=0.1)
    X = rng.standard_normal((50, 6, 2))
    half = -np.square(X / 0.7).sum(-1, keepdims=True) / 2
    Z = np.concatenate([X, half, np.ones_like(half), np.sin(X[..., :1])], axis=-1)
    target = Z[:, -1, -1].copy()
    Z[:, -1, -1] = 0
    found = loopcore.fit(weights, (Z, target), 3, "eta")
    assert found.loss < found.history[0]
    predicted = found.model.predict(X[:, :-1], Z[:, :-1, -1], X[:, -1], 3)
    assert np.mean(np.square(predicted - target)) == pytest.approx(found.loss, rel=1e-12)
    # One number for three layers stays one, (1,) and () alike.
    P, Q = np.zeros((3, 4, 4)), np.zeros((3, 4, 4))
    P[:, -1, -1], Q[:] = 1, np.diag([1, 1, 1, 0])
    tasks = gaussian_tasks(rng, 50, 6, 3)
    for eta in (0.01, [0.01], [[0.01]]):
        model = loopcore.LoopedTransformer(P, Q, eta, update="targets")
        trained = loopcore.fit(model, tasks, 2, "eta").model
        assert np.unique(trained.eta).size == 1
        assert trained.eta.shape == model.eta.shape
        assert trained._shapes == model._shapes
    apart = loopcore.LoopedTransformer(P, Q, [0.01, 0.02, 0.01], update="targets")
    trained = loopcore.fit(apart, tasks, 2, "eta", free={"eta": [True, True, False]}).model
    assert np.unique(trained.eta).size == 3
    assert trained.eta[2] == 0.01


def test_float32_prompts_are_trained_on_in_float64(rng):
    Z, target = (a.astype(np.float32) for a in gaussian_tasks(rng, 200, 10, 3))
    model = loopcore.models.preconditioned(np.eye(3), update="targets", eta=0.05)
    found = loopcore.fit(model, (Z, target), 2, ["Q"])
    assert found.converged
    assert found.history == loopcore.fit(model, (Z.astype(float), target), 2, ["Q"]).history


def test_diverging_trials_turn_back(rng, monkeypatch):
    tasks = gaussian_tasks(rng, 200, 10, 3)
    model = loopcore.models.gradient_descent(3, update="targets", eta=1e-3)
    losses, evaluate = [], Objective.__call__

    def spy(self, vector, tasks):
        loss, gradient = evaluate(self, vector, tasks)
        losses.append(loss)
        return loss, gradient

    monkeypatch.setattr(Objective, "__call__", spy)
    found = loopcore.fit(model, tasks, 400, "eta")
    assert np.inf in losses
    assert np.isfinite(found.history).all()
    assert found.loss == min(losses) < 0.5 * found.history[0]


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_ctrl_c_returns_the_best_so_far(optimizer, rng):
    if optimizer == "adam":
        pytest.importorskip("torch")
    tasks = gaussian_tasks(rng, 50, 10, 3)
    model = loopcore.models.preconditioned(np.eye(3), update="targets", eta=0.01)

    def interrupt(iteration, loss):
        if iteration == 3:
            signal.raise_signal(signal.SIGINT)

    found = loopcore.fit(model, tasks, 2, ["Q"], optimizer=optimizer, progress=interrupt)
    assert found.message == "interrupted in iteration 4"
    assert not found.converged
    assert len(found.history) == 4
    assert found.loss == min(found.history) < found.history[0]
    objective = Objective(found.model, 2, ["Q"])
    assert objective(objective.start(), objective.read_tasks(tasks))[0] == found.loss

    def at_once(rng):
        raise KeyboardInterrupt

    if optimizer == "adam":
        with pytest.raises(KeyboardInterrupt):
            loopcore.fit(model, at_once, 2, ["Q"], optimizer="adam")


def test_progress_bar(rng, capsys):
    pytest.importorskip("tqdm")
    model = loopcore.models.gradient_descent(2, update="targets", eta=0.01)
    loopcore.fit(model, gaussian_tasks(rng, 20, 5, 2), 1, "eta", progress=True)
    assert "loss=" in capsys.readouterr().err


# ---- bad calls -----------------------------------------------------------------------------------


def good(**changes):
    """Arguments of a call that works, but for `changes`."""
    rng = np.random.default_rng(0)
    model = loopcore.models.gradient_descent(2, update="targets", eta=0.01)
    tasks = gaussian_tasks(rng, 4, 5, 2)
    return {"model": model, "tasks": tasks, "T": 1, "parameters": ["eta"]} | changes


def adaptive(**options):
    return loopcore.models.gradient_descent(2, update="targets", **options)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"parameters": ["gamma"]}, ValueError, "parameters: expected some of 'eta'.*'gamma'"),
        ({"parameters": []}, ValueError, "parameters: expected at least one"),
        ({"parameters": ["P", "P"]}, ValueError, "parameters: .*'P' twice"),
        ({"parameters": "schedule"}, ValueError, "parameters: .*'schedule', which is None"),
        ({"parameters": "skip"}, ValueError, "parameters: .*'skip', which is None"),
        ({"model": adaptive()}, ValueError, "parameters: .*'eta', which is None"),
        ({"model": adaptive(eta="optimal")}, ValueError, "'eta', which is 'optimal'"),
        ({"model": adaptive(), "parameters": "Q"}, ValueError, "eta: expected numbers"),
        ({"model": loopcore.models.newton(2)}, ValueError, "model: .*reads u"),
        ({"model": adaptive(eta=1e200), "T": 9}, ValueError, "model: expected a finite loss"),
        ({"free": {"P": True}}, ValueError, "free: expected names in parameters"),
        ({"free": {"eta": 1}}, TypeError, r"free\['eta'\]: expected booleans"),
        ({"free": {"eta": [True, True]}}, ValueError, r"free\['eta'\]: expected to broadcast"),
        ({"free": {"eta": False}}, ValueError, "free: expected entries"),
        ({"tasks": 3}, TypeError, r"tasks: expected \(Z, target\) or a callable, got int"),
        ({"tasks": (1, 2, 3)}, TypeError, "tasks: .*got 3 parts"),
        ({"tasks": (np.ones((4, 6, 2)), np.ones(4))}, ValueError, "Z: expected shape"),
        ({"tasks": (np.ones((4, 6, 3)), np.ones(3))}, ValueError, "target: expected the leading"),
        ({"tasks": (np.ones((0, 6, 3)), np.ones(0))}, ValueError, "tasks: expected at least one"),
        ({"tasks": lambda rng: 0}, ValueError, "tasks: .*'lbfgs', got a callable"),
        ({"optimizer": "sgd"}, ValueError, "optimizer: expected one of"),
        ({"iterations": -1}, ValueError, "iterations: expected at least 0"),
        ({"T": -1}, ValueError, "T: expected at least 0"),
        ({"T": 1.5}, TypeError, "T: expected an integer"),
    ],
)
def test_bad_calls(changes, error, message):
    with pytest.raises(error, match=message):
        loopcore.fit(**good(**changes))


def test_nothing_to_do():
    assert loopcore.fit(**good(iterations=0)).model == good()["model"]
    # T = 0 leaves the prompts as they are.
    found = loopcore.fit(**good(T=0))
    assert found.converged
    assert found.model == good()["model"]
    assert found.loss == np.mean(np.square(good()["tasks"][1]))


@pytest.mark.parametrize(
    ("library", "extra", "options"),
    [
        ("scipy", "fit", {}),
        ("torch", "adam", {"optimizer": "adam"}),
        ("tqdm", "studies", {"progress": True}),
    ],
)
def test_missing_libraries_are_named(library, extra, options, monkeypatch):
    real = builtins.__import__

    def missing(name, *args, **kwargs):
        if name.partition(".")[0] == library:
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ImportError, match=rf"pip install 'loopcore\[{extra}\]'"):
        loopcore.fit(**good(**options))
