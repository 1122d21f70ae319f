"""NumPy's BLAS and LAPACK, kept to one thread."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Keep BLAS to one thread, so that its results do not depend on how many there are.

    Sums split among threads have other bits. And for many small matrices threads cost more than
    they do: they wait busily, and on two cores with other work on them a study of 84 × 84
    eigenproblems took 83 s of processor time with two threads, and 9 s with one. The threads of
    loopcore's own kernels stay. Without threadpoolctl, which scikit-learn brings, nothing changes.

    Examples
    --------
    >>> import numpy as np
    >>> with one_blas_thread():
    ...     float(np.linalg.eigvalsh([[2.0, 1.0], [1.0, 2.0]]).round(9)[-1])
    3.0
    """
    try:
        threadpoolctl = importlib.import_module("threadpoolctl")
    except ModuleNotFoundError:
        yield
        return
    with threadpoolctl.threadpool_limits(limits=1, user_api="blas"):
        yield
