import io
import sys
import zipfile
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from loopcore.tables import Table, TableError, read_table, standardize

pd = pytest.importorskip("pandas")

WINE = Path(__file__).parents[1] / "examples" / "data" / "wine.csv"


@pytest.fixture
def csv(tmp_path):
    def write(text, name="table.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.fixture
def npz(tmp_path):
    def write(**arrays):
        path = tmp_path / "table.npz"
        np.savez(path, **arrays)
        return path

    return write


# CSV


def test_csv_columns_become_x_and_y(csv):
    table = read_table(csv("a,b,c\n1,2,3\n4,5.5,6\n-7,8e1,9\n"), "b")
    assert table.X.tolist() == [[1, 3], [4, 6], [-7, 9]]
    assert table.y.tolist() == [2, 5.5, 80]
    assert table.feature_names == ("a", "c")
    assert (table.target_name, table.source, table.notes) == ("b", "table.csv", ())
    assert table.X.dtype == table.y.dtype == np.float64
    assert table.X.flags.c_contiguous
    assert not table.standardized


def test_the_example_is_scikit_learns_wine():
    datasets = pytest.importorskip("sklearn.datasets")
    table = read_table(WINE, "alcohol")
    wine = datasets.load_wine()
    assert np.array_equal(np.column_stack([table.y, table.X]), wine.data)
    assert ["alcohol", *table.feature_names] == wine.feature_names


def test_numbers_are_read_to_the_last_digit(csv):
    # pandas' own default parser is off by one in the last place on a fifth of these
    rng = np.random.default_rng(5)
    values = rng.standard_normal((500, 2)) * 10.0 ** rng.integers(-30, 30, (500, 2))
    text = "a,y\n" + "\n".join(f"{a!r},{y!r}" for a, y in values.tolist()) + "\n"
    table = read_table(csv(text), "y")
    assert np.array_equal(np.column_stack([table.X, table.y]), values)


def test_features_are_taken_in_the_order_given(csv):
    path = csv("a,b,c,word\n1,2,3,x\n4,5,6,y\n")
    assert read_table(path, "a", features=["c", "b"]).X.tolist() == [[3, 2], [6, 5]]
    assert read_table(path, "a", drop=["word", "b"]).feature_names == ("c",)


@pytest.mark.parametrize(
    ("text", "name", "options"),
    [
        ("a;y\n1;2\n", "table.csv", {"separator": ";"}),
        ("a\ty\n1\t2\n", "table.tsv", {}),
        ("\ufeffa,y\n1,2\n", "table.csv", {}),
        ("a,y\r\n1,2\r\n", "TABLE.CSV", {}),
        ("\n\na,y\n1,2\n", "table.csv", {}),
        ('"a","y"\n"1",2\n', "table.csv", {}),
        ("a,y\n1,2", "table.csv", {}),
    ],
)
def test_csv_dialects(csv, text, name, options):
    table = read_table(csv(text, name), "y", **options)
    assert (table.feature_names, table.X.tolist(), table.y.tolist()) == (("a",), [[1]], [2])


def test_booleans_are_read_and_noted(csv):
    table = read_table(csv("a,y\nTrue,1\nFalse,2\n"), "y")
    assert table.X.tolist() == [[1], [0]]
    assert table.notes == ("true and false read as 1 and 0: a",)


def test_rounded_integers_are_noted(csv):
    table = read_table(csv(f"a,b,y\n{2**53 + 1},{2**53},1\n3,4,2\n"), "y")
    assert table.X.tolist() == [[2**53, 2**53], [3, 4]]
    assert table.notes == ("values of more than 53 bits rounded to float64: a",)


def test_rows_with_missing_values_are_left_out_on_request(csv):
    path = csv("a,b,y\n1,2,3\n,5,6\n7,NA,9\n10,,\n13,14,15\n")
    with pytest.raises(TableError, match=r"missing values: a \(1\), b \(2\), y \(1\); drop these"):
        read_table(path, "y")
    table = read_table(path, "y", drop_missing=True)
    assert table.X.tolist() == [[1, 2], [13, 14]]
    assert table.notes == ("3 of 5 rows left out for missing values: a (1), b (2), y (1)",)
    assert read_table(path, "y", drop=["b"], drop_missing=True).y.tolist() == [3, 9, 15]


def test_missing_values_of_unused_columns_do_not_count(csv):
    table = read_table(csv("a,b,y\n1,,3\n4,,6\n"), "y", features=["a"])
    assert table.y.tolist() == [3, 6]
    assert table.notes == ()


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", {}, "table.csv: the file is empty"),
        ("a,y\n", {}, "table.csv: there are no rows"),
        ("a,b\n1,2\n", {}, "target: there is no column 'y' among a, b"),
        ("a,Y\n1,2\n", {}, "there is no column 'y'"),
        ("alpha,y\n1,2\n", {"features": ["alhpa"]}, r"'alhpa' \(did you mean 'alpha'\?\)"),
        ("a,y\n1,2\n", {"drop": ["b"]}, "drop: there is no column 'b' among a, y"),
        ("a,y\n1,2\n", {"features": ["a"], "drop": ["a"]}, "not both"),
        ("a,y\n1,2\n", {"features": ["y"]}, "'y' is the target"),
        ("a,y\n1,2\n", {"features": []}, "no column is left for X"),
        ("a,y\n1,2\n", {"drop": ["a"]}, "no column is left for X"),
        ("a,y\n1,2\n", {"features": ["a", "a"]}, "a feature is given twice: a, a"),
        ("y\n1\n", {}, "no column is left for X beside the target 'y'"),
        ("a,y,y\n1,2,3\n", {}, "more than one column is called 'y'"),
        ("a,a,y\n1,2,3\n", {}, "more than one column is called 'a'"),
        ("a,a,b,b,y\n1,2,3,4,5\n", {}, r"called 'a' \(and 1 more names\)"),
        (",a,y\n0,1,2\n", {}, r"column #1 has no name \(an index\?\)"),
        ("a,b,y\nred,1,2\n3,blue,4\n", {}, r"not numbers: a \('red'\), b \('blue'\); drop them"),
        ("a,y\n1,x\n2,3\n", {}, r"not numbers: y \('x'\)"),
        ("a,y\n" + "w" * 40 + ",2\n", {}, r"a \('w{21}\.\.\.'\)"),
        ("a,y\n2026-11-22,2\n", {}, r"not numbers: a \('2026-11-22'\)"),
        ('a,y\n"1,5",2\n', {}, r"not numbers: a \('1,5'\)"),
        ("a,y\nTrue,2\n,3\n", {}, r"not numbers: a"),
        ("a,y\n1+2j,2\n", {}, r"not numbers: a \('1\+2j'\)"),
        ("a,y\n1,inf\n2,-inf\n", {}, r"infinite values: y \(2\)"),
        ("a,y\n1,2\n1e999,2\n", {}, r"infinite values: a \(1\)|not numbers: a"),
        ("a,y\n,2\n1,\n", {"drop_missing": True}, "every row misses a value"),
        ("a,y\n1,2\n3,4,5\n", {}, "not a table: Expected 2 fields in line 3, saw 3"),
        ("a,y\n1,2,3\n4,5,6\n", {}, "not a table"),
        ("a;y\n1;2\n", {}, "only one column, 'a;y': is ',' the separator"),
        ("a,y\n1,2\n", {"separator": "::"}, "separator: expected one character, got '::'"),
        (b"a,y\n\xff\xfe,2\n", {}, "not UTF-8 text"),
        (b"\xe4,y\n1,2\n", {}, "not UTF-8 text"),
    ],
)
def test_bad_csv_is_refused_in_one_line(csv, text, options, message):
    with pytest.raises(TableError, match=message) as caught:
        read_table(csv(text), "y", **options)
    assert "\n" not in str(caught.value)


