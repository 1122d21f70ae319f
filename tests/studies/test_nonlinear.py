"""The nonlinear study: its closed forms, its loops and its tuning, and what it says of them."""

import dataclasses
import math

import numpy as np
import pytest

import loopcore
from loopcore import baselines, tasks
from loopcore.studies.frame.parts import Parts
from loopcore.studies.nonlinear import STUDY, Config, compute, plot
from loopcore.studies.nonlinear.config import (
    CHOSEN,
    CONSTANT,
    KERNEL_RIDGES,
    KERNELS,
    LIFTED,
    LIMIT,
    METHODS,
    NETWORK,
    PROCESS,
    QUADRATIC,
    RAW,
    RIDGE,
    Setting,
    features,
    least_error,
    raw_floor,
)
from loopcore.studies.nonlinear.kernels import modes
from loopcore.studies.nonlinear.measure import Part, _tuned, draw, keys, measure_part
from loopcore.studies.nonlinear.sheets import small

pytest.importorskip("scipy")

SMALL = Config(
    dims=(2, 3),
    rates=(0.5, 1.0, 3.0),
    linear_rates=(40.0,),
    other_rates=(2.0,),
    steps=(1.0, 1.5),
    widths=(1.0, 4.0),
    penalties=(1e-8, 1e-4, 1e-2),
    neighbors=(1, 3, 50),
    loops=256,
    tasks=150,
    held_out=30,
    checked=20,
    queries=32,
)
TINY = dataclasses.replace(
    SMALL, dims=(1,), rates=(1.0,), linear_rates=(), other_rates=(), loops=1, tasks=4, held_out=2
)


@pytest.fixture(scope="module")
def result(threadpools):
    with threadpools.limit(limits=1, user_api="blas"):  # as for every test, but earlier
        return compute(SMALL)


@pytest.fixture(scope="module")
def tiny(threadpools):
    with threadpools.limit(limits=1, user_api="blas"):
        return compute(TINY)


# ---- closed forms --------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [1, 3, 8])
def test_floors_are_the_shares_of_the_features(d):
    p = features(d)
    assert p == 1 + d + d * (d + 1) // 2
    assert raw_floor(d, constant=True) == pytest.approx((d + 1) / (d + 3))
    # of p weights of one variance, d for x, one for the constant; p − 1 make up the variance
    assert raw_floor(d, constant=False) == pytest.approx((1 + d * (d + 1) / 2) / (p - 1))
    assert least_error(p, d) == least_error(5 * p, d) == 0
    assert least_error(1, d) == 1
    # the lift at n = d + 1 is at the floor of raw x and 1
    assert least_error(d + 1, d) == pytest.approx(raw_floor(d, constant=True))


def test_floor_is_that_of_the_best_linear_function(rng):
    d = 4
    batch = tasks.draw(400, 3000, d, targets=tasks.Quadratic(), rng=1)
    X = np.concatenate([batch.X, np.ones((400, 3000, 1))], axis=-1)
    theta = np.linalg.solve(X.swapaxes(-1, -2) @ X, X.swapaxes(-1, -2) @ batch.y[..., None])
    left = np.mean((batch.y - (X @ theta)[..., 0]) ** 2)
    assert left / batch.y.var(axis=-1).mean() == pytest.approx(
        raw_floor(d, constant=True), rel=0.03
    )


@pytest.mark.parametrize(("n", "d"), [(3, 2), (5, 3)])
def test_least_error_is_that_of_the_least_norm_solution(n, d):
    batch = tasks.draw(20_000, n, d, targets=tasks.Quadratic(), queries=8, rng=1)
    lift = tasks.quadratic_features
    predicted = baselines.least_squares(lift(batch.X), batch.y, lift(batch.x_query))
    error = np.mean((predicted - batch.y_query) ** 2)
    variance = (features(d) - 1) / features(d)
    assert batch.y_query.var() == pytest.approx(variance + 1 / features(d), rel=0.03)
    assert error / variance == pytest.approx(least_error(n, d), rel=0.03)


