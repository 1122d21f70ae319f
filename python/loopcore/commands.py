"""The commands of `loopcore`, with their options: parsing alone, the work lies in `studies`."""

from __future__ import annotations

import csv
import dataclasses
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Annotated, TypeVar, cast

import numpy as np
import typer
from rich.console import Console

import loopcore
from loopcore.studies import convergence, convergence_report, optima, table_report, table_run
from loopcore.studies.optima import report as optima_report
from loopcore.studies.progress import ProgressBar
from loopcore.studies.result_files import require_figure, require_writable, write_figure
from loopcore.studies.steps import Eta
from loopcore.tables import read_table, standardize

UsageError: type[Exception] = typer.BadParameter.__bases__[0]  # Typer exports no name for it
Number = TypeVar("Number", int, float)

app = typer.Typer(
    help="Looped Transformers that do gradient descent in context.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
study_app = typer.Typer(help="Experiments on random tasks.", rich_markup_mode=None)
app.add_typer(study_app, name="study")


class FigureFormat(str, Enum):
    """How a figure is written."""

    png = "png"
    svg = "svg"


def _print_help_alone(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print versions.")] = False,
) -> None:
    if version:
        python, numpy = platform.python_version(), np.__version__
        print(f"loopcore {loopcore.__version__} ({loopcore.isa()}, NumPy {numpy}, Python {python})")
    else:
        _print_help_alone(context)


@study_app.callback(invoke_without_command=True)
def _study(context: typer.Context) -> None:
    _print_help_alone(context)


@app.command("run")
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
    console = _console()
    with _one_line_errors():
        if plot is not None:
            require_figure(plot)
        if output is not None:
            require_writable(output, table_report.OUTPUT_FORMATS)
        config = table_run.Config(alpha, loops, _eta(eta))
        with ProgressBar() as progress:
            task = read_table(
                table,
                target,
                features=_names(features),
                drop=_names(drop) or (),
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


@study_app.command("convergence")
def study_convergence(
    *,
    examples: Annotated[
        str, typer.Option(metavar="N,N,…", help="The numbers of examples n to try.")
    ] = "5,10,20,40",
    d: Annotated[int, typer.Option("--d", min=1, help="The length of θ*.")] = 4,
    loops: Annotated[int, typer.Option(min=1, help="The number of loops T.")] = 50,
    tasks: Annotated[
        int | None, typer.Option(min=1, help="Tasks for each n; 10000 unless given.")
    ] = None,
    alpha: Annotated[
        str, typer.Option(metavar="NUMBER|random", help="The value to generate.")
    ] = "1",
    seed: Annotated[int, typer.Option(min=0, help="Fixes every number.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="1000 tasks for each n.")] = False,
    output_dir: Annotated[Path, typer.Option(help="Where the files go; made if missing.")] = Path(),
    figure_format: Annotated[
        FigureFormat, typer.Option("--format", help="How the figure is written.")
    ] = FigureFormat.png,
) -> None:
    """Repeat the paper's experiment: error against loops on Gaussian tasks, with the bound."""
    console = _console()
    with _one_line_errors():
        config = convergence.Config(
            d=d,
            examples=tuple(_number(int, "examples", text) for text in examples.split(",")),
            loops=loops,
            tasks=tasks if tasks is not None else 1000 if quick else 10_000,
            alpha="random" if alpha == "random" else _number(float, "alpha", alpha),
            seed=seed,
        )
        output_dir.mkdir(parents=True, exist_ok=True)
        figure = output_dir / f"convergence.{figure_format.value}"
        numbers = output_dir / "convergence.json"
        require_figure(figure)
        with ProgressBar() as progress:
            result = convergence.compute(config, progress)
        convergence_report.print_report(result, console)
        write_figure(figure, convergence.plot(result))
        convergence_report.save(result, numbers)
        console.print(f"wrote {figure} and {numbers}", soft_wrap=True)


@study_app.command("optima")
def study_optima(
    *,
    seed: Annotated[int, typer.Option(min=0, help="Fixes every number.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="Half a minute, not several.")] = False,
    output_dir: Annotated[Path, typer.Option(help="Where the files go; made if missing.")] = Path(),
    figure_format: Annotated[
        FigureFormat, typer.Option("--format", help="How the figure is written.")
    ] = FigureFormat.png,
) -> None:
    """Train models, and compare them with the optima that are known without training."""
    console = _console()
    with _one_line_errors():
        config = dataclasses.replace(optima.QUICK if quick else optima.Config(), seed=seed)
        output_dir.mkdir(parents=True, exist_ok=True)
        figure = output_dir / f"optima.{figure_format.value}"
        numbers, words = output_dir / "optima.json", output_dir / "optima.md"
        require_figure(figure)
        with ProgressBar() as progress:
            result = optima.compute(config, progress)
        optima_report.print_report(result, console)
        write_figure(figure, optima.plot(result))
        optima_report.save(result, numbers)
        optima_report.save_findings(result, words, figure)
        console.print(f"wrote {figure}, {numbers} and {words}", soft_wrap=True)


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """Turn what the user can mend into a usage error, and Ctrl-C into exit code 130."""
    try:
        yield
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        raise UsageError(what) from error
    except (ValueError, MemoryError) as error:
        raise UsageError(str(error) or "not enough memory") from error
    except KeyboardInterrupt:
        typer.echo("loopcore: interrupted", err=True)
        raise typer.Exit(130) from None


def _console() -> Console:
    """Print names as they are: no markup, no emoji. In a pipe: 80 columns and no colours."""
    return Console(markup=False, emoji=False, highlight=False)


def _names(text: str | None) -> list[str] | None:
    """Split names at commas; quotes keep a comma inside a name."""
    return None if text is None else next(csv.reader([text], skipinitialspace=True))


def _eta(text: str | None) -> Eta:
    if text is None or text in {"optimal", "chebyshev"}:
        return cast(Eta, text)
    return _number(float, "eta", text, " optimal, chebyshev or")


def _number(kind: type[Number], name: str, text: str, others: str = "") -> Number:
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"{name}: expected{others} a number, got {text!r}") from None
