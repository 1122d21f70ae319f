"""The optima study: its references against other computations, and training against them.

Everything is seeded: tolerances are what the numbers of tasks leave, with room for rounding only.
"""

import dataclasses
import io

import numpy as np
import pytest

import loopcore
from loopcore.studies import optima
from loopcore.studies.frame.parts import Parts
from loopcore.studies.frame.result_files import plain
from loopcore.studies.optima import Config, compute, plot, reference
from loopcore.studies.optima.training import Trainer, draw

pytest.importorskip("scipy")

SMALL = Config(
    shapes=((6, 3), (12, 4)),
    n=12,
    d=3,
    task_counts=(50, 400, 3200),
    schedule_loops=3,
    plus_loops=2,
    tasks=1500,
    held_out=5000,
    matrices=20_000,
    repeats=3,
)
TINY = Config(((4, 2),), 5, 2, 3.0, (20, 40), 2, 2, tasks=30, held_out=30, matrices=30, repeats=2)


@pytest.fixture(scope="module")
def result(threadpools):
    with threadpools.limit(limits=1, user_api="blas"):  # as for every test, but earlier
        return compute(SMALL)


@pytest.fixture(scope="module")
def tiny(threadpools):
    with threadpools.limit(limits=1, user_api="blas"):
        return compute(TINY)


# ---- training against the references -------------------------------------------------------------


def test_single_step_and_its_loss_are_the_closed_forms(result):
    assert [(cell.n, cell.d) for cell in result.single_steps] == [(6, 3), (12, 4)]
    for cell in result.single_steps:
        for value in cell.step, cell.loss:
            assert value.mean == pytest.approx(1, abs=0.03)
            assert value.half_width < 0.12
            assert value.agrees(1)


def test_preconditioners_tend_to_the_closed_forms_as_noise_does(result):
    assert [one.prior for one in result.preconditioners] == ["inverse", "isotropic"]
    for one in result.preconditioners:
        assert np.all(np.diff(one.error.mean) < 0)
        assert one.error.mean[-1] < 0.1
        assert one.slope.mean == pytest.approx(-0.5, abs=0.25)
        assert one.slope.agrees(-0.5)
        # so that the closed form of one prior is not taken for that of the other
        assert one.error_of_mean[-1] < one.distance_to_other / 3


def test_learned_steps_are_the_best_steps(result):
    assert [cell.T for cell in result.schedules] == [2, 3]
    for cell, ratio in zip(result.schedules, (0.751, 0.537), strict=True):
        assert cell.best_ratio.mean == pytest.approx(ratio, abs=0.01)
        assert cell.ratio.mean == pytest.approx(cell.best_ratio.mean, rel=0.05)
        assert cell.steps.mean == pytest.approx(cell.best_steps.mean, rel=0.07)
        assert cell.constant.mean == pytest.approx(cell.best_constant.mean, rel=0.03)


def test_gd_plus_plus_is_the_best_of_its_kind(result):
    (cell,) = result.gd_plus_plus
    assert cell.T == 2
    assert cell.best_ratio.mean == pytest.approx(0.288, abs=0.01)
    assert cell.ratio.mean == pytest.approx(cell.best_ratio.mean, rel=0.06)
    assert cell.step.mean == pytest.approx(cell.best_step.mean, rel=0.03)
    assert cell.gamma.mean == pytest.approx(cell.best_gamma.mean, rel=0.05)
    assert 0 < cell.spread < 0.2


def test_all_trainings_are_counted(result):
    repeats = SMALL.repeats
    assert result.fits == repeats * (2 + 2 * 3 + 2 * 2 + 2)
    assert 0.9 * result.fits < result.converged <= result.fits


# ---- the references ------------------------------------------------------------------------------


def test_covariance_has_the_condition_number_and_oblique_axes():
    Sigma = reference.covariance(4, 9.0)
    np.testing.assert_allclose(np.linalg.eigvalsh(Sigma), np.geomspace(1 / 3, 3, 4), rtol=1e-12)
    np.testing.assert_allclose(Sigma, Sigma.T, rtol=1e-12)
    assert np.all(np.abs(Sigma - np.diag(np.diag(Sigma))) + np.eye(4) > 0.1)