@pytest.mark.parametrize("name", KERNELS)
def test_kernel_loops_are_those_of_the_transformer(name, rng):
    X, y = rng.standard_normal((5, 9, 2)), rng.standard_normal((5, 9))
    x_query = rng.standard_normal((5, 3, 2))
    found = modes(name, 1.3, X, y, x_query)
    T = np.array([1, 2, 7])
    looped = found.looped(T, 0.8)
    assert looped.shape == (5, 3, 3)
    option = {"bandwidth" if name == "rbf" else "temperature": 1.3}
    model = loopcore.models.kernel(name, 2, eta=(0.8 / found.top)[:, None], **option)
    for k, t in enumerate(T):
        expected = model.predict(X, y, x_query, int(t))
        np.testing.assert_allclose(looped[:, k], expected, rtol=1e-7, atol=1e-9)


def test_the_largest_eigenvalue_of_softmax_is_one(rng):
    X = rng.standard_normal((4, 6, 3))
    found = modes("softmax", 0.7, X, X[..., 0], X)
    np.testing.assert_allclose(found.top, 1, rtol=1e-12)


def test_kernel_ridge_is_that_of_the_baselines(rng):
    X, y = rng.standard_normal((4, 8, 2)), rng.standard_normal((4, 8))
    x_query = rng.standard_normal((4, 5, 2))
    for name in ("exp", "rbf"):
        found = modes(name, 1.5, X, y, x_query)
        predicted = found.ridge(np.array([1e-3, 0.1]))
        for k, mu in enumerate((1e-3, 0.1)):
            penalty = (mu * found.top)[:, None]
            expected = baselines.kernel_ridge(
                X, y, x_query, penalty=penalty, kernel=name, width=1.5
            )
            np.testing.assert_allclose(predicted[:, k], expected, rtol=1e-7)


def test_loops_of_a_vanishing_eigenvalue_add_up(rng):
    # two equal rows leave λ = 0; ReLU of rows on one line is of rank one
    X = np.array([[[1.0], [1.0], [2.0]]])
    found = modes("relu", 1.0, X, X[..., 0], X)
    looped = found.looped(np.array([1, 50]), 1.0)
    np.testing.assert_allclose(looped[0, 1], X[0, :, 0], rtol=1e-9)
    assert np.isfinite(looped).all()


# ---- parts ---------------------------------------------------------------------------------------


def test_methods_see_the_same_tasks_and_tune_on_others():
    setting = Setting(QUADRATIC, 2, 6)
    test, held_out = draw(SMALL, setting, range(150)), draw(SMALL, setting, range(150, 180))
    assert len(np.unique(np.append(test.X[:, 0, 0], held_out.X[:, 0, 0]))) == 180
    for method in (RAW, LIMIT, "exp", RIDGE):
        part = measure_part(SMALL, (*setting, method))
        np.testing.assert_array_equal(part.variance, test.y_query.var(axis=-1, ddof=1))
    other = draw(SMALL, Setting(NETWORK, 2, 6), range(150))
    assert (other.X[:, 0, 0] != test.X[:, 0, 0]).all()


def test_tuning_takes_the_least_finite_mean():
    tried = [
        (np.array([[np.inf, 3.0], [1.0, 3.0]]), 0.5, 1.0),
        (np.array([[np.nan, 4.0], [1.0, 1.0]]), 1.0, 2.0),
    ]
    assert _tuned(tried) == (1, 1, 1.0, 2.0, 2.5)


def test_loops_on_features_are_the_literal_ones():
    part = measure_part(SMALL, (QUADRATIC, 2, 6, CONSTANT))
    batch = draw(SMALL, Setting(QUADRATIC, 2, 6), range(3))
    T, b = int(part.loops), 2
    X, queries = (
        np.concatenate([rows, np.ones((len(rows), 1))], axis=-1)
        for rows in (batch.X[b], batch.x_query[b])
    )
    eta = float(part.step) / np.linalg.eigvalsh(X.T @ X)[-1]
    v = np.zeros(3)
    for _ in range(T):
        v = v - eta * X.T @ (X @ v - batch.y[b])
    expected = np.mean((queries @ v - batch.y_query[b]) ** 2)
    assert part.error[b] == pytest.approx(expected, rel=1e-8)
    place = list(SMALL.candidates).index(T)
    np.testing.assert_array_equal(part.curve[:, place], part.error)


