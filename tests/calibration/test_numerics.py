"""Empirical null, mixture, control scale and isotonic variance against brute force and known truth."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import optimize, stats

from latentadj.core.bacon import MEAN_COUNTS, PRIOR_MEANS, RATE, SHAPE, bias_and_inflation, fit_mixture
from latentadj.core.control_scale import combined_df, student_scale2
from latentadj.core.empirical_null import (
    _log_counts,
    bulk_half_width,
    empirical_null_likelihood,
    empirical_null_matching,
    median_and_spread,
)
from latentadj.core.isotonic_variance import isotonic_variances, trimmed_share
from latentadj.core.normal_scores import normal_scores
from latentadj.core.smoothing import natural_spline_basis, natural_spline_knots
from tests.calibration.made_up import shifted


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_likelihood_is_that_of_a_truncated_normal(share):
    z, _ = shifted(3000, share, 1)
    null = empirical_null_likelihood(z)
    median, spread = median_and_spread(z)
    reach = spread * bulk_half_width(z.size)
    inside = z[np.abs(z - median) <= reach]

    def covered(theta):
        return stats.norm.cdf(median + reach, *theta) - stats.norm.cdf(median - reach, *theta)

    def loss(theta):
        return -np.mean(stats.norm.logpdf(inside, theta[0], theta[1]) - np.log(covered(theta)))

    found = optimize.minimize(loss, [0.0, 1.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-15}).x
    assert_allclose([null.centre, null.scale], found, atol=2e-7)
    assert_allclose(null.pi0, min(1.0, inside.size / z.size / covered(found)), atol=2e-7)


def test_matching_is_a_parabola_through_a_poisson_spline():
    z, _ = shifted(5000, 0.05, 2)
    counts, edges = np.histogram(z, bins=120)
    x = (edges[1:] + edges[:-1]) / 2
    basis = natural_spline_basis(x, natural_spline_knots(x, 8))

    def score(coef):  # zero at the maximum of the Poisson likelihood
        return basis.T @ (counts - np.exp(basis @ coef))

    start = np.linalg.lstsq(basis, np.log(counts + 0.5))[0]
    coef = optimize.root(score, start, tol=1e-12).x
    assert np.abs(score(coef)).max() < 1e-6
    assert_allclose(_log_counts(x, counts.astype(float)), basis @ coef, atol=1e-6)
    low, high = np.quantile(z, [0.25, 0.75])
    use = (x >= low) & (x <= high)
    a, b, _ = np.polyfit(x[use], (basis @ coef)[use], 2)
    null = empirical_null_matching(z)
    assert_allclose([null.centre, null.scale], [-b / (2 * a), np.sqrt(-0.5 / a)], rtol=1e-5)


@pytest.mark.parametrize("fit", [empirical_null_likelihood, empirical_null_matching])
def test_a_bulk_without_a_maximum_is_not_found(fit):
    assert not fit(np.zeros(100)).found
    two_heaps = np.concatenate([np.linspace(-3, -2, 400), np.linspace(2, 3, 400), np.linspace(-2, 2, 40)])
    assert not fit(two_heaps, 0.65).found


def test_far_outliers_do_not_move_the_null():
    z, _ = shifted(4000, 0.0, 3)
    far = np.concatenate([z, np.full(20, 300.0), np.full(20, -300.0)])
    fits = (
        (empirical_null_likelihood, 0.06),
        (empirical_null_matching, 0.15),
        (lambda z: bias_and_inflation(z)[0], 0.06),
    )
    for fit, bound in fits:  # matching bins the data anew, and is as noisy as that
        assert abs(fit(far).scale - fit(z).scale) < bound
        assert abs(fit(far).centre - fit(z).centre) < bound


@pytest.mark.parametrize(
    "fit", [empirical_null_likelihood, empirical_null_matching, lambda z: bias_and_inflation(z)[0]]
)
def test_nulls_move_with_their_statistics_and_do_not_mind_their_order(fit):
    z, _ = shifted(2000, 0.05, 4)
    null, moved = fit(z), fit(3.0 - 2.0 * z)
    assert_allclose([moved.centre, moved.scale], [3.0 - 2.0 * null.centre, 2.0 * null.scale], rtol=1e-5)
    again = fit(np.random.default_rng(0).permutation(z))
    assert_allclose([again.centre, again.scale], [null.centre, null.scale], rtol=1e-8)


def test_mixture_is_at_a_maximum_of_its_posterior():
    z, _ = shifted(1500, 0.1, 5, centre=0.0, scale=1.0)
    mixture = fit_mixture(np.sort(z), np.ones(z.size))
    assert mixture.converged

    def log_posterior(share, mean, variance):
        density = sum(w * stats.norm.pdf(z, c, np.sqrt(v)) for w, c, v in zip(share, mean, variance))
        prior = stats.invgamma.logpdf(variance, SHAPE, scale=RATE).sum()
        counted = MEAN_COUNTS > 0
        spread = np.sqrt(variance[counted] / MEAN_COUNTS[counted])
        return np.log(density).sum() + prior + stats.norm.logpdf(mean[counted], PRIOR_MEANS[counted], spread).sum()

    best = log_posterior(mixture.share, mixture.mean, mixture.variance)
    for part in range(3):
        for step in (-1e-3, 1e-3):
            mean, variance, share = mixture.mean.copy(), mixture.variance.copy(), mixture.share.copy()
            mean[part] += step
            assert log_posterior(mixture.share, mean, mixture.variance) < best
            variance[part] *= 1 + step
            assert log_posterior(mixture.share, mixture.mean, variance) < best
            share[part] *= 1 + step
            assert log_posterior(share / share.sum(), mixture.mean, mixture.variance) < best


def test_student_scale_is_the_maximum_of_the_likelihood():
    rng = np.random.default_rng(6)
    df = rng.uniform(3, 30, size=80)
    t = 1.4 * rng.standard_t(df)
    t[3] = np.nan
    ok = np.isfinite(t)

    def loss(log_scale):
        return -stats.t.logpdf(t[ok], df[ok], scale=np.exp(log_scale)).sum()

    brute = np.exp(2 * optimize.minimize_scalar(loss, bounds=(-2, 2), method="bounded", options={"xatol": 1e-10}).x)
    assert_allclose(student_scale2(t[:, None], df), [brute], rtol=1e-6)
    assert_allclose(student_scale2(t[:, None], np.inf), [np.mean(t[ok] ** 2)], rtol=1e-14)


def test_combined_degrees_of_freedom_match_the_second_moment():
    rng = np.random.default_rng(7)
    product = rng.chisquare(9, 400_000) / 9 * rng.chisquare(20, 400_000) / 20
    assert_allclose(2 / product.var(), combined_df(9.0, 20.0), rtol=0.02)


@pytest.mark.parametrize("size", [2, 5, 10, 30])
def test_trimmed_share_against_the_distribution_of_the_largest(size):
    def integrand(y):
        return 2 * y * (1 - (1 - 2 * stats.norm.sf(y)) ** size)

    largest = optimize_quad(integrand)
    assert_allclose(trimmed_share(size), (size - largest) / (size - 1), rtol=1e-9)


def optimize_quad(function):
    from scipy.integrate import quad

    return quad(function, 0, 12, epsabs=1e-13, epsrel=1e-13, limit=400)[0]


@pytest.mark.parametrize("m", [40, 43, 41])
def test_isotonic_variances_by_hand(m):
    rng = np.random.default_rng(m)
    sigma2, effects = rng.chisquare(5, m), rng.normal(size=m)
    order = sorted(range(m), key=lambda i: sigma2[i])
    blocks, dropped = [], set()
    for start in range(0, m, 10):
        members = order[start : start + 10]
        dropped.add(max(members, key=lambda i: effects[i] ** 2))
    for i in order:  # pool adjacent violators
        if i not in dropped:
            blocks.append([effects[i] ** 2, [i]])
            while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
                last = blocks.pop()
                sizes = len(blocks[-1][1]), len(last[1])
                blocks[-1] = [np.average([blocks[-1][0], last[0]], weights=sizes), blocks[-1][1] + last[1]]
    level = {i: value for value, members in blocks for i in members}
    previous = blocks[0][0]
    for i in order:
        previous = level.setdefault(i, previous)
    expected = np.array([level[i] for i in range(m)]) / 0.7
    assert_allclose(isotonic_variances(effects, sigma2, constant=0.7), expected, rtol=1e-12)


def test_equal_variances_have_one_value_that_is_right_on_average():
    rng = np.random.default_rng(8)
    values = [isotonic_variances(2 * rng.normal(size=500), np.ones(500))[0] for _ in range(200)]
    assert abs(np.mean(values) / 4 - 1) < 0.02


def test_normal_scores_keep_probabilities_and_the_order_of_far_tails():
    t = np.array([[-3.0], [0.0], [1e-3], [2.5], [1e6], [1e7], [np.nan]])
    z = normal_scores(t, 7.0)[:, 0]
    assert_allclose(2 * stats.norm.sf(np.abs(z[:4])), 2 * stats.t.sf(np.abs(t[:4, 0]), 7), rtol=1e-10)
    assert z[0] < z[1] < z[2] < z[3] < z[4] < z[5]
    assert np.isnan(z[6])
    assert_allclose(normal_scores(t, np.full(7, 7.0))[:, 0], z, rtol=1e-12)
