"""Gradient descent, its steps and preconditioners: what `loopcore.run` computes."""

from __future__ import annotations

from typing import Any, Literal, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loopcore import reference
from loopcore._arguments import read_parameter, read_word
from loopcore._native import core
from loopcore.baselines._factors import eigenvalues
from loopcore.baselines._tasks import Array, Extra, Tasks, chosen, predicted
from loopcore.baselines._tuning import (
    Path,
    best,
    cross_validated,
    read_counts,
    read_folds,
    read_steps,
    tuned,
)

Eta = ArrayLike | Literal["optimal"] | None
Scale = Literal["sum", "mean"]
Loops = NDArray[np.intp]


def gradient_descent(
    X: ArrayLike,
    y: ArrayLike,
    x_query: ArrayLike,
    T: ArrayLike,
    *,
    eta: Eta = None,
    scale: Scale = "sum",
    folds: SupportsIndex = 5,
) -> NDArray[Any]:
    """Predict by T steps of gradient descent on ½‖Xθ − y‖² from θ = 0.

    Parameters
    ----------
    X : (..., n, d) array
        In-context inputs, one example a row.
    y : (..., n) array
        In-context targets.
    x_query : (..., m, d) or (..., d) array
        The queries, in units of X.
    T : int or (K,) array of int
        Loops, at least 0. Several candidates must rise; each task takes the one of the least
        cross-validated error: early stopping.
    eta : None, "optimal", float or (..., J) array
        The step, in units of 1/X². None is 1/λ_max(XᵀX), "optimal" 2/(λ_min + λ_max), as for
        `loopcore.run`, of the examples at hand in each fold. Of several numbers each task takes
        one together with T; a step of its own for each task has shape (..., 1).
    scale : "sum" or "mean"
        "mean" divides a given step by the number of examples, so that it means the same with fewer
        of them in a fold.
    folds : int
        How many parts of the examples are left out in turn, at least 2; at most n are.

    Returns
    -------
    (..., m) or (...) array
        ⟨θ_T, x⟩, in units of y.

    Raises
    ------
    TypeError, ValueError
        As all of `loopcore.baselines`.

    Warns
    -----
    DivergenceWarning
        Where the candidate that was taken diverged. One that diverges in a fold is not taken.

    Notes
    -----
    `loopcore.trajectory`, once for each step, and once more for each fold.

    Source: arXiv 2410.11268; early stopping as regularisation: Y. Yao, L. Rosasco and A.
    Caponnetto, "On early stopping in gradient descent learning", 2007.

    Examples
    --------
    >>> from loopcore import baselines
    >>> X, y = [[1.0, 0.0], [0.0, 1.0]], [2.0, 4.0]
    >>> baselines.gradient_descent(X, y, [[1.0, 0.0], [1.0, 1.0]], 2, eta=0.5)
    array([1.5, 4.5])
    """
    _, path, extra = _descent(T, eta, scale)
    parts = read_folds(folds)
    result: NDArray[Any] = predicted(X, y, x_query, lambda tasks: tuned(tasks, path, parts), *extra)
    return result


def early_stopping(
    X: ArrayLike,
    y: ArrayLike,
    T: ArrayLike,
    *,
    eta: Eta = None,
    scale: Scale = "sum",
    folds: SupportsIndex = 5,
) -> Any:
    """Tell how many loops `gradient_descent` takes of each task, for one step.

    Parameters
    ----------
    X, y, T, eta, scale, folds
        As for `gradient_descent`: (..., n, d), (..., n) and (K,); eta has no more than one
        candidate, (..., 1).

    Returns
    -------
    (...) array of int
        One of T, −1 where the task has a NaN or an infinity.

    Raises
    ------
    TypeError, ValueError
        As `gradient_descent`.

    Notes
    -----
    Source: as `gradient_descent`.

    Examples
    --------
    >>> import numpy as np
    >>> from loopcore import baselines
    >>> X = np.ones((4, 1))
    >>> exact, noise = [1.0, 1.0, 1.0, 1.0], [1.0, -1.0, 1.0, -1.0]
    >>> baselines.early_stopping(X, [exact, noise], [0, 1, 100], eta=0.1)
    array([100,   0])
    """
    loops, path, extra = _descent(T, eta, scale)
    for name, shape, _ in extra:
        if shape[-1] > 1:
            raise ValueError(f"{name}: expected one step a task, (..., 1), got shape {shape}")
    parts = read_folds(folds)

    def choose(tasks: Tasks) -> Loops:
        if len(loops) == 1:
            return loops.reshape(())
        return loops[best(cross_validated(tasks, path, parts))]

    return chosen(X, y, choose, *extra)


def preconditioned(
    X: ArrayLike,
    y: ArrayLike,
    x_query: ArrayLike,
    T: ArrayLike,
    *,
    gamma: ArrayLike | Literal["diagonal"],
    eta: Eta = None,
    scale: Scale = "sum",
    folds: SupportsIndex = 5,
) -> NDArray[Any]:
    """Predict by T steps of preconditioned gradient descent, θ ← θ − η Γ Xᵀ(Xθ − y).

    Parameters
    ----------
    X, y, x_query, T, eta, scale, folds
        As for `gradient_descent`: (..., n, d), (..., n) and (..., m, d) or (..., d). eta=None is
        1/λ_max(XᵀXΓ).
    gamma : (..., d, d) array or "diagonal"
        Γ, symmetric positive semidefinite, for instance the inverse covariance of the inputs.
        "diagonal" is Jacobi's, the inverse of the diagonal of XᵀX (0 where that is 0).

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
    With Γ = CCᵀ it is `gradient_descent` on the inputs XC and the queries Cᵀx;
    `loopcore.models.preconditioned` is the Transformer.

    Source: arXiv 2306.00297, where trained layers are such steps.

    Examples
    --------
    >>> import numpy as np
    >>> from loopcore import baselines
    >>> X = np.diag([1.0, 10.0])
    >>> gamma = np.diag([1.0, 0.01])
    >>> baselines.preconditioned(X, [2.0, 4.0], np.eye(2), 1, gamma=gamma).round(6)
    array([2. , 0.4])
    """
    _, descend, extra = _descent(T, eta, scale)
    parts = read_folds(folds)
    if isinstance(gamma, str):
        read_word(gamma, "gamma", ("diagonal",))
        path = _jacobi(descend)
    else:
        C = _square_root(gamma)
        path = _transformed(descend, C)
        extra = [*extra, ("gamma", C.shape, 2)]
    result: NDArray[Any] = predicted(X, y, x_query, lambda tasks: tuned(tasks, path, parts), *extra)
    return result


