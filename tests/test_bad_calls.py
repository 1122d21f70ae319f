"""Wrong calls: each gives the documented exception, which names the argument, and harms nothing.

Every entry of KINDS is one kind of mistake. For each, a seeded generator makes valid calls of
random shapes and types and spoils one argument of each.
"""

from __future__ import annotations

import datetime
import decimal
import fractions
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import loopcore
from strategies import PATHS

RUN, TRAJECTORY, ERRORS = loopcore.run, loopcore.trajectory, loopcore.errors
BOUND, SPECTRUM, CURVE = loopcore.error_bound, loopcore.spectrum, loopcore.context_curve
LOOPS = (RUN, TRAJECTORY, ERRORS)  # functions with path, num_threads and out
ALL = (*LOOPS, BOUND, CURVE)
CALLS_A_KIND = 30


class Kind(NamedTuple):
    """A kind of mistake: who makes it, the argument at fault, and how."""

    functions: tuple[Callable[..., Any], ...]
    argument: str
    error: type[Exception]
    spoil: Callable[[np.random.Generator, dict[str, Any]], Any]
    """Changes the arguments in place, or returns the spoiled argument."""


def valid_call(rng, function) -> dict[str, Any]:
    """Return arguments of a valid call, of random shapes (n, d ≥ 2) and types."""
    lead = tuple(rng.integers(2, 4, size=rng.integers(0, 3)))
    n, d, T = (int(k) for k in rng.integers(2, 9, size=3))
    dtype = rng.choice(["f4", "f8"])
    arguments: dict[str, Any] = {"X": rng.normal(size=(*lead, n, d)).astype(dtype)}
    if function is SPECTRUM:
        return arguments
    arguments["y"] = rng.normal(size=(*lead, n)).astype(dtype)
    arguments["alpha"] = np.asarray(rng.normal(size=lead))
    arguments["T"] = T
    if rng.random() < 0.5:
        arguments["q0"] = rng.normal(size=(*lead, d)).astype(dtype)
    if rng.random() < 0.3:
        arguments["scale"] = "mean"
    if rng.random() < 0.3 and function in LOOPS:
        arguments["path"] = rng.choice(PATHS)
    return arguments


def call(function, arguments: dict[str, Any]):
    arguments = dict(arguments)
    positional = [arguments.pop(k) for k in ("X", "y", "alpha", "T") if k in arguments]
    return function(*positional, **arguments)


def result(function, arguments) -> Any:
    """Return a fresh array that would do as `out`."""
    return np.empty_like(call(function, arguments))


# How to spoil an argument ----------------------------------------------------------------------


def other_length(rng, size: int) -> int:
    """Return a length that neither matches nor broadcasts."""
    return int(rng.choice([k for k in (0, 2, 3, 4, 5, 7, 11) if k != size]))


def wrong_last_axis(argument: str, axis: int):
    def spoil(rng, a):
        size = a["X"].shape[axis]
        return rng.normal(size=(*a["X"].shape[:-2], other_length(rng, size)))

    return Kind(ALL if argument != "theta" else (ERRORS,), argument, ValueError, spoil)


def wrong_leading_axes(argument: str, tail: Callable[[dict[str, Any]], tuple[int, ...]]):
    """Leading axes that do not broadcast with those of X."""

    def spoil(rng, a):
        a["X"] = np.broadcast_to(a["X"], (3, *a["X"].shape)) if a["X"].ndim == 2 else a["X"]
        lead = list(a["X"].shape[:-2])
        i = rng.integers(len(lead))
        lead[i] = 5
        return rng.normal(size=(*lead, *tail(a)))

    return Kind(ALL if argument != "theta" else (ERRORS,), argument, ValueError, spoil)


BAD_TYPES: dict[str, Callable[[Any], Any]] = {
    "complex": lambda a: a + 0j,
    "object": lambda a: a.astype(object),
    "string": lambda a: a.astype(str),
    "bytes": lambda a: a.astype("S"),
    "datetime": lambda a: a.astype("M8[s]"),
    "timedelta": lambda a: a.astype("m8[s]"),
    "longdouble": lambda a: a.astype(np.longdouble),
    "structured": lambda a: a.astype([("x", "f8")]),
    "masked": lambda a: np.ma.masked_array(a, mask=np.zeros(np.shape(a), bool)),
}


def bad_type(name: str, argument: str):
    def spoil(rng, a):
        d = a["X"].shape[-1]
        value = {
            "q0": lambda: np.ones(d),
            "theta": lambda: np.ones(d),
            "eta": lambda: np.full(a["X"].shape[:-2], 0.01),
            "schedule": lambda: np.full(a.get("T"), 0.01),
        }.get(argument, lambda: a[argument])()
        return BAD_TYPES[name](np.asarray(value))

    functions = {"X": (*ALL, SPECTRUM), "theta": (ERRORS,)}.get(argument, ALL)
    return Kind(functions, argument, TypeError, spoil)


