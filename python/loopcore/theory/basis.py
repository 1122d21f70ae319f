"""A task in the eigenbasis of XᵀX, where each coordinate moves alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from loopcore.theory._values import Array


class Eigenbasis(NamedTuple):
    """The eigenvalues and eigenvectors of XᵀX, and θ̂ and y seen from there."""

    eigenvalues: Array
    """All d eigenvalues of XᵀX, (..., d), falling; 0 where the rank ends."""
    vectors: Array
    """The eigenvectors as columns, (..., d, d)."""
    theta: Array
    """Coordinates of the least-squares solution θ̂ of least norm, (..., d); 0 where λ = 0."""
    residual: Array
    """‖y − Xθ̂‖, the part of y that no θ reaches, (...)."""


def eigenbasis(X: npt.ArrayLike, y: npt.ArrayLike) -> Eigenbasis:
    """Turn tasks into what the exact results of this package ask for.

    Parameters
    ----------
    X : array_like, shape (..., n, d)
        In-context inputs, one example a row.
    y : array_like, shape (..., n)
        In-context targets.

    Returns
    -------
    Eigenbasis
        ``(eigenvalues, vectors, theta, residual)`` in float64: in units of X², 1, y/X and y.

    Raises
    ------
    ValueError
        If the shapes do not fit, or X or y is not finite.

    Notes
    -----
    From the singular values of X itself, so that small eigenvalues keep their digits. One counts as
    non-zero as in `loopcore.spectrum`: σ above max(n, d) · eps · σ_max, with eps of the type of X.

    Examples
    --------
    >>> from loopcore.theory import eigenbasis
    >>> basis = eigenbasis([[3.0, 0.0], [0.0, 1.0], [0.0, 0.0]], [6.0, 1.0, 5.0])
    >>> basis.eigenvalues.round(12).tolist(), float(basis.residual)
    ([9.0, 1.0], 5.0)
    """
    inputs, targets = np.asarray(X), np.asarray(y, np.float64)
    if inputs.ndim < 2:
        raise ValueError(f"X: expected shape (..., n, d), got {inputs.shape}")
    if targets.ndim < 1 or targets.shape[-1] != inputs.shape[-2]:
        raise ValueError(f"y: expected shape (..., {inputs.shape[-2]}), got {targets.shape}")
    eps = np.finfo(inputs.dtype if inputs.dtype.kind == "f" else np.float64).eps
    inputs = inputs.astype(np.float64)
    for name, array in (("X", inputs), ("y", targets)):
        if not np.isfinite(array).all():
            raise ValueError(f"{name}: expected finite numbers, got some that are not")
    n, d = inputs.shape[-2:]
    U, sigma, Vt = np.linalg.svd(inputs, full_matrices=n < d)  # V is complete in both cases
    kept = sigma > max(n, d) * eps * sigma.max(axis=-1, keepdims=True, initial=0)
    seen = (U.swapaxes(-1, -2) @ targets[..., None])[..., 0]  # uᵢᵀ y
    theta = np.divide(seen, sigma, out=np.zeros(seen.shape), where=kept)
    reached = (U @ np.where(kept, seen, 0)[..., None])[..., 0]
    padding = [(0, 0)] * (sigma.ndim - 1) + [(0, d - sigma.shape[-1])]
    theta_padding = [(0, 0)] * (theta.ndim - 1) + [(0, d - sigma.shape[-1])]
    return Eigenbasis(
        np.pad(np.where(kept, sigma**2, 0), padding),
        Vt.swapaxes(-1, -2),
        np.pad(theta, theta_padding),
        np.linalg.norm(targets - reached, axis=-1),
    )
