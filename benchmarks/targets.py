"""What the project set out to reach, and whether a run did. A report: machines are noisy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """A figure by its name, "what:cell", and the least or the most that it may be."""

    figure: str
    bound: float
    at_least: bool = True

    def report(self, figures: Mapping[str, float]) -> str:
        """Print the figure beside its bound: met, missed or not measured."""
        what, _, cell = self.figure.partition(":")
        bound = f"at {'least' if self.at_least else 'most'} {self.bound:g}"
        if self.figure not in figures:
            return f"{what:18} {cell:10} {bound:14} {'-':>9}  not measured"
        got = figures[self.figure]
        met = got >= self.bound if self.at_least else got <= self.bound
        return f"{what:18} {cell:10} {bound:14} {got:9.3g}  {'met' if met else 'MISSED'}"


# Of float64 with given η, where nothing else is said.
TARGETS = (
    Target("limit / time:paper", 0.6),
    Target("limit / time:regress", 0.25),
    Target("limit / time:medium", 0.3),
    Target("limit / time:tall", 0.4),
    Target("limit / time:wide", 0.4),
    Target("limit / time:short", 0.8),
    Target("peer / time:paper", 12),
    Target("peer / time:regress", 8),
    Target("peer / time:medium", 5),
    Target("peer / time:tall", 2.5),
    Target("peer / time:wide", 2.5),
    Target("peer / time:short", 1.05),
    Target("microseconds:tiny", 3, at_least=False),
    Target("float64 / float32:short", 1.4),
    Target("float64 / float32:paper", 1),
    Target("float64 / float32:regress", 1),
    Target("eta none / given:paper", 2, at_least=False),
    Target("eta none / given:regress", 2, at_least=False),
    Target("eta none / given:medium", 2, at_least=False),
    Target("time / limit:deep", 8, at_least=False),
    Target("time / limit:curve", 6, at_least=False),
    Target("time / limit:shared", 3, at_least=False),
    Target("peer / time:linear", 5),
    Target("peer / time:softmax", 3),
    Target("peer / time:gradient", 5),
    Target("loop, any n:linear", 1.3, at_least=False),
    Target("v3 / v4:regress", 2.2, at_least=False),
    Target("v3 / v4:medium", 2.2, at_least=False),
    Target("v3 / v4:tall", 2.2, at_least=False),
    Target("numpy / baseline:paper", 3),
    Target("numpy / baseline:regress", 3),
    Target("MiB beyond:all cells", 32, at_least=False),
)


def report(figures: Mapping[str, float]) -> list[str]:
    """Print every target, and the efficiencies on 8 and 16 threads where there are any."""
    text = [target.report(figures) for target in TARGETS]
    many = [f"{name}: {x:.2f}" for name, x in figures.items() if name.startswith("efficiency")]
    return text + (many or ["efficiency on 8 and 16 threads: not measured, too few cores"])
