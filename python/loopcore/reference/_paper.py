"""The paper's looped transformer: prompt, weights, mask, steps and read-out.

Source: arXiv 2410.11268 (AISTATS 2025). With one example a row::

    Z(0) = [[X, y], [q(0)ᵀ, α]]                       (n + 1, d + 1)   [ours]
    Attn(Z; P, Q) = (M ∘ (Z Q Zᵀ)) Z P                (n + 1, d + 1)
    Z(t) = Z(t−1) − η_{t−1} Attn(Z(t−1); P, Q)
    Q = I_{d+1},  P = diag(1, …, 1, 0),  v = −q       (d,)             [ours: the sign]

The mask M lets only the query row attend, and only to the n context rows, so that

    q(t) = q(t−1) − η_{t−1} (Xᵀ X q(t−1) + α Xᵀ y)

which is gradient descent. "[ours]" marks a choice made here where the paper's text leaves one.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loopcore.reference._types import FloatArray, real


def prompt(X: ArrayLike, y: ArrayLike, q0: ArrayLike | None, alpha: ArrayLike) -> FloatArray:
    """Return the prompt Z(0) = [[X, y], [q(0)ᵀ, α]].

    Parameters
    ----------
    X : (..., n, d) array_like
        Inputs, one example a row.
    y : (..., n) array_like
        Targets.
    q0 : (..., d) array_like or None
        First state of the query row; None means zero.
    alpha : (...) array_like
        The value to generate.

    Returns
    -------
    (..., n + 1, d + 1) ndarray
        The tokens, one a row, in the common type of X, y and q0. alpha never changes that type.

    Raises
    ------
    TypeError
        If an argument is not real.
    ValueError
        If the shapes do not fit together.

    Notes
    -----
    Source: arXiv 2410.11268, the in-context prompt; that the query token is (q, α) is [ours], the
    layout that gives the paper's lemma.

    Examples
    --------
    >>> prompt([[1.0, 2.0], [3.0, 4.0]], [5.0, 6.0], None, 1.0)
    array([[1., 2., 5.],
           [3., 4., 6.],
           [0., 0., 1.]])
    """
    X, y = real(X), real(y)  # (..., n, d), (..., n)
    n, d = X.shape[-2:]
    q0 = np.zeros(d, X.dtype) if q0 is None else real(q0)  # (..., d)
    alpha = real(alpha)  # (...)
    lead = np.broadcast_shapes(X.shape[:-2], y.shape[:-1], q0.shape[:-1], alpha.shape)
    Z = np.empty((*lead, n + 1, d + 1), np.result_type(X, y, q0))  # (..., n + 1, d + 1)
    Z[..., :n, :d] = X
    Z[..., :n, d] = y
    Z[..., n, :d] = q0
    Z[..., n, d] = alpha
    return Z


def weights(d: int) -> tuple[FloatArray, FloatArray]:
    """Return the paper's weights P = diag(1, …, 1, 0) and Q = I.

    Parameters
    ----------
    d : int
        Number of features.

    Returns
    -------
    P, Q : (d + 1, d + 1) ndarray
        In float32, which holds zeros and ones exactly and so never promotes a product.

    Notes
    -----
    Source: arXiv 2410.11268, the construction of the looped linear transformer.

    Examples
    --------
    >>> P, Q = weights(2)
    >>> P.diagonal().tolist(), Q.diagonal().tolist()
    ([1.0, 1.0, 0.0], [1.0, 1.0, 1.0])
    """
    Q = np.eye(d + 1, dtype=np.float32)  # (d + 1, d + 1)
    P = Q.copy()
    P[d, d] = 0
    return P, Q


def query_mask(n: int) -> FloatArray:
    """Return the mask M: row n, the query, attends to rows 0 … n − 1; nobody else attends.

    Parameters
    ----------
    n : int
        Number of context rows.

    Returns
    -------
    (n + 1, n + 1) ndarray
        M[i, j] is 1 where row i may attend to row j and 0 elsewhere.

    Notes
    -----
    Source: arXiv 2410.11268, the lemma; its zero rows leave only this mask.

    Examples
    --------
    >>> query_mask(2)
    array([[0., 0., 0.],
           [0., 0., 0.],
           [1., 1., 0.]], dtype=float32)
    """
    M = np.zeros((n + 1, n + 1), np.float32)
    M[n, :n] = 1
    return M


def attention(Z: FloatArray, P: FloatArray, Q: FloatArray, mask: FloatArray) -> FloatArray:
    """Return linear attention, Attn(Z; P, Q) = (M ∘ (Z Q Zᵀ)) Z P.

    Parameters
    ----------
    Z : (..., n + 1, d + 1) ndarray
        Tokens, one a row.
    P, Q : (..., d + 1, d + 1) ndarray
        Value weights and query–key weights.
    mask : (..., n + 1, n + 1) ndarray
        1 where row i may attend to row j, 0 elsewhere.

    Returns
    -------
    (..., n + 1, d + 1) ndarray

    Raises
    ------
    ValueError
        If the shapes do not fit together.

    Notes
    -----
    Source: arXiv 2410.11268, the definition of linear attention.

    Examples
    --------
    The paper's first experiment: with q = θ and α = −1 the query row's attention is the gradient
    Xᵀ(Xθ − y) of ½‖Xθ − y‖².

    >>> X, y, theta = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([5.0, 6.0]), np.array([1.0, 1.0])
    >>> Z = prompt(X, y, theta, -1.0)
    >>> attention(Z, *weights(2), query_mask(2))[-1]
    array([1., 0., 0.])
    >>> X.T @ (X @ theta - y)
    array([1., 0.])
    """
    scores = Z @ Q @ Z.swapaxes(-1, -2)  # (..., n + 1, n + 1)
    attended: FloatArray = (mask * scores) @ Z @ P  # (..., n + 1, d + 1)
    return attended


def loops(
    Z: FloatArray, P: FloatArray, Q: FloatArray, mask: FloatArray, steps: FloatArray
) -> FloatArray:
    """Return Z(T): one loop Z ← Z − η_t Attn(Z; P, Q) for each of the T step sizes.

    Parameters
    ----------
    Z : (..., n + 1, d + 1) ndarray
        The prompt Z(0).
    P, Q, mask
        As in `attention`.
    steps : (..., T) ndarray
        Step sizes η_0 … η_{T−1}, rounded to the type of Z.

    Returns
    -------
    (..., n + 1, d + 1) ndarray

    Raises
    ------
    ValueError
        If the shapes do not fit together.

    Notes
    -----
    Source: arXiv 2410.11268, the looped transformer.

    Examples
    --------
    >>> Z = prompt([[1.0], [1.0]], [2.0, 2.0], None, 1.0)
    >>> loops(Z, *weights(1), query_mask(2), np.array([0.25, 0.25]))
    array([[ 1. ,  2. ],
           [ 1. ,  2. ],
           [-1.5,  1. ]])
    """
    steps = steps.astype(Z.dtype)
    for t in range(steps.shape[-1]):
        # Z ← Z − η_t (M ∘ (Z Q Zᵀ)) Z P
        Z = Z - steps[..., t, None, None] * attention(Z, P, Q, mask)
    return Z


def read_out(Z: FloatArray) -> FloatArray:
    """Return v = −q, q being the query row of Z without its last entry.

    Parameters
    ----------
    Z : (..., n + 1, d + 1) ndarray

    Returns
    -------
    (..., d) ndarray

    Notes
    -----
    q(t) tends to −α θ̂, so this sign makes the theorem ⟨v(T), θ*⟩ → α hold [ours].

    Examples
    --------
    >>> read_out(np.array([[1.0, 2.0], [-1.5, 1.0]]))
    array([1.5])
    """
    return -Z[..., -1, :-1]


def singular_values(X: ArrayLike) -> NDArray[np.float64]:
    """Return d singular values of X in descending order, with what does not count set to zero.

    They are found in float64, and their squares are the eigenvalues λ of XᵀX. σ counts when

        σ > max(n, d) · eps(type of X) · σ_max

    where types other than float32 have the eps of float64.

    Parameters
    ----------
    X : (..., n, d) array_like

    Returns
    -------
    (..., d) ndarray of float64
        In the units of X. For n < d the last d − n are zero. A task with a NaN or an Inf has NaN
        everywhere.

    Raises
    ------
    TypeError
        If X is not real.

    Examples
    --------
    >>> singular_values([[3.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
    array([3., 2.])
    >>> singular_values([[3.0, 0.0, 0.0], [0.0, 1e-16, 0.0]])
    array([3., 0., 0.])
    """
    X = real(X)  # (..., n, d)
    n, d = X.shape[-2:]
    finite = np.asarray(np.isfinite(X).all((-2, -1)))  # (...)
    X64 = np.where(finite[..., None, None], X, 0).astype(np.float64)
    sigma = np.zeros((*X.shape[:-2], d))  # (..., d)
    sigma[..., : min(n, d)] = np.linalg.svd(X64, compute_uv=False)
    eps = np.finfo(np.float32 if X.dtype == np.float32 else np.float64).eps
    sigma[sigma <= max(n, d) * eps * sigma[..., :1]] = 0
    sigma[~finite] = np.nan
    return sigma


def chebyshev_order(T: int) -> NDArray[np.int64]:
    """Return the order in which the T Chebyshev nodes are used, a permutation of 0 … T − 1.

    order(1) = [0]. For even T, p = order(T/2) gives [p_0, T−1−p_0, p_1, T−1−p_1, …], so that each
    large step is undone by a small one. For odd T the middle node (T−1)/2 goes first, followed by
    order(T−1) with the entries from (T−1)/2 on raised by one.

    Parameters
    ----------
    T : int
        Number of loops, at least 0.

    Returns
    -------
    (T,) ndarray of int64

    Notes
    -----
    Source: V. I. Lebedev and S. A. Finogenov, "The order of choice of the iteration parameters in
    the cyclic Chebyshev iteration method", 1971, for T = 2^k; the extension to every T is [ours].
    In sorted order the intermediate iterates overflow or lose every digit.

    Examples
    --------
    >>> chebyshev_order(4).tolist(), chebyshev_order(5).tolist()
    ([0, 3, 1, 2], [2, 0, 4, 1, 3])
    """
    if T < 2:
        return np.arange(T, dtype=np.int64)
    if T % 2:
        middle = (T - 1) // 2
        rest = chebyshev_order(T - 1)
        return np.concatenate([[middle], rest + (rest >= middle)])
    half = chebyshev_order(T // 2)
    return np.stack([half, T - 1 - half], axis=-1).reshape(T)


def step_sizes(
    X: ArrayLike,
    T: int,
    *,
    eta: ArrayLike | None = None,
    schedule: ArrayLike | None = None,
    scale: Literal["sum", "mean"] = "sum",
) -> FloatArray:
    """Return the step sizes η_0 … η_{T−1} that multiply the attention.

    Parameters
    ----------
    X : (..., n, d) array_like
        Inputs.
    T : int
        Number of loops.
    eta : (...) array_like, None, "optimal" or "chebyshev"
        A constant step. None is the paper's 1/λ_max. "optimal" is 2/(λ_min + λ_max), the best
        constant. "chebyshev" is the best schedule of T steps, 1/(c + h x_k) with
        c = (λ_max + λ_min)/2, h = (λ_max − λ_min)/2 and x_k = cos(π(2k + 1)/(2T)), in the order of
        `chebyshev_order`. λ are the eigenvalues of XᵀX that count, σ² of `singular_values`; with
        none, the step is 0.
    schedule : (..., T) array_like
        One step for each loop, instead of eta. A scalar or a last axis of 1 broadcasts.
    scale : "sum" or "mean"
        "mean" divides XᵀX and Xᵀy by n, here by dividing a given step by n. The other kinds of
        step adapt to the eigenvalues, which are divided too, and so stay as they are.

    Returns
    -------
    (..., T) ndarray
        In float64, or longdouble for a longdouble X. Steps beyond the range of that type are inf.

    Raises
    ------
    TypeError
        If an argument is not real.
    ValueError
        If eta is an unknown word, eta and schedule are both given, or the shapes do not fit.

    Notes
    -----
    Source: arXiv 2410.11268, the theorem's η = 1/λ_max; the schedules are textbook gradient
    descent.

    Examples
    --------
    >>> X = [[2.0, 0.0], [0.0, 1.0]]
    >>> step_sizes(X, 2)
    array([0.25, 0.25])
    >>> step_sizes(X, 2, eta="optimal")
    array([0.4, 0.4])
    >>> step_sizes(X, 2, eta="chebyshev").round(6)
    array([0.280847, 0.694763])
    >>> step_sizes(X, 2, schedule=[0.5, 0.1], scale="mean")
    array([0.25, 0.05])
    """
    X = real(X)
    dtype = np.result_type(X, np.float64)
    if eta is not None and schedule is not None:
        raise ValueError("eta: give eta or schedule, not both")
    if schedule is not None:
        given = real(schedule).astype(dtype)  # (..., T)
        given = given[None] if given.ndim == 0 else given
    elif eta is None or isinstance(eta, str):
        given = adaptive_steps(singular_values(X).astype(dtype) ** 2, T, eta)  # (..., T)
    else:
        given = real(eta).astype(dtype)[..., None]  # (..., 1)
    if scale == "mean" and not (schedule is None and (eta is None or isinstance(eta, str))):
        # Without rows the attention is zero, whatever the step.
        given = given / max(X.shape[-2], 1)
    lead = np.broadcast_shapes(X.shape[:-2], given.shape[:-1])
    return np.broadcast_to(given, (*lead, T))


def adaptive_steps(eigenvalues: FloatArray, T: int, kind: str | None) -> FloatArray:
    """Return the (..., T) steps for the (..., d) eigenvalues of XᵀX; see `step_sizes`."""
    counts = eigenvalues != 0  # (..., d), true for NaN
    largest = eigenvalues.max(-1, initial=0)[..., None]  # (..., 1)
    smallest = eigenvalues.min(-1, initial=np.inf, where=counts)[..., None]  # (..., 1)
    smallest = np.where(counts.any(-1)[..., None], smallest, 0)
    # 1/λ_max;  2/(λ_min + λ_max);  1/(c + h cos φ) with φ = π(2k + 1)/(2T), where c + h cos φ is
    # written as λ_max cos²(φ/2) + λ_min sin²(φ/2), which does not cancel near λ_min.
    if kind is None:
        inverse = largest
    elif kind == "optimal":
        inverse = (smallest + largest) / 2
    elif kind == "chebyshev":
        quarter = np.arctan(np.ones((), eigenvalues.dtype)) / max(T, 1)  # π/4T
        k = chebyshev_order(T)  # (T,)
        cos, sin = np.sin(quarter * (2 * (T - k) - 1)), np.sin(quarter * (2 * k + 1))  # of φ/2
        inverse = largest * cos**2 + smallest * sin**2
    else:
        raise ValueError(f'eta: expected a number, None, "optimal" or "chebyshev", got {kind!r}')
    steps = np.divide(1, inverse, out=np.zeros_like(inverse), where=inverse != 0)
    return np.broadcast_to(steps, (*steps.shape[:-1], T))


def run(
    X: ArrayLike,
    y: ArrayLike,
    alpha: ArrayLike,
    T: int,
    *,
    eta: ArrayLike | None = None,
    schedule: ArrayLike | None = None,
    q0: ArrayLike | None = None,
    scale: Literal["sum", "mean"] = "sum",
) -> FloatArray:
    """Return the generated vector v(T) = −q(T), by T literal loops over the prompt.

    Parameters
    ----------
    X : (..., n, d) array_like
        Inputs, one example a row.
    y : (..., n) array_like
        Targets.
    alpha : (...) array_like
        The value to generate.
    T : int
        Number of loops.
    eta, schedule, scale
        As in `step_sizes`.
    q0 : (..., d) array_like or None
        First state of the query row; None means zero.

    Returns
    -------
    (..., d) ndarray
        In the common type of X, y and q0, which is also the type of the arithmetic.

    Raises
    ------
    TypeError
        If an argument is not real.
    ValueError
        If the shapes do not fit together or the step sizes are not as in `step_sizes`.

    Notes
    -----
    Source: arXiv 2410.11268, linear vector generation by a looped transformer.

    Examples
    --------
    y = X θ* with θ* = (0.6, 0.8); the loop finds v with ⟨v, θ*⟩ = α.

    >>> X = np.array([[2.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> theta = np.array([0.6, 0.8])
    >>> v = run(X, X @ theta, 3.0, 100)
    >>> round(float(v @ theta), 9)
    3.0
    """
    Z, P, Q, M, steps = _looped_transformer(
        X, y, alpha, T, q0, eta=eta, schedule=schedule, scale=scale
    )
    return read_out(loops(Z, P, Q, M, steps))


def trajectory(
    X: ArrayLike,
    y: ArrayLike,
    alpha: ArrayLike,
    T: int,
    *,
    eta: ArrayLike | None = None,
    schedule: ArrayLike | None = None,
    q0: ArrayLike | None = None,
    scale: Literal["sum", "mean"] = "sum",
) -> FloatArray:
    """Return v(t) = −q(t) for every t from 0 to T.

    Parameters are those of `run`.

    Returns
    -------
    (..., T + 1, d) ndarray

    Raises
    ------
    TypeError, ValueError
        As `run`.

    Examples
    --------
    >>> trajectory([[1.0], [1.0]], [2.0, 2.0], 1.0, 3, eta=0.25)
    array([[-0.  ],
           [ 1.  ],
           [ 1.5 ],
           [ 1.75]])
    """
    Z, P, Q, M, steps = _looped_transformer(
        X, y, alpha, T, q0, eta=eta, schedule=schedule, scale=scale
    )
    states = [Z]
    for t in range(T):
        states.append(loops(states[-1], P, Q, M, steps[..., t : t + 1]))
    return np.stack([read_out(state) for state in states], axis=-2)  # (..., T + 1, d)


def _looped_transformer(
    X: ArrayLike, y: ArrayLike, alpha: ArrayLike, T: int, q0: ArrayLike | None, **kind: Any
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return Z(0), P, Q, M and the step sizes of a call of `run` or `trajectory`."""
    Z = prompt(X, y, q0, alpha)  # (..., n + 1, d + 1)
    n, d = Z.shape[-2] - 1, Z.shape[-1] - 1
    steps = step_sizes(X, T, **kind)  # (..., T)
    lead = np.broadcast_shapes(Z.shape[:-2], steps.shape[:-1])
    Z = np.broadcast_to(Z, (*lead, n + 1, d + 1))
    return Z, *weights(d), query_mask(n), steps
