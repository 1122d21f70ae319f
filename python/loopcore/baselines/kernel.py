"""Kernel ridge regression."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loopcore._arguments import read_word
from loopcore.baselines._distances import squared_distances
from loopcore.baselines._factors import held_out_residuals
from loopcore.baselines._tasks import Array, Tasks, predicted
from loopcore.baselines._tuning import best, read_penalty, read_positive, require_examples, take

Kernel = Callable[[Array, Array], ArrayLike]


def kernel_ridge(
    X: ArrayLike,
    y: ArrayLike,
    x_query: ArrayLike,
    *,
    penalty: ArrayLike,
    kernel: Literal["rbf", "exp", "linear"] | Kernel = "rbf",
    width: ArrayLike = 1.0,
) -> NDArray[Any]:
    """Predict by f(x) = Σ_i c_i k(x, x_i) with (K + pI) c = y, K_ij = k(x_i, x_j).

    Parameters
    ----------
    X, y, x_query
        As for `loopcore.baselines.least_squares`: (..., n, d), (..., n) and (..., m, d) or
        (..., d).
    penalty : float or (..., K) array
        p, positive, in units of k.
    kernel : "rbf", "exp", "linear" or callable
        exp(−‖x − x'‖²/2w²), e^(⟨x, x'⟩/w) and ⟨x, x'⟩/w, those of `loopcore.models.kernel`; or a
        function that takes rows (..., n, d) and (..., m, d) to (..., n, m), of a symmetric positive
        semidefinite kernel.
    width : float or (J,) array
        w, positive: of "rbf" its bandwidth, in units of X, of the others their temperature, in
        units of X². A callable has none.

    Returns
    -------
    (..., m) or (...) array
        In units of y. Of several penalties and widths each task takes the pair of the least
        leave-one-out error.

    Raises
    ------
    ModuleNotFoundError
        For "rbf" without SciPy.
    TypeError, ValueError
        As all of `loopcore.baselines`.

    Notes
    -----
    The residual of example i from the others is c_i / ((K + pI)⁻¹)_ii: each width costs a singular
    value decomposition of K, each penalty almost nothing.

    Source: C. Saunders, A. Gammerman and V. Vovk, "Ridge regression learning algorithm in dual
    variables", 1998; leave-one-out: C. E. Rasmussen and C. K. I. Williams, "Gaussian processes for
    machine learning", 2006, equation 5.12, where p is the variance of the noise.

    Examples
    --------
    >>> import numpy as np
    >>> from loopcore import baselines
    >>> X = np.linspace(-1, 1, 9)[:, None]
    >>> y = np.sin(3 * X[:, 0])
    >>> p, w = [1e-6, 1e-3, 1.0], [0.1, 0.5, 1.0]
    >>> baselines.kernel_ridge(X, y, [[0.1], [0.6]], penalty=p, width=w).round(2)
    array([0.3 , 0.97])
    """
    candidates, widths = read_penalty(penalty), read_positive(width, "width")
    if callable(kernel):
        if len(widths) != 1 or widths[0] != 1:
            raise ValueError(f"width: expected none beside a callable kernel, got {width!r}")
        kernels = [kernel]
    else:
        word = read_word(kernel, "kernel", tuple(_KERNELS))
        kernels = [_with_width(_KERNELS[word], w) for w in widths]

    def solve(tasks: Tasks) -> Array:
        predictions, errors = [], []
        several = len(kernels) * candidates.shape[-1] > 1
        if several:
            require_examples(tasks)
        for k in kernels:
            fits = _fits(tasks, k, candidates, several=several)
            predictions += fits[0]
            errors += fits[1]
        stacked = np.stack(np.broadcast_arrays(*predictions), axis=-2)  # (..., J K, m)
        if not several:
            return stacked[..., 0, :]
        return take(stacked, best(np.stack(np.broadcast_arrays(*errors), axis=-1)), -2)

    result: NDArray[Any] = predicted(X, y, x_query, solve, ("penalty", candidates.shape, 1))
    return result


def _fits(
    tasks: Tasks, kernel: Kernel, candidates: Array, *, several: bool
) -> tuple[list[Array], list[Array]]:
    """Return, of each penalty, predictions (..., m) and leave-one-out errors (...)."""
    n = tasks.n
    gram = _kernel_matrix(kernel, tasks.X, tasks.X)  # (..., n, n)
    # Not by eigh: with BLAS threads on busy cores 10,000 of 40 × 40 took 17 to 150 s, and these 2.
    U, mu, _ = np.linalg.svd(gram)  # of a positive semidefinite matrix, U diag(μ) Uᵀ
    b = np.matmul(U.swapaxes(-1, -2), tasks.y[..., None])[..., 0]  # (..., n)
    cross = _kernel_matrix(kernel, tasks.queries, tasks.X) @ U  # (..., m, n)
    predictions, errors = [], []
    for j in range(candidates.shape[-1]):
        weight = 1 / (mu + candidates[..., j, None])  # (..., n)
        predictions.append(np.matmul(cross, (weight * b)[..., None])[..., 0])
        if several and n:
            errors.append((held_out_residuals(U, b, weight) ** 2).sum(-1))
    return predictions, errors


def _kernel_matrix(kernel: Kernel, rows: Array, others: Array) -> Array:
    values = np.asarray(kernel(rows, others), np.float64)
    lead = np.broadcast_shapes(rows.shape[:-2], others.shape[:-2])
    expected = (*lead, rows.shape[-2], others.shape[-2])
    if values.shape != expected:
        raise ValueError(f"kernel: expected values of shape {expected}, got {values.shape}")
    return values


def _with_width(function: Callable[[Array, Array, float], Array], w: float) -> Kernel:
    return lambda rows, others: function(rows, others, w)


def _products(rows: Array, others: Array) -> Array:
    products: Array = rows @ others.swapaxes(-1, -2)
    return products


_KERNELS: dict[str, Callable[[Array, Array, float], Array]] = {
    "rbf": lambda rows, others, w: np.exp(squared_distances(rows, others) / (-2 * w * w)),
    "exp": lambda rows, others, w: np.exp(_products(rows, others) / w),
    "linear": lambda rows, others, w: _products(rows, others) / w,
}
