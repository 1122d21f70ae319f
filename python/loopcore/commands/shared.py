"""What the commands share: consoles, errors of one line, and numbers in options."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from typing import TypeVar

import typer
from rich.console import Console

UsageError: type[Exception] = typer.BadParameter.__bases__[0]  # Typer exports no name for it
Number = TypeVar("Number", int, float)


class FigureFormat(str, Enum):
    """How a figure is written."""

    png = "png"
    svg = "svg"


def print_help_alone(context: typer.Context) -> None:
    """Print the help of a group of commands where none was named."""
    if context.invoked_subcommand is None:
        print(context.get_help())


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn what the user can mend into a usage error, and Ctrl-C into exit code 130."""
    try:
        yield
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        raise UsageError(what) from error
    except (ValueError, MemoryError) as error:
        raise UsageError(str(error) or "not enough memory") from error
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def plain_console() -> Console:
    """Print names as they are: no markup, no emoji. In a pipe: 80 columns and no colours."""
    return Console(markup=False, emoji=False, highlight=False)


def say(sentence: str) -> None:
    """Tell the user something that is no result."""
    typer.echo(f"loopcore: {sentence}", err=True)


def split_names(text: str | None) -> list[str] | None:
    """Split names at commas; quotes keep a comma inside a name."""
    return None if text is None else next(csv.reader([text], skipinitialspace=True))


def parsed_number(kind: type[Number], name: str, text: str, others: str = "") -> Number:
    """Read a number of an option, or say what was expected."""
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"{name}: expected{others} a number, got {text!r}") from None
