"""Size and normalization factors against edgeR, DESeq2 and simulated truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from latentadj.core.composition import (
    TrimmedMeanOptions,
    effective_library_sizes,
    reference_sample,
    relative_log_factors,
    sample_quantiles,
    trimmed_mean_factors,
    trimmed_mean_ratio,
    upper_quartile_factors,
)
from latentadj.counts import normalization_factors, size_factors
from latentadj.exceptions import AlignmentError, InputError, MethodError
from tests.reference_data import load_reference, simcounts

#: The factors are closed formulas of the counts: only round-off may differ.
ROUND_OFF = 1e-12
METHODS = ("tmm", "rle", "upper_quartile")


@pytest.fixture(scope="module")
def reference():
    return load_reference("edger", "counts")


def counts_with_composition(seed=0, m=3000):
    """Poisson counts of 8 samples whose depths differ and in which 10 % of the features rise in the last four."""
    rng = np.random.default_rng(seed)
    depth = np.exp(0.5 * rng.normal(size=8))
    level = np.exp(rng.normal(4, 1.2, size=m))
    rise = np.ones((8, m))
    rise[4:, : m // 10] = 6.0
    return rng.poisson(depth[:, None] * level * rise).astype(float), depth


@pytest.mark.parametrize(("method", "column"), [("tmm", 0), ("rle", 2), ("upper_quartile", 3)])
def test_normalization_factors_are_those_of_edger(reference, method, column):
    found = normalization_factors(simcounts().frame, method)
    assert_allclose(found, reference["edgeR_normfactors"][:, column], rtol=ROUND_OFF)
    sizes = found * reference["edgeR_normfactors"][:, 1]
    assert_allclose(size_factors(simcounts().frame, method), sizes / np.exp(np.log(sizes).mean()), rtol=ROUND_OFF)


def test_median_ratios_are_those_of_deseq2(reference):
    found = size_factors(simcounts().frame, "median_ratio")
    assert_allclose(found, reference["deseq_sizefactors"][:, 0], rtol=ROUND_OFF)


@pytest.mark.parametrize(
    ("name", "divisor", "settings"),
    [
        ("thin", 100, {}),
        ("thinner", 1000, {}),
        ("unweighted", 1, {"options": TrimmedMeanOptions(weighted=False)}),
        ("trims", 100, {"options": TrimmedMeanOptions(ratio_trim=0.1, level_trim=0.2)}),
        ("reference", 1, {"reference": 2}),
        ("cutoff", 1, {"options": TrimmedMeanOptions(least_level=-12.0)}),
    ],
)
def test_options_of_the_trimmed_mean_are_those_of_edger(reference, name, divisor, settings):
    counts = np.floor(simcounts().X / divisor)
    found = trimmed_mean_factors(counts, counts.sum(axis=1), **settings)
    assert_allclose(found, reference[f"factors__{name}"], rtol=ROUND_OFF)


def test_another_quantile_is_that_of_edger(reference):
    counts = simcounts().X
    found = upper_quartile_factors(counts, counts.sum(axis=1), probability=0.9)
    assert_allclose(found, reference["factors__quantile"], rtol=ROUND_OFF)


def test_trimmed_mean_by_hand():
    sample, other = np.array([5.0, 8, 40, 0, 7, 300]), np.array([4.0, 10, 30, 9, 0, 20])
    share, share_other = sample / 360, other / 73
    use = [0, 1, 2, 5]
    m = np.log2(share[use] / share_other[use])
    a = (np.log2(share[use]) + np.log2(share_other[use])) / 2
    inner = (np.argsort(np.argsort(m)) % 3 != 0) & (np.argsort(np.argsort(a)) % 3 != 0)
    variance = ((360 - sample) / 360 / np.maximum(sample, 1) + (73 - other) / 73 / np.maximum(other, 1))[use]
    expected = np.average(m[inner], weights=1 / variance[inner])
    options = TrimmedMeanOptions(ratio_trim=0.3, level_trim=0.3)
    assert inner.sum() in (1, 2)
    assert trimmed_mean_ratio(sample, other, 360.0, 73.0, options) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("method", "limit"), [("tmm", 0.05), ("rle", 0.07), ("median_ratio", 0.07), ("upper_quartile", 0.3)]
)
def test_depth_is_found_where_totals_mislead(method, limit):
    """Largest error of the log ratio of two samples' depths; the upper quartile moves with the features that rise."""
    for seed in range(3):
        counts, depth = counts_with_composition(seed)
        assert np.ptp(np.log(counts.sum(axis=1) / depth)) > 0.35
        assert np.ptp(np.log(size_factors(counts, method) / depth)) < limit


@pytest.mark.parametrize("method", METHODS)
def test_order_of_samples_and_features_does_not_matter(method):
    counts, _ = counts_with_composition(m=300)
    rng = np.random.default_rng(1)
    rows, columns = rng.permutation(8), rng.permutation(300)
    found = size_factors(counts[rows][:, columns], method).to_numpy()
    assert_allclose(found, size_factors(counts, method).to_numpy()[rows], rtol=1e-11)


