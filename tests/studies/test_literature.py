"""The literature study: its closed forms against other computations, and its table against them."""

import dataclasses
import fractions

import numpy as np
import pytest

import loopcore
from loopcore.studies.frame.intervals import Interval, plus_minus
from loopcore.studies.frame.parts import Parts
from loopcore.studies.frame.repeats import Estimate
from loopcore.studies.literature import (
    STUDY,
    Config,
    ahn,
    closed,
    compute,
    floors,
    fu,
    table,
)
from loopcore.studies.literature.prompts import (
    Stream,
    conditioned,
    gaussian,
    losses,
    rotate,
    rotated_root,
    uniform,
)
from loopcore.studies.literature.sheets import in_brackets
from loopcore.studies.literature.summary import extrapolated, growth

pytest.importorskip("scipy")

SMALL = Config(
    repeats=3,
    matrices=2000,
    prompts=2000,
    trainings=2,
    batch=1500,
    layer_prompts=1200,
    layer_iterations=8,
    batch_iterations=2,
    tasks=60,
    floor_tasks=12,
    floor_exponents=(0, 1, 2, 4),
    plain_exponent=2,
)
TINY = Config(
    repeats=2,
    matrices=60,
    prompts=60,
    trainings=2,
    batch=60,
    layer_prompts=60,
    layer_iterations=1,
    batch_iterations=1,
    tasks=4,
    floor_tasks=2,
    floor_exponents=(1, 2),
    plain_exponent=2,
)


@pytest.fixture(scope="module")
def result(threadpools):
    with threadpools.limit(limits=1, user_api="blas"):  # as for every test, but earlier
        return compute(SMALL)


@pytest.fixture(scope="module")
def tiny(threadpools):
    with threadpools.limit(limits=1, user_api="blas"):
        return compute(TINY)


# ---- closed forms -------------------------------------------------------------------------------


def test_wishart_moments_are_those_of_drawn_matrices(rng):
    X = rng.standard_normal((20_000, 7, 3))
    values = np.linalg.eigvalsh(X.swapaxes(-1, -2) @ X)
    drawn = [np.mean(values**k) for k in range(5)]
    assert closed.wishart_moments(7, 3) == pytest.approx(drawn, rel=0.04)
    # XXᵀ has the same trace: n and d may change places, but for the 1/d of the mean
    ours, turned = closed.wishart_moments(7, 3)[1:] * 3, closed.wishart_moments(3, 7)[1:] * 7
    assert ours == pytest.approx(turned, rel=1e-15)


def test_two_steps_are_no_worse_than_any_others():
    m = closed.wishart_moments(20, 5)

    def loss(a, b):  # 5 E (1 − aλ)²(1 − bλ)²
        s, q = a + b, a * b
        return 5 * (m[0] - 2 * s * m[1] + (s**2 + 2 * q) * m[2] - 2 * s * q * m[3] + q**2 * m[4])

    grid = np.linspace(0.005, 0.12, 600)
    fine = np.linspace(0.005, 0.12, 10_000)
    constant, both = loss(fine, fine).min(), loss(grid[:, None], grid).min()
    assert closed.best_two_constant(20, 5) == pytest.approx(constant, rel=1e-4)
    assert closed.best_two_constant(20, 5) <= constant
    assert closed.best_two_steps(20, 5) == pytest.approx(both, rel=1e-3)
    assert closed.best_two_steps(20, 5) <= both


def test_single_steps_in_numbers_known_elsewhere():
    assert closed.one_step(20, np.ones(5)) == pytest.approx((1 / 26, 6 / 26), rel=1e-14)
    # uniform in (−1, 1): σ² = 1/3, E x⁴/σ⁴ = 9/5
    one = closed.one_step_independent(10, 10, 1 / 3, 9 / 5)
    assert one == pytest.approx((3 / 19.8, 49 / 99), rel=1e-14)


