"""`LoopedTransformer`: steps of its own, reading out, being a value, types, divergence."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import warnings

import numpy as np
import pytest

import loopcore
from families import KINDS, SHAPES, literal_arguments, name_of, random_model
from loopcore import LoopedTransformer, models, reference
from strategies import LAYOUTS


def close(got, want, rtol=1e-12):
    """Assert near rounding, relative to the largest entry."""
    want = np.asarray(want)
    np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol * np.abs(want).max(initial=0))


def semidefinite(rng, D: int, rank: int | None = None):
    root = rng.normal(size=(D, D if rank is None else rank))
    return root @ root.T


# Steps of its own ----------------------------------------------------------------------------


def extremes(keys, W):
    """Return the smallest non-zero and the largest eigenvalue of S W, S = Σ_keys zᵀz."""
    values = np.linalg.eigvals(keys.T @ keys @ W).real
    values = values[values > 1e-9 * values.max()]
    return values.min(), values.max()


@pytest.mark.parametrize("scale", ["sum", "mean"])
@pytest.mark.parametrize("eta", [None, "optimal"])
@pytest.mark.parametrize(
    ("update", "mask"),
    [("query", "context")] + [(u, m) for u in ("targets", "all") for m in ("context", "all")],
)
def test_eta_of_the_prompt(rng, scale, eta, update, mask):
    n, D, T = 6, 4, 5
    Z = rng.normal(size=(3, n + 1, D))
    P, Q = np.zeros((2, 2, 1, D, D))
    W = np.zeros((2, D, D))
    for layer in range(2):
        if update == "query":  # P Q = W, with neither of them symmetric
            Q[layer, 0] = rng.normal(size=(D, D))
            W[layer] = semidefinite(rng, D, 3 - layer)
            P[layer, 0] = W[layer] @ np.linalg.inv(Q[layer, 0])
        else:
            P[layer, 0, -1, -1] = p = 0.5 + layer
            Q[layer, 0, :-1, :-1] = semidefinite(rng, D - 1, 3 - layer)
            W[layer] = p * Q[layer, 0]
    words = {"update": update, "mask": mask}
    got = LoopedTransformer(P, Q, eta, scale=scale, **words)(Z, T)
    for b in range(3):
        steps = []
        for layer in range(2):
            low, high = extremes(Z[b, :n] if mask == "context" else Z[b], W[layer])
            steps.append(1 / high if eta is None else 2 / (low + high))
        want = reference.looped(Z[b], P, Q, T, eta=steps, **words)
        close(got[b], want, 1e-9)


def test_prompts_without_keys_have_no_step():
    P, Q = np.eye(3), np.eye(3)
    for Z in (np.zeros((5, 3)), np.ones((1, 3)), np.vstack([np.zeros((4, 3)), np.ones((1, 3))])):
        for scale in ("sum", "mean"):
            for eta in (None, "optimal"):
                model = LoopedTransformer(P, Q, eta, scale=scale)
                np.testing.assert_array_equal(model(Z, 4), Z)
    corner, block = np.diag([0, 0, 1]), np.diag([1, 1, 0])
    for scale, want in (("sum", [[1.0, 1.0, 0.0]]), ("mean", [[1.0, 1.0, 1.0]])):
        model = LoopedTransformer(corner, block, update="all", mask="all", scale=scale)
        close(model(np.ones((1, 3)), 1), want)


NOT_ADAPTIVE = {
    "softmax": ({"attention": "softmax"}, "needs attention='linear', got 'softmax'"),
    "exp": ({"attention": "exp"}, "needs attention='linear', got 'exp'"),
    "relu": ({"attention": "relu"}, "needs attention='linear', got 'relu'"),
    "heads": ({"P": np.ones((1, 2, 3, 3)), "Q": np.ones((1, 2, 3, 3))}, "needs one head, got 2"),
    "mask all": ({"mask": "all"}, "needs mask='context' where the query row moves, got 'all'"),
    "mask causal": ({"mask": "causal"}, "needs mask='context' where the query row moves"),
    "not symmetric": ({"Q": np.triu(np.ones((3, 3)))}, "needs P Q to be symmetric and positive"),
    "negative": ({"Q": -np.eye(3)}, "needs P Q to be symmetric and positive"),
    "indefinite": ({"Q": [[0, 1, 0], [1, 0, 0], [0, 0, 1]]}, "needs P Q to be symmetric"),
    "second layer": (
        {"P": np.stack([np.eye(3)] * 2), "Q": np.stack([np.eye(3), np.diag([1, 1, -1])])},
        "needs P Q to be symmetric and positive semidefinite in layer 1",
    ),
    "not finite": ({"Q": np.diag([1, np.nan, 1])}, "needs P Q to be symmetric"),
    "all, P": ({"update": "all"}, r"needs P zero but for P\[-1, -1\] > 0 and a Q"),
    "all, p": (
        {"update": "all", "P": np.diag([0, 0, -1.0]), "Q": np.diag([1, 1, 0])},
        r"needs P zero but for P\[-1, -1\] > 0 and a Q",
    ),
    "all, causal": (
        {"update": "all", "mask": "causal", "P": np.diag([0, 0, 1.0]), "Q": np.diag([1, 1, 0])},
        "needs mask='context' or 'all', got 'causal'",
    ),
    "all, Q": (
        {"update": "all", "P": np.diag([0, 0, 1.0]), "Q": np.diag([1, -1, 0])},
        "needs Q to be symmetric and positive semidefinite in layer 0",
    ),
}


@pytest.mark.parametrize("case", NOT_ADAPTIVE)
def test_where_eta_of_the_prompt_means_nothing(case):
    changes, message = NOT_ADAPTIVE[case]
    arguments = {"P": np.eye(3), "Q": np.eye(3), **changes}
    for eta, word in ((None, r"1/λ_max \(eta=None\)"), ("optimal", "eta='optimal'")):
        with pytest.raises(ValueError, match=f"^eta: expected .* for {word} {message}"):
            LoopedTransformer(eta=eta, **arguments)
    LoopedTransformer(eta=0.1, **arguments)  # with a step it is a model
    LoopedTransformer(schedule=[[0.1]], **arguments)


def test_optimal_uses_the_rank_of_the_type(rng):
    """Rounding to float32 leaves eigenvalues of 1e-15, which are no eigenvalues."""
    X = (rng.normal(size=(9, 2)) @ rng.normal(size=(2, 4))).astype(np.float32)
    y = rng.normal(size=9).astype(np.float32)
    model = models.gradient_descent(4, eta="optimal")
    want = loopcore.run(X, y, 1.0, 20, eta="optimal")
    np.testing.assert_allclose(model.generate(X, y, 1.0, 20), want, rtol=2e-5, atol=1e-6)
    predictor = models.gradient_descent(4, update="all", eta="optimal")
    prediction = predictor.predict(X, y, np.ones(4, np.float32), 20)
    operator = predictor.operator(X, y, 20)
    assert operator.dtype == np.float32
    np.testing.assert_allclose(-operator[:4, 4].sum(), prediction, rtol=1e-5)


# Reading out -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS, ids=name_of)
def test_predict_is_minus_the_y_slot_of_its_own_prompt(rng, kind):
    """For one query or many, whatever attends to what, with steps of every prompt's own."""
    n, m, d, T = 4, 3, 3, 3
    X, y = rng.normal(size=(2, n, d)), rng.normal(size=(2, n))
    x_query, y0 = rng.normal(size=(2, m, d)), rng.normal(size=(2, m))
    for shape in SHAPES[::5]:
        arguments = random_model(rng, kind, shape, d + 1, T)
        steps = "schedule" if shape[-1] else "eta"
        axes = (2, 1, 1) if shape[-1] else (2, 1)
        arguments[steps] = arguments[steps] * rng.uniform(0.5, 1, axes)
        model = LoopedTransformer(**arguments)
        got = model.predict(X, y, x_query, T, y0)
        one = model.predict(X, y, x_query[:, 0], T, y0[:, 0])
        assert got.shape == (2, m)
        assert one.shape == (2,)
        close(one, got[:, 0])
        words = literal_arguments(arguments)
        for b in range(2):
            words[steps] = arguments[steps][b]
            for k in range(m):
                Z = np.column_stack([X[b], y[b]])
                Z = np.vstack([Z, np.append(x_query[b, k], y0[b, k])])
                end = reference.looped(Z, arguments["P"], arguments["Q"], T, **words)
                close(got[b, k], -end[-1, -1])


