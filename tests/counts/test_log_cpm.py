"""Log counts per million against edgeR."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from latentadj.core.log_cpm import LogCountsPerMillion
from latentadj.core.matrix import ArrayMatrix, collect
from latentadj.core.passes import pass_options
from latentadj.counts import log_cpm, size_factors
from latentadj.exceptions import InputError, MethodError
from tests.reference_data import load_reference, simcounts


@pytest.fixture(scope="module")
def reference():
    return load_reference("edger", "counts")


def test_values_are_those_of_edger(reference):
    """Stored with 10 digits, or all of them."""
    found = log_cpm(simcounts().frame, "tmm")
    assert_allclose(found.iloc[:, :100].T, reference["edgeR_cpmlog"], rtol=2e-9)
    found = log_cpm(simcounts().frame, "tmm", prior_count=0.5)
    assert_allclose(found.iloc[:, :20].T, reference["cpm"], rtol=1e-12)
    assert_allclose(log_cpm(simcounts().X).iloc[:, :20].T, reference["cpm_plain"], rtol=1e-12)


def test_labels_and_orientation():
    frame = simcounts().frame
    found = log_cpm(frame.T, orientation="features")
    pd.testing.assert_frame_equal(found, log_cpm(frame))
    assert found.index.equals(frame.index)
    assert found.columns.equals(frame.columns)


def test_of_size_factors_only_the_ratios_matter_and_ids_are_matched():
    frame = simcounts().frame
    factors = size_factors(frame)
    expected = log_cpm(frame, "tmm")
    assert_allclose(log_cpm(frame, 12 * factors.iloc[::-1]), expected, rtol=1e-12)
    assert_allclose(log_cpm(frame, (12 * factors).to_numpy()), expected, rtol=1e-12)
    assert_allclose(log_cpm(frame, "library_size"), log_cpm(frame), rtol=1e-12)


def test_zero_counts_are_level_across_depths():
    counts = np.random.default_rng(0).poisson(5, size=(6, 40)) * np.array([1, 1, 3, 3, 9, 50])[:, None]
    counts[:, 0] = 0
    assert np.ptp(log_cpm(counts).to_numpy()[:, 0]) < 1e-12


def test_blocks_do_not_matter():
    counts = np.random.default_rng(1).poisson(5, size=(6, 300)).astype(float)
    view = LogCountsPerMillion(ArrayMatrix(counts), counts.sum(axis=1), 2.0)
    parts = np.hstack([view.read(slice(start, start + 7)) for start in range(0, 300, 7)])
    with pass_options(width=11):
        np.testing.assert_array_equal(collect(view), parts)


def test_refusals():
    with pytest.raises(InputError, match="prior_count=0"):
        log_cpm([[1, 2], [3, 4]], prior_count=0)
    with pytest.raises(InputError, match="size_factors has 3 value"):
        log_cpm([[1, 2], [3, 4]], [1.0, 2, 3])
    with pytest.raises(InputError, match="size_factors must hold one finite number above zero"):
        log_cpm([[1, 2], [3, 4]], [1.0, np.nan])
    with pytest.raises(MethodError, match="'rpkm'"):
        log_cpm([[1, 2], [3, 4]], "rpkm")
