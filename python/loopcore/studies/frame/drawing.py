"""What the figures of all studies share: sizes, grids, and series told apart without colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

REFERENCE: dict[str, Any] = {"color": "0.35", "linestyle": "--", "linewidth": 1.2}
"""A theorem or closed form, beside what was measured."""

# From dark to light, so that they differ in gray too; colours of P. Tol's "bright" family.
_COLOURS = ("#000000", "#22478f", "#a3123f", "#228833", "#cc7a00", "#4fb0d9", "#a9a9a9", "#7b3f9d")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (6, 1.5, 1.5, 1.5)))


def new_figure(rows: int, columns: int, **share: Any) -> tuple[Figure, npt.NDArray[Any]]:
    """Return a figure and its panels, (rows, columns); `share` goes to `Figure.subplots`."""
    from matplotlib.figure import Figure

    size = (max(4.0 * columns, 5.2), 3.4 * rows + 0.5)
    figure = Figure(figsize=size, layout="constrained")
    panels: npt.NDArray[Any] = np.asarray(figure.subplots(rows, columns, squeeze=False, **share))
    for axes in panels.flat:
        axes.grid(color="0.92")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    return figure, panels


def series(k: int, *, line: bool = True) -> dict[str, Any]:
    """Return how the k-th series is drawn: colour, marker and dashes all differ from its like.

    Examples
    --------
    >>> series(0)["marker"], series(1)["marker"]
    ('o', 's')
    """
    style: dict[str, Any] = {
        "color": _COLOURS[k % len(_COLOURS)],
        "marker": _MARKERS[k % len(_MARKERS)],
        "markersize": 4,
        "linewidth": 1.4,
    }
    return style | {"linestyle": _DASHES[k % len(_DASHES)] if line else "none"}


def legend(axes: Axes, **options: Any) -> None:
    """Add a panel's legend, without a frame."""
    axes.legend(**{"frameon": False, "fontsize": "small", **options})
