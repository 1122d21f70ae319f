"""Random models and prompts of every allowed kind."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

# (attention, normalize): to normalize over "all" is for softmax alone.
ATTENTIONS = [
    ("linear", "masked"),
    ("relu", "masked"),
    ("exp", "masked"),
    ("softmax", "masked"),
    ("softmax", "all"),
]
UPDATES = ["query", "all", "targets"]
MASKS = ["context", "all", "causal"]
KINDS = [
    {"attention": attention, "normalize": normalize, "update": update, "mask": mask}
    for (attention, normalize), update, mask in itertools.product(ATTENTIONS, UPDATES, MASKS)
]
# layers, heads, scale, whether there is a skip matrix, whether there is a schedule
SHAPES = list(itertools.product([1, 2], [1, 2], ["sum", "mean"], [False, True], [False, True]))


def name_of(kind: dict[str, str]) -> str:
    """Return a test's name for a kind."""
    return "-".join(kind.values())


def random_model(
    rng: np.random.Generator,
    kind: dict[str, str],
    shape: tuple[int, int, str, bool, bool],
    D: int,
    T: int,
) -> dict[str, Any]:
    """Return arguments of a LoopedTransformer of this kind and shape; its loops stay finite."""
    L, H, scale, has_skip, has_schedule = shape
    P, Q = rng.normal(size=(2, L, H, D, D)) / D
    if kind["attention"] == "exp":  # or eˢ runs away
        P, Q = 0.1 * P, 0.1 * Q
    skip = 0.8 * np.eye(D) + 0.1 * rng.normal(size=(D, D))
    if kind["update"] == "targets":
        P[..., :-1, :] = P[..., :, :-1] = 0
        Q[..., -1, :] = Q[..., :, -1] = 0
        skip[:, :-1] = np.eye(D)[:, :-1]
    steps = rng.uniform(0.02, 0.1, size=(T + 1, L) if has_schedule else L)
    model: dict[str, Any] = {"P": P, "Q": Q, "scale": scale, **kind}
    if has_skip:
        model["skip"] = skip
    model["schedule" if has_schedule else "eta"] = steps
    return model


def literal_arguments(model: dict[str, Any]) -> dict[str, Any]:
    """Return what `reference.looped` takes of the arguments of a model, P and Q aside."""
    return {name: value for name, value in model.items() if name not in {"P", "Q"}}


def steps_of(model: dict[str, Any], T: int) -> Any:
    """Return the (T, L) steps of the arguments of a model."""
    if "schedule" in model:
        return model["schedule"][:T]
    return np.broadcast_to(model["eta"], (T, len(model["P"])))