def test_library_sizes_of_one_sample_scale_its_trimmed_mean_factor():
    """Twice the library, half the share: the product of factor and library stays close to what it was."""
    counts, _ = counts_with_composition(m=400)
    totals = counts.sum(axis=1)
    options = TrimmedMeanOptions(weighted=False, level_trim=0.0)
    doubled = trimmed_mean_ratio(counts[1], counts[0], 2 * totals[1], totals[0], options)
    assert doubled == pytest.approx(trimmed_mean_ratio(counts[1], counts[0], totals[1], totals[0], options) - 1)


def test_library_sizes_only():
    counts = pd.DataFrame([[1, 3], [6, 10]], index=["a", "b"])
    assert size_factors(counts, "library_size").tolist() == pytest.approx([0.5, 2.0])
    assert (normalization_factors(counts, "library_size") == 1).all()


def test_given_library_sizes_are_matched_by_id():
    counts = pd.DataFrame([[1, 3, 5], [6, 10, 2]], index=["a", "b"])
    found = size_factors(counts, "library_size", library_sizes=pd.Series({"b": 100.0, "a": 400.0}))
    assert found.to_dict() == pytest.approx({"a": 2.0, "b": 0.5})
    with pytest.raises(AlignmentError, match="no value for 1 of 2 samples: b"):
        size_factors(counts, library_sizes=pd.Series({"a": 400.0, "c": 1.0}))


def test_all_kinds_of_input_agree():
    counts, _ = counts_with_composition(m=200)
    expected = size_factors(counts).to_numpy()
    frame = pd.DataFrame(counts.T.astype(int), columns=list("abcdefgh"))
    found = size_factors(frame, orientation="features")
    assert found.index.tolist() == list("abcdefgh")
    assert_allclose(found, expected, rtol=ROUND_OFF)
    assert_allclose(size_factors(sparse.csr_matrix(counts)), expected, rtol=ROUND_OFF)


def test_effective_library_sizes_undo_any_scale():
    sizes, factors = np.array([10.0, 30, 20]), np.array([0.5, 1.6, 1.25])
    expected = sizes * factors
    assert_allclose(effective_library_sizes(sizes, 7 * expected), expected, rtol=1e-12)


def test_reference_is_the_sample_of_most_roots_when_quartiles_are_zero():
    counts = np.zeros((5, 40))
    counts[0, 0] = 900
    counts[1, :2] = 30
    counts[2, :8] = 20
    counts[:, 20:] += np.kron(np.eye(5), np.ones(4))
    assert np.median(sample_quantiles(counts, 0.75)) == 0
    assert reference_sample(counts, counts.sum(axis=1)) == 2


def test_equal_samples_and_disjoint_samples_have_no_correction():
    same = np.tile(np.arange(1.0, 30.0), (2, 1))
    assert_allclose(trimmed_mean_factors(same, same.sum(axis=1)), 1.0)
    disjoint = np.array([[5.0, 9, 0, 0], [0, 0, 7, 2]])
    assert_allclose(trimmed_mean_factors(disjoint, disjoint.sum(axis=1)), 1.0)


def test_a_library_size_below_a_count_falls_back_on_the_plain_mean():
    """One over the share is then no variance; nothing blows up."""
    sample, other = np.array([50.0, 8, 9]), np.array([5.0, 8, 7])
    options = TrimmedMeanOptions(ratio_trim=0.0, level_trim=0.0)
    expected = np.log2(sample / 20 / (other / 4)).mean()
    assert trimmed_mean_ratio(sample, other, 20.0, 4.0, options) == pytest.approx(expected)


def test_what_cannot_be_normalized_says_why():
    zeros = np.array([[0.0, 4, 5], [3, 0, 5], [3, 4, 0]])
    with pytest.raises(InputError, match="Every feature has a zero"):
        size_factors(zeros, "median_ratio")
    with pytest.raises(InputError, match="Every feature has a zero"):
        relative_log_factors(zeros, zeros.sum(axis=1))
    with pytest.raises(InputError, match="quantile of the counts is zero in 1 of 2"):
        size_factors([[0, 0, 0, 0, 9], [2, 3, 4, 5, 6]], "upper_quartile")
    with pytest.raises(MethodError, match="'tmm'"):
        size_factors(zeros, "deseq")
    with pytest.raises(MethodError, match="'tmm'"):
        normalization_factors(zeros, "median_ratio")
    with pytest.raises(InputError, match="1 of 2 samples hold no counts at all: 'b'"):
        size_factors(pd.DataFrame([[1, 2], [0, 0]], index=["a", "b"]))
    with pytest.raises(InputError, match="Negative"):
        size_factors([[1, -2], [3, 4]])
    with pytest.raises(InputError, match="missing"):
        size_factors([[1, np.nan], [3, 4]])
    with pytest.raises(InputError, match="library_sizes must hold"):
        size_factors([[1, 2], [3, 4]], library_sizes=[1.0, 0.0])
