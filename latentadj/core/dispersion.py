"""Negative binomial dispersions: adjusted profile likelihoods on a grid, a trend, and values shrunken to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, polygamma, xlogy

from latentadj.core.glm_families import NegativeBinomial
from latentadj.core.glm_newton import GLMBlock, fit_block
from latentadj.core.matrix import Array, FeatureMatrix
from latentadj.core.pass_kernel import PassKernel
from latentadj.core.passes import run_pass
from latentadj.core.robust import median_absolute_deviation

#: Dispersions at which profile likelihoods are evaluated.
GRID = np.geomspace(1e-4, 16.0, 22)
#: A feature's vote against a dispersion is cut here (log-likelihood units): outlying features do not make the trend.
MAX_VOTE = 8.0
#: Share of the features that the trend at one level rests on, and how many at least.
TREND_SPAN, TREND_FEATURES = 0.3, 100
N_KNOTS = 24
#: Least prior variance of log dispersions about their trend.
MIN_PRIOR_VARIANCE = 0.25


@dataclass(frozen=True, slots=True)
class DispersionEstimate:
    """Dispersions of all features.

    Attributes
    ----------
    trend : ndarray of shape (n_features,)
        Common dispersion of features of about the same level.
    single : ndarray of shape (n_features,)
        From each feature alone.
    shrunken : ndarray of shape (n_features,)
        Between the two.
    prior_variance : float
        Of the logarithms of the true dispersions about the trend.
    """

    trend: Array
    single: Array
    shrunken: Array
    prior_variance: float


class ProfileKernel(PassKernel):
    """Cox-Reid adjusted profile log-likelihoods of the dispersion on `GRID`, for all features.

    Parameters
    ----------
    columns : ndarray of shape (n_samples, d)
    offset : ndarray of shape (n_samples,)
    n_features : int
    """

    rows = {"profile": 0, "level": 0}

    def __init__(self, columns: Array, offset: Array, n_features: int) -> None:
        self.columns = columns
        self.offset = offset
        self.profile = np.empty((n_features, len(GRID)))
        self.level = np.empty(n_features)

    def update(self, block: Array, columns: slice) -> None:
        """Evaluate the features of one block; values that are missing take no part."""
        seen = np.isfinite(block)
        weights = None if seen.all() else seen.astype(np.float64)
        counts = block if weights is None else np.where(seen, block, 0.0)
        self.profile[columns] = adjusted_profile(counts, self.columns, self.offset, weights)
        adjusted = (counts * np.exp(-self.offset)[:, None]).sum(axis=0)
        self.level[columns] = adjusted / np.maximum(seen.sum(axis=0), 1)

    def result(self) -> tuple[Array, Array]:
        """Return the profiles ``(n_features, n_grid)`` and the mean levels ``(n_features,)``."""
        return self.profile, self.level


def adjusted_profile(y: Array, columns: Array, offset: Array, weights: Array | None = None) -> Array:
    """Adjusted profile log-likelihoods ``(width, n_grid)`` of a block ``(n_samples, width)`` and its weights.

    Notes
    -----
    Cox and Reid (1987): the profile log-likelihood minus half the log determinant of the information about the
    coefficients. From the largest dispersion down, each fit starts from the one before.
    """
    width, d = y.shape[1], columns.shape[1]
    out = np.empty((width, len(GRID)))
    coef = None
    # a trace of ridge keeps features without a finite estimate from wandering; it does not show in the likelihood
    ridge = np.full(d, 1e-6)
    for g in range(len(GRID) - 1, -1, -1):
        block = GLMBlock(y, columns, offset, NegativeBinomial(), np.full(width, GRID[g]), ridge, weights)
        coef = fit_block(block, coef, tol=1e-4, max_iter=25).coef
        mu = block.mean(coef)
        determinant = np.linalg.slogdet(block.expected_information(mu))[1] if d else 0.0
        out[:, g] = block.weighed(_log_likelihood(y, mu, GRID[g])).sum(axis=0) - 0.5 * determinant
    return out


def _log_likelihood(y: Array, mu: Array, phi: float) -> Array:
    size = 1.0 / phi
    out: Array = gammaln(y + size) - gammaln(size) + xlogy(y, phi * mu) - (y + size) * np.log1p(phi * mu)
    return out


def peak(curves: Array) -> Array:
    """Logarithm of the dispersion at which each curve ``(b, n_grid)`` is largest, by a parabola through the top."""
    grid = np.log(GRID)
    top = np.clip(np.argmax(curves, axis=1), 1, len(grid) - 2)
    rows = np.arange(len(curves))
    left, middle, right = (curves[rows, top + i] for i in (-1, 0, 1))
    bend = left - 2 * middle + right
    shift = np.divide(0.5 * (left - right), bend, out=np.sign(right - left), where=bend < 0)
    out: Array = grid[top] + np.clip(shift, -1.0, 1.0) * (grid[1] - grid[0])
    return out


def dispersion_trend(profile: Array, level: Array) -> Array:
    """Dispersion as a smooth function of the level.

    Parameters
    ----------
    profile : ndarray of shape (n_features, n_grid)
    level : ndarray of shape (n_features,)
        Mean counts; features of level 0 take no part and get the trend's lower end.

    Returns
    -------
    ndarray of shape (n_features,)
        Logarithms.

    Notes
    -----
    At each of 24 levels the curves of the nearest features are added up, with weights that fall with the distance,
    and the common dispersion is where the sum is largest; between these levels the trend is a straight line.
    Each curve counts from its own top and at most 8 units down.
    """
    used = level > 0
    if not used.any():
        return np.full(len(level), np.log(GRID[0]))
    x = np.log(level[used])
    curves = profile[used]
    votes = np.maximum(curves - curves.max(axis=1, keepdims=True), -MAX_VOTE)
    knots = np.unique(np.quantile(x, np.linspace(0.0, 1.0, N_KNOTS)))
    heights = peak(_nearness(knots, x) @ votes)
    out = np.full(len(level), heights[0])
    out[used] = np.interp(x, knots, heights)
    return out


def _nearness(knots: Array, x: Array) -> Array:
    """Tricube weights ``(n_knots, m)`` of points, zero beyond the nearest share of them."""
    distance = np.abs(knots[:, None] - x)
    n_near = min(len(x), max(int(TREND_SPAN * len(x)), TREND_FEATURES))
    reach = np.partition(distance, n_near - 1, axis=1)[:, n_near - 1]
    shares = np.minimum(distance / np.maximum(reach * (1 + 1e-9), 1e-6)[:, None], 1.0)
    out: Array = (1.0 - shares**3) ** 3
    return out


def estimate_dispersions(Y: FeatureMatrix, columns: Array, offset: Array) -> DispersionEstimate:
    """Estimate the negative binomial dispersion of every feature, in one pass.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
        Counts.
    columns : ndarray of shape (n_samples, d)
        Orthonormal basis of the design.
    offset : ndarray of shape (n_samples,)

    Returns
    -------
    DispersionEstimate

    Notes
    -----
    The profile likelihoods are those of Cox and Reid, as in McCarthy, Chen and Smyth (2012), Nucleic Acids Research
    40:4288. The logarithms of the true dispersions are taken as normal about the trend with the variance that the
    single estimates show beyond their own error (Love, Huber and Anders 2014, Genome Biology 15:550), and the
    shrunken value is where likelihood times prior is largest.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> rng = np.random.default_rng(0)
    >>> Y = rng.negative_binomial(5, 5 / (5 + 50.0), size=(30, 400)).astype(float)
    >>> found = estimate_dispersions(ArrayMatrix(Y), np.full((30, 1), 30**-0.5), np.zeros(30))
    >>> bool(0.18 < np.median(found.trend) < 0.22)
    True
    """
    profile, level = run_pass(Y, ProfileKernel(columns, offset, Y.shape[1]))[0]
    trend = dispersion_trend(profile, level)
    single = peak(profile)
    df = max(columns.shape[0] - columns.shape[1], 1)
    variance = _prior_variance(single - trend, level > 0, df)
    prior = -0.5 * (np.log(GRID) - trend[:, None]) ** 2 / variance
    return DispersionEstimate(np.exp(trend), np.exp(single), np.exp(peak(profile + prior)), variance)


def _prior_variance(deviations: Array, used: NDArray[np.bool_], df: int) -> float:
    """Variance of log dispersions beyond the error of their estimates, from the inner features."""
    inner = deviations[used & (np.abs(deviations) < 4.0)]
    if inner.size == 0:
        return MIN_PRIOR_VARIANCE
    error = float(polygamma(1, df / 2))
    return max(median_absolute_deviation(inner) ** 2 - error, MIN_PRIOR_VARIANCE)
