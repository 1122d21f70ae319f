"""The excess risk of stopping after T loops, or of ridge, where y = Xθ* + noise."""

from __future__ import annotations

import operator
from typing import NamedTuple, SupportsIndex

import numpy as np
import numpy.typing as npt

from loopcore.theory._values import Array, Values, directions, not_negative, shrunk, unwrapped


class Risk(NamedTuple):
    """The two parts of an expected excess risk, each (...)."""

    bias: Values
    """What the estimate misses of θ* on average, squared; falls with T."""
    variance: Values
    """What it takes from the noise; grows with T."""

    @property
    def total(self) -> Values:
        """The expected excess risk, bias + variance."""
        return unwrapped(self.bias + self.variance)


def excess_risk(
    shrinkage: npt.ArrayLike,
    eigenvalues: npt.ArrayLike,
    signal: npt.ArrayLike,
    noise: npt.ArrayLike,
    moments: npt.ArrayLike = 1.0,
) -> Risk:
    """Give E(xᵀθ_T − xᵀθ*)² over the noise: Σ_i m_i (s_i² θ*_i² + (1 − s_i)² σ²/λ_i).

    Parameters
    ----------
    shrinkage : array_like, shape (..., d)
        What is left of each coordinate: `loop_shrinkage` for T loops, `schedule_shrinkage` for a
        schedule, `ridge_shrinkage` for ridge.
    eigenvalues : array_like, shape (..., d)
        All d eigenvalues λ of XᵀX, with their zeros: noise does not reach those directions, and
        θ* is never found there.
    signal : array_like, shape (..., d) or ()
        θ*_i², the squared coordinates of θ* in the eigenbasis. For the mean over an isotropic prior
        of variance τ² in each coordinate, give the number τ².
    noise : array_like, shape (...)
        The variance σ² of the noise in each y.
    moments : array_like, shape (..., d) or ()
        m_i = v_iᵀ E[xxᵀ] v_i, the second moment of the query along each eigenvector. With 1 the
        risk is E‖θ_T − θ*‖²; with λ/n it is that on the given inputs, E‖X(θ_T − θ*)‖² / n.

    Returns
    -------
    Risk
        ``(bias, variance)`` and their sum ``total``, each (...), in units of y² for moments in
        units of X². The noise of a new y itself, σ², is not in it.

    Raises
    ------
    ValueError
        If `eigenvalues`, `signal`, `noise` or `moments` has an entry below 0, or `shrinkage` or
        `eigenvalues` is a number, or the arrays (..., d) do not fit.

    Notes
    -----
    X is fixed; the noise is uncorrelated, of mean 0 and variance σ², independent of X, and
    q(0) = 0. Then θ_T has the coordinates (1 − s_i)(θ*_i + ε_i), with ε_i of variance σ²/λ_i, and
    nothing about its law beyond that is needed. With a fixed θ* and moments other than 1 and λ it
    also assumes that E[xxᵀ] is diagonal in the eigenbasis; under the isotropic prior it does not.

    Source: Yao, Rosasco and Caponnetto 2007, "On early stopping in gradient descent learning", for
    early stopping as a trade of bias for variance; Ali, Kolter and Tibshirani 2019, "A
    continuous-time view of early stopping for least squares" (arXiv 1810.10082), for this risk in
    continuous time, where s = exp(−λt).

    Examples
    --------
    >>> import numpy as np
    >>> from loopcore.theory import excess_risk, loop_shrinkage
    >>> eigenvalues = [4.0, 1.0]
    >>> T = np.array([0, 4, 1000])
    >>> risk = excess_risk(loop_shrinkage(T, eigenvalues, 0.25), eigenvalues, 1.0, 1.0)
    >>> risk.total.round(3).tolist()
    [2.0, 0.817, 1.25]
    """
    lam = directions("eigenvalues", eigenvalues)
    signals, variance, weights = _noisy_task(signal, noise, moments)
    left = shrunk(shrinkage, eigenvalues=lam, signal=signals, moments=weights)
    return _risk(left, lam, signals, variance, weights)


