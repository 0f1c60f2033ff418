"""Centre and spread of the null distribution, read off the bulk of many test statistics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.polynomial.legendre import leggauss
from scipy.special import ndtr

from latentadj.core.matrix import Array
from latentadj.core.smoothing import natural_spline_basis, natural_spline_knots

#: Bins of the histogram and dimension of the spline through its logarithm.
N_BINS, SPLINE_DF = 120, 7
#: Interquartile range of a standard normal variable.
_NORMAL_IQR = 1.3489795003921634
#: Statistics further out than this many spreads are counted in the last bin.
_HISTOGRAM_REACH = 8.0
_NODES, _WEIGHTS = leggauss(64)
_POWERS = _NODES[None, :] ** np.arange(5)[:, None]


@dataclass(frozen=True, slots=True)
class NullEstimate:
    """A normal null distribution.

    Attributes
    ----------
    centre, scale : float
        Mean and standard deviation; NaN where the bulk has no maximum to read them from.
    pi0 : float
        Share of the statistics that belong to it, at most 1.
    """

    centre: float
    scale: float
    pi0: float

    @property
    def found(self) -> bool:
        """Whether there is an estimate."""
        return bool(np.isfinite(self.centre) and np.isfinite(self.scale))


NOT_FOUND = NullEstimate(np.nan, np.nan, np.nan)


def median_and_spread(z: Array) -> tuple[float, float]:
    """Return the median, and the interquartile range in units of the standard normal one."""
    lower, median, upper = np.quantile(z, [0.25, 0.5, 0.75])
    return float(median), float((upper - lower) / _NORMAL_IQR)


def bulk_half_width(n_statistics: int) -> float:
    """Half the width of the interval taken as null, in spreads: ``4.3 exp(-0.26 log10 m)``, 1 above 500,000.

    Examples
    --------
    >>> round(bulk_half_width(10_000), 3)
    1.52
    """
    return 1.0 if n_statistics > 500_000 else float(4.3 * np.exp(-0.26 * np.log10(n_statistics)))


def empirical_null_likelihood(z: Array, half_width: float | None = None) -> NullEstimate:
    """Fit a truncated normal distribution to the statistics around the median.

    Parameters
    ----------
    z : ndarray of shape (m,)
        Finite statistics on the normal scale.
    half_width : float, optional
        Half the width of the interval in spreads; `bulk_half_width` without it.

    Returns
    -------
    NullEstimate
        `NOT_FOUND` if the statistics do not vary, or their density does not fall off on both sides.

    Notes
    -----
    Efron (2007), section 4. The N0 of N statistics inside ``A = median +- half_width spreads`` are taken as null.
    Their likelihood is that of a normal density cut to A, an exponential family in ``(z, z^2)``: it is concave, and
    Newton steps with moments by Gauss-Legendre quadrature find its one maximum. The share of nulls is then
    ``(N0 / N) / P(A)``.

    Examples
    --------
    >>> z = 0.2 + 1.2 * np.random.default_rng(0).normal(size=20_000)
    >>> null = empirical_null_likelihood(z)
    >>> round(null.centre, 1), round(null.scale, 1), round(null.pi0, 1)
    (0.2, 1.2, 1.0)
    """
    centre, spread = median_and_spread(z)
    if spread <= 0.0:
        return NOT_FOUND
    reach = spread * (bulk_half_width(z.size) if half_width is None else half_width)
    inside = z[np.abs(z - centre) <= reach]
    mean, scale = _truncated_normal((inside - centre) / reach)
    if not np.isfinite(scale):
        return NOT_FOUND
    covered = float(ndtr((1.0 - mean) / scale) - ndtr((-1.0 - mean) / scale))
    pi0 = inside.size / z.size / covered
    return NullEstimate(centre + reach * mean, reach * scale, min(pi0, 1.0))


def _truncated_normal(u: Array) -> tuple[float, float]:
    """Maximum likelihood of mean and standard deviation, for normal values cut to [-1, 1]."""
    target = np.array([np.mean(u), np.mean(u * u)])
    natural = np.array([0.0, -0.5])
    log_constant, moments = _moments(natural)
    for _ in range(100):
        gradient = target - moments[1:3]
        information = moments[[[2, 3], [3, 4]]] - np.outer(moments[1:3], moments[1:3])
        step: Array = np.asarray(np.linalg.solve(information, gradient), dtype=np.float64)
        gain = float(gradient @ step)
        if gain < 1e-24:
            break
        natural, log_constant, moments = _line_search(natural, step, target, log_constant, gain)
    if not natural[1] < 0.0:
        return np.nan, np.nan
    return float(-natural[0] / (2.0 * natural[1])), float(np.sqrt(-0.5 / natural[1]))


def _line_search(
    natural: Array, step: Array, target: Array, log_constant: float, gain: float
) -> tuple[Array, float, Array]:
    """Shorten a Newton step until the log-likelihood rises enough."""
    start = float(natural @ target) - log_constant
    length = 1.0
    while True:
        trial = natural + length * step
        trial_constant, moments = _moments(trial)
        enough = float(trial @ target) - trial_constant >= start + 0.25 * length * gain - 1e-15 * abs(start)
        if enough or length < 1e-8:
            return trial, trial_constant, moments
        length /= 2.0


def _moments(natural: Array) -> tuple[float, Array]:
    """Log normalising constant and moments 0 to 4 of ``exp(a u + b u^2)`` on [-1, 1]."""
    exponent = natural[0] * _POWERS[1] + natural[1] * _POWERS[2]
    top = exponent.max()
    density = _WEIGHTS * np.exp(exponent - top)
    total = density.sum()
    return float(top + np.log(total)), _POWERS @ (density / total)


def empirical_null_matching(z: Array, half_width: float | None = None) -> NullEstimate:
    """Match a normal density to the logarithm of the statistics' density at its centre.

    Parameters
    ----------
    z : ndarray of shape (m,)
        Finite statistics on the normal scale.
    half_width : float, optional
        Half the width of the interval matched, in spreads; the middle half of the statistics without it.

    Returns
    -------
    NullEstimate
        `NOT_FOUND` if the statistics do not vary, or the logarithm does not bend down.

    Notes
    -----
    Efron (2004), section 4. The density is a Poisson regression of the counts in 120 bins on a natural spline
    with 7 degrees of freedom besides the constant; a parabola is fitted to its logarithm over the interval. A
    statistic more than 8 spreads from the median counts in the outermost bin, so that the bins stay narrow.

    Examples
    --------
    >>> z = 0.2 + 1.2 * np.random.default_rng(0).normal(size=20_000)
    >>> null = empirical_null_matching(z)
    >>> round(null.centre, 1), round(null.scale, 1)
    (0.2, 1.2)
    """
    centre, spread = median_and_spread(z)
    if spread <= 0.0:
        return NOT_FOUND
    low, high = np.quantile(z, [0.25, 0.75]) if half_width is None else (
        centre - half_width * spread, centre + half_width * spread
    )  # fmt: skip
    reach = _HISTOGRAM_REACH * spread
    counts, edges = np.histogram(np.clip(z, centre - reach, centre + reach), bins=N_BINS)
    middle = (edges[1:] + edges[:-1]) / 2.0
    log_density = _log_counts(middle, counts.astype(np.float64)) - np.log(z.size * (edges[1] - edges[0]))
    chosen = (middle >= low) & (middle <= high)
    return _matched_parabola(middle[chosen], log_density[chosen], centre, spread)


def _matched_parabola(x: Array, log_density: Array, centre: float, spread: float) -> NullEstimate:
    if x.size < 4:
        return NOT_FOUND
    u = (x - centre) / spread
    bend, slope, level = np.polyfit(u, log_density, 2)
    if not bend < 0.0:
        return NOT_FOUND
    mean, variance = -slope / (2.0 * bend), -0.5 / bend
    peak = level + slope * mean / 2.0
    scale = float(spread * np.sqrt(variance))
    pi0 = float(np.exp(peak) * scale * np.sqrt(2.0 * np.pi))
    return NullEstimate(float(centre + spread * mean), scale, min(pi0, 1.0))


def _log_counts(x: Array, counts: Array) -> Array:
    """Poisson regression of counts on a natural spline, by iteratively re-weighted least squares."""
    basis = np.asarray(np.linalg.qr(natural_spline_basis(x, natural_spline_knots(x, SPLINE_DF + 1)))[0])
    eta = np.log(counts + 0.5)
    deviance = np.inf
    for _ in range(100):
        mu = np.exp(eta)
        root = np.sqrt(mu)
        working = eta + (counts - mu) / mu
        coef = np.linalg.lstsq(basis * root[:, None], working * root, rcond=None)[0]
        eta = np.clip(basis @ coef, -50.0, 50.0)
        previous, deviance = deviance, float(np.sum(np.exp(eta) - counts * eta))
        if abs(previous - deviance) <= 1e-12 * (abs(deviance) + 1.0):
            break
    return eta
