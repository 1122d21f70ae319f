"""Progress: a bar on a terminal once a run takes longer than two seconds, nothing in a pipe."""

from __future__ import annotations

import io
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from tqdm import tqdm

Progress = Callable[[str, int, int], None]  # stage, done, total

_QUIET_SECONDS = 2.0
_REFRESH_SECONDS = 0.5
_PATIENCE_SECONDS = 2.0  # for the clock, which an interrupt within tqdm leaves without tqdm's lock


def silent(stage: str, done: int, total: int) -> None:
    """Report nothing; what a computation calls unless told otherwise."""


class ProgressBar:
    """A bar for each stage of one run; call it with (stage, done, total).

    Examples
    --------
    >>> with ProgressBar() as progress:  # prints nothing here: this is quick, and no terminal
    ...     progress("looping", 10, 100)
    """

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._stage = ""
        self._bar: tqdm[Any] | None = None
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._clock = threading.Thread(target=self._keep_fresh, daemon=True)

    def __enter__(self) -> ProgressBar:
        """Start the clock that shows the time within long parts too."""
        self._clock.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the bar off the terminal."""
        self._ended.set()
        self._clock.join(_PATIENCE_SECONDS)
        if self._bar is not None:
            self._bar.close()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show that `done` of `total` parts of a stage are done.

        What the first call for a stage finds done does not count for the time left.
        """
        with self._lock:
            if self._bar is None or stage != self._stage:
                self._begin(stage, done, total)
            assert self._bar is not None
            self._bar.update(done - self._bar.n)

    def open(self, path: Path) -> BinaryIO:
        """Open a file so that the bar moves as it is read."""
        return io.BufferedReader(_Watched(path, self), buffer_size=1 << 20)

    def _begin(self, stage: str, done: int, total: int) -> None:
        if self._bar is not None:
            self._bar.close()
        self._stage = stage
        columns, lines = shutil.get_terminal_size()  # 80, 24 where a terminal does not tell
        self._bar = tqdm(
            total=total,
            initial=done,
            desc=stage,
            file=sys.stderr,
            disable=None,  # None: quiet unless the stream is a terminal
            delay=max(self._start + _QUIET_SECONDS - time.monotonic(), 1e-3),
            leave=False,
            ncols=columns,
            nrows=lines,
            unit_scale=total >= 1000,
        )

    def _keep_fresh(self) -> None:
        while not self._ended.wait(_REFRESH_SECONDS):
            with self._lock:
                if self._bar is not None and time.monotonic() > self._start + _QUIET_SECONDS:
                    self._bar.refresh()


class _Watched(io.FileIO):
    """A file that reports how much of it was read."""

    def __init__(self, path: Path, progress: Progress) -> None:
        super().__init__(path, "rb")
        self._report = progress
        self._size = os.fstat(self.fileno()).st_size

    def readinto(self, buffer: bytearray | memoryview, /) -> int | None:  # type: ignore[override]
        count = super().readinto(buffer)
        self._report("reading", self.tell(), self._size)
        return count
