"""Quasi-dispersions and likelihood-ratio fits of generalised linear models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import nbinom, spearmanr

import latentadj as la
from latentadj.core.glm import GLMSetting, fit_glm
from latentadj.core.glm_families import GLM_FAMILIES
from latentadj.core.matrix import ArrayMatrix
from latentadj.core.multiple import adjust_pvalues
from latentadj.core.quasi_likelihood import deviance_moments, unit_deviance_moments
from latentadj.core.regression import LinkUncertainty, design_basis
from latentadj.core.variance import squeeze_variances
from latentadj.models import GLMModel
from latentadj.results.statistics import test_contrasts as contrast_tests
from latentadj.results.statistics import test_jointly as joint_tests
from tests.reference_data import simcounts

EDGER = Path(__file__).resolve().parents[1] / "reference" / "edger" / "quasi.npz"


@pytest.fixture(scope="module")
def edger():
    with np.load(EDGER) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def study():
    s = simcounts()
    design = np.column_stack([np.ones(40), s.sample_data["group"], s.sample_data["batch"], s.sample_data["z"]])
    return s, design


@pytest.mark.parametrize(("mean", "phi"), [(0.3, 1e-3), (2.0, 0.5), (40.0, 0.1), (900.0, 2.0)])
def test_moments_of_the_deviance_by_simulation(mean, phi):
    rng, family = np.random.default_rng(0), GLM_FAMILIES["negative_binomial"]
    y = rng.negative_binomial(1 / phi, 1 / (1 + phi * mean), size=(1, 400_000)).astype(float)
    drawn = family.unit_deviance(y, np.full_like(y, mean), np.array([phi]))
    first, second = deviance_moments(mean, phi)
    assert first == pytest.approx(drawn.mean(), rel=0.01)
    assert second == pytest.approx(drawn.var(), rel=0.03)


def test_moments_by_plain_summation():
    y = np.arange(4000.0)
    density = nbinom.pmf(y, 1 / 0.3, 1 / (1 + 0.3 * 60.0))
    deviance = GLM_FAMILIES["negative_binomial"].unit_deviance(y, np.full_like(y, 60.0), np.array(0.3))
    first = density @ deviance
    np.testing.assert_allclose(deviance_moments(60.0, 0.3), (first, density @ (deviance - first) ** 2), rtol=2e-4)


def test_interpolation_in_the_table():
    rng = np.random.default_rng(1)
    mu, phi = np.exp(rng.uniform(-6, 9, size=(60, 5))), np.array([1e-4, 0.01, 0.15, 0.6, 1.5])
    mean, variance = unit_deviance_moments(mu, phi)
    exact = np.array([[deviance_moments(m, p) for m, p in zip(row, phi)] for row in mu])
    np.testing.assert_allclose(mean, exact[:, :, 0], rtol=0.02)
    np.testing.assert_allclose(variance, exact[:, :, 1], rtol=0.04)


@pytest.mark.parametrize("phi", [0.0, 0.3])
@pytest.mark.parametrize("mean", [1.0, 3.0, 30.0])
def test_scale_varies_as_its_degrees_of_freedom_say(phi, mean):
    """Mean 1 and variance 2 / df, also for counts of one or so, where Pearson's statistic and the deviance fail."""
    rng, n = np.random.default_rng(2), 20
    basis = design_basis(np.column_stack([np.ones(n), rng.normal(size=(n, 2))]))
    rate = mean * np.exp(0.3 * rng.normal(size=n))[:, None]
    y = rng.poisson(rng.gamma(1 / phi, phi * rate, size=(n, 6000)) if phi else np.broadcast_to(rate, (n, 6000)))
    setting = GLMSetting(GLM_FAMILIES["negative_binomial"], np.log(rate[:, 0]), np.full(6000, phi))
    fit = fit_glm(ArrayMatrix(y.astype(float)), basis.q, setting, with_scale=True)
    assert fit.scale.mean() == pytest.approx(1.0, abs=0.06)
    assert fit.scale.var() == pytest.approx(np.mean(2 / fit.scale_df), rel=0.12)


def test_groups_of_zeros_say_nothing():
    """Six zeros and six counts, one coefficient each: five degrees of freedom are left, and none where all are zero."""
    y = np.zeros((12, 2))
    y[6:, 0] = [30, 44, 25, 61, 39, 28]
    basis = design_basis(np.column_stack([np.ones(12), np.repeat([0.0, 1.0], 6)]))
    setting = GLMSetting(GLM_FAMILIES["negative_binomial"], np.zeros(12), np.full(2, 0.1))
    fit = fit_glm(ArrayMatrix(y), basis.q, setting, with_scale=True)
    np.testing.assert_allclose(fit.scale_df, [5.0, 0.0], atol=0.05)
    assert fit.scale[1] == 1.0


