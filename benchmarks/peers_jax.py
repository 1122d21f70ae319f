"""What a user would write in JAX: jit of a vmap of a fori_loop, on the CPU.

The arrays lie on the device before the clock starts, and compiling is not counted.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from problems import Call, Problem

# float32 arrays stay float32; without x64 there would be no float64.
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")

Step = Callable[[jax.Array], jax.Array]  # q (d,) -> q (d,)


def loop(problem: Problem) -> dict[str, Call]:
    """Give the plain loop: both products with X in every loop."""
    return {"matmul": compiled(problem, plain_step)}


def gram(problem: Problem) -> dict[str, Call]:
    """Give the loop on the precomputed Gram matrix."""
    return {"matmul": compiled(problem, gram_step)}


def compiled(problem: Problem, make_step: Callable[..., Step]) -> Call:
    """Give a call that runs the compiled loop on all tasks and waits for the answer."""
    one = partial(one_task, problem, make_step)
    many = jax.jit(one if problem.X.ndim == 2 else jax.vmap(one))
    arrays = [jax.device_put(a) for a in (problem.X, problem.y, problem.theta)]
    return lambda: many(*arrays).block_until_ready()


def one_task(
    problem: Problem, make_step: Callable[..., Step], X: jax.Array, y: jax.Array, theta: jax.Array
) -> jax.Array:
    """Give v(T) (d,) of one task, or the error at every loop (T+1,)."""
    step = make_step(X, y, problem.alpha, problem.eta)
    q = jnp.zeros_like(X[0])
    if problem.cell.asks == "v":
        return -lax.fori_loop(0, problem.T, lambda _, q: step(q), q)

    def move_and_measure(q: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
        return step(q), abs(q @ theta + problem.alpha)

    return lax.scan(move_and_measure, q, None, length=problem.T + 1)[1]


def plain_step(X: jax.Array, y: jax.Array, alpha: float, eta: float | None) -> Step:
    """Give the loop q ← q − η Xᵀ (X q + α y)."""
    step = 1 / jnp.linalg.eigvalsh(X.T @ X)[-1] if eta is None else eta
    return lambda q: q - step * (X.T @ (X @ q + alpha * y))


def gram_step(X: jax.Array, y: jax.Array, alpha: float, eta: float | None) -> Step:
    """Give the loop q ← (I − η G) q − η α Xᵀ y, G = Xᵀ X."""
    G = X.T @ X  # (d, d)
    step = 1 / jnp.linalg.eigvalsh(G)[-1] if eta is None else eta
    A = jnp.eye(len(G), dtype=G.dtype) - step * G  # (d, d)
    shift = step * alpha * (X.T @ y)  # (d,)
    return lambda q: A @ q - shift
