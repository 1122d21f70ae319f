import io
import json
import re

import numpy as np
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("rich")

from rich.console import Console
from sample_study import Config, compute, interrupted, named

from loopcore.studies.frame.progress import silent
from loopcore.studies.frame.runner import kept_parts, print_run, run_study


def run(study, folder, say=pytest.fail, **options):
    config = options.pop("config", study.full)
    options = {"figure_format": "png", "progress": silent, "say": say} | options
    return run_study(study, config, folder, **options)


def test_a_run_writes_figure_numbers_and_findings(tmp_path):
    folder = tmp_path / "new" / "folder"
    found = run(named("sample"), folder)
    assert sorted(path.name for path in folder.iterdir()) == [
        "sample.json",
        "sample.md",
        "sample.png",
    ]
    assert (folder / "sample.png").read_bytes().startswith(b"\x89PNG")
    content = json.loads((folder / "sample.json").read_text("utf-8"))
    assert content["study"] == "sample"
    assert content["settings"] == {"sizes": [1, 2, 3], "seed": 0}
    assert content["medians"]["value"] == found.result.medians.value.tolist()
    assert content["findings"] == ["Of 3 sizes & heights < 4 the last is the largest."]
    assert "config" not in content
    words = (folder / "sample.md").read_text("utf-8")
    assert words.startswith("# The sample study\n\nHow high?\n\n![The sample study](sample.png)\n")
    assert "\n- Of 3 sizes & heights < 4 the last is the largest.\n" in words
    assert "Sources: nowhere. Seed 0." in words
    assert found.seconds >= 0


def test_the_same_seed_gives_the_same_files(tmp_path):
    for name in ("a", "b"):
        run(named("sample"), tmp_path / name, figure_format="svg")
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name
    run(named("sample"), tmp_path / "c", config=Config(seed=1), figure_format="svg")
    texts = [(tmp_path / name / "sample.json").read_text() for name in "ac"]
    assert texts[0] != texts[1]


def test_an_interrupted_run_goes_on(tmp_path):
    said, calls = [], []
    with pytest.raises(KeyboardInterrupt):
        run(named("sample", compute=interrupted), tmp_path, said.append)
    path = kept_parts("sample", tmp_path, Config())
    assert list(tmp_path.iterdir()) == [path]
    found = run(named("sample"), tmp_path, said.append, progress=lambda *call: calls.append(call))
    assert said == [
        f"1 part kept in {path}: the same command goes on from there",
        f"going on from 1 part kept in {path}",
    ]
    assert not path.exists()
    assert np.array_equal(found.result.medians.value, compute(Config()).medians.value)


def test_other_settings_leave_what_is_kept(tmp_path):
    broken, said = named("sample", compute=interrupted), []
    for seed in (0, 1):
        with pytest.raises(KeyboardInterrupt):
            run(broken, tmp_path, said.append, config=Config(seed=seed))
    run(named("sample"), tmp_path, config=Config(seed=2))
    said.clear()
    for seed in (0, 1):
        run(named("sample"), tmp_path, said.append, config=Config(seed=seed))
        kept = kept_parts("sample", tmp_path, Config(seed=seed))
        assert said[seed] == f"going on from 1 part kept in {kept}"
    assert not list(tmp_path.glob("*.kept.npz"))


def test_a_figure_that_cannot_be_written_is_refused_before_the_run(tmp_path):
    study = named("sample", compute=pytest.fail)
    with pytest.raises(ValueError, match=r"expected a name that ends in \.png or \.svg"):
        run(study, tmp_path, figure_format="gif")


def test_print_has_question_tables_and_findings(tmp_path):
    stream = io.StringIO()
    found = run(named("sample"), tmp_path)
    print_run(found, Console(file=stream, width=80, markup=False, highlight=False))
    text = stream.getvalue()
    assert text.startswith("The sample study, seed 0\nHow high?\n\nHeights by size\nsize")
    assert text.endswith("- Of 3 sizes & heights < 4 the last is the largest.\n")
    for k, value in enumerate(found.result.medians.value, 1):
        assert re.search(rf"\n   {k} +{value:.3g} \(", text)
