"""What each part measures. Losses are mean squared errors at a query, without a factor ½."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

import loopcore
from loopcore import LoopedTransformer, baselines, models
from loopcore.studies.literature import closed, floors
from loopcore.studies.literature.config import Config
from loopcore.studies.literature.prompts import (
    Prompts,
    ahn,
    fu,
    literal,
    losses,
    parameter_losses,
    rotate,
    rotated_root,
    trained,
    uniform,
)
from loopcore.studies.optima import reference

Array = npt.NDArray[np.float64]
Floating = npt.NDArray[np.floating]

# The first numbers of the seeds: no two parts share a stream.
_ROOT, _STEPS, _HELD, _TRAIN, _LAYER, _LOOPS, _DAMPED, _FU, _FLOOR, _LIU = range(10)

# ---- Ahn et al. 2023 ----------------------------------------------------------------------------

N_AHN, D_AHN = 20, 5
SPECTRUM = (1.0, 1.0, 1 / 4, 1 / 16, 1.0)
"""Eigenvalues of Σ, the squares of D = diag(1, 1, ½, ¼, 1) in the authors' code."""

_GD_GRID = (0.008, 0.01, 0.02, 0.04, 0.08, 0.16)
_PRECONDITIONED_GRID = (0.001, 0.002, 0.004, *_GD_GRID)


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
    code_rotated: Array
    """Gradient descent as the authors' notebook has it: 19 of 20 examples, steps from a grid."""
    code_preconditioned: Array
    """Γ a multiple of Σ⁻¹ likewise."""


