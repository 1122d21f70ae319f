"""Development tasks, each in its own environment: `nox -l` lists them, `nox -s lint` runs one."""

from __future__ import annotations

from pathlib import Path

import nox

PYTHONS = ["3.10", "3.11", "3.12", "3.13"]
CPP = ("cpp", "tests/cpp")

nox.options.sessions = ["tests", "lint", "types", "cpp", "bench"]
nox.options.error_on_missing_interpreters = False


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the test suite, doctests included."""
    session.install(".[test]")
    session.run("pytest", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check with ruff and clang-format; changes nothing."""
    session.install(*dev("ruff", "clang-format"))
    files = sorted(str(p) for top in CPP for p in Path(top).rglob("*.[ch]pp"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("clang-format", "--dry-run", "-Werror", *files)


@nox.session
def types(session: nox.Session) -> None:
    """Check the package with mypy --strict, and the committed stubs against the modules."""
    session.install(".[dev]")
    session.run("mypy", "--strict", "python/loopcore")
    session.run("stubtest", "loopcore._core_baseline", "loopcore._cpu")


@nox.session
def cpp(session: nox.Session) -> None:
    """Run the C++ tests, without Python. `nox -s cpp -- asan` chooses another CMake preset."""
    session.install(*dev("cmake", "cmeel-eigen"))
    preset = session.posargs[0] if session.posargs else "release"
    eigen = next(Path(session.virtualenv.location).glob("lib/*/site-packages/cmeel.prefix"))
    build = str(Path(session.create_tmp()) / preset)
    session.run("cmake", "--preset", preset, "-B", build, f"-DCMAKE_PREFIX_PATH={eigen}")
    session.run("cmake", "--build", build, "--parallel")
    session.run("ctest", "--test-dir", build, "--output-on-failure", "--no-tests=error")


@nox.session
def bench(session: nox.Session) -> None:
    """Call every benchmark once on a part of its cell: checks the answers, not the speed."""
    session.install(".[test]")
    session.run("pytest", "benchmarks", "--benchmark-only", "--quick-cells", *session.posargs)


def dev(*tools: str) -> list[str]:
    """Look up the tools' requirements in pyproject.toml's dev extra, where versions are pinned."""
    extras = nox.project.load_toml("pyproject.toml")["project"]["optional-dependencies"]
    found = [r for r in extras["dev"] if r.replace(">", "=").split("=")[0].strip() in tools]
    if len(found) != len(tools):
        raise LookupError(f"pyproject.toml: the dev extra names {found}, expected all of {tools}")
    return found
