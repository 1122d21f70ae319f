import io
from pathlib import Path

import numpy as np
import pytest

import loopcore
from loopcore import theory
from loopcore.studies.table import course
from loopcore.studies.table.run import Config, compute, plot
from loopcore.tables import Table, read_table, standardize

WINE = Path(__file__).parents[3] / "examples" / "data" / "wine.csv"

NEEDED = pytest.approx({1e-3: 128, 1e-6: 353, 1e-12: 960}, abs=1)  # 1e-12 is near rounding


@pytest.fixture(scope="module")
def wine():
    return standardize(read_table(WINE, "alcohol"))


@pytest.fixture(scope="module")
def raw_wine():
    return read_table(WINE, "alcohol")


def table_of(X, y):
    X = np.asarray(X, float)
    return Table(X, np.asarray(y, float), tuple(f"x{j}" for j in range(X.shape[1])), "y")


def relative_errors(table, alpha, steps):
    """The definition, loop by loop: gradient descent on ½‖Xθ − αy‖², and its relative errors."""
    X, y = table.X, table.y
    theta = np.linalg.pinv(X) @ y
    v = np.zeros(X.shape[1])
    errors = [1.0]
    for eta in steps:
        v = v - eta * (X.T @ (X @ v - alpha * y))
        target = alpha * theta @ theta
        errors.append(abs(v @ theta - target) / abs(target))
    return v, theta, np.array(errors)


@pytest.mark.parametrize("alpha", [1.0, -2.5])
@pytest.mark.parametrize("eta", [None, "optimal", "chebyshev", 0.002])
def test_result_agrees_with_the_loop_written_out(wine, alpha, eta):
    T = 150
    result = compute(wine, Config(alpha, T, eta))
    steps = np.broadcast_to(loopcore.reference.step_sizes(wine.X, T, eta=eta), T)
    v, theta, errors = relative_errors(wine, alpha, steps)
    assert result.at.tolist() == list(range(T + 1))
    assert result.curve == pytest.approx(errors, rel=1e-6, abs=1e-12)
    assert result.v == pytest.approx(v, rel=1e-9, abs=1e-12)
    assert result.theta == pytest.approx(theta, rel=1e-9, abs=1e-12)
    assert result.relative_error == result.curve[-1]
    assert result.raw_error == pytest.approx(abs(v @ theta - alpha), rel=1e-9)
    assert result.plateau == pytest.approx(abs(alpha) * abs(theta @ theta - 1), rel=1e-12)
    limit = alpha * theta
    distance = np.linalg.norm(v - limit) / np.linalg.norm(limit)
    assert result.distance == pytest.approx(distance, rel=1e-5)
    assert not result.diverged


def test_the_vector_is_that_of_loopcore_run(wine):
    result = compute(wine, Config(loops=200))
    assert np.array_equal(result.v, loopcore.run(wine.X, wine.y, 1.0, 200))


def test_numbers_of_the_readme(wine):
    result = compute(wine, Config())
    assert (result.rank, wine.X.shape) == (12, (178, 12))
    assert result.kappa == pytest.approx(44.797, abs=1e-3)
    assert result.relative_error == pytest.approx(7.355e-5, rel=1e-3)
    assert result.plateau == pytest.approx(0.5310, abs=1e-4)
    assert result.loops_needed == NEEDED
    assert result.standardized_kappa is None


def test_errors_stay_below_both_bounds(wine, raw_wine):
    for table in (wine, raw_wine):
        for eta in (None, "optimal", 0.5 / np.linalg.norm(table.X, 2) ** 2):
            result = compute(table, Config(3.0, 300, eta))
            worst = result.steps.worst_case(result.at)
            assert np.all(result.curve <= worst * (1 + 1e-9) + 1e-13)
            if eta is None or eta == "optimal":
                assert np.all(worst <= theory.relative_error_bound(result.at, result.kappa))
    result = compute(wine, Config(3.0, 60, "chebyshev"))
    assert result.relative_error <= result.steps.worst_case(60)
    assert result.distance <= result.steps.worst_case(60)


