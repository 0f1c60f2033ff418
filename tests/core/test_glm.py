"""Generalised linear models of all features at once: against R, a plain optimiser, and closed forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize

from latentadj.core.glm import (
    BIAS_REDUCED,
    FITTED,
    SEPARATED,
    GLMSetting,
    fit_glm,
    quasi_dispersion,
)
from latentadj.core.glm_families import GLM_FAMILIES
from latentadj.core.matrix import ArrayMatrix
from latentadj.core.passes import pass_options
from latentadj.core.regression import design_basis

REFERENCE = Path(__file__).resolve().parents[1] / "reference" / "glm" / "glm.npz"
PHI = 0.3


@pytest.fixture(scope="module")
def stored():
    with np.load(REFERENCE) as arrays:
        return dict(arrays)


def problem(stored, family):
    counts = family != "binomial"
    y = stored["counts" if counts else "binary"]
    offset = np.log(stored["size"]) if counts else np.zeros(len(y))
    design = np.column_stack([np.ones(len(y)), stored["x"], stored["group"]])
    setting = GLMSetting(GLM_FAMILIES[family], offset, np.full(y.shape[1], PHI))
    return y, design_basis(design), setting


def in_design(basis, fit):
    inverse = basis.r_inverse
    return fit.coef @ inverse.T, inverse @ fit.unscaled @ inverse.T


@pytest.mark.parametrize("family", ["poisson", "negative_binomial", "binomial"])
def test_same_as_r(stored, family):
    """Largest differences seen: coefficients 6e-9 (negative binomial, where R's Fisher scoring stops early; 1e-13 for
    the others), covariances 2e-7 of themselves (R's belong to the iterate before the last), deviances 2e-14."""
    y, basis, setting = problem(stored, family)
    fit = fit_glm(ArrayMatrix(y), basis.q, setting)
    coef, unscaled = in_design(basis, fit)
    ok = fit.status == FITTED
    assert ok.sum() >= 10
    np.testing.assert_allclose(coef[ok], stored[f"{family}_coef"][ok], rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(unscaled[ok], stored[f"{family}_unscaled"][ok], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(fit.deviance[ok], stored[f"{family}_deviance"][ok], rtol=1e-10)
    np.testing.assert_allclose(fit.pearson[ok], stored[f"{family}_pearson"][ok], rtol=1e-6)


@pytest.mark.parametrize("family", ["poisson", "negative_binomial", "binomial", "gaussian"])
def test_nothing_is_better(stored, family):
    """A general optimiser finds no smaller deviance, and the same coefficients."""
    y, basis, setting = problem(stored, family)
    fit = fit_glm(ArrayMatrix(y), basis.q, setting)

    def deviance(coef, j):
        mu = setting.family.mean(basis.q @ coef + setting.offset)
        return setting.family.unit_deviance(y[:, j], mu, np.array(PHI)).sum()

    for j in np.flatnonzero(fit.status == FITTED)[:5]:
        found = minimize(deviance, np.zeros(3), args=(j,), method="BFGS", options={"gtol": 1e-9})
        assert fit.deviance[j] <= found.fun + 1e-9
        np.testing.assert_allclose(fit.coef[j], found.x, atol=2e-4 * max(1, abs(found.x).max()))


@pytest.mark.parametrize("family", ["poisson", "negative_binomial", "binomial", "gaussian"])
def test_score_curvature_and_loss_belong_together(family):
    """Score and curvature are the derivatives of the loss; loss and deviance differ by what the mean does not touch."""
    f, rng = GLM_FAMILIES[family], np.random.default_rng(0)
    y = rng.integers(0, 2 if family == "binomial" else 8, size=(30, 4)).astype(float)
    eta, phi, h = rng.normal(size=(30, 4)), np.full(4, 0.4), 1e-4

    def loss(e):
        return f.loss(y, e, f.mean(e), phi)

    def deviance(e):
        return f.unit_deviance(y, f.mean(e), phi)

    mu = f.mean(eta)
    slope = (loss(eta + h) - loss(eta - h)) / (2 * h)
    bend = (loss(eta + h) - 2 * loss(eta) + loss(eta - h)) / h**2
    np.testing.assert_allclose(f.score(y, mu, phi), -0.5 * slope, atol=1e-6)
    np.testing.assert_allclose(f.curvature(y, mu, phi), 0.5 * bend, atol=1e-5)
    np.testing.assert_allclose(loss(eta) - loss(0 * eta), deviance(eta) - deviance(0 * eta), atol=1e-10)
    rate = (f.variance(mu + h, phi) - f.variance(mu - h, phi)) / (2 * h)
    np.testing.assert_allclose(f.variance_slope(mu, phi), rate, atol=1e-6)


def test_expected_curvature_is_the_weight():
    rng, f = np.random.default_rng(1), GLM_FAMILIES["negative_binomial"]
    mu, phi = 3.0, np.array([0.5])
    y = rng.negative_binomial(2, 2 / (2 + mu), size=(400_000, 1)).astype(float)
    means = np.full_like(y, mu)
    assert f.curvature(y, means, phi).mean() == pytest.approx(f.weight(means, phi)[0, 0], rel=0.01)
    assert y.var() == pytest.approx(f.variance(means, phi)[0, 0], rel=0.02)


def test_negative_binomial_without_dispersion_is_poisson(stored):
    y, basis, setting = problem(stored, "poisson")
    nearly = GLMSetting(GLM_FAMILIES["negative_binomial"], setting.offset, np.zeros(y.shape[1]))
    one, other = (fit_glm(ArrayMatrix(y), basis.q, s) for s in (setting, nearly))
    np.testing.assert_allclose(one.coef, other.coef, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(one.deviance, other.deviance, rtol=1e-6)


def test_block_width_threads_and_start_do_not_matter():
    rng = np.random.default_rng(2)
    y = ArrayMatrix(rng.poisson(np.exp(rng.normal(2, 2, size=300)), size=(20, 300)).astype(float))
    basis = design_basis(np.column_stack([np.ones(20), rng.normal(size=20)]))
    setting = GLMSetting(GLM_FAMILIES["negative_binomial"], rng.normal(size=20) * 0.3, np.full(300, 0.2))
    usual = fit_glm(y, basis.q, setting)
    with pass_options(width=7, n_threads=2):
        narrow = fit_glm(y, basis.q, setting)
    np.testing.assert_allclose(narrow.coef, usual.coef, rtol=0, atol=1e-10)
    ok = usual.status == FITTED
    moved = fit_glm(y, basis.q, setting, start=usual.coef + rng.normal(size=usual.coef.shape))
    np.testing.assert_allclose(moved.coef[ok], usual.coef[ok], rtol=0, atol=1e-9)


def test_bad_starts_and_wild_data_converge():
    """Step halving: starts far away, one count of a million among zeros, tiny means."""
    rng = np.random.default_rng(3)
    y = rng.poisson(0.3, size=(30, 50)).astype(float)
    y[0, :10] = 1e6
    basis = design_basis(np.column_stack([np.ones(30), rng.normal(size=(30, 2))]))
    for family in ("poisson", "negative_binomial"):
        setting = GLMSetting(GLM_FAMILIES[family], np.zeros(30), np.full(50, 0.5))
        fits = [fit_glm(ArrayMatrix(y), basis.q, setting, start=s) for s in (None, np.full((50, 3), 40.0))]
        for fit in fits:
            assert set(np.unique(fit.status)) <= {FITTED, BIAS_REDUCED}
        ok = fits[0].status == FITTED
        assert ok.sum() > 30
        np.testing.assert_allclose(fits[0].deviance[ok], fits[1].deviance[ok], rtol=1e-9)


def two_groups(*columns):
    y = np.array(columns, dtype=float).T
    group = np.repeat([0.0, 1.0], len(y) // 2)
    return y, design_basis(np.column_stack([np.ones(len(y)), group]))


def test_separated_outcomes_are_found_and_reduced():
    """With one parameter per group bias reduction adds half an event and half a non-event to each group."""
    y, basis = two_groups([0, 0, 0, 0, 1, 1, 1, 1], [0, 1, 0, 0, 1, 1, 0, 1], [0, 0, 0, 0, 1, 0, 0, 1])
    setting = GLMSetting(GLM_FAMILIES["binomial"], np.zeros(8), np.zeros(3))
    fit = fit_glm(ArrayMatrix(y), basis.q, setting)
    assert fit.status.tolist() == [BIAS_REDUCED, FITTED, BIAS_REDUCED]
    coef, unscaled = in_design(basis, fit)
    np.testing.assert_allclose(coef[0], [np.log(0.5 / 4.5), 2 * np.log(9)], rtol=1e-7)
    np.testing.assert_allclose(coef[2], [np.log(0.5 / 4.5), np.log(9)], rtol=1e-7)
    np.testing.assert_allclose(coef[1], [-np.log(3), 2 * np.log(3)], rtol=1e-9)
    assert unscaled[0, 1, 1] == pytest.approx(2 / (4 * 0.09), rel=1e-6)
    left_out = fit_glm(ArrayMatrix(y), basis.q, setting, separated="nan")
    assert left_out.status.tolist() == [SEPARATED, FITTED, SEPARATED]
    assert np.isnan(left_out.coef[[0, 2]]).all()
    np.testing.assert_allclose(left_out.coef[1], fit.coef[1], rtol=1e-12)


def test_separation_by_a_continuous_covariate():
    rng = np.random.default_rng(4)
    x = rng.normal(size=40)
    y = np.column_stack([x > 0.1, (x > 0) ^ (rng.random(40) < 0.2)]).astype(float)
    basis = design_basis(np.column_stack([np.ones(40), x]))
    fit = fit_glm(ArrayMatrix(y), basis.q, GLMSetting(GLM_FAMILIES["binomial"], np.zeros(40), np.zeros(2)))
    assert fit.status.tolist() == [BIAS_REDUCED, FITTED]
    assert np.isfinite(fit.coef).all()
    assert (in_design(basis, fit)[0][:, 1] > 0).all()


@pytest.mark.parametrize("family", ["poisson", "negative_binomial"])
def test_a_group_of_zeros(family):
    """Poisson, one parameter per group: half a count is added to each group's sum. With dispersion the shift is
    ``(1 + phi mu) / 2``: the mean m of n zeros solves ``n m = (1 + phi m) / 2``."""
    y, basis = two_groups([0, 0, 0, 0, 8, 12, 9, 11])
    phi = 0.0 if family == "poisson" else 0.5
    setting = GLMSetting(GLM_FAMILIES[family], np.zeros(8), np.array([phi]))
    fit = fit_glm(ArrayMatrix(y), basis.q, setting)
    means = np.exp(in_design(basis, fit)[0] @ np.array([[1.0, 1.0], [0.0, 1.0]]))[0]
    assert fit.status[0] == BIAS_REDUCED
    np.testing.assert_allclose(means, [0.5 / (4 - phi / 2), 40.5 / (4 - phi / 2)], rtol=1e-7)


def test_quasi_dispersion_is_the_variance_ratio():
    """Scaled Poisson-like counts: NB variance at one mean is a multiple of the mean. Rare counts: no bias either."""
    rng = np.random.default_rng(5)
    n, m = 30, 4000
    basis = design_basis(np.column_stack([np.ones(n), rng.normal(size=n)]))
    setting = GLMSetting(GLM_FAMILIES["poisson"], np.zeros(n), np.zeros(m))
    double = rng.negative_binomial(6.0, 0.5, size=(n, m)).astype(float)
    fit = fit_glm(ArrayMatrix(double), basis.q, setting)
    assert quasi_dispersion(fit, n - 2).mean() == pytest.approx(2.0, rel=0.02)
    rare = rng.poisson(0.4, size=(n, m)).astype(float)
    fit = fit_glm(ArrayMatrix(rare), basis.q, setting)
    kept = rare.any(axis=0)
    raw, corrected = (fit.pearson / (n - 2))[kept], quasi_dispersion(fit, n - 2)[kept]
    assert corrected.mean() == pytest.approx(1.0, abs=0.05)
    assert corrected.std() < raw.std()
    assert np.isnan(quasi_dispersion(fit, 0)).all()
