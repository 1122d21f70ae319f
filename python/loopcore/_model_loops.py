"""The loops of a described model: which steps it takes, and which engine computes them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loopcore._adaptive_steps import adaptive_eta, shift_into_range
from loopcore._description import Description
from loopcore._layer_steps import Steps, first_loops
from loopcore._looped import looped
from loopcore._native import core
from loopcore._paper import is_run
from loopcore._prompts import Prompt

Array = NDArray[Any]


class ModelLoops(Description):
    """A description and its loops, on arguments that are checked."""

    def _loop(
        self, prompt: Prompt, T: int, *, axes: int = 0, num_threads: int | None, **options: Any
    ) -> tuple[Array, bool]:
        """Return what `looped` does with this model's steps, which lack `axes` leading axes.

        Where the steps adapt, a prompt and its inverse square, the step, can be scaled by a power
        of two, which all that linear attention makes of it follows: so are prompts whose squares
        would leave the range.
        """
        shift = None
        if self._roots is not None:
            shift = shift_into_range(prompt, self._keys(prompt), self._roots)  # (...)
        if shift is not None:
            prompt = prompt.shifted(shift)
        steps = self._steps(prompt, T, axes=axes, num_threads=num_threads)
        rows, finite = looped(prompt, self._layers, steps, T, num_threads=num_threads, **options)
        if shift is None:
            return rows, finite
        with np.errstate(over="ignore"):
            rows = np.ldexp(rows, -np.expand_dims(shift, tuple(range(shift.ndim - rows.ndim, 0))))
        return rows, bool(np.isfinite(rows).all())

    def _is_run(self, n: int) -> bool:
        return is_run(self._layers, self._tokens, n)

    def _run(
        self,
        X: Array,
        y: Array,
        alpha: ArrayLike,
        T: int,
        *,
        at: Array | None = None,
        **options: Any,
    ) -> Array:
        """Return v(T) of `loopcore.run`, (..., d), or v at those loops, with this model's steps."""
        steps: dict[str, Any] = {"eta": self.eta, "scale": self.scale}
        if self.schedule is not None:
            steps |= {"schedule": first_loops(self.schedule, T)[..., 0]}
        elif isinstance(self.eta, np.ndarray):
            steps["eta"] = self.eta[..., 0]
        if at is None:
            return np.asarray(core.run(X, y, alpha, T, **steps, **options))
        return np.asarray(core.trajectory(X, y, alpha, T, at=at, **steps, **options))

    def _loop_prompt(
        self, Z: Array, T: int, at: Array | None, num_threads: int | None
    ) -> tuple[Array, bool]:
        """Return Z(T), or Z at those loops, and whether there is nothing more to warn of."""
        if self.update == "query" and self._is_run(Z.shape[-2] - 1):
            return self._run_prompt(Z, T, at, num_threads), True  # `run` has warned
        return self._loop(Prompt.literal(Z), T, at=at, num_threads=num_threads)

    def _run_prompt(self, Z: Array, T: int, at: Array | None, num_threads: int | None) -> Array:
        """Return Z(T), or Z at those loops, where q = −v."""
        X, y, q0, alpha = Z[..., :-1, :-1], Z[..., :-1, -1], Z[..., -1, :-1], Z[..., -1, -1]
        v = self._run(X, y, alpha, T, at=at, q0=q0, num_threads=num_threads)
        end = np.empty((*v.shape[:-1], *Z.shape[-2:]), Z.dtype)
        end[...] = Z if at is None else Z[..., None, :, :]
        end[..., -1, :-1] = -v
        return end

    def _step_shapes(self) -> list[tuple[str, tuple[int, ...], int]]:
        """Return name, shape and number of core axes of the steps that were given."""
        if self.schedule is not None:
            return [("schedule", self.schedule.shape, 2)]
        return [("eta", self.eta.shape, 1)] if isinstance(self.eta, np.ndarray) else []

    def _steps(
        self, prompt: Prompt, T: int, *, axes: int = 0, num_threads: int | None = None
    ) -> Steps:
        """Return the steps for prompts whose last `axes` leading axes the given steps lack."""
        if self.schedule is not None:
            schedule = first_loops(self.schedule, T)
            return Steps(None, np.expand_dims(schedule, tuple(range(-2 - axes, -2))), self.scale)
        if isinstance(self.eta, np.ndarray):
            eta = np.expand_dims(self.eta, tuple(range(-1 - axes, -1)))
            return Steps(eta, None, self.scale)
        assert self._roots is not None
        keys, optimal = self._keys(prompt), self.eta is not None
        eta = adaptive_eta(keys, self._roots, optimal=optimal, num_threads=num_threads)
        # 1/λ_max(S/n), multiplied by 1/n, is 1/λ_max(S).
        return Steps(eta, None, "sum" if prompt.n else self.scale)

    def _keys(self, prompt: Prompt) -> Array:
        """Return the rows that adaptive steps take as attended to, (..., k, D)."""
        return prompt.context() if self.mask == "context" else prompt.rows()

    def _end_of_queries(self, prompt: Prompt, T: int, num_threads: int | None) -> Array:
        """Return the query rows after T loops, (..., m, D)."""
        if self._layers.queries_stand_together:
            end, _ = self._loop(prompt, T, only_queries=True, num_threads=num_threads)
            return end
        X, y, queries, slots = prompt
        alone = Prompt(
            X[..., None, :, :], y[..., None, :], queries[..., None, :], slots[..., None]
        )  # a prompt a query, (..., m)
        end, _ = self._loop(alone, T, axes=1, only_queries=True, num_threads=num_threads)
        return end[..., 0, :]
