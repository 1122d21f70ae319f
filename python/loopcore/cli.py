"""The command `loopcore`: runs the commands, and turns every failure into one line."""

from __future__ import annotations

import sys
from typing import NoReturn

_EXTRA = "pip install 'loopcore[studies]'"


def main() -> NoReturn:
    """Run the command line, and leave with its exit code.

    The exit code is 0 for success, 1 for output that nobody reads to the end, 2 for wrong input or
    a missing package, and 130 after Ctrl-C. Every failure is one line on the standard error.
    """
    for stream in (sys.stdout, sys.stderr):  # a terminal that cannot show κ gets a ?
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        from loopcore.commands import UsageError, app

        try:
            code = app(standalone_mode=False)
        except UsageError as error:
            _leave(getattr(error, "format_message", error.__str__)(), 2)
        if code == 130:  # Typer's too, for Ctrl-C outside the commands
            _leave("interrupted", 130)
        sys.exit(code if isinstance(code, int) else 0)
    except KeyboardInterrupt:
        _leave("interrupted", 130)
    except ModuleNotFoundError as error:
        package = (error.name or "loopcore").partition(".")[0]
        if package == "loopcore":
            raise  # a broken installation, not a missing extra
        _leave(f"this command needs {package}: {_EXTRA}", 2)


def _leave(message: str, code: int) -> NoReturn:
    print(f"loopcore: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)
