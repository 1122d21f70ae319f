"""Eigenvalues of XᵀX of random X, Gaussian ones without an X, heavy-tailed ones panel by panel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

_DENSE = 32  # up to this d a batch of dense matrices is faster than one after another
_PANEL = 2**18  # entries of X at a time: 2 MiB
_EPS = float(np.finfo(np.float64).eps)


def gaussian_spectra(rng: np.random.Generator, B: int, n: int, d: int) -> Array:
    """Return the eigenvalues of XᵀX for B Gaussian X (n, d), n ≥ d, rising, (B, d).

        XᵀX ~ V (L Lᵀ) Vᵀ,   L lower bidiagonal, L_ii ~ χ_(n−i+1),   L_(i+1)i ~ χ_(d−i)

    all independent, V orthogonal: 2d − 1 numbers instead of n d. Source: Bartlett's decomposition,
    reduced by reflections (J. W. Silverstein 1985, "The smallest eigenvalue of a large dimensional
    Wishart matrix"; I. Dumitriu and A. Edelman 2002, arXiv math-ph/0206043, the Laguerre ensemble
    of β = 1).

    Examples
    --------
    >>> gaussian_spectra(np.random.default_rng(0), 1000, 40, 2).sum(axis=1).mean().round()  # n d
    np.float64(80.0)
    """
    from scipy.linalg import eigvalsh_tridiagonal

    main = rng.chisquare(n - np.arange(d), (B, d))  # L_ii²
    below = rng.chisquare(d - np.arange(1, d), (B, d - 1))  # L_(i+1)i²
    diagonal = main.copy()  # of L Lᵀ
    diagonal[:, 1:] += below
    beside = np.sqrt(main[:, :-1] * below)
    if d > _DENSE:
        return np.stack(
            [
                eigvalsh_tridiagonal(a, b, lapack_driver="sterf")
                for a, b in zip(diagonal, beside, strict=True)
            ]
        )
    S = np.zeros((B, d, d))
    i = np.arange(d)
    S[:, i, i] = diagonal
    S[:, i[1:], i[:-1]] = beside  # the lower triangle, which eigvalsh reads
    return np.asarray(np.linalg.eigvalsh(S), np.float64)


def student_spectra(rng: np.random.Generator, B: int, n: int, d: int, freedom: int) -> Array:
    """Return the eigenvalues of XᵀX for B X (n, d) of Student's t entries, rising, (B, d).

    XᵀX is the sum over panels of rows, and no X is ever whole.
    """
    rows = max(1, _PANEL // (B * d))
    S = np.zeros((B, d, d))
    for start in range(0, n, rows):
        X = student(rng, (B, min(rows, n - start), d), freedom)
        S += X.swapaxes(-1, -2) @ X
    return np.asarray(np.linalg.eigvalsh(S), np.float64)


def student(rng: np.random.Generator, shape: tuple[int, ...], freedom: int) -> Array:
    """Draw Student's t, as `tasks.HeavyTailed` has it, from two uniform numbers an entry.

        t = √(ν (U^(−2/ν) − 1)) cos(2πV)

    Source: R. W. Bailey 1994, "Polar generation of random variates with the t-distribution"; a
    cosine over half a turn has the same distribution, and is a sine around 0 here, in float32,
    whose 24 bits of angle are enough: the size is what has the tails.
    """
    t = rng.random(shape)
    angle = rng.random(shape, dtype=np.float32)
    np.subtract(1, t, out=t)  # in (0, 1]
    np.power(t, -2 / freedom, out=t)
    t -= 1
    t *= freedom
    np.sqrt(t, out=t)
    angle -= np.float32(0.5)
    angle *= np.float32(np.pi)
    t *= np.sin(angle, out=angle)
    return t


def condition_numbers(eigenvalues: Array) -> Array:
    """Return κ (B,) of rising eigenvalues (B, d); above 1/eps rounding hides it, and that is given.

    Examples
    --------
    >>> condition_numbers(np.array([[1.0, 2.0, 8.0]])).tolist()
    [8.0]
    """
    largest = eigenvalues[:, -1]
    return np.asarray(largest / np.maximum(eigenvalues[:, 0], _EPS * largest))