def test_an_index_column_can_be_dropped_or_taken_by_its_place(csv):
    path = csv(",a,y\n0,1,2\n1,3,4\n")
    assert read_table(path, "y", drop=["#1"]).X.tolist() == [[1], [3]]
    assert read_table(path, "y", features=["#1", "a"]).X.tolist() == [[0, 1], [1, 3]]


def test_long_lists_of_names_are_cut(csv):
    names = [f"column{j}" for j in range(100)]
    with pytest.raises(TableError, match=r"column15 and 84 more$") as caught:
        read_table(csv(",".join(names) + "\n" + ",".join("1" * 100) + "\n"), "y")
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("name", ["table.xlsx", "table", "table.npy"])
def test_unknown_formats_are_refused(csv, name):
    with pytest.raises(TableError, match=r"expected \.csv, \.tsv, \.npz or \.parquet"):
        read_table(csv("a,y\n1,2\n", name), "y")


@pytest.mark.parametrize("ending", ["csv", "npz", "parquet"])
def test_missing_files_and_folders_are_refused(tmp_path, ending):
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    with pytest.raises(TableError, match=rf"nowhere\.{ending}: no such file"):
        read_table(tmp_path / f"nowhere.{ending}", "y")
    folder = tmp_path / f"folder.{ending}"
    folder.mkdir()
    with pytest.raises(TableError, match=rf"folder\.{ending}: Is a directory"):
        read_table(folder, "y")


