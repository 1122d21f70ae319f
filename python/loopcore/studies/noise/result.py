"""The result of the noise study."""

from __future__ import annotations

from dataclasses import dataclass

from loopcore.studies.noise.config import Config
from loopcore.studies.noise.summary import Cell


@dataclass(frozen=True, eq=False)
class Result:
    """What was measured.

    Attributes
    ----------
    config : Config
    cells : tuple of Cell
        One for each shape of the configuration, in its order.
    """

    config: Config
    cells: tuple[Cell, ...]

    @property
    def square(self) -> Cell:
        """The shape with n closest to d, where least squares is worst; the first of equal ones."""
        return min(self.cells, key=lambda cell: abs(cell.n - cell.d) / cell.d)
