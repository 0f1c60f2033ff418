"""Log counts as lazy views."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from latentadj.core.counts import LogCounts, library_sizes, log_counts
from latentadj.core.matrix import ArrayMatrix, FeatureSubset, collect
from latentadj.core.passes import pass_options
from latentadj.exceptions import DataScaleWarning, InputError


@pytest.fixture
def counts() -> np.ndarray:
    return np.random.default_rng(0).poisson(20, size=(7, 90))


def test_log_counts_per_million_are_vooms(counts: np.ndarray) -> None:
    """log2((c + 0.5) / (L + 1) 1e6)."""
    view = log_counts(ArrayMatrix(counts))
    expected = np.log2((counts + 0.5) / (counts.sum(axis=1)[:, None] + 1.0) * 1e6)
    assert_allclose(collect(view), expected, rtol=1e-13)
    assert_allclose(collect(FeatureSubset(view, np.array([3, 50]))), expected[:, [3, 50]], rtol=1e-13)


def test_plain_logarithms(counts: np.ndarray) -> None:
    view = log_counts(ArrayMatrix(counts), per_million=False, prior=1.0)
    assert_allclose(collect(view), np.log1p(counts), rtol=1e-13)
    assert view.library_sizes is None


def test_library_sizes_do_not_depend_on_blocks(counts: np.ndarray) -> None:
    with pass_options(width=4, n_threads=3):
        assert_array_equal(library_sizes(ArrayMatrix(counts)), counts.sum(axis=1))


def test_negative_values_are_refused(counts: np.ndarray) -> None:
    bad = counts.astype(float)
    bad[2, 60] = -1
    with pytest.raises(InputError, match="Negative"):
        log_counts(ArrayMatrix(bad))
    with pytest.raises(InputError, match="Negative"):
        collect(LogCounts(ArrayMatrix(bad), None, 1.0))


def test_samples_without_counts_are_told_and_stay_finite(counts: np.ndarray) -> None:
    counts[4] = 0
    with pytest.warns(DataScaleWarning, match="position 4"):
        view = log_counts(ArrayMatrix(counts))
    assert np.isfinite(collect(view)).all()


def test_missing_values_are_left_for_the_finiteness_check(counts: np.ndarray) -> None:
    bad = counts.astype(float)
    bad[2, 60] = np.nan
    found = collect(log_counts(ArrayMatrix(bad)))
    assert np.argwhere(~np.isfinite(found)).tolist() == [[2, 60]]
