"""Linear estimators that are computed at once: least squares, ridge, lasso, averaging."""

from __future__ import annotations

from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loopcore._native import core
from loopcore.baselines._factors import Factors, factor, held_out_residuals, solution, times
from loopcore.baselines._tasks import Array, Tasks, chosen, predicted
from loopcore.baselines._tuning import (
    best,
    read_folds,
    read_penalty,
    require_examples,
    take,
    tuned,
)


def least_squares(X: ArrayLike, y: ArrayLike, x_query: ArrayLike) -> NDArray[Any]:
    """Predict by θ̂ = X⁺y, the least-squares solution of the smallest norm.

    Parameters
    ----------
    X : (..., n, d) array
        In-context inputs, one example a row.
    y : (..., n) array
        In-context targets.
    x_query : (..., m, d) or (..., d) array
        The queries, in units of X.

    Returns
    -------
    (..., m) or (...) array
        ⟨θ̂, x⟩, in units of y. Singular values count as non-zero above max(n, d) · eps · σ_max, eps
        that of the type of X, as in `loopcore.spectrum`.

    Raises
    ------
    TypeError, ValueError
        As all of `loopcore.baselines`.

    Notes
    -----
    What the loop of arXiv 2410.11268 tends to. The cost is a singular value decomposition a task,
    batched: `numpy.linalg.svd`.

    Examples
    --------
    >>> from loopcore import baselines
    >>> X, y = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [0.6, 0.8, 1.4]
    >>> baselines.least_squares(X, y, [[1.0, 0.0], [2.0, 1.0]]).round(6)
    array([0.6, 2. ])
    """

    def solve(tasks: Tasks) -> Array:
        factors = factor(tasks)
        return tasks.predict(solution(factors, np.zeros(()))[..., None, :])[..., 0, :]

    result: NDArray[Any] = predicted(X, y, x_query, solve)
    return result


def ridge(X: ArrayLike, y: ArrayLike, x_query: ArrayLike, *, penalty: ArrayLike) -> NDArray[Any]:
    """Predict by ridge regression, which minimises ‖Xθ − y‖² + p‖θ‖².

    Parameters
    ----------
    X, y, x_query
        As for `least_squares`: (..., n, d), (..., n) and (..., m, d) or (..., d).
    penalty : float or (..., K) array
        p, in units of X². Of several candidates each task takes that of the least leave-one-out
        error; they must be positive. A single one may be 0. A penalty of its own for each
        task has shape (..., 1).

    Returns
    -------
    (..., m) or (...) array
        ⟨θ, x⟩, in units of y.

    Raises
    ------
    TypeError, ValueError
        As all of `loopcore.baselines`.

    Notes
    -----
    The residual of example i from the others is r_i / (1 − h_ii), with the residuals r and the
    diagonal h of the matrix that takes y to Xθ: every candidate comes from the one singular value
    decomposition. For y = Xθ* + noise of variance s², θ* ~ N(0, t²I), the best p is s²/t².

    Source: A. E. Hoerl and R. W. Kennard, "Ridge regression", 1970; D. M. Allen, "The relationship
    between variable selection and data augmentation and a method for prediction", 1974 (PRESS), as
    in scikit-learn's RidgeCV.

    Examples
    --------
    >>> from loopcore import baselines
    >>> X, y = [[1.0, 0.0], [0.0, 1.0]], [2.0, 4.0]
    >>> baselines.ridge(X, y, [[1.0, 0.0], [1.0, 1.0]], penalty=1.0)
    array([1., 3.])
    """
    candidates = read_penalty(penalty, least="zero")

    def solve(tasks: Tasks) -> Array:
        factors = factor(tasks)
        p = _choose_penalty(tasks, factors, candidates)
        return tasks.predict(solution(factors, p)[..., None, :])[..., 0, :]

    result: NDArray[Any] = predicted(X, y, x_query, solve, ("penalty", candidates.shape, 1))
    return result


def ridge_penalty(X: ArrayLike, y: ArrayLike, *, penalty: ArrayLike) -> Any:
    """Tell which penalty `ridge` takes of each task.

    Parameters
    ----------
    X, y, penalty
        As for `ridge`: (..., n, d), (..., n) and (..., K).

    Returns
    -------
    (...) array
        The penalty, NaN where the task has a NaN or an infinity.

    Raises
    ------
    TypeError, ValueError
        As `ridge`.

    Notes
    -----
    Source: as `ridge`.

    Examples
    --------
    >>> import numpy as np
    >>> from loopcore import baselines
    >>> X = np.array([[1.0], [1.0], [1.0]])
    >>> exact, noise = [1.0, 1.0, 1.0], [1.0, -1.0, 0.1]
    >>> baselines.ridge_penalty(X, [exact, noise], penalty=[0.01, 100.0])
    array([1.e-02, 1.e+02])
    """
    candidates = read_penalty(penalty, least="zero")

    def choose(tasks: Tasks) -> Array:
        return _choose_penalty(tasks, factor(tasks), candidates)

    return chosen(X, y, choose, ("penalty", candidates.shape, 1))


