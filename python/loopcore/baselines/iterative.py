"""Iterations other than gradient descent, stopped after a number of loops."""

from __future__ import annotations

from typing import Any, Literal, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loopcore._arguments import read_parameter, read_word
from loopcore.baselines._factors import factor
from loopcore.baselines._tasks import Array, Extra, Tasks, predicted
from loopcore.baselines._tuning import read_counts, read_folds, tuned

Loops = NDArray[np.intp]


def momentum(
    X: ArrayLike,
    y: ArrayLike,
    x_query: ArrayLike,
    T: ArrayLike,
    *,
    eta: ArrayLike | None = None,
    beta: ArrayLike | None = None,
    folds: SupportsIndex = 5,
) -> NDArray[Any]:
    """Predict by T steps of the heavy ball, θ_{t+1} = θ_t − η Xᵀ(Xθ_t − y) + β(θ_t − θ_{t−1}).

    Parameters
    ----------
    X, y, x_query, T, folds
        As for `gradient_descent`: (..., n, d), (..., n) and (..., m, d) or (..., d).
    eta, beta : (...) array or float, optional
        Step and momentum. Without both each task has Polyak's, the best pair in the long run:
        η = 4/(√λ_max + √λ_min)², β = ((√κ − 1)/(√κ + 1))², over the non-zero eigenvalues. With beta
        alone η is 1/λ_max.

    Returns
    -------
    (..., m) or (...) array
        ⟨θ_T, x⟩, in units of y.

    Raises
    ------
    TypeError, ValueError
        As all of `loopcore.baselines`, and ValueError for an eta without beta.

    Warns
    -----
    DivergenceWarning
        As `gradient_descent`.

    Notes
    -----
    After a singular value decomposition it is a recurrence of numbers, O(d) a loop and task, in
    NumPy. With Polyak's pair errors first grow, by about T in T loops, before they fall as
    (1 − 1/√κ)^T: at κ = 1e8 to 600 times after 1,000. `loopcore.models.momentum` is the
    Transformer, whose β is one for all tasks.

    Source: B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", 1964.

    Examples
    --------
    >>> from loopcore import baselines
    >>> X, y = [[1.0], [1.0]], [2.0, 2.0]
    >>> print(baselines.momentum(X, y, [1.0], 2, eta=0.25, beta=0.5).round(9))
    2.0
    """
    loops, parts = read_counts(T, "T", 0), read_folds(folds)
    step = None if eta is None else read_parameter(eta, "eta")
    inertia = None if beta is None else read_parameter(beta, "beta")
    if inertia is None and step is not None:
        raise ValueError("beta: expected numbers beside a given eta, got None")
    given: list[Extra] = [
        (name, value.shape, 0)
        for name, value in (("eta", step), ("beta", inertia))
        if value is not None
    ]

    def path(tasks: Tasks) -> Array:
        return tasks.predict(_heavy_ball(tasks, loops, step, inertia))

    result: NDArray[Any] = predicted(X, y, x_query, lambda tasks: tuned(tasks, path, parts), *given)
    return result


def conjugate_gradient(
    X: ArrayLike,
    y: ArrayLike,
    x_query: ArrayLike,
    T: ArrayLike,
    *,
    folds: SupportsIndex = 5,
) -> NDArray[Any]:
    """Predict by T steps of conjugate gradients on XᵀXθ = Xᵀy from θ = 0.

    Parameters
    ----------
    X, y, x_query, T, folds
        As for `gradient_descent`: (..., n, d), (..., n) and (..., m, d) or (..., d).

    Returns
    -------
    (..., m) or (...) array
        ⟨θ_T, x⟩, in units of y.

    Raises
    ------
    TypeError, ValueError
        As all of `loopcore.baselines`.

    Notes
    -----
    In the form CGLS, which multiplies by X and Xᵀ and never forms XᵀX. Batched in NumPy, because
    `scipy.sparse.linalg.cg`, whose iterates these are, takes one system a call.

    Source: M. R. Hestenes and E. Stiefel, "Methods of conjugate gradients for solving linear
    systems", 1952, section 10.

    Examples
    --------
    >>> import numpy as np
    >>> from loopcore import baselines
    >>> X = np.diag([1.0, 2.0])
    >>> baselines.conjugate_gradient(X, X @ [1.0, 2.0], np.eye(2), 2).round(6)
    array([1., 2.])
    """
    loops, parts = read_counts(T, "T", 0), read_folds(folds)

    def path(tasks: Tasks) -> Array:
        return tasks.predict(_cgls(tasks, loops))

    result: NDArray[Any] = predicted(X, y, x_query, lambda tasks: tuned(tasks, path, parts))
    return result


