"""Wrong models and wrong calls: each gives the documented exception, which names the argument."""

from __future__ import annotations

import numpy as np
import pytest

from loopcore import LoopedTransformer

ONE = np.eye(3)
CORNER, BLOCK = np.diag([0, 0, 1.0]), np.diag([1, 1, 0.0])
TWO_LAYERS = np.stack([ONE, ONE])

WRONG_MODELS = {
    # Shapes
    "P, one axis": (
        (np.ones(3), ONE, 1),
        {},
        ValueError,
        r"P: expected shape \(D, D\), .*got \(3,\)",
    ),
    "P, five axes": ((np.ones((1, 1, 1, 3, 3)), ONE, 1), {}, ValueError, "P: expected shape"),
    "P, not square": ((np.ones((2, 3)), ONE, 1), {}, ValueError, "P: expected shape"),
    "P, D = 1": ((np.ones((1, 1)), np.ones((1, 1)), 1), {}, ValueError, "P: expected .*D >= 2"),
    "P, L = 0": ((np.ones((0, 3, 3)), np.ones((0, 3, 3)), 1), {}, ValueError, "P: expected shape"),
    "Q, other shape": ((ONE, np.eye(4), 1), {}, ValueError, "Q: expected the shape of P"),
    "Q, other L": ((ONE, TWO_LAYERS, 1), {}, ValueError, "Q: expected the shape of P"),
    "skip": (
        (ONE, ONE, 1),
        {"skip": np.eye(2)},
        ValueError,
        r"skip: expected shape \(D, D\) = \(3, 3\)",
    ),
    "P, ragged": (([[1, 2], [3]], ONE, 1), {}, ValueError, "P: expected an array of numbers"),
    # Words
    **{
        f"{name}, word": (
            (ONE, ONE, 1),
            {name: "none"},
            ValueError,
            f"{name}: expected one of .*'none'",
        )
        for name in ("attention", "update", "mask", "scale", "normalize")
    },
    **{
        f"{name}, no word": (
            (ONE, ONE, 1),
            {name: 1},
            TypeError,
            f"{name}: expected one of .*got int",
        )
        for name in ("attention", "update", "mask", "scale", "normalize")
    },
    "eta, word": (
        (ONE, ONE, "chebyshev"),
        {},
        ValueError,
        "eta: expected one of 'optimal', got 'cheb",
    ),
    # Steps
    "both": (
        (ONE, ONE, 1),
        {"schedule": [[1]]},
        ValueError,
        "eta: expected eta or schedule, got both",
    ),
    "both, word": (
        (ONE, ONE, "optimal"),
        {"schedule": [[1]]},
        ValueError,
        "eta: expected eta or schedule, got both",
    ),
    "eta, axis": (
        (TWO_LAYERS, TWO_LAYERS, [1, 2, 3]),
        {},
        ValueError,
        r"eta: expected L = 2 entries on its last axis, or 1, got shape \(3,\)",
    ),
    "eta, prompts": ((ONE, ONE, [1, 2]), {}, ValueError, r"eta: .* has shape \(..., 1\)"),
    "schedule, axes": (
        (ONE, ONE),
        {"schedule": [1, 2]},
        ValueError,
        r"schedule: expected shape \(..., T, L\) with L = 1, or 1, got \(2,\)",
    ),
    "schedule, L": ((ONE, ONE), {"schedule": [[1, 2]]}, ValueError, "schedule: expected shape"),
    # What does not go together
    "normalize": (
        (ONE, ONE, 1),
        {"normalize": "all"},
        ValueError,
        "normalize: expected 'masked' with attention='linear', got 'all'",
    ),
    "targets, P": ((ONE, BLOCK, 1), {"update": "targets"}, ValueError, "P: expected zeros but for"),
    "targets, P column": (
        (np.outer([1, 0, 1], [0, 0, 1]), BLOCK, 1),
        {"update": "targets"},
        ValueError,
        "P: expected zeros but for",
    ),
    "targets, Q": (
        (CORNER, ONE, 1),
        {"update": "targets"},
        ValueError,
        "Q: expected zeros in the row",
    ),
    "targets, Q row": (
        (CORNER, np.outer([0, 0, 1], [1, 0, 0]), 1),
        {"update": "targets"},
        ValueError,
        "Q: expected zeros in the row",
    ),
    "targets, skip": (
        (CORNER, BLOCK, 1),
        {"update": "targets", "skip": 2 * ONE},
        ValueError,
        "skip: expected the identity outside its last column",
    ),
    # Types
    **{
        f"{name}, {kind}": (
            (ONE, ONE) if name in {"skip", "schedule"} else (),
            {name: make(np.ones((3, 3)))},
            TypeError,
            f"{name}: expected",
        )
        for name in ("P", "Q", "eta", "schedule", "skip")
        for kind, make in {
            "complex": lambda a: a + 0j,
            "object": lambda a: a.astype(object),
            "longdouble": lambda a: a.astype(np.longdouble),
            "masked": np.ma.masked_array,
            "dates": lambda a: a.astype("M8[s]"),
        }.items()
    },
}


