"""Smoothing spline, density and one-dimensional search against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import BSpline
from scipy.stats import norm

from latentadj.core.density import density_grid, reference_bandwidth
from latentadj.core.minimum import last_trial
from latentadj.core.penalized_spline import evaluate, evaluate_sorted, fit_by_df, fit_by_gcv
from latentadj.core.spline_system import grid_system, n_inner_knots, spline_system


def direct_solution(x, y, tau):
    """Solve (B'B + lambda S) c = B'y, S integrated interval by interval with 0.333 for 1/3."""
    inner = x[np.linspace(0, x.size - 1, n_inner_knots(x.size)).astype(int)]
    knots = np.concatenate([[x[0]] * 3, inner, [x[-1]] * 3])
    basis = BSpline.design_matrix(x, knots, 3).toarray()
    curvature = BSpline(knots, np.eye(basis.shape[1]), 3).derivative(2)(inner)
    gram = np.zeros((basis.shape[1],) * 2)
    for left, right, width in zip(curvature[:-1], curvature[1:], np.diff(inner)):
        rise = right - left
        cross = np.outer(left, rise)
        gram += width * (np.outer(left, left) + (cross + cross.T) / 2 + 0.333 * np.outer(rise, rise))
    normal, inside = basis.T @ basis, slice(2, basis.shape[1] - 3)
    ratio = np.trace(normal[inside, inside]) / np.trace(gram[inside, inside])
    solved = np.linalg.solve(normal + tau * ratio * gram, basis.T)
    return basis @ (solved @ y), float(np.trace(basis @ solved))


@pytest.mark.parametrize("n", [6, 19, 49, 80, 512])
def test_spline_equals_the_penalised_normal_equations(n):
    rng = np.random.default_rng(n)
    x = np.sort(np.concatenate([[0.0, 1.0], rng.uniform(size=n - 2)])) if n < 512 else np.arange(512) / 511
    y = np.sin(6 * x) + rng.normal(size=n) / 4
    fit = fit_by_gcv(spline_system(x), y)
    fitted, df = direct_solution(x, y, 16.0 ** (6 * fit.spar - 2))
    # the normal equations square the condition number, up to 1e10 for irregular abscissae
    np.testing.assert_allclose(evaluate(fit, x), fitted, rtol=0, atol=1e-6)
    assert fit.df == pytest.approx(df, abs=1e-5)


def test_gcv_finds_the_minimum_of_the_criterion():
    rng = np.random.default_rng(1)
    x = np.linspace(0.0, 1.0, 60)
    y = np.sin(6 * x) + rng.normal(size=60) / 4

    def criterion(spar):
        fitted, df = direct_solution(x, y, 16.0 ** (6 * spar - 2))
        return np.mean((y - fitted) ** 2) / (1 - df / 60) ** 2

    grid = np.linspace(-1.0, 1.5, 251)
    best = grid[np.argmin([criterion(spar) for spar in grid])]
    assert fit_by_gcv(spline_system(x), y).spar == pytest.approx(best, abs=0.02)  # two steps of the grid


@pytest.mark.parametrize("df", [2.5, 3.0, 8.0])
def test_degrees_of_freedom_are_met(df):
    x = np.linspace(0.0, 1.0, 19)
    # spar is found to 1e-4 and df changes by at most about 10 per unit of spar
    assert fit_by_df(spline_system(x), x**2, df).df == pytest.approx(df, abs=2e-3)


def test_straight_lines_are_reproduced():
    x = np.linspace(0.0, 1.0, 512)
    fit = fit_by_df(grid_system(), 3.0 - 2.0 * x, 5.0)
    # the roughness of a line is round-off over the squared knot distance, not zero
    np.testing.assert_allclose(evaluate(fit, x), 3.0 - 2.0 * x, rtol=0, atol=1e-11)


def test_both_evaluations_agree():
    x = np.linspace(0.0, 1.0, 512)
    fit = fit_by_gcv(grid_system(), norm.pdf(x, 0.4, 0.1))
    points = np.sort(np.concatenate([np.random.default_rng(2).uniform(size=500), fit.breaks]))
    np.testing.assert_allclose(evaluate_sorted(fit, points), evaluate(fit, points), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("n", "knots"), [(49, 49), (50, 50), (200, 100), (512, 119), (800, 140), (4000, 203)])
def test_number_of_knots(n, knots):
    assert n_inner_knots(n) in (
        knots,
        knots - 1,
    )  # truncation of a power may fall just below the whole number
    assert n not in (49, 512, 4000) or n_inner_knots(n) == knots


def test_bandwidth_uses_the_smaller_spread():
    x = np.sort(np.random.default_rng(3).standard_t(2, size=400))
    low, high = np.quantile(x, [0.25, 0.75])
    assert (high - low) / 1.34 < x.std(ddof=1)
    assert reference_bandwidth(x) == pytest.approx(0.9 * (high - low) / 1.34 * 400**-0.2, rel=1e-13)


@pytest.mark.parametrize(("x", "spread"), [([0, 1, 1, 1, 1, 1], np.sqrt(1 / 6)), ([-4.0] * 5, 4.0), ([0.0] * 5, 1.0)])
def test_bandwidth_without_spread_falls_back(x, spread):
    assert reference_bandwidth(np.array(x, dtype=float)) == pytest.approx(0.9 * spread * len(x) ** -0.2)


def test_density_equals_the_sum_of_kernels():
    x = np.sort(np.concatenate([np.random.default_rng(4).normal(size=700), [6.0, 6.1]]))
    grid = density_grid(x, adjust=1.5)
    points = np.linspace(grid.lower, grid.upper, 512)
    exact = norm.pdf((points[:, None] - x) / grid.bandwidth).mean(axis=1) / grid.bandwidth
    # linear binning and interpolation are each off by (step / bandwidth)^2 / 8 of the curvature
    np.testing.assert_allclose(grid.values, exact, rtol=0, atol=2e-3 * exact.max())
    np.testing.assert_allclose(np.trapezoid(grid.values, points), 1.0, atol=1e-3)


def test_search_stops_within_its_tolerance():
    for centre in (-1.2, -0.354, 0.0, 0.7, 1.49):
        assert last_trial(lambda x, c=centre: (x - c) ** 2) == pytest.approx(centre, abs=1e-4)
        assert last_trial(lambda x, c=centre: abs(x - c) ** 0.5) == pytest.approx(centre, abs=2e-4)


def test_search_survives_values_that_are_not_finite():
    assert last_trial(lambda x: np.inf if x > 0.2 else (x + 1.0) ** 2) == pytest.approx(-1.0, abs=1e-4)


def test_search_of_a_monotone_function_ends_at_the_edge():
    assert last_trial(lambda x: x) == pytest.approx(-1.5, abs=2e-4)
