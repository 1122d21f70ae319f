"""The reverse mode of `run`: from a cotangent of v(T) to the gradients of all that went in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loopcore._native import core


class Gradient(NamedTuple):
    """The gradient of ⟨v̄, v(T)⟩ with respect to each argument, in its shape; None if not given."""

    X: NDArray[np.floating[Any]]
    """(..., n, d)"""
    y: NDArray[np.floating[Any]]
    """(..., n)"""
    alpha: NDArray[np.float64] | np.float64
    """(...)"""
    eta: NDArray[np.float64] | np.float64 | None
    """(...), or None: with eta=None its share is in X"""
    schedule: NDArray[np.float64] | np.float64 | None
    """(..., T), or None"""
    q0: NDArray[np.floating[Any]] | None
    """(..., d), or None"""


def vjp(
    X: ArrayLike,
    y: ArrayLike,
    alpha: ArrayLike,
    T: SupportsIndex,
    *,
    eta: ArrayLike | None = None,
    schedule: ArrayLike | None = None,
    q0: ArrayLike | None = None,
    scale: Literal["sum", "mean"] = "sum",
    num_threads: SupportsIndex | None = None,
) -> tuple[NDArray[np.floating[Any]], Callable[[ArrayLike], Gradient]]:
    """Return v(T), bit for bit that of `run`, and the function that takes cotangents back.

    The loops are undone one by one. With S = XᵀX, b = Xᵀy and v = −q_T,

        λ_T = −v̄,   λ_t = λ_{t+1} − η_t S λ_{t+1},   q̄_0 = λ_0
        Λ = Σ_t η_t λ_{t+1},   S̄ = −Σ_t η_t λ_{t+1} q_tᵀ,   b̄ = −α Λ
        X̄ = X (S̄ + S̄ᵀ) + y b̄ᵀ,   ȳ = X b̄,   ᾱ = −b·Λ,   η̄_t = −λ_{t+1}·(S q_t + α b)

    Parameters
    ----------
    X : (..., n, d) array_like
        In-context inputs, one example a row.
    y : (..., n) array_like
        In-context targets.
    alpha : (...) array_like
        The value to generate.
    T : int
        Loops, at least 0.
    eta : None or (...) array_like
        Step size, in units of 1/X². None is the paper's 1/λ_max(XᵀX), which is differentiated too:
        dη = −η² uᵀ dS u with u the unit eigenvector of λ_max. That eigenvalue is taken to be
        simple; where it is not, there is no gradient, and what is returned takes one of its
        eigenvectors. X = 0, where η = 0, has no gradient through η.
    schedule : (..., T) array_like, optional
        A step size for every loop, instead of eta.
    q0 : (..., d) array_like, optional
        The query row to start from, zero by default.
    scale : "sum" or "mean"
        "mean" divides XᵀX and Xᵀy by n.
    num_threads : int, optional
        Threads of both directions; OMP_NUM_THREADS or all cores by default. Results are bitwise
        the same for any number.

    Returns
    -------
    value : (..., d) array
        v(T), as `run` gives it.
    pullback : callable
        ``pullback(v_bar)``, with v_bar an array_like of the shape of value, returns a `Gradient`:
        that of Σ v_bar · value with respect to each argument, in the units of value · v_bar over
        those of the argument, None for one that was not given. Each has the shape of its argument,
        summed over the axes along which that was broadcast. Those of X, y and q0 have the type of
        value, those of alpha, eta and schedule are float64.

        It may be called any number of times. Nothing is copied: like JAX's and PyTorch's, it keeps
        the arguments, and computes the loops anew from what the arrays hold when it is called.
        Do not change them in place before that.

    Raises
    ------
    TypeError, ValueError
        As `run`; and for eta="optimal" and "chebyshev", which depend on eigenvalues that are not
        simple as a rule: pass their numbers in eta or schedule. pullback raises ValueError for
        a v_bar of another shape than value and TypeError for anything but real numbers.

    Warns
    -----
    DivergenceWarning
        As `run`. The gradients of a task that has diverged mean nothing.

    Notes
    -----
    Source: arXiv 2410.11268, whose lemma is the loop that is undone here; the formulas are ours.

    A pullback costs about two Gram matrices, n d² each, and 3d² a loop. Beside the gradients a
    thread holds a few matrices of (d, d), also where n < d, and the record of the tasks at work:
    q_t for all t up to T·d = 2¹⁵, beyond that about 2√T of them, at the price of d² more a loop.
    What is summed over tasks waits in at most 32 MiB, or one task's gradient. All arithmetic is in
    float64. Sums of squares are formed as they come, so that gradients overflow, or lose digits,
    where entries of X leave 1e-150 … 1e150, although `run` scales them and does not.

    Examples
    --------
    >>> import numpy as np, loopcore
    >>> X, y = np.array([[2.0], [0.0]]), np.array([1.0, 0.0])
    >>> value, pullback = loopcore.vjp(X, y, 1.0, 2, eta=0.125)
    >>> value
    array([0.375])

    Here v(2) = α x y (2η − η² x²) with x = 2, y = 1.

    >>> gradient = pullback([1.0])
    >>> gradient.X[:, 0], gradient.y, float(gradient.alpha), float(gradient.eta)
    (array([0.0625, 0.    ]), array([0.375, 0.   ]), 0.375, 2.0)
    >>> gradient.schedule is None and gradient.q0 is None
    True
    """
    if isinstance(eta, str):
        raise ValueError(
            f"eta: expected None or numbers, got {eta!r}; pass its steps as numbers instead"
        )
    value = core.run(
        X,
        y,
        alpha,
        T,
        eta=eta,
        schedule=schedule,
        q0=q0,
        scale=scale,
        num_threads=num_threads,
    )
    # One step for all loops is an η.
    shape = () if schedule is None else np.asarray(schedule).shape
    is_eta = schedule is not None and shape[-1:] in {(), (1,)}

    def pullback(v_bar: ArrayLike) -> Gradient:
        """Return the gradient of Σ v_bar · value, v_bar (..., d); see `vjp`."""
        step, steps = eta, schedule
        if is_eta:
            step, steps = np.asarray(schedule).reshape(shape[:-1]), None
        parts: list[Any] = list(
            core.pull_back(v_bar, X, y, alpha, T, step, steps, q0, scale, num_threads)
        )
        if is_eta:
            parts[3], parts[4] = None, parts[3].reshape(shape)
        parts = [None if part is None else part[()] for part in parts]
        return Gradient(*parts)

    return value, pullback
