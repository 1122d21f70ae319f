"""Bounds on the relative error from κ alone, or from a step and the ends of the spectrum.

Each is the largest |Π_t (1 − η_t λ)| over λ_min ≤ λ ≤ λ_max, the smallest and the largest non-zero
eigenvalue, or is above it. The same number bounds ‖v(T) − αθ̂‖ / ‖αθ̂‖.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from loopcore.theory._values import Array, Values, loops, unwrapped


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
    error |⟨v(T), θ̂⟩ − α‖θ̂‖²| / (|α|‖θ̂‖²) obeys the same bound, as the first lines of
    `loopcore.theory` show.

    Examples
    --------
    >>> from loopcore.theory import relative_error_bound
    >>> print(f"{relative_error_bound(200, 50):.4f}")
    0.1353
    """
    t, k = _checked(T, kappa)
    return unwrapped(np.exp(-t / (2 * k)))


def gradient_descent_bound(T: npt.ArrayLike, kappa: npt.ArrayLike) -> Values:
    """Give the worst case of the step η = 1/λ_max, (1 − 1/κ)^T.

    It is below the theorem's exp(−T / 2κ), and reached when θ̂ is an eigenvector to λ_min.

    Source: |1 − ηλ|^T at λ = λ_min, where it is largest on the spectrum (the equation of
    `loop_shrinkage`). It assumes q(0) = 0 and exact arithmetic, for any y. Shapes, units and errors
    are those of `relative_error_bound`.

    Examples
    --------
    >>> from loopcore.theory import gradient_descent_bound
    >>> print(f"{gradient_descent_bound(200, 50):.4f}")
    0.0176
    """
    t, k = _checked(T, kappa)
    return unwrapped(_power(1 / k, t))


def optimal_step_bound(T: npt.ArrayLike, kappa: npt.ArrayLike) -> Values:
    """Give the worst case of the best constant step η = 2/(λ_min + λ_max), ((κ − 1)/(κ + 1))^T.

    Source: Y. Saad, "Iterative Methods for Sparse Linear Systems", 2003, section 4.2.1, on
    Richardson's iteration. It assumes q(0) = 0 and exact arithmetic, for any y. Shapes, units and
    errors are those of `relative_error_bound`.

    Examples
    --------
    >>> from loopcore.theory import optimal_step_bound
    >>> print(f"{optimal_step_bound(200, 50):.6f}")
    0.000335
    """
    t, k = _checked(T, kappa)
    return unwrapped(_power(2 / (k + 1), t))


def chebyshev_bound(T: npt.ArrayLike, kappa: npt.ArrayLike) -> Values:
    """Give the worst case after the last loop of the T-step Chebyshev schedule.

    It is 2ρ^T / (1 + ρ^(2T)) with ρ = (√κ − 1)/(√κ + 1), and no schedule of T steps has a smaller
    one. It says nothing about the loops before the last.

    Source: Y. Saad, "Iterative Methods for Sparse Linear Systems", 2003, section 6.11, on
    Chebyshev polynomials: 1 / C_T((κ + 1)/(κ − 1)). It assumes q(0) = 0 and exact arithmetic, for
    any y. Shapes, units and errors are those of `relative_error_bound`.

    Examples
    --------
    >>> from loopcore.theory import chebyshev_bound
    >>> print(f"{chebyshev_bound(50, 50):.2e}")
    1.31e-06
    """
    t, k = _checked(T, kappa)
    power = _power(2 / (np.sqrt(k) + 1), t)
    return unwrapped(2 * power / (1 + power * power))


def constant_step_bound(
    T: npt.ArrayLike, eta: npt.ArrayLike, lambda_min: npt.ArrayLike, lambda_max: npt.ArrayLike
) -> Values:
    """Give the worst case of any constant step η, max(|1 − ηλ_min|, |1 − ηλ_max|)^T.

    Source: |1 − ηλ| is convex in λ, so that it is largest at an end of the spectrum (the equation
    of `loop_shrinkage`). It assumes q(0) = 0 and exact arithmetic, for any y.

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
    t = loops(T)
    step, low, high = (np.asarray(a, np.float64) for a in (eta, lambda_min, lambda_max))
    factor = np.maximum(np.abs(1 - step * low), np.abs(1 - step * high))
    with np.errstate(over="ignore"):
        return unwrapped(factor**t)


def _checked(T: npt.ArrayLike, kappa: npt.ArrayLike) -> tuple[Array, Array]:
    """Read T and kappa as float64, and refuse values that mean nothing."""
    k = np.asarray(kappa, np.float64)
    if np.any(k < 1):
        raise ValueError(f"kappa: expected at least 1, got {np.nanmin(k)}")
    return loops(T), k


def _power(gain: Array, t: Array) -> Array:
    """Give (1 − gain)^t through log1p: at κ = 1e12, 1 − 1/κ holds only four digits of 1/κ."""
    with np.errstate(divide="ignore", invalid="ignore"):  # gain = 1 gives log 0, and 0 · log 0
        power = np.exp(t * np.log1p(-gain))
    return np.where(t == 0, np.where(np.isnan(gain), np.nan, 1.0), power)
