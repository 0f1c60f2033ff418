"""Sandwich errors with missing values and weights of observations: whole analyses, and their level."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import latentadj as la
from latentadj.core.matrix import ArrayMatrix
from latentadj.core.regression import RegressionFit, design_basis
from latentadj.core.whitening import Whitening
from latentadj.exceptions import DegreesOfFreedomError, InputError, LatentAdjWarning, MethodError
from latentadj.inference import ModeratedT, OrdinaryT
from latentadj.models.robust import RobustLinearModel
from latentadj.models.weighted import WeightedLinearModel
from latentadj.results.statistics import test_contrasts as tests_of_contrasts
from latentadj.results.statistics import test_jointly as joint_tests
from latentadj.simulation import Scenario, simulate

N, M = 24, 90


def gaps(values: np.ndarray, rng: np.random.Generator, share: float = 0.2) -> np.ndarray:
    return np.where(rng.uniform(size=values.shape) < share, np.nan, values)


@pytest.fixture(scope="module")
def study() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A design of three columns, values a fifth of which are missing, weights from 0.1 to 10."""
    rng = np.random.default_rng(0)
    design = np.column_stack([np.ones(N), np.arange(N) % 2, rng.normal(size=N)])
    return design, gaps(rng.normal(size=(N, M)), rng), 10.0 ** rng.uniform(-1, 1, size=(N, M))


def fit(model, design: np.ndarray, values: np.ndarray) -> RegressionFit:
    return model.fit(ArrayMatrix(values), design_basis(design))


