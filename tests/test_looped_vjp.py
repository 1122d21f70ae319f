"""The reverse pass of the family against literal loops, in every kind, path and layout."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
import textwrap
import time
from typing import Any

import numpy as np
import pytest

import literal_loops as literal
import loopcore
from literal_loops import Kind, Point
from loopcore import ModelGradient
from loopcore._native import core

KINDS = literal.every_kind()
SHAPES = [(3, 0), (3, 1), (5, 8), (9, 9), (5, 40), (33, 1), (33, 9), (33, 40)]  # (D, n)


def prompt_of(Z: Any, m: int = 1) -> tuple[Any, Any, Any, Any]:
    """Rows, of which the last m are queries, as the kernels take them."""
    n = Z.shape[-2] - m
    return Z[..., :n, :-1], Z[..., :n, -1], Z[..., n:, :-1], Z[..., n:, -1]


def words_of(kind: Any) -> tuple[str, str, str, bool, bool]:
    """What a kind or a model is, as the kernels take it."""
    all_keys, mean = kind.normalize == "all", kind.scale == "mean"
    return kind.attention, kind.update, kind.mask, all_keys, mean


def gradient(point: Point, kind: Kind, Z_bar: Any, m: int = 1, threads: int | None = None) -> Point:
    """The adjoints as the compiled reverse pass finds them; Z, steps and Z_bar may be batches."""
    Z, P, Q, skip, steps = core.looped_vjp(
        prompt_of(point.Z, m),
        (point.P, point.Q, point.skip),
        words_of(kind),
        point.steps,
        point.steps.shape[-2],
        Z_bar,
        threads,
    )
    return Point(Z, P, Q, skip, steps)


def start(kind: Kind, seed: int, n: int, D: int, T: int, **sizes: int) -> tuple[Point, Any, Any]:
    """A point, the adjoint of its result, and the generator."""
    rng = np.random.default_rng(seed)
    point = literal.random_point(rng, n, D, T, **sizes)
    if kind.update == "targets":
        point = literal.of_targets(point)
    return point, rng.standard_normal(point.Z.shape), rng


def by_complex_step(point: Point, kind: Kind, Z_bar: Any, m: int = 1) -> Point:
    """The gradient of <Z(T), Z_bar>, entry by entry."""
    found = []
    for number, array in enumerate(point):
        bar = np.empty_like(array)
        for index in np.ndindex(array.shape):
            moved = [a.astype(complex) for a in point]
            moved[number][index] += 1e-40j
            bar[index] = np.sum(literal.run(Point(*moved), kind, m) * Z_bar).imag / 1e-40
        found.append(bar)
    return Point(*found)


def check_adjoint(
    point: Point,
    kind: Kind,
    w: Any,
    rng: Any,
    m: int = 1,
    tolerance: float = 3e-14,
    dtype: Any = np.longdouble,
) -> None:
    """<J v, w> = <v, Jᵀ w> for v in each of Z, P, Q, skip and the steps."""
    found = gradient(point, kind, w, m)
    exact = Point(*(a.astype(dtype) for a in point))
    for number, bar in enumerate(found):
        v = [np.zeros(a.shape, dtype) for a in point]
        v[number] = rng.standard_normal(bar.shape).astype(dtype)
        Jv = literal.tangent(exact, Point(*v), kind, m)
        scale = np.linalg.norm(bar) * np.linalg.norm(v[number].astype(float))
        assert abs(np.sum(bar * v[number]) - np.sum(Jv * w)) <= tolerance * scale


def check_close(found: Point, expected: Point, tolerance: float = 1e-11) -> None:
    for name, a, b in zip(Point._fields, found, expected, strict=True):
        scale = np.abs(b).max(initial=0) + np.abs(expected.Z).max(initial=0)
        assert a.shape == b.shape, name
        assert np.abs(a - b).max(initial=0) <= tolerance * scale, name


# ---- every entry ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_every_entry_is_that_of_the_complex_step(kind: Kind) -> None:
    for seed, (n, L, H) in enumerate([(4, 2, 2), (9, 1, 1)]):
        point, Z_bar, _ = start(kind, seed, n, 3, 2, L=L, H=H)
        check_close(gradient(point, kind, Z_bar), by_complex_step(point, kind, Z_bar))


@pytest.mark.parametrize("kind", KINDS[::4], ids="-".join)
def test_mean_divides_the_step(kind: Kind) -> None:
    mean = kind._replace(scale="mean")
    point, Z_bar, _ = start(kind, 3, 5, 4, 3)
    check_close(gradient(point, mean, Z_bar), by_complex_step(point, mean, Z_bar))


def test_finite_differences_of_the_compiled_loops() -> None:
    """The function that is differentiated is the one that core.looped computes."""
    for kind in (Kind("softmax"), Kind("linear", "all"), Kind("exp", "all", "causal")):
        point, Z_bar, rng = start(kind, 5, 12, 4, 3, L=2)
        direction = Point(*(rng.standard_normal(a.shape) for a in point))

        def result(step: float, at: Any, to: Any, k: Kind, bar: Any) -> Any:
            Z, P, Q, skip, steps = at.along(to, step)
            end, _ = core.looped(
                prompt_of(Z), (P, Q, skip), words_of(k), steps, 3, [3], False, None
            )
            return np.sum(end[0] * bar)

        h = 1e-6
        found = gradient(point, kind, Z_bar).dot(direction)
        above, below = (result(x, point, direction, kind, Z_bar) for x in (h, -h))
        assert found == pytest.approx((above - below) / (2 * h), rel=1e-7)


# ---- both layouts, all paths ---------------------------------------------------------------------


@pytest.mark.parametrize(("D", "n"), SHAPES)
@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_the_adjoint_identity_holds(kind: Kind, D: int, n: int) -> None:
    point, w, rng = start(kind, D + n, n, D, 3, L=2, H=2)
    check_adjoint(point, kind, w, rng)


@pytest.mark.parametrize("kind", [k for k in KINDS if k.mask == "context"], ids="-".join)
def test_several_queries(kind: Kind) -> None:
    if kind.normalize == "all":
        point, Z_bar, _ = start(kind, 1, 4, 3, 2, m=3)
        with pytest.raises(ValueError, match="queries: expected 1"):
            gradient(point, kind, Z_bar, m=3)
        return
    for D, n in ((3, 6), (5, 40), (33, 40)):
        point, w, rng = start(kind, n, n, D, 2, m=7)
        check_adjoint(point, kind, w, rng, m=7)


@pytest.mark.parametrize(
    ("update", "mask"), [("query", "context"), ("query", "all"), ("all", "all")]
)
def test_sums_over_many_keys(update: str, mask: str) -> None:
    """Where the sums over the keys take the place of the keys, many rows of them."""
    kind = Kind("linear", update, mask)
    for D in (5, 33):
        point, w, rng = start(kind, 2, 300, D, 4, H=2)
        check_adjoint(point, kind, w, rng, tolerance=3e-13, dtype=float)


@pytest.mark.parametrize(
    ("kind", "n", "D", "T"),
    [
        (Kind("softmax", "all"), 39, 3, 2300),
        (Kind("linear"), 40, 30, 9000),
        (Kind("linear", "all"), 60, 20, 700),
    ],
)
def test_many_loops_are_recomputed_from_some(kind: Kind, n: int, D: int, T: int) -> None:
    """More states than are kept: with eight prompts a lane they would take more than 16 MiB."""
    rng = np.random.default_rng(8)
    point = literal.random_point(rng, n, D, 1)
    point = point._replace(
        P=np.eye(D)[None, None], Q=np.eye(D)[None, None], skip=np.eye(D), steps=np.full((T, 1), 0.1)
    )
    point = point._replace(steps=point.steps / T)
    check_adjoint(
        point, kind, rng.standard_normal(point.Z.shape), rng, tolerance=1e-12, dtype=float
    )


# ---- batches -------------------------------------------------------------------------------------

BATCHED = [
    Kind("softmax"),
    Kind("softmax", "all", "causal"),
    Kind("relu", "all"),
    Kind("linear"),
    Kind("linear", "all", "all"),
]


@pytest.mark.parametrize("D", [5, 33])
@pytest.mark.parametrize("kind", BATCHED, ids="-".join)
def test_a_batch_is_its_prompts(kind: Kind, D: int) -> None:
    rng = np.random.default_rng(7)
    B, n, T = 11, 20, 3
    point, _, _ = start(kind, 1, n, D, T)
    Z = rng.standard_normal((B, n + 1, D)) / np.sqrt(D)
    steps = point.steps * rng.uniform(0.5, 1, (B, 1, 1))
    Z_bar = rng.standard_normal(Z.shape)
    together = gradient(point._replace(Z=Z, steps=steps), kind, Z_bar)
    alone = [gradient(point._replace(Z=Z[b], steps=steps[b]), kind, Z_bar[b]) for b in range(B)]
    for b in range(B):
        np.testing.assert_array_equal(together.Z[b], alone[b].Z)
        np.testing.assert_array_equal(together.steps[b], alone[b].steps)
    for name in ("P", "Q", "skip"):
        expected = sum(getattr(p, name) for p in alone)
        np.testing.assert_allclose(getattr(together, name), expected, rtol=0, atol=1e-13 * B)


@pytest.mark.parametrize("D", [4, 33])
@pytest.mark.parametrize("kind", BATCHED, ids="-".join)
def test_any_number_of_threads_has_the_same_bits(kind: Kind, D: int) -> None:
    rng = np.random.default_rng(9)
    point, _, _ = start(kind, 1, 7, D, 2)
    B = 1500 if D == 4 else 300
    Z = rng.standard_normal((B, 8, D)) / np.sqrt(D)
    point = point._replace(Z=Z)
    Z_bar = rng.standard_normal(Z.shape)
    one = gradient(point, kind, Z_bar, threads=1)
    for threads in (2, 3, 8):
        for a, b in zip(one, gradient(point, kind, Z_bar, threads=threads), strict=True):
            np.testing.assert_array_equal(a, b)


def test_sums_of_large_weights_take_turns() -> None:
    """The sums of 130 prompts are 65 or more, of which a few stand in memory at a time."""
    D, B = 300, 130
    rng = np.random.default_rng(4)
    weights = rng.standard_normal((2, 1, 1, D, D)) / D
    Z, Z_bar = rng.standard_normal((2, B, 2, D)) / np.sqrt(D)
    point = Point(Z, *weights, np.eye(D), np.full((1, 1), 0.1))
    one = gradient(point, Kind("softmax"), Z_bar, threads=1)
    two = gradient(point, Kind("softmax"), Z_bar, threads=2)
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)
    # One key has the weight 1: q' = q − η x P.
    expected = -0.1 * Z[:, 0].T @ Z_bar[:, 1]
    np.testing.assert_allclose(one.P[0, 0], expected, rtol=0, atol=1e-15 * B)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX resources")
def test_sums_of_large_weights_are_few() -> None:
    program = """
        import resource
        import numpy as np
        import loopcore
        D = 700
        model = loopcore.LoopedTransformer(np.eye(D), np.eye(D), 0.1, attention="softmax")
        Z = np.ones((64, 2, D))
        pullback = model.vjp(Z, 1, num_threads=2)[1]
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        pullback(Z)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
        """
    words = [sys.executable, "-c", textwrap.dedent(program)]
    output = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(output) * unit < 400e6  # 64 sums of P̄, Q̄ and skip bars alone would take 750 MB


@pytest.mark.parametrize("D", [5, 41])
@pytest.mark.parametrize(
    "kind",
    [
        Kind("softmax", "all"),
        Kind("softmax", "all", "causal", "all"),
        Kind("relu", "all", "all"),
        Kind("exp", "targets", "context"),
        Kind("softmax", "query", "all"),
    ],
    ids="-".join,
)
def test_a_team_undoes_a_large_prompt(kind: Kind, D: int) -> None:
    """In parts of its rows, whose adjoints of the keys and the weights are added up."""
    n, T = 400, 2
    point, w, rng = start(kind, 4, n, D, T, L=2, H=2)
    check_adjoint(point, kind, w, rng, tolerance=3e-13, dtype=float)
    one = gradient(point, kind, w, threads=1)
    for threads in (2, 3, 8):
        for a, b in zip(one, gradient(point, kind, w, threads=threads), strict=True):
            np.testing.assert_array_equal(a, b)
    few = point._replace(Z=np.stack([point.Z, -point.Z, 0.5 * point.Z]))
    Z_bar = rng.standard_normal(few.Z.shape)
    expected = gradient(few, kind, Z_bar, threads=1)
    for threads in (2, 3):
        for a, b in zip(expected, gradient(few, kind, Z_bar, threads=threads), strict=True):
            np.testing.assert_array_equal(a, b)


def test_prompts_that_are_broadcast_and_strided() -> None:
    kind = Kind("softmax", "all")
    rng = np.random.default_rng(2)
    point, _, _ = start(kind, 1, 6, 4, 2)
    Z = np.asfortranarray(rng.standard_normal((7, 4, 3)).astype(np.float32)).transpose(2, 0, 1)
    steps = rng.uniform(0.1, 0.2, (5, 1, 2, 1))
    Z_bar = np.broadcast_to(rng.standard_normal((7, 4)), (5, 3, 7, 4))
    found = gradient(point._replace(Z=Z, steps=steps), kind, Z_bar)
    assert found.Z.shape == (5, 3, 7, 4)
    assert found.Z.dtype == np.float32
    assert found.steps.shape == (5, 3, 2, 1)
    total = np.zeros((1, 1, 4, 4))
    for i in range(5):
        for j in range(3):
            one = point._replace(Z=Z[j].astype(float), steps=steps[i, 0])
            alone = gradient(one, kind, Z_bar[i, j])
            np.testing.assert_array_equal(found.Z[i, j], alone.Z.astype(np.float32))
            np.testing.assert_array_equal(found.steps[i, j], alone.steps)
            total += alone.P
    np.testing.assert_allclose(found.P, total, atol=1e-13)


def test_nothing_to_do() -> None:
    for kind in KINDS:
        point, Z_bar, _ = start(kind, 1, 4, 3, 0)
        found = gradient(point, kind, Z_bar)
        np.testing.assert_array_equal(found.Z, Z_bar)
        for bar in found[1:4]:
            np.testing.assert_array_equal(bar, 0)
        empty = point._replace(Z=np.empty((0, 5, 3)), steps=np.ones((2, 1)))
        found = gradient(empty, kind, np.empty((0, 5, 3)))
        assert found.Z.shape == (0, 5, 3)
        assert found.steps.shape == (0, 2, 1)
        np.testing.assert_array_equal(found.P, 0)


def test_a_nan_stays_in_its_prompt() -> None:
    for kind in BATCHED:
        rng = np.random.default_rng(2)
        point, _, _ = start(kind, 1, 6, 4, 2)
        Z = rng.standard_normal((9, 7, 4))
        Z_bar = rng.standard_normal(Z.shape)
        clean = gradient(point._replace(Z=Z), kind, Z_bar)
        broken = Z.copy()
        broken[4, 2, 1] = np.nan
        found = gradient(point._replace(Z=broken), kind, Z_bar)
        others = np.arange(9) != 4
        np.testing.assert_array_equal(found.Z[others], clean.Z[others])
        assert np.isnan(found.Z[4]).any()
        assert np.isnan(found.P).any()


def test_scores_that_would_overflow() -> None:
    """Softmax of scores beyond the range of exp; and exp where the hidden key alone overflows."""
    point, Z_bar, _ = start(Kind("softmax"), 1, 6, 4, 1)
    large = point._replace(Q=1e5 * point.Q)
    found = gradient(large, Kind("softmax"), Z_bar)
    assert all(np.isfinite(bar).all() for bar in found)
    check_close(found, by_complex_step(large, Kind("softmax"), Z_bar), 1e-9)
    Z = np.zeros((4, 2))
    Z[-1] = 30.0
    hidden = Point(Z, np.ones((1, 1, 2, 2)), np.ones((1, 1, 2, 2)), np.eye(2), np.ones((1, 1)))
    found = gradient(hidden, Kind("exp", "all"), np.ones((4, 2)))
    assert all(np.isfinite(bar).all() for bar in found)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(
    ("kind", "n", "T"),
    [
        (Kind("softmax"), 40, 10**8),
        (Kind("softmax", "all"), 3000, 3000),
        (Kind("linear"), 40, 10**8),
        (Kind("linear", "all"), 40, 10**8),
    ],
)
def test_ctrl_c_is_answered(kind: Kind, n: int, T: int) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    point, Z_bar, _ = start(kind, 1, n, 5, 1)
    Z, *weights, steps = point
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    begin = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            core.looped_vjp(prompt_of(Z), weights, words_of(kind), steps, T, Z_bar, None)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - begin < 3  # all loops take minutes


def test_bad_arguments_are_named() -> None:
    point, Z_bar, _ = start(Kind(), 1, 4, 3, 2)
    with pytest.raises(ValueError, match=r"Z_bar: expected the shape of Z\(T\), \(5, 3\), got"):
        gradient(point, Kind(), Z_bar[:3])
    with pytest.raises(ValueError, match=r"Z_bar: expected the shape of Z\(T\), \(5, 3\), got"):
        gradient(point, Kind(), np.zeros((2, 5, 3)))
    with pytest.raises(TypeError, match="Z_bar: expected real numbers"):
        gradient(point, Kind(), Z_bar + 1j)
    with pytest.raises(ValueError, match="num_threads"):
        gradient(point, Kind(), Z_bar, threads=0)


# ---- the gradient of a model ---------------------------------------------------------------------


def draw_model(**words: Any) -> loopcore.LoopedTransformer:
    point, _, _ = start(Kind(), 1, 6, 4, 2, L=2, H=1)
    given = {"attention": "softmax", "update": "all", "skip": point.skip} | words
    return loopcore.LoopedTransformer(point.P, point.Q, **given)


def moved_model(model: loopcore.LoopedTransformer, name: str, step: Any) -> Any:
    """The model with a parameter moved."""
    names = ("P", "Q", "skip", "eta", "schedule", "attention", "update")
    given = {name: getattr(model, name) for name in names}
    return loopcore.LoopedTransformer(**given | {name: given[name] + step})


def slope(model: Any, name: str, Z: Any, Z_bar: Any, to: Any, T: int = 3) -> float:
    """The derivative of <Z(T), Z_bar> by an attribute along `to`, by differences."""
    h = 1e-6

    def value(step: float) -> float:
        if name == "Z":
            return float(np.sum(model(Z + step * to, T) * Z_bar))
        return float(np.sum(moved_model(model, name, step * to)(Z, T) * Z_bar))

    return (value(h) - value(-h)) / (2 * h)


@pytest.mark.parametrize("update", ["query", "all"])
@pytest.mark.parametrize("steps", ["eta", "schedule"])
def test_the_gradient_has_the_shapes_that_were_given(steps: str, update: str) -> None:
    rng = np.random.default_rng(4)
    given = {"eta": (5, 1, 2), "schedule": (5, 1, 4, 2)}[steps]
    model = draw_model(**{steps: rng.uniform(0.1, 0.2, given)}, update=update)
    Z = rng.standard_normal((3, 7, 4))
    value, pullback = model.vjp(Z, 3)
    np.testing.assert_array_equal(value, model(Z, 3))
    Z_bar = rng.standard_normal(value.shape)
    found = pullback(Z_bar)
    assert isinstance(found, ModelGradient)
    other = "schedule" if steps == "eta" else "eta"
    assert getattr(found, other) is None
    for name in ("P", "Q", "skip", "Z", steps):
        bar = getattr(found, name)
        array = Z if name == "Z" else getattr(model, name)
        assert bar.shape == array.shape, name
        to = rng.standard_normal(array.shape)
        expected = slope(model, name, Z, Z_bar, to)
        assert np.sum(bar * to) == pytest.approx(expected, rel=1e-6, abs=1e-8), name
    if steps == "schedule":
        np.testing.assert_array_equal(found.schedule[..., 3:, :], 0)  # loops beyond T
    again = pullback(2 * Z_bar)
    np.testing.assert_array_equal(again.P, 2 * found.P)


def test_targets_have_gradients_where_they_may_have_weights() -> None:
    kind = Kind("softmax", "targets")
    point, Z_bar, _ = start(kind, 3, 5, 4, 2)
    words = {"attention": "softmax", "update": "targets", "skip": point.skip}
    model = loopcore.LoopedTransformer(point.P, point.Q, schedule=point.steps, **words)
    found = model.vjp(point.Z, 2)[1](Z_bar)
    whole = by_complex_step(point, kind, Z_bar)
    assert found.P[0, 0, -1, -1] == pytest.approx(whole.P[0, 0, -1, -1], rel=1e-12)
    assert np.count_nonzero(found.P) == 1
    np.testing.assert_allclose(found.Q[..., :-1, :-1], whole.Q[..., :-1, :-1], atol=1e-13)
    assert np.count_nonzero(found.Q) == 9
    np.testing.assert_allclose(found.skip[:, -1], whole.skip[:, -1], atol=1e-13)
    assert np.count_nonzero(found.skip) == 4
    np.testing.assert_allclose(found.Z, whole.Z, atol=1e-13)


def test_the_pullback_is_that_of_the_prompt_at_the_call() -> None:
    model = draw_model(eta=0.1)
    Z = np.random.default_rng(1).standard_normal((7, 4))
    expected = model.vjp(Z, 3)[1](np.ones((7, 4)))
    _, pullback = model.vjp(Z, 3)
    Z[:] = np.nan
    np.testing.assert_array_equal(pullback(np.ones((7, 4))).Z, expected.Z)


@pytest.mark.parametrize("update", ["query", "all", "targets"])
def test_gradients_are_aligned(update: str) -> None:
    P, Q = np.diag([0.0, 0, 0, 0, 2]), np.diag([1.0, 1, 1, 1, 0])
    for layers in (1, 3):  # arrays of 25 and of 75 numbers
        weights = {"P": np.stack([P] * layers), "Q": np.stack([Q] * layers), "skip": np.eye(5)}
        model = loopcore.LoopedTransformer(**weights, eta=0.1, update=update)
        found = model.vjp(np.ones((6, 5)), 2)[1](np.ones((6, 5)))
        for name in ("P", "Q", "skip", "Z"):
            assert getattr(found, name).ctypes.data % 64 == 0, name
            assert getattr(found, name).flags.writeable, name


def test_steps_that_adapt_are_refused() -> None:
    for eta in (None, "optimal"):
        with pytest.raises(ValueError, match=r"eta: expected numbers or a schedule.*pass eta="):
            loopcore.models.gradient_descent(3, eta=eta).vjp(np.ones((3, 4)), 2)


@pytest.mark.parametrize("pickled", [False, True])
@pytest.mark.parametrize(
    ("P_shape", "eta"), [((4, 4), 0.1), ((2, 4, 4), [0.1, 0.2]), ((2, 3, 4, 4), [[0.1], [0.2]])]
)
def test_a_model_gives_gradients_in_the_shapes_of_its_arguments(P_shape, eta, pickled) -> None:
    rng = np.random.default_rng(8)
    P, Q = rng.standard_normal((2, *P_shape)) / 4
    Z = rng.standard_normal((2, 6, 4))
    model = loopcore.LoopedTransformer(P, Q, eta, update="all")
    value, pullback = (pickle.loads(pickle.dumps(model)) if pickled else model).vjp(Z, 3)
    np.testing.assert_array_equal(value, model(Z, 3))
    found = pullback(np.ones_like(value))
    assert found.P.shape == found.Q.shape == P_shape
    assert found.eta.shape == np.shape(eta)
    assert found.Z.shape == Z.shape
    assert found.skip is None
    assert found.schedule is None
    h = 1e-6
    P_bar = rng.standard_normal(P_shape)
    ends = [
        loopcore.LoopedTransformer(P + s * P_bar, Q, eta, update="all")(Z, 3).sum() for s in (h, -h)
    ]
    assert np.sum(found.P * P_bar) == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-6)
    steps = np.asarray(eta)
    ends = [loopcore.LoopedTransformer(P, Q, steps + s, update="all")(Z, 3).sum() for s in (h, -h)]
    assert found.eta.sum() == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-6)


# ---- a peer --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("attention", "update"), [("softmax", "query"), ("linear", "all")])
def test_the_gradient_is_that_of_jax(attention: str, update: str) -> None:
    jax = pytest.importorskip("jax")
    jnp = jax.numpy
    kind = Kind(attention, update)
    n, T = 15, 4
    point, Z_bar, rng = start(kind, 6, n, 6, T)
    Z = rng.standard_normal((10, n + 1, 6)) / 3
    Z_bar = rng.standard_normal(Z.shape)

    def value(Z: Any, P: Any, Q: Any, skip: Any, steps: Any) -> Any:
        for t in range(T):
            s = Z @ Q[0, 0] @ Z.swapaxes(1, 2)[..., :n]  # (B, n + 1, n)
            w = jax.nn.softmax(s) if attention == "softmax" else s
            moved = Z @ skip - steps[t, 0] * (w @ Z[:, :n] @ P[0, 0])
            Z = moved if update == "all" else jnp.concatenate([Z[:, :n], moved[:, n:]], 1)
        return jnp.sum(Z * Z_bar)

    with jax.enable_x64(True):
        expected = jax.grad(value, (0, 1, 2, 3, 4))(Z, *(jnp.asarray(a) for a in point[1:]))
    found = gradient(point._replace(Z=Z), kind, Z_bar)
    found = found._replace(steps=found.steps.sum(0))
    check_close(found, Point(*(np.asarray(a) for a in expected)), 1e-12)
