"""Arguments, read as what they must be; errors name them, what was expected and what came."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]
Shape = tuple[int, ...]


def read_real(value: ArrayLike, name: str) -> Array:
    """Return `value` as an array of real numbers of at most 64 bits, never a copy of an array."""
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(
            f"{name}: expected an array without a mask, got MaskedArray; fill or drop the masked "
            "entries"
        )
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name}: expected an array of numbers: {error}") from None
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise TypeError(
            f"{name}: expected real numbers of at most 64 bits, got dtype {array.dtype}"
        )
    return array


def read_parameter(value: ArrayLike, name: str) -> NDArray[np.float64]:
    """Return a read-only float64 copy of `value`, in rows one after another."""
    copy = np.array(read_real(value, name), np.float64, order="C")
    copy.flags.writeable = False
    return copy


def read_word(value: object, name: str, words: Sequence[str]) -> str:
    """Return `value`, which must be one of `words`."""
    if isinstance(value, str) and value in words:
        return value
    expected = ", ".join(repr(word) for word in words)
    if isinstance(value, str):
        raise ValueError(f"{name}: expected one of {expected}, got {value!r}")
    raise TypeError(f"{name}: expected one of {expected}, got {type(value).__name__}")


def read_index(value: SupportsIndex, name: str, least: int = 0) -> int:
    """Return operator.index(value), which must be at least `least`."""
    try:
        index = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: expected an integer, got {type(value).__name__}") from None
    if index < least:
        raise ValueError(f"{name}: expected at least {least}, got {index}")
    if index >= 2**62:
        raise ValueError(f"{name}: expected less than 2**62, got more")
    return index


def read_threads(value: SupportsIndex | None) -> int | None:
    """Return the number of threads, at least 1, or None."""
    return None if value is None else read_index(value, "num_threads", 1)


def read_at(at: ArrayLike | None, T: int) -> NDArray[np.intp]:
    """Return the (K,) loops, sorted and in 0 … T, after which to read out; all without `at`."""
    if at is None:
        if T >= 2**40:
            raise ValueError(
                f"T: expected less than 2**40 where all loops are read out, got {T}; name some of "
                "them in at"
            )
        return np.arange(T + 1)
    loops = read_real(at, "at")
    if loops.size == 0 and loops.ndim == 1:
        return np.zeros(0, np.intp)
    if loops.dtype.kind not in "iu":
        raise TypeError(f"at: expected integers, got dtype {loops.dtype}")
    if loops.ndim != 1:
        raise ValueError(f"at: expected shape (K,), got {loops.shape}")
    outside = (loops < 0) | (loops > T)
    if outside.any():
        raise ValueError(f"at: expected loops in 0 ... T = {T}, got {loops[outside][0]}")
    loops = loops.astype(np.intp)
    backwards = np.flatnonzero(np.diff(loops) < 0)
    if backwards.size:
        i = backwards[0]
        raise ValueError(f"at: expected sorted loops, got {loops[i + 1]} after {loops[i]}")
    return loops


def broadcast_leading(*named: tuple[str, Shape, int]) -> Shape:
    """Return the broadcast leading axes of arrays given as (name, shape, number of core axes)."""
    lead: Shape = ()
    for name, shape, core in named:
        own = shape[: len(shape) - core]
        try:
            lead = np.broadcast_shapes(lead, own)
        except ValueError:
            raise ValueError(
                f"{name}: expected leading axes that broadcast with {lead}, got shape {shape}"
            ) from None
    return lead


def common_type(*arrays: Array) -> np.dtype[Any]:
    """Return float32 where every array is, float64 otherwise."""
    single = all(array.dtype.kind == "f" and array.dtype.itemsize == 4 for array in arrays)
    return np.dtype(np.float32 if single else np.float64)
