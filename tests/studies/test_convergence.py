import dataclasses
import io

import numpy as np
import pytest

import loopcore
from loopcore import tasks
from loopcore.studies.convergence import STUDY, Config, compute, limits, measure, plot, search
from loopcore.studies.convergence.words import findings, sheets
from loopcore.studies.frame.intervals import Interval
from loopcore.studies.frame.parts import Parts

stats = pytest.importorskip("scipy.stats")

SMALL = Config(
    tasks=1000,
    dims=(2, 4, 16),
    search_loops=(4, 16, 64),
    tolerances=(1e-1, 1e-3),
    per_octave=3,
    largest_ratio=256,
    search_tasks=300,
)


def only_curves(**options):
    return Config(**{"dims": (), "tasks": 50, "loops": 10, **options})


@pytest.fixture(scope="module")
def result():
    return compute(SMALL)


# ---- error curves -------------------------------------------------------------------------------


def test_the_bound_holds_for_every_task(result):
    assert [curves.n for curves in result.curves] == [5, 10, 20, 40]
    for curves in result.curves:
        assert curves.above_bound == 0
        assert 0.2 < curves.largest_ratio < 1


def test_quantiles_of_errors_stay_below_those_of_bounds(result):
    for curves in result.curves:
        assert curves.error.shape == curves.bound.shape == (3, 51)
        assert np.all(curves.error[:, 1:] < curves.bound[:, 1:])
        assert np.all(curves.error[2] <= curves.bound[2])  # the dashed line of the figure
        assert curves.error[:, 0] == pytest.approx(1, rel=1e-15)
        assert curves.bound[:, 0].tolist() == [1, 1, 1]


def test_medians_fall_with_loops_and_with_examples(result):
    medians = np.array([curves.error[1] for curves in result.curves])
    assert np.all(np.diff(medians[:, :40]) < 0)
    assert np.all(np.diff(medians[:, 1:], axis=0) < 0)
    # each n's median after 50 loops, to within what 1,000 tasks tell
    assert medians[:, -1] == pytest.approx([2e-2, 4e-5, 9e-9, 2e-13], rel=0.8)


def test_kappa_falls_with_examples(result):
    medians = [curves.kappa[1] for curves in result.curves]
    assert medians == sorted(medians, reverse=True)
    assert medians == pytest.approx([32.3, 7.12, 3.62, 2.41], rel=0.15)


def test_numbers_are_those_of_the_definition():
    config = only_curves(d=3, examples=(6,), loops=12, tasks=40, alpha="random", seed=7)
    curves = compute(config).curves[0]
    X, _, theta, *_ = tasks.draw(40, 6, 3, targets=tasks.Linear(unit=True), rng=[7, 0, 6])
    alpha = np.random.default_rng([7, 1, 6]).standard_normal(40)
    errors, bounds = np.empty((40, 13)), np.empty((40, 13))
    for i in range(40):
        S = X[i].T @ X[i]
        eigenvalues = np.linalg.eigvalsh(S)
        v = np.zeros(3)
        for t in range(13):
            errors[i, t] = abs(v @ theta[i] - alpha[i])
            bounds[i, t] = abs(alpha[i]) * np.exp(-t * eigenvalues[0] / eigenvalues[-1] / 2)
            v = v - (S @ v - alpha[i] * S @ theta[i]) / eigenvalues[-1]
    assert np.linalg.norm(theta, axis=1) == pytest.approx(1, rel=1e-14)
    assert curves.error == pytest.approx(np.quantile(errors, [0.05, 0.5, 0.95], axis=0), abs=1e-13)
    assert curves.bound == pytest.approx(np.quantile(bounds, [0.05, 0.5, 0.95], axis=0), rel=1e-9)


