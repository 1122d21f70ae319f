"""The study of κ as d grows, held against drawn X, closed forms, and other libraries."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import loopcore
from loopcore import tasks, theory
from loopcore.studies.condition import QUICK, STUDY, Config, compute, limits
from loopcore.studies.condition.config import examples
from loopcore.studies.condition.draws import (
    condition_numbers,
    gaussian_spectra,
    student,
    student_spectra,
)
from loopcore.studies.condition.findings import findings
from loopcore.studies.condition.measure import (
    bound_loops,
    fewest_loops,
    kappa_quantile,
    measure,
    ratio_needed,
    tasks_of,
    worst_loops,
)
from loopcore.studies.condition.sheets import sheets
from loopcore.studies.frame.intervals import Interval
from loopcore.studies.frame.parts import Parts
from loopcore.studies.frame.slopes import median_slope, resampled_medians

stats = pytest.importorskip("scipy.stats")

TINY = Config(
    dimensions=(2, 8, 16, 32),
    ratios=(1.0, 2.0, 10.0),
    tasks=60,
    gaussian_work=1e5,
    drawn_work=2e5,
    largest=5000,
    growth_from=8,
)


@pytest.fixture(scope="module")
def result():
    return compute(TINY)


# ---- draws --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "d"), [(5, 4), (60, 40)])  # dense and tridiagonal
def test_gaussian_spectra_are_distributed_as_those_of_drawn_x(n, d):
    B = 1000
    without = gaussian_spectra(np.random.default_rng(0), B, n, d)
    X = tasks.draw(B, n, d, rng=1).X
    drawn = np.linalg.eigvalsh(X.swapaxes(1, 2) @ X)
    for i in (0, d // 2, d - 1):
        assert stats.ks_2samp(without[:, i], drawn[:, i]).pvalue > 0.01
    kappa = stats.ks_2samp(condition_numbers(without), loopcore.spectrum(X).kappa)
    assert kappa.pvalue > 0.01


def test_gaussian_spectra_have_the_moments_of_a_wishart_matrix():
    n, d, B = 12, 6, 20_000
    lam = gaussian_spectra(np.random.default_rng(0), B, n, d)
    # E tr S = nd, E tr S² = nd(n + d + 1), E det S = n!/(n − d)!
    assert lam.sum(1).mean() == pytest.approx(n * d, rel=0.01)
    assert (lam**2).sum(1).mean() == pytest.approx(n * d * (n + d + 1), rel=0.01)
    product = float(np.prod(np.arange(n - d + 1, n + 1)))
    assert lam.prod(1).mean() == pytest.approx(product, rel=0.1)


def test_kappa_at_n_equal_d_follows_edelman():
    # E log √κ ≈ log n + 1.537 (Edelman 1988)
    kappa = condition_numbers(gaussian_spectra(np.random.default_rng(0), 2000, 50, 50))
    assert np.log(kappa).mean() / 2 == pytest.approx(np.log(50) + 1.537, abs=0.05)


@pytest.mark.parametrize("freedom", [3, 5])
def test_student_has_its_distribution(freedom):
    t = student(np.random.default_rng(0), (200, 100), freedom).ravel()
    assert stats.kstest(t, "t", (freedom,)).pvalue > 0.01
    # and in the tail, beyond the 0.1 % on either side
    edge = stats.t.isf(0.0005, freedom)
    assert np.mean(np.abs(t) > edge) == pytest.approx(0.001, abs=0.0007)


def test_student_spectra_are_distributed_as_those_of_heavy_tailed_tasks():
    B, n, d = 1500, 20, 8
    ours = condition_numbers(student_spectra(np.random.default_rng(0), B, n, d, 3))
    X = tasks.draw(B, n, d, inputs=tasks.HeavyTailed(3), rng=1).X
    assert stats.ks_2samp(ours, loopcore.spectrum(X).kappa).pvalue > 0.01


def test_panels_add_up(monkeypatch):
    from loopcore.studies.condition import draws

    monkeypatch.setattr(draws, "_PANEL", 40)
    monkeypatch.setattr(draws, "student", lambda rng, shape, _: rng.standard_normal(shape))
    lam = student_spectra(np.random.default_rng(0), 2, 23, 4, 3)
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.standard_normal((2, 5, 4)) for _ in range(4)], axis=1)
    X = np.concatenate([X, rng.standard_normal((2, 3, 4))], axis=1)  # 23 rows, five at a time
    np.testing.assert_allclose(lam, np.linalg.eigvalsh(X.swapaxes(1, 2) @ X), rtol=1e-10)


# ---- limits -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "d"), [(400, 200), (1000, 100), (330, 300)])
def test_edges_give_the_median(n, d):
    kappa = condition_numbers(gaussian_spectra(np.random.default_rng(0), 150, n, d))
    assert limits.edge_kappa(n, d) == pytest.approx(np.median(kappa), rel=0.04)


def test_a_spike_moves_the_largest_eigenvalue_as_predicted():
    n, d = 1200, 300
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d))
    s = 40.0
    X[3, 5] = s
    expected = (s**2 + n) * (s**2 + d) / s**2
    assert float(np.linalg.norm(X, 2) ** 2) == pytest.approx(expected, rel=0.05)


def test_spike_kappa_takes_the_median_of_the_largest_entry():
    n, d, freedom = 40, 5, 3
    X = stats.t.rvs(freedom, size=(4000, n, d), random_state=0)
    s2 = np.median(np.abs(X).max(axis=(1, 2))) ** 2
    low = 3 * (np.sqrt(n) - np.sqrt(d)) ** 2
    expected = (s2 + 3 * n) * (s2 + 3 * d) / s2 / low
    assert limits.spike_kappa(n, d, freedom) == pytest.approx(expected, rel=0.05)


def test_the_spike_grows_with_its_power():
    # κ ~ d^(4/ν − 1) in the end
    sizes = [2**20, 2**24]
    kappa = [limits.spike_kappa(2 * d, d, 3) for d in sizes]
    assert np.log(kappa[1] / kappa[0]) / np.log(16) == pytest.approx(1 / 3, abs=0.02)
    assert limits.spike_kappa(2**21, 2**20, 5) == theory.marchenko_pastur_kappa(2, 1)


def test_limit_loops_are_those_of_a_large_gaussian_x():
    d, r = 600, 2
    lam = gaussian_spectra(np.random.default_rng(0), 5, r * d, d)
    loops = fewest_loops(lam, np.ones((5, d)), 1e-3)
    assert limits.limit_loops(r, 1e-3) == pytest.approx(loops.mean(), rel=0.05)
    low, high = theory.marchenko_pastur_edges(r, 1)
    at = np.linspace(float(low), float(high), 200_001)
    density = theory.marchenko_pastur_density(at, r, 1)
    T = limits.limit_loops(r, 1e-3)
    assert np.trapezoid(density * (1 - at / high) ** T, at) == pytest.approx(1e-3, rel=1e-3)


def test_ratio_for_inverts_the_limit():
    n = np.array([110, 200, 3000])
    kappa = theory.marchenko_pastur_kappa(n, 100)
    np.testing.assert_allclose(limits.ratio_for(kappa), n / 100)


# ---- loops --------------------------------------------------------------------------------------


def test_loops_are_those_of_the_library():
    B, n, d = 20, 30, 6
    batch = tasks.draw(B, n, d, rng=3)
    basis = theory.eigenbasis(batch.X, batch.y)
    order = slice(None, None, -1)
    loops = fewest_loops(basis.eigenvalues[:, order], basis.theta[:, order] ** 2, 1e-4)
    for b in range(B):
        T = int(loops[b])
        errors = loopcore.errors(
            batch.X[b], batch.y[b], 1.0, T, theta=batch.theta[b], relative=True
        )
        assert errors[T] <= 1e-4 < errors[T - 1]


def test_the_worst_direction_takes_as_many_loops_as_theory_says():
    lam = np.array([[1.0, 3.0, 50.0]])
    loops = fewest_loops(lam, np.array([[1.0, 0.0, 0.0]]), 1e-6)
    assert loops[0] == worst_loops(50.0, 1e-6) == np.ceil(np.log(1e-6) / np.log(0.98))
    assert bound_loops(50.0, 1e-6) == theory.loops_to_tolerance(1e-6, 50)


def test_kappa_beyond_rounding_is_given_as_1_over_eps():
    assert condition_numbers(np.array([[-1e-18, 1.0]]))[0] == 2.0**52
    loops = fewest_loops(np.array([[-1e-18, 1.0]]), np.ones((1, 2)), 0.25)
    assert loops[0] == pytest.approx(2.0**52 * np.log(2), rel=1e-6)


# ---- aggregation --------------------------------------------------------------------------------


def test_medians_are_those_of_the_draws(result):
    drawn = measure(TINY, Parts())
    for k, kind in enumerate(TINY.kinds):
        for i, r in enumerate(TINY.ratios):
            for j, d in enumerate(TINY.dimensions):
                n = examples(r, d)
                B = tasks_of(TINY, kind, n, d)
                assert result.count[k, i, j] == B
                if not B:
                    assert np.isnan(result.kappa.value[k, i, j]).all()
                    continue
                kappa = np.sort(drawn[(kind, n, d)].kappa)
                assert len(kappa) == B
                assert result.kappa.value[k, i, j, 1] == kappa[-(-B // 2) - 1]
                assert np.isin(result.kappa.low[k, i, j, 1], kappa)
                assert np.isinf(result.kappa.high[k, i, j, 2]) == (0.95**B > 0.025)
    assert (result.count[1:, 2, 3] == 0).all()  # 320 × 32 is larger than 5,000


def test_gaussian_medians_lie_below_their_limit_and_rise(result):
    part = result.kappa.value[0, 1:, :, 1] / result.limit[1:]
    assert (part < 1).all()
    assert (np.diff(part, axis=1) > 0).all()


def test_growth_is_two_at_n_equal_d(result):
    slopes = result.growth.at(0, 0)
    assert slopes.low < 2 < slopes.high


def test_slopes_of_medians_hold_the_truth(rng):
    x = np.array([1.0, 2.0, 4.0, 8.0])
    samples = [rng.lognormal(1.5 * np.log(size), 0.3, 100) for size in x]
    interval = median_slope(x, samples, rng)
    values = [np.sort(one)[49] for one in samples]
    assert interval.value == pytest.approx(np.polyfit(np.log(x), np.log(values), 1)[0])
    assert interval.low < 1.5 < interval.high
    assert interval.high - interval.low < 0.3
    assert np.isnan(median_slope([1.0], samples[:1], rng).value)
    assert np.isnan(median_slope(x, samples, rng, lambda medians: 1 - medians).value)


def test_resampled_medians_are_those_of_resamples(rng):
    samples = rng.standard_normal(15)
    exact = resampled_medians(samples, rng)
    literal = np.sort(rng.choice(samples, (4000, 15)), axis=1)[:, 7]
    for q in (0.1, 0.5, 0.9):
        assert np.quantile(exact, q) == pytest.approx(np.quantile(literal, q), abs=0.25)


@pytest.mark.parametrize("B", [38, 150])
def test_intervals_of_high_quantiles_hold_them(B):
    held = 0
    for seed in range(400):
        kappa = 1 + np.random.default_rng(seed).exponential(size=B)
        held += int(kappa_quantile(kappa, 0.95).holds(1 + np.log(20)))
    assert held / 400 > 0.92
    # even the sample's largest is too small for 38
    assert np.isinf(kappa_quantile(kappa, 0.95).high) == (B == 38)
    assert (kappa_quantile(kappa, 0.05).low == 1) == (B == 38)


def test_ratio_needed_is_exact_at_the_limit():
    ratios = np.array([1.5, 2.0, 4.0, 30.0])
    kappa = np.asarray(theory.marchenko_pastur_kappa(1000 * ratios, 1000))
    limit = Interval(kappa, 0.9 * kappa, 1.1 * kappa)
    needed = ratio_needed(ratios, limit, 9.0)
    assert needed.value == pytest.approx(4)
    assert needed.low < 4 < needed.high
    assert np.isinf(ratio_needed(ratios, limit, 1.5).value)
    unknown = Interval(kappa, 0.9 * kappa, np.full(4, np.inf))
    assert ratio_needed(ratios, unknown, 9.0).high == np.inf
    assert ratio_needed(ratios, limit, 200.0).value == pytest.approx(1.5)


def test_the_same_seed_gives_the_same_numbers_and_kept_parts_too(result):
    kept: dict = {}
    again = compute(TINY, Parts(kept=kept))
    resumed = compute(TINY, Parts(kept=kept))
    for one in (again, resumed):
        np.testing.assert_array_equal(one.kappa.value, result.kappa.value)
        np.testing.assert_array_equal(one.growth.low, result.growth.low)
        np.testing.assert_array_equal(one.needed.high, result.needed.high)
    other = compute(dataclasses.replace(TINY, seed=1))
    assert (other.kappa.value[0] != result.kappa.value[0]).all()


# ---- words and figure ---------------------------------------------------------------------------


def _scaled(interval: Interval, index, factor: float) -> Interval:
    parts = [part.copy() for part in interval]
    for part in parts:
        part[index] *= factor
    return Interval(*parts)


def test_findings_answer_the_question_and_react(result):
    said = findings(result)
    assert said[0].startswith("Open question 2: bounded")
    assert "rises towards" in said[0]
    assert "(10, 32)" in said[-1]  # left out
    check_lengths(said)

    above = dataclasses.replace(result, kappa=_scaled(result.kappa, (0, 1, -1), 3.0))
    assert findings(above)[0].startswith("Open question 2: not as the theory says")
    assert "n/d = 2" in findings(above)[0]

    flat = _scaled(result.kappa, (0, slice(1, None), 0), 0.999)
    for part, limit in zip(flat, (result.limit[1:, 0, None],) * 3, strict=True):
        part[0, 1:, 0] = 0.999 * limit
    assert "stays below" in findings(dataclasses.replace(result, kappa=flat))[0]

    rising = Interval(*(np.abs(part) for part in result.deficit))
    said = findings(dataclasses.replace(result, deficit=rising))[1]
    assert "is not settled" in said
    assert "0 of 2 intervals" in said

    wide = Interval(*(part.copy() for part in result.kappa))
    wide.value[0, 1, -1, 2] = wide.value[0, 1, -1, 0] * 1e6
    assert "does not fall" in findings(dataclasses.replace(result, kappa=wide))[4]


def check_lengths(said):
    assert len(said) <= 9
    assert len(said[0]) <= 350
    assert max(map(len, said)) <= 600


def test_findings_tell_whether_heavy_tails_break_it(result):
    growth, kappa = (
        Interval(*(part.copy() for part in one)) for one in (result.growth, result.kappa)
    )
    for part, value in zip(growth, (0.3, 0.2, 0.4), strict=True):
        part[2, 1:] = value
    for part in kappa:
        part[2, 1:] = 4 * result.limit[1:, :, None]
    broken = dataclasses.replace(result, growth=growth, kappa=kappa)
    (said,) = (s for s in findings(broken) if "ν = 3" in s and s.startswith("Student"))
    assert "breaks the constancy" in said
    assert "2 hold its 4/ν − 1 = 0.333" in said
    assert "ν = 3 breaks the bound" in findings(broken)[0]
    assert "ν = 5" not in findings(broken)[0]
    check_lengths(findings(broken))

    for part in kappa:
        part[2, 1:] = 0.9 * result.limit[1:, :, None]
    bounded = dataclasses.replace(result, growth=growth, kappa=kappa)
    (said,) = (s for s in findings(bounded) if "ν = 3" in s and s.startswith("Student"))
    assert "leaves κ bounded" in said


def test_sheets_are_narrow(result):
    for one in (result, dataclasses.replace(result, config=TINY)):
        for sheet in sheets(one):
            rows = [sheet.columns, *sheet.rows]
            assert all(len(row) == len(sheet.columns) for row in rows)
            width = sum(max(map(len, column)) + 2 for column in zip(*rows, strict=True))
            assert width <= 82
            assert len(sheet.title) <= 80
            assert len(sheet.rows) <= 15


LITTLE = Config(dimensions=(2, 3), ratios=(1.0, 1.5), tasks=7, largest=1, growth_from=2)


@pytest.mark.parametrize("config", [TINY, LITTLE])
def test_the_figure_draws_and_words_come_out(config, result, tmp_path):
    pytest.importorskip("matplotlib")
    from loopcore.studies.frame.result_files import write_json

    one = result if config is TINY else compute(config)
    STUDY.plot(one).savefig(tmp_path / "figure.png", dpi=40)
    write_json(tmp_path / "numbers.json", {"result": one})
    assert all(STUDY.findings(one))
    check_lengths(STUDY.findings(one))
    assert STUDY.sheets(one)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dimensions": (4,)}, "dimensions: expected at least 2, got 1"),
        ({"dimensions": (1, 4)}, "dimensions: expected at least 2, got 1"),
        ({"dimensions": (8, 4)}, "dimensions: expected rising"),
        ({"ratios": (0.5, 2.0)}, "ratios: expected at least 1, got 0.5"),
        ({"ratios": (2.0, np.inf)}, "ratios: expected finite"),
        ({"freedoms": (2,)}, "freedoms: expected at least 3, got 2"),
        ({"fewest": 3}, "fewest: expected at least 6, got 3"),
        ({"tasks": 5}, "tasks: expected at least 7, got 5"),
        ({"growth_from": 32}, "growth_from: expected two dimensions"),
        ({"tolerances": (1.5,)}, "tolerances: expected numbers in"),
        ({"tolerances": ()}, "tolerances: expected at least 1, got 0"),
        ({"targets": ()}, "targets: expected at least 1, got 0"),
        ({"targets": (1.0,)}, "targets: expected finite numbers above 1"),
        ({"seed": -1}, "seed: expected at least 0, got -1"),
    ],
)
def test_nonsense_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(TINY, **change)


def test_examples_are_the_next_whole_number():
    assert [examples(1.1, d) for d in (2, 10, 20, 1024)] == [3, 11, 22, 1127]
    assert QUICK.kinds == (0, 5, 3)
