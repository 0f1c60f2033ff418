"""Tables of exploration: deviations from medians, drift, samples per cell, clustering, single features."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import pdist, squareform

import latentadj as la
from latentadj.core.matrix import ArrayMatrix, collect
from latentadj.core.passes import pass_options
from latentadj.diagnostics import (
    connection_check,
    design_correlation,
    feature_values,
    relative_levels,
    relative_log_expression,
    run_order_association,
    run_order_table,
    sample_clustering,
    sample_counts,
)
from latentadj.diagnostics.explored import explored_study
from latentadj.diagnostics.sample_clustering import leaf_positions, sample_distances
from latentadj.exceptions import AlignmentError, DesignError, InputError
from tests.diagnostics.studies import bladder, hidden_batch, quiet


def adjusted_values(result) -> np.ndarray:
    return collect(result.matrix) - result.factors.to_numpy() @ result.loadings.to_numpy().T


def test_relative_log_expression_by_hand():
    result = hidden_batch()
    table = relative_log_expression(result)
    for when, values in {"before": collect(result.matrix), "after": adjusted_values(result)}.items():
        deviations = values - np.median(values, axis=0)
        expected = np.quantile(deviations, (0.05, 0.25, 0.5, 0.75, 0.95), axis=1).T
        rows = table[table["when"] == when]
        np.testing.assert_allclose(rows[["low", "q25", "median", "q75", "high"]], expected, atol=1e-10)
        assert rows["sample"].tolist() == list(result.sample_ids)


def test_medians_and_quantiles_leave_gaps_out():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(9, 40))
    X[rng.random(X.shape) < 0.2] = np.nan
    X[:, 5] = np.nan
    deviations = X - np.array([np.nanmedian(column) if not np.isnan(column).all() else np.nan for column in X.T])
    table = relative_log_expression(X)
    np.testing.assert_allclose(table["median"], np.nanmedian(deviations, axis=1), atol=1e-12)
    np.testing.assert_allclose(table["high"], np.nanquantile(deviations, 0.95, axis=1), atol=1e-12)


def test_groups_of_samples_give_the_same_quantiles(monkeypatch):
    X = np.random.default_rng(0).normal(size=(11, 300))
    whole = relative_log_expression(X)
    monkeypatch.setattr(relative_levels, "CHUNK_BYTES", 8 * 300 * 3)
    with pass_options(n_threads=1, width=17):
        pd.testing.assert_frame_equal(relative_log_expression(X), whole)


def test_a_table_in_another_order_is_aligned_by_id():
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(4, 6)), index=list("abcd"))
    table = pd.DataFrame({"plate": [1.5, 2.5, 3.5, 4.5]}, index=list("dcba"))
    values = feature_values(X, 2, batch="plate", sample_data=table)
    assert values["batch"].tolist() == [4.5, 3.5, 2.5, 1.5]
    np.testing.assert_array_equal(values["value"], X.iloc[:, 2])
    with pytest.raises(AlignmentError):
        feature_values(X, 2, batch="plate", sample_data=table.iloc[:3])


def test_feature_values_before_and_after():
    result = hidden_batch()
    table = feature_values(result, "g17", group="group")
    after = table.loc[table["when"] == "after", "value"]
    np.testing.assert_allclose(after, adjusted_values(result)[:, 17], atol=1e-10)
    assert table["batch"].isna().all()
    with pytest.raises(InputError, match="no feature 'g9999'; there are 600: g0, g1"):
        feature_values(result, "g9999")


@pytest.mark.parametrize("model", ["voom", "negative_binomial"])
def test_counts_are_shown_on_the_scale_of_the_values(model):
    rng = np.random.default_rng(0)
    z, group = rng.normal(size=40), np.repeat(["a", "b"], 20)
    counts = rng.poisson(np.exp(rng.normal(5, 1, 150) + np.outer(z, rng.normal(0, 0.6, 150))))
    result = quiet(counts, "~ group", pd.DataFrame({"group": group}), method="cate", n_factors=1, model=model)
    panels = explored_study(result).panels
    before, after = collect(panels["before"]), collect(panels["after"])
    # what is subtracted leaves nothing of the factor, whatever scale the model was fitted on
    fitted = np.linalg.lstsq(result.full_design.matrix, after, rcond=None)[0][-1]
    assert (
        np.abs(fitted).max()
        < 1e-8 * np.abs(np.linalg.lstsq(result.full_design.matrix, before, rcond=None)[0][-1]).max()
    )


def test_drift_is_the_regression_on_the_order():
    result = hidden_batch()
    days = (result.sample_data["run"] - result.sample_data["run"].min()) / pd.Timedelta(days=1)
    table = run_order_association(result)
    assert table["order"].unique().tolist() == ["run"]
    for i, row in table.iterrows():
        fit = stats.linregress(days, result.factors.iloc[:, i])
        assert row["line_r2"] == pytest.approx(fit.rvalue**2, rel=1e-8)
        assert row["line_p"] == pytest.approx(fit.pvalue, rel=1e-8)
        cubic = np.polynomial.Polynomial.fit(days, result.factors.iloc[:, i], 3)(days)
        explained = 1 - np.var(result.factors.iloc[:, i] - cubic) / np.var(result.factors.iloc[:, i])
        assert row["curve_r2"] == pytest.approx(explained, rel=1e-8)
    np.testing.assert_allclose(table["p_adjusted"], stats.false_discovery_control(table["curve_p"]))


def test_drift_keeps_its_level_and_finds_what_is_there():
    rng = np.random.default_rng(0)
    order = np.arange(30)
    p = [run_order_association(rng.normal(size=(30, 8)), order)["curve_p"] for _ in range(300)]
    # 1,200 p-values, correlated in fours at most: 3 standard errors are 0.02
    assert np.mean(np.concatenate(p) < 0.05) == pytest.approx(0.05, abs=0.02)
    bent = np.outer((order - 15.0) ** 2 / 50, rng.normal(size=60)) + rng.normal(size=(30, 60))
    row = run_order_association(bent, order).iloc[0]
    assert row["line_r2"] < 0.2 < 0.8 < row["curve_r2"]


def test_order_may_be_missing_tied_or_permuted():
    result = hidden_batch()
    order = pd.Series(np.arange(40.0), name="slot")
    order[3] = np.nan
    table = run_order_table(result, order)
    assert len(table) == 39 * result.n_factors
    assert (np.diff(table["order"]) >= 0).all()
    tied = run_order_association(result, np.repeat([1, 2], 20))
    np.testing.assert_allclose(tied["line_r2"], tied["curve_r2"])
    turned = np.random.default_rng(1).permutation(40)
    X, positions = collect(result.matrix), np.arange(40)
    plain, permuted = run_order_association(X, positions), run_order_association(X[turned], positions[turned])
    np.testing.assert_allclose(plain["curve_r2"], permuted["curve_r2"], atol=1e-8)


def test_a_saved_result_still_shows_drift_of_its_factors():
    saved = replace(hidden_batch(), matrix=None)
    pd.testing.assert_frame_equal(run_order_association(saved), run_order_association(hidden_batch()))


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ("group", "holds text"),
        ("lab", "holds text"),
        ("plate", "no such column"),
        ([1, 2], "2 values for 40"),
        ([1.0] * 40, "same in all"),
    ],
)
def test_orders_that_cannot_be_used(order, message):
    with pytest.raises(InputError, match=message):
        run_order_association(hidden_batch(), order)


def test_without_dates_the_order_has_to_be_named():
    with pytest.raises(InputError, match=r"no column of dates.*order=; it has .*batch"):
        run_order_association(bladder())


def test_cells_are_counted():
    table = bladder().sample_data
    counts = sample_counts(bladder(), "cancer", "batch")
    np.testing.assert_array_equal(counts, pd.crosstab(table["cancer"], table["batch"]))
    assert counts.columns.tolist() == ["1", "2", "3", "4", "5"]
    check = connection_check(counts)
    assert check.verdict == "connected"
    v = stats.contingency.association(counts.to_numpy(), method="cramer")
    assert check.statistics["cramers_v"] == pytest.approx(v, rel=1e-10)


def test_groups_of_levels_are_the_rank_that_the_design_lacks():
    rng = np.random.default_rng(0)
    verdicts = set()
    for _ in range(60):
        table = pd.DataFrame({"a": rng.choice(list("uvwx"), 7), "b": rng.choice(list("pqrs"), 7)})
        counts = sample_counts(table, "a", "b")
        check = connection_check(counts)
        both = np.column_stack([pd.get_dummies(table["a"]), pd.get_dummies(table["b"])]).astype(float)
        assert np.linalg.matrix_rank(both) == sum(counts.shape) - check.statistics["n_groups"]
        verdicts.add(check.verdict)
    assert verdicts == {"connected", "disconnected"}


def test_sample_counts_refuse_what_they_cannot_count():
    with pytest.raises(InputError, match="both 'batch'"):
        sample_counts(bladder(), "batch", "batch")
    with pytest.raises(DesignError, match="no column"):
        sample_counts(bladder(), "batch", "colour")
    with pytest.raises(InputError, match="no sample table"):
        sample_counts(replace(bladder(), sample_data=None), "a", "b")


def test_correlations_of_design_columns_and_exact_relations():
    table = pd.DataFrame({"group": list("aabbccdd"), "site": list("nnnnssss"), "age": np.arange(8.0) ** 2})
    design = la.Design.from_formula("~ age | group + site", table)
    found = design_correlation(design)
    names = [name for name in design.names if name != "Intercept"]
    grid = found["correlation"].to_numpy().reshape(4 + 1, -1)
    columns = [design.names.index(name) for name in names]
    np.testing.assert_allclose(grid, np.corrcoef(design.matrix[:, columns], rowvar=False), atol=1e-12)
    marked = found[found["aliased"]]
    assert set(marked["column"]) == {"site[T.s]", "group[T.c]", "group[T.d]"}
    assert not marked["column"].eq(marked["other"]).any()
    factors = design_correlation(bladder())
    assert set(factors["role"]) == {"primary", "factor"}


@pytest.mark.parametrize("method", ["ward", "average", "complete"])
def test_clustering_is_scipys_of_the_distances(method):
    result = hidden_batch()
    for when, values in {"before": collect(result.matrix), "after": adjusted_values(result)}.items():
        centred = values - values.mean(axis=0)
        euclidean = pdist(centred) / np.sqrt(values.shape[1])
        tree = sample_clustering(result, when=when, method=method)
        np.testing.assert_allclose(tree.merges[:, 2], linkage(euclidean, method)[:, 2], rtol=1e-6)
    correlation = sample_distances(ArrayMatrix(centred), "correlation")
    np.testing.assert_allclose(correlation, squareform(pdist(centred, "correlation")), atol=1e-10)


def test_a_chain_of_a_thousand_samples_is_laid_out():
    X = np.cumsum(np.arange(1200.0))[:, None] * np.ones(3)
    tree = sample_clustering(X, method="average")
    positions = leaf_positions(tree)
    assert sorted(positions[:1200]) == list(range(1200))
    assert len(tree.table()) == 1199
    first = tree.table().iloc[0]
    assert {first["left"], first["right"]} == {"sample1", "sample2"}


def test_clustering_options_and_saved_results():
    with pytest.raises(InputError, match="distance='cosine'"):
        sample_clustering(hidden_batch(), distance="cosine")
    with pytest.raises(InputError, match="method='single'"):
        sample_clustering(hidden_batch(), method="single")
    for table in (sample_clustering, relative_log_expression, lambda result: feature_values(result, "g1")):
        with pytest.raises(InputError, match="saved result does not hold"):
            table(replace(hidden_batch(), matrix=None))
