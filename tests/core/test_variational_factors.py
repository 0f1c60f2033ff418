"""Every variational update against its definition feature by feature, the bound, and recovery of simulated factors."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import digamma
from scipy.stats import gamma

from latentadj.core.alignment import canonical_correlations
from latentadj.core.matrix import ArrayMatrix
from latentadj.core.variational_factors import (
    FactorData,
    GammaPrior,
    VariationalModel,
    VariationalState,
    variational_factors,
)

N, M, K = 12, 30, 3
RELEVANCE, NOISE = GammaPrior(0.5, 0.2), GammaPrior(0.3, 2.0)


def made_up(n: int = N, m: int = M, k: int = K, seed: int = 0) -> tuple[np.ndarray, FactorData, np.ndarray]:
    """Data that follow k factors, in the coordinates without the mean; the true factors."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, k))
    Y = 3.0 + z @ rng.normal(size=(k, m)) + 0.7 * rng.normal(size=(n, m))
    complement = np.linalg.qr(np.column_stack([np.ones(n), rng.normal(size=(n, n - 1))]))[0][:, 1:]
    scale = np.exp(0.2 * rng.normal(size=m))
    inside = (complement.T @ Y) * scale
    return inside, FactorData(ArrayMatrix(Y), complement, Y.mean(axis=0), scale, (inside**2).sum(axis=0)), z


@pytest.fixture
def swept() -> tuple[np.ndarray, VariationalModel, VariationalState, VariationalState]:
    """Data, model, and the states before and after one sweep in the middle of a run."""
    inside, data, _ = made_up()
    model = VariationalModel(data, RELEVANCE, NOISE)
    state = model.start(np.random.default_rng(1).normal(size=(N - 1, K)), np.ones(M))
    cross = data.cross(state.scores)
    for _ in range(3):
        state, cross = model.sweep(state, cross)
    return inside, model, state, model.sweep(state, cross)[0]


def covariance(state: VariationalState, j: int) -> np.ndarray:
    return (state.weights.axes * state.weights.spread[j]) @ state.weights.axes.T


def test_sweep_by_the_update_equations(swept) -> None:
    """Weights, relevances, scores, noise, in that order, written out for one feature after the other."""
    y, _, before, after = swept
    nu = N - 1
    tau = (NOISE.shape + nu / 2) / before.noise_rate
    alpha = (RELEVANCE.shape + M / 2) / before.relevance_rate
    second = before.scores.T @ before.scores + nu * before.score_covariance
    rate, information, sums = np.full(K, RELEVANCE.rate), np.eye(K), np.zeros((nu, K))
    for j in range(M):
        cov = np.linalg.inv(np.diag(alpha) + tau[j] * second)
        mean = tau[j] * cov @ before.scores.T @ y[:, j]
        assert_allclose(covariance(after, j), cov, rtol=0, atol=1e-12)
        assert_allclose(after.weights.mean[j], mean, rtol=0, atol=1e-12)
        rate += 0.5 * (mean**2 + np.diag(cov))
        information += tau[j] * (np.outer(mean, mean) + cov)
        sums += tau[j] * np.outer(y[:, j], mean)
    assert_allclose(after.relevance_rate, rate, rtol=1e-11)
    assert_allclose(after.score_covariance, np.linalg.inv(information), rtol=0, atol=1e-12)
    assert_allclose(after.scores, sums @ np.linalg.inv(information), rtol=0, atol=1e-11)
    second = after.scores.T @ after.scores + nu * after.score_covariance
    for j in range(M):
        mean, cov = after.weights.mean[j], covariance(after, j)
        left = y[:, j] @ y[:, j] - 2 * mean @ after.scores.T @ y[:, j]
        left += np.trace(second @ (np.outer(mean, mean) + cov))
        assert after.noise_rate[j] == pytest.approx(NOISE.rate + 0.5 * left, rel=1e-11)


