"""What holds for every rule: few factors in noise, strong ones found, the limit, order of samples and features."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from sklearn.base import clone

from latentadj import num_factors
from latentadj.core.matrix import ArrayMatrix
from latentadj.core.passes import pass_options
from latentadj.design import Design
from latentadj.exceptions import FactorLimitWarning
from latentadj.num_factors import (
    BaiNg,
    BiCrossValidation,
    ControlRatio,
    DeterministicParallelAnalysis,
    EigenvalueDifference,
    EigenvalueRatio,
    Elbow,
    FeatureFoldCrossValidation,
    GavishDonoho,
    Leek,
    NumFactorsRule,
    ParallelAnalysis,
    RandomMatrixDimension,
    Stability,
    choose_number,
)
from latentadj.problem import AdjustmentProblem
from tests.num_factors.studies import simulated

RULES = [
    BaiNg(),
    BaiNg("pc2"),
    BiCrossValidation(n_repeats=4),
    ControlRatio(scale="unit"),
    DeterministicParallelAnalysis(),
    DeterministicParallelAnalysis(scale=None),
    DeterministicParallelAnalysis("ddpa"),
    DeterministicParallelAnalysis("ddpa+"),
    EigenvalueDifference(scale="unit"),
    EigenvalueRatio(),
    EigenvalueRatio("gr"),
    Elbow(),
    FeatureFoldCrossValidation(),
    GavishDonoho(),
    Leek(scale="unit"),
    ParallelAnalysis(),
    ParallelAnalysis(method="wishart"),
    RandomMatrixDimension("unit"),
    Stability(n_halves=10),
]
#: Rules that hold out or draw at random, or (Leek) split the features by position.
RANDOM = (BiCrossValidation, FeatureFoldCrossValidation, Leek, ParallelAnalysis, Stability)


def label(rule):
    return f"{rule.name}-{rule.scale}-{getattr(rule, 'criterion', '')}"


each_rule = pytest.mark.parametrize("rule", RULES, ids=label)


def with_controls(problem):
    return AdjustmentProblem(problem.matrix, problem.design, np.arange(problem.n_features) % 3 == 0)


def ask(rule, problem, limit=12, seed=0):
    return rule.select(problem, limit, np.random.default_rng(seed))


def test_all_rules_of_the_package_are_here():
    public = {c for c in vars(num_factors).values() if inspect.isclass(c) and issubclass(c, NumFactorsRule)}
    assert public - {NumFactorsRule} == {type(rule) for rule in RULES}


@each_rule
def test_noise_has_no_factors_in_most_studies(rule):
    """Four of six or more; levels are below 0.2, and three failures of six then have probability 0.1."""
    found = [ask(rule, with_controls(simulated(50, 600, 0, s))).n_factors for s in range(6)]
    if isinstance(rule, Elbow):
        assert min(found) > 0  # every spectrum has one
    else:
        assert found.count(0) >= 4
        assert max(found) <= 2


@each_rule
@pytest.mark.parametrize("k", [1, 4])
def test_strong_factors_are_all_counted(rule, k):
    """Exactly k in most studies; the control ratio sees only factors whose loadings beat what all of them leave."""
    found = [ask(rule, with_controls(simulated(50, 600, k, s, strength=1.2))).n_factors for s in range(3)]
    if isinstance(rule, ControlRatio):
        assert min(found) >= k // 2
    else:
        assert found.count(k) >= 2
        assert all(k <= f <= k + 1 for f in found)


@each_rule
@pytest.mark.parametrize("limit", [0, 1, 3])
def test_limit_is_kept(rule, limit):
    answer = ask(rule, with_controls(simulated(50, 600, 5, 0)), limit=limit)
    assert 0 <= answer.n_factors <= limit
    assert len(answer.statistic) == len(answer.threshold) <= limit


@pytest.mark.parametrize("rule", [r for r in RULES if not isinstance(r, ControlRatio)], ids=label)
def test_warning_at_the_limit(rule, monkeypatch):
    """Three strong factors where three are allowed."""
    monkeypatch.setattr("latentadj.num_factors.select.factor_limit", lambda problem: 3)
    problem = with_controls(simulated(50, 600, 3, 0, strength=1.5))
    with pytest.warns(FactorLimitWarning, match=f"{rule.name} answers at least 3"):
        assert choose_number(problem, rule, np.random.default_rng(0), others=()).n_factors == 3


@each_rule
def test_order_of_samples_and_features(rule):
    """Deterministic rules: statistics agree to 1e-7; the others answer the same where factors are strong.

    Bi-cross-validation holds out few random blocks: its answer may differ by one.
    """
    problem = with_controls(simulated(40, 400, 3, 1, strength=1.5))
    rng = np.random.default_rng(5)
    rows, columns = rng.permutation(40), rng.permutation(400)
    design = Design.from_arrays(problem.design.matrix[rows][:, problem.primary_columns])
    X = problem.matrix.values[np.ix_(rows, columns)]
    shuffled = AdjustmentProblem(ArrayMatrix(X), design, problem.controls[columns])
    first, second = ask(rule, problem), ask(rule, shuffled)
    assert abs(first.n_factors - second.n_factors) <= isinstance(rule, BiCrossValidation)
    if not isinstance(rule, RANDOM):
        assert np.allclose(first.statistic, second.statistic, rtol=1e-7, atol=1e-9 * np.abs(first.statistic).max())


@each_rule
def test_blocks_and_threads(rule):
    expected = ask(rule, with_controls(simulated(30, 500, 2, 0)))
    with pass_options(width=37, n_threads=2):
        found = ask(rule, with_controls(simulated(30, 500, 2, 0)))
    assert found.n_factors == expected.n_factors
    assert np.allclose(found.statistic, expected.statistic, rtol=1e-8)


@each_rule
def test_plain_settings(rule):
    """Asking leaves nothing behind, the same question has the same answer, and the answer says what it is."""
    problem = with_controls(simulated(30, 500, 2, 0))
    before = rule.get_params()
    first, second = ask(clone(rule), problem), ask(rule, problem)
    assert np.array_equal(first.statistic, second.statistic)
    assert type(first.n_factors) is int
    assert first.rule == rule.name
    assert first.description.endswith(".")
    assert rule.get_params() == before
