"""Compare loopcore with NumPy, PyTorch, JAX and Numba, and with what the machine allows.

    python benchmarks/compare.py                       everything but scaling, below half an hour
    python benchmarks/compare.py --cells paper,regress --dtype float64 --sections table
    python benchmarks/compare.py --quick               smoke test: checks the answers, not the speed
    python benchmarks/compare.py --check               and hold the figures against the targets
    python benchmarks/compare.py --sections family,context --dtype float64 --check
    python benchmarks/compare.py --scaling             and draw time against T, n, d and B

Every answer is checked before it is timed. Contenders take turns in one process and rest before
each; a figure is a minimum over repeats, and `spread` says how far the median lies above it. The
machine's limits are measured in between. limit/time is 1 when T loops take no longer than reading
X once and forming XᵀX; `limits.py` has the formula. A package that is not installed is left out.

Writes table.png, scaling.png and compare.json, with every repeat, to --out, by default
results/benchmarks below the current folder. A C++ compiler is needed.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import loopcore
import targets
from charts import draw_scaling, draw_table
from contenders import PACKAGES, PEERS
from limits import Limits, Meter, compiler
from machine import describe
from problems import CELLS, DTYPES, ETAS
from sections import context, family, isa, memory, scaling, shared, table, threads
from setting import Setting

SECTIONS = {
    "table": table,
    "isa": isa,
    "threads": threads,
    "shared": shared,
    "family": family,
    "context": context,
    "memory": memory,
    "scaling": scaling,
}
DEFAULT = [name for name in SECTIONS if name != "scaling"]


def arguments(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line; unknown names stop here, with the known ones listed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    choices: dict[str, tuple[Iterable[str], Iterable[str]]] = {
        "--cells": (CELLS, CELLS),
        "--dtype": (DTYPES, DTYPES),
        "--eta": (ETAS, ETAS),
        "--peers": (PACKAGES, PACKAGES),
        "--sections": (SECTIONS, DEFAULT),
    }
    for option, (known, default) in choices.items():
        text = f"of {','.join(known)}"
        parser.add_argument(option, type=names(known), default=list(default), help=text)
    parser.add_argument("--repeats", type=int, default=5, help="turns a contender takes")
    parser.add_argument("--quick", action="store_true", help="a fraction of each cell, one turn")
    parser.add_argument("--scaling", action="store_true", help="adds the section scaling")
    parser.add_argument("--check", action="store_true", help="reports which targets are met")
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks"), help="a folder")
    options = parser.parse_args(argv)
    if options.repeats < 1:
        parser.error(f"--repeats: expected at least 1, got {options.repeats}")
    if options.scaling and "scaling" not in options.sections:
        options.sections.append("scaling")
    return options


def names(known: Iterable[str]) -> Callable[[str], list[str]]:
    """Read a comma-separated choice among the known names."""

    def read(text: str) -> list[str]:
        chosen = text.split(",")
        for name in chosen:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
        return chosen

    return read


def setting(options: argparse.Namespace, meter: Meter) -> Setting:
    """Choose what is measured, cut down in quick runs."""
    cells = [CELLS[name] for name in options.cells]
    return Setting(
        cells=[cell.quick() for cell in cells] if options.quick else cells,
        dtypes=options.dtype,
        etas=options.eta,
        peers=[peer for peer in PEERS if peer.package in options.peers],
        repeats=1 if options.quick else options.repeats,
        quick=options.quick,
        meter=meter,
    )


def measure(options: argparse.Namespace) -> tuple[dict[str, list[Any]], Limits]:
    """Run the chosen sections, and give their rows and the machine's limits."""
    meter = Meter(options.quick)
    try:
        meter.measure()
        chosen = setting(options, meter)
        rows = {}
        for name in options.sections:
            start = time.monotonic()
            print(f"{name} …", flush=True)
            rows[name] = SECTIONS[name].measure(chosen)
            print(f"  took {time.monotonic() - start:.0f} s", flush=True)
    finally:
        meter.close()
    return rows, meter.limits


def show(rows: dict[str, list[Any]], limits: Limits, options: argparse.Namespace) -> None:
    """Print all sections, and the targets if they are asked for."""
    print(
        f"\nlimits: {limits.bandwidth / 1e9:.1f} GB/s read,"
        f" {limits.peak / 1e9:.0f} GFLOP/s in float64, the best of {len(limits.repeats)}"
    )
    found: dict[str, float] = {}
    for name, section_rows in rows.items():
        print(f"\n=== {name}\n" + "\n".join(SECTIONS[name].lines(section_rows, limits)))
        found |= SECTIONS[name].figures(section_rows, limits)
    if options.check and not options.quick:
        print("\n=== targets, float64 and given η where nothing else is said")
        print("\n".join(targets.report(found)))
    if options.quick:
        print(
            "\n--quick: fractions of the cells; the times mean nothing, and no target is checked."
        )


def save(
    rows: dict[str, list[Any]], limits: Limits, machine: dict[str, Any], out: Path, quick: bool
) -> None:
    """Write the JSON with every repeat, and the pictures."""
    out.mkdir(parents=True, exist_ok=True)
    sections = {
        name: {
            "rows": [asdict(row) for row in section_rows],
            "figures": SECTIONS[name].figures(section_rows, limits),
        }
        for name, section_rows in rows.items()
    }
    report = {"machine": machine, "quick": quick, "limits": asdict(limits), "sections": sections}
    text = json.dumps(report, indent=1, ensure_ascii=False, default=str)
    (out / "compare.json").write_text(text, encoding="utf-8")
    if find_spec("matplotlib") is None:
        print("\nno pictures: matplotlib is not installed")
    else:
        if "table" in rows:
            draw_table(rows["table"], limits, title(machine, quick), out / "table.png")
        if "scaling" in rows:
            draw_scaling(rows["scaling"], limits, title(machine, quick), out / "scaling.png")
    print(f"\nwritten to {out}")


def title(machine: dict[str, Any], quick: bool) -> str:
    """Name the machine below the pictures' heads."""
    host = machine["machine"]
    text = f"loopcore {machine['versions']['loopcore']} ({machine['isa']}), {machine['commit']}"
    end = ", quick: times mean nothing" if quick else ""
    return f"{text} on {host['cores']} cores of {host['processor']}{end}"


def main(argv: list[str] | None = None) -> None:
    """Measure, print and save."""
    options = arguments(argv)
    machine = describe(compiler())
    host, versions = machine["machine"], machine["versions"]
    print(f"loopcore {loopcore.__version__} ({loopcore.isa()}), {machine['commit']}")
    print(f"{host['processor']}, {host['cores']} cores, {host['system']}")
    print(", ".join(f"{name} {found}" for name, found in versions.items()), flush=True)
    rows, limits = measure(options)
    show(rows, limits, options)
    save(rows, limits, machine, options.out, options.quick)


if __name__ == "__main__":
    main()
