"""Onatski's eigenvalue difference: the answers of cate, a hand-worked case, known numbers."""

from __future__ import annotations

import numpy as np
import pytest

from latentadj.core.matrix import ArrayMatrix
from latentadj.core.regression import design_basis
from latentadj.core.spectrum import residual_spectrum
from latentadj.exceptions import MethodError
from latentadj.num_factors import EigenvalueDifference, factor_limit
from latentadj.num_factors.eigenvalue_difference import eigenvalue_difference
from tests.num_factors.studies import problem_of, reference_problem, simulated
from tests.reference_data import load_reference


def answer(problem, **options):
    return EigenvalueDifference(**options).select(problem, factor_limit(problem), np.random.default_rng(0))


@pytest.mark.parametrize("name", ["sim1", "sim2", "bladder"])
def test_answer_is_that_of_cate(name):
    reference = load_reference("num_factors", "answers")
    assert answer(reference_problem(name)).n_factors == reference[f"{name}__ed"][0]


@pytest.mark.parametrize(("name", "r_max"), [("sim1", 20), ("sim2", 5), ("bladder", 20)])
def test_answer_without_the_primary_variable(name, r_max):
    """cate's other entry point, on residuals of the nuisance part alone; sim2 has 10 eigenvalues, so r_max 5."""
    problem = reference_problem(name)
    nuisance = design_basis(problem.design.nuisance)
    values = residual_spectrum(ArrayMatrix(problem.matrix.values), nuisance).eigenvalues
    found = eigenvalue_difference(values / problem.n_samples, r_max)[0]
    assert found == load_reference("num_factors", "answers")[f"{name}__ed_nuisance"][0]


def test_threshold_against_a_regression():
    """Slope by numpy's polynomial fit; the last round starts behind the answer."""
    values = np.sort(np.random.default_rng(0).gamma(5.0, size=40))[::-1]
    values[:3] += [30.0, 20.0, 10.0]
    k, delta = eigenvalue_difference(values, 15)
    slope = np.polyfit(np.arange(k, k + 5) ** (2 / 3), values[k : k + 5], 1)[0]
    assert delta == pytest.approx(2 * abs(slope), rel=1e-9)
    gaps = -np.diff(values)[:15]
    assert k == np.flatnonzero(gaps > delta)[-1] + 1


@pytest.mark.parametrize("k", [0, 3, 10])
def test_finds_the_true_number(k):
    for seed in range(4):
        assert answer(simulated(60, 2000, k, seed), scale="unit").n_factors == k


def test_scale_of_the_data_does_not_matter():
    problem = simulated(30, 400, 2, 0)
    scaled = problem_of(problem.matrix.values * 1e5, np.arange(30) % 2.0)
    assert answer(scaled).n_factors == answer(problem).n_factors


def test_search_range():
    problem = simulated(16, 300, 1, 0)  # 14 residual degrees of freedom
    assert answer(problem, r_max=9).n_factors == 1
    with pytest.raises(MethodError, match="between 0 and 9"):
        answer(problem, r_max=10)


def test_too_few_samples_for_the_noise_means_no_factor():
    assert answer(simulated(7, 300, 1, 0)).n_factors == 0
