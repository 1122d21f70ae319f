"""The smoke mode: `pytest --benchmark-only --quick-cells` tries every benchmark in seconds."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the smoke mode's switch."""
    parser.addoption(
        "--quick-cells",
        action="store_true",
        help="benchmark a fraction of each cell, one round each: checks answers, not speed",
    )


@pytest.fixture(scope="session")
def quick(pytestconfig: pytest.Config) -> bool:
    """Tell whether the cells are cut down and each contender is called once."""
    return bool(pytestconfig.getoption("quick_cells"))
