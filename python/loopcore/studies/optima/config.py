"""What the optima study measures: sizes, repeats and the seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Config:
    """What to measure.

    Attributes
    ----------
    shapes : tuple of (int, int)
        The (n, d) of the single steps.
    n, d : int
        Examples and length of x elsewhere.
    condition : float
        The condition number of Σ, above 1: at 1 the two preconditioners are one.
    task_counts : tuple of int
        Rising numbers of tasks to train preconditioners on, at least two, each at least d².
    schedule_loops, plus_loops : int
        T = 2, …, this for learned steps and for GD++: one loop has one step, and γ nothing to do.
        The residual is a polynomial of degree T, or (3^T − 1)/2, in λ: from T = 6, or 4, on a few
        large λ make its mean square, and the held-out losses have wide intervals.
    tasks : int
        Tasks to train each of the others on.
    held_out : int
        Tasks to measure each loss on.
    matrices : int
        Samples of XᵀX for each reference of each repeat.
    repeats : int
        Independent repeats of everything, at least 2.
    seed : int
        Fixes every number. The tasks of one part do not depend on the other parts.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """

    shapes: tuple[tuple[int, int], ...] = ((5, 10), (10, 4), (20, 5), (40, 5), (20, 20), (80, 10))
    n: int = 20
    d: int = 5
    condition: float = 4.0
    task_counts: tuple[int, ...] = (500, 2000, 8000)
    schedule_loops: int = 5
    plus_loops: int = 3
    tasks: int = 4000
    held_out: int = 20_000
    matrices: int = 20_000
    repeats: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what means nothing."""
        for name, value, least in (
            ("shapes", min((min(shape) for shape in self.shapes), default=0), 1),
            ("n", self.n, 1),
            ("d", self.d, 2),
            ("task_counts", len(self.task_counts), 2),
            ("task_counts", min(self.task_counts, default=0), self.d**2),
            ("schedule_loops", self.schedule_loops, 2),
            ("plus_loops", self.plus_loops, 2),
            ("tasks", self.tasks, 1),
            ("held_out", self.held_out, 1),
            ("matrices", self.matrices, 1),
            ("repeats", self.repeats, 2),
            ("seed", self.seed, 0),
        ):
            if value < least:
                raise ValueError(f"{name}: expected at least {least}, got {value}")
        if any(b <= a for a, b in zip(self.task_counts, self.task_counts[1:], strict=False)):
            raise ValueError(f"task_counts: expected rising numbers, got {self.task_counts}")
        if not 1 < self.condition < np.inf:
            raise ValueError(f"condition: expected a finite number above 1, got {self.condition}")


QUICK = Config(
    shapes=((5, 10), (10, 4), (40, 5)),
    task_counts=(250, 1000),
    schedule_loops=3,
    plus_loops=3,
    tasks=1000,
    held_out=4000,
    matrices=4000,
    repeats=4,
)
"""Some ten seconds; `Config()` takes a minute."""