@pytest.mark.parametrize("T", [0, 1, 500])
def test_loops_needed_does_not_depend_on_the_loops_run(wine, T):
    assert compute(wine, Config(loops=T)).loops_needed == NEEDED


def test_loops_needed_is_the_first_loop(wine):
    result = compute(wine, Config(loops=1000))
    for tolerance, loop in result.loops_needed.items():
        assert result.curve[loop] <= tolerance < result.curve[loop - 1]


def test_a_search_that_costs_too_much_ends(raw_wine, monkeypatch):
    monkeypatch.setattr(course, "_SEARCH_LOOPS", 5000)
    result = compute(raw_wine, Config(loops=100))
    assert result.loops_needed == {1e-3: None, 1e-6: None, 1e-12: None}
    assert result.searched == 5000
    assert result.at[-1] == 100


def test_slow_runs_learn_what_standardising_would_do(wine, raw_wine, monkeypatch):
    monkeypatch.setattr(course, "_SEARCH_LOOPS", 1000)
    result = compute(raw_wine, Config())
    assert result.kappa == pytest.approx(7.982e7, rel=1e-3)
    assert result.standardized_kappa == pytest.approx(44.797, abs=1e-3)
    constant = table_of([[1, 1000, 1], [1, 3000, 2], [1, 7000, 9.0]], [1, 2, 4])
    assert compute(constant, Config(loops=2)).standardized_kappa is None
    assert compute(wine, Config(loops=2)).standardized_kappa is None


@pytest.mark.parametrize("eta", [None, "optimal", "chebyshev", 0.002])
def test_segments_change_nothing_but_rounding(wine, eta, monkeypatch):
    whole = compute(wine, Config(loops=250, eta=eta))
    monkeypatch.setattr(course, "_SEGMENT_LOOPS", 17)
    calls = []
    parts = compute(wine, Config(loops=250, eta=eta), lambda *call: calls.append(call))
    # for Chebyshev's steps rounding may grow on the way, up to some hundred times
    assert parts.v == pytest.approx(whole.v, rel=1e-10, abs=1e-12)
    assert parts.curve == pytest.approx(whole.curve, rel=1e-6, abs=1e-12)
    assert parts.loops_needed == whole.loops_needed
    done = [call[1] for call in calls if call[0] == "looping"]
    assert len(done) > 250 / 17
    assert done[0] == 0
    assert done == sorted(set(done))
    assert all(call[1] <= call[2] for call in calls)


def test_long_curves_are_sampled(wine):
    result = compute(wine, Config(loops=100_000))
    assert result.at.size == result.curve.size == 2000
    assert (result.at[0], result.at[-1]) == (0, 100_000)
    short = compute(wine, Config(loops=int(result.at[1])))
    assert result.curve[1] == pytest.approx(short.relative_error, rel=1e-9)


def test_no_loops_at_all(wine):
    result = compute(wine, Config(loops=0))
    assert (result.relative_error, result.distance, result.raw_error) == (1, 1, 1)
    assert not result.v.any()
    assert result.at.tolist() == [0]


def test_divergence_is_told(wine):
    result = compute(wine, Config(loops=2000, eta=0.01))
    assert result.diverged
    assert np.isnan(result.relative_error)
    assert np.isfinite(result.curve[:100]).all()
    growing = compute(wine, Config(loops=50, eta=0.01))
    assert not growing.diverged
    assert growing.relative_error > 1e30


def test_alpha_zero_and_theta_zero_have_no_relative_error():
    X = [[1, 0], [0, 2], [1, 1.0]]
    for table, alpha in ((table_of(X, [1, 2, 3]), 0.0), (table_of(X, [0, 0, 0]), 1.0)):
        result = compute(table, Config(alpha, 10))
        assert np.isnan(result.relative_error)
        assert np.isnan(result.distance)
        assert not result.v.any()


def test_zero_features_learn_nothing():
    result = compute(table_of(np.zeros((3, 2)), [1, 2, 3]), Config(loops=5))
    assert (result.rank, result.steps.extremes(5)) == (0, (0, 0))
    assert np.isnan(result.kappa)
    assert not result.v.any()


