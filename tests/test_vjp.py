"""The reverse mode of run: against longdouble, differences, JAX, and itself."""

from __future__ import annotations

import tracemalloc
import warnings
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

import loopcore
from bits import assert_same_bits
from exact import LD, needs_extended_precision
from strategies import LAYOUTS

Array = NDArray[Any]
T = 24
# In lanes, also d = 4, known when compiled, and more rows than are packed at once; from d = 33 on,
# and from n = 4097 on, one by one; n < d.
SHAPES = [
    (20, 4),
    (1, 1),
    (7, 5),
    (40, 20),
    (3, 9),
    (130, 32),
    (60, 40),
    (5, 37),
    (5000, 3),
    (300, 70),
]
KINDS = ["none", "eta", "schedule"]
SCALES = ["sum", "mean"]


class Case(NamedTuple):
    """One call, and a cotangent of its value."""

    arguments: dict[str, Any]  # X, y, alpha, q0, and eta or schedule
    T: int
    scale: str
    v_bar: Array

    def vjp(self, **changed: Any) -> tuple[Array, Any]:
        """Return what vjp returns."""
        given = self.arguments | changed
        prompt = [given.pop(name) for name in ("X", "y", "alpha")]
        return loopcore.vjp(*prompt, self.T, scale=self.scale, **given)

    def gradient(self, **changed: Any) -> loopcore.Gradient:
        """Return the gradient for v_bar."""
        return self.vjp(**changed)[1](self.v_bar)

    def moved(self, direction: dict[str, Array], step: float) -> Array:
        """Return the value of run at the arguments + step · direction."""
        given = {name: a + step * direction[name] for name, a in self.arguments.items()}
        prompt = [given.pop(name) for name in ("X", "y", "alpha")]
        return loopcore.run(*prompt, self.T, scale=self.scale, **given)

    def of_task(self, i: int) -> Case:
        """Return the i-th task alone, of a case with one leading axis."""
        arguments = {name: a[i] for name, a in self.arguments.items()}
        return Case(arguments, self.T, self.scale, self.v_bar[i])


def case(
    rng: np.random.Generator,
    lead: tuple[int, ...],
    shape: tuple[int, int],
    kind: str = "eta",
    scale: str = "sum",
    loops: int = T,
) -> Case:
    """Return a Gaussian case whose steps lie in (0.3, 1.5) / λ_max, so that nothing grows."""
    n, d = shape
    X = rng.normal(size=(*lead, n, d))
    arguments = {
        "X": X,
        "y": rng.normal(size=(*lead, n)),
        "alpha": np.asarray(rng.normal(size=lead)),
        "q0": rng.normal(size=(*lead, d)),
    }
    largest = np.linalg.norm(X, 2, axis=(-2, -1)) ** 2 / (n if scale == "mean" else 1)
    if kind == "eta":
        arguments["eta"] = np.asarray(rng.uniform(0.3, 1.5, size=lead) / largest)
    elif kind == "schedule":
        arguments["schedule"] = rng.uniform(0.3, 1.5, size=(*lead, loops)) / largest[..., None]
    return Case(arguments, loops, scale, rng.normal(size=(*lead, d)))


# The truth: loops of one task in extended precision -----------------------------------------------


class Loops(NamedTuple):
    """The forward loops of one task in extended precision, with h_t of the loop on XᵀX as it is."""

    X: Array  # (n, d)
    y: Array  # (n,)
    alpha: Any
    factor: Any  # h_t / η_t
    h: Array  # (T,)
    q: Array  # (T + 1, d)

    @classmethod
    def of(cls, case: Case) -> Loops:
        """Run the loops."""
        X, y, alpha, q0 = (case.arguments[name].astype(LD) for name in ("X", "y", "alpha", "q0"))
        factor = LD(1) / len(y) if case.scale == "mean" else LD(1)
        if "schedule" in case.arguments:
            h = factor * case.arguments["schedule"].astype(LD)
        elif "eta" in case.arguments:
            h = factor * np.full(case.T, case.arguments["eta"], LD)
        else:
            h = np.full(case.T, 1 / top_eigenpair(X)[0], LD)
        q = [q0]
        for t in range(case.T):
            q.append(q[t] - h[t] * (X.T @ (X @ q[t] + alpha * y)))
        return cls(X, y, alpha, factor, h, np.array(q))


