"""The kinds of step size: 1/λ_max to 8u, cases by hand, what Chebyshev's steps reach."""

from __future__ import annotations

import numpy as np
import pytest

import exact
import loopcore
from strategies import DTYPES, PATHS, paths_for


@exact.needs_extended_precision
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("n", "d"), [(1, 1), (2, 2), (20, 4), (40, 20), (5, 12), (300, 3), (60, 60), (90, 130)]
)
def test_eta_none_is_one_over_lambda_max_to_8u(rng, path, dtype, n, d):
    """One loop from 0 on y = e_i gives v = η X_i, whose only other rounding is that of v."""
    X = rng.normal(size=(30, n, d)).astype(dtype)
    X[10:20] = np.abs(X[10:20])
    # With orthonormal columns all λ agree to the last digits: the hard case.
    X[20:23] = np.linalg.qr(rng.normal(size=(3, n, d)))[0] if n >= d else X[20:23]
    row = np.zeros(n, dtype)
    row[n // 2] = 1
    v = loopcore.run(X, row, 1.0, 1, path=path)
    lam = exact.eigenvalues(X)[:, 0]
    x = X[:, n // 2].astype(np.longdouble)
    u = exact.unit_roundoff(dtype)
    if path == "tridiagonal":
        # Into its basis and back: entries mix, and what is left to see of η is ⟨v, x⟩ / ⟨x, x⟩.
        relative = (v * x).sum(-1) / (x**2).sum(-1) * lam - 1
        assert np.abs(relative).max() <= (8 + 2) * u + 2 * min(d, 8) * 2.0**-53
        return
    relative = v.astype(np.longdouble) / x * lam[:, None] - 1
    assert np.abs(relative).max() <= (8 + 2) * u


@pytest.mark.parametrize("path", PATHS)
def test_kinds_of_step_by_hand(path):
    # λ = 4 and 1, Xᵀy = (2, 1), θ̂ = (1/2, 1).
    X, y = [[2.0, 0.0], [0.0, 1.0]], [1.0, 1.0]
    for keywords, expected in [
        ({"eta": None}, [0.5, 1 - 0.75**2]),
        ({"eta": "optimal"}, [0.5 * (1 - 0.36), 1 - 0.36]),
        # The Chebyshev polynomial of degree 2: T₂(±1)/T₂(5/3) = 1/(2·25/9 − 1) = 9/41.
        ({"eta": "chebyshev"}, [0.5 * 32 / 41, 32 / 41]),
        ({"eta": 0.125}, [0.5 * 0.75, 1 - 0.875**2]),
        ({"schedule": [0.125, 0.25]}, [0.5, 1 - 0.875 * 0.75]),
        ({"schedule": 0.125}, [0.5 * 0.75, 1 - 0.875**2]),
        ({"schedule": [0.125]}, [0.5 * 0.75, 1 - 0.875**2]),
    ]:
        if path not in paths_for(keywords):
            continue
        v = loopcore.run(X, y, 1.0, 2, path=path, **keywords)
        np.testing.assert_allclose(v, expected, rtol=1e-14)
        if keywords.get("eta") is None or isinstance(keywords["eta"], str):
            if "schedule" not in keywords:
                mean = loopcore.run(X, y, 1.0, 2, path=path, scale="mean", **keywords)
                np.testing.assert_allclose(mean, expected, rtol=1e-14)
        else:
            mean = loopcore.run(X, y, 1.0, 2, path=path, scale="mean", eta=2 * keywords["eta"])
            np.testing.assert_allclose(mean, expected, rtol=1e-14)


@pytest.mark.parametrize("path", paths_for({"eta": "chebyshev"}))
def test_chebyshev_reaches_least_squares_where_a_constant_step_is_far_away(rng, path):
    n, d, loops = 60, 12, 500
    U, V = np.linalg.qr(rng.normal(size=(n, d)))[0], np.linalg.qr(rng.normal(size=(d, d)))[0]
    X = U * np.geomspace(1, 1e-2, d) @ V.T  # κ = 1e4
    theta = V[:, -1]
    distance = {
        eta: np.linalg.norm(loopcore.run(X, X @ theta, 1.0, loops, eta=eta, path=path) - theta)
        for eta in (None, "optimal", "chebyshev")
    }
    # θ* is the slowest direction: (1 − 1/κ)^T, ((κ−1)/(κ+1))^T and 2ρ^T/(1 + ρ^2T), ρ = 99/101.
    assert distance[None] == pytest.approx((1 - 1e-4) ** loops, rel=1e-8)
    assert distance["optimal"] == pytest.approx((9999 / 10001) ** loops, rel=1e-8)
    rho = (99 / 101) ** loops
    assert distance["chebyshev"] == pytest.approx(2 * rho / (1 + rho**2), rel=1e-6)