@pytest.mark.parametrize("eigenvalues", [(1.0, 1.0, 1.0), (1.0, 0.25, 1 / 16)])
def test_single_step_is_the_least_loss_on_prompts(eigenvalues):
    n, root = 6, rotated_root([1], eigenvalues)
    prompts = rotate(gaussian([2], 40_000, n, 3), root)
    one = closed.one_step(n, np.array(eigenvalues))

    def loss(eta):
        return losses(ahn.descent(np.eye(3), np.array([eta])), prompts, 1).mean()

    assert loss(one.eta) / 3 == pytest.approx(one.loss, rel=0.02)
    assert loss(one.eta) < min(loss(0.85 * one.eta), loss(1.15 * one.eta))


def test_uniform_single_step_is_the_least_loss_on_prompts():
    prompts = uniform([3], 30_000, 4, 3)
    one = closed.one_step_independent(4, 3, 1 / 3, 9 / 5)

    def loss(eta):
        return losses(ahn.descent(np.eye(3), np.array([eta])), prompts, 1).mean()

    assert loss(one.eta) == pytest.approx(one.loss, rel=0.02)  # E y² = 1
    assert loss(one.eta) < min(loss(0.9 * one.eta), loss(1.1 * one.eta))


def test_layered_gradient_and_minimum():
    values = np.random.default_rng(0).uniform(4, 40, 300)
    start = closed.layered_start(20, 5, 3)
    best = closed.best_layered(values, start)

    def loss(model):
        return np.mean(closed.layered_residual(values, model) ** 2)

    assert loss(best) < loss(start)
    for i in range(5):  # no better in any direction
        for factor in (0.999, 1.001):
            steps = np.concatenate(best)
            steps[i] *= factor
            assert loss(closed.Layered(steps[:3], steps[3:])) >= loss(best) * (1 - 1e-9)


@pytest.mark.parametrize("L", [2, 3])
def test_random_starts_find_the_layered_minimum_and_nothing_lower(L, rng):
    X = rng.standard_normal((600, 20, 5))
    values = np.linalg.eigvalsh(X.swapaxes(-1, -2) @ X).ravel()

    def least(start):
        return np.mean(closed.layered_residual(values, closed.best_layered(values, start)) ** 2)

    ours = least(closed.layered_start(20, 5, L))
    found = []
    for _ in range(12):
        eta = np.sort(rng.uniform(0.2, 1, L) * 4.0 ** np.arange(L)) / 20
        shrink = np.sort(rng.uniform(0.2, 0.9, L - 1) * 3.0 ** np.arange(L - 1)) / 20
        found.append(least(closed.Layered(eta, shrink)))
    assert min(found) == pytest.approx(ours, rel=1e-6)


def test_layered_model_multiplies_the_residual_as_the_recurrence_does(rng):
    d, root = 3, rotated_root([4], (1.0, 0.5, 0.1))
    prompts = rotate(gaussian([5], 1, 8, d), root)
    steps = closed.Layered(np.array([0.02, 0.05, 0.1]), np.array([0.01, 0.03]))
    model = ahn.layered_model(np.linalg.inv(root @ root.T), steps)
    x = rng.standard_normal(d)
    prediction = model.predict(prompts.X, prompts.y, x[None], 1)[0]
    # in the coordinates Σ^(−1/2) x: the residual of w is p(S)w
    white = prompts.X[0] @ np.linalg.inv(root).T
    values, V = np.linalg.eigh(white.T @ white)
    w = prompts.w[0] @ root
    left = V @ (closed.layered_residual(values, steps) * (V.T @ w))
    assert prediction == pytest.approx((w - left) @ np.linalg.solve(root, x), rel=1e-10)


# ---- prompts ------------------------------------------------------------------------------------


