"""The four questions of the optima study: what each measures, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loopcore.studies.frame.repeats import Estimate, Repeats, estimate
from loopcore.studies.optima import reference
from loopcore.studies.optima.config import Config
from loopcore.studies.optima.training import Trainer, draw, held_out_loss

Array = npt.NDArray[np.float64]

# The first numbers of the keys: no two questions share random numbers.
_STEP, _PRECONDITIONER, _SCHEDULE, _PLUS, _BEST_STEPS, _BEST_PLUS = range(6)


@dataclass(frozen=True, eq=False)
class SingleStep:
    """The best single step of one shape.

    Attributes
    ----------
    n, d : int
        The shape.
    step : Estimate, shape ()
        η (n + d + 1), which should be 1.
    loss : Estimate, shape ()
        The loss over d(d + 1)/(n + d + 1), which should be 1.
    """

    n: int
    d: int
    step: Estimate
    loss: Estimate


@dataclass(frozen=True, eq=False)
class Preconditioner:
    """The learned Γ of one prior, by the number of tasks.

    Attributes
    ----------
    prior : "inverse" or "isotropic"
        w ~ N(0, Σ⁻¹) or w ~ N(0, I).
    error : Estimate, shape (K,)
        ‖Γ − Γ*‖_F / ‖Γ*‖_F after training on each of the K numbers of tasks.
    error_of_mean : ndarray, shape (K,)
        The same of the mean Γ over the R repeats: error/√R where Γ is not biased.
    slope : Estimate, shape ()
        The slope of log error by log tasks, which should be −1/2.
    distance_to_other : float
        How far the closed form of the other prior is away, ‖Γ*' − Γ*‖_F / ‖Γ*‖_F.
    """

    prior: str
    error: Estimate
    error_of_mean: Array
    slope: Estimate
    distance_to_other: float


@dataclass(frozen=True, eq=False)
class Schedule:
    """T learned steps beside one constant. Steps are in units of 1/(n + d + 1).

    Attributes
    ----------
    T : int
        Loops.
    ratio, best_ratio : Estimate, shape ()
        The loss of the learned steps over that of the learned constant, and what it can be.
    steps, best_steps : Estimate, shape (T,)
        The learned steps, rising, and the best ones.
    constant, best_constant : Estimate, shape ()
        The learned constant, and the best one.
    """

    T: int
    ratio: Estimate
    steps: Estimate
    constant: Estimate
    best_ratio: Estimate
    best_steps: Estimate
    best_constant: Estimate


@dataclass(frozen=True, eq=False)
class GdPlusPlus:
    """GD++ beside gradient descent, one η and one γ for all T loops, in units of 1/(n + d + 1).

    Attributes
    ----------
    T : int
        Loops.
    ratio, best_ratio : Estimate, shape ()
        The loss of GD++ over that of gradient descent, and what it can be.
    step, best_step : Estimate, shape ()
        η.
    gamma, best_gamma : Estimate, shape ()
        ηγ, γ the mean over the coordinates of x.
    spread : float
        The largest (max γ − min γ)/mean γ over the coordinates of any repeat.
    """

    T: int
    ratio: Estimate
    step: Estimate
    gamma: Estimate
    spread: float
    best_ratio: Estimate
    best_step: Estimate
    best_gamma: Estimate


class Fits(NamedTuple):
    """How many models were trained, and how many of them to the tolerance."""

    fits: int
    converged: int

    def __add__(self, other: Fits) -> Fits:  # type: ignore[override]
        """Count both."""
        return Fits(self.fits + other.fits, self.converged + other.converged)


def measure_single_steps(config: Config, repeats: Repeats) -> tuple[list[SingleStep], Fits]:
    """Train the single step of each shape (n, d)."""

    def measure(key: tuple[int, ...], rng: np.random.Generator) -> tuple[float, ...]:
        _, n, d = key
        trainer = Trainer()
        model = trainer.step(draw(rng, config.tasks, n, d), 1)
        loss = held_out_loss(model, draw(rng, config.held_out, n, d), 1)
        eta = float(np.asarray(model.eta)[0]) / reference.best_step(n, d)
        return eta, loss / reference.best_step_loss(n, d), trainer.fits, trainer.converged

    columns = repeats("single steps", [(_STEP, *shape) for shape in config.shapes], measure)
    cells = [
        SingleStep(*shape, estimate(step), estimate(loss))
        for shape, (step, loss, *_) in zip(config.shapes, columns, strict=True)
    ]
    return cells, _fits(columns)


def measure_preconditioners(config: Config, repeats: Repeats) -> tuple[list[Preconditioner], Fits]:
    """Train Γ of one step on each number of tasks, for each prior of w."""
    n, d, counts, priors = config.n, config.d, config.task_counts, reference.PRIORS
    Sigma = reference.covariance(d, config.condition)
    x_root = np.asarray(np.linalg.cholesky(Sigma))  # x = x_root N(0, I) has the covariance Σ

    def measure(key: tuple[int, ...], rng: np.random.Generator) -> tuple[Any, ...]:
        w_root = np.linalg.inv(x_root).T if priors[key[1]] == "inverse" else None
        trainer = Trainer()
        models = [
            trainer.preconditioner(draw(rng, B, n, d, x_root=x_root, w_root=w_root)) for B in counts
        ]
        return [model.Q[0, 0, :d, :d] for model in models], trainer.fits, trainer.converged

    keys = [(_PRECONDITIONER, k) for k in range(len(priors))]
    columns = repeats("preconditioners", keys, measure)
    exact = [reference.best_preconditioner(Sigma, n, prior) for prior in priors]
    cells = [
        _preconditioner(priors[k], counts, columns[k][0], exact[k], exact[1 - k])
        for k in range(len(priors))
    ]
    return cells, _fits(columns)


def _preconditioner(
    prior: str, counts: Sequence[int], gamma: Array, exact: Array, other: Array
) -> Preconditioner:
    """Compare the learned Γ, (R, K, d, d), with the closed forms (d, d)."""
    size = np.linalg.norm(exact)
    errors = np.linalg.norm(gamma - exact, axis=(-2, -1)) / size  # (R, K)
    slopes = np.polyfit(np.log(counts), np.log(errors).T, 1)[0]  # (R,)
    return Preconditioner(
        prior,
        estimate(errors),
        np.linalg.norm(gamma.mean(axis=0) - exact, axis=(-2, -1)) / size,
        estimate(slopes),
        float(np.linalg.norm(other - exact) / size),
    )


def measure_schedules(config: Config, repeats: Repeats) -> tuple[list[Schedule], Fits]:
    """Train T steps, and one constant, on the same tasks."""
    n, d, unit = config.n, config.d, config.n + config.d + 1

    def measure(key: tuple[int, ...], rng: np.random.Generator) -> tuple[Any, ...]:
        T, trainer = key[1], Trainer()
        tasks = draw(rng, config.tasks, n, d)
        one = trainer.step(tasks, T)
        eta = float(np.asarray(one.eta)[0])
        several = trainer.schedule(tasks, T, eta)
        tasks = draw(rng, config.held_out, n, d)
        ratio = held_out_loss(several, tasks, T) / held_out_loss(one, tasks, T)
        steps = np.sort(np.asarray(several.schedule)[:, 0]) * unit
        return ratio, steps, eta * unit, trainer.fits, trainer.converged

    def measure_best(key: tuple[int, ...], rng: np.random.Generator) -> tuple[Any, ...]:
        values = reference.eigenvalues(n, d, config.matrices, rng)
        steps, loss = reference.best_steps(values, key[1])
        constant, constant_loss = reference.best_constant(values, key[1])
        return loss / constant_loss, steps * unit, constant * unit

    loops = range(2, config.schedule_loops + 1)
    learned = repeats("learned steps", [(_SCHEDULE, T) for T in loops], measure)
    best = repeats("best steps", [(_BEST_STEPS, T) for T in loops], measure_best)
    cells = [
        Schedule(T, *map(estimate, found[:-2]), *map(estimate, known))
        for T, found, known in zip(loops, learned, best, strict=True)
    ]
    return cells, _fits(learned)


def measure_gd_plus_plus(config: Config, repeats: Repeats) -> tuple[list[GdPlusPlus], Fits]:
    """Train GD++, and gradient descent, on the same tasks."""
    n, d, unit = config.n, config.d, config.n + config.d + 1

    def measure(key: tuple[int, ...], rng: np.random.Generator) -> tuple[Any, ...]:
        T, trainer = key[1], Trainer()
        tasks = draw(rng, config.tasks, n, d)
        plain, plus = trainer.step(tasks, T, update="all"), trainer.gd_plus_plus(tasks, T)
        tasks = draw(rng, config.held_out, n, d)
        ratio = held_out_loss(plus, tasks, T) / held_out_loss(plain, tasks, T)
        eta, gamma = float(np.asarray(plus.eta)[0]) * unit, np.diag(plus.P[0, 0])[:d]
        spread = np.ptp(gamma) / gamma.mean()
        return ratio, eta, eta * gamma.mean(), spread, trainer.fits, trainer.converged

    def measure_best(key: tuple[int, ...], rng: np.random.Generator) -> tuple[float, ...]:
        values = reference.eigenvalues(n, d, config.matrices, rng)
        eta, gamma, loss = reference.best_gd_plus_plus(values, key[1])
        return loss / reference.best_constant(values, key[1])[1], eta * unit, gamma * unit

    loops = range(2, config.plus_loops + 1)
    learned = repeats("GD++", [(_PLUS, T) for T in loops], measure)
    best = repeats("best GD++", [(_BEST_PLUS, T) for T in loops], measure_best)
    cells = [
        GdPlusPlus(
            T,
            *(estimate(ratio), estimate(step), estimate(gamma), float(spreads.max())),
            *map(estimate, known),
        )
        for T, (ratio, step, gamma, spreads, *_), known in zip(loops, learned, best, strict=True)
    ]
    return cells, _fits(learned)


def _fits(columns: Sequence[Sequence[Array]]) -> Fits:
    """Sum up the last two columns, how many models were trained and how many converged."""
    return Fits(*(int(sum(found[k].sum() for found in columns)) for k in (-2, -1)))
