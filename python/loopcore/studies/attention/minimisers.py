"""Where infinitely many loops of generation end: minimisers, by Newton's method.

Generation descends F(q) = Σ_i φ(s_i), s = Xq + αy, with φ of `minimisers`.
"""

from __future__ import annotations

from math import comb
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_ITERATIONS = 100
_TOLERANCE = 1e-10


def surrounded(X: npt.ArrayLike) -> Mask:
    """Tell whether 0 lies in the convex hull of the rows, whether Σ p_i x_i = 0 with p ≥ 0.

    Parameters
    ----------
    X : (B, n, d) array_like

    Returns
    -------
    (B,) array of bool

    Examples
    --------
    >>> surrounded([[[1.0], [-1.0]], [[1.0], [2.0]]])
    array([ True, False])
    """
    from scipy.optimize import nnls

    rows = np.asarray(X, np.float64)
    B, n, d = rows.shape
    sums = np.concatenate([rows, np.ones((B, n, 1))], axis=-1).swapaxes(-1, -2)  # (B, d + 1, n)
    aim = np.append(np.zeros(d), 1.0)
    return np.array([nnls(part, aim)[1] < 1e-9 for part in sums], bool)


def surrounded_probability(n: int, d: int) -> float:
    """Return how likely n rows of a symmetric density in d dimensions have 0 in their hull.

    Notes
    -----
    1 − 2^{−(n−1)} Σ_{k<d} C(n − 1, k): J. G. Wendel, "A Problem in Geometric Probability", 1962.
    It is 1/2 at n = 2d.

    Examples
    --------
    >>> surrounded_probability(16, 8), surrounded_probability(8, 8)
    (0.5, 0.0)
    """
    return 1 - sum(comb(n - 1, k) for k in range(d)) / float(2 ** (n - 1))


def minimisers(
    kind: str, X: npt.ArrayLike, y: npt.ArrayLike, alpha: float, temperature: float
) -> Array:
    """Return the v = −q to which generation tends, by Newton's method.

    ========== ================================= =========
    kind       F(q), of s = Xq + αy              minimiser
    ========== ================================= =========
    linear     Σ s²/2                            αθ̂
    softmax    τ² log Σ e^{s/τ}                  unique where the rows surround 0
    exp        τ² Σ e^{s/τ}                      that of softmax: the logarithm rises
    relu       Σ max(s, 0)²/2                    unique where the rows surround 0
    softmax ±  τ² (log Σ e^{s/τ} + log Σ e^{−s/τ})/2  unique, αθ* where y = Xθ*
    exp ±      τ² Σ cosh(s/τ)                    unique, αθ* where y = Xθ*
    ========== ================================= =========

    Parameters
    ----------
    kind : str
        One of `config.GENERATING`.
    X : (B, n, d) array_like
        Of rank d.
    y : (B, n) array_like
    alpha, temperature : float
        α and τ.

    Returns
    -------
    (B, d) array
        Infinite where there is none, or not one: softmax and exp then go on for ever, and ReLU
        stops where it meets the cone Xq + αy ≤ 0. NaN where Newton's method found none.

    Examples
    --------
    At Σ p_i x_i = 0 the second of three points has p = 2/3.

    >>> X, y = np.array([[[1.0], [-1.0], [1.0]]]), np.zeros((1, 3))
    >>> print(minimisers("softmax", X, y, 1.0, 1.0).round(6), round(-np.log(2) / 2, 6))
    [[0.346574]] -0.346574
    """
    X, y = np.asarray(X, np.float64), np.asarray(y, np.float64)
    shift = alpha * y
    q = -(np.linalg.pinv(X) @ shift[..., None])[..., 0]  # (B, d)
    if kind == "linear":
        return -q
    some = np.ones(len(X), bool) if kind.endswith("±") else surrounded(X)
    # From a temperature at which F is almost a parabola down to τ.
    spread = float(np.max(np.abs(X @ q[..., None] + shift[..., None]), initial=0.0))
    tau = temperature
    while tau < spread and kind != "relu":
        tau *= 2
    state, close = q[some], np.ones(int(some.sum()), bool)
    while True:
        state, close = _newton(kind, X[some], shift[some], state, tau)
        if tau == temperature or kind == "relu":
            break
        tau /= 2
    v = np.full(q.shape, np.inf)
    v[some] = np.where(close[:, None], -state, np.nan)
    return v


class _Derivatives(NamedTuple):
    """Of F at some q, in units in which scores are divided by τ."""

    value: Array
    """(B,)"""
    gradient: Array
    """(B, d)"""
    hessian: Array
    """(B, d, d)"""


