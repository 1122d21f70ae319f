"""Time against T, n, d and B, one at a time, for loopcore and the better of NumPy's two.

The others stay as in the middle: 1,000 tasks of 40 × 20 with 100 loops, d with n = 2d. What is
expected to take longer than LONGEST by the point before is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from contenders import Peer, library
from limits import Limits
from problems import Call, Cell, Eta, Problem, build
from sections.table import fastest
from setting import Setting
from timing import spread, turn
from verdict import Verdict

Axis = Literal["T", "n", "d", "B"]

MIDDLE = Cell("scaling", B=1_000, n=40, d=20, T=100)
VALUES: dict[Axis, tuple[int, ...]] = {
    "T": (1, 3, 10, 30, 100, 300, 1_000, 10_000, 100_000, 1_000_000),
    "n": (20, 40, 100, 300, 1_000, 3_000, 10_000),
    "d": (2, 4, 8, 16, 32, 64, 128, 256),
    "B": (1, 3, 10, 30, 100, 300, 1_000, 10_000, 100_000),
}
LONGEST = 2.0  # seconds of one call
REPEATS = 3
WORK_LIMIT_QUICK = 2e8  # operations; quick runs leave out what has more

CONTENDERS: dict[str, Callable[[Problem], dict[str, Call]]] = {
    "loopcore": lambda problem: {"auto": library(problem)},
    "numpy loop": Peer("numpy", "loop").forms,
    "numpy gram": Peer("numpy", "gram").forms,
}


@dataclass
class Row:
    """One point: the value of the axis, and seconds a call."""

    axis: Axis
    value: int
    cell: Cell
    dtype: str
    eta: Eta
    seconds: dict[str, list[float]]

    @property
    def best(self) -> dict[str, float]:
        """Give the best time of loopcore and of NumPy's better variant."""
        numpy = [min(times) for name, times in self.seconds.items() if name != "loopcore"]
        own = self.seconds.get("loopcore")
        return ({"loopcore": min(own)} if own else {}) | ({"NumPy": min(numpy)} if numpy else {})


def measure(setting: Setting) -> list[Row]:
    """Measure every point of the four axes, in float64 with given η."""
    return [row for axis in VALUES for row in measure_axis(setting, axis)]


def measure_axis(setting: Setting, axis: Axis) -> list[Row]:
    """Measure one axis, from small to large."""
    rows: list[Row] = []
    for value in VALUES[axis]:
        cell = point(axis, value)
        names = [name for name in CONTENDERS if expected(rows, name, cell) <= LONGEST]
        if setting.quick and cell.gram_work > WORK_LIMIT_QUICK:
            break
        if names:
            rows.append(measure_point(setting, axis, value, names))
    return rows


def point(axis: Axis, value: int) -> Cell:
    """Give the cell with this value on the axis."""
    if axis == "d":
        return replace(MIDDLE, d=value, n=2 * value)
    return replace(MIDDLE, **{axis: value})


def expected(rows: list[Row], name: str, cell: Cell) -> float:
    """Guess the seconds from the last point, by the operations; never fewer than there."""
    done = [row for row in rows if name in row.seconds]
    if not rows:
        return 0.0
    if not done or done[-1] is not rows[-1]:
        return float("inf")  # it has been left out before
    last = done[-1]
    # loopcore may have a path that does not loop: its last step up says how it goes on.
    growth = cell.loop_work / last.cell.loop_work
    if name == "loopcore" and len(done) > 1:
        step = min(last.seconds[name]) / min(done[-2].seconds[name])
        growth = min(growth, 2 * max(step, 1) ** 2)
    return min(last.seconds[name]) * growth


def measure_point(setting: Setting, axis: Axis, value: int, names: list[str]) -> Row:
    """Check and time the contenders at one point."""
    cell = point(axis, value)
    verdict = Verdict(build(cell, "float64", "given"))
    turns = {}
    for name in names:
        _, call, seconds = fastest(CONTENDERS[name], verdict, setting.rest)
        turns[name] = turn(call, seconds)
    repeats = dict.fromkeys(turns, min(REPEATS, setting.repeats))
    return Row(axis, value, cell, "float64", "given", setting.take_turns(turns, repeats))


def lines(rows: list[Row], limits: Limits) -> list[str]:
    """Print ms at every point."""
    text = [f"{'axis':4} {'value':>9} {'loopcore ms':>12} {'NumPy ms':>12} {'limit ms':>10} spread"]
    for row in rows:
        best = {name: f"{1e3 * seconds:12.4f}" for name, seconds in row.best.items()}
        own = row.seconds.get("loopcore")
        text.append(
            f"{row.axis:4} {row.value:9,} {best.get('loopcore', '-'):>12}"
            f" {best.get('NumPy', '-'):>12} {1e3 * limits.seconds(row.cell, 8):10.4f}"
            f" {spread(own) if own else 0:6.0%}"
        )
    return text


def figures(rows: list[Row], limits: Limits) -> dict[str, float]:  # noqa: ARG001
    """Name nothing: the issue has no target here."""
    return {}
