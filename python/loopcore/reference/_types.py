"""The types that the literal matrices are computed in."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.floating[Any]]


def real(a: ArrayLike) -> FloatArray:
    """Return `a` as float32, float64 or longdouble; other real types become float64."""
    a = np.asarray(a)
    if a.dtype.kind == "f" and a.dtype.itemsize >= 4:
        return a.astype(a.dtype.newbyteorder("="), copy=False)
    return a.astype(np.float64, casting="safe")
