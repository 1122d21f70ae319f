"""One thread for BLAS, and as many as before afterwards."""

import numpy as np

from loopcore.studies.blas import one_blas_thread


def counts(threadpools):
    return [pool["num_threads"] for pool in threadpools.select(user_api="blas").info()]


def test_blas_has_one_thread_within_and_the_others_afterwards(threadpools):
    np.linalg.eigvalsh(np.eye(2))  # BLAS is loaded
    with threadpools.limit(limits=2, user_api="blas"):
        before = counts(threadpools)
        with one_blas_thread():
            assert set(counts(threadpools)) <= {1}
        assert counts(threadpools) == before


def test_without_threadpoolctl_nothing_changes(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "threadpoolctl", None)
    with one_blas_thread():
        assert np.linalg.eigvalsh(np.eye(2)).tolist() == [1, 1]
