"""The steps of a looped Transformer: one a layer, or one a layer and loop."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from loopcore._arguments import read_parameter
from loopcore._layers import Parameter


class Steps(NamedTuple):
    """The steps of a call: eta or schedule, the other one None."""

    eta: Parameter | None
    """(..., L)."""
    schedule: Parameter | None
    """(..., T, L)."""
    scale: str
    """With "mean" divided by n; and without context rows the attention is left out."""

    @property
    def per_loop(self) -> Parameter:
        """The steps as the kernels read them, (..., T, L), or (..., 1, L) for all loops."""
        steps = self.schedule if self.eta is None else self.eta[..., None, :]
        assert steps is not None
        return steps


def read_eta(eta: ArrayLike, L: int) -> Parameter:
    """Return the steps of the L layers, (..., L), from anything that broadcasts to that."""
    steps = read_parameter(eta, "eta")
    if steps.ndim and steps.shape[-1] not in (1, L):
        raise ValueError(
            f"eta: expected L = {L} entries on its last axis, or 1, got shape {steps.shape}; one "
            f"step a prompt has shape (..., 1)"
        )
    return read_parameter(np.broadcast_to(steps, (*steps.shape[:-1], L)), "eta")


def read_schedule(schedule: ArrayLike, L: int) -> Parameter:
    """Return the steps of the L layers in each loop, (..., T, L); a last axis of 1 broadcasts."""
    steps = read_parameter(schedule, "schedule")
    if steps.ndim < 2 or steps.shape[-1] not in (1, L):
        raise ValueError(
            f"schedule: expected shape (..., T, L) with L = {L}, or 1, got {steps.shape}"
        )
    return read_parameter(np.broadcast_to(steps, (*steps.shape[:-1], L)), "schedule")


def first_loops(schedule: Parameter, T: int) -> Parameter:
    """Return the steps of the first T loops, (..., T, L); ValueError where there are fewer."""
    if schedule.shape[-2] < T:
        raise ValueError(
            f"schedule: expected at least T = {T} loops on its axis -2, got shape {schedule.shape}"
        )
    return schedule[..., :T, :]
