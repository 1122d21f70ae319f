"""The table: loopcore and every installed peer on every cell."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from contenders import library
from family_verdict import FamilyVerdict
from limits import Limits
from problems import Call, Cell, Eta, build
from setting import Setting
from timing import TURN, calls_a_turn, seconds_per_call, spread, turn
from verdict import Verdict

BASE = "loopcore"
SLOW = 3  # a peer that takes so many times the best peer's time is timed once, without turns
PATIENCE = 3.0  # seconds: a contender has fewer turns, but one, if all would take longer

# Name, why it is not timed (empty if it is), and the ways to write it for a problem.
Contender: TypeAlias = tuple[str, str, Callable[[Any], dict[str, Call]]]


@dataclass
class Row:
    """One case: every contender's seconds a call, in the order taken."""

    cell: Cell
    dtype: str
    eta: Eta
    seconds: dict[str, list[float]] = field(default_factory=dict)
    forms: dict[str, str] = field(default_factory=dict)  # how the fastest form is written
    excuses: dict[str, str] = field(default_factory=dict)  # why a contender was not timed

    @property
    def case(self) -> str:
        """Name the case in tables."""
        return f"{self.cell.name:11} {self.dtype:8} {self.eta:6}"

    @property
    def time(self) -> float | None:
        """Give loopcore's best time in seconds."""
        return min(self.seconds[BASE]) if BASE in self.seconds else None

    @property
    def peer(self) -> tuple[str, float] | None:
        """Give the best peer's name and time in seconds."""
        peers = {name: min(times) for name, times in self.seconds.items() if name != BASE}
        return min(peers.items(), key=lambda item: item[1]) if peers else None

    def limit(self, limits: Limits) -> float:
        """Give the least seconds that the machine's limits allow."""
        return limits.seconds(self.cell, int(self.dtype[-2:]) // 8)


def measure(setting: Setting) -> list[Row]:
    """Check and time every contender on every case."""
    rows = []
    for cell, dtype, eta in setting.cases:
        row = measure_case(setting, Row(cell, dtype, eta))
        tell(row)
        rows.append(row)
    return rows


def tell(row: Row) -> None:
    """Print a case as soon as it is measured."""
    best = f", best peer {row.peer[0]} {1e3 * row.peer[1]:.4g} ms" if row.peer else ""
    own = f"{1e3 * row.time:.4g} ms" if row.time else row.excuses[BASE]
    print(f"  {row.case} loopcore {own}{best}", flush=True)


def measure_case(setting: Setting, row: Row) -> Row:
    """Check and time every contender on one case."""
    verdict = Verdict(build(row.cell, row.dtype, row.eta))
    return compete(setting, row, verdict, contenders(setting, row.cell))


def compete(
    setting: Setting, row: Row, verdict: Verdict | FamilyVerdict, everyone: list[Contender]
) -> Row:
    """Hold everyone's answer against the verdict, and time who is right in turns."""
    calls: dict[str, Call] = {}
    for name, excuse, make_forms in everyone:
        if excuse:
            row.excuses[name] = excuse
            continue
        try:
            form, call, seconds = fastest(make_forms, verdict, setting.rest)
        except AssertionError as wrong:
            if name == BASE:
                raise
            row.excuses[name] = f"wrong: {wrong}"
            continue
        row.forms[name], calls[name], row.seconds[name] = form, call, [seconds]

    repeats = {name: turns_due(setting, row, name) for name in calls}
    turns = {name: turn(calls[name], row.seconds[name][0]) for name in calls if repeats[name]}
    for name, seconds_taken in (setting.take_turns(turns, repeats) if turns else {}).items():
        row.seconds[name] += seconds_taken
    return row


def contenders(setting: Setting, cell: Cell) -> list[Contender]:
    """Give name, excuse and forms of everybody."""
    base = (BASE, "", lambda problem: {"auto": library(problem)})
    return [base, *((peer.name, peer.excuse(cell), peer.forms) for peer in setting.peers)]


def fastest(
    make_forms: Callable[[Any], dict[str, Call]], verdict: Verdict | FamilyVerdict, rest: float
) -> tuple[str, Call, float]:
    """Check the answer of every form, which also compiles and warms it, and time each once."""
    timed = []
    for form, call in make_forms(verdict.problem).items():
        verdict.check(call())
        time.sleep(rest)
        seconds = seconds_per_call(call)
        if seconds < TURN:
            seconds = seconds_per_call(call, calls_a_turn(seconds))
        timed.append((form, call, seconds))
    return min(timed, key=lambda one: one[2])


def turns_due(setting: Setting, row: Row, name: str) -> int:
    """Say how many more turns a contender has; none for a peer far from being the best."""
    seconds = row.seconds[name][0]
    if name != BASE and row.peer is not None and seconds > SLOW * row.peer[1]:
        return 0
    return min(setting.repeats, max(1, int(PATIENCE / seconds)))


def lines(rows: list[Row], limits: Limits) -> list[str]:
    """Print the table: time, limit, ratios, spread; then every contender's time."""
    head = f"{'cell':11} {'dtype':8} {'eta':6} {'ms':>11} {'limit ms':>10} {'limit/time':>10}"
    text = [f"{head} {'best peer':12} {'peer/time':>10} {'spread':>7}"]
    text += [line(row, limits) for row in rows]
    return [*text, "", *ratios(rows), "", *everybody(rows), "", *excuses(rows)]


def line(row: Row, limits: Limits) -> str:
    """Print one case."""
    limit = row.limit(limits)
    if row.time is None:
        return f"{row.case} {'':11} {1e3 * limit:10.4f}            {row.excuses[BASE]}"
    text = f"{row.case} {1e3 * row.time:11.4f} {1e3 * limit:10.4f} {limit / row.time:10.3f}"
    peer = f"{row.peer[0]:12} {row.peer[1] / row.time:10.2f}" if row.peer else f"{'-':12} {'-':>10}"
    return f"{text} {peer} {spread(row.seconds[BASE]):7.0%}"


def everybody(rows: list[Row]) -> list[str]:
    """Print every contender's best time in ms, a column each."""
    names = list(dict.fromkeys(name for row in rows for name in row.seconds))
    head = f"{'ms':27} " + " ".join(f"{name:>11}" for name in names)
    text = [head]
    for row in rows:
        best = {name: f"{1e3 * min(times):11.4g}" for name, times in row.seconds.items()}
        text.append(f"{row.case} " + " ".join(best.get(name, f"{'-':>11}") for name in names))
    return text


def excuses(rows: list[Row]) -> list[str]:
    """Say who was not timed where, and why."""
    where: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for name, excuse in row.excuses.items():
            where.setdefault((name, excuse), []).append(row.cell.name)
    everywhere = len(rows)
    return [
        f"{name}: {excuse}"
        + ("" if len(cells) == everywhere else f" ({', '.join(dict.fromkeys(cells))})")
        for (name, excuse), cells in where.items()
    ]


def ratios(rows: list[Row]) -> list[str]:
    """Print what η=None costs over a given η, and what float32 gains over float64."""
    found = figures(rows, None)
    text = []
    for title in ("eta none / given", "float64 / float32"):
        cells = {key.split(":")[1]: x for key, x in found.items() if key.startswith(title)}
        if cells:
            text.append(f"{title}: " + ", ".join(f"{cell} {x:.2f}" for cell, x in cells.items()))
    return text


def figures(rows: list[Row], limits: Limits | None) -> dict[str, float]:
    """Name the ratios, for float64 and given η where nothing else is said."""
    times = {(r.cell.name, r.dtype, r.eta): r.time for r in rows if r.time is not None}
    found = {}
    for row in rows:
        name, time_ = row.cell.name, times.get((row.cell.name, "float64", "given"))
        if time_ is None or (row.dtype, row.eta) != ("float64", "given"):
            continue
        if limits is not None:
            found[f"limit / time:{name}"] = row.limit(limits) / time_
            found[f"time / limit:{name}"] = time_ / row.limit(limits)
        if row.peer:
            found[f"peer / time:{name}"] = row.peer[1] / time_
        if none := times.get((name, "float64", "none")):
            found[f"eta none / given:{name}"] = none / time_
        if single := times.get((name, "float32", "given")):
            found[f"float64 / float32:{name}"] = time_ / single
        found[f"microseconds:{name}"] = 1e6 * time_
    return found
