"""Seconds a call, taken in turns, so that a slow spell of the machine falls on everybody."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

from problems import Call

TURN = 0.005  # seconds: the clock and a Python call are far below it
REST = 0.06  # seconds: OpenBLAS's threads go on spinning for 2²⁶ cycles after a call, about 30 ms


def seconds_per_call(call: Call, calls: int = 1) -> float:
    """Time so many calls in a row."""
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - start) / calls


def calls_a_turn(seconds: float) -> int:
    """Say how many calls of so many seconds a turn of TURN or more has."""
    return max(1, round(TURN / seconds))


def turn(call: Call, seconds: float | None = None) -> Callable[[], float]:
    """Make a turn of the call, which takes about so many seconds: it gives seconds a call."""
    calls = calls_a_turn(seconds_per_call(call) if seconds is None else seconds)
    return lambda: seconds_per_call(call, calls)


def take_turns(
    turns: Mapping[str, Callable[[], float]],
    repeats: Mapping[str, int],
    rest: float,
    between: Callable[[], None],
) -> dict[str, list[float]]:
    """Give everybody their number of turns, one after the other, with a rest before each.

    `between` is called once a round: there the machine's limits are measured.
    """
    seconds: dict[str, list[float]] = {name: [] for name in turns}
    for done in range(max(repeats.values())):
        between()
        for name, take in turns.items():
            if done < repeats[name]:
                time.sleep(rest)
                seconds[name].append(take())
    return seconds


def spread(seconds: list[float]) -> float:
    """Say how far the median lies above the minimum, as a fraction of it."""
    return statistics.median(seconds) / min(seconds) - 1
