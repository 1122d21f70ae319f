import dataclasses
import signal
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from loopcore.studies.frame.parts import Parts, keeping, origin
from loopcore.studies.frame.result_files import write_npz


class Cell(NamedTuple):
    value: np.ndarray
    curve: np.ndarray


@dataclasses.dataclass(frozen=True)
class Settings:
    seed: int = 0


def measure(key):
    return Cell(key[1] ** 2, np.arange(key[1]) + 0.1)


KEYS = [("a", 1), ("a", 2), ("b", 3)]


def interrupted_after(count):
    """Measure some parts, then be interrupted."""
    left = iter(range(count))

    def measured(key):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return measure(key)

    return measured


def test_parts_come_in_order_as_arrays_and_move_the_bar():
    calls = []
    found = Parts(lambda *call: calls.append(call))("stage", KEYS, Cell, measure)
    assert all(isinstance(cell, Cell) for cell in found)
    assert [cell.value.item() for cell in found] == [1, 4, 9]
    assert all(isinstance(field, np.ndarray) for cell in found for field in cell)
    assert calls == [("stage", done, 3) for done in (0, 1, 2, 3)]


def test_the_bar_starts_after_the_parts_that_are_kept():
    calls, kept = [], {}
    Parts(kept=kept)("stage", KEYS[:2], Cell, measure)
    for _ in range(2):
        Parts(lambda *call: calls.append(call), kept)("stage", KEYS, Cell, measure)
    assert calls == [("stage", 2, 3), ("stage", 3, 3), ("stage", 3, 3)]


def test_an_interrupted_study_goes_on_from_what_is_kept(tmp_path):
    path, said = tmp_path / "study.kept.npz", []
    with pytest.raises(KeyboardInterrupt), keeping(path, Settings(), say=said.append) as parts:
        parts("stage", KEYS, Cell, interrupted_after(2))
    assert said == [f"2 parts kept in {path}: the same command goes on from there"]
    calls = []
    with keeping(path, Settings(), say=said.append) as parts:
        found = parts("stage", KEYS, Cell, lambda key: calls.append(key) or measure(key))
    assert said[1:] == [f"going on from 2 parts kept in {path}"]
    assert calls == KEYS[2:]
    for cell, known in zip(found, map(measure, KEYS), strict=True):
        assert cell.value == known.value
        assert np.array_equal(cell.curve, known.curve)
    assert not path.exists()


def test_what_was_kept_outlives_a_second_interruption(tmp_path):
    path, said = tmp_path / "study.kept.npz", []
    for count in (1, 1, 0):
        with pytest.raises(KeyboardInterrupt), keeping(path, Settings(), say=said.append) as parts:
            parts("stage", KEYS, Cell, interrupted_after(count))
    assert [line.partition(" kept in")[0] for line in said] == [
        "1 part",
        "going on from 1 part",
        "2 parts",
        "going on from 2 parts",
        "2 parts",
    ]
    assert path.exists()


def test_a_second_ctrl_c_does_not_lose_what_is_being_kept(tmp_path, monkeypatch):
    path, said = tmp_path / "study.kept.npz", []

    def disturbed(path, arrays):
        signal.raise_signal(signal.SIGINT)
        write_npz(path, arrays)

    monkeypatch.setattr("loopcore.studies.frame.parts.write_npz", disturbed)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), keeping(path, Settings(), say=said.append) as parts:
        parts("stage", KEYS, Cell, interrupted_after(2))
    assert said == [f"2 parts kept in {path}: the same command goes on from there"]
    assert path.exists()
    assert signal.getsignal(signal.SIGINT) is before


def test_a_full_disk_is_said_and_the_study_ends_as_it_would(tmp_path, monkeypatch):
    path, said = tmp_path / "study.kept.npz", []
    with pytest.raises(KeyboardInterrupt), keeping(path, Settings(), say=str) as parts:
        parts("stage", KEYS, Cell, interrupted_after(1))

    def full(path, _):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("loopcore.studies.frame.parts.write_npz", full)
    with pytest.raises(KeyboardInterrupt), keeping(path, Settings(), say=said.append) as parts:
        parts("stage", KEYS, Cell, interrupted_after(1))
    problem = f"[Errno 28] No space left on device: '{path}'"
    assert said == [f"going on from 1 part kept in {path}", f"1 part not kept: {problem}"]
    assert path.exists()


def test_stages_do_not_share_parts():
    kept = {}
    parts = Parts(kept=kept)
    parts("one", [1], Cell, lambda _: Cell(1, 1))
    (two,) = parts("two", [1], Cell, lambda _: Cell(2, 2))
    assert two.value == 2
    assert len(kept) == 2


def test_parts_of_other_settings_are_not_used(tmp_path):
    path = tmp_path / "study.kept.npz"
    with pytest.raises(KeyboardInterrupt), keeping(path, Settings(), say=str) as parts:
        parts("stage", KEYS, Cell, interrupted_after(2))
    said, calls = [], []
    with keeping(path, Settings(seed=1), say=said.append) as parts:
        parts("stage", KEYS, Cell, lambda key: calls.append(key) or measure(key))
    assert calls == KEYS
    assert said == []


def test_parts_of_a_file_that_has_changed_are_not_used(tmp_path):
    @dataclasses.dataclass(frozen=True)
    class Named:
        text: Path

    path, settings = tmp_path / "study.kept.npz", Named(tmp_path / "text")
    assert origin(settings) == origin(settings)  # also where the file is missing
    settings.text.write_text("one")
    with pytest.raises(KeyboardInterrupt), keeping(path, settings, say=str) as parts:
        parts("stage", KEYS, Cell, interrupted_after(2))
    settings.text.write_text("two")
    calls = []
    with keeping(path, settings, say=pytest.fail) as parts:
        parts("stage", KEYS, Cell, lambda key: calls.append(key) or measure(key))
    assert calls == KEYS


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", b"something else"])
def test_a_file_that_keeps_nothing_is_as_none(tmp_path, content):
    path = tmp_path / "study.kept.npz"
    path.write_bytes(content)
    with keeping(path, Settings(), say=pytest.fail) as parts:
        assert len(parts("stage", KEYS, Cell, measure)) == 3


def test_nothing_is_written_where_nothing_was_measured(tmp_path):
    path, said = tmp_path / "study.kept.npz", []
    with pytest.raises(KeyboardInterrupt), keeping(path, Settings(), say=said.append):
        raise KeyboardInterrupt
    assert said == []
    assert not path.exists()


def test_parts_of_a_study_that_ended_are_kept_where_asked(tmp_path):
    path = tmp_path / "study.kept.npz"
    with keeping(path, Settings(), say=str, always=True) as parts:
        parts("stage", KEYS, Cell, measure)
    said = []
    with keeping(path, Settings(), say=said.append) as parts:
        parts("stage", KEYS, Cell, pytest.fail)
    assert said == [f"going on from 3 parts kept in {path}"]
