import math

import numpy as np
import pytest

from loopcore import theory

BOUNDS = (
    theory.relative_error_bound,
    theory.gradient_descent_bound,
    theory.optimal_step_bound,
    theory.chebyshev_bound,
)


def shrunk(steps, eigenvalues):
    """|Π_t (1 − η_t λ)|, which every bound here bounds."""
    return np.abs(np.prod(1 - np.multiply.outer(eigenvalues, steps), axis=-1))


def test_values_worked_by_hand():
    # κ = 4: exp(−8/8), (3/4)², (3/5)³, and ρ = (2 − 1)/(2 + 1): 2/3 / (1 + 1/9) = 3/5
    assert theory.relative_error_bound(8, 4) == pytest.approx(math.exp(-1), rel=1e-15)
    assert theory.gradient_descent_bound(2, 4) == pytest.approx(9 / 16, rel=1e-15)
    assert theory.optimal_step_bound(3, 4) == pytest.approx(27 / 125, rel=1e-15)
    assert theory.chebyshev_bound(1, 4) == pytest.approx(3 / 5, rel=1e-15)
    # the step 1/2 on λ in [1, 3]: the factors are 1/2 and −1/2
    assert theory.constant_step_bound(3, 0.5, 1, 3) == pytest.approx(1 / 8, rel=1e-15)


@pytest.mark.parametrize("bound", BOUNDS)
def test_bounds_start_at_one_and_fall(bound):
    T = np.arange(200)
    for kappa in (1.5, 40.0, 1e12):
        values = bound(T, kappa)
        assert values[0] == 1
        assert np.all(np.diff(values) <= 0)
        assert np.all(values > 0)
    assert bound(0, 1) == 1


@pytest.mark.parametrize("bound", BOUNDS[1:])
def test_kappa_one_needs_one_loop(bound):
    assert bound(1, 1) == 0
    assert theory.loops_to_tolerance(1e-300, 1, bound) == 1


def test_order_of_the_bounds():
    T = np.arange(1, 300)
    for kappa in (1.001, 2.0, 50.0, 1e6):
        theorem, descent, optimal, chebyshev = (np.asarray(bound(T, kappa)) for bound in BOUNDS)
        assert np.all(descent <= theorem)
        assert np.all(optimal <= descent)
        assert np.all(chebyshev <= optimal * (1 + 1e-12))


def test_gradient_descent_bound_keeps_its_digits_at_large_kappa():
    # (1 − 1/κ)^κ = e^{−1} (1 − 1/2κ + …), whose naive power is off by 1e-5 at κ = 1e12
    assert theory.gradient_descent_bound(10**12, 1e12) == pytest.approx(math.exp(-1), rel=1e-11)


def test_worst_cases_are_reached_at_the_ends_of_the_spectrum():
    low, high, T = 1.0, 50.0, 30
    eigenvalues = np.linspace(low, high, 5001)
    for eta, bound in (
        (1 / high, theory.gradient_descent_bound(T, high / low)),
        (2 / (low + high), theory.optimal_step_bound(T, high / low)),
        (0.015, theory.constant_step_bound(T, 0.015, low, high)),
        (0.041, theory.constant_step_bound(T, 0.041, low, high)),
    ):
        worst = shrunk(np.full(T, eta), eigenvalues).max()
        assert worst == pytest.approx(bound, rel=1e-12)


@pytest.mark.parametrize("kappa", [1.5, 50.0, 1e4])
@pytest.mark.parametrize("T", [1, 2, 7, 40])
def test_chebyshev_bound_is_that_of_the_chebyshev_steps(T, kappa):
    nodes = np.cos(np.pi * (2 * np.arange(T) + 1) / (2 * T))
    steps = 1 / ((kappa + 1) / 2 + (kappa - 1) / 2 * nodes)
    ends = shrunk(steps, np.array([1.0, kappa]))
    assert ends == pytest.approx(theory.chebyshev_bound(T, kappa), rel=1e-9)
    inside = shrunk(steps, np.linspace(1, kappa, 2001))
    assert inside.max() <= theory.chebyshev_bound(T, kappa) * (1 + 1e-9)