@pytest.mark.parametrize("mask", ["context", "all"])
def test_shapes_of_predict(rng, mask):
    model = LoopedTransformer(np.diag([0, 0, 1]), np.diag([1, 1, 0]), update="targets", mask=mask)
    X, y = rng.normal(size=(5, 4, 2)), rng.normal(size=(5, 4))
    for x_shape, y0_shape, want in [
        ((2,), (), (5,)),
        ((5, 2), (), (5,)),
        ((1, 2), (5,), (5,)),
        ((5, 3, 2), (), (5, 3)),
        ((1, 3, 2), (3,), (5, 3)),
        ((5, 0, 2), (), (5, 0)),
        ((6, 5, 3, 2), (5, 1), (6, 5, 3)),
        ((5, 2), (7, 1), (7, 5)),
        ((5, 3, 2), (7, 1, 1), (7, 5, 3)),
    ]:
        x_query, y0 = rng.normal(size=x_shape), rng.normal(size=y0_shape)
        got = model.predict(X, y, x_query, 3, y0)
        assert got.shape == want
        # Each entry alone.
        whole = np.broadcast_to(x_query, (*want, 2))
        slots = np.broadcast_to(y0, want)
        for index in np.ndindex(want):
            b = index[-1] if len(x_shape) < 3 else index[-2]
            close(got[index], model.predict(X[b], y[b], whole[index], 3, slots[index]))
    assert model.predict(X[0], y[0], np.ones((3, 2)), 3).shape == (3,)
    assert model.predict(X[0], y[0], np.ones(2), 3).shape == ()
    with pytest.raises(ValueError, match=r"^y0: expected to broadcast with the result \(5, 3\)"):
        model.predict(X, y, np.ones((5, 3, 2)), 3, np.ones(4))
    with pytest.raises(ValueError, match=r"^y0: expected to broadcast with the result \(5, 1\)"):
        model.predict(X, y, np.ones((5, 1, 2)), 3, np.ones(4))


