"""`LoopedTransformer` and `reference.looped` against loops written row by row, and each other."""

from __future__ import annotations

import numpy as np
import pytest

import loopcore
from families import KINDS, SHAPES, literal_arguments, name_of, random_model, steps_of
from loopcore import LoopedTransformer, reference
from tiny_loops import tiny_loops

every_kind = pytest.mark.parametrize("kind", KINDS, ids=name_of)


@every_kind
def test_reference_is_the_loop_written_row_by_row(rng, kind):
    D, T = 3, 2
    for i, shape in enumerate(SHAPES):
        model = random_model(rng, kind, shape, D, T)
        n = i % 5
        Z = rng.normal(size=(2, n + 1, D))
        P, Q, rest = model["P"], model["Q"], literal_arguments(model)
        words = {k: v for k, v in rest.items() if k not in {"eta", "schedule"}}
        got = reference.looped_trajectory(Z, P, Q, T, **rest)
        assert got.shape == (2, T + 1, n + 1, D)
        for b in range(2):
            want = tiny_loops(Z[b], P, Q, steps_of(model, T), **words)
            np.testing.assert_allclose(got[b], want, rtol=1e-12, atol=1e-13)
        np.testing.assert_array_equal(reference.looped(Z, P, Q, T, **rest), got[:, -1])
        # What does not move keeps its bits.
        if kind["update"] == "query":
            np.testing.assert_array_equal(got[:, -1, :n], Z[:, :n])
        if kind["update"] == "targets":
            np.testing.assert_array_equal(got[:, -1, :, :-1], Z[..., :-1])


@every_kind
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_model_is_its_literal_matrices(rng, kind, dtype):
    """Error at most 30 max(u, error of the literal loop in that type), against long double."""
    B, D, T = 8, 5, 4
    u = np.finfo(dtype).eps / 2
    for i, shape in enumerate(SHAPES):
        arguments = random_model(rng, kind, shape, D, T)
        Z = rng.normal(size=(B, 2 + i % 9, D)).astype(dtype)
        model = LoopedTransformer(**arguments)
        P, Q, rest = arguments["P"], arguments["Q"], literal_arguments(arguments)
        exact = reference.looped(Z.astype(np.longdouble), P, Q, T, **rest)
        assert np.isfinite(exact).all()

        def error(Z_T, exact=exact):
            size = np.abs(exact).max((-1, -2))
            return np.abs(Z_T - exact).max((-1, -2)) / size  # (B,)

        got = model(Z, T)
        assert got.dtype == dtype
        literal = error(reference.looped(Z, P, Q, T, **rest))
        assert (error(got) <= 30 * np.maximum(u, literal)).all(), (shape, error(got), literal)


@every_kind
def test_trajectory_passes_through_every_call(rng, kind):
    D, T = 4, 5
    for shape in SHAPES[::5]:
        model = LoopedTransformer(**random_model(rng, kind, shape, D, T))
        Z = rng.normal(size=(3, 6, D))
        states = model.trajectory(Z, T)
        assert states.shape == (3, T + 1, 6, D)
        np.testing.assert_array_equal(states[:, 0], Z)
        for t in range(T + 1):
            np.testing.assert_allclose(states[:, t], model(Z, t), rtol=1e-13, atol=1e-14)
        at = [0, 2, 2, 5]
        np.testing.assert_array_equal(model.trajectory(Z, T, at=at), states[:, at])
        assert model.trajectory(Z, T, at=[]).shape == (3, 0, 6, D)


