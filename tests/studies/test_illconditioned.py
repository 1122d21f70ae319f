"""The study of rates and floors, held against closed forms, exact arithmetic and the library."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import numpy as np
import pytest

import loopcore
from loopcore import tasks, theory
from loopcore.studies.frame.intervals import Interval
from loopcore.studies.frame.parts import Parts
from loopcore.studies.illconditioned import QUICK, STUDY, Config, compute
from loopcore.studies.illconditioned.config import DIRECTIONS, KINDS, TYPES
from loopcore.studies.illconditioned.findings import findings
from loopcore.studies.illconditioned.limits import expected_error, theory_rate
from loopcore.studies.illconditioned.measure import (
    QUANTILES,
    _clear,
    allowed,
    crossing,
    deviation,
    draw,
    exact_deviation,
    held,
    literal_loop,
    looped_keys,
    measure_curves,
    measure_looped,
    rates,
    times,
)
from loopcore.studies.illconditioned.sheets import sheets

pytest.importorskip("scipy")

TINY = Config(
    kappas=(1.0, 100.0, 1e6, 1e12),
    tasks=16,
    times=24,
    looped_tasks=6,
    stream_kappa=100,
    gram_kappa=100,
    tridiagonal_kappa=100,
    literal_kappa=100,
)


@pytest.fixture(scope="module")
def result():
    return compute(TINY)


# ---- tasks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_tasks_have_their_kappa_and_direction(kind):
    X, worst = draw(TINY, (kind, "worst", 1e8), 10)
    again, random = draw(TINY, (kind, "random", 1e8), 10)
    np.testing.assert_array_equal(X, again)
    np.testing.assert_allclose(loopcore.spectrum(X).kappa, 1e8, rtol=1e-8)
    low = loopcore.spectrum(X).lambda_min
    np.testing.assert_allclose(
        np.linalg.norm(np.matmul(X, worst[..., None]), axis=(1, 2)) ** 2, low
    )
    assert 0.4 < np.mean(random**2) < 1.6


def test_data_are_held_with_the_limit_they_lead_to():
    X, theta = draw(TINY, ("two-point", "random", 1e6), 4)
    task = held(X, theta, "float32")
    assert task.X.dtype == task.y.dtype == np.float32
    # the shift of the limit, from rational arithmetic on the data as they are held
    for b in range(2):
        A = [[Fraction(float(x)) for x in row] for row in task.X[b]]
        y = [Fraction(float(v)) for v in task.y[b]]
        solved = _least_squares(A, y)
        exact = sum(
            (s - Fraction(float(t))) * Fraction(float(t))
            for s, t in zip(solved, theta[b], strict=True)
        ) / sum(Fraction(float(t)) ** 2 for t in theta[b])
        assert task.shift[b].sum() == pytest.approx(float(exact), rel=1e-6)


def _least_squares(A, y):
    """Solve the normal equations by elimination over the rationals."""
    d = len(A[0])
    rows = [
        [sum(row[i] * row[j] for row in A) for j in range(d)]
        + [sum(row[i] * v for row, v in zip(A, y, strict=True))]
        for i in range(d)
    ]
    for i in range(d):
        for j in range(d):
            if j != i:
                factor = rows[j][i] / rows[i][i]
                rows[j] = [a - factor * b for a, b in zip(rows[j], rows[i], strict=True)]
    return [rows[i][d] / rows[i][i] for i in range(d)]


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("T", [1, 7, 300, 6000])
def test_exact_deviations_are_those_of_the_library(kind, T):
    X, theta = draw(TINY, ("log-uniform", "random", 1e3), 5)
    task = held(X, theta, kind)
    v = loopcore.run(task.X, task.y, 1.0, T, path="stream")
    measured = deviation(v, theta)
    tolerance = 1e-12 if kind == "float64" else 1e-7  # the result is rounded to its type
    np.testing.assert_allclose(measured, exact_deviation(task, [T])[:, 0], rtol=0, atol=tolerance)
    errors = loopcore.errors(
        X, np.matmul(X, theta[..., None])[..., 0], 1.0, T, theta=theta, relative=True, at=[T]
    )
    np.testing.assert_allclose(np.abs(measured), errors[:, 0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("T", [1, 50, 2000])
def test_the_allowance_is_the_promise_of_error_bound(T):
    X, theta = draw(TINY, ("two-point", "random", 100.0), 6)
    task = held(X, theta, "float64")
    promise = loopcore.error_bound(task.X, task.y, 1.0, T) / np.linalg.norm(theta, axis=-1)
    ours = allowed(task, [T])[:, 0]
    # ‖q_t‖ is replaced by its limit, so ours is above, and not by much once T passes κ
    assert (promise <= ours * (1 + 1e-9)).all()
    assert (ours < 3 * promise).all() or T < 100


# ---- theory -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kappa", [100.0, 1e6])
def test_the_expected_error_is_the_mean_over_tasks(kappa):
    B, n, d = 8000, 8, 6
    batch = tasks.draw(B, n, d, inputs=tasks.Spectrum(kappa, "log-uniform"), rng=0)
    lam = np.linalg.svd(batch.X, compute_uv=False) ** 2
    basis_weights = np.random.default_rng(1).standard_normal((B, d)) ** 2
    for T in (1, 30, int(kappa / 3)):
        left = theory.loop_shrinkage(T, lam, 1 / lam[:, 0])
        error = theory.relative_error(left, basis_weights)
        mean, deviation_of_mean = error.mean(), error.std() / np.sqrt(B)
        assert abs(expected_error([T], kappa, d)[0] - mean) < 4 * deviation_of_mean


def test_the_expected_error_has_its_ends():
    T = [0, 1]
    np.testing.assert_allclose(expected_error(T, 1.0, 8), [1, 0], atol=1e-12)
    assert expected_error([10**9], 1e3, 8)[0] == 0


def test_theory_rate():
    np.testing.assert_allclose(theory_rate(np.array([2.0, 1e9])), [2 * np.log(2), 1], rtol=1e-8)
    assert np.isinf(theory_rate(np.array([1.0]))[0])


# ---- fits ---------------------------------------------------------------------------------------


def test_rates_are_those_of_exponentials():
    x = np.linspace(0.5, 64, 100)
    error = np.exp(-np.outer([0.5, 1.0, 1.3], x)) + 1e-9
    np.testing.assert_allclose(rates(x, error), [0.5, 1.0, 1.3], rtol=1e-3)
    assert np.isnan(rates(x, np.exp(-np.outer([1.0], x)) + 0.1)).all()


def test_crossing_interpolates_in_both_logarithms():
    T = np.array([1, 10, 100])
    error = np.array([[1.0, 1e-2, 1e-4], [1e-3, 1e-4, 1e-5], [1.0, 0.9, 0.8]])
    found = crossing(T, error, 1e-3)
    np.testing.assert_allclose(found, [10**1.5, 1, np.inf])


def test_times_rise_and_are_as_many_for_every_kappa():
    for kappa in (1.0, 100.0, 1e12):
        T = times(TINY, kappa)
        assert len(T) == 2 * TINY.times - 1
        assert (np.diff(T) >= 0).all()
        assert T[0] == 1
        assert T[-1] == TINY.reach * kappa


# ---- measurements -------------------------------------------------------------------------------


def test_the_worst_direction_falls_as_theory_says(result):
    T = result.times[1]
    error = result.error[:, DIRECTIONS.index("worst"), 1, 0, 1]  # medians at κ = 100
    bound = theory.gradient_descent_bound(T, 100)
    seen = bound > 1e-12
    np.testing.assert_allclose(error[:, seen], np.broadcast_to(bound[seen], (2, seen.sum())), 1e-2)


def test_rates_of_the_worst_direction(result):
    rate = result.rate.value[:, DIRECTIONS.index("worst"), :, 0]
    assert np.isnan(rate[:, 0]).all()
    np.testing.assert_allclose(rate[:, 1], -100 * np.log(0.99), rtol=1e-4)
    np.testing.assert_allclose(rate[:, 2:], 1, rtol=0.02)


def test_two_point_errors_keep_half_of_the_weight(result):
    # after one loop the upper half is gone: the mean error is (1 − 1/κ)^T / 2
    mean = result.mean.at(KINDS.index("two-point"), DIRECTIONS.index("random"), 2)
    T = result.times[2]
    here = (T > 1) & (T < 1e6)
    half = theory.gradient_descent_bound(T, 1e6) / 2
    assert np.mean(mean.holds(half)[here]) > 0.8


def test_floors_follow_their_laws(result):
    floor = result.floor.value  # (2, 2, C, TYPES)
    kappa = np.array(TINY.kappas)
    ratio = floor[..., 1:, 0] / (kappa[1:] * 2.0**-53)
    assert ((ratio > 0.003) & (ratio < 3)).all()
    np.testing.assert_allclose(result.power.value[0], 1, atol=0.1)
    np.testing.assert_allclose(result.power.value[1], 0.5, atol=0.1)
    # float32: the data
    part = result.data.value[:, :, 2:, 1] / floor[:, :, 2:, 1]
    assert ((part > 0.6) & (part < 1.4)).all()
    assert not result.broken.any()
    assert not result.above.any()
    assert (result.clear < result.checked).all()
    assert (result.clear > 0.3 * result.checked).all()
    assert (result.lowest.value <= floor).all()


def test_curves_are_those_of_the_library():
    key = ("two-point", "random", 100.0)
    curves = measure_curves(TINY, key)
    X, theta = draw(TINY, key, TINY.tasks)
    y = np.matmul(X, theta[..., None])[..., 0]
    T = np.unique(times(TINY, 100.0))
    errors = loopcore.errors(X, y, 1.0, int(T[-1]), theta=theta, relative=True, at=T)
    for q, level in enumerate(QUANTILES):
        expected = np.sort(errors, axis=0)[int(np.ceil(level * TINY.tasks)) - 1]
        ours = curves.error[0, q][np.unique(times(TINY, 100.0), return_index=True)[1]]
        np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-13)


def test_the_literal_loop_is_gradient_descent_in_its_type():
    X, theta = draw(TINY, ("two-point", "random", 10.0), 3)
    task = held(X, theta, "float32")
    v = literal_loop(task.X, task.y, 40)
    assert v.dtype == np.float32
    expected = loopcore.run(task.X.astype(float), task.y.astype(float), 1.0, 40)
    np.testing.assert_allclose(v, expected, atol=1e-5)
    floor = measure_looped(TINY, ("float32", "literal", ("two-point", "worst", 100.0))).floor
    assert (floor < 100 * 2.0**-24).all()


def test_routes_are_looped_as_far_as_asked():
    keys = looped_keys(TINY)
    assert {key[2][2] for key in keys} == {1.0, 100.0}
    assert len(keys) == 2 * 2 * 2 * 7  # κ, spectra, directions, routes


def test_the_same_seed_gives_the_same_numbers_and_kept_parts_too(result):
    kept: dict = {}
    again = compute(TINY, Parts(kept=kept))
    resumed = compute(TINY, Parts(kept=kept))
    for one in (again, resumed):
        np.testing.assert_array_equal(one.error, result.error)
        np.testing.assert_array_equal(one.route_floor.value, result.route_floor.value)
        np.testing.assert_array_equal(one.power.low, result.power.low)


# ---- words and figure ---------------------------------------------------------------------------


def _scaled(interval: Interval, factor: float) -> Interval:
    return Interval(*(factor * part for part in interval))


def test_findings_answer_the_question_and_react(result):
    said = findings(result)
    assert said[0].startswith("Open question 5: for κ from 1 to 1e12 no error is above exp(−T/2κ)")
    assert "times as fast, like (1 − 1/κ)^T" in said[0]
    assert "which is (1 − 1/κ)^T to within" in said[1]
    assert "in float32 to within" in said[1]
    assert "which the measured means follow" in said[3]
    assert "It is that of the data" in said[6]
    assert said[7].startswith("The promise 30 u S_T holds")
    check_lengths(said)

    above = findings(dataclasses.replace(result, above=np.array([2, 0])))
    assert "there are errors above exp(−T/2κ)" in above[0]
    assert "exp(−T/2κ) is below 2 in float64" in above[1]
    slow = findings(dataclasses.replace(result, rate=_scaled(result.rate, 0.6)))
    assert "but not like" in slow[0]
    assert "do not end at the rate of the worst" in slow[2]
    assert "end at the same rate" in said[2]
    assert "which is not (1 − 1/κ)^T: 40 %" in slow[1]
    broken = dataclasses.replace(result, broken=np.array([5, 0]))
    assert "is broken 5 in float64" in findings(broken)[7]
    other = dataclasses.replace(result, expected=np.maximum(2 * result.expected, 0.1))
    assert "which they do not follow" in findings(other)[3]
    exact = dataclasses.replace(result, data=_scaled(result.data, 0.1))
    assert "not that of the data alone" in findings(exact)[6]
    for one in (above, slow, findings(broken), findings(exact)):
        check_lengths(one)


def check_lengths(said):
    assert len(said) <= 9
    assert len(said[0]) <= 350
    assert max(map(len, said)) <= 600


def test_a_slower_fall_is_above_the_bound():
    T = times(TINY, 100.0)
    errors = np.stack([np.exp(-T / 100 * rate) + 1e-12 for rate in (1.0, 0.4)])
    clear = _clear(errors)
    assert clear[:, 0].all()
    assert not clear[:, -1].any()
    bound = theory.relative_error_bound(T, 100.0)
    assert (clear & (errors > bound)).sum(axis=1)[0] == 0
    assert (clear & (errors > bound)).sum(axis=1)[1] > 20


@pytest.mark.parametrize(
    ("path", "factor", "verdict"),
    [
        ("stream", 1.0, "All paths end within a factor of"),
        ("stream", 1e-3, "apart, and stream lowest"),
    ],
)
def test_findings_compare_the_paths(result, path, factor, verdict):
    floors = Interval(*(part.copy() for part in result.route_floor))
    for part in floors:
        part[TINY.routes.index(("float64", path))] *= factor
    said = findings(dataclasses.replace(result, route_floor=floors))
    assert verdict in said[5]


def test_sheets_are_narrow(result):
    for sheet in sheets(result):
        rows = [sheet.columns, *sheet.rows]
        assert all(len(row) == len(sheet.columns) for row in rows)
        width = sum(max(map(len, column)) + 2 for column in zip(*rows, strict=True))
        assert width <= 82
        assert len(sheet.title) <= 82


LITTLE = Config(
    kappas=(1.0,),
    tasks=6,
    times=12,
    stream_kappa=0,
    gram_kappa=0,
    tridiagonal_kappa=0,
    literal_kappa=0,
)


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
        ({"kappas": ()}, "kappas: expected at least 1, got 0"),
        ({"kappas": (0.5,)}, "kappas: expected at least 1, got 0.5"),
        ({"kappas": (10.0, 1.0)}, "kappas: expected rising"),
        ({"kappas": (1e15,)}, "kappas: expected at most"),
        ({"d": 2}, "d: expected at least 4, got 2"),
        ({"n": 8}, "n: expected at least 16, got 8"),
        ({"tasks": 5}, "tasks: expected at least 6, got 5"),
        ({"times": 3}, "times: expected at least 12, got 3"),
        ({"reach": 8.0}, "reach: expected at least 40, got 8.0"),
        ({"looped_tasks": 1}, "looped_tasks: expected at least 6, got 1"),
        ({"levels": (2.0,)}, "levels: expected numbers in"),
        ({"gram_kappa": np.inf}, "gram_kappa: expected a finite number"),
        ({"seed": -1}, "seed: expected at least 0, got -1"),
    ],
)
def test_nonsense_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(TINY, **change)


def test_quick_asks_for_all_of_kappa():
    assert (QUICK.kappas[0], QUICK.kappas[-1]) == (1.0, 1e12)
