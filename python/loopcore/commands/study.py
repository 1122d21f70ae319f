"""The commands `loopcore study NAME`, one for each study."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import typer

from loopcore.commands.shared import (
    FigureFormat,
    one_line_errors,
    parsed_number,
    plain_console,
    print_help_alone,
    say,
    split_names,
)
from loopcore.studies.frame.progress import ProgressBar
from loopcore.studies.frame.runner import print_run, run_study
from loopcore.studies.frame.study import SUMMARIES, find

study_app = typer.Typer(help="Studies: a question, a figure, findings.", rich_markup_mode=None)

Seed = Annotated[int, typer.Option(min=0, help="Fixes every number.")]
Quick = Annotated[bool, typer.Option("--quick", help="Seconds, not minutes; wider intervals.")]
OutputDir = Annotated[Path, typer.Option(help="Where the files go; made if missing.")]
Format = Annotated[FigureFormat, typer.Option("--format", help="How the figure is written.")]


@study_app.callback(invoke_without_command=True)
def _study(context: typer.Context) -> None:
    print_help_alone(context)


@study_app.command("convergence", help=SUMMARIES["convergence"])
def _convergence(
    *,
    examples: Annotated[
        str | None, typer.Option(metavar="N,N,…", help="The numbers of examples n of the curves.")
    ] = None,
    d: Annotated[int | None, typer.Option("--d", min=1, help="The length of θ* there.")] = None,
    loops: Annotated[int | None, typer.Option(min=1, help="Their number of loops T.")] = None,
    tasks: Annotated[int | None, typer.Option(min=1, help="Tasks for each n.")] = None,
    alpha: Annotated[
        str | None, typer.Option(metavar="NUMBER|random", help="The value to generate; 1.")
    ] = None,
    seed: Seed = 0,
    quick: Quick = False,
    output_dir: OutputDir = Path(),
    figure_format: Format = FigureFormat.png,
) -> None:
    with one_line_errors():
        changes: dict[str, Any] = {"d": d, "loops": loops, "tasks": tasks}
        if examples is not None:
            changes["examples"] = tuple(
                parsed_number(int, "examples", text) for text in examples.split(",")
            )
        if alpha is not None:
            changes["alpha"] = (
                "random" if alpha == "random" else parsed_number(float, "alpha", alpha)
            )
        _perform(
            "convergence",
            changes,
            seed=seed,
            quick=quick,
            output_dir=output_dir,
            figure_format=figure_format,
        )


@study_app.command("real", help=SUMMARIES["real"])
def _real(
    *,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A table of yours, as for `loopcore run`.")
    ] = None,
    target: Annotated[str | None, typer.Option(help="Its column to predict (y).")] = None,
    drop: Annotated[
        str | None, typer.Option(metavar="A,B,…", help="Columns of it to leave out of X.")
    ] = None,
    seed: Seed = 0,
    quick: Quick = False,
    output_dir: OutputDir = Path(),
    figure_format: Format = FigureFormat.png,
) -> None:
    with one_line_errors():
        names = split_names(drop)
        columns = None if names is None else tuple(names)
        _perform(
            "real",
            {"csv": csv, "target": target, "drop": columns},
            seed=seed,
            quick=quick,
            output_dir=output_dir,
            figure_format=figure_format,
        )


@study_app.command("language", help=SUMMARIES["language"])
def _language(
    *,
    text: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A text of yours, UTF-8.")
    ] = None,
    benchmark: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A benchmark's text, for its perplexity.")
    ] = None,
    seed: Seed = 0,
    quick: Quick = False,
    output_dir: OutputDir = Path(),
    figure_format: Format = FigureFormat.png,
) -> None:
    with one_line_errors():
        changes = {"text": text, "benchmark": benchmark}
        _perform(
            "language",
            changes,
            seed=seed,
            quick=quick,
            output_dir=output_dir,
            figure_format=figure_format,
        )


def _add_command(name: str) -> None:
    """Add the command of a study that has no options of its own."""

    @study_app.command(name, help=SUMMARIES[name])
    def _command(
        *,
        seed: Seed = 0,
        quick: Quick = False,
        output_dir: OutputDir = Path(),
        figure_format: Format = FigureFormat.png,
    ) -> None:
        with one_line_errors():
            _perform(
                name, {}, seed=seed, quick=quick, output_dir=output_dir, figure_format=figure_format
            )


for _name in SUMMARIES:
    if _name not in {"convergence", "real", "language"}:
        _add_command(_name)


def _perform(
    name: str,
    changes: dict[str, Any],
    *,
    seed: int,
    quick: bool,
    output_dir: Path,
    figure_format: FigureFormat,
) -> None:
    """Run a study, changed in some settings (None: as they are), print it and say its files."""
    study = find(name)
    given = {field: value for field, value in changes.items() if value is not None}
    config = dataclasses.replace(study.quick if quick else study.full, seed=seed, **given)
    console = plain_console()
    with ProgressBar() as progress:
        run = run_study(
            study, config, output_dir, figure_format=figure_format.value, progress=progress, say=say
        )
    print_run(run, console)
    files = [output_dir / f"{name}.{suffix}" for suffix in (figure_format.value, "json", "md")]
    console.print("wrote {}, {} and {}".format(*files), soft_wrap=True)