def test_a_caller_can_watch_the_reading(csv):
    opened = []

    def watched(path):
        opened.append(path)
        return io.BytesIO(path.read_bytes())

    path = csv("a,y\n1,2\n")
    assert read_table(path, "y", open_file=watched).y.tolist() == [2]
    assert opened == [path]


# NPZ


def test_npz_with_x_and_y(npz):
    X = np.arange(6.0).reshape(3, 2)
    table = read_table(npz(X=X, y=np.array([1, 2, 3])), "y")
    assert np.array_equal(table.X, X)
    assert table.y.tolist() == [1, 2, 3]
    assert table.feature_names == ("X[0]", "X[1]")


def test_npz_with_feature_names(npz):
    names = np.array(["length", "width"])
    table = read_table(npz(X=np.eye(2), y=np.ones(2), feature_names=names), "y")
    assert table.feature_names == ("length", "width")
    assert read_table(npz(X=np.eye(2), feature_names=names), "width").feature_names == ("length",)


def test_npz_of_columns_of_many_types(npz):
    path = npz(
        a=np.array([1, 2], np.int8),
        b=np.array([0.5, 1.5], ">f4"),
        c=np.array([True, False]),
        d=np.array([1, 2**64 - 1], np.uint64),
        e=np.array([0.1, np.longdouble(1) / 3], np.longdouble),
        y=np.array([1, 2], np.float16),
        seed=np.int64(7),
        cube=np.zeros((2, 2, 2)),
    )
    table = read_table(path, "y")
    assert table.feature_names == ("a", "b", "c", "d", "e")
    assert table.X.tolist() == [[1, 0.5, 1, 1, 0.1], [2, 1.5, 0, 2.0**64, 1 / 3]]
    rounded = "d, e" if np.finfo(np.longdouble).nmant > 52 else "d"
    assert table.notes == (
        "seed in table.npz is of shape (), which holds no columns: left out",
        "cube in table.npz is of shape (2, 2, 2), which holds no columns: left out",
        "true and false read as 1 and 0: c",
        f"values of more than 53 bits rounded to float64: {rounded}",
    )


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"X": np.eye(2), "y": np.ones(3)}, r"different lengths: X\[0\] \(2\), X\[1\] \(2\), y"),
        ({"a": np.ones(2) * 1j, "y": np.ones(2)}, r"not numbers: a \(complex128\)"),
        ({"a": np.array(["u", "v"]), "y": np.ones(2)}, r"not numbers: a \('u'\)"),
        ({"a": np.zeros(2, "M8[D]"), "y": np.ones(2)}, r"not numbers: a \(datetime64\[D\]\)"),
        ({"a": np.zeros(2, [("p", float)]), "y": np.ones(2)}, r"not numbers: a \(void64\)"),
        ({"a": np.array([1.0, None], object), "y": np.ones(2)}, "pickled objects"),
        ({"X": np.eye(2), "y": np.ones(2), "feature_names": np.array(["p"])}, "expected 2 strings"),
        ({"X": np.eye(2), "y": np.ones(2), "feature_names": np.array(["y", "z"])}, "called 'y'"),
        ({"X": np.zeros((0, 2)), "y": np.zeros(0)}, "there are no rows"),
        ({"X": np.zeros((2, 0)), "y": np.zeros(2)}, "no column is left for X"),
        ({"X": np.eye(2)}, r"no column 'y' among X\[0\], X\[1\]"),
    ],
)
def test_bad_npz_is_refused(npz, arrays, message):
    with pytest.raises(TableError, match=message):
        read_table(npz(**arrays), "y")


def test_pickles_in_an_npz_are_never_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (sys.exit, (1,))

    path = tmp_path / "trap.npz"
    np.savez(path, y=np.array([Trap()], object))
    with pytest.raises(TableError, match="pickled objects, which may run code"):
        read_table(path, "y")


