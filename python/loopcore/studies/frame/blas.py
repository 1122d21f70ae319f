"""NumPy's BLAS and LAPACK, kept to one thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Keep BLAS to one thread: around a block, or around every call of a function as a decorator.

    Sums that are split among threads have other bits. And on small matrices threads wait for one
    another, busily: with other work on two cores a study of 84 × 84 eigenproblems took 83 s of
    processor time with two threads, and 9 s with one. loopcore's own kernels keep theirs.

    Raises
    ------
    ModuleNotFoundError
        Without SciPy or threadpoolctl.

    Examples
    --------
    >>> import numpy as np
    >>> with one_blas_thread():
    ...     eigenvalues = np.linalg.eigvalsh(np.eye(2))
    >>> print(eigenvalues)
    [1. 1.]
    """
    import scipy.linalg  # noqa: F401  (it has a BLAS of its own, limited only once it is loaded)
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        yield