def one_of(argument: str, error: type[Exception], values, functions=ALL):
    """One of a list of wrong values."""
    return Kind(functions, argument, error, lambda rng, a: values[rng.integers(len(values))])


def with_out(change, error: type[Exception]):
    """An `out` that is a valid one changed."""

    def spoil(rng, a, function):
        return change(rng, result(function, a), a)

    return Kind(LOOPS, "out", error, spoil)


def read_only(rng, out, a):
    out.flags.writeable = False
    return out


def overlapping(rng, out, a):
    """Return an out that shares memory with X, y or q0."""
    argument = str(rng.choice([k for k in ("X", "y", "q0") if k in a]))
    source = a[argument]
    need = max(out.nbytes, source.nbytes)
    buffer = np.zeros(2 * need + 64, np.uint8)
    a[argument] = buffer[: source.nbytes].view(source.dtype).reshape(source.shape)
    a[argument][...] = source
    start = source.nbytes - source.itemsize
    start -= start % out.itemsize
    return buffer[start : start + out.nbytes].view(out.dtype).reshape(out.shape)


def overlapping_itself(rng, out, a):
    """Return an out of the right shape in which two entries lie in one place."""
    axis = rng.choice([i for i, size in enumerate(out.shape) if size > 1])
    strides = [0 if i == axis else s for i, s in enumerate(out.strides)]
    return np.lib.stride_tricks.as_strided(out, out.shape, strides)


def not_an_array(rng, out, a):
    wrong = [out.tolist(), bytearray(out.nbytes), "out", 1.5, memoryview(out), True]
    return wrong[rng.integers(len(wrong))]


def other_type(rng, out, a):
    types = ["i8", "f2", "c16", "O", "f4" if out.dtype == np.float64 else "f8"]
    return np.empty(out.shape, types[rng.integers(len(types))])


def other_shape(rng, out, a):
    shapes = [
        (*out.shape, 1),
        (1, *out.shape),
        (*out.shape[:-1], out.shape[-1] + 1),
        (out.size + 1,),
    ]
    return np.empty(shapes[rng.integers(len(shapes))], out.dtype)


def both_eta_and_schedule(rng, a):
    a["schedule"] = np.full(a["T"], 0.01)
    return [0.1, "optimal", "chebyshev", np.full(a["X"].shape[:-2], 0.1)][rng.integers(4)]


def power_with_schedule(rng, a):
    a["schedule"] = np.full([1, a["T"]][rng.integers(2)], 0.01)
    return "power"


def power_with_chebyshev(rng, a):
    a["eta"] = "chebyshev"
    return "power"


def wrong_schedule(rng, a):
    lengths = [k for k in (0, 2, a["T"] - 1, a["T"] + 1, 2 * a["T"]) if k not in (1, a["T"])]
    return np.full(int(rng.choice(lengths)), 0.01)


def unsorted(rng, a):
    at = rng.permutation(a["T"] + 1)
    return at if (np.diff(at) < 0).any() else at[::-1]


def out_of_range(rng, a):
    T = a["T"]
    wrong = [[T + 1], [0, T, T + 5], [-1], [-1, 0], [0, 2**40], [-(2**40), 0], [2**63]]
    return wrong[rng.integers(len(wrong))]


def ragged(rng, a):
    rows = a["X"].tolist()
    while isinstance(rows[0][0], list):
        rows = rows[0]
    rows[rng.integers(len(rows))].pop()
    return rows


NOT_INTEGERS = [2.0, "3", None, np.float64(4), [5], decimal.Decimal(2), fractions.Fraction(2), 1j]
WORDS = ["fast", "", "Optimal", "OPTIMAL", "chebyshev ", "none", "1/lambda"]

