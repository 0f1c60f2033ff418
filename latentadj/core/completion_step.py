"""One round of completing missing values: every feature's expected values given what was observed of it."""

from __future__ import annotations

import numpy as np

from latentadj.core.feature_fits import only
from latentadj.core.feature_grams import (
    both_triangles,
    distinct_columns,
    inverse_grams,
    multiplied,
    pattern_powers,
    upper_products,
)
from latentadj.core.matrix import Array
from latentadj.core.pass_kernel import PassKernel


class CompletionKernel(PassKernel):
    """Expected Gram matrix of residuals from the design, and what fits the features, for `run_pass`.

    Parameters
    ----------
    directions : ndarray of shape (n_samples, rank + k)
        Orthonormal columns: of the design, then of the factors.
    penalties : ndarray of shape (rank + k,)
        Noise variance over the prior variance of each coordinate; 0 for the design.
    mean : ndarray of shape (n_features,)
        Taken off the observed values first.
    weights : ndarray of shape (n_features,)
        Factors of the features in the Gram matrix; those with 0 are left alone.

    Notes
    -----
    Given the scores, a feature's coordinates have the posterior mean ``(B'MB + Lambda)^-1 B'My`` (ridge regression of
    what was observed), its missing values the expectation B times that, and a conditional variance: the noise's. The
    expected Gram matrix holds the squares of the expectations and, on its diagonal, that variance. Without it the
    residuals of a sample with many missing values would be too small.
    """

    reads = {"mean": 0, "weights": 0}
    rows = {"coordinates": 0, "variance": 0, "df": 0}
    sums = ("gram",)

    def __init__(self, directions: Array, penalties: Array, rank: int, mean: Array, weights: Array) -> None:
        n_samples, p = directions.shape
        self.directions = directions
        self.penalties = penalties
        self.rank = rank
        self.mean = mean
        self.weights = weights
        self.coordinates = np.zeros((len(mean), p))
        self.variance = np.zeros(len(mean))
        self.df = np.ones(len(mean))
        self.gram = np.zeros((n_samples, n_samples))
        self._products = np.ascontiguousarray(upper_products(directions).T)
        self._powers = pattern_powers(n_samples)

    def update(self, block: Array, columns: slice) -> None:
        """Complete the features of one block."""
        seen = ~np.isnan(block)
        observed = seen.astype(np.float64)
        values = only(block - self.mean[columns], seen)
        coordinates, spent = self._fitted(values, observed)
        weights = self.weights[columns]
        coordinates[weights == 0] = 0.0
        fitted = self.directions @ coordinates.T
        residual = np.where(seen, values - fitted, 0.0)
        df = np.maximum(observed.sum(axis=0) - spent, 1.0)
        variance = np.einsum("ij,ij->j", residual, residual) / df
        self.coordinates[columns], self.variance[columns], self.df[columns] = coordinates, variance, df
        self._add(residual + self._of_factors(coordinates), weights)
        self.gram[np.diag_indices(len(block))] += (1.0 - observed) @ (variance * weights**2)

    def _fitted(self, values: Array, observed: Array) -> tuple[Array, Array]:
        """Posterior means ``(b, p)`` of the coordinates, and degrees of freedom ``(b,)`` that they take."""
        p = len(self.penalties)
        order, group = distinct_columns(self._powers @ observed)
        starts = np.flatnonzero(np.diff(group, prepend=-1))
        grams = both_triangles(self._products @ observed[:, order[starts]], p)
        grams[np.arange(p), np.arange(p)] += self.penalties[:, None]
        inverse, _ = inverse_grams(grams)
        coordinates, spent = np.empty((len(order), p)), np.empty(len(order))
        with np.errstate(all="ignore"):
            coordinates[order] = multiplied((self.directions.T @ values[:, order]).T, inverse, starts)
            spent[order] = (p - self.penalties @ np.einsum("iiu->iu", inverse))[group]
        return np.nan_to_num(coordinates), np.nan_to_num(spent)

    def _of_factors(self, coordinates: Array) -> Array:
        """Part of the fits ``(n_samples, b)`` that is not the design's."""
        out: Array = self.directions[:, self.rank :] @ coordinates[:, self.rank :].T
        return out

    def _add(self, residual: Array, weights: Array) -> None:
        """Add weighed residuals from the design to the Gram matrix."""
        scaled = residual * weights
        self.gram += scaled @ scaled.T

    def result(self) -> Array:
        """Return the expected Gram matrix; to be projected on what the design leaves."""
        return self.gram
