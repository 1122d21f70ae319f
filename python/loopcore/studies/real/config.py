"""What the study on real tables measures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from loopcore.studies.real.sources import NAMES

FEWEST_ROWS = 5
"""Of a prompt: one for each part of the cross-validation."""


@dataclass(frozen=True)
class Config:
    """What to measure.

    Attributes
    ----------
    tables : tuple of str
        Which of the shipped tables, among `sources.NAMES`; may be empty beside a `csv`.
    ratios : tuple of float
        Prompts have n = ⌈r d⌉ rows for each of these r, as far as the table has them, and once
        `share` of its rows.
    share : float
        The largest part of a table's rows that a prompt may take; the others are test rows.
    rows : int
        The most rows of a prompt.
    test_rows : int
        The most test rows of a prompt.
    prompts : int
        How many prompts, B, for each table and n.
    slow_prompts : int
        For how many of these nearest neighbours are tuned, which is slow.
    doublings : int
        Loops go to T = 2^this.
    csv : Path, optional
        A table of one's own, measured first: a file that `loopcore.tables.read_table` reads. Rows
        that miss a value are left out; columns of text must be dropped.
    target : str, optional
        Its target column.
    drop : tuple of str
        Its columns that are not features.
    seed : int
        Fixes every number.

    Raises
    ------
    ValueError
        If a number is out of its range, or a file is given without a target or a target without a
        file.
    """

    tables: tuple[str, ...] = NAMES
    ratios: tuple[float, ...] = (0.5, 1.0, 1.5, 2.0, 4.0, 8.0, 16.0, 32.0)
    share: float = 0.8
    rows: int = 512
    test_rows: int = 200
    prompts: int = 240
    slow_prompts: int = 50
    doublings: int = 16
    csv: Path | None = None
    target: str | None = None
    drop: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what means nothing."""
        unknown = [name for name in self.tables if name not in NAMES]
        if unknown:
            raise ValueError(f"tables: expected some of {', '.join(NAMES)}, got {unknown[0]!r}")
        if not self.tables and self.csv is None:
            raise ValueError("tables: expected at least one where no csv is given, got none")
        if not self.ratios or not all(0 < r < math.inf for r in self.ratios):
            raise ValueError(f"ratios: expected finite numbers above 0, got {self.ratios}")
        if not 0 < self.share < 1:
            raise ValueError(f"share: expected above 0 and below 1, got {self.share}")
        if (self.csv is None) != (self.target is None):
            given, missing = ("csv", "target") if self.target is None else ("target", "csv")
            raise ValueError(f"{missing}: expected one beside a {given}, got none")
        if self.drop and self.csv is None:
            raise ValueError("csv: expected one beside columns to drop, got none")
        for name, value, least in (
            ("rows", self.rows, FEWEST_ROWS),
            ("test_rows", self.test_rows, 2),
            ("prompts", self.prompts, 1),
            ("slow_prompts", self.slow_prompts, 1),
            ("doublings", self.doublings, 0),
            ("seed", self.seed, 0),
        ):
            if value < least:
                raise ValueError(f"{name}: expected at least {least}, got {value}")
        if self.doublings > 30:
            raise ValueError(f"doublings: expected at most 30, got {self.doublings}")

    @property
    def loops(self) -> tuple[int, ...]:
        """The numbers of loops T after which everything is measured: 0, and √2 apart.

        Examples
        --------
        >>> Config(doublings=4).loops
        (0, 1, 2, 3, 4, 6, 8, 11, 16)
        """
        apart = {round(2 ** (k / 2)) for k in range(2 * self.doublings + 1)}
        return (0, *sorted(apart))

    def sizes(self, n: int, d: int) -> tuple[int, ...]:
        """Return the rows of prompts from a table of n rows and d features, rising.

        Examples
        --------
        >>> Config().sizes(150, 3)
        (5, 6, 12, 24, 48, 96, 120)
        """
        most = min(int(self.share * n), self.rows, n - 2)
        wanted = {math.ceil(r * d) for r in self.ratios} | {int(self.share * n)}
        return tuple(sorted(size for size in wanted if FEWEST_ROWS <= size <= most))


QUICK = Config(
    tables=(
        "breast_cancer",
        "diabetes",
        "wine",
        "anes96",
        "fair",
        "grunfeld",
        "longley",
        "modechoice",
        "star98",
    ),
    ratios=(0.5, 1.0, 2.0, 4.0, 16.0),
    rows=400,
    prompts=60,
    slow_prompts=12,
    doublings=14,
)
"""Ten seconds; `Config()` takes about a hundred."""
