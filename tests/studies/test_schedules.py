import dataclasses
import io

import numpy as np
import pytest

import loopcore
from loopcore import baselines, reference, tasks, theory
from loopcore.studies.frame.intervals import Interval
from loopcore.studies.frame.parts import Parts
from loopcore.studies.optima.reference import best_steps
from loopcore.studies.schedules import STUDY, Config, compute, descent, plot, training
from loopcore.studies.schedules.words import findings, sheets

pytest.importorskip("scipy")

SMALL = Config(
    d=5,
    ratios=(2.0,),
    condition=100.0,
    loops=(1, 2, 4, 8, 16, 64),
    tolerances=(1e-2, 1e-5),
    tasks=600,
    learned_loops=(2, 4),
    repeats=(1, 2, 4),
    train_tasks=200,
    matrices=500,
)


@pytest.fixture(scope="module")
def kept():
    return {}


@pytest.fixture(scope="module")
def result(kept):
    return compute(SMALL, Parts(kept=kept))


@pytest.fixture(scope="module")
def batch():
    return tasks.draw(30, 9, 5, targets=tasks.Linear(unit=True), rng=11)


@pytest.fixture(scope="module")
def basis(batch):
    found = theory.eigenbasis(batch.X, batch.y)
    weights = found.theta**2
    return found.eigenvalues, weights / weights.sum(-1, keepdims=True)


# ---- what loops leave ---------------------------------------------------------------------------


@pytest.mark.parametrize("T", [0, 1, 2, 7, 20])
def test_shrinkages_are_those_of_loops_that_are_run(T, batch, basis):
    lam, weights = basis
    schedule = reference.adaptive_steps(lam, T, "chebyshev")
    by_kernel = loopcore.errors(
        batch.X, batch.y, 1.0, T, theta=batch.theta, schedule=schedule, at=[T]
    )[:, 0]
    by_momentum = baselines.momentum(batch.X, batch.y, batch.theta, T)  # ⟨v(T), θ*⟩
    for course, error in (
        (descent.chebyshev_shrinkage(lam), by_kernel),
        (descent.momentum_shrinkage(lam), np.abs(by_momentum - 1)),
    ):
        s = [next(course) for _ in range(T + 1)][-1]
        found = descent.measures(s, weights)
        assert found[:, 0] == pytest.approx(error, abs=1e-11)
        assert found[:, 1] == pytest.approx(theory.relative_distance(s, weights), rel=1e-12)
        assert np.all(found[:, 0] <= found[:, 1] + 1e-15)


def test_momentum_is_the_transformer_of_that_name(batch, basis):
    lam, weights = basis
    course = descent.momentum_shrinkage(lam)
    s = [next(course) for _ in range(7)][-1]
    for i in range(3):
        low, high = np.sqrt(lam[i].min()), np.sqrt(lam[i].max())
        beta, eta = ((high - low) / (high + low)) ** 2, (2 / (high + low)) ** 2
        model = loopcore.models.momentum(beta, 5, eta=eta)
        v = model.generate(batch.X[i], batch.y[i], 1.0, 6)
        error = abs(v @ batch.theta[i] - 1)
        assert descent.measures(s[i], weights[i])[0] == pytest.approx(error, abs=1e-12)


@pytest.mark.parametrize("kappa", [1.5, 10.0, 1e4])
def test_momentum_bound_is_the_largest_shrinkage(kappa):
    eigenvalues = np.linspace(1, kappa, 2001)[None]
    for T, s in zip(range(200), descent.momentum_shrinkage(eigenvalues), strict=False):
        bound = descent.momentum_bound(T, kappa)
        assert np.abs(s).max() == pytest.approx(bound, rel=1e-6, abs=1e-12)
        assert np.abs(s[0, -1]) == pytest.approx(bound, rel=1e-6, abs=1e-12)  # at λ_max


def test_loops_of_bounds():
    for k in range(4):
        for kappa in (1.5, 40.0, 1000.0):
            T = descent.bound_loops(k, 1e-4, kappa)
            assert descent.BOUNDS[k](T, kappa) <= 1e-4 < descent.BOUNDS[k](T - 1, kappa)
            assert np.all(np.asarray(descent.BOUNDS[k](np.arange(T, 20 * T), kappa)) <= 1e-4)
    assert descent.bound_loops(0, 1e-6, 50.0) == theory.loops_to_tolerance(
        1e-6, 50.0, theory.gradient_descent_bound
    )


