"""Exploration: confounding named in words, a suggestion that can be fitted, and nothing tested."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import latentadj as la
from latentadj.diagnostics import covariate_relations, explore, sample_columns
from latentadj.diagnostics.covariate_pairs import relation_words
from latentadj.exceptions import AlignmentError, FormulaError, InputError
from tests.diagnostics.studies import sample_table


def shifted(table: pd.DataFrame, column: str, m: int = 200, seed: int = 0) -> pd.DataFrame:
    """Data whose features move with one column."""
    rng = np.random.default_rng(seed)
    codes = pd.factorize(table[column])[0]
    shift = rng.normal(size=(codes.max() + 1, m))[codes]
    return pd.DataFrame(8 + 2 * shift + rng.normal(size=(len(table), m)), index=table.index)


def test_a_batch_is_found_and_suggested():
    table = sample_table(40, np.random.default_rng(0))
    found = explore(shifted(table, "batch"), table)
    assert found.suggestion.formula == "~ group | C(batch)"
    assert found.suggestion.guessed
    result = la.adjust(shifted(table, "batch"), found.suggestion.formula, table, method="none")
    assert result.tests.names == ("group[T.control]",)
    cause = {check.name: check.cause for check in found.findings}
    assert "follows batch" in cause["sources of variation"]
    assert found.command("m.csv", "s.csv") == "latentadj fit m.csv --samples s.csv --formula '~ group | C(batch)'"


def test_a_confounded_batch_is_named_and_not_suggested():
    rng = np.random.default_rng(0)
    group = np.repeat(["case", "control"], 20)
    table = pd.DataFrame({"group": group, "plate": np.repeat(["p1", "p2", "p3", "p4"], 10)})
    found = explore(shifted(table, "plate"), table, "~ group")
    first = found.findings[0]
    assert (first.level, first.verdict) == ("warning", "nested")
    assert "every level of plate lies within one level of group" in first.cause
    assert found.suggestion.formula == "~ group"
    assert any(
        "plate is left out" in reason and "cannot be told apart" in reason for reason in found.suggestion.reasons
    )
    both = explore(rng.normal(size=(40, 60)), table, "~ group | plate")
    check = next(check for check in both.findings if check.name == "formula")
    assert (check.verdict, check.level) == ("not estimable", "warning")


@pytest.mark.parametrize(
    ("counts", "verdict", "words"),
    [
        ([[5, 0], [0, 5]], "same", "a and b are the same grouping of the samples"),
        ([[5, 0, 0], [0, 5, 5]], "nested", "every level of b lies within one level of a"),
        ([[2, 2, 0, 0], [2, 2, 0, 0], [0, 0, 2, 2], [0, 0, 2, 2]], "disconnected",
         "a r0, r1 only with b c0, c1; a r2, r3 only with b c2, c3"),
        ([[2, 2, 0], [0, 2, 3]], "connected", "b c0 only with a r0; b c2 only with a r1"),
        ([[1, 2], [3, 4]], "complete", "samples in every cell"),
    ],
)  # fmt: skip
def test_relations_in_words(counts, verdict, words):
    counts = pd.DataFrame(counts)
    counts.index = pd.Index([f"r{i}" for i in range(len(counts))], name="a")
    counts.columns = pd.Index([f"c{i}" for i in range(counts.shape[1])], name="b")
    assert relation_words(counts) == (verdict, words)


def test_relations_are_those_of_reference_implementations():
    from scipy import stats

    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.choice(list("uvw"), 60), "b": rng.choice(list("xy"), 60), "c": rng.normal(size=60)})
    found = covariate_relations(table).set_index(["covariate", "other"])
    counts = pd.crosstab(table["a"], table["b"]).to_numpy()
    assert found.loc[("a", "b"), "association"] == pytest.approx(stats.contingency.association(counts), rel=1e-9)
    chi = stats.chi2_contingency(counts, correction=False)
    assert found.loc[("a", "b"), "p_value"] == pytest.approx(chi.pvalue, rel=1e-9)
    f = stats.f_oneway(*[table.loc[table["a"] == level, "c"] for level in "uvw"])
    assert found.loc[("a", "c"), "p_value"] == pytest.approx(f.pvalue, rel=1e-6)


def test_columns_are_described():
    table = sample_table(12, np.random.default_rng(0)).assign(gap=[None, *range(11)])
    found = sample_columns(table).set_index("column")
    assert found.loc["batch", ["kind", "role", "values"]].tolist() == [
        "categorical",
        "technical",
        "1: 3, 2: 3, 3: 3, 4: 3",
    ]
    assert found.loc["id", "kind"] == "skipped"
    assert found.loc["lab", "note"] == "constant"
    assert found.loc["run", "role"] == "technical"
    assert found.loc["gap", "missing"] == 1


def test_counts_gaps_and_constant_features_are_said():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"group": np.repeat(["a", "b"], 10)})
    verdicts = {check.name: check.verdict for check in explore(rng.poisson(80, (20, 60)), table).findings}
    assert verdicts["values"] == "counts"
    X = rng.normal(size=(20, 60))
    X[11] *= 6
    X[3, 4], X[:, 7] = np.nan, 1.0
    found = explore(X, table)
    verdicts = {check.name: check for check in found.findings}
    assert verdicts["missing values"].verdict == verdicts["constant features"].verdict == "present"
    assert verdicts["samples"].cause.endswith(": 11.")


def test_samples_and_features_may_come_in_any_order():
    table = sample_table(24, np.random.default_rng(1))
    X = shifted(table, "batch")
    turned = np.random.default_rng(2).permutation(24)
    one, two = explore(X, table), explore(X.iloc[turned, ::-1], table)
    assert one.suggestion == two.suggestion
    pd.testing.assert_frame_equal(one.tables["associations"], two.tables["associations"], atol=1e-8, rtol=1e-6)


def test_run_order_and_formula_and_errors():
    table = sample_table(24, np.random.default_rng(1))
    X = shifted(table, "batch")
    assert "drift" in explore(X, table, "~ group | age", order="age").tables
    assert explore(X, table, "~ group | age").design.names == ("Intercept", "age", "group[T.control]")
    with pytest.raises(FormulaError, match="colour"):
        explore(X, table, "~ colour")
    with pytest.raises(InputError, match="no sample table"):
        explore(X)
    with pytest.raises(AlignmentError):
        explore(X, table.iloc[:5])
    with pytest.raises(InputError, match="infinite"):
        explore(X.where(X.max().max() > X, np.inf), table)


def test_names_that_need_quotes_and_hostile_text():
    table = sample_table(24, np.random.default_rng(1)).rename(
        columns={"batch": "plate no <b>", "group": "disease state"}
    )
    found = explore(shifted(table, "plate no <b>"), table)
    assert found.suggestion.formula == "~ `disease state` | C(`plate no <b>`)"
    la.adjust(shifted(table, "plate no <b>"), found.suggestion.formula, table, method="none")
    shown = found._repr_html_()
    assert "<b>" not in shown
    assert "plate no &lt;b&gt;" in shown


def test_nothing_is_suggested_in_noise():
    table = sample_table(40, np.random.default_rng(3)).drop(columns="run")
    suggested = [
        explore(np.random.default_rng(s).normal(size=(40, 100)), table.reset_index(drop=True)).suggestion
        for s in range(20)
    ]
    # one covariate in a table of 24 tests passes an adjusted level of 0.05 in at most 5 % of the studies
    assert sum(found.formula != "~ group" for found in suggested) <= 4
