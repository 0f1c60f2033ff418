"""One variance for all features."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

import latentadj as la
from latentadj.exceptions import MethodError
from latentadj.inference import PooledVariance, resolve_inference

P = 40


def fitted(seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(11, P)) * rng.uniform(0.5, 2, P)
    X[:, 4] = 3.0
    with pytest.warns(la.LatentAdjWarning):
        return la.adjust(X, la.Design.from_arrays(rng.normal(size=11)), n_factors=0, inference="pooled")


def test_by_hand():
    result = fitted()
    s2 = np.delete(result.fit.sigma2, 4)
    assert_allclose(np.delete(result.tests.prior.s2_post, 4), s2.mean(), rtol=1e-13)
    assert np.isnan(result.tests.prior.s2_post[4])
    assert np.isnan(result.tests.p_value[4]).all()
    assert result.tests.df == 9.0 * (P - 1)
    one_by_one = np.delete(result.tests.estimate[:, 0] / result.tests.std_error[:, 0], 4)
    assert_allclose(np.delete(result.tests.statistic[:, 0], 4), one_by_one)


def test_features_count_by_their_degrees_of_freedom():
    fit = fitted().fit
    df = np.linspace(3, 12, P)
    prior = PooledVariance().variances(replace(fit, df_resid=df))
    keep = np.arange(P) != 4
    assert_allclose(prior.s2_post[0], np.sum(df[keep] * fit.sigma2[keep]) / df[keep].sum(), rtol=1e-13)
    assert_allclose(prior.df_total, df[keep].sum())


def test_nothing_to_pool():
    fit = fitted().fit
    prior = PooledVariance().variances(replace(fit, df_resid=0.0, sigma2=np.full(P, np.nan)))
    assert np.isnan(prior.s2_post).all()
    known = PooledVariance().variances(replace(fit, df_resid=np.inf))
    assert np.isinf(known.df_total)


def test_names():
    assert isinstance(resolve_inference("pooled"), PooledVariance)
    with pytest.raises(MethodError, match="pooled"):
        resolve_inference("pool")
