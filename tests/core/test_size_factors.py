"""Size factors by medians of ratios."""

from __future__ import annotations

import numpy as np

import latentadj.core.size_factors as module
from latentadj.core.matrix import ArrayMatrix
from latentadj.core.size_factors import median_ratio_factors


def counts(seed=0, m=400):
    rng = np.random.default_rng(seed)
    sizes = np.exp(0.4 * rng.normal(size=10))
    return rng.poisson(np.outer(sizes, np.exp(rng.normal(4, 1, size=m)))).astype(float), sizes


def test_by_hand():
    y, _ = counts()
    kept = (y > 0).all(axis=0)
    logs = np.log(y[:, kept])
    expected = np.exp(np.median(logs - logs.mean(axis=0), axis=1))
    np.testing.assert_allclose(median_ratio_factors(ArrayMatrix(y)), expected, rtol=1e-12)


def test_a_few_large_features_do_not_move_them():
    y, sizes = counts()
    y[:5, :8] *= 1000
    found = median_ratio_factors(ArrayMatrix(y))
    ratio = found / sizes
    assert ratio.max() / ratio.min() < 1.05
    totals = y.sum(axis=1) / sizes
    assert totals.max() / totals.min() > 5


def test_only_the_highest_features_when_there_are_many(monkeypatch):
    y, sizes = counts(m=600)
    monkeypatch.setattr(module, "MAX_FEATURES", 200)
    found = median_ratio_factors(ArrayMatrix(y))
    order = np.random.default_rng(1).permutation(600)
    np.testing.assert_allclose(median_ratio_factors(ArrayMatrix(y[:, order])), found, rtol=1e-12)
    assert np.abs(np.diff(np.log(found / sizes))).max() < 0.05


def test_none_without_a_feature_free_of_zeros():
    assert median_ratio_factors(ArrayMatrix(np.eye(3))) is None
