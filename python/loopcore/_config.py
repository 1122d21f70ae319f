"""What this installation was built of and what it runs on."""

from __future__ import annotations

from importlib.metadata import version

from loopcore._native import core

__all__ = ["show_config"]


def show_config() -> dict[str, object]:
    """Print and return the version, the instruction set, threads, Eigen and the compiler.

    Returns
    -------
    dict
        ``version``; ``isa``, the instruction set of the kernels in use, and ``lanes``, the doubles
        of one of its registers; ``threads``, as many as a call takes by default; ``openmp``, the
        date of its specification or None; ``eigen``; ``compiler``.

    Examples
    --------
    >>> import loopcore
    >>> found = loopcore.show_config()  # doctest: +ELLIPSIS
    version   ...
    >>> found["isa"] == loopcore.isa()
    True
    """
    found: dict[str, object] = {"version": version("loopcore"), **core.configuration()}
    for name, value in found.items():
        print(f"{name:9} {value}")
    return found
