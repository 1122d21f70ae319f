"""The paper's loop as the family has it, gradient descent on ½‖Xθ − y‖²: `run` computes it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from loopcore._layers import Layers
from loopcore._native import core
from loopcore._tokens import Tokens

Array = NDArray[Any]


def is_run(layers: Layers, tokens: Tokens, n: int) -> bool:
    """Return whether `loopcore.run` makes the loops of a model on n examples.

    It does where only the query row moves, with P = diag(1, …, 1, 0) and Q = I: there q = −v. And
    where the y slots alone move, with P = E_yy and Q = diag(1, …, 1, 0): the y slot of a query is
    y_0 − ⟨v, x⟩ then, with the v of α = 1 and q0 = 0. Not on few examples, where run's S = XᵀX
    loses digits that the rows keep; the bound is that of the family's own plan.
    """
    D = layers.P.shape[-1]
    x, y = np.diag(np.append(np.ones(D - 1), 0.0)), np.diag(np.append(np.zeros(D - 1), 1.0))
    P, Q = (x, np.eye(D)) if layers.update == "query" else (y, x)
    return (
        (layers.attention, layers.mask) == ("linear", "context")
        and layers.P.shape[:2] == (1, 1)
        and type(tokens) is Tokens
        and np.array_equal(layers.P[0, 0], P)
        and np.array_equal(layers.Q[0, 0], Q)
        and np.array_equal(layers.skip, np.eye(D))
        and not core.is_short(n, D)
    )
