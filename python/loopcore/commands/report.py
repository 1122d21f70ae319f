"""The command `loopcore report`: many studies on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from loopcore.commands.shared import one_line_errors, plain_console, say
from loopcore.studies.frame.progress import ProgressBar
from loopcore.studies.frame.report import make_report
from loopcore.studies.frame.study import SUMMARIES


def report(
    *,
    studies: Annotated[
        str, typer.Option(metavar="NAME,NAME,…", help="Which studies; all unless given.")
    ] = ",".join(SUMMARIES),
    quick: Annotated[
        bool, typer.Option("--quick/--full", help="Minutes, or most of an hour.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Fixes every number.")] = 0,
    output_dir: Annotated[
        Path, typer.Option(help="Where report.html and the studies' files go; made if missing.")
    ] = Path("report"),
) -> None:
    """Run studies, and write figures, tables and findings as one HTML page."""
    with one_line_errors():
        names = tuple(name.strip() for name in studies.split(","))
        with ProgressBar() as progress:
            page = make_report(names, output_dir, seed, progress, say, quick=quick)
        plain_console().print(f"wrote {page}", soft_wrap=True)
