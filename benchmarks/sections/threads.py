"""1, 2, 4, … and all threads on every cell."""

from __future__ import annotations

from dataclasses import dataclass

from contenders import library
from limits import Limits
from problems import Cell, Eta, build
from setting import Setting, thread_counts
from timing import spread, turn
from verdict import Verdict


@dataclass
class Row:
    """One cell: seconds a call by number of threads."""

    cell: Cell
    dtype: str
    eta: Eta
    seconds: dict[str, list[float]]

    @property
    def efficiency(self) -> dict[int, float]:
        """Give time on one thread / (k × time on k threads), for each k."""
        alone = min(self.seconds["1"])
        return {int(k): alone / (int(k) * min(times)) for k, times in self.seconds.items()}


def measure(setting: Setting) -> list[Row]:
    """Time loopcore on every cell, with given η."""
    return [
        measure_case(setting, cell, dtype) for cell in setting.cells for dtype in setting.dtypes
    ]


def measure_case(setting: Setting, cell: Cell, dtype: str) -> Row:
    """Check and time every number of threads on one cell."""
    verdict = Verdict(build(cell, dtype, "given"))
    calls = {str(k): library(verdict.problem, num_threads=k) for k in thread_counts()}
    for call in calls.values():
        verdict.check(call())
    turns = {k: turn(call) for k, call in calls.items()}
    return Row(cell, dtype, "given", setting.take_turns(turns))


def lines(rows: list[Row], limits: Limits) -> list[str]:  # noqa: ARG001
    """Print ms and efficiency."""
    text = [f"{'cell':8} {'dtype':8} {'threads':>7} {'ms':>11} {'efficiency':>10} {'spread':>7}"]
    for row in rows:
        text += [
            f"{row.cell.name:8} {row.dtype:8} {k:>7} {1e3 * min(times):11.4f}"
            f" {row.efficiency[int(k)]:10.2f} {spread(times):7.0%}"
            for k, times in row.seconds.items()
        ]
    return text


def figures(rows: list[Row], limits: Limits) -> dict[str, float]:  # noqa: ARG001
    """Name the efficiency on 8 and 16 threads, in float64."""
    return {
        f"efficiency on {k}:{row.cell.name}": efficiency
        for row in rows
        if row.dtype == "float64"
        for k, efficiency in row.efficiency.items()
        if k in {8, 16}
    }