def test_the_seed_fixes_everything():
    config = Config(
        examples=(8, 16), tasks=50, loops=10, alpha="random", dims=(2, 3), search_loops=(4, 8),
        tolerances=(0.1,), per_octave=2, largest_ratio=8, search_tasks=60, seed=3,
    )  # fmt: skip
    kept = {}
    first, second = compute(config, Parts(kept=kept)), compute(config)
    resumed = compute(config, Parts(kept=kept))
    other = compute(dataclasses.replace(config, seed=4))
    for again in (second, resumed):
        for a, b in zip(first.curves, again.curves, strict=True):
            assert np.array_equal(a.error, b.error)
            assert np.array_equal(a.kappa, b.kappa)
        for a, b in zip(first.needed, again.needed, strict=True):
            assert all(np.array_equal(*pair, equal_nan=True) for pair in zip(a, b, strict=True))
        assert findings(first) == findings(again)
    assert not np.array_equal(first.curves[0].error, other.curves[0].error)
    assert not np.array_equal(first.needed.n.value, other.needed.n.value)


def test_tasks_of_one_n_depend_neither_on_the_others_nor_on_the_chunks(monkeypatch):
    both = compute(only_curves(examples=(8, 16), alpha="random")).curves
    monkeypatch.setattr(measure, "_CHUNK", 7)
    calls = []
    alone = compute(
        only_curves(examples=(16,), alpha="random"), Parts(lambda *call: calls.append(call))
    )
    assert np.array_equal(alone.curves[0].error, both[1].error)
    assert {call[0] for call in calls} == {"error curves"}
    assert [call[1] for call in calls][-8:] == list(range(1, 9))  # 50 tasks, 7 at a time
    assert all(call[2] == 8 for call in calls)


def test_errors_above_their_bound_are_counted():
    # errors that never fall, where κ = 2 promises exp(−t/4): all but the first are above it
    curves = measure.summed_up(9, np.ones((4, 6)), np.full(4, 2.0), np.ones(4))
    assert curves.above_bound == 4 * 5
    assert curves.largest_ratio == pytest.approx(np.exp(5 / 4))


# ---- the search ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "d"), [(1, 2), (2, 2), (3, 5), (7, 5), (24, 8), (6, 1)])
def test_reduced_tasks_have_the_errors_of_whole_ones(n, d, rng):
    # two samples of one distribution: Kolmogorov and Smirnov's p is uniform in (0, 1)
    B, at = 4000, [1, 4, 16]
    X = measure.reduced_inputs(rng, B, n, d)
    assert np.count_nonzero(X) == B * (min(n, d) + min(n, d - 1))
    reduced = loopcore.errors(X, X[..., 0], 1.0, 16, theta=np.eye(1, d)[0], at=at)
    X = rng.standard_normal((B, n, d))
    theta = rng.standard_normal((B, d))
    theta /= np.linalg.norm(theta, axis=-1, keepdims=True)
    y = np.einsum("bij,bj->bi", X, theta)
    whole = loopcore.errors(X, y, 1.0, 16, theta=theta, at=at)
    for a, b in zip(reduced.T, whole.T, strict=True):
        assert stats.ks_2samp(a.round(12), b.round(12)).pvalue > 1e-3


def test_resampled_quantiles_are_those_of_a_bootstrap(rng):
    config = dataclasses.replace(SMALL, search_tasks=60)
    cell = measure.measure_cell(config, 4, 8)
    generator = np.random.default_rng([0, 2, 4, 8])
    X = measure.reduced_inputs(generator, 60, 8, 4)
    errors = np.sort(
        loopcore.errors(X, X[..., 0], 1.0, 64, theta=np.eye(1, 4)[0], at=[4, 16, 64]), axis=0
    )
    assert np.array_equal(cell.error, errors[[29, 56]])  # ⌈0.5·60⌉ and ⌈0.95·60⌉, from 1 on
    drawn = np.sort(errors[rng.integers(60, size=(4000, 60))], axis=1)[:, [29, 56]]
    for k in range(3):
        for q in range(2):
            assert stats.ks_2samp(cell.resampled[:, q, k], drawn[:, q, k]).pvalue > 1e-3


def test_the_grid_of_examples():
    config = dataclasses.replace(SMALL, per_octave=2, largest_ratio=4)
    assert measure.searched_examples(config, 8).tolist() == [4, 6, 8, 12, 16, 23, 32]
    assert measure.searched_examples(config, 2).tolist() == [1, 2, 3, 4, 6, 8]


