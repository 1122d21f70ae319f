"""One run of a study: its numbers, and the files and tables that show them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as Grid

from loopcore.studies.frame.parts import keeping, origin
from loopcore.studies.frame.progress import Progress
from loopcore.studies.frame.result_files import (
    plain,
    require_figure,
    versions,
    write_figure,
    write_json,
    write_text,
)
from loopcore.studies.frame.study import Sheet, Study


@dataclass(frozen=True, eq=False)
class Run:
    """A study that ended, with its result and the seconds it took."""

    study: Study[Any, Any]
    result: Any
    seconds: float


def run_study(
    study: Study[Any, Any],
    config: Any,
    folder: Path,
    *,
    figure_format: str,
    progress: Progress,
    say: Callable[[str], None],
    keep: bool = False,
) -> Run:
    """Run a study, and write its figure, its numbers and its findings.

    Parameters
    ----------
    study : Study
        Which.
    config : dataclass
        Its settings.
    folder : path
        Where NAME.png or NAME.svg, NAME.json and NAME.md go; made if missing. If the study does not
        end, its parts are kept in `kept_parts`.
    figure_format : "png" or "svg"
        How the figure is written.
    progress : callable
        The bar.
    say : callable
        Takes sentences on parts that are kept.
    keep : bool
        Keep the parts of a study that ends too.

    Returns
    -------
    Run
        Once the files are written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    figure = folder / f"{study.name}.{figure_format}"
    require_figure(figure)
    start = time.monotonic()
    kept = kept_parts(study.name, folder, config)
    with keeping(kept, config, progress, say, always=keep) as parts:
        result = study.compute(config, parts)
        run = Run(study, result, time.monotonic() - start)
        write_figure(figure, study.plot(result))
        write_json(folder / f"{study.name}.json", _numbers(run))
        write_text(folder / f"{study.name}.md", _markdown(run, figure))
    return run


def kept_parts(name: str, folder: Path, config: Any) -> Path:
    """Return the file that keeps the parts of a study that did not end.

    Each configuration has its own, so that a quick run takes nothing from an interrupted full one.
    """
    mark = hashlib.sha256(origin(config).encode()).hexdigest()[:8]
    return folder / f"{name}.{mark}.kept.npz"


def print_run(run: Run, console: Console) -> None:
    """Print a study's question, tables and findings; lines fit 80 columns."""
    study = run.study
    console.print(f"{study.title}, seed {run.result.config.seed}", style="bold")
    console.print(study.question)
    for sheet in study.sheets(run.result):
        console.print(f"\n{sheet.title}", style="bold")
        console.print(_grid(sheet))
    console.print()
    for finding in study.findings(run.result):
        console.print(f"- {finding}")


def _grid(sheet: Sheet) -> Grid:
    grid = Grid(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for name in sheet.columns:
        grid.add_column(name, justify="right")
    for row in sheet.rows:
        grid.add_row(*row)
    return grid


def _numbers(run: Run) -> dict[str, Any]:
    """Collect what a study's JSON file holds: no times, so that the same seed gives the same."""
    numbers = plain(run.result)
    settings = numbers.pop("config")
    return {
        "study": run.study.name,
        "title": run.study.title,
        "sources": run.study.sources,
        "settings": settings,
        "versions": versions(),
        "findings": run.study.findings(run.result),
        **numbers,
    }


def _markdown(run: Run, figure: Path) -> str:
    study = run.study
    found = "\n".join(f"- {finding}" for finding in study.findings(run.result))
    made = ", ".join(f"{name} {version}" for name, version in versions().items())
    return (
        f"# {study.title}\n\n{study.question}\n\n![{study.title}]({figure.name})\n\n"
        f"*{study.caption}*\n\n{found}\n\n"
        f"Sources: {'; '.join(study.sources)}. Seed {run.result.config.seed}. "
        f"Computed with {made}.\n"
    )
