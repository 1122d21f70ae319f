"""What the study on real tables gives."""

from __future__ import annotations

from dataclasses import dataclass

from loopcore.studies.real.cells import Cell, Whole
from loopcore.studies.real.config import Config


@dataclass(frozen=True, eq=False)
class Result:
    """What was measured.

    Attributes
    ----------
    config : Config
    loops : tuple of int
        The K numbers of loops T.
    tables : tuple of Whole
        A file of the user's first.
    cells : tuple of Cell
        Table by table, n rising.
    """

    config: Config
    loops: tuple[int, ...]
    tables: tuple[Whole, ...]
    cells: tuple[Cell, ...]

    def of(self, table: Whole) -> tuple[Cell, ...]:
        """Return the cells of a table, n rising."""
        return tuple(cell for cell in self.cells if cell.table == table.name)
