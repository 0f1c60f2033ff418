"""Normalization factors: what a sample's library size is multiplied by so that its composition counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from latentadj.core.matrix import Array, ArrayMatrix
from latentadj.core.passes import run_pass
from latentadj.core.size_factors import LogMeanKernel
from latentadj.exceptions import InputError

#: A sample whose log-ratios to the reference are all below this has the reference's composition.
SAME_COMPOSITION = 1e-6


@dataclass(frozen=True, slots=True)
class TrimmedMeanOptions:
    """How much the trimmed mean of M-values leaves out.

    Attributes
    ----------
    ratio_trim : float
        Share of the features at either end of the log-ratios M.
    level_trim : float
        Share of the features at either end of the log-levels A.
    least_level : float
        Features with A at or below this take no part.
    weighted : bool
        Weigh by the inverse of the log-ratios' approximate variances, or alike.
    """

    ratio_trim: float = 0.3
    level_trim: float = 0.05
    least_level: float = -1e10
    weighted: bool = True


def to_unit_geometric_mean(values: Array) -> Array:
    """Divide positive values by their geometric mean.

    Examples
    --------
    >>> to_unit_geometric_mean(np.array([1.0, 4.0]))
    array([0.5, 2. ])
    """
    out: Array = values / np.exp(np.log(values).mean())
    return out


def effective_library_sizes(library_sizes: Array, size_factors: Array) -> Array:
    """Library sizes with the ratios of the size factors and the geometric mean of the library sizes.

    Parameters
    ----------
    library_sizes, size_factors : ndarray of shape (n_samples,)
        Above 0; of the factors only the ratios matter.

    Returns
    -------
    ndarray of shape (n_samples,)

    Notes
    -----
    For size factors made of library sizes and normalization factors with geometric mean one, this is their product.

    Examples
    --------
    >>> effective_library_sizes(np.array([100.0, 400.0]), np.array([3.0, 3.0]))
    array([200., 200.])
    """
    out: Array = to_unit_geometric_mean(size_factors) * np.exp(np.log(library_sizes).mean())
    return out


def sample_quantiles(counts: Array, probability: float) -> Array:
    """Quantile of every sample's counts over the features that have counts in some sample, ``(n_samples,)``."""
    expressed = counts.any(axis=0)
    return np.array([np.quantile(row[expressed], probability) for row in counts])


def upper_quartile_factors(counts: Array, library_sizes: Array, *, probability: float = 0.75) -> Array:
    """Normalization factors by a quantile of each sample's share of counts.

    Parameters
    ----------
    counts : ndarray of shape (n_samples, n_features)
    library_sizes : ndarray of shape (n_samples,)
    probability : float, default=0.75

    Returns
    -------
    ndarray of shape (n_samples,)
        Geometric mean one.

    Raises
    ------
    InputError
        If the quantile of a sample is zero.

    Notes
    -----
    Bullard, Purdom, Hansen and Dudoit (2010), BMC Bioinformatics 11:94. Features without any count take no part.

    Examples
    --------
    >>> counts = np.array([[0.0, 2, 2, 6], [0, 2, 2, 16]])
    >>> upper_quartile_factors(counts, counts.sum(axis=1), probability=0.5)
    array([1.41421356, 0.70710678])
    """
    quantiles = sample_quantiles(counts, probability)
    if (quantiles <= 0).any():
        raise InputError(
            f"The {probability:g} quantile of the counts is zero in {np.sum(quantiles <= 0)} of {len(quantiles)} "
            "samples. Leave out features of low level first, use method='tmm', or leave out these samples."
        )
    return to_unit_geometric_mean(quantiles / library_sizes)


def ratio_to_geometric_means(counts: Array, *, of_logarithms: bool = False) -> Array:
    """Median over features of the ratio of a sample's count to the feature's geometric mean.

    Parameters
    ----------
    counts : ndarray of shape (n_samples, n_features)
    of_logarithms : bool, default=False
        Take the median of the logarithms; for an even number of features this averages the two middle ratios
        geometrically.

    Returns
    -------
    ndarray of shape (n_samples,)
        Size factors: depth is part of them.

    Raises
    ------
    InputError
        If every feature has a zero in some sample.

    Notes
    -----
    Anders and Huber (2010), Genome Biology 11:R106, equation 5; all features without a zero take part.

    Examples
    --------
    >>> ratio_to_geometric_means(np.outer([1.0, 4.0], [3.0, 5.0, 900.0]))
    array([0.5, 2. ])
    """
    log_mean = run_pass(ArrayMatrix(counts), LogMeanKernel(counts.shape[1]))[0]
    usable = np.isfinite(log_mean)
    if not usable.any():
        raise InputError(
            "Every feature has a zero in some sample, so that no geometric mean is above zero. Use method='tmm', or "
            "leave out samples with few counts."
        )
    centre = log_mean[usable]
    if of_logarithms:
        return np.array([np.exp(np.median(np.log(row[usable]) - centre)) for row in counts])
    means = np.exp(centre)
    return np.array([np.median(row[usable] / means) for row in counts])


