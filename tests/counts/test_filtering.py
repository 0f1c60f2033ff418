"""The expression filter against edgeR and by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from latentadj.counts import ExpressionLimits, filter_by_expression
from latentadj.exceptions import InputError
from tests.reference_data import load_reference, simcounts


@pytest.fixture(scope="module")
def reference():
    return load_reference("edger", "counts")


def thin():
    return np.floor(simcounts().frame / 100)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("group", {"group": "group"}),
        ("design", {"design": "~ group"}),
        ("alone", {}),
        ("few", {"group": "group", "limits": ExpressionLimits(min_count=2, min_total_count=60)}),
        ("large", {"group": "group", "limits": ExpressionLimits(large_group=5, min_proportion=0.5)}),
        ("tmm", {"group": "group", "size_factors": "tmm"}),
        ("unequal", {"group": ["a"] * 3 + ["b"] * 12 + ["c"] * 25}),
    ],
)
def test_selections_are_those_of_edger(reference, name, settings):
    kept = filter_by_expression(thin(), sample_data=simcounts().sample_data, **settings)
    expected = reference[f"filter__{name}"] == 1
    assert 0 < expected.sum() < len(expected)
    np.testing.assert_array_equal(kept, expected)


def test_whole_counts_and_an_odd_number_of_samples(reference):
    np.testing.assert_array_equal(filter_by_expression(simcounts().X), reference["filter__plain"] == 1)
    part, table = thin().iloc[:11], simcounts().sample_data
    np.testing.assert_array_equal(filter_by_expression(part, table["group"]), reference["filter__odd"] == 1)


def test_a_count_at_the_threshold_is_enough():
    """Ten in a sample of the median size; library sizes that are no round numbers."""
    counts = np.array([[10.0, 9, 1e6 / 7], [10, 9, 1e6 / 7], [10, 9, 1e6 / 7]])
    for scale in (1, 3, 7, 11, 13, 17):
        sizes = scale * np.array([1 / 3, 1 / 3, 1 / 3])
        assert filter_by_expression(counts, library_sizes=sizes).tolist() == [True, False, True]


def test_by_hand():
    rng = np.random.default_rng(0)
    counts = rng.poisson(np.exp(rng.normal(1.5, 1.5, size=200)), size=(14, 200)).astype(float)
    group = np.repeat(["a", "b"], [2, 12])
    totals = counts.sum(axis=1)
    reached = (counts / totals[:, None] >= 10 / np.median(totals)).sum(axis=0)
    expected = (reached >= 2) & (counts.sum(axis=0) >= 15)
    np.testing.assert_array_equal(filter_by_expression(counts, group), expected)
    expected = (reached >= 10 + 0.7 * 4) & (counts.sum(axis=0) >= 15)
    np.testing.assert_array_equal(filter_by_expression(counts), expected)


def test_order_of_samples_does_not_matter_and_the_answer_selects_columns():
    frame, table = thin(), simcounts().sample_data
    kept = filter_by_expression(frame, "group", sample_data=table)
    again = filter_by_expression(frame.iloc[::-1], "group", sample_data=table)
    pd.testing.assert_series_equal(kept, again)
    assert frame.loc[:, kept].shape == (40, kept.sum())


def test_refusals():
    counts = [[1, 2], [3, 4]]
    with pytest.raises(InputError, match="Both group and design"):
        filter_by_expression(counts, [0, 1], design=[0, 1])
    with pytest.raises(InputError, match="no group"):
        filter_by_expression(counts, ["a", None])
    with pytest.raises(InputError, match="group has 3 value"):
        filter_by_expression(counts, ["a", "b", "b"])
