"""The machine's two limits, measured, and what they allow a cell at best."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from machine import cores
from problems import Cell

SOURCE = Path(__file__).with_name("limits.cpp")
FLAGS = ("-std=c++20", "-O3", "-march=native", "-ffp-contract=fast", "-fopenmp")
MEBIBYTES = 1024  # far beyond the last cache's size
MEBIBYTES_QUICK = 64


@dataclass
class Limits:
    """The best figures so far, and every single measurement."""

    bandwidth: float = 0.0  # bytes a second
    peak: float = 0.0  # float64 operations a second
    repeats: list[dict[str, list[list[float]]]] = field(default_factory=list)

    def add(self, measured: dict[str, list[list[float]]]) -> None:
        """Take note of one measurement; a limit is the best that was ever reached."""
        self.repeats.append(measured)
        self.bandwidth = max(self.bandwidth, *(figure for _, figure in measured["bandwidth"]))
        self.peak = max(self.peak, *(figure for _, figure in measured["peak"]))

    def seconds(self, cell: Cell, itemsize: int) -> float:
        """Give the cheaper of two costs: X read once for a Gram matrix, or T times for T loops.

        The loops on the Gram matrix are not counted: T loops for the price of reading X once is
        the goal. Operations count as float64 ones for both types.
        """
        B, n, d = cell.B, cell.n, cell.d
        read = B * n * (d + 1) * itemsize / self.bandwidth  # X and y
        gram = max(read, B * n * d * (min(n, d) + 1) / self.peak)
        stream = cell.T * max(read, 4 * B * n * d / self.peak)
        return min(gram, stream)


class Meter:
    """The compiled program, kept running; each `measure` asks it for one more measurement."""

    def __init__(self, quick: bool) -> None:
        self.limits = Limits()
        self._folder = tempfile.TemporaryDirectory()
        program = build(Path(self._folder.name))
        # A thread that has nothing to do sleeps at once, and leaves its core to the contenders.
        environment = os.environ | {"OMP_WAIT_POLICY": "passive", "OMP_NUM_THREADS": str(cores())}
        self._process = subprocess.Popen(
            [program, str(MEBIBYTES_QUICK if quick else MEBIBYTES)],
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def measure(self) -> None:
        """Measure both limits once."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{SOURCE.name}: the program ended with {self._process.wait()}")
        self.limits.add(json.loads(line))

    def close(self) -> None:
        """End the program and remove it."""
        self._process.communicate()
        self._folder.cleanup()


def compiler() -> str:
    """Find a C++ compiler: $CXX, c++ or g++."""
    for name in (os.environ.get("CXX"), "c++", "g++"):
        if name and shutil.which(name):
            return name
    raise SystemExit("No C++ compiler: set CXX, or install g++. The limits need compiled code.")


def build(folder: Path) -> Path:
    """Compile the program for this very processor."""
    program = folder / "limits"
    command = [compiler(), *FLAGS, str(SOURCE), "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    return program
