"""The comparison as pictures: a bar chart of the table, and the scaling on log–log axes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from limits import Limits
from sections import scaling, table

COLOURS = {
    ("float64", "given"): "#1f5fa8",
    ("float64", "none"): "#8db9e6",
    ("float32", "given"): "#c4621a",
    ("float32", "none"): "#f0b684",
}


def draw_table(rows: list[table.Row], limits: Limits, title: str, file: Path) -> None:
    """Draw limit/time and peer/time of every case, cells side by side."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FormatStrFormatter

    figure = Figure(figsize=(11, 8), layout="constrained")
    upper, lower = figure.subplots(2, 1)
    near = {key(row): row.limit(limits) / row.time for row in rows if row.time}
    ahead = {key(row): row.peer[1] / row.time for row in rows if row.time and row.peer}
    lower.set_yscale("log")
    cells = list(dict.fromkeys(row.cell.name for row in rows))
    for axes, values, foot, missing in (
        (upper, near, 0, "not timed"),
        (lower, ahead, 1, "no peer"),
    ):
        draw_bars(axes, cells, values, foot)
        mark_missing(axes, cells, values, missing)
        axes.axhline(1, color="black", linewidth=0.8, zorder=0)
        axes.spines[["top", "right"]].set_visible(False)
    upper.set_ylabel("limit / time   (higher is better)\n1: X is read once and XᵀX formed")
    upper.set_ylim(0, 1.2 * max(1.0, *near.values()))
    lower.set_ylabel("best peer's time / time   (higher is better)")
    lower.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    lower.yaxis.set_minor_formatter(FormatStrFormatter(""))
    lower.margins(y=0.1)
    upper.set_title(title, fontsize=10)
    upper.legend(ncols=4, frameon=False, loc="upper right")
    figure.savefig(file, dpi=130)


def key(row: table.Row) -> tuple[str, str, str]:
    """Name a case."""
    return row.cell.name, row.dtype, row.eta


def draw_bars(
    axes: Any, cells: list[str], values: dict[tuple[str, str, str], float], foot: float
) -> None:
    """Draw a group of bars for each cell, one bar a type and kind of step, with its number."""
    kinds = [kind for kind in COLOURS if any(name[1:] == kind for name in values)]
    width = 0.84 / max(len(kinds), 1)
    for i, kind in enumerate(kinds):
        at = [j for j, cell in enumerate(cells) if (cell, *kind) in values]
        tops = [values[(cells[j], *kind)] for j in at]
        shift = (i - (len(kinds) - 1) / 2) * width
        bars = axes.bar(
            [j + shift for j in at],
            [top - foot for top in tops],
            0.94 * width,
            bottom=foot,
            label=f"{kind[0]}, {'η given' if kind[1] == 'given' else 'η=None'}",
            color=COLOURS[kind],
        )
        texts = [f"{top:.{2 if top < 1 else 1 if top < 10 else 0}f}" for top in tops]
        axes.bar_label(bars, texts, fontsize=6.5, padding=1)
    axes.set_xticks(range(len(cells)), cells)


def mark_missing(
    axes: Any, cells: list[str], values: dict[tuple[str, str, str], float], text: str
) -> None:
    """Say so where a cell has no bar."""
    for j in (j for j, cell in enumerate(cells) if cell not in {name[0] for name in values}):
        at = axes.get_xaxis_transform()
        axes.text(j, 0.5, text, transform=at, ha="center", rotation=90, color="grey")


def draw_scaling(rows: list[scaling.Row], limits: Limits, title: str, file: Path) -> None:
    """Draw time against T, n, d and B, with the limit dashed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 7.5), layout="constrained")
    figure.suptitle(title, fontsize=10)
    for axes, axis in zip(figure.subplots(2, 2).flat, scaling.VALUES, strict=True):
        points = [row for row in rows if row.axis == axis]
        if not points:
            continue
        for name, style in (("loopcore", "o-"), ("NumPy", "s-")):
            at = [row.value for row in points if name in row.best]
            ms = [1e3 * row.best[name] for row in points if name in row.best]
            label = "NumPy, the better variant" if name == "NumPy" else name
            axes.plot(at, ms, style, markersize=4, label=label)
        least = [1e3 * limits.seconds(row.cell, 8) for row in points]
        axes.plot([row.value for row in points], least, "k--", linewidth=1, label="limit")
        axes.set(xscale="log", yscale="log", xlabel=axis, ylabel="ms")
        rest = [f"{name}={getattr(scaling.MIDDLE, name):,}" for name in "BndT" if name != axis]
        axes.set_title(" ".join("n=2d" if axis == "d" and r[0] == "n" else r for r in rest))
        axes.grid(visible=True, which="major", alpha=0.3)
    figure.axes[0].legend(frameon=False)
    figure.savefig(file, dpi=130)
