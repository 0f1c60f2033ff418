"""Precision weights of log counts from the trend of their residual spread over their level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from latentadj.core.counts import MILLION, LogCounts
from latentadj.core.lowess import lowess
from latentadj.core.matrix import Array, FeatureMatrix, _Blocked
from latentadj.core.pass_kernel import PassKernel
from latentadj.core.passes import run_pass
from latentadj.core.regression import DesignBasis, design_basis, design_pass
from latentadj.core.whitening import WhitenedMatrix, Whitening
from latentadj.exceptions import DegreesOfFreedomError, InputError

#: Added to every count before the logarithm is taken; twice this is added to the library sizes.
PRIOR = 0.5


class PresentKernel(PassKernel):
    """Which features have any count.

    Parameters
    ----------
    n_features : int
    """

    rows = {"present": 0}

    def __init__(self, n_features: int) -> None:
        self.present = np.empty(n_features, dtype=bool)

    def update(self, block: Array, columns: slice) -> None:
        """Look at one block's features."""
        self.present[columns] = (block > 0).any(axis=0)

    def result(self) -> np.ndarray:
        """Return the mask ``(n_features,)``."""
        return self.present


@dataclass(frozen=True, slots=True)
class VoomTrend:
    """Spread of log counts as a function of their level.

    Attributes
    ----------
    level : ndarray of shape (n_points,)
        log2 counts, strictly increasing.
    spread : ndarray of shape (n_points,)
        Square root of the residual standard deviation of log2 counts at each level, above 0.
    """

    level: Array
    spread: Array

    def weights(self, levels: Array) -> Array:
        """Inverse variances at log2 counts of any shape: linear interpolation, constant beyond the ends.

        Examples
        --------
        >>> VoomTrend(np.array([1.0, 3.0]), np.array([1.0, 0.5])).weights(np.array([0.0, 3.0, 9.0]))
        array([ 1., 16., 16.])
        """
        squared = np.interp(levels, self.level, self.spread) ** 2
        out: Array = 1.0 / (squared * squared)
        return out


