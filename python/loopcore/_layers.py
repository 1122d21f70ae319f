"""The layers of a looped Transformer: its weights and words, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loopcore._arguments import read_parameter, read_word

Parameter = NDArray[np.float64]

ATTENTIONS = ("linear", "softmax", "relu", "exp")
UPDATES = ("query", "all", "targets")
MASKS = ("context", "all", "causal")
NORMALIZATIONS = ("masked", "all")


class Layers(NamedTuple):
    """What every loop does, apart from its steps."""

    P: Parameter
    """Value weights, (L, H, D, D)."""
    Q: Parameter
    """Query–key weights, (L, H, D, D)."""
    skip: Parameter
    """What a row that moves is multiplied by, (D, D)."""
    attention: str
    update: str
    mask: str
    normalize: str

    @property
    def weights(self) -> tuple[Parameter, Parameter, Parameter]:
        """P, Q and skip, as the kernels take them."""
        return self.P, self.Q, self.skip

    def words(self, scale: str) -> tuple[str, str, str, bool, bool]:
        """Return the words as the kernels take them."""
        all_keys, mean = self.normalize == "all", scale == "mean"
        return self.attention, self.update, self.mask, all_keys, mean

    @property
    def queries_stand_together(self) -> bool:
        """Whether several queries may stand in one prompt, because no row sees them."""
        # Softmax over "all" sums over the query too.
        return self.mask == "context" and self.normalize == "masked"


def read_layers(
    P: ArrayLike, Q: ArrayLike, skip: ArrayLike | None, words: Mapping[str, object]
) -> Layers:
    """Return the layers that the arguments of `LoopedTransformer` describe.

    Raises
    ------
    TypeError, ValueError
        As `LoopedTransformer`.
    """
    P, Q = _read_weights(P, "P"), _read_weights(Q, "Q")
    if P.shape != Q.shape:
        raise ValueError(f"Q: expected the shape of P, {P.shape}, got {Q.shape}")
    D = P.shape[-1]
    skip = read_parameter(np.eye(D) if skip is None else skip, "skip")
    if skip.shape != (D, D):
        raise ValueError(f"skip: expected shape (D, D) = {(D, D)}, got {skip.shape}")
    layers = Layers(
        P,
        Q,
        skip,
        attention=read_word(words["attention"], "attention", ATTENTIONS),
        update=read_word(words["update"], "update", UPDATES),
        mask=read_word(words["mask"], "mask", MASKS),
        normalize=read_word(words["normalize"], "normalize", NORMALIZATIONS),
    )
    _check(layers)
    return layers


def moves_targets_alone(P: Parameter) -> bool:
    """Return whether every P, (..., D, D), is zero but for P[−1, −1]."""
    rest = P.copy()
    rest[..., -1, -1] = 0
    return not rest.any()


def blind_to_targets(Q: Parameter) -> bool:
    """Return whether every Q, (..., D, D), is zero in the row and the column of the y slot."""
    return not (Q[..., -1, :].any() or Q[..., :, -1].any())


def _read_weights(value: ArrayLike, name: str) -> Parameter:
    """Return (L, H, D, D) weights given as (D, D), (L, D, D) or (L, H, D, D)."""
    weights = read_parameter(value, name)
    shape = weights.shape
    if not 2 <= len(shape) <= 4 or shape[-1] != shape[-2] or shape[-1] < 2 or 0 in shape:
        raise ValueError(
            f"{name}: expected shape (D, D), (L, D, D) or (L, H, D, D) with D >= 2, got {shape}"
        )
    D = shape[-1]
    return weights.reshape({2: (1, 1, D, D), 3: (-1, 1, D, D), 4: shape}[len(shape)])


def _check(layers: Layers) -> None:
    """Raise ValueError where weights and words do not go together."""
    if layers.normalize == "all" and layers.attention != "softmax":
        raise ValueError(
            f"normalize: expected 'masked' with attention={layers.attention!r}, got 'all'"
        )
    if layers.update != "targets":
        return
    if not moves_targets_alone(layers.P):
        raise ValueError(
            "P: expected zeros but for P[-1, -1] with update='targets', got a P that moves more "
            "than the y slot"
        )
    if not blind_to_targets(layers.Q):
        raise ValueError(
            "Q: expected zeros in the row and the column of the y slot with update='targets', got "
            "scores that depend on y"
        )
    if (layers.skip != np.eye(len(layers.skip)))[:, :-1].any():
        raise ValueError(
            "skip: expected the identity outside its last column with update='targets', got a skip "
            "that moves more than the y slot"
        )
