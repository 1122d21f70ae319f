"""The numbers that the functions of this package take and give."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Values = Array | np.float64


def loops(T: npt.ArrayLike) -> Array:
    """Read numbers of loops, and refuse negative ones."""
    t = np.asarray(T, np.float64)
    if np.any(t < 0):
        raise ValueError(f"T: expected at least 0, got {np.nanmin(t)}")
    return t


def whole_loops(T: npt.ArrayLike) -> Array:
    """Read numbers of loops for which half a loop would mean nothing."""
    t = loops(T)
    broken = t[~np.isfinite(t) | (t != np.floor(t))]
    if broken.size:
        raise ValueError(f"T: expected finite whole numbers, got {broken[0]}")
    return t


def not_negative(name: str, values: npt.ArrayLike) -> Array:
    """Read an argument of which no entry may be below 0; NaN passes."""
    array = np.asarray(values, np.float64)
    if np.any(array < 0):
        raise ValueError(f"{name}: expected at least 0, got {np.nanmin(array)}")
    return array


def directions(name: str, values: npt.ArrayLike) -> Array:
    """Read an argument with one entry, at least 0, for each eigenvector: (..., d)."""
    array = not_negative(name, values)
    if array.ndim == 0:
        raise ValueError(f"{name}: expected an array (..., d), got the number {array}")
    return array


def shrunk(shrinkage: npt.ArrayLike, **others: Array) -> Array:
    """Read a shrinkage (..., d), and refuse other arrays that do not end in d or 1."""
    left = np.asarray(shrinkage, np.float64)
    if left.ndim == 0:
        raise ValueError(f"shrinkage: expected an array (..., d), got the number {left}")
    d = left.shape[-1]
    for name, array in others.items():
        if array.ndim and array.shape[-1] not in {1, d}:
            raise ValueError(f"{name}: expected shape (..., {d}), got {array.shape}")
    return left


def unwrapped(values: npt.ArrayLike) -> Values:
    """Turn an array of no axes into a NumPy number, as NumPy's own functions do."""
    array = np.asarray(values, np.float64)
    return np.float64(array) if array.ndim == 0 else array
