"""What T loops leave of an error: by each kind of steps, exactly, in the eigenbasis of XᵀX.

Coordinate i of θ* − v(T) is s_i(T) times that of θ*. With weights w_i = θ_i², unit θ* and α = 1,

    |⟨v(T), θ*⟩ − 1| = |Σ_i w_i s_i|,    ‖v(T) − θ*‖ = √(Σ_i w_i s_i²),

and the second one is never smaller than the first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from loopcore import theory

Array = npt.NDArray[np.float64]

METHODS = ("constant", "optimal", "momentum", "chebyshev")
MEASURES = ("error", "distance")  # |⟨v(T), θ*⟩ − 1| and ‖v(T) − θ*‖


def measures(shrinkage: Array, weights: Array) -> Array:
    """Return error and distance (..., 2) of shrinkage and weights (..., d)."""
    error = np.abs((weights * shrinkage).sum(axis=-1))
    distance = np.sqrt((weights * shrinkage * shrinkage).sum(axis=-1))
    return np.stack([error, distance], axis=-1)


# ---- bounds -------------------------------------------------------------------------------------


def momentum_bound(T: npt.ArrayLike, kappa: npt.ArrayLike) -> Array:
    """Return the worst case of the heavy ball with Polyak's steps, ρ^T (1 + (1 + ρ) T).

    ρ = (√κ − 1)/(√κ + 1). With x = 1 at λ_min and −1 at λ_max, linear in between, the recurrence
    leaves s = ρ^T (U_T(x) − ρ U_{T−1}(x)), U Chebyshev's polynomials of the second kind, which are
    at most T + 1 and T in size; both are reached at λ_max [ours]. It first rises: Polyak's steps
    are the best in the long run.

    Source: B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", 1964,
    for the steps and ρ.
    """
    root = np.sqrt(np.asarray(kappa, np.float64))
    rho, t = (root - 1) / (root + 1), np.asarray(T, np.float64)
    return np.asarray(rho**t * (1 + (1 + rho) * t))


BOUNDS: tuple[Callable[..., npt.ArrayLike], ...] = (
    theory.gradient_descent_bound,
    theory.optimal_step_bound,
    momentum_bound,
    theory.chebyshev_bound,
)
"""Of `METHODS`, on the distance and so on the error."""


def bound_loops(k: int, tolerance: float, kappa: float) -> int:
    """Return from which T on the bound of the k-th method stays at most ε."""
    if BOUNDS[k] is not momentum_bound:
        return theory.fewest_loops(tolerance, lambda T: float(np.asarray(BOUNDS[k](T, kappa))))
    # 2√κ T of the factor 1 + (1 + ρ) T is made up for long before this T.
    root = math.sqrt(kappa)
    enough = math.ceil(root * (math.log(1 / tolerance) + math.log1p(4 * root))) + 2
    above = np.flatnonzero(momentum_bound(np.arange(enough), kappa) > tolerance)
    return int(above[-1]) + 1


# ---- shrinkage, loop after loop -----------------------------------------------------------------


def momentum_shrinkage(eigenvalues: Array) -> Iterator[Array]:
    """Yield s (B, d) after 0, 1, … loops of the heavy ball with Polyak's steps for each task.

    s ← s − ηλs + β(s − s₋), η = (2/(√λ_max + √λ_min))², β = ((√κ − 1)/(√κ + 1))².
    """
    high, low = (np.sqrt(end(eigenvalues, -1, keepdims=True)) for end in (np.max, np.min))
    eta, beta = (2 / (high + low)) ** 2, ((high - low) / (high + low)) ** 2
    s = before = np.ones_like(eigenvalues)
    while True:
        yield s
        s, before = s - eta * eigenvalues * s + beta * (s - before), s


def chebyshev_shrinkage(eigenvalues: Array) -> Iterator[Array]:
    """Yield s (B, d) after the last of 0, 1, … loops, each number with its own schedule.

    s = cos(T arccos x) / cosh(T arccosh x₀), x = (λ_max + λ_min − 2λ)/(λ_max − λ_min), x₀ its value
    at λ = 0.
    """
    high, low = (end(eigenvalues, -1, keepdims=True) for end in (np.max, np.min))
    x = np.clip((high + low - 2 * eigenvalues) / (high - low), -1, 1)
    angle, growth = np.arccos(x), np.arccosh((high + low) / (high - low))
    T = 0
    while True:
        yield np.cos(T * angle) / np.cosh(T * growth)
        T += 1


# ---- loops to a tolerance -----------------------------------------------------------------------


def loops_needed(eigenvalues: Array, weights: Array, tolerances: Sequence[float]) -> Array:
    """Return from which T on the measures stay at most each ε, (B, methods, 2, E).

    Parameters
    ----------
    eigenvalues, weights : ndarray, shape (B, d)
        λ, and the squared coordinates of unit θ*, of each task.
    tolerances : sequence of float
        ε, falling.
    """
    low, high = eigenvalues.min(axis=-1), eigenvalues.max(axis=-1)  # (B,)
    worst = float((high / low).max())
    most = [bound_loops(k, tolerances[-1], worst) for k in range(len(METHODS))]
    goals = np.array(tolerances)
    found = [
        _by_bisection(eigenvalues, weights, 1 / high, goals, most[0]),
        _by_bisection(eigenvalues, weights, 2 / (low + high), goals, most[1]),
        _by_sweep(momentum_shrinkage(eigenvalues), weights, goals, most[2]),
        _by_sweep(chebyshev_shrinkage(eigenvalues), weights, goals, most[3]),
    ]
    return np.stack(found, axis=1)


def _by_sweep(course: Iterator[Array], weights: Array, goals: Array, most: int) -> Array:
    """Return the last T before `most` with a measure above ε, and one more, (B, 2, E)."""
    needed = np.zeros((len(weights), 2, len(goals)))
    for T, s in zip(range(most), course, strict=False):
        needed[measures(s, weights)[..., None] > goals] = T + 1
    return needed


def _by_bisection(eigenvalues: Array, weights: Array, eta: Array, goals: Array, most: int) -> Array:
    """Return the same for a constant step η (B,), (B, 2, E).

    After an even number of loops every s is at least 0, and falls: bisection finds the first even
    T. What an odd number leaves is no more than what one loop less does, so that T − 1 may do too.
    """

    def value(T: Array) -> Array:  # (B, 2, E), each entry's own measure after its own T
        s = theory.loop_shrinkage(T, eigenvalues[:, None, None], eta[:, None, None])
        return np.stack([measures(s[:, k], weights[:, None])[..., k] for k in range(2)], axis=1)

    shape = (len(weights), 2, len(goals))
    too_few, enough = np.zeros(shape), np.full(shape, float(most // 2 + 1))  # halves of T
    while (enough - too_few > 1).any():
        middle = np.floor((too_few + enough) / 2)
        fine = value(2 * middle) <= goals
        too_few, enough = np.where(fine, too_few, middle), np.where(fine, middle, enough)
    return 2 * enough - (value(2 * enough - 1) <= goals)