def test_lifted_methods_are_the_baselines():
    batch = draw(SMALL, Setting(QUADRATIC, 2, 3), range(150))
    lift = tasks.quadratic_features
    task = lift(batch.X), batch.y, lift(batch.x_query)
    for method, predicted in (
        (LIMIT, baselines.least_squares(*task)),
        (CHOSEN, baselines.gradient_descent(*task, SMALL.candidates)),
    ):
        part = measure_part(SMALL, (QUADRATIC, 2, 3, method))
        np.testing.assert_allclose(
            part.error, np.mean((predicted - batch.y_query) ** 2, axis=-1), rtol=1e-12
        )
    part = measure_part(SMALL, (QUADRATIC, 2, 3, RIDGE))
    mu = float(part.width) * loopcore.spectrum(task[0]).lambda_max[:, None]
    predicted = baselines.ridge(*task, penalty=mu)
    np.testing.assert_allclose(
        part.error, np.mean((predicted - batch.y_query) ** 2, axis=-1), rtol=1e-6
    )


# ---- the study -----------------------------------------------------------------------------------


def test_settings_and_methods_of_the_configuration(result):
    assert [(cell.target, cell.d, cell.n) for cell in result.cells] == [
        *((QUADRATIC, 2, n) for n in (3, 6, 18, 240)),
        *((QUADRATIC, 3, n) for n in (5, 10, 30, 400)),
        (NETWORK, 3, 20),
        (PROCESS, 3, 20),
    ]
    for cell in result.cells:
        linear = cell.rate > 3
        assert tuple(cell.scores) == ((RAW, CONSTANT) if linear else METHODS)
    assert SMALL.count(Setting(QUADRATIC, 3, 400)) == 1500
    assert SMALL.count(Setting(QUADRATIC, 3, 30)) == 150


def test_measured_floors_and_limits_are_the_closed_forms(result):
    for d in (2, 3):
        few, _, _, many = result.quadratic(d)
        for method in (RAW, CONSTANT):
            floor = raw_floor(d, constant=method == CONSTANT)
            assert many.scores[method].error.value == pytest.approx(floor, rel=0.08)
        assert few.scores[LIMIT].error.value == pytest.approx(least_error(few.n, d), rel=0.15)
        for cell in result.quadratic(d, LIMIT)[1:]:
            assert cell.scores[LIMIT].error.value < 1e-20
        # With few examples no method is better on average than the posterior mean; here on the
        # same tasks, up to what these leave to chance.
        for method in METHODS:
            assert few.scores[method].error.high > few.scores[LIMIT].error.value


def test_scores_are_of_means_and_of_medians(result):
    part = measure_part(SMALL, (QUADRATIC, 2, 18, "exp"))
    score = result.cells[2].scores["exp"]
    assert score.error.value == pytest.approx(part.error.mean() / part.variance.mean())
    assert score.error.low < score.error.value < score.error.high
    assert score.median.value == np.sort(part.error / part.variance)[74]
    place = list(SMALL.candidates).index(score.loops)
    assert score.curve[place] == pytest.approx(float(score.error.value), rel=1e-9)
    assert score.deviation < 1e-9
    for name in (*KERNELS, *KERNEL_RIDGES):
        assert result.cells[2].scores[name].width in SMALL.widths or name == "relu"


