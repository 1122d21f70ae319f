import numpy as np
import pytest

from loopcore.studies.frame.intervals import Interval, number, of_means, quantile, text

scipy_stats = pytest.importorskip("scipy.stats")


def test_quantile_intervals_are_those_of_all_resamples(rng):
    samples = rng.standard_cauchy(41)
    for q in (0.05, 0.5, 0.9):
        value, low, high = quantile(samples, q)
        rank = int(np.ceil(q * 41))
        assert value == np.sort(samples)[rank - 1]
        drawn = np.sort(rng.choice(samples, (200_000, 41)), axis=1)[:, rank - 1]
        # The ends are samples: 2.5 % of the resamples lie below the lower one, up to its own share.
        assert np.mean(drawn < low) < 0.025 + 0.001
        assert np.mean(drawn <= low) > 0.025 - 0.001
        assert np.mean(drawn < high) < 0.975 + 0.001
        assert np.mean(drawn <= high) > 0.975 - 0.001


def test_quantile_intervals_hold_the_quantile_of_the_distribution(rng):
    found = quantile(rng.standard_normal((60, 20_000)))
    assert found.value.shape == (20_000,)
    assert 0.92 < np.mean(found.holds(0.0)) < 0.97
    ninth = quantile(rng.standard_normal((200, 10_000)), 0.9)
    assert 0.93 < np.mean(ninth.holds(scipy_stats.norm.ppf(0.9))) < 0.975


def test_infinities_are_numbers_and_nan_is_not():
    samples = np.array([[1.0, 1.0], [np.inf, np.nan], [np.inf, 2.0], [2.0, 3.0], [np.inf, 4.0]])
    value, low, high = quantile(samples)
    assert value[0] == high[0] == np.inf
    assert low[0] == 1.0
    assert np.isnan([value[1], low[1], high[1]]).all()


def test_means_and_ratios_agree_with_scipy(rng):
    pairs = rng.exponential(size=(300, 2)) + np.array([0.0, 2.0])

    def ratio(means):
        return means[..., 1] / means[..., 0]

    found = of_means(pairs, ratio)
    known = scipy_stats.bootstrap(
        (pairs[:, 0], pairs[:, 1]),
        lambda a, b, axis: np.mean(b, axis) / np.mean(a, axis),
        paired=True,
        n_resamples=10_000,
        method="percentile",
        rng=rng,
    ).confidence_interval
    assert found.value == pytest.approx(pairs[:, 1].mean() / pairs[:, 0].mean(), rel=1e-12)
    width = known.high - known.low
    assert found.low == pytest.approx(known.low, abs=0.1 * width)
    assert found.high == pytest.approx(known.high, abs=0.1 * width)
    assert np.array_equal(of_means(pairs, ratio), found)  # the seed
    assert not np.array_equal(of_means(pairs, ratio, seed=1), found)


def test_columns_keep_what_they_have_in_common(rng):
    one = rng.standard_normal(500)
    found = of_means(np.stack([one, one + 1], axis=1), lambda means: means[:, 1] - means[:, 0])
    assert found.high - found.low < 1e-12
    means = of_means(rng.standard_normal((50, 3, 2)))
    assert means.value.shape == means.low.shape == (3, 2)
    assert means.at(1).value.shape == (2,)
    assert means.at(1, 0).low == means.low[1, 0]


@pytest.mark.parametrize(
    ("value", "digits", "expected"),
    [
        (0.0, 3, "0"),
        (0.012345, 2, "0.012"),
        (-12.3456, 3, "−12.3"),
        (999.7, 3, "1e3"),
        (1000.4, 3, "1,000"),
        (123456.0, 3, "123,456"),
        (1.234e7, 3, "1.23e7"),
        (3.1e-12, 2, "3.1e−12"),
        (np.inf, 3, "inf"),
        (np.nan, 3, "nan"),
    ],
)
def test_numbers_in_sentences(value, digits, expected):
    assert number(value, digits) == expected


def test_text_has_the_interval():
    assert text(Interval(np.array(2.0), np.array(1.5), np.array(2.25)), 2) == "2 (1.5 to 2.2)"