def test_fewer_rows_than_features_tend_to_the_least_norm_solution(rng):
    table = table_of(rng.standard_normal((6, 9)), rng.standard_normal(6))
    result = compute(table, Config(loops=3000))
    assert result.rank == 6
    assert result.v == pytest.approx(np.linalg.pinv(table.X) @ table.y, rel=1e-9)
    assert result.distance < 1e-10


def test_a_repeated_column_lowers_the_rank(wine):
    X = np.column_stack([wine.X, wine.X[:, 0]])
    result = compute(table_of(X, wine.y), Config(loops=2000))
    assert (result.rank, X.shape[1]) == (12, 13)
    assert result.kappa < 100
    assert result.relative_error < 1e-12


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": np.inf}, "alpha: expected a finite number, got inf"),
        ({"loops": -1}, r"loops: expected 0 to 2\^53, got -1"),
        ({"loops": 10**20}, r"loops: expected 0 to 2\^53, got 10{20}"),
        ({"loops": 10**9, "eta": "chebyshev"}, "loops: expected at most 10,000,000 with chebyshev"),
        ({"eta": -0.5}, "eta: expected a finite number above 0, got -0.5"),
        ({"eta": float("nan")}, "eta: expected a finite number above 0, got nan"),
    ],
)
def test_configurations_that_mean_nothing_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Config(**options)


# The figure


def lines_of(figure):
    return {line.get_label(): line.get_xydata() for line in figure.axes[0].get_lines()}


def test_figure_shows_the_numbers(wine):
    pytest.importorskip("matplotlib")
    result = compute(wine, Config())
    figure = plot(result)
    axes = figure.axes[0]
    theorem, worst, measured = lines_of(figure).values()
    assert np.array_equal(measured, np.column_stack([result.at, result.curve]))
    assert np.array_equal(theorem[:, 1], theory.relative_error_bound(result.at, result.kappa))
    assert np.all(measured[1:, 1] < worst[1:, 1])
    assert np.all(worst[1:, 1] < theorem[1:, 1])
    assert axes.get_yscale() == "log"
    assert axes.get_xlabel() == "loops $T$"
    assert axes.get_ylabel().startswith("relative error")
    assert axes.get_title() == "wine.csv: $n$ = 178, $d$ = 12, $\\kappa$ = 44.8"
    low, high = axes.get_ylim()
    assert low < result.curve.min() < high
    assert high > 1


def test_figure_of_chebyshev_marks_the_last_loop(wine):
    pytest.importorskip("matplotlib")
    result = compute(wine, Config(loops=60, eta="chebyshev"))
    theorem, worst, measured = lines_of(plot(result)).values()
    assert theorem.tolist() == [[60, theory.relative_error_bound(60, result.kappa)]]
    assert worst.tolist() == [[60, result.steps.worst_case(60)]]
    assert measured[-1, 1] <= worst[0, 1]


def test_figure_of_a_given_step_does_not_claim_the_theorem(wine):
    pytest.importorskip("matplotlib")
    labels = list(lines_of(plot(compute(wine, Config(eta=0.002)))))
    assert len(labels) == 2
    assert not any("theorem" in label for label in labels)


@pytest.mark.parametrize("config", [Config(loops=0), Config(loops=5000), Config(eta=0.01)])
def test_odd_figures_can_be_drawn(wine, config):
    pytest.importorskip("matplotlib")
    file = io.BytesIO()
    plot(compute(wine, config)).savefig(file)
    assert file.getvalue().startswith(b"\x89PNG")


def test_errors_below_rounding_are_marked(wine):
    pytest.importorskip("matplotlib")
    figure = plot(compute(wine, Config(loops=5000)))
    assert figure.axes[0].get_ylim()[0] == 1e-17
    assert "rounding" in [text.get_text().strip() for text in figure.axes[0].texts]


def test_names_with_dollars_are_not_mathematics(wine):
    pytest.importorskip("matplotlib")
    table = Table(wine.X, wine.y, wine.feature_names, "y", "a$b_$.csv")
    plot(compute(table, Config(loops=3))).savefig(io.BytesIO())