def test_the_same_configuration_gives_the_same_bits(tiny):
    kept = {}
    again = compute(TINY, Parts(kept=kept))
    assert len(kept) == len(keys(TINY)) == len(METHODS)
    resumed = compute(TINY, Parts(kept=dict(kept)))
    other = compute(dataclasses.replace(TINY, seed=1))
    for method in METHODS:
        first, same, third, changed = (
            found.cells[0].scores[method] for found in (tiny, again, resumed, other)
        )
        np.testing.assert_array_equal(first.error, same.error)
        np.testing.assert_array_equal(first.curve, third.curve)
        assert first.median == third.median
        assert method == LIMIT or first.error.value != changed.error.value
    assert all(isinstance(field, np.ndarray) for part in kept.values() for field in part)
    assert len(kept[f"methods: {keys(TINY)[0]}"]) == len(Part._fields)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dims": ()}, "dims: expected at least 1, got 0"),
        ({"dims": (3, 2)}, "dims: expected rising numbers"),
        ({"rates": ()}, "rates: expected at least 1, got 0"),
        ({"rates": (0.0, 1.0)}, "rates: expected between 0 and inf"),
        ({"rates": (8.0, 32.0)}, "rates and linear_rates: expected rising numbers"),
        ({"other_rates": (2.0, 2.0)}, "other_rates: expected rising numbers"),
        ({"hidden": 0}, "hidden: expected at least 1, got 0"),
        ({"length": math.inf}, "length: expected between 0 and inf"),
        ({"steps": (2.0,)}, "steps: expected between 0 and 2"),
        ({"widths": (math.nan,)}, "widths: expected between 0 and inf"),
        ({"penalties": (-1.0,)}, "penalties: expected between 0 and inf"),
        ({"penalties": ()}, "penalties: expected at least one candidate each"),
        ({"neighbors": (0,)}, "neighbors: expected at least 1, got 0"),
        ({"loops": 0}, "loops: expected at least 1, got 0"),
        ({"tasks": 1}, "tasks: expected at least 2, got 1"),
        ({"held_out": 0}, "held_out: expected at least 1, got 0"),
        ({"checked": 0}, "checked: expected at least 1, got 0"),
        ({"queries": 1}, "queries: expected at least 2, got 1"),
        ({"seed": -1}, "seed: expected at least 0, got -1"),
    ],
)
def test_configurations_that_mean_nothing_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Config(**options)


# ---- what it says --------------------------------------------------------------------------------


def scaled(result, factor, *methods):
    """Multiply the errors of some methods."""
    cells = []
    for cell in result.cells:
        scores = dict(cell.scores)
        for name in set(methods) & set(scores):
            error = scores[name].error
            scores[name] = dataclasses.replace(
                scores[name],
                error=type(error)(*(part * factor for part in error)),
                curve=scores[name].curve * factor,
            )
        cells.append(dataclasses.replace(cell, scores=scores))
    return dataclasses.replace(result, cells=tuple(cells))


def are_short(found):
    assert found[0].startswith("Open question 6: ")
    assert len(found[0]) <= 350
    assert max(map(len, found)) <= 600
    assert len(found) <= 9


def test_findings_are_made_from_the_numbers(result):
    found = STUDY.findings(result)
    are_short(found)
    assert len(found) == 9
    last = result.quadratic(3, *KERNELS)[-1].scores
    name = min(KERNELS, key=lambda kernel: last[kernel].held_out)
    assert f"loops on raw features leave {last[CONSTANT].error.value:.3g} (" in found[0]
    assert f"({name}, chosen on held-out tasks) {last[name].error.value:.3g} (" in found[0]
    assert "less than any linear function" in found[0]
    value = result.quadratic(3)[-1].scores[CONSTANT].error.value
    assert f"{value:.3g} (" in found[1]
    assert "at d = 3 (where that is 0.667)" in found[1]
    assert "Of 16 intervals, with and without the 1, 0 lie below their floors." in found[1]
    assert "of 2 intervals hold it" in found[2]
    assert "from n = p on it is exact" in found[2]
    assert "n = 3p" in found[3]
    assert "learns quadratic functions" in found[4]
    assert "in place of loops" in found[6]
    assert "ReLU network, n = 2p" in found[7]
    assert "d above 3" in found[8]
    assert len(STUDY.question) <= 300
    assert len(STUDY.caption) <= 700


