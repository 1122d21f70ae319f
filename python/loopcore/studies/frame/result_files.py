"""Result files: numbers as JSON or NPZ, figures as PNG or SVG, each written whole or not at all."""

from __future__ import annotations

import dataclasses
import io
import json
import logging
import math
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

import loopcore

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURE_FORMATS = ("png", "svg")


def versions() -> dict[str, str]:
    """Tell what the numbers were computed with.

    Examples
    --------
    >>> sorted(versions())
    ['isa', 'loopcore', 'numpy', 'platform', 'python']
    """
    return {
        "loopcore": loopcore.__version__,
        "isa": loopcore.isa(),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
    }


def require_writable(path: Path, suffixes: tuple[str, ...]) -> None:
    """Refuse a file that could not be written at the end of a run, before the run.

    Raises
    ------
    ValueError
        If the name ends in none of `suffixes`, or the folder is missing or read-only.
    """
    if path.suffix.lower().lstrip(".") not in suffixes:
        known = " or ".join(f".{suffix}" for suffix in suffixes)
        raise ValueError(f"{path}: expected a name that ends in {known}")
    if not path.parent.is_dir():
        raise ValueError(f"{path}: there is no folder {path.parent}")
    if path.is_dir():
        raise ValueError(f"{path}: is a folder")
    if not os.access(path.parent, os.W_OK):
        raise ValueError(f"{path}: files cannot be written to the folder {path.parent}")


def require_figure(path: Path) -> None:
    """Refuse a figure that could not be drawn or written at the end of a run, before the run.

    Raises
    ------
    ModuleNotFoundError
        If Matplotlib is missing.
    ValueError
        As `require_writable` does.
    """
    import matplotlib.figure  # noqa: F401  (is it there?)

    # Its first use on a machine may take long, and then warns of that.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    require_writable(path, FIGURE_FORMATS)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write numbers, names and arrays as strict JSON; NaN and infinities become null."""
    text = json.dumps(plain(content), indent=2, allow_nan=False, ensure_ascii=False)
    write_text(path, text + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text as UTF-8."""
    _write(path, text.encode())


def write_npz(path: Path, arrays: Mapping[str, npt.ArrayLike]) -> None:
    """Write arrays as an NPZ archive that loads without pickles."""
    buffer = io.BytesIO()
    named: dict[str, Any] = {name: np.asarray(array) for name, array in arrays.items()}
    np.savez(buffer, **named)
    _write(path, buffer.getvalue())


def write_figure(path: Path, figure: Figure) -> None:
    """Write a figure in the format that the file's name ends in."""
    _write(path, figure_bytes(figure, path.suffix.lower().lstrip(".")))


def figure_bytes(figure: Figure, kind: str, *, transparent: bool = False) -> bytes:
    """Return a figure as PNG or SVG; the same figure gives the same bytes."""
    import matplotlib as mpl

    # no date, and ids that do not depend on chance
    metadata = {"Date": None} if kind == "svg" else {}
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "loopcore"}):
        figure.savefig(buffer, format=kind, dpi=200, metadata=metadata, transparent=transparent)
    return buffer.getvalue()


def _write(path: Path, content: bytes) -> None:
    """Write a file beside its place and move it there, so that no half of it is ever seen."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        os.replace(part, path)
    except OSError as error:
        error.filename = str(path)  # none is named where the disk is full
        raise
    finally:
        part.unlink(missing_ok=True)


def plain(value: Any) -> Any:  # noqa: PLR0911
    """Turn NumPy values, dataclasses and named tuples into JSON's own; NaN and infinities: None.

    Examples
    --------
    >>> plain({"x": np.array([1.0, np.nan]), "n": np.int64(3)})
    {'x': [1.0, None], 'n': 3}
    """
    if dataclasses.is_dataclass(value):
        return plain({f.name: getattr(value, f.name) for f in dataclasses.fields(value)})
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
