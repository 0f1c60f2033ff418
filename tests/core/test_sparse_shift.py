"""Sparse shifts: fixed points, the equivalence with Huber's estimate, the hat matrix."""

import numpy as np
import pytest

from latentadj.core.robust import Loss, least_squares, m_regression
from latentadj.core.sparse_shift import ShiftProblem, refined, select_shift


@pytest.fixture
def study():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(400, 2))
    y = A @ [1.0, -2.0] + rng.normal(size=400)
    y[:40] += 10
    return y, A


def test_soft_thresholding_is_hubers_estimate(study):
    """She and Owen's theorem, with equal leverages put in: the coefficients minimise Huber's loss at the threshold."""
    y, A = study
    problem = ShiftProblem(y, A, "soft")
    problem.leverage_scale = np.ones(400)
    fit = problem.solve(1.5, tol=1e-13)
    loss = Loss(lambda u: np.minimum(1.0, 1.5 / np.maximum(np.abs(u), 1e-300)), lambda u: np.abs(u) <= 1.5)
    huber = m_regression(y, A, loss, least_squares(y, A), scale=1.0, tol=1e-13, max_iter=1000)
    np.testing.assert_allclose(fit.coef, huber.coef, rtol=1e-9)


def test_hard_thresholding_leaves_out_what_is_shifted(study):
    y, A = study
    problem = ShiftProblem(y, A, "hard")
    fit = refined(problem, select_shift(problem, np.arange(15, 0, -0.1)))
    kept = fit.shift == 0
    assert not kept[:40].any()
    assert kept[40:].mean() > 0.94  # the criterion lets a few of the largest normal residuals go
    np.testing.assert_allclose(fit.coef, least_squares(y[kept], A[kept]), rtol=1e-9)


def test_projection_is_that_of_the_full_hat_matrix(study):
    y, A = study
    problem = ShiftProblem(y, A, "hard")
    hat = A @ np.linalg.pinv(A)
    np.testing.assert_allclose(problem.outside(y), y - hat @ y, atol=1e-12)
    np.testing.assert_allclose(problem.leverage_scale, np.sqrt(1 - np.diag(hat)), rtol=1e-12)
    assert problem.solve(problem.largest_threshold() + 1, start=np.zeros(400)).shift.max() == 0


def test_criterion_counts_shifts(study):
    """The modified BIC by hand."""
    y, A = study
    problem = ShiftProblem(y, A, "hard")
    fit = problem.solve(5.0, tol=1e-12)
    n_shifted = np.sum(fit.shift != 0)
    rss = np.sum((y - fit.shift - A @ least_squares(y - fit.shift, A)) ** 2)
    expected = np.log(rss / 398) + (np.log(398) + 1) * (n_shifted + 1) / 398
    assert problem.criterion(fit) == pytest.approx(expected, rel=1e-12)


def test_little_is_shifted_without_outliers():
    rng = np.random.default_rng(1)
    A = rng.normal(size=(300, 1))
    problem = ShiftProblem(A[:, 0] + rng.normal(size=300), A, "hard")
    assert np.mean(select_shift(problem, np.arange(6, 1, -0.1)).shift != 0) < 0.02
