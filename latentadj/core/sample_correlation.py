"""Correlation of samples of the same block (subject, plate), one number for all features.

A feature's block variance has a profile likelihood in one unknown, the correlation. In the eigenvectors of the block
kernel after the design all features share their weights, so that one pass over the data leaves as many numbers per
feature as there are blocks, and the likelihoods of all features are matrix products.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import eigh

from latentadj.core.incomplete_blocks import IncompleteBlocksKernel
from latentadj.core.kernels import RegressionKernel, RegressionSums
from latentadj.core.matrix import Array, FeatureMatrix
from latentadj.core.passes import run_pass
from latentadj.core.regression import DesignBasis, is_constant
from latentadj.core.variance_ratio import profile_maximum
from latentadj.exceptions import DesignError, InputError

__all__ = ["BlockCorrelation", "block_correlation", "block_covariance", "trimmed_mean_correlation"]

#: Correlations stay this far from the values at which the covariance becomes singular.
MARGIN = 0.01


@dataclass(frozen=True, slots=True)
class BlockCorrelation:
    """Correlation within blocks.

    Attributes
    ----------
    correlation : ndarray of shape (n_features,)
        Restricted maximum likelihood estimate of each feature, between ``-1 / (largest block - 1) + 0.01`` and 0.99.
        NaN for features that do not vary or have too few values.
    consensus : float
        One correlation for all features; 0 when none can be estimated.
    estimable : bool
        False when there are no two samples more than blocks, or the design holds the blocks already.
    """

    correlation: Array
    consensus: float
    estimable: bool


@dataclass(frozen=True, slots=True)
class _Rotation:
    """Eigen-decomposition of the block kernel in what the design leaves.

    Attributes
    ----------
    directions : ndarray of shape (n_samples, k)
        Orthonormal, orthogonal to the design.
    eigenvalues : ndarray of shape (k,)
        Above 0.
    n_zero : int
        Residual directions with eigenvalue 0.
    """

    directions: Array
    eigenvalues: Array
    n_zero: int


def block_correlation(
    Y: FeatureMatrix, basis: DesignBasis, blocks: ArrayLike, *, trim: float = 0.15
) -> BlockCorrelation:
    r"""Estimate the correlation of samples within blocks, in one pass over the data.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
        NaN marks missing values; features that have some take a second pass and one decomposition each.
    basis : DesignBasis
        Of the design; `design_basis` makes it.
    blocks : array_like of shape (n_samples,)
        Labels of the blocks.
    trim : float, default 0.15
        Share of the features left out at either end before the consensus is taken.

    Returns
    -------
    BlockCorrelation

    Raises
    ------
    InputError
        A wrong number of labels, or `trim` not in [0, 0.5).
    DesignError
        With fewer than three residual degrees of freedom.

    Notes
    -----
    The model is :math:`y_j = X \beta_j + Z b_j + e_j` with Z the block indicators, and
    :math:`\rho_j = \sigma_b^2 / (\sigma_b^2 + \sigma_e^2)`, allowed to be negative as a covariance (Smyth, Michaud and
    Scott 2005, Bioinformatics 21: 2067-2075). With d the eigenvalues of the block kernel :math:`Z Z'` in the residual
    space and u a feature's residual coordinates there, :math:`u_i^2` has mean
    :math:`s^2 w_i, w_i = 1 + \rho (d_i - 1)`, and minus twice the restricted log-likelihood with s profiled out is
    :math:`N \log \sum u_i^2 / w_i + \sum \log w_i`. It is minimised on a grid and then by safeguarded Newton steps. The
    consensus is the hyperbolic tangent of the trimmed mean of :math:`\mathrm{atanh}\,\rho_j`.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> from latentadj.core.regression import design_basis
    >>> rng = np.random.default_rng(0)
    >>> blocks = np.repeat(np.arange(15), 2)
    >>> Y = rng.normal(size=(15, 2000))[blocks] + rng.normal(size=(30, 2000))
    >>> found = block_correlation(ArrayMatrix(Y), design_basis(np.ones((30, 1))), blocks)
    >>> bool(abs(found.consensus - 0.5) < 0.03)
    True
    """
    indicators = _indicators(blocks, basis.n_samples)
    if not 0.0 <= trim < 0.5:
        raise InputError(f"trim is {trim!r}; it must be at least 0 and below 0.5 (0.15 is the usual value).")
    if basis.n_samples - basis.rank < 3:
        raise DesignError(
            f"{basis.n_samples} samples and a design of rank {basis.rank} leave fewer than three residual degrees of "
            "freedom; a correlation needs more samples or fewer columns."
        )
    rotation, largest = _rotation(basis, indicators), int(indicators.sum(axis=0).max())
    if indicators.shape[1] >= basis.n_samples - 1 or not _identified(rotation):
        return BlockCorrelation(np.zeros(Y.shape[1]), 0.0, False)
    limits = -1.0 / (largest - 1) + MARGIN, 1.0 - MARGIN
    squares = _rotated_squares(Y, basis, rotation)
    correlation = profile_maximum(squares, *_slopes_and_counts(rotation), limits)
    if np.isnan(squares[:, -1]).any():
        incomplete = run_pass(Y, IncompleteBlocksKernel(basis.q, indicators, Y.shape[1], limits))[0]
        correlation = np.where(np.isnan(correlation), incomplete, correlation)
    return BlockCorrelation(correlation, trimmed_mean_correlation(correlation, trim), True)


def block_covariance(blocks: ArrayLike, correlation: float) -> Array:
    """Covariance of samples with a common correlation within blocks and unit variance.

    Parameters
    ----------
    blocks : array_like of shape (n_samples,)
        Labels of the blocks.
    correlation : float
        Above ``-1 / (largest block - 1)``, below 1.

    Returns
    -------
    ndarray of shape (n_samples, n_samples)

    Raises
    ------
    InputError
        If the covariance would not be positive definite.

    Examples
    --------
    >>> block_covariance(["a", "b", "a"], 0.5)
    array([[1. , 0. , 0.5],
           [0. , 1. , 0. ],
           [0.5, 0. , 1. ]])
    """
    indicators = _indicators(blocks, len(np.asarray(blocks)))
    largest = int(indicators.sum(axis=0).max())
    lowest = -1.0 / (largest - 1) if largest > 1 else -1.0
    if not lowest < correlation < 1.0:
        raise InputError(
            f"correlation is {correlation!r}; with blocks of up to {largest} samples it must lie between {lowest:.4g} "
            "and 1."
        )
    covariance: Array = correlation * (indicators @ indicators.T)
    np.fill_diagonal(covariance, 1.0)
    return covariance


def trimmed_mean_correlation(correlation: ArrayLike, trim: float = 0.15) -> float:
    """Hyperbolic tangent of the trimmed mean of the inverse hyperbolic tangents; NaN left out, 0 of none.

    Parameters
    ----------
    correlation : array_like of shape (n_features,)
    trim : float, default 0.15
        Share left out at either end.

    Returns
    -------
    float

    Examples
    --------
    >>> round(trimmed_mean_correlation([0.1, 0.3, float("nan"), 0.2, 0.99], trim=0.25), 6)
    0.250669
    """
    values = np.asarray(correlation, dtype=np.float64)
    z = np.sort(np.arctanh(values[np.isfinite(values)]))
    cut = int(len(z) * trim)
    return float(np.tanh(z[cut : len(z) - cut].mean())) if len(z) else 0.0


def _indicators(blocks: ArrayLike, n_samples: int) -> Array:
    """Block indicators ``(n_samples, n_blocks)``."""
    labels = np.asarray(blocks)
    if labels.shape != (n_samples,):
        raise InputError(f"blocks has shape {labels.shape}; it must be ({n_samples},), one label per sample.")
    names, codes = np.unique(labels, return_inverse=True)
    return np.asarray(np.eye(len(names))[codes], dtype=np.float64)


def _rotation(basis: DesignBasis, indicators: Array) -> _Rotation:
    """Eigenvectors from the small side: blocks by blocks."""
    outside = basis.project_out(basis.project_out(indicators))
    values, vectors = eigh(outside.T @ outside)
    used = values > 1e-10 * indicators.sum(axis=0).max()
    directions = outside @ (vectors[:, used] / np.sqrt(values[used]))
    n_zero = basis.n_samples - basis.rank - int(used.sum())
    return _Rotation(directions, values[used], n_zero)


def _identified(rotation: _Rotation) -> bool:
    """Whether residual directions differ in how much block variance they carry."""
    carried = np.append(rotation.eigenvalues, np.zeros(min(rotation.n_zero, 1)))
    return bool(rotation.eigenvalues.size and np.ptp(carried) > 1e-8)


def _rotated_squares(Y: FeatureMatrix, basis: DesignBasis, rotation: _Rotation) -> Array:
    """Squares ``(n_features, k + 1)`` of the residual coordinates; the last column sums those of eigenvalue 0."""
    columns = np.column_stack([basis.q, rotation.directions])
    kernel = RegressionKernel(columns, Y.shape[1], centred=basis.spans_constant)
    sums: RegressionSums = run_pass(Y, kernel)[0]
    squares = np.column_stack([sums.effects[:, basis.rank :] ** 2, sums.rss])
    if rotation.n_zero == 0:
        squares[:, -1] *= 0.0  # round-off, or missing
    squares[is_constant(sums, basis.n_samples)] = np.nan
    return squares


def _slopes_and_counts(rotation: _Rotation) -> tuple[Array, Array]:
    """Slopes ``d - 1`` and numbers of coordinates ``(k + 1,)`` for `profile_maximum`."""
    count = np.append(np.ones(len(rotation.eigenvalues)), float(rotation.n_zero))
    return np.append(rotation.eigenvalues, 0.0) - 1.0, count
