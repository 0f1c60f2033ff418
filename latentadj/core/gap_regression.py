"""Least squares of many features on the same columns when features have gaps of their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentadj.core.matrix import Array, FeatureMatrix
from latentadj.core.pass_kernel import PassKernel
from latentadj.core.passes import run_pass

#: A column depends on those before it when less than this share of its length is left.
DEPENDENT = 1e-7


@dataclass(frozen=True, slots=True)
class GapBases:
    """Orthonormal bases of the same columns, seen through the gaps of each feature.

    Attributes
    ----------
    basis : ndarray of shape (g, n_samples, d)
        One basis per feature, or one for all (g = 1); columns that were set aside are zero.
    triangle : ndarray of shape (g, d, d)
        Upper triangular; the observed columns are ``basis @ triangle``.
    kept : ndarray of bool, shape (g, d)
        False where a column depends on those before it.
    """

    basis: Array
    triangle: Array
    kept: NDArray[np.bool_]

    def coefficients(self, y: Array) -> Array:
        """Coefficients ``(width, d)`` of features ``(n_samples, width)`` without NaN; zero for columns set aside."""
        if len(self.basis) == 1:
            right: Array = y.T @ self.basis[0]
        else:
            right = np.einsum("gnd,ng->gd", self.basis, y)
        coef: Array = np.zeros_like(right)
        for c in range(right.shape[1] - 1, -1, -1):
            known = (self.triangle[:, c, c + 1 :] * coef[:, c + 1 :]).sum(axis=1)
            coef[:, c] = (right[:, c] - known) / self.triangle[:, c, c]
        return coef


def gap_bases(columns: Array, observed: NDArray[np.bool_]) -> GapBases:
    """Orthonormalise columns from left to right on the observed samples of every feature.

    Parameters
    ----------
    columns : ndarray of shape (n_samples, d)
    observed : ndarray of bool, shape (n_samples, g)

    Returns
    -------
    GapBases

    Notes
    -----
    Gram-Schmidt, each column orthogonalised twice, which is as accurate as Householder's reflections (Giraud,
    Langou and Rozloznik 2005) and takes the same step for all features at once.

    Examples
    --------
    >>> bases = gap_bases(np.array([[1.0, 0], [1, 0], [1, 1]]), np.array([[True, True], [True, True], [True, False]]))
    >>> bases.kept
    array([[ True,  True],
           [ True, False]])
    """
    seen = columns[None] * observed.T[:, :, None]
    basis = np.zeros_like(seen)
    n_bases, _, d = seen.shape
    triangle = np.zeros((n_bases, d, d))
    kept = np.zeros((n_bases, d), dtype=bool)
    for c in range(d):
        left = seen[:, :, c]
        for _ in range(2):
            along = np.einsum("gnk,gn->gk", basis[:, :, :c], left)
            left = left - np.einsum("gnk,gk->gn", basis[:, :, :c], along)
            triangle[:, :c, c] += along
        size = np.linalg.norm(left, axis=1)
        kept[:, c] = size > DEPENDENT * np.linalg.norm(seen[:, :, c], axis=1)
        triangle[:, c, c] = np.where(kept[:, c], size, 1.0)
        basis[:, :, c] = np.where(kept[:, c, None], left / triangle[:, c, c][:, None], 0.0)
    return GapBases(basis, triangle, kept)


@dataclass(frozen=True, slots=True)
class GapFit:
    """Least-squares fits of features with gaps.

    Attributes
    ----------
    coef : ndarray of shape (n_features, d)
        Zero for columns that depend on those before them.
    kept : ndarray of bool, shape (n_features, d)
        False for those columns.
    """

    coef: Array
    kept: NDArray[np.bool_]


class GapRegression:
    """Regresses blocks of features on the same columns; NaN are left out feature by feature.

    Parameters
    ----------
    columns : ndarray of shape (n_samples, d)
    """

    def __init__(self, columns: Array) -> None:
        self.columns = columns
        self._complete = gap_bases(columns, np.ones((len(columns), 1), dtype=bool))

    def fit(self, block: Array) -> GapFit:
        """Fit a block ``(n_samples, width)``."""
        observed = ~np.isnan(block)
        gaps = np.flatnonzero(~observed.all(axis=0))
        if not gaps.size:
            kept = np.broadcast_to(self._complete.kept, (block.shape[1], self.columns.shape[1]))
            return GapFit(self._complete.coefficients(block), kept)
        filled = np.where(observed, block, 0.0)
        coef = self._complete.coefficients(filled)
        kept = np.repeat(self._complete.kept, block.shape[1], axis=0)
        own = gap_bases(self.columns, observed[:, gaps])
        coef[gaps], kept[gaps] = own.coefficients(filled[:, gaps]), own.kept
        return GapFit(coef, kept)


class GapRegressionKernel(PassKernel):
    """Fits the features of every block.

    Parameters
    ----------
    columns : ndarray of shape (n_samples, d)
    n_features : int
    """

    rows = {"fitted.coef": 0, "fitted.kept": 0}

    def __init__(self, columns: Array, n_features: int) -> None:
        d = columns.shape[1]
        self.regression = GapRegression(columns)
        self.fitted = GapFit(np.empty((n_features, d)), np.empty((n_features, d), dtype=bool))

    def update(self, block: Array, columns: slice) -> None:
        """Fit the features of one block."""
        part = self.regression.fit(block)
        self.fitted.coef[columns], self.fitted.kept[columns] = part.coef, part.kept

    def result(self) -> GapFit:
        """Return the fits of all features."""
        return self.fitted


def regress_with_gaps(Y: FeatureMatrix, columns: Array) -> GapFit:
    """Regress every feature on the same columns, leaving out its missing values.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
        NaN is missing.
    columns : ndarray of shape (n_samples, d)

    Returns
    -------
    GapFit

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> Y = ArrayMatrix(np.array([[1.0, 1.0], [3.0, np.nan], [5.0, 7.0]]))
    >>> regress_with_gaps(Y, np.array([[1.0, 0], [1, 1], [1, 2]])).coef.round(10)
    array([[1., 2.],
           [1., 3.]])
    """
    fitted: GapFit = run_pass(Y, GapRegressionKernel(columns, Y.shape[1]))[0]
    return fitted
