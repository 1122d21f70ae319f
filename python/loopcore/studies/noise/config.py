"""What the noise study measures: shapes, signal-to-noise ratios, candidates and the seed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Config:
    """What to measure.

    Attributes
    ----------
    shapes : tuple of (int, int)
        The (n, d) of the tasks, each n at least 3. The findings go through the first four, and take
        the others into account where they speak of all.
    ratios : tuple of float
        Rising signal-to-noise ratios Var(xθ*)/σ², at least three of them finite; the last may be
        infinite: no noise.
    loops : int
        The largest finite candidate T, at least 1.
    tasks : int
        Tasks of each shape, at least 2.
    folds : int
        How many parts of the examples cross-validation leaves out in turn, at least 2.
    seed : int
        Fixes every number. The tasks of one shape do not depend on the other shapes.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """

    shapes: tuple[tuple[int, int], ...] = (
        (10, 20),
        (20, 20),
        (40, 20),
        (100, 20),
        (24, 20),
        (40, 40),
        (80, 40),
    )
    ratios: tuple[float, ...] = (*(float(10 ** (k / 3)) for k in range(-3, 10)), math.inf)
    loops: int = 16_384
    tasks: int = 2000
    folds: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what means nothing."""
        finite = [ratio for ratio in self.ratios if math.isfinite(ratio)]
        for name, value, least in (
            ("shapes", min((n for n, _ in self.shapes), default=0), 3),
            ("shapes", min((d for _, d in self.shapes), default=0), 1),
            ("ratios", len(finite), 3),
            ("loops", self.loops, 1),
            ("tasks", self.tasks, 2),
            ("folds", self.folds, 2),
            ("seed", self.seed, 0),
        ):
            if value < least:
                raise ValueError(f"{name}: expected at least {least}, got {value}")
        if len(set(self.shapes)) < len(self.shapes):
            raise ValueError(f"shapes: expected different ones, got {self.shapes}")
        rising = all(a < b for a, b in zip(self.ratios, self.ratios[1:], strict=False))
        if not (rising and self.ratios[0] > 0):
            raise ValueError(f"ratios: expected rising numbers above 0, got {self.ratios}")

    @property
    def variances(self) -> Array:
        """σ² of each ratio, (S,), for Var(xθ*) = 1."""
        return 1 / np.array(self.ratios)

    @property
    def candidates(self) -> npt.NDArray[np.int64]:
        """The finite candidates T, (K,): 0, 1, 2, 3, 4, 6, 8, 12, … up to `loops`."""
        return _whole(self.loops, 2)

    @property
    def fine(self) -> npt.NDArray[np.int64]:
        """The T at which the closed form is taken, (F,): eight an octave, the candidates too."""
        return np.union1d(_whole(self.loops, 8), self.candidates)


def _whole(most: int, octave: int) -> npt.NDArray[np.int64]:
    """Return 0, powers of two, and what lies evenly between these, up to `most`, which rise."""
    doublings = 2.0 ** np.arange(most.bit_length())
    steps = 1 + np.arange(octave) / octave
    T = np.unique(np.append(np.outer(doublings, steps).astype(np.int64), [0, most]))
    return T[most >= T]


QUICK = Config(
    shapes=((10, 20), (20, 20), (40, 20), (100, 20)),
    ratios=(0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, math.inf),
    loops=4096,
    tasks=1000,
)
