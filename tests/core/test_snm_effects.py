"""Sample effects along known functions of the features: brute force, the search for null features, error rates."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from latentadj.batch import SupervisedNormalizer
from latentadj.core.feature_effects import SampleDesign, fit_feature_effects
from latentadj.core.matrix import ArrayMatrix
from latentadj.core.null_features import BiologyEffects, find_null_features, null_cutoff, null_share
from latentadj.core.regression import design_basis, design_pass
from latentadj.core.variance import VariancePrior, squeeze_variances

BASIS = np.column_stack([np.ones(200), np.linspace(-1, 1, 200), np.linspace(-1, 1, 200) ** 2])


def measured(seed: int = 0) -> tuple[np.ndarray, SampleDesign]:
    rng = np.random.default_rng(seed)
    x, age = np.repeat([0.0, 1.0], 8), rng.normal(size=16)
    Y = 1e3 + rng.normal(size=(16, 3)) @ BASIS.T + rng.normal(size=(16, 200)) * rng.uniform(0.3, 2, 200)
    return Y, SampleDesign(np.column_stack([np.ones(16), age]), x[:, None])


class TestEstimates:
    def test_by_brute_force(self) -> None:
        """Weighted regressions sample by sample on the null features, then covariates leave the coefficients."""
        Y, design = measured()
        found = fit_feature_effects(ArrayMatrix(Y), BASIS, design)
        first = _squeezed(Y, design)
        scores = _regressions(Y - Y.mean(axis=0), 1 / first)
        left = Y - (scores - design.nuisance @ np.linalg.lstsq(design.nuisance, scores)[0]) @ BASIS.T
        weights = found.nulls.mask / _squeezed(left, design)
        scores = _regressions(Y - Y.mean(axis=0), weights)
        coefficients = scores - design.nuisance @ np.linalg.lstsq(design.nuisance, scores)[0]
        assert_allclose(found.level_coefficients, coefficients, rtol=0, atol=1e-9)
        assert_allclose(found.rule.scores(ArrayMatrix(Y), design.nuisance), coefficients, rtol=0, atol=1e-9)

    def test_degrees_of_freedom_that_are_lost(self) -> None:
        """Noise alone: the residual sum of squares falls by the stated cost, feature by feature on average."""
        lost, stated = np.zeros(200), np.zeros(200)
        for seed in range(60):
            Y = np.random.default_rng(seed).normal(size=(16, 200))
            found = fit_feature_effects(ArrayMatrix(Y), BASIS, SampleDesign(np.ones((16, 1)), np.zeros((16, 0))))
            after = Y - found.level_coefficients @ BASIS.T
            lost += (Y.var(axis=0) - after.var(axis=0)) * 16 / 60
            stated += found.df_cost / 60
        assert stated.sum() == pytest.approx(3 * 15, rel=0.01)
        assert lost.sum() == pytest.approx(stated.sum(), rel=0.05)
        assert_allclose(lost.reshape(5, 40).mean(axis=1), stated.reshape(5, 40).mean(axis=1), rtol=0.2)

    def test_shared_levels_by_brute_force(self) -> None:
        Y, design = measured()
        codes = np.arange(16) % 3
        shared = SampleDesign(design.nuisance, np.zeros((16, 0)), codes)
        found = fit_feature_effects(ArrayMatrix(Y), BASIS, shared)
        scores = found.rule.scores(ArrayMatrix(Y), design.nuisance)  # every sample on its own
        members = np.eye(3)[codes]
        visible = members - design.nuisance @ np.linalg.lstsq(design.nuisance, members)[0]
        expected = np.linalg.pinv(visible, rcond=1e-8) @ scores
        assert_allclose(members @ found.level_coefficients, members @ expected, rtol=0, atol=1e-9)


def _squeezed(Y: np.ndarray, design: SampleDesign) -> np.ndarray:
    columns = np.column_stack([design.nuisance, design.biology])
    rss = np.linalg.lstsq(columns, Y)[1]
    return squeeze_variances(rss / (16 - columns.shape[1]), 16 - columns.shape[1]).s2_post


def _regressions(Y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    moments = BASIS.T @ (BASIS * weights[:, None])
    return np.array([np.linalg.solve(moments, BASIS.T @ (weights * row)) for row in Y])


class TestNullFeatures:
    @pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.45])
    def test_one_sided_effects_beside_a_large_common_one(self, share: float) -> None:
        rng = np.random.default_rng(0)
        basis = np.column_stack([np.ones(1000), np.linspace(-1, 1, 1000)])
        hit = np.arange(1000) % 100 < 100 * share
        effects = basis @ [[20.0], [-10.0]] + rng.normal(size=(1000, 1)) + 6.0 * hit[:, None]
        prior = VariancePrior(np.inf, 1.0, np.ones(1000), np.inf)
        nulls = find_null_features(BiologyEffects(effects, effects, prior), basis)
        assert nulls.converged
        assert nulls.mask[hit].mean() < 0.02 if share else True
        assert nulls.mask[~hit].mean() > 0.97
        assert np.mean(nulls.p_value[~hit] < 0.05) == pytest.approx(0.05, abs=0.02)

    def test_several_columns_of_biology(self) -> None:
        rng = np.random.default_rng(1)
        basis = np.column_stack([np.ones(600), np.linspace(-1, 1, 600)])
        effects = basis @ [[3.0, -2.0], [1.0, 4.0]] + rng.normal(size=(600, 2))
        effects[:60, 1] += 7
        prior = VariancePrior(np.inf, 1.0, np.ones(600), np.inf)
        nulls = find_null_features(BiologyEffects(effects, effects, prior), basis)
        assert nulls.mask[:60].mean() < 0.05
        assert np.mean(nulls.p_value[60:] < 0.05) == pytest.approx(0.05, abs=0.03)

    def test_at_least_half_are_null(self) -> None:
        assert null_share(np.full(100, 1e-9)) == 0.5
        assert null_cutoff(np.linspace(1e-12, 1e-6, 101), 0.5) <= np.linspace(1e-12, 1e-6, 101)[50]
        assert null_cutoff(np.array([np.nan]), 0.5) == 1.0
        assert null_cutoff(np.array([0.1, 0.2, 0.3, 0.4, np.nan]), 0.75) == 0.2


def dyed(seed: int, n: int = 16, m: int = 2000) -> tuple[np.ndarray, ...]:
    """Values, effects of samples, group, true effects, GC content: dye curves and GC effects follow the group."""
    rng = np.random.default_rng(seed)
    x, gc, level = np.repeat([0.0, 1.0], n // 2), rng.beta(8, 8, m), rng.uniform(4, 14, m)
    beta = np.where(np.arange(m) % 10 == 0, rng.normal(0.8, 0.5, m), 0.0)
    clean = level + np.outer(x, beta)
    a, b, c, d = (z - z.mean() for z in rng.normal(size=(4, n)) + x)
    dye = a[:, None] + 0.4 * b[:, None] * np.sin(clean / 3)
    composition = np.outer(4 * c, gc - 0.5) + np.outer(15 * d, (gc - 0.5) ** 2)
    noise = np.sqrt(0.04 * 4 / rng.chisquare(4, m)) * rng.normal(size=(n, m))
    return clean + dye + composition + noise, dye + composition, x, beta, gc


def two_groups(Y: np.ndarray, x: np.ndarray, cost: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Effects and p-values of a two-group fit whose degrees of freedom are charged."""
    basis = design_basis(np.column_stack([np.ones(len(x)), x]))
    sums = design_pass(ArrayMatrix(Y), basis)
    df = len(x) - 2 - cost
    effect = sums.effects[:, 1]
    p = 2 * stats.t.sf(np.abs(effect) / np.sqrt(sums.rss / df), df)
    return effect / basis.r[1, 1], p


