"""Random tasks of in-context regression, seeded task by task, in arrays ready for `run`.

`draw` makes a batch from inputs (`Gaussian`, `Sphere`, `Uniform`, `Gamma`, `HeavyTailed`,
`Rotated`, `Spectrum`) and targets (`Linear`, `Quadratic`, `ReluNetwork`, `GaussianProcess`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from loopcore._arguments import read_index, read_threads
from loopcore.tasks.inputs import (
    Gamma,
    Gaussian,
    HeavyTailed,
    Inputs,
    Rotated,
    Spectrum,
    Sphere,
    Uniform,
)
from loopcore.tasks.streams import Seed, Streams
from loopcore.tasks.targets import (
    GaussianProcess,
    Linear,
    Quadratic,
    ReluNetwork,
    Targets,
    quadratic_features,
)

__all__ = [
    "Gamma",
    "Gaussian",
    "GaussianProcess",
    "HeavyTailed",
    "Linear",
    "Quadratic",
    "ReluNetwork",
    "Rotated",
    "Spectrum",
    "Sphere",
    "Tasks",
    "Uniform",
    "draw",
    "quadratic_features",
]

Array = NDArray[np.float64]

_NOISE = 16  # stream


class Tasks(NamedTuple):
    """A batch of B tasks."""

    X: Array
    """Examples, (B, n, d)."""
    y: Array
    """Their targets, noise included, (B, n)."""
    theta: Array | None
    """θ*, (B, d), where the targets are linear."""
    x_query: Array
    """Queries, (B, m, d)."""
    y_query: Array
    """Their values, without noise, (B, m)."""
    noise: Array
    """The noise's standard deviation σ, (B,)."""


def draw(
    tasks: SupportsIndex | Sequence[int] | NDArray[np.integer],
    n: SupportsIndex,
    d: SupportsIndex,
    *,
    inputs: Inputs | None = None,
    targets: Targets | None = None,
    queries: SupportsIndex = 0,
    query_inputs: Inputs | None = None,
    snr: float | None = None,
    rng: Seed = None,
    num_threads: SupportsIndex | None = None,
) -> Tasks:
    """Draw a batch of tasks.

    Parameters
    ----------
    tasks : int or sequence of int
        Tasks 0 … B − 1, or those of these numbers: a task is the same alone and in company.
    n, d : int
        Examples and length of x, at least 1.
    inputs : Inputs
        What the rows x come from, N(0, I) by default.
    targets : Targets
        What y comes from, ⟨θ*, x⟩ with θ* ~ N(0, I) by default.
    queries : int
        m, how many queries each task has.
    query_inputs : Inputs, optional
        What the queries come from, where they are shifted: other scales or covariances.
    snr : float, optional
        The signal-to-noise ratio: normal noise of variance σ² = (mean of the task's squared values
        over its n examples) / snr is added to y. None adds none.
    rng : int, sequence of int, SeedSequence, Generator or None
        The seed: the same one gives the same tasks, on every instruction set and for any number of
        threads. A generator moves on; None takes fresh entropy.
    num_threads : int, optional
        As in `run`.

    Returns
    -------
    Tasks
        New arrays in float64. Except of `Spectrum`, a task of more examples or queries begins with
        the same ones.

    Raises
    ------
    TypeError, ValueError
        For arguments of the wrong kind or size.

    Notes
    -----
    The numbers are those of Philox4x64 (J. K. Salmon et al., "Parallel Random Numbers: As Easy as
    1, 2, 3", 2011), normal ones by the transform of Box and Muller: of a key and a counter, so that
    no task waits for another.

    Examples
    --------
    >>> from loopcore import tasks
    >>> batch = tasks.draw(1000, 20, 4, queries=1, rng=0)
    >>> batch.X.shape, batch.y.shape, batch.x_query.shape
    ((1000, 20, 4), (1000, 20), (1000, 1, 4))
    >>> alone = tasks.draw([17], 20, 4, queries=1, rng=0)
    >>> bool((alone.X[0] == batch.X[17]).all())
    True
    """
    n, d, m = read_index(n, "n", 1), read_index(d, "d", 1), read_index(queries, "queries")
    if snr is not None and not 0 < snr < np.inf:
        raise ValueError(f"snr: expected a finite number above 0 or None, got {snr}")
    streams = Streams(rng, tasks, read_threads(num_threads))
    inputs = Gaussian() if inputs is None else inputs
    X, x_query, root = inputs.draw(streams, n, 0 if query_inputs else m, d)
    if query_inputs is not None:
        _, x_query, _ = query_inputs.draw(streams, n, m, d)
    rows = np.concatenate([X, x_query], axis=-2) if m else X
    values, theta = (Linear() if targets is None else targets).draw(streams, rows, root)
    y, y_query = np.ascontiguousarray(values[:, :n]), values[:, n:]
    sigma = np.zeros(len(streams))
    if snr is not None:
        sigma = np.sqrt(np.mean(y * y, axis=-1) / snr)
        y = y + sigma[:, None] * streams.normal(_NOISE, n)
    return Tasks(X, y, theta, x_query, y_query, sigma)
