"""Least squares with sandwich errors: what the tests make of them, and their level where variances are unequal."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import latentadj as la
from latentadj.core.matrix import ArrayMatrix
from latentadj.core.regression import RegressionFit, design_basis
from latentadj.core.variance import VariancePrior
from latentadj.exceptions import DegreesOfFreedomError, InputError, MethodError
from latentadj.inference import OrdinaryT
from latentadj.models.linear import LinearModel
from latentadj.models.robust import RobustLinearModel
from latentadj.results.shrinkage import shrink_tests
from latentadj.results.statistics import error_df, over_tests
from latentadj.results.statistics import test_contrasts as tests_of_contrasts
from latentadj.results.statistics import test_jointly as joint_tests
from latentadj.simulation import Scenario, simulate
from tests.reference_data import load_reference

STUDY = load_reference("statsmodels", "robust")
X, Y, GROUPS = STUDY["X"], STUDY["Y"], STUDY["groups"]


def fit(model: RobustLinearModel | LinearModel, design: np.ndarray = X, values: np.ndarray = Y) -> RegressionFit:
    return model.fit(ArrayMatrix(values), design_basis(design))


@pytest.mark.parametrize("kind", ["hc0", "hc1", "hc2", "hc3", "cr0", "cr1"])
def test_covariances_are_those_of_statsmodels(kind: str) -> None:
    found = fit(RobustLinearModel(kind, clusters=GROUPS if kind.startswith("cr") else None))
    covariance = found.sigma2[:, None, None] * found.cov_unscaled
    scale = np.sqrt(np.einsum("mii,mkk->mik", STUDY[kind], STUDY[kind]))
    np.testing.assert_allclose(covariance / scale, STUDY[kind] / scale, rtol=0, atol=1e-11)
    np.testing.assert_array_equal(found.coef, fit(LinearModel()).coef)


def test_ordinary_tests_use_the_degrees_of_freedom_of_the_contrast() -> None:
    found = fit(RobustLinearModel())
    tests = tests_of_contrasts(found, OrdinaryT().variances(found), np.eye(4)[:, 1:], ("a", "b", "c"))
    df = found.degrees.contrast_df(np.eye(4)[:, 1:])
    assert tests.df.shape == (5, 3)
    assert len(set(df.round(6))) == 3
    np.testing.assert_allclose(tests.df, np.tile(df, (5, 1)), rtol=1e-12)
    error = np.sqrt(np.einsum("mii->mi", STUDY["hc2"]))[:, 1:]
    np.testing.assert_allclose(tests.p_value, 2 * stats.t.sf(np.abs(found.coef[:, 1:] / error), df), rtol=1e-8)
    np.testing.assert_allclose(tests.half_width(), error * stats.t.isf(0.025, df), rtol=1e-9)
    np.testing.assert_array_equal(tests.select([1]).df, tests.df[:, [1]])
    plain = tests_of_contrasts(found, OrdinaryT().variances(found), np.eye(4)[:, 1:2], ("a",))
    assert plain.df == pytest.approx(df[0]), "one number where there is one test"


def test_welch_is_hc2_with_two_groups() -> None:
    x = np.repeat([0.0, 1.0], [5, 9])
    values = np.random.default_rng(0).normal(size=(14, 3))
    found = fit(RobustLinearModel(), np.column_stack([np.ones(14), x]), values)
    tests = tests_of_contrasts(found, OrdinaryT().variances(found), np.array([[0.0], [1.0]]), ("x",))
    welch = stats.ttest_ind(values[x == 1], values[x == 0], equal_var=False)
    np.testing.assert_allclose(tests.statistic[:, 0], welch.statistic, rtol=1e-10)


def test_moderation_adds_degrees_of_freedom() -> None:
    """Without a prior the contrast's own; with a prior that is certain, what the form of the sandwich leaves."""
    found = fit(RobustLinearModel())
    nothing = VariancePrior(0.0, np.nan, found.sigma2, 23.0)
    assert error_df(found, nothing, 7.0) == pytest.approx(7.0)
    certain = VariancePrior(np.inf, 1.0, found.sigma2, np.inf)
    assert error_df(found, certain, 7.0) == pytest.approx(2 / ((1 + 2 / 7) / (1 + 2 / 23) - 1))
    assert error_df(found, certain, 23.0) == np.inf, "as for least squares, whose form is known"
    per_feature = VariancePrior(np.array([0.0, np.inf]), 1.0, found.sigma2[:2], np.array([23.0, np.inf]))
    np.testing.assert_allclose(error_df(found, per_feature, 7.0), [7.0, error_df(found, certain, 7.0)])


