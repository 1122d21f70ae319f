"""The result of the literature study."""

from __future__ import annotations

from dataclasses import dataclass

from loopcore.studies.literature.ahn import Layers, Trained
from loopcore.studies.literature.config import Config
from loopcore.studies.literature.fu import Iterations
from loopcore.studies.literature.oswald import Damped, Layer, Loops
from loopcore.studies.literature.precision import Descent32
from loopcore.studies.literature.summary import Curve
from loopcore.studies.literature.table import Row


@dataclass(frozen=True, eq=False)
class Result:
    """What was measured; arrays of parts have a leading axis of R repeats.

    Attributes
    ----------
    rows : tuple of Row
        The one table.
    layers : Layers
        Each (R, 4), for L = 1 … 4.
    trained : Trained
        Each (trainings,).
    layer, loops, damped : Layer, Loops, Damped
        Each (R, ...).
    iterations : tuple of Iterations
        For κ = 1 and 100, each (R, ...).
    descent32 : Descent32
        Each (R,).
    curves : tuple of Curve
        For every method and type, in the order of `floors.METHODS`.
    """

    config: Config
    rows: tuple[Row, ...]
    layers: Layers
    trained: Trained
    layer: Layer
    loops: Loops
    damped: Damped
    iterations: tuple[Iterations, ...]
    descent32: Descent32
    curves: tuple[Curve, ...]
