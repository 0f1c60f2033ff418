"""Adapters: values and IDs arrive unchanged, copies are avoided, and bad cells are named."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from latentadj.data import LabelledMatrix, as_labelled_matrix, check_finite
from latentadj.exceptions import AlignmentError, InputError


@pytest.fixture
def frame():
    values = np.arange(12.0).reshape(3, 4)
    return pd.DataFrame(values, index=["s1", "s2", "s3"], columns=["f-1", "f.2", "1f", "MARCH1"])


def test_frame_keeps_ids_and_values(frame):
    matrix = as_labelled_matrix(frame)
    assert matrix.sample_ids == ("s1", "s2", "s3")
    assert matrix.feature_ids.tolist() == ["f-1", "f.2", "1f", "MARCH1"]
    assert np.array_equal(matrix.values, frame.to_numpy())
    assert matrix.shape == (3, 4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_copy_of_float_input(frame, dtype):
    array = np.ones((3, 4), dtype=dtype)
    assert np.shares_memory(as_labelled_matrix(array).values, array)
    assert np.shares_memory(as_labelled_matrix(array, orientation="features").values, array)
    typed = frame.astype(dtype)
    assert np.shares_memory(as_labelled_matrix(typed).values, typed.to_numpy())
    assert as_labelled_matrix(typed).values.dtype == dtype


def test_orientation_features_is_the_transpose(frame):
    direct, turned = as_labelled_matrix(frame), as_labelled_matrix(frame.T, orientation="features")
    assert direct.sample_ids == turned.sample_ids
    assert direct.feature_ids.tolist() == turned.feature_ids.tolist()
    assert np.array_equal(direct.values, turned.values)


def test_labelled_matrix_passes_through(frame):
    matrix = as_labelled_matrix(frame)
    assert as_labelled_matrix(matrix) is matrix


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint16, np.int64, np.float16, ">f8"])
def test_other_real_types_become_float64(dtype):
    array = np.array([[0, 1], [1, 0]], dtype=dtype)
    values = as_labelled_matrix(array).values
    assert values.dtype == np.float64
    assert values.dtype.isnative
    assert values.tolist() == [[0.0, 1.0], [1.0, 0.0]]


def test_mixed_and_nullable_columns_with_missing_cells():
    frame = pd.DataFrame(
        {
            "a": [1, 2],
            "b": [0.5, np.nan],
            "c": pd.array([1, None], dtype="Int64"),
            "d": np.array([None, 4.0], dtype=object),
            "e": np.array([pd.NA, 4], dtype=object),
            "f": [True, False],
        },
        index=["x", "y"],
    )
    nan = np.nan
    expected = [[1, 0.5, 1, nan, nan, 1], [2, nan, nan, 4, 4, 0]]
    assert np.array_equal(as_labelled_matrix(frame).values, np.array(expected), equal_nan=True)


def test_lists_masked_arrays_and_sparse():
    assert as_labelled_matrix([[1, 2], [3, 4]]).values.tolist() == [[1, 2], [3, 4]]
    masked = np.ma.masked_array([[1.0, 2.0]], mask=[[False, True]])
    assert np.isnan(as_labelled_matrix(masked).values).tolist() == [[False, True]]
    matrix = as_labelled_matrix(sparse.csr_matrix(np.eye(3, dtype=np.float32)))
    assert matrix.values.dtype == np.float32
    assert np.array_equal(matrix.values, np.eye(3))
    assert "3 stored values" in matrix.notes[0]


def test_running_numbers_are_not_feature_ids():
    matrix = as_labelled_matrix(pd.DataFrame(np.ones((2, 3))))
    assert matrix.feature_ids is None
    assert matrix.sample_ids == ("0", "1")


def test_anndata_layers_and_annotation():
    anndata = pytest.importorskip("anndata")
    data = anndata.AnnData(
        np.array([[1.0, 2.0], [3.0, 4.0]], dtype=np.float32),
        obs=pd.DataFrame({"batch": ["a", "b"]}, index=["s1", "s2"]),
        var=pd.DataFrame({"ctl": [True, False]}, index=["g1", "g2"]),
        layers={"log": sparse.csr_matrix(np.eye(2))},
    )
    matrix = as_labelled_matrix(data)
    assert matrix.sample_ids == ("s1", "s2")
    assert matrix.sample_data["batch"].tolist() == ["a", "b"]
    assert matrix.feature_data["ctl"].tolist() == [True, False]
    assert np.array_equal(as_labelled_matrix(data, layer="log").values, np.eye(2))
    with pytest.raises(InputError, match=r"'raw' is not in the AnnData object\. Its layers: 'log'"):
        as_labelled_matrix(data, layer="raw")


def test_text_cell_is_named(frame):
    frame = frame.astype(object)
    frame.loc["s2", "1f"] = "n.d."
    with pytest.raises(InputError, match=r"row 's2', column '1f': 'n\.d\.'"):
        as_labelled_matrix(frame)


def test_text_that_reads_like_a_number_gets_advice(frame):
    with pytest.raises(InputError, match=r"column 'f-1': '0\.0'.*X\.astype\(float\)"):
        as_labelled_matrix(frame.astype(str))
    with pytest.raises(InputError, match=r"row '1', column '0': 'x'"):
        as_labelled_matrix(np.array([["1", "2"], ["x", "3"]]))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.ones(3), r"shape \(3,\)"),
        (np.ones((2, 2, 2)), r"shape \(2, 2, 2\)"),
        (np.ones((0, 3)), r"shape \(0, 3\)"),
        (np.ones((2, 2)) * 1j, "complex"),
        ([[1, 2], [3]], "same length"),
        ("matrix.csv", "read_matrix"),
        (pd.DataFrame({"d": pd.to_datetime(["2020-01-01"])}), "'d' of the matrix is of type datetime64"),
        (pd.DataFrame({"c": pd.Categorical(["a"])}), "'c' of the matrix is of type category"),
    ],
)
def test_unusable_input(bad, message):
    with pytest.raises(InputError, match=message):
        as_labelled_matrix(bad)


def test_bad_arguments(frame):
    with pytest.raises(InputError, match="orientation='rows' is not known"):
        as_labelled_matrix(frame, orientation="rows")
    with pytest.raises(InputError, match="only AnnData has layers"):
        as_labelled_matrix(frame, layer="log")


def test_duplicated_ids_are_listed(frame):
    with pytest.raises(AlignmentError, match=r"1 sample ID\(s\) occur more than once.*'s1'"):
        as_labelled_matrix(frame.set_axis(["s1", "s1", "s3"], axis=0))
    with pytest.raises(AlignmentError, match=r"1 feature ID\(s\) occur more than once.*'b'"):
        as_labelled_matrix(frame.set_axis(["a", "b", "b", "b"], axis=1))


@pytest.mark.parametrize("order", ["C", "F"])
def test_check_finite_counts_and_names(order):
    values = np.ones((4, 3000), order=order)
    values[1, 2] = np.nan
    values[3, 2999] = -np.inf
    ids, names = list("abcd"), [f"f{j}" for j in range(3000)]
    with pytest.raises(InputError) as caught:
        check_finite(values, ids, names)
    message = str(caught.value)
    assert "1 missing value(s) (NaN) and 1 infinite value(s)" in message
    assert "('b', 'f2')" in message
    assert "('d', 'f2999')" in message
    assert "logarithm of zero" in message


def test_check_finite_in_several_blocks(monkeypatch):
    monkeypatch.setattr("latentadj.data.finiteness._CHUNK", 8)
    values = np.zeros((5, 7))
    values[4, 6] = values[2, 3] = np.inf
    for view in (values, np.asfortranarray(values)):
        with pytest.raises(InputError, match=r"2 infinite.*\(2, 3\), \(4, 6\)"):
            check_finite(view)


def test_check_finite_shows_at_most_five():
    with pytest.raises(InputError, match="20 missing") as caught:
        check_finite(np.full((4, 5), np.nan))
    assert len(re.findall(r"\(\d, \d\)", str(caught.value))) == 5


def test_check_finite_can_allow_missing():
    check_finite(np.array([[1.0, np.nan]]), allow_missing=True)
    with pytest.raises(InputError, match=r"1 infinite value\(s\), first at \(sample, feature\): \(0, 1\)"):
        check_finite(np.array([[np.nan, np.inf]]), allow_missing=True)


def test_labelled_matrix_is_frozen(frame):
    matrix = as_labelled_matrix(frame)
    assert isinstance(matrix, LabelledMatrix)
    with pytest.raises(AttributeError):
        matrix.values = None
