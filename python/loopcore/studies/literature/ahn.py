"""The layers of Ahn et al. 2023. Losses are mean squared errors at a query, without a factor ½."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from loopcore import LoopedTransformer, models
from loopcore.studies.literature import closed
from loopcore.studies.literature.config import Config
from loopcore.studies.literature.prompts import (
    Stream,
    gaussian,
    literal,
    mean_loss,
    rotate,
    rotated_root,
    trained,
)
from loopcore.studies.optima import reference

Array = npt.NDArray[np.float64]

N_AHN, D_AHN = 20, 5
SPECTRUM = (1.0, 1.0, 1 / 4, 1 / 16, 1.0)
"""Eigenvalues of Σ, the squares of D = diag(1, 1, ½, ¼, 1) in the authors' code."""


class Layers(NamedTuple):
    """Losses on fresh prompts after L layers, each (); predicting 0 has d = 5."""

    identity: Array
    """Gradient descent with the best constant step, Σ = I."""
    rotated: Array
    """The same, Σ rotated."""
    preconditioned: Array
    """Γ a multiple of Σ⁻¹, the best constant step, Σ rotated, as all that follow."""
    steps: Array
    """Γ a multiple of Σ⁻¹ in each layer, the best L steps."""
    plus: Array
    """GD++ in the coordinates Σ^(−1/2) x, one η and one γ."""
    layered: Array
    """The same with η and γ of their own in each layer."""


def measure_layers(config: Config, key: tuple[int, int]) -> Layers:
    """Choose the steps of L layers on drawn matrices, and measure losses on fresh prompts."""
    L, repeat = key
    root = rotated_root([config.seed, Stream.ROOT, repeat], SPECTRUM)
    seen = gaussian([config.seed, Stream.STEPS, L, repeat], config.matrices)
    held = gaussian([config.seed, Stream.HELD, L, repeat], config.prompts)
    turned = rotate(held, root)
    S = seen.X.swapaxes(-1, -2) @ seen.X
    values = np.linalg.eigvalsh(S).ravel()
    gamma, one = np.linalg.inv(root @ root.T), np.eye(D_AHN)
    eta = np.full(L, reference.best_constant(values, L)[0])
    eta_turned = np.full(L, _best_constant_of(root.T @ S @ root, root, L))
    schedule = reference.best_steps(values, L)[0]
    layered = closed.best_layered(values, closed.layered_start(N_AHN, D_AHN, L))
    return Layers(
        mean_loss(descent(one, eta), held),
        mean_loss(descent(one, eta_turned), turned),
        mean_loss(descent(gamma, eta), turned),
        mean_loss(descent(gamma, schedule), turned),
        mean_loss(layered_model(gamma, _constant_plus(values, L)), turned),
        mean_loss(layered_model(gamma, layered), turned),
    )


def descent(gamma: Array, steps: Array) -> LoopedTransformer:
    """Return preconditioned gradient descent, one layer a step."""
    blocks = steps[:, None, None] * gamma
    return models.preconditioned(blocks, update="targets", eta=1.0)


def layered_model(gamma: Array, steps: closed.Layered) -> LoopedTransformer:
    """Return the layers P_l = diag(γ_l I, 1) and Q_l = diag(η_l Γ, 0): GD++ where Γ = I.

    For Γ = Σ⁻¹ it is GD++ in the coordinates Σ^(−1/2) x.
    """
    L, d = len(steps.eta), len(gamma)
    P, Q = np.zeros((L, d + 1, d + 1)), np.zeros((L, d + 1, d + 1))
    P[:, d, d] = 1
    P[: L - 1, :d, :d] = (steps.shrink / steps.eta[:-1])[:, None, None] * np.eye(d)
    Q[:, :d, :d] = steps.eta[:, None, None] * gamma
    return LoopedTransformer(P, Q, 1.0, update="all")


def _constant_plus(values: Array, L: int) -> closed.Layered:
    if L == 1:  # γ has nothing to do
        return closed.Layered(np.array([reference.best_constant(values, 1)[0]]), np.zeros(0))
    eta, shrink, _ = reference.best_gd_plus_plus(values, L)
    return closed.Layered(np.full(L, eta), np.full(L - 1, shrink))


def _best_constant_of(S: Array, root: Array, L: int) -> float:
    """Return the best constant step where Σ is not I; S in the coordinates of Uᵀx.

    E over x and w of the squared error is pᵀ(A ∘ B)p: p_i = (1 − ηλ_i)^L for the eigenvalues λ_i of
    S, A and B Σ and Σ⁻¹ in its eigenvectors.
    """
    from scipy.optimize import minimize_scalar

    values, V = np.linalg.eigh(S)
    Sigma = root.T @ root  # D, for root = U D^½
    A, B = (V.swapaxes(-1, -2) @ M @ V for M in (Sigma, np.linalg.inv(Sigma)))
    both = A * B

    def loss(eta: float) -> float:
        p = (1 - eta * values) ** L
        return float(np.einsum("bi,bij,bj->", p, both, p)) / len(p)

    scale = values.mean()
    found = minimize_scalar(
        loss, bounds=(0.0, 2 / scale), method="bounded", options={"xatol": 1e-6 / scale}
    )
    return float(found.x)


class Trained(NamedTuple):
    """Three layers, all entries of P and Q on x trained; losses as in `Layers`."""

    training: Array
    """On the prompts that they were trained on, queries drawn, ()."""
    before: Array
    """On fresh prompts, before: of `closed.best_layered`, ()."""
    after: Array
    """On fresh prompts, after, ()."""


def measure_trained(config: Config, repeat: int) -> Trained:
    """Train three layers in the coordinates Σ^(−1/2) x, from the best layers with P, Q like I."""
    L, d = 3, D_AHN
    seen = gaussian([config.seed, Stream.TRAIN, 0, repeat], config.matrices)
    values = np.linalg.eigvalsh(seen.X.swapaxes(-1, -2) @ seen.X).ravel()
    start = closed.best_layered(values, closed.layered_start(N_AHN, d, L))
    model = layered_model(np.eye(d), start)
    prompts = gaussian([config.seed, Stream.TRAIN, 1, repeat], config.batch)
    x = np.random.default_rng([config.seed, Stream.TRAIN, 1, repeat]).standard_normal(
        (config.batch, d)
    )
    Z, target = literal(prompts, x)
    on_x = np.zeros((d + 1, d + 1), np.bool_)
    on_x[:d, :d] = True
    after = trained(model, (Z, target), 1, config.batch_iterations, free={"P": on_x, "Q": on_x})
    training = np.mean(np.square(-after(Z, 1, num_threads=1)[:, -1, -1] - target))
    held = gaussian([config.seed, Stream.TRAIN, 2, repeat], config.prompts)
    return Trained(np.array(training), mean_loss(model, held), mean_loss(after, held))
