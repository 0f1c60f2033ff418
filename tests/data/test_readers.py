"""Readers: exact values, unchanged headers, and one message that names the culprit for every broken file."""

from __future__ import annotations

import builtins
import gzip
import importlib

import numpy as np
import pandas as pd
import pytest

from latentadj.data import parquet, read_matrix, read_samples, read_series_matrix
from latentadj.exceptions import AlignmentError, FileFormatError, InputError, MissingExtraError

VALUES = np.array([[0.1, -2.5e-300, 3.0], [1 / 3, np.nan, np.inf]])
SAMPLES, FEATURES = ("S-1", "2"), ["1007_s_at", "a b", "MARCH1"]


@pytest.fixture
def frame():
    return pd.DataFrame(VALUES, index=SAMPLES, columns=FEATURES)


def assert_same(matrix):
    assert matrix.sample_ids == SAMPLES
    assert matrix.feature_ids.tolist() == FEATURES
    assert np.array_equal(matrix.values, VALUES, equal_nan=True)


@pytest.mark.parametrize("name", ["m.csv", "m.tsv", "m.txt", "m.csv.gz", "m.tsv.gz"])
@pytest.mark.parametrize("orientation", ["samples", "features"])
def test_text_round_trip_is_exact(tmp_path, frame, name, orientation):
    path = tmp_path / name
    table = frame if orientation == "samples" else frame.T
    table.to_csv(path, sep="," if ".csv" in name else "\t", na_rep="NA")
    assert_same(read_matrix(path, orientation=orientation))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("r.txt", '"f1" "f2"\n"s1" 1 2\n"s2" 3 4\n'),  # R: write.table(x)
        ("r.tsv", "f1\tf2\ns1\t1\t2\ns2\t3\t4\n"),  # heading one field shorter
        ("r.csv", '"","f1","f2"\n"s1",1,2\n"s2",3,4\n'),  # R: write.csv(x)
        ("r.csv", "id;f1;f2\ns1;1;2\ns2;3;4\n"),
        ("r.csv", "\ufeff\r\nid,f1,f2\r\n\r\ns1,1,2\r\ns2,3,4\r\n"),
        ("r.csv", "id,f1,f2\ns1,1,2\ns2,3,4"),
    ],
)
def test_dialects(tmp_path, name, text):
    path = tmp_path / name
    path.write_bytes(text.encode())
    matrix = read_matrix(path)
    assert matrix.sample_ids == ("s1", "s2")
    assert matrix.feature_ids.tolist() == ["f1", "f2"]
    assert matrix.values.tolist() == [[1, 2], [3, 4]]


