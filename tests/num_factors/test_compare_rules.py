"""All rules side by side: every one has a row, refusals say why, answers do not depend on each other."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from latentadj.exceptions import InputError, MethodError
from latentadj.num_factors import DeterministicParallelAnalysis, Leek, ParallelAnalysis, compare_rules
from latentadj.num_factors.names import rules_of
from latentadj.problem import AdjustmentProblem
from tests.num_factors.studies import problem_of, simulated


def study(k=2, n=40, m=600, controls=True):
    problem = simulated(n, m, k, 0)
    return AdjustmentProblem(problem.matrix, problem.design, np.arange(m) % 4 == 0 if controls else None)


def test_every_rule_has_a_row():
    result = compare_rules(study(), "all", np.random.default_rng(0))
    names = [rule.name for rule in rules_of("all")]
    assert result.summary()["rule"].tolist() == ["parallel_analysis", *(n for n in names if n != "parallel_analysis")]
    assert result.summary()["chosen"].tolist() == [True] + [False] * (len(names) - 1)
    numbers = result.summary().set_index("rule")["n_factors"]
    assert (numbers.drop("control_ratio") == 2).all()
    assert set(result.table()["rule"]) == set(names)


def test_cheap_rules_read_no_data_again():
    """After the unit spectrum and the sums are made, only the columns of the controls are read."""
    problem = study()
    limit = 10
    assert problem.unit_spectrum.n_features == 600
    read = problem.matrix.read
    object.__setattr__(problem, "matrix", _Guard(problem.matrix, problem.controls))
    for rule in rules_of("cheap"):
        rule.select(problem, limit, np.random.default_rng(0))
    assert read(slice(0, 1)).shape == (40, 1)


class _Guard:
    """A matrix of which only a narrow stretch may be read at a time, and only by way of a subset."""

    def __init__(self, base, controls):
        self.base, self.controls = base, controls
        self.shape, self.dtype = base.shape, base.dtype

    def column_blocks(self, width=None):
        raise AssertionError("a rule reads all features")

    def read(self, columns):
        assert self.controls[columns.start]
        assert self.controls[columns.stop - 1]
        return self.base.read(columns)


def test_rules_that_cannot_be_applied_say_why():
    result = compare_rules(study(controls=False), ["control_ratio", "dpa"])
    summary = result.summary().set_index("rule")
    assert summary.loc["control_ratio", "n_factors"] is not None
    assert summary["n_factors"].isna().tolist() == [False, False, True]
    assert summary["n_factors"].dtype == "Int64"
    assert summary.loc["control_ratio", "description"].startswith("Not applied: ")
    assert "negative controls" in summary.loc["control_ratio", "description"]
    row = result.table().set_index("rule").loc["control_ratio"]
    assert np.isnan(row["statistic"])
    assert row["n_factors"] is not row["n_factors"] or row.isna()["n_factors"]


def test_few_samples_and_features_refuse_rules_without_failing():
    rng = np.random.default_rng(0)
    problem = problem_of(rng.normal(size=(8, 9)), np.arange(8) % 2.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = compare_rules(problem, "all")
    assert {"leek", "feature_folds", "stability", "control_ratio"} <= {rule for rule, _ in result.not_applied}
    assert len(result.summary()) == len(rules_of("all"))


def test_answers_do_not_depend_on_the_other_rules_or_their_order():
    names = ["stability", "bi_cross_validation", "feature_folds", "parallel_analysis_wishart"]
    first = compare_rules(study(), names, np.random.default_rng(3))
    second = compare_rules(study(), names[::-1], np.random.default_rng(3))
    alone = compare_rules(study(), names[1], np.random.default_rng(3))
    by_name = {answer.rule: answer for answer in second.answers}
    for answer in (*first.answers, *alone.answers):
        assert np.array_equal(answer.statistic, by_name[answer.rule].statistic)


def test_generator_is_left_in_the_same_state_whatever_is_asked():
    states = []
    for rules in ("cheap", "all", ["dpa"], []):
        rng = np.random.default_rng(1)
        compare_rules(study(), rules, rng)
        states.append(rng.bit_generator.state["state"]["state"])
    assert len(set(states)) == 1


def test_selection_of_rules():
    assert [r.name for r in rules_of("dpa")] == ["dpa"]
    assert [r.name for r in rules_of(Leek())] == ["leek"]
    mixed = rules_of(["ER", DeterministicParallelAnalysis(deflate="ddpa"), "cbcv+"])
    assert [r.name for r in mixed] == ["eigenvalue_ratio", "ddpa", "feature_folds"]
    for bad in (3, [3], None, [None]):
        with pytest.raises(InputError):
            rules_of(bad)
    with pytest.raises(MethodError, match="names no rule"):
        rules_of(["scree"])


def test_a_rule_named_twice_is_asked_once():
    result = compare_rules(study(), [Leek(scale="unit"), "leek", ParallelAnalysis(alpha=0.5)])
    assert [a.rule for a in result.answers] == ["parallel_analysis", "leek"]
