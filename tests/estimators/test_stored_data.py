"""Fronts read stored matrices by blocks, and give the numbers of the matrix in memory."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import latentadj as la
from latentadj.core.matrix import ArrayMatrix
from latentadj.exceptions import AlignmentError, InputError
from latentadj.testing import made_up_study

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")


def write(kind: str, X: pd.DataFrame, folder) -> object:
    path = folder / f"X.{kind}"
    if kind == "npy":
        np.save(path, X.to_numpy())
        (folder / "X.samples.txt").write_text("\n".join(X.index))
        (folder / "X.features.txt").write_text("\n".join(X.columns))
        return str(path)
    if kind == "zarr":
        zarr = pytest.importorskip("zarr")
        return zarr.create_array(path, data=X.to_numpy(), chunks=(30, 64))
    if kind == "h5":
        h5py = pytest.importorskip("h5py")
        with h5py.File(path, "w") as file:
            file["X"] = X.to_numpy()
        return str(path)
    if kind == "parquet":
        pytest.importorskip("pyarrow")
        X.to_parquet(path)
        return path
    return ArrayMatrix(X.to_numpy())


@pytest.mark.parametrize("kind", ["npy", "zarr", "h5", "parquet", "matrix"])
@pytest.mark.parametrize("method", ["cate", "sva", "ruv4"])
def test_the_same_as_in_memory(kind, method, tmp_path):
    study = made_up_study()
    controls = np.arange(50) if method == "ruv4" else None
    options = {"method": method, "n_factors": 2, "controls": controls}
    expected = la.adjust(study.frame, "~ x | age", study.sample_data, **options)
    found = la.adjust(write(kind, study.frame, tmp_path), "~ x | age", study.sample_data, **options)
    np.testing.assert_allclose(found.tests.statistic, expected.tests.statistic, rtol=1e-9)
    if kind in ("npy", "parquet"):
        assert list(found.feature_ids) == list(study.frame.columns)


def test_samples_of_a_file_are_aligned_by_id(tmp_path):
    study = made_up_study()
    path = write("npy", study.frame, tmp_path)
    expected = la.adjust(path, "~ x", study.sample_data, method="none")
    found = la.adjust(path, "~ x", study.sample_data.iloc[::-1], method="none")
    np.testing.assert_array_equal(found.tests.statistic, expected.tests.statistic)
    with pytest.raises(AlignmentError):
        la.adjust(path, "~ x", study.sample_data.iloc[3:], method="none")


def test_missing_and_infinite_values_of_a_file(tmp_path):
    X = made_up_study().frame.to_numpy().copy()
    X[4, 7], X[5, 300] = np.nan, np.inf
    np.save(tmp_path / "X.npy", X)
    table = made_up_study().sample_data.reset_index(drop=True)
    with pytest.raises(InputError, match=r"1 missing value.* 1 infinite"):
        la.adjust(str(tmp_path / "X.npy"), "~ x", table, method="none")
    X[5, 300] = 0.0
    np.save(tmp_path / "X.npy", X)
    found = la.adjust(str(tmp_path / "X.npy"), "~ x", table, method="cate", n_factors=1, missing="allow")
    expected = la.adjust(X, "~ x", table, method="cate", n_factors=1, missing="allow")
    np.testing.assert_allclose(found.tests.statistic, expected.tests.statistic, rtol=1e-7)


def test_a_matrix_with_one_sample_is_refused():
    with pytest.raises(InputError, match="1 samples"):
        la.adjust(ArrayMatrix(np.ones((1, 5))), la.Design.from_arrays([1]))
