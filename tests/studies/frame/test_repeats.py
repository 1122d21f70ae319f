import numpy as np
import pytest

from loopcore.studies.frame.parts import Parts
from loopcore.studies.frame.repeats import Estimate, Repeats, estimate, stacked

pytest.importorskip("scipy")


def test_95_percent_of_intervals_hold_what_they_estimate(rng):
    found = estimate(rng.standard_normal((4, 20_000)) + 7)
    held = np.mean(found.agrees(7))
    assert abs(held - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 20_000)
    # Student's, not the normal one: that would be 1.96/3.18 as wide, and hold 86 %.
    assert np.mean(np.square(found.half_width)) == pytest.approx(3.182**2 / 4, rel=0.03)


def test_estimates_of_two_samples_agree_95_times_of_100_too(rng):
    found, other = (estimate(rng.standard_normal((30, 20_000))) for _ in range(2))
    assert np.mean(found.agrees(*other)) == pytest.approx(0.95, abs=0.01)
    assert not np.any(found.agrees(other.mean + 3, other.half_width))


def test_mean_and_half_width_keep_the_shape():
    found = estimate(np.arange(12.0).reshape(3, 2, 2))
    np.testing.assert_array_equal(found.mean, [[4, 5], [6, 7]])
    np.testing.assert_allclose(found.half_width, 4.302653 * 4 / np.sqrt(3), rtol=1e-6)
    both = stacked([found, found])
    assert isinstance(both, Estimate)
    assert both.mean.shape == both.half_width.shape == (2, 2, 2)


def test_repeats_have_numbers_of_their_own():
    def measure(key, rng):
        return rng.standard_normal(2), key[0]

    ((numbers, keys),) = Repeats(3, 4)("stage", [(5,)], measure)
    assert numbers.shape == (4, 2)
    assert np.unique(numbers).size == 8
    assert keys.tolist() == [5] * 4
    # What else is measured, and how often, does not matter; key and seed do.
    (other, _), (again, _) = Repeats(3, 2)("stage", [(2,), (5,)], measure)
    assert np.array_equal(again, numbers[:2])
    assert not np.isin(other, numbers).any()
    assert not np.isin(Repeats(4, 4)("stage", [(5,)], measure)[0][0], numbers).any()


def test_repeats_move_the_bar_and_are_kept():
    calls, kept = [], {}
    repeats = Repeats(0, 2, Parts(lambda *call: calls.append(call), kept))
    first = repeats("stage", [(k,) for k in range(3)], lambda _, rng: (rng.random(),))
    assert calls == [("stage", done, 6) for done in range(7)]
    again = repeats("stage", [(k,) for k in range(3)], pytest.fail)
    assert np.array_equal(first, again)
