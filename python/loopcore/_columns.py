"""The columns of a file by name, as they lie in it: CSV, NPZ and Parquet."""

from __future__ import annotations

import warnings
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

Column = npt.NDArray[Any]  # one axis; columns of one file may differ in length (NPZ)
Open = Callable[[Path], BinaryIO]


class TableError(ValueError):
    """A table that cannot be read as one task; its text is one line."""


def open_bytes(path: Path) -> BinaryIO:
    """Open a file for reading bytes."""
    return path.open("rb")


def read_columns(
    path: Path, separator: str | None, open_file: Open
) -> tuple[Mapping[str, Column], list[str]]:
    """Read every column of a file, and tell in notes what holds none.

    A column without a name is called ``#1``, ``#2``, … after its place.
    """
    suffix = path.suffix.lower()
    if suffix in {".csv", ".tsv"}:
        return _read_csv(path, separator or ("\t" if suffix == ".tsv" else ","), open_file), []
    if suffix == ".npz":
        return _read_npz(path)
    if suffix == ".parquet":
        return _read_parquet(path), []
    raise TableError(f"{path}: cannot tell its format: expected .csv, .tsv, .npz or .parquet")


def _read_csv(path: Path, separator: str, open_file: Open) -> Mapping[str, Column]:
    if len(separator) != 1:
        raise TableError(f"separator: expected one character, got {separator!r}")
    import pandas as pd
    from pandas.errors import EmptyDataError, ParserError, ParserWarning

    # Before 3.1 the default may be off in the last digit; since then it is exact.
    major, minor = map(int, pd.__version__.split(".")[:2])
    exact: dict[str, Any] = {"float_precision": "round_trip"} if (major, minor) < (3, 1) else {}
    try:
        with path.open("rb") as file:  # the names alone: pandas renames a repeated one to "a.1"
            head = pd.read_csv(
                file, sep=separator, header=None, nrows=1, dtype=str, keep_default_na=False
            )
        names = _names(path, [str(name) for name in head.iloc[0]])
        with open_file(path) as file, warnings.catch_warnings():
            warnings.simplefilter("error", ParserWarning)  # rows longer than the first line
            frame = pd.read_csv(
                file,
                sep=separator,
                header=0,
                names=names,
                index_col=False,
                low_memory=False,  # one type a column
                **exact,
            )
    except EmptyDataError:
        raise TableError(f"{path.name}: the file is empty") from None
    except (ParserError, ParserWarning) as error:
        reason = str(error).removeprefix("Error tokenizing data. C error: ")
        raise TableError(f"{path.name}: not a table: {' '.join(reason.split())}") from None
    except UnicodeDecodeError:  # pandas counts its bytes from somewhere inside the file
        raise TableError(f"{path.name}: not UTF-8 text") from None
    if len(names) == 1 and any(mark in names[0] for mark in ",;\t|"):
        raise TableError(
            f"{path.name}: only one column, {names[0]!r}: is {separator!r} the separator?"
        )
    return {name: frame[name].to_numpy() for name in names}


def _read_npz(path: Path) -> tuple[Mapping[str, Column], list[str]]:
    arrays = _load_npz(path)
    columns: list[tuple[str, Column]] = []
    notes: list[str] = []
    for key, array in arrays.items():
        shape = getattr(array, "shape", None)
        if shape is not None and len(shape) == 2:
            columns.extend(zip(_npz_names(path, key, arrays), array.T, strict=True))
        elif key == "feature_names" and "X" in arrays:
            continue
        elif shape is not None and len(shape) == 1:
            columns.append((key, array))
        else:
            kind = "no array" if shape is None else f"of shape {shape}"
            notes.append(f"{key} in {path.name} is {kind}, which holds no columns: left out")
    _names(path, [name for name, _ in columns])
    return dict(columns), notes


def _load_npz(path: Path) -> dict[str, Column]:
    try:
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file):
                raise TableError(f"{path.name}: not an NPZ archive")
            file.seek(0)
            with np.load(file, allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files}
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise TableError(f"{path.name}: a damaged NPZ archive: {error}") from None
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        raise TableError(
            f"{path.name}: holds pickled objects, which may run code and are not read: "
            "save arrays of numbers"
        ) from None


def _npz_names(path: Path, key: str, arrays: Mapping[str, Column]) -> list[str]:
    """Name the columns of a 2-D array: A[0], A[1], …, or for X by feature_names beside it."""
    d = arrays[key].shape[1]
    if key != "X" or "feature_names" not in arrays:
        return [f"{key}[{j}]" for j in range(d)]
    given = np.asarray(arrays["feature_names"])
    if given.shape != (d,) or given.dtype.kind != "U":
        raise TableError(
            f"{path.name}: feature_names: expected {d} strings to name the columns of X, got "
            f"{given.dtype.name} of shape {given.shape}"
        )
    return [str(name) for name in given]


def _read_parquet(path: Path) -> Mapping[str, Column]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError:
        raise TableError(
            f"{path.name}: reading Parquet needs pyarrow: pip install 'loopcore[parquet]'"
        ) from None

    with path.open("rb") as file:
        try:
            table = pq.read_table(file)
        except pa.ArrowException as error:
            reason = " ".join(str(error).split())
            raise TableError(f"{path.name}: not a Parquet file: {reason}") from None
    names = _names(path, [str(name) for name in table.column_names])
    return {name: column.to_numpy() for name, column in zip(names, table.columns, strict=True)}


def _names(path: Path, names: Sequence[str]) -> list[str]:
    """Give nameless columns a name, and refuse one that is given twice."""
    full = [name if name.strip() else f"#{j}" for j, name in enumerate(names, start=1)]
    repeated = [name for name in dict.fromkeys(full) if full.count(name) > 1]
    if repeated:
        more = f" (and {len(repeated) - 1} more names)" if len(repeated) > 1 else ""
        raise TableError(f"{path.name}: more than one column is called {repeated[0]!r}{more}")
    return full
