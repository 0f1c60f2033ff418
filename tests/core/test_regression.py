"""Least squares against numpy.linalg.lstsq, and the covariance of contrasts by brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latentadj.core.kernels import RegressionSums
from latentadj.core.matrix import ArrayMatrix
from latentadj.core.regression import LinkUncertainty, design_basis, fit_regression, is_constant


@pytest.fixture
def study():
    rng = np.random.default_rng(5)
    design = np.column_stack([np.ones(20), rng.normal(size=20), np.repeat([0, 1], 10)])
    return rng.normal(size=(20, 40)) + 7, design


def test_coefficients_variances_and_means_match_lstsq(study):
    Y, X = study
    fit = fit_regression(ArrayMatrix(Y), X)
    coef, rss, *_ = np.linalg.lstsq(X, Y, rcond=None)
    np.testing.assert_allclose(fit.coef, coef.T, atol=1e-12)
    np.testing.assert_allclose(fit.sigma2, rss / 17, rtol=1e-11)
    np.testing.assert_allclose(fit.cov_unscaled, np.linalg.inv(X.T @ X), rtol=1e-10)
    np.testing.assert_allclose(fit.mean, Y.mean(axis=0))
    assert fit.df_resid == 17


def test_dependent_columns_are_set_aside_left_to_right(study):
    Y, X = study
    dependent = np.column_stack([X, X[:, 1] * 2 + 1, X[:, 2] - X[:, 1]])
    basis = design_basis(dependent)
    assert basis.kept == (0, 1, 2)
    assert basis.aliased == (3, 4)
    fit = fit_regression(ArrayMatrix(Y), dependent)
    np.testing.assert_allclose(fit.coef[:, :3], fit_regression(ArrayMatrix(Y), X).coef)
    assert np.isnan(fit.coef[:, 3:]).all()
    assert np.isnan(fit.cov_unscaled[3:]).all()
    assert fit.df_resid == 17


def test_columns_of_very_different_size_are_not_dependent():
    X = np.column_stack([np.ones(10), 1e-9 * np.arange(10.0), 1e9 * np.arange(10.0) ** 2])
    assert design_basis(X).rank == 3


@given(seed=st.integers(0, 10_000), d=st.integers(1, 6), extra=st.integers(0, 3))
@settings(max_examples=40, deadline=None)
def test_rank_agrees_with_the_singular_values(seed, d, extra):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(12, d))
    X = np.column_stack([X, X @ rng.normal(size=(d, extra))])
    basis = design_basis(X)
    assert basis.rank == np.linalg.matrix_rank(X) == d
    np.testing.assert_allclose(basis.q.T @ basis.q, np.eye(d), atol=1e-12)
    complement = basis.complement()
    assert complement.shape == (12, 12 - d)
    np.testing.assert_allclose(complement.T @ X, 0, atol=1e-11)


def test_constant_in_span_is_recognised_without_an_intercept_column():
    groups = np.kron(np.eye(3), np.ones((4, 1)))
    assert design_basis(groups).spans_constant
    assert not design_basis(groups[:, :2]).spans_constant


def test_no_columns_and_no_residual_freedom():
    Y = np.random.default_rng(0).normal(size=(4, 3))
    empty = fit_regression(ArrayMatrix(Y), np.empty((4, 0)))
    np.testing.assert_allclose(empty.sigma2, (Y**2).sum(axis=0) / 4)
    full = fit_regression(ArrayMatrix(Y), np.eye(4))
    assert full.df_resid == 0
    assert np.isnan(full.sigma2).all()


@pytest.mark.parametrize("value", [0.0, 3.3, 1e12])
def test_constant_features_are_flagged_and_others_not(value):
    rng = np.random.default_rng(2)
    Y = rng.normal(size=(9, 5))
    Y[:, 2] = value
    Y[:, 3] = value + 1e-6 * max(abs(value), 1.0) * rng.normal(size=9)
    fit = fit_regression(ArrayMatrix(Y), np.ones((9, 1)))
    assert fit.constant.tolist() == [False, False, True, False, False]


def test_contrast_variance_adds_the_links_part(study):
    Y, X = study
    rng = np.random.default_rng(1)
    fit = fit_regression(ArrayMatrix(Y), X)
    loadings = rng.normal(size=(40, 2))
    root = rng.normal(size=(4, 4))
    covariance = (root @ root.T).reshape(2, 2, 2, 2)  # (primary, factor, primary, factor)
    linked = fit.with_link(LinkUncertainty(loadings, covariance, (1, 2)))
    L = np.array([[0.0, 1.0], [1.0, 2.0], [-1.0, 0.5]])
    found = linked.link.contrast_covariance(L)
    for j in range(40):
        for a in range(2):
            for b in range(2):
                expected = sum(
                    L[1 + i, a] * loadings[j, k] * covariance[i, k, ip, kp] * loadings[j, kp] * L[1 + ip, b]
                    for i in range(2)
                    for k in range(2)
                    for ip in range(2)
                    for kp in range(2)
                )
                assert found[j, a, b] == pytest.approx(expected, rel=1e-10)
    variance = linked.contrast_variance(L, fit.sigma2)
    plain = np.outer(fit.sigma2, np.diag(L.T @ np.linalg.inv(X.T @ X) @ L))
    np.testing.assert_allclose(variance, plain + np.einsum("maa->ma", found), rtol=1e-10)


def test_flipping_factor_signs_leaves_tests_of_the_rest_alone(study):
    Y, X = study
    fit = fit_regression(ArrayMatrix(Y), X)
    flipped = fit.with_flipped_factors(np.array([-1.0]))
    np.testing.assert_array_equal(flipped.coef[:, :2], fit.coef[:, :2])
    np.testing.assert_array_equal(flipped.coef[:, 2], -fit.coef[:, 2])
    L = np.array([[0.0], [1.0], [0.0]])
    np.testing.assert_allclose(flipped.unscaled_covariance(L), fit.unscaled_covariance(L))


@pytest.mark.parametrize("scale", [1e-140, 1.0, 1e160])
def test_constant_features_are_told_from_others_at_any_scale(scale):
    """Squares of the means alone would overflow at 1e160 and make every feature a constant one."""
    mean, spread = np.array([3.0, 3.0, 0.0]) * scale, np.array([0.0, 1e-10, 1e-10]) * scale
    sums = RegressionSums(np.zeros((3, 1)), np.zeros(3), 20 * spread**2, mean)
    np.testing.assert_array_equal(is_constant(sums, 20), [True, False, False])
