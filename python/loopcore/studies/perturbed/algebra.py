"""The noisy loop in closed form: limit, rates, and which of the two a failure is due to.

Only the query row z = (q, α) moves, and the context rows (x_i, y_i) with y = Xθ make
S = Σ z_i z_iᵀ:

    z(t + 1) = z(t) A,    A = I − η Q S P,    S = V H Vᵀ,  V = [I; θᵀ] (D, d),  H = XᵀX

S has rank d whatever X is, and so has Q S P: for **every** P and Q one eigenvalue of A is exactly
1, and the other d are 1 − ηβ with β the eigenvalues of G H, G = Vᵀ P Q V, which is I for the ideal
weights. With a = (−θ, 1), for which S a = 0, the left and right vectors of the eigenvalue 1 are
a Q⁻¹ and P⁻¹ a. Where every |1 − ηβ| < 1, and from q(0) = 0,

    z(∞) = α (P⁻¹a)_D · a Q⁻¹ / (a Q⁻¹ P⁻¹ a)

which does not contain X: the floor is the same for every κ, n and step. To first order in the noise
σE, with ‖θ‖ = 1 and b = (θ, 1),

    ⟨v(∞), θ⟩ − α = α σ (aᵀ E_Q b − bᵀ E_P e_D) + O(σ²) ~ N(0, 6 α² σ²)

for Gaussian E: a median error of 0.6745 √6 σ |α| = 1.65 σ |α|. Loops converge where G H has all its
eigenvalues in the disc |1 − ηβ| < 1. [ours]
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

MEDIAN_FLOOR = 0.6744897501960817 * np.sqrt(6)
"""The median of |⟨v(∞), θ⟩ − α| / (|α| σ), to first order: 1.652."""


def lost_as_infinite(values: Array) -> Array:
    """Return errors with infinity for NaN, which a diverging loop ends in."""
    return np.where(np.isnan(values), np.inf, values)


def ideal(d: int) -> tuple[Array, Array]:
    """Return the paper's P = diag(1, …, 1, 0) and Q = I, (D, D)."""
    return np.diag(np.append(np.ones(d), 0.0)), np.eye(d + 1)


def limit(P: Array, Q: Array, theta: Array) -> Array:
    """Return v(∞) / α, where the loop converges, from q(0) = 0.

    Parameters
    ----------
    P, Q : (..., D, D) array
        Invertible.
    theta : (..., d) array
        θ*, of y = Xθ*.

    Returns
    -------
    (..., d) array

    Examples
    --------
    >>> P, Q = ideal(2)
    >>> limit(P + np.diag([0, 0, 1e-9]), Q, np.array([0.6, 0.8])).round(6)
    array([0.6, 0.8])
    """
    a = np.concatenate([-theta, np.ones((*theta.shape[:-1], 1))], axis=-1)  # (..., D)
    left = np.linalg.solve(Q.swapaxes(-1, -2), a[..., None])[..., 0]  # a Q⁻¹
    right = np.linalg.solve(P, a[..., None])[..., 0]  # P⁻¹ a
    scale = right[..., -1] / (left * right).sum(axis=-1)
    return np.asarray(-scale[..., None] * left[..., :-1])


def floor(P: Array, Q: Array, theta: Array) -> Array:
    """Return (⟨v(∞), θ⟩ − α) / α for ‖θ‖ = 1, (...), with its sign."""
    return np.asarray((limit(P, Q, theta) * theta).sum(axis=-1) - 1)


def first_order_floor(E_P: Array, E_Q: Array, theta: Array) -> Array:
    """Return aᵀE_Q b − bᵀE_P e_D, the floor of ‖θ‖ = 1 over σ as σ → 0, (...)."""
    one = np.ones((*theta.shape[:-1], 1))
    a, b = np.concatenate([-theta, one], axis=-1), np.concatenate([theta, one], axis=-1)
    first: Array = (a[..., None, :] @ E_Q @ b[..., None])[..., 0, 0]
    return np.asarray(first - (b * E_P[..., -1]).sum(axis=-1))


def curvatures(P: Array, Q: Array, theta: Array, H: Array) -> npt.NDArray[np.complex128]:
    """Return β, the eigenvalues of Vᵀ P Q V H: those of Q S P but for one 0, (..., d).

    Parameters
    ----------
    P, Q : (..., D, D) array
    theta : (..., d) array
    H : (..., d, d) array
        XᵀX.
    """
    d = theta.shape[-1]
    unit = np.broadcast_to(np.eye(d), (*theta.shape[:-1], d, d))
    V = np.concatenate([unit, theta[..., None, :]], axis=-2)  # (..., D, d)
    G = V.swapaxes(-1, -2) @ (P @ Q) @ V
    return np.asarray(np.linalg.eigvals(G @ H), np.complex128)


