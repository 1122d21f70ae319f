"""The tables: those that ship with scikit-learn and statsmodels, and a file of the user's.

Which column is the target was fixed before anything was measured [ours]: the target that the
package names, where it is a number; else the first measured column, of digits the pixel in the
middle, of months and years the last one, of modechoice the cost. Classes and numbers of rows are
left out.

Of statsmodels' tables those with fewer than three features are left out (cancer, china_smoking,
co2, engel, heart, interest_inflation, nile, strikes, sunspots), and small ones (committee, copper,
cpunish, danish_data, spector, stackloss) but for longley, the textbooks' example of a large κ.

Every table becomes numbers in the same way. Columns without any value are left out, then rows that
miss one. A column of categories becomes an indicator for each category but the first. Columns that
are constant, or equal to an earlier one, are left out; the notes say what was done.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loopcore.tables import Table, TableError, read_table

Array = npt.NDArray[np.float64]


class _Source(NamedTuple):
    """How a table is made of what a package has."""

    target: str
    categories: tuple[str, ...] = ()
    """Columns whose numbers are only names."""
    drop: tuple[str, ...] = ()
    why: str = ""
    """Why these are left out."""


_SKLEARN = {
    "breast_cancer": _Source("mean radius"),
    "diabetes": _Source("progression"),
    "digits": _Source("pixel_4_4"),
    "iris": _Source("sepal length (cm)"),
    "linnerud": _Source("Weight"),
    "wine": _Source("alcohol"),
}
_STATSMODELS = {
    "anes96": _Source("PID", drop=("popul",), why="a function of logpopul"),
    "ccard": _Source("AVGEXP"),
    "elnino": _Source("DEC", drop=("YEAR",), why="the number of the row"),
    "fair": _Source("affairs", categories=("occupation", "occupation_husb")),
    "fertility": _Source(
        "2011",
        drop=("Country Name", "Country Code", "Indicator Name", "Indicator Code"),
        why="names",
    ),
    "grunfeld": _Source("invest", categories=("firm",)),
    "longley": _Source("TOTEMP"),
    "macrodata": _Source("realgdp", drop=("year", "quarter"), why="the number of the row"),
    "modechoice": _Source("gc", ("mode",), ("individual",), "the number of the person"),
    "randhie": _Source("mdvis"),
    "scotland": _Source("YES"),
    "star98": _Source("share above the median", drop=("NABOVE", "NBELOW"), why="its parts"),
    "statecrime": _Source("murder", drop=("violent",), why="murders are a part of it"),
}

NAMES = (*_SKLEARN, *_STATSMODELS)
"""The shipped tables."""

Columns = dict[str, npt.NDArray[Any]]


def shipped(name: str) -> Table:
    """Return one of the tables that ship with a package, as numbers.

    Parameters
    ----------
    name : str
        One of `NAMES`.

    Returns
    -------
    Table
        X (n, d) and y (n,), in the units of the source.

    Raises
    ------
    ModuleNotFoundError
        Without scikit-learn, or without statsmodels, for the tables of theirs.
    ValueError
        If there is no such table.

    Examples
    --------
    >>> table = shipped("iris")
    >>> table.X.shape, table.target_name
    ((150, 3), 'sepal length (cm)')
    """
    if name in _SKLEARN:
        return _table(name, _from_sklearn(name), _SKLEARN[name])
    if name in _STATSMODELS:
        return _table(name, _from_statsmodels(name), _STATSMODELS[name])
    raise ValueError(f"tables: expected some of {', '.join(NAMES)}, got {name!r}")


def from_file(path: Path, target: str, drop: tuple[str, ...] = ()) -> Table:
    """Return a table of the user's, as numbers.

    Raises
    ------
    TableError
        If the file cannot be read as one task, or too little is left of it.
    """
    table = read_table(path, target, drop=drop, drop_missing=True)
    columns = dict(zip(table.feature_names, table.X.T, strict=True))
    kept, notes = _informative(columns)
    if not kept or np.ptp(table.y) == 0:
        what = "the target is constant" if kept else "no feature varies"
        raise TableError(f"{table.source}: {what}, and there is nothing to predict")
    return Table(
        np.column_stack(list(kept.values())),
        table.y,
        tuple(kept),
        target,
        table.source,
        (*table.notes, *notes),
    )


def _from_sklearn(name: str) -> Columns:
    datasets = importlib.import_module("sklearn.datasets")
    load = getattr(datasets, f"load_{name}")
    bunch = load(scaled=False) if name == "diabetes" else load()
    columns = dict(zip(map(str, bunch.feature_names), np.asarray(bunch.data).T, strict=True))
    if name == "diabetes":
        columns["progression"] = np.asarray(bunch.target)
    if name == "linnerud":
        columns["Weight"] = np.asarray(bunch.target)[:, 0]
    return columns


def _from_statsmodels(name: str) -> Columns:
    frame = importlib.import_module(f"statsmodels.datasets.{name}").load_pandas().data
    columns = {str(column): frame[column].to_numpy() for column in frame.columns}
    if name == "star98":
        above, below = columns["NABOVE"], columns["NBELOW"]
        columns["share above the median"] = above / (above + below)
    return columns


def _table(name: str, columns: Columns, source: _Source) -> Table:
    """Turn columns into numbers, and note what that left out."""
    notes = []
    if source.drop:
        notes.append(f"left out ({source.why}): {', '.join(source.drop)}")
    used = {k: v for k, v in columns.items() if k not in source.drop}
    categories = {k: used.pop(k) for k in source.categories}
    numbers = {k: np.asarray(v, np.float64) for k, v in used.items()}
    empty = [k for k, v in numbers.items() if np.isnan(v).all()]
    if empty:
        notes.append(f"left out, without any value: {', '.join(empty)}")
        numbers = {k: v for k, v in numbers.items() if k not in empty}
    whole = ~np.any([np.isnan(v) for v in numbers.values()], axis=0)  # (n,)
    if not whole.all():
        notes.append(f"{np.sum(~whole)} of {whole.size} rows left out, which miss a value")
        numbers = {k: v[whole] for k, v in numbers.items()}
    y = numbers.pop(source.target)
    for k, v in categories.items():
        kinds = np.unique(v[whole])
        notes.append(f"{k}: indicators of {len(kinds) - 1} of its {len(kinds)} categories")
        numbers |= {f"{k} = {kind}": (v[whole] == kind).astype(np.float64) for kind in kinds[1:]}
    kept, said = _informative(numbers)
    X = np.column_stack(list(kept.values()))
    return Table(X, y, tuple(kept), source.target, name, (*notes, *said))


def _informative(columns: dict[str, Array]) -> tuple[dict[str, Array], list[str]]:
    """Leave out columns that are constant, or equal to an earlier one."""
    notes = []
    constant = [k for k, v in columns.items() if np.ptp(v) == 0]
    if constant:
        notes.append(f"left out, constant: {', '.join(constant)}")
    kept: dict[str, Array] = {}
    seen: dict[bytes, str] = {}
    for k, v in columns.items():
        if k in constant:
            continue
        first = seen.setdefault(np.ascontiguousarray(v + 0.0).tobytes(), k)  # −0.0 becomes 0.0
        if first == k:
            kept[k] = v
        else:
            notes.append(f"left out, equal to {first}: {k}")
    return kept, notes