def _newton(kind: str, X: Array, shift: Array, q: Array, tau: float) -> tuple[Array, Mask]:
    """Minimise F by damped Newton steps from q (B, d); tell of which tasks the gradient is zero."""
    X, u0 = X / tau, shift / tau
    one = np.eye(X.shape[-1])
    at = _derivatives(kind, X, u0, q)
    for _ in range(_ITERATIONS):
        scale = np.trace(at.hessian, axis1=-2, axis2=-1)[:, None, None] + np.finfo(float).tiny
        step = np.linalg.solve(at.hessian + 1e-14 * scale * one, at.gradient[..., None])[..., 0]
        gain = np.einsum("bd,bd->b", at.gradient, step)  # Newton's decrement, squared
        if np.all(gain <= _TOLERANCE**2 * np.maximum(np.abs(at.value), 1)):
            break
        length = np.ones(len(q))
        for _ in range(50):
            after = _derivatives(kind, X, u0, q - length[:, None] * step)
            worse = after.value > at.value - 1e-4 * length * gain + 1e-15 * np.abs(at.value)
            if not worse.any():
                break
            length = np.where(worse, length / 2, length)
        q = np.where((length > 1e-12)[:, None], q - length[:, None] * step, q)
        at = _derivatives(kind, X, u0, q)
    size = np.abs(X).max(axis=(-2, -1)) if X.size else np.ones(len(q))
    return q, np.linalg.norm(at.gradient, axis=-1) <= 1e-7 * size


def _derivatives(kind: str, X: Array, u0: Array, q: Array) -> _Derivatives:
    u = np.einsum("bnd,bd->bn", X, q) + u0
    if kind == "relu":
        part = np.maximum(u, 0)
        return _Derivatives(
            0.5 * np.mean(part**2, axis=-1),
            np.einsum("bn,bnd->bd", part, X) / u.shape[-1],
            np.einsum("bn,bnd,bne->bde", np.where(u > 0, 1.0, 0.0), X, X) / u.shape[-1],
        )
    if kind == "exp ±":  # log Σ cosh, which has the minimiser of Σ cosh
        return _log_sum_exp(np.concatenate([X, -X], axis=-2), np.concatenate([u, -u], axis=-1))
    one = _log_sum_exp(X, u)
    if kind == "softmax ±":
        other = _log_sum_exp(-X, -u)
        return _Derivatives(*(a + b for a, b in zip(one, other, strict=True)))
    return one


def _log_sum_exp(X: Array, u: Array) -> _Derivatives:
    greatest = u.max(axis=-1, keepdims=True)
    weights = np.exp(u - greatest)
    total = weights.sum(axis=-1, keepdims=True)
    p = weights / total
    mean = np.einsum("bn,bnd->bd", p, X)
    centred = X - mean[:, None]
    hessian = np.matmul((p[..., None] * centred).swapaxes(-1, -2), centred)
    return _Derivatives((greatest + np.log(total))[:, 0], mean, hessian)


def asymptotic_distance(
    kind: str, n: int, d: int, noise: float, temperature: npt.ArrayLike
) -> Array:
    """Return the root mean square of ‖v − αθ*‖ at the minimiser, for rows N(0, I) and n ≫ d.

    A √(d/n) with A² = E[ψ(e)²] / E[ψ'(e)]², ψ = φ' the activation and e ~ N(0, σ²) the noise in
    the scores:

    ===================  ==================
    kind                 A²
    ===================  ==================
    linear               σ²
    relu                 2σ²
    softmax, exp         τ² exp(σ²/τ²), least at τ = σ, where it is e σ²
    softmax ±, exp ±     τ² sinh(σ²/τ²)
    ===================  ==================

    Parameters
    ----------
    kind : str
        One of `config.GENERATING`.
    n, d : int
    noise : float
        σ, of αy.
    temperature : (...) array_like
        τ.

    Returns
    -------
    (...) array
        May be infinite at small τ.

    Notes
    -----
    Minimisers are M-estimators: P. J. Huber, "Robust Regression: Asymptotics, Conjectures and Monte
    Carlo", 1973. The constants are derived here [ours].

    Examples
    --------
    >>> print(asymptotic_distance("linear", 200, 8, 0.5, 1.0))
    0.1
    """
    tau = np.asarray(temperature, np.float64)
    with np.errstate(over="ignore"):
        ratio = noise**2 / tau**2
        if kind == "linear":
            square = np.full(tau.shape, noise**2)
        elif kind == "relu":
            square = np.full(tau.shape, 2 * noise**2)
        elif kind.endswith("±"):
            square = tau**2 * np.sinh(ratio)
        else:
            square = tau**2 * np.exp(ratio)
    return np.sqrt(square * d / n)
