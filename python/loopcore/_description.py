"""The description of a looped Transformer: its arrays and words, fixed once and for all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from loopcore._adaptive_steps import curvature_roots
from loopcore._arguments import read_word
from loopcore._layer_steps import read_eta, read_schedule
from loopcore._layers import Layers, Parameter, read_layers
from loopcore._tokens import Tokens

Model = TypeVar("Model", bound="Description")
Shape = tuple[int, ...]


@dataclass(frozen=True, init=False, repr=False, eq=False)
class Description:
    """What `LoopedTransformer` documents, without what it computes: it is immutable and plain."""

    P: Parameter
    Q: Parameter
    skip: Parameter
    eta: Parameter | Literal["optimal"] | None
    schedule: Parameter | None
    attention: str
    update: str
    mask: str
    scale: str
    normalize: str
    _tokens: Tokens
    _roots: Parameter | None
    _shapes: dict[str, Shape | None]

    def __init__(
        self,
        P: ArrayLike,
        Q: ArrayLike,
        eta: ArrayLike | Literal["optimal"] | None = None,
        *,
        schedule: ArrayLike | None = None,
        attention: Literal["linear", "softmax", "relu", "exp"] = "linear",
        update: Literal["query", "all", "targets"] = "query",
        mask: Literal["context", "all", "causal"] = "context",
        scale: Literal["sum", "mean"] = "sum",
        normalize: Literal["masked", "all"] = "masked",
        skip: ArrayLike | None = None,
    ) -> None:
        words = {"attention": attention, "update": update, "mask": mask, "normalize": normalize}
        layers = read_layers(P, Q, skip, words)
        given = {"P": P, "Q": Q, "eta": eta, "schedule": schedule, "skip": skip}
        L = len(layers.P)
        values: dict[str, object] = layers._asdict()
        values["scale"] = read_word(scale, "scale", ("sum", "mean"))
        values |= {"eta": None, "schedule": None, "_roots": None, "_tokens": Tokens()}
        if schedule is not None:
            if eta is not None:
                raise ValueError("eta: expected eta or schedule, got both")
            values["schedule"] = read_schedule(schedule, L)
        elif eta is None or isinstance(eta, str):
            if eta is not None:
                values["eta"] = read_word(eta, "eta", ("optimal",))
            values["_roots"] = curvature_roots(layers, eta)
        else:
            values["eta"] = read_eta(eta, L)
        # In which gradients come.
        values["_shapes"] = {
            name: None if value is None else np.shape(value) for name, value in given.items()
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @classmethod
    def _with_tokens(cls: type[Model], tokens: Tokens, **options: Any) -> Model:
        """Return the model of these arguments whose prompts are made of such tokens."""
        model = cls(**options)
        object.__setattr__(model, "_tokens", tokens)
        return model

    @property
    def layers(self) -> int:
        """L, the layers of a loop."""
        return len(self.P)

    @property
    def heads(self) -> int:
        """H, the heads of a layer."""
        return int(self.P.shape[1])

    @property
    def width(self) -> int:
        """D, the entries of a token."""
        return int(self.P.shape[-1])

    @property
    def _layers(self) -> Layers:
        words = (self.attention, self.update, self.mask, self.normalize)
        return Layers(self.P, self.Q, self.skip, *words)

    def _options(self) -> dict[str, Any]:
        """Return the arguments that make an equal model, but for its tokens."""
        names = ("P", "Q", "eta", "schedule", "attention", "update", "mask", "scale", "normalize")
        return {name: getattr(self, name) for name in (*names, "skip")}

    def _as_given(self) -> dict[str, Any]:
        """Return the arguments that make this model, in the shapes in which they were given."""
        options = self._options()
        for name, shape in self._shapes.items():
            value = options[name]
            if shape is None:
                options[name] = None
            elif isinstance(value, np.ndarray):
                # A step for all layers, () or (..., 1), is kept once a layer.
                own = value[..., : shape[-1]] if shape else value[..., 0]
                options[name] = own.reshape(shape)
        return options

    def _key(self) -> tuple[object, ...]:
        """Return what decides whether two models are equal."""
        options = self._options().values()
        # −0.0 + 0.0 = 0.0
        arrays = (
            (a.shape, (a + 0.0).tobytes()) if isinstance(a, np.ndarray) else a for a in options
        )
        return (*arrays, self._tokens)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Description):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __reduce__(self) -> tuple[Callable[..., Description], tuple[object, ...]]:
        return _rebuild, (type(self), self._tokens, self._options(), self._shapes)

    def __repr__(self) -> str:
        steps = f"eta={_brief(self.eta)}"
        if self.schedule is not None:
            steps = f"schedule={_brief(self.schedule)}"
        words = ("attention", "update", "mask", "scale", "normalize")
        described = ", ".join(f"{word}={getattr(self, word)!r}" for word in words)
        plain = np.array_equal(self.skip, np.eye(self.width))
        return (
            f"<LoopedTransformer: layers={self.layers}, heads={self.heads}, width={self.width}, "
            f"{steps}, {described}{'' if plain else ', skip=' + _brief(self.skip)}>"
        )


def _brief(value: object) -> str:
    """Return an argument as __repr__ shows it: a number as such, a larger array by its shape."""
    if not isinstance(value, np.ndarray):
        return repr(value)
    return repr(float(value.flat[0])) if value.size == 1 else f"<{value.shape} array>"


def _rebuild(
    model: type[Description],
    tokens: Tokens,
    options: dict[str, Any],
    shapes: dict[str, Shape | None],
) -> Description:
    """Return what was pickled: its arrays come back read-only."""
    rebuilt = model._with_tokens(tokens, **options)
    object.__setattr__(rebuilt, "_shapes", shapes)
    return rebuilt
