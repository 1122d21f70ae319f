"""What every study promises to the commands and to the report."""

import dataclasses
import inspect

import pytest

from loopcore.studies.frame.study import SUMMARIES, Study, find

pytest.importorskip("scipy")


@pytest.mark.parametrize("name", SUMMARIES)
def test_a_study_says_what_it_is(name):
    study = find(name)
    assert isinstance(study, Study)
    assert study.name == name
    assert 5 < len(study.title) < 80
    for text in (study.question, study.caption):
        assert len(text) > 40
        assert text.endswith((".", "?"))
    assert study.sources
    assert all(study.sources)


@pytest.mark.parametrize("name", SUMMARIES)
def test_settings_are_two_and_have_a_seed(name):
    study = find(name)
    assert type(study.full) is type(study.quick)
    assert study.full != study.quick
    assert study.full.seed == study.quick.seed == 0
    assert dataclasses.replace(study.quick, seed=7).seed == 7
    with pytest.raises(ValueError, match="seed: expected at least 0, got -1"):
        dataclasses.replace(study.quick, seed=-1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        study.quick.seed = 1


@pytest.mark.parametrize("name", SUMMARIES)
def test_compute_and_plot_can_be_called_alone(name):
    module = inspect.getmodule(type(find(name).full))
    package = __import__(f"loopcore.studies.{name}", fromlist=["compute"])
    assert callable(package.compute)
    assert callable(package.plot)
    assert package.compute.__doc__
    assert package.plot.__doc__
    assert module.__name__.startswith(f"loopcore.studies.{name}")


def test_an_unknown_study_is_named():
    with pytest.raises(ValueError, match=r"study: expected one of convergence, .*, got 'x'"):
        find("x")