def test_rotation_keeps_targets_and_gives_the_covariances():
    root = rotated_root([6], ahn.SPECTRUM)
    assert np.linalg.eigvalsh(root @ root.T) == pytest.approx(np.sort(ahn.SPECTRUM))
    flat = gaussian([7], 4000)
    turned = rotate(flat, root)
    assert np.einsum("bnd,bd->bn", turned.X, turned.w) == pytest.approx(flat.y, abs=1e-12)
    rows = turned.X.reshape(-1, 5)
    assert rows.T @ rows / len(rows) == pytest.approx(root @ root.T, abs=0.02)
    assert np.mean(np.einsum("bd,bd->b", turned.w, turned.w)) == pytest.approx(3 + 4 + 16, rel=0.1)


# ---- floors -------------------------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [0, 3, 6])
def test_systems_are_exact_in_both_types_and_have_their_condition(exponent):
    data = floors.systems([0], 8, exponent)
    assert data.kappa == pytest.approx(10.0**exponent, rel=0.05)
    for b in range(8):
        theta = [fractions.Fraction(round(3 * t), 3) for t in data.theta[b]]
        for row, y in zip(data.X[b], data.y[b], strict=True):
            assert sum(int(x) * t for x, t in zip(row, theta, strict=True)) == y
    for part in (data.X, data.y):
        assert (part.astype(np.float32) == part).all()
    assert (data.theta.astype(np.float32) != data.theta).all()


def test_floors_of_plain_loops(rng):
    data = floors.systems([1], 12, 2)
    u = floors.ROUNDING["float32"]
    descent = floors.floor("gradient descent on X", "float32", data)
    assert np.all(descent <= u * data.kappa)
    assert np.median(descent) > 0.05 * u * 100
    assert np.median(floors.floor("conjugate gradients", "float32", data)) < np.median(descent) / 5
    for method in floors.PLAIN:
        single, double = (np.median(floors.floor(method, t, data)) for t in floors.DTYPES)
        assert 1e7 < single / double < 1e11
    for method in floors.METHODS[len(floors.PLAIN) :]:  # θ is not in float32
        assert np.all(floors.floor(method, "float32", data) <= u)


# ---- the study ----------------------------------------------------------------------------------


def test_the_table_holds_every_paper_and_its_closed_forms(result):
    assert {row.paper for row in result.rows} == {"Ahn", "Oswald", "Fu", "Liu", "ours"}
    forms = [row for row in result.rows if row.low == row.high and row.source == "formula"]
    exact = (30 / 26, 2.2474277315, 0.4990073880, 0.3612396861, 49 / 99)
    assert [row.theirs for row in forms] == pytest.approx(exact, rel=1e-8)
    for row in forms:
        assert row.ours == pytest.approx(row.theirs, rel=0.06)
        assert row.agrees in ("yes", "to 1 %")
    printed = next(row for row in result.rows if row.quantity.startswith("L = 3, new"))
    assert printed.theirs == pytest.approx(7.276, abs=1e-3)  # of twenty
    for row in result.rows:
        assert row.ours_low <= row.ours <= row.ours_high


def test_layers_are_ordered_and_equivariant(result):
    layers = result.layers
    assert layers.identity == pytest.approx(layers.preconditioned, rel=1e-9)  # the same y
    order = ("rotated", "preconditioned", "steps", "plus", "layered")
    means = np.array([getattr(layers, name).mean(0) for name in order])
    assert np.all(np.diff(means[:, 1:], axis=0) < 0)
    assert np.all(np.diff(means, axis=1) < 0)
    assert means[-1, 2] == pytest.approx(6.7e-4, rel=0.4)


def test_trained_layers(result):
    assert np.all(result.layer.trained > 0.99)  # one step is the best one layer
    assert np.all(result.layer.trained[:, 1] < result.layer.trained[:, 0])
    assert extrapolated(result.layer.trained).mean == pytest.approx(1, abs=0.06)
    assert result.layer.repeated == pytest.approx(1.1, abs=0.1)  # of few prompts
    assert result.loops.plus.mean() == pytest.approx(0.705, abs=0.03)
    assert np.all(result.trained.training < 1.5e-3)