def relative_log_factors(counts: Array, library_sizes: Array) -> Array:
    """Normalization factors by ratios to geometric means, shape (n_samples,), geometric mean one.

    Examples
    --------
    >>> counts = np.array([[10.0, 10, 10, 70], [10, 10, 10, 20]])
    >>> relative_log_factors(counts, counts.sum(axis=1)).round(4)
    array([0.7071, 1.4142])
    """
    return to_unit_geometric_mean(ratio_to_geometric_means(counts) / library_sizes)


def reference_sample(counts: Array, library_sizes: Array) -> int:
    """Position of the sample whose upper quartile, as a share of its library, is nearest to the mean of all.

    When half of the upper quartiles are zero, it is the sample with the largest sum of square roots of counts.
    """
    shares = sample_quantiles(counts, 0.75) / library_sizes
    if np.median(shares) < 1e-20:
        return int(np.argmax([np.sqrt(row).sum() for row in counts]))
    return int(np.argmin(np.abs(shares - shares.mean())))


def trimmed_mean_factors(
    counts: Array,
    library_sizes: Array,
    *,
    reference: int | None = None,
    options: TrimmedMeanOptions | None = None,
) -> Array:
    """Normalization factors by trimmed means of log-ratios to one reference sample.

    Parameters
    ----------
    counts : ndarray of shape (n_samples, n_features)
    library_sizes : ndarray of shape (n_samples,)
        Above 0.
    reference : int, optional
        Position of the reference; by default the choice of :func:`reference_sample`.
    options : TrimmedMeanOptions, optional

    Returns
    -------
    ndarray of shape (n_samples,)
        Geometric mean one.

    Notes
    -----
    Robinson and Oshlack (2010), Genome Biology 11:R25. For a feature with shares p (sample) and r (reference),
    M = log2(p / r) and A = log2(p r) / 2; features that are zero in either have no M. Those whose ranks of M or of A
    are among the outer ones are left out and the others averaged with the inverse of M's variance by the delta
    method. The shares of nearly all features must agree between samples, or differ symmetrically.

    Examples
    --------
    >>> counts = np.tile(np.arange(1.0, 101.0), (2, 1))
    >>> counts[1, -1] = 5150.0  # one feature takes half of the second library
    >>> trimmed_mean_factors(counts, counts.sum(axis=1)).round(4)
    array([1.4142, 0.7071])
    """
    options = options or TrimmedMeanOptions()
    chosen = reference_sample(counts, library_sizes) if reference is None else reference
    other, size = counts[chosen], float(library_sizes[chosen])
    log_factors = np.array(
        [trimmed_mean_ratio(row, other, float(total), size, options) for row, total in zip(counts, library_sizes)]
    )
    out: Array = np.exp2(log_factors - log_factors.mean())
    return out


def trimmed_mean_ratio(
    sample: Array, other: Array, size: float, other_size: float, options: TrimmedMeanOptions
) -> float:
    """Trimmed mean of log2 ratios of two samples' shares ``(n_features,)``; 0 where no feature is left."""
    usable = (sample > 0) & (other > 0)
    share, other_share = sample[usable] / size, other[usable] / other_size
    ratio = np.log2(share / other_share)
    level = (np.log2(share) + np.log2(other_share)) / 2.0
    high = level > options.least_level
    ratio, level = ratio[high], level[high]
    if ratio.size == 0 or np.abs(ratio).max() < SAME_COMPOSITION:
        return 0.0
    kept = _inner(ratio, options.ratio_trim) & _inner(level, options.level_trim)
    if not kept.any():
        return 0.0
    if not options.weighted:
        return float(ratio[kept].mean())
    variance = (1.0 - share) / sample[usable] + (1.0 - other_share) / other[usable]
    return _weighted_mean(ratio[kept], variance[high][kept])


def _inner(values: Array, trim: float) -> np.ndarray:
    """Values whose rank, ties averaged, is not among the lowest or highest ``floor(trim * n)``."""
    lowest = np.floor(values.size * trim) + 1.0
    rank = rankdata(values)
    return np.asarray((rank >= lowest) & (rank <= values.size + 1.0 - lowest))


def _weighted_mean(values: Array, variance: Array) -> float:
    """Mean by inverse variances; the plain one where a given library size is below a count of the sample."""
    if (variance <= 0).any():
        return float(values.mean())
    weights = 1.0 / variance
    return float(values @ weights / weights.sum())
