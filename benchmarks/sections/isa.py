"""Instruction set by instruction set, beside NumPy, in one process each."""

from __future__ import annotations

from dataclasses import dataclass

from contenders import Peer
from limits import Limits
from loopcore import _cpu
from problems import Cell, Eta, build
from sections.table import fastest
from setting import Setting
from timing import spread, turn
from verdict import Verdict
from worker import Worker

CELLS = ("paper", "regress", "medium", "tall")
NUMPY = Peer("numpy", "gram")  # the better of NumPy's two on these cells


@dataclass
class Row:
    """One case: seconds a call of each instruction set's process, and of NumPy."""

    cell: Cell
    dtype: str
    eta: Eta
    seconds: dict[str, list[float]]


def measure(setting: Setting) -> list[Row]:
    """Time every instruction set that this processor has."""
    isas = _cpu.supported()
    workers = {isa: Worker(isa) for isa in isas}
    cells = [cell for cell in setting.cells if cell.name in CELLS]
    try:
        return [
            measure_case(setting, workers, cell, dtype)
            for cell in cells
            for dtype in setting.dtypes
        ]
    finally:
        for worker in workers.values():
            worker.close()


def measure_case(setting: Setting, workers: dict[str, Worker], cell: Cell, dtype: str) -> Row:
    """Check and time everybody on one cell, with given η."""
    for worker in workers.values():
        worker.prepare(cell, dtype, "given")
    verdict = Verdict(build(cell, dtype, "given"))
    _, call, seconds = fastest(NUMPY.forms, verdict, setting.rest)
    turns = {isa: worker.time for isa, worker in workers.items()}
    return Row(cell, dtype, "given", setting.take_turns(turns | {NUMPY.name: turn(call, seconds)}))


def lines(rows: list[Row], limits: Limits) -> list[str]:  # noqa: ARG001
    """Print ms, and each as a multiple of the best instruction set's."""
    text = [f"{'cell':8} {'dtype':8} {'isa':12} {'ms':>11} {'ratio':>7} {'spread':>7}"]
    for row in rows:
        first = min(next(iter(row.seconds.values())))
        text += [
            f"{row.cell.name:8} {row.dtype:8} {isa:12} {1e3 * min(times):11.4f}"
            f" {min(times) / first:7.2f} {spread(times):7.0%}"
            for isa, times in row.seconds.items()
        ]
    return text


def figures(rows: list[Row], limits: Limits) -> dict[str, float]:  # noqa: ARG001
    """Name v3 against v4, and NumPy against the baseline, in float64."""
    found = {}
    for row in rows:
        best = {isa: min(times) for isa, times in row.seconds.items()}
        if row.dtype != "float64":
            continue
        if "x86-64-v4" in best:
            found[f"v3 / v4:{row.cell.name}"] = best["x86-64-v3"] / best["x86-64-v4"]
        found[f"numpy / baseline:{row.cell.name}"] = best[NUMPY.name] / best["baseline"]
    return found
