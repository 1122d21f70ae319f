"""The noise study: its parts against literal loops and closed forms, and what it says of them."""

import dataclasses
import math

import numpy as np
import pytest

import loopcore
from loopcore import baselines, tasks, theory
from loopcore.studies.frame.intervals import Interval
from loopcore.studies.frame.parts import Parts
from loopcore.studies.noise import STUDY, Config, compute, plot
from loopcore.studies.noise.measure import _cross_validated, _draw, _penalties, keys, measure_part
from loopcore.studies.noise.summary import (
    HINDSIGHT,
    LIMIT,
    ORACLE,
    RIDGE,
    RIDGE_HINDSIGHT,
    RIDGE_TUNED,
    TUNED,
    ends,
)

pytest.importorskip("scipy")

SMALL = Config(
    shapes=((4, 8), (8, 8), (24, 8)),
    ratios=(0.1, 1.0, 10.0, 100.0, math.inf),
    loops=512,
    tasks=600,
)
TINY = Config(shapes=((5, 3), (3, 3)), ratios=(0.5, 1.0, 4.0), loops=4, tasks=10, folds=2)


@pytest.fixture(scope="module")
def result(threadpools):
    with threadpools.limit(limits=1, user_api="blas"):  # as for every test, but earlier
        return compute(SMALL)


@pytest.fixture(scope="module")
def tiny(threadpools):
    with threadpools.limit(limits=1, user_api="blas"):
        return compute(TINY)


# ---- one part ------------------------------------------------------------------------------------


def test_tasks_have_their_ratio_and_unit_parameters():
    X, y, theta = _draw(SMALL, 24, 8, range(600))
    np.testing.assert_allclose(np.linalg.norm(theta, axis=-1), 1, rtol=1e-12)
    noise = y - (X @ theta[..., None])[..., 0]
    assert np.abs(noise[-1]).max() == 0  # SNR = ∞
    for s, ratio in enumerate(SMALL.ratios[:-1]):
        assert ratio * np.mean(noise[s] ** 2) == pytest.approx(1, abs=0.05)
        # the same z for every σ
        np.testing.assert_allclose(noise[s] * np.sqrt(ratio), noise[1], rtol=1e-9, atol=1e-12)


def test_errors_are_those_of_the_literal_loop_and_of_ridge():
    part = measure_part(TINY, (5, 3, 0))
    X, y, theta = _draw(TINY, 5, 3, range(10))
    s, b = 1, 4
    lam = np.linalg.eigvalsh(X[b].T @ X[b])
    assert part.top[b] == pytest.approx(lam[-1])
    v, found = np.zeros(3), []
    for t in range(5):
        if t in TINY.candidates:
            found.append(np.sum((v - theta[b]) ** 2))
        v = v - X[b].T @ (X[b] @ v - y[s, b]) / lam[-1]
    solution = np.linalg.lstsq(X[b], y[s, b], rcond=None)[0]
    found.append(np.sum((solution - theta[b]) ** 2))
    np.testing.assert_allclose(part.loops[b, s], found, rtol=1e-9)
    # ridge with Bayes' penalty σ²d
    sigma2 = 1 / TINY.ratios[s]
    w = np.linalg.solve(X[b].T @ X[b] + 3 * sigma2 * np.eye(3), X[b].T @ y[s, b])
    assert part.ridge[b, s, 0] == pytest.approx(np.sum((w - theta[b]) ** 2), rel=1e-9)


def test_cross_validation_is_that_of_the_baselines():
    config = dataclasses.replace(SMALL, shapes=((24, 8),), loops=64)
    X, y, _ = _draw(config, 24, 8, range(60))
    on_loops, _ = _cross_validated(config, X, y, _penalties(config, 24, 8))
    T = config.candidates
    s = 2
    finite = on_loops[s] < len(T)
    assert 20 < finite.sum() < 60
    found = baselines.early_stopping(X, y[s], T)
    np.testing.assert_array_equal(T[on_loops[s][finite]], found[finite])


def test_penalties_match_the_loops():
    penalties = _penalties(SMALL, 24, 8)
    assert len(penalties) == len(SMALL.candidates) + 1
    assert penalties[0] == math.inf
    assert penalties[-1] == 0
    top = (math.sqrt(24) + math.sqrt(8)) ** 2
    np.testing.assert_allclose(penalties[1:-1] * SMALL.candidates[1:], top, rtol=1e-12)