@pytest.mark.parametrize("case", WRONG_MODELS)
def test_wrong_models(case):
    given, keywords, error, message = WRONG_MODELS[case]
    if not given:
        keywords = {"P": ONE, "Q": ONE, **keywords}
    if "eta" not in keywords and "schedule" not in keywords and len(given) < 3:
        keywords = {"eta": 1.0, **keywords}
    with pytest.raises(error, match=f"^{message}"):
        LoopedTransformer(*given, **keywords)


MODEL = LoopedTransformer(CORNER, BLOCK, np.full((4, 1), 0.1), update="all")
SHORT = LoopedTransformer(CORNER, BLOCK, schedule=np.ones((1, 1)), update="all")
QUERY = LoopedTransformer(np.diag([1, 1, 0.0]), ONE, 0.1)
X, Y, Z = np.ones((5, 2)), np.ones(5), np.ones((6, 3))

WRONG_CALLS = {
    "Z, width": (
        lambda: MODEL(np.ones((6, 4)), 1),
        ValueError,
        r"Z: expected shape \(..., n \+ 1, D\) w",
    ),
    "Z, one axis": (lambda: MODEL(np.ones(3), 1), ValueError, "Z: expected shape"),
    "Z, no rows": (lambda: MODEL(np.ones((0, 3)), 1), ValueError, "Z: expected shape"),
    "Z, complex": (lambda: MODEL(Z + 0j, 1), TypeError, "Z: expected real numbers"),
    "Z, object": (lambda: MODEL(Z.astype(object), 1), TypeError, "Z: expected real numbers"),
    "Z, text": (lambda: MODEL("Z", 1), TypeError, "Z: expected real numbers"),
    "eta, leading": (
        lambda: MODEL(np.ones((3, 6, 3)), 1),
        ValueError,
        "eta: expected leading axes",
    ),
    "T, float": (lambda: MODEL(Z, 1.0), TypeError, "T: expected an integer, got float"),
    "T, None": (lambda: MODEL.trajectory(Z, None), TypeError, "T: expected an integer, got None"),
    "T, negative": (
        lambda: MODEL.predict(X, Y, X, -1),
        ValueError,
        "T: expected at least 0, got -1",
    ),
    "T, huge": (lambda: MODEL(Z, 2**63), ValueError, r"T: expected less than 2\*\*62, got more"),
    "schedule": (
        lambda: SHORT(Z, 2),
        ValueError,
        r"schedule: expected at least T = 2 loops on its axis -2, got shape \(1, 1\)",
    ),
    "at, float": (lambda: MODEL.trajectory(Z, 2, [0.0]), TypeError, "at: expected integers"),
    "at, range": (
        lambda: MODEL.trajectory(Z, 2, [3]),
        ValueError,
        r"at: expected loops in 0 ... T = 2",
    ),
    "at, order": (
        lambda: MODEL.trajectory(Z, 2, [1, 0]),
        ValueError,
        "at: expected sorted loops, got 0",
    ),
    "at, axes": (
        lambda: MODEL.trajectory(Z, 2, [[1]]),
        ValueError,
        r"at: expected shape \(K,\), got",
    ),
    "threads": (lambda: MODEL(Z, 2, num_threads=0), ValueError, "num_threads: expected at least 1"),
    "threads, float": (
        lambda: MODEL(Z, 2, num_threads=1.0),
        TypeError,
        "num_threads: expected an int",
    ),
    "X, width": (
        lambda: MODEL.predict(np.ones((5, 3)), Y, X, 1),
        ValueError,
        "X: expected shape .*d = 2",
    ),
    "X, one axis": (lambda: MODEL.predict(Y, Y, X, 1), ValueError, "X: expected shape"),
    "X, complex": (lambda: MODEL.predict(X + 0j, Y, X, 1), TypeError, "X: expected real"),
    "y, length": (lambda: MODEL.predict(X, Y[1:], X, 1), ValueError, "y: expected n = 5 entries"),
    "y, number": (lambda: MODEL.predict(X, 1.0, X, 1), ValueError, "y: expected n = 5 entries"),
    "y, leading": (
        lambda: QUERY.generate(np.ones((2, 5, 2)), np.ones((3, 5)), 1, 1),
        ValueError,
        r"y: expected leading axes that broadcast with \(2,\), got shape \(3, 5\)",
    ),
    "x_query, width": (
        lambda: MODEL.predict(X, Y, np.ones(3), 1),
        ValueError,
        r"x_query: expected shape \(..., d\) with d = 2, got \(3,\)",
    ),
    "x_query, ragged": (
        lambda: MODEL.predict(X, Y, [[1, 2], [3]], 1),
        ValueError,
        "x_query: expected an array of numbers: ",
    ),
    "x_query, text": (lambda: MODEL.predict(X, Y, "x", 1), TypeError, "x_query: expected real"),
    "y0, object": (lambda: MODEL.predict(X, Y, X, 1, [None] * 5), TypeError, "y0: expected real"),
    "alpha": (lambda: QUERY.generate(X, Y, 1j, 1), TypeError, "alpha: expected real"),
    "q0": (lambda: QUERY.generate(X, Y, 1, 1, np.ones(3)), ValueError, "q0: expected shape"),
    "generate": (
        lambda: MODEL.generate(X, Y, 1, 1),
        ValueError,
        "update: expected 'query' to generate",
    ),
    "predict": (
        lambda: QUERY.predict(X, Y, X, 1),
        ValueError,
        "P: expected weights that move the y slot",
    ),
    "operator, query": (
        lambda: QUERY.operator(X, Y, 1),
        ValueError,
        "update: expected 'all', for which",
    ),
    "operator, mask": (
        lambda: LoopedTransformer(ONE, ONE, 1, update="all", mask="all").operator(X, Y, 1),
        ValueError,
        "mask: expected 'context', for which",
    ),
    "operator, softmax": (
        lambda: LoopedTransformer(ONE, ONE, 1, update="all", attention="exp").operator(X, Y, 1),
        ValueError,
        "attention: expected 'linear', for which",
    ),
}


@pytest.mark.parametrize("case", WRONG_CALLS)
def test_wrong_calls(case):
    call, error, message = WRONG_CALLS[case]
    with pytest.raises(error, match=f"^{message}"):
        call()


def test_a_skip_that_moves_the_y_slot_predicts():
    skip = ONE.copy()
    skip[0, 2] = 0.5
    model = LoopedTransformer(np.zeros((3, 3)), ONE, 0.1, skip=skip)
    assert model.predict(X, Y, [1.0, 0.0], 3) == -1.5


def test_a_longer_schedule_serves_and_one_loop_serves_one(rng):
    Z = rng.normal(size=(6, 3))
    assert np.isfinite(SHORT(Z, 1)).all()
    np.testing.assert_array_equal(SHORT(Z, 0), Z)