@pytest.mark.parametrize("prior", reference.PRIORS)
def test_best_preconditioner_solves_the_normal_equations(prior, rng):
    n, Sigma = 6, reference.covariance(3, 4.0)
    W = np.linalg.inv(Sigma) if prior == "inverse" else np.eye(3)  # the covariance of w
    X = rng.standard_normal((200_000, n, 3)) @ np.linalg.cholesky(Sigma).T
    S = X.swapaxes(-1, -2) @ X
    # E‖Σ^½ (I − ΓS) w‖² is least where Γ E[S W S] = E[W S].
    solved = (W @ S.mean(axis=0)) @ np.linalg.inv((S @ W @ S).mean(axis=0))
    found = reference.best_preconditioner(Sigma, n, prior)
    np.testing.assert_allclose(found, solved, atol=0.01 * np.abs(found).max())


def test_best_step_is_the_preconditioner_of_white_x():
    for prior in reference.PRIORS:
        found = reference.best_preconditioner(np.eye(3), 7, prior)
        np.testing.assert_allclose(found, reference.best_step(7, 3) * np.eye(3), rtol=1e-14)


@pytest.mark.parametrize(("n", "d"), [(3, 5), (20, 4)])  # n < d: d − n eigenvalues are 0
def test_best_step_and_its_loss_are_those_of_drawn_matrices(n, d, rng):
    values = reference.eigenvalues(n, d, 100_000, rng)
    assert values.shape == (100_000 * d,)
    assert np.mean(values < 1e-9) == pytest.approx(max(d - n, 0) / d, abs=1e-4)
    assert values.min() >= 0
    eta, loss = reference.best_constant(values, 1)
    assert eta == pytest.approx(values.mean() / np.mean(values**2), rel=1e-5)
    assert eta == pytest.approx(reference.best_step(n, d), rel=0.01)
    assert d * loss == pytest.approx(reference.best_step_loss(n, d), rel=0.01)


@pytest.mark.parametrize("T", [1, 2, 4])
def test_best_steps_are_the_roots_of_the_best_polynomial(T, rng):
    values = reference.eigenvalues(12, 3, 2000, rng)
    steps, loss = reference.best_steps(values, T)
    # p(λ) = 1 + Σ_k c_k (λ/n)^k of least squares, by its coefficients
    powers = (values[:, None] / 12) ** np.arange(1, T + 1)
    c = np.linalg.lstsq(powers, -np.ones(len(values)), rcond=None)[0]
    np.testing.assert_allclose(steps, np.sort(1 / (12 * np.roots([*c[::-1], 1]))), rtol=1e-7)
    assert loss == pytest.approx(np.mean(np.square(1 + powers @ c)), rel=1e-9)


@pytest.mark.parametrize("T", [1, 3, 6])
def test_best_constant_has_no_slope(T, rng):
    values = reference.eigenvalues(12, 3, 2000, rng)
    eta, loss = reference.best_constant(values, T)
    assert loss == np.mean((1 - eta * values) ** (2 * T))
    assert eta * abs(np.mean(2 * T * values * (1 - eta * values) ** (2 * T - 1))) < 1e-4 * loss


@pytest.mark.parametrize("T", [2, 4])
def test_best_gd_plus_plus_is_the_lowest_of_a_grid(T, rng):
    values = reference.eigenvalues(12, 3, 2000, rng)
    eta, shrink, loss = reference.best_gd_plus_plus(values, T)

    def mean_square(eta, shrink):
        p, moving = np.ones_like(values), values
        for _ in range(T):
            p, moving = p * (1 - eta * moving), moving * (1 - shrink * moving) ** 2
        return np.mean(p * p)

    assert loss == pytest.approx(mean_square(eta, shrink), rel=1e-9)
    grid = [mean_square(a * eta, b * shrink) for a in (0.99, 1, 1.01) for b in (0.99, 1, 1.01)]
    assert np.argmin(grid) == 4
    # and not of its neighbourhood alone
    far = [
        mean_square(a / 16, b / 16) for a in np.linspace(0, 4, 41) for b in np.linspace(0, 1, 41)
    ]
    assert min(far) >= loss * (1 - 1e-9)
    assert min(far) < 1.1 * loss


