"""Everything that is timed, under one roof: what it is called, what it needs, what it can do."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np

import loopcore
import loopcore.reference
from family import VJP_CELLS, FamilyProblem, Gradient, Prompts
from problems import Call, Cell, Problem

# Operations of a call that can still be waited for. Wide has 2e10, deep 8e12 and its fraction 5e10.
WORK_LIMIT = 3e10


@dataclass(frozen=True)
class Peer:
    """One package's way to run the loops: on X itself, on the Gram matrix, or a family cell."""

    package: str  # what must be installed
    kind: str  # "loop", "gram" or the family cell's name
    module: Literal["peers", "family"] = "peers"

    @property
    def name(self) -> str:
        """Name the peer in tables."""
        return f"{self.package} {self.kind}"

    def excuse(self, cell: Cell) -> str:
        """Say why the peer is not timed on the cell; empty if it is."""
        if find_spec(self.package) is None:
            return "not installed"
        work = cell.loop_work if self.kind == "loop" else cell.gram_work
        if work > WORK_LIMIT:
            return f"{work:.0e} operations: nobody waits for that"
        return ""

    def forms(self, problem: Problem | FamilyProblem) -> dict[str, Call]:
        """Give the ways to write it, by name. The package is imported here."""
        forms: dict[str, Call] = getattr(self._module, self.kind)(problem)
        return forms

    @property
    def _module(self) -> object:
        return importlib.import_module(f"{self.module}_{self.package}")


PACKAGES = ("numpy", "torch", "jax", "numba")
PEERS = tuple(Peer(package, kind) for package in PACKAGES for kind in ("loop", "gram"))
FAMILY_PACKAGES = ("numpy", "torch", "jax")


def library(problem: Problem, **keywords: Any) -> Call:
    """Give the call of the library under test; a partial costs the tiny cell least."""
    p = problem
    if p.cell.asks == "curve":
        return partial(
            loopcore.errors, p.X, p.y, p.alpha, p.T, theta=p.theta, eta=p.eta, **keywords
        )
    return partial(loopcore.run, p.X, p.y, p.alpha, p.T, eta=p.eta, **keywords)


def family_library(problem: FamilyProblem) -> Call:
    """Give the call of the library under test on a family cell."""
    if isinstance(problem, Gradient):
        return partial(loop_and_pullback, problem)
    if problem.cell.name in VJP_CELLS:
        return partial(model_and_pullback, problem)
    return partial(looped_transformer, problem)


def model_of(problem: Prompts) -> loopcore.LoopedTransformer:
    """Build the model."""
    attention, update = ("softmax", "query") if problem.is_softmax else ("linear", "all")
    return loopcore.LoopedTransformer(
        problem.P, problem.Q, problem.eta, attention=attention, update=update, mask="context"
    )


def moving(problem: Prompts, Z: np.ndarray) -> np.ndarray:
    """Give what moves of Z: all of it, (B, n+1, D), or the query row, (B, D)."""
    return Z[..., -1, :] if problem.is_softmax else Z


def looped_transformer(problem: Prompts) -> np.ndarray:
    """Build the model and run it: Z(T), or where the query alone moves v(T)."""
    model = model_of(problem)
    if problem.is_softmax:
        return model.generate(problem.Z[:, :-1, :-1], problem.Z[:, :-1, -1], 1, problem.T)
    return model(problem.Z, problem.T)


def model_and_pullback(problem: Prompts) -> tuple[np.ndarray, ...]:
    """Give what moves of Z(T), and the gradients of Σ Z_bar·Z(T) by P, Q, η and Z."""
    Z, pullback = model_of(problem).vjp(problem.Z, problem.T)
    bar = pullback(problem.Z_bar)
    return moving(problem, Z), bar.P, bar.Q, bar.eta, bar.Z


def loop_and_pullback(problem: Gradient) -> tuple[np.ndarray, ...]:
    """Give v(T) and the gradients of Σ w·v(T) with respect to X, y, α and η."""
    p = problem
    v, pullback = loopcore.vjp(p.X, p.y, p.alpha, p.T, eta=p.eta)
    bar = pullback(p.w)
    return v, bar.X, bar.y, bar.alpha, bar.eta


def reference(problem: Problem) -> np.ndarray:
    """Multiply the literal matrices. For cut problems only: they hold (n+1)² scores a task."""
    p = problem
    if p.cell.asks == "curve":
        v = loopcore.reference.trajectory(p.X, p.y, p.alpha, p.T, eta=p.eta)  # (..., T+1, d)
        return abs((v @ p.theta[..., None])[..., 0] - p.alpha)
    return loopcore.reference.run(p.X, p.y, p.alpha, p.T, eta=p.eta)
