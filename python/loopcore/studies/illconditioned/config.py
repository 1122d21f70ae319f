"""What the ill-conditioned study measures: spectra, loops, paths, and the seed."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

KINDS = ("log-uniform", "two-point")
DIRECTIONS = ("random", "worst")
TYPES = ("float64", "float32")
LOOPED = ("stream", "gram", "tridiagonal")


@dataclass(frozen=True)
class Config:
    """What to measure.

    Attributes
    ----------
    kappas : tuple of float
        κ, rising, from 1 on.
    n, d : int
        Examples and length of x, n ≥ d ≥ 4.
    tasks : int
        Tasks of each spectrum, direction and κ.
    times : int
        How many T from 1 to κ, and from κ to `reach` κ.
    reach : float
        The longest run has this times κ loops, from 40 on: what the loops leave is below rounding.
    levels : tuple of float
        Relative errors that loops are counted to, in (0, 1), falling.
    looped_tasks : int
        Tasks of each floor that is reached loop by loop.
    stream_kappa, gram_kappa, tridiagonal_kappa, literal_kappa : float
        The largest κ for which each of these is looped; above, that takes too long.
    powers_from : float
        Powers of κ are fitted to floors and loops from this κ on.
    seed : int
        Fixes every number. No κ depends on another.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """

    kappas: tuple[float, ...] = tuple(10.0**k for k in range(13))
    n: int = 32
    d: int = 16
    tasks: int = 256
    times: int = 48
    reach: float = 64.0
    levels: tuple[float, ...] = (0.5, 0.1, 1e-3)
    looped_tasks: int = 8
    stream_kappa: float = 1e4
    gram_kappa: float = 1e5
    tridiagonal_kappa: float = 1e6
    literal_kappa: float = 1e4
    powers_from: float = 1e2
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what means nothing."""
        for name, value, least in (
            ("kappas", len(self.kappas), 1),
            ("kappas", min(self.kappas, default=1), 1),
            ("d", self.d, 4),
            ("n", self.n, self.d),
            ("tasks", self.tasks, 6),
            ("times", self.times, 12),
            ("reach", self.reach, 40),
            ("looped_tasks", self.looped_tasks, 6),
            ("seed", self.seed, 0),
        ):
            if not value >= least:
                raise ValueError(f"{name}: expected at least {least}, got {value}")
        if any(b <= a for a, b in itertools.pairwise(self.kappas)):
            raise ValueError(f"kappas: expected rising numbers, got {self.kappas}")
        if not self.reach * self.kappas[-1] < 2**53:
            raise ValueError(
                f"kappas: expected at most {2**53 / self.reach:.3g}, got {self.kappas[-1]:g}"
            )
        if not self.levels or not all(0 < level < 1 for level in self.levels):
            raise ValueError(f"levels: expected numbers in (0, 1), got {self.levels}")
        for name in ("stream", "gram", "tridiagonal", "literal"):
            if not math.isfinite(self.limit_of(name)):
                raise ValueError(f"{name}_kappa: expected a finite number, got an infinite one")

    def limit_of(self, path: str) -> float:
        """Return the largest κ that a path is looped for."""
        return float(getattr(self, f"{path}_kappa"))

    @property
    def routes(self) -> tuple[tuple[str, str], ...]:
        """The types and paths that floors are measured of, in the order of the result."""
        powers = ((kind, "power") for kind in TYPES)
        looped = ((kind, path) for kind in TYPES for path in LOOPED)
        return (*powers, *looped, ("float32", "literal"))


QUICK = Config(
    kappas=(1.0, 10.0, 1e2, 1e3, 1e4, 1e6, 1e8, 1e10, 1e12),
    tasks=64,
    times=24,
    stream_kappa=1e3,
    gram_kappa=1e4,
    tridiagonal_kappa=1e4,
    literal_kappa=1e3,
)
"""Within fifteen seconds."""
