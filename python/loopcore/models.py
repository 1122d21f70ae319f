"""The looped Transformers of the literature, each built as it was described.

Every function returns a `loopcore.LoopedTransformer` and says which algorithm it is, whose, with
which sign and normalisation, and what stands in the extra channels of its tokens. `generate`,
`predict` and `operator` of such a model fill these channels; a literal prompt has them filled.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loopcore import reference
from loopcore._arguments import read_index, read_parameter, read_word
from loopcore._attention import LoopedTransformer
from loopcore._tokens import GaussianTokens, MomentumTokens, NewtonTokens

__all__ = [
    "chebyshev",
    "gd_plus_plus",
    "gradient_descent",
    "kernel",
    "momentum",
    "newton",
    "preconditioned",
]

Eta = ArrayLike | Literal["optimal"] | None
Scale = Literal["sum", "mean"]
Update = Literal["query", "all", "targets"]
Array = NDArray[np.float64]


def gradient_descent(
    d: int,
    *,
    update: Update = "query",
    eta: Eta = None,
    schedule: ArrayLike | None = None,
    scale: Scale = "sum",
) -> LoopedTransformer:
    """Gradient descent on ½‖Xθ − y‖²: θ ← θ − η Xᵀ(Xθ − y).

    Parameters
    ----------
    d : int
        Length of an x; tokens are (x, y), D = d + 1.
    update : "query", "targets" or "all"
        "query" has the paper's weights P = diag(1, …, 1, 0) and Q = I: the query row (q, α) moves
        by q ← q − η (XᵀXq + αXᵀy), and `generate` returns v = −q, which is θ at α = 1 and
        q0 = 0. The others have P = E_yy and Q = diag(1, …, 1, 0): y ← y − η XXᵀy holds the
        residuals of θ, the query's y slot −⟨θ, x⟩, and `predict` returns ⟨θ, x⟩.
    eta, schedule, scale
        As for `LoopedTransformer`; eta=None is 1/λ_max(XᵀX). A schedule is (..., T, 1).

    Returns
    -------
    LoopedTransformer

    Raises
    ------
    TypeError, ValueError
        As `LoopedTransformer`.

    Notes
    -----
    Source: "query" is arXiv 2410.11268; the others are J. von Oswald et al., "Transformers learn
    in-context by gradient descent", 2023, arXiv 2212.07677, whose step is η/n on a mean loss:
    scale="mean".

    Examples
    --------
    >>> import numpy as np
    >>> X, x = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), np.array([2.0, 1.0])
    >>> y = X @ [0.6, 0.8]
    >>> v = gradient_descent(2).generate(X, y, 1.0, 5)
    >>> prediction = gradient_descent(2, update="targets").predict(X, y, x, 5)
    >>> round(float(v @ x), 9) == round(float(prediction), 9)
    True
    """
    return preconditioned(
        np.eye(_read_d(d)), update=update, eta=eta, schedule=schedule, scale=scale
    )


def preconditioned(
    gamma: ArrayLike,
    *,
    update: Update = "query",
    eta: Eta = None,
    schedule: ArrayLike | None = None,
    scale: Scale = "sum",
) -> LoopedTransformer:
    """Preconditioned gradient descent: θ ← θ − η Γ_l Xᵀ(Xθ − y), one step a layer.

    Parameters
    ----------
    gamma : (d, d) or (L, d, d) array
        The preconditioner Γ of each layer; tokens are (x, y), D = d + 1.
    update : "query", "targets" or "all"
        "query" has P = diag(Γᵀ, 0) and Q = I and `generate` returns θ at α = 1; the others have
        P = E_yy and Q = diag(Γ, 0), and `predict` returns ⟨θ, x⟩.
    eta, schedule, scale
        As for `LoopedTransformer`; eta=None, 1/λ_max(XᵀX Γ_l), needs symmetric positive
        semidefinite Γ. A schedule is (..., T, L).

    Returns
    -------
    LoopedTransformer

    Raises
    ------
    TypeError, ValueError
        As `LoopedTransformer`.

    Notes
    -----
    Source: K. Ahn, X. Cheng, H. Daneshmand and S. Sra, 2023, arXiv 2306.00297, where the layer is
    Z + Attn/n, the weights are P = E_yy and Q = −diag(Γ, 0), and the prediction is minus the
    query's y slot: scale="mean", eta=1 and update="all" here.

    Examples
    --------
    With Γ = (XᵀX)⁻¹ one step is Newton's.

    >>> import numpy as np
    >>> X = np.array([[2.0, 0.0], [0.0, 1.0]])
    >>> preconditioned(np.linalg.inv(X.T @ X), eta=1.0).generate(X, X @ [0.6, 0.8], 1.0, 1)
    array([0.6, 0.8])
    """
    blocks = read_parameter(gamma, "gamma")
    if blocks.ndim not in (2, 3) or blocks.shape[-1] != blocks.shape[-2] or 0 in blocks.shape:
        raise ValueError(f"gamma: expected shape (d, d) or (L, d, d), got {blocks.shape}")
    d = blocks.shape[-1]
    P, Q = _zeros(blocks.shape[:-2], d + 1), _zeros(blocks.shape[:-2], d + 1)
    if update == "query":
        P[..., :d, :d] = blocks.swapaxes(-1, -2)
        Q[..., :, :] = np.eye(d + 1)
    else:
        P[..., d, d] = 1
        Q[..., :d, :d] = blocks
    return LoopedTransformer(P, Q, eta, schedule=schedule, update=update, scale=scale)


def gd_plus_plus(
    gamma: float,
    d: int,
    *,
    eta: ArrayLike | None = None,
    schedule: ArrayLike | None = None,
    scale: Scale = "sum",
) -> LoopedTransformer:
    """GD++: gradient descent on inputs that are themselves transformed, x ← x − η γ S x.

    S = Σ_j x_j x_jᵀ is that of the inputs as they are before the loop. The same loop moves the
    residuals, y_i ← y_i − η Σ_j ⟨x_i, x_j⟩ y_j.

    Parameters
    ----------
    gamma : float
        γ, which shrinks the large eigenvalues of S: λ ← λ (1 − η γ λ)². 0 is gradient descent.
    d : int
        Length of an x; tokens are (x, y), D = d + 1.
    eta, schedule, scale
        As for `LoopedTransformer`; one of eta and schedule must be given, for the eigenvalues of
        the first S do not say which step is stable. A schedule is (..., T, 1).

    Returns
    -------
    LoopedTransformer
        With update="all", P = diag(γ, …, γ, 1) and Q = diag(1, …, 1, 0). `predict` returns minus
        the query's y slot.

    Raises
    ------
    TypeError, ValueError
        As `LoopedTransformer`.

    Notes
    -----
    Source: J. von Oswald et al., 2023, arXiv 2212.07677, "GD++", where x ← (I − γ XᵀX) x: their γ
    is η γ here.

    Examples
    --------
    >>> import numpy as np
    >>> X, y, x = np.array([[1.0], [2.0]]), np.array([1.0, 2.0]), [3.0]
    >>> print(gd_plus_plus(0.5, 1, eta=0.1).predict(X, y, x, 2))
    1.921875
    """
    if np.ndim(gamma):
        raise ValueError(f"gamma: expected a number, got shape {np.shape(gamma)}")
    d = _read_d(d)
    P = np.diag(np.append(np.full(d, read_parameter(gamma, "gamma")), 1.0))
    Q = np.diag(np.append(np.ones(d), 0.0))
    return LoopedTransformer(P, Q, eta, schedule=schedule, update="all", scale=scale)


def momentum(
    beta: float,
    d: int,
    *,
    eta: Eta = None,
    schedule: ArrayLike | None = None,
    scale: Scale = "sum",
) -> LoopedTransformer:
    """Heavy ball: θ_{t+1} = θ_t − η Xᵀ(Xθ_t − y) + β (θ_t − θ_{t−1}), with θ_{−1} = θ_0.

    Parameters
    ----------
    beta : float
        β, the momentum.
    d : int
        Length of an x. Tokens are (q, q_prev, y), D = 2d + 1: an example is (x, 0, y), the query
        row (q, q_prev, α) starts at (q0, q0, α).
    eta, schedule, scale
        As for `LoopedTransformer`; eta=None is 1/λ_max(XᵀX). A schedule is (..., T, 1).

    Returns
    -------
    LoopedTransformer
        With update="query", P = diag(I, 0, 0), Q = diag(I, 0, 1) and
        skip = [[(1 + β) I, I, 0], [−β I, 0, 0], [0, 0, 1]]: q ← (1 + β) q − β q_prev − η (…) and
        q_prev ← q. `generate` returns −q, which is θ at α = 1.

    Raises
    ------
    TypeError, ValueError
        As `LoopedTransformer`.

    Notes
    -----
    Source: B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", 1964;
    written as a skip matrix [ours].

    Examples
    --------
    >>> import numpy as np
    >>> X, y = np.array([[1.0], [1.0]]), np.array([2.0, 2.0])
    >>> momentum(0.5, 1, eta=0.25).generate(X, y, 1.0, 2)
    array([2.])
    """
    if np.ndim(beta):
        raise ValueError(f"beta: expected a number, got shape {np.shape(beta)}")
    d, b = _read_d(d), float(read_parameter(beta, "beta"))
    one, none = np.eye(d), np.zeros((d, d))
    skip = np.eye(2 * d + 1)
    skip[:-1, :-1] = np.block([[(1 + b) * one, one], [-b * one, none]])
    P = np.diag(np.repeat([1.0, 0.0, 0.0], [d, d, 1]))
    Q = np.diag(np.repeat([1.0, 0.0, 1.0], [d, d, 1]))
    return LoopedTransformer._with_tokens(
        MomentumTokens(), P=P, Q=Q, eta=eta, schedule=schedule, scale=scale, skip=skip
    )


def chebyshev(
    d: int,
    T: int,
    lambda_min: ArrayLike,
    lambda_max: ArrayLike,
    *,
    update: Update = "query",
    scale: Scale = "sum",
) -> LoopedTransformer:
    """Gradient descent with the T steps that together are best for eigenvalues in [λ_min, λ_max].

    The steps are 1/(c + h cos(π(2k + 1)/2T)), c = (λ_max + λ_min)/2 and h = (λ_max − λ_min)/2, in
    the order of `loopcore.reference.chebyshev_order`, in which large and small ones alternate: in
    sorted order the states on the way overflow or lose every digit. Only loop T is best.

    Parameters
    ----------
    d : int
        Length of an x; tokens are (x, y), D = d + 1.
    T : int
        Loops, at least 1. A call of fewer takes the first of these steps, which are not the best
        then.
    lambda_min, lambda_max : (...) array or float
        0 < λ_min ≤ λ_max, bounds on the non-zero eigenvalues of XᵀX, or of XᵀX/n with scale="mean":
        see `loopcore.spectrum`.
    update, scale
        As for `gradient_descent`.

    Returns
    -------
    LoopedTransformer
        Its schedule is (..., T, 1).

    Raises
    ------
    TypeError, ValueError
        As `LoopedTransformer`, and ValueError for bounds that are not as above.

    Notes
    -----
    Source: V. I. Lebedev and S. A. Finogenov, "The order of choice of the iteration parameters in
    the cyclic Chebyshev iteration method", 1971.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.diag([1.0, 2.0, 3.0])
    >>> chebyshev(3, 12, 1.0, 9.0).generate(X, X @ [1.0, 2.0, 3.0], 1.0, 12).round(3)
    array([1.   , 2.001, 2.999])
    """
    T = read_index(T, "T", 1)
    least, most = read_parameter(lambda_min, "lambda_min"), read_parameter(lambda_max, "lambda_max")
    try:
        bounds = np.stack(np.broadcast_arrays(least, most), axis=-1)  # (..., 2)
    except ValueError:
        raise ValueError(
            f"lambda_max: expected to broadcast with lambda_min {least.shape}, got shape "
            f"{most.shape}"
        ) from None
    if not ((least > 0) & np.isfinite(least)).all():
        raise ValueError(f"lambda_min: expected positive numbers, got {least.min(initial=np.inf)}")
    if not ((bounds[..., 0] <= bounds[..., 1]) & np.isfinite(bounds[..., 1])).all():
        raise ValueError(
            "lambda_max: expected finite numbers that lambda_min does not exceed, got less"
        )
    steps = reference.adaptive_steps(bounds, T, "chebyshev")  # (..., T)
    return gradient_descent(d, update=update, schedule=steps[..., None], scale=scale)


def newton(
    d: int,
    T: int = 64,
    *,
    m0: ArrayLike | Literal["identity", "gram"] = "identity",
) -> LoopedTransformer:
    """Newton's iteration for the inverse of S = XᵀX, M ← 2M − M S M, predicting ⟨M Xᵀy, x⟩.

    Tokens carry u = M x. All rows move by u ← 2u − Σ_j ⟨u, x_j⟩ u_j, and with u = 2ᵏ ũ in loop k
    the factor 2 goes into the steps, so that skip is the identity::

        ũ ← ũ − 2^(k−1) Σ_j ⟨ũ, x_j⟩ ũ_j,   k = 0, 1, …;    prediction 2^T Σ_j ⟨ũ_query, x_j⟩ y_j

    Parameters
    ----------
    d : int
        Length of an x. Tokens are (x, ũ, y), D = 2d + 1, and every row, the query's too, starts at
        ũ = M₀ x.
    T : int
        The most loops that a call can ask for. The residual is squared in every loop: for
        κ = 100 a dozen to fifteen are enough, with "gram" twenty.
    m0 : "identity", "gram", or (d, d) array
        M₀. "identity" is I/‖S‖_F, which converges for every S, to S⁺ on its range. "gram" is
        2S/‖S‖²_F, which converges where S has rank two or more, and more slowly: ‖I − M₀S‖ on the
        range is 1 − 2(λ_min/‖S‖_F)² against 1 − λ_min/‖S‖_F; at rank one it is 1, and the first
        loop gives M = 0. ‖S‖_F is the Frobenius norm; with the spectral norm in its place "gram"
        would leave the direction of λ_max unsolved at every rank. For S = 0 both are 0. A given
        M₀ must be symmetric; it converges where ‖I − M₀S‖ < 1 on the range of S, and M₀ maps
        into it.

    Returns
    -------
    LoopedTransformer
        With update="all", P = diag(0, I, 0), Q the identity from the ũ block to the x block and
        the schedule 2^(k−1), (T, 1). With "identity" the part of u outside the row space of X
        doubles in every loop. Exactly, nothing reads it; its rounding errors are read, up to about
        2^T u relative to the prediction: where X has not full rank take "gram" or few loops.

    Raises
    ------
    TypeError, ValueError
        As `LoopedTransformer`, and ValueError for T above 1,024, where steps overflow.

    Notes
    -----
    Source: D. Fu, T.-Q. Chen, R. Jia and V. Sharan, "Transformers learn to achieve second-order
    convergence rates for in-context linear regression", 2024, arXiv 2310.17086, and, for the
    iteration, G. Schulz, "Iterative Berechnung der reziproken Matrix", 1933. The tokens and the
    powers of two are [ours].

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> print(newton(2).predict(X, X @ [0.6, 0.8], [1.0, 2.0], 8).round(9))
    2.2
    """
    d, T = _read_d(d), read_index(T, "T", 1)
    if T > 1024:
        raise ValueError(f"T: expected at most 1024, got {T}")
    kind: str | tuple[tuple[float, ...], ...]
    if isinstance(m0, str):
        kind = read_word(m0, "m0", ("identity", "gram"))
    else:
        given = read_parameter(m0, "m0")
        if given.shape != (d, d):
            raise ValueError(f"m0: expected shape (d, d) = {(d, d)}, got {given.shape}")
        if not np.isfinite(given).all() or (given != given.T).any():
            raise ValueError("m0: expected a symmetric matrix of finite numbers, got another one")
        kind = tuple(tuple(row) for row in given.tolist())
    P, Q = _zeros((), 2 * d + 1), _zeros((), 2 * d + 1)
    P[d:-1, d:-1] = np.eye(d)
    Q[d:-1, :d] = np.eye(d)
    schedule = np.ldexp(1.0, np.arange(T) - 1)[:, None]  # (T, 1)
    return LoopedTransformer._with_tokens(
        NewtonTokens(kind), P=P, Q=Q, schedule=schedule, update="all"
    )


def kernel(
    name: Literal["linear", "exp", "relu", "softmax", "rbf"],
    d: int,
    *,
    temperature: float | None = None,
    bandwidth: float | None = None,
    eta: Eta = None,
    schedule: ArrayLike | None = None,
    scale: Scale = "sum",
) -> LoopedTransformer:
    """Functional gradient descent in the space of a kernel: f ← f + η Σ_j (y_j − f(x_j)) k(·, x_j).

    Parameters
    ----------
    name : "linear", "exp", "relu", "softmax" or "rbf"
        The kernel k(x, x'), with s = ⟨x, x'⟩/temperature:

        - "linear": s;
        - "exp": eˢ;
        - "relu": max(s, 0), which is symmetric but **indefinite**: XXᵀ clipped can have negative
          eigenvalues, along which every step diverges, slowly for small ones. Watch for the
          DivergenceWarning, or stop early;
        - "softmax": eˢ over its sum over the n context rows x', a smoother whose rows sum to one
          and no symmetric kernel;
        - "rbf": exp(−‖x − x'‖²/2σ²).
    d : int
        Length of an x. Tokens are (x, y), D = d + 1, but for "rbf" (x, −‖x‖²/2σ², 1, y), D = d + 3,
        so that a bilinear score is −‖x − x'‖²/2σ²; it has an error of a few u ‖x‖²/σ².
    temperature : float, optional
        Positive, in units of x², 1 by default; of all kernels but "rbf".
    bandwidth : float, optional
        σ, positive, in units of x, 1 by default; of "rbf" alone.
    eta, schedule, scale
        As for `LoopedTransformer`. "linear" alone can go without both; for the others
        η < 2/λ_max(K), with K the (n, n) matrix of the kernel, is stable where K is positive
        semidefinite. A schedule is (..., T, 1).

    Returns
    -------
    LoopedTransformer
        With update="targets" and P = E_yy: y_i ← y_i − η Σ_j k(x_i, x_j) y_j are the residuals
        y − f, and `predict` returns f(x_query) from f = 0.

    Raises
    ------
    TypeError, ValueError
        As `LoopedTransformer`, and ValueError for a temperature or a bandwidth that is not
        positive, or that the kernel does not have.

    Notes
    -----
    Source: X. Cheng, Y. Chen and S. Sra, "Transformers implement functional gradient descent to
    learn non-linear functions in context", 2024, arXiv 2312.06528, where the step is added and P is
    minus ours. The columns of "rbf" are [ours].

    Examples
    --------
    >>> import numpy as np
    >>> X = np.linspace(-1, 1, 9)[:, None]
    >>> model = kernel("rbf", 1, bandwidth=0.5, eta=0.2)
    >>> model.predict(X, np.sin(3 * X[:, 0]), [[0.1], [0.6]], 3000).round(2)
    array([0.29, 0.98])
    """
    word = read_word(name, "name", ("linear", "exp", "relu", "softmax", "rbf"))
    d = _read_d(d)
    is_gaussian = word == "rbf"
    if bandwidth is not None and not is_gaussian:
        raise ValueError(f"bandwidth: expected None for {word!r}, which has none, got {bandwidth}")
    if temperature is not None and is_gaussian:
        raise ValueError(f"temperature: expected None for 'rbf', which has none, got {temperature}")
    options: dict[str, Any] = {
        "eta": eta,
        "schedule": schedule,
        "scale": scale,
        "update": "targets",
        "attention": "exp" if is_gaussian else word,
    }
    D = d + 3 if is_gaussian else d + 1
    P, Q = _zeros((), D), _zeros((), D)
    P[-1, -1] = 1
    if is_gaussian:
        sigma = _read_positive(1.0 if bandwidth is None else bandwidth, "bandwidth")
        Q[:d, :d] = np.eye(d) / sigma**2
        Q[d, d + 1] = Q[d + 1, d] = 1  # −‖x‖²/2σ² · 1 and 1 · (−‖x'‖²/2σ²)
        return LoopedTransformer._with_tokens(GaussianTokens(sigma), P=P, Q=Q, **options)
    tau = _read_positive(1.0 if temperature is None else temperature, "temperature")
    Q[:d, :d] = np.eye(d) / tau
    return LoopedTransformer(P, Q, **options)


def _read_d(d: int) -> int:
    return read_index(d, "d", 1)


def _read_positive(value: float, name: str) -> float:
    number = read_parameter(value, name)
    if number.shape != () or not 0 < number < np.inf:
        raise ValueError(f"{name}: expected a positive number, got {value}")
    return float(number)


def _zeros(lead: tuple[int, ...], D: int) -> Array:
    return np.zeros((*lead, D, D))
