import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import loopcore
from loopcore import cli

pytest.importorskip("typer")
pytest.importorskip("pandas")
from rich.cells import cell_len
from typer.testing import CliRunner

from loopcore.commands import app
from loopcore.studies.frame.study import SUMMARIES

sys.path.append(str(Path(__file__).parent / "studies" / "frame"))  # sample_study

WINE = str(Path(__file__).parents[1] / "examples" / "data" / "wine.csv")
README_OPTIONS = ("--target", "alcohol", "--standardize", "--alpha", "1", "--loops", "200")
ENDLESS = ("run", WINE, "--target", "alcohol", "--loops", str(10**15))


@pytest.fixture(autouse=True)
def _plain_surroundings(monkeypatch):
    for name in ("COLUMNS", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def loopcore_main(monkeypatch, capsys):
    """Run the command in this process; give its exit code, output and errors."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["loopcore", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        output, errors = capsys.readouterr()
        return caught.value.code, output, errors

    return run


def value_of(output, label):
    """The number beside a label of the report."""
    match = re.search(rf"^\s*{re.escape(label)}\s+(\S+)", output, re.MULTILINE)
    assert match, f"no {label!r} in\n{output}"
    return float(match[1].replace(",", ""))


# loopcore run


def test_run_prints_the_report(loopcore_main):
    code, output, errors = loopcore_main("run", WINE, *README_OPTIONS)
    assert (code, errors) == (0, "")
    assert output.startswith("wine.csv: alcohol from 12 features\n")
    assert "note: every column and the target standardised to mean 0, variance 1\n" in output
    for label, expected in (
        ("rows", 178),
        ("features", 12),
        ("rank", 12),
        ("smallest eigenvalue", 18.41),
        ("largest eigenvalue", 824.8),
        ("condition number", 44.80),
        ("step size", 0.0012125),
        ("value", 1),
        ("loops", 200),
        ("relative error", 7.355e-5),
        ("theorem's bound", np.exp(-200 / 2 / 44.797)),
        ("worst case", (1 - 1 / 44.797) ** 200),
        ("distance to least squares", 5.687e-4),
        ("raw error", 0.5310),
        ("its plateau", 0.5310),
    ):
        assert value_of(output, label) == pytest.approx(expected, rel=1e-3), label
    # loops for a tolerance: measured, theorem, worst cases of the three steps
    rows = re.findall(r"^(0\.001|1e-06|1e-12)(.*)$", output, re.MULTILINE)
    counts = [[int(n.replace(",", "")) for n in row[1].split()] for row in rows]
    assert np.array(counts) == pytest.approx(  # 1e-12 is near rounding
        np.array([[128, 619, 306, 155, 26], [353, 1238, 612, 310, 49], [960, 2476, 1224, 619, 95]]),
        abs=1,
    )
    table = loopcore_table()
    v = loopcore.run(table.X, table.y, 1.0, 200)
    for name, entry in zip(table.feature_names, v, strict=True):
        assert value_of(output, name) == pytest.approx(entry, rel=1e-3)
    assert "warning" not in output
    assert "What helps" not in output


def loopcore_table():
    from loopcore.tables import read_table, standardize

    return standardize(read_table(WINE, "alcohol"))


@pytest.mark.parametrize(
    "options",
    [
        README_OPTIONS,
        ("--target", "alcohol"),
        ("--target", "alcohol", "--standardize", "--eta", "chebyshev", "--loops", "60"),
        ("--target", "alcohol", "--standardize", "--eta", "0.01", "--loops", "5000"),
        ("--target", "alcohol", "--standardize", "--eta", "optimal", "--alpha", "-3e-7"),
    ],
)
def test_output_in_a_pipe_has_80_columns_and_no_colours(loopcore_main, options):
    code, output, errors = loopcore_main("run", WINE, *options)
    assert (code, errors) == (0, "")
    assert max(map(cell_len, output.splitlines())) <= 80
    assert "\x1b" not in output


def test_slow_runs_are_told_what_helps(loopcore_main):
    code, output, _ = loopcore_main("run", WINE, "--target", "alcohol", "--drop", "proline")
    assert code == 0
    assert re.search(r"κ = \S+ makes this slow. What helps:", output)
    assert re.search(r"--standardize +κ = \d\d\.\d+: the theorem then asks for \d+ loops", output)
    assert re.search(r"--eta optimal +[\d.e+,]+ loops are enough for 0\.001", output)
    assert re.search(r"--eta chebyshev +[\d.e+,]+ loops are enough for 0\.001", output)


@pytest.mark.parametrize(("eta", "loops"), [("optimal", 155), ("chebyshev", 26)])
def test_the_advice_is_right(loopcore_main, eta, loops):
    # the report of README_OPTIONS says how many loops each step needs for 1e-3 at worst
    arguments = ("--target", "alcohol", "--standardize", "--eta", eta, "--loops", loops)
    _, output, _ = loopcore_main("run", WINE, *arguments)
    assert value_of(output, "relative error") <= 1e-3
    assert value_of(output, "worst case") <= 1e-3


def test_divergence_is_warned_of(loopcore_main):
    arguments = ("run", WINE, "--target", "alcohol", "--standardize", "--eta", "0.01")
    code, output, errors = loopcore_main(*arguments, "--loops", 2000)
    assert (code, errors) == (0, "")
    assert "warning: the loop diverged: v is no longer finite" in output
    assert "warning: η is not below 2/λ_max = 0.002425" in output
    assert np.isnan(value_of(output, "relative error"))


def test_rank_and_zero_are_warned_of(loopcore_main, tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("a,b,y\n1,2,1\n2,4,2\n3,6,4\n")
    _, output, _ = loopcore_main("run", path, "--target", "y")
    assert "warning: rank 1 is below d = 2" in output
    path.write_text("a,y\n0,1\n0,2\n")
    code, output, _ = loopcore_main("run", path, "--target", "y", "--plot", tmp_path / "z.png")
    assert code == 0
    assert "warning: X is zero" in output
    path.write_text("a,y\n1,0\n2,0\n")
    _, output, _ = loopcore_main("run", path, "--target", "y")
    assert "warning: θ̂ is 0, so there is no relative error" in output
    _, output, _ = loopcore_main("run", WINE, "--target", "alcohol", "--alpha", 0)
    assert "warning: α is 0, so there is no relative error" in output


def test_what_was_left_out_is_said(loopcore_main, tmp_path):
    path = tmp_path / "table.csv"
    path.write_text('id,"a, b",ok,y\nu,1,True,1\nv,2,False,2\nw,,True,4\nx,3,True,5\n')
    code, output, _ = loopcore_main(
        "run", path, "--target", "y", "--features", '"a, b",ok', "--drop-missing"
    )
    assert code == 0
    assert "note: true and false read as 1 and 0: ok\n" in output
    assert "note: 1 of 4 rows left out for missing values: a, b (1)\n" in output
    assert value_of(output, "rows") == 3


def test_names_are_printed_as_they_are(loopcore_main, tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("a[red],:smile:,[/],y\n1,2,3,1\n2,5,1,2\n3,1,7,4\n4,4,4,4\n")
    code, output, _ = loopcore_main("run", path, "--target", "y")
    assert code == 0
    assert all(name in output for name in ("a[red]", ":smile:", "[/]"))


def test_many_features_are_cut_to_the_largest(loopcore_main, tmp_path, rng):
    path = tmp_path / "table.npz"
    np.savez(path, X=rng.standard_normal((60, 30)), y=rng.standard_normal(60))
    _, output, _ = loopcore_main("run", path, "--target", "y")
    assert len(re.findall(r"^X\[\d+\]", output, re.MULTILINE)) == 24
    assert "and 6 features with smaller |v|: see --output" in output


def test_json_output(loopcore_main, tmp_path):
    path = tmp_path / "v.json"
    code, output, _ = loopcore_main("run", WINE, *README_OPTIONS, "--output", path)
    assert code == 0
    assert output.endswith(f"wrote {path}\n")
    content = json.loads(path.read_text("utf-8"))
    table = loopcore_table()
    v = loopcore.run(table.X, table.y, 1.0, 200)
    assert content["v"] == dict(zip(table.feature_names, v.tolist(), strict=True))
    assert content["theta"]["proline"] == pytest.approx(0.3941, abs=1e-4)
    assert (content["n"], content["d"], content["rank"]) == (178, 12, 12)
    assert content["kappa"] == pytest.approx(44.797, abs=1e-3)
    assert content["relative_error"] == content["curve"]["relative_error"][-1]
    assert content["relative_error_bound"] == pytest.approx(np.exp(-100 / content["kappa"]))
    assert content["curve"]["loops"] == list(range(201))
    needed = {"0.001": 128, "1e-06": 353, "1e-12": 960}
    assert content["loops_needed"] == pytest.approx(needed, abs=1)
    assert content["settings"] == {"alpha": 1.0, "loops": 200, "eta": None, "standardized": True}
    assert content["versions"]["loopcore"] == loopcore.__version__
    assert content["diverged"] is False
    assert content["notes"] == ["every column and the target standardised to mean 0, variance 1"]


def test_json_of_a_divergence_is_strict(loopcore_main, tmp_path):
    path = tmp_path / "v.json"
    arguments = ("run", WINE, "--target", "alcohol", "--eta", "1", "--loops", 99, "--output", path)
    assert loopcore_main(*arguments)[0] == 0
    content = json.loads(path.read_text("utf-8"), parse_constant=pytest.fail)
    assert content["diverged"] is True
    assert content["relative_error"] is None


def test_npz_output(loopcore_main, tmp_path):
    path = tmp_path / "v.npz"
    assert loopcore_main("run", WINE, *README_OPTIONS, "--output", path)[0] == 0
    table = loopcore_table()
    with np.load(path, allow_pickle=False) as archive:
        assert np.array_equal(archive["v"], loopcore.run(table.X, table.y, 1.0, 200))
        assert archive["feature_names"].tolist() == list(table.feature_names)
        assert archive["curve_relative_error"][-1] == pytest.approx(7.355e-5, rel=1e-3)
        assert (archive["alpha"], archive["loops"], archive["rank"]) == (1, 200, 12)


def test_plot_is_a_picture_with_something_in_it(loopcore_main, tmp_path):
    image = pytest.importorskip("matplotlib.image")
    path = tmp_path / "wine.png"
    code, output, _ = loopcore_main("run", WINE, *README_OPTIONS, "--plot", path)
    assert (code, output.splitlines()[-1]) == (0, f"wrote {path}")
    pixels = image.imread(path)
    height, width = pixels.shape[:2]
    assert min(height, width) > 600
    dark = (pixels[..., :3].max(axis=-1) < 0.5).mean()
    assert 0.005 < dark < 0.1
    svg = tmp_path / "wine.svg"
    assert loopcore_main("run", WINE, *README_OPTIONS, "--plot", svg)[0] == 0
    assert ElementTree.parse(svg).getroot().tag.endswith("svg")


def test_npz_and_parquet_give_the_same_as_csv(loopcore_main, tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pandas.read_csv(WINE)
    names = [name for name in frame if name != "alcohol"]
    np.savez(
        tmp_path / "wine.npz",
        X=frame[names].to_numpy(),
        alcohol=frame["alcohol"],
        feature_names=np.array(names),
    )
    frame.to_parquet(tmp_path / "wine.parquet")
    expected = loopcore_main("run", WINE, *README_OPTIONS)[1].splitlines()[1:]
    for name in ("wine.npz", "wine.parquet"):
        code, output, _ = loopcore_main("run", tmp_path / name, *README_OPTIONS)
        assert code == 0
        assert output.splitlines()[1:] == expected


# Wrong input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["--nonsense"], "No such option"),
        (["run"], "Missing argument"),
        (["run", WINE], "Missing option '--target'"),
        (["run", "nowhere.csv", "--target", "a"], "nowhere.csv: no such file"),
        (["run", WINE, "--target", "alcool"], r"no column 'alcool' \(did you mean 'alcohol'\?\)"),
        (["run", WINE, "--target", "hue", "--features", "ash,x"], "feature: there is no column"),
        (["run", WINE, "--target", "hue", "--drop", "x"], "drop: there is no column 'x'"),
        (["run", WINE, "--target", "hue", "--features", "hue"], "'hue' is the target"),
        (["run", WINE, "--target", "hue", "--features", "ash", "--drop", "ash"], "not both"),
        (["run", WINE, "--target", "hue", "--alpha", "x"], "--alpha"),
        (["run", WINE, "--target", "hue", "--alpha", "nan"], "alpha: expected a finite number"),
        (["run", WINE, "--target", "hue", "--loops", "-1"], "--loops"),
        (["run", WINE, "--target", "hue", "--loops", "1.5"], "--loops"),
        (["run", WINE, "--target", "hue", "--eta", "best"], "eta: expected optimal, chebyshev or"),
        (["run", WINE, "--target", "hue", "--eta", "-1"], "eta: expected a finite number above 0"),
        (["run", WINE, "--target", "hue", "--plot", "a.pdf"], r"a\.pdf: expected a name that ends"),
        (["run", WINE, "--target", "hue", "--output", "a.csv"], r"ends in \.json or \.npz"),
        (["run", WINE, "--target", "hue", "--plot", "no/a.png"], "there is no folder no"),
        (["run", WINE, "--target", "hue", "--separator", ";"], "only one column"),
        (["run", __file__, "--target", "hue"], "cannot tell its format"),
        (["study", "nonsense"], "No such command 'nonsense'"),
        (["study", "convergence", "--examples", "3"], "examples: expected at least 4, got 3"),
        (["study", "convergence", "--examples", "5,x"], "examples: expected a number, got 'x'"),
        (["study", "convergence", "--alpha", "big"], "alpha: expected a number, got 'big'"),
        (["study", "convergence", "--alpha", "0"], "alpha: expected a finite number that is not 0"),
        (["study", "convergence", "--tasks", "0"], "--tasks"),
        (["study", "convergence", "--format", "gif"], "--format"),
        (["study", "convergence", "--output-dir", "/dev/null/a"], "/dev/null/a: Not a directory"),
        (["study", "optima", "--seed", "-1"], "--seed"),
        (["study", "optima", "--format", "gif"], "--format"),
        (["study", "optima", "--output-dir", "/dev/null/a"], "/dev/null/a: Not a directory"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(loopcore_main, arguments, message):
    code, output, errors = loopcore_main(*arguments)
    assert code == 2
    assert output == ""
    assert re.fullmatch(r"loopcore: [^\n]+\n", errors)
    assert re.search(message, errors)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("a,y\n", "there are no rows"),
        ("a,y\nred,2\n", "columns that are not numbers: a ('red')"),
        ("a,y\n1,2\n,3\n", "missing values: a (1)"),
        ("a,y\n1,inf\n", "infinite values: y (1)"),
        ("a,y\n1,2\n1,3\n", "constant columns have no scale to standardise by: a"),
        ("a,a,y\n1,2,3\n", "more than one column is called 'a'"),
        ("a,y\n1,2\n1,2,3\n", "not a table"),
    ],
)
def test_bad_tables_are_one_line_and_exit_code_2(loopcore_main, tmp_path, text, message):
    path = tmp_path / "table.csv"
    path.write_text(text)
    code, output, errors = loopcore_main("run", path, "--target", "y", "--standardize")
    assert (code, output) == (2, "")
    assert errors.startswith(f"loopcore: table.csv: {message}")
    assert errors.count("\n") == 1


def test_a_full_disk_is_one_line(loopcore_main, monkeypatch, tmp_path):
    def full(self, _):
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    code, _, errors = loopcore_main("run", WINE, *README_OPTIONS, "--plot", tmp_path / "a.png")
    assert code == 2
    assert re.fullmatch(r"loopcore: \S+: No space left on device\n", errors)
    assert list(tmp_path.iterdir()) == []


# loopcore study and loopcore report


@pytest.fixture
def small_studies(monkeypatch):
    """Replace all studies by samples of a moment."""
    from sample_study import named

    for module in ("commands.study", "studies.frame.report"):
        monkeypatch.setattr(f"loopcore.{module}.find", named)


@pytest.mark.usefixtures("small_studies")
@pytest.mark.parametrize("name", SUMMARIES)
def test_every_study_has_a_command(loopcore_main, tmp_path, name):
    arguments = ("--quick", "--seed", 5, "--output-dir", tmp_path, "--format", "svg")
    code, output, errors = loopcore_main("study", name, *arguments)
    assert (code, errors) == (0, "")
    assert output.startswith(f"The {name} study, seed 5\nHow high?\n")
    assert "- Of 2 sizes & heights < 4 the last is the largest.\n" in output
    names = [f"{name}.{kind}" for kind in ("svg", "json", "md")]
    files = [str(tmp_path / file) for file in names]
    assert output.endswith(f"wrote {files[0]}, {files[1]} and {files[2]}\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


def test_convergence_takes_its_settings(loopcore_main, tmp_path, monkeypatch):
    from loopcore.commands import study

    given = {}
    monkeypatch.setattr(study, "_perform", lambda name, changes, **rest: given.update(changes))
    arguments = ("--examples", "5,10", "--d", "3", "--loops", "7", "--alpha", "2.5")
    assert loopcore_main("study", "convergence", *arguments)[0] == 0
    assert given == {"examples": (5, 10), "d": 3, "loops": 7, "alpha": 2.5, "tasks": None}
    assert loopcore_main("study", "convergence", "--alpha", "random")[0] == 0
    assert given["alpha"] == "random"


def test_study_writes_the_papers_experiment(loopcore_main, tmp_path):
    folder = tmp_path / "new" / "folder"
    arguments = ("--quick", "--tasks", 100, "--seed", 5, "--loops", 40, "--output-dir", folder)
    code, output, errors = loopcore_main("study", "convergence", *arguments)
    assert (code, errors) == (0, "")
    assert max(map(cell_len, output.splitlines()[:-1])) <= 80
    content = json.loads((folder / "convergence.json").read_text("utf-8"))
    settings = {"d": 4, "examples": [5, 10, 20, 40], "loops": 40, "tasks": 100, "seed": 5}
    assert {name: content["settings"][name] for name in settings} == settings
    assert set(content["versions"]) == {"loopcore", "isa", "numpy", "python", "platform"}
    assert (folder / "convergence.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("small_studies")
def test_report_writes_a_page(loopcore_main, tmp_path):
    arguments = ("--quick", "--studies", "noise, real", "--output-dir", tmp_path)
    code, output, errors = loopcore_main("report", *arguments)
    assert (code, errors) == (0, "")
    page = tmp_path / "report.html"
    assert output == f"wrote {page}\n"
    assert "The noise study" in page.read_text("utf-8")
    assert (tmp_path / "real.json").exists()


def test_ctrl_c_keeps_what_is_done_and_says_so(loopcore_main, tmp_path, monkeypatch):
    from sample_study import interrupted, named

    monkeypatch.setattr(
        "loopcore.commands.study.find", lambda name: named(name, compute=interrupted)
    )
    code, output, errors = loopcore_main("study", "noise", "--output-dir", tmp_path)
    (kept,) = tmp_path.iterdir()
    assert (code, output) == (130, "")
    assert errors == (
        f"loopcore: 1 part kept in {kept}: the same command goes on from there\n"
        "loopcore: interrupted\n"
    )


# The program itself


def test_ctrl_c_outside_a_command_is_said_too(loopcore_main, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("loopcore.commands.print_help_alone", interrupted)
    assert loopcore_main() == (130, "", "loopcore: interrupted\n")


def test_version_and_help(loopcore_main):
    code, output, _ = loopcore_main("--version")
    assert code == 0
    assert output.startswith(f"loopcore {loopcore.__version__} ({loopcore.isa()}, NumPy ")
    for arguments in ([], ["--help"], ["study"], ["run", "--help"]):
        code, output, _ = loopcore_main(*arguments)
        assert code == 0
        assert "Usage:" in output


def test_commands_work_without_main_too():
    result = CliRunner().invoke(app, ["run", WINE, *README_OPTIONS])
    assert result.exit_code == 0
    assert value_of(result.output, "condition number") == pytest.approx(44.8, rel=1e-3)
    result = CliRunner().invoke(app, ["run", WINE, "--target", "nothing"])
    assert result.exit_code == 2
    assert "there is no column 'nothing'" in result.output


def python(*arguments, **options):
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, **options
    )


def test_as_a_program_in_a_pipe():
    done = python("-m", "loopcore", "run", WINE, *README_OPTIONS, env={**os.environ})
    assert (done.returncode, done.stderr) == (0, "")
    assert value_of(done.stdout, "relative error") == pytest.approx(7.355e-5, rel=1e-3)
    assert "\x1b" not in done.stdout
    done = python("-m", "loopcore", "run", WINE, "--target", "nothing")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1


def test_a_stream_that_cannot_show_greek_gets_question_marks():
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = python("-m", "loopcore", "run", WINE, *README_OPTIONS, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert "? = ?_max/?_min" in done.stdout


@pytest.mark.parametrize(
    "missing", ["typer", "rich", "tqdm", "pandas", "matplotlib", "scipy", "jinja2"]
)
def test_a_missing_package_is_one_line(missing, tmp_path):
    run = ["run", WINE, "--target", "hue", "--plot", "a.png"]
    report = ["report", "--studies", "optima"]
    study = ["study", "optima", "--quick"]
    arguments = {"scipy": study, "jinja2": report}.get(missing, run)
    program = (
        f"import sys; sys.modules[{missing!r}] = None; from loopcore.cli import main; "
        f"sys.argv = ['loopcore', *{arguments!r}]; main()"
    )
    done = python("-c", program, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    line = f"loopcore: this command needs {missing}: pip install 'loopcore[studies]'\n"
    assert done.stderr == line


def started(*arguments, stderr):
    """Start the program, and wait until its imports are done."""
    program = (
        "import sys; import loopcore.commands; from loopcore.cli import main; "
        "print('ready', flush=True); sys.argv = ['loopcore', *sys.argv[1:]]; main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, stderr=stderr
    )
    assert process.stdout.readline() == b"ready\n"
    return process


def test_a_long_run_in_a_pipe_shows_no_bar_and_ctrl_c_ends_it():
    process = started(*ENDLESS, stderr=subprocess.PIPE)
    time.sleep(3.5)  # a bar would come after 2 s
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert (output, errors) == (b"", b"loopcore: interrupted\n")


def test_a_long_run_on_a_terminal_shows_a_bar_and_ctrl_c_ends_it():
    pty = pytest.importorskip("pty")
    master, slave = pty.openpty()
    process = started(*ENDLESS, stderr=slave)
    os.close(slave)
    shown = b""
    deadline = time.monotonic() + 60
    while b"looping" not in shown and time.monotonic() < deadline:
        shown += os.read(master, 65536)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    with contextlib.suppress(OSError):  # how Linux tells that the other end is closed
        while part := os.read(master, 65536):
            shown += part
    os.close(master)
    assert process.returncode == 130
    assert b"it/s" in shown
    assert b"Traceback" not in shown
    assert shown.rstrip().endswith(b"loopcore: interrupted")


def test_a_reader_that_stops_early_is_no_traceback():
    command = [sys.executable, "-m", "loopcore", "run", WINE, *README_OPTIONS]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert b"Traceback" not in process.stderr.read()
    process.stderr.close()
    process.wait(timeout=60)