KINDS: dict[str, Kind] = {
    # Shapes
    "X: one axis": Kind((*ALL, SPECTRUM), "X", ValueError, lambda rng, a: rng.normal(size=5)),
    "X: no axis": Kind((*ALL, SPECTRUM), "X", ValueError, lambda rng, a: rng.normal()),
    "X: ragged list": Kind((*ALL, SPECTRUM), "X", ValueError, ragged),
    "y: no axis": Kind(ALL, "y", ValueError, lambda rng, a: rng.normal()),
    "y: other n": wrong_last_axis("y", -2),
    "q0: other d": wrong_last_axis("q0", -1),
    "q0: no axis": Kind(ALL, "q0", ValueError, lambda rng, a: rng.normal()),
    "theta: other d": wrong_last_axis("theta", -1),
    "theta: no axis": Kind((ERRORS,), "theta", ValueError, lambda rng, a: rng.normal()),
    "y: leading axes": wrong_leading_axes("y", lambda a: a["X"].shape[-2:-1]),
    "alpha: leading axes": wrong_leading_axes("alpha", lambda a: ()),
    "q0: leading axes": wrong_leading_axes("q0", lambda a: a["X"].shape[-1:]),
    "theta: leading axes": wrong_leading_axes("theta", lambda a: a["X"].shape[-1:]),
    "eta: leading axes": wrong_leading_axes("eta", lambda a: ()),
    "schedule: leading axes": wrong_leading_axes("schedule", lambda a: (a["T"],)),
    "schedule: last axis": Kind(ALL, "schedule", ValueError, wrong_schedule),
    # Types
    **{
        f"{argument}: {name}": bad_type(name, argument)
        for argument in ("X", "y", "alpha", "q0", "theta", "schedule")
        for name in BAD_TYPES
    },
    **{f"eta: {name}": bad_type(name, "eta") for name in BAD_TYPES if name != "string"},
    "X: not numbers": one_of(
        "X", TypeError, [None, "X", {"X": 1}, object(), b"X"], (*ALL, SPECTRUM)
    ),
    "y: not numbers": one_of("y", TypeError, [None, "y", {"y": 1}, object()]),
    "alpha: not numbers": one_of(
        "alpha", TypeError, [None, "1", 1j, fractions.Fraction(1, 2), datetime.date(2026, 1, 1)]
    ),
    "eta: not numbers": one_of("eta", TypeError, [{}, object(), 1j, b"optimal"]),
    # T, num_threads, at
    "T: no integer": one_of("T", TypeError, NOT_INTEGERS),
    "T: negative": one_of("T", ValueError, [-1, -7, np.int8(-1), -(2**63), -(2**100)]),
    "T: huge": one_of("T", ValueError, [2**62, 2**63, 2**64 + 5, 10**40]),
    "num_threads: no integer": one_of(
        "num_threads", TypeError, [2.0, "2", [1], np.float32(1), 1j], (*LOOPS, SPECTRUM)
    ),
    "num_threads: none": one_of(
        "num_threads", ValueError, [0, -1, -(2**40), np.int64(0), False], (*LOOPS, SPECTRUM)
    ),
    "at: unsorted": Kind((TRAJECTORY, ERRORS), "at", ValueError, unsorted),
    "at: out of range": Kind((TRAJECTORY, ERRORS), "at", ValueError, out_of_range),
    "at: no integers": one_of(
        "at", TypeError, [[0.0, 1.0], ["0"], [None], np.ones(2), [1j]], (TRAJECTORY, ERRORS)
    ),
    "at: axes": one_of(
        "at", ValueError, [[[0, 1]], 1, np.zeros((1, 1), int)], (TRAJECTORY, ERRORS)
    ),
    # Words
    "eta: unknown word": one_of("eta", ValueError, WORDS),
    "eta: with schedule": Kind(ALL, "eta", ValueError, both_eta_and_schedule),
    "scale: unknown word": one_of("scale", ValueError, ["median", "", "Sum", "mean "]),
    "scale: no word": one_of("scale", TypeError, [None, 1, b"sum", ["sum"]]),
    "path: unknown word": one_of("path", ValueError, ["fast", "", "Gram", "power!"], LOOPS),
    "path: no word": one_of("path", TypeError, [None, 1, b"gram", ["gram"]], LOOPS),
    "path: power with a schedule": Kind(LOOPS, "path", ValueError, power_with_schedule),
    "path: power with Chebyshev's steps": Kind(LOOPS, "path", ValueError, power_with_chebyshev),
    "spectrum scale: unknown word": one_of("scale", ValueError, ["median", ""], (SPECTRUM,)),
    "spectrum scale: no word": one_of("scale", TypeError, [None, 1], (SPECTRUM,)),
    "relative: no bool": one_of("relative", TypeError, [1, 0, "yes", None, 1.0, [True]], (ERRORS,)),
    # out
    "out: shape": with_out(other_shape, ValueError),
    "out: type": with_out(other_type, TypeError),
    "out: byte order": with_out(
        lambda rng, out, a: out.astype(out.dtype.newbyteorder()), TypeError
    ),
    "out: read-only": with_out(read_only, ValueError),
    "out: overlaps an input": with_out(overlapping, ValueError),
    "out: overlaps itself": with_out(overlapping_itself, ValueError),
    "out: no array": with_out(not_an_array, TypeError),
}


