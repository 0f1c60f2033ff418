"""Successes among several trials, missing values, and the scale that factors of them are estimated on."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

import latentadj as la
from latentadj.core.depth import sample_depths
from latentadj.core.matrix import ArrayMatrix, collect
from latentadj.core.passes import pass_options
from latentadj.core.regression import design_basis
from latentadj.exceptions import InputError, MethodError
from latentadj.models import GLMModel

REFERENCE = Path(__file__).resolve().parents[1] / "reference" / "glm" / "trials.npz"


@pytest.fixture(scope="module")
def stored():
    with np.load(REFERENCE) as arrays:
        return dict(arrays)


def fitted(stored, **options):
    design = np.column_stack([np.ones(24), stored["x"], stored["group"]])
    model = GLMModel("binomial", trials=stored["trials"], **options)
    return model.fit(ArrayMatrix(stored["successes"]), design_basis(design))


def test_same_as_r(stored):
    """Maximum-likelihood fits, to what R's stopping rule leaves; likelihood ratios are differences of deviances."""
    fit = fitted(stored)
    np.testing.assert_allclose(fit.coef, stored["coef"], rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(fit.cov_unscaled, stored["unscaled"], rtol=1e-6, atol=1e-9)
    columns = np.eye(3)
    np.testing.assert_allclose(fit.ratios.deviance, stored["deviance"], rtol=1e-10)
    np.testing.assert_allclose(fit.ratios.rise(columns[:, [1]]), stored["rise_x"], rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(fit.ratios.rise(columns[:, 1:]), stored["rise_both"], rtol=1e-8, atol=1e-9)


def test_samples_without_trials_are_left_out(stored):
    fit = fitted(stored)
    assert fit.n_obs.tolist() == [24] * 4 + [21] + [24] * 7
    unknown = {**stored, "successes": np.where(stored["trials"] == 0, np.nan, stored["successes"])}
    np.testing.assert_array_equal(fitted(unknown).coef, fit.coef)


def test_quasi_dispersion_of_successes_is_near_pearsons(stored):
    fit = fitted(stored)
    pearson = stored["pearson"] / (fit.n_obs - 3)
    assert np.all((fit.sigma2 / pearson > 0.7) & (fit.sigma2 / pearson < 1.4))
    known = fitted(stored, quasi=False)
    assert known.df_resid == np.inf
    assert np.all(known.sigma2 == 1)


def test_genotypes_are_two_trials_each():
    """As many 0/1 outcomes as alleles give the same estimates and likelihood ratios."""
    rng = np.random.default_rng(0)
    x, n = rng.normal(size=40), 40
    dosage = rng.binomial(2, 0.3, size=(n, 30)).astype(float)
    design = np.column_stack([np.ones(n), x])
    one = GLMModel(trials=2).fit(ArrayMatrix(dosage), design_basis(design))
    alleles = np.concatenate([dosage >= 1, dosage == 2]).astype(float)
    other = GLMModel("binomial", statistic="likelihood_ratio").fit(
        ArrayMatrix(alleles), design_basis(np.tile(design, (2, 1)))
    )
    np.testing.assert_allclose(one.coef, other.coef, atol=1e-9)
    contrast = np.eye(2)[:, [1]]
    np.testing.assert_allclose(one.ratios.rise(contrast), other.ratios.rise(contrast), atol=1e-8)


def test_more_successes_than_trials_are_refused():
    Y, basis = ArrayMatrix(np.full((6, 4), 3.0)), design_basis(np.ones((6, 1)))
    with pytest.raises(InputError, match="trials"):
        GLMModel(trials=2).fit(Y, basis)
    with pytest.raises(MethodError, match="new samples"):
        GLMModel(trials=np.full((6, 4), 3)).setting_for_new("binomial", np.ones(2), 0.0, np.zeros(4))


@pytest.mark.parametrize("family", ["negative_binomial", "poisson", "binomial"])
def test_missing_values_are_samples_left_out(family):
    rng = np.random.default_rng(1)
    n = 20
    y = rng.negative_binomial(5, 0.2, size=(n, 40)).astype(float)
    if family == "binomial":
        y = (y > 18).astype(float)
    lost = rng.random(y.shape) < 0.15
    size, design = rng.uniform(0.5, 2, n), np.column_stack([np.ones(n), rng.normal(size=n)])
    ratio = {"dispersion": 0.2, "statistic": "likelihood_ratio"}
    model = GLMModel(family, size_factors=size, **ratio)
    fit = model.fit(ArrayMatrix(np.where(lost, np.nan, y)), design_basis(design))
    np.testing.assert_array_equal(fit.n_obs, n - lost.sum(axis=0))
    shift = np.log(size).mean()
    for j in range(40):
        seen = ~lost[:, j]
        part = GLMModel(family, size_factors=size[seen], **ratio)
        alone = part.fit(ArrayMatrix(y[seen][:, [j]]), design_basis(design[seen]))
        expected = alone.coef[0] + np.array([shift - np.log(size[seen]).mean(), 0]) * (family != "binomial")
        np.testing.assert_allclose(fit.coef[j], expected, atol=1e-8)
        np.testing.assert_allclose(fit.cov_unscaled[j], alone.cov_unscaled[0], rtol=1e-7)
        np.testing.assert_allclose(fit.sigma2[j], alone.sigma2[0], rtol=1e-6)
        rise = [f.ratios.rise(np.eye(2)[:, [1]]) for f in (fit, alone)]
        np.testing.assert_allclose(rise[0][j], rise[1][0], atol=1e-7)


def test_dispersions_of_counts_with_missing_values():
    rng = np.random.default_rng(2)
    mu = np.exp(rng.normal(3, 1, size=800))
    y = rng.negative_binomial(5, 5 / (5 + mu), size=(30, 800)).astype(float)
    y[rng.random(y.shape) < 0.2] = np.nan
    found = GLMModel(size_factors=None).setting(ArrayMatrix(y), design_basis(np.ones((30, 1)))).dispersion
    assert np.median(found) == pytest.approx(0.2, rel=0.1)


def test_a_group_without_any_value_is_not_estimable():
    rng = np.random.default_rng(3)
    y = rng.poisson(5.0, size=(12, 5)).astype(float)
    y[:6, 0] = np.nan
    fit = GLMModel("poisson").fit(
        ArrayMatrix(y), design_basis(np.column_stack([np.ones(12), np.repeat([0.0, 1.0], 6)]))
    )
    assert np.isnan(fit.coef[0]).all()
    assert np.isfinite(fit.coef[1:]).all()


def test_scale_of_counts_is_log_counts_per_million():
    y = np.random.default_rng(4).poisson(30.0, size=(6, 50)).astype(float)
    model = GLMModel("poisson", size_factors="tmm")
    depth = sample_depths(ArrayMatrix(y), "tmm")[:, None]
    prior = 2.0 * depth / depth.mean()
    expected = np.log2((y + prior) / (depth + 2 * prior) * 1e6)
    np.testing.assert_allclose(collect(model.linear_scale(ArrayMatrix(y))), expected, rtol=1e-12)


def test_scale_of_successes_outcomes_and_measurements():
    rng = np.random.default_rng(5)
    trials = rng.integers(0, 9, size=(8, 20)).astype(float)
    y = np.floor(trials * rng.random(trials.shape))
    logits = collect(GLMModel(trials=trials).linear_scale(ArrayMatrix(y)))
    seen = trials > 0
    together = np.log((y.sum(axis=0) + 0.5) / ((trials - y).sum(axis=0) + 0.5))
    np.testing.assert_allclose(logits[~seen], np.broadcast_to(together, y.shape)[~seen], rtol=1e-12)
    np.testing.assert_allclose(np.exp(logits[seen]), ((y + 0.5) / (trials - y + 0.5))[seen], rtol=1e-12)
    for values in ((y > 1).astype(float), rng.normal(size=(8, 20))):
        matrix = ArrayMatrix(values)
        assert GLMModel().linear_scale(matrix) is matrix


def test_reads_without_coverage_in_the_whole_pipeline():
    """Factors of methylated reads by CATE, tests by the binomial model; samples without coverage count as missing."""
    rng = np.random.default_rng(7)
    x = np.repeat([0.0, 1.0], 12)
    trials = rng.poisson(6, size=(24, 300)).astype(float)
    odds = np.outer(x + rng.normal(size=24), rng.normal(size=300))
    y = rng.binomial(trials.astype(int), 1 / (1 + np.exp(-odds))).astype(float)
    model = GLMModel(trials=trials)
    res = la.adjust(y, la.Design.from_arrays(x), method="cate", n_factors=1, model=model)
    assert np.mean(res.unadjusted_tests.p_value < 0.05) > 0.3
    assert np.mean(res.tests.p_value < 0.05) < 0.1
    np.testing.assert_array_equal(res.fit.n_obs, (trials > 0).sum(axis=0))


def test_blocks_do_not_matter():
    rng = np.random.default_rng(6)
    trials = rng.integers(0, 30, size=(15, 90)).astype(float)
    y = np.floor(trials * rng.random(trials.shape))
    basis = design_basis(np.column_stack([np.ones(15), rng.normal(size=15)]))
    model = GLMModel(trials=trials)
    usual = model.fit(ArrayMatrix(y), basis)
    with pass_options(width=7, n_threads=2):
        narrow = model.fit(ArrayMatrix(y), basis)
        rise = narrow.ratios.rise(np.eye(2)[:, [1]])
    np.testing.assert_allclose(narrow.coef, usual.coef, atol=1e-10)
    np.testing.assert_allclose(narrow.sigma2, usual.sigma2, rtol=1e-9)
    np.testing.assert_allclose(rise, usual.ratios.rise(np.eye(2)[:, [1]]), atol=1e-9)


def null_share(draw, n_studies=8, n=24, **options):
    rejected = []
    for seed in range(n_studies):
        rng = np.random.default_rng(seed)
        x = np.repeat([0.0, 1.0], n // 2)
        y, trials = draw(rng, n)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = GLMModel("binomial", trials=trials, **options)
            res = la.adjust(y, la.Design.from_arrays(x), method=la.NoFactors(model=model))
        rejected.append(np.nanmean(res.tests.p_value[:, 0] < 0.05))
    return float(np.mean(rejected))


def draw_methylation(rng, n, m=800):
    """Beta-binomial reads with a correlation of 0.1 within a sample."""
    share = rng.uniform(0.1, 0.9, size=m)
    trials = rng.poisson(12, size=(n, m)).astype(float)
    return rng.binomial(trials.astype(int), rng.beta(9 * share, 9 * (1 - share), size=(n, m))).astype(float), trials


def draw_genotypes(rng, n, m=800):
    return rng.binomial(2, rng.uniform(0.15, 0.85, size=m), size=(n, m)).astype(float), 2


@pytest.mark.slow
def test_type_one_error_of_successes(capsys):
    """Overdispersed reads: nominal with the quasi-dispersion, far off without. Standard error about 0.003."""
    reads, genotypes = null_share(draw_methylation), null_share(draw_genotypes)
    naive = null_share(draw_methylation, 2, quasi=False)
    with capsys.disabled():
        print(f"\nreads {reads:.4f} (as binomial {naive:.3f}), genotypes {genotypes:.4f}")
    assert 0.04 <= reads <= 0.06
    assert 0.035 <= genotypes <= 0.065
    assert naive > 0.15
