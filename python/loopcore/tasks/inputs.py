"""Inputs: the distributions that the rows x of a task's examples and queries come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from loopcore.tasks.streams import Streams

Array = NDArray[np.float64]

EXAMPLES, QUERIES, AXES, SCALES = range(4)  # streams


class Inputs(Protocol):
    """A distribution of rows."""

    def draw(self, streams: Streams, n: int, m: int, d: int) -> tuple[Array, Array, Array | None]:
        """Return examples (B, n, d), queries (B, m, d) and a root W of Σ⁻¹ (B or 1, d, d).

        W Wᵀ = Σ⁻¹ for rows of covariance Σ; None where Σ is a multiple of I.
        """


class _Independent:
    """Inputs whose rows are independent, example or query."""

    def _rows(self, streams: Streams, stream: int, count: int, d: int) -> Array:
        raise NotImplementedError

    def draw(self, streams: Streams, n: int, m: int, d: int) -> tuple[Array, Array, Array | None]:
        """Return examples, queries and None: Σ = I."""
        return self._rows(streams, EXAMPLES, n, d), self._rows(streams, QUERIES, m, d), None


@dataclass(frozen=True)
class Gaussian(_Independent):
    """x ~ N(0, scale² I).

    Attributes
    ----------
    scale : float
        The standard deviation of an entry.
    """

    scale: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what means nothing."""
        _check_positive("scale", self.scale)

    def _rows(self, streams: Streams, stream: int, count: int, d: int) -> Array:
        rows = streams.normal(stream, count, d)
        return rows if self.scale == 1 else self.scale * rows


@dataclass(frozen=True)
class Sphere(_Independent):
    """Uniform on the sphere ‖x‖ = √d, where an entry has variance 1."""

    def _rows(self, streams: Streams, stream: int, count: int, d: int) -> Array:
        rows = streams.normal(stream, count, d)
        lengths = np.sqrt(np.einsum("...j,...j->...", rows, rows))[..., None]
        return np.asarray(rows * (np.sqrt(d) / lengths))


@dataclass(frozen=True)
class Uniform(_Independent):
    """Independent entries, uniform in (−half_width, half_width), of variance half_width²/3."""

    half_width: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what means nothing."""
        _check_positive("half_width", self.half_width)

    def _rows(self, streams: Streams, stream: int, count: int, d: int) -> Array:
        return self.half_width * (2 * streams.uniform(stream, count, d) - 1)


@dataclass(frozen=True)
class Gamma(_Independent):
    """Independent entries (g − k)/√k, g gamma distributed with shape k: skewed, mean 0, variance 1.

    SciPy's inverse of the distribution function makes them, about 1 μs each.
    """

    shape: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what means nothing."""
        _check_positive("shape", self.shape)

    def _rows(self, streams: Streams, stream: int, count: int, d: int) -> Array:
        from scipy.special import gammaincinv

        g = gammaincinv(self.shape, streams.uniform(stream, count, d))
        return np.asarray((g - self.shape) / np.sqrt(self.shape))


@dataclass(frozen=True)
class HeavyTailed(_Independent):
    """Independent entries of Student's t distribution, not scaled: variance ν/(ν − 2) for ν > 2.

    Attributes
    ----------
    freedom : int
        The degrees of freedom ν, at least 1; moments of order ν and above do not exist.
    """

    freedom: int = 3

    def __post_init__(self) -> None:
        """Refuse what means nothing."""
        if self.freedom < 1:
            raise ValueError(f"freedom: expected at least 1, got {self.freedom}")

    def _rows(self, streams: Streams, stream: int, count: int, d: int) -> Array:
        numbers = streams.normal(stream, count, d, self.freedom + 1)
        rest = numbers[..., 1:]
        return np.asarray(
            numbers[..., 0] / np.sqrt(np.einsum("...k,...k->...", rest, rest) / self.freedom)
        )


