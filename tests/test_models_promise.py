"""Every model of `loopcore.models` against its literal matrices in long double.

The error of Z(T), and of what `generate` or `predict` reads from it, is at most 30 max(u, that of
the literal loop in the same precision), on over 10,000 random prompts in each type, about half of
them with fewer than two examples a feature, where XᵀX is ill-conditioned;
`pytest tests/test_models_promise.py -s` prints the largest ratio of each model.
"""

from __future__ import annotations

import numpy as np
import pytest

import exact
import loopcore
from literal_error import draw_orders, literal_error
from loopcore import models, reference
from loopcore._prompts import Prompt

pytestmark = exact.needs_extended_precision

GROUPS = 33
PROMPTS = 16  # 20 models · 33 · 16 = 10,560
QUERIES = 3


def gamma(rng, *shape):
    """Return symmetric positive definite preconditioners, (*shape, d, d)."""
    G = rng.normal(size=(*shape, shape[-1]))
    return np.eye(shape[-1]) + G @ G.swapaxes(-1, -2) / shape[-1]


def largest_eigenvalue(rng, n, d):
    """Return λ_max of another prompt than those that the model runs on."""
    return loopcore.spectrum(rng.normal(size=(n, d))).lambda_max


def chebyshev(rng, n, d, T, update):
    largest = largest_eigenvalue(rng, n, d)
    return models.chebyshev(d, max(T, 1), largest / 20, 1.5 * largest, update=update)


# By (rng, n, d, T).
MODELS = {
    "gradient_descent": lambda rng, n, d, T: models.gradient_descent(d),
    "gradient_descent mean": lambda rng, n, d, T: models.gradient_descent(
        d, eta=0.3 * n / (n + d), scale="mean"
    ),
    "gradient_descent optimal": lambda rng, n, d, T: models.gradient_descent(d, eta="optimal"),
    "gradient_descent targets": lambda rng, n, d, T: models.gradient_descent(d, update="targets"),
    "gradient_descent all": lambda rng, n, d, T: models.gradient_descent(d, update="all"),
    "preconditioned": lambda rng, n, d, T: models.preconditioned(gamma(rng, d)),
    "preconditioned layers": lambda rng, n, d, T: models.preconditioned(gamma(rng, 2, d)),
    "preconditioned targets": lambda rng, n, d, T: models.preconditioned(
        gamma(rng, d), update="targets"
    ),
    "gd_plus_plus": lambda rng, n, d, T: models.gd_plus_plus(
        0.3, d, eta=0.3 / largest_eigenvalue(rng, n, d)
    ),
    "momentum": lambda rng, n, d, T: models.momentum(rng.uniform(0.3, 0.9), d),
    "chebyshev": lambda rng, n, d, T: chebyshev(rng, n, d, T, "query"),
    "chebyshev targets": lambda rng, n, d, T: chebyshev(rng, n, d, T, "targets"),
    "chebyshev all": lambda rng, n, d, T: chebyshev(rng, n, d, T, "all"),
    "newton identity": lambda rng, n, d, T: models.newton(d),
    "newton gram": lambda rng, n, d, T: models.newton(d, m0="gram"),
    **{
        f"kernel {name}": lambda rng, n, d, T, name=name: models.kernel(
            name,
            d,
            eta=0.5 / (n + d),
            **({"bandwidth": 2.0} if name == "rbf" else {"temperature": d}),
        )
        for name in ("linear", "exp", "relu", "softmax", "rbf")
    },
}
# Those that square their own rows in every loop.
FEW_LOOPS = {"gd_plus_plus": 20, "newton identity": 12, "newton gram": 12}


def draw(rng, name, dtype):
    """Return a model, T, and what its read-out is given: X, y, the queries, and their slots."""
    d = rng.integers(1, 11)
    n = rng.integers(1, 3 * d + 9)
    T = min(rng.choice([1, 5, 20, 60]), FEW_LOOPS.get(name, 60))
    model = MODELS[name](rng, n, d, T)
    X = rng.normal(size=(PROMPTS, n, d)).astype(dtype)
    y = (X @ rng.normal(size=(PROMPTS, d, 1)))[..., 0] + rng.choice([0, 0.3]) * rng.normal(size=n)
    if model.update == "query":
        return model, T, X, y.astype(dtype), rng.choice([0, 1]) * X[:, :1], rng.normal(size=PROMPTS)
    xs = rng.normal(size=(PROMPTS, QUERIES, d)).astype(dtype)
    return (
        model,
        T,
        X,
        y.astype(dtype),
        xs,
        rng.choice([0, 1]) * rng.normal(size=(PROMPTS, QUERIES)),
    )


