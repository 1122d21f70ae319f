"""The spectrum of XᵀX for rows of independent entries, in the limit of large n and d.

All of it is the limit n, d → ∞ with d/n fixed, and needs independent entries of mean 0 and one
variance (for the edges also finite fourth moments). Where n < d it describes the n non-zero
eigenvalues: XᵀX and XXᵀ share them, so that n and d change places and every formula is symmetric.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from loopcore.theory._values import Array, Values, not_negative, unwrapped


def marchenko_pastur_edges(
    n: npt.ArrayLike, d: npt.ArrayLike, variance: npt.ArrayLike = 1.0
) -> tuple[Values, Values]:
    """Give the limits of the smallest and largest non-zero eigenvalue of XᵀX: σ²(√n ∓ √d)².

    Parameters
    ----------
    n, d : array_like, shape (...)
        Numbers of examples and of features, at least 1.
    variance : array_like, shape (...)
        The variance σ² of the entries of X, at least 0.

    Returns
    -------
    tuple of two numpy.float64 or ndarray, shape (...)
        The lower and the upper edge, in units of X². Divide by n for those of XᵀX / n.

    Raises
    ------
    ValueError
        If n or d is below 1, or a variance is below 0.

    Notes
    -----
    Source: Marchenko and Pastur 1967 for the bulk, Bai and Yin 1993 for the smallest and the
    largest eigenvalue. For Gaussian entries and any n ≥ d, √n − √d ≤ E σ_min and
    E σ_max ≤ √n + √d (Gordon; Theorem 5.32 of Vershynin's "Introduction to the non-asymptotic
    analysis of random matrices"): a finite spectrum tends to lie inside the edges.

    Examples
    --------
    >>> from loopcore.theory import marchenko_pastur_edges
    >>> [round(float(edge), 9) for edge in marchenko_pastur_edges(400, 100)]
    [100.0, 900.0]
    """
    rows, columns = _sizes(n, d)
    s2 = not_negative("variance", variance)
    outer = np.sqrt(rows) + np.sqrt(columns)
    inner = (rows - columns) / outer  # √n − √d without its cancellation
    return unwrapped(s2 * inner**2), unwrapped(s2 * outer**2)


def marchenko_pastur_kappa(n: npt.ArrayLike, d: npt.ArrayLike) -> Values:
    """Give the limit of κ, ((1 + √(d/n)) / (1 − √(d/n)))².

    Parameters
    ----------
    n, d : array_like, shape (...)
        Numbers of examples and of features, at least 1.

    Returns
    -------
    numpy.float64 or ndarray, shape (...)
        κ over the non-zero eigenvalues, a pure number; infinite where n = d.

    Raises
    ------
    ValueError
        If n or d is below 1.

    Notes
    -----
    The ratio of `marchenko_pastur_edges`, whose assumptions and source it shares: κ depends on d/n
    alone, so that n = O(d) examples hold it constant.

    It is a limit, and the typical small problem is better conditioned than it says. Medians over
    Gaussian X at n = 2d, as parts of the limit 33.97: 0.12 at d = 2, 0.47 at d = 8, 0.76 at d = 32
    and 0.90 at d = 128 (measured; at d = 1 κ is 1). Single draws scatter to both sides: at d = 8
    one in twenty is below 0.25 and one in twenty above 1.1. At n = d the limit is infinite, but
    each Gaussian draw has a finite κ, with E log √κ ≈ log n + 1.537 (Edelman 1988, "Eigenvalues and
    condition numbers of random matrices").

    Examples
    --------
    >>> from loopcore.theory import chebyshev_bound, loops_to_tolerance, marchenko_pastur_kappa
    >>> kappa = float(marchenko_pastur_kappa(400, 100))
    >>> round(kappa, 9), float(marchenko_pastur_kappa(8, 8))
    (9.0, inf)
    >>> loops_to_tolerance(1e-6, kappa), loops_to_tolerance(1e-6, kappa, chebyshev_bound)
    (249, 21)
    """
    low, high = marchenko_pastur_edges(n, d)
    with np.errstate(divide="ignore"):
        return unwrapped(np.divide(high, low))


def marchenko_pastur_density(
    x: npt.ArrayLike, n: npt.ArrayLike, d: npt.ArrayLike, variance: npt.ArrayLike = 1.0
) -> Values:
    """Give the density of the non-zero eigenvalues of XᵀX, √((b − x)(x − a)) / (2π σ² min(n, d) x).

    Parameters
    ----------
    x : array_like, shape (...)
        Where to take it, in units of X².
    n, d : array_like, shape (...)
        Numbers of examples and of features, at least 1.
    variance : array_like, shape (...)
        The variance σ² of the entries of X, above 0.

    Returns
    -------
    numpy.float64 or ndarray, shape (...)
        The density, in units of 1/x; 0 outside the edges a and b. It integrates to one.

    Raises
    ------
    ValueError
        If n or d is below 1, or a variance is not above 0.

    Notes
    -----
    Source and assumptions are those of `marchenko_pastur_edges`. The mean of a function over this
    density, times min(n, d), is the limit of its sum over the non-zero eigenvalues.

    Examples
    --------
    >>> from loopcore.theory import marchenko_pastur_density
    >>> print(f"{marchenko_pastur_density(300, 400, 100):.6f}")
    0.001838
    """
    s2 = not_negative("variance", variance)
    if np.any(s2 == 0):
        raise ValueError("variance: expected above 0, got 0.0")
    at = np.asarray(x, np.float64)
    low, high = marchenko_pastur_edges(n, d, s2)
    root = np.sqrt(np.maximum((high - at) * (at - low), 0))
    scale = 2 * np.pi * s2 * np.minimum(*_sizes(n, d))
    return unwrapped(np.where(root > 0, root / (scale * np.where(root > 0, at, 1)), 0))


def _sizes(n: npt.ArrayLike, d: npt.ArrayLike) -> tuple[Array, Array]:
    """Read n and d, and refuse an empty X."""
    rows, columns = np.asarray(n, np.float64), np.asarray(d, np.float64)
    for name, size in (("n", rows), ("d", columns)):
        if np.any(size < 1):
            raise ValueError(f"{name}: expected at least 1, got {np.nanmin(size)}")
    return rows, columns
