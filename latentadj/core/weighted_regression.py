"""Least squares with a weight for every observation, or with missing values: a fit of its own for every feature.

In a basis that is orthonormal when all samples are there, the design of a feature's own observations is close to
orthonormal too, and its Gram matrix is safe to invert. Features that miss the same samples share it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from latentadj.core.correlated_regression import CorrelatedRegressionKernel
from latentadj.core.correlated_sums import CorrelatedSumsKernel
from latentadj.core.feature_fits import FeatureFits
from latentadj.core.feature_grams import (
    both_triangles,
    distinct_columns,
    inverse_grams,
    multiplied,
    patterns_of,
    upper_products,
)
from latentadj.core.matrix import Array, FeatureMatrix, FeatureSubset
from latentadj.core.observed_sums import ObservedSums, ObservedSumsKernel
from latentadj.core.passes import run_pass
from latentadj.core.regression import DesignBasis, RegressionFit, design_basis
from latentadj.core.row_regression import RowRegressionKernel
from latentadj.core.stacked_bases import Rows, StackedBases, bases_of_stack, stacked_bases
from latentadj.core.whitening import Whitening
from latentadj.exceptions import InputError

__all__ = ["StackedBases", "bases_of_stack", "fit_weighted_regression", "stacked_bases"]

#: Up to this condition of its Gram matrix a feature is fitted by that; others are fitted by QR of their rows.
WELL_CONDITIONED = 1e4
#: Below this share of the total the residual sum of squares is formed from explicit residuals.
CANCELLATION = 1e-3
#: Features solved at a time, where most have a Gram matrix of their own; else four times as many.
_CHUNK = 1024


def fit_weighted_regression(
    Y: FeatureMatrix, design: Array, weights: FeatureMatrix | None = None, whitening: Whitening | None = None
) -> RegressionFit:
    """Fit one design to every feature, with weights of observations or missing values, in one pass.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
        NaN marks missing values.
    design : ndarray of shape (n_samples, d)
    weights : FeatureMatrix of shape (n_samples, n_features), optional
        Proportional to one over the noise variance of each observation; 0 or NaN leaves it out.
    whitening : Whitening, optional
        Weights of the samples, or the noise covariance V of a feature's samples up to a factor. `Y` and `design` are
        given as they were before that map.

    Returns
    -------
    RegressionFit
        `df_resid` and `n_obs` have shape (n_features,), `cov_unscaled` (n_features, d, d). Coefficients that the
        observations of a feature cannot tell are NaN; of columns that depend on each other the later ones. `mean` is
        the plain mean of the observations used.

    Raises
    ------
    InputError
        If shapes do not fit, or a weight is negative or infinite.

    Notes
    -----
    Generalised least squares (Aitken 1935), feature by feature, on the samples that were observed: the noise
    covariance of feature j is ``D^-1/2 V D^-1/2`` restricted to those, D holding its observation weights. A contrast's
    variance comes from the feature's own covariance, so that contrasts are exact.

    With independent samples, and F the design made orthonormal for all of them, a feature's ``F'WF`` is inverted where
    its condition is below 1e4, which costs at most four of sixteen digits. Features for which it is not, or whose
    residual sum of squares would lose more than three digits, are read again and fitted by Householder QR of their own
    rows. Columns that a feature's samples cannot tell apart are set aside from the right, for that feature only.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> Y = np.array([[1.0, 1.0], [2.0, np.nan], [4.0, 4.0], [5.0, 6.0]])
    >>> X = np.column_stack([np.ones(4), [0.0, 0.0, 1.0, 1.0]])
    >>> fit = fit_weighted_regression(ArrayMatrix(Y), X)
    >>> fit.coef.round(12), fit.df_resid
    (array([[1.5, 3. ],
           [1. , 4. ]]), array([2., 1.]))
    """
    _check_shapes(Y, design, weights, whitening)
    if whitening is not None and whitening.transform.ndim == 2:
        return _fit_correlated(Y, design, weights, whitening)
    factors = np.ones(len(design)) if whitening is None else whitening.transform
    return _fit_independent(Y, design, weights, factors)


def _check_shapes(Y: FeatureMatrix, design: Array, weights: FeatureMatrix | None, whitening: Whitening | None) -> None:
    if design.ndim != 2 or design.shape[0] != Y.shape[0]:
        raise InputError(f"design has shape {design.shape}; it must have {Y.shape[0]} rows, one per sample.")
    if weights is not None and weights.shape != Y.shape:
        raise InputError(
            f"weights have shape {weights.shape}; they must be {Y.shape}, samples by features. For one weight per "
            "sample use Whitening.from_weights."
        )
    if whitening is not None and whitening.n_samples != Y.shape[0]:
        raise InputError(
            f"The whitening is for {whitening.n_samples} samples and the data have {Y.shape[0]}. Give the map of "
            "these samples."
        )


def _fit_independent(Y: FeatureMatrix, design: Array, weights: FeatureMatrix | None, factors: Array) -> RegressionFit:
    """Fit features whose observations are independent."""
    scaled = design_basis(design * factors[:, None])
    constant = scaled.q.T @ factors
    centred = bool(np.linalg.norm(factors - scaled.q @ constant) < 1e-8 * np.linalg.norm(factors))
    kernel = ObservedSumsKernel(scaled.q, Y.shape[1], weights, factors, centred=centred)
    sums: ObservedSums = run_pass(Y, kernel)[0]
    fits = FeatureFits(design.shape[1], kernel.n_obs, kernel.mean, kernel.constant)
    left = _GramFits(scaled, constant, sums, fits).solve()
    if left.size:
        own = None if weights is None else FeatureSubset(weights, left)
        run_pass(FeatureSubset(Y, left), RowRegressionKernel(design, fits, left, scaled.kept, own, factors))
    return fits.fit()


def _fit_correlated(
    Y: FeatureMatrix, design: Array, weights: FeatureMatrix | None, whitening: Whitening
) -> RegressionFit:
    """Fit features whose samples are correlated."""
    if weights is not None:
        fits = _blank(design.shape[1], Y.shape[1])
        run_pass(Y, CorrelatedRegressionKernel(design, whitening, weights, fits, np.arange(Y.shape[1])), wider=8)
        return fits.fit()
    basis, level = design_basis(whitening.apply(design)), whitening.apply(np.ones((len(design), 1)))[:, 0]
    constant = basis.q.T @ level
    centred = bool(np.linalg.norm(level - basis.q @ constant) < 1e-8 * np.linalg.norm(level))
    kernel = CorrelatedSumsKernel(basis.q, Y.shape[1], whitening, centred=centred)
    sums: ObservedSums = run_pass(Y, kernel, wider=8)[0]
    fits = FeatureFits(design.shape[1], kernel.n_obs, kernel.mean, kernel.constant)
    left = _GramFits(basis, constant, sums, fits).solve()
    if left.size:
        run_pass(FeatureSubset(Y, left), CorrelatedRegressionKernel(design, whitening, None, fits, left), wider=8)
    return fits.fit()


def _blank(n_columns: int, n_features: int) -> FeatureFits:
    nothing = np.zeros(n_features)
    return FeatureFits(n_columns, np.zeros(n_features, dtype=np.intp), nothing, nothing.astype(bool))


@dataclass(frozen=True)
class _GramFits:
    """Fits from the sums of one pass.

    Parameters
    ----------
    basis : DesignBasis
        Of the design, rows scaled by the samples' root weights.
    constant : ndarray of shape (rank,)
        Coordinates of the constant.
    sums : ObservedSums
    fits : FeatureFits
        Written to.
    """

    basis: DesignBasis
    constant: Array
    sums: ObservedSums
    fits: FeatureFits

    def solve(self) -> Rows:
        """Write the fits; return the features, increasing, for which they are not accurate."""
        n_features = len(self.sums.squares)
        shared = len(self.sums.patterns) > 0
        order, group = distinct_columns(self.sums.patterns) if shared else (np.arange(n_features),) * 2
        accurate = np.zeros(n_features, dtype=bool)
        width = _CHUNK if not n_features or group[-1] > n_features // 4 else 4 * _CHUNK
        for start in range(0, n_features, width):
            chunk = slice(start, start + width)
            accurate[order[chunk]] = self._solve_some(order[chunk], group[chunk])
        return np.flatnonzero(~accurate)

    def _solve_some(self, features: Rows, group: Rows) -> NDArray[np.bool_]:
        """Fit some features, equal groups side by side; return where that is accurate."""
        starts = np.concatenate([[0], np.flatnonzero(np.diff(group)) + 1])
        inverse, condition = inverse_grams(self._grams(features[starts]))
        member, effects = group - group[0], self.sums.effects[features]
        with np.errstate(all="ignore"):
            found = multiplied(effects, inverse, starts)
            squares = self.sums.squares[features]
            rss = squares - np.einsum("br,br->b", effects, found)
            found += self.sums.shift[features, None] * self.constant
            coef, cov_unscaled = found @ self.r_inverse.T, self._covariances(inverse)[member]
            self.fits.write(features, self.basis.kept, coef, cov_unscaled, np.maximum(rss, 0.0))
        return np.asarray((condition[member] <= WELL_CONDITIONED) & (rss >= CANCELLATION * squares))

    def _grams(self, features: Rows) -> Array:
        """Gram matrices ``(r, r, b)``."""
        if len(self.sums.grams):
            return both_triangles(self.sums.grams[:, features], self.basis.rank)
        observed = patterns_of(self.sums.patterns[:, features], self.basis.n_samples)
        return both_triangles(self._products @ observed, self.basis.rank)

    @cached_property
    def _products(self) -> Array:
        return upper_products(self.basis.q).T

    @cached_property
    def r_inverse(self) -> Array:
        """Coefficients of the design's columns from coordinates in its basis."""
        return self.basis.r_inverse

    def _covariances(self, inverse: Array) -> Array:
        """Unscaled covariances ``(u, r, r)`` of coefficients from inverse Gram matrices ``(r, r, u)``."""
        r, _, u = inverse.shape
        left = (self.r_inverse @ inverse.reshape(r, r * u)).reshape(r, r, u)
        return np.ascontiguousarray(np.matmul(self.r_inverse, left).transpose(2, 0, 1))
