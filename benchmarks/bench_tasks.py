"""Times drawing random tasks beside running them, and beside NumPy's one stream of numbers.

Drawing should not be what a study waits for. The cells are those of `problems.py`; with
--quick-cells the answers are checked on a fraction of each.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import loopcore
from loopcore import tasks
from problems import CELLS, Cell


def numpy_tasks(cell: Cell) -> tasks.Tasks:
    """Draw Gaussian tasks from one generator."""
    rng = np.random.default_rng(0)
    X, theta = rng.standard_normal((cell.B, cell.n, cell.d)), rng.standard_normal((cell.B, cell.d))
    y = np.matmul(X, theta[..., None])[..., 0]
    return tasks.Tasks(X, y, theta, X[:, :0], y[:, :0], np.zeros(cell.B))


CONTENDERS: dict[str, Callable[[Cell], tasks.Tasks]] = {
    "draw": lambda cell: tasks.draw(cell.B, cell.n, cell.d, rng=0),
    "numpy": numpy_tasks,
}


@pytest.mark.benchmark(min_rounds=3)
@pytest.mark.parametrize("contender", CONTENDERS)
@pytest.mark.parametrize("name", ["paper", "regress"])
def test_draw(benchmark: BenchmarkFixture, name: str, contender: str, quick: bool) -> None:
    """Time drawing, and assert that y = Xθ*."""
    cell = CELLS[name].quick() if quick else CELLS[name]
    benchmark.group = f"drawing {name}"
    call = partial(CONTENDERS[contender], cell)
    batch = benchmark.pedantic(call, rounds=1) if quick else benchmark(call)
    assert batch.theta is not None
    expected = np.matmul(batch.X, batch.theta[..., None])[..., 0]
    np.testing.assert_allclose(batch.y, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.benchmark(min_rounds=3)
@pytest.mark.parametrize("name", ["paper", "regress"])
def test_run_on_drawn_tasks(benchmark: BenchmarkFixture, name: str, quick: bool) -> None:
    """Time `errors` at every loop, as a study has it, on the tasks drawn."""
    cell = CELLS[name].quick() if quick else CELLS[name]
    benchmark.group = f"drawing {name}"
    unit = tasks.Linear(unit=True)
    X, y, theta, *_ = tasks.draw(cell.B, cell.n, cell.d, targets=unit, rng=0)
    call = partial(loopcore.errors, X, y, 1.0, cell.T, theta=theta)
    errors = benchmark.pedantic(call, rounds=1) if quick else benchmark(call)
    assert errors.shape == (cell.B, cell.T + 1)
    assert (errors[:, -1] <= errors[:, 0] + 1e-9).all()
