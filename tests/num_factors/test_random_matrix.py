"""Random-matrix dimension: the answers of isva, a direct version, and its known weakness."""

from __future__ import annotations

import numpy as np
import pytest

from latentadj.num_factors import RandomMatrixDimension, factor_limit
from tests.num_factors.studies import problem_of, reference_problem, simulated
from tests.reference_data import load_reference


def answer(problem, limit=None, **options):
    limit = factor_limit(problem) if limit is None else limit
    return RandomMatrixDimension(**options).select(problem, limit, np.random.default_rng(0))


@pytest.mark.parametrize("name", ["sim1", "sim2", "bladder"])
def test_answer_is_that_of_isva(name):
    """Whole numbers; equality."""
    expected = load_reference("num_factors", "rules")[f"{name}__rmt"][0]
    assert answer(reference_problem(name), limit=30).n_factors == expected


@pytest.mark.parametrize("intercept", [True, False])
def test_matches_a_direct_version(intercept):
    """Explicitly standardised residuals, large means in the data; 1e-8."""
    problem = problem_of(simulated(18, 250, 2, 0).matrix.values + 40, np.arange(18) % 2.0, intercept=intercept)
    R = problem.basis.project_out(problem.matrix.values)
    M = (R - R.mean(axis=1, keepdims=True)) / R.std(axis=1, ddof=1, keepdims=True)
    values = np.linalg.eigvalsh(M @ M.T / 250)[::-1]
    found = answer(problem, limit=12)
    assert found.statistic == pytest.approx(values[:12], rel=1e-8)
    assert found.threshold[0] == pytest.approx(np.var(M, ddof=1) * (1 + 18 / 250 + 2 * np.sqrt(18 / 250)), rel=1e-12)


@pytest.mark.parametrize("k", [0, 3])
def test_finds_the_true_number_among_equal_variances(k):
    """The edge is the limit itself, without a margin: one noise eigenvalue may pass it."""
    rng = np.random.default_rng(0)
    for _ in range(4):
        X = rng.normal(size=(60, k)) @ rng.normal(size=(k, 1500)) + rng.normal(size=(60, 1500))
        assert k <= answer(problem_of(X, np.arange(60) % 2.0)).n_factors <= k + 1


def test_unequal_variances_are_counted_as_factors_unless_scaled():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 800)) * np.where(np.arange(800) < 40, 12.0, 1.0)
    problem = problem_of(X, np.arange(60) % 2.0)
    assert answer(problem).n_factors > 5
    assert answer(problem, scale="unit").n_factors <= 1


def test_residuals_that_vanish_have_no_factors():
    group = np.arange(12) % 2.0
    assert answer(problem_of(np.outer(group, np.ones(30)), group)).n_factors == 0
