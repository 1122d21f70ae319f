"""What n/d tends to as d grows: for typical tasks, for the worst one, and by the theorem.

All of it rests on Marchenko and Pastur's law: as n and d grow with r = n/d fixed, the spectrum of a
Gaussian XᵀX is no longer random, and a random unit θ* has the same weight 1/d on each eigenvector.
"""

from __future__ import annotations

import math

import numpy as np

from loopcore import theory

_NODES = 2000


def typical_error(ratio: float, T: int) -> float:
    """Return the limit of |⟨v(T), θ*⟩ − 1| for η = 1/λ_max, the same for almost every task.

    It is the mean of (1 − λ/λ_+)^T over the spectrum with its zeros, λ_+ the upper edge: with r < 1
    a share 1 − r of θ* lies where X has no rows.

    Parameters
    ----------
    ratio : float
        r = n/d, above 0.
    T : int
        The number of loops.

    Examples
    --------
    >>> print(f"{typical_error(2.0, 16):.4f} {typical_error(0.5, 10**6):.4f}")
    0.0797 0.5000
    """
    d = 2 / min(ratio, 1.0)  # any size above 1: the law depends on r alone
    low, high = (float(edge) for edge in theory.marchenko_pastur_edges(ratio * d, d))
    # λ = (high + low)/2 + (high − low)/2 cos φ: the midpoint rule in φ converges exponentially.
    phi = (np.arange(_NODES) + 0.5) * (np.pi / _NODES)
    half = (high - low) / 2
    values = low + half * (1 + np.cos(phi))
    density = theory.marchenko_pastur_density(values, ratio * d, d)
    mean = np.sum((1 - values / high) ** T * density * np.sin(phi)) * half * np.pi / _NODES
    return float(min(ratio, 1.0) * mean + max(1 - ratio, 0.0))


def typical_ratio(T: int, tolerance: float) -> float:
    """Return the r = n/d at which `typical_error` is the tolerance."""
    from scipy.optimize import brentq

    goal = math.log(tolerance)
    root = brentq(
        lambda x: math.log(typical_error(math.exp(x), T)) - goal,
        math.log((1 - tolerance) / 2),  # there the error is above 1 − r
        math.log(1.01 * worst_ratio(T, tolerance)),
        xtol=1e-10,
    )
    return math.exp(root)


def worst_ratio(T: int, tolerance: float) -> float:
    """Return the r at which (1 − 1/κ)^T, the worst θ* of η = 1/λ_max, is the tolerance.

    Examples
    --------
    >>> kappa = float(theory.marchenko_pastur_kappa(worst_ratio(16, 1e-3), 1.0))
    >>> print(f"{theory.gradient_descent_bound(16, kappa):.6f}")
    0.001000
    """
    return _ratio_of_kappa(-1 / math.expm1(math.log(tolerance) / T))


def theorem_ratio(T: int, tolerance: float) -> float:
    """Return the r at which the theorem's exp(−T/2κ) is the tolerance; infinite where none is.

    Since κ ≥ 1, no n makes the bound smaller than exp(−T/2).

    Examples
    --------
    >>> theorem_ratio(4, 1e-3)
    inf
    """
    return _ratio_of_kappa(T / (2 * math.log(1 / tolerance)))


def _ratio_of_kappa(kappa: float) -> float:
    """Return the r of Marchenko and Pastur's κ = ((1 + 1/√r) / (1 − 1/√r))²."""
    if kappa <= 1:
        return math.inf
    root = math.sqrt(kappa)
    return ((root + 1) / (root - 1)) ** 2
