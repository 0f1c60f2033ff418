"""Matrices written by blocks: every value, every ID, and what was taken out of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import latentadj as la
from latentadj.core.matrix import ArrayMatrix, collect
from latentadj.core.passes import pass_options
from latentadj.data.provenance import AdjustmentRecord, adjustment_record
from latentadj.data.stores import OpenedMatrix, open_matrix
from latentadj.data.stores.marks import MarkedMatrix, stored_record, with_stored_record
from latentadj.data.stores.writing import files_of, write_matrix
from latentadj.exceptions import AdjustedDataError, InputError, OutputError
from latentadj.testing import made_up_study

KINDS = pytest.mark.parametrize("kind", ["npy", "zarr", "h5"])
RECORD = AdjustmentRecord(("ComBat",), 1, ("a", "b", "c"), np.array([[1.0], [-1.0], [0.0]]), ("batch",), ("dose",))


@pytest.fixture
def need(kind):
    if kind != "npy":
        pytest.importorskip({"zarr": "zarr", "h5": "h5py"}[kind])


@pytest.mark.usefixtures("need")
@KINDS
@pytest.mark.parametrize("width", [None, 7, 64])
def test_values_come_back(kind, width, tmp_path, monkeypatch):
    monkeypatch.setattr("latentadj.data.stores.writing.CHUNK_BYTES", 23 * 100 * 8)
    values = np.random.default_rng(0).normal(size=(23, 1234))
    values[3, 5] = np.nan
    with pass_options(width=width):
        write_matrix(ArrayMatrix(values), tmp_path / f"x.{kind}")
    np.testing.assert_array_equal(collect(open_matrix(tmp_path / f"x.{kind}").matrix), values)
    stored = open_matrix(tmp_path / f"x.{kind}").matrix
    write_matrix(stored, tmp_path / "again.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "again.npy"), values)


@pytest.mark.usefixtures("need")
@KINDS
def test_ids_and_type(kind, tmp_path):
    values = np.arange(12, dtype="int16").reshape(3, 4)
    names = np.array(["g1", "g 2", "é", "g4"], dtype=object)
    path = write_matrix(OpenedMatrix(ArrayMatrix(values), ("a", "b", "c"), names), tmp_path / f"x.{kind}")
    found = open_matrix(path)
    assert (found.sample_ids, found.feature_ids.tolist()) == (("a", "b", "c"), names.tolist())
    assert found.matrix.dtype == np.float32
    assert stored_record(path) is None
    assert with_stored_record(found, path) is found
    frame = la.read_matrix(path)
    assert (frame.sample_ids, frame.feature_ids.tolist()) == (("a", "b", "c"), names.tolist())
    np.testing.assert_array_equal(frame.values, values)
    assert frame.values.dtype == np.float32


@pytest.mark.usefixtures("need")
@KINDS
def test_what_was_taken_out_is_remembered(kind, tmp_path):
    path = write_matrix(ArrayMatrix(np.ones((3, 4))), tmp_path / f"x.{kind}", record=RECORD)
    found = stored_record(path)
    assert (found.methods, found.df_spent, found.names, found.protected) == (("ComBat",), 1, ("batch",), ("dose",))
    np.testing.assert_array_equal(found.columns, RECORD.columns)
    marked = with_stored_record(open_matrix(path), path)
    assert isinstance(marked, MarkedMatrix)
    assert adjustment_record(marked) is marked.record
    if kind != "npy":
        assert adjustment_record(la.read_matrix(path)).methods == ("ComBat",)
    # the same name with data that nothing was taken out of
    write_matrix(ArrayMatrix(np.ones((3, 4))), path, overwrite=True)
    assert stored_record(path) is None


def test_frames_and_anndata_that_remember(tmp_path):
    pytest.importorskip("pyarrow")
    anndata = pytest.importorskip("anndata")
    frame = pd.DataFrame(np.ones((3, 2)), index=list("abc"), columns=["g1", "g2"])
    marked = la.mark_adjusted(frame, "ComBat", columns=pd.Series([1.0, -1.0, 0.0], index=list("abc")))
    marked.to_parquet(tmp_path / "x.parquet")
    frame.to_parquet(tmp_path / "plain.parquet")
    assert stored_record(tmp_path / "x.parquet").methods == ("ComBat",)
    assert stored_record(tmp_path / "plain.parquet") is None
    data = la.mark_adjusted(anndata.AnnData(frame), "ComBat", df=1)
    data.write_h5ad(tmp_path / "x.h5ad")
    assert stored_record(tmp_path / "x.h5ad").methods == ("ComBat",)
    anndata.AnnData(frame).write_h5ad(tmp_path / "plain.h5ad")
    assert stored_record(tmp_path / "plain.h5ad") is None


@pytest.mark.usefixtures("need")
@pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")
@KINDS
def test_adjusted_data_of_a_result(kind, tmp_path):
    study = made_up_study()
    result = la.adjust(study.frame.astype("float32"), "~ x | age", study.sample_data, n_factors=2)
    path = result.write_adjusted(tmp_path / f"x.{kind}")
    opened = with_stored_record(open_matrix(path), path)
    factors, loadings = result.factors.to_numpy(), result.loadings.to_numpy()
    expected = study.frame.to_numpy(dtype="float32") - factors @ loadings.T
    assert opened.matrix.dtype == np.float32
    np.testing.assert_allclose(collect(opened.matrix), expected, rtol=1e-6, atol=1e-5)
    with pytest.raises(AdjustedDataError, match=f"factors of {result.method_title}"):
        la.adjust(opened, "~ x | age", study.sample_data, method="none")
    # with the factors back in the design, the test is that of the adjusted analysis by least squares
    again = la.adjust(opened, "~ x | age", study.sample_data, method="none", allow_adjusted=True)
    design = study.sample_data.join(result.factors.add_prefix("z"))
    names = " + ".join(f"z{name}" for name in result.factors.columns)
    plain = la.adjust(study.frame.astype("float32"), f"~ x | age + {names}", design, method="none")
    np.testing.assert_allclose(again.tests.statistic, plain.tests.statistic, rtol=2e-3, atol=2e-4)


def test_nothing_is_taken_out_without_factors(tmp_path):
    X = np.random.default_rng(0).normal(size=(12, 20))
    result = la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), method="none")
    path = result.write_adjusted(tmp_path / "x.npy")
    np.testing.assert_array_equal(np.load(path), X)
    assert stored_record(path) is None
    result.save(tmp_path / "saved")
    with pytest.raises(InputError, match="need the data"):
        la.load_result(tmp_path / "saved").adjusted()


@pytest.mark.usefixtures("need")
@KINDS
def test_errors_leave_what_is_there(kind, tmp_path):
    Y = ArrayMatrix(np.ones((3, 4)))
    path = tmp_path / f"x.{kind}"
    write_matrix(Y, path)
    before = sorted(p.name for p in tmp_path.iterdir())
    with pytest.raises(OutputError, match="already holds"):
        write_matrix(Y, path)
    with pytest.raises(InputError, match="cut off decimals"):
        write_matrix(Y, path, dtype="int32", overwrite=True)
    with pytest.raises(InputError, match="one line"):
        write_matrix(OpenedMatrix(Y, ("a", "b\nc", "d")), path, overwrite=True)

    class Failing(ArrayMatrix):
        def read(self, columns):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_matrix(Failing(np.zeros((3, 4))), path, overwrite=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == before
    np.testing.assert_array_equal(collect(open_matrix(path).matrix), 1.0)


def test_ids_of_an_earlier_matrix_are_not_taken_over(tmp_path):
    Y = ArrayMatrix(np.ones((3, 4)))
    write_matrix(OpenedMatrix(Y, ("a", "b", "c")), tmp_path / "x.npy")
    with pytest.raises(OutputError, match=r"x\.npy\.samples\.txt"):
        write_matrix(Y, tmp_path / "x.npy", overwrite=True)
    (tmp_path / "y.features.txt").write_text("old\n")
    with pytest.raises(OutputError, match=r"y\.features\.txt"):
        write_matrix(Y, tmp_path / "y.npy")
    assert files_of("x.npy")[1] in {p.name for p in tmp_path.iterdir()}
    with pytest.raises(InputError, match="written as"):
        write_matrix(Y, tmp_path / "x.csv")


@pytest.mark.usefixtures("need")
@KINDS
def test_a_test_on_what_was_written_is_refused(kind, tmp_path):
    values = np.random.default_rng(0).normal(size=(3, 40))
    opened = OpenedMatrix(ArrayMatrix(values), RECORD.sample_ids, None)
    path = write_matrix(opened, tmp_path / f"x.{kind}", record=RECORD)
    table = pd.DataFrame({"dose": [0.0, 1.0, 0.5]}, index=list(RECORD.sample_ids))
    with pytest.raises(AdjustedDataError, match="ComBat"):
        la.adjust(path, "~ dose", table, method="none")
