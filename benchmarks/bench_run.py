"""Times loopcore beside NumPy on every cell but deep, and asserts each timed answer.

`pytest --benchmark-only` takes minutes; -k chooses, as in -k "paper and float32". With
--quick-cells it takes seconds: the answers are checked, the times mean nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from contenders import WORK_LIMIT, library, reference
from peers_numpy import by_matmul, numpy_gram, numpy_loop
from problems import CELLS, DTYPES, ETAS, Call, Cell, Eta, Problem, build
from verdict import Verdict

# The literal matrices hold (n+1)² scores a task: 320 GB for the tall cell. They are timed on as
# many tasks and rows as stay near so many scores, beside loopcore on that same cut.
CUT_SCORES = 250_000
CUT_SCORES_QUICK = 10_000


WHOLE: dict[str, Callable[[Problem], Call]] = {
    "loopcore": library,
    "numpy_loop": lambda problem: partial(numpy_loop, problem),
    "numpy_gram": lambda problem: partial(numpy_gram, problem, by_matmul),
}
CUT: dict[str, Callable[[Problem], Call]] = {
    "loopcore": library,
    "reference": lambda problem: partial(reference, problem),
}


@dataclass(frozen=True)
class Case:
    """One row of the report's groups: a cell, a type and a kind of step size."""

    cell: Cell
    dtype: str
    eta: Eta

    def __str__(self) -> str:
        """Name the case in test ids."""
        return f"{self.cell.name}-{self.dtype}-{self.eta}"


CASES = [
    pytest.param(Case(cell, dtype, eta), id=str(Case(cell, dtype, eta)))
    for cell in CELLS.values()
    if cell.gram_work <= WORK_LIMIT  # deep is left to compare.py: no other contender ends
    for dtype in DTYPES
    for eta in ETAS
]


@pytest.fixture(scope="module", params=CASES)
def whole(request: pytest.FixtureRequest, quick: bool) -> Verdict:
    """Build the case's problem at its full size, or the smoke mode's fraction of it."""
    case: Case = request.param
    return Verdict(build(case.cell.quick() if quick else case.cell, case.dtype, case.eta))


@pytest.fixture(scope="module", params=CASES)
def cut(request: pytest.FixtureRequest, quick: bool) -> Verdict:
    """Build the part of the case's problem that the literal matrices fit."""
    case: Case = request.param
    cell = case.cell.cut(CUT_SCORES_QUICK if quick else CUT_SCORES)
    return Verdict(build(cell, case.dtype, case.eta))


@pytest.mark.benchmark(min_rounds=3)
@pytest.mark.parametrize("contender", WHOLE)
def test_whole(benchmark: BenchmarkFixture, whole: Verdict, contender: str, quick: bool) -> None:
    """Time loopcore, the plain NumPy loop and the NumPy Gram loop on the cell."""
    time_and_check(benchmark, whole, WHOLE[contender], quick)


@pytest.mark.benchmark(min_rounds=3)
@pytest.mark.parametrize("contender", CUT)
def test_cut(benchmark: BenchmarkFixture, cut: Verdict, contender: str, quick: bool) -> None:
    """Time loopcore and the literal matrices on as much of the cell as those can hold."""
    time_and_check(benchmark, cut, CUT[contender], quick)


def time_and_check(
    benchmark: BenchmarkFixture,
    verdict: Verdict,
    contender: Callable[[Problem], Call],
    quick: bool,
) -> None:
    """Time the contender's call, keep the problem's figures beside it, and assert its answer."""
    problem = verdict.problem
    benchmark.group = title(problem)
    benchmark.extra_info.update(problem.facts)
    call = contender(problem)
    verdict.check(benchmark.pedantic(call, rounds=1) if quick else benchmark(call))


def title(problem: Problem) -> str:
    """Name the group, so that only times of one and the same problem stand in one table."""
    cell = problem.cell
    eta = "eta=None" if problem.eta is None else "given eta"
    size = f"B={cell.B:,} n={cell.n:,} d={cell.d:,} T={cell.T:,}"
    return f"{cell.name} {problem.X.dtype.name} {eta} ({size})"