def test_damping_tames_the_unstable_prompts(result):
    damped = result.damped
    assert damped.unstable[:, 0].mean() == pytest.approx(0.033, abs=0.01)
    assert damped.unstable[:, 1].max() < 0.002
    assert damped.log_mean[:, 0, -1].min() > 3
    assert np.all(np.diff(damped.median[:, 1].mean(0)) < 0)


def test_iterations_follow_their_closed_forms(result):
    for part in result.iterations:
        assert np.nanmedian(part.rate) == pytest.approx(1, abs=1e-3)
        assert part.gap.max() < 1e-11
        assert growth(part).mean == pytest.approx(1.93, abs=0.1)
        assert np.all(np.diff(part.newton, axis=1) <= 0)


def test_newton_is_the_literal_iteration():
    key = (1.0, 0)
    part = fu.measure_iterations(TINY, key)
    prompts = conditioned([TINY.seed, Stream.FU, 1, 0], TINY.tasks, 1.0)
    S = prompts.X.swapaxes(-1, -2) @ prompts.X
    M = 2 * S / np.linalg.norm(S @ S, axis=(-2, -1), keepdims=True)
    for k in range(8):
        theta = (M @ (prompts.X.swapaxes(-1, -2) @ prompts.y[..., None]))[..., 0]
        error = np.square(theta - prompts.w).sum(-1) / np.square(prompts.w).sum(-1)
        assert part.newton[k] == pytest.approx(np.median(error), rel=1e-9)
        M = 2 * M - M @ S @ M


def test_float32_descent_is_near_its_rounding(result):
    assert 1e-14 < np.median(result.descent32.plain32) < 1e-12
    assert np.median(result.descent32.plain64) < 1e-18
    assert np.all(result.descent32.ours32 <= result.descent32.plain32)


def test_curves_have_the_slopes_of_their_methods(result):
    curves = {(c.method, c.dtype): c for c in result.curves}
    assert len(curves) == len(result.curves) == 2 * len(floors.METHODS)
    assert curves["Newton", "float64"].slope.value == pytest.approx(1, abs=0.3)
    assert abs(curves["loopcore power", "float32"].slope.value) < 0.1
    assert curves["loopcore power", "float64"].slope.value == pytest.approx(1, abs=0.3)


# ---- judgement and words ------------------------------------------------------------------------


def judged(theirs, mean, half_width):
    entry = table.Entry(
        "P", "s", "q", "text", theirs, Estimate(np.array(mean), np.array(half_width))
    )
    return table.compare(entry).agrees


def test_rows_are_judged_by_their_ranges():
    assert judged((1.0, 1.0, 1.0), 1.02, 0.03) == "yes"
    assert judged((1.0, 1.0, 1.0), 1.005, 0.001) == "to 1 %"
    assert judged((1.0, 1.0, 1.0), 1.05, 0.01) == "no"
    assert judged((7.0, 6.5, 7.5), 6.0, 0.6) == "yes"
    assert judged((7.0, 6.5, 7.5), 6.0, 3.0) == "open"
    assert judged((1.0, 0.3, 3.0), 1.2, 0.6) == "yes"
    below = (np.nan, 0.0, 1.0)
    assert judged(below, 0.7, 0.1) == "in kind"
    assert judged(below, 0.95, 0.1) == "open"
    assert judged(below, 1.3, 0.1) == "no"
    assert judged((np.nan, 1.0, np.inf), np.nan, np.nan) == "open"


def test_extrapolation_takes_away_what_goes_with_the_prompts():
    pairs = np.array([[1 + 4 * a, 1 + a] for a in (0.01, 0.02, 0.03)])
    assert extrapolated(pairs).mean == pytest.approx(1, rel=1e-14)


