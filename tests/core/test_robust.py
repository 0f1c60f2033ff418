"""Huber regression against its estimating equation, a simulation of its covariance, and least squares."""

import numpy as np
import pytest

from latentadj.core.robust import HUBER_K, huber_cross_covariance, huber_regression


@pytest.fixture
def data():
    rng = np.random.default_rng(4)
    A = rng.normal(size=(600, 3))
    y = A @ [1.0, -0.5, 2.0] + rng.standard_t(4, size=600)
    y[:60] += 8 * rng.normal(size=60)
    return y, A


def test_solves_the_estimating_equation(data):
    y, A = data
    fit = huber_regression(y, A)
    bounded = np.clip(y - A @ fit.coef, -HUBER_K * fit.scale, HUBER_K * fit.scale)
    assert fit.converged
    assert np.abs(A.T @ bounded).max() < 1e-7 * np.abs(A).sum()


def test_minimises_hubers_loss_at_a_known_scale(data):
    y, A = data
    fit = huber_regression(y, A, scale=1.0)

    def loss(coef):
        r = np.abs(y - A @ coef)
        return np.where(r <= HUBER_K, r**2 / 2, HUBER_K * r - HUBER_K**2 / 2).sum()

    rng = np.random.default_rng(0)
    for _ in range(50):
        assert loss(fit.coef) <= loss(fit.coef + 1e-3 * rng.normal(size=3))


def test_equals_least_squares_without_outliers():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(50, 2))
    y = A @ [1.0, 2.0] + 1e-3 * rng.uniform(-1, 1, size=50)
    np.testing.assert_allclose(huber_regression(y, A, scale=1.0).coef, np.linalg.lstsq(A, y, rcond=None)[0], rtol=1e-12)


def test_equivariance_under_scale_and_shift(data):
    y, A = data
    base = huber_regression(y, A).coef
    np.testing.assert_allclose(huber_regression(7 * y, A).coef, 7 * base, rtol=1e-8)
    np.testing.assert_allclose(huber_regression(y + A @ [1, 1, 1], A).coef, base + 1, rtol=1e-7)


def test_no_predictors_and_perfect_fits():
    assert huber_regression(np.ones(5), np.empty((5, 0))).coef.shape == (0,)
    A = np.arange(1.0, 11.0)[:, None]
    np.testing.assert_allclose(huber_regression(3 * A[:, 0], A).coef, [3.0])


def test_covariance_matches_its_simulated_value():
    """2,000 replicates: the standard error of a simulated variance is 3 %; 12 % is four of them."""
    rng = np.random.default_rng(11)
    A = rng.normal(size=(200, 2))
    mixing = np.linalg.cholesky([[1.0, 0.6], [0.6, 1.0]])
    coefs, formulas = [], []
    for _ in range(2000):
        noise = rng.standard_t(5, size=(200, 2)) @ mixing.T
        fits = [huber_regression(column, A, tol=1e-6) for column in noise.T]
        coefs.append([fit.coef for fit in fits])
        formulas.append(huber_cross_covariance(fits, A))
    simulated = np.cov(np.array(coefs).reshape(2000, 4).T)
    expected = np.mean(formulas, axis=0).reshape(4, 4)
    np.testing.assert_allclose(np.diag(expected), np.diag(simulated), rtol=0.12)
    assert expected[0, 2] == pytest.approx(simulated[0, 2], rel=0.25)
