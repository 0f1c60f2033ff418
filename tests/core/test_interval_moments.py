"""Truncated t and normal variables against numerical integration, out into the tails."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import integrate, stats

from latentadj.core.interval_moments import density_slopes, interval_moments, log_density, log_interval_mass

DFS = [0.7, 1.0, 1.7, 2.0, 2.4, 3.0, 5.0, 64.0, 1e4, np.inf]
INTERVALS = [(-1, 2), (0, 0.1), (3, 3.3), (2, 9), (-9, -1), (-4, -3.9), (10, 10.2), (-20, 60), (-0.3, 0.3), (0, 40)]


def distribution(df):
    return stats.norm() if np.isinf(df) else stats.t(df)


def by_quadrature(f, lo, hi):
    kink = [0.0] if lo < 0 < hi else None
    return integrate.quad(f, lo, hi, epsabs=0, epsrel=1e-12, points=kink, limit=400)[0]


@pytest.mark.filterwarnings("ignore::scipy.integrate.IntegrationWarning")
@pytest.mark.parametrize("df", DFS)
@pytest.mark.parametrize(("lo", "hi"), INTERVALS)
def test_against_quadrature(df, lo, hi):
    """Densities are divided by their largest value, so that quadrature itself has no underflow."""
    d = distribution(df)
    top = float(np.max(d.logpdf([lo, hi, np.clip(0.0, lo, hi)])))

    def density(t):
        return np.exp(d.logpdf(t) - top)

    mass = by_quadrature(density, lo, hi)
    centre = 0.5 * (lo + hi)
    mean = centre + by_quadrature(lambda t: (t - centre) * density(t) + density(t), lo, hi) / mass - 1.0
    variance = by_quadrature(lambda t: (t - mean) ** 2 * density(t), lo, hi) / mass
    found_mean, found_variance = interval_moments(np.array([lo]), np.array([hi]), np.array(df))
    assert_allclose(log_interval_mass(np.array([lo]), np.array([hi]), np.array(df)), np.log(mass) + top, atol=1e-10)
    assert_allclose(found_mean, mean, rtol=1e-9, atol=1e-10)
    assert_allclose(found_variance, variance, rtol=1e-7)


def test_far_out_nothing_underflows():
    lo, hi = np.array([100.0, -201.0, 500.0]), np.array([101.0, -200.0, 500.001])
    mass = log_interval_mass(lo, hi, np.array(np.inf))
    assert_allclose(mass, [-5005.524, -20006.2174, -125000 - np.log(1000) - 0.9189 - 0.25], rtol=2e-5)
    mean, variance = interval_moments(lo, hi, np.array(np.inf))
    assert_allclose(mean[:2], [100.01, -200.005], rtol=1e-5)
    assert np.all(variance > 0)


def test_reflection():
    lo, hi, df = np.array([-2.0, 0.5]), np.array([7.0, 30.0]), np.array([3.0, 40.0])
    mean, variance = interval_moments(lo, hi, df)
    reflected_mean, reflected_variance = interval_moments(-hi, -lo, df)
    assert_allclose(reflected_mean, -mean, rtol=1e-14)
    assert_allclose(reflected_variance, variance, rtol=1e-14)
    assert_allclose(log_interval_mass(-hi, -lo, df), log_interval_mass(lo, hi, df), rtol=1e-14)


@pytest.mark.parametrize("df", [0.5, 4.0, 1e7, 1e12, np.inf])
def test_density_and_its_derivatives(df):
    t = np.linspace(-6, 6, 25)
    assert_allclose(log_density(t, np.array(df)), distribution(df).logpdf(t), rtol=1e-7)
    first, second = density_slopes(t, np.array(df))
    h = 1e-4
    below, above = (log_density(t + step, np.array(df)) for step in (-h, h))
    middle = log_density(t, np.array(df))
    assert_allclose(first, (above - below) / (2 * h), atol=1e-6)
    assert_allclose(second - first**2, (above - 2 * middle + below) / h**2, atol=1e-5)
