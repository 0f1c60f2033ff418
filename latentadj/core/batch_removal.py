"""Linear removal of batches: regress on design and batch columns, subtract the batch part."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latentadj.core.gap_regression import regress_with_gaps
from latentadj.core.matrix import Array, FeatureMatrix


def sum_to_zero(codes: NDArray[np.intp], n_levels: int) -> Array:
    """Code levels so that their effects add up to zero.

    Parameters
    ----------
    codes : ndarray of int, shape (n_samples,)
    n_levels : int

    Returns
    -------
    ndarray of shape (n_samples, n_levels - 1)
        The last level is minus one in every column.

    Examples
    --------
    >>> sum_to_zero(np.array([0, 1, 2]), 3)
    array([[ 1.,  0.],
           [ 0.,  1.],
           [-1., -1.]])
    """
    table = np.vstack([np.eye(n_levels - 1), -np.ones((1, n_levels - 1))])
    out: Array = table[codes]
    return out


def removal_coefficients(Y: FeatureMatrix, kept: Array, removed: Array) -> Array:
    """Effects of columns that are to be removed, beside those of columns that stay.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
        NaN is missing.
    kept : ndarray of shape (n_samples, p)
    removed : ndarray of shape (n_samples, r)

    Returns
    -------
    ndarray of shape (r, n_features)
        Zero for columns that depend on those before them: what cannot be told from the kept columns stays.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> Y = ArrayMatrix(np.array([[1.0], [1.0], [3.0], [3.0]]))
    >>> removal_coefficients(Y, np.ones((4, 1)), np.array([[1.0], [1], [-1], [-1]])).round(10)
    array([[-1.]])
    """
    fitted = regress_with_gaps(Y, np.hstack([kept, removed]))
    out: Array = fitted.coef[:, kept.shape[1] :].T
    return out