def test_dye_and_gc_effects_leave_and_true_effects_stay() -> None:
    """Against the oracle that is given the effects of the samples."""
    Y, removed, x, beta, gc = dyed(0)
    ours = SupervisedNormalizer(feature_covariates=gc, spline_df=6).fit_transform(Y, biology=x)
    oracle, naive = two_groups(Y - removed, x, 0)[0], two_groups(Y, x, 0)[0]
    found, null = two_groups(ours, x, 0)[0], beta == 0
    assert np.abs(naive[null]).mean() > 4 * np.abs(oracle[null]).mean()
    assert np.abs(found[null]).mean() < 1.05 * np.abs(oracle[null]).mean()
    assert found[~null].mean() == pytest.approx(oracle[~null].mean(), abs=0.02)
    assert np.polyfit(oracle[~null], found[~null], 1)[0] == pytest.approx(1, abs=0.02)
    left = ours - (Y - removed)
    assert (left - left.mean(axis=0)).var() < 0.005 * removed.var()


@pytest.mark.slow
@pytest.mark.parametrize("n", [8, 16, 30])
def test_error_rates_of_a_following_test(n: int) -> None:
    """Nominal, with the smooth degrees of freedom charged and without: the charge is negligible."""
    rates = []
    for seed in range(25):
        Y, removed, x, beta, gc = dyed(seed, n)
        fitted = SupervisedNormalizer(feature_covariates=gc, spline_df=6).fit(Y, biology=x)
        ours, null = fitted.transform(Y), beta == 0
        cost = np.minimum(fitted.df_smooth_, n - 3)
        fits = two_groups(ours, x, 0), two_groups(ours, x, cost), two_groups(Y - removed, x, 0)
        rates.append([np.mean(values[null] < 0.05) for values in (*(fit[1] for fit in fits), fitted.p_values_)])
    plain, charged, oracle, own = np.mean(rates, axis=0)
    assert oracle == pytest.approx(0.05, abs=0.004)
    assert plain == pytest.approx(oracle, abs=0.003)
    assert charged == pytest.approx(oracle, abs=0.003)
    assert own == pytest.approx(0.05, abs=0.005)


@pytest.mark.slow
def test_error_rates_without_any_effect_of_the_samples() -> None:
    rates = []
    for seed in range(25):
        rng = np.random.default_rng(seed)
        Y, x = rng.uniform(4, 14, 1000) + rng.normal(size=(12, 1000)), np.repeat([0.0, 1.0], 6)
        fitted = SupervisedNormalizer().fit(Y, biology=x)
        rates.append([np.mean(two_groups(fitted.transform(Y), x, 0)[1] < 0.05), np.mean(fitted.p_values_ < 0.05)])
    assert_allclose(np.mean(rates, axis=0), 0.05, atol=0.004)
