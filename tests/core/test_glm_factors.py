"""Joint fits of design effects, loadings and scores, and the scores of single samples."""

from __future__ import annotations

import numpy as np
import pytest

import latentadj.core.glm_factors as module
from latentadj.core.alignment import canonical_correlations, subspace_distance
from latentadj.core.glm import GLMSetting
from latentadj.core.glm_factors import FeatureTurnKernel, fit_glm_factors
from latentadj.core.glm_families import GLM_FAMILIES
from latentadj.core.glm_residuals import DevianceResiduals
from latentadj.core.glm_scores import glm_scores
from latentadj.core.matrix import ArrayMatrix, collect
from latentadj.core.passes import pass_options, run_pass
from latentadj.core.regression import design_basis

N, M, K = 30, 250, 2


def study(family, seed=0):
    rng = np.random.default_rng(seed)
    design = design_basis(np.column_stack([np.ones(N), np.repeat([0.0, 1.0], N // 2)])).q
    scores = rng.normal(size=(N, K))
    level = 0.0 if family == "binomial" else 2.5
    strength = 1.2 if family == "binomial" else 0.6
    eta = level + rng.normal(size=M) + scores @ rng.normal(0, strength, size=(K, M))
    if family == "binomial":
        y = (rng.random((N, M)) < 1 / (1 + np.exp(-eta))).astype(float)
    elif family == "poisson":
        y = rng.poisson(np.exp(eta)).astype(float)
    else:
        y = rng.negative_binomial(5, 5 / (5 + np.exp(eta))).astype(float)
    offset = np.zeros(N) if family == "binomial" else rng.normal(size=N) * 0.01
    setting = GLMSetting(GLM_FAMILIES[family], offset, np.full(M, 0.2))
    return ArrayMatrix(y), design, setting, scores, rng


families = pytest.mark.parametrize("family", ["poisson", "negative_binomial", "binomial"])


@families
def test_scores_are_found(family):
    Y, design, setting, truth, rng = study(family)
    model = fit_glm_factors(Y, design, setting, np.ones(M), rng.normal(size=(N, K)))
    assert model.converged
    np.testing.assert_allclose(model.scores.T @ model.scores, np.eye(K), atol=1e-10)
    assert np.abs(design.T @ model.scores).max() < 1e-10
    outside = truth - design @ (design.T @ truth)
    assert canonical_correlations(model.scores, outside, centre=False).min() > (0.9 if family == "binomial" else 0.98)


@families
def test_every_round_lowers_the_objective(family, monkeypatch):
    seen = []

    class Watched(FeatureTurnKernel):
        def result(self):
            sums = super().result()
            seen.append(sums.objective)
            return sums

    monkeypatch.setattr(module, "FeatureTurnKernel", Watched)
    Y, design, setting, _, rng = study(family)
    model = fit_glm_factors(Y, design, setting, np.ones(M), rng.normal(size=(N, K)))
    best = np.minimum.accumulate(seen)
    assert model.objective == best[-1]
    assert len(seen) == model.n_iter > 3
    assert best[0] > best[-1] * 1.01
    assert np.sum(np.array(seen) > best + 1e-9 * best) <= len(seen) // 3, "only tried steps may be worse"


@families
def test_the_start_does_not_matter(family):
    Y, design, setting, _, rng = study(family)
    fits = [fit_glm_factors(Y, design, setting, np.ones(M), rng.normal(size=(N, K)), tol=1e-12) for _ in range(2)]
    assert fits[0].objective == pytest.approx(fits[1].objective, rel=1e-8)
    assert subspace_distance(fits[0].scores, fits[1].scores) < 1e-3


@families
def test_no_nearby_scores_are_better(family):
    """At the end the profile objective rises in every direction along orthonormal scores."""
    Y, design, setting, _, rng = study(family)
    weights = rng.uniform(0.5, 2, size=M)
    model = fit_glm_factors(Y, design, setting, weights, rng.normal(size=(N, K)), tol=1e-12)

    def profile(scores):
        columns = np.column_stack([design, scores])
        return run_pass(Y, FeatureTurnKernel(setting, columns, K, None, weights, M))[0].objective

    assert profile(model.scores) == pytest.approx(model.objective, rel=1e-9)
    for _ in range(5):
        moved = module._orthonormal_outside(model.scores + 1e-2 * rng.normal(size=(N, K)), design)[0]
        assert profile(moved) > model.objective


def test_features_of_weight_zero_do_not_count():
    Y, design, setting, _, rng = study("poisson")
    spoiled = Y.values.copy()
    spoiled[:, :20] = rng.poisson(50, size=(N, 20)) * np.arange(1, 21)
    weights = np.ones(M)
    weights[:20] = 0.0
    start = rng.normal(size=(N, K))
    a = fit_glm_factors(Y, design, setting, weights, start)
    b = fit_glm_factors(ArrayMatrix(spoiled), design, setting, weights, start)
    np.testing.assert_allclose(a.scores, b.scores, atol=1e-9)


def test_blocks_and_threads_do_not_matter():
    Y, design, setting, _, rng = study("negative_binomial")
    start = rng.normal(size=(N, K))
    usual = fit_glm_factors(Y, design, setting, np.ones(M), start)
    with pass_options(width=11, n_threads=2):
        narrow = fit_glm_factors(Y, design, setting, np.ones(M), start)
    np.testing.assert_allclose(narrow.scores, usual.scores, atol=1e-10)


def test_gaussian_joint_fit_is_principal_components():
    rng = np.random.default_rng(1)
    y = np.outer(rng.normal(size=N), rng.normal(size=M)) * 2 + rng.normal(size=(N, M))
    design = np.full((N, 1), N**-0.5)
    setting = GLMSetting(GLM_FAMILIES["gaussian"], np.zeros(N), np.zeros(M))
    model = fit_glm_factors(ArrayMatrix(y), design, setting, np.ones(M), rng.normal(size=(N, 1)), tol=1e-14)
    left = np.linalg.svd(y - y.mean(axis=0))[0][:, :1]
    assert subspace_distance(model.scores, left) < 1e-4


@families
def test_single_samples_get_their_own_mode(family):
    _, _, setting, truth, rng = study(family)
    loadings, baseline = rng.normal(0, 0.5, size=(M, K)), rng.normal(size=M)
    weights, ridge = rng.uniform(0.5, 2, size=M), np.array([1.0, 2.0])
    mu = setting.family.mean(truth @ loadings.T + baseline + setting.offset[:, None])
    y = (rng.random((N, M)) < mu).astype(float) if family == "binomial" else rng.poisson(mu).astype(float)
    found = glm_scores(ArrayMatrix(y), setting, baseline, loadings, weights, ridge)
    mu = setting.family.mean(found @ loadings.T + baseline + setting.offset[:, None])
    gradient = setting.family.score(y, mu, setting.dispersion) @ (loadings * weights[:, None]) - ridge * found
    assert np.abs(gradient).max() < 1e-6
    for i in (0, N - 1):
        alone = GLMSetting(setting.family, setting.offset[[i]], setting.dispersion)
        one = glm_scores(ArrayMatrix(y[[i]]), alone, baseline, loadings, weights, ridge)
        np.testing.assert_allclose(one, found[[i]], rtol=0, atol=1e-11)
    if family != "negative_binomial":
        assert np.corrcoef(found[:, 0], truth[:, 0])[0, 1] > 0.9


def test_deviance_residuals():
    Y, design, setting, _, _ = study("poisson")
    coef = np.zeros((M, 2))
    coef[5] = np.nan
    values = collect(DevianceResiduals(Y, design, coef, setting))
    mu = np.exp(setting.offset)[:, None]
    y = Y.values
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.sign(y - mu) * np.sqrt(2 * (np.where(y > 0, y * np.log(y / mu), 0) - (y - mu)))
    expected[:, 5] = 0
    np.testing.assert_allclose(values, expected, atol=1e-9)
