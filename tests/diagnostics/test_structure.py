"""Structure in estimates, residuals and p-values: found where it is, not where it is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import latentadj as la
from latentadj.core.matrix import collect
from latentadj.diagnostics import (
    component_association,
    diagnose,
    estimate_checks,
    estimate_structure,
    estimate_trend,
    residual_check,
    residual_components,
    residual_scree,
    run_order_association,
)
from latentadj.diagnostics.residual_structure import residual_problem
from latentadj.exceptions import AlignmentError, InputError
from tests.diagnostics.studies import bladder, hidden_batch, quiet, sample_table


def test_components_are_those_of_the_data_and_shares_are_eta_squared():
    result = hidden_batch()
    table = component_association(result)
    values = collect(result.matrix)
    scores, lengths, _ = np.linalg.svd(values - values.mean(axis=0), full_matrices=False)
    share = lengths**2 / np.sum(lengths**2)
    batch = table[table["covariate"] == "batch"]
    groups = result.sample_data["batch"].to_numpy()
    for i, row in enumerate(batch.itertuples()):
        fit = stats.f_oneway(*[scores[groups == level, i] for level in np.unique(groups)])
        assert row.p_value == pytest.approx(fit.pvalue, rel=1e-6)
        assert row.share == pytest.approx(share[i], rel=1e-8)
    assert batch["statistic"].iloc[0] > 0.9
    after = component_association(result, when="after")
    assert after.loc[after["covariate"] == "batch", "statistic"].max() < 0.3


def test_residual_components_are_orthogonal_to_the_design_and_exact_by_svd():
    result = quiet(np.random.default_rng(3).normal(size=(20, 200)), np.arange(20.0), n_factors=2, method="sva")
    found = residual_components(result, 3)
    basis = np.linalg.qr(result.full_design.matrix)[0]
    values = collect(result.matrix)
    residuals = values - basis @ (basis.T @ values)
    residuals /= np.sqrt(np.sum(residuals**2, axis=0))
    left, lengths, _ = np.linalg.svd(residuals, full_matrices=False)
    np.testing.assert_allclose(found.shares, (lengths**2 / np.sum(lengths**2))[:3], rtol=1e-8)
    np.testing.assert_allclose(np.abs(np.sum(found.scores.to_numpy() * left[:, :3], axis=0)), np.sqrt(20), rtol=1e-6)
    np.testing.assert_allclose(found.given.T @ found.scores.to_numpy(), 0, atol=1e-8)


def test_what_is_left_out_of_the_model_is_seen_in_the_residuals():
    without, within = hidden_batch(n_factors=0, method="none"), hidden_batch()
    assert residual_check(without).verdict == "left"
    assert residual_check(within).verdict == "none seen"
    pairs = component_association(without, when="residuals").set_index(["component", "covariate"])
    assert pairs.loc[("residual 1", "batch"), "statistic"] > 0.8
    rows = diagnose(without).set_index("check")
    assert rows.loc["residuals and covariates", "verdict"] == "followed"
    assert "batch" in rows.loc["residuals and covariates", "cause"]


def test_residuals_of_weighted_samples_are_seen_at_equal_noise():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"group": list("ab") * 20})
    X = rng.normal(size=(40, 400)) * np.where(np.arange(40) < 4, 6.0, 1.0)[:, None]
    weights = np.where(np.arange(40) < 4, 1 / 36, 1.0)
    noisy = quiet(X, "~ group", table, method="none")
    weighed = quiet(X, "~ group", table, method="none", sample_weights=weights)
    assert residual_check(noisy).verdict == "left"
    assert residual_check(weighed).verdict == "none seen"


@pytest.mark.slow
def test_parallel_analysis_of_residuals_keeps_its_level():
    beyond = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(30, 2)) @ rng.normal(size=(2, 300)) + rng.normal(size=(30, 300))
        result = quiet(X, np.repeat([0, 1], 15), method="cate", n_factors=2)
        beyond.append(residual_scree(result, random_state=seed)["beyond"].any())
    # 1 in 21 by design; three standard errors of 100 studies are 0.064
    assert np.mean(beyond) < 1 / 21 + 0.064


def test_run_order_of_residuals():
    rng = np.random.default_rng(0)
    table = sample_table(40, rng)
    drift = np.arange(40.0) / 10
    table["run"] = pd.Timestamp("2024-03-01") + pd.to_timedelta(np.arange(40), unit="D")
    X = pd.DataFrame(np.outer(drift, rng.normal(size=300)) + rng.normal(size=(40, 300)), index=table.index)
    result = quiet(X, "~ group", table, method="none")
    row = run_order_association(result, of="residuals").iloc[0]
    assert row["factor"] == "residual 1"
    assert row["line_r2"] > 0.8
    assert diagnose(result).set_index("check").loc["residuals and run", "verdict"] == "followed"
    with pytest.raises(InputError, match="of='loadings' is unknown"):
        run_order_association(result, of="loadings")
    with pytest.raises(InputError, match="a matrix has none"):
        run_order_association(X, np.arange(40), of="residuals")


def annotated(slope: float, seed: int = 0, m: int = 600):
    """Effects that follow the features' GC content."""
    rng = np.random.default_rng(seed)
    group = np.repeat([0.0, 1.0], 12)
    gc = rng.uniform(size=m)
    X = pd.DataFrame(8 + slope * np.outer(group, gc - 0.5) + rng.normal(size=(24, m)))
    X.columns = [f"g{i}" for i in range(m)]
    features = pd.DataFrame({"gc": gc, "chromosome": [f"chr{i % 5}" for i in range(m)]}, index=X.columns)
    return quiet(X, la.Design.from_arrays(group), method="none"), features


