"""Quasi-dispersions of generalised linear models: how much more a feature varies than its family says.

The unit deviances of small counts are no chi-square variables: their means are not one, and a group of zeros says
nothing. Here every unit deviance counts by its own mean and variance, so that residual degrees of freedom are those
that the data really have.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.special import gammaln, xlogy

from latentadj.core.glm_newton import GLMBlock
from latentadj.core.matrix import Array

#: Grids of the table of moments: logarithms of means and of dispersions.
MEANS = np.linspace(np.log(1e-5), np.log(1e5), 81)
DISPERSIONS = np.linspace(np.log(1e-4), np.log(32.0), 17)
#: Counts are summed one by one up to here, and beyond it on a grid of so many.
EVERY_COUNT, N_FURTHER = 200, 400
#: Degrees of freedom of a squared residual of successes are at most this.
MAX_SHARE = 4.0
#: Features with fewer degrees of freedom than this say nothing about their scale.
MIN_DF = 0.05
#: Scales are kept above this; a fit without any residual would otherwise have infinite statistics.
MIN_SCALE = 1e-6


def _possible_counts(top: float) -> tuple[Array, Array]:
    """Counts from 0 to beyond `top` and how many counts each of them stands for."""
    further = np.unique(np.round(np.geomspace(EVERY_COUNT, max(top, 2.0 * EVERY_COUNT), N_FURTHER)))
    gaps = np.diff(further)
    shares = np.concatenate([[(1.0 + gaps[0]) / 2.0], (gaps[1:] + gaps[:-1]) / 2.0, [gaps[-1]]])
    return np.concatenate([np.arange(EVERY_COUNT), further]), np.concatenate([np.ones(EVERY_COUNT), shares])


def deviance_moments(mean: float, dispersion: float) -> tuple[float, float]:
    """Mean and variance of the unit deviance of a negative binomial count about its true mean, by summation.

    Examples
    --------
    >>> [round(value, 3) for value in deviance_moments(1000.0, 1e-4)]
    [1.0, 2.001]
    """
    top = mean + 40.0 * np.sqrt(mean * (1.0 + dispersion * mean)) + 40.0 * dispersion * mean + 60.0
    y, shares = _possible_counts(top)
    size, ratio = 1.0 / dispersion, dispersion * mean
    log_density = gammaln(y + size) - gammaln(size) - gammaln(y + 1.0) + xlogy(y, ratio) - (y + size) * np.log1p(ratio)
    density = np.exp(log_density) * shares
    deviance = 2.0 * (xlogy(y, y / mean) - (y + size) * np.log1p(dispersion * (y - mean) / (1.0 + ratio)))
    first = float(density @ deviance / density.sum())
    return first, float(density @ (deviance - first) ** 2 / density.sum())


@cache
def _moment_table() -> tuple[Array, Array]:
    """Logarithms of means and variances of unit deviances on the grids, each ``(n_means, n_dispersions)``."""
    moments = np.array([[deviance_moments(mu, phi) for phi in np.exp(DISPERSIONS)] for mu in np.exp(MEANS)])
    logs = np.log(moments)
    return logs[:, :, 0].copy(), logs[:, :, 1].copy()


def unit_deviance_moments(mu: Array, dispersion: Array) -> tuple[Array, Array]:
    """Means and variances of unit deviances of negative binomial counts, interpolated in a table.

    Parameters
    ----------
    mu : ndarray of shape (n_samples, width)
    dispersion : ndarray of shape (width,)
        0 for Poisson counts.

    Returns
    -------
    mean, variance : ndarray of shape (n_samples, width)

    Notes
    -----
    The table is made once, by `deviance_moments`; between its points logarithms are linear, which is right to 2 %.

    Examples
    --------
    >>> mean, variance = unit_deviance_moments(np.array([[0.01], [1000.0]]), np.zeros(1))
    >>> mean.round(2).ravel(), variance.round(2).ravel()
    (array([0.09, 1.  ]), array([0.52, 2.  ]))
    """
    row, down = _place(np.log(np.maximum(mu, 1e-300)), MEANS)
    column, right = _place(np.log(np.maximum(dispersion, 1e-300)), DISPERSIONS)
    corners = (
        (row, column, (1.0 - down) * (1.0 - right)),
        (row + 1, column, down * (1.0 - right)),
        (row, column + 1, (1.0 - down) * right),
        (row + 1, column + 1, down * right),
    )
    mean, variance = (
        np.exp(sum(table[i, np.broadcast_to(j, i.shape)] * share for i, j, share in corners))
        for table in _moment_table()
    )
    return mean, variance


def _place(values: Array, grid: Array) -> tuple[np.ndarray, Array]:
    """Position of the grid point below each value, and how far it is on the way to the next one, in [0, 1]."""
    steps = np.clip((values - grid[0]) / (grid[1] - grid[0]), 0.0, len(grid) - 1.0)
    lower = np.minimum(steps.astype(np.intp), len(grid) - 2)
    return lower, steps - lower


def quasi_scale(block: GLMBlock, mu: Array) -> tuple[Array, Array]:
    """Quasi-dispersion of every feature and its degrees of freedom.

    Parameters
    ----------
    block : GLMBlock
    mu : ndarray of shape (n_samples, width)
        Fitted means.

    Returns
    -------
    scale, df : ndarray of shape (width,)
        Scale 1 and no degrees of freedom where the residuals say nothing.

    Notes
    -----
    A residual of leverage h has about ``1 - h`` of its mean square. Squared residuals d of mean k1 and variance k2 are
    matched to a multiple of a chi-square of ``v = 2 k1^2 / k2`` degrees of freedom and count by v:
    ``scale = sum(d v / k1) / sum((1 - h) v)``, ``df = sum((1 - h) v)``. Residuals of means about one vary less than
    those of normal data, and their v is above 1, up to 2.8 for counts. For counts d are unit deviances under the
    negative binomial distribution, in the way of Chen, Chen, Lun, Baldoni and Smyth (2025), Nucleic Acids Research
    53:gkaf018; samples whose fitted mean is zero then have v = 0. For shares of successes d are squared Pearson
    residuals, k1 = 1, and the scale is divided by one plus the mean of ``V'(mu) (y - mu) / V(mu)`` (Fletcher 2012,
    Biometrika 99:230).

    Examples
    --------
    >>> from latentadj.core.glm_families import Poisson
    >>> y = np.random.default_rng(0).poisson([[5.0, 0.0]], size=(1000, 2)).astype(float)
    >>> block = GLMBlock(y, np.full((1000, 1), 1000**-0.5), np.zeros(1000), Poisson(), np.zeros(2), np.zeros(1))
    >>> scale, df = quasi_scale(block, np.maximum(y.mean(axis=0), 1e-9) * np.ones((1000, 1)))
    >>> bool(abs(scale[0] - 1) < 0.1), df[1]
    (True, np.float64(0.0))
    """
    left = np.clip(1.0 - block.leverage(mu, _regular_inverse(block, mu)), 0.0, 1.0)
    if block.weights is not None:
        left = np.where(block.weights > 0, left, 0.0)
    squares, share, factor = _squares(block, mu)
    df = (left * share).sum(axis=0)
    total = (squares * share * (left > 0)).sum(axis=0)
    usable = (df >= MIN_DF) & np.isfinite(total)
    scale = np.divide(total * factor, df, out=np.ones_like(df), where=usable)
    return np.maximum(scale, MIN_SCALE), np.where(usable, df, 0.0)


def _squares(block: GLMBlock, mu: Array) -> tuple[Array, Array, Array]:
    """Squared residuals of mean 1 and their degrees of freedom ``(n_samples, width)``, and a factor ``(width,)``."""
    if block.family.name == "binomial":
        return _pearson_squares(block, mu)
    if block.family.name == "gaussian":
        return (block.y - mu) ** 2, np.ones_like(mu), np.ones(mu.shape[1])
    mean, variance = unit_deviance_moments(mu, block.dispersion)
    with np.errstate(invalid="ignore", over="ignore"):
        deviance = block.family.unit_deviance(block.y, mu, block.dispersion)
    return deviance / mean, 2.0 * mean**2 / variance, np.ones(mu.shape[1])


def _pearson_squares(block: GLMBlock, mu: Array) -> tuple[Array, Array, Array]:
    """As `_squares`, for shares of successes: the fourth moment of a binomial count is known."""
    unit = np.maximum(block.family.variance(mu, block.dispersion), 1e-12)
    trials = np.ones_like(mu) if block.weights is None else block.weights
    seen = trials > 0
    residual = np.where(seen, block.y - mu, 0.0)
    excess = np.divide(1.0 / unit - 6.0, trials, out=np.zeros_like(mu), where=seen)
    slope = block.family.variance_slope(mu, block.dispersion) * residual / unit
    mean_slope = slope.sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    share = 2.0 / np.maximum(2.0 + excess, 2.0 / MAX_SHARE)
    return trials * residual**2 / unit, share, 1.0 / np.maximum(1.0 + mean_slope, 0.1)


def _regular_inverse(block: GLMBlock, mu: Array) -> Array:
    """Inverse of the expected information ``(width, d, d)``, with a trace of ridge where it is singular."""
    information = block.expected_information(mu)
    d = information.shape[-1]
    if d == 0:
        return information
    scale = np.maximum(np.einsum("bii->bi", information).max(axis=1), 1e-200)
    return np.asarray(np.linalg.inv(information + 1e-13 * scale[:, None, None] * np.eye(d)))
