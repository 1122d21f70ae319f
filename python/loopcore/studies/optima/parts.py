"""The four parts of the optima study: what each measures, and how."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from loopcore.studies.optima import reference
from loopcore.studies.optima.config import Config
from loopcore.studies.optima.training import Trainer, draw, held_out_loss
from loopcore.studies.repeats import Estimate, Repeats, estimate

Array = npt.NDArray[np.float64]

# The first numbers of the seeds: no two parts share a stream.
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


def measure_single_step(
    config: Config, shape: tuple[int, int], trainer: Trainer, repeats: Repeats
) -> SingleStep:
    """Train the single step of one shape (n, d)."""
    n, d = shape

    def measure(rng: np.random.Generator) -> tuple[float, float]:
        model = trainer.step(draw(rng, config.tasks, n, d), 1)
        loss = held_out_loss(model, draw(rng, config.held_out, n, d), 1)
        eta = float(np.asarray(model.eta)[0])
        return eta / reference.best_step(n, d), loss / reference.best_step_loss(n, d)

    step, loss = map(estimate, repeats((_STEP, n, d), measure))
    return SingleStep(n, d, step, loss)


def measure_preconditioner(
    config: Config, prior: str, trainer: Trainer, repeats: Repeats
) -> Preconditioner:
    """Train Γ of one step on each number of tasks."""
    n, d, counts = config.n, config.d, config.task_counts
    Sigma = reference.covariance(d, config.condition)
    x_root = np.asarray(np.linalg.cholesky(Sigma))  # x = x_root N(0, I) has the covariance Σ
    w_root = np.linalg.inv(x_root).T if prior == "inverse" else None
    exact, other = (
        reference.best_preconditioner(Sigma, n, name)
        for name in sorted(reference.PRIORS, key=lambda name: name != prior)
    )

    def measure(rng: np.random.Generator) -> tuple[list[Array]]:
        models = (
            trainer.preconditioner(draw(rng, B, n, d, x_root=x_root, w_root=w_root)) for B in counts
        )
        return ([model.Q[0, 0, :d, :d] for model in models],)

    (gamma,) = repeats((_PRECONDITIONER, reference.PRIORS.index(prior)), measure)  # (R, K, d, d)
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


def measure_schedule(config: Config, T: int, trainer: Trainer, repeats: Repeats) -> Schedule:
    """Train T steps, and one constant, on the same tasks."""
    n, d, unit = config.n, config.d, config.n + config.d + 1

    def measure(rng: np.random.Generator) -> tuple[float, Array, float]:
        tasks = draw(rng, config.tasks, n, d)
        one = trainer.step(tasks, T)
        eta = float(np.asarray(one.eta)[0])
        several = trainer.schedule(tasks, T, eta)
        tasks = draw(rng, config.held_out, n, d)
        ratio = held_out_loss(several, tasks, T) / held_out_loss(one, tasks, T)
        return ratio, np.sort(np.asarray(several.schedule)[:, 0]) * unit, eta * unit

    def measure_best(rng: np.random.Generator) -> tuple[float, Array, float]:
        values = reference.eigenvalues(n, d, config.matrices, rng)
        steps, loss = reference.best_steps(values, T)
        constant, constant_loss = reference.best_constant(values, T)
        return loss / constant_loss, steps * unit, constant * unit

    learned = map(estimate, repeats((_SCHEDULE, T), measure))
    best = map(estimate, repeats((_BEST_STEPS, T), measure_best))
    return Schedule(T, *learned, *best)


def measure_gd_plus_plus(config: Config, T: int, trainer: Trainer, repeats: Repeats) -> GdPlusPlus:
    """Train GD++, and gradient descent, on the same tasks."""
    n, d, unit = config.n, config.d, config.n + config.d + 1

    def measure(rng: np.random.Generator) -> tuple[float, float, float, float]:
        tasks = draw(rng, config.tasks, n, d)
        plain, plus = trainer.step(tasks, T, update="all"), trainer.gd_plus_plus(tasks, T)
        tasks = draw(rng, config.held_out, n, d)
        ratio = held_out_loss(plus, tasks, T) / held_out_loss(plain, tasks, T)
        eta, gamma = float(np.asarray(plus.eta)[0]), np.diag(plus.P[0, 0])[:d]
        return ratio, eta * unit, eta * gamma.mean() * unit, np.ptp(gamma) / gamma.mean()

    def measure_best(rng: np.random.Generator) -> tuple[float, float, float]:
        values = reference.eigenvalues(n, d, config.matrices, rng)
        eta, gamma, loss = reference.best_gd_plus_plus(values, T)
        return loss / reference.best_constant(values, T)[1], eta * unit, gamma * unit

    *learned, spreads = repeats((_PLUS, T), measure)
    ratio, step, gamma = map(estimate, learned)
    best = map(estimate, repeats((_BEST_PLUS, T), measure_best))
    return GdPlusPlus(T, ratio, step, gamma, float(np.max(spreads)), *best)
