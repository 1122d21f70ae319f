import math

import numpy as np
import pytest

from loopcore import reference
from loopcore.studies.table.steps import Steps

SPECTRUM = (1.0, 7.5, 50.0)


@pytest.mark.parametrize("eta", [None, "optimal", "chebyshev", 0.017, 0.03])
@pytest.mark.parametrize("T", [1, 2, 9, 60])
def test_extremes_and_worst_case_are_those_of_the_reference_steps(eta, T):
    X = np.diag(np.sqrt(SPECTRUM))
    schedule = np.broadcast_to(reference.step_sizes(X, T, eta=eta), T)
    steps = Steps(eta, SPECTRUM[0], SPECTRUM[-1], SPECTRUM[-1] / SPECTRUM[0])
    assert steps.extremes(T) == pytest.approx((schedule.min(), schedule.max()), rel=1e-12)
    factors = np.abs(np.prod(1 - np.multiply.outer(SPECTRUM, schedule), axis=-1))
    assert factors.max() == pytest.approx(steps.worst_case(T), rel=1e-9)


def test_without_a_spectrum_there_is_no_step():
    for eta in (None, "optimal", "chebyshev"):
        steps = Steps(eta, 0.0, 0.0, math.nan)
        assert steps.extremes(5) == (0, 0)
        assert math.isnan(steps.worst_case(5))
    assert Steps(0.1, 0.0, 0.0, math.nan).extremes(5) == (0.1, 0.1)


def test_eigenvalues_beyond_float64_leave_kappa():
    steps = Steps(None, math.inf, math.inf, 4.0)
    assert all(map(math.isnan, steps.extremes(5)))
    assert steps.worst_case(2) == (3 / 4) ** 2


def test_what_holds_for_which_step():
    kinds = (None, "optimal", "chebyshev", 0.1)
    steps = [Steps(eta, 1.0, 2.0, 2.0) for eta in kinds]
    assert [s.theorem_holds for s in steps] == [True, True, True, False]
    assert [s.last_loop_only for s in steps] == [False, False, True, False]
    assert [s.words.name for s in steps] == [
        "η = 1/λ_max",
        "η = 2/(λ_min + λ_max)",
        "Chebyshev's schedule",
        "η = 0.1",
    ]
