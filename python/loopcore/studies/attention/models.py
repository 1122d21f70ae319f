"""The looped Transformers that are compared: one construction with other activations.

Scores are divided by the temperature τ and values multiplied by it, so that every kind has the same
gain on small scores, τ h(s/τ) ≈ s up to a constant. The value scale beyond τ and the step are one
number: a loop adds η c Attn, of which only the product γ = η c matters.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

import loopcore


def generator(
    kind: str, d: int, temperature: float, steps: npt.ArrayLike
) -> loopcore.LoopedTransformer:
    """Return the model whose query row moves, q ← q − γ τ mean_i h(s_i/τ) x_i.

    The scores are s_i = ⟨x_i, q⟩ + α y_i; softmax has its weighted mean over i in place of the
    mean. A kind with ± has the mean of two heads, h(s/τ) and −h(−s/τ).

    Parameters
    ----------
    kind : str
        One of `config.GENERATING`.
    d : int
        Length of x.
    temperature : float
        τ.
    steps : (...) array_like
        γ.

    Returns
    -------
    LoopedTransformer
        With steps (..., L = 1).

    Examples
    --------
    >>> X, y = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]), np.array([0.6, 0.8, -1.4])
    >>> generator("relu", 2, 1.0, 1.0).generate(X, y, 1.0, 200).round(6)
    array([0.6, 0.8])
    """
    heads = 2 if kind.endswith("±") else 1
    P, Q = np.zeros((1, heads, d + 1, d + 1)), np.zeros((1, heads, d + 1, d + 1))
    for head, sign in enumerate((1.0, -1.0)[:heads]):
        P[0, head, :d, :d] = sign * temperature / heads * np.eye(d)
        Q[0, head] = sign / temperature * np.eye(d + 1)
    return _model(P, Q, kind, steps, "query")


def predictor(
    kind: str, d: int, temperature: float, steps: npt.ArrayLike
) -> loopcore.LoopedTransformer:
    """Return the model whose y slots move, y_i ← y_i − γ τ mean_j h(⟨x_i, x_j⟩/τ) y_j.

    Parameters
    ----------
    kind : str
        One of `config.PREDICTING`.
    d, temperature, steps
        As for `generator`.

    Returns
    -------
    LoopedTransformer
        With steps (..., L = 1).

    Examples
    --------
    >>> X, y = np.array([[1.0], [-1.0]]), np.array([2.0, -2.0])
    >>> predictor("linear", 1, 1.0, 0.5).predict(X, y, [[3.0]], 100).round(6)
    array([6.])
    """
    P, Q = np.zeros((d + 1, d + 1)), np.zeros((d + 1, d + 1))
    P[d, d] = temperature
    Q[:d, :d] = np.eye(d) / temperature
    return _model(P, Q, kind, steps, "targets")


def _model(
    P: npt.ArrayLike, Q: npt.ArrayLike, kind: str, steps: npt.ArrayLike, update: str
) -> loopcore.LoopedTransformer:
    attention = kind.split(maxsplit=1)[0]
    return loopcore.LoopedTransformer(
        P,
        Q,
        np.asarray(steps, np.float64)[..., None],
        attention=attention,  # type: ignore[arg-type]
        update=update,  # type: ignore[arg-type]
        scale="sum" if attention == "softmax" else "mean",
    )
