"""Every kind of looped Transformer against its literal matrices in long double.

The error of the compiled loop is at most 30 max(u, that of the literal loop in the same precision),
on over 10,000 random prompts in each type; `pytest tests/test_family_promise.py -s` prints the
largest ratio of each kind.
"""

from __future__ import annotations

import numpy as np
import pytest

import exact
from families import KINDS, literal_arguments, name_of, random_model
from literal_error import draw_orders, literal_error
from loopcore import LoopedTransformer, reference

pytestmark = exact.needs_extended_precision

# Around the widths of the lanes, and beyond where several prompts share one.
WIDTHS = [2, 3, 5, 8, 9, 12, 17, 33]
CONTEXTS = [0, 1, 2, 5, 7, 8, 9, 17, 40]
GROUPS = 15
PROMPTS = 16  # 45 kinds · 15 · 16 = 10,800


@pytest.mark.filterwarnings("ignore::loopcore.DivergenceWarning")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS, ids=name_of)
def test_error_is_that_of_the_literal_loop(rng, kind, dtype, request):
    u = np.finfo(dtype).eps / 2
    worst = 0.0
    tested = 0
    while tested < GROUPS * PROMPTS * request.config.getoption("--promise-scale"):
        D, n, T = rng.choice(WIDTHS), rng.choice(CONTEXTS), rng.integers(0, 7)
        shape = (*rng.integers(1, 3, 2), rng.choice(["sum", "mean"]), *(rng.random(2) < 0.4))
        arguments = random_model(rng, kind, shape, D, T)
        arguments["P"] = arguments["P"] * rng.choice([1, 3])
        Z = rng.normal(size=(PROMPTS, n + 1, D)).astype(dtype)
        rest = literal_arguments(arguments)
        P, Q = arguments["P"], arguments["Q"]
        with np.errstate(all="ignore"):  # some models blow up
            want = reference.looped(Z.astype(np.longdouble), P, Q, T, **rest)
            size = np.abs(want).max((-1, -2))  # (B,)

            def error(Z_T, want=want, size=size):
                return np.abs(Z_T - want).max((-1, -2)) / size

            orders = draw_orders(rng, kind["update"], Z.shape[1:])
            literal = literal_error(Z, T, arguments, error, orders)
            got = error(LoopedTransformer(**arguments)(Z, T))
            finite = (size < np.finfo(dtype).max) & np.isfinite(literal)
            ratio = (got / np.maximum(u, literal))[finite]
        assert (ratio <= 30).all(), f"{ratio.max():.1f} with D={D}, n={n}, T={T}, {shape}"
        worst = max(worst, ratio.max(initial=0))
        tested += int(finite.sum())
    print(f" {tested} prompts, largest error {worst:.2f} max(u, literal)", end="")