def test_degrees_of_freedom_of_a_moderated_sandwich_match_its_variance() -> None:
    """Variances drawn from a prior of 8: the moderated sandwich over the true variance varies as a chi-square would."""
    rng = np.random.default_rng(0)
    x, df, prior_df = np.repeat([0.0, 1.0], [3, 9]), 10.0, 8.0
    design = np.column_stack([np.ones(12), x])
    sigma2 = prior_df / rng.chisquare(prior_df, size=40_000)
    found = fit(RobustLinearModel(), design, rng.normal(size=(12, 40_000)) * np.sqrt(sigma2))
    shrunken = (prior_df + df * found.sigma2) / (prior_df + df)
    ratio = shrunken * found.cov_unscaled[:, 1, 1] / sigma2
    prior = VariancePrior(prior_df, 1.0, shrunken, prior_df + df)
    own = float(found.degrees.contrast_df(np.eye(2)[:, 1:])[0])
    assert error_df(found, prior, own) > own
    t = found.coef[:, 1] / np.sqrt(shrunken * found.cov_unscaled[:, 1, 1])
    level = np.mean(2 * stats.t.sf(np.abs(t), error_df(found, prior, own)) < 0.05)
    assert 0.03 < level < 0.055, "three samples in a group: conservative"
    assert np.var(ratio) / np.mean(ratio) ** 2 > 2 / (prior_df + df)


def test_joint_tests() -> None:
    """One contrast: F is the square of t. Several: Hotelling's statistic on estimated degrees of freedom."""
    found = fit(RobustLinearModel())
    prior = OrdinaryT().variances(found)
    one, three = np.eye(4)[:, 3:], np.eye(4)[:, 1:]
    single = tests_of_contrasts(found, prior, one, ("x",))
    joint = joint_tests(found, prior, {"x": one, "all": three})
    np.testing.assert_allclose(joint.statistic[:, 0], single.statistic[:, 0] ** 2, rtol=1e-9)
    np.testing.assert_allclose(joint.p_value[:, 0], single.p_value[:, 0], rtol=1e-8)
    nu = found.degrees.joint_df(three)
    wald = np.einsum("mi,mij,mj->m", found.coef[:, 1:], np.linalg.inv(STUDY["hc2"][:, 1:, 1:]), found.coef[:, 1:])
    np.testing.assert_allclose(joint.statistic[:, 1], wald * (nu - 2) / (3 * nu), rtol=1e-8)
    np.testing.assert_allclose(joint.p_value[:, 1], stats.f.sf(wald * (nu - 2) / (3 * nu), 3, nu - 2), rtol=1e-8)
    np.testing.assert_allclose(joint.df2[:, 1], nu - 2)


def test_too_few_clusters_for_a_joint_test_give_no_p_value() -> None:
    found = fit(RobustLinearModel(clusters=np.repeat(np.arange(3), 9)))
    joint = joint_tests(found, OrdinaryT().variances(found), {"all": np.eye(4)[:, 1:]})
    assert np.isnan(joint.p_value).all()
    assert np.isnan(joint.statistic).all()


def test_a_single_treated_cluster_has_no_error() -> None:
    design = np.column_stack([X[:, :2], (GROUPS == 3).astype(float)])
    for df in ("satterthwaite", "residual"):
        found = fit(RobustLinearModel(clusters=GROUPS, df=df), design)
        tests = tests_of_contrasts(found, OrdinaryT().variances(found), np.eye(3)[:, 1:], ("x", "treated"))
        assert np.isfinite(tests.p_value[:, 0]).all()
        assert np.isnan(tests.p_value[:, 1]).all()
        assert np.isnan(tests.std_error[:, 1]).all()


def test_residual_degrees_of_freedom() -> None:
    found = fit(RobustLinearModel("hc1", df="residual"))
    tests = tests_of_contrasts(found, OrdinaryT().variances(found), np.eye(4)[:, 1:], ("a", "b", "c"))
    assert tests.df == pytest.approx(23.0)
    error = np.sqrt(np.einsum("mii->mi", STUDY["hc1"]))[:, 1:]
    np.testing.assert_allclose(tests.std_error, error, rtol=1e-9)
    joint = joint_tests(found, OrdinaryT().variances(found), {"two": np.eye(4)[:, 2:]})
    assert joint.df2 == pytest.approx(22.0), "Hotelling's, two contrasts"


def test_dependent_columns_have_no_error() -> None:
    found = fit(RobustLinearModel(), np.column_stack([X, X[:, 1]]))
    assert np.isnan(found.cov_unscaled[:, 4]).all()
    assert np.isfinite(found.cov_unscaled[:, :4, :4]).all()


