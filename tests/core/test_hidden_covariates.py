"""Alternating updates against the paper's equations on the data themselves, monotony, and the closed form."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from latentadj.core.hidden_covariates import HiddenCovariateProblem

N, M, D, K = 15, 40, 4, 3
PRIOR, RIDGE_B, RIDGE_U = 2.0, 0.7, 1.3


@pytest.fixture
def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    F = rng.normal(size=(N, D))
    Y = F[:, :1] @ rng.normal(size=(1, M)) + rng.normal(size=(N, 2)) @ rng.normal(size=(2, M)) + rng.normal(size=(N, M))
    return Y / np.linalg.norm(Y, axis=0), F / np.linalg.norm(F, axis=0)


def value(Y, F, Z, B, U) -> float:
    parts = (Y - Z @ B, Z - F @ U, B, U)
    return sum(w * np.sum(part**2) for w, part in zip((1.0, PRIOR, RIDGE_B, RIDGE_U), parts, strict=True))


def test_rounds_by_the_update_equations(data) -> None:
    """Z, B and U of the paper, with B formed explicitly."""
    Y, F = data
    hidden = HiddenCovariateProblem(Y @ Y.T, F, PRIOR, RIDGE_B, RIDGE_U)
    Z = np.random.default_rng(1).normal(size=(N, K))
    scores, weights = Z, hidden.weights_of(Z)
    B = np.linalg.solve(Z.T @ Z + RIDGE_B * np.eye(K), Z.T @ Y)
    U = np.linalg.solve(PRIOR * F.T @ F + RIDGE_U * np.eye(D), PRIOR * F.T @ Z)
    for _ in range(4):
        Z = (Y @ B.T + PRIOR * F @ U) @ np.linalg.inv(B @ B.T + PRIOR * np.eye(K))
        B = np.linalg.solve(Z.T @ Z + RIDGE_B * np.eye(K), Z.T @ Y)
        U = np.linalg.solve(PRIOR * F.T @ F + RIDGE_U * np.eye(D), PRIOR * F.T @ Z)
        scores = hidden.scores_of(scores, weights)
        weights = hidden.weights_of(scores)
        assert_allclose(scores, Z, rtol=0, atol=1e-11)
        assert_allclose(weights, U, rtol=0, atol=1e-11)
        assert hidden.objective(scores, weights) == pytest.approx(value(Y, F, Z, B, U), rel=1e-11)


def test_objective_never_rises_and_its_gradient_vanishes(data) -> None:
    Y, F = data
    hidden = HiddenCovariateProblem(Y @ Y.T, F, PRIOR, RIDGE_B, RIDGE_U)
    found = hidden.solve(K, tol=1e-15, max_iter=5000)
    assert found.converged
    assert np.diff(found.objective).max() <= 1e-12
    Z, U = found.scores, found.known_weights
    B = np.linalg.solve(Z.T @ Z + RIDGE_B * np.eye(K), Z.T @ Y)
    slope = -(Y - Z @ B) @ B.T + PRIOR * (Z - F @ U)
    assert np.abs(slope).max() < 1e-6


def test_without_covariates_it_is_shrunken_principal_components(data) -> None:
    Y, _ = data
    hidden = HiddenCovariateProblem(Y @ Y.T, np.empty((N, 0)), PRIOR, RIDGE_B, RIDGE_U)
    found = hidden.solve(K, tol=1e-15, max_iter=5000)
    u, d, _ = np.linalg.svd(Y, full_matrices=False)
    threshold = np.sqrt(PRIOR * RIDGE_B)
    expected = np.sqrt(np.maximum(d[:K] - threshold, 0.0)) * (RIDGE_B / PRIOR) ** 0.25
    assert (expected > 0).sum() >= 1
    assert_allclose(np.linalg.norm(found.scores, axis=0), expected, atol=2e-4)
    product = found.scores @ found.scores.T
    assert_allclose(product, (u[:, :K] * expected**2) @ u[:, :K].T, atol=2e-4)


def test_a_random_start_ends_no_lower(data) -> None:
    """The start is deterministic; five random ones find no better value."""
    Y, F = data
    hidden = HiddenCovariateProblem(Y @ Y.T, F, PRIOR, RIDGE_B, RIDGE_U)
    best = hidden.solve(K, tol=1e-13, max_iter=1000).objective[-1]
    rng = np.random.default_rng(2)
    for _ in range(5):
        scores = rng.normal(size=(N, K))
        for _ in range(600):
            scores = hidden.scores_of(scores, hidden.weights_of(scores))
        assert hidden.objective(scores, hidden.weights_of(scores)) > best - 1e-6