def test_damaged_npz_is_refused(npz, csv):
    with pytest.raises(TableError, match="not an NPZ archive"):
        read_table(csv("text", "words.npz"), "y")
    with pytest.raises(TableError, match="not an NPZ archive"):
        read_table(csv("", "nothing.npz"), "y")
    whole = npz(X=np.random.default_rng(0).random((50, 2)), y=np.ones(50)).read_bytes()
    spoilt = bytearray(whole)
    spoilt[200:260] = bytes(60)
    with pytest.raises(TableError, match="damaged NPZ archive"):
        read_table(csv(bytes(spoilt), "spoilt.npz"), "y")
    with pytest.raises(TableError, match="not an NPZ archive"):
        read_table(csv(whole[: len(whole) // 2], "half.npz"), "y")


def test_members_that_are_no_arrays_are_noted(npz):
    path = npz(X=np.eye(2), y=np.ones(2))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("readme.txt", "hello")
    table = read_table(path, "y")
    assert table.notes == ("readme.txt in table.npz is no array, which holds no columns: left out",)


# Parquet


def test_parquet_gives_what_csv_gives(tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "wine.parquet"
    pd.read_csv(WINE).to_parquet(path)
    table, expected = read_table(path, "proline"), read_table(WINE, "proline")
    assert np.array_equal(table.X, expected.X)
    assert np.array_equal(table.y, expected.y)
    assert table.feature_names == expected.feature_names


def test_parquet_kinds_of_columns(tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "table.parquet"
    frame = pd.DataFrame(
        {
            "a": [1, 2, 3],
            "gap": pd.array([1, None, 3], "Int64"),
            "truth": [True, False, True],
            "word": ["u", "v", "w"],
            "price": [Decimal("1.5")] * 3,
            "y": np.array([1, 2, 3], np.float32),
        },
        index=pd.Index([7, 8, 9], name="id"),
    )
    frame.to_parquet(path)
    with pytest.raises(TableError, match=r"not numbers: word \('u'\), price \(object\)"):
        read_table(path, "y")
    table = read_table(path, "y", drop=["word", "price"], drop_missing=True)
    assert table.feature_names == ("a", "gap", "truth", "id")  # the index is seen
    assert table.X.tolist() == [[1, 1, 1, 7], [3, 3, 1, 9]]
    assert table.notes == (
        "true and false read as 1 and 0: truth",
        "1 of 3 rows left out for missing values: gap (1)",
    )


def test_parquet_that_is_none_is_refused(csv):
    pytest.importorskip("pyarrow")
    with pytest.raises(TableError, match="not a Parquet file"):
        read_table(csv("a,y\n1,2\n", "table.parquet"), "y")


def test_parquet_without_pyarrow_says_what_to_install(csv, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(TableError, match=r"needs pyarrow: pip install 'loopcore\[parquet\]'"):
        read_table(csv("", "table.parquet"), "y")


# standardize


def test_standardize_gives_mean_0_and_variance_1():
    table = standardize(read_table(WINE, "alcohol"))
    columns = np.column_stack([table.X, table.y])
    assert np.abs(columns.mean(axis=0)).max() < 1e-14
    assert np.abs(columns.var(axis=0) - 1).max() < 1e-14
    assert table.standardized
    assert table.notes[-1] == "every column and the target standardised to mean 0, variance 1"
    assert table.X.flags.c_contiguous


def test_standardize_agrees_with_scikit_learn():
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    table = read_table(WINE, "alcohol")
    expected = preprocessing.StandardScaler().fit_transform(table.X)
    assert np.abs(standardize(table).X - expected).max() < 1e-13


@pytest.mark.parametrize(("shift", "size"), [(0, 1e200), (0, 1e-300), (1e12, 1.0), (-3e300, 1e300)])
def test_standardize_at_the_ends_of_the_range(shift, size):
    values = shift + size * np.array([-1.0, 0.0, 0.0, 1.0])
    table = standardize(Table(values[:, None], np.arange(4.0), ("a",), "y"))
    root = np.sqrt(2)
    assert table.X.ravel() == pytest.approx([-root, 0, 0, root], rel=1e-3, abs=1e-3)
    assert abs(table.X.mean()) < 1e-15
    assert table.X.var() == pytest.approx(1, rel=1e-14)


@pytest.mark.parametrize(
    ("X", "y", "names"),
    [
        ([[1, 7], [2, 7]], [1, 2], "b"),
        ([[5, 7], [5, 7]], [3, 3], "a, b, y"),
        ([[1, 2]], [1], "a, b, y"),
        ([[0.1, 1], [0.1, 2], [0.1, 3]], [1, 2, 3], "a"),
    ],
)
def test_constant_columns_are_named(X, y, names):
    table = Table(np.array(X, float), np.array(y, float), ("a", "b"), "y", "t.csv")
    message = rf"t\.csv: constant columns have no scale to standardise by: {names}$"
    with pytest.raises(TableError, match=message):
        standardize(table)


def test_standardize_leaves_its_input_alone():
    X, y = np.array([[1.0], [2.0]]), np.array([3.0, 5.0])
    standardize(Table(X, y, ("a",), "y"))
    assert (X.tolist(), y.tolist()) == ([[1], [2]], [3, 5])
