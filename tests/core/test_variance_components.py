"""Restricted likelihood of known covariances."""

import numpy as np
import pytest
from scipy.optimize import minimize

from latentadj.core.variance_components import restricted_shares, sample_covariance


def components(n=24):
    rng = np.random.default_rng(0)
    block = np.kron(np.eye(n // 4), np.ones((4, 4)))
    kin = rng.normal(size=(n, 3 * n))
    return np.array([block, kin @ kin.T / (3 * n), np.eye(n)])


def test_shares_maximise_the_likelihood():
    """Against a derivative-free search from several starts."""
    B = components()
    rng = np.random.default_rng(1)
    truth = np.array([0.4, 0.3, 0.8])
    Y = np.linalg.cholesky(np.tensordot(truth, B, 1)) @ rng.normal(size=(24, 500))
    gram = Y @ Y.T / 500

    def deviance(tau):
        V = np.tensordot(tau, B, 1)
        return np.linalg.slogdet(V)[1] + np.trace(np.linalg.solve(V, gram))

    found = restricted_shares(gram, B, np.ones(3) / 3)
    options = {"xatol": 1e-10, "fatol": 1e-14, "maxiter": 5000}
    searched = minimize(lambda t: deviance(np.exp(t)), np.log(truth), method="Nelder-Mead", options=options)
    np.testing.assert_allclose(found, np.exp(searched.x), rtol=1e-5)
    np.testing.assert_allclose(found, truth, atol=0.06)


def test_a_component_that_is_not_there_gets_nothing():
    B = components()
    rng = np.random.default_rng(2)
    Y = rng.normal(size=(24, 4000))
    Y -= 0.1 * B[0] @ Y / 4  # less alike within blocks than independent samples
    shares = restricted_shares(Y @ Y.T / 4000, B[[0, 2]], np.ones(2) / 2)
    assert shares[0] == 0.0
    assert shares[1] == pytest.approx(np.trace(Y @ Y.T) / 24 / 4000, rel=1e-6)


def test_factors_and_covariance_are_told_apart():
    B = components()[[0, 2]]
    rng = np.random.default_rng(3)
    Z = rng.normal(size=(24, 2))
    root = np.linalg.cholesky(0.5 * B[0] + 0.5 * B[1])
    Y = Z @ rng.normal(size=(2, 3000)) * 2 + root @ rng.normal(size=(24, 3000))
    none = np.empty((24, 0))
    with_factors = sample_covariance(Y @ Y.T / 3000, B, none, 2)
    without = sample_covariance(Y @ Y.T / 3000, B, none, 0)
    assert with_factors.converged
    np.testing.assert_allclose(with_factors.shares, [0.5, 0.5], atol=0.06)
    assert np.abs(without.shares - 0.5).max() > 0.1
    assert np.trace(with_factors.covariance) == pytest.approx(24)
