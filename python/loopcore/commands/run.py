"""The command `loopcore run`: one table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer

from loopcore.commands.shared import (
    one_line_errors,
    parsed_number,
    plain_console,
    split_names,
)
from loopcore.studies.frame.progress import ProgressBar
from loopcore.studies.frame.result_files import require_figure, require_writable, write_figure
from loopcore.studies.table import report as table_report
from loopcore.studies.table import run as table_run
from loopcore.studies.table.steps import Eta
from loopcore.tables import read_table, standardize


def run_table(
    table: Annotated[Path, typer.Argument(help="A .csv, .tsv, .npz or .parquet file.")],
    *,
    target: Annotated[str, typer.Option(help="The column to predict (y).")],
    alpha: Annotated[float, typer.Option(help="The value to generate.")] = 1.0,
    loops: Annotated[int, typer.Option(min=0, help="The number of loops T.")] = 200,
    eta: Annotated[
        str | None,
        typer.Option(
            metavar="optimal|chebyshev|NUMBER",
            help="The step size; the paper's 1/λ_max unless given.",
        ),
    ] = None,
    standardize_columns: Annotated[
        bool, typer.Option("--standardize", help="Give every column mean 0 and variance 1.")
    ] = False,
    features: Annotated[
        str | None, typer.Option(metavar="A,B,…", help="The columns to use (X); all unless given.")
    ] = None,
    drop: Annotated[
        str | None, typer.Option(metavar="A,B,…", help="Columns to leave out of X.")
    ] = None,
    drop_missing: Annotated[
        bool, typer.Option("--drop-missing", help="Leave out rows with missing values.")
    ] = False,
    separator: Annotated[
        str | None, typer.Option(help="What separates a CSV's columns; a comma unless given.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.png|svg", help="Draw error against loops.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE.json|npz", help="Write the vector and numbers.")
    ] = None,
) -> None:
    """Generate a vector from a table, and compare its error with the theorem."""
    console = plain_console()
    with one_line_errors():
        if plot is not None:
            require_figure(plot)
        if output is not None:
            require_writable(output, table_report.OUTPUT_FORMATS)
        config = table_run.Config(alpha, loops, _eta(eta))
        with ProgressBar() as progress:
            task = read_table(
                table,
                target,
                features=split_names(features),
                drop=split_names(drop) or (),
                drop_missing=drop_missing,
                separator=separator,
                open_file=progress.open,
            )
            if standardize_columns:
                task = standardize(task)
            result = table_run.compute(task, config, progress)
        table_report.print_report(result, console)
        if plot is not None:
            write_figure(plot, table_run.plot(result))
            console.print(f"wrote {plot}", soft_wrap=True)
        if output is not None:
            table_report.save(result, output)
            console.print(f"wrote {output}", soft_wrap=True)


def _eta(text: str | None) -> Eta:
    if text is None or text in {"optimal", "chebyshev"}:
        return cast(Eta, text)
    return parsed_number(float, "eta", text, " optimal, chebyshev or")