def test_likelihood_ratios_are_those_of_edger(study, edger):
    """Both maximise the same likelihood. Tolerance: edgeR stops when deviances change by 1e-6."""
    s, design = study
    fit = GLMModel("negative_binomial", dispersion=0.3).fit(ArrayMatrix(s.X), design_basis(design))
    columns = np.eye(4)
    np.testing.assert_allclose(fit.ratios.deviance, edger["deviance"], rtol=2e-7)
    np.testing.assert_allclose(fit.ratios.rise(columns[:, [1]]), edger["lr_group"], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(fit.ratios.rise(columns[:, 2:]), edger["lr_both"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(fit.coef[:, 1:], edger["coef"][:, 1:], atol=2e-4)


def test_quasi_f_tests_agree_with_edger(study, edger):
    """Other dispersions, scales and degrees of freedom, so not the same numbers; the same answers."""
    s, design = study
    res = la.adjust(s.X, la.Design.from_arrays(design[:, [1]], design[:, 2:]), method="none", model="negative_binomial")
    p = res.tests.p_value[:, 0]
    assert spearmanr(p, edger["p_group"])[0] > 0.995
    ours, theirs = (adjust_pvalues(values) <= 0.05 for values in (p, edger["p_group"]))
    assert np.sum(ours & theirs) >= 0.95 * theirs.sum()
    null = s.feature_data["beta"].to_numpy() == 0
    assert np.mean(ours[~null]) >= np.mean(theirs[~null])
    assert np.sum(ours & null) <= 0.08 * ours.sum()


@pytest.fixture(scope="module")
def three_groups():
    """Counts of three groups; the first feature has none in the first group."""
    rng = np.random.default_rng(3)
    labels = np.repeat([0, 1, 2], 5)
    y = rng.negative_binomial(5, 5 / (5 + np.exp(rng.normal(2, 1, size=60))), size=(15, 60)).astype(float)
    y[:5, 0] = 0
    design = np.column_stack([np.ones(15), labels == 1, labels == 2]).astype(float)
    return y, design, GLMModel(size_factors=None, dispersion=0.2).fit(ArrayMatrix(y), design_basis(design))


def test_statistics_are_roots_of_likelihood_ratios(three_groups):
    """t^2 and 2 F times the scale are drops of the deviance, for columns, their difference, and both together; the
    smaller models are fitted here from scratch."""
    y, design, fit = three_groups
    prior = squeeze_variances(fit.sigma2, fit.df_resid)
    setting = GLMSetting(GLM_FAMILIES["negative_binomial"], np.zeros(15), np.full(60, 0.2))

    def lowest(columns):
        return fit_glm(ArrayMatrix(y), design_basis(columns).q, setting).least_deviance

    full = lowest(design)
    contrasts = np.array([[0.0, 1, 0], [0, 0, 1], [0, 1, -1]]).T
    tests = contrast_tests(fit, prior, contrasts, ("b", "c", "b - c"))
    smaller = [design[:, [0, 2]], design[:, [0, 1]], np.column_stack([design[:, 0], design[:, 1] + design[:, 2]])]
    for i, columns in enumerate(smaller):
        np.testing.assert_allclose(tests.statistic[:, i] ** 2 * prior.s2_post, lowest(columns) - full, atol=2e-5)
        same_sign = np.sign(tests.statistic[:, i]) == np.sign(fit.estimate(contrasts)[:, i])
        assert same_sign.all()
    joint = joint_tests(fit, prior, {"group": contrasts[:, :2]})
    np.testing.assert_allclose(joint.statistic[:, 0] * 2 * prior.s2_post, lowest(design[:, [0]]) - full, atol=2e-5)


def test_power_where_a_group_has_no_counts(three_groups):
    y, _, fit = three_groups
    prior = squeeze_variances(fit.sigma2, fit.df_resid)
    wald = replace(fit, ratios=None)
    contrast = np.eye(3)[:, [1]]
    ratio, plain = (contrast_tests(f, prior, contrast, ("b",)) for f in (fit, wald))
    assert abs(ratio.statistic[0, 0]) > 1.3 * abs(plain.statistic[0, 0])
    assert fit.bias_reduced[0]
    assert fit.bias_reduced.sum() < 20
    counted = np.min([y[i : i + 5].sum(axis=0) for i in (0, 5)], axis=0) > 20
    difference = ratio.statistic[counted, 0] - plain.statistic[counted, 0]
    assert np.abs(difference).max() < 0.2


def test_flipped_factors_and_link(three_groups):
    """Signs of the last columns do not matter; the link's variance comes on top of the likelihood ratio's."""
    _, _, fit = three_groups
    variance = np.ones(60)
    contrast = np.array([[0.0], [1.0], [-2.0]])
    flipped = fit.with_flipped_factors(np.array([-1.0]))
    turned = contrast * np.array([[1.0], [1.0], [-1.0]])
    np.testing.assert_allclose(
        flipped.contrast_variance(turned, variance), fit.contrast_variance(contrast, variance), rtol=1e-7
    )
    np.testing.assert_allclose(flipped.estimate(turned), fit.estimate(contrast), rtol=1e-12)
    link = LinkUncertainty(fit.coef[:, 2:], np.full((1, 1, 1, 1), 0.3), (1,))
    column = np.eye(3)[:, [1]]
    more = fit.with_link(link).contrast_variance(column, variance) - fit.contrast_variance(column, variance)
    np.testing.assert_allclose(more[:, 0], 0.3 * fit.coef[:, 2] ** 2, rtol=1e-9, atol=1e-12)


def test_wald_statistics_on_request(three_groups):
    y, design, fit = three_groups
    wald = GLMModel(size_factors=None, dispersion=0.2, statistic="wald").fit(ArrayMatrix(y), design_basis(design))
    contrast = np.eye(3)[:, [2]]
    np.testing.assert_allclose(
        wald.contrast_variance(contrast, np.ones(60))[:, 0], fit.cov_unscaled[:, 2, 2], rtol=1e-12
    )


def test_a_stored_result_keeps_its_tests(tmp_path, three_groups):
    y, design, _ = three_groups
    res = la.adjust(y, la.Design.from_arrays(design[:, 1:]), method="none", model="negative_binomial")
    res.save(tmp_path / "out")
    np.testing.assert_array_equal(la.load_result(tmp_path / "out").tidy()["p_value"], res.tidy()["p_value"])
