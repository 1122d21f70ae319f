import io

import numpy as np
import pytest

from loopcore.studies import convergence
from loopcore.studies.convergence import Config, compute, plot


@pytest.fixture(scope="module")
def result():
    return compute(Config(tasks=1000))


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
    config = Config(d=3, examples=(6,), loops=12, tasks=40, alpha="random", seed=7)
    curves = compute(config).curves[0]
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence([7, 6]).spawn(3)]
    X = streams[0].standard_normal((40, 6, 3))
    theta = streams[1].standard_normal((40, 3))
    theta /= np.linalg.norm(theta, axis=1)[:, None]
    alpha = streams[2].standard_normal(40)
    errors, bounds = np.empty((40, 13)), np.empty((40, 13))
    for i in range(40):
        S = X[i].T @ X[i]
        eigenvalues = np.linalg.eigvalsh(S)
        v = np.zeros(3)
        for t in range(13):
            errors[i, t] = abs(v @ theta[i] - alpha[i])
            bounds[i, t] = abs(alpha[i]) * np.exp(-t * eigenvalues[0] / eigenvalues[-1] / 2)
            v = v - (S @ v - alpha[i] * S @ theta[i]) / eigenvalues[-1]
    assert curves.error == pytest.approx(np.quantile(errors, [0.05, 0.5, 0.95], axis=0), abs=1e-13)
    assert curves.bound == pytest.approx(np.quantile(bounds, [0.05, 0.5, 0.95], axis=0), rel=1e-9)


def test_the_seed_fixes_everything():
    config = Config(examples=(8, 16), tasks=50, loops=10, alpha="random", seed=3)
    first, second = compute(config).curves, compute(config).curves
    other = compute(Config(examples=(8, 16), tasks=50, loops=10, alpha="random", seed=4)).curves
    for a, b, c in zip(first, second, other, strict=True):
        assert np.array_equal(a.error, b.error)
        assert np.array_equal(a.kappa, b.kappa)
        assert not np.array_equal(a.error, c.error)


def test_tasks_of_one_n_depend_neither_on_the_others_nor_on_the_chunks(monkeypatch):
    both = compute(Config(examples=(8, 16), tasks=50, loops=10)).curves
    monkeypatch.setattr(convergence, "_CHUNK", 7)
    calls = []
    alone = compute(Config(examples=(16,), tasks=50, loops=10), lambda *call: calls.append(call))
    assert np.array_equal(alone.curves[0].error, both[1].error)
    assert [call[1] for call in calls] == [*range(7, 50, 7), 50]
    assert all(call[2] == 50 for call in calls)


def test_errors_above_their_bound_are_counted():
    # errors that never fall, where κ = 2 promises exp(−t/4): all but the first are above it
    curves = convergence._summed_up(9, np.ones((4, 6)), np.full(4, 2.0), np.ones(4))
    assert curves.above_bound == 4 * 5
    assert curves.largest_ratio == pytest.approx(np.exp(5 / 4))


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
    ],
)
def test_configurations_that_mean_nothing_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Config(**options)


def test_figure_shows_the_numbers(result):
    pytest.importorskip("matplotlib")
    figure = plot(result)
    assert len(figure.axes) == 4
    for axes, curves in zip(figure.axes, result.curves, strict=True):
        median, high_bound, median_bound = (line.get_ydata() for line in axes.get_lines())
        assert np.array_equal(median, np.maximum(curves.error[1], 1e-17))
        assert np.array_equal(high_bound, curves.bound[2])
        assert np.array_equal(median_bound, curves.bound[1])
        band = axes.collections[0].get_paths()[0].vertices
        assert band[:, 1].max() <= high_bound.max()
        assert axes.get_yscale() == "log"
        assert axes.get_xlabel() == "loops $T$"
        assert f"$n$ = {curves.n}" in axes.get_title()
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[0] == "errors, 5–95 % of tasks"
    assert "95 % quantile" in labels[2]


@pytest.mark.parametrize("examples", [(8,), (8, 9), (5, 6, 7, 8, 9, 10)])
def test_figures_of_any_number_of_panels(examples):
    pytest.importorskip("matplotlib")
    figure = plot(compute(Config(examples=examples, tasks=20, loops=5)))
    assert sum(axes.get_visible() for axes in figure.axes) == len(examples)
    file = io.BytesIO()
    figure.savefig(file)
    assert file.getvalue().startswith(b"\x89PNG")