@pytest.mark.parametrize("clusters", [None, np.arange(N) // 3], ids=["samples", "clusters"])
def test_every_feature_is_a_robust_regression_of_its_own_rows(study, clusters) -> None:
    design, values, weights = study
    model = RobustLinearModel(clusters=clusters).of_observed(ArrayMatrix(weights))
    found = fit(model, design, values)
    tests = tests_of_contrasts(found, OrdinaryT().variances(found), np.eye(3)[:, 1:], ("group", "x"))
    joint = joint_tests(found, OrdinaryT().variances(found), {"both": np.eye(3)[:, 1:]})
    assert tests.df.shape == (M, 2)
    for j in range(0, M, 7):
        seen = ~np.isnan(values[:, j])
        root = np.sqrt(weights[seen, j])
        own = RobustLinearModel(clusters=None if clusters is None else clusters[seen])
        alone = fit(own, design[seen] * root[:, None], (values[seen, j] * root)[:, None])
        single = tests_of_contrasts(alone, OrdinaryT().variances(alone), np.eye(3)[:, 1:], ("group", "x"))
        for name in ("estimate", "std_error", "p_value"):
            np.testing.assert_allclose(getattr(tests, name)[j], getattr(single, name)[0], rtol=1e-8, err_msg=name)
        np.testing.assert_allclose(tests.df[j], np.ravel(single.df), rtol=1e-9)
        both = joint_tests(alone, OrdinaryT().variances(alone), {"both": np.eye(3)[:, 1:]})
        np.testing.assert_allclose(joint.p_value[j], both.p_value[0], rtol=1e-8)


def test_welch_with_gaps() -> None:
    rng, x = np.random.default_rng(1), np.repeat([0.0, 1.0], [9, 7])
    values = gaps(rng.normal(size=(16, 20)), rng)
    found = fit(RobustLinearModel().of_observed(), np.column_stack([np.ones(16), x]), values)
    tests = tests_of_contrasts(found, OrdinaryT().variances(found), np.array([[0.0], [1.0]]), ("x",))
    welch = stats.ttest_ind(values[x == 1], values[x == 0], equal_var=False, nan_policy="omit")
    np.testing.assert_allclose(tests.statistic[:, 0], welch.statistic, rtol=1e-9)
    n1, n0 = (np.isfinite(values[x == g]).sum(axis=0) for g in (1, 0))
    equal = (1 / n1 + 1 / n0) ** 2 / (1 / n1**2 / (n1 - 1) + 1 / n0**2 / (n0 - 1))
    np.testing.assert_allclose(tests.df, equal, rtol=1e-9, err_msg="Welch's, where the variances are equal")


def test_coefficients_are_those_of_weighted_least_squares(study) -> None:
    design, values, weights = study
    root = np.linspace(0.5, 2.0, N)
    given, mapped = ArrayMatrix(weights), Whitening(root)
    robust = fit(RobustLinearModel().of_observed(given).whitened(mapped), design, values)
    plain = fit(WeightedLinearModel(given).whitened(mapped), design, values)
    np.testing.assert_array_equal(robust.coef, plain.coef)
    np.testing.assert_array_equal(robust.df_resid, plain.df_resid)
    together = fit(RobustLinearModel().of_observed(ArrayMatrix(weights * root[:, None] ** 2)), design, values)
    np.testing.assert_allclose(robust.cov_unscaled, together.cov_unscaled, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(
        robust.degrees.contrast_df(np.eye(3)), together.degrees.contrast_df(np.eye(3)), rtol=1e-9
    )


def test_residual_degrees_of_freedom(study) -> None:
    design, values, _ = study
    found = fit(RobustLinearModel("hc3", df="residual").of_observed(), design, values)
    tests = tests_of_contrasts(found, OrdinaryT().variances(found), np.eye(3)[:, 1:2], ("group",))
    np.testing.assert_allclose(tests.df, (~np.isnan(values)).sum(axis=0) - 3.0)


@pytest.fixture(scope="module")
def incomplete() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Three groups, donors of three samples, a hidden factor, a tenth of the values missing."""
    rng = np.random.default_rng(2)
    X = gaps(simulate(Scenario(n_samples=36, n_features=150, n_factors=1), 3).X, rng, 0.1)
    X[12:24, 5] = np.nan
    names = [f"s{i}" for i in range(36)]
    table = pd.DataFrame({"group": np.repeat(["a", "b", "c"], 12), "donor": np.arange(36) // 3}, index=names)
    return pd.DataFrame(X, index=names, columns=[f"g{j}" for j in range(150)]), table


@pytest.mark.parametrize("how", [{"inference": "hc2"}, {"inference": "cluster", "clusters": "donor"}])
def test_a_whole_analysis(incomplete, how: dict, tmp_path) -> None:
    X, table = incomplete
    options = {"method": "cate", "n_factors": 1, "missing": "allow"}
    result = la.adjust(X, "~ group", table, **options, **how)
    plain = la.adjust(X, "~ group", table, **options)
    np.testing.assert_allclose(result.tests.estimate, plain.tests.estimate, rtol=1e-9)
    lost = np.isnan(result.tests.p_value)
    assert lost[5, 0]
    assert lost.sum() <= 2
    assert result.tests.df.shape == (150, 2)
    tidied = result.tidy()
    assert tidied["p_value"].dropna().between(0, 1).all()
    assert result.tidy(joint=True)["p_value"].notna().sum() >= 149
    difference = result.contrast("group[T.b] - group[T.c]")
    assert difference["p_value"].notna().sum() == 149
    result.save(tmp_path / "study")
    again = la.load_result(tmp_path / "study")
    pd.testing.assert_frame_equal(again.tidy(), tidied)
    pd.testing.assert_frame_equal(again.contrast("group[T.b] - group[T.c]"), difference)


def test_weights_and_gaps_in_a_whole_analysis(incomplete) -> None:
    """Weights of one leave everything as it is; a weight of zero is a missing value."""
    X, table = incomplete
    options = {"method": "cate", "n_factors": 1, "inference": "hc2"}
    missing = la.adjust(X, "~ group", table, missing="allow", **options)
    weights = X.notna().astype(float)
    left_out = la.adjust(X.fillna(7.0), "~ group", table, observation_weights=weights, **options)
    np.testing.assert_allclose(left_out.tests.p_value, missing.tests.p_value, rtol=1e-6)
    complete = X.fillna(X.mean())
    plain = la.adjust(complete, "~ group", table, **options)
    ones = la.adjust(complete, "~ group", table, observation_weights=np.ones(X.shape), **options)
    np.testing.assert_allclose(ones.tests.p_value, plain.tests.p_value, rtol=1e-7)
    with_quality = la.adjust(X, "~ group", table, missing="allow", sample_weights="quality", **options)
    assert np.isfinite(with_quality.tests.p_value).sum() >= 299


def test_what_is_refused(incomplete, study) -> None:
    design, values, weights = study
    with pytest.raises(MethodError, match="hc3"):
        fit(RobustLinearModel("hc9").of_observed(), design, values)
    with pytest.raises(InputError, match="one label per sample"):
        fit(RobustLinearModel(clusters=[1, 2]).of_observed(), design, values)
    with pytest.raises(DegreesOfFreedomError, match="two clusters"):
        fit(RobustLinearModel(clusters=["a"] * N).of_observed(), design, values)
    with pytest.raises(InputError, match="not negative"):
        fit(RobustLinearModel().of_observed(ArrayMatrix(-weights)), design, values)
    X, table = incomplete
    with pytest.raises(MethodError, match="independent samples or clusters"):
        la.adjust(X, "~ group", table, method="none", missing="allow", inference="hc2", blocks="donor")


def levels(studies, models: dict, how) -> dict[str, float]:
    """Type-I errors at 0.05 of the last column over studies of ``(design, values, clusters)``."""
    found: dict[str, list[float]] = {name: [] for name in models}
    for design, values, clusters in studies:
        last = np.eye(design.shape[1])[:, -1:]
        for name, model in models.items():
            fitted = fit(model(clusters), design, values)
            p_value = tests_of_contrasts(fitted, how.variances(fitted), last, ("x",)).p_value
            found[name].append(float(np.nanmean(p_value < 0.05)))
    return {name: float(np.mean(values)) for name, values in found.items()}


@pytest.mark.slow
@pytest.mark.parametrize("n", [16, 24, 40])
@pytest.mark.parametrize("how", [OrdinaryT(), ModeratedT()], ids=["ordinary", "moderated"])
def test_level_with_unequal_variances_and_gaps(n: int, how, capsys) -> None:
    """The smaller group is three times as noisy in 30 % of the features; 20 % missing. 10 studies of 1500 features."""
    studies = []
    for i in range(10):
        rng = np.random.default_rng([n, i, 1])
        x = np.arange(n) < n // 4
        sd = np.sqrt(10 / rng.chisquare(10, size=1500)) * np.where(x[:, None] & (np.arange(1500) < 450), 3.0, 1.0)
        values = gaps(rng.normal(size=(n, 1500)) * sd, rng)
        studies.append((np.column_stack([np.ones(n), x]).astype(float), values, None))
    found = levels(
        studies,
        {
            "least squares": lambda _: WeightedLinearModel(),
            "hc2": lambda _: RobustLinearModel().of_observed(),
            "hc2, n - d": lambda _: RobustLinearModel("hc2", df="residual").of_observed(),
            "hc3": lambda _: RobustLinearModel("hc3").of_observed(),
        },
        how,
    )
    with capsys.disabled():
        print(f"\nn {n}, 20 % missing: " + ", ".join(f"{name} {value:.3f}" for name, value in found.items()))
    assert found["least squares"] > 0.08, "otherwise nothing is shown"
    assert 0.035 <= found["hc2"] <= 0.056
    assert found["hc3"] <= 0.047


@pytest.mark.slow
@pytest.mark.parametrize("n_clusters", [8, 14])
@pytest.mark.parametrize("how", [OrdinaryT(), ModeratedT()], ids=["ordinary", "moderated"])
def test_level_with_clusters_and_gaps(n_clusters: int, how, capsys) -> None:
    """Clusters of three, treated as a whole, correlation one half; 20 % missing. 10 studies of 1000 features."""
    studies, labels = [], np.repeat(np.arange(n_clusters), 3)
    for i in range(10):
        rng = np.random.default_rng([n_clusters, i, 2])
        noise = rng.normal(size=(n_clusters, 1000))[labels] + rng.normal(size=(len(labels), 1000))
        studies.append((np.column_stack([np.ones(len(labels)), labels % 2]), gaps(noise, rng), labels))
    found = levels(
        studies,
        {
            "least squares": lambda _: WeightedLinearModel(),
            "cr1, n - d": lambda labels: RobustLinearModel("cr1", labels, df="residual").of_observed(),
            "cr2": lambda labels: RobustLinearModel(clusters=labels).of_observed(),
        },
        how,
    )
    with capsys.disabled():
        print(f"\n{n_clusters} clusters, 20 % missing: " + ", ".join(f"{k} {v:.3f}" for k, v in found.items()))
    assert found["least squares"] > 0.12, "otherwise nothing is shown"
    assert found["cr1, n - d"] > 0.06
    assert 0.04 <= found["cr2"] <= 0.056


@pytest.mark.slow
def test_level_with_wrong_weights(capsys) -> None:
    """Weights from 1/4 to 4 that have nothing to do with the noise, 20 % missing: 10 studies of 1500 features, n 24."""
    studies, given = [], []
    for i in range(10):
        rng = np.random.default_rng([i, 3])
        x = np.arange(24) % 2
        given.append(ArrayMatrix(4.0 ** rng.uniform(-1, 1, size=(24, 1500))))
        studies.append((np.column_stack([np.ones(24), x]).astype(float), gaps(rng.normal(size=(24, 1500)), rng), i))
    models = {
        "least squares": lambda i: WeightedLinearModel(given[i]),
        "hc2": lambda i: RobustLinearModel().of_observed(given[i]),
        "hc3": lambda i: RobustLinearModel("hc3").of_observed(given[i]),
    }
    found = levels(studies, models, ModeratedT())
    with capsys.disabled():
        print("\nwrong weights: " + ", ".join(f"{name} {value:.3f}" for name, value in found.items()))
    assert found["least squares"] > 0.1, "otherwise nothing is shown"
    assert 0.04 <= found["hc2"] <= 0.065, "0.061: the leverages are those of the weights, which say nothing here"
    assert found["hc3"] <= 0.052


@pytest.mark.slow
@pytest.mark.parametrize("n", [24, 40])
def test_level_under_confounding_with_gaps(n: int, capsys) -> None:
    """Two hidden factors, R2 0.5 of one with the groups, a small noisy group, 20 % missing: 8 studies of 800."""
    means: dict[str, list[float]] = {"none": [], "moderated": [], "hc2": []}
    for seed in range(8):
        rng = np.random.default_rng([seed, n, 4])
        x = (np.arange(n) < n // 4).astype(float)
        factors = rng.normal(size=(n, 2))
        factors[:, 0] = np.sqrt(0.5) * ((x - x.mean()) / x.std() + factors[:, 0])
        sd = np.sqrt(10 / rng.chisquare(10, size=800)) * np.where((x[:, None] > 0) & (np.arange(800) < 240), 3.0, 1.0)
        X = gaps(factors @ rng.normal(size=(2, 800)) + rng.normal(size=(n, 800)) * sd, rng)
        for name in means:
            method = "none" if name == "none" else "cate"
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", LatentAdjWarning)
                how = "moderated" if name == "none" else name
                options = {"method": method, "n_factors": 0 if name == "none" else 2, "inference": how}
                result = la.adjust(X, la.Design.from_arrays(x), missing="allow", **options)
            means[name].append(float(np.nanmean(result.tests.p_value < 0.05)))
    found = {name: float(np.mean(values)) for name, values in means.items()}
    with capsys.disabled():
        print(f"\nn {n}, factors and gaps: " + ", ".join(f"{name} {value:.3f}" for name, value in found.items()))
    assert found["none"] > 0.3
    assert 0.035 <= found["hc2"] <= 0.062
