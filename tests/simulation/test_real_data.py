"""Studies made of real data have the truth and the geometry they claim."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import linear_sum_assignment

from latentadj.core.regression import design_basis
from latentadj.design import Design
from latentadj.exceptions import ControlsError, InputError
from latentadj.simulation import (
    ControlledStudy,
    PermutedPrimary,
    RealData,
    ReplicateSplit,
    Scenario,
    ThinnedCounts,
    estimated_factors,
    matched_order,
    shared_variation,
    simulate,
    thin_counts,
)


def one(n):
    return np.full((n, 1), n**-0.5)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "group": np.repeat(["a", "b"], [14, 10]),
            "site": np.tile(["x", "y"], 12),
            "age": rng.uniform(20, 60, 24),
        },
        index=[f"s{i}" for i in range(24)],
    )


@pytest.fixture(scope="module")
def values():
    return np.random.default_rng(4).normal(size=(24, 80))


class TestMatching:
    @pytest.mark.parametrize("target", [0.0, 0.2, 0.5])
    @pytest.mark.parametrize("d", [1, 2])
    def test_reaches_the_target(self, target, d):
        rng = np.random.default_rng(1)
        n = 240
        Z = rng.normal(size=(n, 3))
        x = np.eye(d + 1)[np.arange(n) % (d + 1)][:, 1:]
        order = matched_order(x, Z, one(n), target, rng)
        assert_array_equal(np.sort(order), np.arange(n))
        found = shared_variation(x[order], Z, one(n))
        assert found < 0.06 if target == 0 else abs(found - target) < 0.04

    def test_shared_variation_is_the_squared_multiple_correlation(self):
        rng = np.random.default_rng(2)
        x, Z = rng.normal(size=(30, 1)), rng.normal(size=(30, 2))
        D = np.column_stack([np.ones(30), Z])
        left = x - D @ np.linalg.lstsq(D, x, rcond=None)[0]
        assert_allclose(shared_variation(x, Z, one(30)), 1 - left.var() / x.var(), rtol=1e-12)

    def test_ranks_are_the_hungarian_assignment(self):
        """For one column sorting solves the assignment problem; with no target the latent variable is the noise."""
        x = np.array([[0.0], [2.0], [5.0], [1.0]])
        order = matched_order(x, np.empty((4, 0)), one(4), 0.0, np.random.default_rng(7))
        noise = np.random.default_rng(7).normal(size=(4, 1))
        best = linear_sum_assignment((noise - x.T) ** 2)[1]
        assert_allclose(x[order], x[best])

    def test_strata_are_kept(self):
        rng = np.random.default_rng(0)
        strata = np.repeat([0, 1, 2], 8)
        order = matched_order(rng.normal(size=(24, 1)), rng.normal(size=(24, 2)), one(24), 0.5, rng, strata)
        assert_array_equal(strata[order], strata)

    def test_unreachable_targets_give_the_nearest(self):
        """A rare group cannot follow a normal factor closely."""
        rng = np.random.default_rng(0)
        x, z = (np.arange(100) < 5).astype(float)[:, None], rng.normal(size=(100, 1))
        best = np.zeros((100, 1))
        best[np.argsort(-z[:, 0])[:5]] = 1.0
        order = matched_order(x, z, one(100), 0.95, rng)
        largest = max(shared_variation(best, z, one(100)), shared_variation(best[::-1], z, one(100)))
        assert 0.9 * largest < shared_variation(x[order], z, one(100)) < 0.95


class TestPermutedPrimary:
    def test_permutes_within_strata_of_the_nuisance(self, values, table):
        data = RealData.read(values, "~ group | site", table)
        design = PermutedPrimary(data).draw(np.random.default_rng(0)).design
        x, site = design.primary[:, 0], table["site"].to_numpy()
        group = (table["group"] == "b").to_numpy()
        for level in ("x", "y"):
            assert x[site == level].sum() == group[site == level].sum()
        assert design.names == ("Intercept", "site[T.y]", "group[T.b]", "pseudo[group[T.b]]")
        assert design.roles == ("nuisance", "nuisance", "nuisance", "primary")
        assert not np.array_equal(x, group)

    def test_permutes_residuals_for_a_continuous_nuisance(self, values, table):
        """Freedman and Lane: what the nuisance explains stays, the rest is permuted."""
        data = RealData.read(values, "~ group | age", table)
        pseudo = PermutedPrimary(data).draw(np.random.default_rng(0)).design.primary
        known, x = design_basis(data.design.nuisance).q, data.design.primary
        residual, part = x - known @ (known.T @ x), pseudo - known @ (known.T @ x)
        assert_allclose(np.sort(part[:, 0]), np.sort(residual[:, 0]), atol=1e-12)

    def test_rows_of_several_columns_move_together(self, values, table):
        three = table.assign(group=np.repeat(["a", "b", "c"], 8))
        data = RealData.read(values, "~ group", three)
        study = PermutedPrimary(data).draw(np.random.default_rng(0))
        assert_array_equal(study.design.primary.sum(axis=0), [8, 8])
        assert study.design.primary.sum(axis=1).max() == 1
        assert len(set(study.design.terms[-2:])) == 1

    def test_confounding_with_the_factors(self):
        study = simulate(Scenario(n_samples=80, n_features=300), 1)
        data = RealData.read(study.X, study.design)
        factors = estimated_factors(study.X, study.design, 3)
        source = PermutedPrimary(data, "c", factors, 0.5)
        pseudo = source.draw(np.random.default_rng(0)).design
        given = design_basis(pseudo.nuisance).q
        assert abs(shared_variation(pseudo.primary, factors, given) - 0.5) < 0.06
        free = PermutedPrimary(data, "c", factors, 0.5, keep_primary=False).draw(np.random.default_rng(0)).design
        assert free.names == ("Intercept", "pseudo[x]")

    def test_refuses_what_it_cannot_permute(self, values):
        with pytest.raises(InputError, match="tests nothing"):
            PermutedPrimary(RealData.read(values, None))
        with pytest.raises(InputError, match="confounding"):
            PermutedPrimary(RealData.read(values, np.arange(24.0)), confounding=1.0)

    def test_settings_tell_data_apart(self, values):
        x = np.repeat([0.0, 1.0], 12)
        first, again = (PermutedPrimary(RealData.read(values, x)).settings() for _ in range(2))
        other = PermutedPrimary(RealData.read(values + 1e-9, x)).settings()
        assert first == again != other


class TestThinning:
    def test_means_follow_the_effects(self):
        """log2 of mean thinned over mean counts is x b minus its largest value."""
        rng = np.random.default_rng(0)
        counts = rng.poisson(3000.0, size=(40, 3)).astype(float)
        x, b = np.repeat([-1.0, 1.0], 20), np.array([0.0, 1.0, -0.5])
        thinned = thin_counts(counts, x, b, rng)
        ratio = np.log2(np.array([thinned[x == s].mean(axis=0) / counts[x == s].mean(axis=0) for s in (-1.0, 1.0)]))
        assert_allclose(ratio, [[0, -2, 0], [0, 0, -1]], atol=0.02)
        assert_array_equal(thinned, np.rint(thinned))
        assert (thinned <= counts).all()

    def test_poisson_stays_poisson(self):
        rng = np.random.default_rng(1)
        counts = rng.poisson(20.0, size=(20000, 1)).astype(float)
        x = np.repeat([0.0, 1.0], 10000)
        half = thin_counts(counts, x, np.array([-1.0]), rng)[10000:]
        assert_allclose([half.mean(), half.var()], [10, 10], rtol=0.05)

    def test_study(self):
        study = simulate(Scenario(n_samples=40, n_features=300, scale="log_counts", n_factors=2), 2)
        source = ThinnedCounts(study.counts, n_samples=30, n_features=200, effect_share=0.1, n_controls=20)
        thinned = source.draw(np.random.default_rng(0))
        assert thinned.X.shape == thinned.counts.shape == (30, 200)
        assert thinned.truth.has_effect.sum() == 20
        assert thinned.truth.controls.sum() == 20
        assert not thinned.truth.factors_known
        x = thinned.design.primary
        assert_allclose([x.mean(), x.var()], [0, 1], atol=1e-12)
        assert abs(shared_variation(x, thinned.truth.factors, one(30)) - 0.5) < 0.1
        assert_array_equal(source.draw(np.random.default_rng(0)).counts, thinned.counts)

    @pytest.mark.parametrize("bad", [np.full((4, 4), 0.5), np.full((4, 4), -1.0), np.full((4, 4), np.nan), np.ones(4)])
    def test_refuses_what_is_no_count(self, bad):
        with pytest.raises(InputError, match="raw counts"):
            ThinnedCounts(bad)

    def test_refuses_numbers_out_of_range(self):
        with pytest.raises(InputError, match="n_samples=9"):
            ThinnedCounts(np.ones((4, 4)), n_samples=9)


class TestControlsAndReplicates:
    def test_halves_of_the_controls(self, values):
        data = RealData.read(values, np.repeat([0.0, 1.0], 12), controls=np.arange(20), positives=[70, 71])
        draws = [ControlledStudy(data).draw(np.random.default_rng(seed)).truth for seed in range(2)]
        for truth in draws:
            assert truth.controls.sum() == truth.checked_controls.sum() == 10
            assert_array_equal(np.flatnonzero(truth.controls | truth.checked_controls), np.arange(20))
            assert_array_equal(np.flatnonzero(truth.positive_controls), [70, 71])
            assert not truth.is_null.any()
            assert not truth.has_effect.any()
        assert not np.array_equal(draws[0].controls, draws[1].controls)

    def test_needs_controls(self, values):
        with pytest.raises(ControlsError, match="there are none"):
            ControlledStudy(RealData.read(values, None))
        with pytest.raises(ControlsError, match="at least 4"):
            ControlledStudy(RealData.read(values, None, controls=[1, 2]))

    def test_replicates_are_split_within_their_sets(self, values):
        labels = np.array(["alone", *np.repeat(list("abcd"), [4, 4, 6, 2]), *(f"s{i}" for i in range(7))])
        data = RealData.read(values, None, replicates=labels)
        study = ReplicateSplit(data).draw(np.random.default_rng(0))
        x = study.design.primary[:, 0]
        assert study.X.shape == (16, 80)
        assert_array_equal([x[study.replicates == label].sum() for label in range(4)], [2, 2, 3, 1])
        assert_allclose(study.X, values[1:17])
        assert study.design.rank == 5
        assert study.truth.is_null.all()

    def test_needs_replicates(self, values):
        with pytest.raises(InputError, match="too few"):
            ReplicateSplit(RealData.read(values, None))

    def test_counts_get_a_log_scale(self):
        counts = np.random.default_rng(0).poisson(30, size=(10, 5)).astype(float)
        data = RealData.read(counts, np.repeat([0.0, 1.0], 5))
        assert data.looks_counted
        study = PermutedPrimary(data.on_log_scale()).draw(np.random.default_rng(0))
        assert_array_equal(study.counts, counts)
        assert study.X.max() < 20
        assert not RealData.read(counts + 0.5, None).looks_counted


def test_factors_need_complete_data(values):
    gaps = values.copy()
    gaps[0, 0] = np.nan
    with pytest.raises(InputError, match="complete"):
        estimated_factors(gaps, Design.resolve(None, n_samples=24))


def test_controls_of_simulated_studies():
    truth = simulate(Scenario(n_features=300), 0).truth
    assert truth.factors_known
    assert_array_equal(truth.checked_controls, truth.is_null & ~truth.controls)
    assert_array_equal(truth.positive_controls, ~truth.is_null)
