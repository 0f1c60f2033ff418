"""Leek's rule: stable under round-off, the answers of the reference where that is stable, known numbers."""

from __future__ import annotations

import numpy as np
import pytest

from latentadj.core.passes import pass_options
from latentadj.exceptions import MethodError
from latentadj.num_factors import Leek, factor_limit
from latentadj.num_factors.leek import MULTIPLES, agreed_count, eigenvalue_multiples, nested_labels
from tests.num_factors.studies import problem_of, reference_problem, simulated


def answer(problem, **options):
    return Leek(**options).select(problem, factor_limit(problem), np.random.default_rng(0))


@pytest.mark.parametrize(("name", "usual"), [("bladder", 2), ("sim1", 5)])
def test_answer_does_not_move_under_tiny_noise(name, usual):
    """The reference moves over 2, 4, 5 and 5, 10 here; its usual answer under such noise is the one found.

    Statistics move by no more than 1e-7 of the largest under noise of 1e-9.
    """
    plain = answer(reference_problem(name))
    assert plain.n_factors == usual
    for seed in range(3):
        noisy = answer(reference_problem(name, noise=1e-9, seed=seed))
        assert noisy.n_factors == plain.n_factors
        assert noisy.threshold[0] == plain.threshold[0]
        assert np.allclose(noisy.statistic, plain.statistic, rtol=0, atol=1e-7 * plain.statistic[0])


@pytest.mark.parametrize("name", ["bladder", "sim1"])
def test_answer_does_not_depend_on_the_shuffle(name):
    problem = reference_problem(name)
    assert len({answer(problem, seed=s).n_factors for s in range(4)}) == 1


@pytest.mark.parametrize(("n", "k"), [(60, 3), (60, 10), (60, 0)])
def test_finds_the_true_number(n, k):
    for seed in range(4):
        assert answer(simulated(n, 2000, k, seed), scale="unit").n_factors == k


def test_eigenvalues_match_a_direct_version():
    """Full n x n matrix, design's zeros left in; tolerance 1e-10 of the largest."""
    problem = simulated(14, 203, 1, 0)
    found = eigenvalue_multiples(problem, None, 5)
    labels, X = nested_labels(203, 5), problem.matrix.values
    residuals = problem.basis.project_out(X)
    projector = np.eye(14) - problem.basis.q @ problem.basis.q.T
    for j in range(10):
        chosen = labels <= j
        m = chosen.sum()
        assert m == 20 * (j + 1)
        noise = np.linalg.eigvalsh(X[:, chosen] @ X[:, chosen].T)[0] / m
        W = residuals[:, chosen] @ residuals[:, chosen].T / m - noise * projector
        expected = np.sort(np.linalg.eigvalsh(W))[::-1][:12] / (14 * m ** (-1 / 3))
        assert np.allclose(found[j], np.maximum(expected, 0), rtol=0, atol=1e-10 * expected[0])


def test_structural_zeros_are_zero():
    """Sets with fewer features than residual degrees of freedom leave exact zeros, never counted."""
    problem = simulated(40, 100, 1, 0)
    found = eigenvalue_multiples(problem, None, 0)
    assert np.array_equal((found > 0).sum(axis=1), np.minimum(10 * np.arange(1, 11), 38))


def test_large_means_cost_no_digits():
    """Means of 1e3 and 1e5 take the constant's direction out of the smallest eigenvalue alike.

    That eigenvalue, about 100, is good to 1e-16 of the largest, 1e14; in statistics of 0.2 to 3 this is 1e-4.
    """
    values = simulated(20, 400, 1, 0).matrix.values
    small, large = (answer(problem_of(values + shift, np.arange(20) % 2.0)) for shift in (1e3, 1e5))
    assert small.n_factors == large.n_factors == 1
    assert np.allclose(large.statistic, small.statistic, rtol=0, atol=1e-4)


def test_independent_of_blocks_and_threads():
    expected = answer(simulated(20, 500, 2, 0))
    with pass_options(width=33, n_threads=2):
        found = answer(simulated(20, 500, 2, 0))
    assert np.allclose(found.statistic, expected.statistic, rtol=1e-10)


def test_labels_make_equal_groups():
    assert np.bincount(nested_labels(1007, 1)).tolist() == [100] * 10 + [7]


def test_count_is_that_of_the_statistic_over_the_threshold():
    """The first stretch on which both sets agree after the bump, and its smallest threshold."""
    multiples = np.array([[1.9, 1.0, 0.30, 0.05], [1.7, 1.2, 0.35, 0.20]])
    n_factors, threshold = agreed_count(multiples)
    assert (n_factors, np.sum(multiples[-1] > threshold)) == (3, 3)
    assert threshold == MULTIPLES[MULTIPLES >= 0.20][0]


def test_sets_that_never_agree_or_never_differ():
    never_agree = np.array([[3.0, 3.0, 0.1], [3.0, 0.1, 0.1]])
    assert agreed_count(never_agree)[0] in (1, 3)
    assert agreed_count(np.array([[3.0, 0.0], [3.0, 0.0]])) == (1, 2.0)
    assert agreed_count(np.zeros((10, 0))) == (0, 2.0)


def test_too_few_features():
    with pytest.raises(MethodError, match="sets"):
        answer(problem_of(np.random.default_rng(0).normal(size=(12, 9)), np.arange(12) % 2.0))