def test_row_names_that_look_missing_are_kept(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("id,a,b\nNA,1,NA\nnan,,4\n007,5,6\n")
    matrix = read_matrix(path)
    assert matrix.sample_ids == ("NA", "nan", "007")
    assert np.isnan(matrix.values).sum() == 2


def test_gzip_is_told_by_content(tmp_path, frame):
    path = tmp_path / "m.csv"
    path.write_bytes(gzip.compress(frame.to_csv(na_rep="NA").encode()))
    assert_same(read_matrix(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,a,b\nr1,1,2\nr2,1,x\n", r"line 3, row 'r2', column 'b': 'x'"),
        (
            "id,a,b\nr1,1,2\n\nr2,n.d.,x\n",
            r"line 4, row 'r2', column 'a': 'n\.d\.' \(and 1 more in this row: 'b'\)",
        ),
        ("id;a\nr1;1,5\n", r"'1,5'.*decimal point"),
        ("id,a,b\nr1,1,2\nr2,1\n", "2 fields in line 3, 3 are needed"),
        ("id,a,b\nr1,1,2\nr2,1,2,3\n", "4 fields in line 3, 3 are needed"),
        ("id,a,b\nr1,1,2,3,4\n", "heading has 3 fields and the first row has 5"),
        ("id,a,b\n", "heading but no rows"),
        ("\n \n", "only blank lines"),
        ("r1\nr2\n", "single column"),
        ("", "empty"),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_broken_text(tmp_path, text, message, zipped):
    path = tmp_path / ("m.csv.gz" if zipped else "m.csv")
    if zipped and not text:
        message = "no text"
    path.write_bytes(gzip.compress(text.encode()) if zipped else text.encode())
    with pytest.raises(FileFormatError, match=message) as caught:
        read_matrix(path)
    assert path.name in str(caught.value)


@pytest.mark.parametrize("share", [0.2, 0.6, 0.999])
def test_truncated_gzip(tmp_path, share):
    rng = np.random.default_rng(0)
    text = pd.DataFrame(rng.normal(size=(500, 8))).to_csv()
    whole = gzip.compress(text.encode())
    path = tmp_path / "m.csv.gz"
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(FileFormatError, match="truncated or damaged gzip"):
        read_matrix(path)


def test_damaged_gzip(tmp_path):
    whole = bytearray(gzip.compress(b"id,a\n" + b"".join(b"r%d,%d\n" % (i, i * 7919) for i in range(5000))))
    whole[len(whole) // 2] ^= 0xFF
    path = tmp_path / "m.csv.gz"
    path.write_bytes(bytes(whole))
    with pytest.raises(FileFormatError, match="damaged gzip"):
        read_matrix(path)


def test_not_utf8(tmp_path):
    path = tmp_path / "m.csv"
    path.write_bytes("id,a\nr1,1\n".encode("utf-16"))
    with pytest.raises(FileFormatError, match="not UTF-8"):
        read_matrix(path)


def test_duplicated_ids(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("id,a,a\nr1,1,2\n")
    with pytest.raises(AlignmentError, match=r"feature ID\(s\) occur more than once.*'a'"):
        read_matrix(path)
    path.write_text("id,a,b\nr1,1,2\nr1,1,2\n")
    with pytest.raises(AlignmentError, match=r"sample ID\(s\) occur more than once.*'r1'"):
        read_matrix(path)


def test_npy_is_memory_mapped(tmp_path):
    path = tmp_path / "m.npy"
    np.save(path, VALUES)
    matrix = read_matrix(path, orientation="features")
    assert np.array_equal(matrix.values, VALUES.T, equal_nan=True)
    assert matrix.sample_ids is None
    assert isinstance(matrix.values.base.base, np.memmap) or isinstance(matrix.values.base, np.memmap)


def test_broken_npy(tmp_path):
    path = tmp_path / "m.npy"
    np.save(path, VALUES)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(FileFormatError, match=r"not a readable \.npy"):
        read_matrix(path)
    np.save(path, np.array([["a", None]], dtype=object), allow_pickle=True)
    with pytest.raises(FileFormatError, match=r"not a readable \.npy"):
        read_matrix(path)


@pytest.mark.parametrize("with_index", [True, False])
def test_parquet(tmp_path, frame, with_index):
    pytest.importorskip("pyarrow")
    path = tmp_path / "m.parquet"
    (frame if with_index else frame.rename_axis("id").reset_index()).to_parquet(path, index=with_index)
    assert_same(read_matrix(path))
    path.write_bytes(b"not parquet")
    with pytest.raises(FileFormatError, match="not a readable parquet"):
        read_matrix(path)


def test_h5ad(tmp_path, frame):
    anndata = pytest.importorskip("anndata")
    path = tmp_path / "m.h5ad"
    obs = pd.DataFrame({"batch": ["a", "b"]}, index=list(SAMPLES))
    data = anndata.AnnData(VALUES, obs=obs, var=pd.DataFrame(index=FEATURES), layers={"twice": VALUES * 2})
    data.write_h5ad(path)
    matrix = read_matrix(path)
    assert_same(matrix)
    assert matrix.sample_data["batch"].tolist() == ["a", "b"]
    twice = read_matrix(path, layer="twice").values
    assert np.array_equal(twice, VALUES * 2, equal_nan=True)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(FileFormatError, match=r"not a readable \.h5ad"):
        read_matrix(path)


@pytest.mark.parametrize(("name", "module"), [("m.parquet", "pyarrow"), ("m.h5ad", "anndata")])
def test_missing_extra_names_the_pip_command(tmp_path, monkeypatch, name, module):
    path = tmp_path / name
    path.write_bytes(b"x")
    real = importlib.import_module

    def without(wanted, *args):
        if wanted == module:
            raise ImportError(wanted)
        return real(wanted, *args)

    monkeypatch.setattr(parquet, "import_module", without)
    with pytest.raises(MissingExtraError, match=r'pip install "latentadj\['):
        read_matrix(path)


def test_importing_the_package_needs_no_extra(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.partition(".")[0] in {"anndata", "h5py"}:
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    importlib.reload(importlib.import_module("latentadj.data.readers"))


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("m.zarr", FileFormatError, "not a readable zarr array"),
        ("m.h5", FileFormatError, "not a whole HDF5 file"),
        ("m.xlsx", FileFormatError, r"\.xlsx cannot be read.*Save the sheet as \.csv"),
        ("m.rds", FileFormatError, "write.csv"),
        ("m", FileFormatError, "without suffix"),
    ],
)
def test_unknown_kinds(tmp_path, name, error, message):
    path = tmp_path / name
    path.write_bytes(b"x")
    with pytest.raises(error, match=message):
        read_matrix(path)


def test_bad_arguments(tmp_path, frame):
    with pytest.raises(FileFormatError, match="no file"):
        read_matrix(tmp_path / "absent.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(FileFormatError, match="is a folder"):
        read_matrix(tmp_path / "folder.csv")
    frame.to_csv(tmp_path / "m.csv")
    with pytest.raises(InputError, match="orientation='cols'"):
        read_matrix(tmp_path / "m.csv", orientation="cols")
    with pytest.raises(InputError, match="only those have layers"):
        read_matrix(tmp_path / "m.csv", layer="log")


def test_samples_keep_strings(tmp_path):
    path = tmp_path / "samples.tsv"
    path.write_text("id\tplate\tage\tsmoker\tarm\tn.visits\n01\t007\t30.5\tTRUE\tNone\t2\n02\t010\tNA\tFALSE\tNA\t3\n")
    table = read_samples(path)
    assert table.index.tolist() == ["01", "02"]
    assert table.columns.tolist() == ["plate", "age", "smoker", "arm", "n.visits"]
    assert table["plate"].tolist() == ["007", "010"]
    assert table["age"].iloc[0] == 30.5
    assert np.isnan(table["age"].iloc[1])
    assert table["smoker"].tolist() == ["TRUE", "FALSE"]
    assert table["arm"].iloc[0] == "None"
    assert pd.isna(table["arm"].iloc[1])
    assert table["n.visits"].dtype == np.int64


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("id,a\nx,1\nx,2\n", AlignmentError, "'x'"),
        ("id,a\nx,1\n,2\n", AlignmentError, "is empty"),
        ("id,a,a\nx,1,2\n", FileFormatError, r"1 column name\(s\) occur more than once: 'a'"),
        ("id,a\nx,1\ny,2,3\n", FileFormatError, "3 fields in line 3, 2 are needed"),
        ("", FileFormatError, "empty"),
    ],
)
def test_broken_samples(tmp_path, text, error, message):
    path = tmp_path / "samples.csv"
    path.write_text(text)
    with pytest.raises(error, match=message):
        read_samples(path)


def test_samples_from_parquet_and_unknown(tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "s.parquet"
    pd.DataFrame({"id": ["x", "y"], "age": [1, 2]}).to_parquet(path)
    assert read_samples(path)["age"].to_dict() == {"x": 1, "y": 2}
    with pytest.raises(FileFormatError, match="cannot be read"):
        read_samples(tmp_path / "s.xlsx")


SERIES = """!Series_title\t"a study"
!Sample_title\t"first"\t"second"\t"third"
!Sample_geo_accession\t"GSM1"\t"GSM2"\t"GSM3"
!Sample_characteristics_ch1\t"age: 30"\t"sex: F"\t"age: 50"
!Sample_characteristics_ch1\t"sex: M"\t"age: 40"\t"note"
!Sample_characteristics_ch2\t"age: 1"\t""\t""
!Sample_broken\t"only one"
!series_matrix_table_begin
"ID_REF"\t"GSM1"\t"GSM2"\t"GSM3"
"p1"\t1\t2\t3
"p2"\t4\tnull\t6
!series_matrix_table_end
"""


@pytest.mark.parametrize("name", ["GSE1_series_matrix.txt", "GSE1_series_matrix.txt.gz"])
def test_series_matrix_splits_by_key(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(gzip.compress(SERIES.encode()) if name.endswith("gz") else SERIES.encode())
    matrix = read_matrix(path)
    assert matrix.sample_ids == ("GSM1", "GSM2", "GSM3")
    assert matrix.feature_ids.tolist() == ["p1", "p2"]
    assert np.array_equal(matrix.values, [[1, 4], [2, np.nan], [3, 6]], equal_nan=True)
    table = matrix.sample_data
    assert table["age"].tolist() == [30, 40, 50]
    assert table["sex"].fillna("-").tolist() == ["M", "F", "-"]
    assert table["age_ch2"].iloc[0] == 1
    assert table["title"].tolist() == ["first", "second", "third"]
    assert "broken has 1 cells for 3 samples" in matrix.notes[0]


def test_series_matrix_cut_off_or_empty(tmp_path):
    path = tmp_path / "s.txt"
    path.write_text(SERIES.replace("!series_matrix_table_end\n", ""))
    with pytest.raises(FileFormatError, match="cut off"):
        read_series_matrix(path)
    path.write_text(SERIES.replace('"p1"\t1\t2\t3\n"p2"\t4\tnull\t6\n', ""))
    with pytest.raises(FileFormatError, match="no values"):
        read_series_matrix(path)
    path.write_text(SERIES.replace("4\tnull", "4\tbad"))
    with pytest.raises(FileFormatError, match=r"line 11, row 'p2', column 'GSM2': 'bad'"):
        read_series_matrix(path)