def measure_layers(config: Config, key: tuple[int, int]) -> Layers:
    """Choose the steps of L layers on drawn matrices, and measure losses on fresh prompts."""
    L, repeat = key
    root = rotated_root([config.seed, _ROOT, repeat], SPECTRUM)
    seen = ahn([config.seed, _STEPS, L, repeat], config.matrices)
    held = ahn([config.seed, _HELD, L, repeat], config.prompts)
    turned = rotate(held, root)
    S = seen.X.swapaxes(-1, -2) @ seen.X
    values = np.linalg.eigvalsh(S).ravel()
    gamma, one = np.linalg.inv(root @ root.T), np.eye(D_AHN)
    eta = np.full(L, reference.best_constant(values, L)[0])
    eta_turned = np.full(L, _best_constant_of(root.T @ S @ root, root, L))
    schedule = reference.best_steps(values, L)[0]
    layered = closed.best_layered(values, closed.layered_start(N_AHN, D_AHN, L))
    return Layers(
        _mean(descent(one, eta), held),
        _mean(descent(one, eta_turned), turned),
        _mean(descent(gamma, eta), turned),
        _mean(descent(gamma, schedule), turned),
        _mean(layered_model(gamma, _constant_plus(values, L)), turned),
        _mean(layered_model(gamma, layered), turned),
        _grid_loss(rotate(seen, root), turned, _GD_GRID, L),
        _grid_loss(seen, held, _PRECONDITIONED_GRID, L),
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


def _grid_loss(seen: Prompts, held: Prompts, grid: tuple[float, ...], L: int) -> Array:
    """Return the loss after L steps on the first n − 1 examples, the step chosen on `seen`."""

    def loss(prompts: Prompts, eta: float) -> float:
        X, y = prompts.X[:, :-1], prompts.y[:, :-1]
        theta = loopcore.run(X, y, 1.0, L, eta=eta, num_threads=1)
        return float(parameter_losses(theta, prompts).mean())

    first = Prompts(seen.X[:5000], seen.y[:5000], seen.w[:5000], seen.root)
    return np.array(loss(held, min(grid, key=lambda eta: loss(first, eta))))


def _mean(model: LoopedTransformer, prompts: Prompts, T: int = 1) -> Array:
    return np.array(losses(model, prompts, T).mean())


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
    seen = ahn([config.seed, _TRAIN, 0, repeat], config.matrices)
    values = np.linalg.eigvalsh(seen.X.swapaxes(-1, -2) @ seen.X).ravel()
    start = closed.best_layered(values, closed.layered_start(N_AHN, d, L))
    model = layered_model(np.eye(d), start)
    prompts = ahn([config.seed, _TRAIN, 1, repeat], config.batch)
    x = np.random.default_rng([config.seed, _TRAIN, 1, repeat]).standard_normal((config.batch, d))
    Z, target = literal(prompts, x)
    on_x = np.zeros((d + 1, d + 1), np.bool_)
    on_x[:d, :d] = True
    after = trained(model, (Z, target), 1, config.batch_iterations, free={"P": on_x, "Q": on_x})
    training = np.mean(np.square(-after(Z, 1, num_threads=1)[:, -1, -1] - target))
    held = ahn([config.seed, _TRAIN, 2, repeat], config.prompts)
    return Trained(np.array(training), _mean(model, held), _mean(after, held))


# ---- von Oswald et al. 2023 ---------------------------------------------------------------------

N_OSWALD = D_OSWALD = 10
POWER = D_OSWALD / 3
"""E y², the loss of predicting 0, for x uniform in (−1, 1)^d."""
ONE = closed.one_step_independent(N_OSWALD, D_OSWALD, 1 / 3, 9 / 5)
DAMPING = 0.75
REPEATED = np.array([1, 2, 3, 4, 5, 7, 10, 14, 20, 28, 40, 50])


class Layer(NamedTuple):
    """One layer of linear attention, all entries of P and Q trained, beside one step."""

    step: Array
    """The best of their 250 steps on 10,000 tasks, over the closed form, ()."""
    loss: Array
    """The loss of one step on fresh prompts, over E y², ()."""
    trained: Array
    """The layer's loss over that of one step, trained on a quarter and on all prompts, (2,)."""
    repeated: Array
    """Its y part taken 50 times with damping, over damped gradient descent: medians, ()."""


def measure_layer(config: Config, repeat: int) -> Layer:
    """Find the best step on a grid, and train one layer from it."""
    d = D_OSWALD
    seed = [config.seed, _LAYER, repeat]
    found = uniform([*seed, 0], 10_000)
    gradient = loopcore.run(found.X, found.y, 1.0, 1, eta=1.0, num_threads=1)
    grid = np.arange(0.001, 25, 0.1)  # of a mean loss, for x in (−½, ½)^d: 4/n of it here
    # loss(η) = E‖w‖² − 2η E⟨w, g⟩ + η² E‖g‖², up to the variance of x
    linear, square = np.mean(found.w * gradient), np.mean(gradient**2)
    steps = grid / (4 * N_OSWALD)
    step = steps[np.argmin(steps * (steps * square - 2 * linear))]
    held = uniform([*seed, 1], config.prompts)
    P, Q = np.diag(np.append(np.zeros(d), 1.0)), np.diag(np.append(np.ones(d), 0.0))
    gd = _mean(LoopedTransformer(P, Q, ONE.eta, update="all"), held)
    ratios = []
    for count in (config.layer_prompts // 4, config.layer_prompts):
        start = LoopedTransformer(P, ONE.eta * Q, 1.0, update="all")
        model = trained(start, _uniform_batch([*seed, 2], count), 1, config.layer_iterations)
        ratios.append(_mean(model, held) / gd)
    Q_trained = np.array(model.Q[0, 0])
    Q_trained[d], Q_trained[:, d] = 0, 0
    P_trained = np.zeros((d + 1, d + 1))
    P_trained[d, d] = model.P[0, 0, d, d]
    kept = LoopedTransformer(P_trained, Q_trained, DAMPING, update="targets")
    plain = LoopedTransformer(P, Q, DAMPING * ONE.eta, update="targets")
    after = [np.median(losses(m, held, 50)) for m in (kept, plain)]
    return Layer(step / ONE.eta, gd / POWER, np.array(ratios), np.array(after[0] / after[1]))


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
    seed = [config.seed, _LOOPS, repeat]
    seen = uniform([*seed, 0], config.matrices)
    values = np.linalg.eigvalsh(seen.X.swapaxes(-1, -2) @ seen.X).ravel()
    held = uniform([*seed, 1], config.prompts)
    eta, _ = reference.best_constant(values, 2)
    constant = _mean(models.gradient_descent(D_OSWALD, update="targets", eta=eta), held, 2)
    eta, shrink, _ = reference.best_gd_plus_plus(values, 2)
    best = models.gd_plus_plus(shrink / eta, D_OSWALD, eta=eta)
    plus = _mean(best, held, 2)
    start = LoopedTransformer(best.P[0, 0], eta * best.Q[0, 0], 1.0, update="all")
    ratios = []
    for count in (config.layer_prompts // 4, config.layer_prompts):
        model = trained(start, _uniform_batch([*seed, 2], count), 2, config.layer_iterations)
        ratios.append(_mean(model, held, 2) / plus)
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
    held = uniform([config.seed, _DAMPED, repeat], config.prompts)
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


# ---- Fu et al. 2024 -----------------------------------------------------------------------------

KAPPAS = (1.0, 100.0)
"""Of Σ: the two settings."""
NEWTON_STEPS = np.arange(25)
GD_STEPS = np.unique(np.rint(np.geomspace(1, 2**17, 120)).astype(np.int64))
LONGEST = 1300  # steps of gradient descent on the linear grid of the authors' code


class Iterations(NamedTuple):
    """Medians over tasks of ‖θ − w‖²_Σ / ‖w‖²_Σ."""

    descent: Array
    """After `GD_STEPS` steps of gradient descent, (K,)."""
    newton: Array
    """After `NEWTON_STEPS` steps of Newton's iteration, (25,)."""
    matched: Array
    """Steps of gradient descent with the same median as each step of Newton, (25,), or NaN."""
    longest: Array
    """After 1,300 steps of gradient descent, ()."""
    rate: Array
    """log of the decay in a late step over log(1 − ηλ_min)², a median over tasks, ()."""
    gap: Array
    """Largest difference of Newton's closed form and the Transformer's, relative, ()."""


def measure_iterations(config: Config, key: tuple[float, int]) -> Iterations:
    """Compare gradient descent and Newton's iteration on the same tasks."""
    kappa, repeat = key
    prompts = fu([config.seed, _FU, int(kappa), repeat], config.tasks, kappa)
    _, sigma, Vt = np.linalg.svd(prompts.X, full_matrices=False)
    values = sigma**2  # (B, d)
    size = parameter_losses(np.zeros_like(prompts.w), prompts)[:, None]
    eta = 0.01 if kappa == 1 else 1 / values[:, 0]
    # The residual of w in the eigenbasis: (1 − ηλ)^t, and (1 − m₀λ)^(2^k) with M₀ = 2S/‖S²‖_F.
    coordinates = np.einsum("bij,bj->bi", Vt, prompts.w)
    at = np.union1d(GD_STEPS, [LONGEST])
    theta = loopcore.trajectory(
        prompts.X, prompts.y, 1.0, int(at[-1]), at=at, eta=eta, num_threads=1
    )
    found = parameter_losses(theta, prompts) / size  # (B, K)
    descent_error = np.median(found, 0)
    start = 1 - 2 * values**2 / np.linalg.norm(values**2, axis=-1, keepdims=True)
    newton_error = []
    for k in NEWTON_STEPS:
        residual = (start ** (2.0**k)) * coordinates
        theta_k = prompts.w - np.einsum("bij,bi->bj", Vt, residual)
        newton_error.append(np.median(parameter_losses(theta_k, prompts) / size[:, 0]))
    newton = np.array(newton_error)
    return Iterations(
        descent_error[np.searchsorted(at, GD_STEPS)],
        newton,
        _matched(at, descent_error, newton),
        descent_error[np.searchsorted(at, LONGEST)],
        np.array(_late_rate(at, found, eta * values[:, -1])),
        np.array(_newton_gap(prompts)),
    )


def _matched(steps: npt.NDArray[np.int64], error: Array, newton: Array) -> Array:
    """Return the steps at which the falling errors (K,) pass each of `newton`, by interpolation."""
    above = error > 1e-24  # below, the floor of float64
    x, f = np.log(steps[above]), np.log(error[above])
    level = np.log(np.maximum(newton, 1e-300))
    inside = (level <= f[0]) & (level >= f[-1])
    return np.where(inside, np.exp(np.interp(-level, -f, x)), np.nan)


def _late_rate(steps: npt.NDArray[np.int64], found: Array, smallest: Array) -> float:
    """Return the median over tasks of log decay a step over log(1 − ηλ_min)², where it is late."""
    late = (found < 1e-12) & (found > 1e-22)  # (B, K)
    first, last = late.argmax(1), late.shape[1] - 1 - late[:, ::-1].argmax(1)
    rows = np.flatnonzero(late.any(1) & (last > first))
    if not len(rows):
        return np.nan
    ends = np.log(found[rows, last[rows]] / found[rows, first[rows]])
    spent = steps[last[rows]] - steps[first[rows]]
    return float(np.median(ends / spent / (2 * np.log1p(-smallest[rows]))))


def _newton_gap(prompts: Prompts) -> float:
    """Return how far the Transformer of Newton's iteration is from its closed form, M₀ ∝ S."""
    X, y, w = prompts.X[:20], prompts.y[:20], prompts.w[:20]
    d = X.shape[-1]
    basis = np.broadcast_to(np.eye(d), (len(X), d, d))
    theta = models.newton(d, m0="gram").predict(X, y, basis, 10, num_threads=1)
    exact = baselines.newton(X, y, basis, 10, m0="gram")
    return float(np.max(np.linalg.norm(theta - exact, axis=-1) / np.linalg.norm(w, axis=-1)))


# ---- precision floors ---------------------------------------------------------------------------


class Floor(NamedTuple):
    """The floors of one method in one type at one κ."""

    error: Array
    """(B,)"""
    kappa: Array
    """(B,)"""


def measure_floor(config: Config, key: tuple[str, str, int]) -> Floor:
    """Run a method of `floors.METHODS`."""
    method, dtype, exponent = key
    data = floors.systems([config.seed, _FLOOR, exponent], config.floor_tasks, exponent)
    return Floor(floors.floor(method, dtype, data), data.kappa)


class Descent32(NamedTuple):
    """Liu et al. 2025: medians over tasks of the squared error at the last example, each ()."""

    plain32: Array
    """300 steps of gradient descent in NumPy's float32."""
    plain64: Array
    """In float64."""
    ours32: Array
    """`loopcore.run` on float32 data."""


def measure_descent32(config: Config, repeat: int) -> Descent32:
    """Take 300 steps from θ₀ ~ N(0, I) with n = 20 and d = 5, as in their notebook."""
    prompts = ahn([config.seed, _LIU, repeat], config.tasks)
    start = np.random.default_rng([config.seed, _LIU, repeat]).standard_normal(prompts.w.shape)
    eta = 0.1 * 2 / prompts.X.shape[1]  # theirs is 0.1, of the mean squared error

    def last(dtype: str, descend: Callable[..., Floating]) -> Array:
        X, w = prompts.X.astype(dtype), prompts.w.astype(dtype)
        y = np.einsum("bnd,bd->bn", X, w)
        theta = descend(X, y, start.astype(dtype))
        error = np.einsum("bd,bd->b", X[:, -1], theta) - y[:, -1]
        return np.array(np.median(np.square(error)), np.float64)

    def plain(X: Floating, y: Floating, theta: Floating) -> Floating:
        step = X.dtype.type(eta)
        for _ in range(300):
            residual = np.einsum("bnd,bd->bn", X, theta) - y
            theta = theta - step * np.einsum("bnd,bn->bd", X, residual)
        return theta

    def ours(X: Floating, y: Floating, theta: Floating) -> Floating:
        return loopcore.run(X, y, 1.0, 300, eta=eta, q0=-theta, num_threads=1)

    return Descent32(last("float32", plain), last("float64", plain), last("float32", ours))
