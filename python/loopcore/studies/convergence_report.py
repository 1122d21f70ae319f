"""The report on the convergence study: a table for people, and the numbers as JSON."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from rich.console import Console
from rich.table import Table as Grid

from loopcore.studies.convergence import QUANTILES, Array, Result
from loopcore.studies.result_files import versions, write_json


def print_report(result: Result, console: Console) -> None:
    """Print κ, errors and bounds after the last loop, and whether the bound held.

    Parameters
    ----------
    result : Result
        What `convergence.compute` gave.
    console : rich.console.Console
        Where to; lines fit 80 columns.
    """
    config = result.config
    alpha = "random α" if config.alpha == "random" else f"α = {config.alpha:g}"
    console.print(
        f"Gaussian tasks, d = {config.d}, {alpha}, {config.tasks:,} for each n, seed {config.seed}",
        style="bold",
    )
    console.print(f"error |⟨v(T), θ*⟩ − α| after T = {config.loops} loops; bound |α| exp(−T/2κ)\n")
    grid = Grid(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for name in ("n", "κ median", "κ 95 %"):
        grid.add_column(name, justify="right")
    for name in ("error 5 %", "median", "95 %", "bound median", "95 %"):
        grid.add_column(name, justify="right")
    for curves in result.curves:
        numbers = (*curves.kappa[1:], *curves.error[:, -1], *curves.bound[1:, -1])
        grid.add_row(str(curves.n), *(f"{number:.3g}" for number in numbers))
    console.print(grid)
    above = sum(curves.above_bound for curves in result.curves)
    tasks = config.tasks * len(result.curves)
    largest = max(curves.largest_ratio for curves in result.curves)
    if above:
        console.print(f"\nwarning: {above:,} errors lie above their bound", style="bold red")
    else:
        console.print(
            f"\nEvery error of {tasks:,} tasks stayed below its task's bound after every loop; "
            f"the largest was {largest:.3g} of it."
        )


def save(result: Result, path: Path) -> None:
    """Write the numbers behind the figure, with the seed, the settings and the versions.

    Parameters
    ----------
    result : Result
        What `convergence.compute` gave.
    path : path
        The JSON file.
    """
    write_json(
        path,
        {
            "study": "convergence",
            "source": "arXiv 2410.11268",
            "settings": dataclasses.asdict(result.config),
            "versions": versions(),
            "loops": list(range(result.config.loops + 1)),
            "curves": [
                {
                    "n": curves.n,
                    "kappa": _by_quantile(curves.kappa),
                    "error": _by_quantile(curves.error),
                    "bound": _by_quantile(curves.bound),
                    "largest_error_over_bound": curves.largest_ratio,
                    "errors_above_bound": curves.above_bound,
                }
                for curves in result.curves
            ],
        },
    )


def _by_quantile(values: Array) -> dict[str, Array]:
    return {f"{quantile:g}": value for quantile, value in zip(QUANTILES, values, strict=True)}
