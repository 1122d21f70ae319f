"""The parts of a study: measured one by one, and kept where a study is interrupted."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import signal
import threading
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from loopcore.studies.frame.progress import Progress, silent
from loopcore.studies.frame.result_files import plain, versions, write_npz

Array = npt.NDArray[Any]
Key = TypeVar("Key")


class _Part(Protocol):
    """A NamedTuple of numbers and arrays."""

    def __iter__(self) -> Iterator[Any]: ...


P = TypeVar("P", bound=_Part)


class Parts:
    """Measures the parts of a study, moves the bar, and remembers what is done.

    Parameters
    ----------
    progress : callable
        The bar.
    kept : dict, optional
        Parts that were measured before, by stage and key; those measured now are added. None keeps
        nothing.

    Examples
    --------
    >>> from typing import NamedTuple
    >>> class Square(NamedTuple):
    ...     value: np.ndarray
    >>> squares = Parts()("squaring", [1, 2, 3], Square, lambda x: Square(x * x))
    >>> [int(square.value) for square in squares]
    [1, 4, 9]
    """

    def __init__(
        self, progress: Progress = silent, kept: dict[str, tuple[Array, ...]] | None = None
    ) -> None:
        self._progress = progress
        self._kept = kept

    def __call__(
        self,
        stage: str,
        keys: Iterable[Key],
        kind: Callable[..., P],
        measure: Callable[[Key], P],
    ) -> list[P]:
        """Measure one part for each key, unless it is kept.

        Parameters
        ----------
        stage : str
            What the bar shows; no two stages of a study share a name.
        keys : iterable
            What the parts are of: numbers, names, or tuples of these. A part takes seconds at most,
            or the bar stands and Ctrl-C loses much, and does not depend on other parts.
        kind : NamedTuple class
            What a part is: numbers and arrays.
        measure : callable
            Measures the part of a key.

        Returns
        -------
        list of kind
            One part a key, in their order; every field an array, whether measured or kept.
        """
        keys = list(keys)
        kept = {} if self._kept is None else self._kept
        names = [f"{stage}: {key}" for key in keys]
        ready = next((k for k, name in enumerate(names) if name not in kept), len(keys))
        self._progress(stage, ready, len(keys))  # the bar's clock starts where the work does
        parts = []
        for done, (name, key) in enumerate(zip(names, keys, strict=True), 1):
            fields = kept.get(name)
            if fields is None:
                fields = tuple(np.asarray(field) for field in measure(key))
                if self._kept is not None:
                    self._kept[name] = fields
            parts.append(kind(*fields))
            if done > ready:
                self._progress(stage, done, len(keys))
        return parts


SILENT = Parts()
"""Shows nothing and keeps nothing: what a study measures its parts with unless told otherwise."""


@contextmanager
def keeping(
    path: Path,
    settings: Any,
    progress: Progress = silent,
    say: Callable[[str], None] = print,
    *,
    always: bool = False,
) -> Iterator[Parts]:
    """Keep the parts of a study in a file if it is interrupted or fails, and go on from them.

    Parameters
    ----------
    path : path
        The file, NPZ without pickles; taken away once the study ends well.
    settings : dataclass
        What the parts depend on: those of another `origin` are not used.
    progress : callable
        The bar.
    say : callable
        Takes a sentence for the user.
    always : bool
        Keep the parts of a study that ends well too.
    """
    made_by = origin(settings)
    kept = _read(path, made_by)
    found = len(kept)
    if found:
        say(f"going on from {_count(found)} kept in {path}")
    try:
        yield Parts(progress, kept)
    except BaseException:
        with _undisturbed():
            try:
                _keep(path, made_by, kept, found)
            except OSError as problem:  # a full disk, say; why the study ended matters more
                say(f"{_count(len(kept) - found)} not kept: {problem}")
            else:
                if kept:
                    say(f"{_count(len(kept))} kept in {path}: the same command goes on from there")
        raise
    if always:
        _keep(path, made_by, kept, found)
    else:
        path.unlink(missing_ok=True)


def origin(settings: Any) -> str:
    """Return a text of what parts depend on: settings, files that they name, and versions."""
    values = [getattr(settings, field.name) for field in dataclasses.fields(settings)]
    files = [_digest(value) for value in values if isinstance(value, Path)]
    return json.dumps([versions(), plain(settings), files])


def _digest(path: Path) -> str:
    """Return what tells a file's content from others, nothing where it is no file."""
    if not path.is_file():
        return ""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Ignore Ctrl-C, which people press twice; only the main thread can."""
    alone = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT) if alone else None
    if before is None:  # also a handler that Python did not set, and could not set again
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _keep(path: Path, made_by: str, kept: dict[str, tuple[Array, ...]], found: int) -> None:
    if len(kept) > found:
        named = {f"{name}|{i}": a for name, part in kept.items() for i, a in enumerate(part)}
        write_npz(path, {"origin": np.array(made_by), **named})


def _read(path: Path, made_by: str) -> dict[str, tuple[Array, ...]]:
    """Return the parts in a file, none where it is not there or has another origin."""
    if not zipfile.is_zipfile(path):  # missing, or something else
        return {}
    try:
        with np.load(path, allow_pickle=False) as archive:
            if str(archive["origin"]) != made_by:
                return {}
            fields: dict[str, list[Array]] = {}
            for name in archive.files:  # in the order in which they were written
                if name != "origin":
                    fields.setdefault(name.rpartition("|")[0], []).append(archive[name])
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):  # not what `keeping` writes
        return {}
    return {name: tuple(part) for name, part in fields.items()}


def _count(parts: int) -> str:
    return "1 part" if parts == 1 else f"{parts:,} parts"
