"""A million loops and more: the truth in the eigenbasis, contractions that end, divergence."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import exact
import loopcore
from strategies import DTYPES, PATHS, problem
from test_promise import conditioned

MILLION = 10**6


def steps(kind: str, X) -> tuple[dict, np.ndarray]:
    """Return the keyword of a kind of constant step and its value in extended precision, (B,)."""
    if kind.startswith("given"):
        norm_X = np.linalg.norm(X.astype(np.float64), 2, axis=(1, 2))
        eta = float(kind.split()[1]) / norm_X**2
        return {"eta": eta}, eta.astype(np.longdouble)
    eta = None if kind == "none" else kind
    return {"eta": eta}, exact.step_sizes(X, 1, eta)[:, 0]


@exact.needs_extended_precision
@pytest.mark.parametrize("kappa", [None, 1e6])
@pytest.mark.parametrize(("n", "d"), [(12, 4), (4, 9), (50, 40), (7, 40)])
def test_the_truth_in_the_eigenbasis_is_that_of_the_loops(rng, kappa, n, d):
    X, y, alpha, q0 = problem(rng, (3,), n, d)
    X = X if kappa is None else conditioned(rng, 3, n, d, kappa)
    for kind in ("none", "given 0.3", "given 1.9"):
        eta = steps(kind, X)[1]
        far = exact.follow_far(X, y, alpha, 200, eta, q0)
        near = exact.follow(X, y, alpha, np.broadcast_to(eta[:, None], (3, 200)), q0)
        assert exact.ratio(-far.q, near).max() * 2.0**-64 <= 1e-1 * 2.0**-53
        np.testing.assert_allclose(far.S.astype(float), near.S.astype(float), rtol=1e-9)
        np.testing.assert_allclose(far.size.astype(float), near.size.astype(float), rtol=1e-9)


@exact.needs_extended_precision
@pytest.mark.parametrize(
    ("dtype", "kind"),
    [("f8", "none"), ("f8", "given 0.01"), ("f8", "given 1.95"), ("f4", "optimal")],
)
@pytest.mark.parametrize(
    ("n", "d", "kappa"), [(12, 4, None), (9, 9, 1e6), (3, 8, None), (40, 33, None), (5, 33, None)]
)
def test_a_million_loops_keep_the_promise(rng, dtype, kind, n, d, kappa):
    X, y, alpha, q0 = problem(rng, (2,), n, d, dtype)
    X = X if kappa is None else conditioned(rng, 2, n, d, kappa).astype(dtype)
    keyword, eta = steps(kind, X)
    truth = exact.follow_far(X, y, alpha, MILLION, eta, q0)
    for path in PATHS if n * d < 30 else PATHS[1:]:  # a million times through X takes seconds
        v = loopcore.run(X, y, alpha, MILLION, q0=q0, path=path, **keyword)
        assert (exact.ratio(v, truth) <= 30).all(), path
    at = [MILLION // 2, MILLION]
    v = loopcore.trajectory(X, y, alpha, MILLION, at=at, q0=q0, **keyword)
    assert (exact.ratio(v[:, 1], truth) <= 30).all()
    if not isinstance(keyword["eta"], str | None):
        schedule = np.broadcast_to(keyword["eta"][:, None], (2, MILLION))
        v = loopcore.run(X, y, alpha, MILLION, q0=q0, schedule=schedule)
        assert (exact.ratio(v, truth) <= 30).all()


@pytest.mark.parametrize("path", ["auto", "power"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("n", "d"), [(12, 4), (60, 20), (1, 1), (90, 40)])
@pytest.mark.parametrize("loops", [2000, MILLION, MILLION + 1, 2**60 - 1])
def test_a_contraction_towards_zero_arrives(rng, path, dtype, n, d, loops):
    """Powers of A leave the range of float64, whose lower end is slow, and the loops still end."""
    X = np.linalg.qr(rng.normal(size=(5, n, d)))[0].astype(dtype)  # λ = 1 to within rounding
    y, q0 = np.zeros(n, dtype), rng.normal(size=(5, d)).astype(dtype)
    for eta in (0.5, 1.5, [0.5, 0.6, 0.99, 1.01, 1.3], None, "optimal"):
        v = loopcore.run(X, y, 1.0, loops, eta=eta, q0=q0, path=path)
        assert float(np.abs(v).max()) < 1e-300
    # Where it does not go to zero the others arrive just so: v → θ̂, from a mate of any pace.
    y = rng.normal(size=(5, n)).astype(dtype)
    v = loopcore.run(X, y, 1.0, loops, eta=[0.5, 0.6, 0.99, 1.01, 1.3], q0=q0, path=path)
    theta = np.stack(
        [
            np.linalg.lstsq(a.astype("f8"), b.astype("f8"), rcond=None)[0]
            for a, b in zip(X, y, strict=True)
        ]
    )
    np.testing.assert_allclose(v, theta, rtol=0, atol=40 * np.finfo(dtype).eps)


@pytest.mark.parametrize(
    ("path", "n", "d"),
    [
        *itertools.product(["auto", *PATHS], [12], [4]),
        *itertools.product(["auto", "power", "tridiagonal"], [40, 8], [35]),
    ],
)
def test_divergence_in_a_million_loops_warns_and_ends(rng, path, n, d):
    X, y, alpha, q0 = problem(rng, (11,), n, d)
    lambda_max = np.linalg.norm(X, 2, axis=(1, 2)) ** 2
    eta = 1 / lambda_max
    clean = loopcore.run(X, y, alpha, MILLION, q0=q0, eta=eta, path=path)
    eta[[3, 4, 9]] *= [2.1, 50, 2.01]
    with pytest.warns(loopcore.DivergenceWarning, match=r"^3 of 11 tasks diverged, .* \(3,\): "):
        v = loopcore.run(X, y, alpha, MILLION, q0=q0, eta=eta, path=path)
    bad = np.isin(np.arange(11), [3, 4, 9])
    assert not np.isfinite(v[bad]).all(-1).any()
    np.testing.assert_array_equal(v[~bad], clean[~bad])


@exact.needs_extended_precision
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("n", "d"), [(12, 4), (50, 40), (9, 40)])
def test_growth_that_stays_inside_the_range_keeps_the_promise(rng, path, n, d):
    """‖A‖ᵀ is about 1e280: its square, and what lies beyond the result, would be out of range."""
    X, y, alpha, q0 = problem(rng, (5,), n, d)
    eta = 3.0 / np.linalg.norm(X, 2, axis=(1, 2)) ** 2
    loops = int(280 * np.log(10) / np.log(2.0))
    v = loopcore.run(X, y, alpha, loops, q0=q0, eta=eta, path=path)
    assert (np.abs(v).max(-1) > 1e270).all()
    truth = exact.truth(X, y, alpha, loops, q0=q0, eta=eta)
    assert (exact.ratio(v, truth) <= 30).all()