def test_closed_forms_of_a_part_are_those_of_all_integers():
    part = measure_part(SMALL, (24, 8, 0))
    X, _, _ = _draw(SMALL, 24, 8, range(len(part.top)))
    lam = np.linalg.eigvalsh(X.swapaxes(-1, -2) @ X)
    s = 2
    sigma2 = 1 / SMALL.ratios[s]
    best = theory.best_loops(lam, 1 / lam[:, -1], 1 / 8, sigma2)
    np.testing.assert_allclose(part.best[:, s], best, rtol=0.13)  # eight T an octave
    left = (1 - lam / lam[:, -1:]) ** best[:, None]
    least = (left**2 / 8 + sigma2 * (1 - left) ** 2 / lam).sum(-1)
    np.testing.assert_allclose(part.least[:, s], least, rtol=2e-3)
    assert (part.least[:, s] >= least * (1 - 1e-12)).all()
    np.testing.assert_allclose(part.limit[:, s], sigma2 * (1 / lam).sum(-1), rtol=1e-9)
    bayes = (sigma2 / (lam + 8 * sigma2)).sum(-1)
    np.testing.assert_allclose(part.bayes[:, s], bayes, rtol=1e-9)
    rule = np.rint(SMALL.ratios[s] * lam[:, -1] / 8)
    left = (1 - lam / lam[:, -1:]) ** rule[:, None]
    expected = (left**2 / 8 + sigma2 * (1 - left) ** 2 / lam).sum(-1)
    np.testing.assert_allclose(part.calibrated[:, s], expected, rtol=1e-9)
    assert part.deviation < 1e-10


# ---- the study -----------------------------------------------------------------------------------


def test_limits_have_the_risk_of_least_squares(result):
    few, _, many = result.cells
    for s, ratio in enumerate(SMALL.ratios[:-1]):
        # n > d: σ²d/(n − d − 1)
        assert many.means.low[s, LIMIT] < 8 / 15 / ratio < many.means.high[s, LIMIT]
        # n < d: 1 − n/d + σ²n/(d − n − 1)
        expected = 1 / 2 + 4 / 3 / ratio
        assert few.means.value[s, LIMIT] == pytest.approx(expected, rel=0.15)
    assert few.means.value[-1, LIMIT] == pytest.approx(1 / 2, rel=0.05)
    assert many.means.value[-1, LIMIT] < 1e-25


def test_measured_means_are_their_closed_forms(result):
    for cell in result.cells:
        value, low, high = cell.measured.at(slice(0, 4), slice(1, -1))
        expected = cell.expected[:4, 1:-1]
        np.testing.assert_allclose(value, expected, rtol=0.15)
        assert (np.abs(value - expected) < high - low).all()  # twice the half width
        assert cell.deviation < 1e-9


def test_no_rule_is_better_than_hindsight_nor_flow_than_its_bound(result):
    for cell in result.cells:
        means = cell.means.value
        for method in (LIMIT, ORACLE, TUNED):
            assert (means[:, HINDSIGHT] <= means[:, method] * (1 + 1e-9)).all()
        assert (means[:, RIDGE_HINDSIGHT] <= means[:, RIDGE_TUNED] * (1 + 1e-9)).all()
        kept = np.isfinite(cell.flow[:, -1])
        assert (cell.flow[kept] >= 1 - 1e-12).all()
        assert (cell.flow[kept] <= 1.22).all()
        assert (cell.least[kept] >= 1 - 1e-12).all()
        assert (cell.least[kept] <= cell.calibrated[kept] + 1e-12).all()
        assert np.isnan(cell.over_ridge.value[0, LIMIT]) == (cell.n == cell.d)
        assert cell.over_ridge.value[0, RIDGE] == 1


def test_best_loops_grow_with_the_ratio(result):
    for cell in result.cells:
        assert (np.diff(cell.oracle) >= 0).all()
        assert cell.oracle[-1] == math.inf
        assert (np.diff(cell.best.value[:4]) >= 0).all()
    few, square, many = result.cells
    assert square.exponents.value[1] > max(few.exponents.high[1], many.exponents.high[1])
    assert many.exponents.high[1] < 0.4  # like log SNR
    assert square.exponents.value[0] == pytest.approx(1, abs=0.2)