def test_loops_needed_are_those_of_whole_curves(batch, basis):
    lam, weights = basis
    goals = (0.3, 1e-2, 1e-4)
    found = descent.loops_needed(lam, weights, goals)  # (B, 4, 2, 3)
    T = 4000
    t = np.arange(T + 1)
    low, high = lam.min(-1)[:, None, None], lam.max(-1)[:, None, None]
    for k, eta in ((0, 1 / high), (1, 2 / (low + high))):
        curve = descent.measures((1 - eta * lam[:, None]) ** t[:, None], weights[:, None])
        last = T - np.argmax(curve[:, ::-1, :, None] > np.array(goals), axis=1)  # (B, 2, 3)
        assert np.all(last < T - 1)
        assert np.array_equal(found[:, k], last + 1)
    # the kernel, from the loops found on, and one loop before
    for k, eta in ((0, None), (1, "optimal")):
        for i in range(5):
            at = [int(found[i, k, 0, 1]) - 1, int(found[i, k, 0, 1])]
            one = batch.X[i], batch.y[i], 1.0, at[-1]
            before, after = loopcore.errors(*one, theta=batch.theta[i], at=at, eta=eta)
            assert after <= goals[1] < before


# ---- training -----------------------------------------------------------------------------------


def test_two_eigenvalues_are_learned_exactly():
    # λ is 1 and 4 times n on axes of their own: two steps are enough, and training finds them
    config = dataclasses.replace(SMALL, d=2, condition=4.0, train_tasks=100, matrices=10)
    problem = training.Problem("spectrum", 4.0)
    for variant, scale in (("plain", 4.0 * np.array([0.5, 2.0])), ("scaled", np.array([0.25, 1]))):
        steps = training.train(config, problem, variant, 2)
        assert np.sort(steps.best) == pytest.approx(np.sort(1 / scale), rel=1e-9)
        assert np.sort(steps.learned) == pytest.approx(np.sort(1 / scale), rel=1e-2)
        assert steps.loss < 1e-5


def test_tasks_are_of_their_problem():
    config = dataclasses.replace(SMALL, d=4)
    gaussian, chosen = training.problems(config)
    assert (gaussian.name, chosen.name) == ("n/d = 2", "κ = 100")
    X = training.draw_tests(config, gaussian, 3, 8).X
    assert X.shape == (5, 8, 4)
    assert np.array_equal(X[2:], training.draw_tests(config, gaussian, 5, 8).X)
    kappa = loopcore.spectrum(training.draw_tests(config, chosen, 0, 6).X).kappa
    assert kappa == pytest.approx(np.full(6, 100.0), rel=1e-9)


def test_orders_are_permutations():
    steps = np.array([0.3, 2.0, 0.7, 1.1, 0.5])
    ordered = training.in_order(steps)
    assert np.array_equal(np.sort(ordered), np.sort(steps))
    chebyshev = reference.adaptive_steps(np.array([1.0, 30.0]), 5, "chebyshev")
    assert np.array_equal(training.in_order(np.sort(chebyshev)), chebyshev)


# ---- the study ----------------------------------------------------------------------------------


def test_numbers_are_those_of_the_definition(result):
    # one problem again, task by task, by plain matrices
    measured = result.problems[0]
    batch = training.draw_tests(SMALL, training.problems(SMALL)[0], 0, SMALL.tasks)
    T, k = 4, SMALL.loops.index(4)
    known, learned, at_best, losses = np.empty((600, 2)), np.empty(600), np.empty(600), []
    for i in range(600):
        S = batch.X[i].T @ batch.X[i]
        lam = np.linalg.eigvalsh(S)
        eye = np.eye(5)
        for j, steps in enumerate((np.full(T, 1 / lam[-1]), np.full(T, 2 / (lam[0] + lam[-1])))):
            left = np.linalg.multi_dot([eye - eta * S for eta in steps]) @ batch.theta[i]
            known[i, j] = abs(batch.theta[i] @ left)
        for steps, column in (
            (measured.learned.steps[1][1] / lam[-1], learned),
            (measured.learned.best_steps[1][1] / lam[-1], at_best),
        ):
            left = np.linalg.multi_dot([eye - eta * S for eta in steps]) @ batch.theta[i]
            column[i] = left @ left
            losses.append(abs(batch.theta[i] @ left))
    median = np.sort(known, axis=0)[299]
    assert measured.known.median.value[:2, k, 0] == pytest.approx(median, rel=1e-9)
    assert measured.learned.median.value[1, 1, 0] == pytest.approx(np.sort(losses[::2])[299])
    assert measured.learned.loss_ratio.value[1, 1] == pytest.approx(learned.mean() / at_best.mean())
    chebyshev = measured.known.median.value[3, k, 0]
    assert measured.learned.tail.value[1, 1, 0] > measured.learned.median.value[1, 1, 0]
    assert 0.3 < measured.learned.median.value[1, 1, 0] / chebyshev < 1.2


