"""One thread for BLAS, and as many as before afterwards."""

import sys

import numpy as np
import pytest

from loopcore.studies.frame.blas import one_blas_thread
from loopcore.studies.frame.study import SUMMARIES, find

pytest.importorskip("scipy")


def counts(threadpools):
    return [pool["num_threads"] for pool in threadpools.select(user_api="blas").info()]


def test_blas_has_one_thread_within_and_the_others_afterwards(threadpools):
    np.linalg.eigvalsh(np.eye(2))  # BLAS is loaded
    with threadpools.limit(limits=2, user_api="blas"):
        before = counts(threadpools)
        with one_blas_thread():
            assert set(counts(threadpools)) <= {1}
        assert counts(threadpools) == before


def test_as_a_decorator_it_holds_for_every_call(threadpools):
    @one_blas_thread()
    def found():
        """What it says."""
        return counts(threadpools)

    with threadpools.limit(limits=2, user_api="blas"):
        assert set(found()) == set(found()) == {1}
    assert found.__doc__ == "What it says."


@pytest.mark.parametrize("name", SUMMARIES)
def test_every_study_computes_on_one_thread(name, monkeypatch):
    """So that its numbers do not depend on how many BLAS has."""
    study = find(name)
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    with pytest.raises(ModuleNotFoundError, match="threadpoolctl"):
        study.compute(study.quick)
