"""How fast the loop converges: the paper's theorem, and the sharper rates behind it.

In the eigenbasis of XᵀX each loop multiplies coordinate i of q − q_∞ by 1 − ηλ_i. From q(0) = 0,
with weights w_i = θ̂_i² / ‖θ̂‖² (they sum to one, and are zero where λ_i = 0),

    (⟨v(T), θ̂⟩ − α‖θ̂‖²) / (α‖θ̂‖²) = −Σ_i w_i Π_t (1 − η_t λ_i)

so every bound here is the largest |Π_t (1 − η_t λ)| over λ_min ≤ λ ≤ λ_max, the smallest and the
largest non-zero eigenvalue. The same number bounds ‖v(T) − αθ̂‖ / ‖αθ̂‖. That holds for any y, noisy
or not. It assumes q(0) = 0 and exact arithmetic: near 1e-16 rounding is all that is left.

Every bound takes numbers or arrays and broadcasts them.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Values = Array | np.float64

_MOST_LOOPS = 2**1000


def relative_error_bound(T: npt.ArrayLike, kappa: npt.ArrayLike) -> Values:
    """Give the theorem's bound on the relative error, exp(−T / 2κ).

    Parameters
    ----------
    T : array_like, shape (...)
        Numbers of loops, at least 0.
    kappa : array_like, shape (...)
        Condition numbers λ_max / λ_min of XᵀX over its non-zero eigenvalues, at least 1.
        NaN gives NaN.

    Returns
    -------
    numpy.float64 or ndarray, shape (...)
        The bound, a pure number between 0 and 1.

    Raises
    ------
    ValueError
        If a T is negative or a kappa is below 1.

    Notes
    -----
    Source: arXiv 2410.11268, the theorem on error convergence: with q(0) = 0, η = 1/λ_max,
    ‖θ*‖ = 1, y = Xθ* and n > d, |⟨v(T), θ*⟩ − α| ≤ |α| exp(−T / 2κ). Without ‖θ*‖ = 1 the relative
    error |⟨v(T), θ̂⟩ − α‖θ̂‖²| / (|α|‖θ̂‖²) obeys the same bound, as this module's first lines show.

    Examples
    --------
    >>> from loopcore.theory import relative_error_bound
    >>> print(f"{relative_error_bound(200, 50):.4f}")
    0.1353
    """
    t, k = _checked(T, kappa)
    return _unwrapped(np.exp(-t / (2 * k)))


def gradient_descent_bound(T: npt.ArrayLike, kappa: npt.ArrayLike) -> Values:
    """Give the worst case of the step η = 1/λ_max, (1 − 1/κ)^T.

    It is below the theorem's exp(−T / 2κ), and reached when θ̂ is an eigenvector to λ_min.
    Shapes, units and errors are those of `relative_error_bound`.

    Examples
    --------
    >>> from loopcore.theory import gradient_descent_bound
    >>> print(f"{gradient_descent_bound(200, 50):.4f}")
    0.0176
    """
    t, k = _checked(T, kappa)
    return _unwrapped(_power(1 / k, t))


def optimal_step_bound(T: npt.ArrayLike, kappa: npt.ArrayLike) -> Values:
    """Give the worst case of the best constant step η = 2/(λ_min + λ_max), ((κ − 1)/(κ + 1))^T.

    Shapes, units and errors are those of `relative_error_bound`.

    Examples
    --------
    >>> from loopcore.theory import optimal_step_bound
    >>> print(f"{optimal_step_bound(200, 50):.6f}")
    0.000335
    """
    t, k = _checked(T, kappa)
    return _unwrapped(_power(2 / (k + 1), t))


def chebyshev_bound(T: npt.ArrayLike, kappa: npt.ArrayLike) -> Values:
    """Give the worst case after the last loop of the T-step Chebyshev schedule.

    It is 2ρ^T / (1 + ρ^(2T)) with ρ = (√κ − 1)/(√κ + 1), and no schedule of T steps has a smaller
    one. It says nothing about the loops before the last. Shapes, units and errors are those of
    `relative_error_bound`.

    Examples
    --------
    >>> from loopcore.theory import chebyshev_bound
    >>> print(f"{chebyshev_bound(50, 50):.2e}")
    1.31e-06
    """
    t, k = _checked(T, kappa)
    power = _power(2 / (np.sqrt(k) + 1), t)
    return _unwrapped(2 * power / (1 + power * power))


def constant_step_bound(
    T: npt.ArrayLike, eta: npt.ArrayLike, lambda_min: npt.ArrayLike, lambda_max: npt.ArrayLike
) -> Values:
    """Give the worst case of any constant step η, max(|1 − ηλ_min|, |1 − ηλ_max|)^T.

    Parameters
    ----------
    T : array_like, shape (...)
        Numbers of loops, at least 0.
    eta : array_like, shape (...)
        Step sizes, in units of 1/λ.
    lambda_min, lambda_max : array_like, shape (...)
        The smallest and the largest non-zero eigenvalue of XᵀX.

    Returns
    -------
    numpy.float64 or ndarray, shape (...)
        The bound. It grows with T where η > 2/λ_max, and may then be infinite.

    Raises
    ------
    ValueError
        If a T is negative.

    Examples
    --------
    >>> from loopcore.theory import constant_step_bound
    >>> print(f"{constant_step_bound(200, 0.02, 1, 50):.4f}")
    0.0176
    >>> print(f"{constant_step_bound(200, 0.041, 1, 50):.1e}")
    1.7e+04
    """
    t = _loops(T)
    step, low, high = (np.asarray(a, np.float64) for a in (eta, lambda_min, lambda_max))
    factor = np.maximum(np.abs(1 - step * low), np.abs(1 - step * high))
    with np.errstate(over="ignore"):
        return _unwrapped(factor**t)


def loops_to_tolerance(
    tolerance: float,
    kappa: float,
    bound: Callable[[int, float], Values] = relative_error_bound,
) -> int:
    """Find the fewest loops for which a bound promises a relative error of at most `tolerance`.

    Parameters
    ----------
    tolerance : float
        The relative error asked for, above 0.
    kappa : float
        The condition number λ_max / λ_min, finite and at least 1.
    bound : callable
        One of this module's bounds that take (T, kappa); the theorem's unless given.

    Returns
    -------
    int
        The smallest T ≥ 0 with ``bound(T, kappa) <= tolerance``.

    Raises
    ------
    ValueError
        If `tolerance` is not above 0, or `kappa` is NaN, infinite or below 1.

    Examples
    --------
    >>> from loopcore.theory import chebyshev_bound, loops_to_tolerance
    >>> loops_to_tolerance(1e-6, 50)
    1382
    >>> loops_to_tolerance(1e-6, 50, chebyshev_bound)
    51
    """
    if not 1 <= kappa < math.inf:
        raise ValueError(f"kappa: expected a finite number of at least 1, got {kappa}")
    return fewest_loops(tolerance, lambda T: bound(T, kappa))


def fewest_loops(tolerance: float, bound: Callable[[int], Values | float]) -> int:
    """Find the smallest T ≥ 0 at which a bound that falls with T is at most `tolerance`.

    Parameters
    ----------
    tolerance : float
        Above 0.
    bound : callable
        Gives the bound for one T. It must never rise.

    Returns
    -------
    int
        T, with about 2 log₂ T calls of `bound`.

    Raises
    ------
    ValueError
        If `tolerance` is not above 0, or the bound is still larger after 2¹⁰⁰⁰ loops.

    Examples
    --------
    >>> from loopcore.theory import constant_step_bound, fewest_loops
    >>> fewest_loops(1e-3, lambda T: constant_step_bound(T, 0.01, 1, 50))
    688
    """
    if not tolerance > 0:
        raise ValueError(f"tolerance: expected a number above 0, got {tolerance}")
    enough = 1
    while not bound(enough) <= tolerance:
        enough *= 2
        if enough > _MOST_LOOPS:
            raise ValueError(f"bound: still above {tolerance} after 2^1000 loops")
    too_few = -1
    while enough - too_few > 1:  # bound(enough) ≤ tolerance, and too_few is −1 or has a larger one
        middle = (enough + too_few) // 2
        if bound(middle) <= tolerance:
            enough = middle
        else:
            too_few = middle
    return enough


def _checked(T: npt.ArrayLike, kappa: npt.ArrayLike) -> tuple[Array, Array]:
    """Read T and kappa as float64, and refuse values that mean nothing."""
    k = np.asarray(kappa, np.float64)
    if np.any(k < 1):
        raise ValueError(f"kappa: expected at least 1, got {np.nanmin(k)}")
    return _loops(T), k


def _loops(T: npt.ArrayLike) -> Array:
    t = np.asarray(T, np.float64)
    if np.any(t < 0):
        raise ValueError(f"T: expected at least 0, got {np.min(t)}")
    return t


def _power(gain: Array, t: Array) -> Array:
    """Give (1 − gain)^t through log1p: at κ = 1e12, 1 − 1/κ holds only four digits of 1/κ."""
    with np.errstate(divide="ignore", invalid="ignore"):  # gain = 1 gives log 0, and 0 · log 0
        power = np.exp(t * np.log1p(-gain))
    return np.where(t == 0, np.where(np.isnan(gain), np.nan, 1.0), power)


def _unwrapped(values: npt.ArrayLike) -> Values:
    """Turn an array of no axes into a NumPy number, as NumPy's own functions do."""
    array = np.asarray(values, np.float64)
    return np.float64(array) if array.ndim == 0 else array
