"""Sample weights: given ones are weighted least squares, estimated ones find the noise that the simulation made."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import latentadj as la
from latentadj.core.matrix import ArrayMatrix
from latentadj.core.sample_quality import sample_variances
from latentadj.core.whitening import Whitening
from latentadj.exceptions import MethodError, UnequalSamplesWarning
from latentadj.problem import AdjustmentProblem
from latentadj.sample_weights import SampleQuality
from latentadj.simulation import FAMILIES, OPEN_FAMILIES, error_rates, simulate

N = 30


@pytest.fixture
def made() -> tuple[np.ndarray, la.Design, np.ndarray]:
    rng = np.random.default_rng(3)
    design = la.Design.from_arrays(np.tile([0.0, 1.0], N // 2), rng.normal(size=N))
    X = 6 + rng.normal(size=(N, 300)) * np.repeat([1.0, 2.0], [20, 10])[:, None]
    return X, design, rng.uniform(0.2, 3, size=N)


def test_given_weights_are_weighted_least_squares(made) -> None:
    X, design, weights = made
    res = la.adjust(X, design, method="none", inference="ordinary", sample_weights=weights)
    root = np.sqrt(weights / weights.mean())[:, None]
    coef, rss = np.linalg.lstsq(design.matrix * root, X * root)[:2]
    at = design.names.index(design.primary_names[0])
    np.testing.assert_allclose(res.tests.estimate[:, 0], coef[at], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(res.fit.sigma2, rss / (N - 3), rtol=1e-10)
    np.testing.assert_allclose(res.fit.mean, X.mean(axis=0), rtol=1e-12)
    plain = la.adjust(X, design, method="none", inference="ordinary")
    np.testing.assert_array_equal(res.unadjusted_tests.estimate, plain.tests.estimate)


def test_equal_weights_change_nothing(made) -> None:
    X, design, _ = made
    weighed = la.adjust(X, design, method="cate", n_factors=2, sample_weights=np.full(N, 7.0))
    plain = la.adjust(X, design, method="cate", n_factors=2)
    np.testing.assert_allclose(weighed.tests.statistic, plain.tests.statistic, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(weighed.factors, plain.factors, atol=1e-7)


def test_factors_come_back_on_the_scale_of_the_samples() -> None:
    """The refit with weights on [design, factors] gives the reported effects."""
    study = simulate(replace(FAMILIES["base"], n_features=400), np.random.default_rng(0))
    weights = np.random.default_rng(1).uniform(0.3, 3, size=60)
    res = la.adjust(study.X, study.design, method="cate", n_factors=3, sample_weights=weights)
    root = np.sqrt(weights)[:, None]
    coef = np.linalg.lstsq(res.full_design.matrix * root, study.X * root)[0]
    at = res.full_design.names.index(res.tests.names[0])
    np.testing.assert_allclose(res.tests.estimate[:, 0], coef[at], rtol=1e-7, atol=1e-9)


def test_whitening_by_a_covariance() -> None:
    rng = np.random.default_rng(0)
    A = rng.normal(size=(8, 8))
    V = A @ A.T + np.eye(8)
    whitening = Whitening.from_covariance(V)
    np.testing.assert_allclose(whitening.apply(V) @ whitening.transform.T, np.eye(8), atol=1e-10)
    columns = rng.normal(size=(8, 3))
    np.testing.assert_allclose(whitening.undo(whitening.apply(columns)), columns, atol=1e-10)
    both = whitening.after(Whitening.from_weights(np.arange(1.0, 9.0)))
    np.testing.assert_allclose(both.apply(columns), whitening.apply(columns * np.sqrt(np.arange(1.0, 9.0))[:, None]))


@pytest.mark.parametrize("weights", [np.ones(5), -np.ones(N), np.zeros(N), np.full(N, np.nan), ["a"] * N])
def test_weights_that_cannot_be_used(made, weights) -> None:
    with pytest.raises(la.LatentAdjError, match="sample_weights"):
        la.adjust(made[0], made[1], method="none", sample_weights=weights)


def test_unknown_name(made) -> None:
    with pytest.raises(MethodError, match="quality"):
        la.adjust(made[0], made[1], method="none", sample_weights="best")


def test_weights_are_aligned_by_sample_id(made) -> None:
    X, design, weights = made
    ids = [f"s{i}" for i in range(N)]
    table = pd.DataFrame({"x": design.primary[:, 0], "z": design.nuisance[:, -1]}, index=ids)
    series = pd.Series(weights, index=ids).sample(frac=1, random_state=0)
    frame = pd.DataFrame(X, index=ids)
    found = la.adjust(frame, "~ x | z", table, method="none", sample_weights=series)
    expected = la.adjust(frame, "~ x | z", table, method="none", sample_weights=weights)
    np.testing.assert_array_equal(found.tests.p_value, expected.tests.p_value)


def problem_of(study) -> AdjustmentProblem:
    return AdjustmentProblem(ArrayMatrix(study.X), study.design)


@pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")
class TestEstimatedWeights:
    @pytest.mark.parametrize("n_factors", [0, 3])
    def test_finds_the_noisy_group(self, n_factors: int) -> None:
        scenario = replace(
            OPEN_FAMILIES["noisy rare group"], n_factors=n_factors, confounding=0.5 if n_factors else 0.0
        )
        study = simulate(scenario, np.random.default_rng(n_factors))
        found = SampleQuality().variances(problem_of(study), np.random.default_rng(0))
        noisy = study.design.primary[:, 0] > 0
        assert found.converged
        assert found.n_factors == n_factors
        weights = SampleQuality().whitening(problem_of(study), np.random.default_rng(0)).transform ** 2
        assert weights[~noisy].mean() / weights[noisy].mean() == pytest.approx(4.0, rel=0.03)
        assert np.log(weights[noisy]).std() < 0.05

    def test_alike_samples_get_alike_weights(self) -> None:
        """Shrinkage takes the spread that is sampling error away: what stays is below one per cent on average."""
        study = simulate(FAMILIES["base"], np.random.default_rng(0))
        found = SampleQuality().variances(problem_of(study), np.random.default_rng(0))
        assert np.log(found.shrunken()).std() < 0.02

    def test_no_sample_runs_away_to_infinite_weight(self) -> None:
        """Correlated noise and no factors: spurious factors that fit one sample alone must not give it the say."""
        scenario = replace(FAMILIES["correlated noise"], n_factors=0, confounding=0.0)
        for seed in range(3):
            study = simulate(scenario, np.random.default_rng(seed))
            found = SampleQuality().variances(problem_of(study), np.random.default_rng(0))
            assert found.variance.min() > 0.5

    def test_samples_may_come_in_any_order(self) -> None:
        study = simulate(replace(OPEN_FAMILIES["noisy rare group"], n_features=500), np.random.default_rng(1))
        order = np.random.default_rng(2).permutation(60)
        res = la.adjust(study.X, study.design.matrix[:, 1:], sample_weights="quality")
        shuffled = la.adjust(study.X[order], study.design.matrix[order, 1:], sample_weights="quality")
        np.testing.assert_allclose(shuffled.sample_weights, res.sample_weights.to_numpy()[order], rtol=1e-8)
        np.testing.assert_allclose(shuffled.tests.statistic, res.tests.statistic, rtol=1e-6, atol=1e-8)

    def test_too_few_degrees_of_freedom_give_equal_weights(self) -> None:
        X = np.random.default_rng(0).normal(size=(4, 50))
        res = la.adjust(X, np.array([0.0, 0, 1, 1]), method="none", sample_weights="quality")
        np.testing.assert_array_equal(res.sample_weights, 1.0)

    def test_saved_and_loaded(self, tmp_path) -> None:
        study = simulate(replace(OPEN_FAMILIES["noisy rare group"], n_features=300), np.random.default_rng(1))
        res = la.adjust(study.X, study.design)
        loaded = la.load_result(res.save(tmp_path / "result"))
        pd.testing.assert_series_equal(loaded.sample_weights, res.sample_weights)


def test_noisy_samples_are_named() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 400))
    X[7] *= 6
    with pytest.warns(UnequalSamplesWarning, match=r"1 of 20 samples .*sample8"):
        la.adjust(X, np.tile([0.0, 1.0], 10))


def test_moment_equation_is_unbiased() -> None:
    """Mean over simulated Gram matrices without factors and with hardly any prior: within 1 % of the truth."""
    rng = np.random.default_rng(0)
    truth = np.exp(rng.normal(size=12) * 0.5)
    truth /= np.exp(np.log(truth).mean())
    design = np.column_stack([np.ones(12), np.tile([0.0, 1.0], 6)])
    R = rng.normal(size=(12, 200_000)) * np.sqrt(truth)[:, None]
    R -= design @ np.linalg.lstsq(design, R)[0]
    found = sample_variances(R @ R.T / R.shape[1], design, R.shape[1], lambda shares: 0)
    np.testing.assert_allclose(found.variance, truth, rtol=0.02)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")
def test_a_noisier_group_does_not_break_the_tests() -> None:
    """40 studies: type-I error and FDP of the default against the oracle that knows factors and noise.

    Without weights the oracle's FDP is 0.5 and CATE's 0.68.
    """
    rates, oracle = [], []
    for repeat in range(40):
        study = simulate(OPEN_FAMILIES["noisy rare group"], np.random.default_rng([11, repeat]))
        found = error_rates(la.adjust(study.X, study.design), study.truth)
        truth = np.where(study.design.primary[:, 0] > 0, 0.25, 1.0)
        known = error_rates(la.adjust(study.X, study.oracle_design, method="none", sample_weights=truth), study.truth)
        rates.append((found.type_one_error, found.fdp, found.power))
        oracle.append((known.type_one_error, known.fdp, known.power))
    level, fdp, power = np.mean(rates, axis=0)
    assert level < 0.0545
    assert fdp < 0.12
    assert power > 0.95 * np.mean(oracle, axis=0)[2]
