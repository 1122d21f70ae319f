"""The spectrum of a prompt: what decides how fast the loop converges."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loopcore._native import core


class Spectrum(NamedTuple):
    """Eigenvalues of XᵀX over its non-zero ones; arrays over the batch, scalars for one task."""

    lambda_min: NDArray[np.float64] | np.float64
    """Smallest non-zero eigenvalue, (...); 0 where the rank is 0."""
    lambda_max: NDArray[np.float64] | np.float64
    """Largest eigenvalue, (...)."""
    kappa: NDArray[np.float64] | np.float64
    """lambda_max / lambda_min, (...); NaN where the rank is 0."""
    rank: NDArray[np.int64] | np.int64
    """Number of non-zero eigenvalues, (...); less than min(n, d) where X is rank-deficient."""


def spectrum(
    X: ArrayLike,
    *,
    scale: Literal["sum", "mean"] = "sum",
    num_threads: SupportsIndex | None = None,
) -> Spectrum:
    """Smallest and largest non-zero eigenvalue of XᵀX, their ratio κ, and the rank.

    The small eigenvalues come from the singular values σ of X itself (λ = σ²), so that κ is good to
    about √κ·u where the eigenvalues of XᵀX would lose it at κ·u. The largest
    agrees with the one that eta=None divides by to a few u.

    Parameters
    ----------
    X : (..., n, d) array
        In-context inputs, one example a row.
    scale : "sum" or "mean"
        "mean" gives the eigenvalues of XᵀX / n.
    num_threads : int, optional
        Threads over the tasks of the batch; OMP_NUM_THREADS or all cores by default.

    Returns
    -------
    Spectrum
        ``(lambda_min, lambda_max, kappa, rank)``, each (...), the eigenvalues in units of X². A
        singular value counts as non-zero above max(n, d) · eps · σ_max, with eps that of the type
        of X, as in NumPy's ``matrix_rank``. X = 0 has rank 0, both eigenvalues 0 and kappa NaN; a
        NaN or an Inf in X gives NaN and rank 0.

    Raises
    ------
    TypeError, ValueError
        As `run`.

    Notes
    -----
    Source: arXiv 2410.11268, where κ sets the rate exp(−T / 2κ) of the main theorem.

    Examples
    --------
    >>> import numpy as np, loopcore
    >>> spectrum = loopcore.spectrum(np.diag([3.0, 1.0, 0.0]))
    >>> round(float(spectrum.kappa), 12), int(spectrum.rank)
    (9.0, 2)
    """
    parts: tuple[Any, ...] = core.spectrum(X, scale, num_threads)
    return Spectrum(*(part[()] for part in parts))
