"""Stability: halves are what they claim, answers spread where factors are carried by few features."""

from __future__ import annotations

import numpy as np
import pytest

from latentadj.core.matrix import ArrayMatrix
from latentadj.core.passes import pass_options
from latentadj.exceptions import ControlsError, MethodError
from latentadj.num_factors import (
    ControlRatio,
    DeterministicParallelAnalysis,
    GavishDonoho,
    ParallelAnalysis,
    Stability,
    factor_limit,
)
from latentadj.num_factors.stability import random_halves
from latentadj.problem import AdjustmentProblem
from tests.num_factors.studies import problem_of, simulated


def answer(problem, rule=None, n_halves=20):
    return Stability(rule, n_halves).select(problem, factor_limit(problem), np.random.default_rng(0))


@pytest.mark.parametrize("scale", ["unit", None])
def test_spectrum_of_a_half_is_that_of_its_features(scale):
    """Filled in from Gram matrices of groups; made anew from the half's own data: 1e-9 of the largest."""
    problem = simulated(20, 203, 2, 0)
    halves = random_halves(problem, 3, scale, np.random.default_rng(0))
    assert [h.n_features for h in halves] != [203] * 3
    assert not set(halves[0].matrix.index) & set(halves[1].matrix.index)
    assert len(halves) == 3
    for half in halves:
        X = problem.matrix.values[:, half.matrix.index]
        fresh = AdjustmentProblem(ArrayMatrix(X), problem.design)
        name = "unit_spectrum" if scale else "spectrum"
        expected, found = getattr(fresh, name).eigenvalues, getattr(half, name).eigenvalues
        assert np.allclose(found, expected, rtol=0, atol=1e-9 * expected[0])
        assert np.allclose(half.sums.rss, fresh.sums.rss, rtol=1e-10)


@pytest.mark.parametrize("k", [0, 3])
def test_finds_the_true_number_and_says_how_surely(k):
    found = answer(simulated(60, 2000, k, 0))
    assert found.n_factors == k
    assert found.note == f"Answers: {k} on 20." or k == 0
    assert np.all(np.diff(found.statistic) <= 0)


def test_factor_of_few_features_is_found_on_some_halves_only():
    """Four features of one group carry it: half of the halves have them, so the distribution has two values."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 400))
    X[:, [7, 8]] += 3.2 * rng.normal(size=(60, 1))
    found = Stability(DeterministicParallelAnalysis(scale=None), 40).select(
        problem_of(X, np.arange(60) % 2.0), 10, np.random.default_rng(0)
    )
    assert 0 < found.statistic[0] < 1
    assert found.n_factors == (found.statistic[0] > 0.5)
    assert "0 on" in found.note
    assert "1 on" in found.note


def test_other_rules_inside():
    problem = simulated(40, 400, 2, 0)
    assert answer(problem, GavishDonoho()).n_factors == 2
    assert answer(problem, ParallelAnalysis(n_permutations=10), n_halves=4).n_factors == 2
    with pytest.raises(ControlsError):
        answer(problem, ControlRatio())


def test_reads_the_data_once():
    """One sweep for the sums, one for the groups; the rule inside reads nothing."""

    class Counting(ArrayMatrix):
        reads = 0

        def read(self, columns):
            type(self).reads += 1
            return super().read(columns)

    plain = simulated(20, 200, 1, 0)
    problem = AdjustmentProblem(Counting(plain.matrix.values), plain.design)
    with pass_options(width=200, n_threads=1):
        answer(problem)
    assert Counting.reads == 2


def test_bad_options():
    for problem, options in [(simulated(12, 100, 0, 0), {"n_halves": 1}), (simulated(12, 39, 0, 0), {})]:
        with pytest.raises(MethodError):
            answer(problem, **options)
