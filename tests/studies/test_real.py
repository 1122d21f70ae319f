"""The study on real tables, against literal computations on a few prompts."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import loopcore
from loopcore import reference, theory
from loopcore.studies import real
from loopcore.studies.frame.intervals import Interval
from loopcore.studies.frame.parts import Parts
from loopcore.studies.frame.study import find
from loopcore.studies.real import cells, figure, measure, pooled, sources
from loopcore.studies.real.config import QUICK, Config
from loopcore.studies.real.prompts import Prompts, draw_rows, standardised
from loopcore.tables import Table, TableError

TINY = Config(
    tables=("iris", "linnerud"),
    ratios=(1.0, 4.0),
    prompts=60,
    slow_prompts=20,
    test_rows=30,
    doublings=10,
)


@pytest.fixture(scope="module")
def result() -> real.Result:
    return real.compute(TINY)


def table_of(X: np.ndarray, y: np.ndarray, name: str = "made") -> Table:
    return Table(X, y, tuple(f"x{i}" for i in range(X.shape[1])), "y", name)


def prompts_of(rng: np.random.Generator, B: int, n: int, d: int, m: int) -> Prompts:
    X = rng.standard_normal((B, n + m, d)) * [1.0, 10.0, 0.1, *np.ones(d - 3)] + 5
    y = X @ rng.standard_normal(d) + rng.standard_normal((B, n + m)) + 20
    return standardised(X[:, :n], y[:, :n], X[:, n:], y[:, n:])


# Tables


@pytest.mark.parametrize("name", sources.NAMES)
def test_a_shipped_table_has_numbers_that_vary(name: str) -> None:
    table = sources.shipped(name)
    assert np.isfinite(table.X).all()
    assert np.isfinite(table.y).all()
    assert (np.ptp(table.X, axis=0) > 0).all()
    assert np.ptp(table.y) > 0
    assert len(np.unique(table.X, axis=1).T) == table.X.shape[1] == len(table.feature_names)
    assert table.target_name not in table.feature_names


def test_categories_become_indicators_of_all_but_one() -> None:
    table = sources.shipped("grunfeld")
    firms = [i for i, name in enumerate(table.feature_names) if name.startswith("firm")]
    sums = table.X[:, firms].sum(axis=1)
    assert len(firms) == 10
    assert set(np.unique(sums)) == {0.0, 1.0}
    assert np.sum(sums == 0) == 20  # each firm has 20 years
    assert "firm: indicators of 10 of its 11 categories" in table.notes


def test_rows_that_miss_a_value_are_left_out() -> None:
    table = sources.shipped("fertility")
    assert table.X.shape == (192, 51)
    assert "27 of 219 rows left out, which miss a value" in table.notes
    assert "left out, without any value: 2012, 2013" in table.notes


def test_constant_columns_are_left_out() -> None:
    table = sources.shipped("digits")
    assert table.X.shape == (1797, 60)
    assert table.notes == ("left out, constant: pixel_0_0, pixel_4_0, pixel_4_7",)


def test_a_file_loses_constant_and_equal_columns_and_incomplete_rows(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("a,b,c,t\n1,1,5,2\n2,2,5,3\n3,3,5,9\n4,4,5,\n")
    table = sources.from_file(path, "t")
    assert table.X.tolist() == [[1.0], [2.0], [3.0]]
    assert table.feature_names == ("a",)
    assert any("1 of 4 rows" in note for note in table.notes)
    assert table.notes[-2:] == ("left out, constant: c", "left out, equal to a: b")
    with pytest.raises(TableError, match="no feature varies"):
        sources.from_file(path, "t", drop=("a", "b"))
    path.write_text("a,kind,t\n1,red,2\n2,blue,3\n")
    with pytest.raises(TableError, match=r"not numbers: kind"):
        sources.from_file(path, "t")
    with pytest.raises(TableError, match="the target is constant"):
        sources.from_file(_written(path, "a,t\n1,2\n2,2\n"), "t")
    with pytest.raises(ValueError, match="tables: expected some of"):
        sources.shipped("boston")


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


# Prompts


def test_a_prompt_is_standardised_by_its_own_rows(rng: np.random.Generator) -> None:
    X, y = rng.standard_normal((2, 9, 3)) * 7 + 100, rng.standard_normal((2, 9)) + 3
    queries, targets = rng.standard_normal((2, 4, 3)), rng.standard_normal((2, 4))
    prompts = standardised(X, y, queries, targets)
    mean, deviation = X[1].mean(axis=0), X[1].std(axis=0)
    np.testing.assert_allclose(prompts.X[1], (X[1] - mean) / deviation, atol=1e-12)
    np.testing.assert_allclose(prompts.queries[1], (queries[1] - mean) / deviation, rtol=1e-12)
    np.testing.assert_allclose(prompts.y[1], (y[1] - y[1].mean()) / y[1].std(), atol=1e-13)
    other = standardised(X, y, 5 * queries, 5 * targets)
    assert np.array_equal(other.X, prompts.X)  # nothing of a test row is used
    assert np.array_equal(other.y, prompts.y)


def test_a_constant_column_and_a_constant_target_become_zero(rng: np.random.Generator) -> None:
    X, queries = rng.standard_normal((1, 8, 3)), rng.standard_normal((1, 5, 3))
    X[0, :, 1] = 0.1  # a mean that rounds
    y = np.full((1, 8), 0.3)
    prompts = standardised(X, y, queries, np.array([[0.3, 1.3, 2.3, 3.3, 4.3]]))
    assert not prompts.X[0, :, 1].any()
    assert not prompts.queries[0, :, 1].any()
    assert not prompts.y.any()
    np.testing.assert_allclose(prompts.targets[0], [0, 1, 2, 3, 4], atol=1e-12)


def test_rows_are_distinct_and_test_rows_are_others(rng: np.random.Generator) -> None:
    rows = draw_rows(20, 12, 30, 100, rng)
    assert rows.shape == (30, 20)
    assert (np.sort(rows, axis=1) == np.arange(20)).all()
    assert draw_rows(20, 12, 3, 5, rng).shape == (3, 17)


# One prompt, literally


def test_errors_are_those_of_the_literal_loop() -> None:
    table = sources.shipped("linnerud")
    config = replace(TINY, doublings=6, prompts=3, slow_prompts=3)
    part = measure.measure_chunk(table, 12, 0, config)
    seed = [0, measure.zlib.crc32(b"linnerud"), 12, 0]
    rows = draw_rows(20, 12, 3, 30, np.random.default_rng(seed))
    for b in range(3):
        inside, outside = rows[b, :12], rows[b, 12:]
        X, y = table.X[inside], table.y[inside]
        mean, scale = X.mean(axis=0), X.std(axis=0)
        Z, t = (X - mean) / scale, (y - y.mean()) / y.std()
        theta, _, _, sigma = np.linalg.lstsq(Z, t, rcond=None)
        kappa = (sigma[0] / sigma[-1]) ** 2
        v, errors, risks = np.zeros(3), [], []
        for _ in range(65):
            errors.append(abs(v @ theta - theta @ theta) / (theta @ theta))
            predicted = y.mean() + y.std() * ((table.X[outside] - mean) / scale) @ v
            spread = table.y[outside].var()
            risks.append(((table.y[outside] - predicted) ** 2).mean() / spread)
            v = v - Z.T @ (Z @ v - t) / sigma[0] ** 2
        at = list(config.loops)
        np.testing.assert_allclose(part.error[b], np.array(errors)[at], rtol=1e-9, atol=1e-13)
        np.testing.assert_allclose(part.exact[b], np.array(errors)[at], rtol=1e-9, atol=1e-13)
        np.testing.assert_allclose(part.risk[b], np.array(risks)[at], rtol=1e-9)
        np.testing.assert_allclose(part.kappa[b], kappa, rtol=1e-10)
        np.testing.assert_allclose(part.squared_norm[b], theta @ theta, rtol=1e-10)
        first = next(T for T, error in enumerate(errors) if error <= 0.1)
        assert part.needed[b, measure.TOLERANCES.index(0.1)] == first
        # Least squares with an intercept, in the table's own units.
        ones = np.ones((len(rows[b]), 1))
        design = np.hstack([ones, table.X[rows[b]]])
        beta = np.linalg.lstsq(design[:12], y, rcond=None)[0]
        wrong = ((design[12:] @ beta - table.y[outside]) ** 2).mean() / table.y[outside].var()
        which = measure.LEARNERS.index("least squares")
        np.testing.assert_allclose(part.learners[b, which], wrong, rtol=1e-8)
        assert part.learners[b, measure.LEARNERS.index("best T")] == part.risk[b].min()


def test_fewest_loops_are_those_of_theory(rng: np.random.Generator) -> None:
    X, y = rng.standard_normal((20, 12, 4)), rng.standard_normal((20, 12))
    basis = theory.eigenbasis(X, y)
    lam, weights = basis.eigenvalues, basis.theta**2
    kappa = lam[:, 0] / lam[:, -1]
    for tolerance in measure.TOLERANCES:
        found = measure.fewest_loops(lam, weights, kappa, tolerance)
        for b in range(20):
            expected = theory.fewest_loops(
                tolerance,
                lambda T, b=b: theory.relative_error(
                    theory.loop_shrinkage(T, lam[b], 1 / lam[b, 0]), weights[b]
                ),
            )
            assert found[b] == expected
        assert (found <= measure.bound_loops(kappa, tolerance)).all()
    assert measure.fewest_loops(lam, weights, kappa * 0 + 1, 1e-6).max() == np.inf  # a false κ


def test_cross_validation_is_that_of_literal_folds(rng: np.random.Generator) -> None:
    n, d = 13, 3
    config = replace(TINY, doublings=4)
    prompts = prompts_of(rng, 6, n, d, 1)
    loops, penalty = measure.choose(prompts, config)
    for b in range(6):
        by_loops, by_penalty = np.zeros(len(config.loops)), np.zeros(len(measure.PENALTIES))
        for k in range(measure.FOLDS):
            held = np.arange(n) % measure.FOLDS == k
            X, y = prompts.X[b][~held], prompts.y[b][~held]
            mean, scale = X.mean(axis=0), X.std(axis=0)
            Z, t = (X - mean) / scale, (y - y.mean()) / y.std()
            queries = (prompts.X[b][held] - mean) / scale
            for i, T in enumerate(config.loops):
                v = reference.run(Z, t, 1.0, T)
                predicted = y.mean() + y.std() * queries @ np.asarray(v, np.float64)
                by_loops[i] += ((predicted - prompts.y[b][held]) ** 2).sum()
            for i, p in enumerate(len(t) * measure.PENALTIES):
                theta = np.linalg.solve(Z.T @ Z + p * np.eye(d), Z.T @ t)
                predicted = y.mean() + y.std() * queries @ theta
                by_penalty[i] += ((predicted - prompts.y[b][held]) ** 2).sum()
        assert loops[b] == by_loops.argmin()
        assert penalty[b] == by_penalty.argmin()


def test_folds_do_not_know_the_rows_that_they_leave_out(rng: np.random.Generator) -> None:
    # With n ≤ d + 1 rows around their own mean, each row is minus the sum of the others and the
    # interpolant predicts it without error: choosing by that would never stop early.
    X, y = rng.standard_normal((40, 6, 8)), rng.standard_normal((40, 6))
    prompts = standardised(X, y, X[:, :0], y[:, :0])
    held = np.array([0])
    fold, _ = measure._fold(prompts, held)
    np.testing.assert_allclose(fold.X.mean(axis=1), 0, atol=1e-14)
    _, penalty = measure.choose(prompts, replace(TINY, doublings=12))
    assert np.mean(penalty > 0) > 0.5  # y is noise: shrinking is right


# κ


def test_kappa_of_shuffled_columns_is_that_of_independent_ones(rng: np.random.Generator) -> None:
    mixing = np.full((6, 6), 0.9) + 0.1 * np.eye(6)
    X = rng.standard_normal((3000, 6)) @ np.linalg.cholesky(mixing).T
    table = table_of(X, X.sum(axis=1) + rng.standard_normal(3000))
    part = measure.measure_chunk(
        table, 480, 0, replace(TINY, prompts=20, slow_prompts=1, doublings=1)
    )
    assert np.median(part.kappa) == pytest.approx((0.1 + 6 * 0.9) / 0.1, rel=0.15)
    X, y = rng.standard_normal((200, 480, 6)), np.ones((200, 480))
    drawn = standardised(X, y, X[:, :0], y[:, :0])
    independent = loopcore.spectrum(drawn.X).kappa
    assert np.median(part.shuffled_kappa) == pytest.approx(np.median(independent), rel=0.05)
    assert (part.rank == 6).all()


def test_rows_fewer_than_features_have_rank_one_less(result: real.Result) -> None:
    wide = real.compute(replace(TINY, tables=("wine",), ratios=(0.5,), prompts=10))
    assert wide.cells[0].n == 6
    assert wide.cells[0].rank.value == 5
    assert np.isfinite(wide.cells[0].kappa.value)
    whole = {table.name: table for table in result.tables}
    Z = sources.shipped("iris").X
    eigenvalues = np.linalg.eigvalsh(np.corrcoef(Z.T))
    assert whole["iris"].kappa == pytest.approx(eigenvalues[-1] / eigenvalues[0], rel=1e-9)


# What is made of it


def test_the_bound_holds_and_the_exact_error_is_met(result: real.Result) -> None:
    for cell in result.cells:
        assert cell.above_bound == cell.above_rate == 0
        assert cell.excess < 1e-12
        assert cell.deviation < 1e-10
        assert cell.compared == (cell.prompts - cell.blank) * (len(TINY.loops) - 1)
        assert (cell.slack.value >= 1.9).all()  # 2 κ log(1/ε) beside at most κ log(1/ε)
    assert [cell.table for cell in result.cells] == ["iris"] * 2 + ["linnerud"] * 2
    assert [cell.n for cell in result.cells] == [12, 120, 12, 16]


def test_a_broken_bound_is_counted_and_said(result: real.Result) -> None:
    table = result.tables[0]
    part = measure.measure_chunk(sources.shipped("iris"), 12, 0, TINY)
    wrong = part._replace(error=part.error * 3)
    cell = cells.cell(table, 12, [wrong], TINY)
    with np.errstate(over="ignore"):
        bound = np.exp(-np.array(TINY.loops) / (2 * part.kappa[:, None]))
    expected = np.sum((wrong.error > bound + measure.ROUNDING)[:, 1:])
    assert cell.above_bound == expected > 0
    said = real.STUDY.findings(replace(result, cells=(cell,)))
    assert (
        f"is above exp(−T/2κ) in {expected:,} of {cell.compared:,} comparisons, on iris" in said[0]
    )
    assert "more than rounding" in said[1]
    assert "no more than rounding" not in said[1]
    kept = real.STUDY.findings(result)
    assert f"in none of {sum(one.prompts for one in result.cells):,} prompts" in kept[0]
    assert "no more than rounding" in kept[1]


def test_ratios_are_those_of_each_prompt(result: real.Result) -> None:
    part = measure.measure_chunk(sources.shipped("iris"), 12, 0, TINY)
    cell = cells.cell(result.tables[0], 12, [part], TINY)
    which = measure.LEARNERS.index("neighbours")
    ratios = np.sort(part.learners[:20, 0] / part.learners[:20, which])
    assert np.isnan(part.learners[20:, which]).all()
    assert cell.ratio.value[which] == ratios[9]
    assert cell.ratio.value[0] == 1
    assert cell.chosen.value in TINY.loops


def test_findings_follow_the_numbers(result: real.Result) -> None:
    one = np.ones(len(measure.LEARNERS))

    def with_ratio(low: float, high: float) -> tuple[str, ...]:
        ratio = Interval(one * (low + high) / 2, one * low, one * high)
        changed = tuple(replace(cell, ratio=ratio) for cell in result.cells)
        return real.STUDY.findings(replace(result, cells=changed))

    better, worse, undecided = with_ratio(0.4, 0.6), with_ratio(1.5, 2.5), with_ratio(0.5, 1.5)
    assert "better in 4, worse in 0 and not settled in 0 of 4" in better[7]
    assert "lose most" not in better[7]
    assert "better in 0, worse in 4 and not settled in 0 of 4" in worse[7]
    assert "the loops lose most by 2 (1.5 to 2.5; " in worse[7]
    assert "worse in 0 and not settled in 4 of 4" in undecided[7]
    assert "with larger n better in 1 of 1 tables × n and worse in 0" in better[6]
    assert "with larger n better in 0 of 1 tables × n and worse in 1" in worse[6]
    assert "not shown to beat the mean" in undecided[7]
    assert "not shown to beat the mean" not in better[7]
    same = [replace(cell, shuffled_kappa=cell.kappa) for cell in result.cells]
    assert (
        "no more than that of independent columns"
        in (real.STUDY.findings(replace(result, cells=tuple(same)))[3])
    )


def test_fewer_rows_are_said_to_gain_more_only_where_they_do(result: real.Result) -> None:
    def at(n: int, ratio: float) -> real.Cell:
        one = np.full(len(measure.LEARNERS), ratio)
        cell = next(cell for cell in result.cells if cell.table == "iris")
        return replace(cell, n=n, ratio=Interval(one, one, one))

    falling, level = (at(3, 0.5), at(12, 1.5)), (at(3, 0.5), at(12, 0.5))
    lead = "The fewer rows a prompt has, the more often early stopping predicts better"
    assert real.STUDY.findings(replace(result, cells=falling))[6].startswith(lead)
    assert real.STUDY.findings(replace(result, cells=level))[6].startswith("Early stopping against")


def test_where_the_loops_stop_is_said_beside_the_loops_to_convergence(result: real.Result) -> None:
    def stopping_at(chosen: float, needed: float) -> tuple[str, ...]:
        loops, enough = (Interval(*[np.array(v)] * 3) for v in (chosen, np.full(3, needed)))
        changed = [replace(cell, chosen=loops, needed=enough) for cell in result.cells]
        return real.STUDY.findings(replace(result, cells=tuple(changed)))

    early, late = stopping_at(4, 41), stopping_at(4, 39)
    assert "less than a tenth of those loops on 2 of 2 tables" in early[0]
    assert "far from convergence" in early[5]
    assert "less than a tenth of those loops on 0 of 2 tables" in late[0]
    assert "near convergence on most" in late[5]
    # The most loops that were allowed tell nothing, however many are needed.
    assert "on 0 of 2 tables" in stopping_at(TINY.loops[-1], 1e9)[0]


def test_findings_are_short(result: real.Result) -> None:
    first, *others = real.STUDY.findings(result)
    assert first.startswith("Open question 3")
    assert len(first) <= 350
    assert max(map(len, others)) <= 600
    assert len(others) <= 8
    assert others[-1].startswith("Not settled")
    assert len(real.STUDY.question) <= 300
    assert len(real.STUDY.caption) <= 700


def test_prompts_with_a_constant_target_are_counted(rng: np.random.Generator) -> None:
    X, y = rng.standard_normal((60, 2)), np.zeros(60)
    y[:4] = [1.0, 2.0, 3.0, 4.0]
    config = replace(TINY, prompts=60, ratios=(3.0,), doublings=3)
    table = table_of(X, y)
    part = measure.measure_chunk(table, 6, 0, config)
    blank = int(np.sum(part.squared_norm == 0))
    cell = cells.cell(cells.whole(table), 6, [part], config)
    assert 0 < blank < measure.CHUNK
    assert cell.blank == blank
    assert np.isnan(part.error[part.squared_norm == 0]).all()
    assert np.isfinite(cell.error).all()
    all_blank = measure.measure_chunk(table_of(X, np.append(np.zeros(59), 1.0)), 5, 0, config)
    none = all_blank._replace(
        squared_norm=np.zeros(measure.CHUNK), error=np.full(all_blank.error.shape, np.nan)
    )
    cell = cells.cell(cells.whole(table), 5, [none], config)
    assert cell.blank == measure.CHUNK
    empty = real.Result(config, config.loops, (cells.whole(table),), (cell,))
    assert real.STUDY.findings(empty) == (
        "No prompt had a target that varies: nothing was measured.",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.plot(empty)


def test_typical_cells_bands_and_spread(result: real.Result) -> None:
    cell = pooled.typical(result.of(result.tables[0]))
    assert cell is not None
    assert cell.n == 12
    assert pooled.typical(()) is None
    assert sum(len(pooled.in_band(result.cells, band)) for band in range(3)) == len(result.cells)
    made = [replace(result.tables[0], name=str(k), kappa=10.0**k) for k in (3, 0, 2, 1, 4)]
    assert [table.name for table in pooled.shown(made, 3)] == ["0", "2", "4"]
    assert [table.name for table in pooled.shown(made, 3, first=1)] == ["3", "0", "4"]


# The study


def test_the_same_configuration_gives_the_same_bits(result: real.Result) -> None:
    config = replace(TINY, tables=("linnerud",), ratios=(4.0,), prompts=70, doublings=5)
    kept: dict[str, tuple[np.ndarray, ...]] = {}
    first = real.compute(config, Parts(kept=kept))
    again, alone = real.compute(config, Parts(kept=kept)), real.compute(config)
    assert len(kept) == 4  # two n, two chunks each
    for one in (again, alone):
        for a, b in zip(first.cells, one.cells, strict=True):
            assert repr(a) == repr(b)
    assert first.cells[0].prompts == 70
    other = real.compute(replace(config, seed=1))
    assert other.cells[0].kappa.value != first.cells[0].kappa.value


def test_a_file_comes_first_and_is_measured_anew_once_changed(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    path = tmp_path / "own.csv"
    rows = rng.standard_normal((30, 3)).round(3)
    text = "\n".join(",".join(map(str, row)) for row in rows)
    path.write_text(f"a,b,t\n{text}\n")
    config = Config(("iris",), (4.0,), prompts=6, doublings=4, csv=path, target="t")
    kept: dict[str, tuple[np.ndarray, ...]] = {}
    first = real.compute(config, Parts(kept=kept))
    assert [table.name for table in first.tables] == ["own.csv", "iris"]
    assert first.tables[0].target == "t"
    assert first.cells[0].table == "own.csv"
    before = len(kept)
    path.write_text(f"a,b,t\n{text}\n7,8,9\n")
    real.compute(config, Parts(kept=kept))
    assert len(kept) == before + 2
    path.write_text("a,b,t\n1,2,3\n4,5,7\n2,1,1\n")
    with pytest.raises(TableError, match="too few rows for prompts and test rows: 3, with 2"):
        real.compute(config)


def test_one_feature_and_no_loops_are_drawn_without_warnings(tmp_path: Path) -> None:
    path = tmp_path / f"{'line' * 30}.csv"
    path.write_text("a,t\n" + "\n".join(f"{i},{i * i}" for i in range(12)) + "\n")
    config = Config((), (8.0,), prompts=1, doublings=0, csv=path, target="t")
    result = real.compute(config)
    assert result.cells[0].kappa.value == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        real.STUDY.plot(result).savefig(tmp_path / "a.png")
    said = real.STUDY.findings(result)
    assert len(said) == 9
    assert len(said[0]) <= 350
    assert max(map(len, said)) <= 600
    assert real.STUDY.sheets(result)


def test_the_figure_is_drawn_without_warnings(result: real.Result, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = real.STUDY.plot(result)
        drawn.savefig(tmp_path / "a.png")
    panel = drawn.axes[0]
    lines = {line.get_label(): line for line in panel.get_lines()}
    cell = pooled.typical(result.of(result.tables[0]))
    assert cell is not None
    x, y = lines["iris (12)"].get_data()
    at = np.array(result.loops)[np.searchsorted(np.array(result.loops) / cell.kappa.value, x[-1])]
    assert y[-1] == cell.error[result.loops.index(at)]


def test_sheets_fit_a_terminal(result: real.Result) -> None:
    laid = real.STUDY.sheets(result)
    assert len(laid) == 4
    for sheet in laid:
        cells_of = [sheet.columns, *sheet.rows]
        widths = [max(len(row[i]) for row in cells_of) for i in range(len(sheet.columns))]
        assert all(len(row) == len(sheet.columns) for row in sheet.rows)
        assert sum(widths) + 2 * (len(widths) - 1) <= 80


def test_the_study_is_found_by_its_name() -> None:
    study = find("real")
    assert study is real.STUDY
    assert study.quick == QUICK
    assert study.full == Config()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tables": ("boston",)}, r"tables: expected some of .*, got 'boston'"),
        ({"tables": ()}, "tables: expected at least one where no csv is given, got none"),
        ({"ratios": ()}, r"ratios: expected finite numbers above 0, got \(\)"),
        ({"ratios": (0.0,)}, "ratios: expected finite numbers above 0"),
        ({"share": 1.0}, "share: expected above 0 and below 1, got 1.0"),
        ({"csv": Path("a.csv")}, "target: expected one beside a csv, got none"),
        ({"target": "t"}, "csv: expected one beside a target, got none"),
        ({"drop": ("a",)}, "csv: expected one beside columns to drop, got none"),
        ({"rows": 4}, "rows: expected at least 5, got 4"),
        ({"test_rows": 1}, "test_rows: expected at least 2, got 1"),
        ({"prompts": 0}, "prompts: expected at least 1, got 0"),
        ({"slow_prompts": 0}, "slow_prompts: expected at least 1, got 0"),
        ({"doublings": -1}, "doublings: expected at least 0, got -1"),
        ({"doublings": 31}, "doublings: expected at most 30, got 31"),
        ({"seed": -1}, "seed: expected at least 0, got -1"),
    ],
)
def test_a_configuration_that_means_nothing_is_refused(
    change: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        replace(TINY, **change)