def test_smallest_examples_of_power_laws():
    # errors a n^(−T/2) are straight lines on logarithmic scales: interpolation is exact
    n = np.array([3, 5, 9, 17, 33, 65])
    errors = np.stack([7.0 * n ** (-T / 2) for T in (2, 4, 8)], axis=-1)  # (N, 3)
    found = search.smallest(n, errors, (0.5, 1e-2, 1e-9))
    expected = np.array([[(7 / e) ** (2 / T) for e in (0.5, 1e-2, 1e-9)] for T in (2, 4, 8)])
    inside = (expected > 3) & (expected < 65)
    assert inside.sum() == 4
    assert found[inside] == pytest.approx(expected[inside], rel=1e-12)
    assert found[expected < 3] == pytest.approx(3, rel=1e-12)
    assert np.all(np.isinf(found[expected > 65]))


def test_exponents_of_power_laws():
    # n/d² decides the error: the exponent is 2, and of ε^(−2/T) as above
    dims, tolerances = (2, 4, 8), (1e-1, 1e-2)
    cells, sizes = [], []
    for d in dims:
        n = np.unique(np.geomspace(d**2 / 2, 300 * d**2, 30).astype(np.int64))
        error = (n[:, None, None] / d**2) ** (-np.array([4, 8]) / 2) * np.array([[0.3], [1.0]])
        cells.append([measure.Cell(row, np.broadcast_to(row, (5, 2, 2))) for row in error])
        sizes.append((d, n))
    _, needed = search.gather(sizes, cells, tolerances)
    assert needed.exponent.value == pytest.approx(np.full((2, 2, 2), 2.0), rel=1e-9)
    assert needed.last_exponent.value == pytest.approx(np.full((2, 2, 2), 2.0), rel=1e-9)
    assert needed.tolerance_exponent.value == pytest.approx(
        np.array([[0.5, 0.5], [0.25, 0.25]]), rel=1e-9
    )
    for interval in needed:
        assert interval.low == pytest.approx(interval.value, rel=1e-9)
        assert interval.high == pytest.approx(interval.value, rel=1e-9)


def test_intervals_hold_the_smallest_n_of_many_tasks(result):
    # 20,000 whole tasks at the ends of an interval: the median is on both sides of ε
    for i, k, e in ((0, 1, 1), (1, 1, 0), (1, 0, 0)):
        d, T, epsilon = SMALL.dims[i], SMALL.search_loops[k], SMALL.tolerances[e]
        medians = []
        for n in (result.needed.n.low[i, k, e, 0], result.needed.n.high[i, k, e, 0]):
            size = int(np.floor(n) if not medians else np.ceil(n))
            batch = tasks.draw(20_000, size, d, targets=tasks.Linear(unit=True), rng=1)
            error = loopcore.errors(batch.X, batch.y, 1.0, T, theta=batch.theta, at=[T])
            medians.append(np.median(error))
        assert medians[1] < epsilon < medians[0]


def test_what_is_not_reached_is_infinite_and_said():
    config = dataclasses.replace(SMALL, dims=(2, 4), largest_ratio=4, search_tasks=100, tasks=20)
    result = compute(config)
    n = result.needed.n
    assert np.isinf(n.value[:, 0, 1]).all()  # ε = 0.001 after 4 loops takes 35 and 82 d
    assert np.isnan(result.needed.exponent.value[0, 1]).all()
    assert np.isnan(result.needed.exponent.low[0, 1]).all()
    assert np.all(n.low <= n.value) & np.all(n.value <= n.high)
    assert "not reached" in [row[1] for row in sheets(result)[1].rows]
    assert all("nan" not in sentence and "inf" not in sentence for sentence in findings(result))


def test_examples_a_dimension_tend_to_their_limit_and_loops_save_examples(result):
    ratios = result.needed.n.value[..., 0] / np.array(SMALL.dims)[:, None, None]  # (D, K, E)
    assert np.all(np.diff(ratios, axis=0) > 0)
    assert np.all(ratios < result.limits.typical)
    # at d = 16 within a quarter of the limit; d = 64 comes to within 6 %
    assert np.all(ratios[-1] > 0.75 * result.limits.typical)
    assert np.all(np.diff(ratios, axis=1) < 0)
    assert np.all(np.diff(ratios, axis=2) > 0)


# ---- limits -------------------------------------------------------------------------------------


