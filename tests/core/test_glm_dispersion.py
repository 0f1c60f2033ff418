"""Negative binomial dispersions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import nbinom

from latentadj.core.dispersion import GRID, adjusted_profile, dispersion_trend, estimate_dispersions, peak
from latentadj.core.matrix import ArrayMatrix
from latentadj.core.passes import pass_options
from latentadj.core.regression import design_basis


def counts(rng, mu, phi, n):
    return rng.negative_binomial(1 / phi, 1 / (1 + phi * mu), size=(n, len(mu))).astype(float)


def test_profile_by_brute_force():
    """A general optimiser for the coefficients, scipy's probabilities, a numerical Hessian."""
    rng = np.random.default_rng(0)
    n = 12
    design = design_basis(np.column_stack([np.ones(n), np.repeat([0.0, 1.0], n // 2)])).q
    offset = rng.normal(size=n) * 0.2
    y = counts(rng, np.array([20.0, 5.0]), 0.3, n)
    profile = adjusted_profile(y, design, offset)
    picks = (6, 14, 18)
    for j in range(2):
        expected = []
        for g in picks:
            phi = GRID[g]

            def minus_log(coef, phi=phi, j=j):
                mu = np.exp(design @ coef + offset)
                return -nbinom.logpmf(y[:, j], 1 / phi, 1 / (1 + phi * mu)).sum()

            found = minimize(minus_log, np.zeros(2), method="BFGS", options={"gtol": 1e-8})
            mu = np.exp(design @ found.x + offset)
            information = (design * (mu / (1 + phi * mu))[:, None]).T @ design
            expected.append(-found.fun - 0.5 * np.linalg.slogdet(information)[1])
        shift = profile[j, picks[0]] - expected[0]  # terms without the dispersion are left out
        np.testing.assert_allclose(profile[j, list(picks)] - shift, expected, atol=1e-4)


def test_peak_of_a_parabola():
    top = np.array([-2.0, 0.3])
    np.testing.assert_allclose(peak(-((np.log(GRID) - top[:, None]) ** 2)), top, rtol=1e-9)


def test_flat_or_monotone_curves_stay_on_the_grid():
    curves = np.stack([np.zeros(len(GRID)), np.arange(len(GRID), dtype=float), -np.arange(len(GRID), dtype=float)])
    found = peak(curves)
    assert np.isfinite(found).all()
    assert found[1] == pytest.approx(np.log(GRID[-1]))
    assert found[2] == pytest.approx(np.log(GRID[0]))


@pytest.mark.parametrize("phi", [0.02, 0.2, 1.0])
def test_common_dispersion_is_found(phi):
    """Ten samples and three design columns: without the adjustment the estimate would be a quarter too small."""
    rng = np.random.default_rng(1)
    n, m = 10, 1500
    Y = counts(rng, np.exp(rng.normal(4, 1, size=m)), phi, n)
    design = design_basis(np.column_stack([np.ones(n), rng.normal(size=(n, 2))])).q
    found = estimate_dispersions(ArrayMatrix(Y), design, np.zeros(n))
    assert np.median(found.trend) == pytest.approx(phi, rel=0.1)
    spread = np.std(np.log(found.shrunken / phi))
    assert spread < 0.6 * np.std(np.log(found.single / phi))


def test_trend_follows_the_level():
    rng = np.random.default_rng(2)
    mu = np.exp(rng.uniform(1, 7, size=3000))
    phi = 0.05 + 2 / mu
    found = estimate_dispersions(ArrayMatrix(counts(rng, mu, phi, 24)), np.full((24, 1), 24**-0.5), np.zeros(24))
    middle = (mu > np.exp(1.5)) & (mu < np.exp(6.5))
    ratio = np.log(found.trend / phi)[middle]
    assert np.abs(np.median(ratio)) < 0.1
    assert np.quantile(np.abs(ratio), 0.95) < 0.5


def test_outlying_features_do_not_make_the_trend():
    rng = np.random.default_rng(3)
    mu = np.full(1000, 50.0)
    phi = np.full(1000, 0.1)
    phi[:100] = 5.0
    Y = counts(rng, mu, phi, 20)
    found = estimate_dispersions(ArrayMatrix(Y), np.full((20, 1), 20**-0.5), np.zeros(20))
    assert np.median(found.trend) == pytest.approx(0.1, rel=0.35)
    assert np.median(found.shrunken[:100]) > 10 * np.median(found.shrunken[100:])


def test_poisson_counts_have_little_dispersion():
    Y = np.random.default_rng(4).poisson(30.0, size=(30, 500)).astype(float)
    found = estimate_dispersions(ArrayMatrix(Y), np.full((30, 1), 30**-0.5), np.zeros(30))
    assert np.max(found.trend) < 0.005


def test_order_blocks_and_empty_features():
    rng = np.random.default_rng(5)
    Y = counts(rng, np.exp(rng.normal(3, 1, size=200)), 0.3, 12)
    Y[:, [3, 50]] = 0.0
    design = np.full((12, 1), 12**-0.5)
    usual = estimate_dispersions(ArrayMatrix(Y), design, np.zeros(12))
    assert np.isfinite(usual.trend).all()
    assert np.isfinite(usual.shrunken).all()
    order = rng.permutation(200)
    np.testing.assert_allclose(
        estimate_dispersions(ArrayMatrix(Y[:, order]), design, np.zeros(12)).trend, usual.trend[order], rtol=1e-10
    )
    with pass_options(width=9):
        np.testing.assert_allclose(
            estimate_dispersions(ArrayMatrix(Y), design, np.zeros(12)).trend, usual.trend, rtol=1e-9
        )
    assert np.all(dispersion_trend(np.zeros((4, len(GRID))), np.zeros(4)) == np.log(GRID[0]))
