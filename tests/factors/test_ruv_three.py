"""RUV-III and pseudo-replicates.

Against ruv 0.9.7.1 (first 60 features of sim1 and sim2; 10 digits stored, so that agreement is to 5e-9 for values of
about 10): adjusted matrices for k factors, for one, averaged over replicates, and with as many factors as there can be.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import latentadj as la
from latentadj.core.alignment import canonical_correlations
from latentadj.core.matrix import ArrayMatrix, collect
from latentadj.core.pseudo_replicates import extreme_groups, pseudo_samples
from latentadj.core.replicates import membership, replicate_means, replicate_projection, ruv_three
from latentadj.factors.pseudo_replicates import pseudo_replicates
from latentadj.factors.ruv_three import RUV3
from latentadj.simulation import FAMILIES, simulate
from tests.parity.studies import study
from tests.reference_data import load_reference

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")
STORED = {"rtol": 0, "atol": 6e-9}


@pytest.mark.parametrize("name", ["sim1", "sim2"])
class TestParity:
    def adjusted(self, name: str, k: int):
        s = study(name)
        Y = ArrayMatrix(s.data.X)
        return ruv_three(Y, s.data.sample_data["block"], s.data.controls, k).adjusted(Y)

    def test_adjusted_matrix(self, name: str) -> None:
        ref = load_reference("ruv", "replicates")
        for key, k in (("ruv_RUVIII", study(name).n_factors), ("ruv_RUVIII_k1", 1)):
            assert_allclose(collect(self.adjusted(name, k))[:, :60].T, ref[f"{name}__{key}"], **STORED)

    def test_averages_of_replicates(self, name: str) -> None:
        """The package orders the groups in a way of its own."""
        means = replicate_means(self.adjusted(name, study(name).n_factors), study(name).data.sample_data["block"])
        ours, theirs = collect(means)[:, :60].T, load_reference("ruv", "replicates")[f"{name}__ruv_RUVIII_avg"]
        order = np.argmin(np.abs(ours[:, :, None] - theirs[:, None, :]).max(axis=0), axis=0)
        assert sorted(order) == list(range(ours.shape[1]))
        assert_allclose(ours[:, order], theirs, **STORED)

    def test_factors_of_the_method_are_those_of_the_adjusted_matrix(self, name: str) -> None:
        s = study(name)
        method = RUV3(s.n_factors, controls=s.data.controls, replicates="block", compat="ruv")
        factors = s.adjust(method).factors.to_numpy()
        scores = ruv_three(ArrayMatrix(s.data.X), s.data.sample_data["block"], s.data.controls, s.n_factors).scores
        assert_allclose(canonical_correlations(factors, scores, centre=False), 1.0, rtol=0, atol=1e-12)


def test_parity_with_as_many_factors_as_possible() -> None:
    s = study("sim2")
    mapped = replicate_projection(ArrayMatrix(s.data.X), s.data.sample_data["block"], s.data.controls) @ s.data.X
    assert_allclose(mapped[:, :60].T, load_reference("ruv", "replicates")["sim2__ruv_RUVIII_kmax"], **STORED)


def test_the_design_is_charged() -> None:
    s = study("sim1")
    result = s.adjust(RUV3(3, controls=s.data.controls, replicates="block"))
    design = np.column_stack([s.data.X[:, 0] * 0 + 1, s.data.sample_data[["age", "x"]], result.factors])
    coef, rss = np.linalg.lstsq(design, s.data.X)[:2]
    assert result.fit.df_resid == 60 - 3 - 3
    assert_allclose(result.tests.estimate[:, 0], coef[2], rtol=0, atol=1e-11)
    assert_allclose(result.fit.sigma2, rss / 54, rtol=1e-10)


def test_samples_without_replicate_are_neutral_in_the_search() -> None:
    """Loadings come from the replicates alone; every sample gets a score."""
    rng = np.random.default_rng(0)
    X, labels = rng.normal(size=(14, 90)), [0, 0, 1, 1, 2, 2, None, None, None, None, None, None, None, None]
    controls = np.arange(90) < 50
    fitted = RUV3(2, controls=controls, replicates=labels, compat="ruv").fit(X, np.tile([0, 1], 7))
    differences = np.vstack([X[i] - X[i + 1] for i in (0, 2, 4)])
    a = np.linalg.svd(differences)[2][:2]
    scores = X[:, controls] @ np.linalg.pinv(a[:, controls])
    assert_allclose(canonical_correlations(fitted.factors_, scores, centre=False), 1.0, rtol=0, atol=1e-12)


class TestNumber:
    def test_no_more_than_the_replicates_carry(self) -> None:
        X = np.random.default_rng(0).normal(size=(12, 60))
        labels = ["a", "a", *range(10)]
        with pytest.raises(la.exceptions.MethodError, match="at most 1"):
            RUV3(2, controls=np.arange(30), replicates=labels).fit(X, np.tile([0, 1], 6))
        with pytest.raises(la.exceptions.ControlsError, match="2 factors need more than 2 negative controls"):
            RUV3(2, controls=[0], replicates=np.repeat(range(6), 2)).fit(X, np.tile([0, 1], 6))

    def test_zero_is_least_squares(self) -> None:
        s = study("sim2")
        found = s.adjust(RUV3(0, controls=s.data.controls, replicates="block"))
        np.testing.assert_array_equal(found.tests.p_value, s.adjust("none").tests.p_value)

    def test_automatic_number_sees_the_differences_between_replicates(self) -> None:
        """Biology of each subject is no factor: 3 are found although subjects differ in 8 further directions."""
        rng = np.random.default_rng(1)
        subject = np.repeat(np.arange(30), 2)
        biology = (rng.normal(size=(30, 8)) @ rng.normal(size=(8, 500)))[subject]
        X = biology + rng.normal(size=(60, 3)) @ rng.normal(size=(3, 500)) + rng.normal(size=(60, 500))
        fitted = RUV3(controls=np.arange(200), replicates=subject).fit(X, np.repeat([0, 1], 30))
        assert fitted.n_factors_ == 3


class TestNeeds:
    X = np.random.default_rng(0).normal(size=(12, 60))

    @pytest.mark.parametrize("given", [{}, {"biology": np.arange(12)}, {"unwanted": np.arange(12)}])
    def test_replicates_or_both_kinds_of_labels(self, given: dict) -> None:
        with pytest.raises(la.exceptions.MethodError, match=r"replicates=|both biology= and unwanted="):
            RUV3(1, controls=np.arange(20), **given).fit(self.X, np.tile([0, 1], 6))

    def test_controls(self) -> None:
        with pytest.raises(la.exceptions.ControlsError, match="negative controls"):
            RUV3(1, replicates=np.repeat(range(6), 2)).fit(self.X, np.tile([0, 1], 6))

    @pytest.mark.parametrize("options", [{"compat": "RUVSeq"}, {"min_samples": 0, "biology": np.zeros(12)}])
    def test_unknown_options(self, options: dict) -> None:
        given = {
            "replicates": np.repeat(range(6), 2),
            "unwanted": np.tile([0, 1], 6),
            "biology": np.zeros(12),
            **options,
        }
        with pytest.raises(la.exceptions.MethodError, match=next(iter(options))):
            RUV3(1, controls=np.arange(20), **given).fit(self.X, np.tile([0, 1], 6))


class TestPseudoReplicates:
    BIOLOGY = np.array([0] * 7 + [1] * 7 + [2] * 2)
    BATCH = np.array([0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 0, 2])

    def test_averages(self) -> None:
        made = pseudo_samples(self.BIOLOGY, self.BATCH)
        X = np.random.default_rng(0).normal(size=(16, 5))
        cells = [(0, 0), (0, 1), (1, 1), (1, 2)]
        expected = [X[(b == self.BIOLOGY) & (u == self.BATCH)].mean(axis=0) for b, u in cells]
        assert_allclose(made.averaging @ X, expected, rtol=1e-13)
        assert list(zip(made.biology, made.unwanted)) == cells
        assert list(made.sizes) == [3, 4, 3, 4]

    def test_small_cells_and_biology_without_a_partner_are_left_out(self) -> None:
        biology, batch = np.append(self.BIOLOGY, [3, 3, 3]), np.append(self.BATCH, [0, 0, 0])
        made = pseudo_samples(biology, batch)
        assert set(made.biology) == {0, 1}
        assert (made.averaging[:, 14:] == 0).all()

    def test_levels_must_hang_together(self) -> None:
        biology, batch = np.repeat([0, 1], 6), np.repeat([0, 1, 2, 3], 3)
        with pytest.raises(la.exceptions.InputError, match=r"2 parts .*\{0, 1\}; \{2, 3\}"):
            pseudo_samples(biology, batch)
        with pytest.raises(la.exceptions.InputError, match=r"\{0, 1\}; \{2\}"):
            pseudo_samples(np.zeros(8, dtype=int), np.array([0, 0, 0, 1, 1, 1, 2, 2]))

    def test_nothing_to_compare(self) -> None:
        with pytest.raises(la.exceptions.InputError, match="at least 3 samples"):
            pseudo_samples(np.arange(12), np.tile([0, 1], 6))

    def test_continuous_sources(self) -> None:
        depth = np.array([5.0, 1.0, 4.0, 2.0, 3.0, 9.0, 6.0, 7.0, 8.0])
        codes = extreme_groups(depth, np.array([0] * 5 + [1] * 4), size=2)
        assert list(codes) == [1, 0, 1, 0, -1, 1, 0, 0, 1]
        assert list(extreme_groups(depth, np.array([0] * 5 + [1] * 4), size=3)) == [-1] * 9

    def test_user_function_says_who_is_averaged(self) -> None:
        frame = pd.DataFrame(np.random.default_rng(0).normal(size=(16, 4)), index=[f"s{i}" for i in range(16)])
        table = pd.DataFrame({"type": self.BIOLOGY.astype(str), "plate": self.BATCH}, index=frame.index)
        made = pseudo_replicates(frame, table, biology="type", unwanted="plate")
        assert made.sets.tolist() == [0, 0, 1, 1]
        assert made.table.loc["pseudo1", "samples"] == "s0, s1, s2"
        assert_allclose(made.values.loc["pseudo2"], frame.iloc[3:7].mean(), rtol=1e-13)
        both = pseudo_replicates(frame, table.assign(other=table["plate"]), biology="type", unwanted=["plate", "other"])
        assert both.sets.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]

    def test_factors_by_hand(self) -> None:
        """Pseudo-samples are appended, replicates found among them, and real samples scored."""
        rng = np.random.default_rng(2)
        X, controls = rng.normal(size=(16, 80)), np.arange(80) < 40
        made = pseudo_samples(self.BIOLOGY, self.BATCH)
        means = made.averaging @ X
        within = means - membership(made.biology) @ np.linalg.pinv(membership(made.biology)) @ means
        a = np.linalg.svd(within, full_matrices=False)[2][:2]
        scores = X[:, controls] @ np.linalg.pinv(a[:, controls])
        method = RUV3(2, controls=controls, biology=self.BIOLOGY, unwanted=self.BATCH, compat="ruv")
        fitted = method.fit(X, np.tile([0, 1], 8))
        assert_allclose(canonical_correlations(fitted.factors_, scores, centre=False), 1.0, rtol=0, atol=1e-12)

    def test_batches_confounded_with_the_outcome_are_removed(self) -> None:
        rng = np.random.default_rng(3)
        cell, batch = np.repeat([0, 1, 2], 24), np.tile(np.repeat([0, 1], 12), 3)
        y = (rng.random(72) < np.where(batch == 1, 0.8, 0.2)).astype(float)
        X = rng.normal(size=(3, 600))[cell] + np.outer(batch, 1.5 * rng.normal(size=600)) + rng.normal(size=(72, 600))
        controls = np.arange(600) < 100
        design = la.Design.from_arrays(y)
        rates = {
            method: np.mean(la.adjust(X, design, method=made).tests.p_value[100:] < 0.05)
            for method, made in (
                ("none", "none"),
                ("ruv3", RUV3(1, controls=controls, biology=cell, unwanted=batch)),
            )
        }
        assert rates["none"] > 0.3
        assert rates["ruv3"] < 0.08


@pytest.mark.slow
@pytest.mark.parametrize("family", ["base", "strong confounding", "weak factors", "unequal variances", "no factors"])
def test_null_features(family: str) -> None:
    """Replicates are pairs of samples of the same group; 100 controls."""
    rates = []
    for seed in range(6):
        s = simulate(replace(FAMILIES[family], n_features=1000), 300 + seed)
        method = RUV3(controls=s.truth.controls, replicates=s.replicates)
        p_value = la.adjust(s.X, s.design, method=method).tests.p_value[:, 0]
        rates.append(np.mean(p_value[s.truth.is_null & ~s.truth.controls] < 0.05))
    assert 0.03 < np.mean(rates) < (0.075 if family == "weak factors" else 0.065)
