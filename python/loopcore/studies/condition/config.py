"""What the condition study measures: sizes, how many X, and the seed."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Config:
    """What to measure.

    Attributes
    ----------
    dimensions : tuple of int
        d, rising, at least two, from 2 on.
    ratios : tuple of float
        r = n/d, rising, from 1 on; n = ⌈rd⌉.
    freedoms : tuple of int
        The degrees of freedom ν of Student's distribution, each at least 3: the heavy-tailed X.
    tasks : int
        Most X of one (distribution, n, d).
    fewest : int
        Fewest, from 6 on: the interval of a median of fewer ends at its outermost samples with less
        than 95 %. Twice as many where ν < 4, where κ scatters most.
    gaussian_work : float
        The X of a Gaussian size are as many as Σ d² of them makes about this.
    drawn_work : float
        The same for heavy tails, where an X counts n d (1 + d/700): its entries and its XᵀX. Twice
        as many where ν < 4, and half as many otherwise.
    largest : float
        A heavy-tailed size with more entries n d is left out.
    growth_from : int
        Growth with d is fitted to the dimensions from this one on.
    tolerances : tuple of float
        Relative errors that loops are counted to, between 0 and 1, falling.
    targets : tuple of float
        The κ that n/d is sought for, above 1.
    seed : int
        Fixes every number. No size depends on another.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """

    dimensions: tuple[int, ...] = (2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
    ratios: tuple[float, ...] = (1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0)
    freedoms: tuple[int, ...] = (5, 3)
    tasks: int = 1000
    fewest: int = 7
    gaussian_work: float = 4e7
    drawn_work: float = 1e7
    largest: float = 2.7e7
    growth_from: int = 64
    tolerances: tuple[float, ...] = (1e-3, 1e-6)
    targets: tuple[float, ...] = (10.0, 2.0)
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what means nothing."""
        for name, value, least in (
            ("dimensions", len(self.dimensions), 2),
            ("dimensions", min(self.dimensions, default=0), 2),
            ("ratios", len(self.ratios), 2),
            ("ratios", min(self.ratios, default=0), 1),
            ("freedoms", min(self.freedoms, default=3), 3),
            ("fewest", self.fewest, 6),
            ("tasks", self.tasks, self.fewest),
            ("tolerances", len(self.tolerances), 1),
            ("targets", len(self.targets), 1),
            ("seed", self.seed, 0),
        ):
            if not value >= least:
                raise ValueError(f"{name}: expected at least {least}, got {value}")
        if not all(1 <= r < math.inf for r in self.ratios):
            raise ValueError(f"ratios: expected finite numbers from 1 on, got {self.ratios}")
        for name, values in (("dimensions", self.dimensions), ("ratios", self.ratios)):
            if any(b <= a for a, b in itertools.pairwise(values)):
                raise ValueError(f"{name}: expected rising numbers, got {values}")
        if len([d for d in self.dimensions if d >= self.growth_from]) < 2:
            raise ValueError(
                f"growth_from: expected two dimensions from {self.growth_from} on, "
                f"got {self.dimensions}"
            )
        if not all(0 < tolerance < 1 for tolerance in self.tolerances):
            raise ValueError(f"tolerances: expected numbers in (0, 1), got {self.tolerances}")
        if not all(1 < target < math.inf for target in self.targets):
            raise ValueError(f"targets: expected finite numbers above 1, got {self.targets}")

    @property
    def kinds(self) -> tuple[int, ...]:
        """The distributions: 0 for Gaussian, otherwise the degrees of freedom ν."""
        return (0, *self.freedoms)


QUICK = Config(
    dimensions=(2, 8, 32, 128, 256),
    ratios=(1.0, 1.1, 1.5, 2.0, 5.0, 10.0, 30.0, 100.0),
    tasks=300,
    gaussian_work=3e6,
    drawn_work=3e6,
    largest=1e6,
    growth_from=32,
)
"""Within fifteen seconds."""


def examples(r: float, d: int) -> int:
    """Return n = ⌈rd⌉; a product that rounding put above a whole number counts as that.

    Examples
    --------
    >>> examples(1.1, 10), examples(1.1, 2)
    (11, 3)
    """
    return math.ceil(r * d * (1 - 1e-12))
