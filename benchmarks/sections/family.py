"""The general family: loopcore and the same models as users write them in NumPy, PyTorch, JAX.

`family.py` says what the cells are. There is no machine limit here: the measure is the best peer.
"""

from __future__ import annotations

from contenders import FAMILY_PACKAGES, Peer, family_library
from family import FAMILY_CELLS, build_family
from family_verdict import FamilyVerdict
from limits import Limits
from problems import Cell
from sections.table import BASE, Contender, Row, compete, everybody, excuses, tell
from setting import Setting
from timing import spread


def measure(setting: Setting) -> list[Row]:
    """Check and time every contender on every family cell, with given η."""
    rows = []
    for cell in FAMILY_CELLS.values():
        for dtype in setting.dtypes:
            row = Row(cell.quick() if setting.quick else cell, dtype, "given")
            verdict = FamilyVerdict(build_family(row.cell, dtype))
            rows.append(compete(setting, row, verdict, contenders(setting, row.cell)))
            tell(row)
    return rows


def contenders(setting: Setting, cell: Cell) -> list[Contender]:
    """Give name, excuse and forms of everybody."""
    base = (BASE, "", lambda problem: {"auto": family_library(problem)})
    chosen = {peer.package for peer in setting.peers}
    peers = [Peer(name, cell.name, "family") for name in FAMILY_PACKAGES if name in chosen]
    return [base, *((peer.package, peer.excuse(cell), peer.forms) for peer in peers)]


def lines(rows: list[Row], limits: Limits) -> list[str]:  # noqa: ARG001
    """Print time, best peer, ratio and spread; then every contender's time."""
    head = f"{'cell':11} {'dtype':8} {'eta':6} {'ms':>11} {'best peer':28} {'peer/time':>10}"
    text = [f"{head} {'spread':>7}"]
    for row in rows:
        assert row.time is not None, "loopcore is always timed"
        name, time = row.peer or ("-", float("nan"))
        best = f"{name}: {row.forms[name]}" if row.peer else name
        text.append(
            f"{row.case} {1e3 * row.time:11.4f} {best:28} {time / row.time:10.2f}"
            f" {spread(row.seconds[BASE]):7.0%}"
        )
    return [*text, "", *everybody(rows), "", *excuses(rows)]


def figures(rows: list[Row], limits: Limits) -> dict[str, float]:  # noqa: ARG001
    """Name the best peer's time over loopcore's, in float64."""
    return {
        f"peer / time:{row.cell.name}": row.peer[1] / row.time
        for row in rows
        if row.dtype == "float64" and row.peer and row.time
    }
