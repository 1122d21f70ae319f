"""The tables of the literature study, as text."""

from __future__ import annotations

import numpy as np

from loopcore.studies.frame.intervals import decimals, number, plus_minus
from loopcore.studies.frame.repeats import Estimate, estimate
from loopcore.studies.frame.study import Sheet
from loopcore.studies.literature import floors, fu
from loopcore.studies.literature.result import Result
from loopcore.studies.literature.table import Row


def sheets(result: Result) -> tuple[Sheet, ...]:
    """Lay out the one table, and what it draws on."""
    return (_table(result), _layers(result), _iterations(result), _floors(result))


def in_brackets(value: Estimate) -> str:
    """Write the mean, and in brackets the half width in units of its last digit.

    Examples
    --------
    >>> import numpy as np
    >>> in_brackets(Estimate(np.array(1.1538), np.array(0.0123)))
    '1.154(12)'
    >>> in_brackets(Estimate(np.array(3.4e-6), np.array(2e-7)))
    '3.40(20)e−6'
    """
    mean, half_width = float(value.mean), float(value.half_width)
    digits = decimals(half_width)
    if digits is None:
        return number(mean)
    if digits > 5 and mean > 0:
        exponent = int(np.floor(np.log10(mean)))
        scaled = Estimate(np.array(mean / 10.0**exponent), np.array(half_width / 10.0**exponent))
        return f"{in_brackets(scaled)}e−{-exponent}"
    return f"{mean:.{digits}f}({half_width * 10**digits:.0f})".replace("-", "−")


def theirs_text(row: Row) -> str:
    """Write a published number, its range, or the claim."""
    if np.isnan(row.theirs):
        return f"< {number(row.high)}" if row.low == 0 else f"> {number(row.low)}"
    if row.low == row.high:
        return number(row.theirs, 4)
    if row.high > 5 * row.low:
        return f"about {number(row.theirs, 1)}"
    return f"{number(row.low, 2)} to {number(row.high, 2)}"


def ours_text(row: Row) -> str:
    """Write ours with its interval."""
    return plus_minus(Estimate(np.array(row.ours), np.array(row.ours_high - row.ours)))


def _table(result: Result) -> Sheet:
    columns = ("paper", "quantity", "from", "theirs", "ours", "agrees")
    rows = tuple(
        (row.paper, row.quantity, row.source, theirs_text(row), ours_text(row), row.agrees)
        for row in result.rows
    )
    return Sheet("Published, or a closed form; and ours with 95 % intervals", columns, rows)


def _layers(result: Result) -> Sheet:
    names = {
        "identity": "GD, Σ = I",
        "rotated": "GD, Σ rotated",
        "preconditioned": "Γ ∝ Σ⁻¹, one step size",
        "steps": "Γ_l ∝ Σ⁻¹, L step sizes",
        "plus": "GD++, one η and γ",
        "layered": "GD++, η_l and γ_l",
    }
    rows = tuple(
        (label, *(in_brackets(estimate(getattr(result.layers, name)[:, L])) for L in range(4)))
        for name, label in names.items()
    )
    columns = ("model", "L = 1", "L = 2", "L = 3", "L = 4")
    return Sheet(
        "Ahn et al.: loss after L layers, ± in its last digits; predicting 0 has 5", columns, rows
    )


def _iterations(result: Result) -> Sheet:
    rows = []
    for k in range(0, len(fu.NEWTON_STEPS), 2):
        row = [str(fu.NEWTON_STEPS[k])]
        for part in result.iterations:
            error, steps = np.median(part.newton[:, k]), np.median(part.matched[:, k])
            row += [number(float(error), 2), number(float(steps)) if np.isfinite(steps) else "–"]
        rows.append(tuple(row))
    heads = [f"{what}, κ = {kappa:.0f}" for kappa in fu.KAPPAS for what in ("error", "GD steps")]
    return Sheet(
        "Fu et al.: median error after k steps of Newton, and GD steps to the same",
        ("k", *heads),
        tuple(rows),
    )


def _floors(result: Result) -> Sheet:
    exponents = [e for e in result.config.floor_exponents if e % 2 == 0]
    rows = []
    for curve in result.curves:
        row = [curve.method, curve.dtype.removeprefix("float")]
        for e in exponents:
            near = np.flatnonzero(np.abs(np.log10(curve.kappa) - e) < 0.4)
            row.append(number(float(curve.error.value[near[0]]), 2) if len(near) else "–")
        rows.append((*row, number(float(curve.slope.value), 2)))
    assert len(rows) == len(floors.METHODS) * len(floors.DTYPES)
    heads = (f"κ = 1e{e}" for e in exponents)
    return Sheet(
        "Smallest relative errors, medians; slope of log error by log κ",
        ("method", "bits", *heads, "slope"),
        tuple(rows),
    )
