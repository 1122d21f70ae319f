import base64
import math
import re
from html.parser import HTMLParser

import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")

from sample_study import Config, compute, interrupted, named

from loopcore.studies.frame import report
from loopcore.studies.frame.progress import silent
from loopcore.studies.frame.runner import kept_parts


class Page(HTMLParser):
    """The text of a page, its links, images and rows; refuses tags that do not close."""

    VOID = frozenset({"meta", "img", "br", "hr", "link"})

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.words = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture
def studies(monkeypatch):
    """Replace the studies by samples; a name in `broken` is interrupted after a part."""
    broken = set()

    def find(name):
        return named(name, compute=interrupted if name in broken else compute)

    monkeypatch.setattr(report, "find", find)
    return broken


def make(folder, names=("noise", "real"), say=pytest.fail, progress=silent, seed=0, **options):
    return report.make_report(names, folder, seed, progress, say, **options)


@pytest.mark.usefixtures("studies")
def test_the_page_has_everything_and_needs_nothing(tmp_path):
    calls = []
    path = make(tmp_path / "new", progress=lambda *call: calls.append(call), seed=3)
    text = path.read_text("utf-8")
    page = Page(text)
    words = " ".join("".join(page.words).split())
    for expected in (
        "The noise study",
        "How high?",
        "Medians.",
        "Of 3 sizes & heights < 4 the last is the largest.",
        "median <height>",
        "sizes = (1, 2, 3); seed = 3",
        "full, seed 3: the same seed gives the same numbers",
        "Sources: nowhere.",
    ):
        assert expected in words
    assert not re.search(r'(src|href)="(?!data:|#|https://arxiv\.org)', text)
    assert [link["href"] for link in page.all("a")][1:] == ["#noise", "#real"]
    assert [section["id"] for section in page.all("section")] == ["noise", "real", "made"]
    for image in page.all("img"):
        kind, _, data = image["src"].partition(",")
        assert kind == "data:image/svg+xml;base64"
        assert b"<svg" in base64.b64decode(data)
        assert image["alt"].endswith("study: Medians.")
    assert {attrs.get("name") for attrs in page.all("meta")} >= {"viewport", "color-scheme"}
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    assert calls[0] == ("noise (1 of 2): measuring", 0, 3)
    assert calls[-1] == ("real (2 of 2): measuring", 3, 3)
    files = [f"{name}.{kind}" for name in ("noise", "real") for kind in ("json", "md", "svg")]
    assert sorted(p.name for p in path.parent.iterdir()) == sorted([*files, "report.html"])


@pytest.mark.usefixtures("studies")
def test_quick_settings_are_said(tmp_path):
    words = " ".join(Page(make(tmp_path, quick=True).read_text("utf-8")).words)
    assert "quick, seed 0" in words
    assert "sizes = (1, 2);" in words


def test_settings_are_written_for_people():
    inner = Config(sizes=(), seed=1234)
    assert report._shown((0.1 + 0.2, math.inf, 2.0**-9)) == "(0.3, ∞, 0.00195312)"
    assert report._shown((inner, None, True, "a")) == "((sizes = (), seed = 1,234), none, yes, a)"


def test_an_interrupted_report_has_what_ended_and_goes_on(tmp_path, studies):
    studies.add("real")
    said = []
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path, ("noise", "real", "language"), said.append)
    page = tmp_path / "report.html"
    assert said[-1] == f"{page} has 1 of 3 studies; not real, language"
    words = " ".join(" ".join(Page(page.read_text("utf-8")).words).split())
    assert "This report is not complete. Missing: real, language." in words
    assert kept_parts("noise", tmp_path, Config()).exists()
    assert kept_parts("real", tmp_path, Config()).exists()
    studies.clear()
    said.clear()
    make(tmp_path, ("noise", "real", "language"), said.append)
    assert said == [
        f"going on from 3 parts kept in {kept_parts('noise', tmp_path, Config())}",
        f"going on from 1 part kept in {kept_parts('real', tmp_path, Config())}",
    ]
    assert "not complete" not in page.read_text("utf-8")
    assert not list(tmp_path.glob("*.kept.npz"))


def test_an_interruption_before_anything_ended_writes_no_page(tmp_path, studies):
    studies.add("noise")
    said = []
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path, say=said.append)
    assert not (tmp_path / "report.html").exists()
    kept = kept_parts("noise", tmp_path, Config())
    assert said == [f"1 part kept in {kept}: the same command goes on from there"]


@pytest.mark.parametrize("names", [(), ("noise", "noise")])
def test_names_are_each_given_once(tmp_path, names):
    with pytest.raises(ValueError, match="studies: expected names, each once"):
        make(tmp_path, names)


def test_an_unknown_study_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"study: expected one of convergence, .*, got 'nothing'"):
        make(tmp_path, ("nothing",))