def chebyshev(
    X: ArrayLike,
    y: ArrayLike,
    x_query: ArrayLike,
    T: ArrayLike,
    *,
    folds: SupportsIndex = 5,
) -> NDArray[Any]:
    """Predict by the T steps of gradient descent that together are best for [λ_min, λ_max].

    Parameters
    ----------
    X, y, x_query, T, folds
        As for `gradient_descent`: (..., n, d), (..., n) and (..., m, d) or (..., d). Each
        candidate T has a schedule of its own.

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
    `loopcore.run`, once for each candidate, and once more for each fold, with the steps of its
    eta="chebyshev" from singular values that all candidates share.

    Source: V. I. Lebedev and S. A. Finogenov, "The order of choice of the iteration parameters in
    the cyclic Chebyshev iteration method", 1971.

    Examples
    --------
    >>> import numpy as np
    >>> from loopcore import baselines
    >>> X = np.diag([1.0, 2.0, 3.0])
    >>> baselines.chebyshev(X, X @ [1.0, 2.0, 3.0], np.eye(3), 12).round(3)
    array([1.   , 2.001, 2.999])
    """
    loops, parts = read_counts(T, "T", 0), read_folds(folds)

    def path(tasks: Tasks) -> Array:
        lam = eigenvalues(tasks)  # once, and not by each run
        ends = []
        for t in loops:
            schedule = reference.adaptive_steps(lam, int(t), "chebyshev")
            ends.append(core.run(tasks.X, tasks.y, 1.0, int(t), schedule=schedule))
        return tasks.predict(np.stack(ends, axis=-2))

    result: NDArray[Any] = predicted(X, y, x_query, lambda tasks: tuned(tasks, path, parts))
    return result


def _descent(T: ArrayLike, eta: Eta, scale: Scale) -> tuple[Loops, Path, list[Extra]]:
    """Return the candidates of T, what predicts by all candidates, and the shape of a given eta."""
    loops = read_counts(T, "T", 0)
    read_word(scale, "scale", ("sum", "mean"))
    if eta is None or isinstance(eta, str):
        steps: list[Any] = [eta if eta is None else read_word(eta, "eta", ("optimal",))]
        extra: list[Extra] = []
    else:
        candidates = read_steps(eta)
        steps = [candidates[..., j] for j in range(candidates.shape[-1])]
        extra = [("eta", candidates.shape, 1)]

    def path(tasks: Tasks) -> Array:
        task = tasks.X, tasks.y, 1.0, int(loops[-1])
        curves = [core.trajectory(*task, at=loops, eta=step, scale=scale) for step in steps]
        return tasks.predict(np.concatenate(curves, axis=-2))

    return loops, path, extra


def _jacobi(descend: Path) -> Path:
    """Return descent preconditioned by the inverse of the diagonal of XᵀX: C scales each column."""

    def path(tasks: Tasks) -> Array:
        norms = np.sqrt((tasks.X**2).sum(-2, keepdims=True))  # (..., 1, d)
        C = np.divide(1, norms, out=np.zeros(norms.shape), where=norms > 0)
        return descend(tasks._replace(X=tasks.X * C, queries=tasks.queries * C))

    return path


def _transformed(descend: Path, C: Array) -> Path:
    """Return descent on the inputs XC and the queries Cᵀx, C (..., d, d)."""

    def path(tasks: Tasks) -> Array:
        d = tasks.X.shape[-1]
        if C.shape[-1] != d:
            raise ValueError(f"gamma: expected shape (..., d, d) with d = {d}, got {C.shape}")
        return descend(tasks._replace(X=tasks.X @ C, queries=tasks.queries @ C))

    return path


def _square_root(gamma: ArrayLike) -> Array:
    """Return C (..., d, d) with Γ = CCᵀ."""
    blocks = read_parameter(gamma, "gamma")
    if blocks.ndim < 2 or blocks.shape[-1] != blocks.shape[-2]:
        raise ValueError(f"gamma: expected shape (..., d, d), got {blocks.shape}")
    size = np.abs(blocks).max((-2, -1), initial=0, keepdims=True)  # (..., 1, 1)
    rounding = 8 * blocks.shape[-1] * np.finfo(np.float64).eps * size
    if not (np.abs(blocks - blocks.swapaxes(-1, -2)) <= rounding).all():
        raise ValueError("gamma: expected symmetric matrices of finite numbers, got another one")
    eigenvalues, axes = np.linalg.eigh(blocks)
    if (eigenvalues < -rounding[..., 0]).any():
        raise ValueError(
            f"gamma: expected no negative eigenvalue, got {eigenvalues.min():.3g} among them"
        )
    return np.asarray(axes * np.sqrt(np.maximum(eigenvalues, 0))[..., None, :])