def top_eigenpair(X: Array) -> tuple[Any, Array]:
    """Return λ_max and its unit eigenvector u of XᵀX, sharpened by Newton steps in longdouble."""
    _, V = np.linalg.eigh((X.T @ X).astype(float))
    S, u = X.T @ X, V[:, -1].astype(LD)
    for _ in range(6):
        u /= np.sqrt(u @ u)
        lam = u @ S @ u
        # The correction solves (S − λ) s = −(S u − λ u) on the complement of u.
        M = (S - lam * np.eye(len(u)) + lam * np.outer(u, u)).astype(float)
        s = np.linalg.solve(M, (S @ u - lam * u).astype(float))
        u = u - (s - u * (u @ s))
    u /= np.sqrt(u @ u)
    return u @ S @ u, u


def reverse(case: Case) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the gradient of one task, by the loops undone on X itself, and the size of its terms.

    The sizes are what the rounding of each is judged by: norms of the terms that are summed.
    """
    loops = Loops.of(case)
    X, y, alpha, factor, h, q = loops
    lam = -case.v_bar.astype(LD)
    X_bar, y_bar, alpha_bar = np.zeros_like(X), np.zeros_like(y), LD(0)
    h_bar = np.zeros(case.T, LD)
    norm = np.linalg.norm
    size_X, size_y, size_h = LD(0), LD(0), np.zeros(case.T, LD)
    n_X, n_y = norm(X.astype(float), 2), norm(y)
    for t in reversed(range(case.T)):
        r = X @ q[t] + alpha * y  # (n,), what the query row attends to
        p = X @ lam  # (n,)
        h_bar[t] = -p @ r
        X_bar -= h[t] * (np.outer(p, q[t]) + np.outer(r, lam))
        y_bar -= h[t] * alpha * p
        alpha_bar -= h[t] * (p @ y)
        drive = n_X * norm(q[t]) + abs(alpha) * n_y
        size_X += h[t] * norm(lam) * (n_X * norm(q[t]) + drive)
        size_y += h[t] * norm(lam)
        size_h[t] = n_X * norm(lam) * drive
        lam = lam - h[t] * (X.T @ p)
    gradient = {"X": X_bar, "y": y_bar, "alpha": alpha_bar, "q0": lam}
    size = {
        "X": size_X,
        "y": abs(alpha) * n_X * size_y,
        "alpha": n_X * n_y * size_y,
        "q0": norm(lam) + norm(case.v_bar),
    }
    if "schedule" in case.arguments:
        gradient["schedule"], size["schedule"] = factor * h_bar, factor * norm(size_h)
    elif "eta" in case.arguments:
        gradient["eta"], size["eta"] = factor * h_bar.sum(), factor * size_h.sum()
    elif case.T:
        largest, u = top_eigenpair(X)
        gradient["X"] -= 2 / largest**2 * h_bar.sum() * np.outer(X @ u, u)
        second = np.linalg.eigvalsh((X.T @ X).astype(float))[-2] if len(u) > 1 else 0
        # u is known to u λ / gap.
        size["X"] += 2 * n_X / largest**2 * size_h.sum() * largest / (largest - second)
    return gradient, size


@needs_extended_precision
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gradients_are_those_of_the_loops_undone_in_extended_precision(rng, shape, kind, scale):
    # Each term of a sum carries the rounding of its q_t and λ_t, at most a few T u where nothing
    # grows; 0.32 T u of all terms is the most that was measured.
    cases = case(rng, (11,), shape, kind, scale)
    gradient = cases.gradient()
    for i in range(11):
        expected, size = reverse(cases.of_task(i))
        for name, value in expected.items():
            error = np.linalg.norm(np.asarray(getattr(gradient, name)[i] - value, float))
            assert error <= 4 * T * 2.0**-53 * size[name], (name, error / (2.0**-53 * size[name]))


def test_value_is_that_of_run_to_the_last_bit(rng):
    for shape in SHAPES:
        for kind in KINDS:
            cases = case(rng, (3,), shape, kind)
            zero = {name: 0 * a for name, a in cases.arguments.items()}
            assert_same_bits(cases.vjp()[0], cases.moved(zero, 0))


# Independent derivatives -------------------------------------------------------------------------


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "shape", [(20, 4), (40, 20), (3, 9), (60, 40), (5, 37), (5000, 3)], ids=str
)
def test_central_differences_of_run(rng, shape, kind, scale):
    cases = case(rng, (4,), shape, kind, scale)
    gradient = cases.gradient()
    for name, a in cases.arguments.items():
        direction = {other: np.zeros(b.shape) for other, b in cases.arguments.items()}
        direction[name] = rng.normal(size=a.shape) * (np.abs(a).mean() + 1e-30)
        # An error of ε² and one of u / ε: ε = 1e-5 leaves 1e-10 of the third derivative.
        slope = cases.moved(direction, 1e-5) - cases.moved(direction, -1e-5)
        expected = (cases.v_bar * slope).sum(-1) / 2e-5  # (4,)
        terms = getattr(gradient, name) * direction[name]
        found = terms.reshape(4, -1).sum(-1)
        scale_of_terms = np.abs(terms).reshape(4, -1).sum(-1) + np.abs(cases.v_bar).sum(-1)
        np.testing.assert_array_less(np.abs(found - expected), 1e-6 * scale_of_terms)


@pytest.mark.parametrize("kind", ["eta", "schedule"])
@pytest.mark.parametrize("shape", [(6, 4), (3, 5), (5, 34)], ids=str)
def test_complex_steps_of_the_literal_loop(rng, shape, kind):
    one = case(rng, (), shape, kind, loops=7)
    gradient = one.gradient()

    def value(given: dict[str, Array]) -> Any:
        q = given["q0"] + 0j
        for t in range(one.T):
            step = given["schedule"][t] if kind == "schedule" else given["eta"]
            q = q - step * (given["X"].T @ (given["X"] @ q + given["alpha"] * given["y"]))
        return one.v_bar @ -q

    tiny = 1e-100  # no difference is taken, so the slope has all its digits
    for name, a in one.arguments.items():
        found = np.asarray(getattr(gradient, name))
        expected = np.zeros(a.shape)
        for index in np.ndindex(a.shape):
            moved = np.array(a, complex)
            moved[index] += 1j * tiny
            expected[index] = value(one.arguments | {name: moved}).imag / tiny
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12 * np.abs(expected).max())


@needs_extended_precision
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_adjoint_identity_with_tangent_loops(rng, shape, kind):
    """⟨J ẋ, v̄⟩ = ⟨ẋ, Jᵀ v̄⟩, with J ẋ from the loops differentiated forwards."""
    one = case(rng, (), shape, kind)
    X, y, alpha, factor, h, q = Loops.of(one)
    dot = {name: rng.normal(size=a.shape) for name, a in one.arguments.items()}
    h_dot = np.zeros(T, LD)
    if kind == "none":
        largest, u = top_eigenpair(X)
        h_dot[:] = -2 / largest**2 * ((X @ u) @ (dot["X"] @ u))
    else:
        dot[kind] = dot[kind] * np.abs(one.arguments[kind]).max()
        h_dot[:] = factor * dot[kind]
    q_dot = dot["q0"].astype(LD)
    for t in range(T):
        r = X @ q[t] + alpha * y
        r_dot = dot["X"] @ q[t] + X @ q_dot + dot["alpha"] * y + alpha * dot["y"]
        q_dot = q_dot - h_dot[t] * (X.T @ r) - h[t] * (dot["X"].T @ r + X.T @ r_dot)
    forward = -(q_dot @ one.v_bar)
    gradient = one.gradient()
    terms = [(getattr(gradient, name) * dot[name]).ravel() for name in one.arguments]
    backward = sum(term.astype(LD).sum() for term in terms)
    size = sum(np.abs(term).sum() for term in terms)
    assert abs(forward - backward) <= 1e-12 * size


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("kind", KINDS)
def test_jax_agrees(rng, kind, scale):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    jnp = jax.numpy
    cases = case(rng, (3,), (12, 6), kind, scale)

    def loss(given):
        X, y = given["X"], given["y"]
        n = X.shape[-2] if scale == "mean" else 1
        S, b = jnp.einsum("bni,bnj->bij", X, X) / n, jnp.einsum("bni,bn->bi", X, y) / n
        q = given["q0"]
        for t in range(T):
            step = 1 / jnp.linalg.eigvalsh(S)[:, -1] if kind == "none" else given[kind]
            step = step[:, t] if kind == "schedule" else step
            q = q - step[:, None] * (jnp.einsum("bij,bj->bi", S, q) + given["alpha"][:, None] * b)
        return (-q * cases.v_bar).sum()

    expected = jax.grad(loss)({k: jnp.asarray(a) for k, a in cases.arguments.items()})
    for name, value in ((name, np.asarray(a)) for name, a in expected.items()):
        found = getattr(cases.gradient(), name)
        np.testing.assert_allclose(found, value, rtol=1e-9, atol=1e-10 * np.abs(value).max())


# What is given, and what is broadcast ------------------------------------------------------------


def test_what_is_not_given_has_no_gradient(rng):
    one = case(rng, (), (6, 3), "eta")
    X, y = one.arguments["X"], one.arguments["y"]
    for keywords in ({}, {"eta": 0.01}, {"schedule": np.full(5, 0.01)}, {"q0": np.ones(3)}):
        gradient = loopcore.vjp(X, y, 1.5, 5, **keywords)[1](one.v_bar)
        assert isinstance(gradient, loopcore.Gradient)
        assert gradient._fields == ("X", "y", "alpha", "eta", "schedule", "q0")
        for name in ("eta", "schedule", "q0"):
            assert (getattr(gradient, name) is None) == (name not in keywords)
    assert type(gradient.alpha) is np.float64
    without = loopcore.vjp(X, y, 1.5, 5)[1](one.v_bar)
    zero = loopcore.vjp(X, y, 1.5, 5, q0=np.zeros(3))[1](one.v_bar)
    for name in ("X", "y", "alpha"):
        assert_same_bits(np.asarray(getattr(without, name)), np.asarray(getattr(zero, name)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(9, 4), (9, 5), (12, 34)], ids=str)
def test_gradients_of_what_is_broadcast_are_sums_over_tasks(rng, shape, dtype):
    n, d = shape
    tails = {"X": (n, d), "y": (n,), "alpha": (), "q0": (d,), "schedule": (T,), "eta": ()}
    leads = [(), (1,), (6,), (5, 1), (5, 6), (1, 6)]
    for trial in range(24):
        lead = {name: leads[rng.integers(len(leads))] for name in tails}
        full = np.broadcast_shapes(*lead.values())
        given = {name: rng.normal(size=(*lead[name], *tail)) for name, tail in tails.items()}
        for name in ("X", "y", "q0"):
            given[name] = given[name].astype(dtype)
        given["schedule"] = np.abs(given["schedule"]) / (n + d) / 4
        given["eta"] = np.abs(given["eta"]) / (n + d) / 4
        del given["eta" if trial % 3 else "schedule"]
        if trial % 3 == 2:
            del given["schedule"]
            given["q0"] = np.broadcast_to(given["q0"][..., :1], given["q0"].shape)
        full = np.broadcast_shapes(*(lead[name] for name in given))
        v_bar = rng.normal(size=(*full, d))
        each = {
            name: np.broadcast_to(a, (*full, *tails[name])).astype(np.float64)
            for name, a in given.items()
        }
        X, y, alpha = (given.pop(name) for name in ("X", "y", "alpha"))
        gradient = loopcore.vjp(X, y, alpha, T, **given)[1](v_bar)
        X_, y_, alpha_ = (each.pop(name) for name in ("X", "y", "alpha"))
        every = loopcore.vjp(X_, y_, alpha_, T, **each)[1](v_bar)
        for name, argument in {"X": X, "y": y, "alpha": alpha, **given}.items():
            found, term = getattr(gradient, name), getattr(every, name)
            assert found.shape == np.shape(argument)
            assert found.dtype == (dtype if name in {"X", "y", "q0"} else np.float64)
            tail = len(tails[name])
            missing = term.ndim - np.ndim(argument)
            expected = term.sum(tuple(range(missing)))
            axes = tuple(
                k for k in range(expected.ndim - tail) if np.shape(argument)[k] < expected.shape[k]
            )
            expected = expected.sum(axes, keepdims=True)
            np.testing.assert_allclose(
                found,
                expected,
                rtol=0,
                atol=1e-15 * np.abs(term).sum()
                + 1e-7 * (dtype == np.float32) * np.abs(expected).max(),
            )


def test_sums_over_more_tasks_than_wait_at_once(rng):
    # 300 tasks of 160 × 100 numbers on one X are more than a block of 2²² holds.
    X, Y = rng.normal(size=(160, 100)), rng.normal(size=(300, 160))
    v_bar = rng.normal(size=(300, 100))
    pullback = loopcore.vjp(X, Y, 1.0, 3, eta=1e-3)[1]
    together = pullback(v_bar)
    expected = np.zeros_like(X)
    for y, one_bar in zip(Y, v_bar, strict=True):
        expected += loopcore.vjp(X, y, 1.0, 3, eta=1e-3)[1](one_bar).X
    assert_same_bits(together.X, expected)  # one after the other, in their order


def test_one_step_for_all_loops_in_schedule_is_an_eta(rng):
    one = case(rng, (3,), (8, 4), "eta")
    X, y, alpha = (one.arguments[name] for name in ("X", "y", "alpha"))
    eta = one.arguments["eta"]
    expected = loopcore.vjp(X, y, alpha, T, eta=eta)[1](one.v_bar)
    value, pullback = loopcore.vjp(X, y, alpha, T, schedule=eta[:, None])
    assert_same_bits(value, loopcore.run(X, y, alpha, T, schedule=eta[:, None]))
    gradient = pullback(one.v_bar)
    assert gradient.eta is None
    assert_same_bits(gradient.schedule, expected.eta[:, None])
    assert_same_bits(gradient.X, expected.X)
    scalar = loopcore.vjp(X, y, alpha, T, schedule=0.01)[1](one.v_bar).schedule
    assert scalar == loopcore.vjp(X, y, alpha, T, eta=0.01)[1](one.v_bar).eta


# Bits --------------------------------------------------------------------------------------------


def assert_same_gradients(got: loopcore.Gradient, expected: loopcore.Gradient) -> None:
    for a, b in zip(got, expected, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            assert_same_bits(np.asarray(a), np.asarray(b))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_bits_do_not_depend_on_threads_or_place_in_the_batch(rng, shape, kind):
    cases = case(rng, (19,), shape, kind)
    whole = cases.gradient(num_threads=1)
    for num_threads in (2, 3, 8):
        assert_same_gradients(cases.gradient(num_threads=num_threads), whole)
    for i in range(19):
        alone = cases.of_task(i).gradient(num_threads=3)
        assert_same_gradients(alone, loopcore.Gradient(*(a if a is None else a[i] for a in whole)))
    y = {"y": cases.arguments["y"][0], "X": cases.arguments["X"][0]}
    shared = cases.gradient(num_threads=1, **y)
    assert shared.y.shape == y["y"].shape
    assert_same_gradients(cases.gradient(num_threads=5, **y), shared)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(20, 4), (9, 5), (40, 34), (4100, 3)], ids=str)
def test_bits_do_not_depend_on_memory_layout(rng, shape, layout):
    change = LAYOUTS[layout]
    for kind in KINDS:
        cases = case(rng, (5,), shape, kind)
        changed = {name: change(a) for name, a in cases.arguments.items()}
        other = Case(changed, T, "sum", change(cases.v_bar))
        assert_same_gradients(other.gradient(), cases.gradient())


@pytest.mark.parametrize("shape", [(20, 4), (40, 34)], ids=str)
def test_float32_is_storage(rng, shape):
    cases = case(rng, (9,), shape, "schedule")
    short = {
        name: a.astype(np.float32) if name in {"X", "y", "q0"} else a
        for name, a in cases.arguments.items()
    }
    v_bar = cases.v_bar.astype(np.float32)
    found = Case(short, T, "sum", v_bar).gradient()
    long = {name: a.astype(np.float64) for name, a in short.items()}
    expected = Case(long, T, "sum", v_bar).gradient()
    for name in ("X", "y", "q0"):
        assert_same_bits(getattr(found, name), getattr(expected, name).astype(np.float32))
    for name in ("alpha", "schedule"):
        assert_same_bits(getattr(found, name), getattr(expected, name))


def test_integers_have_gradients_in_float64():
    value, pullback = loopcore.vjp([[1, 2], [0, 1]], [1, 1], 2, 3, eta=0.1)
    assert value.dtype == np.float64
    gradient = pullback([1, 0])
    assert gradient.X.shape == (2, 2)
    assert gradient.X.dtype == gradient.y.dtype == np.float64


# Edges -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(6, 4), (5, 35), (0, 3), (0, 40), (4, 0), (0, 0)], ids=str)
@pytest.mark.parametrize("lead", [(), (0,), (3,), (2, 0)], ids=str)
@pytest.mark.parametrize("scale", SCALES)
def test_nothing_to_do(rng, shape, kind, lead, scale):
    n, d = shape
    given = {"q0": rng.normal(size=(*lead, d))}
    for loops in (0, 3):
        if kind != "none":
            given[kind] = np.full(loops if kind == "schedule" else (), 0.01)
        X, y = rng.normal(size=(*lead, n, d)), rng.normal(size=(*lead, n))
        value, pullback = loopcore.vjp(X, y, 2.0, loops, scale=scale, **given)
        v_bar = rng.normal(size=value.shape)
        gradient = pullback(v_bar)
        arguments = {"X": X, "y": y, "alpha": np.asarray(2.0), **given}
        for name, argument in arguments.items():
            found = np.asarray(getattr(gradient, name))
            assert found.shape == argument.shape
            assert np.isfinite(found).all()
            if loops == 0 or n * d == 0:
                np.testing.assert_array_equal(found, -v_bar if name == "q0" else 0 * found)


def test_x_of_zeros_has_no_gradient_through_its_step(rng):
    for shape in [(5, 3), (5, 40)]:
        X, y = np.zeros(shape), rng.normal(size=shape[0])
        v_bar = rng.normal(size=shape[1])
        gradient = loopcore.vjp(X, y, 1.5, T, q0=np.ones(shape[1]))[1](v_bar)
        np.testing.assert_array_equal(gradient.X, np.zeros(shape))
        np.testing.assert_array_equal(gradient.y, np.zeros(shape[0]))
        np.testing.assert_array_equal(gradient.q0, -v_bar)
        # Given a step, X moves v through b = Xᵀ y: X̄ = T η α y v̄ᵀ.
        given = loopcore.vjp(X, y, 1.5, T, eta=0.5)[1](v_bar)
        np.testing.assert_allclose(given.X, T * 0.5 * 1.5 * np.outer(y, v_bar), rtol=1e-14)


def test_a_nan_stays_in_its_own_task(rng):
    for kind in KINDS:
        cases = case(rng, (9,), (8, 5), kind)
        whole = cases.gradient()
        X = cases.arguments["X"].copy()
        X[3, 2, 1] = np.nan
        other = cases.gradient(X=X)
        assert np.isnan(other.X[3]).any()
        for i in [*range(3), *range(4, 9)]:
            for a, b in zip(other, whole, strict=True):
                if a is not None:
                    assert_same_bits(np.asarray(a[i]), np.asarray(b[i]))


def test_eigenvalue_alone_is_what_none_differentiates(rng):
    # An eigenvector that is an axis, and blocks that do not touch each other.
    X = np.diag([3.0, 2.0, 1.0])
    v_bar = rng.normal(size=3)
    gradient = loopcore.vjp(X, [1.0, 2.0, 3.0], 1.0, 4)[1](v_bar).X
    h = 1e-6
    for index in np.ndindex(3, 3):
        E = np.zeros((3, 3))
        E[index] = h
        run = [loopcore.run(X + s * E, [1.0, 2.0, 3.0], 1.0, 4) for s in (1, -1)]
        assert abs((run[0] - run[1]) @ v_bar / (2 * h) - gradient[index]) < 1e-8


# Many loops --------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(6, 3), (40, 34)], ids=str)
def test_many_loops_are_the_chain_of_fewer(rng, shape):
    loops, parts = 10**5 if shape[1] == 3 else 10**4, 10
    cases = case(rng, (2,), shape, "eta", loops=loops)
    X, y, alpha, q0, eta = (cases.arguments[k] for k in ("X", "y", "alpha", "q0", "eta"))
    X = X / 30  # so that the last loops still matter
    eta = eta * 3
    whole = loopcore.vjp(X, y, alpha, loops, q0=q0, eta=eta)[1](cases.v_bar)
    some = loops // parts
    starts = [q0]
    for _ in range(parts - 1):
        starts.append(-loopcore.run(X, y, alpha, some, q0=starts[-1], eta=eta))
    total = dict.fromkeys(("X", "y", "alpha", "eta"), 0.0)
    bar = cases.v_bar
    for start in reversed(starts):
        gradient = loopcore.vjp(X, y, alpha, some, q0=start, eta=eta)[1](bar)
        total = {name: total[name] + getattr(gradient, name) for name in total}
        bar = -gradient.q0
    for name, value in total.items():
        found = getattr(whole, name)
        np.testing.assert_allclose(found, value, rtol=1e-9, atol=1e-10 * np.abs(value).max())
    np.testing.assert_allclose(whole.q0, -bar, rtol=1e-9, atol=1e-10 * np.abs(bar).max())


def test_a_million_loops_keep_their_own_share(rng):
    # x = 1, d = 1: v(T) = α y (1 − (1 − η)^T), every derivative in closed form.
    loops, eta = 10**6, 1e-6
    value, pullback = loopcore.vjp([[1.0]], [2.0], 1.5, loops, eta=eta)
    gradient = pullback([1.0])
    rest = np.exp(loops * np.log1p(-eta))
    np.testing.assert_allclose(value, 3 * (1 - rest), rtol=1e-10)
    np.testing.assert_allclose(gradient.y, [1.5 * (1 - rest)], rtol=1e-10)
    np.testing.assert_allclose(gradient.alpha, 2 * (1 - rest), rtol=1e-10)
    slope = 3 * loops * rest / (1 - eta)
    np.testing.assert_allclose(gradient.eta, slope, rtol=1e-10)
    # v = α y/x (1 − (1 − η x²)^T)
    np.testing.assert_allclose(gradient.X, [[2 * eta * slope - 3 * (1 - rest)]], rtol=1e-9)


# The pullback ------------------------------------------------------------------------------------


def test_pullback_is_linear_and_may_be_called_again(rng):
    cases = case(rng, (4,), (12, 5), "eta")
    _, pullback = cases.vjp()
    other = rng.normal(size=cases.v_bar.shape)
    first, second = pullback(cases.v_bar), pullback(other)
    assert_same_gradients(pullback(cases.v_bar), first)
    both = pullback(2 * cases.v_bar - other)
    for name in ("X", "y", "alpha", "eta", "q0"):
        expected = 2 * getattr(first, name) - getattr(second, name)
        np.testing.assert_allclose(getattr(both, name), expected, rtol=1e-10, atol=1e-12)
    assert all(getattr(first, name).flags.writeable for name in ("X", "y", "q0"))


def test_pullback_belongs_to_what_the_arrays_hold_when_it_is_called(rng):
    cases = case(rng, (), (12, 5), "eta")
    X = cases.arguments["X"].copy()
    _, pullback = cases.vjp(X=X)
    expected = pullback(cases.v_bar)
    X *= 2
    moved = pullback(cases.v_bar)
    assert not np.array_equal(moved.X, expected.X)
    assert_same_gradients(moved, cases.gradient(X=X))


def test_x_is_not_copied():
    many = np.broadcast_to(np.ones((1, 8, 3)), (100_000, 8, 3))  # 19 MB, were it copied
    tracemalloc.start()
    try:
        loopcore.vjp(many[:2], np.ones(8), 1.0, 5, eta=0.01)[1](np.ones((2, 3)))
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_cotangents_must_fit(rng):
    cases = case(rng, (4,), (6, 3), "eta")
    _, pullback = cases.vjp()
    for shape in [(), (3,), (4, 1), (4, 4), (1, 4, 3), (3, 4)]:
        with pytest.raises(
            ValueError, match=r"^v_bar: expected the shape \(4, 3\) of the value, got \("
        ):
            pullback(np.ones(shape))
    for bad in (np.ones((4, 3), complex), np.full((4, 3), "1"), np.full((4, 3), None)):
        with pytest.raises(
            TypeError, match=r"^v_bar: expected real numbers of at most 64 bits, got"
        ):
            pullback(bad)


def test_other_wrong_arguments_are_those_of_run(rng):
    X, y = rng.normal(size=(5, 3)), rng.normal(size=5)
    for eta in ("optimal", "chebyshev", "best"):
        with pytest.raises(ValueError, match=f"^eta: expected None or numbers, got '{eta}'; pass"):
            loopcore.vjp(X, y, 1.0, 4, eta=eta)
    with pytest.raises(ValueError, match=r"^y: expected n = 5"):
        loopcore.vjp(X, y[:4], 1.0, 4)
    with pytest.raises(ValueError, match=r"^T: expected at least 0"):
        loopcore.vjp(X, y, 1.0, -1)
    with pytest.raises(ValueError, match=r"^eta: expected eta or schedule, got both"):
        loopcore.vjp(X, y, 1.0, 4, eta=0.1, schedule=np.ones(4))
    with pytest.raises(TypeError, match=r"^X: expected real numbers"):
        loopcore.vjp(X * 1j, y, 1.0, 4)
    with pytest.raises(ValueError, match=r"^scale: expected one of 'sum', 'mean'"):
        loopcore.vjp(X, y, 1.0, 4, scale="max")


def test_divergence_is_named_once_and_by_the_value(rng):
    X, y = rng.normal(size=(5, 3)), rng.normal(size=5)
    with pytest.warns(loopcore.DivergenceWarning, match="1 of 1 tasks diverged"):
        value, pullback = loopcore.vjp(X, y, 1.0, 5000, eta=2.0)
    assert not np.isfinite(value).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not np.isfinite(pullback(np.ones(3)).X).all()