def test_worst_cases_hold_and_order_the_loops(result):
    for problem in result.problems:
        assert problem.known.above_bound == (0, 0, 0, 0)
        assert np.all(problem.known.median.value[..., 1] <= problem.known.bound + 1e-9)
        assert np.all(np.diff(problem.known.loops.value[..., -1], axis=0) <= 0)
        assert np.all(problem.known.loops.value <= problem.known.tail_loops.value)
    # all tasks of the second problem have κ = 100
    known = result.problems[1].known
    assert known.kappa.value == pytest.approx(100)
    assert np.all(known.loops.value <= known.bound_loops[:, None])
    assert np.all(known.loops.value[..., -1] > 0.5 * known.bound_loops[:, None, -1])


def test_learned_steps_are_near_the_best_ones(result):
    for problem in result.problems:
        assert problem.learned.loss_ratio.value == pytest.approx(np.ones((2, 2)), abs=0.2)
        assert np.all(problem.learned.loss_ratio.value > 0.97)
    values = training._eigenvalues(SMALL, training.problems(SMALL)[1], "plain")
    _, loss = best_steps(values, 4)
    assert 0 < loss < 1


def test_repeats_once_are_the_schedule_itself(result):
    for problem in result.problems:
        once = problem.learned.repeated_median.value[0]
        assert once == pytest.approx(problem.learned.median.value[-1, :2], rel=1e-9)


def test_the_seed_fixes_everything(result, kept):
    resumed = compute(SMALL, Parts(kept=kept))
    assert findings(resumed) == findings(result)
    tiny = dataclasses.replace(SMALL, tasks=40, train_tasks=40, matrices=40, learned_loops=(2,))
    first, second = compute(tiny), compute(tiny)
    other = compute(dataclasses.replace(tiny, seed=1))
    for a, b, c in zip(first.problems, second.problems, other.problems, strict=True):
        assert np.array_equal(a.known.median.value, b.known.median.value)
        assert np.array_equal(a.learned.repeated_tail.value, b.learned.repeated_tail.value)
        assert not np.array_equal(a.known.median.value, c.known.median.value)
        assert not np.array_equal(a.learned.median.value, c.learned.median.value)


# ---- words and figure ---------------------------------------------------------------------------


def changed(result, part, **changes):
    problems = tuple(
        dataclasses.replace(
            problem, **{part: dataclasses.replace(getattr(problem, part), **changes)}
        )
        for problem in result.problems
    )
    return dataclasses.replace(result, problems=problems)


def everywhere(interval, value):
    return Interval(*(np.full(part.shape, float(value)) for part in interval))


def test_findings_react_to_the_numbers(result):
    said = findings(result)
    known, learned = result.problems[0].known, result.problems[0].learned
    assert "take the fewest loops on all 2 problems: for κ = 100 " in said[0]
    assert "on 2 of 2 problems" in said[1]
    assert said[6].startswith("No distance of 1,200 tasks lies above")
    assert "Chebyshev's steps" in said[7]
    mixed = findings(
        changed(result, "known", loops=Interval(*(part[::-1] for part in known.loops)))
    )
    assert "take the fewest loops on 0 of 2 problems" in mixed[0]
    assert "on 0 of 2 problems" in mixed[1]
    broken = findings(changed(result, "known", above_bound=(0, 0, 7, 0)))
    assert "0 with η = 1/λ_max" in broken[6]
    assert "14 with momentum" in broken[6]
    good = findings(changed(result, "learned", median=everywhere(learned.median, 0)))
    assert "the smaller median error in 4 of 4 pairs of problem and T, the larger in 0" in good[0]
    assert "smaller than with Chebyshev's in 4 of 4 pairs of problem and T, larger in 0" in good[2]
    assert "not settled in 0" in good[2]
    bad = findings(changed(result, "learned", tail=everywhere(learned.tail, 2)))
    assert "smaller than with Chebyshev's in 0 of 4 pairs of problem and T, larger in 4" in bad[3]
    wins = findings(changed(result, "learned", wins=everywhere(learned.wins, 1)))
    assert "goes from 100 % (n/d = 2, T = 2) to 100 %" in wins[3]
    repeated = everywhere(learned.repeated_median, 0.5)
    slow = findings(changed(result, "learned", repeated_median=repeated))
    goal = result.problems[0].known.median.value[3, SMALL.loops.index(16), 0]
    assert f"to {0.5 / goal:,.0f} (n/d = 2) times" in slow[4]
    none = findings(changed(result, "learned", diverged=everywhere(learned.diverged, 0)))
    assert "diverge on none of the tasks" in none[4]
    some = findings(changed(result, "learned", diverged=everywhere(learned.diverged, 0.25)))
    assert "on 25 % of the tasks" in some[4]
    even = findings(changed(result, "learned", loss_ratio=everywhere(learned.loss_ratio, 1.01)))
    assert "in 8 of 8 cases" in even[5]
    assert "too long" not in even[5]
    for value, opening in ((9, "Chebyshev's steps must not be"), (0, "What Chebyshev's steps")):
        early = findings(changed(result, "known", early=everywhere(known.early, value)))
        assert early[7].startswith(opening)