@pytest.mark.parametrize("kind", [k for k in KINDS if k["update"] == "query"], ids=name_of)
def test_generate_is_minus_the_query_row(rng, kind):
    n, d, T = 5, 3, 3
    X, y = rng.normal(size=(2, n, d)), rng.normal(size=(2, n))
    q0, alpha = rng.normal(size=(3, 1, d)), rng.normal(size=2)
    for shape in SHAPES[::3]:
        arguments = random_model(rng, kind, shape, d + 1, T)
        got = LoopedTransformer(**arguments).generate(X, y, alpha, T, q0)
        P, Q, words = arguments["P"], arguments["Q"], literal_arguments(arguments)
        want = reference.looped(reference.prompt(X, y, q0, alpha), P, Q, T, **words)
        assert got.shape == (3, 2, d)
        close(got, -want[..., -1, :-1])
    start = LoopedTransformer(**arguments).generate(X, y, alpha, 0)
    np.testing.assert_array_equal(start, np.zeros((2, d)))


@pytest.mark.parametrize("scale", ["sum", "mean"])
def test_operator_moves_every_row(rng, scale):
    """z(T) = z(0) A, for rows of the context and for any others."""
    n, d, T = 6, 3, 4
    X, y = rng.normal(size=(2, n, d)), rng.normal(size=(2, n))
    kind = {"attention": "linear", "normalize": "masked", "update": "all", "mask": "context"}
    for shape in SHAPES:
        if shape[2] != scale:
            continue
        model = LoopedTransformer(**random_model(rng, kind, shape, d + 1, T))
        A = model.operator(X, y, T)
        assert A.shape == (2, d + 1, d + 1)
        Z = np.concatenate(
            [np.concatenate([X, y[..., None]], -1), rng.normal(size=(2, 1, d + 1))], 1
        )
        close(model(Z, T), Z @ A, 1e-11)
        np.testing.assert_array_equal(model.operator(X, y, 0), np.broadcast_to(np.eye(4), A.shape))
        # A = Π (skip − η Σ_h Q_h S P_h), S ← AᵀSA
        for b in range(2):
            S, want = Z[b, :n].T @ Z[b, :n], np.eye(d + 1)
            for t in range(T):
                for layer in range(shape[0]):
                    eta = model.eta[layer] if model.schedule is None else model.schedule[t, layer]
                    eta = eta / n if scale == "mean" else eta
                    sums = sum(
                        model.Q[layer, h] @ S @ model.P[layer, h] for h in range(model.heads)
                    )
                    step = model.skip - eta * sums
                    want, S = want @ step, step.T @ S @ step
            close(A[b], want, 1e-11)


