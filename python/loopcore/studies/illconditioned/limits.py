"""What is known of rates and errors without measuring."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def theory_rate(kappa: Array) -> Array:
    """Return κ times the rate of (1 − 1/κ)^T, −κ ln(1 − 1/κ); ∞ at κ = 1."""
    with np.errstate(divide="ignore"):
        return np.asarray(-kappa * np.log1p(-1 / kappa))


def expected_error(T: npt.ArrayLike, kappa: float, d: int) -> Array:
    """Return the mean relative error over log-uniform spectra and θ* ~ N(0, I), T (K,) → (K,).

        E = ((1 − 1/κ)^T + 0^T)/d + ∫₀¹ (1 − u^(d−1) − (1 − u)^(d−1)) (1 − κ^(−u))^T du

    Every weight has the mean 1/d. Of d log-uniform eigenvalues, λ_max κ^(−u) with u uniform,
    `tasks.Spectrum` moves the first and the last to the ends; the density of the others is that of
    all of them without those two. For d → ∞ and 1 ≪ T ≪ κ it is (ln(κ/T) − γ)/ln κ with Euler's
    γ = 0.577: it falls with log T, from one end of the spectrum to the other, and not like any
    exponential. [ours]

    Examples
    --------
    >>> expected_error([0], 1e6, 16).round(12)
    array([1.])
    >>> mean = expected_error([1000], 1e6, 10**9)[0]
    >>> bool(abs(mean - (np.log(1000) - np.euler_gamma) / np.log(1e6)) < 1e-3)
    True
    """
    t = np.asarray(T, np.float64)
    nodes, weights = np.polynomial.legendre.leggauss(400)
    u = (nodes + 1) / 2
    density = (1 - u ** (d - 1) - (1 - u) ** (d - 1)) * weights / 2
    inner = _left(t[:, None], kappa**-u) @ density
    last = _left(t, np.asarray(1 / kappa))
    return np.asarray((last + (t == 0)) / d + inner)


def _left(t: Array, gain: Array) -> Array:
    """Return (1 − gain)^t, which is 1 where t = 0 whatever the gain."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(t > 0, np.exp(t * np.log1p(-gain)), 1.0)