def literal_prompt(model, X, y, queries, slots):
    """Return [[X, y], [queries, slots]] in the tokens of the model, (B, n + m, D)."""
    tokens = model._tokens
    if model.update == "query":
        state, slots = tokens.lift_state(queries), slots[:, None]
    else:
        state = tokens.lift(queries, X)
    rows = np.concatenate([tokens.lift(X, X), state], 1)
    return np.concatenate([rows, np.concatenate([y, slots], 1)[..., None]], -1)


def literal_arguments(model, Z, n, T):
    """Return what `reference.looped` takes, with the steps that the model takes for Z."""
    prompt = Prompt(Z[:, :n, :-1], Z[:, :n, -1], Z[:, n:, :-1], Z[:, n:, -1])
    steps = model._steps(prompt, T)
    given = {"schedule": steps.schedule} if steps.eta is None else {"eta": steps.eta}
    names = ("P", "Q", "skip", "attention", "update", "mask", "normalize")
    return given | {"scale": steps.scale} | {name: getattr(model, name) for name in names}


@pytest.mark.filterwarnings("ignore::loopcore.DivergenceWarning")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", MODELS)
def test_error_is_that_of_the_literal_loop(rng, name, dtype, request):
    u = np.finfo(dtype).eps / 2
    worst = np.zeros(2)
    tested = 0
    while tested < GROUPS * PROMPTS * request.config.getoption("--promise-scale"):
        model, T, X, y, queries, slots = draw(rng, name, dtype)
        n = X.shape[1]
        Z = literal_prompt(model, X, y, queries, slots)
        arguments = literal_arguments(model, Z, n, T)
        generates = model.update == "query"
        arguments["queries"] = 1 if generates else QUERIES

        def read(Z_T, model=model, T=T, X=X, y=y, generates=generates):
            rows = Z_T[:, X.shape[1] :]  # (B, m, D)
            if generates:
                return model._tokens.read_state(rows[:, 0])
            return model._tokens.read_prediction(rows, X, y, T)

        with np.errstate(all="ignore"):  # some blow up
            P, Q = arguments["P"], arguments["Q"]
            rest = {key: value for key, value in arguments.items() if key not in "PQ"}
            want = reference.looped(Z.astype(np.longdouble), P, Q, T, **rest)
            sizes = np.abs(want[:, : n + 1]).max((-1, -2)), np.abs(want[:, n:]).max((-1, -2))
            if name.startswith("newton"):  # which reads Σ_j ⟨ũ, x_j⟩ y_j: the size of its terms
                terms = model._tokens.read_prediction(np.abs(want[:, n:]), np.abs(X), np.abs(y), T)
                sizes = sizes[0], terms.max(-1)

            def error(Z_T, value=None, want=want, sizes=sizes, n=n, read=read):
                """Return those of the prompt with its first query, and of the read-out, (2, B)."""
                value = read(Z_T) if value is None else value
                prompt = np.abs(Z_T[:, : n + 1] - want[:, : n + 1]).max((-1, -2))
                return np.array([prompt / sizes[0], np.abs(value - read(want)).max(-1) / sizes[1]])

            Z = Z.astype(dtype)
            # The examples are a set: which comes first is as little the user's as the channels are.
            orders = draw_orders(rng, model.update, Z.shape[1:], count=4, rows=n)
            literal = literal_error(Z, T, arguments, error, orders)
            if generates:
                value = model.generate(X, y, slots, T, queries[:, 0])
            else:
                value = model.predict(X, y, queries, T, slots)
            got = error(model(Z[:, : n + 1], T), value)
            finite = (np.max(sizes, 0) < np.finfo(dtype).max) & np.isfinite(literal).all(0)
            ratio = (got / np.maximum(u, literal))[:, finite]
        assert (ratio <= 30).all(), f"{ratio.max(-1)} with d={X.shape[-1]}, n={n}, T={T}"
        worst = np.maximum(worst, ratio.max(-1, initial=0))
        tested += int(finite.sum())
    print(f" {tested} prompts, largest errors {worst.round(2)} max(u, literal)", end="")
