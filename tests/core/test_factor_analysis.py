"""Factor models against brute force and against simulated truth."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from latentadj.core.alignment import canonical_correlations
from latentadj.core.expectation_maximization import maximum_likelihood
from latentadj.core.factor_analysis import principal_components, weighted_components
from latentadj.core.matrix import ArrayMatrix
from latentadj.core.regression import design_basis, design_pass
from latentadj.core.spectrum import residual_spectrum


@pytest.fixture
def study():
    rng = np.random.default_rng(21)
    n, m, k = 40, 300, 2
    Z, A = rng.normal(size=(n, k)), rng.normal(size=(m, k))
    psi = rng.uniform(0.1, 4, size=m)
    Y = Z @ A.T + rng.normal(size=(n, m)) * np.sqrt(psi)
    return ArrayMatrix(Y), design_basis(np.ones((n, 1))), Z, psi


def _start(Y, basis, k, divisor):
    rss = design_pass(Y, basis).rss
    return principal_components(Y, residual_spectrum(Y, basis), rss, k, divisor=divisor), rss


def test_components_are_the_truncated_svd(study):
    Y, basis, *_ = study
    model, _rss = _start(Y, basis, 2, 37)
    residual = Y.values - Y.values.mean(axis=0)
    u, s, vt = np.linalg.svd(residual, full_matrices=False)
    low_rank = (u[:, :2] * s[:2]) @ vt[:2]
    np.testing.assert_allclose(model.directions @ model.loadings.T, low_rank, atol=1e-9)
    np.testing.assert_allclose(model.psi, ((residual - low_rank) ** 2).sum(axis=0) / 37, rtol=1e-9)


def test_weighted_components_settle_and_beat_plain_ones(study):
    Y, basis, Z, psi = study
    plain, rss = _start(Y, basis, 2, 37)
    model = weighted_components(Y, basis.complement(), basis.q, plain, rss)
    assert model.converged
    again = weighted_components(Y, basis.complement(), basis.q, model, rss)
    assert again.n_iter == 1
    np.testing.assert_allclose(model.directions.T @ model.directions, np.eye(2), atol=1e-10)
    better = canonical_correlations(model.directions, Z).min()
    assert better > canonical_correlations(plain.directions, Z).min()
    assert better > 0.98
    assert np.corrcoef(np.log(model.psi), np.log(psi))[0, 1] > 0.9


def test_features_without_variation_get_no_weight(study):
    Y, basis, *_ = study
    with_constant = ArrayMatrix(np.column_stack([Y.values, np.full(40, 3.0)]))
    plain, rss = _start(with_constant, basis, 2, 37)
    rss[-1] = 0.0
    model = weighted_components(with_constant, basis.complement(), basis.q, plain, rss)
    without, rss = _start(Y, basis, 2, 37)
    reference = weighted_components(Y, basis.complement(), basis.q, without, rss)
    assert canonical_correlations(model.directions, reference.directions).min() > 1 - 1e-10


def _likelihood(Y, loadings, psi):
    covariance = loadings @ loadings.T + np.diag(psi)
    return multivariate_normal(np.zeros(len(psi)), covariance).logpdf(Y).sum()


def test_maximum_likelihood_reaches_a_stationary_point():
    rng = np.random.default_rng(3)
    n, m = 200, 12
    Y = rng.normal(size=(n, 1)) @ rng.normal(size=(1, m)) * 2 + rng.normal(size=(n, m))
    matrix, none = ArrayMatrix(Y), design_basis(np.empty((n, 0)))
    start, _ = _start(matrix, none, 1, n)
    fitted = maximum_likelihood(matrix, start.directions * np.sqrt(n), tol=1e-14)
    best = _likelihood(Y, fitted.loadings, fitted.psi)
    assert fitted.converged
    assert best > _likelihood(Y, start.loadings / np.sqrt(n), start.psi)
    step = 1e-4
    for j in range(m):
        for sign in (-step, step):
            moved = fitted.loadings.copy()
            moved[j] += sign
            assert _likelihood(Y, moved, fitted.psi) <= best + 1e-6
            psi = fitted.psi.copy()
            psi[j] *= 1 + sign
            assert _likelihood(Y, fitted.loadings, psi) <= best + 1e-6


def test_parameter_expansion_needs_few_rounds(study):
    """Plain EM takes hundreds of rounds along the scale of the factors; the expanded one a few dozen."""
    Y, _basis, *_ = study
    centred = ArrayMatrix(Y.values - Y.values.mean(axis=0))
    none = design_basis(np.empty((40, 0)))
    start, _ = _start(centred, none, 2, 40)
    assert maximum_likelihood(centred, start.directions * np.sqrt(40), tol=1e-12).n_iter < 60
