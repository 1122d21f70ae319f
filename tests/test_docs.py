"""Every example in the docstrings and in the README runs and prints what it says."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import loopcore

ROOT = Path(__file__).parents[1]
COMPILED = ["run", "trajectory", "errors", "context_curve", "isa"]
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(loopcore.__path__, "loopcore.")
    if not re.search(r"\._core_|\._cpu$|\.__main__$", module.name)
)
PUBLIC = [
    (module, name)
    for module in (loopcore, loopcore.baselines, loopcore.models, loopcore.reference)
    for name in module.__all__
    if callable(getattr(module, name)) and not inspect.isclass(getattr(module, name))
]


def failures(text: str, name: str) -> tuple[int, int]:
    """Return how many examples of a text fail, and how many there are."""
    examples = doctest.DocTestParser().get_doctest(text, {}, name, name, 0)
    result = doctest.DocTestRunner().run(examples)
    return result.failed, result.attempted


@pytest.mark.parametrize("name", COMPILED)
def test_compiled_function(name):
    failed, attempted = failures(getattr(loopcore, name).__doc__, f"loopcore.{name}")
    assert failed == 0
    assert attempted > 0 or name == "isa"


@pytest.mark.parametrize("name", ["loopcore", *MODULES])
def test_module(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_modules_are_found():
    assert {"loopcore.reference", "loopcore._error_bound", "loopcore._spectrum"} <= set(MODULES)


@pytest.mark.parametrize(("module", "name"), PUBLIC, ids=lambda a: getattr(a, "__name__", a))
def test_public_function_is_documented(module, name):
    text = getattr(module, name).__doc__
    assert len(text.splitlines()[0] or text.splitlines()[1]) > 20
    if name in {"isa", "show_config"}:  # no arguments
        return
    for section in ("Parameters", "Returns", "Examples"):
        assert re.search(rf"{section}\s*\n\s*---|{section} are those of", text), section
    assert ">>> " in text
    # A shape on every array: (n, d), (..., d) and the like.
    assert re.search(r"\([^)]*\b[ndTK]\b[^)]*\)", text)


def test_readme():
    blocks = re.findall(
        r"```(?:python|pycon)\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL
    )
    examples = [block for block in blocks if ">>>" in block]
    assert examples
    # Blocks follow one another, as for a reader.
    failed, attempted = failures("\n".join(examples), "README.md")
    assert failed == 0
    assert attempted >= 3