@pytest.mark.parametrize("ratio", [0.5, 1.0, 3.0, 50.0])
def test_limits_are_those_of_large_matrices(ratio, rng):
    d = 400
    X = rng.standard_normal((int(ratio * d), d))
    eigenvalues = np.maximum(np.linalg.eigvalsh(X.T @ X), 0)
    for T in (1, 4, 16):
        mean = np.mean((1 - eigenvalues / eigenvalues[-1]) ** T)
        # the largest eigenvalue is d^(−2/3) below its limit, which T loops feel T times
        assert limits.typical_error(ratio, T) == pytest.approx(mean, rel=0.03 * T)


def test_limits_undo_what_they_come_from():
    for T, epsilon in ((4, 0.1), (16, 1e-3), (64, 1e-6)):
        typical, worst = limits.typical_ratio(T, epsilon), limits.worst_ratio(T, epsilon)
        assert limits.typical_error(typical, T) == pytest.approx(epsilon, rel=1e-7)
        kappa = float(loopcore.theory.marchenko_pastur_kappa(worst, 1.0))
        assert (1 - 1 / kappa) ** T == pytest.approx(epsilon, rel=1e-9)
        assert typical < worst
    theorem = limits.theorem_ratio(64, 1e-3)
    kappa = float(loopcore.theory.marchenko_pastur_kappa(theorem, 1.0))
    assert np.exp(-64 / (2 * kappa)) == pytest.approx(1e-3, rel=1e-9)
    assert limits.theorem_ratio(13, 1e-3) == np.inf  # exp(−13/2) = 0.0015


# ---- words --------------------------------------------------------------------------------------


def scaled(interval, factor):
    return Interval(*(part * factor for part in interval))


def test_findings_say_that_n_is_linear_in_d_and_falls_with_loops(result):
    said = findings(result)
    assert said[0].startswith(
        "From d = 2 to 16: O(d) examples are enough, and more loops need fewer, not more; n/d does "
        "not exceed its limit for large d in all 6 pairs"
    )
    assert "For T = 16 and ε = 0.001 n/d goes from" in said[1]
    assert said[2].startswith("More loops need fewer examples, not more: at d = 16")
    assert "exp(0.1 T) would grow 403-fold" in said[2]
    assert "for T = 4 that bound promises it for no n" in said[5]
    assert "in all of 3 sizes" in said[6]
    assert "stayed below its task's bound" in said[7]
    assert said[8].startswith("Not settled")


def test_findings_react_to_the_numbers(result):
    def changed(**parts):
        return findings(dataclasses.replace(result, **parts))

    needed = result.needed
    said = changed(needed=needed._replace(n=scaled(needed.n, 2.0)))
    assert "O(d) examples are enough is not shown" in said[0]
    assert "exceeds its limit" in said[0]
    backwards = needed._replace(n=Interval(*(part[:, ::-1] for part in needed.n)))
    said = changed(needed=backwards)
    assert "more loops need more" in said[0]
    assert said[2].startswith("More loops need more examples")
    assert "403-fold" not in said[2]
    wide = needed._replace(n=Interval(needed.n.value, needed.n.low / 99, needed.n.high * 99))
    said = changed(needed=wide)
    assert "more loops" not in said[0]
    assert "is not settled" in said[2]
    one = needed._replace(last_exponent=Interval(*(np.full((3, 2, 2), x) for x in (1, 0.9, 1.1))))
    assert "which 1 agrees with" in changed(needed=one)[1]
    less = needed._replace(last_exponent=Interval(*(np.full((3, 2, 2), 0.9) for _ in range(3))))
    assert "no more than in proportion" in changed(needed=less)[1]
    nowhere = needed._replace(n=Interval(*(np.full((3, 3, 2, 2), np.inf) for _ in range(3))))
    for sentence in changed(needed=nowhere)[:3]:
        assert "not settled" in sentence
    broken = (result.curves[0]._replace(above_bound=3), *result.curves[1:])
    assert changed(curves=broken)[7].startswith("3 errors of 4,000 tasks lie above their bound")
    far = tuple(scaled(error, 999) for error in result.check.error_above)
    far = dataclasses.replace(result.check, error_above=far)
    assert "in 0 of 3 sizes" in changed(check=far)[6]


