"""Equality to the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def assert_same_bits(got: NDArray[Any], expected: NDArray[Any]) -> None:
    """Two arrays of one type, shape and content, the signs of zeros included."""
    assert got.dtype == expected.dtype
    assert got.shape == expected.shape
    if got.tobytes() != expected.tobytes():
        bits = f"u{got.dtype.itemsize}"
        a, b = np.ascontiguousarray(got).view(bits), np.ascontiguousarray(expected).view(bits)
        where = np.argwhere(np.asarray(a != b))
        raise AssertionError(
            f"{len(where)} of {got.size} numbers differ, the first at {tuple(where[0].tolist())}: "
            f"{got[tuple(where[0])]!r}, expected {expected[tuple(where[0])]!r}"
        )
