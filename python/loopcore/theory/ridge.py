"""Ridge regression, min ‖Xθ − y‖² + μ‖θ‖², beside T loops."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from loopcore.theory._values import (
    Array,
    Values,
    directions,
    loops,
    not_negative,
    unwrapped,
    whole_loops,
)


def ridge_shrinkage(penalty: npt.ArrayLike, eigenvalues: npt.ArrayLike) -> Array:
    """Give what ridge leaves of each coordinate of θ̂, μ/(λ + μ), as `loop_shrinkage` for loops.

    Parameters
    ----------
    penalty : array_like, shape (...)
        The penalty μ of ‖Xθ − y‖² + μ‖θ‖², in units of λ; 0 and infinity are allowed.
    eigenvalues : array_like, shape (..., d)
        The eigenvalues λ of XᵀX, at least 0.

    Returns
    -------
    ndarray, shape (..., d)
        The shrinkage s, between 0 and 1: ridge has the coordinates (1 − s_i) θ̂_i. It is 1 where
        λ = 0, also for μ = 0 (the solution of least norm).

    Raises
    ------
    ValueError
        If a penalty or an eigenvalue is below 0, or `eigenvalues` is a number.

    Examples
    --------
    >>> from loopcore.theory import ridge_shrinkage
    >>> ridge_shrinkage(1.0, [3.0, 1.0, 0.0]).tolist()
    [0.25, 0.5, 1.0]

    The risk of ridge takes the arguments of that of T loops:

    >>> from loopcore.theory import excess_risk
    >>> risk = excess_risk(ridge_shrinkage(1.0, [4.0, 1.0]), [4.0, 1.0], 1.0, 1.0)
    >>> print(f"{risk.total:.3f}")
    0.700
    """
    mu = not_negative("penalty", penalty)[..., None]
    lam = directions("eigenvalues", eigenvalues)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        left = 1 / (1 + lam / mu)
    return np.where((lam == 0) & ~np.isnan(mu), 1.0, left)


def equivalent_penalty(T: npt.ArrayLike, eigenvalues: npt.ArrayLike, eta: npt.ArrayLike) -> Array:
    """Give, for each eigenvalue, the penalty at which ridge leaves what T loops leave.

    Parameters
    ----------
    T : array_like, shape (...)
        Numbers of loops, whole and at least 0.
    eigenvalues : array_like, shape (..., d)
        The eigenvalues λ of XᵀX, at least 0.
    eta : array_like, shape (...)
        Step sizes, above 0 and at most 1/λ_max.

    Returns
    -------
    ndarray, shape (..., d)
        μ(λ) = λ / ((1 − ηλ)^(−T) − 1), in units of λ; infinite for T = 0, and 1/(ηT) where λ = 0.

    Raises
    ------
    ValueError
        If a T is negative or not whole, an eigenvalue is below 0, or a step is not above 0 or is
        above 1/λ_max.

    Notes
    -----
    From μ/(λ + μ) = (1 − ηλ)^T: T loops are ridge with a penalty of its own for each eigenvector,
    the quadratic form of Lemma 3 in Ali, Kolter and Tibshirani 2019 (arXiv 1810.10082). No single
    penalty serves all eigenvalues: μ(λ) falls with λ, from 1/(ηT) at λ → 0 to μ(λ_max), which is 0
    at η = 1/λ_max. `calibrated_penalty` is the upper end.

    Examples
    --------
    >>> from loopcore.theory import equivalent_penalty
    >>> equivalent_penalty(2, [4.0, 2.0, 0.0], 0.25).round(9).tolist()
    [0.0, 0.666666667, 2.0]
    """
    t = whole_loops(T)[..., None]
    lam = directions("eigenvalues", eigenvalues)
    step = _steps(eta)[..., None]
    gain = step * lam
    if np.any(gain > 1 + 1e-12):
        raise ValueError(f"eta: expected at most 1/λ_max, got {np.nanmax(gain)} / λ_max")
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        rise = np.expm1(-t * np.log1p(-np.minimum(gain, 1)))  # (1 − ηλ)^(−T) − 1
        mu = np.where(gain > 0, lam / rise, 1 / (step * t))
    return np.where(t == 0, np.inf, mu)


def calibrated_penalty(T: npt.ArrayLike, eta: npt.ArrayLike) -> Values:
    """Give the one penalty that stands for T loops, μ = 1/(ηT).

    Parameters
    ----------
    T : array_like, shape (...)
        Numbers of loops, at least 0.
    eta : array_like, shape (...)
        Step sizes, above 0.

    Returns
    -------
    numpy.float64 or ndarray, shape (...)
        The penalty, in units of λ; infinite for T = 0.

    Raises
    ------
    ValueError
        If a T is negative or a step is not above 0.

    Notes
    -----
    Assume 0 ≤ ηλ ≤ 1. Ridge then leaves no less of any coordinate than the loops, since
    (1 − ηλ)^(−T) ≥ 1 + ηλT (Bernoulli); the two agree to first order as λ → 0. The other way round
    1 − s of the loops is at most c_T times that of ridge, where c_T is the largest
    (1 − (1 − a)^T)(1 + aT)/(aT) over 0 < a ≤ 1: 2 for T = 1, 25/16 for T = 2, and 1.2985 as T → ∞.
    So the variance is at most c_T² times ridge's, the bias is no more, and so is the risk at most
    c_T² times that of ridge.

    Source: Ali, Kolter and Tibshirani 2019, "A continuous-time view of early stopping for least
    squares" (arXiv 1810.10082), which proves the factor 1.69 for gradient flow at t = 1/μ: T → ∞
    with η → 0 here. The constants for T loops are worked out here.

    Examples
    --------
    >>> from loopcore.theory import calibrated_penalty
    >>> float(calibrated_penalty(50, 0.02))
    1.0
    """
    t, step = loops(T), _steps(eta)
    with np.errstate(divide="ignore"):
        return unwrapped(1 / (step * t))


def best_penalty(prior: npt.ArrayLike, noise: npt.ArrayLike) -> Values:
    """Give ridge's best penalty for an isotropic prior on θ*, μ = σ²/τ².

    Parameters
    ----------
    prior : array_like, shape (...)
        The variance τ² of each coordinate of θ*, whose mean is 0.
    noise : array_like, shape (...)
        The variance σ² of the noise in each y.

    Returns
    -------
    numpy.float64 or ndarray, shape (...)
        The penalty, in units of λ; infinite for τ² = 0, NaN if σ² = 0 as well.

    Raises
    ------
    ValueError
        If a variance is below 0.

    Notes
    -----
    Each term s²τ² + (1 − s)²σ²/λ of `excess_risk` is least at s = σ²/(σ² + λτ²), and ridge with
    this penalty has that s for every λ at once. So it is best among all penalties, and no number of
    loops, no schedule and no other shrinkage does better on average over the prior, whatever the
    moments of the query. With Gaussian prior and noise it is the posterior mean. For one fixed θ*
    it need not be the best penalty.

    Loops pay little for not being ridge: for small η, T = τ²/(ησ²) of them, the T that
    `calibrated_penalty` pairs with this penalty, have at most 1.22 times the least risk, for any
    spectrum (Ali, Kolter and Tibshirani 2019, arXiv 1810.10082, for gradient flow).

    Examples
    --------
    >>> from loopcore.theory import best_penalty
    >>> float(best_penalty(0.5, 2.0))
    4.0
    """
    tau2, sigma2 = not_negative("prior", prior), not_negative("noise", noise)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return unwrapped(np.divide(sigma2, tau2))


def _steps(eta: npt.ArrayLike) -> Array:
    step = np.asarray(eta, np.float64)
    if np.any(step <= 0):
        raise ValueError(f"eta: expected above 0, got {np.nanmin(step)}")
    return step