def radius(beta: npt.NDArray[np.complex128], eta: Array) -> Array:
    """Return max |1 − ηβ|, (...), of steps η (...): the factor by which a loop multiplies errors.

    The loop converges below 1 and diverges above.
    """
    return np.asarray(np.abs(1 - eta[..., None] * beta).max(axis=-1))


def optimal_step_share(sigma: npt.ArrayLike, kappa: float, d: int) -> Array:
    """Return the share of loops that diverge at η = 2/(λ_min + λ_max), to first order, (...).

    There ηλ_max = 2κ/(κ + 1), and the noise multiplies λ_max by 1 + σk with
    k = uᵀVᵀ(E_P + P E_Q)Vu ~ N(0, (1 + c²)(2 + c²)), u its eigenvector and c = ⟨θ, u⟩, here c² =
    1/d: the loop diverges if σk > 1/κ. At η = 1/λ_max it would take σk > 1, which is beyond first
    order.

    Examples
    --------
    >>> print(optimal_step_share(0.01, 100.0, 8).round(2))
    0.26
    """
    from scipy.special import ndtr

    deviation = np.sqrt((1 + 1 / d) * (2 + 1 / d))
    return np.asarray(ndtr(-1 / (kappa * np.asarray(sigma, np.float64) * deviation)))


# ---- why a pair of model and task fails ----------------------------------------------------------

CAUSES = ("passes", "slow", "slowed", "floor", "both", "diverges")
"""Of "error above ε after T loops" [ours]:

slow      : converges to an error ≤ ε; the ideal weights are above ε after T loops too
slowed    : converges to an error ≤ ε; the ideal weights are there, the noise made the loop slower
floor     : converges to an error > ε; the ideal weights are at ε or below
both      : converges to an error > ε; the ideal weights are above ε too, and would get there
diverges  : a factor above 1
"""


def causes(
    error: Array, ideal_error: Array, limit_error: Array, factor: Array, eps: float
) -> Integers:
    """Return the index in `CAUSES`, (...), from the error after T loops and the closed forms.

    Parameters
    ----------
    error, ideal_error : (...) array
        After T loops; NaN counts as infinity.
    limit_error : (...) array
        |⟨v(∞), θ⟩ − α| / |α| where the loop converges.
    factor : (...) array
        By `radius`.
    eps : float
    """
    ideal_fails, floored = ideal_error > eps, limit_error > eps
    conditions = [error <= eps, factor > 1, floored & ideal_fails, floored, ideal_fails]
    return np.select(conditions, [0, 5, 4, 3, 1], 2)


VERDICTS = ("slow", "floor", "diverges")


def truth(cause: Integers) -> Integers:
    """Return the index in `VERDICTS` of a cause, −1 where nothing failed."""
    return np.asarray(np.array([-1, 0, 0, 1, 1, 2])[cause])


def extrapolating_verdict(g: Array, g2: Array, e: Array, e2: Array, eps: float) -> Integers:
    """Judge a failure by two measured errors and κ, by the floor they extrapolate to.

    The errors of T and 2T loops are g = f + c e and g2 = f + c e2, if the noise left the decay e,
    e2 that theory predicts from the spectrum: two equations give f. "diverges" where g2 is above
    both g and the 1 that the loop starts from, "floor" where |f| > ε, otherwise "slow" [ours].

    Parameters
    ----------
    g, g2 : (...) array
        (⟨v, θ⟩ − α) / α after T and 2T loops, with their signs.
    e, e2 : (...) array
        What theory says of them with the ideal weights, `loopcore.theory.relative_error`.
    eps : float

    Returns
    -------
    (...) array of int
        Indices in `VERDICTS`.

    Examples
    --------
    >>> e, e2 = np.array(0.5), np.array(0.25)
    >>> [VERDICTS[int(extrapolating_verdict(g, g2, e, e2, 0.01))] for g, g2 in (
    ...     (np.array(-0.5), np.array(-0.25)),
    ...     (np.array(-0.6), np.array(-0.35)),
    ...     (np.array(-5.0), np.array(-70.0)),
    ... )]
    ['slow', 'floor', 'diverges']
    """
    with np.errstate(all="ignore"):
        f = (g2 * e - g * e2) / (e - e2)
        grows = ~np.isfinite(g2) | (np.abs(g2) > np.maximum(np.abs(g), 1))
    return np.where(grows, 2, np.where(np.abs(f) <= eps, 0, 1))


def ratio_verdict(g: Array, g2: Array, e: Array, e2: Array) -> Integers:
    """Judge a failure by the ratios of measured to predicted error at T and 2T.

    "diverges" as in `extrapolating_verdict`, "slow" where both ratios are at most 2, otherwise
    "floor" [ours]. Parameters and result are those of `extrapolating_verdict`.
    """
    with np.errstate(all="ignore"):
        grows = ~np.isfinite(g2) | (np.abs(g2) > np.maximum(np.abs(g), 1))
        agrees = (np.abs(g) <= 2 * e) & (np.abs(g2) <= 2 * e2)
    return np.where(grows, 2, np.where(agrees, 0, 1))
