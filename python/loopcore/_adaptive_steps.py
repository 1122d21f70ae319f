"""Steps that adapt to the prompt: what λ_max means for a model, and its steps from the spectrum."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from loopcore._layers import Layers, Parameter, blind_to_targets, moves_targets_alone
from loopcore._spectrum import spectrum

_EPS = float(np.finfo(np.float64).eps)


def curvature_roots(layers: Layers, eta: str | None) -> Parameter:
    """Return R, (L, D, D), for which λ_max(R_lᵀ S R_l) is the λ_max of layer l, S = Σ_keys zᵀz.

    Two kinds of linear attention with one head are gradient descent on a quadratic whose curvature
    is that of S W, with W = R Rᵀ:

    - only the query row moves and sees the context alone: z ← z − η z Q S P, with the eigenvalues
      of S P Q, W = P Q symmetric and positive semidefinite;
    - the y slot of every row moves: y ← y − η p X Q Xᵀ y, with the eigenvalues of S p Q, P zero but
      for P[−1, −1] = p > 0, and Q symmetric, positive semidefinite and blind to y.

    Raises
    ------
    ValueError
        For every other model: there the eigenvalues do not say which step is stable.
    """

    def refuse(reason: str) -> ValueError:
        word = "1/λ_max (eta=None)" if eta is None else f"eta={eta!r}"
        return ValueError(f"eta: expected a number or a schedule, for {word} needs {reason}")

    P, Q = layers.P, layers.Q
    if layers.attention != "linear":
        raise refuse(f"attention='linear', got {layers.attention!r}")
    if P.shape[1] != 1:
        raise refuse(f"one head, got {P.shape[1]}")
    if layers.update == "query":
        if layers.mask != "context":
            raise refuse(f"mask='context' where the query row moves, got {layers.mask!r}")
        W = P[:, 0] @ Q[:, 0]
        name = "P Q"
    else:
        if layers.mask == "causal":
            raise refuse(f"mask='context' or 'all', got {layers.mask!r}")
        p = P[:, 0, -1, -1]  # (L,)
        if not (moves_targets_alone(P) and blind_to_targets(Q) and (p > 0).all()):
            raise refuse(
                f"P zero but for P[-1, -1] > 0 and a Q that is zero on the y slot where "
                f"update={layers.update!r}"
            )
        W = p[:, None, None] * Q[:, 0]
        name = "Q"
    roots = np.empty_like(W)
    for layer, W_l in enumerate(W):
        root = _root(W_l)
        if root is None:
            raise refuse(f"{name} to be symmetric and positive semidefinite in layer {layer}")
        roots[layer] = root
    roots.flags.writeable = False
    return roots


def adaptive_eta(
    keys: NDArray[Any], roots: Parameter, *, optimal: bool, num_threads: int | None
) -> Parameter:
    """Return the step of each layer, (..., L): 1/λ_max, or the optimal 2/(λ_min + λ_max).

    λ are the non-zero eigenvalues of S W_l = Σ_keys zᵀz R_l R_lᵀ, those of (keys R_l)ᵀ (keys R_l);
    with none the step is 0.

    Parameters
    ----------
    keys : (..., k, D) array
        The rows that are attended to.
    roots : (L, D, D) array
        As `curvature_roots` gives them.
    """
    with np.errstate(all="ignore"):
        seen = keys[..., None, :, :].astype(np.float64) @ roots  # (..., L, k, D)
        if optimal:
            # Which small eigenvalues are zero depends on the type that the prompt is rounded to.
            seen = seen.astype(keys.dtype)
    found = spectrum(seen, num_threads=num_threads)
    largest = np.asarray(found.lambda_max)  # (..., L)
    inverse = (np.asarray(found.lambda_min) + largest) / 2 if optimal else largest
    with np.errstate(over="ignore"):
        eta: Parameter = np.divide(1, inverse, out=np.zeros_like(inverse), where=inverse != 0)
    return eta


def _root(W: Parameter) -> Parameter | None:
    """Return R with R Rᵀ = W, (D, D), exact but for √ where W is diagonal; None if there is none.

    W counts as symmetric and as positive semidefinite where that holds to rounding.
    """
    size = float(np.abs(W).max())
    tolerance = 4 * len(W) * _EPS * size
    if not np.isfinite(size) or np.abs(W - W.T).max() > tolerance:
        return None
    diagonal = W.diagonal()
    if not (W - np.diag(diagonal)).any():
        return None if (diagonal < 0).any() else np.diag(np.sqrt(diagonal))
    values, vectors = np.linalg.eigh((W + W.T) / 2)
    if values[0] < -tolerance:
        return None
    # Zero but for rounding is zero: its root, 1e-8, would count as a non-zero eigenvalue.
    root: Parameter = vectors * np.sqrt(np.where(values > tolerance, values, 0))
    return root
