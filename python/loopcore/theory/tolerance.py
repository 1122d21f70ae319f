"""How many loops a bound, or the exact error, asks for."""

from __future__ import annotations

import math
from collections.abc import Callable

from loopcore.theory._values import Values
from loopcore.theory.bounds import relative_error_bound

_MOST_LOOPS = 2**1000


def loops_to_tolerance(
    tolerance: float,
    kappa: float,
    bound: Callable[[int, float], Values] = relative_error_bound,
) -> int:
    """Find the fewest loops for which a bound promises a relative error of at most `tolerance`.

    Parameters
    ----------
    tolerance : float
        The relative error asked for, above 0.
    kappa : float
        The condition number λ_max / λ_min, finite and at least 1.
    bound : callable
        One of this package's bounds that take (T, kappa); the theorem's unless given.

    Returns
    -------
    int
        The smallest T ≥ 0 with ``bound(T, kappa) <= tolerance``.

    Raises
    ------
    ValueError
        If `tolerance` is not above 0, or `kappa` is NaN, infinite or below 1.

    Examples
    --------
    >>> from loopcore.theory import chebyshev_bound, loops_to_tolerance
    >>> loops_to_tolerance(1e-6, 50)
    1382
    >>> loops_to_tolerance(1e-6, 50, chebyshev_bound)
    51
    """
    if not 1 <= kappa < math.inf:
        raise ValueError(f"kappa: expected a finite number of at least 1, got {kappa}")
    return fewest_loops(tolerance, lambda T: bound(T, kappa))


def fewest_loops(tolerance: float, bound: Callable[[int], Values | float]) -> int:
    """Find the smallest T ≥ 0 at which a bound that falls with T is at most `tolerance`.

    Parameters
    ----------
    tolerance : float
        Above 0.
    bound : callable
        Gives the bound for one T. It must never rise.

    Returns
    -------
    int
        T, with about 2 log₂ T calls of `bound`.

    Raises
    ------
    ValueError
        If `tolerance` is not above 0, or the bound is still larger after 2¹⁰⁰⁰ loops.

    Examples
    --------
    >>> from loopcore.theory import constant_step_bound, fewest_loops
    >>> fewest_loops(1e-3, lambda T: constant_step_bound(T, 0.01, 1, 50))
    688
    """
    if not tolerance > 0:
        raise ValueError(f"tolerance: expected a number above 0, got {tolerance}")
    enough = 1
    while not bound(enough) <= tolerance:
        enough *= 2
        if enough > _MOST_LOOPS:
            raise ValueError(f"bound: still above {tolerance} after 2^1000 loops")
    too_few = -1
    while enough - too_few > 1:  # bound(enough) ≤ tolerance, and too_few is −1 or has a larger one
        middle = (enough + too_few) // 2
        if bound(middle) <= tolerance:
            enough = middle
        else:
            too_few = middle
    return enough
