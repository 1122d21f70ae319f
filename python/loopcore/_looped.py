"""The one place where loops of the family are computed."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loopcore._layer_steps import Steps
from loopcore._layers import Layers
from loopcore._native import core
from loopcore._prompts import Prompt

Array = NDArray[Any]


def looped(
    prompt: Prompt,
    layers: Layers,
    steps: Steps,
    T: int,
    *,
    at: NDArray[np.intp] | None = None,
    only_queries: bool = False,
    num_threads: int | None = None,
) -> tuple[Array, bool]:
    """Return the rows of a prompt after T loops, or after those in `at`; arguments are checked.

    Parameters
    ----------
    prompt : Prompt
        With more than one query only where no row sees a query.
    layers, steps
        Their leading axes broadcast with those of the prompt.
    T : int
    at : (K,) array of int, optional
    only_queries : bool
        Return the query rows alone.
    num_threads : int, optional

    Returns
    -------
    rows : (..., n + m, D), or with `at` (..., K, n + m, D)
        In the type of the prompt, a new array; of m rows if only_queries.
    finite : bool
        Whether all of them are finite.
    """
    rows, finite = core.looped(
        prompt,
        layers.weights,
        layers.words(steps.scale),
        steps.per_loop,
        T,
        [T] if at is None else at,
        only_queries,
        num_threads,
    )
    return rows[..., 0, :, :] if at is None else rows, finite


def warn_of_divergence(
    result: Array, core_axes: int, inputs: list[tuple[Array, int]], advice: str
) -> None:
    """Warn once where finite input gave a result that is not finite.

    Parameters
    ----------
    result : (..., *core) array
        Of `core_axes` axes a task.
    inputs : list of (array, core axes)
        What went into the tasks; leading axes broadcast with those of the result.
    advice : str
        What the caller can do.
    """
    lost = ~_finite(result, core_axes)  # (...)
    for array, axes in inputs if lost.any() else []:
        lost = lost & _finite(array, axes)
    if not lost.any():
        return
    first = tuple(int(i) for i in np.argwhere(lost)[0])
    warnings.warn(
        f"{np.count_nonzero(lost)} of {lost.size} tasks diverged, the first at index "
        f"{first}: {advice}",
        core.DivergenceWarning,
        stacklevel=_outside_stacklevel(),
    )


def _outside_stacklevel() -> int:
    """Return the stacklevel, for our caller, of the first one outside this package."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back and str(frame.f_globals.get("__name__")).startswith("loopcore."):
        level, frame = level + 1, frame.f_back
    return level


def _finite(array: Array, core_axes: int) -> NDArray[np.bool_]:
    """Return whether the last axes of an array hold finite numbers alone, (...)."""
    return np.asarray(np.isfinite(array).all(tuple(range(-core_axes, 0))))