def test_effects_that_follow_annotation_are_found_and_others_not():
    result, features = annotated(4.0)
    table = estimate_structure(result, features).set_index("covariate")
    assert table.loc["gc", "r2"] > 0.3
    assert table.loc["chromosome", "p_adjusted"] > 0.01
    (check,) = estimate_checks(result, features)
    assert check.verdict == "structured"
    assert "gc" in check.cause
    assert estimate_checks(annotated(0.0)[0], features)[0].verdict == "none seen"


def test_label_statistic_is_that_of_kruskal_and_wallis():
    result, features = annotated(1.0)
    row = estimate_structure(result, features).set_index("covariate").loc["chromosome"]
    z = estimate_trend(result, "chromosome", feature_data=features)
    ranks = result.tests.statistic[:, 0]
    groups = [ranks[features["chromosome"] == level] for level in sorted(features["chromosome"].unique())]
    h = stats.kruskal(*groups).statistic
    assert row["r2"] == pytest.approx(h / (len(features) - 1), rel=1e-6)
    assert z["n"].sum() == len(features)


def test_features_may_be_annotated_in_any_order_and_in_part():
    result, features = annotated(4.0)
    turned = features.sample(frac=1.0, random_state=1)
    pd.testing.assert_frame_equal(estimate_structure(result, turned), estimate_structure(result, features))
    assert estimate_structure(result, features.iloc[:300]).set_index("covariate").loc["gc", "n_features"] == 300
    with pytest.raises(AlignmentError, match="no row for any"):
        estimate_structure(result, features.set_axis([f"x{i}" for i in range(600)]))
    with pytest.raises(AlignmentError, match="'g0' twice"):
        estimate_structure(result, pd.concat([features, features.iloc[:1]]))


@pytest.mark.slow
def test_rank_tests_of_estimates_keep_their_level():
    p = np.concatenate([estimate_structure(*annotated(0.0, seed, 200))["p_value"] for seed in range(200)])
    # 600 p-values; three standard errors are 0.027
    assert np.mean(p < 0.05) == pytest.approx(0.05, abs=0.027)


def test_trend_is_by_hand():
    result, features = annotated(2.0)
    table = estimate_trend(result, features["gc"].to_numpy(), bins=4)
    assert table["n"].tolist() == [150] * 4
    cut = pd.qcut(features["gc"], 4, labels=False).to_numpy()
    z = np.sign(result.tests.statistic[:, 0]) * stats.norm.isf(result.tests.p_value[:, 0] / 2)
    np.testing.assert_allclose(table["median"], [np.median(z[cut == i]) for i in range(4)], atol=1e-8)
    with pytest.raises(InputError, match="by='size' is not known"):
        estimate_trend(result, "size")
    with pytest.raises(InputError, match="3 values for 600"):
        estimate_trend(result, [1, 2, 3])


def test_diagnosis_of_a_real_study_and_of_a_saved_result():
    result = bladder()
    table = diagnose(result)
    assert set(table["where"]) == {"p-values", "estimates", "residuals", "variation", "assumption"}
    assert set(table["level"]) <= {"ok", "note", "warning"}
    assert table["cause"].str.len().min() > 0
    saved = diagnose(replace(result, matrix=None))
    assert set(saved["where"]) == {"p-values", "estimates", "assumption"}


def test_unadjusted_effects_of_the_real_study_follow_the_loadings():
    table = estimate_structure(bladder())
    first = table[table["covariate"] == "factor1 loading"].set_index(["term", "which"])["r2"]
    assert first["cancer[T.Cancer]", "unadjusted"] > 0.2 > 0.05 > first["cancer[T.Cancer]", "adjusted"]


def test_counts_are_looked_at_on_the_log_scale():
    rng = np.random.default_rng(0)
    counts = rng.poisson(np.exp(rng.normal(5, 1, 150)) * rng.uniform(0.3, 3.0, (40, 1)))
    result = quiet(counts, "~ group", pd.DataFrame({"group": np.repeat(["a", "b"], 20)}), method="none")
    expected = np.log2((counts + 0.5) / (counts.sum(axis=1, keepdims=True) + 1) * 1e6)
    np.testing.assert_allclose(collect(residual_problem(result).matrix), expected, rtol=1e-12)
