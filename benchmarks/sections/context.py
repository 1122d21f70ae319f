"""Does the context's length drop out of the loop? Linear attention, every row moving.

The time of one loop is the difference between a call of many loops and a call of few, over the
loops between them: reading the prompts, their Gram matrices and writing Z(T), which grow with n,
fall out of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from contenders import family_library
from family import LINEAR, build_prompts
from family_numpy import linear_fixed_size
from family_verdict import FamilyVerdict
from limits import Limits
from problems import Cell
from setting import Setting
from timing import spread, turn

LENGTHS = (100, 1_000, 10_000)
FEW, MANY = 200, 2_200  # loops: their difference is several times what n = 10,000 costs besides
TASKS, TASKS_QUICK = 32, 2


@dataclass
class Row:
    """One length: seconds a call of few and of many loops, one entry a turn."""

    cell: Cell
    dtype: str
    few: list[float]
    many: list[float]

    @property
    def loop(self) -> float:
        """Give the seconds of one loop."""
        return (min(self.many) - min(self.few)) / (MANY - FEW)


def measure(setting: Setting) -> list[Row]:
    """Check and time both calls at every length; all of a type take turns with each other."""
    return [row for dtype in setting.dtypes for row in measure_type(setting, dtype)]


def measure_type(setting: Setting, dtype: str) -> list[Row]:
    """Measure one type."""
    tasks = TASKS_QUICK if setting.quick else TASKS
    turns, cells = {}, [replace(LINEAR, B=tasks, n=n) for n in LENGTHS]
    for cell in cells:
        for T in (FEW, MANY):
            # The literal matrices would hold 10⁸ scores a prompt, so the truth is the loop on S,
            # which bench_family.py holds against them.
            problem = build_prompts(replace(cell, T=T), dtype)
            verdict = FamilyVerdict(problem, linear_fixed_size, sample=2)
            call = family_library(problem)
            verdict.check(call())
            turns[f"{cell.n} {T}"] = turn(call)
    seconds = setting.take_turns(turns)
    return [
        Row(cell, dtype, seconds[f"{cell.n} {FEW}"], seconds[f"{cell.n} {MANY}"]) for cell in cells
    ]


def lines(rows: list[Row], limits: Limits) -> list[str]:  # noqa: ARG001
    """Print ms of both calls, and microseconds a loop."""
    text = [
        f"{'dtype':8} {'n':>7} {f'{FEW} loops ms':>15} {f'{MANY:,} loops ms':>15} {'μs/loop':>9}"
    ]
    for row in rows:
        text.append(
            f"{row.dtype:8} {row.cell.n:7,} {1e3 * min(row.few):15.3f} {1e3 * min(row.many):15.3f}"
            f" {1e6 * row.loop:9.3f}  spread {spread(row.few):.0%}, {spread(row.many):.0%}"
        )
    return text


def figures(rows: list[Row], limits: Limits) -> dict[str, float]:  # noqa: ARG001
    """Name the slowest loop over the fastest, in float64."""
    loops = [row.loop for row in rows if row.dtype == "float64"]
    return {"loop, any n:linear": max(loops) / min(loops)} if loops else {}
