"""The family as a user would write it in JAX: jit of a vmap of a fori_loop, on the CPU.

The arrays lie on the device before the clock starts, and compiling is not counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from family import PART, VJP_PART, Gradient, Prompts
from peers_jax import gram_step, plain_step
from problems import Call

Step = Callable[[jax.Array], jax.Array]
Form = Callable[..., jax.Array]


def linear(problem: Prompts) -> dict[str, Call]:
    """Give linear attention with all rows moving."""
    in_parts = {"fixed size, in parts": over_prompts(problem, linear_fixed_size, PART)}
    return {name: over_prompts(problem, form) for name, form in LINEAR.items()} | in_parts


def softmax(problem: Prompts) -> dict[str, Call]:
    """Give softmax attention with the query row moving: v(T)."""
    forms = {name: partial(generate, form) for name, form in SOFTMAX.items()}
    return {name: over_prompts(problem, form) for name, form in forms.items()}


def linear_vjp(problem: Prompts) -> dict[str, Call]:
    """Give the forms of `linear` and JAX's reverse mode, on all prompts and in parts."""
    return forwards_and_backwards(problem, LINEAR)


def softmax_vjp(problem: Prompts) -> dict[str, Call]:
    """Give the forms of `softmax` and JAX's reverse mode, on all prompts and in parts."""
    return forwards_and_backwards(problem, SOFTMAX)


def gradient(problem: Gradient) -> dict[str, Call]:
    """Give the loops of `peers_jax`, on X and on the Gram matrix, and JAX's reverse mode."""
    steps = {"loop": plain_step, "gram": gram_step}
    arrays = (problem.w, problem.X, problem.y, problem.alpha, problem.eta)
    forms = {name: partial(pull_back, step, problem.T) for name, step in steps.items()}
    calls = {name: compiled(over_tasks(one), *arrays) for name, one in forms.items()}
    return calls | {"gram, in parts": compiled(over_tasks(forms["gram"], PART), *arrays)}


def forwards_and_backwards(problem: Prompts, forms: dict[str, Form]) -> dict[str, Call]:
    """Give the calls that differentiate the forms."""
    bars = problem.Z_bar[:, -1] if problem.is_softmax else problem.Z_bar
    model = (problem.P, problem.Q, np.asarray(problem.eta, problem.dtype))
    parts = {"": problem.cell.B, ", in parts": math.gcd(problem.cell.B, VJP_PART)}
    return {
        name + how: compiled(pull_back_model(form, problem.T, part), problem.Z, bars, *model)
        for name, form in forms.items()
        for how, part in parts.items()
    }


def compiled(function: Callable[..., object], *arrays: np.ndarray) -> Call:
    """Give a call that runs the compiled function and waits for the answer."""
    fast = jax.jit(function)
    on_device = [jax.device_put(a) for a in arrays]
    return lambda: jax.block_until_ready(fast(*on_device))


def over_tasks(one: Callable[..., object], part: int = 0) -> Callable[..., object]:
    """Give the function of one task for all at once, or for one part after the other."""
    if not part:
        return jax.vmap(one)
    return lambda *arrays: lax.map(lambda task: one(*task), arrays, batch_size=part)


def over_prompts(problem: Prompts, form: Callable[..., jax.Array], part: int = 0) -> Call:
    """Give the call of a form for one prompt, on all of them; P and Q are shared."""

    def every(Z: jax.Array, P: jax.Array, Q: jax.Array) -> object:
        return over_tasks(lambda Z: form(Z, P, Q, problem.eta, problem.T), part)(Z)

    return compiled(every, problem.Z, problem.P, problem.Q)


def generate(form: Form, *model: object) -> jax.Array:
    """Give v(T) = −q(T) of a form that gives the query row, (d,)."""
    return -form(*model)[:-1]


def looped(step: Step, start: jax.Array, T: int) -> jax.Array:
    """Apply the step T times."""
    return lax.fori_loop(0, T, lambda _, state: step(state), start)


def linear_scores(Z: jax.Array, P: jax.Array, Q: jax.Array, eta: float, T: int) -> jax.Array:
    """Loop Z ← Z − η (Z Q Zcᵀ) Zc P. (n+1, D)."""
    return looped(lambda Z: Z - eta * ((Z @ Q @ Z[:-1].T) @ Z[:-1]) @ P, Z, T)


