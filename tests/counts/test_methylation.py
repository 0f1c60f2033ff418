"""Proportions to M-values and back."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from latentadj.core.methylation import inverse_logit2
from latentadj.counts import beta_values, m_values
from latentadj.exceptions import DataScaleWarning, InputError


def proportions(dtype=float):
    values = np.random.default_rng(0).beta(0.5, 0.7, size=(5, 40)).clip(1e-4, 1 - 1e-4)
    return pd.DataFrame(values.astype(dtype), index=list("abcde"), columns=[f"cg{i}" for i in range(40)])


def test_log_odds_and_back():
    beta = proportions()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = m_values(beta)
    assert_allclose(found, np.log2(beta / (1 - beta)), rtol=1e-12, atol=1e-12)
    pd.testing.assert_frame_equal(beta_values(found), beta, rtol=1e-12)
    pd.testing.assert_frame_equal(m_values(beta.T, orientation="features"), found)


def test_single_precision_stays():
    beta = proportions("float32")
    found = m_values(beta)
    assert (found.dtypes == np.float32).all()
    assert (beta_values(found).dtypes == np.float32).all()
    exact = np.log2(beta.astype(float) / (1 - beta.astype(float)))
    assert_allclose(found, exact, rtol=1e-5, atol=1e-6)


def test_ends_are_symmetric_and_announced():
    with pytest.warns(DataScaleWarning, match="2 of 3 proportions"):
        found = m_values(np.array([[0.0, 1.0, 0.5]])).to_numpy()[0]
    assert_allclose(found, [np.log2(1e-6), -np.log2(1e-6), 0.0])
    with pytest.warns(DataScaleWarning, match="1 of 3 proportions"):
        found = m_values(np.array([[0.05, 0.2, 0.5]]), smallest=0.1).to_numpy()[0]
    assert_allclose(found, [np.log2(0.1 / 0.95), -2, 0])


def test_missing_values_stay_missing():
    found = m_values(np.array([[np.nan, 0.2]])).to_numpy()[0]
    assert np.isnan(found[0])
    assert found[1] == pytest.approx(-2.0)
    assert np.isnan(beta_values(np.array([[np.nan, 0.2]])).to_numpy()[0, 0])


def test_inverse_does_not_overflow():
    with np.errstate(over="raise"):
        assert_allclose(inverse_logit2(np.array([-2000.0, 2000.0, -1.0])), [0.0, 1.0, 1 / 3])


@pytest.mark.parametrize("bad", [-0.1, 1.5, 50.0, np.inf])
def test_other_scales_are_refused(bad):
    with pytest.raises(InputError, match="between 0 and 1"):
        m_values(np.array([[0.2, bad]]))


@pytest.mark.parametrize("smallest", [0.0, 0.5, -1.0, np.nan])
def test_smallest_has_limits(smallest):
    with pytest.raises(InputError, match="smallest="):
        m_values(np.array([[0.2, 0.3]]), smallest=smallest)