def newton(
    X: ArrayLike,
    y: ArrayLike,
    x_query: ArrayLike,
    T: ArrayLike,
    *,
    m0: Literal["identity", "gram"] = "identity",
    folds: SupportsIndex = 5,
) -> NDArray[Any]:
    """Predict by T steps of Newton's iteration for (XᵀX)⁻¹, M ← 2M − M XᵀX M, θ = M Xᵀy.

    Parameters
    ----------
    X, y, x_query, T, folds
        As for `gradient_descent`: (..., n, d), (..., n) and (..., m, d) or (..., d). A dozen to
        twenty loops converge.
    m0 : "identity" or "gram"
        M₀, as for `loopcore.models.newton`: I/‖S‖_F or 2S/‖S‖_F², S = XᵀX.

    Returns
    -------
    (..., m) or (...) array
        ⟨θ, x⟩, in units of y; T = 0 is the prediction of M₀Xᵀy.

    Raises
    ------
    TypeError, ValueError
        As all of `loopcore.baselines`.

    Notes
    -----
    After a singular value decomposition it is a recurrence of numbers, m ← 2m − mλm for each
    eigenvalue λ of XᵀX, in NumPy: the part of M outside the row space of X, which nothing reads,
    leaves no rounding errors there, as it does in `loopcore.models.newton`, the Transformer.

    Source: G. Schulz, "Iterative Berechnung der reziproken Matrix", 1933, as in Fu et al. 2024,
    arXiv 2310.17086.

    Examples
    --------
    >>> import numpy as np
    >>> from loopcore import baselines
    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> print(baselines.newton(X, X @ [0.6, 0.8], [1.0, 2.0], 8).round(9))
    2.2
    """
    loops, parts = read_counts(T, "T", 0), read_folds(folds)
    word = read_word(m0, "m0", ("identity", "gram"))

    def path(tasks: Tasks) -> Array:
        return tasks.predict(_schulz(tasks, loops, word))

    result: NDArray[Any] = predicted(X, y, x_query, lambda tasks: tuned(tasks, path, parts))
    return result


def _heavy_ball(tasks: Tasks, loops: Loops, step: Array | None, inertia: Array | None) -> Array:
    """Return θ after each of the loops, (..., K, d)."""
    _, sigma, Vt, b = factor(tasks)
    lam, drive = sigma**2, sigma * b  # (..., r)
    high = np.sqrt(lam.max(-1, initial=0, keepdims=True))  # (..., 1)
    low = np.sqrt(np.where(lam > 0, lam, np.inf).min(-1, initial=np.inf, keepdims=True))
    low = np.minimum(low, high)
    largest = np.where(high > 0, high, np.inf)  # X = 0 has η = 0
    if inertia is None:
        eta, beta = (2 / (largest + low)) ** 2, ((high - low) / (largest + low)) ** 2
    else:
        eta = 1 / largest**2 if step is None else step[..., None]
        beta = inertia[..., None]
    shape = np.broadcast_shapes(drive.shape, eta.shape, beta.shape)
    # c ← c − η(λc − σb) + β(c − c₋), the coordinates of θ = Vc
    c, previous = np.zeros(shape), np.zeros(shape)
    kept = []
    for t in range(int(loops[-1]) + 1):
        if t in loops:
            kept.append(c)
        c, previous = c - eta * (lam * c - drive) + beta * (c - previous), c
    theta: Array = np.stack(kept, axis=-2) @ Vt
    return theta


def _schulz(tasks: Tasks, loops: Loops, m0: str) -> Array:
    """Return θ = M Xᵀy after each of the loops, (..., K, d)."""
    _, sigma, Vt, b = factor(tasks)
    lam = sigma**2  # (..., r)
    norm = np.linalg.norm(lam, axis=-1, keepdims=True)  # (..., 1), ‖S‖_F
    norm = np.where(norm > 0, norm, np.inf)  # S = 0 has M = 0
    m = (np.ones(lam.shape) if m0 == "identity" else 2 * lam / norm) / norm
    kept = []
    for t in range(int(loops[-1]) + 1):
        if t in loops:
            kept.append(m * sigma * b)
        m = 2 * m - m * lam * m
    theta: Array = np.stack(kept, axis=-2) @ Vt
    return theta


def _cgls(tasks: Tasks, loops: Loops) -> Array:
    """Return θ after each of the loops, (..., K, d); a task whose gradient is zero stays."""
    X, Xt = tasks.X, tasks.X.swapaxes(-1, -2)
    lead = np.broadcast_shapes(X.shape[:-2], tasks.y.shape[:-1])
    r = np.broadcast_to(tasks.y, (*lead, tasks.n))[..., None]  # (..., n, 1), y − Xθ
    p = gradient = Xt @ r  # (..., d, 1)
    theta = np.zeros(p.shape)
    square = (gradient**2).sum(-2, keepdims=True)  # (..., 1, 1)
    kept = []
    for t in range(int(loops[-1]) + 1):
        if t in loops:
            kept.append(theta[..., 0])
        Xp = X @ p
        a = _quotient(square, (Xp**2).sum(-2, keepdims=True))
        theta, r = theta + a * p, r - a * Xp
        gradient, before = Xt @ r, square
        square = (gradient**2).sum(-2, keepdims=True)
        p = gradient + _quotient(square, before) * p
    return np.stack(kept, axis=-2)


def _quotient(a: Array, b: Array) -> Array:
    """Return a/b, zero where b is."""
    return np.divide(a, b, out=np.zeros(np.broadcast_shapes(a.shape, b.shape)), where=b != 0)
