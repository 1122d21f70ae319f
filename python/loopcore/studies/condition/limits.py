"""What is known of κ and of the loops without drawing anything: limits, edges and spikes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from loopcore import theory

Array = npt.NDArray[np.float64]

_MEDIAN_EDGE = -1.26857  # the median of the Tracy–Widom distribution of β = 1
_NODES = 4000


def edge_kappa(n: int, d: int) -> float:
    """Return the κ of Gaussian X whose extreme eigenvalues lie at the medians of their limits.

        λ_max ≈ (√(n−1) + √d)² + m (√(n−1) + √d)(1/√(n−1) + 1/√d)^⅓,   m = −1.26857
        λ_min ≈ (√n − √d)²     − m (√n − √d)(1/√d − 1/√n)^⅓

    Both edges fluctuate by d^(−2/3) of themselves, with the Tracy–Widom distribution of β = 1.
    Source: I. M. Johnstone 2001, "On the distribution of the largest eigenvalue in principal
    components analysis"; O. N. Feldheim and S. Sodin 2010, arXiv 0812.1961, for the smallest. The
    ratio of the medians for the median of the ratio is [ours]. NaN where n = d, where the lower
    edge is no edge.

    Examples
    --------
    >>> round(edge_kappa(2000, 1000), 1), round(float(theory.marchenko_pastur_kappa(2000, 1000)), 1)
    (33.1, 34.0)
    """
    if n <= d:
        return float("nan")
    a, b, c = np.sqrt(n - 1), np.sqrt(n), np.sqrt(d)
    largest = (a + c) ** 2 + _MEDIAN_EDGE * (a + c) * (1 / a + 1 / c) ** (1 / 3)
    smallest = (b - c) ** 2 - _MEDIAN_EDGE * (b - c) * (1 / c - 1 / b) ** (1 / 3)
    return float(largest / smallest)


def spike_kappa(n: int, d: int, freedom: int) -> float:
    """Return the κ of X of Student's t entries whose largest entry is at its median.

        λ_max ≈ (s² + nσ²)(s² + dσ²) / s² if s⁴ > n d σ⁴, else σ²(√n + √d)²
        λ_min ≈ σ²(√n − √d)²,   σ² = ν/(ν − 2),   P(max |x| ≤ s) = ½ over n d entries

    The largest entry s stands out of the bulk as a perturbation of rank one does. s grows like
    (n d)^(1/ν): at fixed n/d, κ grows like d^(4/ν − 1) for ν < 4 and not for ν > 4.

    Source: the largest eigenvalues for 2 < ν < 4 are those of the squared largest entries
    (A. Auffinger, G. Ben Arous and S. Péché 2009, arXiv 0710.3132); λ_min needs two moments alone
    (K. Tikhomirov 2015, arXiv 1410.6263); spikes on a rectangular matrix: F. Benaych-Georges and
    R. R. Nadakuditi 2012, arXiv 1103.2221. Putting them together at finite n is [ours]. Infinite
    where n = d.

    Examples
    --------
    >>> [round(spike_kappa(2000, 1000, freedom), 1) for freedom in (3, 5)]
    [85.2, 34.0]
    """
    from scipy.stats import t

    variance = freedom / (freedom - 2)
    low, high = (float(edge) for edge in theory.marchenko_pastur_edges(n, d, variance))
    # P(|x| > s) = 1 − 2^(−1/nd), half of it on either side
    s2 = float(t.isf(-np.expm1(-np.log(2) / (n * d)) / 2, freedom)) ** 2
    if s2**2 > n * d * variance**2:
        high = max(high, (s2 + n * variance) * (s2 + d * variance) / s2)
    return high / low if low else float("inf")


def limit_loops(r: float, tolerance: float) -> float:
    """Return the loops that leave `tolerance` of the error, η = 1/λ_max, as d → ∞ with n = rd.

        ∫ (1 − λ/λ_max)^T dμ = tolerance,   μ of Marchenko and Pastur

    θ* in a random direction weighs all eigenvectors alike, and few of them are near λ_min. T is
    not rounded to a whole number. Infinite where r = 1.

    Examples
    --------
    >>> round(limit_loops(2.0, 1e-6))
    283
    """
    if r == 1:
        return float("inf")
    low, high = (float(edge) for edge in theory.marchenko_pastur_edges(r, 1))
    # Gauss–Chebyshev of the second kind: the density is √((b − λ)(λ − a)) times a smooth function.
    at = np.pi * np.arange(1, _NODES + 1) / (_NODES + 1)
    eigenvalues = (high + low) / 2 + (high - low) / 2 * np.cos(at)
    weights = np.sin(at) ** 2 / eigenvalues
    weights /= weights.sum()
    decay = np.log1p(-np.minimum(eigenvalues / high, 1 - 1e-15))
    enough = -np.log(tolerance) / -np.log1p(-low / high)  # the worst case
    few, many = 0.0, float(enough)
    for _ in range(60):
        middle = (few + many) / 2
        left = float(weights @ np.exp(middle * decay))
        few, many = (few, middle) if left <= tolerance else (middle, many)
    return many


def ratio_for(kappa: npt.ArrayLike) -> Array:
    """Return the n/d at which Marchenko and Pastur's κ is this: ((√κ + 1) / (√κ − 1))².

    Examples
    --------
    >>> ratio_for([9.0, 4.0]).tolist()
    [4.0, 9.0]
    """
    root = np.sqrt(np.asarray(kappa, np.float64))
    with np.errstate(divide="ignore"):
        return np.asarray(np.divide(root + 1, root - 1) ** 2)