@pytest.mark.parametrize("method", ["schedule", "gd++"])
def test_polynomials_of_the_references_are_those_of_the_models(method, rng):
    n, d, T = 12, 3, 3
    eta, gamma, steps = 0.05, 0.3, np.array([0.02, 0.05, 0.11])
    Z, target = draw(rng, 20, n, d)
    X, x = Z[:, :-1, :-1], Z[:, -1, :-1]
    w = np.linalg.lstsq(X[0], Z[0, :-1, -1], rcond=None)[0]
    values, axes = np.linalg.eigh(X[0].T @ X[0])
    p, moving = np.ones(d), values
    if method == "schedule":
        model = loopcore.models.gradient_descent(d, update="targets", schedule=steps[:, None])
        for step in steps:
            p = p * (1 - step * values)
    else:
        model = loopcore.models.gd_plus_plus(gamma, d, eta=eta)
        for _ in range(T):
            p, moving = p * (1 - eta * moving), moving * (1 - eta * gamma * moving) ** 2
    # what is left of the target after T loops is ⟨x, p(S) w⟩
    left = target[0] + model(Z, T)[0, -1, -1]
    assert left == pytest.approx(x[0] @ (axes * p) @ axes.T @ w, rel=1e-10)


# ---- the study -----------------------------------------------------------------------------------


def test_tasks_are_drawn_with_their_covariances(rng):
    root = np.array([[2.0, 0.0], [1.0, 0.5]])
    Z, target = draw(rng, 50_000, 3, 2, x_root=root, w_root=np.linalg.inv(root).T)
    assert Z.shape == (50_000, 4, 3)
    assert not Z[:, -1, -1].any()
    x = Z[..., :-1].reshape(-1, 2)
    np.testing.assert_allclose(x.T @ x / len(x), root @ root.T, atol=0.06)
    w = np.linalg.solve(Z[:, :2, :2], Z[:, :2, 2:])[..., 0]
    np.testing.assert_allclose(np.sum(Z[:, -1, :-1] * w, axis=-1), target, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(w.T @ w / len(w), np.linalg.inv(root @ root.T), atol=0.06)


def test_the_seed_fixes_everything(tiny):
    def numbers(found):
        parts = (found.single_steps, found.preconditioners, found.schedules, found.gd_plus_plus)
        return [
            np.ravel(value)
            for part in parts
            for cell in part
            for value in vars(cell).values()
            if not isinstance(value, str)
        ]

    again, other = compute(TINY), compute(dataclasses.replace(TINY, seed=1))
    assert all(map(np.array_equal, numbers(again), numbers(tiny)))
    differ = [not np.array_equal(a, b) for a, b in zip(numbers(other), numbers(tiny), strict=True)]
    # all but n, d, two T and the distances between closed forms
    assert len(differ) - sum(differ) == 2 + 2 + 2


def test_parts_do_not_depend_on_one_another(tiny):
    calls = []
    changed = dataclasses.replace(
        TINY, shapes=((7, 3), (4, 2)), task_counts=(10, 20), schedule_loops=3
    )
    found = compute(changed, Parts(lambda *call: calls.append(call)))
    assert found.single_steps[1].step == tiny.single_steps[0].step
    assert np.array_equal(found.schedules[0].steps, tiny.schedules[0].steps)
    assert found.gd_plus_plus[0].gamma == tiny.gd_plus_plus[0].gamma
    stages = [("single steps", 4), ("preconditioners", 4), ("learned steps", 4), ("best steps", 4)]
    stages += [("GD++", 2), ("best GD++", 2)]
    assert calls == [(name, k, total) for name, total in stages for k in range(total + 1)]


def test_ctrl_c_in_a_training_ends_the_study(monkeypatch, rng):
    fit = loopcore.fit

    def interrupted(*arguments, **options):
        return fit(*arguments, **options, iterations=0)._replace(
            message="interrupted in iteration 1"
        )

    monkeypatch.setattr(loopcore, "fit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Trainer().step(draw(rng, 5, 4, 2), 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shapes": ()}, "shapes: expected at least 1, got 0"),
        ({"shapes": ((5, 3), (4, 0))}, "shapes: expected at least 1, got 0"),
        ({"n": 0}, "n: expected at least 1, got 0"),
        ({"d": 1}, "d: expected at least 2, got 1"),
        ({"condition": 1.0}, "condition: expected a finite number above 1, got 1.0"),
        ({"condition": np.inf}, "condition: expected a finite number above 1, got inf"),
        ({"condition": np.nan}, "condition: expected a finite number above 1, got nan"),
        ({"task_counts": (100,)}, "task_counts: expected at least 2, got 1"),
        ({"task_counts": (24, 100)}, "task_counts: expected at least 25, got 24"),
        ({"task_counts": (200, 100)}, r"task_counts: expected rising numbers, got \(200, 100\)"),
        ({"schedule_loops": 1}, "schedule_loops: expected at least 2, got 1"),
        ({"plus_loops": 1}, "plus_loops: expected at least 2, got 1"),
        ({"tasks": 0}, "tasks: expected at least 1, got 0"),
        ({"held_out": 0}, "held_out: expected at least 1, got 0"),
        ({"matrices": 0}, "matrices: expected at least 1, got 0"),
        ({"repeats": 1}, "repeats: expected at least 2, got 1"),
        ({"seed": -1}, "seed: expected at least 0, got -1"),
    ],
)
def test_configurations_that_mean_nothing_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Config(**options)