@every_kind
def test_batch_is_one_by_one(rng, kind):
    D, T = 4, 3
    for shape in SHAPES[::3]:
        arguments = random_model(rng, kind, shape, D, T)
        steps = "schedule" if "schedule" in arguments else "eta"
        factors = rng.uniform(0.5, 1, size=(4, 1, 1) if steps == "schedule" else (4, 1))
        arguments[steps] = arguments[steps] * factors  # (4, …)
        Z = rng.normal(size=(3, 1, 5, D))
        together = LoopedTransformer(**arguments)(Z, T)
        assert together.shape == (3, 4, 5, D)
        for b in range(4):
            one = LoopedTransformer(**{**arguments, steps: arguments[steps][b]})
            for a in range(3):
                np.testing.assert_allclose(together[a, b], one(Z[a, 0], T), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("scale", ["sum", "mean"])
@pytest.mark.parametrize("eta", [0.01, None, "optimal"])
def test_paper_weights_are_the_paper_loop(rng, scale, eta):
    X, y, q0 = rng.normal(size=(7, 9, 4)), rng.normal(size=(7, 9)), rng.normal(size=(7, 4))
    alpha, T = rng.normal(size=7), 12
    model = LoopedTransformer(np.diag([1, 1, 1, 1, 0]), np.eye(5), eta, scale=scale)
    want = reference.run(X, y, alpha, T, eta=eta, q0=q0, scale=scale)
    np.testing.assert_allclose(model.generate(X, y, alpha, T, q0), want, rtol=1e-11, atol=1e-13)
    Z = model(reference.prompt(X, y, q0, alpha), T)
    np.testing.assert_allclose(reference.read_out(Z), want, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("scale", ["sum", "mean"])
def test_schedule_of_the_paper_loop(rng, scale):
    X, y, schedule = rng.normal(size=(9, 4)), rng.normal(size=9), rng.uniform(0, 0.05, 12)
    P, Q = reference.weights(4)
    model = LoopedTransformer(P, Q, schedule=schedule[:, None], scale=scale)
    want = reference.run(X, y, 1.5, 12, schedule=schedule, scale=scale)
    np.testing.assert_allclose(model.generate(X, y, 1.5, 12), want, rtol=1e-12)
    # A longer schedule serves a shorter call.
    want = reference.run(X, y, 1.5, 7, schedule=schedule[:7], scale=scale)
    np.testing.assert_allclose(model.generate(X, y, 1.5, 7), want, rtol=1e-12)


def test_a_row_that_moves_feels_skip_and_others_do_not(rng):
    skip = rng.normal(size=(3, 3))
    Z = rng.normal(size=(5, 3))
    none = np.zeros((3, 3))
    for update, rows in (("query", slice(4, None)), ("all", slice(None))):
        got = LoopedTransformer(none, none, 1.0, update=update, skip=skip)(Z, 1)
        want = Z.copy()
        want[rows] = Z[rows] @ skip
        np.testing.assert_allclose(got, want, rtol=1e-14, atol=1e-15)
    decay = np.diag([1, 1, 0.5])
    got = LoopedTransformer(none, none, 1.0, update="targets", skip=decay)(Z, 3)
    np.testing.assert_array_equal(got[:, :2], Z[:, :2])
    np.testing.assert_allclose(got[:, 2], Z[:, 2] / 8, rtol=1e-15)


@pytest.mark.parametrize("kind", KINDS, ids=name_of)
def test_edges(rng, kind):
    """T = 0, n = 0, zero rows, no prompts."""
    D, T = 4, 3
    for shape in SHAPES:
        arguments = random_model(rng, kind, shape, D, T)
        model = LoopedTransformer(**arguments)
        Z = rng.normal(size=(2, 5, D))
        start = model(Z, 0)
        np.testing.assert_array_equal(start, Z)
        assert not np.shares_memory(start, Z)
        assert model(np.empty((0, 5, D)), T).shape == (0, 5, D)
        rest = literal_arguments(arguments)
        words = {k: v for k, v in rest.items() if k not in {"eta", "schedule"}}
        for prompt in (Z[:, -1:], np.zeros((2, 5, D))):
            got = model(prompt, T)
            for b in range(2):
                P, Q = arguments["P"], arguments["Q"]
                want = tiny_loops(prompt[b], P, Q, steps_of(arguments, T), **words)
                np.testing.assert_allclose(got[b], want[-1], rtol=1e-12, atol=1e-13)
        if shape[2] == "mean" or kind["mask"] == "context":
            # Without context rows (and so without attention) only skip acts.
            skip = arguments.get("skip", np.eye(D))
            want = Z[:, -1:] @ np.linalg.matrix_power(skip, T * shape[0])
            np.testing.assert_allclose(model(Z[:, -1:], T), want, rtol=1e-12, atol=1e-13)


@every_kind
@pytest.mark.parametrize("n", [2, 40])
def test_no_loop_leaves_every_row_as_it_came(rng, kind, n):
    model = LoopedTransformer(**random_model(rng, kind, (1, 2, "sum", True, False), 4, 2))
    Z = rng.normal(size=(9, n + 1, 4))
    Z[1, 0, 1], Z[3, -1, 0], Z[4, 1, -1], Z[5, 0] = np.nan, np.inf, -np.inf, -0.0
    for start in (model(Z, 0), model.trajectory(Z, 2, [0, 0, 2])[:, 1]):
        np.testing.assert_array_equal(start, Z)
        np.testing.assert_array_equal(np.signbit(start[5]), np.signbit(Z[5]))


def test_softmax_of_huge_scores_is_finite_and_exp_overflows():
    Z = np.array([[1000.0, 1.0], [999.0, 3.0], [1.0, 0.0]])
    P, Q = np.diag([0, 1]), np.diag([1.0, 0.0])
    got = LoopedTransformer(P, Q, -1.0, attention="softmax")(Z, 1)
    np.testing.assert_allclose(got[-1, 1], (np.e + 3) / (np.e + 1), rtol=1e-12)
    low = LoopedTransformer(P, -Q, -1.0, attention="softmax")(Z, 1)
    np.testing.assert_allclose(low[-1, 1], (1 + 3 * np.e) / (1 + np.e), rtol=1e-12)
    with pytest.warns(loopcore.DivergenceWarning, match=r"^1 of 1 tasks diverged, the first at "):
        got = LoopedTransformer(P, Q, -1.0, attention="exp")(Z, 1)
    assert not np.isfinite(got[-1, 1])
    np.testing.assert_array_equal(got[:2], Z[:2])


def test_queries_never_see_each_other(rng):
    """m queries at the end of one prompt are m prompts of one query."""
    n, m, D, T = 4, 3, 4, 3
    for kind in KINDS:
        if kind["mask"] != "context":
            continue
        arguments = random_model(rng, kind, (2, 2, "mean", True, False), D, T)
        P, Q, rest = arguments["P"], arguments["Q"], literal_arguments(arguments)
        context, queries = rng.normal(size=(n, D)), rng.normal(size=(m, D))
        Z = np.concatenate([context, queries])
        if kind["normalize"] == "all" and kind["update"] != "query":
            with pytest.raises(ValueError, match="queries: "):
                reference.looped(Z, P, Q, T, queries=m, **rest)
            continue
        together = reference.looped(Z, P, Q, T, queries=m, **rest)
        for k in range(m):
            alone = reference.looped(np.concatenate([context, queries[k : k + 1]]), P, Q, T, **rest)
            np.testing.assert_allclose(together[:n], alone[:n], rtol=1e-13, atol=1e-14)
            np.testing.assert_allclose(together[n + k], alone[n], rtol=1e-13, atol=1e-14)
    with pytest.raises(ValueError, match="queries: "):
        reference.looped(Z, P, Q, T, queries=2, eta=[1.0, 1.0], mask="all")


@pytest.mark.parametrize("n", [4, 40])
def test_a_query_has_the_same_bits_alone_and_among_many(rng, n):
    """Over the 64 that are worked on together, too."""
    D, m, T = 5, 150, 3
    for kind in KINDS:
        # Linear attention of all rows goes by sums where many queries make rows dear.
        if kind["update"] == "targets" or (kind["update"], n) == ("all", 4):
            continue
        model = LoopedTransformer(**random_model(rng, kind, (2, 2, "mean", True, True), D, T))
        X, y, x = rng.normal(size=(n, D - 1)), rng.normal(size=n), rng.normal(size=(m, D - 1))
        together = model.predict(X, y, x, T)
        assert np.ptp(together) > 0
        for k in (0, 1, 63, 64, 65, 127, 128, 149):
            assert model.predict(X, y, x[k], T) == together[k]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
def test_reference_computes_in_the_type_of_the_prompt(rng, dtype):
    Z = rng.normal(size=(4, 3)).astype(dtype)
    P, Q = rng.normal(size=(2, 1, 1, 3, 3)) / 3
    for attention in ("linear", "relu", "exp", "softmax"):
        got = reference.looped(Z, P, Q, 2, eta=[0.1], attention=attention, scale="mean")
        assert got.dtype == dtype
        exact = reference.looped(
            Z.astype(np.longdouble), P, Q, 2, eta=[0.1], attention=attention, scale="mean"
        )
        assert np.abs(got - exact).max() <= 100 * np.finfo(dtype).eps * np.abs(exact).max()


def test_reference_refuses_what_it_does_not_know():
    Z, P = np.ones((2, 2)), np.ones((1, 1, 2, 2))
    for word in ("attention", "update", "mask", "normalize", "scale"):
        with pytest.raises(ValueError, match=f"^{word}: expected one of"):
            reference.looped(Z, P, P, 1, eta=[1.0], **{word: "none"})
    with pytest.raises(ValueError, match=r"^eta: "):
        reference.looped(Z, P, P, 1)
    with pytest.raises(ValueError, match=r"^eta: "):
        reference.looped(Z, P, P, 1, eta=[1.0], schedule=[[1.0]])
    with pytest.raises(ValueError, match=r"^schedule: expected 2 loops, got 1"):
        reference.looped(Z, P, P, 2, schedule=[[1.0]])
