"""What the repeats of a part say together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from loopcore.studies.frame.intervals import Interval, quantile
from loopcore.studies.frame.repeats import Estimate, estimate
from loopcore.studies.literature import floors
from loopcore.studies.literature.fu import Iterations
from loopcore.studies.literature.precision import Floor

Array = npt.NDArray[np.float64]
P = TypeVar("P", bound=Iterable[Array])


def stacked(kind: Callable[..., P], parts: Sequence[P]) -> P:
    """Return one part whose arrays have a leading axis of repeats, (R, ...)."""
    return kind(*(np.stack(field) for field in zip(*parts, strict=True)))


def extrapolated(pairs: Array) -> Estimate:
    """Return where ratios (R, 2) go that were trained on a quarter, and on all of some prompts.

    What training on few prompts costs is proportional to 1/prompts. [ours]
    """
    return estimate((4 * pairs[:, 1] - pairs[:, 0]) / 3)


def growth(iterations: Iterations) -> Estimate:
    """Return the factor by which the matched steps of gradient descent grow a Newton step.

    The geometric mean over the steps of Newton from an error of 10⁻⁴ on.
    """
    factors = []
    for newton, matched in zip(iterations.newton, iterations.matched, strict=True):
        late = matched[(newton < 1e-4) & np.isfinite(matched)]
        factors.append((late[-1] / late[0]) ** (1 / (len(late) - 1)) if len(late) > 1 else np.nan)
    return estimate(factors)


@dataclass(frozen=True, eq=False)
class Curve:
    """The floors of one method in one type, by κ.

    Attributes
    ----------
    method : str
        One of `floors.METHODS`.
    dtype : "float32" or "float64"
    kappa : ndarray, shape (K,)
        Medians over tasks.
    error : Interval, shape (K,)
        The median of the floors ‖θ̂ − θ‖/‖θ‖.
    slope : Interval, shape ()
        The median over tasks of the slope of log error by log κ, from κ = 100 on where two such κ
        were run, from 10 otherwise.
    over_u_kappa : Interval, shape ()
        The median of the floor over uκ at the largest κ.
    """

    method: str
    dtype: str
    kappa: Array
    error: Interval
    slope: Interval
    over_u_kappa: Interval


def curve(method: str, dtype: str, parts: Sequence[Floor]) -> Curve:
    """Lay out the floors of a method; the b-th tasks of all κ are one sample."""
    error, kappa = (np.stack(part) for part in zip(*parts, strict=True))  # (K, B)
    u = floors.ROUNDING[dtype]
    rising = kappa[:, 0] > (30 if (kappa[:, 0] > 30).sum() > 1 else 3)
    x, f = np.log(kappa[rising]), np.log(np.maximum(error[rising], u / 16))
    x = x - x.mean(0)
    slopes = (x * f).sum(0) / np.square(x).sum(0)
    return Curve(
        method,
        dtype,
        np.median(kappa, axis=1),
        quantile(error.T),
        quantile(slopes),
        quantile(error[-1] / (u * kappa[-1])),
    )


def as_estimate(interval: Interval) -> Estimate:
    """Return an interval as one that is symmetric and no narrower."""
    reach = np.maximum(interval.high - interval.value, interval.value - interval.low)
    return Estimate(interval.value, reach)
