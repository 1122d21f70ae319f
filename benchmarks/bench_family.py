"""Times loopcore's general family beside NumPy, and asserts each timed answer.

The cells are those of `family.py`; -k chooses, as in -k "softmax and float32". With --quick-cells
the answers are checked on a fraction of each cell, and the times mean nothing. PyTorch and JAX are
left to `compare.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import family_numpy
from contenders import family_library
from family import (
    FAMILY_CELLS,
    GRADIENT,
    LINEAR,
    VJP_CELLS,
    FamilyProblem,
    build_family,
    build_gradient,
    build_prompts,
)
from family_verdict import FamilyVerdict
from peers_numpy import loop_iterates
from problems import DTYPES, Call

CASES = [
    pytest.param((cell, dtype), id=f"{cell.name}-{dtype}")
    for cell in FAMILY_CELLS.values()
    for dtype in DTYPES
]

NUMPY: dict[str, Callable[[Any], Any]] = {  # the fastest form of each
    "linear": family_numpy.linear_fixed_size,
    "softmax": family_numpy.generate,
    "gradient": family_numpy.loop_and_pullback,
} | dict.fromkeys(VJP_CELLS, family_numpy.model_and_pullback)
CONTENDERS: dict[str, Callable[[FamilyProblem], Call]] = {
    "loopcore": family_library,
    "numpy": lambda problem: partial(NUMPY[problem.cell.name], problem),
}


@pytest.fixture(scope="module", params=CASES)
def verdict(request: pytest.FixtureRequest, quick: bool) -> FamilyVerdict:
    """Build the case's problem at its full size, or the smoke mode's fraction of it."""
    cell, dtype = request.param
    return FamilyVerdict(build_family(cell.quick() if quick else cell, dtype))


@pytest.mark.benchmark(min_rounds=3)
@pytest.mark.parametrize("contender", CONTENDERS)
def test_family(
    benchmark: BenchmarkFixture, verdict: FamilyVerdict, contender: str, quick: bool
) -> None:
    """Time loopcore and NumPy's best form on the cell."""
    cell, dtype = verdict.problem.cell, verdict.problem.dtype.name
    size = f"B={cell.B:,} n={cell.n:,} d={cell.d:,} T={cell.T:,}"
    benchmark.group = f"{cell.name} {dtype} ({size})"
    benchmark.extra_info.update(asdict(cell), dtype=dtype)
    call = CONTENDERS[contender](verdict.problem)
    verdict.check(benchmark.pedantic(call, rounds=1) if quick else benchmark(call))


def test_fixed_size_is_literal() -> None:
    """The loop on S, the truth where contexts are long, gives what the literal matrices give."""
    problem = build_prompts(replace(LINEAR, B=4, n=60, T=100), "float64")
    FamilyVerdict(problem).check(family_numpy.linear_fixed_size(problem))


def test_gradient_is_the_derivative() -> None:
    """NumPy's reverse pass by hand, the truth of the gradients, is the loop's complex step."""
    problem = build_gradient(GRADIENT.quick(), "float64")
    rng, step = np.random.default_rng(0), 1e-30
    names = ("X", "y", "alpha", "eta")
    along = {name: rng.standard_normal(getattr(problem, name).shape) for name in names}
    moved = {name: getattr(problem, name) + 1j * step * along[name] for name in names}
    columns = {name: moved[name][:, None] for name in ("alpha", "eta")}
    *_, q = loop_iterates(replace(problem, **moved | columns))
    slope = -(q * problem.w).sum(-1).imag / step  # (B,), of w·v(T) along that direction
    gradients = dict(zip(names, family_numpy.loop_and_pullback(problem)[1:], strict=True))
    terms = [(gradients[name] * along[name]).reshape(len(slope), -1).sum(-1) for name in names]
    np.testing.assert_allclose(sum(terms), slope, rtol=1e-12, atol=1e-12 * abs(slope).max())


@pytest.mark.parametrize(
    ("cell", "forward"),
    [("linear_vjp", family_numpy.linear_reordered), ("softmax_vjp", family_numpy.softmax_query)],
)
def test_model_gradient_is_the_derivative(cell: str, forward: Callable[[Any], Any]) -> None:
    """The truth of the models' gradients is the complex step of another way to run the model."""
    problem = build_prompts(VJP_CELLS[cell].quick(), "float64")
    rng, step = np.random.default_rng(0), 1e-30
    names = ("P", "Q", "eta", "Z")
    along = {name: rng.standard_normal(np.shape(getattr(problem, name))) for name in names}
    moved = {name: getattr(problem, name) + 1j * step * along[name] for name in names}
    bar = problem.Z_bar[:, -1] if problem.is_softmax else problem.Z_bar
    slope = (forward(replace(problem, **moved)).imag / step * bar).sum()
    gradients = zip(names, family_numpy.model_and_pullback(problem)[1:], strict=True)
    terms = [(gradient * along[name]).sum() for name, gradient in gradients]
    np.testing.assert_allclose(sum(terms), slope, rtol=1e-11)


def test_wrong_answers_are_seen() -> None:
    """One loop more, the query as a key, another step: the verdict takes none of them."""
    problem = build_prompts(LINEAR.quick(), "float32")
    verdict = FamilyVerdict(problem)
    with_query = replace(problem, Z=np.concatenate([problem.Z, problem.Z[:, -1:]], axis=1))
    wrong = {
        "one loop more": family_numpy.linear_reordered(replace(problem, T=problem.T + 1)),
        "the query as a key": family_numpy.linear_reordered(with_query)[:, :-1],
        "another step": family_numpy.linear_reordered(replace(problem, eta=1.001 * problem.eta)),
    }
    verdict.check(family_numpy.linear_reordered(problem))
    for answer in wrong.values():
        with pytest.raises(AssertionError, match="off by"):
            verdict.check(answer)


@pytest.mark.parametrize("array", range(5))
@pytest.mark.parametrize("cell", VJP_CELLS)
def test_wrong_gradients_are_seen(cell: str, array: int) -> None:
    """An error of a thousandth in any array of a model's gradient is seen."""
    problem = build_prompts(VJP_CELLS[cell].quick(), "float32")
    verdict = FamilyVerdict(problem)
    answer = list(family_numpy.model_and_pullback(problem))
    verdict.check(tuple(answer))
    answer[array] = (1.001 * answer[array]).astype(np.float32)
    with pytest.raises(AssertionError, match=f"array {array}: off by"):
        verdict.check(tuple(answer))
