import contextlib
import io
import os
import sys
import time

import pytest
from tqdm import tqdm

from loopcore.studies.frame import progress
from loopcore.studies.frame.progress import ProgressBar


class Terminal:
    """A pseudo-terminal: `stream` writes to it, `shown` reads what it would show."""

    def __init__(self):
        self._master, slave = pytest.importorskip("pty").openpty()
        self.stream = os.fdopen(slave, "w", buffering=1)
        os.set_blocking(self._master, False)

    def shown(self):
        parts = []
        with contextlib.suppress(BlockingIOError):
            while part := os.read(self._master, 65536):
                parts.append(part)
        return b"".join(parts).decode()

    def close(self):
        self.stream.close()
        os.close(self._master)


@pytest.fixture
def terminal():
    terminal = Terminal()
    yield terminal
    terminal.close()


def test_a_terminal_shows_stages_and_shares(terminal, monkeypatch):
    monkeypatch.setattr(sys, "stderr", terminal.stream)
    monkeypatch.setattr(progress, "_QUIET_SECONDS", -1.0)
    clock = iter(range(1000))
    monkeypatch.setattr("tqdm.std.time", lambda: float(next(clock)))
    with ProgressBar() as bar:
        for done in range(0, 101, 10):
            bar("reading", done, 100)
        for done in range(0, 51, 10):
            bar("looping", done, 50)
    text = terminal.shown()
    assert "reading:  50%" in text
    assert "looping:  40%" in text
    assert text.index("reading") < text.index("looping")


def test_the_time_left_counts_only_what_was_done_since(terminal, monkeypatch):
    monkeypatch.setattr(sys, "stderr", terminal.stream)
    monkeypatch.setattr(progress, "_QUIET_SECONDS", -1.0)
    clock = iter(range(1000))
    monkeypatch.setattr("tqdm.std.time", lambda: float(next(clock)))
    with ProgressBar() as bar:
        bar("looping", 40, 50)
        bar("looping", 41, 50)
    text = terminal.shown()
    assert "41/50" in text
    assert "s/it" in text
    assert "it/s" not in text.partition("41/50")[2]


def test_a_long_part_is_seen_before_it_ends(terminal, monkeypatch):
    monkeypatch.setattr(sys, "stderr", terminal.stream)
    monkeypatch.setattr(progress, "_QUIET_SECONDS", -1.0)
    monkeypatch.setattr(progress, "_REFRESH_SECONDS", 0.01)
    text, deadline = "", time.monotonic() + 30
    with ProgressBar() as bar:
        bar("decomposing", 0, 2)
        while "decomposing:   0%" not in text and time.monotonic() < deadline:
            text += terminal.shown()
    assert "decomposing:   0%" in text


def test_an_interrupt_within_tqdm_ends_the_bar_too(terminal, monkeypatch):
    monkeypatch.setattr(sys, "stderr", terminal.stream)
    monkeypatch.setattr(progress, "_QUIET_SECONDS", -1.0)
    monkeypatch.setattr(progress, "_REFRESH_SECONDS", 0.01)
    monkeypatch.setattr(progress, "_PATIENCE_SECONDS", 0.1)
    lock = tqdm.get_lock()

    def loop():
        with ProgressBar() as bar:
            bar("looping", 0, 2)
            lock.acquire()  # which tqdm does not release if its drawing is interrupted
            time.sleep(0.1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loop()
    lock.release()


def test_nothing_is_shown_within_the_first_seconds(terminal, monkeypatch):
    monkeypatch.setattr(sys, "stderr", terminal.stream)
    with ProgressBar() as bar:
        for done in range(1000):
            bar("looping", done, 1000)
    assert "looping" not in terminal.shown()


def test_a_pipe_shows_nothing(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress, "_QUIET_SECONDS", -1.0)
    with ProgressBar() as bar:
        for done in range(1000):
            bar("looping", done, 1000)
    assert stream.getvalue() == ""


def test_reading_a_file_reports_its_bytes(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 20_000)
    calls = []
    monkeypatch.setattr(ProgressBar, "__call__", lambda _, *call: calls.append(call))
    with ProgressBar() as bar, bar.open(path) as file:
        assert b"".join(file) == path.read_bytes()  # line by line
    assert {call[0] for call in calls} == {"reading"}
    assert {call[2] for call in calls} == {5_120_000}
    done = [call[1] for call in calls]
    assert done == sorted(done)
    assert done[-1] == 5_120_000
    assert len(set(done)) > 2
