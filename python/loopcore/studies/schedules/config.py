"""What the schedules study measures: sizes, numbers of tasks and the seed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Config:
    """What to measure.

    Attributes
    ----------
    d : int
        The length of θ*, at least 2.
    ratios : tuple of float
        The n/d of the Gaussian problems, each at least 1; n is rounded up.
    condition : float or None
        κ of one problem more, with eigenvalues of XᵀX that are drawn log-uniformly from λ_min to
        λ_max = κ λ_min, both of which are there, and n = 2d. None for none.
    loops : tuple of int
        The rising T of the error curves.
    tolerances : tuple of float
        The falling errors ε that loops are counted to, between 0 and 1.
    tasks : int
        How many tasks of each problem everything is measured on.
    learned_loops : tuple of int
        The rising T for which steps are trained; all of `loops`.
    repeats : tuple of int
        How many times the longest learned schedule is run, rising from 1 on; that many times its T
        are in `loops`.
    train_tasks : int
        How many other tasks each schedule is trained on.
    matrices : int
        How many other tasks have the eigenvalues for which the best steps are computed.
    seed : int
        Fixes every number. The tasks of one problem do not depend on the other problems.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """

    d: int = 10
    ratios: tuple[float, ...] = (1.5, 2.0, 5.0)
    condition: float | None = 1000.0
    loops: tuple[int, ...] = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
    tolerances: tuple[float, ...] = (1e-3, 1e-6)
    tasks: int = 10_000
    learned_loops: tuple[int, ...] = (2, 4, 8)
    repeats: tuple[int, ...] = (1, 2, 4)
    train_tasks: int = 600
    matrices: int = 5000
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what means nothing."""
        for name, value, least in (
            ("d", self.d, 2),
            ("ratios", min(self.ratios, default=1), 1),
            ("problems", len(self.ratios) + (self.condition is not None), 1),
            ("loops", min(self.loops, default=0), 1),
            ("tolerances", len(self.tolerances), 1),
            ("tasks", self.tasks, 1),
            ("learned_loops", min(self.learned_loops, default=0), 1),
            ("repeats", len(self.repeats), 1),
            ("train_tasks", self.train_tasks, 1),
            ("matrices", self.matrices, 1),
            ("seed", self.seed, 0),
        ):
            if not value >= least:
                raise ValueError(f"{name}: expected at least {least}, got {value}")
        if self.condition is not None and not 1 < self.condition < 1e6:
            raise ValueError(f"condition: expected between 1 and 1e6, got {self.condition}")
        for epsilon in self.tolerances:
            if not 1e-9 <= epsilon < 1:
                raise ValueError(f"tolerances: expected from 1e-9 to below 1, got {epsilon}")
        falling = tuple(-epsilon for epsilon in self.tolerances)
        for name, numbers, order in (
            ("loops", self.loops, "rising"),
            ("learned_loops", self.learned_loops, "rising"),
            ("repeats", self.repeats, "rising"),
            ("tolerances", falling, "falling"),
        ):
            if any(b <= a for a, b in pairwise(numbers)):
                raise ValueError(f"{name}: expected {order} numbers, got {getattr(self, name)}")
        if self.repeats[0] != 1:
            raise ValueError(f"repeats: expected 1 first, got {self.repeats[0]}")
        longest = self.learned_loops[-1]
        for T in (*self.learned_loops, *(longest * count for count in self.repeats)):
            if T not in self.loops:
                raise ValueError(f"loops: expected {T}, of the learned steps, among {self.loops}")


QUICK = Config(tasks=1000, learned_loops=(2, 4), train_tasks=400, matrices=2000)
