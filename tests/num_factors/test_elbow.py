"""Elbow: the answers of PCAForQTL, distances from the chord, known numbers."""

from __future__ import annotations

import numpy as np
import pytest

from latentadj.exceptions import MethodError
from latentadj.num_factors import Elbow, factor_limit
from latentadj.num_factors.elbow import chord_distances
from tests.num_factors.studies import problem_of, reference_problem, simulated
from tests.reference_data import load_reference


def answer(problem, **options):
    return Elbow(**options).select(problem, factor_limit(problem), np.random.default_rng(0))


@pytest.mark.parametrize("name", ["sim1", "sim2", "bladder"])
def test_answer_is_that_of_pca_for_qtl(name):
    """First 1000 features of each study, centred and scaled; the answer is a whole number and must be equal."""
    problem = reference_problem(name)
    first = problem_of(problem.matrix.values[:, :1000], np.arange(problem.n_samples) % 2.0)
    found = Elbow(compat="PCAForQTL").select(first, problem.n_samples, np.random.default_rng(0))
    assert found.n_factors == load_reference("num_factors", "rules")[f"{name}__elbow"][0]


def test_distance_is_perpendicular():
    """Distances in the unit square by the cross product of vectors."""
    values = np.sort(np.random.default_rng(0).gamma(1.0, size=9))[::-1]
    points = np.column_stack([np.linspace(0, 1, 9), (values - values[-1]) / (values[0] - values[-1])])
    chord = points[-1] - points[0]
    cross = chord[0] * (points[:, 1] - 1) - chord[1] * points[:, 0]
    assert chord_distances(values) == pytest.approx(np.abs(cross) / np.linalg.norm(chord), abs=1e-12)


@pytest.mark.parametrize("k", [1, 3, 10])
def test_finds_the_true_number_of_strong_factors(k):
    for seed in range(4):
        assert answer(simulated(60, 2000, k, seed)).n_factors == k


def test_flat_and_short_spectra_have_no_elbow():
    assert not chord_distances(np.ones(5)).any()
    assert not chord_distances(np.array([2.0, 1.0])).any()
    group = np.arange(12) % 2.0
    assert answer(problem_of(np.outer(group, np.ones(30)), group)).n_factors == 0


def test_design_without_intercept():
    """The compatible form removes the mean itself."""
    X = simulated(30, 200, 2, 0).matrix.values
    group = np.arange(30) % 2.0
    with_it, without = (problem_of(X, group, intercept=i) for i in (True, False))
    first, second = answer(with_it, compat="PCAForQTL"), answer(without, compat="PCAForQTL")
    assert np.allclose(first.statistic, second.statistic, rtol=1e-9)


def test_unknown_compat():
    with pytest.raises(MethodError, match="compat"):
        answer(simulated(12, 50, 0, 0), compat="pcatools")
