"""Simulated studies have the moments their scenario asks for.

Tolerances are four standard errors of the Monte Carlo mean or more, at fixed seeds.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import latentadj as la
from latentadj.simulation import FAMILIES, OPEN_FAMILIES, Scenario, error_rates, simulate

EVERY = {**FAMILIES, **OPEN_FAMILIES}
LARGE = Scenario(n_samples=20000, n_features=5, n_controls=2, effect_share=0.4)


def r2(x, Z):
    """Share of x that least squares on Z and an intercept explains."""
    D = np.column_stack([np.ones(len(x)), Z])
    left = x - D @ np.linalg.lstsq(D, x, rcond=None)[0]
    return 1 - left.var() / x.var()


@pytest.mark.parametrize("name", list(EVERY))
def test_every_family_has_the_shape_and_truth_it_names(name):
    scenario = EVERY[name]
    study = simulate(scenario, 3)
    truth = study.truth
    assert study.X.shape == (scenario.n_samples, scenario.n_features)
    assert np.isfinite(study.X).all()
    assert truth.factors.shape == (scenario.n_samples, scenario.n_factors)
    assert truth.loadings.shape == (scenario.n_features, scenario.n_factors)
    assert (~truth.is_null).sum() == scenario.n_effects
    assert truth.controls.sum() == min(scenario.n_controls, truth.is_null.sum())
    assert not truth.effects[truth.controls].any()
    x = study.design.primary[:, 0]
    assert_allclose([x.mean(), x.var()], [0, 1], atol=1e-12)


def test_same_seed_same_study_and_other_seed_another():
    first, again, other = (simulate(Scenario(n_features=50), seed) for seed in (1, 1, 2))
    assert_array_equal(first.X, again.X)
    assert not np.array_equal(first.X, other.X)
    generator = simulate(Scenario(n_features=50), np.random.default_rng(1))
    assert_array_equal(first.X, generator.X)


@pytest.mark.parametrize("shape", ["normal", "batch"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("k", [1, 3])
def test_confounding_is_the_population_r2(shape, share, k):
    scenario = replace(LARGE, factor_shape=shape, confounding=share, n_factors=k)
    study = simulate(scenario, 0)
    factors = study.truth.factors
    assert_allclose(r2(study.design.primary[:, 0], factors), share, atol=0.02)
    assert_allclose(factors.var(axis=0), 1.0, atol=0.05)


def test_balanced_factors_are_orthogonal_to_the_design():
    study = simulate(FAMILIES["balanced factors"], 0)
    assert_allclose(study.design.matrix.T @ study.truth.factors, 0, atol=1e-12)


def test_the_matrix_is_signal_plus_noise():
    """With next to no noise the data are the signal of the truth."""
    scenario = Scenario(n_samples=30, n_features=40, variance_df=np.inf)
    study = simulate(scenario, 5)
    signal = np.outer(study.design.primary[:, 0], study.truth.effects) + study.truth.factors @ study.truth.loadings.T
    noise = study.X - signal
    assert_allclose(noise.var(), 1.0, atol=0.17)
    assert_allclose(noise.mean(), 0.0, atol=0.12)


@pytest.mark.parametrize("df", [3.0, 5.0, np.inf])
def test_noise_keeps_its_variance_whatever_its_tails(df):
    scenario = replace(LARGE, n_factors=0, confounding=0.0, effect_share=0.0, noise_df=df, variance_df=np.inf)
    assert_allclose(simulate(scenario, 0).X.var(), 1.0, atol=0.15)


def test_groups_and_outliers_scale_the_noise():
    scenario = replace(LARGE, n_features=20, n_factors=0, confounding=0.0, effect_share=0.0, variance_df=np.inf)
    study = simulate(replace(scenario, group_noise_ratio=2.0), 0)
    second = study.design.primary[:, 0] > 0
    assert_allclose([study.X[second].std(), study.X[~second].std()], [2.0, 1.0], rtol=0.02)
    study = simulate(replace(scenario, n_samples=60, n_features=2000, n_outliers=2), 0)
    spread = np.sort(study.X.std(axis=1))
    assert_allclose(spread[-2:], 5.0, rtol=0.1)
    assert_allclose(spread[:-2], 1.0, rtol=0.1)


def test_correlated_blocks():
    scenario = replace(LARGE, n_features=6, n_factors=0, confounding=0.0, effect_share=0.0)
    X = simulate(replace(scenario, noise_correlation=0.4, block_size=3), 0).X
    found = np.corrcoef(X.T)
    expected = np.kron(np.eye(2), np.full((3, 3), 0.4))
    np.fill_diagonal(expected, 1.0)
    assert_allclose(found, expected, atol=0.04)


def test_effect_shapes():
    wide = Scenario(n_features=4000, effect_share=0.5)
    normal = simulate(wide, 0).truth.effects
    assert_allclose(normal[normal != 0].std(), 0.75, rtol=0.05)
    assert 0.45 < np.mean(normal[normal != 0] > 0) < 0.55
    assert simulate(replace(wide, effect_shape="one_sided"), 0).truth.effects.min() == 0
    truth = simulate(replace(wide, effect_shape="loadings"), 0).truth
    hit = ~truth.is_null
    assert_allclose(truth.effects[hit], 0.75 * truth.loadings[hit, 0])


def test_counts_follow_their_means():
    """Depth-adjusted log counts of a strong feature carry its effect; their spread is about the dispersion's."""
    scenario = Scenario(
        n_samples=4000, n_features=40, n_factors=0, confounding=0.0, scale="log_counts", dispersion=0.05
    )
    study = simulate(scenario, 1)
    x = study.design.primary[:, 0]
    slopes = x @ study.X / len(x)
    rest = study.truth.is_null
    assert_allclose(slopes[~rest] - np.median(slopes), study.truth.effects[~rest], atol=0.1)
    left = (study.X - np.outer(x, slopes)).std(axis=0)
    assert_allclose(np.median(left), np.sqrt(0.05) / np.log(2), rtol=0.2)


def test_oracle_design_holds_the_factors_as_nuisance():
    study = simulate(Scenario(n_samples=30, n_features=30), 0)
    oracle = study.oracle_design
    assert oracle.primary_names == ("x",)
    assert_allclose(oracle.nuisance[:, 1:], study.truth.factors)
    assert simulate(FAMILIES["no factors"], 0).oracle_design.names == ("Intercept", "x")


class TestErrorRates:
    def test_against_a_count_by_hand(self):
        study = simulate(Scenario(n_samples=40, n_features=300, effect_sd=2.0), 4)
        result = la.adjust(study.X, study.oracle_design, method="none")
        table = result.tidy()
        null = study.truth.effects == 0
        hit = (table["p_adjusted"] <= 0.1).to_numpy()
        rates = error_rates(result, study.truth)
        assert rates.type_one_error == (table["p_value"].to_numpy()[null] < 0.05).mean()
        assert rates.fdp == (hit & null).sum() / hit.sum()
        assert rates.power == hit[~null].mean()
        assert rates.n_factors == 0

    def test_nothing_true(self):
        study = simulate(Scenario(n_features=300, effect_share=0.0), 4)
        rates = error_rates(la.adjust(study.X, study.oracle_design, method="none"), study.truth, fdr=0.001)
        assert np.isnan(rates.power)
        assert rates.fdp == 0.0
