"""Least squares with a weight for every observation, or with missing values: a fit of its own for every feature.

In a basis that is orthonormal when all samples are there, the design of a feature's own observations is close to
orthonormal too. Its Gram matrix is then safe to invert, and comes for a whole block of features from one product.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from latentadj.core.correlated_regression import CorrelatedRegressionKernel
from latentadj.core.feature_fits import FeatureFits, checked_weights, level, observed
from latentadj.core.feature_grams import distinct_columns, inverse_grams, weighted_grams
from latentadj.core.matrix import Array, FeatureMatrix
from latentadj.core.passes import run_pass
from latentadj.core.regression import RegressionFit, design_basis
from latentadj.core.stacked_bases import Rows, StackedBases, bases_of_stack, stacked_bases
from latentadj.core.whitening import Whitening
from latentadj.exceptions import InputError

__all__ = ["StackedBases", "WeightedRegressionKernel", "bases_of_stack", "fit_weighted_regression", "stacked_bases"]

#: Up to this condition number of its Gram matrix a feature is fitted by that; others are fitted by QR of their rows.
WELL_CONDITIONED = 1e4
#: Below this share of the total a residual sum of squares is formed from explicit residuals of centred values.
MEAN_DOMINATES = 1e-3
#: Bytes of the largest temporary of the features that are fitted by QR.
_CHUNK_BYTES = 1 << 24


class WeightedRegressionKernel:
    """Weighted least squares of every feature, for `run_pass`.

    Parameters
    ----------
    design : ndarray of shape (n_samples, d)
    n_features : int
    weights : FeatureMatrix of shape (n_samples, n_features) or None
        Proportional to one over the noise variance of each observation; 0 or NaN leaves it out. Read by the blocks of
        the data.
    factors : ndarray of shape (n_samples,) or None
        Root weights of the samples, common to all features; 0 leaves a sample out.

    Notes
    -----
    A missing value is an observation of weight 0. With F the design made orthonormal for all samples, a feature's
    ``F'WF`` is inverted where its condition is below 1e4, which costs at most four of sixteen digits; the residual
    sum of squares is formed explicitly, from centred values, where the subtraction would lose more than three. The
    other features are fitted by Householder QR of their own rows. Columns that a feature's remaining samples cannot
    tell apart are set aside from the right, for that feature only.
    """

    def __init__(
        self, design: Array, n_features: int, weights: FeatureMatrix | None = None, factors: Array | None = None
    ) -> None:
        self.design = design
        self.weights = weights
        self.factors = np.ones(len(design)) if factors is None else factors
        scaled = design_basis(design * self.factors[:, None])
        self.kept = scaled.kept
        self.r_inverse = scaled.r_inverse
        used = self.factors > 0
        self.basis = np.divide(scaled.q, self.factors[:, None], out=np.zeros_like(scaled.q), where=used[:, None])
        self.constant = scaled.q.T @ self.factors
        self.centred = bool(np.linalg.norm(self.factors - scaled.q @ self.constant) < 1e-8 * np.sqrt(used.sum()))
        self.fits = FeatureFits(n_features, design.shape[1])

    def fork(self) -> Self:
        """Return a worker that writes its features' rows into the same arrays."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        return twin

    def update(self, block: Array, columns: slice) -> None:
        """Fit the features of one block."""
        weights = None if self.weights is None else checked_weights(self.weights.read(columns))
        seen = observed(block, weights)
        if not self.factors.all():
            seen &= (self.factors > 0)[:, None]
        values = np.where(seen, block, 0.0)
        fits = self.fits
        count = fits.n_obs[columns] = seen.sum(axis=0)
        fits.mean[columns], fits.constant[columns] = level(values, seen, count)
        fits.df_resid[columns] = count - len(self.kept)
        own = None if weights is None else np.where(seen, weights, 0.0)
        left = self._by_grams(values, seen, own, columns)
        first = columns.start or 0
        width = max(int(_CHUNK_BYTES // (8 * max(self.design.size, 1))), 1)
        for start in range(0, len(left), width):
            here = left[start : start + width]
            self._by_rows(values[:, here], seen[:, here] if own is None else own[:, here], here + first)

    def _by_grams(self, values: Array, seen: NDArray[np.bool_], own: Array | None, columns: slice) -> Rows:
        """Fit features from their Gram matrices; return those for which that is not accurate."""
        where, member = (None, slice(None)) if own is not None else distinct_columns(seen)
        weights = seen[:, where].astype(np.float64) if own is None else own
        inverse, condition = inverse_grams(weighted_grams(self.basis * self.factors[:, None], weights))
        weighed = values if own is None else own * values
        squares = self.factors**2 @ (weighed * values)
        inverse_own = inverse[:, :, member]
        with np.errstate(all="ignore"):
            found, rss = self._solved(weighed, inverse_own, squares)
            lost = np.flatnonzero(~(rss >= MEAN_DOMINATES * squares))
            if lost.size:
                share = seen[:, lost] if own is None else own[:, lost]
                level_of = self.fits.mean[columns][lost]
                found[:, lost], rss[lost] = self._careful(values[:, lost], share, inverse_own[:, :, lost], level_of)
            self._write(found, rss, inverse, member, columns)
        return np.flatnonzero(~(condition[member] <= WELL_CONDITIONED))

    def _solved(self, weighed: Array, inverse: Array, squares: Array) -> tuple[Array, Array]:
        """Coordinates ``(r, b)`` in the basis, and residual sums of squares."""
        effects = (self.basis * self.factors[:, None] ** 2).T @ weighed
        found = np.einsum("ijk,jk->ik", inverse, effects)
        return found, squares - np.einsum("ik,ik->k", effects, found)

    def _careful(self, values: Array, weights: Array, inverse: Array, mean: Array) -> tuple[Array, Array]:
        """Coordinates and residual sums of squares of features whose size hides their variation."""
        shift = mean if self.centred else np.zeros_like(mean)
        centred = np.where(weights > 0, values - shift, 0.0)
        found, _ = self._solved(weights * centred, inverse, np.zeros(len(mean)))
        residual = centred - self.basis @ found
        rss = self.factors**2 @ (weights * np.square(residual))
        return found + self.constant[:, None] * shift, rss

    def _write(self, found: Array, rss: Array, inverse: Array, member: Rows | slice, columns: slice) -> None:
        """Turn coordinates in the basis into coefficients and covariances of the design's columns."""
        kept, r = np.array(self.kept, dtype=np.intp), len(self.kept)
        turned = np.kron(self.r_inverse, self.r_inverse) @ inverse.reshape(r * r, inverse.shape[2])
        cov_unscaled = np.ascontiguousarray(turned.T).reshape(-1, r, r)[member]
        coef = (self.r_inverse @ found).T
        if r == self.design.shape[1]:
            self.fits.coef[columns], self.fits.cov_unscaled[columns] = coef, cov_unscaled
        else:
            self.fits.coef[columns, kept] = coef
            self.fits.cov_unscaled[columns, kept[:, None], kept] = cov_unscaled
        self.fits.rss[columns] = np.maximum(rss, 0.0)

    def _by_rows(self, values: Array, weights: Array, features: Rows) -> None:
        """Fit features by QR of their own rows."""
        roots = np.sqrt(weights) * self.factors[:, None]
        for bases in stacked_bases(self.design, np.ascontiguousarray(roots.T), self.kept):
            own = bases.rows
            self.fits.write_exact(bases, np.arange(len(own)), (roots * values)[:, own].T, features[own])

    def merge(self, other: Self) -> None:
        """Nothing to add: rows are written in place."""

    def result(self) -> RegressionFit:
        """Return the fits."""
        return self.fits.fit()


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
        correlated = CorrelatedRegressionKernel(design, Y.shape[1], whitening, weights)
        fit: RegressionFit = run_pass(Y, correlated, wider=8)[0]
        return fit
    factors = None if whitening is None else whitening.transform
    plain: RegressionFit = run_pass(Y, WeightedRegressionKernel(design, Y.shape[1], weights, factors))[0]
    return plain


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