def test_findings_are_short(result):
    first, *others = findings(result)
    assert len(first) <= 350
    assert max(map(len, others)) <= 600
    assert len(others) <= 8
    assert others[-1].startswith("Not settled")
    assert len(STUDY.question) <= 300
    assert len(STUDY.caption) <= 700


def test_tables_fit_a_page(result):
    for sheet in sheets(result):
        assert all(len(row) == len(sheet.columns) for row in sheet.rows)
        columns = zip(sheet.columns, *sheet.rows, strict=True)
        assert sum(max(map(len, column)) + 2 for column in columns) <= 82
        assert len(sheet.rows) <= 15


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"d": 1}, "d: expected at least 2, got 1"),
        ({"ratios": (0.5,)}, "ratios: expected at least 1, got 0.5"),
        ({"ratios": (), "condition": None}, "problems: expected at least 1, got 0"),
        ({"condition": 1.0}, "condition: expected between 1 and 1e6, got 1.0"),
        ({"loops": (2, 1)}, "loops: expected rising numbers"),
        ({"loops": (2, 4)}, "loops: expected 8, of the learned steps"),
        ({"tolerances": (1e-3, 1e-2)}, "tolerances: expected falling numbers"),
        ({"tolerances": (1.0,)}, "tolerances: expected from 1e-9 to below 1, got 1.0"),
        ({"tasks": 0}, "tasks: expected at least 1, got 0"),
        ({"learned_loops": ()}, "learned_loops: expected at least 1, got 0"),
        ({"repeats": (2, 4)}, "repeats: expected 1 first, got 2"),
        ({"train_tasks": 0}, "train_tasks: expected at least 1, got 0"),
        ({"matrices": 0}, "matrices: expected at least 1, got 0"),
        ({"seed": -1}, "seed: expected at least 0, got -1"),
    ],
)
def test_configurations_that_mean_nothing_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Config(**options)


def test_figure_shows_the_numbers(result):
    pytest.importorskip("matplotlib")
    figure = plot(result)
    assert len(figure.axes) == 4
    lines = figure.axes[0].get_lines()
    errors = result.problems[0].known.median.value[0, :, 0]
    assert np.array_equal(lines[0].get_ydata(), errors[errors > 1e-14])
    assert figure.axes[1].get_title() == r"$\kappa$ = 100"
    kappa = [float(problem.known.kappa.value) for problem in result.problems]
    drawn = figure.axes[2].containers[0].lines[0]
    assert drawn.get_xdata() == pytest.approx(sorted(kappa))


@pytest.mark.parametrize(
    "options",
    [
        {"condition": None},
        {"ratios": (), "loops": (1, 2, 4)},
        {"ratios": (400.0,), "d": 2, "loops": (2, 4, 64)},  # errors of 0
    ],
)
def test_figures_of_small_results(options):
    pytest.importorskip("matplotlib")
    small = {"tasks": 9, "train_tasks": 9, "matrices": 9, "learned_loops": (2,), "repeats": (1, 2)}
    result = compute(dataclasses.replace(SMALL, **{**small, **options}))
    file = io.BytesIO()
    plot(result).savefig(file, dpi=40)
    assert file.getvalue().startswith(b"\x89PNG")
    assert all(findings(result))
