"""Association of factors and covariates, held against SciPy, R and brute force."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import latentadj as la
from latentadj.core.alignment import canonical_correlations
from latentadj.core.multiple import adjust_pvalues
from latentadj.core.regression import design_basis
from latentadj.diagnostics import covariate_recovery, factor_association
from latentadj.diagnostics.association import ASSOCIATION_COLUMNS, RECOVERY_COLUMNS, partial_fit, pillai_test
from latentadj.diagnostics.covariates import read_covariate
from latentadj.exceptions import AlignmentError, InputError
from tests.diagnostics.studies import bladder, hidden_batch, quiet

REFERENCE = Path(__file__).parents[1] / "reference" / "manova" / "reference.npz"


def rows_of(table: pd.DataFrame, covariate: str) -> pd.DataFrame:
    return table[table["covariate"] == covariate].reset_index(drop=True)


def test_labels_match_one_way_analysis_of_variance():
    result, batch = bladder(), la.load_bladder().sample_data["batch"]
    rows = rows_of(factor_association(result), "batch")
    for i, scores in enumerate(result.factors.to_numpy().T):
        groups = [scores[(batch == level).to_numpy()] for level in batch.cat.categories]
        between = sum(len(g) * (g.mean() - scores.mean()) ** 2 for g in groups)
        # the same sums in another order: rounding only
        assert rows["statistic"][i] == pytest.approx(between / np.sum((scores - scores.mean()) ** 2), rel=1e-10)
        assert rows["p_value"][i] == pytest.approx(stats.f_oneway(*groups).pvalue, rel=1e-7)


def test_numbers_match_pearson_correlation_with_missing_values():
    result = hidden_batch()
    table = result.sample_data[["age"]].copy()
    table.iloc[[3, 17], 0] = np.nan
    rows = factor_association(result, table)
    kept = table["age"].notna().to_numpy()
    for i, scores in enumerate(result.factors.to_numpy()[kept].T):
        known = stats.pearsonr(scores, table["age"][kept])
        assert rows["statistic"][i] == pytest.approx(known.statistic**2, rel=1e-9)
        assert rows["p_value"][i] == pytest.approx(known.pvalue, rel=1e-7)
    assert set(rows["n_obs"]) == {38}
    assert set(rows["note"]) == {"2 missing values left out"}


def test_given_the_design_it_is_a_nested_regression():
    result = bladder()
    rows = rows_of(factor_association(result, given_design=True), "batch")
    batch = pd.get_dummies(la.load_bladder().sample_data["batch"]).to_numpy(dtype=float)
    small, big = result.design.matrix, np.column_stack([result.design.matrix, batch])
    df1 = np.linalg.matrix_rank(big) - np.linalg.matrix_rank(small)
    df2 = result.n_samples - np.linalg.matrix_rank(big)
    for i, scores in enumerate(result.factors.to_numpy().T):
        rss = [np.sum((scores - d @ np.linalg.lstsq(d, scores, rcond=None)[0]) ** 2) for d in (small, big)]
        assert rows["statistic"][i] == pytest.approx(1 - rss[1] / rss[0], abs=1e-10)
        f = (rss[0] - rss[1]) / df1 / (rss[1] / df2)
        assert rows["p_value"][i] == pytest.approx(stats.f.sf(f, df1, df2), rel=1e-6)
    tissue = rows_of(factor_association(result, given_design=True), "cancer")
    assert tissue["statistic"].isna().all()
    assert set(tissue["note"]) == {"part of the design"}


def test_adjustment_is_over_the_whole_table():
    table = factor_association(bladder())
    np.testing.assert_array_equal(table["p_adjusted"], adjust_pvalues(table["p_value"].to_numpy()))
    assert tuple(table.columns) == ASSOCIATION_COLUMNS


def test_pillai_matches_r():
    with np.load(REFERENCE) as stored:
        Z, group, x = stored["Z"], stored["group"], stored["x"]
        answers = {"plain": stored["plain"], "given": stored["given"]}
    levels = (group[:, None] == np.unique(group)[1:]).astype(float)
    for name, extra in {"plain": [], "given": [x]}.items():
        basis = design_basis(np.column_stack([np.ones(40), *extra]))
        found = canonical_correlations(basis.project_out(Z), basis.project_out(levels), centre=False)
        r2, p = pillai_test(found, 3, 3, 40 - basis.rank)
        # stored with 15 digits; canonical correlations of 40 x 3 matrices lose two or three
        assert r2 * 3 == pytest.approx(answers[name][1], rel=1e-12)
        assert p == pytest.approx(answers[name][5], rel=1e-10)


def test_one_factor_gives_the_exact_f_test():
    rng = np.random.default_rng(0)
    z, g = rng.normal(size=(30, 1)), np.repeat(np.eye(3)[:, 1:], 10, axis=0)
    basis = design_basis(np.ones((30, 1)))
    fit = partial_fit(z, basis, g)
    r2, p = pillai_test(np.sqrt(fit.r2), 2, 1, 29)
    assert p == pytest.approx(fit.p_value[0], rel=1e-10)
    assert r2 == pytest.approx(fit.r2[0] / 2, rel=1e-10)


def test_recovery_pvalues_are_uniform_for_covariates_without_a_part_in_it():
    result, rng = bladder(), np.random.default_rng(4)
    labels = {f"c{i}": rng.permutation(np.repeat(list("abcd"), [20, 15, 12, 10])) for i in range(300)}
    table = covariate_recovery(result, pd.DataFrame(labels, index=result.sample_ids), given_design=True)
    # 300 independent draws, so a correct test fails this with probability 1e-3
    assert stats.kstest(table["p_value"], "uniform").pvalue > 1e-3


def test_the_batch_is_recovered_beyond_every_shuffle_within_tissue():
    result, data = bladder(), la.load_bladder().sample_data
    found = covariate_recovery(result, data[["batch"]], given_design=True).loc[0]
    assert found["p_value"] < 1e-8
    rng = np.random.default_rng(0)
    shuffled = pd.DataFrame(
        {
            f"b{i}": data.groupby("cancer", observed=True)["batch"]
            .transform(lambda b: rng.permutation(b.to_numpy()))
            .astype(str)
            for i in range(100)
        }
    )
    assert found["r2"] > covariate_recovery(result, shuffled, given_design=True)["r2"].max() + 0.1


def test_recovery_does_not_depend_on_the_basis_of_the_factors():
    result = bladder()
    mixing = np.linalg.qr(np.random.default_rng(0).normal(size=(result.n_factors,) * 2))[0] @ np.diag(
        np.arange(1.0, result.n_factors + 1)
    )
    turned = replace(result, estimate=replace(result.estimate, scores=result.estimate.scores @ mixing))
    before, after = covariate_recovery(result), covariate_recovery(turned)
    np.testing.assert_allclose(before["canonical_correlation"], after["canonical_correlation"], rtol=1e-8)
    np.testing.assert_allclose(before["p_value"], after["p_value"], rtol=1e-6)
    assert tuple(before.columns) == RECOVERY_COLUMNS


def test_samples_are_matched_by_id():
    result = hidden_batch()
    mixed = result.sample_data.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(factor_association(result), factor_association(result, mixed))
    with pytest.raises(AlignmentError, match="s0"):
        factor_association(result, mixed.drop(index="s0"))


def test_covariates_that_cannot_be_used_stay_in_the_table_with_a_reason():
    table = factor_association(hidden_batch())
    notes = table.groupby("covariate")["note"].first()
    assert notes["id"] == "different in every sample (an ID?)"
    assert notes["lab"] == "constant"
    assert notes["batch"] == "numbers read as labels"
    assert notes["run"] == "dates read as days"
    assert table.loc[table["covariate"].isin(["id", "lab"]), "p_value"].isna().all()
    assert table.loc[table["covariate"] == "batch", "kind"].unique().tolist() == ["categorical"]


@pytest.mark.parametrize(
    ("values", "kind", "note"),
    [
        ([None] * 6, "skipped", "no values"),
        ([1.0, np.inf, 2.0, 3.0, 4.0, 5.0], "skipped", "infinite values"),
        (["a", "a", "b", "c", "d", "e"], "skipped", "5 levels in 6 samples: too few samples per level"),
        ([True, False, True, False, True, True], "categorical", ""),
        (pd.array([1, 2, None, 4, 5, 6], dtype="Int64"), "numeric", "1 missing values left out"),
        (pd.Categorical(list("aabbcc"), categories=list("abcd")), "categorical", ""),
        (pd.to_timedelta([1, 2, 3, 4, 5, 6], unit="h"), "numeric", "dates read as days"),
        (["a", "a", 1, 1, "b", "b"], "categorical", ""),
    ],
)
def test_reading_of_covariates(values, kind, note):
    covariate = read_covariate(pd.Series(values), "c")
    assert (covariate.kind, covariate.note) == (kind, note)
    assert np.isfinite(covariate.columns).all()


def test_without_factors_or_table():
    none = hidden_batch(n_factors=0)
    assert factor_association(none).empty
    assert tuple(factor_association(none).columns) == ASSOCIATION_COLUMNS
    assert covariate_recovery(none)["p_value"].isna().all()
    arrays = quiet(np.random.default_rng(0).normal(size=(12, 50)), np.arange(12.0), n_factors=1)
    with pytest.raises(InputError, match="no sample table"):
        factor_association(arrays)
    by_position = factor_association(arrays, pd.DataFrame({"age": np.arange(12.0)}, index=list("abcdefghijkl")))
    assert by_position["n_obs"].tolist() == [12]