def test_numbers_as_text():
    def value(mean, half_width):
        return Estimate(np.array(mean), np.array(half_width))

    assert plus_minus(value(1.1538, 0.0047)) == "1.154 ± 0.005"
    assert plus_minus(value(2.0, 0.0)) == "2"
    assert plus_minus(value(3.4e-6, 2e-7)) == "3.4e−6 ± 2e−7"
    assert in_brackets(value(0.00065, 0.00009)) == "0.00065(9)"
    assert in_brackets(value(np.nan, np.nan)) == "nan"


def changed(result, **parts):
    """Findings by how they begin, of a result with other parts."""
    found = STUDY.findings(dataclasses.replace(result, **parts))
    return {text.split(":")[0]: text for text in found}


def test_findings_answer_first_and_stay_short(result, tiny):
    for shown in (result, tiny):
        found = STUDY.findings(shown)
        assert 3 <= len(found) <= 9
        assert "are reproduced" in found[0]
        assert len(found[0]) <= 350
        assert max(map(len, found)) <= 600
        assert found[-1].startswith("Not settled")
        assert all("nan" not in text for text in found)
    assert len(STUDY.question) <= 300
    assert len(STUDY.caption) <= 700


def test_findings_count_and_name_what_is_not_reproduced(result):
    rows = [dataclasses.replace(row, agrees="yes") for row in result.rows]
    for i, row in enumerate(rows):
        if np.isnan(row.theirs):
            rows[i] = dataclasses.replace(row, agrees="in kind")
    good = STUDY.findings(dataclasses.replace(result, rows=tuple(rows)))
    assert good[0].startswith("All 10 published or derived numbers")
    assert "All 6 claims" in good[0]
    rows[0] = dataclasses.replace(rows[0], theirs=2.0, agrees="no")
    rows[6] = dataclasses.replace(rows[6], agrees="open")
    found = STUDY.findings(dataclasses.replace(result, rows=tuple(rows)))
    assert found[0].startswith("8 of 10 published or derived numbers")
    assert found[1].startswith("Not reproduced: Ahn, GD, L = 1, Σ = I: 2 against 1.")
    assert "Not settled, for wide intervals: Ahn, L = 3, own prompts" in found[1]
    assert found[2:] == good[1:]


def test_errors_are_not_rounded_down(result):
    rows = list(result.rows)
    rows[0] = dataclasses.replace(rows[0], ours=1.0142 * rows[0].theirs, ours_high=1.4)
    for i in range(1, len(rows)):
        if rows[i].low == rows[i].high:
            rows[i] = dataclasses.replace(rows[i], ours=rows[i].theirs)
    found = STUDY.findings(dataclasses.replace(result, rows=tuple(rows)))
    assert "to 1.5 % or better" in found[0]


def test_findings_follow_the_numbers(result):
    layers = result.layers._replace(preconditioned=1.5 * result.layers.rotated)
    assert "not less at every depth" in changed(result, layers=layers)["Ahn et al., Σ rotated"]

    for factor, verdict in ((0.5, "is not the best"), (1.5, "is overfitting"), (1, "adds nothing")):
        after = factor * result.trained.before * [1.001, 0.999]
        texts = changed(result, trained=result.trained._replace(after=after))
        assert verdict in texts["Ahn et al."]

    for ratios, verdict in (
        ((1.5, 1.501, 1.499), "it does not equal one step"),
        ((1.0053, 1.0054, 1.0052), "it equals one step to 0.53 %, outside the interval"),
        ((1.0, 1.001, 0.999), "it equals one step"),
        ((1.0, 1.5, 2.0), "one step is not settled"),
    ):
        layer = result.layer._replace(trained=np.array([ratios, ratios]).T)
        assert verdict in changed(result, layer=layer)["von Oswald et al."]

    damping = "Why von Oswald et al. damp"
    calm = result.damped._replace(log_mean=np.minimum(result.damped.log_mean, -0.5))
    assert "is least after 5 steps and then grows" in changed(result)[damping]
    assert "grows" not in changed(result, damped=calm)[damping]

    flat = result.iterations[0]._replace(matched=np.full_like(result.iterations[0].matched, 5.0))
    words = changed(result, iterations=(flat, result.iterations[1]))["Fu et al."]
    assert "not settled here" in words

    above = Interval(*(np.array(x) for x in (2.0, 1.5, 3.0)))
    curves = tuple(dataclasses.replace(c, over_u_kappa=above) for c in result.curves)
    assert "not clearly below" in changed(result, curves=curves)["Precision in float32"]
    coarse = Interval(*(np.full(9, 1e-3) for _ in range(3)))
    curves = tuple(dataclasses.replace(c, error=coarse) for c in result.curves)
    assert "more than its rounding" in changed(result, curves=curves)["Precision in float32"]


