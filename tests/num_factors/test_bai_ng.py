"""Bai and Ng's criteria: against their definition on explicit residuals, known numbers."""

from __future__ import annotations

import numpy as np
import pytest

from latentadj.exceptions import MethodError
from latentadj.num_factors import BaiNg, factor_limit
from latentadj.num_factors.bai_ng import CRITERIA, penalised_fit
from tests.num_factors.studies import problem_of, simulated


def answer(problem, **options):
    return BaiNg(**options).select(problem, factor_limit(problem), np.random.default_rng(0))


@pytest.mark.parametrize("criterion", CRITERIA)
def test_definition(criterion):
    """Mean squares left by explicit truncated decompositions; penalties written out; 10 digits."""
    rng = np.random.default_rng(0)
    T, N, k_max = 20, 70, 6
    R = rng.normal(size=(T, N)) + 2 * np.outer(rng.normal(size=T), rng.normal(size=N))
    U, s, V = np.linalg.svd(R, full_matrices=False)
    left = [np.mean((R - (U[:, :k] * s[:k]) @ V[:k]) ** 2) for k in range(k_max + 1)]
    g = {
        "1": (N + T) / (N * T) * np.log(N * T / (N + T)),
        "2": (N + T) / (N * T) * np.log(T),
        "3": np.log(T) / T,
    }[criterion[2]]
    k = np.arange(k_max + 1)
    expected = np.log(left) + k * g if criterion[:2] == "ic" else left + k * left[-1] * g
    assert penalised_fit(s**2, N, k_max, criterion) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("criterion", ["ic1", "ic2", "pc1", "pc2"])
@pytest.mark.parametrize("k", [0, 3, 10])
def test_finds_the_true_number(k, criterion):
    for seed in range(3):
        assert answer(simulated(80, 2000, k, seed), criterion=criterion, k_max=15).n_factors == k


def test_search_stops_before_nothing_is_left():
    exact = np.random.default_rng(0).normal(size=(30, 2)) @ np.random.default_rng(1).normal(size=(2, 50))
    found = answer(problem_of(exact, np.arange(30) % 2.0))
    assert found.n_factors <= 2
    assert np.all(np.isfinite(found.statistic))
    assert penalised_fit(np.zeros(5), 10, 3, "ic1").tolist() == [0.0]


def test_options():
    problem = simulated(40, 500, 3, 0)
    assert answer(problem, k_max=2).n_factors == 2
    assert answer(problem, k_max=0).n_factors == 0
    for options in ({"criterion": "ic4"}, {"k_max": -1}):
        with pytest.raises(MethodError):
            answer(problem, **options)