def lasso(
    X: ArrayLike,
    y: ArrayLike,
    x_query: ArrayLike,
    *,
    penalty: ArrayLike,
    folds: SupportsIndex = 5,
) -> NDArray[Any]:
    """Predict by the lasso, which minimises ‖Xθ − y‖²/2n + p‖θ‖₁.

    Parameters
    ----------
    X, y, x_query
        As for `least_squares`: (..., n, d), (..., n) and (..., m, d) or (..., d).
    penalty : float or (K,) array
        p, positive, in units of X · y. Of several candidates each task takes that of the least
        cross-validated error.
    folds : int
        How many parts of the examples are left out in turn, at least 2; at most n are.

    Returns
    -------
    (..., m) or (...) array
        ⟨θ, x⟩, in units of y.

    Raises
    ------
    ModuleNotFoundError
        Without scikit-learn.
    TypeError, ValueError
        As all of `loopcore.baselines`.

    Notes
    -----
    Coordinate descent, by `sklearn.linear_model.lasso_path` one task at a time, to a duality gap
    of 1e-8 ‖y‖²: 1 to 2 ms a task for n = 40, d = 20, and (folds + 1) times that with several
    candidates.

    Source: R. Tibshirani, "Regression shrinkage and selection via the lasso", 1996; the baseline
    for sparse θ of Garg et al. 2022, arXiv 2208.01066.

    Examples
    --------
    >>> from loopcore import baselines
    >>> X, y = [[1.0, 0.0], [0.0, 1.0]], [2.0, 0.5]
    >>> baselines.lasso(X, y, [[1.0, 0.0], [0.0, 1.0]], penalty=0.5).round(6)
    array([1., 0.])
    """
    candidates, parts = read_penalty(penalty), read_folds(folds)
    if candidates.ndim > 1:
        raise ValueError(f"penalty: expected a number or shape (K,), got {candidates.shape}")

    def path(tasks: Tasks) -> Array:
        return tasks.predict(_lasso_path(tasks, candidates))

    result: NDArray[Any] = predicted(X, y, x_query, lambda tasks: tuned(tasks, path, parts))
    return result


def averaging(X: ArrayLike, y: ArrayLike, x_query: ArrayLike) -> NDArray[Any]:
    """Predict by θ = Xᵀy/n, the mean of y_i x_i.

    Parameters
    ----------
    X, y, x_query
        As for `least_squares`: (..., n, d), (..., n) and (..., m, d) or (..., d).

    Returns
    -------
    (..., m) or (...) array
        ⟨θ, x⟩, in units of X² y: it estimates θ* where E x xᵀ = I.

    Raises
    ------
    TypeError, ValueError
        As all of `loopcore.baselines`.

    Notes
    -----
    One loop of `loopcore.run` with η = 1/n.

    Source: the averaging estimator of Garg et al. 2022, arXiv 2208.01066.

    Examples
    --------
    >>> from loopcore import baselines
    >>> print(baselines.averaging([[1.0, 0.0], [0.0, 2.0]], [2.0, 4.0], [1.0, 1.0]))
    5.0
    """

    def solve(tasks: Tasks) -> Array:
        theta = np.asarray(core.run(tasks.X, tasks.y, 1.0, 1, eta=1.0, scale="mean"), np.float64)
        return tasks.predict(theta[..., None, :])[..., 0, :]

    result: NDArray[Any] = predicted(X, y, x_query, solve)
    return result


def _choose_penalty(tasks: Tasks, factors: Factors, candidates: Array) -> Array:
    """Return the candidate (...) of the least leave-one-out error."""
    if candidates.shape[-1] == 1:
        return candidates[..., 0]
    require_examples(tasks)
    U, sigma, _, b = factors
    outside: tuple[Array, Array] | None = None
    if U.shape[-2] > U.shape[-1]:  # n > d: the part of y that no θ reaches
        leverage = np.maximum(1 - (U * U).sum(-1), 0)  # (..., n)
        outside = tasks.y - times(U, b), leverage
    errors = []
    for k in range(candidates.shape[-1]):
        p = candidates[..., k, None]
        # G = XXᵀ + pI, all times p where it has a part outside.
        if outside is None:
            residuals = held_out_residuals(U, b, 1 / (sigma**2 + p))
        else:
            residuals = held_out_residuals(U, b, p / (sigma**2 + p), outside)
        errors.append((residuals**2).sum(-1))
    return take(candidates, best(np.stack(np.broadcast_arrays(*errors), axis=-1)), -1)


def _lasso_path(tasks: Tasks, candidates: Array) -> Array:
    """Return θ of each candidate, (..., K, d)."""
    from sklearn.linear_model import lasso_path

    lead, (n, d) = np.broadcast_shapes(tasks.X.shape[:-2], tasks.y.shape[:-1]), tasks.X.shape[-2:]
    X, y = np.broadcast_to(tasks.X, (*lead, n, d)), np.broadcast_to(tasks.y, (*lead, n))
    theta = np.zeros((*lead, len(candidates), d))
    if n == 0 or d == 0:
        return theta
    falling = np.argsort(-candidates, kind="stable")  # the order in which the path goes
    for i in np.ndindex(lead):
        _, path, _ = lasso_path(
            X[i], y[i], alphas=candidates[falling], precompute="auto", tol=1e-8, max_iter=100_000
        )
        theta[i][falling] = path.T
    return theta
