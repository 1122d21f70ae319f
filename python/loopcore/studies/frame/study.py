"""A study: a question, how its numbers are computed, and how they are shown."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from loopcore.studies.frame.parts import Parts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Config = TypeVar("Config")
Result = TypeVar("Result")


class Sheet(NamedTuple):
    """A table of a study's numbers, as text: at most 80 columns wide."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    """As many entries as there are columns."""


@dataclass(frozen=True)
class Study(Generic[Config, Result]):
    """What a command needs to know of a study; `loopcore.studies.NAME.STUDY` is one.

    Attributes
    ----------
    name : str
        Of its command, module and files.
    title : str
        A few words.
    question : str
        One to three sentences: what is asked, and on which tasks.
    caption : str
        What the figure shows, with everything that its legend leaves open.
    sources : tuple of str
        Papers and data.
    full, quick : dataclass
        What to measure: within three minutes, and within fifteen seconds, on two cores. Both have
        a `seed`.
    compute : callable
        Takes a configuration and the `Parts` that it measures with, and returns a dataclass with
        the configuration, as `config`, and numbers. The same configuration gives the same numbers.
    plot : callable
        Draws the result.
    sheets : callable
        Lays the result out in tables.
    findings : callable
        Says in sentences, made from the numbers, what they show, and what they leave open. The
        first ones answer the question.
    """

    name: str
    title: str
    question: str
    caption: str
    sources: tuple[str, ...]
    full: Config
    quick: Config
    compute: Callable[[Config, Parts], Result]
    plot: Callable[[Result], Figure]
    sheets: Callable[[Result], tuple[Sheet, ...]]
    findings: Callable[[Result], tuple[str, ...]]


SUMMARIES = {
    "convergence": "The paper's experiment: error against loops, and the fewest examples.",
    "schedules": "Constant, optimal, Chebyshev, momentum and learned steps.",
    "condition": "The condition number of random prompts, up to d = 1,024.",
    "illconditioned": "Rates and floors for condition numbers from 1 to 1e12.",
    "noise": "Noise, the best number of loops, and ridge.",
    "nonlinear": "Quadratic regression: raw features, lifted ones, kernel attention.",
    "attention": "Linear, softmax, ReLU and exp attention on the same tasks.",
    "perturbed": "Weights that are not ideal, other masks, learned weights.",
    "optima": "Trained models beside optima that are known without training.",
    "literature": "Published linear-regression experiments, done again.",
    "real": "In-context regression on real tables, or on yours.",
    "language": "Next-token prediction on real text, or on yours.",
}
"""The studies and what they are about, in the order of a report."""


def find(name: str) -> Study[Any, Any]:
    """Return the study of a name.

    Raises
    ------
    ValueError
        If there is none.
    """
    if name not in SUMMARIES:
        raise ValueError(f"study: expected one of {', '.join(SUMMARIES)}, got {name!r}")
    study: Study[Any, Any] = importlib.import_module(f"loopcore.studies.{name}").STUDY
    return study