def test_operator_of_constructed_models(rng):
    X, y, x = rng.normal(size=(9, 3)), rng.normal(size=9), rng.normal(size=3)
    plus = models.gd_plus_plus(0.3, 3, eta=0.02)
    close(-(np.append(x, 0) @ plus.operator(X, y, 5))[-1], plus.predict(X, y, x, 5))
    descent = models.gradient_descent(3, update="all")
    close(-(np.append(x, 0) @ descent.operator(X, y, 5))[-1], descent.predict(X, y, x, 5))
    assert models.newton(3).operator(X, y, 5).shape == (7, 7)


# A value -----------------------------------------------------------------------------------


def test_shapes_of_weights(rng):
    P, Q = rng.normal(size=(2, 3, 3))
    Z = rng.normal(size=(5, 3))
    want = LoopedTransformer(P, Q, 0.1)(Z, 2)
    for lead in [(1,), (1, 1)]:
        model = LoopedTransformer(P.reshape(*lead, 3, 3), Q.reshape(*lead, 3, 3), 0.1)
        assert (model.layers, model.heads, model.width) == (1, 1, 3)
        np.testing.assert_array_equal(model(Z, 2), want)
    block = LoopedTransformer([P, Q], [Q, P], [0.1, 0.2])
    assert (block.layers, block.heads) == (2, 1)
    heads = LoopedTransformer([[P, Q]], [[Q, P]], 0.1)
    assert (heads.layers, heads.heads) == (1, 2)


