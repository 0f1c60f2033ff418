"""Tables written in pieces are the tables written as a whole."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest

import latentadj as la
from latentadj.data.table_blocks import write_table_blocks
from latentadj.exceptions import InputError, MissingExtraError, OutputError


@pytest.fixture(scope="module")
def result():
    rng = np.random.default_rng(1)
    X = pd.DataFrame(rng.normal(size=(18, 230)), columns=[f"g,{j} é" for j in range(230)])
    X.index = [f"s{i}" for i in range(18)]
    X.iloc[:, 5] = 1.0
    table = pd.DataFrame({"g": list("abc") * 6}, index=X.index)
    with pytest.warns(la.LatentAdjWarning):
        return la.adjust(X, "~ g", table, n_factors=1, method="cate")


@pytest.mark.parametrize("which", ["adjusted", "unadjusted", "uncalibrated"])
@pytest.mark.parametrize("n_rows", [1, 100, 230, 1000])
def test_pieces_are_the_table(result, which, n_rows):
    pieces = list(result.tidy_blocks(which=which, n_rows=n_rows))
    assert max(map(len, pieces)) <= n_rows
    joined = pd.concat(pieces, ignore_index=True)
    # quantiles of many degrees of freedom and of few come from different formulas
    pd.testing.assert_frame_equal(joined, result.tidy(which=which), check_exact=False, rtol=1e-13)


def test_pieces_of_one_term_and_another_adjustment(result):
    joined = pd.concat(list(result.tidy_blocks("g[T.c]", p_adjust="holm", n_rows=64)), ignore_index=True)
    pd.testing.assert_frame_equal(joined, result.tidy("g[T.c]", p_adjust="holm"), rtol=1e-13)
    with pytest.raises(InputError, match="was not tested"):
        result.tidy_blocks("no such term")
    with pytest.raises(InputError, match="n_rows=0"):
        result.tidy_blocks(n_rows=0)


def read_zarr(path):
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(path, mode="r")
    return pd.DataFrame({name: np.asarray(group[name][:]) for name in group.attrs["columns"]})


READERS = {
    "t.csv": lambda path: pd.read_csv(path, float_precision="round_trip"),
    "t.tsv.gz": lambda path: pd.read_csv(path, sep="\t", float_precision="round_trip"),
    "t.parquet": pd.read_parquet,
    "t.zarr": read_zarr,
}


@pytest.mark.parametrize("name", READERS)
def test_every_kind_holds_the_whole_table(name, result, tmp_path):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    pieces = list(result.tidy_blocks(n_rows=100))
    write_table_blocks(iter(pieces), tmp_path / name)
    found, expected = READERS[name](tmp_path / name), pd.concat(pieces, ignore_index=True)
    for column in ("feature", "term", "status"):
        found[column] = found[column].astype(object)
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    assert [p.name for p in tmp_path.iterdir()] == [name]
    write_table_blocks(iter(pieces[:1]), tmp_path / name)  # nothing of a larger table is left
    assert len(READERS[name](tmp_path / name)) == 100


def test_text_is_what_pandas_writes_of_the_whole(result, tmp_path):
    result.write_table(tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_bytes() == result.tidy().to_csv(index=False).encode()
    result.write_table(tmp_path / "t.csv.gz")
    packed = (tmp_path / "t.csv.gz").read_bytes()
    assert packed[4:8] == b"\0\0\0\0"
    assert gzip.decompress(packed) == (tmp_path / "t.csv").read_bytes()


def test_row_groups_of_parquet_are_the_pieces(result, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    write_table_blocks(result.tidy_blocks(n_rows=100), tmp_path / "t.parquet")
    file = parquet.ParquetFile(tmp_path / "t.parquet")
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [100, 100, 30] * 2


@pytest.mark.parametrize("name", READERS)
def test_a_failing_piece_leaves_the_old_table(name, result, tmp_path):
    def failing():
        yield from result.tidy_blocks(n_rows=200)
        raise KeyboardInterrupt

    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    write_table_blocks(result.tidy_blocks(), tmp_path / name)
    with pytest.raises(KeyboardInterrupt):
        write_table_blocks(failing(), tmp_path / name)
    assert len(READERS[name](tmp_path / name)) == 460
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_errors(result, tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"\.csv, \.tsv"):
        result.write_table(tmp_path / "t.xlsx")
    (tmp_path / "t.csv").write_text("old")
    with pytest.raises(OutputError, match="already holds"):
        result.write_table(tmp_path / "t.csv", overwrite=False)
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"latentadj\[parquet\]"):
        result.write_table(tmp_path / "t.parquet")
