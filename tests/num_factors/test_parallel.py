"""Parallel analysis: the reference's answers, a direct version, and known numbers of factors."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from sklearn.base import clone

from latentadj.core.passes import pass_options
from latentadj.exceptions import MethodError
from latentadj.num_factors import ParallelAnalysis, factor_limit
from latentadj.num_factors.parallel import upper_bound
from tests.num_factors.studies import problem_of, reference_problem, simulated
from tests.reference_data import load_reference


def answers(problem, rule, seeds):
    limit = factor_limit(problem)
    return [rule.select(problem, limit, np.random.default_rng(s)).n_factors for s in seeds]


@pytest.mark.parametrize("method", ["permutation", "wishart"])
@pytest.mark.parametrize("name", ["sim1", "sim2", "bladder", "bladder_batch"])
def test_answers_are_those_of_sva(name, method):
    """No answer outside those that sva gives over its seeds: a single one, or two neighbours."""
    reference = set(load_reference("num_factors", "answers")[f"{name}__be"].tolist())
    rule = ParallelAnalysis(scale=None, method=method)
    assert set(answers(reference_problem(name), rule, range(4))) <= reference


def test_answers_over_seeds_have_the_frequencies_of_sva():
    """The fourth share of sim1 lies at the threshold; 60 seeds each, difference below 3 standard errors."""
    reference = load_reference("num_factors", "answers")["sim1__be"]
    found = np.array(answers(reference_problem("sim1"), ParallelAnalysis(scale=None), range(60)))
    assert set(found) == set(reference.tolist()) == {3, 4}
    assert abs(np.mean(found == 4) - np.mean(reference == 4)) < 3 * np.sqrt(2 * 0.25 / 60)


def test_bladder_with_unit_variances():
    problem = reference_problem("bladder")
    assert answers(problem, ParallelAnalysis(), range(2)) == [9, 9]
    assert answers(problem, ParallelAnalysis(method="wishart"), range(2)) == [9, 9]


def test_matches_a_direct_version():
    """SVD of explicitly permuted residuals, another random stream: the same thresholds to 3%, 400 draws."""
    problem = simulated(24, 150, 2, seed=0)
    rule = ParallelAnalysis(n_permutations=400, scale=None)
    answer = rule.select(problem, 8, np.random.default_rng(0))
    residuals = problem.basis.project_out(problem.matrix.values)
    rng, null = np.random.default_rng(1), []
    for _ in range(400):
        shuffled = problem.basis.project_out(rng.permuted(residuals, axis=0))
        squares = np.linalg.svd(shuffled, compute_uv=False)[:22] ** 2
        null.append(squares / squares.sum())
    squares = np.linalg.svd(residuals, compute_uv=False)[:22] ** 2
    observed = squares / squares.sum()
    p = np.maximum.accumulate(np.mean(np.array(null) >= observed, axis=0))
    assert np.allclose(answer.statistic, observed[:8], rtol=1e-10)
    assert np.allclose(answer.threshold, np.quantile(null, 0.9, axis=0)[:8], rtol=0.03)
    assert answer.n_factors == np.sum(p <= 0.1) == 2


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.3])
@pytest.mark.parametrize("draws", [1, 7, 20, 30])
def test_bound_is_the_p_value_rule(alpha, draws):
    """Above the bound exactly where the fraction of draws that reach the value is at most alpha; ties too."""
    null = np.random.default_rng(draws).integers(0, 12, size=(draws, 40)).astype(float)
    observed = np.arange(40) % 13.0
    by_p = np.mean(null >= observed, axis=0) <= alpha * (1 + 1e-12)
    assert np.array_equal(observed > upper_bound(null, alpha), by_p)


@pytest.mark.parametrize("method", ["permutation", "wishart"])
@pytest.mark.parametrize(
    ("n", "k", "noise"),
    [(60, 3, "normal"), (60, 3, "t"), (60, 10, "normal"), (16, 2, "normal"), (16, 2, "t")],
)
def test_finds_the_true_number(n, k, noise, method):
    """Strong factors: in each of five studies the truth, never fewer, at most one of five one more."""
    rule = ParallelAnalysis(method=method)
    found = Counter(answers(simulated(n, 2000, k, s, noise=noise), rule, [s])[0] for s in range(5))
    assert min(found) == k
    assert max(found) <= k + 1
    assert found[k] >= 4


def test_ten_factors_in_sixteen_samples_stop_at_the_limit():
    problem = simulated(16, 2000, 10, 0)
    assert answers(problem, ParallelAnalysis(), [0]) == [factor_limit(problem)] == [5]


def test_no_factors_is_mostly_answered_by_none():
    """The level of a first false factor is 3 / 21 with 20 permutations; 12 or fewer zeros of 20: p 0.007."""
    found = [answers(simulated(60, 1000, 0, s), ParallelAnalysis(), [s])[0] for s in range(20)]
    assert found.count(0) >= 13
    assert max(found) <= 3


def test_level_without_factors():
    """Exchangeable residuals (intercept alone): P(first share in the top 2 of 21) is 3/21; 5 standard errors."""
    rng = np.random.default_rng(0)
    rule = ParallelAnalysis()
    hits = 0
    for s in range(150):
        problem = problem_of(rng.normal(size=(12, 60)), np.arange(12) % 2.0)
        hits += answers(problem, rule, [s])[0] > 0
    assert abs(hits / 150 - 3 / 21) < 5 * np.sqrt(0.14 * 0.86 / 150)


def test_independent_of_blocks_and_threads():
    problem = simulated(20, 500, 2, 0)
    rule = ParallelAnalysis()
    expected = rule.select(problem, 6, np.random.default_rng(0))
    with pass_options(width=33, n_threads=2):
        found = rule.select(simulated(20, 500, 2, 0), 6, np.random.default_rng(0))
    assert np.allclose(found.threshold, expected.threshold, rtol=1e-10)
    assert found.n_factors == expected.n_factors


def test_unit_scale_ignores_units_and_constant_features():
    problem = simulated(24, 300, 2, 0)
    X = problem.matrix.values
    rescaled = np.hstack([X * np.geomspace(1e-3, 1e3, 300), np.full((24, 5), 3.3)])
    group = np.arange(24) % 2.0
    rule = ParallelAnalysis()
    first = rule.select(problem, 8, np.random.default_rng(0))
    second = rule.select(problem_of(rescaled, group), 8, np.random.default_rng(0))
    assert np.allclose(second.statistic, first.statistic, rtol=1e-8)
    assert second.n_factors == first.n_factors == 2


def test_fewer_features_than_samples():
    """Seven features under a design of rank 2 leave five directions to try, as in the reference."""
    rng = np.random.default_rng(0)
    answer = ParallelAnalysis(scale=None).select(problem_of(rng.normal(size=(30, 7)), rng.normal(size=30)), 9, rng)
    assert answer.null_shares.shape == (2, 5)
    assert answer.statistic.sum() == pytest.approx(1.0)


def test_residuals_that_vanish_have_no_factors():
    group = np.arange(12) % 2.0
    answer = ParallelAnalysis().select(problem_of(np.outer(group, np.ones(30)), group), 4, np.random.default_rng(0))
    assert answer.n_factors == 0


@pytest.mark.parametrize(
    "rule",
    [
        ParallelAnalysis(method="bootstrap"),
        ParallelAnalysis(scale="z"),
        ParallelAnalysis(n_permutations=0),
        ParallelAnalysis(alpha=1.0),
    ],
)
def test_bad_options(rule):
    with pytest.raises(MethodError):
        rule.select(simulated(12, 50, 0, 0), 3, np.random.default_rng(0))


def test_wishart_needs_the_intercept():
    rng = np.random.default_rng(0)
    problem = problem_of(rng.normal(size=(12, 40)), rng.normal(size=12), intercept=False)
    with pytest.raises(MethodError, match="intercept"):
        ParallelAnalysis(method="wishart").select(problem, 3, rng)
    assert ParallelAnalysis().select(problem, 3, rng).n_factors <= 3


def test_is_an_estimator_with_parameters():
    rule = clone(ParallelAnalysis(n_permutations=50, method="wishart"))
    assert rule.get_params() == {"n_permutations": 50, "alpha": 0.1, "scale": "unit", "method": "wishart"}
    assert rule.name == "parallel_analysis_wishart"