def test_without_noise_flow_and_loops_end_at_least_squares():
    config = Config(((5, 4),), (10.0, 1e6, 1e12), loops=5, tasks=4)
    (cell,) = compute(config).cells
    assert (cell.flow[-1] < 1 + 1e-6).all()
    assert (cell.least[-1] < 1 + 1e-6).all()
    said = STUDY.findings(dataclasses.replace(compute(config), cells=(cell,)))
    assert "infinitely many times that at 1e12" in said[4]


def test_middle_lies_between_the_ends():
    assert ends(SMALL) == (1, 2, 3)
    assert ends(TINY) == (0, 1, 2)
    assert ends(Config()) == (3, 7, 12)


def test_the_same_configuration_gives_the_same_bits(tiny):
    kept = {}
    again = compute(TINY, Parts(kept=kept))
    assert len(kept) == len(keys(TINY)) == 2
    resumed = compute(TINY, Parts(kept=dict(kept)))
    other = compute(dataclasses.replace(TINY, seed=1))
    alone = compute(dataclasses.replace(TINY, shapes=((3, 3),)))
    for cell, same, third in zip(again.cells, tiny.cells, resumed.cells, strict=True):
        np.testing.assert_array_equal(cell.measured.value, same.measured.value)
        np.testing.assert_array_equal(cell.means, third.means)
        np.testing.assert_array_equal(cell.calibrated, third.calibrated)
    np.testing.assert_array_equal(alone.cells[0].medians, tiny.cells[1].medians)
    assert (other.cells[0].means.value != tiny.cells[0].means.value).all()


def test_threads_do_not_change_the_loops():
    X, y, _ = _draw(SMALL, 8, 8, range(50))
    T = SMALL.candidates
    one, two = (
        loopcore.trajectory(X, y, 1.0, int(T[-1]), at=T, num_threads=threads) for threads in (1, 2)
    )
    np.testing.assert_array_equal(one, two)
    drawn = tasks.draw(50, 8, 8, targets=tasks.Linear(unit=True), snr=1.0, rng=[0, 8, 8])
    np.testing.assert_array_equal(drawn.X, X)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shapes": ()}, "shapes: expected at least 3, got 0"),
        ({"shapes": ((2, 3),)}, "shapes: expected at least 3, got 2"),
        ({"shapes": ((3, 0),)}, "shapes: expected at least 1, got 0"),
        ({"shapes": ((3, 2), (3, 2))}, "shapes: expected different ones"),
        ({"ratios": (1.0, 2.0, math.inf)}, "ratios: expected at least 3, got 2"),
        ({"ratios": (1.0, 3.0, 2.0)}, "ratios: expected rising numbers above 0"),
        ({"ratios": (0.0, 1.0, 2.0)}, "ratios: expected rising numbers above 0"),
        ({"ratios": (1.0, math.nan, 2.0, 3.0)}, "ratios: expected rising numbers above 0"),
        ({"loops": 0}, "loops: expected at least 1, got 0"),
        ({"tasks": 1}, "tasks: expected at least 2, got 1"),
        ({"folds": 1}, "folds: expected at least 2, got 1"),
        ({"seed": -1}, "seed: expected at least 0, got -1"),
    ],
)
def test_configurations_that_mean_nothing_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Config(**options)


def test_candidates_rise_and_reach_the_last():
    config = dataclasses.replace(SMALL, loops=20)
    assert config.candidates.tolist() == [0, 1, 2, 3, 4, 6, 8, 12, 16, 20]
    assert config.fine.tolist() == [*range(17), 18, 20]
    assert dataclasses.replace(SMALL, loops=1).candidates.tolist() == [0, 1]


# ---- what it says --------------------------------------------------------------------------------


def changed(result, **fields):
    cells = tuple(dataclasses.replace(cell, **fields) for cell in result.cells)
    return dataclasses.replace(result, cells=cells)


def are_short(found):
    assert found[0].startswith("Open question 4: ")
    assert len(found[0]) <= 350
    assert max(map(len, found)) <= 600
    assert len(found) <= 9


