"""Choosing the number: automatic, named, given; the limit; what is shown beside it."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.base import clone

from latentadj.exceptions import DegreesOfFreedomError, FactorLimitWarning, InputError, MethodError
from latentadj.num_factors import (
    EigenvalueDifference,
    GavishDonoho,
    Leek,
    ParallelAnalysis,
    choose_number,
    factor_limit,
    rule_from_name,
)
from tests.num_factors.studies import problem_of, simulated


def choose(problem, n_factors, seed=0):
    return choose_number(problem, n_factors, np.random.default_rng(seed))


def test_auto_uses_parallel_analysis_and_shows_the_others():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = choose(simulated(40, 500, 2, 0), "auto")
    assert (result.n_factors, result.chosen_by, result.limit) == (2, "parallel_analysis", 13)
    rules = [answer.rule for answer in result.answers]
    assert rules == [
        "parallel_analysis",
        "eigenvalue_difference",
        "gavish_donoho",
        "parallel_analysis_wishart",
        "dpa",
        "ddpa_plus",
        "eigenvalue_ratio",
        "growth_ratio",
        "bai_ng_ic2",
        "elbow",
    ]
    assert [rule for rule, _ in result.not_applied] == ["control_ratio"]
    assert {answer.n_factors for answer in result.answers} == {2}
    assert result.summary()["chosen"].tolist() == [True] + [False] * 10
    assert result.shares.sum() == pytest.approx(1.0)
    assert result.null_shares.shape == (2, 38)
    assert np.all(result.null_shares[1] >= result.null_shares[0])
    above = result.shares > result.null_shares[1]
    assert above[:2].all()
    assert not above[2]


def test_table_has_statistic_and_threshold_of_every_rule():
    table = choose(simulated(40, 500, 2, 0), "auto").table()
    counted = table[table.statistic > table.threshold].groupby("rule").size()
    by_threshold = table.rule[table.threshold.notna() & ~table.rule.str.contains("ratio")].unique()
    assert len(by_threshold) == 6
    assert counted[by_threshold].tolist() == [2] * 6


@pytest.mark.parametrize("rule", [ParallelAnalysis(scale=None), Leek(), EigenvalueDifference(), GavishDonoho()])
def test_rule_instances(rule):
    before = rule.get_params()
    result = choose(simulated(40, 1000, 2, 0), rule)
    assert result.n_factors == 2
    assert result.chosen_by == result.answers[0].rule == rule.name
    assert len({a.rule for a in result.answers}) == len(result.answers)
    assert rule.get_params() == before == clone(rule).get_params()


def test_same_seed_same_answer():
    problem = simulated(20, 300, 1, 0)
    first, second = choose(problem, "auto", 3), choose(problem, "auto", 3)
    assert np.array_equal(first.null_shares, second.null_shares)
    assert not np.array_equal(first.null_shares, choose(problem, "auto", 4).null_shares)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("be", "parallel_analysis"),
        ("parallel-analysis", "parallel_analysis"),
        ("Wishart", "parallel_analysis_wishart"),
        ("leek", "leek"),
        ("ed", "eigenvalue_difference"),
        ("gavish_donoho", "gavish_donoho"),
        ("DDPA", "ddpa"),
        ("ddpa+", "ddpa_plus"),
        ("er", "eigenvalue_ratio"),
        ("gr", "growth_ratio"),
        ("bai-ng", "bai_ng_ic2"),
        ("elbow", "elbow"),
        ("bcv", "bi_cross_validation"),
        ("CBCV+", "feature_folds"),
        ("rmt", "random_matrix"),
        ("stability", "stability"),
    ],
)
def test_names(name, expected):
    assert rule_from_name(name).name == expected
    assert choose(simulated(40, 1000, 2, 0), name).chosen_by == expected


def test_be_is_the_unscaled_rule():
    assert rule_from_name("be").scale is None
    assert rule_from_name("parallel_analysis").scale == "unit"


def test_unknown_name_lists_the_rules():
    with pytest.raises(MethodError, match=r"scree.*auto.*leek.*elbow"):
        choose(simulated(20, 100, 0, 0), "scree")


@pytest.mark.parametrize("bad", [-1, 2.0, True, None, [2], np.float64(3)])
def test_what_is_no_number_is_refused(bad):
    with pytest.raises(InputError, match="n_factors"):
        choose(simulated(20, 100, 0, 0), bad)


@pytest.mark.parametrize("k", [1, 3, np.int64(3), 17])
def test_given_number(k):
    result = choose(simulated(20, 100, 1, 0), k)
    assert (result.n_factors, result.chosen_by, result.limit) == (k, "user", 17)
    assert type(result.n_factors) is int
    assert [a.rule for a in result.answers][:2] == ["eigenvalue_difference", "gavish_donoho"]
    assert not result.summary()["chosen"].any()


def test_too_many_factors():
    with pytest.raises(DegreesOfFreedomError) as error:
        choose(simulated(20, 100, 1, 0), 18)
    for part in ("n_factors=18", "20 samples", "rank 2", "18 residual", "0 after", "At most 17"):
        assert part in str(error.value)


def test_no_more_factors_than_features():
    problem = problem_of(np.random.default_rng(0).normal(size=(20, 4)), np.arange(20) % 2.0)
    assert choose(problem, 4).n_factors == 4
    with pytest.raises(DegreesOfFreedomError, match="At most 4"):
        choose(problem, 5)


def test_zero_reads_no_data():
    """Zero is legal and costs nothing, whatever the design leaves."""

    class Unreadable:
        shape = (4, 50)
        dtype = np.dtype(float)

        def column_blocks(self, width=None):
            raise RuntimeError("read")

        def read(self, columns):
            raise RuntimeError("read")

    full = simulated(4, 50, 0, 0)
    unread = type(full)(Unreadable(), full.design)
    result = choose(unread, 0)
    assert (result.n_factors, result.answers, result.shares.size) == (0, (), 0)


def test_other_rules_are_left_out_where_they_cost_much(monkeypatch):
    monkeypatch.setattr("latentadj.num_factors.select.CHEAP_PASS", 0)
    problem = simulated(20, 100, 1, 0)
    assert choose(problem, 2).answers == ()
    assert "unit_spectrum" not in vars(problem)
    assert problem.unit_spectrum.n_features == 100
    assert len(choose(problem, 2).answers) == 9


@pytest.mark.parametrize(("n", "m", "expected"), [(60, 2000, 20), (8, 2000, 2), (6, 2000, 1), (60, 12, 4), (5, 99, 0)])
def test_limit(n, m, expected):
    """A third of the samples, a third of the features, three residual degrees of freedom left."""
    assert factor_limit(simulated(n, m, 0, 0)) == expected


def test_warning_at_the_limit():
    with pytest.warns(FactorLimitWarning, match="at least 5 factors"):
        result = choose(simulated(16, 2000, 8, 0), "auto")
    assert result.n_factors == result.limit == 5


def test_no_room_means_zero_and_says_so():
    with pytest.warns(FactorLimitWarning, match="leave no room"):
        result = choose(simulated(5, 100, 1, 0), "auto")
    assert (result.n_factors, result.chosen_by, result.answers) == (0, "parallel_analysis", ())


def test_other_rules_can_be_named():
    problem = simulated(40, 500, 2, 0)
    result = choose_number(problem, "dpa", np.random.default_rng(0), others=["feature_folds", Leek(scale="unit")])
    assert [a.rule for a in result.answers] == ["dpa", "feature_folds", "leek"]
    given = choose_number(problem, 3, np.random.default_rng(0), others=("ddpa",))
    assert [a.rule for a in given.answers] == ["ddpa"]
    assert (given.n_factors, given.chosen_by) == (3, "user")
    assert choose_number(problem, 3, np.random.default_rng(0), others=()).answers == ()


def test_rules_of_cubic_cost_are_left_out_with_many_samples(monkeypatch):
    monkeypatch.setattr("latentadj.num_factors.select.CHEAP_SAMPLES", 39)
    result = choose(simulated(40, 500, 2, 0), "dpa")
    assert "parallel_analysis_wishart" not in [a.rule for a in result.answers]
    assert result.not_applied == ()


def test_choice_does_not_depend_on_the_other_rules():
    problem = simulated(20, 300, 1, 0)
    plain = choose_number(problem, "auto", np.random.default_rng(0), others=())
    assert np.array_equal(plain.null_shares, choose(problem, "auto").null_shares)