@dataclass(frozen=True)
class VoomWeights(_Blocked):
    """Precision weights of log counts per million, made block by block.

    Parameters
    ----------
    trend : VoomTrend
    basis : ndarray of shape (n_samples, rank)
        Orthonormal basis of the design.
    effects : ndarray of shape (n_features, rank)
        Coordinates of the log counts per million in it.
    log_depth : ndarray of shape (n_samples,)
        What turns log2 counts per million into log2 counts.

    Examples
    --------
    >>> trend = VoomTrend(np.array([1.0, 3.0]), np.array([1.0, 0.5]))
    >>> VoomWeights(trend, np.full((4, 1), 0.5), np.array([[2.0]]), np.arange(4.0)).read(slice(0, 1)).T.round(2)
    array([[ 1.  ,  3.16, 16.  , 16.  ]])
    """

    trend: VoomTrend
    basis: Array
    effects: Array
    log_depth: Array
    reads = {"effects": 0}

    @property
    def shape(self) -> tuple[int, int]:
        """``(n_samples, n_features)``."""
        return self.basis.shape[0], self.effects.shape[0]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Always float64."""
        return np.dtype(np.float64)

    def read(self, columns: slice) -> Array:
        """Return the weights of the block."""
        fitted = self.basis @ self.effects[columns].T
        return self.trend.weights(fitted + self.log_depth[:, None])


@dataclass(frozen=True)
class VoomFit:
    """Log counts per million with their precision weights; both are lazy.

    Attributes
    ----------
    logs : LogCounts of shape (n_samples, n_features)
    weights : VoomWeights of shape (n_samples, n_features)
    trend : VoomTrend
    level, spread : ndarray of shape (n_features,)
        Average log2 count and square root of the residual standard deviation of each feature: the points that the
        trend runs through, features without any count left out.
    present : ndarray of bool, shape (n_features,)
        Features with any count.
    """

    logs: LogCounts
    weights: VoomWeights
    trend: VoomTrend
    level: Array
    spread: Array
    present: np.ndarray


def voom_fit(
    Y: FeatureMatrix,
    basis: DesignBasis,
    library_sizes: Array,
    *,
    span: float = 0.5,
    whitening: Whitening | None = None,
) -> VoomFit:
    """Estimate the trend of spread over level and make the weights of all values from it.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
        Counts.
    basis : DesignBasis
        The whole design, factors included.
    library_sizes : ndarray of shape (n_samples,)
        Effective library sizes, above 0.
    span : float, default=0.5
        Share of the features in each neighbourhood of the smoother.
    whitening : Whitening, optional
        Noise variances of the samples, or their covariance, beside the trend.

    Returns
    -------
    VoomFit

    Raises
    ------
    DegreesOfFreedomError
        If the design leaves no residual degrees of freedom.
    InputError
        If fewer than two features have counts, or the trend reaches zero.

    Notes
    -----
    Law, Chen, Shi and Smyth (2014), Genome Biology 15:R29. Log counts per million are fitted without weights; the
    square roots of the residual standard deviations are smoothed (lowess, three robust iterations) over the average log
    counts; and the weight of a value is the trend at its fitted log count to the power of -4. The trend belongs to the
    design: with other columns, such as estimated factors, it has to be estimated again.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> from latentadj.core.regression import design_basis
    >>> counts = np.random.default_rng(0).poisson(np.geomspace(5, 500, 300), size=(8, 300))
    >>> model = voom_fit(ArrayMatrix(counts), design_basis(np.ones((8, 1))), counts.sum(axis=1))
    >>> weights = model.weights.read(slice(0, 300)).mean(axis=0)
    >>> bool(weights[-1] > 30 * weights[0])  # the variance of log counts falls with the count
    True
    """
    if basis.rank >= basis.n_samples:
        raise DegreesOfFreedomError(
            f"The design has {basis.rank} independent columns for {basis.n_samples} samples; nothing is left to see "
            "the spread of the counts in. Take columns or factors out."
        )
    logs = LogCounts(Y, library_sizes, PRIOR)
    mean, fitted = _unweighted(logs, basis, whitening)
    log_depth = np.log2((library_sizes + 2.0 * PRIOR) / MILLION)
    level = mean + log_depth.mean()
    spread = (np.maximum(fitted.rss, 0.0) / (basis.n_samples - basis.rank)) ** 0.25
    present = run_pass(Y, PresentKernel(Y.shape[1]))[0]
    trend = fit_trend(level[present], spread[present], span)
    weights = VoomWeights(trend, fitted.basis, fitted.effects, log_depth)
    return VoomFit(logs, weights, trend, level, spread, present)


@dataclass(frozen=True)
class _Unweighted:
    """Fits without observation weights: fitted values are ``basis @ effects.T``."""

    basis: Array
    effects: Array
    rss: Array


def _unweighted(logs: LogCounts, basis: DesignBasis, whitening: Whitening | None) -> tuple[Array, _Unweighted]:
    """Means of the features, and their fits, by generalised least squares where there is a whitening."""
    sums = design_pass(logs, basis)
    if whitening is None:
        return sums.mean, _Unweighted(basis.q, sums.effects, sums.rss)
    mapped = design_basis(whitening.apply(basis.q))
    again = design_pass(WhitenedMatrix(logs, whitening), mapped)
    return sums.mean, _Unweighted(whitening.undo(mapped.q), again.effects, again.rss)


def fit_trend(level: Array, spread: Array, span: float) -> VoomTrend:
    """Smooth the features' spread over their level.

    Parameters
    ----------
    level, spread : ndarray of shape (n_features,)
    span : float

    Returns
    -------
    VoomTrend

    Raises
    ------
    InputError
        If there are fewer than two features, or the trend is not above zero everywhere.

    Examples
    --------
    >>> level = np.linspace(0.0, 9.0, 50)
    >>> line = 1.0 - 0.05 * level
    >>> trend = fit_trend(level, line + 0.01 * np.random.default_rng(0).normal(size=50), 0.5)
    >>> bool(np.abs(trend.spread - line).max() < 0.02)
    True
    """
    if level.size < 2:
        raise InputError(f"Only {level.size} feature(s) have counts; a trend needs at least two, better hundreds.")
    smooth = lowess(level, spread, span=span)
    points, first = np.unique(level, return_index=True)
    if not (smooth > 0).all():
        raise InputError(
            "The trend of the residual spread over the level reaches zero, and weights would be infinite: many "
            "features do not vary about the design. Leave out features with few counts (filter_by_expression), or "
            "raise span=."
        )
    return VoomTrend(points, smooth[first])
