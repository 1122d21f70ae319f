"""The choice among candidates: which of them predicts examples best that it has not seen."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loopcore._arguments import read_index, read_parameter, read_real
from loopcore._native import core
from loopcore.baselines._tasks import Array, Tasks

Path = Callable[[Tasks], Array]
"""What predicts (..., K, m) by K candidates."""


def tuned(tasks: Tasks, path: Path, folds: int) -> Array:
    """Return the predictions (..., m) of the candidate that cross-validation takes of each task."""
    predictions = _silent(path, tasks)  # (..., K, m)
    if predictions.shape[-2] == 1:
        return predictions[..., 0, :]
    return take(predictions, best(cross_validated(tasks, path, folds)), -2)


def cross_validated(tasks: Tasks, path: Path, folds: int) -> Array:
    """Return the summed squared errors (..., K) of candidates on each fold from the others."""
    require_examples(tasks)
    parts = min(folds, tasks.n)
    errors: Any = 0.0
    for k in range(parts):
        left_out = slice(k, None, parts)
        predictions = _silent(path, tasks.without(left_out))  # (..., K, h)
        errors = errors + ((predictions - tasks.y[..., None, left_out]) ** 2).sum(-1)
    return np.asarray(errors)


def _silent(path: Path, tasks: Tasks) -> Array:
    """Predict without warnings of candidates that diverge: only the one that is taken matters."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", core.DivergenceWarning)
        return path(tasks)


def require_examples(tasks: Tasks) -> None:
    """Refuse to choose with fewer than two examples."""
    if tasks.n < 2:
        raise ValueError(
            f"X: expected at least n = 2 examples to choose among candidates, got n = {tasks.n}"
        )


def best(errors: Array) -> NDArray[np.intp]:
    """Return the first candidate (...) of the least error, (..., K); one that diverged has none."""
    return np.asarray(np.where(np.isnan(errors), np.inf, errors).argmin(-1))


def take(values: Array, index: NDArray[np.intp], axis: int) -> Array:
    """Return the values at an index (...) on the candidates' axis, which is −1 or −2."""
    lead = np.broadcast_shapes(values.shape[:axis], index.shape)
    values = np.broadcast_to(values, (*lead, *values.shape[axis:]))
    place = np.expand_dims(np.broadcast_to(index, lead), tuple(range(axis, 0)))
    return np.take_along_axis(values, place, axis).squeeze(axis)


def read_folds(folds: SupportsIndex) -> int:
    """Return the number of folds, at least 2."""
    return read_index(folds, "folds", 2)


def read_penalty(penalty: ArrayLike, *, least: str = "positive") -> Array:
    """Return the candidates (..., K): a number is one of them."""
    candidates = _read_candidates(penalty, "penalty")
    zero_is_fine = least == "zero" and candidates.shape[-1] == 1
    good = np.isfinite(candidates) & ((candidates >= 0) if zero_is_fine else (candidates > 0))
    if not good.all():
        expected = "a number of at least 0" if zero_is_fine else "positive numbers"
        raise ValueError(f"penalty: expected {expected}, got {candidates[~good][0]}")
    return candidates


def read_steps(eta: ArrayLike, name: str = "eta") -> Array:
    """Return the candidates (..., J) of a step: a number is one of them."""
    return _read_candidates(eta, name)


def read_positive(value: ArrayLike, name: str) -> Array:
    """Return positive candidates (J,)."""
    candidates = _read_candidates(value, name)
    if candidates.ndim != 1 or not (np.isfinite(candidates) & (candidates > 0)).all():
        raise ValueError(f"{name}: expected positive numbers, a number or (J,), got {value!r}")
    return candidates


def read_counts(value: ArrayLike, name: str, least: int) -> NDArray[np.intp]:
    """Return the candidates (K,) of a whole number, which rise: one number is one of them."""
    counts = read_real(value, name)
    if counts.dtype.kind not in "iu":
        raise TypeError(f"{name}: expected integers, got dtype {counts.dtype}")
    if counts.ndim > 1 or counts.size == 0:
        raise ValueError(f"{name}: expected an integer or shape (K,), got shape {counts.shape}")
    candidates = [read_index(int(count), name, least) for count in counts.reshape(-1)]
    for before, after in itertools.pairwise(candidates):
        if after <= before:
            raise ValueError(f"{name}: expected integers that rise, got {after} after {before}")
    return np.array(candidates, np.intp)


def _read_candidates(value: ArrayLike, name: str) -> Array:
    candidates = np.atleast_1d(read_parameter(value, name))
    if candidates.shape[-1] == 0:
        raise ValueError(f"{name}: expected at least one candidate, got shape {candidates.shape}")
    return candidates