@pytest.mark.parametrize(
    ("model", "error", "words"),
    [
        (RobustLinearModel("hc9"), MethodError, "hc3"),
        (RobustLinearModel("cr2"), MethodError, "without clusters"),
        (RobustLinearModel("hc2", clusters=GROUPS), MethodError, "with clusters"),
        (RobustLinearModel(df="many"), MethodError, "satterthwaite"),
        (RobustLinearModel(clusters=GROUPS[:5]), InputError, "one label per sample"),
        (RobustLinearModel(clusters=[None, *GROUPS[1:]]), InputError, "1 of them missing"),
        (RobustLinearModel(clusters=["a"] * 27), DegreesOfFreedomError, "two clusters"),
    ],
)
def test_what_is_refused(model: RobustLinearModel, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        fit(model)


@pytest.fixture(scope="module")
def adjusted() -> la.AdjustmentResult:
    """Three groups, one hidden factor, robust errors."""
    study = simulate(Scenario(n_samples=36, n_features=150, n_factors=1), 3)
    table = pd.DataFrame({"group": np.repeat(["a", "b", "c"], 12)})
    model = RobustLinearModel()
    return la.adjust(study.X, "~ group", table, method="cate", n_factors=1, model=model)


def test_with_factors_in_the_design(adjusted: la.AdjustmentResult) -> None:
    """The sandwich of the design with the factors, and the link's error on top."""
    values, design = adjusted.matrix.values, adjusted.full_design.matrix
    alone = fit(RobustLinearModel(), design, values)
    np.testing.assert_allclose(adjusted.fit.coef, alone.coef, rtol=1e-9)
    names = adjusted.tests.names
    by_hand = tests_of_contrasts(alone, adjusted.tests.prior, adjusted.tests.contrasts, names)
    assert (adjusted.tests.std_error >= by_hand.std_error * (1 - 1e-9)).all()
    np.testing.assert_allclose(over_tests(by_hand.df), over_tests(adjusted.tests.df), rtol=1e-9)
    link = adjusted.fit.link.contrast_covariance(adjusted.tests.contrasts[:, [0]])[:, 0, 0]
    np.testing.assert_allclose(adjusted.tests.std_error[:, 0] ** 2, by_hand.std_error[:, 0] ** 2 + link, rtol=1e-8)


def test_tables(adjusted: la.AdjustmentResult) -> None:
    table = adjusted.tidy()
    assert table.shape == (300, 15)
    assert table["p_value"].between(0, 1).all()
    df = table.groupby("term")["df"].first()
    assert df.nunique() == 2, "every column has degrees of freedom of its own"
    pd.testing.assert_series_equal(
        adjusted.tidy(df.index[1])["df"].reset_index(drop=True),
        table.loc[table["term"] == df.index[1], "df"].reset_index(drop=True),
    )
    limma = adjusted.tidy(style="limma")
    assert np.isfinite(limma["B"]).all()
    alone = adjusted.tidy(df.index[1], style="limma")
    np.testing.assert_allclose(alone["B"], limma.loc[limma["term"] == df.index[1], "B"], rtol=1e-12)
    joint = adjusted.tidy(joint=True)
    assert joint["p_value"].between(0, 1).all()
    assert (joint["df"] > 0).all()
    difference = adjusted.contrast("group[T.b] - group[T.c]")
    assert difference["p_value"].between(0, 1).all()


def test_saved_and_loaded(adjusted: la.AdjustmentResult, tmp_path) -> None:
    adjusted.save(tmp_path / "study")
    again = la.load_result(tmp_path / "study")
    pd.testing.assert_frame_equal(again.tidy(), adjusted.tidy())
    text = "group[T.b] - group[T.c]"
    pd.testing.assert_frame_equal(again.contrast(text), adjusted.contrast(text))


@pytest.mark.parametrize("calibration", ["mad", "empirical_null", "control_variance", "control_ecdf"])
def test_calibrations_know_degrees_of_freedom_of_every_test(calibration: str) -> None:
    """Both columns together give what each gives alone."""
    study = simulate(Scenario(n_samples=36, n_features=150, n_factors=0, confounding=0.0), 4)
    table = pd.DataFrame({"group": np.repeat(["a", "b", "c"], [8, 16, 12])}, index=[f"s{i}" for i in range(36)])
    X = pd.DataFrame(study.X, index=table.index)
    options = {"method": "none", "model": RobustLinearModel(), "calibration": calibration}
    options["controls"] = np.arange(0, 150, 3)
    both = la.adjust(X, "~ group", table, **options)
    assert both.uncalibrated_tests.df.shape == (150, 2)
    for i, column in enumerate(("group[T.b]", "group[T.c]")):
        dummies = pd.get_dummies(table["group"], drop_first=True, dtype=float)
        order = [i, 1 - i]
        design = la.Design.from_arrays(dummies.iloc[:, [order[0]]], dummies.iloc[:, [order[1]]])
        alone = la.adjust(X, design, **options)
        # the number of controls that the variance ratio is worth is averaged over the tests
        rtol = 0.02 if calibration == "control_variance" else 1e-7
        np.testing.assert_allclose(both.tests.p_value[:, i], alone.tests.p_value[:, 0], rtol=rtol, err_msg=column)
    assert both.tidy()["p_value"].between(0, 1).all()


def test_shrinkage_knows_degrees_of_freedom_of_every_test(adjusted: la.AdjustmentResult) -> None:
    tests = adjusted.tests
    for mixture in ("normal", "uniform"):
        both = shrink_tests(tests, mixture=mixture)
        alone = shrink_tests(tests.select([1]), mixture=mixture)
        np.testing.assert_allclose(both.lfsr[:, 1], alone.lfsr[:, 0], rtol=1e-8)
        assert np.isfinite(both.lfsr).all()