def best_loops(
    eigenvalues: npt.ArrayLike,
    eta: npt.ArrayLike,
    signal: npt.ArrayLike,
    noise: npt.ArrayLike,
    moments: npt.ArrayLike = 1.0,
    *,
    most: SupportsIndex = 10_000,
) -> npt.NDArray[np.int64] | np.int64:
    """Find the number of loops of a constant step with the least expected excess risk.

    Parameters
    ----------
    eigenvalues : array_like, shape (..., d)
        All d eigenvalues λ of XᵀX, at least 0.
    eta : array_like, shape (...)
        Step sizes, in units of 1/λ.
    signal, noise, moments : array_like
        As in `excess_risk`.
    most : int
        The most loops to try, at least 0.

    Returns
    -------
    numpy.int64 or ndarray, shape (...)
        The T with the least ``excess_risk(...).total`` among 0, 1, …, `most`, the fewest of equal
        ones. `most` itself says that the risk may still fall after it.

    Raises
    ------
    TypeError
        If `most` is no integer.
    ValueError
        As `excess_risk`, or if `most` is below 0.

    Notes
    -----
    Each direction alone is best left at s = σ²/(σ² + λθ*²), after ln(1 + λθ*²/σ²)/−ln(1 − ηλ)
    loops. They disagree, and the sum over directions need not have a single minimum, so every T is
    tried, O(d) each, until no later one can do better.

    Examples
    --------
    >>> from loopcore.theory import best_loops
    >>> int(best_loops([4.0, 1.0], 0.25, 1.0, 1.0))
    2
    >>> best_loops([4.0, 1.0], 0.25, 1.0, [0.01, 1.0, 100.0]).tolist()
    [16, 2, 0]
    """
    lam = directions("eigenvalues", eigenvalues)
    last = operator.index(most)
    if last < 0:
        raise ValueError(f"most: expected at least 0, got {last}")
    task = _noisy_task(signal, noise, moments)
    factor = 1 - np.asarray(eta, np.float64)[..., None] * lam
    shrunk(factor, signal=task[0], moments=task[2])
    left = np.ones(np.broadcast_shapes(factor.shape, *(part.shape for part in task)))
    least = np.asarray(_risk(left, lam, *task).total)
    best = np.zeros(least.shape, np.int64)
    with np.errstate(over="ignore", invalid="ignore"):
        for T in range(1, last + 1):
            left = left * factor
            total = np.asarray(_risk(left, lam, *task).total)
            best = np.where(total < least, T, best)
            least = np.fmin(total, least)
            if T % 32 == 0 and np.all(_settled(left, factor) | (_floor(left, lam, *task) > least)):
                break
    return np.int64(best) if best.ndim == 0 else best


def _settled(left: Array, factor: Array) -> npt.NDArray[np.bool_]:
    """Tell where further loops change nothing, (...)."""
    still: npt.NDArray[np.bool_] = np.all((np.abs(left) < 1e-150) | (factor == 1), axis=-1)
    return still


def _floor(left: Array, lam: Array, signal: Array, noise: Array, moments: Array) -> Values:
    """Give what the risk never falls below again: (1 − s)² ≥ (1 − |s|)², which never falls."""
    return _risk(np.abs(left), lam, signal, noise, moments).variance


def _noisy_task(
    signal: npt.ArrayLike, noise: npt.ArrayLike, moments: npt.ArrayLike
) -> tuple[Array, Array, Array]:
    """Read θ*², σ² and m so that each broadcasts against (..., d)."""
    return (
        np.atleast_1d(not_negative("signal", signal)),
        not_negative("noise", noise)[..., None],
        np.atleast_1d(not_negative("moments", moments)),
    )


def _risk(left: Array, lam: Array, signal: Array, noise: Array, moments: Array) -> Risk:
    inverse = np.divide(1, lam, out=np.zeros(lam.shape), where=lam > 0)
    shape = np.broadcast_shapes(left.shape, lam.shape, signal.shape, noise.shape, moments.shape)
    with np.errstate(over="ignore", invalid="ignore"):
        bias = np.broadcast_to(moments * signal * left**2, shape).sum(axis=-1)
        variance = np.broadcast_to(moments * noise * inverse * (1 - left) ** 2, shape).sum(axis=-1)
    return Risk(unwrapped(bias), unwrapped(variance))