@pytest.mark.parametrize("kind", ["result", "tiny"])
def test_sheets_fit_80_columns(kind, request):
    for sheet in STUDY.sheets(request.getfixturevalue(kind)):
        widths = [max(map(len, column)) for column in zip(sheet.columns, *sheet.rows, strict=True)]
        assert sum(widths) + 2 * (len(widths) - 1) <= 80 or kind == "tiny"
        assert len(sheet.title) <= 80
        assert len(sheet.rows) <= 16


def test_plots_small_and_degenerate_results(result, tiny):
    pytest.importorskip("matplotlib")
    nothing = dataclasses.replace(
        tiny,
        layers=tiny.layers._replace(layered=np.zeros_like(tiny.layers.layered)),
        iterations=tuple(
            part._replace(newton=np.full_like(part.newton, np.nan)) for part in tiny.iterations
        ),
    )
    for shown in (result, tiny, nothing):
        figure = STUDY.plot(shown)
        figure.canvas.draw()
        assert len(figure.axes) == 4
        assert all(axes.get_xlabel() and axes.get_ylabel() for axes in figure.axes)


def test_the_same_numbers_again_and_from_kept_parts(tiny):
    def numbers(result):
        parts = (result.layers, result.trained, result.layer, result.loops, result.damped)
        arrays = [field for part in (*parts, *result.iterations) for field in part]
        return [*arrays, *(curve.error.value for curve in result.curves)]

    kept = {}
    first = numbers(compute(TINY, Parts(kept=kept)))
    again = numbers(compute(TINY, Parts(kept=kept)))
    for a, b, c in zip(numbers(tiny), first, again, strict=True):
        assert a.tobytes() == b.tobytes() == c.tobytes()
    assert len(kept) == 8 + 2 + 4 * 2 + 4 + sum(
        floors.runs(method, e, 2) for method in floors.METHODS for e in (1, 2) for _ in range(2)
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"repeats": 1}, "repeats: expected at least 2, got 1"),
        ({"trainings": 1}, "trainings: expected at least 2"),
        ({"layer_prompts": 3}, "layer_prompts: expected at least 4, got 3"),
        ({"layer_iterations": 0}, "layer_iterations: expected at least 1"),
        ({"floor_exponents": ()}, "floor_exponents: expected at least 0, got -1"),
        ({"floor_exponents": (2, 1)}, "floor_exponents: expected rising numbers"),
        ({"floor_exponents": (0, 1, 6)}, "expected two or more from 1 to plain_exponent = 4"),
        ({"floor_exponents": (1, 7)}, "floor_exponents: expected none above 6"),
        ({"seed": -1}, "seed: expected at least 0"),
    ],
)
def test_config_refuses_what_means_nothing(change, message):
    with pytest.raises(ValueError, match=message):
        Config(**change)


def test_study_names_itself():
    assert STUDY.name == "literature"
    assert STUDY.quick != STUDY.full
    assert loopcore.studies.frame.study.find("literature") is STUDY
