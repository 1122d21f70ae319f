"""Tuning: temperature and step of each kind, for each problem and each number of loops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from loopcore.studies.attention.config import GENERATION, HOMOGENEOUS, PREDICTION, Config
from loopcore.studies.attention.errors import distances, quiet, relative_error
from loopcore.studies.attention.models import generator, predictor
from loopcore.studies.attention.result import Tuned
from loopcore.studies.frame.parts import Parts

Array = npt.NDArray[np.float64]

Key = tuple[int, str]
"""A problem's number and a kind."""


class Candidates(NamedTuple):
    """What is tried, in A rows of G."""

    temperature: Array
    """τ, (A, G); of one row all the same."""
    step: Array
    """γ, (A, G)."""


def candidates(kind: str, temperatures: tuple[float, ...], steps: tuple[float, ...]) -> Candidates:
    """Return the candidates of a kind, as many for each.

    Examples
    --------
    >>> candidates("linear", (1.0, 2.0), (0.5, 1.0)).step.round(2)
    array([[0.5 , 0.63],
           [0.79, 1.  ]])
    """
    A, G = len(temperatures), len(steps)
    if kind in HOMOGENEOUS:
        finer = np.geomspace(steps[0], steps[-1], A * G).reshape(A, G)
        return Candidates(np.ones((A, G)), finer)
    tau, gamma = np.meshgrid(temperatures, steps, indexing="ij")
    return Candidates(tau, gamma)


class _Scores(NamedTuple):
    quartile: Array
    """The upper one over the tuning tasks, of G candidates after K numbers of loops, (K, G)."""


def tune(config: Config, parts: Parts, part: int, keys: Sequence[Key]) -> dict[Key, Tuned]:
    """Choose for each number of loops the candidate of the least upper quartile.

    Of the least median some candidates let almost half of the tasks diverge, and more of others.

    Parameters
    ----------
    config : Config
    parts : Parts
        Measures one row of candidates after the other.
    part : int
        `config.GENERATION` or `config.PREDICTION`.
    keys : sequence of (int, str)
        Which problems and kinds.

    Returns
    -------
    dict
        What was chosen for each key.
    """
    name, score = _HOW[part]
    tried = {(i, kind): candidates(kind, config.tau(part, i), config.steps) for i, kind in keys}
    rows = [(i, kind, row) for i, kind in keys for row in range(len(tried[i, kind].step))]

    def measure(key: tuple[int, str, int]) -> _Scores:
        i, kind, row = key
        of = tried[i, kind]
        return _Scores(score(config, i, kind, Candidates(of.temperature[row], of.step[row])))

    scores: dict[Key, list[Array]] = {key: [] for key in keys}
    for (i, kind, _), found in zip(
        rows, parts(f"tuning {name}", rows, _Scores, measure), strict=True
    ):
        scores[i, kind].append(found.quartile)
    return {
        key: _best(np.stack(scores[key], axis=1), tried[key], key[1] not in HOMOGENEOUS)
        for key in keys
    }


def _best(scores: Array, tried: Candidates, has_temperature: bool) -> Tuned:
    """Take the first of the least scores (K, A, G)."""
    A, G = tried.step.shape
    flat = scores.reshape(len(scores), -1).argmin(axis=-1)
    row, column = flat // G, flat % G
    if has_temperature:
        at_edge = (column == 0) | (column == G - 1) | (row == 0) | (row == A - 1)
    else:
        at_edge = (flat == 0) | (flat == A * G - 1)
    return Tuned(tried.temperature.ravel()[flat], tried.step.ravel()[flat], at_edge)


def _generation(config: Config, i: int, kind: str, tried: Candidates) -> Array:
    """Return the distance (K, G) of one row of candidates; each goes on where it was."""
    tasks = config.draw(GENERATION, i, tuning=True)
    assert tasks.theta is not None
    d = config.generation[i].d
    model = generator(kind, d, float(tried.temperature[0]), tried.step[:, None])
    q, before, scores = None, 0, []
    for T in config.loops:
        v = quiet(model.generate, tasks.X, tasks.y, 1.0, T - before, q)  # (G, B, d)
        q, before = -v, T
        scores.append(_upper_quartile(distances(v, tasks.theta, 1.0)[0]))
    return np.array(scores)


def _prediction(config: Config, i: int, kind: str, tried: Candidates) -> Array:
    """Return the error (K, G) of one row of candidates."""
    tasks = config.draw(PREDICTION, i, tuning=True)
    d = config.prediction[i].d
    model = predictor(kind, d, float(tried.temperature[0]), tried.step[:, None])
    scores = []
    for T in config.kernel_loops:
        f = quiet(model.predict, tasks.X, tasks.y, tasks.x_query, T)  # (G, B, m)
        scores.append(_upper_quartile(relative_error(f, tasks.y_query)))
    return np.array(scores)


def _upper_quartile(values: Array) -> Array:
    """Return the ⌈3B/4⌉-th smallest of the last axis; what is not a number is larger than any."""
    kept = np.sort(np.where(np.isnan(values), np.inf, values), axis=-1)
    return np.asarray(kept[..., -(-3 * values.shape[-1] // 4) - 1])


_HOW = {GENERATION: ("generation", _generation), PREDICTION: ("prediction", _prediction)}
