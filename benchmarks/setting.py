"""What one run of the comparison was asked for, and what all its sections share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from contenders import Peer
from limits import Meter
from machine import cores
from problems import Cell, Eta
from timing import REST, take_turns


@dataclass(frozen=True)
class Setting:
    """The chosen cells, already cut down in quick runs, and how often everybody takes a turn."""

    cells: Sequence[Cell]
    dtypes: Sequence[str]
    etas: Sequence[Eta]
    peers: Sequence[Peer]
    repeats: int
    quick: bool
    meter: Meter

    @property
    def rest(self) -> float:
        """Give the seconds of rest before a turn; the times of quick runs mean nothing."""
        return 0.0 if self.quick else REST

    @property
    def cases(self) -> Iterator[tuple[Cell, str, Eta]]:
        """Yield every chosen cell, type and kind of step."""
        for cell in self.cells:
            for dtype in self.dtypes:
                for eta in self.etas:
                    yield cell, dtype, eta

    def take_turns(
        self, turns: Mapping[str, Callable[[], float]], repeats: Mapping[str, int] | None = None
    ) -> dict[str, list[float]]:
        """Give everybody their turns, with the machine's limits measured once a round."""
        repeats = dict.fromkeys(turns, self.repeats) if repeats is None else repeats
        between = (lambda: None) if self.quick else self.meter.measure
        return take_turns(turns, repeats, self.rest, between)


def thread_counts() -> list[int]:
    """Give 1, 2, 4, … and all cores."""
    most = cores()
    return [k for k in (2**i for i in range(most.bit_length())) if k < most] + [most]
