"""Variation shared out among covariates, before and after adjustment, against brute force."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from latentadj.core.matrix import ArrayMatrix, collect
from latentadj.core.passes import pass_options
from latentadj.diagnostics import adjustment_effect, overcorrection_checks, pvca, variance_partition, variance_summary
from latentadj.exceptions import InputError
from tests.diagnostics.studies import bladder, hidden_batch, quiet


def indicators(values) -> np.ndarray:
    """Columns of a covariate by hand: an indicator of every level, or the numbers."""
    values = pd.Series(values)
    if values.dtype == float:
        return values.to_numpy()[:, None]
    return np.stack([(values == level).to_numpy(float) for level in values.unique()], axis=1)


def residual_sum(y, *blocks) -> np.ndarray:
    design = np.column_stack([np.ones(len(y)), *blocks])
    return np.sum((y - design @ np.linalg.lstsq(design, y, rcond=None)[0]) ** 2, axis=0)


@pytest.fixture
def study():
    rng = np.random.default_rng(3)
    n, m = 50, 30
    table = pd.DataFrame(
        {"plate": rng.choice(list("abcd"), n), "sex": rng.choice(["f", "m"], n), "age": rng.normal(50, 9, n)}
    )
    table.loc[[4, 9], "age"] = np.nan
    level = rng.normal(1e4, 1e3, m)
    X = level + rng.normal(size=(4, m))[pd.factorize(table["plate"])[0]] + rng.normal(size=(n, m))
    return X, table


@pytest.mark.parametrize("kind", ["unique", "sequential"])
def test_shares_are_differences_of_residual_sums(study, kind):
    X, table = study
    found = variance_partition(X, table, kind=kind)
    kept = table["age"].notna().to_numpy()
    y, names = X[kept], list(table.columns)
    blocks = {name: indicators(table[name][kept]) for name in names}
    total, full = residual_sum(y), residual_sum(y, *blocks.values())
    for i, name in enumerate(names):
        others = [blocks[other] for other in (names[:i] if kind == "sequential" else names) if other != name]
        with_it = residual_sum(y, *others, blocks[name])
        np.testing.assert_allclose(found[name], (residual_sum(y, *others) - with_it) / total, atol=1e-10)
    np.testing.assert_allclose(found["residuals"], full / total, atol=1e-10)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-12)
    if kind == "sequential":
        np.testing.assert_allclose(found["shared"], 0.0, atol=1e-10)


def test_order_of_terms_samples_and_features_does_not_matter(study):
    X, table = study
    rng = np.random.default_rng(0)
    rows, columns = rng.permutation(len(X)), rng.permutation(X.shape[1])
    plain = variance_partition(X, table)
    turned = variance_partition(
        X[np.ix_(rows, columns)], table.iloc[rows].reset_index(drop=True), ["age", "sex", "plate"]
    )
    np.testing.assert_allclose(turned[plain.columns], plain.iloc[columns], atol=1e-10)
    with pass_options(n_threads=1, width=7):
        np.testing.assert_allclose(variance_partition(X, table), plain, atol=1e-10)


def test_nested_terms_have_no_part_of_their_own_but_share():
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"site": np.repeat(["n", "s"], 20), "plate": np.repeat(list("abcd"), 10)})
    X = np.outer(table["site"] == "s", rng.normal(size=40)) * 3 + rng.normal(size=(40, 40))
    found = variance_partition(X, table)
    assert (found["site"] == 0).all()
    assert found["shared"].mean() > 0.4
    summary = variance_summary(X, table).set_index("term")
    assert summary.loc[["site", "plate", "shared"], "df"].tolist() == [0, 2, 1]


def test_chance_is_what_noise_shows():
    rng = np.random.default_rng(2)
    table = pd.DataFrame({"plate": rng.permutation(np.repeat(list("abcde"), 8)), "age": rng.normal(size=40)})
    summary = variance_summary(rng.normal(size=(40, 4000)), table).set_index("term")
    # 4,000 independent features: the mean share of 4 columns is known to about 0.001
    np.testing.assert_allclose(
        summary.loc[["plate", "age"], "mean"], summary.loc[["plate", "age"], "chance"], atol=0.005
    )


def test_summary_is_that_of_the_partition():
    result = hidden_batch()
    summary = variance_summary(result).set_index(["when", "term"])
    for when in ("before", "after"):
        table = variance_partition(result, when=when)
        np.testing.assert_allclose(summary.loc[when].loc[list(table.columns), "mean"], table.mean(), rtol=1e-10)
        np.testing.assert_allclose(summary.loc[when].loc[list(table.columns), "q75"], table.quantile(0.75), rtol=1e-10)
    assert summary.loc[("before", "batch"), "mean"] > 0.3
    assert summary.loc[("after", "batch"), "mean"] < 1.5 * summary.loc[("after", "batch"), "chance"]


def test_constant_features_and_gaps_have_no_shares(study):
    X, table = study
    X = X.copy()
    X[:, 0], X[3, 1] = 7.3, np.nan
    found = variance_partition(X, table)
    assert found.iloc[:2].isna().all().all()
    assert found.iloc[2:].notna().all().all()
    np.testing.assert_allclose(variance_summary(X, table)["mean"], found.iloc[2:].mean(), rtol=1e-10)


def test_pvca_by_hand(study):
    X, table = study
    table = table.drop(columns="age")
    centred = X - X.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    variance = s**2 / np.sum(s**2)
    taken = int(np.argmax(np.cumsum(variance) >= 0.6)) + 1
    blocks = [indicators(table[name]) for name in table.columns]
    scores = u[:, :taken]
    rss = residual_sum(scores, *blocks)
    expected = [residual_sum(scores, blocks[1]) - rss, residual_sum(scores, blocks[0]) - rss]
    weights = variance[:taken] / variance[:taken].sum()
    found = pvca(X, table).set_index("term")
    np.testing.assert_allclose(found.loc[["plate", "sex"], "share"], [part @ weights for part in expected], atol=1e-8)
    assert found["n_components"].unique().tolist() == [taken]
    assert found["share"].sum() == pytest.approx(1.0, abs=1e-10)


def test_pvca_of_scaled_features_does_not_depend_on_units(study):
    X, table = study
    scale = np.exp(np.random.default_rng(0).normal(size=X.shape[1]) * 3)
    np.testing.assert_allclose(
        pvca(X, table, scale=True)["share"], pvca(X * scale, table, scale=True)["share"], atol=1e-8
    )
    assert not np.allclose(pvca(X, table)["share"], pvca(X * scale, table)["share"], atol=1e-3)


def test_effect_of_adjustment_by_hand():
    result = hidden_batch()
    row = adjustment_effect(result).set_index("variable").loc["batch"]
    X = collect(result.matrix)
    batch = indicators(result.sample_data["batch"].astype(str))
    total, rss = residual_sum(X), residual_sum(X, batch)
    assert row["r2_before"] == pytest.approx(np.mean(1 - rss / total), rel=1e-10)
    n = len(X)
    assert row["before"] == pytest.approx(np.mean((total - rss - 3 * rss / (n - 4)) / total), rel=1e-10)
    after = X - result.factors.to_numpy() @ result.loadings.to_numpy().T
    left, within = residual_sum(after), residual_sum(after, batch)
    noise = 3 * within / (n - 4 - result.n_factors)
    assert row["after"] == pytest.approx(np.mean((left - within - noise) / total), rel=1e-8)
    assert row["kept"] == pytest.approx(row["after"] / row["before"])


def test_a_hidden_batch_goes_and_the_group_stays():
    verdicts = {check.name: check.verdict for check in overcorrection_checks(hidden_batch())}
    assert verdicts["batch: batch"] == "removed"
    assert verdicts["biology: group"] == "kept"


def test_variables_unrelated_to_the_data_show_nothing():
    rng = np.random.default_rng(4)
    table = pd.DataFrame({"group": np.arange(40) % 2 * 1.0, "plate": rng.permutation(np.repeat(list("abcd"), 10))})
    X = np.outer(rng.normal(size=40), rng.normal(size=500)) + rng.normal(size=(40, 500))
    result = quiet(X, "~ group", table, method="residual_pca", n_factors=1, allow_invalid=True)
    X_after = adjustment_effect(result).set_index("variable")
    # beyond chance: with the one factor gone, features are independent noise and the mean over 500 is near 0
    assert abs(X_after.loc["plate", "after"]) < 0.01


def test_lost_biology_is_a_warning():
    rng = np.random.default_rng(5)
    table = pd.DataFrame({"group": np.repeat(["a", "b"], 20), "plate": np.tile(list("abcd"), 10)})
    hidden = (table["group"] == "b") + 0.3 * rng.normal(size=40)
    X = np.outer(hidden, rng.normal(size=400)) * 2 + rng.normal(size=(40, 400))
    result = quiet(X, "~ group", table, method="cate", n_factors=1)
    (check,) = [check for check in overcorrection_checks(result) if check.name == "biology: group"]
    assert (check.verdict, check.level) == ("lost", "warning")
    assert check.statistics["kept"] < 0.5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: variance_partition(replace(bladder(), matrix=None)), "saved result does not hold"),
        (lambda: variance_partition(bladder(), terms=["colour"]), "no such column"),
        (lambda: variance_partition(bladder(), kind="type three"), "'unique' or 'sequential'"),
        (lambda: variance_partition(bladder(0), when="after"), "there is 'before' to choose from"),
        (lambda: variance_partition(hidden_batch(), terms=["lab"]), "lab: constant"),
        (lambda: variance_partition(np.ones((4, 3))), "no sample table"),
        (
            lambda: variance_partition(np.eye(4), pd.DataFrame(np.eye(4) + 0.5, columns=list("abcd"))),
            "all degrees of freedom",
        ),
        (lambda: pvca(bladder(), threshold=0), "threshold=0"),
        (lambda: pvca(np.ones((4, 3)), pd.DataFrame({"a": list("xxyy")})), "do not differ"),
        (lambda: pvca(np.full((4, 3), np.nan), pd.DataFrame({"a": list("xxyy")})), "missing values"),
        (lambda: adjustment_effect(hidden_batch(), batch=["id"]), "id cannot be used: different in every sample"),
    ],
)
def test_errors_say_why(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_a_lazy_matrix_reads_like_an_array(study):
    X, table = study
    wide = variance_partition(np.asfortranarray(X.astype("float32")), table)
    np.testing.assert_allclose(wide, variance_partition(X.astype("float32"), table), atol=1e-9)
    assert isinstance(hidden_batch().matrix, ArrayMatrix)
