"""The memory that a call needs beyond its inputs and its result, in a fresh process each.

The process builds X without copies, runs a small problem so that modules and threads are there,
and resets the peak of its resident memory, which Linux keeps for it, before the call.
"""

from __future__ import annotations

from dataclasses import dataclass

from limits import Limits
from problems import Cell, Eta
from setting import Setting
from worker import Worker


@dataclass
class Row:
    """One case: bytes, None where the system does not tell."""

    cell: Cell
    dtype: str
    eta: Eta
    bytes: int | None


def measure(setting: Setting) -> list[Row]:
    """Measure every case."""
    rows = []
    for cell, dtype, eta in setting.cases:
        worker = Worker()
        try:
            rows.append(Row(cell, dtype, eta, worker.memory(cell, dtype, eta)))
        finally:
            worker.close()
    return rows


def lines(rows: list[Row], limits: Limits) -> list[str]:  # noqa: ARG001
    """Print MiB."""
    if all(row.bytes is None for row in rows):
        return ["not measured: this system has no /proc/self/clear_refs to reset the peak with"]
    text = [f"{'cell':8} {'dtype':8} {'eta':6} {'MiB beyond inputs and result':>28}"]
    for row in rows:
        figure = "-" if row.bytes is None else f"{row.bytes / 2**20:.2f}"
        text.append(f"{row.cell.name:8} {row.dtype:8} {row.eta:6} {figure:>28}")
    return text


def figures(rows: list[Row], limits: Limits) -> dict[str, float]:  # noqa: ARG001
    """Name the most that any case needs, in MiB."""
    known = [row.bytes for row in rows if row.bytes is not None]
    return {"MiB beyond:all cells": max(known) / 2**20} if known else {}
