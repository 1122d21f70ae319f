"""What every test shares: reproducible random numbers and one hypothesis profile."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import settings
from threadpoolctl import ThreadpoolController

# A failure must be the same failure on every machine, however slow.
settings.register_profile("loopcore", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("loopcore")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the tests."""
    parser.addoption(
        "--promise-scale",
        type=int,
        default=1,
        metavar="K",
        help="test the accuracy promise on K times as many random tasks",
    )


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Return a generator seeded by the test's own name."""
    return np.random.default_rng(zlib.crc32(request.node.nodeid.encode()))


@pytest.fixture(scope="session")
def threadpools() -> ThreadpoolController:
    """Return the thread pools of the libraries that NumPy has loaded."""
    return ThreadpoolController()


@pytest.fixture(autouse=True)
def _one_blas_thread(threadpools: ThreadpoolController) -> Iterator[None]:
    """Keep NumPy's BLAS to one thread: on busy cores its waiting made small SVDs 20 times slower.

    Only around tests, never around benchmarks, where NumPy is a peer.
    """
    with threadpools.limit(limits=1, user_api="blas"):
        yield
