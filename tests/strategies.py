"""What the tests run over: paths, types, kinds of step, memory layouts, random tasks of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import strategies as st
from numpy.typing import NDArray

Array = NDArray[Any]


# Paths and kinds of step ---------------------------------------------------------------------

PATHS = ["stream", "gram", "power", "tridiagonal"]
# Read out loop by loop these compute what they compute for the last loop alone; powers do not, for
# they never pass through the other loops.
LOOPING = [path for path in PATHS if path != "power"]
DTYPES = [np.float32, np.float64]
T = 25
STEPS: dict[str, dict[str, Any]] = {
    "none": {},
    "eta": {"eta": 0.01},
    "optimal": {"eta": "optimal"},
    "chebyshev": {"eta": "chebyshev"},
    "schedule": {"schedule": np.linspace(0.002, 0.02, T)},
}


def paths_for(keywords: dict[str, Any]) -> list[str]:
    """Return the paths that serve the kind of step of a call: powers need a constant one."""
    eta = keywords.get("eta")
    varies = keywords.get("schedule") is not None or (isinstance(eta, str) and eta == "chebyshev")
    return [path for path in PATHS if not (varies and path == "power")]


def paths_and_steps(*more: str) -> pytest.MarkDecorator:
    """Parametrize a test over every path and each kind of step that it serves, as path and steps.

    `more` names paths besides: "auto".
    """
    pairs = [(p, steps) for steps in STEPS for p in (*more, *paths_for(STEPS[steps]))]
    return pytest.mark.parametrize(("path", "steps"), pairs)


def stable(steps: str, n: int, d: int) -> dict[str, Any]:
    """Return STEPS[steps], given ones made small enough for a Gaussian X of (n, d)."""
    lambda_max = (np.sqrt(n) + np.sqrt(d)) ** 2
    factor = min(1, 80 / lambda_max)
    return {
        keyword: value if isinstance(value, str) else value * factor
        for keyword, value in STEPS[steps].items()
    }


def problem(
    rng: np.random.Generator, lead: tuple[int, ...], n: int, d: int, dtype: Any = np.float64
) -> tuple[Array, Array, Array, Array]:
    """Return Gaussian X, y and q0, and alpha in float64: (X, y, alpha, q0)."""
    X = rng.normal(size=(*lead, n, d)).astype(dtype)
    y = rng.normal(size=(*lead, n)).astype(dtype)
    q0 = rng.normal(size=(*lead, d)).astype(dtype)
    return X, y, np.asarray(rng.normal(size=lead)), q0


# Memory layouts: each returns an array equal to `a` that lies differently in memory ---------


def _reversed_axes(a: Array) -> Array:
    """Every stride negative."""
    return np.flip(np.flip(a).copy())


def _rows_by_column(a: Array) -> Array:
    """Column by column within a task, tasks in C order."""
    return a.swapaxes(-1, -2).copy().swapaxes(-1, -2) if a.ndim > 1 else a.copy()


def _sliced(a: Array) -> Array:
    """Every third element of every axis of a larger array, which holds NaN in between."""
    filler = np.nan if a.dtype.kind == "f" else 1
    larger = np.full([3 * size + 1 for size in a.shape], filler, a.dtype)
    view = larger[(..., *[slice(1, None, 3)] * a.ndim)]
    view[...] = a
    return view


def _unaligned(a: Array) -> Array:
    """One byte past the alignment of the type."""
    buffer = np.zeros(a.nbytes + 1, np.uint8)
    view = buffer[1:].view(a.dtype).reshape(a.shape)
    view[...] = a
    return view


def _read_only(a: Array) -> Array:
    a = a.copy()
    a.flags.writeable = False
    return a


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "C": lambda a: a.copy("C"),
    "Fortran": lambda a: a.copy("F"),
    "by column": _rows_by_column,
    "negative strides": _reversed_axes,
    "sliced": _sliced,
    "byte-swapped": lambda a: a.astype(a.dtype.newbyteorder()),
    "byte-swapped and sliced": lambda a: _sliced(a.astype(a.dtype.newbyteorder())),
    "unaligned": _unaligned,
    "read-only": _read_only,
}


# Tasks -------------------------------------------------------------------------------------


class Task(NamedTuple):
    """The arguments of one call."""

    X: Array  # (..., n, d)
    y: Array  # (..., n)
    alpha: Array  # (...)
    T: int
    keywords: dict[str, Any]  # q0, scale, and eta or schedule

    def call(self, function: Callable[..., Any], **more: Any) -> Any:
        """Return function(X, y, alpha, T, ...)."""
        return function(self.X, self.y, self.alpha, self.T, **self.keywords, **more)

    def map_arrays(self, change: Callable[[Array], Array]) -> Task:
        """Return the task with every array changed."""
        keywords = {
            k: change(v) if isinstance(v, np.ndarray) else v for k, v in self.keywords.items()
        }
        return Task(change(self.X), change(self.y), change(self.alpha), self.T, keywords)


STORAGE = ["f4", "f8"]
CONVERTED = ["f2", "i1", "i8", "u4", "?"]


def leading_shapes() -> st.SearchStrategy[tuple[int, ...]]:
    """Shapes of a stack of tasks: one task, a few, none at all."""
    sizes = st.sampled_from([0, 1, 1, 2, 3, 3, 5])
    return st.one_of(st.just(()), st.tuples(sizes), st.tuples(sizes, sizes))


@st.composite
def broadcastable(draw: st.DrawFn, lead: tuple[int, ...]) -> tuple[int, ...]:
    """Leading axes that broadcast to `lead`: some dropped, some of size one."""
    kept = lead[draw(st.integers(0, len(lead))) :]
    return tuple(1 if draw(st.booleans()) else size for size in kept)


def _size(small: int, large: int) -> st.SearchStrategy[int]:
    """Up to `small`, or now and then `large`."""
    return st.integers(0, small + 3).map(lambda size: size if size <= small else large)


@st.composite
def tasks(draw: st.DrawFn, *, converted: bool = False, layouts: bool = True) -> Task:
    """Tasks of every small shape, n < d, n = 1, d = 1 and empty ones included, and some larger.

    With `converted`, X, y and q0 may also be of types that become float64.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    lead = draw(leading_shapes())
    # From d = 33 on a task is not packed in a lane with others.
    n, d = draw(_size(11, 40)), draw(_size(9, 33))
    T = draw(st.integers(0, 12))
    types = st.sampled_from(STORAGE + CONVERTED if converted else STORAGE)
    dtype = draw(types)

    def array(tail: tuple[int, ...], kind: str | None = None) -> Array:
        shape = draw(broadcastable(lead)) + tail
        a = np.asarray(rng.normal(size=shape))
        kind = kind or draw(st.sampled_from([dtype, dtype, draw(types)]))
        a = np.asarray(np.abs(2 * a) if np.dtype(kind).kind in "iu?" else a, kind)
        if a.size and draw(st.integers(0, 4)) == 0:
            # A zero-stride view, as np.broadcast_to makes them.
            a = np.broadcast_to(a[..., :1] if tail else a, a.shape)
        layout = draw(st.sampled_from(sorted(LAYOUTS))) if layouts else "C"
        return a if 0 in a.strides else LAYOUTS[layout](a)

    X, y, alpha = array((n, d)), array((n,)), array((), "f8")
    keywords: dict[str, Any] = {"scale": draw(st.sampled_from(["sum", "mean"]))}
    if draw(st.booleans()):
        keywords["q0"] = array((d,))
    step = 1 / max(1, np.abs(X.astype(np.float64) ** 2).sum((-1, -2)).max(initial=0))
    if keywords["scale"] == "mean":
        step *= max(n, 1)
    match_kind = draw(st.sampled_from(["none", "eta", "schedule", "optimal", "chebyshev"]))
    if match_kind == "eta":
        keywords["eta"] = np.asarray(np.abs(array((), "f8")) * step)
    elif match_kind == "schedule":
        keywords["schedule"] = np.abs(array((draw(st.sampled_from([1, T])),), "f8")) * step
    elif match_kind != "none":
        keywords["eta"] = match_kind
    return Task(X, y, alpha, T, keywords)


@st.composite
def tasks_on_paths(draw: st.DrawFn, **kinds: bool) -> tuple[Task, str]:
    """Tasks, as `tasks` gives them, each with a path that serves it."""
    task = draw(tasks(**kinds))
    return task, draw(st.sampled_from(["auto", *paths_for(task.keywords)]))
