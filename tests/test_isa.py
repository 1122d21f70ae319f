"""Every instruction set that the package was built for and this processor has keeps the promise."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import exact
import loopcore
from bits import assert_same_bits
from loopcore import _cpu
from strategies import PATHS, paths_for, problem

CODE = "import sys; sys.path.insert(0, sys.argv[1]); import test_isa; test_isa.check(sys.argv[2])"


def in_subprocess(isa: str, code: str = CODE) -> subprocess.CompletedProcess[str]:
    """Run code with LOOPCORE_ISA set."""
    return subprocess.run(
        [sys.executable, "-c", code, str(Path(__file__).parent), isa],
        env={**os.environ, "LOOPCORE_ISA": isa},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def check(isa: str) -> None:
    """Check this process: R ≤ 30 for every path, type and kind of step, and equal bits."""
    assert loopcore.isa() == isa
    rng = np.random.default_rng(0)
    T, largest = 30, dict.fromkeys(PATHS, 0.0)
    kinds = [
        {},
        {"eta": "optimal"},
        {"eta": "chebyshev"},
        {"eta": 0.01},
        {"schedule": rng.uniform(0, 0.02, size=T)},
    ]
    for n, d in [(20, 4), (1, 1), (5, 13), (40, 20), (33, 33), (9, 35), (50, 40)]:
        for dtype in (np.float64, np.float32):
            X, y, alpha, q0 = problem(rng, (21 if d < 30 else 6,), n, d, dtype)
            for kind in kinds:
                truth = exact.truth(X, y, alpha, T, q0=q0, **kind)
                for path in paths_for(kind):
                    keywords = {"q0": q0, "path": path, **kind}
                    v = loopcore.run(X, y, alpha, T, num_threads=3, **keywords)
                    ratio = exact.ratio(v, truth)
                    assert (ratio <= 30).all(), (path, n, d, dtype, kind, ratio)
                    largest[path] = max(largest[path], float(ratio.max()))
                    assert_same_bits(loopcore.run(X, y, alpha, T, num_threads=1, **keywords), v)
                    keywords["q0"] = q0[5]
                    assert_same_bits(loopcore.run(X[5], y[5], alpha[5], T, **keywords), v[5])
                    path_of_v = loopcore.trajectory(
                        X, y, alpha, T, at=[T], **{**keywords, "q0": q0}
                    )
                    assert_same_bits(path_of_v[:, 0], v)
    print(loopcore.isa(), *(f"{path} {largest[path]:.3f}" for path in PATHS))


@exact.needs_extended_precision
@pytest.mark.parametrize("isa", _cpu.supported())
def test_every_isa_keeps_the_promise(isa):
    child = in_subprocess(isa)
    assert child.returncode == 0, child.stderr
    name, *largest = child.stdout.split()
    assert name == isa
    assert largest[::2] == PATHS
    assert max(map(float, largest[1::2])) <= 30
    print(child.stdout)


def test_the_best_isa_is_taken():
    assert _cpu.supported()[-1] == "baseline"
    assert loopcore.isa() == os.environ.get("LOOPCORE_ISA", _cpu.supported()[0])


def test_show_config_tells_what_is_in_use(capsys):
    found = loopcore.show_config()
    printed = capsys.readouterr().out.splitlines()
    assert [line.split(maxsplit=1) for line in printed] == [[k, str(v)] for k, v in found.items()]
    assert found["version"] == loopcore.__version__
    assert found["isa"] == loopcore.isa()
    assert found["lanes"] in {"x86-64-v4": [8], "x86-64-v3": [4]}.get(loopcore.isa(), [1, 2])
    assert found["threads"] >= 1
    assert found["eigen"].count(".") == 2
    assert any(name in found["compiler"] for name in ("GCC", "Clang", "unknown"))


@pytest.mark.parametrize("isa", ["", "avx2", "X86-64-V3", "x86-64-v9"])
def test_an_isa_that_cannot_be_had_is_an_import_error(isa):
    child = in_subprocess(isa, "import loopcore")
    assert child.returncode == 1
    last = child.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: LOOPCORE_ISA: expected one of ")
    assert last.endswith(f"got {isa!r}")
