"""A real table read as one task: a target column y and feature columns X, all numbers.

Nothing is converted, chosen or left out in silence: what was done stands in `Table.notes`, and
what cannot be done is a `TableError` of one line that names the file and its columns.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from loopcore._columns import Column, Open, TableError, open_bytes, read_columns

__all__ = ["Table", "TableError", "read_table", "standardize"]

Array = npt.NDArray[np.float64]

_NAMES_SHOWN = 16


@dataclass(frozen=True, eq=False)
class Table:
    """One task read from a file.

    Attributes
    ----------
    X : ndarray, float64, shape (n, d)
        The feature columns, in the file's units unless `standardized`.
    y : ndarray, float64, shape (n,)
        The target column, likewise.
    feature_names : tuple of str, length d
        The names of X's columns.
    target_name : str
        The name of y's column.
    source : str
        The name of the file.
    notes : tuple of str
        What was converted or left out, one clause each.
    standardized : bool
        Whether `standardize` made it.
    """

    X: Array
    y: Array
    feature_names: tuple[str, ...]
    target_name: str
    source: str = "table"
    notes: tuple[str, ...] = ()
    standardized: bool = False


def read_table(
    path: str | os.PathLike[str],
    target: str,
    *,
    features: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    drop_missing: bool = False,
    separator: str | None = None,
    open_file: Open = open_bytes,
) -> Table:
    """Read a CSV, NPZ or Parquet file as one task.

    Parameters
    ----------
    path : path
        The file. Its ending decides how it is read:

        - ``.csv``, ``.tsv``: the first line names the columns (needs pandas);
        - ``.npz``: each 1-D array is a column under its own name, and each 2-D array ``A`` of shape
          (n, k) holds the columns ``A[0]`` … ``A[k-1]``; so an archive of ``X`` and ``y`` is read
          with ``target="y"``. If ``feature_names`` (k strings) lies beside ``X``, it names X's
          columns instead. Nothing is unpickled;
        - ``.parquet``: the columns of the file, an index among them (needs pyarrow).
    target : str
        The column to take as y.
    features : sequence of str, optional
        The columns to take as X, in this order. Every other column unless given.
    drop : sequence of str
        The columns to leave out of X. Give `features` or `drop`, not both.
    drop_missing : bool
        Leave out the rows that miss a value in a column in use. Without it they are an error.
    separator : str, optional
        What stands between a CSV's columns: a comma (in ``.tsv`` a tab) unless given.
    open_file : callable
        How to open a CSV for reading bytes, so that a caller can watch the reading.

    Returns
    -------
    Table
        X (n, d), y (n,) and their names, as float64.

    Raises
    ------
    TableError
        If the file cannot be read as one task; the text says what is wrong and where.

    Examples
    --------
    >>> import numpy as np, pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "small.npz")
    >>> np.savez(path, X=[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], y=[2, 3, 5])
    >>> table = read_table(path, "y")
    >>> table.X.shape, table.y, table.feature_names
    ((3, 2), array([2., 3., 5.]), ('X[0]', 'X[1]'))
    """
    path = Path(path)
    try:
        columns, file_notes = read_columns(path, separator, open_file)
    except FileNotFoundError:
        raise TableError(f"{path}: no such file") from None
    except OSError as error:
        raise TableError(f"{path}: {error.strerror or error}") from error
    names = _chosen(path.name, columns, target, features, drop)
    numbers, number_notes = _as_numbers(path.name, {k: columns[k] for k in (*names, target)})
    numbers, missing_notes = _complete(path.name, numbers, drop_missing)
    return Table(
        X=np.column_stack([numbers[name] for name in names]),
        y=numbers[target],
        feature_names=names,
        target_name=target,
        source=path.name,
        notes=(*file_notes, *number_notes, *missing_notes),
    )


def standardize(table: Table) -> Table:
    """Shift and scale every column of X, and y, to mean 0 and variance 1.

    Parameters
    ----------
    table : Table
        X (n, d) and y (n,), in any units.

    Returns
    -------
    Table
        The same columns, without units. The variance is the mean square, not divided by n − 1.

    Raises
    ------
    TableError
        If a column is constant, so that no scale makes its variance 1.

    Examples
    --------
    >>> import numpy as np
    >>> table = Table(np.array([[1.0], [2.0], [3.0]]), np.array([10.0, 10.0, 40.0]), ("a",), "b")
    >>> standardize(table).X.ravel().round(4), standardize(table).y.round(4)
    (array([-1.2247,  0.    ,  1.2247]), array([-0.7071, -0.7071,  1.4142]))
    """
    columns = np.column_stack([table.X, table.y])  # (n, d + 1)
    names = (*table.feature_names, table.target_name)
    constant = (columns == columns[0]).all(axis=0)
    if constant.any():
        raise TableError(
            f"{table.source}: constant columns have no scale to standardise by: "
            f"{_listed(name for name, is_so in zip(names, constant, strict=True) if is_so)}"
        )
    _, exponents = np.frexp(np.abs(columns).max(axis=0))
    columns = np.ldexp(columns, -exponents)  # exact, and now nothing overflows
    columns -= columns.mean(axis=0)
    columns -= columns.mean(axis=0)  # what rounding left of a mean far from 0
    columns /= np.sqrt(np.mean(columns * columns, axis=0))
    return replace(
        table,
        X=np.ascontiguousarray(columns[:, :-1]),
        y=np.ascontiguousarray(columns[:, -1]),
        notes=(*table.notes, "every column and the target standardised to mean 0, variance 1"),
        standardized=True,
    )


def _chosen(
    source: str,
    columns: Mapping[str, Column],
    target: str,
    features: Sequence[str] | None,
    drop: Sequence[str],
) -> tuple[str, ...]:
    """Choose X's columns; refuse names that are not there, and columns of different lengths."""
    if features is not None and drop:
        raise TableError("give the features to take or the columns to drop, not both")
    for role, wanted in (("target", [target]), ("feature", features or []), ("drop", drop)):
        for name in wanted:
            _require(source, columns, role, name)
    if target in drop or target in (features or []):
        raise TableError(f"{source}: {target!r} is the target, so it cannot be among the others")
    if features is None:
        names = tuple(name for name in columns if name != target and name not in drop)
    else:
        names = tuple(features)
    if not names:
        raise TableError(f"{source}: no column is left for X beside the target {target!r}")
    if len(set(names)) < len(names):
        raise TableError(f"{source}: a feature is given twice: {_listed(names)}")
    nameless = [name for name in names if re.fullmatch(r"#\d+", name)]
    if nameless and features is None:
        raise TableError(
            f"{source}: column {_listed(nameless)} has no name (an index?): drop it by that "
            "number, or choose the features"
        )
    lengths = {name: columns[name].size for name in (*names, target)}
    if len(set(lengths.values())) > 1:
        pairs = (f"{name} ({n})" for name, n in lengths.items())
        raise TableError(f"{source}: columns of different lengths: {_listed(pairs)}")
    if lengths[target] == 0:
        raise TableError(f"{source}: there are no rows")
    return names


