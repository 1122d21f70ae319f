"""What the convergence study measures: sizes, numbers of tasks and the seed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal


@dataclass(frozen=True)
class Config:
    """What to measure.

    Attributes
    ----------
    d : int
        The length of θ* of the error curves.
    examples : tuple of int
        The numbers of examples n of the error curves, each at least d.
    loops : int
        The number of loops T of the error curves, at least 1.
    tasks : int
        How many random tasks for each n of the error curves.
    alpha : float or "random"
        The value to generate, in the error curves; "random" draws one from N(0, 1) for each task.
        Elsewhere it is 1, for errors are proportional to |α|.
    dims : tuple of int
        The rising d for which the smallest n is searched, each at least 2; none skips the search.
    search_loops : tuple of int
        The rising T of the search.
    tolerances : tuple of float
        The falling ε of the search, between 0 and ½.
    per_octave : int
        How many n between one and its double the search tries.
    largest_ratio : float
        The largest n/d that the search tries, at least 1; the smallest is ½.
    search_tasks : int
        How many random tasks for each d and n of the search.
    seed : int
        Fixes every number. The tasks of one n do not depend on the other n.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """

    d: int = 4
    examples: tuple[int, ...] = (5, 10, 20, 40)
    loops: int = 50
    tasks: int = 10_000
    alpha: float | Literal["random"] = 1.0
    dims: tuple[int, ...] = (2, 4, 8, 16, 32, 64, 128)
    search_loops: tuple[int, ...] = (4, 8, 16, 32, 64)
    tolerances: tuple[float, ...] = (1e-1, 1e-2, 1e-3, 1e-6)
    per_octave: int = 6
    largest_ratio: float = 8192.0
    search_tasks: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what means nothing."""
        for name, value, least in (
            ("d", self.d, 1),
            ("examples", min(self.examples, default=0), self.d),
            ("loops", self.loops, 1),
            ("tasks", self.tasks, 1),
            ("dims", min(self.dims, default=2), 2),
            ("search_loops", min(self.search_loops, default=0), 1),
            ("tolerances", len(self.tolerances), 1),
            ("per_octave", self.per_octave, 1),
            ("largest_ratio", self.largest_ratio, 1),
            ("search_tasks", self.search_tasks, 1),
            ("seed", self.seed, 0),
        ):
            if not value >= least:
                raise ValueError(f"{name}: expected at least {least}, got {value}")
        if not isinstance(self.alpha, str) and not (math.isfinite(self.alpha) and self.alpha):
            raise ValueError(f"alpha: expected a finite number that is not 0, got {self.alpha}")
        if not math.isfinite(self.largest_ratio):
            raise ValueError(f"largest_ratio: expected a finite number, got {self.largest_ratio}")
        for epsilon in self.tolerances:
            if not 0 < epsilon < 0.5:
                raise ValueError(f"tolerances: expected numbers between 0 and 0.5, got {epsilon}")
        falling = tuple(-epsilon for epsilon in self.tolerances)
        for name, sizes, order in (
            ("dims", self.dims, "rising"),
            ("search_loops", self.search_loops, "rising"),
            ("tolerances", falling, "falling"),
        ):
            if any(b <= a for a, b in pairwise(sizes)):
                raise ValueError(f"{name}: expected {order} numbers, got {getattr(self, name)}")


QUICK = Config(tasks=2000, dims=(2, 4, 8, 16, 32, 64), per_octave=4, search_tasks=500)
