"""Who predicts the next word's vector from a context: a prediction for each candidate setting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

import loopcore
from loopcore import baselines
from loopcore.studies.language.config import Config
from loopcore.studies.language.corpus import Corpus, Inputs, Prompts
from loopcore.studies.language.results import (
    FOLLOWING,
    NEAREST,
    PLAIN,
    RIDGE,
    TRAINED,
    WHITENED,
)

Array = npt.NDArray[np.float64]

_ITERATIONS = 30
_PANEL = 2**21  # numbers of v(t) at a time


class Training(NamedTuple):
    """A trained model: Q = diag(γ, 0), P = p E_yy, a step for each loop."""

    gamma: Array
    """γ, (d,)"""
    p: Array
    """()"""
    schedule: Array
    """(T,)"""
    before: Array
    """Mean squared error on its tasks with which the training began, and"""
    after: Array
    """with which it ended."""


class Learner(NamedTuple):
    """A method with candidate settings, among which validation data choose."""

    name: str
    setting: str
    """What the candidates are: a letter."""
    candidates: tuple[float, ...]
    """(C,); of more neighbours than n, n are taken."""
    inputs: Inputs
    predict: Callable[[Prompts], Array]
    """Returns ŷ (B, C, m)."""


def learners(config: Config, n: int, trained: Sequence[Training]) -> list[Learner]:
    """Return the methods for contexts of n pairs, with the models trained for them.

    First those with steps of their own for each T, then those whose steps are over λ_max.
    """
    k = tuple(min(k, n) for k in config.neighbors)

    def loop(prompts: Prompts) -> Array:
        return _descend(prompts, config.loops)

    def ridge(prompts: Prompts) -> Array:
        return shrink(prompts, config.penalties)

    def nearest(prompts: Prompts) -> Array:
        X, Y, x = _one_query(prompts)
        each = [baselines.nearest_neighbors(X, Y, x, neighbors=count)[..., 0] for count in k]
        return np.stack(each, axis=1)

    def preconditioned(prompts: Prompts) -> Array:
        return _apply(trained[: len(config.trained_loops)], prompts)

    def following(prompts: Prompts) -> Array:
        unit = 1 / np.asarray(loopcore.spectrum(prompts.X).lambda_max) ** 0.5  # (B,)
        scaled = Prompts(
            prompts.X * unit[:, None, None], prompts.Y, prompts.x_query * unit[:, None]
        )
        return _apply(trained[len(config.trained_loops) :], scaled)

    return [
        Learner(PLAIN, "T", config.loops, "plain", loop),
        Learner(WHITENED, "T", config.loops, "whitened", loop),
        Learner(TRAINED, "T", config.trained_loops, "whitened", preconditioned),
        Learner(FOLLOWING, "T", config.trained_loops, "whitened", following),
        Learner(RIDGE, "p/n", config.penalties, "whitened", ridge),
        Learner(NEAREST, "k", config.neighbors, "whitened", nearest),
    ]


def shrink(prompts: Prompts, penalties: tuple[float, ...]) -> Array:
    """Return the predictions of ridge with the penalties p = n · candidate, (B, C, m)."""
    X, Y, x = _one_query(prompts)
    p = np.reshape(penalties, (-1, 1, 1, 1)) * X.shape[-2]  # (C, 1, 1, 1)
    return np.moveaxis(baselines.ridge(X, Y, x, penalty=p)[..., 0], 0, 1)


class Tasks(NamedTuple):
    """What models are trained on: prompts of the training part, each with one target.

    The target is the next word's vector along a random direction a, ‖a‖ = 1: over directions, the
    mean squared error is that of all m entries, over m.
    """

    Z: Array
    """(B, r + 1, d + 1), the examples and the query."""
    target: Array
    """(B,)"""
    lambda_max: Array
    """The largest eigenvalue of XᵀX, (B,)."""


def draw_tasks(corpus: Corpus, n: int, config: Config, rng: np.random.Generator) -> Tasks:
    """Draw positions of the training part, and directions."""
    low, B, m = n + config.history, config.prompts, config.dimension
    positions = rng.integers(low, corpus.text.training, B)
    a = rng.standard_normal((B, m))
    a /= np.linalg.norm(a, axis=-1, keepdims=True)
    step = max(_PANEL // (n * (config.history * m + 2)), 1)
    panels = [slice(i, i + step) for i in range(0, B, step)]
    rows = np.concatenate([_short(corpus, positions[i], n, a[i]) for i in panels])  # (B, r, d + 1)
    Z = np.zeros((B, rows.shape[1] + 1, rows.shape[2]))
    Z[:, :-1] = rows
    Z[:, -1, :-1] = corpus.inputs(positions - 1, "whitened")
    came = corpus.embedding.following[corpus.text.words[positions]]  # (B, m)
    lambda_max = np.asarray(loopcore.spectrum(rows[..., :-1]).lambda_max)
    return Tasks(Z, (came * a).sum(-1), lambda_max)


def train(tasks: Tasks, T: int, *, over_lambda_max: bool) -> Training:
    """Train a diagonal preconditioner and T steps.

    Parameters
    ----------
    tasks : Tasks
        What to train on.
    T : int
        Loops.
    over_lambda_max : bool
        Whether each prompt's steps are those of all prompts over its λ_max, like the paper's: the
        same as dividing its inputs by √λ_max. Otherwise all prompts have the same steps.

    Returns
    -------
    Training
        Started at gradient descent with steps of about 1/λ_max, or 1 over its mean, that differ a
        little: equal steps are a saddle.
    """
    D = tasks.Z.shape[-1]
    d = D - 1
    unit = 1 / (tasks.lambda_max if over_lambda_max else np.full(1, tasks.lambda_max.mean()))
    Z = tasks.Z.copy()
    Z[..., :-1] *= unit[:, None, None] ** 0.5
    start = Training(np.ones(d), np.ones(()), 1.2 - 0.4 * (np.arange(T) + 0.5) / T, *np.zeros((2,)))
    P, Q = np.zeros((2, D, D), bool)
    P[d, d] = Q[np.arange(d), np.arange(d)] = True
    fit = loopcore.fit(
        model(start),
        (Z, tasks.target),
        T,
        ("schedule", "P", "Q"),
        free={"P": P, "Q": Q},
        iterations=_ITERATIONS,
        tolerance=1e-5,
    )
    if fit.message.startswith("interrupted"):
        raise KeyboardInterrupt  # fit keeps what it has, but half a training is none
    learned: Any = fit.model
    return Training(
        (1.0 if over_lambda_max else unit[0]) * np.diagonal(learned.Q.reshape(D, D))[:d],
        learned.P.reshape(D, D)[d, d],
        learned.schedule.reshape(T),
        np.array(fit.history[0]),
        np.array(fit.loss),
    )


def _short(corpus: Corpus, positions: Any, n: int, a: Array) -> Array:
    """Return the examples (x, ⟨a, y⟩) of prompts, (B, r, d + 1), in at most d + 1 rows each.

    Only Σ z zᵀ of the examples counts, so that the triangle of their QR decomposition does as well.
    """
    X, Y, _ = corpus.prompts(positions, n, "whitened")
    z = np.concatenate([X, np.einsum("bmn,bm->bn", Y, a)[..., None]], axis=-1)
    return z if n <= z.shape[-1] else np.asarray(np.linalg.qr(z, mode="r"))


def model(trained: Training) -> loopcore.LoopedTransformer:
    """Return the looped Transformer: θ ← θ + η_t p diag(γ) Xᵀ(y − Xθ)."""
    d = len(trained.gamma)
    P = np.zeros((d + 1, d + 1))
    P[d, d] = trained.p
    Q = np.diag(np.append(trained.gamma, 0.0))
    return loopcore.LoopedTransformer(P, Q, schedule=trained.schedule[:, None], update="targets")


def _descend(prompts: Prompts, loops: tuple[int, ...]) -> Array:
    """Return ⟨v(T), x_query⟩ of each target, α = 1 and η = 1/λ_max: (B, C, m)."""
    X, Y, x_query = prompts
    result = np.empty((len(X), len(loops), Y.shape[1]))
    step = max(_PANEL // (len(loops) * Y.shape[1] * X.shape[-1]), 1)
    for i in range(0, len(X), step):
        rows = slice(i, i + step)
        v = loopcore.trajectory(X[rows, None], Y[rows], 1.0, loops[-1], at=loops)  # (b, m, C, d)
        result[rows] = np.einsum("bmcd,bd->bcm", v, x_query[rows])
    return result


def _apply(trained: Sequence[Training], prompts: Prompts) -> Array:
    """Return the predictions of trained models, each with all of its loops, (B, C, m)."""
    X, Y, x = _one_query(prompts)
    each = [model(one).predict(X, Y, x, len(one.schedule))[..., 0] for one in trained]
    return np.stack(each, axis=1)


def _one_query(prompts: Prompts) -> tuple[Array, Array, Array]:
    """Return X (B, 1, n, d), Y (B, m, n) and x_query (B, 1, 1, d): one X, many y, one query."""
    X, Y, x_query = prompts
    return X[:, None], Y, x_query[:, None, None]
