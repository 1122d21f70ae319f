"""The parts of the noise study: the errors of stopped loops and of ridge, task by task."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

import loopcore
from loopcore import tasks, theory
from loopcore.studies.noise.config import Array, Config
from loopcore.theory import Eigenbasis

Whole = npt.NDArray[np.int64]

_PART = 2000  # numbers in θ* of all tasks of a part: half a second


class Part(NamedTuple):
    """What B tasks of one shape gave, for S signal-to-noise ratios and K finite candidates T.

    Errors are ‖θ − θ*‖², the excess risk at queries x ~ N(0, I), where ‖θ*‖ = 1.
    """

    loops: Array
    """After each candidate T, and last for T → ∞, (B, S, K + 1)."""
    ridge: Array
    """Ridge with Bayes' penalty, with that of cross-validation, and with the best one in hindsight
    among the candidates, (B, S, 3)."""
    chosen: npt.NDArray[Any]
    """The number of the candidate T that cross-validation takes, (B, S); K is T → ∞."""
    expected: Array
    """Closed form of the excess risk over θ* and noise, given X, after each candidate T and
    T → ∞, the mean over the tasks, (S, K + 1)."""
    least: Array
    """Likewise for each X, by the T that is best for it, (B, S)."""
    best: Array
    """That T, (B, S); infinite for T → ∞."""
    limit: Array
    """Likewise for T → ∞, (B, S)."""
    flow: Array
    """Likewise by gradient flow, steps η → 0, stopped at its best time, (B, S)."""
    calibrated: Array
    """Likewise for T = SNR λ_max/d, rounded, (B, S)."""
    bayes: Array
    """Likewise for ridge with Bayes' penalty, (B, S)."""
    top: Array
    """λ_max of XᵀX, (B,)."""
    deviation: Array
    """How far the loops were from their closed form, the largest ‖v − v'‖ over the largest ‖v‖ of
    any candidate T, ()."""


def keys(config: Config) -> list[tuple[int, int, int]]:
    """Return (n, d, first task) of each part."""
    return [(n, d, start) for n, d in config.shapes for start in range(0, config.tasks, _part(d))]