def test_findings_are_made_from_the_numbers(result):
    found = STUDY.findings(result)
    are_short(found)
    assert len(found) == 9
    square = result.cells[1]
    value = square.medians.value[1, ORACLE]
    assert f"the best T grows from {square.oracle[1]:.0f} at SNR 1 to " in found[0]
    assert f"excess risk with it from {value:.3g} (" in found[0]
    high = max(np.nanmax(cell.over_ridge.value[:4, ORACLE]) for cell in result.cells)
    assert f"has at most {high:.2f} (" in found[0]
    assert "its mean does not exist" in found[1]
    assert "within the 1.22" in found[2]
    assert "smaller at high SNR for" in found[3]
    most = max(np.nanmax(cell.calibrated[:, -1]) for cell in result.cells)
    assert f"up to {most:.4g} times the risk of the best ridge" in found[4]
    assert "d above 8" in found[-1]
    assert len(STUDY.question) <= 300
    assert len(STUDY.caption) <= 700


def test_findings_say_what_other_numbers_show(result):
    flow = np.full((5, 3), 1.3)
    found = STUDY.findings(changed(result, flow=flow, least=flow, calibrated=flow))
    are_short(found)
    assert "1.3 times the risk of the best ridge on any X drawn, above the 1.22" in found[2]
    low = np.full((5, 3), 1.1)
    assert "below 1.22 too" in STUDY.findings(changed(result, least=low))[2]
    cell = result.cells[2]
    same = cell.exponents._replace(high=np.array([1.0, 9.0]))
    assert "for 0 of 3 shapes" in STUDY.findings(changed(result, exponents=same))[3]
    no_gain = cell.gain._replace(high=np.zeros(5))
    assert "from SNR 0.1 on at n = 24, d = 8" in STUDY.findings(changed(result, gain=no_gain))[5]
    loops = cell.better._replace(low=np.full(5, 0.6), high=np.full(5, 0.7))
    assert (
        "most tasks in 0, tuned loops in 12; 0 are"
        in STUDY.findings(changed(result, better=loops))[6]
    )
    limit = np.arange(7) == LIMIT
    exact = Interval(*(np.where(limit, 1e-29, np.full((5, 7), x)) for x in (0.5, 0.4, 0.6)))
    assert (
        "without noise at n = 4, d = 8 medians are 0.5 (0.4 to 0.6) and rounding alone"
        in STUDY.findings(changed(result, medians=exact))[7]
    )
    equal = cell.medians._replace(low=cell.medians.low * 0)
    assert "nowhere worse than T → ∞" in STUDY.findings(changed(result, medians=equal))[7]
    falling = STUDY.findings(changed(result, oracle=cell.oracle[::-1]))[0]
    assert "the best T goes from" in falling


@pytest.mark.parametrize("which", ["result", "tiny"])
def test_sheets_fit_a_terminal(which, request):
    sheets = STUDY.sheets(request.getfixturevalue(which))
    assert len(sheets) == 4
    for sheet in sheets:
        assert 0 < len(sheet.rows) <= 15
        lines = [sheet.columns, *sheet.rows]
        assert {len(line) for line in lines} == {len(sheet.columns)}
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        assert sum(widths) + 2 * (len(widths) - 1) <= 80
        assert len(sheet.title) <= 80
    assert "nan" not in str(sheets)


def test_figure_shows_the_numbers(result):
    pytest.importorskip("matplotlib")
    figure = plot(result)
    loops, methods, ratios, best = figure.axes
    assert "n$ = 8" in loops.get_title()
    oracle = next(line for line in methods.lines if line.get_label() == "oracle T")
    np.testing.assert_array_equal(oracle.get_ydata(), result.cells[1].medians.value[:4, ORACLE])
    assert len(ratios.containers) == 3
    assert {axes.get_xscale() for axes in figure.axes} == {"log"}
    assert best.get_yscale() == "log"
    figure.canvas.draw()


def test_figure_of_little_draws(tiny):
    pytest.importorskip("matplotlib")
    plot(tiny).canvas.draw()
    are_short(STUDY.findings(tiny))
    nothing = changed(tiny, expected=np.zeros((3, 6)))
    plot(nothing).canvas.draw()
