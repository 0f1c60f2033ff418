"""Least trimmed squares against enumeration and against contaminated data."""

from itertools import combinations

import numpy as np
import pytest

from latentadj.core.trimmed import trimmed_regression


def test_objective_is_the_best_of_all_subsets():
    """Brute force: the optimum over subsets of size h is the smallest residual sum of squares of any of them."""
    rng = np.random.default_rng(0)
    A = rng.normal(size=(12, 2))
    y = A @ [1.0, 2.0] + 0.1 * rng.normal(size=12)
    y[:4] += 8
    h = (12 + 2 + 1) // 2
    best = min(np.linalg.lstsq(A[list(s)], y[list(s)])[1].sum() for s in combinations(range(12), h))
    fit = trimmed_regression(y, A, rng=rng)
    assert fit.objective == pytest.approx(best, rel=1e-10)
    assert fit.kept.sum() == h


def test_deterministic_starts_resist_two_in_five():
    rng = np.random.default_rng(1)
    A = rng.normal(size=(2000, 3))
    y = A @ [1.0, -1.0, 0.5] + rng.normal(size=2000)
    y[:800] += 40 + 5 * A[:800, 0]
    for n_starts in (0, 200):
        fit = trimmed_regression(y, A, n_starts=n_starts, rng=rng)
        np.testing.assert_allclose(fit.coef, [1.0, -1.0, 0.5], atol=0.15)
        assert not fit.kept[:800].any()


def test_scale_is_that_of_normal_residuals():
    rng = np.random.default_rng(2)
    A = rng.normal(size=(20_000, 2))
    fit = trimmed_regression(3.0 * rng.normal(size=20_000), A, n_starts=20, rng=rng)
    assert fit.scale == pytest.approx(3.0, rel=0.03)


def test_random_starts_need_a_generator():
    with pytest.raises(ValueError, match="generator"):
        trimmed_regression(np.ones(10), np.ones((10, 1)))


def test_more_coefficients_than_observations_allow():
    assert trimmed_regression(np.ones(2), np.eye(2), n_starts=0).coef.shape == (2,)