def _require(source: str, columns: Mapping[str, Column], role: str, name: str) -> None:
    if name not in columns:
        close = difflib.get_close_matches(name, columns, n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise TableError(
            f"{source}: {role}: there is no column {name!r}{hint} among {_listed(columns)}"
        )


def _as_numbers(source: str, columns: Mapping[str, Column]) -> tuple[dict[str, Array], list[str]]:
    """Turn columns into float64; say where that changed a value's kind or its digits."""
    others = [f"{k} ({_example(c)})" for k, c in columns.items() if c.dtype.kind not in "biuf"]
    if others:
        raise TableError(
            f"{source}: columns that are not numbers: {_listed(others)}; drop them or choose "
            "the features"
        )
    numbers = {name: column.astype(np.float64) for name, column in columns.items()}
    truths = [name for name, column in columns.items() if column.dtype.kind == "b"]
    rounded = [name for name, column in columns.items() if _was_rounded(column, numbers[name])]
    notes = []
    if truths:
        notes.append(f"true and false read as 1 and 0: {_listed(truths)}")
    if rounded:
        notes.append(f"values of more than 53 bits rounded to float64: {_listed(rounded)}")
    return numbers, notes


def _example(column: Column) -> str:
    """Show a value for which a column is not one of numbers, or else its type."""
    for value in column:
        if isinstance(value, str):
            try:
                float(value)
            except ValueError:
                text = str(value)
                return repr(text if len(text) <= 24 else text[:21] + "...")
    return str(column.dtype.name)


def _was_rounded(column: Column, numbers: Array) -> bool:
    if column.dtype.kind in "iu":
        large = np.abs(numbers) >= 2.0**53  # the others are exact
        return any(int(a) != int(b) for a, b in zip(column[large], numbers[large], strict=True))
    return column.dtype.itemsize > 8 and bool(np.any((column != numbers) & ~np.isnan(numbers)))


def _complete(
    source: str, columns: Mapping[str, Array], drop_missing: bool
) -> tuple[dict[str, Array], list[str]]:
    """Refuse infinite values, and missing ones unless their rows are to be left out."""
    infinite = _counts({name: np.isinf(column) for name, column in columns.items()})
    if infinite:
        raise TableError(f"{source}: infinite values: {infinite}")
    missing = {name: np.isnan(column) for name, column in columns.items()}
    counts = _counts(missing)
    if not counts:
        return dict(columns), []
    if not drop_missing:
        raise TableError(
            f"{source}: missing values: {counts}; drop these columns, or those rows "
            "(drop_missing, --drop-missing)"
        )
    keep = ~np.any(list(missing.values()), axis=0)  # (n,)
    if not keep.any():
        raise TableError(f"{source}: every row misses a value: {counts}")
    note = f"{np.sum(~keep)} of {keep.size} rows left out for missing values: {counts}"
    return {name: column[keep] for name, column in columns.items()}, [note]


def _counts(masks: Mapping[str, npt.NDArray[np.bool_]]) -> str:
    return _listed(f"{name} ({np.sum(mask)})" for name, mask in masks.items() if mask.any())


def _listed(names: Iterable[str]) -> str:
    """Write names in one line of bounded length."""
    shown = list(names)
    more = len(shown) - _NAMES_SHOWN
    return ", ".join(shown[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