def wrong_calls(name: str):
    """Yield (function, arguments) of the wrong calls of one kind, the same ones in every run."""
    kind = KINDS[name]
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    for i in range(CALLS_A_KIND):
        function = kind.functions[i % len(kind.functions)]
        arguments = valid_call(rng, function)
        arguments.pop("q0" if kind.argument in {"X", "y"} else "", None)
        arguments.pop("path" if kind.argument == "schedule" else "", None)  # power serves none
        if kind.functions is LOOPS and kind.argument == "out":
            arguments["out"] = kind.spoil(rng, arguments, function)
        else:
            arguments[kind.argument] = kind.spoil(rng, arguments)
        yield function, arguments


@pytest.mark.parametrize("name", KINDS)
def test_wrong_call(name):
    kind = KINDS[name]
    good = valid_call(np.random.default_rng(0), RUN)
    expected = call(RUN, good).tobytes()
    for function, arguments in wrong_calls(name):
        with pytest.raises((TypeError, ValueError)) as caught:
            call(function, arguments)
        assert type(caught.value) is kind.error, (function.__name__, caught.value)
        message = str(caught.value)
        assert message.startswith(f"{kind.argument}: "), (function.__name__, message)
        # What was expected and what came; of a ragged list NumPy tells the latter.
        assert "expected" in message, message
        assert "got" in message or name == "X: ragged list", message
        assert call(RUN, good).tobytes() == expected


def test_there_are_enough_of_them():
    assert len(KINDS) >= 30
    assert sum(1 for name in KINDS for _ in wrong_calls(name)) >= 1000


def test_the_calls_are_right_but_for_the_spoiled_argument():
    rng = np.random.default_rng(1)
    for i in range(200):
        function = (*ALL, SPECTRUM)[i % 6]
        call(function, valid_call(rng, function))


def test_messages_say_what_was_expected_and_what_came():
    X, y = np.ones((7, 20, 4)), np.ones((7, 20))
    for call_it, message in [
        (lambda: RUN(np.ones(5), y, 1.0, 3), "X: expected shape (..., n, d), got (5,)"),
        (
            lambda: RUN(X, np.ones(19), 1.0, 3),
            "y: expected n = 20 entries on its last axis to match X (7, 20, 4), got shape (19,)",
        ),
        (
            lambda: RUN(X, y, 1.0, 3, eta=0.1, schedule=0.1),
            "eta: expected eta or schedule, got both",
        ),
        (
            lambda: RUN(X, y, 1.0, 3, schedule=[0.1], path="power"),
            "path: expected 'power' with one step size for all loops, got a schedule",
        ),
        (
            lambda: RUN(X, y, 1.0, 3, eta="chebyshev", path="power"),
            "path: expected 'power' with one step size for all loops, got eta='chebyshev'",
        ),
    ]:
        with pytest.raises(ValueError, match=r"^[Xyep]") as caught:
            call_it()
        assert str(caught.value) == message


def test_missing_and_unknown_arguments():
    X, y = np.ones((3, 2)), np.ones(3)
    for function in LOOPS:
        for arguments in [(), (X,), (X, y), (X, y, 1.0), (X, y, 1.0, 2, None)]:
            with pytest.raises(TypeError):
                function(*arguments)
        with pytest.raises(TypeError, match="steps"):
            function(X, y, 1.0, 2, steps=3)
    with pytest.raises(TypeError):
        SPECTRUM()
    with pytest.raises(TypeError, match="T"):
        SPECTRUM(X, T=3)


def test_an_exception_from_an_argument_is_passed_on():
    """An array-like's own error comes through, and nothing of the call is left behind."""

    class Broken:
        def __array__(self, dtype=None, copy=None):
            raise KeyError("broken")

    X, y = np.ones((3, 2)), np.ones(3)
    for _ in range(50):
        for function in LOOPS:
            with pytest.raises(KeyError, match="broken"):
                function(Broken(), y, 1.0, 2)
            with pytest.raises(KeyError, match="broken"):
                function(X, y, Broken(), 2)
            with pytest.raises(KeyError, match="broken"):
                function(X, y, 1.0, 2, eta=Broken())


@pytest.mark.parametrize(
    ("arguments", "keywords", "message"),
    [
        (3, {}, r"run\(\) missing required argument 'T'"),
        (4, {"foo": 1}, r"run\(\) got an unexpected keyword argument 'foo'"),
        (5, {}, r"run\(\) takes 4 positional arguments but 5 were given"),
        (4, {"X": 1}, r"run\(\) got multiple values for argument 'X'"),
    ],
)
def test_calls_that_fit_no_signature(arguments, keywords, message):
    with pytest.raises(TypeError, match=message):
        loopcore.run(*(np.eye(2), np.ones(2), 1.0, 5, 0.1)[:arguments], **keywords)
