"""Tables of p-values, statistics, effects and controls, held against what they are made of."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import betaln

import latentadj as la
from latentadj.diagnostics import (
    control_ranks,
    control_recovery,
    effect_comparison,
    inflation_factors,
    known_pvalue_counts,
    known_uniformity,
    mean_variance_table,
    pvalue_quantiles,
    volcano_table,
    zscore_counts,
    zscore_fit,
)
from latentadj.diagnostics.significance import log10_pvalues, single_column
from latentadj.diagnostics.zscores import zscores
from latentadj.exceptions import ControlsError, InputError
from latentadj.inference import ModeratedT
from tests.diagnostics.studies import bladder, hidden_batch, quiet


def test_quantiles_are_those_of_order_statistics():
    result = hidden_batch()
    table = pvalue_quantiles(result, "group[T.control]")
    m = result.n_features
    for which, tests in {"adjusted": result.tests, "unadjusted": result.unadjusted_tests}.items():
        part = table[table["which"] == which]
        np.testing.assert_allclose(part["observed"], -np.log10(np.sort(tests.p_value[:, 0])), rtol=1e-10)
        beta = stats.beta(part["rank"], m - part["rank"] + 1)
        np.testing.assert_allclose(part["expected"], -np.log10(beta.median()), rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(part["low"], -np.log10(beta.ppf(0.975)), rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(part["high"], -np.log10(beta.ppf(0.025)), rtol=1e-8, atol=1e-12)


def test_many_features_are_thinned_but_for_the_smallest():
    result = bladder()
    part = pvalue_quantiles(result, "cancer[T.Cancer]")
    part = part[part["which"] == "adjusted"].set_index("rank")["observed"]
    everything = -np.log10(np.sort(result.tests.p_value[:, 0]))
    assert 1900 < len(part) <= 2000
    assert part.index[-1] == result.n_features
    np.testing.assert_allclose(part, everything[part.index - 1], rtol=1e-10)
    np.testing.assert_array_equal(part.index[:1000], np.arange(1, 1001))


def test_the_band_holds_single_ranks_at_its_level():
    rng = np.random.default_rng(0)
    design = la.Design.from_arrays(np.repeat([0, 1], 6))
    inside = []
    for _ in range(150):
        table = pvalue_quantiles(quiet(rng.normal(size=(12, 60)), design, method="none"))
        inside.append((table["low"] <= table["observed"]) & (table["observed"] <= table["high"]))
    # 150 studies; for a single rank 3 standard errors are 0.053
    share = np.mean(inside, axis=0)
    assert (np.abs(share[[0, 5, 30, 59]] - 0.95) < 0.06).all()


def test_inflation_is_the_median_chi_square():
    result = hidden_batch()
    found = inflation_factors(result, "group[T.control]")
    for which, tests in {"adjusted": result.tests, "unadjusted": result.unadjusted_tests}.items():
        expected = np.median(stats.chi2.isf(tests.p_value[:, 0], 1)) / stats.chi2.median(1)
        # the median of transformed p-values and the transform of the median differ between two middle values only
        assert found[which] == pytest.approx(expected, rel=1e-2)


def test_underflowing_pvalues_keep_their_order():
    y = np.repeat([0.0, 1.0], 60)
    effect = np.r_[1e5, 1e6, 1e7, np.zeros(57)]
    X = np.random.default_rng(0).normal(size=(120, 60)) + np.outer(y, effect)
    result = quiet(X, la.Design.from_arrays(y), method="none")
    assert (result.tests.p_value[:3, 0] == 0).all()
    values = log10_pvalues(result)[1]
    assert (np.diff(values[:3]) > 0).all()
    # far out in Student's tail: p = x^a / (a B(a, 1/2)) with a = df / 2, x = df / (df + t^2), to relative order x
    a = np.broadcast_to(result.tests.df_of(0), 60)[:3] / 2
    x = 2 * a / (2 * a + result.tests.statistic[:3, 0] ** 2)
    expected = -(a * np.log(x) - np.log(a) - betaln(a, 0.5)) / np.log(10)
    assert x.max() < 1e-6
    np.testing.assert_allclose(values[:3], expected, rtol=1e-6)
    table = pd.DataFrame({"g": np.repeat(list("abc"), 40)})
    joint = quiet(
        np.random.default_rng(1).normal(size=(120, 30)) + np.outer(table["g"] == "b", np.r_[1e6, np.zeros(29)]),
        "~ g",
        table,
        method="none",
    )
    name, values = log10_pvalues(joint)
    assert name == "g (joint F test)"
    assert np.isfinite(values).all()
    assert values[0] > 308


def test_volcano_holds_the_tidy_table_and_marks_discoveries():
    result = bladder()
    table = volcano_table(result, "cancer[T.Normal]", level=0.1, lfc=0.5)
    tidy = result.tidy("cancer[T.Normal]")
    np.testing.assert_array_equal(table["estimate"], tidy["estimate"])
    np.testing.assert_allclose(10 ** -table["log10_p"], tidy["p_value"], rtol=1e-10)
    hit = (stats.false_discovery_control(tidy["p_value"]) < 0.1) & (tidy["estimate"].abs() > 0.5)
    np.testing.assert_array_equal(table["significant"], np.where(hit, np.sign(tidy["estimate"]), 0))
    assert table["significant"].nunique() == 3


def test_one_column_has_to_be_named_of_several():
    with pytest.raises(InputError, match="several columns: cancer"):
        volcano_table(bladder(), "cancer")
    with pytest.raises(InputError, match="was not tested"):
        single_column(bladder(), "sex")
    assert single_column(hidden_batch(), "group") == "group[T.control]"


def test_zscores_and_their_bulk():
    result = bladder()
    z = zscores(result, which="unadjusted")
    tests = result.unadjusted_tests
    t = tests.statistic[:, 0]
    expected = np.sign(t) * stats.norm.isf(stats.t.sf(np.abs(t), np.broadcast_to(tests.df_of(0), t.shape)))
    np.testing.assert_allclose(z, expected, rtol=1e-6, atol=1e-8)
    fit = zscore_fit(result).set_index("which")
    assert fit.loc["unadjusted", "mad"] == pytest.approx(stats.median_abs_deviation(z, scale="normal"), rel=1e-5)
    assert fit.loc["unadjusted", "median"] == pytest.approx(np.median(z), rel=1e-10)


def test_counts_of_zscores_hold_every_feature():
    result = bladder()
    table = zscore_counts(result, bins=50)
    assert table["adjusted"].sum() == table["unadjusted"].sum() == result.n_features
    z = zscores(result)
    inner = table.iloc[20]
    assert inner["adjusted"] == np.sum((z >= inner["low"]) & (z < inner["high"]))
    fit = zscore_fit(result).set_index("which").loc["adjusted"]
    mass = stats.norm.cdf(table["high"], fit["median"], fit["mad"]) - stats.norm.cdf(
        table["low"], fit["median"], fit["mad"]
    )
    np.testing.assert_allclose(table["fitted"], result.n_features * mass, rtol=1e-10)
    normal = stats.norm.cdf(table["high"]) - stats.norm.cdf(table["low"])
    np.testing.assert_allclose(table["normal"], result.n_features * normal, rtol=1e-8)


def test_effects_before_and_after():
    result = bladder()
    table = effect_comparison(result)
    np.testing.assert_allclose(table["change"], result.tests.estimate[:, 0] - result.unadjusted_tests.estimate[:, 0])
    np.testing.assert_array_equal(table["control"], result.controls)
    hits = stats.false_discovery_control(result.unadjusted_tests.p_value[:, 0]) < 0.05
    np.testing.assert_array_equal(table["significant_unadjusted"], hits)
    few = list(result.feature_ids[:3])
    assert effect_comparison(result, controls=few)["control"].to_numpy().nonzero()[0].tolist() == [0, 1, 2]
    with pytest.raises(ControlsError):
        effect_comparison(result, controls=["nobody"])


def test_residual_deviations_and_their_prior():
    data = la.load_bladder()
    X = data.X.iloc[:, :1500]
    for trend, robust in ((False, False), (True, False), (True, True)):
        result = quiet(X, "~ cancer", data.sample_data, method="none", inference=ModeratedT(trend=trend, robust=robust))
        table = mean_variance_table(result)
        np.testing.assert_allclose(table["sigma"] ** 2, result.fit.sigma2, rtol=1e-10)
        np.testing.assert_allclose(table["sigma_post"] ** 2, result.tests.prior.s2_post, rtol=1e-10)
        assert (table["sigma_prior"].nunique() > 1) == trend
        assert table["outlier"].any() == robust
    X = X.copy()
    X.iloc[:, 7] = 3.0
    assert (
        mean_variance_table(quiet(X, "~ cancer", data.sample_data, method="none"))
        .loc[7, "sigma":"sigma_post"]
        .isna()
        .all()
    )


def test_pvalues_of_known_features():
    result = bladder()
    features = result.feature_ids[100:300]
    counts = known_pvalue_counts(result, list(features), "cancer[T.Normal]", bins=10)
    p = result.tests.p_value[100:300, 1]
    np.testing.assert_array_equal(counts["adjusted"], np.histogram(p, 10, (0, 1))[0])
    assert (counts["expected"] == 20).all()
    row = known_uniformity(result, list(features), "cancer[T.Normal]").set_index("which").loc["adjusted"]
    assert row["uniformity_p"] == stats.kstest(p, "uniform").pvalue
    assert row["below_05"] == np.mean(p < 0.05)
    with pytest.raises(ControlsError, match="no controls"):
        known_pvalue_counts(hidden_batch())


def test_uniformity_keeps_its_level_and_sees_responders():
    X = np.random.default_rng(0).normal(size=(12, 12_000))
    result = quiet(X, la.Design.from_arrays(np.repeat([0, 1], 6)), method="none", inference="ordinary")
    p = [known_uniformity(result, np.arange(60) + 60 * i)["uniformity_p"][0] for i in range(200)]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.046)  # three standard errors
    assert known_uniformity(hidden_batch(), np.arange(60)).set_index("which").loc["adjusted", "uniformity_p"] < 1e-10


def test_ranks_and_area_of_positive_controls():
    result = hidden_batch()
    positives = np.arange(0, 60, 3)
    ranks = control_ranks(result, positives)
    recovery = control_recovery(result, positives).set_index("which")
    for which, tests in {"adjusted": result.tests, "unadjusted": result.unadjusted_tests}.items():
        p = tests.p_value[:, 0]
        part = ranks[ranks["which"] == which]
        np.testing.assert_array_equal(part["rank"], np.sort(stats.rankdata(p)[positives]))
        others = np.delete(p, positives)
        area = stats.mannwhitneyu(p[positives], others, alternative="less").statistic / (len(positives) * len(others))
        assert recovery.loc[which, "auc"] == pytest.approx(1 - area, rel=1e-10)
        assert recovery.loc[which, "top_50"] == np.sum(stats.rankdata(p)[positives] <= 50)
    assert (recovery["auc"] > 0.9).all()
