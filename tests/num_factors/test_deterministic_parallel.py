"""Deterministic parallel analysis: the edge against formulas and draws, deflation by hand, calibration."""

from __future__ import annotations

import numpy as np
import pytest

from latentadj.core.deterministic_parallel import noise_edge, tracy_widom_quantile
from latentadj.core.spiked import spike_behind
from latentadj.exceptions import MethodError
from latentadj.num_factors import DeterministicParallelAnalysis, factor_limit
from tests.num_factors.studies import problem_of, simulated


def answer(problem, **options):
    rule = DeterministicParallelAnalysis(**options)
    return rule.select(problem, factor_limit(problem), np.random.default_rng(0))


@pytest.mark.parametrize(("probability", "tabled"), [(0.5, -1.2685), (0.9, 0.4501), (0.95, 0.9793), (0.99, 2.0234)])
def test_tracy_widom_against_tables(probability, tabled):
    assert tracy_widom_quantile(probability) == pytest.approx(tabled, abs=0.01)


@pytest.mark.parametrize(("n", "m"), [(200, 3000), (500, 100)])
def test_edge_of_equal_variances_is_marchenko_pastur(n, m):
    """With the number of features enlarged by (n + 2) / n and the variance reduced by it; closed form, 1e-9."""
    more = (n + 2) / n
    found = noise_edge(np.full(m, float(n)), n)
    assert found.edge == pytest.approx((np.sqrt(m * more) + np.sqrt(n)) ** 2 / more, rel=1e-9)
    unit = (np.sqrt(m * more) + np.sqrt(n)) * (1 / np.sqrt(m * more) + 1 / np.sqrt(n)) ** (1 / 3) / more
    assert found.scale == pytest.approx(unit, rel=1e-9)


def test_edge_is_the_minimum_of_silversteins_function():
    """A grid search over the function itself, two classes of variances; the grid is good to 1e-6."""
    n, more = 80, 82 / 80
    variance = np.repeat([1.0, 6.0], [900, 100])
    c = np.linspace(1e-4, more / 6 - 1e-4, 200_000)
    t = variance[[0, -1]] / more
    z = 1 / c + more / n * (900 * t[0] / (1 - c * t[0]) + 100 * t[1] / (1 - c * t[1]))
    assert noise_edge(variance * n, n).edge == pytest.approx(n * z[c < 1 / t[1]].min(), rel=1e-6)


@pytest.mark.parametrize("n", [10, 40])
def test_edge_against_draws_of_directions(n):
    """Largest eigenvalue of 300 Gram matrices of features of known lengths: its mean is edge - 1.2 units.

    Finite-size error is about a third of a unit; without the correction for directions it would be one at n 10.
    """
    rng = np.random.default_rng(0)
    squares = n / rng.gamma(3, 1 / 3, size=800)
    largest = []
    for _ in range(300):
        Y = rng.normal(size=(n, 800))
        Y *= np.sqrt(squares / np.sum(Y**2, axis=0))
        largest.append(np.linalg.eigvalsh(Y @ Y.T)[-1])
    found = noise_edge(squares, n)
    assert abs((np.mean(largest) - found.edge) / found.scale + 1.2) < 0.6
    assert 0.3 < np.std(largest) / found.scale < 1.6


def test_nothing_to_see():
    assert noise_edge(np.zeros(5), 4).bound(0.05) == 0.0
    assert noise_edge(np.ones(5), 0).bound(None) == 0.0


def test_strength_and_accuracy_of_a_known_signal():
    """True squared singular value and squared cosines, averages of 30 draws; sampling error 2 %."""
    rng = np.random.default_rng(0)
    left, right = np.eye(60)[0], np.eye(500)[0]
    found, cosines = [], []
    for _ in range(30):
        U, s, V = np.linalg.svd(rng.normal(size=(60, 500)) + 40 * np.outer(left, right), full_matrices=False)
        found.append(spike_behind(s[0] ** 2, s[1:] ** 2, 499))
        cosines.append((U[:, 0] @ left) ** 2 * (V[0] @ right) ** 2)
    assert np.mean([f.strength for f in found]) == pytest.approx(1600, rel=0.03)
    assert np.mean([f.accuracy for f in found]) == pytest.approx(np.mean(cosines), rel=0.03)


@pytest.mark.parametrize("deflate", [False, "ddpa", "ddpa+"])
@pytest.mark.parametrize("scale", ["unit", None])
@pytest.mark.parametrize(("n", "k"), [(60, 0), (60, 3), (60, 10), (16, 2)])
def test_finds_the_true_number(n, k, scale, deflate):
    found = [answer(simulated(n, 2000, k, s), deflate=deflate, scale=scale).n_factors for s in range(4)]
    assert sum(f == k for f in found) >= (4 if k < 10 and scale else 3)
    assert max(found) <= k + 1


def test_deflation_by_hand():
    """Second bound: the edge of the features with the first component taken out, one dimension less."""
    problem = simulated(24, 300, 2, 0)
    found = answer(problem, deflate="ddpa", scale=None)
    R = problem.basis.project_out(problem.matrix.values)
    u = np.linalg.svd(R)[0][:, 0]
    left = R - np.outer(u, u @ R)
    assert found.threshold[1] == pytest.approx(noise_edge(np.sum(left**2, axis=0), 21).bound(0.05), rel=1e-9)
    assert len(found.threshold) == found.n_factors + 1


def test_deflation_across_passes():
    """Nine factors and more need the loadings of a second group of directions."""
    assert answer(simulated(90, 1500, 12, 0), deflate="ddpa").n_factors == 12


def test_accuracy_asks_for_more_than_presence():
    """A factor just above the edge is seen by DPA and not worth removing by DDPA+."""
    rng = np.random.default_rng(0)
    seen = kept = 0
    for _ in range(10):
        X = 0.1 * np.outer(rng.normal(size=60), rng.normal(size=1000)) + rng.normal(size=(60, 1000))
        problem = problem_of(X, np.arange(60) % 2.0)
        seen += answer(problem).n_factors
        kept += answer(problem, deflate="ddpa+").n_factors
    assert seen >= 5
    assert kept <= seen - 3


@pytest.mark.slow
@pytest.mark.parametrize(("n", "m"), [(8, 1000), (16, 1000), (60, 1000), (60, 150), (60, 40)])
@pytest.mark.parametrize("noise", ["normal", "t"])
def test_level_without_factors(n, m, noise):
    """At most the level plus 3.5 standard errors of 300 studies with unequal variances."""
    hits = sum(answer(simulated(n, m, 0, s, noise=noise)).n_factors > 0 for s in range(300))
    assert hits / 300 < 0.05 + 3.5 * np.sqrt(0.05 * 0.95 / 300)


def test_bad_options():
    problem = simulated(12, 50, 0, 0)
    for options in ({"deflate": True}, {"deflate": "dpa"}, {"alpha": 0.0}, {"alpha": 1.0}, {"scale": "z"}):
        with pytest.raises(MethodError):
            answer(problem, **options)
