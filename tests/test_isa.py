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
from loopcore import _cpu

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
    T, largest = 30, 0.0
    kinds = [
        {},
        {"eta": "optimal"},
        {"eta": "chebyshev"},
        {"eta": 0.01},
        {"schedule": rng.uniform(0, 0.02, size=T)},
    ]
    for n, d in [(20, 4), (1, 1), (5, 13), (40, 20), (33, 33)]:
        for dtype in (np.float64, np.float32):
            X, y = rng.normal(size=(21, n, d)).astype(dtype), rng.normal(size=(21, n)).astype(dtype)
            q0, alpha = rng.normal(size=(21, d)).astype(dtype), rng.normal(size=21)
            for kind in kinds:
                truth = exact.truth(X, y, alpha, T, q0=q0, **kind)
                for path in ("stream", "gram"):
                    keywords = {"q0": q0, "path": path, **kind}
                    v = loopcore.run(X, y, alpha, T, num_threads=3, **keywords)
                    largest = max(largest, float(exact.ratio(v, truth).max()))
                    assert (loopcore.run(X, y, alpha, T, num_threads=1, **keywords) == v).all()
                    keywords["q0"] = q0[5]
                    assert (loopcore.run(X[5], y[5], alpha[5], T, **keywords) == v[5]).all()
                    path_of_v = loopcore.trajectory(
                        X, y, alpha, T, at=[T], **{**keywords, "q0": q0}
                    )
                    assert (path_of_v[:, 0] == v).all()
    assert largest <= 30
    print(f"{loopcore.isa()} {largest:.3f}")


@exact.needs_extended_precision
@pytest.mark.parametrize("isa", _cpu.supported())
def test_every_isa_keeps_the_promise(isa):
    child = in_subprocess(isa)
    assert child.returncode == 0, child.stderr
    name, largest = child.stdout.split()
    assert name == isa
    assert float(largest) <= 30
    print(child.stdout)


def test_the_best_isa_is_taken():
    assert _cpu.supported()[-1] == "baseline"
    assert loopcore.isa() == os.environ.get("LOOPCORE_ISA", _cpu.supported()[0])


@pytest.mark.parametrize("isa", ["", "avx2", "X86-64-V3", "x86-64-v9"])
def test_an_isa_that_cannot_be_had_is_an_import_error(isa):
    child = in_subprocess(isa, "import loopcore")
    assert child.returncode == 1
    last = child.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: LOOPCORE_ISA: expected one of ")
    assert last.endswith(f"got {isa!r}")
