"""Prompts of the papers, and losses of models on them without the chance of a query."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

import loopcore
from loopcore import LoopedTransformer, tasks

Array = npt.NDArray[np.float64]


class Stream(IntEnum):
    """The first numbers of the seeds: no two parts share a stream."""

    ROOT = 0
    STEPS = 1
    HELD = 2
    TRAIN = 3
    LAYER = 4
    LOOPS = 5
    DAMPED = 6
    FU = 7
    FLOOR = 8
    LIU = 9


class Prompts(NamedTuple):
    """Prompts of y = ⟨w, x⟩ with queries of covariance root rootᵀ."""

    X: Array
    """(B, n, d)"""
    y: Array
    """(B, n)"""
    w: Array
    """(B, d)"""
    root: Array
    """(d, d)"""


def gaussian(seed: list[int], B: int, n: int = 20, d: int = 5) -> Prompts:
    """Draw x ~ N(0, I) and w ~ N(0, I)."""
    batch = tasks.draw(B, n, d, rng=seed, num_threads=1)
    return Prompts(batch.X, batch.y, _theta(batch), np.eye(d))


def rotate(prompts: Prompts, root: Array) -> Prompts:
    """Turn x ~ N(0, I) and w ~ N(0, I) into x ~ N(0, Σ) and w ~ N(0, Σ⁻¹), Σ = root rootᵀ.

    y = ⟨w, x⟩ stays what it is.
    """
    return Prompts(prompts.X @ root.T, prompts.y, prompts.w @ np.linalg.inv(root), root)


def uniform(seed: list[int], B: int, n: int = 10, d: int = 10) -> Prompts:
    """Draw x uniform in (−1, 1)^d and w ~ N(0, I)."""
    batch = tasks.draw(B, n, d, inputs=tasks.Uniform(), rng=seed, num_threads=1)
    return Prompts(batch.X, batch.y, _theta(batch), np.eye(d) / np.sqrt(3))


def conditioned(seed: list[int], B: int, kappa: float, n: int = 40, d: int = 20) -> Prompts:
    """Draw x ~ N(0, Σ) and w ~ N(0, I): half of Σ's eigenvalues κ times the others, tr Σ = d."""
    batch = tasks.draw(B, n, d, rng=seed, num_threads=1)
    eigenvalues = np.where(np.arange(d) < d // 2, kappa, 1.0)
    root = np.diag(np.sqrt(eigenvalues * d / eigenvalues.sum()))
    X, w = batch.X @ root, _theta(batch)
    return Prompts(X, (X @ w[..., None])[..., 0], w, root)


def _theta(batch: tasks.Tasks) -> Array:
    assert batch.theta is not None  # linear targets have one
    return batch.theta


def rotated_root(seed: list[int], eigenvalues: npt.ArrayLike) -> Array:
    """Return U D^½ (d, d) for a random rotation U and the eigenvalues D of Σ = U D Uᵀ."""
    D = np.asarray(eigenvalues, np.float64)
    G = np.random.default_rng(seed).uniform(-1, 1, (len(D), len(D)))
    return np.asarray(np.linalg.svd(G)[0] * np.sqrt(D))


def parameter_losses(theta: npt.NDArray[np.floating], prompts: Prompts) -> Array:
    """Return E (⟨θ − w, x⟩)² over queries x, of parameters θ (B, ..., d): (B, ...)."""
    w = prompts.w.reshape(len(prompts.w), *(1,) * (theta.ndim - 2), -1)
    return np.asarray(np.square((theta - w) @ prompts.root).sum(-1))


def losses(model: LoopedTransformer, prompts: Prompts, T: int) -> Array:
    """Return the same, (B,), of a model whose predictions are linear in the query."""
    B, _, d = prompts.X.shape
    basis = np.broadcast_to(np.eye(d), (B, d, d))
    return parameter_losses(model.predict(prompts.X, prompts.y, basis, T, num_threads=1), prompts)


def mean_loss(model: LoopedTransformer, prompts: Prompts, T: int = 1) -> Array:
    """Return their mean, ()."""
    return np.array(losses(model, prompts, T).mean())


def literal(prompts: Prompts, x: Array) -> tuple[Array, Array]:
    """Return literal prompts Z (B, n + 1, d + 1) with queries x (B, d), and their values (B,)."""
    X = np.concatenate([prompts.X, x[:, None]], axis=1)
    y = np.concatenate([prompts.y, np.zeros((len(x), 1))], axis=1)
    return np.concatenate([X, y[..., None]], axis=-1), np.einsum("bi,bi->b", x, prompts.w)


def trained(
    model: LoopedTransformer, batch: tuple[Array, Array], T: int, iterations: int, **options: Any
) -> LoopedTransformer:
    """Train P and Q of a model on L-BFGS."""
    found = loopcore.fit(
        model, batch, T, ["P", "Q"], iterations=iterations, num_threads=1, **options
    )
    if found.message.startswith("interrupted"):
        raise KeyboardInterrupt  # fit keeps what it has, but half a study is none
    return found.model
