"""The reverse pass of a looped Transformer: from the adjoint of Z(T) to all it came from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loopcore._native import core
from loopcore._prompts import Prompt, read_prompt

Array = NDArray[Any]
Shape = tuple[int, ...]


class ModelGradient(NamedTuple):
    """The adjoints of a model's parameters and of its prompts; None for what was not given."""

    P: Array
    """As P was given: (D, D), (L, D, D) or (L, H, D, D)."""
    Q: Array
    """Likewise."""
    eta: Array | None
    """As eta was given, summed over the prompts that shared a step."""
    schedule: Array | None
    """Likewise; zero for loops beyond T."""
    skip: Array | None
    """(D, D)."""
    Z: Array
    """In the shape and type of Z, summed over the runs that shared a prompt."""


class Model(Protocol):
    """What is read of a `LoopedTransformer`."""

    @property
    def P(self) -> Array: ...  # noqa: N802
    @property
    def Q(self) -> Array: ...  # noqa: N802
    @property
    def skip(self) -> Array: ...
    @property
    def eta(self) -> Any: ...
    @property
    def schedule(self) -> Array | None: ...
    @property
    def attention(self) -> str: ...
    @property
    def update(self) -> str: ...
    @property
    def mask(self) -> str: ...
    @property
    def normalize(self) -> str: ...
    @property
    def scale(self) -> str: ...

    def __call__(
        self, Z: ArrayLike, T: SupportsIndex, *, num_threads: SupportsIndex | None = None
    ) -> Array: ...


Pullback = Callable[[ArrayLike], ModelGradient]
Shapes = Mapping[str, Shape | None]


def vjp(
    model: Model,
    Z: ArrayLike,
    T: SupportsIndex,
    *,
    num_threads: SupportsIndex | None = None,
    shapes: Shapes | None = None,
) -> tuple[Array, Pullback]:
    """Return Z(T), and the function that takes its adjoint to those of the parameters and of Z.

    Parameters
    ----------
    model : LoopedTransformer
        With numbers for eta or schedule.
    Z : (..., n + 1, D) array
        As for the call of a model.
    T : int
        Loops, at least 0.
    num_threads : int, optional
        As for the call of a model; the pullback takes as many. Gradients have the same bits for any
        number.
    shapes : mapping, optional
        The shapes in which P, Q, eta, schedule and skip were given, in which the gradients come;
        None for what was not given. By default those that the model keeps.

    Returns
    -------
    value : (..., n + 1, D) array
        Z(T), as the call of the model returns it.
    pullback : callable
        ``pullback(Z_bar)`` with Z_bar (..., n + 1, D), the derivative of a number by Z(T), returns
        the `ModelGradient` of that number. It may be called more than once.

    See `LoopedTransformer.vjp` for all else. Linear attention with update="query", or with
    update="all" or "targets" and a mask other than "causal", reads its keys once: their number
    drops out of the loops, as it does in the call of the model.
    """
    _check_steps(model)
    # Of its own: the caller may write to Z before the pullback.
    prompt = np.array(read_prompt(Z, model.P.shape[-1]))
    value = model(prompt, T, num_threads=num_threads)
    given = dict(_shapes_of(model)) | dict(shapes or {})

    all_keys, mean = model.normalize == "all", model.scale == "mean"
    words = (model.attention, model.update, model.mask, all_keys, mean)

    def pullback(Z_bar: ArrayLike) -> ModelGradient:
        bars = core.looped_vjp(
            Prompt.literal(prompt),
            (model.P, model.Q, model.skip),
            words,
            _steps(model),
            T,
            Z_bar,
            num_threads,
        )
        return _gradient(model, prompt.shape, given, bars)

    return value, pullback


def _check_steps(model: Model) -> None:
    """Raise ValueError for a model whose steps are no numbers."""
    if model.schedule is None and not isinstance(model.eta, np.ndarray):
        step = "1/λ_max of the prompt" if model.eta is None else "2/(λ_min + λ_max) of the prompt"
        raise ValueError(
            f"eta: expected numbers or a schedule, by which alone a model is differentiated, got "
            f"{model.eta!r}, which is {step}; pass eta=..."
        )


def _steps(model: Model) -> Array:
    """Return the steps as the kernels read them, (..., T, L) or (..., 1, L)."""
    return model.eta[..., None, :] if model.schedule is None else model.schedule


def _shapes_of(model: Model) -> dict[str, Shape | None]:
    """Return the shapes of the parameters as the model keeps them."""
    eta = model.eta if model.schedule is None else None
    parameters = {"P": model.P, "Q": model.Q, "skip": model.skip, "eta": eta}
    parameters["schedule"] = model.schedule
    return {name: None if a is None else a.shape for name, a in parameters.items()}


def _gradient(
    model: Model, Z_shape: Shape, shapes: Shapes, bars: tuple[Array, ...]
) -> ModelGradient:
    """Return the adjoints that the kernels found, in the shapes of what was given."""
    Z_bar, P_bar, Q_bar, skip_bar, steps_bar = bars
    if model.update == "targets":
        P_bar, Q_bar, skip_bar = _of_targets(P_bar, Q_bar, skip_bar)
    of_steps: dict[str, Array | None] = {"eta": None, "schedule": None}
    if model.schedule is None:
        of_steps["eta"] = _sum_to(steps_bar[..., 0, :], shapes["eta"])
    else:
        # Loops beyond T have no part in the result. One step for all loops has come as a sum.
        beyond = model.schedule.shape[-2] - steps_bar.shape[-2]
        padding = [(0, 0)] * (steps_bar.ndim - 2) + [(0, beyond), (0, 0)]
        of_steps["schedule"] = _sum_to(np.pad(steps_bar, padding), shapes["schedule"])
    return ModelGradient(
        P=_sum_to(P_bar, shapes["P"]),
        Q=_sum_to(Q_bar, shapes["Q"]),
        skip=None if shapes["skip"] is None else skip_bar,
        Z=_sum_to(Z_bar, Z_shape),
        **of_steps,
    )


def _of_targets(P_bar: Array, Q_bar: Array, skip_bar: Array) -> tuple[Array, Array, Array]:
    """Keep the adjoints of what may differ from zero, or the identity, with update="targets"."""
    P_bar[..., :-1, :] = P_bar[..., -1, :-1] = 0
    Q_bar[..., -1, :] = Q_bar[..., -1] = 0
    skip_bar[:, :-1] = 0
    return P_bar, Q_bar, skip_bar


def _sum_to(bar: Array, shape: Shape | None) -> Array:
    """Return the adjoint of what broadcast from `shape` to the shape of `bar`: sums over new axes.

    Axes of 1 in `bar` that `shape` lacks are dropped, wherever they stand, as (L, 1, D, D) becomes
    (L, D, D).
    """
    assert shape is not None
    if bar.size == np.prod(shape, dtype=int):
        return bar.reshape(shape)
    new = bar.ndim - len(shape)
    shared = [new + k for k, size in enumerate(shape) if size == 1]
    summed = bar.sum((*range(new), *shared), dtype=np.float64)
    return np.asarray(summed, bar.dtype).reshape(shape)
