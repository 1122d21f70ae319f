"""Streams: the random numbers of many tasks, each a function of seed, task and purpose alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import SupportsIndex

import numpy as np
from numpy.typing import NDArray

from loopcore._arguments import read_index
from loopcore._native import core

Array = NDArray[np.float64]
Seed = int | Sequence[int] | np.random.SeedSequence | np.random.Generator | None


class Streams:
    """The numbers of some tasks.

    They come from Philox4x64 with a key from the seed's `numpy.random.SeedSequence` and the counter
    (block, task, stream, 0), so that each task's can be made again alone: 10,000 spawned generators
    would take longer to make than their tasks to run.

    Parameters
    ----------
    rng : int, sequence of int, SeedSequence, Generator or None
        The seed. A generator is asked for one and moves on; None takes fresh entropy.
    tasks : int or sequence of int
        Tasks 0 … tasks − 1, or these.
    num_threads : int, optional
        As in `run`; it has no influence on the numbers.
    """

    def __init__(
        self,
        rng: Seed,
        tasks: SupportsIndex | Sequence[int] | NDArray[np.integer],
        num_threads: int | None = None,
    ) -> None:
        if isinstance(rng, np.random.Generator):
            rng = [int(word) for word in rng.integers(2**32, size=4)]
        sequence = rng if isinstance(rng, np.random.SeedSequence) else np.random.SeedSequence(rng)
        self._key = np.asarray(sequence.generate_state(2, np.uint64), np.uint64)
        self._tasks = _read_tasks(tasks)
        self._num_threads = num_threads

    def __len__(self) -> int:
        return len(self._tasks)

    def normal(self, stream: int, *shape: int) -> Array:
        """Return N(0, 1) numbers, (B, *shape). More of a stream begin with the same numbers."""
        return self._numbers(stream, shape, normal=True)

    def uniform(self, stream: int, *shape: int) -> Array:
        """Return uniform numbers in [0, 1), (B, *shape), likewise."""
        return self._numbers(stream, shape, normal=False)

    def _numbers(self, stream: int, shape: tuple[int, ...], *, normal: bool) -> Array:
        count = int(np.prod(shape, dtype=np.int64))
        numbers = core.random_numbers(
            self._key, self._tasks, stream, count, normal, self._num_threads
        )
        return numbers.reshape(len(self._tasks), *shape)


def _read_tasks(tasks: SupportsIndex | Sequence[int] | NDArray[np.integer]) -> NDArray[np.uint64]:
    if isinstance(tasks, SupportsIndex) and not isinstance(tasks, np.ndarray):
        return np.arange(read_index(tasks, "tasks"), dtype=np.uint64)
    numbers = np.asarray(tasks)
    if numbers.ndim != 1 or (numbers.size and numbers.dtype.kind not in "iu"):
        raise TypeError(f"tasks: expected a number of tasks or a list of them, got {tasks!r}")
    if numbers.size and numbers.min() < 0:
        raise ValueError(f"tasks: expected numbers from 0 on, got {numbers.min()}")
    return numbers.astype(np.uint64)
