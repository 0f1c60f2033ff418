"""Alignment: by ID whatever the order, and every mismatch is explained."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latentadj.data import align_samples
from latentadj.data.identifiers import near_matches
from latentadj.exceptions import AlignmentError, InputError


@pytest.fixture
def table():
    return pd.DataFrame({"age": [30, 40, 50]}, index=["a", "b", "c"])


@given(order=st.permutations(range(8)), keep=st.integers(1, 8))
@settings(max_examples=50, deadline=None)
def test_any_order_and_subset_is_aligned_by_id(order, keep):
    ids = [f"s{i}" for i in order]
    table = pd.DataFrame({"value": order}, index=ids)
    wanted = [f"s{i}" for i in range(keep)]
    aligned, report = align_samples(wanted, table, keep)
    assert aligned["value"].tolist() == list(range(keep))
    assert list(aligned.index) == wanted
    assert report.matched == keep
    assert set(report.only_in_samples) == {f"s{i}" for i in range(keep, 8)}
    assert not report.by_position


def test_extra_rows_are_reported_and_the_input_is_untouched(table):
    before = table.copy()
    aligned, report = align_samples(["c", "a"], table, 2)
    assert aligned["age"].tolist() == [50, 30]
    assert report.only_in_samples == ("b",)
    assert "1 row(s) of the sample table" in report.notes[0]
    pd.testing.assert_frame_equal(table, before)


def test_numeric_ids_match_as_text():
    table = pd.DataFrame({"v": [1, 2]}, index=[11, 7])
    aligned, report = align_samples(("7", "11"), table, 2)
    assert aligned["v"].tolist() == [2, 1]
    assert not report.by_position


def test_shuffled_running_numbers_are_aligned_by_id():
    table = pd.DataFrame({"v": [0, 1, 2]}).iloc[[2, 0, 1]]
    aligned, report = align_samples(["0", "1", "2"], table, 3)
    assert aligned["v"].tolist() == [0, 1, 2]
    assert not report.by_position


def test_array_without_ids_goes_by_position_with_a_note(table):
    aligned, report = align_samples(None, table, 3)
    assert report.by_position
    assert "matched by position" in report.notes[0]
    assert list(aligned.index) == ["a", "b", "c"]


def test_table_without_ids_takes_those_of_the_matrix():
    aligned, report = align_samples(["x", "y"], pd.DataFrame({"v": [1, 2]}), 2)
    assert report.by_position
    assert list(aligned.index) == ["x", "y"]


def test_matrix_with_running_numbers_goes_by_position(table):
    aligned, report = align_samples(["0", "1", "2"], table, 3)
    assert report.by_position
    assert list(aligned.index) == ["a", "b", "c"]


def test_missing_samples_are_counted_shown_and_matched_nearly():
    table = pd.DataFrame({"v": [1, 2, 3]}, index=["X1.a", "S-2", "s3 "])
    with pytest.raises(AlignmentError) as caught:
        align_samples(["1-a", "S.2", "S3", "zz"], table, 4)
    message = str(caught.value)
    assert "4 of the 4 samples" in message
    for pair in ("'1-a' looks like 'X1.a'", "'S.2' looks like 'S-2'", "'S3' looks like 's3 '"):
        assert pair in message
    assert "'zz' looks like" not in message


def test_duplicates_are_listed(table):
    with pytest.raises(AlignmentError, match="'a'"):
        align_samples(["a", "a"], table, 2)
    with pytest.raises(AlignmentError, match=r"sample table: 'b'"):
        align_samples(["a", "b"], table.set_axis(["b", "a", "b"], axis=0), 2)


def test_duplicates_outside_the_matrix_do_not_matter(table):
    aligned, _ = align_samples(["a"], table.set_axis(["a", "b", "b"], axis=0), 1)
    assert aligned["age"].tolist() == [30]


@pytest.mark.parametrize(("given", "advised"), [("samples", "features"), ("features", "samples")])
def test_transposed_matrix_is_recognised(table, given, advised):
    with pytest.raises(AlignmentError) as caught:
        align_samples(["g1", "g2"], table, 2, feature_ids=np.array(["a", "b", "c"]), orientation=given)
    message = str(caught.value)
    assert "looks transposed: 3 of the 3 IDs" in message
    assert f'orientation="{advised}"' in message
    assert f"--orientation {advised}" in message


def test_transposed_sample_table_is_recognised(table):
    with pytest.raises(AlignmentError, match=r"sample table looks transposed.*sample_data\.T"):
        align_samples(["a", "b", "c"], table.T, 3)


def test_ids_in_a_column_are_recognised(table):
    with pytest.raises(AlignmentError, match=r"set_index\('sample'\)"):
        align_samples(["c", "a"], table.rename_axis("sample").reset_index(), 2)


def test_running_numbers_on_both_sides_are_not_ids():
    """A longer table is an error, not a silent match of its first rows."""
    with pytest.raises(AlignmentError, match="Neither side has sample IDs, and the lengths differ: 2"):
        align_samples(["0", "1"], pd.DataFrame({"v": [1, 2, 3]}), 2)
    aligned, report = align_samples(["0", "1"], pd.DataFrame({"v": [1, 2]}), 2)
    assert report.by_position
    assert aligned["v"].tolist() == [1, 2]


def test_different_lengths_without_ids(table):
    with pytest.raises(AlignmentError, match="5 samples in the matrix, 3 rows in the sample table"):
        align_samples(None, table, 5)
    with pytest.raises(AlignmentError, match="looks transposed"):
        align_samples(None, table, 5, n_features=3)


def test_sample_data_must_be_a_frame():
    with pytest.raises(InputError, match="sample_data is a dict"):
        align_samples(["a"], {"a": 1}, 1)


def test_near_matches_prefer_the_same_form():
    assert near_matches(["TP-53"], ["TP54", "tp.53"]) == {"TP-53": "tp.53"}
    assert near_matches(["BRCA11"], ["BRCA1", "MYC"]) == {"BRCA11": "BRCA1"}
    assert near_matches(["qqq"], ["BRCA1"]) == {}
