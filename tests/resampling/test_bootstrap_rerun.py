"""The bootstrap of whole analyses: by hand, what its data keep, and its level and coverage with hidden factors."""

from __future__ import annotations

import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtri

import latentadj as la
from latentadj.core.resampling_draws import multipliers, resamples
from latentadj.core.resampling_pvalues import Exceedances
from latentadj.estimators import AdjustedRegression
from latentadj.exceptions import InputError, LatentAdjWarning, MethodError
from latentadj.factors import CATE
from latentadj.models.robust import RobustLinearModel
from latentadj.resampling import bootstrap
from latentadj.resampling.replicates import replicates
from latentadj.resampling.subject import subject_of
from latentadj.simulation import Scenario, simulate

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.exceptions.LatentAdjWarning")


@pytest.fixture(scope="module")
def study() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Three groups, a covariate, donors, a feature that does not vary."""
    X = simulate(Scenario(n_samples=24, n_features=60, n_factors=1), 1).X.copy()
    X[:, 7] = 3.0
    names = [f"s{i}" for i in range(24)]
    table = {"group": np.repeat(["a", "b", "c"], 8), "age": 20.0 + 7 * np.arange(24) % 41, "donor": np.arange(24) // 2}
    return pd.DataFrame(X, index=names, columns=[f"g{j}" for j in range(60)]), pd.DataFrame(table, index=names)


@pytest.mark.parametrize("scheme", ["wild", "residual", "clusters"])
def test_by_hand(study, scheme: str) -> None:
    """Every data set made and analysed here: intervals from draws about the estimate, p-values under each null."""
    X, table = study
    how = {"scheme": "residual"} if scheme == "residual" else {"clusters": "donor" if scheme == "clusters" else None}
    options = {"method": "cate", "n_factors": 1, "random_state": 0}
    found = bootstrap(X, "~ group | age", table, n_bootstrap=6, rerun=True, level=0.8, **how, **options)
    result = found.result
    design, tests, Y = result.full_design.matrix, result.tests, X.to_numpy()
    labels = np.arange(24) if scheme != "clusters" else table["donor"].to_numpy()
    seed = np.random.default_rng(0).integers(0, 2**63, size=4)

    def analyses(kept: np.ndarray):
        rng, n = np.random.default_rng(seed), len(Y)
        fitted = kept @ np.linalg.lstsq(kept, Y)[0]
        residual = (Y - fitted) * np.sqrt(n / (n - kept.shape[1]))
        for _ in range(6):
            drawn = residual[resamples(1, n, rng)[0]] if scheme == "residual" else residual
            factor = 1.0 if scheme == "residual" else multipliers(1, labels, rng)[0][:, None]
            values = pd.DataFrame(fitted + factor * drawn, index=X.index, columns=X.columns).assign(g7=3.0)
            yield la.adjust(values, "~ group | age", table, **options).tests

    about = np.array([np.abs(t.estimate - tests.estimate) / t.std_error for t in analyses(design)])
    half = np.quantile(about, 0.8, axis=0, method="higher") * tests.std_error
    varies = np.arange(60) != 7
    np.testing.assert_allclose(found.conf_high[varies], (tests.estimate + half)[varies], rtol=1e-7)
    np.testing.assert_allclose(found.conf_low[varies], (tests.estimate - half)[varies], rtol=1e-7)
    assert np.isnan(found.conf_low[7]).all()
    for i, column in enumerate((2, 3)):
        counts = Exceedances(-ndtri(tests.p_value[:, i] / 2))
        for t in analyses(np.delete(design, column, axis=1)):
            counts.add(-ndtri(t.p_value[:, [i]].T / 2))
        np.testing.assert_allclose(found.p_value[varies, i], counts.p_value()[varies], rtol=1e-12)
        np.testing.assert_allclose(found.p_max[varies, i], counts.p_max()[varies], rtol=1e-12)
        assert np.abs(found.p_pooled[varies, i] - counts.p_pooled()[varies]).max() <= 1e-9
    assert np.isnan(found.p_value[7]).all()


def test_what_comes_back(study) -> None:
    X, table = study
    seen = []
    found = bootstrap(
        X, "~ group", table, method="cate", n_factors=2, n_bootstrap=4, rerun=True,
        progress=lambda done, of: seen.append((done, of)),
    )  # fmt: skip
    assert seen == [(i + 1, 12) for i in range(12)]
    assert found.rerun
    assert found.n_factors.shape == (3, 4)
    assert (found.n_factors == 2).all()
    np.testing.assert_array_equal(found.estimate, found.result.tests.estimate)
    np.testing.assert_array_equal(found.std_error, found.result.tests.std_error)
    assert found.tidy().shape == (120, 11)
    assert "4 draws of the whole analysis" in repr(found)


def test_an_estimator_and_a_number_chosen_anew(study) -> None:
    X, table = study
    front = AdjustedRegression(CATE(), formula="~ group", sample_weights="quality")
    found = bootstrap(
        X.drop(columns="g7"), None, table, estimator=front, n_bootstrap=3, rerun=True, reestimate_number=True
    )
    assert found.n_factors.shape == (3, 3)
    assert np.isfinite(found.conf_low).all()
    assert ((found.p_value * 4) % 1 < 1e-9).all()


def test_the_seed_decides_and_the_order_of_features_does_not(study) -> None:
    X, table = study
    X = X.drop(columns="g7")
    options = {"method": "cate", "n_factors": 1, "n_bootstrap": 4, "rerun": True}
    first, other = (bootstrap(X, "~ group", table, random_state=seed, **options) for seed in (1, 2))
    moved = bootstrap(X.iloc[:, ::-1], "~ group", table, random_state=1, **options)
    np.testing.assert_allclose(moved.conf_low[::-1], first.conf_low, rtol=1e-6)
    np.testing.assert_allclose(moved.p_value[::-1], first.p_value, rtol=1e-12)
    assert np.abs(first.conf_low - other.conf_low).max() > 0


def test_without_factors_it_agrees_with_normal_theory() -> None:
    study = simulate(Scenario(n_samples=30, n_features=80, n_factors=0, confounding=0.0), 2)
    found = bootstrap(study.X, study.design, method="none", rerun=True, n_bootstrap=99)
    tests = found.result.tests
    ratio = (found.conf_high - found.conf_low)[:, 0] / (2 * tests.half_width()[:, 0])
    assert 0.9 < np.median(ratio) < 1.1
    assert np.abs(found.p_pooled - tests.p_value).mean() < 0.03


def test_draws_keep_factors_confounding_and_other_effects() -> None:
    """Under the null of one column the others keep their effects, and hidden factors their association with it."""
    rng, n = np.random.default_rng(0), 60
    hidden, z = rng.normal(size=(n, 1)), rng.normal(size=n)
    x = (hidden[:, 0] + rng.normal(size=n)) / np.sqrt(2)
    X = hidden @ rng.normal(size=(1, 300)) + rng.normal(size=(n, 300))
    X[:, :40] += 2.0 * z[:, None]
    X[:, 40:80] += 2.0 * x[:, None]
    design = la.Design.from_arrays(np.column_stack([x, z]))
    result = la.adjust(X, design, method="cate", n_factors=1)
    subject = subject_of(result)
    null = replicates(result, subject, subject.geometry(0).reduced, "wild", None)
    coef = np.linalg.lstsq(result.full_design.matrix, null.fitted)[0]
    np.testing.assert_allclose(coef[1], 0.0, atol=1e-10, err_msg="no effect of the tested column, given the factor")
    assert coef[2, :40].mean() == pytest.approx(2.0, abs=0.1), "the other column's effects"
    naive = la.adjust(null.draw(np.random.default_rng(1)), design, method="none").tests
    kept = np.corrcoef(naive.estimate[80:, 0], result.unadjusted_tests.estimate[80:, 0])[0, 1]
    assert kept > 0.9, "the plain regression of a draw is as confounded as that of the data"
    about = replicates(result, subject, subject.geometry(0).full, "wild", None)
    coef = np.linalg.lstsq(result.full_design.matrix, about.fitted)[0]
    np.testing.assert_allclose(coef[1:3].T, result.tests.estimate, rtol=1e-9, atol=1e-11)
    drawn = about.draw(np.random.default_rng(1))
    assert np.var(drawn - drawn.mean(axis=0)) == pytest.approx(np.var(X - X.mean(axis=0)), rel=0.1)


def test_a_constant_feature_stays_one() -> None:
    X = simulate(Scenario(n_samples=20, n_features=40, n_factors=0, confounding=0.0), 0).X.copy()
    X[:, 3] = 1234.567
    result = la.adjust(X, la.Design.from_arrays(np.arange(20) % 2), method="none")
    subject = subject_of(result)
    drawn = replicates(result, subject, subject.geometry(0).full, "wild", None).draw(np.random.default_rng(0))
    assert np.ptp(drawn[:, 3]) == 0
    assert (np.ptp(drawn, axis=0) > 0).sum() == 39


def test_memory_does_not_grow_with_the_draws() -> None:
    """Statistics of 40 more draws would be 1.3 MB in each of two sets, their data sets 26 MB."""
    study = simulate(Scenario(n_samples=20, n_features=4000, n_factors=0, confounding=0.0), 0)
    peaks = []
    for n_bootstrap in (10, 50):
        tracemalloc.start()
        bootstrap(study.X, study.design, method="none", n_bootstrap=n_bootstrap, rerun=True)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 1e6


def test_what_is_refused(study) -> None:
    X, table = study
    result = la.adjust(X, "~ group", table, method="none")
    with pytest.raises(InputError, match="estimator="):
        bootstrap(result, n_bootstrap=3, rerun=True)
    counts = np.random.default_rng(0).negative_binomial(5, 0.05, size=(16, 60))
    design = la.Design.from_arrays(np.repeat([0, 1], 8))
    with pytest.raises(MethodError, match="permutation_test"):
        bootstrap(counts, design, n_bootstrap=3, rerun=True, method="none", model=la.GLMModel("poisson"))
    with pytest.raises(MethodError, match="permutation_test"):
        bootstrap(counts, design, n_bootstrap=3, rerun=True, method="svaseq", n_factors=1)


@pytest.mark.slow
@pytest.mark.parametrize(("method", "n_studies"), [("cate", 4), ("none", 2)])
def test_level_and_coverage_with_confounding(method: str, n_studies: int, capsys) -> None:
    """Two hidden factors, R2 0.5 with the primary variable, a tenth of 300 features with effects, n 40, 99 draws.

    Nothing repairs an analysis that leaves the factors in: its draws are as confounded as the data.
    """
    scenario = Scenario(n_samples=40, n_features=300, n_factors=2, effect_share=0.1)
    found = {name: [] for name in ("level of the analysis", "level", "pooled", "coverage of the analysis", "coverage")}
    for seed in range(n_studies):
        study = simulate(scenario, [seed, 3])
        truth, null = study.truth.effects, study.truth.is_null
        again = bootstrap(study.X, study.design, method=method, n_factors=2 if method != "none" else 0,
                          rerun=True, n_bootstrap=99, random_state=seed)  # fmt: skip
        tests = again.result.tests
        inside = np.abs(tests.estimate - truth[:, None]) <= tests.half_width()
        found["level of the analysis"].append(np.mean(tests.p_value[null] < 0.05))
        found["level"].append(np.mean(again.p_value[null] <= 0.05))
        found["pooled"].append(np.mean(again.p_pooled[null] <= 0.05))
        found["coverage of the analysis"].append(np.mean(inside))
        found["coverage"].append(np.mean((again.conf_low[:, 0] <= truth) & (truth <= again.conf_high[:, 0])))
    means = {name: float(np.mean(values)) for name, values in found.items()}
    with capsys.disabled():
        print(f"\n{method}, rerun: " + ", ".join(f"{name} {value:.3f}" for name, value in means.items()))
    if method == "none":
        assert min(means["level"], means["pooled"]) > 0.4
        assert means["coverage"] < 0.6
    else:
        assert 0.03 <= means["level"] <= 0.06
        assert 0.03 <= means["pooled"] <= 0.06
        assert 0.93 <= means["coverage"] <= 0.97


@pytest.mark.slow
def test_unequal_variances_and_factors(capsys) -> None:
    """A small group three times as noisy in all features, a hidden factor: 3 studies of 300 features, n 40."""
    found = {name: [] for name in ("moderated", "wild", "wild, hc2")}
    for seed in range(3):
        rng = np.random.default_rng([seed, 7])
        x = (np.arange(40) < 10).astype(float)
        hidden = np.sqrt(0.5) * ((x - x.mean()) / x.std() + rng.normal(size=40))
        noise = rng.normal(size=(40, 300)) * np.where(x[:, None] > 0, 3.0, 1.0)
        X, design = np.outer(hidden, 1.5 * rng.normal(size=300)) + noise, la.Design.from_arrays(x)
        options = {"method": "cate", "n_factors": 1, "n_bootstrap": 59, "rerun": True, "random_state": seed}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LatentAdjWarning)
            plain = bootstrap(X, design, **options)
            robust = bootstrap(X, design, model=RobustLinearModel(), **options)
        found["moderated"].append(np.mean(plain.result.tests.p_value < 0.05))
        found["wild"].append(np.mean(plain.p_value <= 0.05))
        found["wild, hc2"].append(np.mean(robust.p_value <= 0.05))
    means = {name: float(np.mean(values)) for name, values in found.items()}
    with capsys.disabled():
        print("\nunequal variances, rerun: " + ", ".join(f"{name} {value:.3f}" for name, value in means.items()))
    assert means["moderated"] > 0.08, "otherwise nothing is shown"
    assert 0.03 <= means["wild, hc2"] <= 0.075