# ---- figure and report ---------------------------------------------------------------------------


def marks(axes, label):
    """The positions of the marks with a label, and their intervals' half widths."""
    (container,) = (c for c in axes.containers if c.get_label() == label)
    line, _, (bars,) = container.lines
    ends = np.array([[low, high] for (_, low), (_, high) in bars.get_segments()])
    return line.get_ydata(), (ends[:, 1] - ends[:, 0]) / 2


def test_figure_shows_the_numbers(result):
    pytest.importorskip("matplotlib")
    figure = plot(result)
    single, preconditioner, steps, ratios = figure.axes
    y, half = marks(single, r"step $\eta$ over $1/(n+d+1)$")
    np.testing.assert_allclose(y, [cell.step.mean for cell in result.single_steps])
    np.testing.assert_allclose(half, [cell.step.half_width for cell in result.single_steps])
    one = result.preconditioners[0]
    label = f"slope ${one.slope.mean:.2f} \\pm {one.slope.half_width:.2f}$"
    (whole,) = (c.get_label() for c in preconditioner.containers if label in c.get_label())
    np.testing.assert_allclose(marks(preconditioner, whole)[0], one.error.mean)
    np.testing.assert_allclose(
        marks(steps, r"$\eta\gamma$ of GD++")[0], [c.gamma.mean for c in result.gd_plus_plus]
    )
    best, (y, half) = ratios.lines[0].get_ydata(), marks(ratios, "learned steps")
    np.testing.assert_allclose(best, [cell.best_ratio.mean for cell in result.schedules])
    np.testing.assert_allclose(y, [cell.ratio.mean for cell in result.schedules])
    np.testing.assert_allclose(half, [cell.ratio.half_width for cell in result.schedules])
    assert [axes.get_yscale() for axes in figure.axes] == ["linear", "log", "log", "log"]
    file = io.BytesIO()
    figure.savefig(file)
    assert file.getvalue().startswith(b"\x89PNG")


@pytest.fixture
def words():
    from loopcore.studies.optima import words

    return words


def test_findings_are_made_from_the_numbers(words, result):
    answer, single, inverse, isotropic, schedules, plus, rest = words.findings(result)
    assert answer.startswith("Training finds the optima")
    agreed, away = words._compared(result)
    assert f"{agreed.sum()} of 18 learned" in answer  # 2 · 2, 2 slopes, 9 and 3
    assert len(away) == 16
    assert away.max() < 0.1
    assert "for 2 shapes" in single
    assert "2 and 2 of 2 intervals hold the closed form" in single
    for one, text in zip(result.preconditioners, (inverse, isotropic), strict=True):
        assert f"to the power {words._text(one.slope)}, which holds the −1/2" in text
        assert f"of the other prior {100 * one.distance_to_other:.0f} %" in text
    assert "N(0, Σ⁻¹)" in inverse
    assert "after 50 tasks" in isotropic
    assert schedules.startswith(f"3 learned steps leave {result.schedules[-1].ratio.mean:.2f}")
    assert "of 9 losses and steps agree" in schedules  # 2 ratios, 2 constants and 2 + 3 steps
    assert "of 3 losses and steps agree" in plus
    assert rest.startswith("L-BFGS met its tolerance in all 42 trainings. Not settled: ")
    *_, rest = words.findings(dataclasses.replace(result, converged=40))
    assert "in 40 of 42 trainings; elsewhere" in rest


