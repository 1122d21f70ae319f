"""What T loops leave of the error, exactly."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from loopcore.theory._values import (
    Array,
    Values,
    directions,
    not_negative,
    shrunk,
    unwrapped,
    whole_loops,
)


def loop_shrinkage(T: npt.ArrayLike, eigenvalues: npt.ArrayLike, eta: npt.ArrayLike) -> Array:
    """Give what T loops of a constant step leave of each coordinate of q − q_∞: (1 − ηλ)^T.

    Parameters
    ----------
    T : array_like, shape (...)
        Numbers of loops, whole and at least 0.
    eigenvalues : array_like, shape (..., d)
        The eigenvalues λ of XᵀX, at least 0.
    eta : array_like, shape (...)
        Step sizes, in units of 1/λ.

    Returns
    -------
    ndarray, shape (..., d)
        The shrinkage s, a pure number: 1 where λ = 0, negative after an odd number of loops where
        ηλ > 1, and growing with T where ηλ > 2.

    Raises
    ------
    ValueError
        If a T is negative or not whole, or `eigenvalues` is a number or has one below 0.

    Notes
    -----
    Through log1p where ηλ < ½: at κ = 1e12, 1 − ηλ holds only four digits of ηλ.

    Examples
    --------
    >>> from loopcore.theory import loop_shrinkage
    >>> loop_shrinkage(2, [4.0, 2.0, 0.0], 0.25).tolist()
    [0.0, 0.25, 1.0]
    """
    t = whole_loops(T)[..., None]
    gain = np.asarray(eta, np.float64)[..., None] * directions("eigenvalues", eigenvalues)
    with np.errstate(over="ignore"):
        return np.where(gain < 0.5, np.exp(t * np.log1p(-np.minimum(gain, 0.5))), (1 - gain) ** t)


def schedule_shrinkage(schedule: npt.ArrayLike, eigenvalues: npt.ArrayLike) -> Array:
    """Give what each loop of a schedule leaves of each coordinate: Π_{j<t} (1 − η_j λ), t = 0…T.

    Parameters
    ----------
    schedule : array_like, shape (..., T)
        The steps, in the order of the loops.
    eigenvalues : array_like, shape (..., d)
        The eigenvalues λ of XᵀX, at least 0.

    Returns
    -------
    ndarray, shape (..., T + 1, d)
        The shrinkage after 0, 1, …, T loops; ``[..., -1, :]`` is that of the whole schedule.

    Raises
    ------
    ValueError
        If an argument is a number, or an eigenvalue is below 0.

    Examples
    --------
    >>> from loopcore.theory import schedule_shrinkage
    >>> schedule_shrinkage([0.5, 0.25], [4.0, 2.0]).tolist()
    [[1.0, 1.0], [-1.0, 0.0], [-0.0, 0.0]]
    """
    steps = np.asarray(schedule, np.float64)
    if steps.ndim == 0:
        raise ValueError(f"schedule: expected an array (..., T), got the number {steps}")
    factors = 1 - steps[..., None] * directions("eigenvalues", eigenvalues)[..., None, :]
    start = np.ones((*factors.shape[:-2], 1, factors.shape[-1]))
    with np.errstate(over="ignore", invalid="ignore"):
        return np.cumprod(np.concatenate([start, factors], axis=-2), axis=-2)


def relative_error(shrinkage: npt.ArrayLike, weights: npt.ArrayLike) -> Values:
    """Give the relative error exactly: |Σ_i w_i s_i|.

    Parameters
    ----------
    shrinkage : array_like, shape (..., d)
        What is left of each coordinate, by `loop_shrinkage` or `schedule_shrinkage`.
    weights : array_like, shape (..., d)
        θ̂_i², the squared coordinates of θ̂ in the eigenbasis, at least 0. They are divided by their
        sum here. θ̂ = 0 gives NaN.

    Returns
    -------
    numpy.float64 or ndarray, shape (...)
        |⟨v(T), θ̂⟩ − α‖θ̂‖²| / (|α|‖θ̂‖²), a pure number: what ``loopcore.errors(...,
        relative=True)`` measures.

    Raises
    ------
    ValueError
        If a weight is below 0, an argument is a number, or their last axes differ.

    Notes
    -----
    Source: the lemma of arXiv 2410.11268 (a loop is a step of gradient descent) in the eigenbasis,
    as this package's first lines show. It assumes q(0) = 0. With every λ between λ_min and λ_max
    and η = 1/λ_max it is at most `gradient_descent_bound`, reached by weights on λ_min alone.

    Where 0 ≤ ηλ ≤ 1 it never rises with T, and `fewest_loops` finds the T of a tolerance. Weights
    on λ = 0 (a θ other than θ̂) are never lost, and no T is enough below their share.

    Examples
    --------
    >>> from loopcore.theory import fewest_loops, loop_shrinkage, relative_error
    >>> eigenvalues, weights = [50.0, 10.0, 1.0], [1.0, 1.0, 1.0]
    >>> print(f"{relative_error(loop_shrinkage(10, eigenvalues, 0.02), weights):.4f}")
    0.3081
    >>> fewest_loops(1e-6, lambda T: relative_error(loop_shrinkage(T, eigenvalues, 0.02), weights))
    630
    """
    w = directions("weights", weights)
    left = shrunk(shrinkage, weights=w)
    with np.errstate(invalid="ignore"):
        return unwrapped(np.abs((w * left).sum(axis=-1)) / w.sum(axis=-1))


def relative_distance(shrinkage: npt.ArrayLike, weights: npt.ArrayLike) -> Values:
    """Give the relative distance from the limit exactly, ‖v(T) − αθ̂‖ / ‖αθ̂‖ = √(Σ_i w_i s_i²).

    It is never below `relative_error`. Shapes, units and errors are those of `relative_error`.

    Examples
    --------
    >>> from loopcore.theory import loop_shrinkage, relative_distance
    >>> print(f"{relative_distance(loop_shrinkage(10, [50.0, 10.0, 1.0], 0.02), [1, 1, 1]):.4f}")
    0.4758
    """
    w = directions("weights", weights)
    left = shrunk(shrinkage, weights=w)
    with np.errstate(invalid="ignore"):
        parts = np.sqrt(w / w.sum(axis=-1, keepdims=True)) * left
    return unwrapped(np.hypot.reduce(parts, axis=-1))  # squares would underflow below 1e-154


def residual_norm(
    shrinkage: npt.ArrayLike,
    eigenvalues: npt.ArrayLike,
    theta: npt.ArrayLike,
    residual: npt.ArrayLike = 0.0,
) -> Values:
    """Give the training residual exactly: ‖Xv(T)/α − y‖ = √(Σ_i λ_i s_i² θ̂_i² + ‖y − Xθ̂‖²).

    Parameters
    ----------
    shrinkage : array_like, shape (..., d)
        What is left of each coordinate.
    eigenvalues : array_like, shape (..., d)
        The eigenvalues λ of XᵀX, at least 0.
    theta : array_like, shape (..., d)
        The coordinates of θ̂ in the eigenbasis.
    residual : array_like, shape (...)
        ‖y − Xθ̂‖, the part that no number of loops removes; 0 where y = Xθ.

    Returns
    -------
    numpy.float64 or ndarray, shape (...)
        The residual norm, in units of y.

    Raises
    ------
    ValueError
        If an eigenvalue or `residual` is below 0, or the arrays (..., d) do not fit.

    Notes
    -----
    By Pythagoras: X(θ̂ − θ_T) lies in the range of X, and y − Xθ̂ is orthogonal to it. It does not
    depend on α, since v(T) is α times T steps of gradient descent on ½‖Xθ − y‖².

    Examples
    --------
    >>> from loopcore.theory import loop_shrinkage, residual_norm
    >>> float(residual_norm(loop_shrinkage(1, [4.0, 1.0], 0.25), [4.0, 1.0], [5.0, 4.0], 4.0))
    5.0
    """
    lam = directions("eigenvalues", eigenvalues)
    coordinates = np.asarray(theta, np.float64)
    moved = shrunk(shrinkage, eigenvalues=lam, theta=coordinates) * coordinates
    floor = not_negative("residual", residual)
    return unwrapped(np.hypot(np.hypot.reduce(np.sqrt(lam) * moved, axis=-1), floor))
