"""A study of a moment, for the tests of what runs and shows studies."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from loopcore.studies.frame.drawing import legend, new_figure, series
from loopcore.studies.frame.intervals import Interval, quantile, text
from loopcore.studies.frame.parts import SILENT
from loopcore.studies.frame.study import Sheet, Study


@dataclass(frozen=True)
class Config:
    sizes: tuple = (1, 2, 3)
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Result:
    config: Config
    medians: Interval


class Cell(NamedTuple):
    heights: np.ndarray


def compute(config, parts=SILENT):
    def measure(size):
        return Cell(np.random.default_rng([config.seed, size]).random(20) * size)

    cells = parts("measuring", config.sizes, Cell, measure)
    return Result(config, quantile(np.stack([cell.heights for cell in cells], axis=1)))


def interrupted(config, parts):
    """Compute a part, then be interrupted."""
    compute(Config(config.sizes[:1], config.seed), parts)
    raise KeyboardInterrupt


def plot(result):
    figure, panels = new_figure(1, 1)
    panels[0, 0].plot(result.config.sizes, result.medians.value, **series(0), label="median")
    panels[0, 0].set_xlabel("size")
    panels[0, 0].set_ylabel("height")
    legend(panels[0, 0])
    return figure


def sheets(result):
    rows = tuple(
        (str(size), text(result.medians.at(k))) for k, size in enumerate(result.config.sizes)
    )
    return (Sheet("Heights by size", ("size", "median <height>"), rows),)


def findings(result):
    return (f"Of {len(result.config.sizes)} sizes & heights < 4 the last is the largest.",)


def named(name, **changes):
    """A sample study of this name."""
    given = {
        "name": name,
        "title": f"The {name} study",
        "question": "How high?",
        "caption": "Medians.",
        "sources": ("nowhere",),
        "full": Config(),
        "quick": Config(sizes=(1, 2)),
        "compute": compute,
        "plot": plot,
        "sheets": sheets,
        "findings": findings,
    }
    return Study(**(given | changes))