def test_it_is_immutable_and_keeps_copies(rng):
    P, Q, eta, skip = rng.normal(size=(3, 3)), np.eye(3), np.array([0.5]), np.eye(3)
    model = LoopedTransformer(P, Q, eta, skip=skip)
    before = model.P.copy()
    P[...], Q[...], eta[...], skip[...] = 7, 7, 7, 7
    np.testing.assert_array_equal(model.P[0, 0], before[0, 0])
    assert model.eta.tolist() == [0.5]
    assert (model.skip == np.eye(3)).all()
    for name in ("P", "Q", "eta", "skip"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(model, name)[...] = 0
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(model, name, 0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.attention = "softmax"
    with pytest.raises(dataclasses.FrozenInstanceError):
        del model.mask
    assert all(a.dtype == np.float64 for a in (model.P, model.Q, model.eta, model.skip))


def test_it_is_equal_to_its_like():
    made = [
        lambda: LoopedTransformer(np.eye(3), np.eye(3)),
        lambda: LoopedTransformer(np.eye(3), np.eye(3), "optimal"),
        lambda: LoopedTransformer(np.eye(3), np.eye(3), 0.1),
        lambda: LoopedTransformer(np.eye(3), np.eye(3), 0.1, scale="mean"),
        lambda: LoopedTransformer(np.eye(3), np.eye(3), schedule=[[0.1], [0.1]]),
        lambda: LoopedTransformer(2 * np.eye(3), np.eye(3), 0.1),
        lambda: LoopedTransformer(np.eye(3), np.eye(3), 0.1, skip=2 * np.eye(3)),
        lambda: LoopedTransformer(np.eye(3), np.eye(3), 0.1, update="all"),
        lambda: LoopedTransformer(np.eye(3), np.eye(3), 0.1, attention="softmax"),
        lambda: LoopedTransformer(np.eye(3), np.eye(3), 0.1, attention="softmax", normalize="all"),
        lambda: models.momentum(0.5, 1),
        lambda: models.kernel("rbf", 2, eta=1.0),
        lambda: models.kernel("rbf", 2, bandwidth=2.0, eta=1.0),
    ]
    for i, make in enumerate(made):
        model = make()
        for j, other in enumerate(made):
            assert (model == other()) == (i == j)
        assert hash(model) == hash(make())
        assert repr(model) == repr(make())
        for copied in (
            pickle.loads(pickle.dumps(model)),
            copy.copy(model),
            copy.deepcopy(model),
        ):
            assert copied == model
            assert type(copied) is LoopedTransformer
            assert not copied.P.flags.writeable
    assert LoopedTransformer(np.eye(3), np.eye(3)) != "model"
    signed = LoopedTransformer(np.diag([1, -0.0]), np.eye(2), 0.1)
    assert signed == LoopedTransformer(np.diag([1, 0.0]), np.eye(2), 0.1)


def test_repr():
    model = LoopedTransformer(np.ones((2, 1, 3, 3)), np.ones((2, 1, 3, 3)), [0.1, 0.2])
    assert repr(model) == (
        "<LoopedTransformer: layers=2, heads=1, width=3, eta=<(2,) array>, attention='linear', "
        "update='query', mask='context', scale='sum', normalize='masked'>"
    )
    assert "eta=0.5," in repr(LoopedTransformer(np.eye(2), np.eye(2), 0.5))
    assert "schedule=<(3, 1) array>," in repr(
        LoopedTransformer(np.eye(2), np.eye(2), schedule=np.ones((3, 1)))
    )
    assert "skip=<(2, 2) array>" in repr(
        LoopedTransformer(np.eye(2), np.eye(2), 1, skip=np.ones((2, 2)))
    )


def test_pickled_model_computes_the_same(rng):
    X, y, x = rng.normal(size=(9, 3)), rng.normal(size=9), rng.normal(size=3)
    for model in (models.newton(3), models.kernel("rbf", 3, eta=0.1)):
        again = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(again.predict(X, y, x, 5), model.predict(X, y, x, 5))


# Types and layouts ---------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "i8", "u4", "?", ">f4", ">f8"])
def test_type_of_the_result(rng, dtype):
    Z = np.abs(rng.normal(size=(2, 5, 3)) * 2).astype(dtype)
    want = np.float32 if dtype.endswith("f4") else np.float64
    # The model's arrays never promote.
    model = LoopedTransformer(
        np.diag([0, 0, 1.0]), np.diag([1, 1, 0.0]), np.full((2, 1), 0.01), update="targets"
    )
    got = model(Z, 2)
    assert got.dtype == want
    assert got.dtype.isnative
    np.testing.assert_allclose(got, model(Z.astype(float), 2), rtol=1e-5)
    assert model.trajectory(Z, 2).dtype == want
    X, y = Z[..., :-1, :2], Z[..., :-1, 2]
    assert model.predict(X, y, X, 2, y0=np.float64(1)).dtype == want
    promoted = model.predict(X, y, X.astype(float), 2)
    assert promoted.dtype == np.float64
    generator = LoopedTransformer(np.diag([1, 1, 0]), np.eye(3), 0.01)
    assert generator.generate(X, y, np.float64(2), 2).dtype == want
    assert generator.generate(X, y, 2, 2, q0=np.ones(2)).dtype == np.float64
    assert (
        LoopedTransformer(np.eye(3), np.eye(3), 0.01, update="all").operator(X, y, 2).dtype == want
    )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_inputs_in_any_layout_are_never_written(rng, layout):
    Z, x = rng.normal(size=(3, 5, 3)), rng.normal(size=(3, 2, 2))
    model = LoopedTransformer(np.diag([0, 0, 1]), np.diag([1, 1, 0]), update="all")
    laid = LAYOUTS[layout](Z)
    np.testing.assert_array_equal(model(laid, 3), model(Z, 3))
    np.testing.assert_array_equal(laid, Z)
    X, y = Z[..., :2], Z[..., 2]
    inputs = [LAYOUTS[layout](a) for a in (X, y, x)]
    np.testing.assert_array_equal(model.predict(*inputs, 3), model.predict(X, y, x, 3))
    for a, b in zip(inputs, (X, y, x), strict=True):
        np.testing.assert_array_equal(a, b)
    for T in (0, 3):
        assert not np.shares_memory(model(laid, T), laid)
        assert model(laid, T).flags.writeable


def test_lists_and_numbers_do():
    model = LoopedTransformer([[0, 0], [0, 1]], [[1, 0], [0, 0]], 0.25, update="targets")
    assert model([[1, 2], [1, 2], [2, 0]], np.int8(1)).tolist() == [[1, 1], [1, 1], [2, -2]]
    assert float(model.predict([[1], [1]], [2, 2], [2], 1)) == 2


# Divergence --------------------------------------------------------------------------------


def test_divergence_names_the_first_task(rng):
    X, y = rng.normal(size=(2, 3, 6, 2)), rng.normal(size=(2, 3, 6))
    eta = np.full((2, 3, 1), 0.01)
    eta[0, 2] = eta[1, 1] = 1e30
    Z = np.concatenate([X, y[..., None]], -1)
    generator = LoopedTransformer(np.diag([1, 1, 0]), np.eye(3), eta)
    predictor = LoopedTransformer(np.diag([0, 0, 1]), np.diag([1, 1, 0]), eta, update="all")
    start = r"^2 of 6 tasks diverged, the first at index \(0, 2\): use a smaller step size"
    for call in (
        lambda: generator(Z, 40),
        lambda: generator.trajectory(Z, 40),
        lambda: generator.generate(X, y, 1.0, 40),
        lambda: predictor(Z, 40),
        lambda: predictor.predict(X, y, X[..., 0, :], 40),
        lambda: predictor.predict(X, y, X[..., :2, :], 40),
        lambda: predictor.operator(X, y, 40),
    ):
        with pytest.warns(loopcore.DivergenceWarning, match=start) as caught:
            result = call()
        assert len(caught) == 1
        assert caught[0].filename == __file__
        finite = np.isfinite(result).reshape(2, 3, -1).all(-1)
        assert finite.tolist() == [[True, True, False], [True, False, True]]


def test_nan_stays_in_its_task_and_is_no_divergence(rng):
    Z = rng.normal(size=(4, 5, 3))
    Z[1, 2, 0], Z[2, 0, 2] = np.nan, np.inf
    for eta in (0.05, None, "optimal"):
        model = LoopedTransformer(np.diag([0, 0, 1]), np.diag([1, 1, 0]), eta, update="all")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            got = model(Z, 3)
        for b in (0, 3):
            np.testing.assert_array_equal(got[b], model(Z[b], 3))
        assert not np.isfinite(got[1]).all()
    # Nor does a query reach another one.
    x = rng.normal(size=(3, 2))
    x[1] = np.nan
    got = model.predict(Z[0, :, :2], Z[0, :, 2], x, 3)
    assert np.isfinite(got).tolist() == [True, False, True]


def test_overflow_without_a_step_is_said(rng):
    Z = np.full((4, 2), 3e38, np.float32)
    model = LoopedTransformer(
        np.zeros((2, 2)), np.zeros((2, 2)), update="query", skip=2 * np.eye(2)
    )
    with pytest.warns(loopcore.DivergenceWarning, match="the numbers leave the range of the type$"):
        assert np.isinf(model(Z, 1)[-1]).all()