def _part(d: int) -> int:
    """Return how many tasks a part has."""
    return max(_PART // d, 1)


def measure_part(config: Config, key: tuple[int, int, int]) -> Part:
    """Measure the tasks of one part, all signal-to-noise ratios with the same X, θ* and noise."""
    n, d, start = key
    numbers = range(start, min(start + _part(d), config.tasks))
    X, y, theta = _draw(config, n, d, numbers)  # (B, n, d), (S, B, n), (B, d)
    basis = theory.eigenbasis(X, y)  # λ (B, d), θ̂ (S, B, d)
    T, sigma2 = config.candidates, config.variances
    # v(T) of the loops themselves: (S, B, K, d)
    v = loopcore.trajectory(X, y, 1.0, int(T[-1]), at=T)
    errors = np.append(_squares(v - theta[:, None]), _errors(basis, basis.theta, theta), axis=-1)
    penalties = _penalties(config, n, d)
    on_loops, on_ridge = _cross_validated(config, X, y, penalties)
    # Ridge by all candidates and by Bayes' penalty, σ²d: (S, B, K + 1) and (S, B, 1)
    every = _errors(basis, _shrunk(basis, _ridge(basis, penalties)), theta)
    bayes_penalty = np.asarray(theory.best_penalty(1 / d, sigma2))  # (S,)
    bayes_left = theory.ridge_shrinkage(bayes_penalty[:, None], _rows(basis))  # (S, B, d)
    bayes = _errors(basis, (1 - bayes_left) * basis.theta, theta)
    picked = np.take_along_axis(every, on_ridge[..., None], -1)
    ridge = np.concatenate([bayes, picked, every.min(-1, keepdims=True)], axis=-1)
    return Part(
        loops=errors.swapaxes(0, 1),
        ridge=ridge.swapaxes(0, 1),
        chosen=on_loops.swapaxes(0, 1),
        top=basis.eigenvalues[:, 0],
        deviation=_deviation(v, basis, T),
        **_expected(config, basis, bayes_left),
    )


def _draw(config: Config, n: int, d: int, numbers: range) -> tuple[Array, Array, Array]:
    """Draw X (B, n, d), y = Xθ* + σz (S, B, n) and unit θ* (B, d); z is the same for every σ."""
    seed = [config.seed, n, d]
    batch = tasks.draw(numbers, n, d, targets=tasks.Linear(unit=True), snr=1.0, rng=seed)
    assert batch.theta is not None
    values = (batch.X @ batch.theta[..., None])[..., 0]
    z = (batch.y - values) / batch.noise[:, None]
    return batch.X, values + np.sqrt(config.variances)[:, None, None] * z, batch.theta


def _penalties(config: Config, n: int, d: int) -> Array:
    """Return as many penalties as there are candidates T, λ/T, (K + 1), infinite to 0.

    λ is where λ_max of these shapes tends, so that candidate k of ridge and of the loops shrink
    about alike, and all tasks of a shape have the same penalties.
    """
    _, top = theory.marchenko_pastur_edges(n, d)
    T = config.candidates
    return np.append(np.divide(top, T, out=np.full(len(T), math.inf), where=T > 0), 0.0)


def _cross_validated(config: Config, X: Array, y: Array, penalties: Array) -> tuple[Whole, Whole]:
    """Return the candidate T and penalty of the least error on folds, each (S, B).

    Part k leaves out the examples k, k + folds, …, as `loopcore.baselines` does; each fold's loops
    have the step 1/λ_max of the examples that it keeps. Both shrink the same least squares.
    """
    n = X.shape[1]
    folds = min(config.folds, n)
    sums = np.zeros((2, *y.shape[:2], len(penalties)))  # (2, S, B, K + 1)
    for k in range(folds):
        keep = np.arange(n) % folds != k
        basis = theory.eigenbasis(X[:, keep], y[..., keep])
        held = (X[:, ~keep] @ basis.vectors).swapaxes(-1, -2)  # (B, d, h)
        for total, left in zip(
            sums, (_stopped(basis, config.candidates), _ridge(basis, penalties)), strict=True
        ):
            for s, (targets, theta) in enumerate(zip(y[..., ~keep], basis.theta, strict=True)):
                predicted = ((1 - left) * theta[:, None]) @ held  # (B, K + 1, h)
                total[s] += _squares(predicted - targets[:, None])
    on_loops, on_ridge = sums.argmin(-1)
    return on_loops, on_ridge


def _expected(config: Config, basis: Eigenbasis, bayes_left: Array) -> dict[str, Array]:
    """Return the closed forms of a part by their names: means over θ* and the noise."""
    d = basis.eigenvalues.shape[-1]
    sigma2, ratios = config.variances, np.array(config.ratios)
    lam, top = basis.eigenvalues[:, None], basis.eigenvalues[:, 0]  # (B, 1, d), (B,)

    def risks(left: Array) -> Array:
        """Return those of shrinkages (B, K, d), for each σ², (B, S, K)."""
        bias, variance = theory.excess_risk(left, lam, 1 / d, 1.0)  # (B, K)
        total: Array = np.asarray(bias)[:, None] + sigma2[:, None] * np.asarray(variance)[:, None]
        return total

    T = config.fine
    by_T = risks(_stopped(basis, T))  # (B, S, F + 1)
    candidates = np.append(np.searchsorted(T, config.candidates), len(T))
    # t from 2⁻⁸/λ_max, where e^(−λt) has hardly begun to fall
    times = 2.0 ** np.arange(-8, np.log2(max(T[-1], 2)) + 1 / 8, 1 / 8) / top[:, None]
    times = np.append(np.zeros((len(top), 1)), times, axis=1)  # (B, F')
    flown = np.append(np.exp(-lam * times[..., None]), _ridge(basis, np.zeros(1)), axis=1)
    finite = np.isfinite(ratios)
    loops = np.rint(np.where(finite, ratios, 0) * top[:, None] / d)  # (B, S)
    rule = theory.loop_shrinkage(loops, lam, 1 / top[:, None])
    rule = np.where(finite[:, None], rule, _ridge(basis, np.zeros(1)))
    bayes = theory.excess_risk(bayes_left, _rows(basis), 1 / d, sigma2[:, None]).total
    return {
        "expected": by_T[..., candidates].mean(axis=0),
        "least": by_T.min(-1),
        "best": np.append(T, math.inf)[by_T.argmin(-1)],
        "limit": by_T[..., -1],
        "flow": risks(flown).min(-1),
        "calibrated": np.asarray(theory.excess_risk(rule, lam, 1 / d, sigma2).total),
        "bayes": np.asarray(bayes).T,
    }


def _stopped(basis: Eigenbasis, T: Whole) -> Array:
    """Return what candidates T and T → ∞ leave of each coordinate, (B, K + 1, d)."""
    lam = basis.eigenvalues[:, None]
    left = theory.loop_shrinkage(T, lam, 1 / lam[..., 0])
    return np.append(left, _ridge(basis, np.zeros(1)), axis=1)


def _ridge(basis: Eigenbasis, penalties: Array) -> Array:
    """Return what ridge with each penalty leaves, (B, K, d)."""
    return theory.ridge_shrinkage(penalties, basis.eigenvalues[:, None])


def _rows(basis: Eigenbasis) -> Array:
    return basis.eigenvalues[None]  # (1, B, d), beside (S, 1)


def _shrunk(basis: Eigenbasis, left: Array) -> Array:
    """Return the coordinates of shrunk least squares, (S, B, K, d)."""
    return (1 - left) * basis.theta[:, :, None]


def _errors(basis: Eigenbasis, coordinates: Array, theta: Array) -> Array:
    """Return ‖Vc − θ*‖² of coordinates c (S, B, d) or (S, B, K, d), (S, B, 1) or (S, B, K)."""
    turned = (basis.vectors.swapaxes(-1, -2) @ theta[..., None])[..., 0]  # Vᵀθ*, (B, d)
    if coordinates.ndim == 3:
        coordinates = coordinates[:, :, None]
    return _squares(coordinates - turned[:, None])


def _deviation(v: npt.NDArray[Any], basis: Eigenbasis, T: Whole) -> Array:
    exact = _shrunk(basis, _stopped(basis, T)[:, :-1]) @ basis.vectors.swapaxes(-1, -2)
    size = np.sqrt(_squares(v).max(-1))  # (S, B)
    furthest: Array = (np.sqrt(_squares(v - exact)).max(-1) / size).max()
    return np.asarray(furthest)


def _squares(rows: npt.NDArray[Any]) -> Array:
    squares: Array = np.einsum("...j,...j->...", rows, rows)
    return squares
