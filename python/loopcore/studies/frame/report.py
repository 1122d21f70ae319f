"""The report: many studies on one HTML page that needs no other file."""

from __future__ import annotations

import base64
import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from loopcore.studies.frame import machine
from loopcore.studies.frame.progress import Progress
from loopcore.studies.frame.result_files import figure_bytes, versions, write_text
from loopcore.studies.frame.runner import Run, kept_parts, run_study
from loopcore.studies.frame.study import SUMMARIES, Study, find


def make_report(
    names: Sequence[str],
    folder: Path,
    seed: int,
    progress: Progress,
    say: Callable[[str], None],
    *,
    quick: bool = False,
) -> Path:
    """Run studies, and write what they found on one page.

    Parameters
    ----------
    names : sequence of str
        Of the studies, in the order of the page.
    folder : path
        Where report.html and the files of `runner.run_study` go; made if missing.
    seed : int
        Of every study.
    progress : callable
        The bar.
    say : callable
        Takes sentences for the user.
    quick : bool
        With the studies' quick settings.

    Returns
    -------
    path
        Of the page. If a study is interrupted or fails, the page has those that ended before, and
        all of their parts are kept: the same call goes on from there.

    Raises
    ------
    ModuleNotFoundError
        Without Jinja.
    ValueError
        If there is no study of a name, or one is named twice.
    """
    import jinja2  # noqa: F401  (is it there? the page is made last)

    if not names or len(set(names)) < len(names):
        raise ValueError(f"studies: expected names, each once, got {', '.join(names) or 'none'}")
    studies = [find(name) for name in names]
    page, runs, start = folder / "report.html", list[Run](), time.monotonic()
    try:
        for number, study in enumerate(studies, 1):
            moved = _named(progress, f"{study.name} ({number} of {len(studies)})")
            config = dataclasses.replace(study.quick if quick else study.full, seed=seed)
            runs.append(
                run_study(
                    study, config, folder, figure_format="svg", progress=moved, say=say, keep=True
                )
            )
    except BaseException:
        if runs:
            missing = [study.name for study in studies[len(runs) :]]
            write_text(page, render(runs, missing, time.monotonic() - start, quick=quick))
            say(f"{page} has {len(runs)} of {len(studies)} studies; not {', '.join(missing)}")
        raise
    write_text(page, render(runs, [], time.monotonic() - start, quick=quick))
    for run in runs:
        kept_parts(run.study.name, folder, run.result.config).unlink(missing_ok=True)
    return page


def render(runs: Sequence[Run], missing: Sequence[str], seconds: float, *, quick: bool) -> str:
    """Return the page as HTML.

    Parameters
    ----------
    runs : sequence of Run
        Studies that ended, at least one.
    missing : sequence of str
        Names of those that did not.
    seconds : float
        How long all took.
    quick : bool
        Whether their settings are the quick ones.

    Raises
    ------
    ModuleNotFoundError
        Without Jinja.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("loopcore.studies.frame", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(
        studies=[_section(run) for run in runs],
        missing=[(name, SUMMARIES[name]) for name in missing],
        seed=runs[0].result.config.seed,
        settings="quick" if quick else "full",
        duration=duration(seconds),
        made=datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        machine=machine.describe(),
        versions=versions(),
    )


def duration(seconds: float) -> str:
    """Write a time as people say it.

    Examples
    --------
    >>> duration(0.42), duration(75.3), duration(3725)
    ('0.4 s', '1 min 15 s', '1 h 2 min')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _named(progress: Progress, name: str) -> Progress:
    """Return a bar that says which study it is of."""
    return lambda stage, done, total: progress(f"{name}: {stage}", done, total)


def _section(run: Run) -> dict[str, Any]:
    """Collect what the template shows of a study."""
    study: Study[Any, Any] = run.study
    figure = figure_bytes(study.plot(run.result), "svg", transparent=True)
    config = run.result.config
    return {
        "study": study,
        "figure": base64.b64encode(figure).decode(),
        "findings": study.findings(run.result),
        "sheets": study.sheets(run.result),
        "settings": [(f.name, _shown(getattr(config, f.name))) for f in dataclasses.fields(config)],
        "duration": duration(run.seconds),
    }


def _shown(value: Any) -> str:
    """Write a setting: numbers to six digits, which the JSON file has in full."""
    if dataclasses.is_dataclass(value):
        fields = ((f.name, getattr(value, f.name)) for f in dataclasses.fields(value))
        return "(" + ", ".join(f"{name} = {_shown(entry)}" for name, entry in fields) + ")"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(_shown, value)) + ")"
    if isinstance(value, bool) or value is None:
        return "yes" if value else "no" if value is False else "none"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return "∞" if value == math.inf else f"{value:.6g}"
    return str(value)