def test_findings_are_short(words, result, tiny):
    for shown in (result, tiny):
        first, *others = words.findings(shown)
        assert len(first) <= 350
        assert max(map(len, others)) <= 600
    assert len(optima.STUDY.question) <= 300
    assert len(optima.STUDY.caption) <= 700


def test_findings_say_where_the_numbers_disagree(words, result):
    schedule = result.schedules[0]
    wrong = dataclasses.replace(schedule, best_ratio=schedule.best_ratio._replace(mean=9.0))
    one = result.preconditioners[0]
    biased = dataclasses.replace(one, slope=one.slope._replace(mean=np.array(3.0)))
    step = dataclasses.replace(
        result.single_steps[0], step=result.single_steps[0].step._replace(mean=np.array(1.5))
    )
    changed = dataclasses.replace(
        result, single_steps=(step,), preconditioners=(biased,), schedules=(wrong,)
    )
    found = words.findings(changed)
    assert found[0].startswith("Training does not find all of the optima")
    parts = {"single_steps": result.single_steps[:1], "schedules": (schedule,)}
    right = words._compared(dataclasses.replace(result, preconditioners=(one,), **parts))[0]
    assert f": {right.sum() - 3} of 10 learned steps" in found[0]
    assert "is 1.500 to 1.500 times" in found[1]
    assert "0 and 1 of 1 intervals" in found[1]
    assert "which does not hold the −1/2" in found[2]
    right = words.findings(dataclasses.replace(result, schedules=(schedule,)))[4]
    count, less = (int(text.split(" of 4 losses")[0].split()[-1]) for text in (right, found[3]))
    assert less == count - 1


def test_intervals_are_written_with_the_digits_that_they_leave(words):
    from loopcore.studies.frame.repeats import Estimate

    for mean, half_width, text in (
        (0.723, 0.0112, "0.723 ± 0.011"),
        (-0.4567, 0.174, "−0.46 ± 0.17"),
        (2.7871, 0.0331, "2.79 ± 0.03"),
        (0.12345, 0.00098, "0.1235 ± 0.0010"),
        (1234.5, 56.0, "1234 ± 56"),
    ):
        assert words._text(Estimate(np.array(mean), np.array(half_width))) == text


def test_sheets_show_the_numbers(words, tiny):
    single, preconditioners, schedules, plus = optima.STUDY.sheets(tiny)
    assert single.rows[0][:2] == ("4", "2")
    assert single.rows[0][2] == words._text(tiny.single_steps[0].step)
    assert preconditioners.columns == ("w", "20", "40", "power")
    assert [row[0] for row in preconditioners.rows] == ["N(0, Σ⁻¹)", "N(0, I)"]
    assert schedules.rows[0][2] == words._text(tiny.schedules[0].best_ratio)
    assert plus.rows[0][3] == words._text(tiny.gd_plus_plus[0].gamma)


def test_numbers_are_written_by_name(tiny):
    content = plain(tiny)
    assert content["config"]["task_counts"] == [20, 40]
    assert content["single_steps"][0]["step"]["mean"] == tiny.single_steps[0].step.mean
    cell = content["schedules"][0]
    assert cell["T"] == 2
    assert cell["best_steps"]["half_width"] == tiny.schedules[0].best_steps.half_width.tolist()
    assert content["gd_plus_plus"][0]["spread"] == tiny.gd_plus_plus[0].spread
    assert content["preconditioners"][1]["prior"] == "isotropic"


def test_the_quick_study_is_a_part_of_the_whole():
    assert optima.QUICK.repeats < Config().repeats
    assert set(optima.QUICK.shapes) < set(Config().shapes)