def test_bound_by_its_definition(swept) -> None:
    """Expected log joint density plus the entropies, term by term from the distributions."""
    y, model, _, state = swept
    nu = N - 1
    shapes = NOISE.shape + nu / 2, RELEVANCE.shape + M / 2
    tau, log_tau = shapes[0] / state.noise_rate, digamma(shapes[0]) - np.log(state.noise_rate)
    alpha, log_alpha = shapes[1] / state.relevance_rate, digamma(shapes[1]) - np.log(state.relevance_rate)
    second = state.scores.T @ state.scores + nu * state.score_covariance
    total = -0.5 * np.trace(second) + 0.5 * nu * (np.linalg.slogdet(state.score_covariance)[1] + K)
    for j in range(M):
        mean, cov = state.weights.mean[j], covariance(state, j)
        left = y[:, j] @ y[:, j] - 2 * mean @ state.scores.T @ y[:, j]
        left += np.trace(second @ (np.outer(mean, mean) + cov))
        total += 0.5 * nu * (log_tau[j] - np.log(2 * np.pi)) - 0.5 * tau[j] * left
        total += 0.5 * np.sum(log_alpha - alpha * (mean**2 + np.diag(cov)))
        total += 0.5 * (np.linalg.slogdet(cov)[1] + K)
        total += expected_log_gamma(NOISE, tau[j], log_tau[j])
        total += gamma(shapes[0], scale=1 / state.noise_rate[j]).entropy()
    for k in range(K):
        total += expected_log_gamma(RELEVANCE, alpha[k], log_alpha[k])
        total += gamma(shapes[1], scale=1 / state.relevance_rate[k]).entropy()
    assert model.bound(state) == pytest.approx(total, rel=1e-11)


def expected_log_gamma(prior: GammaPrior, mean: float, mean_log: float) -> float:
    """E log p(x) for the gamma density, given E x and E log x."""
    at_one = gamma(prior.shape, scale=1 / prior.rate).logpdf(1.0) + prior.rate
    return at_one + (prior.shape - 1) * mean_log - prior.rate * mean


def test_bound_never_falls() -> None:
    _, data, _ = made_up(seed=3)
    model = VariationalModel(data, RELEVANCE, NOISE)
    fit = variational_factors(
        model, np.random.default_rng(4).normal(size=(N - 1, 5)), np.ones(M), tol=1e-12, max_iter=300
    )
    assert np.diff(fit.bound).min() > -1e-9
    assert fit.bound[-1] > fit.bound[0]


def test_features_with_scale_zero_are_left_out() -> None:
    _, data, _ = made_up()
    start, rng = np.random.default_rng(1).normal(size=(N - 1, K)), np.random.default_rng(2)
    extra = np.column_stack([data.Y.values, rng.normal(size=(N, 4)) * 100])
    padded = FactorData(
        ArrayMatrix(extra),
        data.complement,
        extra.mean(axis=0),
        np.append(data.scale, np.zeros(4)),
        np.append(data.squares, np.zeros(4)),
    )
    plain, more = (
        variational_factors(VariationalModel(d, RELEVANCE, NOISE), start, np.ones(d.Y.shape[1]), tol=1e-9, max_iter=50)
        for d in (data, padded)
    )
    assert_allclose(more.scores, plain.scores, rtol=0, atol=1e-11)
    assert_allclose(more.bound, plain.bound, rtol=1e-12)
    assert (more.weights[M:] == 0).all()


def test_superfluous_factors_are_switched_off_and_true_ones_found() -> None:
    _, data, z = made_up(60, 500, 3, seed=5)
    start = np.linalg.svd(data.complement.T @ data.Y.values, full_matrices=False)[0][:, :6] * np.sqrt(59)
    fit = variational_factors(
        VariationalModel(data, GammaPrior(0.001, 0.1), GammaPrior(0.1, 10.0)),
        start,
        np.ones(500),
        tol=1e-8,
        max_iter=500,
    )
    share = np.sort((fit.scores**2).mean(axis=0))
    assert fit.converged
    assert share[:3].max() < 1e-3
    assert share[3:].min() > 0.8
    alive = fit.scores[:, (fit.scores**2).mean(axis=0) > 0.5]
    assert canonical_correlations(data.complement @ alive, z).min() > 0.99
