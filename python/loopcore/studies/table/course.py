"""The course of one run: its errors loop by loop, followed in segments so that a bar can move."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

import loopcore
from loopcore import reference, theory
from loopcore.studies.frame.progress import Progress, silent
from loopcore.studies.table.steps import Steps

Array = npt.NDArray[np.float64]
Task = tuple[Array, Array, float]  # X (n, d), y (n,), α

TOLERANCES = (1e-3, 1e-6, 1e-12)

_CURVE_POINTS = 2000
_SEGMENT_FLOPS = 1e8  # a few tenths of a second
_SEGMENT_LOOPS = 1_000_000
_SEARCH_FLOPS = 4e9
_SEARCH_LOOPS = 1_000_000


class Course:
    """What is kept of a run while it goes on.

    Attributes
    ----------
    v : ndarray, shape (d,)
        v(T).
    at, curve : ndarray, shape (K,)
        Numbers of loops from 0 to T, and the relative errors after them.
    loops_needed : dict of float to int or None
        For each of `TOLERANCES` the first loop whose relative error is at most that, or None.
    searched : int
        Up to which loop that was looked for.
    """

    def __init__(self, T: int, d: int) -> None:
        self.v = np.zeros(d)
        self.at = np.unique(np.rint(np.linspace(0, T, _CURVE_POINTS)).astype(np.int64))
        self.curve = np.full(self.at.size, np.nan)
        self.loops_needed: dict[float, int | None] = dict.fromkeys(TOLERANCES)
        self.searched = 0
        self._T = T

    @property
    def is_complete(self) -> bool:
        """Whether T is reached and every tolerance is met."""
        return self.searched >= self._T and None not in self.loops_needed.values()

    def keep(self, start: int, errors: Array, v: Array) -> None:
        """Keep what matters of the errors after loops start, start + 1, … and of the last v."""
        stop = start + errors.size - 1
        if stop <= self._T:
            inside = (self.at >= start) & (self.at <= stop)
            self.curve[inside] = errors[self.at[inside] - start]
            self.v = v

    def search(self, start: int, errors: Array) -> None:
        """Look for the first loops within the tolerances."""
        self.searched = start + errors.size - 1
        for tolerance, loop in self.loops_needed.items():
            if loop is None and (errors <= tolerance).any():
                self.loops_needed[tolerance] = start + int(np.argmax(errors <= tolerance))


def follow(task: Task, T: int, steps: Steps, theta: Array, progress: Progress = silent) -> Course:
    """Run T loops, and on as far as the tolerances need or as a second allows.

    Parameters
    ----------
    task : tuple
        X (n, d), y (n,) and α.
    T : int
        The number of loops asked for.
    steps : Steps
        The step sizes.
    theta : ndarray, shape (d,)
        What relative errors are measured against.
    progress : callable
        Called with "looping", the loops done, and the loops to do at most.

    Returns
    -------
    Course
        No search where only the last loop means anything: there it ends at T.
    """
    course = Course(T, theta.size)
    end = _search_end(task, T, steps)
    progress("looping", 0, end)
    for start, errors, v in _segments(task, T, end, steps, theta):
        course.keep(start, errors, v)
        if not steps.last_loop_only:
            course.search(start, errors)
        progress("looping", start + errors.size - 1, end)
        if course.is_complete:
            break
    return course


def _segments(
    task: Task, T: int, end: int, steps: Steps, theta: Array
) -> Iterator[tuple[int, Array, Array]]:
    """Loop to `end` in segments, one of them ending at T; give each one's start, errors, last v."""
    X, y, alpha = task
    n, d = X.shape
    # Every segment reads X anew: n/2 loops of d² cost about as much.
    length = min(max(int(_SEGMENT_FLOPS / (2 * d * d)), n // 2, 1), _SEGMENT_LOOPS)
    beyond = [*range(T + length, end, length), end] if end > T else []
    options: dict[str, Any] = {"eta": steps.eta}
    in_parts = steps.eta == "chebyshev" and length < T
    if in_parts:
        schedule = reference.step_sizes(X, T, eta="chebyshev")  # (T,)
    start = 0
    for stop in chain(range(length, T, length), [T], beyond):
        if in_parts:
            options = {**options, "eta": None, "schedule": schedule[start:stop]}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", loopcore.DivergenceWarning)  # v tells
            errors = loopcore.errors(
                X, y, alpha, stop - start, theta=theta, relative=True, **options
            )
            v = loopcore.run(X, y, alpha, stop - start, **options)
        yield start, np.asarray(errors, np.float64), np.asarray(v, np.float64)
        if not np.isfinite(v).all():
            return
        options["q0"] = -v
        start = stop


def _search_end(task: Task, T: int, steps: Steps) -> int:
    """Choose how far to look for the tolerances: far enough for all, or about a second."""
    X, _, alpha = task
    n, d = X.shape
    # not < 1 holds for NaN (X = 0) too
    if steps.last_loop_only or alpha == 0 or not steps.worst_case(1) < 1:
        return T
    # Near 1e-12 rounding may cost some loops more.
    enough = theory.fewest_loops(TOLERANCES[-1], steps.worst_case) + 10
    affordable = int(min(_SEARCH_FLOPS / (2 * d * min(n, d)), _SEARCH_LOOPS))
    return max(T, min(enough, affordable))
