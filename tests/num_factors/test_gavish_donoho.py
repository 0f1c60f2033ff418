"""Gavish-Donoho: the threshold's constants and known numbers of factors."""

from __future__ import annotations

import numpy as np
import pytest

from latentadj.num_factors import GavishDonoho, factor_limit
from latentadj.num_factors.gavish_donoho import marchenko_pastur_median, threshold_factor
from tests.num_factors.studies import problem_of, simulated


@pytest.mark.parametrize("beta", [0.01, 0.05, 0.3, 0.7, 1.0])
def test_factor_against_the_published_cubic(beta):
    """The paper's polynomial is good to about 0.02."""
    cubic = 0.56 * beta**3 - 0.95 * beta**2 + 1.82 * beta + 1.43
    assert threshold_factor(beta) == pytest.approx(cubic, abs=0.025)


def test_median_of_the_square_case():
    """For beta 1 the angle solves t - sin t = pi / 2, and x = 2 + 2 cos t; 12 digits."""
    angle = 2.0
    for _ in range(50):
        angle -= (angle - np.sin(angle) - np.pi / 2) / (1 - np.cos(angle))
    assert marchenko_pastur_median(1.0) == pytest.approx(2 + 2 * np.cos(angle), rel=1e-12)


@pytest.mark.parametrize("beta", [0.02, 0.25])
def test_median_against_random_matrices(beta):
    """Median eigenvalue of a 400-column noise matrix; finite-size and sampling error below 0.5%."""
    noise = np.random.default_rng(0).normal(size=(400, int(400 / beta)))
    values = np.linalg.eigvalsh(noise @ noise.T / noise.shape[1])
    assert np.median(values) == pytest.approx(marchenko_pastur_median(beta), rel=0.005)


@pytest.mark.parametrize(("n", "k"), [(60, 0), (60, 3), (60, 10), (120, 20)])
def test_finds_the_true_number(n, k):
    for seed in range(3):
        problem = simulated(n, 2000, k, seed)
        answer = GavishDonoho().select(problem, factor_limit(problem), np.random.default_rng(0))
        assert answer.n_factors == k


def test_fewer_features_than_samples():
    """The aspect ratio turns over and zeros of the structure stay out of the median."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(80, 30)) + 3 * np.outer(rng.normal(size=80), rng.normal(size=30))
    answer = GavishDonoho(scale=None).select(problem_of(X, np.arange(80) % 2.0), 10, rng)
    singular = np.linalg.svd(problem_of(X, np.arange(80) % 2.0).basis.project_out(X), compute_uv=False)
    assert answer.threshold[0] == pytest.approx(threshold_factor(30 / 78) * np.median(singular), rel=1e-9)
    assert answer.n_factors == 1


def test_residuals_that_vanish_have_no_factors():
    group = np.arange(12) % 2.0
    problem = problem_of(np.outer(group, np.ones(30)), group)
    assert GavishDonoho().select(problem, 4, np.random.default_rng(0)).n_factors == 0
