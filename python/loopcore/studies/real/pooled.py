"""What tables, and cells at like n/d, have in common."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from loopcore.studies.real.cells import Cell, Whole
from loopcore.studies.real.measure import LEARNERS

BANDS = ((0.0, 1.75), (1.75, 6.0), (6.0, math.inf))
"""Of n/d: about the number of features, some times as many, many times as many."""

TYPICAL = 4.0
"""The n/d at which tables are compared."""


class Count(NamedTuple):
    """In how many cells the loops did better, worse, or neither for certain."""

    better: int
    worse: int
    open: int

    @property
    def all(self) -> int:
        """All cells."""
        return self.better + self.worse + self.open


def nearest(cells: Sequence[Cell], ratio: float) -> Cell | None:
    """Return the cell of a table whose n/d is nearest to a ratio; None where there is none."""
    return min(cells, key=lambda cell: abs(math.log(cell.n / (ratio * cell.d))), default=None)


def typical(cells: Sequence[Cell]) -> Cell | None:
    """Return the cell of a table whose n is nearest to 4 d; None where there is none."""
    return nearest(cells, TYPICAL)


def in_band(cells: Sequence[Cell], band: int) -> list[Cell]:
    """Return the cells of a band of n/d."""
    low, high = BANDS[band]
    return [cell for cell in cells if low <= cell.n / cell.d < high]


def counted(cells: Sequence[Cell], learner: str) -> Count:
    """Count the cells by the interval of the loops' test error over that of a learner."""
    which = LEARNERS.index(learner)
    better = sum(bool(cell.ratio.high[which] < 1) for cell in cells)
    worse = sum(bool(cell.ratio.low[which] > 1) for cell in cells)
    return Count(better, worse, len(cells) - better - worse)


def shown(tables: Sequence[Whole], most: int, first: int = 0) -> list[Whole]:
    """Choose tables for a figure: the first ones, and others that are spread over κ, κ rising."""
    ordered = sorted(tables[first:], key=lambda table: table.kappa)
    most -= first
    if len(ordered) > most:
        step = (len(ordered) - 1) / (most - 1)
        ordered = [ordered[round(i * step)] for i in range(most)]
    return [*tables[:first], *ordered]
