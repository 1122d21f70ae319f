"""Closed forms of the published settings, and optima over drawn eigenvalues where there are none.

S = XᵀX. Losses are mean squared errors at a query, without a factor ½; sums over the examples are
not divided by n.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def wishart_moments(n: int, d: int) -> Array:
    """Return E tr Sᵏ / d for k = 0 … 4, x ~ N(0, I), (5,).

    Source: G. Letac and H. Massam, "All Invariant Moments of the Wishart Distribution", 2004.

    Examples
    --------
    For d = 1 they are the moments of χ² with n degrees of freedom.

    >>> wishart_moments(1, 1)
    array([  1.,   1.,   3.,  15., 105.])
    """
    n2, d2, nd = n * n, d * d, n * d
    third = n2 + d2 + 3 * nd + 3 * (n + d) + 4
    fourth = n**3 + d**3 + 6 * nd * (n + d) + 6 * (n2 + d2) + 17 * nd + 21 * (n + d) + 20
    return np.array([1, n, n * (n + d + 1), n * third, n * fourth], np.float64)


def best_two_constant(n: int, d: int) -> float:
    """Return min over η of E tr (I − ηS)⁴: two loops of one step, x ~ N(0, I) and w ~ N(0, I)."""
    p = np.polynomial.Polynomial(wishart_moments(n, d) * [1, -4, 6, -4, 1])
    roots = p.deriv().roots()
    return float(d * min(p(eta) for eta in roots[np.abs(roots.imag) < 1e-9 * abs(roots)].real))


def best_two_steps(n: int, d: int) -> float:
    """Return min over η₁, η₂ of E tr ((I − η₁S)(I − η₂S))².

    With p(λ) = 1 + aλ + bλ², E p² is least where p is orthogonal to λ and λ².
    """
    m = wishart_moments(n, d)
    a = np.linalg.solve([[m[2], m[3]], [m[3], m[4]]], -m[1:3])
    return float(d * (1 + a @ m[1:3]))


class OneStep(NamedTuple):
    """The best step η of one loop, and its loss over that of predicting 0."""

    eta: float
    loss: float


def one_step(n: int, eigenvalues: Array) -> OneStep:
    """Return the best single step for x ~ N(0, Σ) and w ~ N(0, Σ⁻¹), Σ of these eigenvalues (d,).

    loss(η) = E tr Σ(I − ηS)Σ⁻¹(I − ηS) = d − 2ηn tr Σ + η²n(n + d + 1) tr Σ², for in whitened
    coordinates E S = nI and E S² = n(n + d + 1)I. [ours]
    """
    d, trace, square = len(eigenvalues), eigenvalues.sum(), np.square(eigenvalues).sum()
    eta = trace / ((n + d + 1) * square)
    return OneStep(float(eta), float(1 - n * trace * eta / d))


def one_step_independent(n: int, d: int, variance: float, kurtosis: float) -> OneStep:
    """Return the best single step for independent symmetric entries of x, and w ~ N(0, I).

    E S = nσ²I and E S² = nσ⁴(n + d − 2 + kurtosis)I, kurtosis = E x⁴/σ⁴: 3 for normal entries and
    9/5 for uniform ones. [ours]

    Examples
    --------
    >>> one_step_independent(20, 5, 1.0, 3.0).eta == 1 / 26
    True
    """
    spread = n + d - 2 + kurtosis
    return OneStep(1 / (variance * spread), 1 - n / spread)


class Layered(NamedTuple):
    """GD++ with steps of their own for each of L layers."""

    eta: Array
    """η_l, (L,)."""
    shrink: Array
    """η_l γ_l, (L − 1,): that of the last layer does nothing."""


# Where searches begin, in units of 1/(n + d + 1): near the lowest of the minima that 25 random
# starts led to. Other minima are 8 % higher and more, but for one of L = 4, 0.2 % higher.
_STARTS = {
    1: ([1.0], []),
    2: ([0.674, 4.529], [0.584]),
    3: ([0.497, 3.179, 12.91], [0.452, 1.821]),
    4: ([0.372, 2.528, 14.22, 36.03], [0.370, 1.732, 5.067]),
}

LAYERS = tuple(_STARTS)


def layered_start(n: int, d: int, L: int) -> Layered:
    """Return where `best_layered` may begin, for its lowest minimum where n = 20 and d = 5."""
    return Layered(*(np.array(part) / (n + d + 1) for part in _STARTS[L]))


def layered_residual(values: Array, model: Layered) -> Array:
    """Return p(λ): p ← p(1 − η_l λ), λ ← λ(1 − η_l γ_l λ)², for all eigenvalues λ of S."""
    p, moving = np.ones_like(values), values
    for layer, eta in enumerate(model.eta):
        p = p * (1 - eta * moving)
        if layer < len(model.shrink):
            moving = moving * np.square(1 - model.shrink[layer] * moving)
    return p


def best_layered(values: Array, start: Layered) -> Layered:
    """Return the steps near `start` of the least mean p(λ)² over eigenvalues λ (K,).

    SciPy's BFGS on log E p², with its gradient by the chain rule, backwards through the layers.
    """
    from scipy.optimize import minimize

    scale, L = values.mean(), len(start.eta)
    lam = values / scale

    def loss(steps: Array) -> tuple[float, Array]:
        states = [(np.ones_like(lam), lam)]
        for layer in range(L):
            p, moving = states[-1]
            after = 1 - (steps[L + layer] if layer < L - 1 else 0.0) * moving
            states.append((p * (1 - steps[layer] * moving), moving * after * after))
        mean = np.mean(states[-1][0] ** 2)
        slope = np.empty(2 * L - 1)
        dp, dmoving = 2 * states[-1][0] / lam.size, np.zeros_like(lam)
        for layer in reversed(range(L)):
            p, moving = states[layer]
            slope[layer] = -np.sum(dp * p * moving)
            before = np.zeros_like(lam)
            if layer < L - 1:
                after = 1 - steps[L + layer] * moving
                slope[L + layer] = -2 * np.sum(dmoving * moving * moving * after)
                before = dmoving * after * (after - 2 * steps[L + layer] * moving)
            dmoving = before - dp * p * steps[layer]
            dp = dp * (1 - steps[layer] * moving)
        return float(np.log(mean)), slope / mean

    steps = np.concatenate([*start]) * scale
    found = minimize(loss, steps, jac=True, method="BFGS", options={"maxiter": 200}).x / scale
    return Layered(found[:L], found[L:])
