"""Tables behind pictures and report, held against what they summarise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from latentadj.diagnostics import (
    calibration_table,
    component_table,
    control_table,
    df_budget,
    discovery_table,
    factor_shares,
    scree_table,
)
from latentadj.exceptions import InputError
from tests.diagnostics.studies import bladder, hidden_batch, quiet


def test_discoveries_are_counted_from_the_tidy_tables():
    result = bladder()
    table = discovery_table(result).set_index("term")
    for i, name in enumerate(result.tests.names):
        hits = [stats.false_discovery_control(t.p_value[:, i]) < 0.05 for t in (result.tests, result.unadjusted_tests)]
        assert table.loc[name, ["adjusted", "unadjusted", "both"]].tolist() == [
            hits[0].sum(),
            hits[1].sum(),
            (hits[0] & hits[1]).sum(),
        ]


def test_budget_adds_up():
    result = bladder()
    budget = df_budget(result).set_index("quantity")["value"]
    assert budget["samples"] - budget["rank of the known design"] == 54
    assert budget["residual degrees of freedom with factors"] == 54 - result.n_factors

    # by brute force: the standard error of a coefficient for unit noise, with and without factors
    def unit_error(matrix):
        return np.sqrt(np.diag(np.linalg.inv(matrix.T @ matrix)))[result.design.names.index("cancer[T.Cancer]")]

    growth = unit_error(result.full_design.matrix) / unit_error(result.design.matrix)
    assert budget["standard error of cancer[T.Cancer] grows by"] == pytest.approx(growth, rel=1e-8)


def test_calibration_is_that_of_normal_scores():
    result = bladder()
    table = calibration_table(result).set_index(["term", "which"])
    tests = result.unadjusted_tests
    z = stats.norm.isf(stats.t.sf(tests.statistic[:, 0], np.broadcast_to(tests.df, tests.statistic.shape[:1])))
    row = table.loc[("cancer[T.Cancer]", "unadjusted")]
    assert row["median"] == pytest.approx(np.median(z), abs=1e-8)
    assert row["mad"] == pytest.approx(stats.median_abs_deviation(z, scale="normal"), rel=1e-4)


def test_controls_are_held_against_the_uniform_distribution():
    result = bladder()
    table = control_table(result).set_index(["term", "which"])
    p = result.tests.p_value[result.controls, 1]
    row = table.loc[("cancer[T.Normal]", "adjusted")]
    assert row["uniformity_p"] == stats.kstest(p, "uniform").pvalue
    assert (row["n_controls"], row["below_05"]) == (68, np.mean(p < 0.05))
    assert control_table(hidden_batch()).empty


def test_scree_holds_shares_null_and_the_number_used():
    result = bladder()
    table = scree_table(result)
    assert table["share"].sum() == pytest.approx(1.0, abs=1e-12)
    assert table["used"].sum() == result.n_factors
    band = result.num_factors.null_shares
    np.testing.assert_array_equal(table["null_upper"][: band.shape[1]], band[1])
    # parallel analysis: exactly the leading directions above the bound were counted
    above = (table["share"] > table["null_upper"]).to_numpy()
    assert result.n_factors == np.argmin(above)


def test_scree_is_computed_when_the_number_was_given():
    given, chosen = hidden_batch(n_factors=0, sample_weights="quality"), hidden_batch()
    np.testing.assert_allclose(scree_table(given)["share"], scree_table(chosen)["share"], atol=1e-10)
    assert scree_table(given)["null_upper"].isna().all()
    with pytest.raises(InputError, match="keeps no residual spectrum"):
        scree_table(replace(given, matrix=None))


def test_shares_of_residual_components_are_those_of_the_scree():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 3)) @ rng.normal(size=(3, 400)) + rng.normal(size=(30, 400))
    X /= X.std(axis=0)
    result = quiet(X, np.repeat([0.0, 1.0], 15), method="residual_pca", n_factors=3, allow_invalid=True)
    residuals = X - result.design.matrix @ np.linalg.lstsq(result.design.matrix, X, rcond=None)[0]
    z = result.factors.to_numpy()
    fitted = z @ np.linalg.lstsq(z, residuals, rcond=None)[0]
    scale = residuals.std(axis=0)
    expected = np.sum((fitted / scale) ** 2) / np.sum((residuals / scale) ** 2)
    # factors are orthogonal here, so their shares add up to what they explain together
    assert factor_shares(result).sum() == pytest.approx(expected, rel=1e-8)


def test_components_are_those_of_the_centred_data():
    result = hidden_batch()
    table = component_table(result)
    X = result.matrix.read(slice(0, result.n_features))
    after = X - result.factors.to_numpy() @ result.loadings.to_numpy().T
    for when, values in {"before": X, "after": after}.items():
        centred = values - values.mean(axis=0)
        u, s, _ = np.linalg.svd(centred, full_matrices=False)
        rows = table[(table["when"] == when) & (table["component"] == 1)]
        np.testing.assert_allclose(np.abs(rows["score"]), np.abs(u[:, 0] * s[0]), atol=1e-6 * s[0])
        assert rows["share"].iloc[0] == pytest.approx(s[0] ** 2 / np.sum(s**2), rel=1e-8)
