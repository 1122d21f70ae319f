"""The layers of von Oswald et al. 2023: trained, looped, and damped."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

import loopcore
from loopcore import LoopedTransformer, models
from loopcore.studies.literature import closed
from loopcore.studies.literature.config import Config
from loopcore.studies.literature.prompts import (
    Stream,
    literal,
    losses,
    mean_loss,
    parameter_losses,
    trained,
    uniform,
)
from loopcore.studies.optima import reference

Array = npt.NDArray[np.float64]

N_OSWALD = D_OSWALD = 10
POWER = D_OSWALD / 3
"""E y², the loss of predicting 0, for x uniform in (−1, 1)^d."""
ONE = closed.one_step_independent(N_OSWALD, D_OSWALD, 1 / 3, 9 / 5)
DAMPING = 0.75
REPEATED = np.array([1, 2, 3, 4, 5, 7, 10, 14, 20, 28, 40, 50])


class Layer(NamedTuple):
    """One layer of linear attention, all entries of P and Q trained, beside one step."""

    loss: Array
    """The loss of one step on fresh prompts, over E y², ()."""
    trained: Array
    """The layer's loss over that of one step, trained on a quarter and on all prompts, (2,)."""
    repeated: Array
    """Its y part taken 50 times with damping, over damped gradient descent: medians, ()."""


def measure_layer(config: Config, repeat: int) -> Layer:
    """Train one layer from the best step."""
    d = D_OSWALD
    seed = [config.seed, Stream.LAYER, repeat]
    held = uniform([*seed, 1], config.prompts)
    P, Q = np.diag(np.append(np.zeros(d), 1.0)), np.diag(np.append(np.ones(d), 0.0))
    gd = mean_loss(LoopedTransformer(P, Q, ONE.eta, update="all"), held)
    ratios = []
    for count in (config.layer_prompts // 4, config.layer_prompts):
        start = LoopedTransformer(P, ONE.eta * Q, 1.0, update="all")
        model = trained(start, _uniform_batch([*seed, 2], count), 1, config.layer_iterations)
        ratios.append(mean_loss(model, held) / gd)
    Q_trained = np.array(model.Q[0, 0])
    Q_trained[d], Q_trained[:, d] = 0, 0
    P_trained = np.zeros((d + 1, d + 1))
    P_trained[d, d] = model.P[0, 0, d, d]
    kept = LoopedTransformer(P_trained, Q_trained, DAMPING, update="targets")
    plain = LoopedTransformer(P, Q, DAMPING * ONE.eta, update="targets")
    after = [np.median(losses(m, held, 50)) for m in (kept, plain)]
    return Layer(gd / POWER, np.array(ratios), np.array(after[0] / after[1]))


class Loops(NamedTuple):
    """Two loops of one layer, losses on fresh prompts."""

    constant: Array
    """Of gradient descent with the best step, over E y², ()."""
    plus: Array
    """Of GD++ over that, ()."""
    trained: Array
    """Of all entries of P and Q trained, over GD++, on a quarter and on all prompts, (2,)."""


def measure_loops(config: Config, repeat: int) -> Loops:
    """Choose steps on drawn matrices, and train the layer from GD++."""
    seed = [config.seed, Stream.LOOPS, repeat]
    seen = uniform([*seed, 0], config.matrices)
    values = np.linalg.eigvalsh(seen.X.swapaxes(-1, -2) @ seen.X).ravel()
    held = uniform([*seed, 1], config.prompts)
    eta, _ = reference.best_constant(values, 2)
    constant = mean_loss(models.gradient_descent(D_OSWALD, update="targets", eta=eta), held, 2)
    eta, shrink, _ = reference.best_gd_plus_plus(values, 2)
    best = models.gd_plus_plus(shrink / eta, D_OSWALD, eta=eta)
    plus = mean_loss(best, held, 2)
    start = LoopedTransformer(best.P[0, 0], eta * best.Q[0, 0], 1.0, update="all")
    ratios = []
    for count in (config.layer_prompts // 4, config.layer_prompts):
        model = trained(start, _uniform_batch([*seed, 2], count), 2, config.layer_iterations)
        ratios.append(mean_loss(model, held, 2) / plus)
    return Loops(constant / POWER, plus / constant, np.array(ratios))


def _uniform_batch(seed: list[int], count: int) -> tuple[Array, Array]:
    x = np.random.default_rng(seed).uniform(-1, 1, (count, D_OSWALD))
    return literal(uniform(seed, count), x)


class Damped(NamedTuple):
    """The best single step taken many times, undamped and damped by 0.75."""

    log_mean: Array
    """log₁₀ of the mean loss over E y² after each of `REPEATED` steps, (2, K)."""
    median: Array
    """Median over prompts of the same, (2, K)."""
    unstable: Array
    """Share of prompts with η λ_max > 2, (2,)."""


def measure_damped(config: Config, repeat: int) -> Damped:
    """Take 50 steps."""
    held = uniform([config.seed, Stream.DAMPED, repeat], config.prompts)
    largest = loopcore.spectrum(held.X, num_threads=1).lambda_max
    curves = []
    for damping in (1.0, DAMPING):
        theta = loopcore.trajectory(
            held.X, held.y, 1.0, 50, at=REPEATED, eta=damping * ONE.eta, num_threads=1
        )
        curves.append(parameter_losses(theta, held) / POWER)
    steps = np.array([1.0, DAMPING])[:, None] * ONE.eta
    return Damped(
        np.log10([curve.mean(0) for curve in curves]),
        np.array([np.median(curve, 0) for curve in curves]),
        np.mean(steps * largest > 2, axis=-1),
    )
