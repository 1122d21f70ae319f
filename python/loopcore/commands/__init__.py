"""The commands of `loopcore`, with their options: parsing alone, the work lies in `studies`."""

from __future__ import annotations

import platform
from typing import Annotated

import numpy as np
import typer

import loopcore
from loopcore.commands.report import report
from loopcore.commands.run import run_table
from loopcore.commands.shared import UsageError, print_help_alone
from loopcore.commands.study import study_app

__all__ = ["UsageError", "app"]

app = typer.Typer(
    help="Looped Transformers that do gradient descent in context.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("run")(run_table)
app.add_typer(study_app, name="study")
app.command("report")(report)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print versions.")] = False,
) -> None:
    if version:
        python, numpy = platform.python_version(), np.__version__
        print(f"loopcore {loopcore.__version__} ({loopcore.isa()}, NumPy {numpy}, Python {python})")
    else:
        print_help_alone(context)