@dataclass(frozen=True)
class Rotated:
    """x ~ N(0, Σ), Σ with a geometric row of eigenvalues 1/√c … √c on axes of each task's own.

    Attributes
    ----------
    condition : float
        c, the condition number of Σ, at least 1.
    """

    condition: float

    def __post_init__(self) -> None:
        """Refuse what means nothing."""
        _check_condition(self.condition)

    def draw(self, streams: Streams, n: int, m: int, d: int) -> tuple[Array, Array, Array | None]:
        """Return examples, queries and the root of Σ⁻¹."""
        deviations = np.sqrt(np.geomspace(self.condition**-0.5, self.condition**0.5, d))
        axes = orthonormal(streams.normal(AXES, d, d))  # (B, d, d)
        turned = deviations[:, None] * axes.swapaxes(-1, -2)
        root = axes / deviations
        return (
            streams.normal(EXAMPLES, n, d) @ turned,
            streams.normal(QUERIES, m, d) @ turned,
            root,
        )


@dataclass(frozen=True)
class Spectrum:
    """XᵀX with the eigenvalues n·λ_i exactly, on axes of each task's own; n ≥ d.

    Queries are N(0, Σ), Σ with the eigenvalues λ_i on the same axes.

    Attributes
    ----------
    condition : float
        κ of XᵀX.
    kind : "geometric", "log-uniform" or "two-point"
        λ from 1/√κ to √κ: a geometric row, drawn log-uniformly between both ends (which are
        there), or half of them at each end.
    """

    condition: float
    kind: str = "geometric"

    def __post_init__(self) -> None:
        """Refuse what means nothing."""
        _check_condition(self.condition)
        if self.kind not in _SPECTRA:
            raise ValueError(f"kind: expected one of {', '.join(_SPECTRA)}, got {self.kind!r}")

    def draw(self, streams: Streams, n: int, m: int, d: int) -> tuple[Array, Array, Array | None]:
        """Return examples, queries and the root of Σ⁻¹."""
        if n < d:
            raise ValueError(f"n: expected at least d = {d} for a chosen spectrum, got {n}")
        exponents = _SPECTRA[self.kind](streams, d)  # (B or 1, d), from −1/2 to 1/2
        deviations = self.condition ** (exponents / 2)  # (B or 1, d)
        axes = orthonormal(streams.normal(AXES, d, d))  # (B, d, d)
        left = orthonormal(streams.normal(EXAMPLES, n, d))  # (B, n, d)
        turned = deviations[..., None] * axes.swapaxes(-1, -2)  # (B, d, d)
        root = axes / deviations[..., None, :]
        return np.sqrt(n) * left @ turned, streams.normal(QUERIES, m, d) @ turned, root


def _log_uniform(streams: Streams, d: int) -> Array:
    exponents = np.sort(streams.uniform(SCALES, d), axis=-1) - 0.5
    exponents[:, :1], exponents[:, -1:] = -0.5, 0.5
    return exponents


_SPECTRA: dict[str, Callable[[Streams, int], Array]] = {
    "geometric": lambda _, d: np.linspace(-0.5, 0.5, d)[None],
    "log-uniform": _log_uniform,
    "two-point": lambda _, d: np.where(np.arange(d) < (d + 1) // 2, -0.5, 0.5)[None],
}


def orthonormal(G: Array) -> Array:
    """Return orthonormal columns (B, n, d), uniformly distributed where G (B, n, d) is Gaussian.

    Source: F. Mezzadri, "How to generate random matrices from the classical compact groups", 2007:
    the signs of the diagonal of R make them so.
    """
    Q, R = np.linalg.qr(G)
    diagonal = np.diagonal(R, axis1=-2, axis2=-1)
    return np.asarray(Q * np.where(diagonal < 0, -1.0, 1.0)[..., None, :])


def _check_positive(name: str, value: float) -> None:
    if not 0 < value < np.inf:
        raise ValueError(f"{name}: expected a finite number above 0, got {value}")


def _check_condition(value: float) -> None:
    if not 1 <= value < np.inf:
        raise ValueError(f"condition: expected a finite number from 1 on, got {value}")
