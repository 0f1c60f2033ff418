"""Centred regression of effects on loadings: against plain least squares, and its claimed error."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from latentadj.confounding.centred_regression import CentredRegression


@pytest.mark.parametrize("weighted", [False, True])
def test_it_is_least_squares_with_an_intercept(weighted: bool) -> None:
    rng = np.random.default_rng(0)
    loadings, effects = 1 + rng.normal(size=(200, 3)), 2 + rng.normal(size=(200, 2))
    sigma2 = np.exp(rng.normal(size=200))
    sigma2[:10] = 0.0  # features without variation are left out
    root = (1 / np.sqrt(sigma2[10:]) if weighted else np.ones(190))[:, None]
    design = np.column_stack([np.ones(190), loadings[10:]])
    coef = np.linalg.lstsq(design * root, effects[10:] * root)[0]
    found = CentredRegression(weighted=weighted).estimate(effects, loadings, sigma2, np.eye(2))
    assert_allclose(found.omega, coef[1:].T, rtol=1e-10)
    left = (effects[10:] - design @ coef) * root
    bread = np.linalg.inv((design * root).T @ (design * root))
    for i in range(2):
        for j in range(2):
            meat = (design * root * (left[:, i] * left[:, j])[:, None]).T @ (design * root)
            sandwich = (bread @ meat @ bread)[1:, 1:] * 190 / (190 - 4)
            assert_allclose(found.covariance[i, :, j, :], sandwich, rtol=1e-8, atol=1e-14)


def test_claimed_error_is_the_spread_over_studies() -> None:
    """Effects of many features, skewed and with a mean; standard errors against the spread of 400 estimates."""
    rng = np.random.default_rng(1)
    found, claimed = [], []
    for _ in range(400):
        a = rng.standard_exponential(size=(300, 1))
        b = 1.0 + 0.5 * a + (rng.standard_exponential(size=(300, 1)) - 1.0) * (0.2 + a)
        link = CentredRegression().estimate(b, a, np.exp(0.3 * rng.normal(size=300)), np.eye(1))
        found.append(link.omega[0, 0])
        claimed.append(link.covariance[0, 0, 0, 0])
    assert np.mean(found) == pytest.approx(0.5, abs=0.03)
    assert np.sqrt(np.mean(claimed)) == pytest.approx(np.std(found), rel=0.15)


def test_reliability_is_that_of_the_centred_loadings() -> None:
    """A mean of the loadings is taken out with the intercept and lends them no reliability."""
    rng = np.random.default_rng(2)
    loadings = 50.0 + rng.normal(size=(20000, 1)) + 0.5 * rng.normal(size=(20000, 1))
    found = CentredRegression().reliability(loadings, np.full(20000, 0.25))
    assert found[0, 0] == pytest.approx(0.8, abs=0.01)


def test_too_few_features_give_the_shortest_solution() -> None:
    link = CentredRegression().estimate(np.array([[1.0], [2.0]]), np.eye(2), np.ones(2), np.eye(1))
    assert np.isfinite(link.omega).all()
    assert np.isfinite(link.covariance).all()