@pytest.mark.parametrize("bound", BOUNDS)
@pytest.mark.parametrize("kappa", [1.0, 1.7, 44.8, 8e7, 1e28])
@pytest.mark.parametrize("tolerance", [0.5, 1e-3, 1e-12, 1e-300])
def test_loops_to_tolerance_is_the_smallest(bound, kappa, tolerance):
    T = theory.loops_to_tolerance(tolerance, kappa, bound)
    assert bound(T, kappa) <= tolerance
    assert bound(T - 1, kappa) > tolerance


def test_loops_to_tolerance_matches_the_closed_form():
    for kappa in (2.0, 44.8, 1e5):
        for tolerance in (1e-3, 1e-6, 1e-12):
            expected = math.ceil(2 * kappa * math.log(1 / tolerance))
            assert theory.loops_to_tolerance(tolerance, kappa) == expected
    assert theory.loops_to_tolerance(1.0, 50) == 0
    assert theory.loops_to_tolerance(2.0, 50) == 0


def test_broadcasting_and_scalars():
    values = theory.relative_error_bound(np.arange(5), np.array([[2.0], [3.0]]))
    assert values.shape == (2, 5)
    assert values[1, 4] == theory.relative_error_bound(4, 3)
    assert isinstance(theory.relative_error_bound(4, 3), np.float64)
    assert theory.constant_step_bound([1, 2], 0.5, 1, 3).tolist() == [0.5, 0.25]


def test_nan_kappa_gives_nan():
    for bound in BOUNDS:
        assert np.isnan(bound([0, 1], math.nan)).all()


def test_a_growing_step_may_overflow_to_infinity():
    assert theory.constant_step_bound(10**6, 1.0, 1, 50) == math.inf


@pytest.mark.parametrize("bound", BOUNDS)
def test_bad_values_are_refused(bound):
    with pytest.raises(ValueError, match=r"T: expected at least 0, got -1"):
        bound([3, -1], 2)
    with pytest.raises(ValueError, match=r"kappa: expected at least 1, got 0\.5"):
        bound(3, [2, 0.5])


@pytest.mark.parametrize(
    ("tolerance", "kappa", "message"),
    [
        (0, 2, "tolerance: expected a number above 0, got 0"),
        (math.nan, 2, "tolerance: expected a number above 0, got nan"),
        (1e-3, 0.9, "kappa: expected a finite number of at least 1, got 0.9"),
        (1e-3, math.nan, "kappa: expected a finite number of at least 1, got nan"),
        (1e-3, math.inf, "kappa: expected a finite number of at least 1, got inf"),
    ],
)
def test_loops_to_tolerance_refuses(tolerance, kappa, message):
    with pytest.raises(ValueError, match=message):
        theory.loops_to_tolerance(tolerance, kappa)


def test_fewest_loops_gives_up_on_a_bound_that_does_not_fall():
    with pytest.raises(ValueError, match=r"bound: still above 0\.001 after"):
        theory.fewest_loops(1e-3, lambda _: 1.0)


@pytest.mark.parametrize("bound", [*BOUNDS, theory.constant_step_bound])
def test_bounds_say_their_source_and_what_they_assume(bound):
    assert "Source: " in bound.__doc__
    assert "q(0) = 0" in bound.__doc__


@pytest.mark.parametrize("name", theory.__all__)
def test_everything_public_is_documented(name):
    """test_docs.py runs the examples; here: they exist, with the arguments' shapes."""
    thing = getattr(theory, name)
    assert thing.__module__.startswith("loopcore.theory.")
    text = thing.__doc__
    if isinstance(thing, type):
        assert all(getattr(thing, field).__doc__ for field in thing._fields)
        return
    assert ">>> " in text
    assert all(
        f"{section}\n    ---" in text for section in ("Parameters", "Returns", "Raises")
    ) or ("Shapes, units and errors are those of" in " ".join(text.split()))
