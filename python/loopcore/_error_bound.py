"""The rounding error that loopcore promises not to exceed."""

from __future__ import annotations

import math
import operator
import warnings
from collections.abc import Callable, Iterator
from typing import Any, Literal, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loopcore import reference
from loopcore._native import core as _core

# Extended precision is here for its range: a task of the size of 1e-160 has steps of 1e320.
LongArray = NDArray[np.longdouble]

# Numbers in a working array: 16 MiB in extended precision.
_CHUNK = 2**20


def error_bound(
    X: ArrayLike,
    y: ArrayLike,
    alpha: ArrayLike,
    T: SupportsIndex,
    *,
    eta: ArrayLike | None = None,
    schedule: ArrayLike | None = None,
    q0: ArrayLike | None = None,
    scale: Literal["sum", "mean"] = "sum",
) -> NDArray[np.float64]:
    """Return 30 u S_T, which the rounding error ‖v̂(T) − v(T)‖ of `run` does not exceed.

    With q_t the exact iterate, u = 2⁻²⁴ or 2⁻⁵³ by the type of the result, ‖X‖ = σ_max and λ_i the
    d eigenvalues of XᵀX,

        S_T = Σ_{t<T} g_t [‖q_{t+1}‖ + |η_t|(‖X‖²‖q_t‖ + |α|‖X‖‖y‖)]
        g_t = max_i Π_{j>t} |1 − η_j λ_i|

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
    eta, schedule, q0, scale
        As in `run`.

    Returns
    -------
    (...) ndarray of float64
        In the units of v; a NumPy scalar for one task. It is inf for a task that diverges, and NaN
        for one whose input holds a NaN or an Inf.

    Raises
    ------
    TypeError, ValueError
        As `run`.

    Warns
    -----
    DivergenceWarning
        As `run`.

    Notes
    -----
    The computed iterates stand for the exact ones: S_T needs few digits. The cost is that of a
    `trajectory` and the singular values of X; the memory is a constant and one result a task.

    Source: the rounding errors of the query row's recursion (arXiv 2410.11268), each carried
    through the loops that follow; 30 is the threshold of LAPACK's own tests [ours].

    Examples
    --------
    >>> import numpy as np
    >>> import loopcore
    >>> X, y = np.array([[2.0], [0.0]]), np.array([1.0, 0.0])
    >>> loopcore.trajectory(X, y, 1.0, 2, eta=0.125)[:, 0] + 0.0
    array([0.   , 0.25 , 0.375])

    So S_2, the last loop first, is 1·(0.375 + 0.5·0.25 + 0.25) + 0.5·(0.25 + 0.5·0 + 0.25) = 1.

    >>> float(loopcore.error_bound(X, y, 1.0, 2, eta=0.125)) / (30 * 2**-53)
    1.0
    """
    # A plain run checks every argument, warns, and has the shape and the type of the result.
    v = _core.run(X, y, alpha, T, eta=eta, schedule=schedule, q0=q0, scale=scale)  # (..., d)
    T, lead, d = operator.index(T), v.shape[:-1], v.shape[-1]
    X, y, alpha = np.asarray(X), np.asarray(y), np.asarray(alpha, np.float64)
    n = X.shape[-2]

    # Before X is broadcast: many tasks may share one.
    sigma = np.empty((*X.shape[:-2], d))
    for part in _parts(X.shape[:-2], _CHUNK // max(n * d, 1)):
        sigma[part] = reference.singular_values(X[part])

    # Every argument on the leading axes of the result, as views.
    X, y = np.broadcast_to(X, (*lead, n, d)), np.broadcast_to(y, (*lead, n))
    alpha, sigma = np.broadcast_to(alpha, lead), np.broadcast_to(sigma, (*lead, d))
    stacks: dict[str, NDArray[Any]] = {}
    if q0 is not None:
        stacks["q0"] = np.broadcast_to(q0, (*lead, d))
    if schedule is not None:
        stacks["schedule"] = np.broadcast_to(schedule, (*lead, T))
    if eta is not None and not isinstance(eta, str):
        stacks["eta"] = np.broadcast_to(np.asarray(eta, np.float64), lead)

    S = np.zeros(lead)
    for part in _parts(lead, _CHUNK // max(T * d, 1)):
        keywords = {"eta": eta, "scale": scale} | {name: a[part] for name, a in stacks.items()}
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            task = X[part], y[part], alpha[part], T
            S[part] = _rounding_scale(task, keywords, sigma[part])
    bound: NDArray[np.float64] = 30 * (float(np.finfo(v.dtype).eps) / 2) * S[()]
    return bound


def _rounding_scale(
    task: tuple[NDArray[Any], NDArray[Any], NDArray[Any], int],
    keywords: dict[str, Any],
    sigma: NDArray[np.float64],
) -> LongArray:
    """Return S_T, (...), of the tasks (X, y, alpha, T) with the singular values sigma, (..., d)."""
    X, y, alpha, T = task
    lam = sigma.astype(np.longdouble) ** 2  # (..., d)
    steps = _steps(X, T, lam, keywords)  # (..., T)
    drive = np.abs(alpha.astype(np.longdouble)) * _norm(y)  # (...), |α|‖y‖
    finite = np.isfinite(lam).all(-1) & np.isfinite(steps).all(-1) & np.isfinite(drive)
    if "q0" in keywords:
        finite &= np.isfinite(keywords["q0"]).all(-1)

    def norm_q(start: int, stop: int) -> LongArray:
        """Return ‖q_t‖ for t from start to stop, (..., stop − start + 1)."""
        at = np.arange(start, stop + 1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", _core.DivergenceWarning)  # the run has warned
            return _norm(_core.trajectory(*task, at=at, **keywords))

    S = _sum_over_loops(lam, steps, drive, norm_q)
    # Where values overflow, Inf · 0 and Inf − Inf give NaN.
    return np.where(finite, np.where(np.isnan(S), np.inf, S), np.nan if T else 0)


def _sum_over_loops(
    lam: LongArray,
    steps: LongArray,
    drive: LongArray,
    norm_q: Callable[[int, int], LongArray],
) -> LongArray:
    """Return Σ_t g_t [‖q_{t+1}‖ + |η_t|(‖X‖²‖q_t‖ + ‖X‖|α|‖y‖)], (...), the last loops first."""
    norm_X = np.sqrt(lam.max(-1, initial=0))[..., None]  # (..., 1)
    S = np.zeros(lam.shape[:-1], np.longdouble)  # (...)
    later = np.ones_like(lam)  # (..., d), Π_{j≥stop} |1 − η_j λ_i|
    size = max(1, _CHUNK // max(lam.size, 1))
    for stop in range(steps.shape[-1], 0, -size):
        start = max(0, stop - size)
        q = norm_q(start, stop)  # (..., stop − start + 1)
        eta = steps[..., start:stop]  # (..., stop − start)
        factors = np.abs(1 - eta[..., None] * lam[..., None, :])  # (..., stop − start, d)
        # g_t has the factors after t: those of the loops t + 1 … stop − 1, and `later`.
        after = np.concatenate([factors[..., 1:, :], later[..., None, :]], axis=-2)
        products = np.cumprod(after[..., ::-1, :], axis=-2)[..., ::-1, :]
        g = products.max(-1, initial=0)  # (..., stop − start)
        pull = np.abs(eta) * norm_X * (norm_X * q[..., :-1] + drive[..., None])
        S += (g * (q[..., 1:] + pull)).sum(-1)
        later = products[..., 0, :] * factors[..., 0, :]
    return S


def _steps(X: NDArray[Any], T: int, lam: LongArray, keywords: dict[str, Any]) -> LongArray:
    """Return the (..., T) steps that multiply XᵀXq + αXᵀy, in extended precision."""
    eta, schedule = keywords["eta"], keywords.get("schedule")
    if schedule is None and (eta is None or isinstance(eta, str)):
        steps = reference.adaptive_steps(lam, T, eta)
    else:
        steps = reference.step_sizes(X, T, eta=eta, schedule=schedule, scale=keywords["scale"])
    return steps.astype(np.longdouble, copy=False)


def _norm(a: NDArray[Any]) -> LongArray:
    """Return the Euclidean norm over the last axis, whose squares may exceed float64."""
    norm: LongArray = np.sqrt((a.astype(np.longdouble) ** 2).sum(-1))
    return norm


def _parts(lead: tuple[int, ...], size: int) -> Iterator[tuple[int | slice, ...]]:
    """Yield basic indices that cut a stack into parts of at most `size` tasks, at least one."""
    if math.prod(lead) <= max(size, 1):
        yield ()
    elif (rest := math.prod(lead[1:])) <= max(size, 1):
        step = max(size, 1) // rest
        for start in range(0, lead[0], step):
            yield (slice(start, start + step),)
    else:
        for i in range(lead[0]):
            for part in _parts(lead[1:], size):
                yield (i, *part)
