import json
import platform
from xml.etree import ElementTree

import numpy as np
import pytest

import loopcore
from loopcore.studies.frame import result_files
from loopcore.studies.frame.result_files import (
    require_writable,
    versions,
    write_figure,
    write_json,
    write_npz,
)


def test_versions():
    found = versions()
    assert found["loopcore"] == loopcore.__version__
    assert found["isa"] == loopcore.isa()
    assert found["numpy"] == np.__version__
    assert found["python"] == platform.python_version()


def test_json_keeps_every_digit_and_is_strict(tmp_path):
    path = tmp_path / "numbers.json"
    values = np.array([0.1, 1 / 3, np.nan, np.inf, 1e-300])
    write_json(path, {"θ": values, "n": np.int64(3), "nested": [(1, np.float64("nan"))], "b": True})

    def refuse(constant):
        raise AssertionError(constant)

    content = json.loads(path.read_text("utf-8"), parse_constant=refuse)
    assert content == {
        "θ": [0.1, 1 / 3, None, None, 1e-300],
        "n": 3,
        "nested": [[1, None]],
        "b": True,
    }


def test_npz_loads_without_pickles(tmp_path):
    path = tmp_path / "numbers.npz"
    write_npz(path, {"v": np.arange(3.0), "names": np.array(["a", "bc", "θ"]), "alpha": 2.5})
    with np.load(path, allow_pickle=False) as archive:
        assert archive["v"].tolist() == [0, 1, 2]
        assert archive["names"].tolist() == ["a", "bc", "θ"]
        assert archive["alpha"] == 2.5


@pytest.fixture
def figure():
    module = pytest.importorskip("matplotlib.figure")
    figure = module.Figure()
    figure.add_subplot().plot([1, 2, 3])
    return figure


def test_figures(tmp_path, figure):
    write_figure(tmp_path / "a.png", figure)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    write_figure(tmp_path / "a.SVG", figure)
    assert ElementTree.parse(tmp_path / "a.SVG").getroot().tag == "{http://www.w3.org/2000/svg}svg"


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_the_same_figure_gives_the_same_bytes(tmp_path, figure, kind):
    for name in ("a", "b"):
        write_figure(tmp_path / f"{name}.{kind}", figure)
    assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "numbers.json"
    write_json(path, {"a": 1})

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(result_files.os, "replace", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*numbers\.json'"):
        write_json(path, {"a": 2})
    assert json.loads(path.read_text()) == {"a": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["numbers.json"]


def test_bad_names_are_refused_before_the_work(tmp_path):
    require_writable(tmp_path / "a.png", ("png", "svg"))
    with pytest.raises(ValueError, match=r"a\.pdf: expected a name that ends in \.png or \.svg"):
        require_writable(tmp_path / "a.pdf", ("png", "svg"))
    with pytest.raises(ValueError, match="there is no folder"):
        require_writable(tmp_path / "nowhere" / "a.png", ("png",))
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ValueError, match=r"folder\.png: is a folder"):
        require_writable(tmp_path / "folder.png", ("png",))


def test_a_folder_that_takes_no_files_is_refused_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(result_files.os, "access", lambda path, mode: (path, mode) != (tmp_path, 2))
    with pytest.raises(ValueError, match=r"a\.png: files cannot be written to the folder"):
        require_writable(tmp_path / "a.png", ("png",))