def test_findings_say_what_other_numbers_show(result):
    found = STUDY.findings(scaled(result, 0.1, RAW, CONSTANT))
    are_short(found)
    assert "16 lie below their floors, which should not be" in found[1]
    found = STUDY.findings(scaled(result, 1e25, LIMIT))
    assert "0 of 2 intervals hold it" in found[2]
    assert "NOT exact" in found[2]
    found = STUDY.findings(scaled(result, 1e9, LIFTED))
    are_short(found)
    assert "over 256 at d = 2, n = 3p" in found[3]
    assert "better in 0 of 6 settings, worse in 6; 0 are not settled" in found[4]
    found = STUDY.findings(scaled(result, 100, *KERNELS))
    are_short(found)
    assert "no less than a linear function" in found[0]
    assert "does not always learn" in found[4]
    assert "at no n tried at d = 3" in found[4]
    assert "exp attention lacks loops" in found[6]
    assert "is not settled" in STUDY.findings(scaled(result, 1e6, *KERNEL_RIDGES))[6]


def test_kernels_are_chosen_on_held_out_tasks(result):
    cells = []
    for cell in result.cells:
        scores = {
            name: dataclasses.replace(score, held_out=0.0 if name == "relu" else 1.0)
            for name, score in cell.scores.items()
        }
        cells.append(dataclasses.replace(cell, scores=scores))
    found = STUDY.findings(dataclasses.replace(result, cells=tuple(cells)))
    relu = result.quadratic(3, *KERNELS)[-1].scores["relu"].error
    assert f"(relu, chosen on held-out tasks) {relu.value:.3g} (" in found[0]
    for method in METHODS:
        part = result.cells[0].scores[method]
        assert np.isnan(part.held_out) == (method in (CHOSEN, LIMIT))


def test_findings_of_little(tiny):
    found = STUDY.findings(tiny)
    are_short(found)
    assert len(found) == 8  # no other targets
    few = dataclasses.replace(TINY, rates=(0.67,))
    assert "No setting has as many examples" in STUDY.findings(compute(few))[3]


@pytest.mark.parametrize("which", ["result", "tiny"])
def test_sheets_fit_a_terminal(which, request):
    sheets = STUDY.sheets(request.getfixturevalue(which))
    for sheet in sheets:
        assert 0 < len(sheet.rows) <= 15
        lines = [sheet.columns, *sheet.rows]
        assert {len(line) for line in lines} == {len(sheet.columns)}
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        assert sum(widths) + 2 * (len(widths) - 1) <= 80
        assert len(sheet.title) <= 80


def test_sheets_of_the_whole_study_fit_too(result):
    one = result.quadratic(3)[0]
    for d in Config().dims:
        cells = [
            dataclasses.replace(one, target=setting.target, d=setting.d, n=setting.n)
            for setting in Config().settings
        ]
        whole = dataclasses.replace(result, config=Config(), cells=tuple(cells))
        sheet = next(s for s in STUDY.sheets(whole) if f"d = {d}" in s.title)
        # a number has six characters at most
        widths = [max(map(len, column)) for column in zip(sheet.columns, *sheet.rows, strict=True)]
        assert widths[0] + sum(2 + max(width, 6) for width in widths[1:]) <= 80


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.0, "0"),
        (1e-25, "0"),
        (3.2e-9, "<1e−6"),
        (1.44e-5, "1.4e−5"),
        (8.1e-4, "8.1e−4"),
        (0.00444, "0.0044"),
    ],
)
def test_errors_are_written_in_few_characters(value, written):
    assert small(value) == written


def test_figure_shows_the_numbers(result):
    pytest.importorskip("matplotlib")
    figure = plot(result)
    examples, loops, dims, others = figure.axes
    line = next(one for one in loops.lines if one.get_label() == "exp")
    curve = result.quadratic(3, "exp")[-1].scores["exp"].curve
    np.testing.assert_allclose(line.get_ydata(), np.clip(curve, 1e-6, 1e3))
    assert len(examples.containers) == 6
    assert len(dims.containers) == 4
    assert [label.get_text() for label in others.get_xticklabels()] == [
        "ReLU\nnetwork\n$n$ = 2 $p$",
        "Gaussian\nprocess\n$n$ = 2 $p$",
    ]
    figure.canvas.draw()


def test_figure_of_little_draws(tiny):
    pytest.importorskip("matplotlib")
    plot(tiny).canvas.draw()
    plot(scaled(tiny, np.nan, "relu", LIFTED)).canvas.draw()
    plot(scaled(tiny, 0.0, *METHODS)).canvas.draw()