def linear_reordered(Z: jax.Array, P: jax.Array, Q: jax.Array, eta: float, T: int) -> jax.Array:
    """Loop Z ← Z − η Z Q (Zcᵀ Zc) P: no scores, n D² a loop. (n+1, D)."""
    return looped(lambda Z: Z - eta * (Z @ Q) @ (Z[:-1].T @ Z[:-1]) @ P, Z, T)


def linear_one_matrix(Z: jax.Array, P: jax.Array, Q: jax.Array, eta: float, T: int) -> jax.Array:
    """Loop Z ← Z − Z (η Q (Zcᵀ Zc) P), the small matrices first. (n+1, D)."""
    return looped(lambda Z: Z - Z @ (eta * Q @ (Z[:-1].T @ Z[:-1]) @ P), Z, T)


def linear_fixed_size(Z: jax.Array, P: jax.Array, Q: jax.Array, eta: float, T: int) -> jax.Array:
    """Loop A = I − η Q S P, S ← Aᵀ S A; Z(T) = Z A_0 A_1 …: D³ a loop. (n+1, D)."""
    identity = jnp.eye(len(Q), dtype=Z.dtype)

    def step(_: int, state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        S, product = state
        A = identity - eta * Q @ S @ P
        return A.T @ S @ A, product @ A

    return Z @ lax.fori_loop(0, T, step, (Z[:-1].T @ Z[:-1], identity))[1]


def softmax_matmul(Z: jax.Array, P: jax.Array, Q: jax.Array, eta: float, T: int) -> jax.Array:
    """Loop q ← q − η softmax(q Q Zcᵀ) Zc P. (D,)."""
    context = Z[:-1]  # (n, D)
    return looped(lambda q: q - eta * jax.nn.softmax(q @ Q @ context.T) @ context @ P, Z[-1], T)


def softmax_keys_values(Z: jax.Array, P: jax.Array, Q: jax.Array, eta: float, T: int) -> jax.Array:
    """Loop q ← q − softmax(q Kᵀ) V with the keys K = Zc Qᵀ and the values V = η Zc P. (D,)."""
    keys, values = Z[:-1] @ Q.T, eta * Z[:-1] @ P  # (n, D)
    return looped(lambda q: q - jax.nn.softmax(keys @ q) @ values, Z[-1], T)


def pull_back(
    make_step: Callable[..., Step], T: int, w: jax.Array, *arrays: jax.Array
) -> tuple[jax.Array, ...]:
    """Give v(T) and the gradients of w·v(T) with respect to X, y, α and η, the arrays of a task."""

    def v(*arrays: jax.Array) -> jax.Array:
        return -looped(make_step(*arrays), jnp.zeros_like(w), T)

    value, pull = jax.vjp(v, *arrays)
    return value, *pull(w)


def pull_back_model(form: Form, T: int, part: int) -> Callable[..., tuple[jax.Array, ...]]:
    """Make the function that gives what moves of Z(T), and the gradients by P, Q, η and Z.

    `part` prompts at a time, so that what JAX records of them may stay in the cache.
    """

    def of_part(Z: jax.Array, bar: jax.Array, *model: jax.Array) -> tuple[jax.Array, ...]:
        every = jax.vmap(partial(form, T=T), (0, None, None, None))
        end, pull = jax.vjp(every, Z, *model)
        Z_bar, *bars = pull(bar)
        return end, *bars, Z_bar

    def of_all(Z: jax.Array, bar: jax.Array, *model: jax.Array) -> tuple[jax.Array, ...]:
        pairs = [a.reshape(-1, part, *a.shape[1:]) for a in (Z, bar)]
        end, *bars, Z_bar = lax.map(lambda pair: of_part(*pair, *model), pairs)
        return end.reshape(bar.shape), *(a.sum(0) for a in bars), Z_bar.reshape(Z.shape)

    return of_all


LINEAR: dict[str, Form] = {
    "scores": linear_scores,
    "reordered": linear_reordered,
    "one matrix": linear_one_matrix,
    "fixed size": linear_fixed_size,
}
SOFTMAX: dict[str, Form] = {"matmul": softmax_matmul, "keys, values": softmax_keys_values}
