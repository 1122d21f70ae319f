"""Steps that adapt to the prompt: what λ_max means for a model, and its steps from the spectrum."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from loopcore._layers import Layers, Parameter, blind_to_targets, moves_targets_alone
from loopcore._native import core
from loopcore._prompts import Prompt
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
    if not optimal:
        return _inverse_of_largest(seen, num_threads)
    # Which small eigenvalues are zero depends on the type that the prompt is rounded to.
    found = spectrum(seen.astype(keys.dtype), num_threads=num_threads)
    sum_of_both = np.asarray(found.lambda_min) + np.asarray(found.lambda_max)  # (..., L)
    eta: Parameter = np.divide(
        2, sum_of_both, out=np.zeros_like(sum_of_both), where=sum_of_both != 0
    )
    return eta


def _inverse_of_largest(X: Parameter, num_threads: int | None) -> Parameter:
    """Return 1/λ_max(XᵀX), (...), or 0 where X is zero.

    One loop of `run` from zero, with the longest column of X for y, has v = η Xᵀy: so the step that
    it finds in its lanes, ten times faster than the singular values, is read off.
    """
    squares = np.einsum("...ij,...ij->...j", X, X)  # (..., d)
    longest = squares.argmax(-1)[..., None]  # (..., 1)
    y = np.take_along_axis(X, longest[..., None], -1)[..., 0]  # (..., n)
    v = np.asarray(core.run(X, y, 1.0, 1, num_threads=num_threads))  # (..., d)
    square, product = (np.take_along_axis(a, longest, -1)[..., 0] for a in (squares, v))
    eta: Parameter = np.divide(product, square, out=np.zeros_like(product), where=square != 0)
    return eta


def shift_into_range(
    prompt: Prompt, keys: NDArray[Any], roots: Parameter
) -> NDArray[np.intp] | None:
    """Return k, (...), for which the squares of what steps adapt to in 2ᵏ Z are in range, or None.

    None is k = 0 for all prompts, which float32 always gets.

    Parameters
    ----------
    prompt
        Z, of which no entry gets too large for a square.
    keys : (..., k, D) array
        Its rows that are attended to.
    roots : (L, D, D) array
    """
    if keys.dtype == np.float32:
        return None
    exponent = _exponent(_largest(keys)[..., roots.any((0, 2))])  # (...)
    if (np.abs(exponent) <= 256).all():
        return None
    room = 400 - _exponent(_largest(prompt.rows()))  # (...)
    shift = np.minimum(-exponent, np.maximum(room, 0))
    return np.where(np.abs(exponent) <= 256, 0, shift)


def _largest(Z: NDArray[Any]) -> NDArray[Any]:
    """Return the largest magnitude in each column, (..., D)."""
    largest: NDArray[Any] = np.maximum(Z.max(-2, initial=0), -Z.min(-2, initial=0))
    return largest


def _exponent(columns: NDArray[Any]) -> NDArray[np.intc]:
    """Return the exponent of the largest number, (...)."""
    return np.asarray(np.frexp(columns.max(-1, initial=0))[1])


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
