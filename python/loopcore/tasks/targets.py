"""Targets: the functions that a task's y come from, before any noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from loopcore.tasks.streams import Streams

Array = NDArray[np.float64]

WEIGHTS, MORE_WEIGHTS, ORDER = range(8, 11)  # streams


class Targets(Protocol):
    """A distribution of functions."""

    def draw(self, streams: Streams, X: Array, root: Array | None) -> tuple[Array, Array | None]:
        """Return the values (B, N) at the rows X (B, N, d), and θ* (B, d) where they are linear.

        root : W (B or 1, d, d) with W Wᵀ = Σ⁻¹ for rows of covariance Σ, or None for I.
        """


@dataclass(frozen=True)
class Linear:
    """y = ⟨θ*, x⟩.

    Attributes
    ----------
    prior : "isotropic" or "inverse"
        θ* ~ N(0, I), or N(0, Σ⁻¹) for inputs of covariance Σ.
    unit : bool
        Scale θ* to ‖θ*‖ = 1, as the paper has it.
    nonzeros : int, optional
        How many coordinates of θ* are not zero, at random places; all by default.
    """

    prior: Literal["isotropic", "inverse"] = "isotropic"
    unit: bool = False
    nonzeros: int | None = None

    def __post_init__(self) -> None:
        """Refuse what means nothing."""
        if self.prior not in ("isotropic", "inverse"):
            raise ValueError(f"prior: expected 'isotropic' or 'inverse', got {self.prior!r}")
        if self.nonzeros is not None and self.nonzeros < 1:
            raise ValueError(f"nonzeros: expected at least 1, got {self.nonzeros}")

    def draw(self, streams: Streams, X: Array, root: Array | None) -> tuple[Array, Array | None]:
        """Return the values and θ*."""
        d = X.shape[-1]
        theta = streams.normal(WEIGHTS, d)
        if self.prior == "inverse" and root is not None:
            theta = (root @ theta[..., None])[..., 0]
        if self.nonzeros is not None:
            ranks = streams.uniform(ORDER, d).argsort(-1).argsort(-1)
            theta = np.where(ranks < self.nonzeros, theta, 0.0)
        if self.unit:
            theta = theta / np.linalg.norm(theta, axis=-1, keepdims=True)
        return (X @ theta[..., None])[..., 0], theta


@dataclass(frozen=True)
class Quadratic:
    """y = ⟨w, φ(x)⟩ of the features φ of `quadratic_features`, w ~ N(0, I/p) for p features."""

    def draw(self, streams: Streams, X: Array, root: Array | None) -> tuple[Array, Array | None]:  # noqa: ARG002
        """Return the values and None."""
        features = quadratic_features(X)
        p = features.shape[-1]
        w = streams.normal(WEIGHTS, p) / np.sqrt(p)
        return (features @ w[..., None])[..., 0], None


@dataclass(frozen=True)
class ReluNetwork:
    """y = √(2/h) ⟨a, max(W x, 0)⟩ with h hidden units, a ~ N(0, I) and W of N(0, 1) entries.

    Source: S. Garg, D. Tsipras, P. S. Liang and G. Valiant, "What Can Transformers Learn
    In-Context? A Case Study of Simple Function Classes", 2022, arXiv 2208.01066.
    """

    hidden: int = 100

    def __post_init__(self) -> None:
        """Refuse what means nothing."""
        if self.hidden < 1:
            raise ValueError(f"hidden: expected at least 1, got {self.hidden}")

    def draw(self, streams: Streams, X: Array, root: Array | None) -> tuple[Array, Array | None]:  # noqa: ARG002
        """Return the values and None."""
        W = streams.normal(WEIGHTS, X.shape[-1], self.hidden)
        a = streams.normal(MORE_WEIGHTS, self.hidden, 1)
        return (np.maximum(X @ W, 0) @ a)[..., 0] * np.sqrt(2 / self.hidden), None


@dataclass(frozen=True)
class GaussianProcess:
    """A Gaussian process of the kernel exp(−‖x − x'‖²/2l²), mean 0 and variance 1.

    Attributes
    ----------
    length : float
        l.
    """

    length: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what means nothing."""
        if not 0 < self.length < np.inf:
            raise ValueError(f"length: expected a finite number above 0, got {self.length}")

    def draw(self, streams: Streams, X: Array, root: Array | None) -> tuple[Array, Array | None]:  # noqa: ARG002
        """Return the values and None. N³/3 a task for N examples and queries."""
        N = X.shape[-2]
        squares = np.einsum("...j,...j->...", X, X)
        distances = squares[..., :, None] + squares[..., None, :] - 2 * X @ X.swapaxes(-1, -2)
        K = np.exp(-np.maximum(distances, 0) / (2 * self.length**2))
        K += 1e-10 * np.eye(N)  # rows that are almost the same leave K singular to rounding
        return (np.linalg.cholesky(K) @ streams.normal(WEIGHTS, N, 1))[..., 0], None


def quadratic_features(X: Array) -> Array:
    """Return 1, x_i, (x_i² − 1)/√2 and x_i x_j, i < j: (..., (d + 1)(d + 2)/2).

    They are orthonormal for x ~ N(0, I).

    Examples
    --------
    >>> import numpy as np
    >>> quadratic_features(np.array([[2.0, 3.0]])).round(3)
    array([[1.   , 2.   , 3.   , 2.121, 5.657, 6.   ]])
    """
    i, j = np.triu_indices(X.shape[-1], 1)
    one = np.ones((*X.shape[:-1], 1))
    return np.concatenate([one, X, (X * X - 1) / np.sqrt(2), X[..., i] * X[..., j]], axis=-1)