def test_findings_are_short(result):
    nowhere = Interval(*(np.full((3, 3, 2, 2), np.inf) for _ in range(3)))
    open_ended = Interval(*result.needed.n[:2], np.full((3, 3, 2, 2), np.inf))
    for n in (result.needed.n, nowhere, open_ended):
        shown = dataclasses.replace(result, needed=result.needed._replace(n=n))
        first, *others = findings(shown)
        assert len(first) <= 350
        assert max(map(len, others)) <= 600
        assert len(others) <= 8
        assert all("nan" not in text and "inf" not in text for text in (first, *others))
    assert len(STUDY.question) <= 300
    assert len(STUDY.caption) <= 700


def test_tables_fit_a_page(result):
    for sheet in sheets(result):
        assert all(len(row) == len(sheet.columns) for row in sheet.rows)
        columns = zip(sheet.columns, *sheet.rows, strict=True)
        assert sum(max(map(len, column)) + 2 for column in columns) <= 82
    assert len(sheets(compute(only_curves()))) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"d": 0}, "d: expected at least 1, got 0"),
        ({"examples": (5, 3)}, "examples: expected at least 4, got 3"),
        ({"examples": ()}, "examples: expected at least 4, got 0"),
        ({"loops": 0}, "loops: expected at least 1, got 0"),
        ({"tasks": 0}, "tasks: expected at least 1, got 0"),
        ({"seed": -1}, "seed: expected at least 0, got -1"),
        ({"alpha": 0.0}, "alpha: expected a finite number that is not 0, got 0.0"),
        ({"alpha": np.nan}, "alpha: expected a finite number that is not 0, got nan"),
        ({"dims": (1, 2)}, "dims: expected at least 2, got 1"),
        ({"dims": (4, 2)}, r"dims: expected rising numbers, got \(4, 2\)"),
        ({"search_loops": ()}, "search_loops: expected at least 1, got 0"),
        ({"tolerances": (0.5,)}, "tolerances: expected numbers between 0 and 0.5, got 0.5"),
        ({"tolerances": (0.1, 0.2)}, "tolerances: expected falling numbers"),
        ({"per_octave": 0}, "per_octave: expected at least 1, got 0"),
        ({"largest_ratio": np.nan}, "largest_ratio: expected at least 1, got nan"),
        ({"search_tasks": 0}, "search_tasks: expected at least 1, got 0"),
    ],
)
def test_configurations_that_mean_nothing_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Config(**options)


# ---- figure -------------------------------------------------------------------------------------


def test_figure_shows_the_numbers(result):
    pytest.importorskip("matplotlib")
    figure = plot(result)
    assert len(figure.axes) == 4
    lines = figure.axes[0].get_lines()
    for i, curves in enumerate(result.curves):
        assert np.array_equal(lines[2 * i].get_ydata(), np.maximum(curves.error[1], 1e-17))
        assert np.array_equal(lines[2 * i + 1].get_ydata(), curves.bound[2])
        assert lines[2 * i].get_label() == f"$n$ = {curves.n}"
    ratios = result.needed.n.value[:, 1, 1, 0] / np.array(SMALL.dims)
    drawn = figure.axes[2].containers[1].lines[0]
    assert drawn.get_ydata() == pytest.approx(ratios)
    drawn = figure.axes[3].containers[0].lines[0]
    assert np.array_equal(drawn.get_ydata(), result.needed.n.value[-1, :, 0, 0])


@pytest.mark.parametrize(
    "options",
    [
        {"dims": ()},
        {"dims": (2,), "search_loops": (3,), "tolerances": (0.1,)},
        {"dims": (2, 3), "largest_ratio": 1.0, "tolerances": (1e-3,)},  # nothing is reached
        {"examples": (500,), "loops": 40},  # errors of 0
        {"examples": (5, 6, 7, 8, 9, 10, 11, 12, 13), "loops": 1},
    ],
)
def test_figures_of_small_results(options):
    pytest.importorskip("matplotlib")
    small = {"tasks": 20, "loops": 5, "dims": (2,), "per_octave": 2, "search_tasks": 20}
    result = compute(Config(**{**small, "largest_ratio": 16.0, **options}))
    file = io.BytesIO()
    plot(result).savefig(file, dpi=40)
    assert file.getvalue().startswith(b"\x89PNG")
    assert all(findings(result))
