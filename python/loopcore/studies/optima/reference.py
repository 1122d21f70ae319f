"""What training should find: optima of in-context regression that are known without training.

Tasks are x ~ N(0, Σ), w ~ N(0, ·), y = ⟨w, x⟩, with n examples and a query; the loss is the mean
squared error at the query. Sums over the examples are not divided by n: steps here are 1/n of those
of papers with a mean loss.

With Σ = I and w ~ N(0, I) the loss of a polynomial p(S) of S = XᵀX, by which the residual is
multiplied, is E tr p(S)² = d E p(λ)², λ an eigenvalue of S. The optima of several loops are
minima over p of a shape; the expectation is a mean over the eigenvalues of drawn matrices.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

PRIORS = ("inverse", "isotropic")  # w ~ N(0, Σ⁻¹) and w ~ N(0, I)


def best_step(n: int, d: int) -> float:
    """Return the best single step, η = 1/(n + d + 1), for Σ = I and w ~ N(0, I).

    The loss is d (1 − 2ηn + η²n(n + d + 1)), for E S = nI and E S² = n(n + d + 1) I.

    Source: the case Σ = I of `best_preconditioner`; arXiv 2307.03576 proves that one step is the
    best that one layer of linear attention can do.
    """
    return 1 / (n + d + 1)


def best_step_loss(n: int, d: int) -> float:
    """Return the loss d(d + 1)/(n + d + 1) of `best_step`."""
    return d * (d + 1) / (n + d + 1)


def covariance(d: int, condition: float) -> Array:
    """Return Σ (d, d): eigenvalues 1/√c … √c, a geometric row, on axes that are none of x's."""
    eigenvalues = np.geomspace(condition**-0.5, condition**0.5, d)
    mirror = np.eye(d) - 2 / d  # I − 2uuᵀ, u = (1, …, 1)/√d
    return np.asarray((mirror * eigenvalues) @ mirror)


def best_preconditioner(Sigma: Array, n: int, prior: str) -> Array:
    """Return the best Γ (d, d) of one step θ = Γ Xᵀy.

    Σ⁻¹/(n + d + 1) for w ~ N(0, Σ⁻¹) and ((n + 1)Σ + tr(Σ) I)⁻¹ for w ~ N(0, I).

    Source: w ~ N(0, I): K. Ahn et al., 2023, arXiv 2306.00297, theorem 1, and R. Zhang, S. Frei and
    P. L. Bartlett, "Trained Transformers Learn Linear Models In-Context", 2024; both divide by n.
    w ~ N(0, Σ⁻¹): `best_step` in the coordinates Σ^(−1/2) x; A. Mahankali, T. B. Hashimoto and
    T. Ma, 2023, arXiv 2307.03576, have this prior.

    Examples
    --------
    >>> best_preconditioner(np.diag([1.0, 2.0]), 4, "isotropic").round(4)
    array([[0.125 , 0.    ],
           [0.    , 0.0769]])
    """
    d = len(Sigma)
    if prior == "isotropic":
        return np.linalg.inv((n + 1) * Sigma + np.trace(Sigma) * np.eye(d))
    return np.linalg.inv(Sigma) / (n + d + 1)


def eigenvalues(n: int, d: int, matrices: int, rng: np.random.Generator) -> Array:
    """Return the eigenvalues (matrices · d,) of S = XᵀX for Gaussian X (n, d)."""
    X = rng.standard_normal((matrices, n, d))
    values = np.linalg.eigvalsh(X.swapaxes(-1, -2) @ X)
    return np.asarray(np.maximum(values, 0).ravel())  # n < d: zeros, not −1e-16


def best_steps(values: Array, T: int) -> tuple[Array, float]:
    """Return the best T steps (T,), rising, and E p(λ)² of them, p(λ) = Π_t (1 − η_t λ).

    The minimum of E p² over all p of degree T with p(0) = 1 is orthogonal to every λ·(degree below
    T): it is the orthogonal polynomial of degree T to the weight λ, and 1/η_t are its roots, those
    of the Jacobi matrix that Lanczos gives.

    Source: F. Pedregosa and D. Scieur, "Average-Case Acceleration Through Spectral Density
    Estimation", 2020; G. H. Golub and J. H. Welsch, "Calculation of Gauss quadrature rules", 1969.

    Examples
    --------
    Two eigenvalues are met by two steps.

    >>> steps, loss = best_steps(np.array([1.0, 4.0]), 2)
    >>> steps.round(12), round(loss, 12)
    (array([0.25, 1.  ]), 0.0)
    """
    diagonal, beside = np.zeros(T), np.zeros(T)
    before, vector = np.zeros_like(values), np.sqrt(values / values.sum())
    for t in range(T):
        moved = values * vector - (beside[t - 1] if t else 0.0) * before
        diagonal[t] = np.sum(vector * moved)
        moved -= diagonal[t] * vector
        beside[t] = np.sqrt(np.sum(moved * moved))
        if t < T - 1:
            before, vector = vector, moved / beside[t]
    jacobi = np.diag(diagonal) + np.diag(beside[:-1], 1) + np.diag(beside[:-1], -1)
    steps = np.sort(1 / np.linalg.eigvalsh(jacobi))
    return steps, _mean_square(steps, values)


def best_constant(values: Array, T: int) -> tuple[float, float]:
    """Return the best constant step η of T loops and E (1 − ηλ)^(2T), which is convex in η."""
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda eta: _mean_square(np.full(T, eta), values),
        bounds=(0.0, 2 / values.mean()),
        method="bounded",
        options={"xatol": 1e-7 / values.mean()},
    )
    return float(found.x), float(found.fun)


def best_gd_plus_plus(values: Array, T: int) -> tuple[float, float, float]:
    """Return the best constant η and ηγ of T loops of GD++, and E p(λ)² of them.

    p(λ) = Π_t (1 − ηλ_t), where λ_{t+1} = λ_t (1 − ηγλ_t)²; with T = 1, γ would do nothing.
    """
    from scipy.optimize import minimize

    scale = values.mean()
    start, loss = best_constant(values, T)

    def mean_square(pair: Array) -> float:
        eta, shrink = pair / scale
        p, moving = np.ones_like(values), values
        for _ in range(T):
            p, moving = p * (1 - eta * moving), moving * np.square(1 - shrink * moving)
        return float(np.mean(p * p)) / loss

    options = {"xatol": 1e-5, "fatol": 1e-7, "initial_simplex": _simplex(start * scale)}
    found = minimize(mean_square, [0.0, 0.0], method="Nelder-Mead", options=options)
    eta, shrink = found.x / scale
    return float(eta), float(shrink), float(found.fun) * loss


def _simplex(step: float) -> Array:
    """Return where the search for (η, ηγ), in units of 1/E λ, begins: around gradient descent."""
    return np.array([[step, 0.0], [1.2 * step, 0.1], [step, 0.2]])


def _mean_square(steps: Array, values: Array) -> float:
    """Return the mean over λ of Π_t (1 − η_t λ)²."""
    p = np.ones_like(values)
    for eta in steps:
        p *= 1 - eta * values
    return float(np.mean(p * p))
