"""Ahn and Horenstein's ratios: definitions by hand, the mock eigenvalue, known numbers."""

from __future__ import annotations

import numpy as np
import pytest

from latentadj.exceptions import MethodError
from latentadj.num_factors import EigenvalueRatio, factor_limit
from latentadj.num_factors.eigenvalue_ratio import neighbour_ratios
from tests.num_factors.studies import problem_of, simulated


def answer(problem, **options):
    return EigenvalueRatio(**options).select(problem, factor_limit(problem), np.random.default_rng(0))


def test_definitions():
    """Both ratios written out, mock eigenvalue V(0) / log 8; 12 digits."""
    mu = np.array([40.0, 18.0, 9.0, 2.0, 1.8, 1.5, 1.2, 1.0])
    mock = mu.sum() / np.log(8)
    assert neighbour_ratios(mu, "er", 5) == pytest.approx([mock / 40, 40 / 18, 18 / 9], rel=1e-12)
    V = mu.sum() - np.concatenate([[0], np.cumsum(mu)])
    growth = np.log1p(np.array([mock / V[0], 40 / V[1], 18 / V[2], 9 / V[3]]))
    assert neighbour_ratios(mu, "gr", 5) == pytest.approx(growth[:-1] / growth[1:], rel=1e-12)
    assert np.log1p(40 / V[1]) == pytest.approx(np.log(V[0] / V[1]), rel=1e-12)


def test_search_ends_at_the_limit_and_before_the_last_eigenvalue():
    mu = np.array([40.0, 30.0, 20.0, 1.0, 1.0])
    assert len(neighbour_ratios(mu, "er", 2)) == 3
    assert len(neighbour_ratios(np.array([9.0, 8.0, 0.1]), "er", 9)) == 2
    assert neighbour_ratios(np.zeros(4), "er", 3).tolist() == [0.0]


@pytest.mark.parametrize("kind", ["er", "gr"])
@pytest.mark.parametrize("k", [0, 1, 3, 10])
def test_finds_the_true_number(k, kind):
    for seed in range(4):
        assert answer(simulated(80, 2000, k, seed), kind=kind).n_factors == k


def test_growth_ratio_bears_a_dominating_factor_better():
    """One factor six times as strong as two others: "er" stops behind it more often than "gr"."""
    found = {"er": 0, "gr": 0}
    for seed in range(10):
        rng = np.random.default_rng(seed)
        scores = rng.normal(size=(60, 3)) * [3.0, 0.5, 0.5]
        X = scores @ rng.normal(size=(3, 800)) + rng.normal(size=(60, 800))
        for kind in found:
            found[kind] += answer(problem_of(X, np.arange(60) % 2.0), kind=kind, scale=None).n_factors == 3
    assert found["gr"] >= found["er"]


def test_unknown_kind():
    with pytest.raises(MethodError, match="kind"):
        answer(simulated(12, 50, 0, 0), kind="ed")
