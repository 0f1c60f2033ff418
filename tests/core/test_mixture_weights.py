"""The convex problem of mixture proportions: optimality conditions, EM, and a general optimiser."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize

from latentadj.core.mixture_weights import fit_mixture_weights


def problem(m, n_components, seed, sd=2.0):
    rng = np.random.default_rng(seed)
    x = np.where(rng.random(m) < 0.7, 0.0, sd * rng.normal(size=m)) + rng.normal(size=m)
    variance = 1.0 + np.concatenate([[0.0], 0.01 * 2.0 ** np.arange(n_components - 1)])
    return np.exp(-0.5 * x[:, None] ** 2 / variance) / np.sqrt(variance)


def null_penalty(n_components, weight):
    return np.concatenate([[weight], np.zeros(n_components - 1)])


def penalised(L, penalty, w):
    held = penalty > 0
    return np.log(L @ w).sum() + penalty[held] @ np.log(w[held])


def by_em(L, penalty, n_iter):
    w = np.full(L.shape[1], 1.0 / L.shape[1])
    for _ in range(n_iter):
        share = L * w
        w = (share / share.sum(axis=1, keepdims=True)).sum(axis=0) + penalty
        w /= w.sum()
    return w


@pytest.mark.parametrize("penalty_weight", [0.0, 0.5, 9.0])
@pytest.mark.parametrize(("m", "n_components"), [(50, 8), (2000, 16), (300, 40)])
def test_optimality_conditions(m, n_components, penalty_weight):
    """Gradient per observation: 1 on the support, at most 1 elsewhere."""
    L, penalty = problem(m, n_components, m), null_penalty(n_components, penalty_weight)
    fit = fit_mixture_weights(L, penalty)
    w = fit.weights
    assert fit.converged
    assert np.all(w >= 0)
    assert_allclose(w.sum(), 1.0, rtol=1e-14)
    held = penalty > 0
    gradient = (L / (L @ w)[:, None]).sum(axis=0)
    gradient[held] += penalty[held] / w[held]
    gradient /= m + penalty.sum()
    assert np.all(gradient <= 1 + 1e-9)
    assert np.all(w * np.abs(gradient - 1) <= 1e-9)
    assert_allclose(fit.log_likelihood, penalised(L, penalty, w), rtol=1e-12)


def test_against_em():
    """EM climbs towards the same maximum and never above it."""
    L, penalty = problem(400, 10, 1), null_penalty(10, 9.0)
    fit = fit_mixture_weights(L, penalty)
    few, many = (penalised(L, penalty, by_em(L, penalty, n)) for n in (100, 5000))
    assert few < many <= fit.log_likelihood + 1e-9
    assert_allclose(fit.log_likelihood, many, rtol=0, atol=1e-2)
    assert_allclose(L @ by_em(L, penalty, 5000), L @ fit.weights, rtol=1e-2)


def test_against_a_general_optimiser():
    L = problem(200, 4, 5)
    found = minimize(
        lambda w: -np.log(L @ np.maximum(w, 1e-300)).sum(),
        np.full(4, 0.25),
        bounds=[(0, 1)] * 4,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 500},
    )
    fit = fit_mixture_weights(L)
    assert fit.log_likelihood >= -found.fun - 1e-9
    assert_allclose(fit.weights, found.x, atol=1e-4)


def test_row_scale_and_order_do_not_matter():
    L, penalty = problem(500, 12, 3), null_penalty(12, 9.0)
    scale = np.exp(np.random.default_rng(0).normal(size=500) * 20)
    order = np.random.default_rng(1).permutation(500)
    expected = L @ fit_mixture_weights(L, penalty).weights
    for changed in (L * scale[:, None], L[order]):
        assert_allclose(L @ fit_mixture_weights(changed, penalty).weights, expected, rtol=1e-9)


def test_any_start_gives_the_same_mixture():
    L, penalty = problem(300, 12, 4), null_penalty(12, 9.0)
    expected = L @ fit_mixture_weights(L, penalty).weights
    for k in (0, 5, 11):
        fit = fit_mixture_weights(L, penalty, start=np.eye(12)[k])
        assert_allclose(L @ fit.weights, expected, rtol=1e-8)


def test_a_start_without_weight_where_it_is_needed():
    """An observation that the start cannot explain at all."""
    L = np.vstack([np.tile([1.0, 0.1], (20, 1)), [1e-200, 1.0]])
    fit = fit_mixture_weights(L, start=np.array([1.0, 0.0]))
    assert fit.converged
    w = np.linspace(1e-6, 1 - 1e-6, 200_001)
    best = w[np.argmax(20 * np.log(w + 0.1 * (1 - w)) + np.log(1 - w))]
    assert_allclose(fit.weights[0], best, atol=1e-5)


def test_corner_cases():
    assert_allclose(fit_mixture_weights(np.ones((5, 1))).weights, [1.0])
    assert_allclose(fit_mixture_weights(np.empty((0, 3))).weights, np.full(3, 1 / 3))
    assert_allclose(fit_mixture_weights(np.empty((0, 2)), np.array([9.0, 0.0])).weights, [1.0, 0.0], atol=1e-12)
    assert fit_mixture_weights(np.tile([1.0, 0.5], (10, 1))).weights.tolist() == [1.0, 0.0]
