"""The report on one table: a summary for people, and the numbers as JSON or NPZ."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table as Grid

from loopcore import theory
from loopcore.studies.frame.result_files import versions, write_json, write_npz
from loopcore.studies.table.course import TOLERANCES
from loopcore.studies.table.run import Result

OUTPUT_FORMATS = ("json", "npz")

_FEATURES_SHOWN = 24
_LOOPS_NEEDED = (
    "Loops until the relative error is at most ε: as measured here, as the theorem bounds "
    "them, and in the worst case of each step size."
)


def print_report(result: Result, console: Console) -> None:
    """Print what was run, what came of it, and what to do where it is slow.

    Parameters
    ----------
    result : Result
        What `table_run.compute` gave.
    console : rich.console.Console
        Where to; lines fit its width.
    """
    table = result.table
    features = "1 feature" if table.X.shape[1] == 1 else f"{table.X.shape[1]} features"
    console.print(f"{table.source}: {table.target_name} from {features}", style="bold")
    for note in table.notes:
        console.print(f"note: {note}")
    console.print()
    console.print(_facts(result))
    if result.relative_error > result.steps.worst_case(result.config.loops) and not result.diverged:
        console.print("note: bounds leave out rounding, which keeps errors at about κ·1e-16")
    for warning in _warnings(result):
        console.print(f"warning: {warning}", style="bold red")
    if result.rank > 0:
        console.print(f"\n{_LOOPS_NEEDED}")
        console.print(_loops_needed(result))
        for line in _advice(result):
            console.print(line)
    console.print()
    console.print(_vector(result))
    hidden = table.X.shape[1] - _FEATURES_SHOWN
    if hidden > 0:
        console.print(f"  and {hidden} features with smaller |v|: see --output")


def save(result: Result, path: Path) -> None:
    """Write the vector, the errors and all that led to them.

    Parameters
    ----------
    result : Result
        What `table_run.compute` gave.
    path : path
        Ends in ``.json`` (strict JSON; NaN is null) or ``.npz`` (arrays and numbers, no pickles).
    """
    table, config = result.table, result.config
    n, d = table.X.shape
    numbers: dict[str, float] = {
        "n": n,
        "d": d,
        "rank": result.rank,
        "lambda_min": result.steps.lambda_min,
        "lambda_max": result.steps.lambda_max,
        "kappa": result.kappa,
        "step_min": result.steps.extremes(config.loops)[0],
        "step_max": result.steps.extremes(config.loops)[1],
        "relative_error": result.relative_error,
        "relative_error_bound": float(theory.relative_error_bound(config.loops, result.kappa)),
        "worst_case": float(result.steps.worst_case(config.loops)),
        "raw_error": result.raw_error,
        "raw_error_plateau": result.plateau,
        "distance_to_least_squares": result.distance,
    }
    if path.suffix.lower() == ".npz":
        arrays: dict[str, npt.ArrayLike] = {
            "v": result.v,
            "theta": result.theta,
            "feature_names": np.array(table.feature_names),
            "curve_loops": result.at,
            "curve_relative_error": result.curve,
            "alpha": config.alpha,
            "loops": config.loops,
        }
        write_npz(path, {**arrays, **numbers})
        return
    write_json(
        path,
        {
            "source": table.source,
            "target": table.target_name,
            "notes": table.notes,
            "settings": {**dataclasses.asdict(config), "standardized": table.standardized},
            "versions": versions(),
            **numbers,
            "diverged": result.diverged,
            "loops_needed": {f"{key:g}": value for key, value in result.loops_needed.items()},
            "loops_searched": result.searched,
            "v": dict(zip(table.feature_names, result.v.tolist(), strict=True)),
            "theta": dict(zip(table.feature_names, result.theta.tolist(), strict=True)),
            "curve": {"loops": result.at, "relative_error": result.curve},
        },
    )


def _facts(result: Result) -> Grid:
    """Lay out the run's numbers, each with its name and its formula."""
    table, steps, T = result.table, result.steps, result.config.loops
    n, d = table.X.shape
    lowest, highest = steps.extremes(T)
    step = _number(lowest) if lowest == highest else f"{lowest:.3g} to {highest:.3g}"
    rows: list[tuple[str, str, str]] = [
        ("rows", f"{n:,}", "n"),
        ("features", f"{d:,}", "d"),
        ("rank", f"{result.rank:,}", f"singular values > {result.rank_tolerance:.0e} σ_max"),
        ("smallest eigenvalue", _number(steps.lambda_min), "λ_min of XᵀX, non-zero"),
        ("largest eigenvalue", _number(steps.lambda_max), "λ_max"),
        ("condition number", _number(result.kappa), "κ = λ_max/λ_min"),
        ("step size", step, steps.words.name),
        ("value", _number(result.config.alpha), "α"),
        ("loops", f"{T:,}", "T"),
        ("relative error", _number(result.relative_error), "|⟨v, θ̂⟩ − α‖θ̂‖²| / (|α|‖θ̂‖²)"),
    ]
    if steps.theorem_holds:
        bound = float(theory.relative_error_bound(T, result.kappa))
        rows.append(("  theorem's bound", _number(bound), "exp(−T/2κ)"))
    rows += [
        ("  worst case", _number(float(steps.worst_case(T))), steps.words.worst_case),
        ("distance to least squares", _number(result.distance), "‖v − αθ̂‖ / ‖αθ̂‖"),
        ("raw error", _number(result.raw_error), "|⟨v, θ̂⟩ − α|"),
        ("  its plateau", _number(result.plateau), "|α|·|‖θ̂‖² − 1|"),
    ]
    grid = Grid(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    grid.add_column()
    grid.add_column(justify="right")
    grid.add_column(style="dim")
    for row in rows:
        grid.add_row(*row)
    return grid


def _warnings(result: Result) -> list[str]:
    """Say what makes the numbers above mean less than they seem."""
    steps, d = result.steps, result.table.X.shape[1]
    found = []
    stable = np.float64(2) / steps.lambda_max if steps.lambda_max > 0 else np.inf
    if result.diverged:
        found.append("the loop diverged: v is no longer finite")
    if isinstance(steps.eta, float) and steps.eta >= stable:
        found.append(
            f"η is not below 2/λ_max = {_number(stable)}, so the error does not shrink; "
            "without --eta the step is always stable"
        )
    if result.rank == 0:
        found.append("X is zero: there is nothing to learn from, and v stays 0")
    elif result.rank < d:
        found.append(
            f"rank {result.rank} is below d = {d}: θ̂ is the least-squares solution of least norm"
        )
    if not result.theta.any() or result.config.alpha == 0:
        zero = "α" if result.config.alpha == 0 else "θ̂"
        found.append(f"{zero} is 0, so there is no relative error")
    return found


def _loops_needed(result: Result) -> Grid:
    """Compare the loops measured here with those that suffice in the worst case of each step."""
    grid = Grid(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    grid.add_column("ε")
    for name in ("measured", "theorem", "η = 1/λ_max", "--eta optimal", "--eta chebyshev"):
        grid.add_column(name, justify="right")
    bounds = (
        theory.relative_error_bound,
        theory.gradient_descent_bound,
        theory.optimal_step_bound,
        theory.chebyshev_bound,
    )
    for tolerance in TOLERANCES:
        here = result.loops_needed[tolerance]
        measured = f"{here:,}" if here is not None else _not_reached(result)
        counts = [theory.loops_to_tolerance(tolerance, result.kappa, bound) for bound in bounds]
        grid.add_row(f"{tolerance:g}", measured, *map(_count, counts))
    return grid


def _not_reached(result: Result) -> str:
    return "-" if result.searched == 0 else f"> {result.searched:,}"


def _advice(result: Result) -> list[str]:
    """Say what to do where κ makes the loop slow."""
    if not result.relative_error > TOLERANCES[0]:
        return []
    lines = [f"κ = {_number(result.kappa)} makes this slow. What helps:"]
    better = result.standardized_kappa
    if better is not None and better < result.kappa:
        loops = theory.loops_to_tolerance(TOLERANCES[0], better)
        lines.append(
            f"  --standardize    κ = {_number(better)}: the theorem then asks for {_count(loops)} "
            f"loops for {TOLERANCES[0]:g}"
        )
    for eta, bound in (
        ("optimal", theory.optimal_step_bound),
        ("chebyshev", theory.chebyshev_bound),
    ):
        loops = theory.loops_to_tolerance(TOLERANCES[0], result.kappa, bound)
        lines.append(
            f"  {'--eta ' + eta:<17}{_count(loops)} loops are enough for {TOLERANCES[0]:g}"
        )
    return lines


def _vector(result: Result) -> Grid:
    """List v by feature, in the table's order, or the largest entries of a long one."""
    grid = Grid(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    grid.add_column("feature", overflow="fold")
    grid.add_column(f"v after {result.config.loops:,} loops", justify="right")
    grid.add_column("αθ̂, its limit", justify="right")
    rows = np.arange(result.v.size)
    if rows.size > _FEATURES_SHOWN:
        rows = np.argsort(-np.abs(result.v), kind="stable")[:_FEATURES_SHOWN]
    limit = result.config.alpha * result.theta
    for j in rows:
        grid.add_row(
            result.table.feature_names[j], _number(float(result.v[j])), _number(float(limit[j]))
        )
    return grid


def _number(value: float) -> str:
    return f"{value:.4g}"


def _count(loops: int) -> str:
    return f"{loops:,}" if loops < 10**7 else f"{float(loops):.1e}"
