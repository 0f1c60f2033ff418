"""Leading sample-space directions of many samples, without the Gram matrix where that is cheaper."""

from __future__ import annotations

import numpy as np

from latentadj.core.block_krylov import leading_eigenvectors
from latentadj.core.kernels import RegressionSums
from latentadj.core.matrix import Array, FeatureMatrix
from latentadj.core.passes import run_pass
from latentadj.core.weighted_sums import WeightedSweepKernel, wide

#: From so many samples on, sweeps with a few directions cost less than a Gram matrix and its eigenvectors.
MANY_SAMPLES = 1500
_EXTRA = 8  # columns beside the wanted ones
_GRAM_COLUMNS = 8  # number of samples over the columns whose products cost as much as the Gram matrix


def leading_directions(
    Y: FeatureMatrix, removed: Array, k: int, *, squared_weights: Array, sizes: Array, start: Array | None = None
) -> Array | None:
    """Return the k leading eigenvectors of the Gram matrix of weighted features with some directions removed.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
    removed : ndarray of shape (n_samples, r)
        Orthonormal directions taken out of every feature, on both sides of the Gram matrix.
    k : int
    squared_weights : ndarray of shape (n_features,)
    sizes : ndarray of shape (n_features,)
        Sum of squares of each feature without `removed`; the largest weighted ones join the start.
    start : ndarray of shape (n_samples, l), optional
        Directions that are likely to be close.

    Returns
    -------
    ndarray of shape (n_samples, k) or None
        None where the Gram matrix is the better way: few samples, or eigenvalues too close to each other.

    Notes
    -----
    One pass, ``4 m n`` operations per column, for each block of columns. Deterministic: the start is made of the data.
    Features whose removed part is large beside the rest lose digits, see `safe_to_project_last`.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> Y, ones = ArrayMatrix(np.ones((5, 9))), np.ones(9)
    >>> leading_directions(Y, np.empty((5, 0)), 1, squared_weights=ones, sizes=ones) is None
    True
    """
    n_samples = Y.shape[0]
    if n_samples < MANY_SAMPLES or k == 0:
        return None
    own = 0 if start is None else start.shape[1]
    columns = _largest(Y, squared_weights, sizes, max(k + _EXTRA - own, _EXTRA))
    first = columns if start is None else np.hstack([start, columns])

    def project(V: Array) -> Array:
        out: Array = V - removed @ (removed.T @ V)
        return out

    def multiply(V: Array) -> Array:
        (product,) = run_pass(Y, WeightedSweepKernel(V, squared_weights), wider=wide(n_samples))
        return project(product)

    return leading_eigenvectors(multiply, project(first), k, max_columns=n_samples // _GRAM_COLUMNS)


def residual_directions(Y: FeatureMatrix, basis: Array, sums: RegressionSums, k: int) -> Array | None:
    """Return the k leading directions of the residuals from an orthonormal basis, or None as `leading_directions`.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
    basis : ndarray of shape (n_samples, rank)
    sums : RegressionSums
        From a pass with `basis`.
    k : int

    Returns
    -------
    ndarray of shape (n_samples, k) or None
    """
    return leading_directions(Y, basis, k, squared_weights=np.ones(Y.shape[1]), sizes=sums.rss)


def _largest(Y: FeatureMatrix, squared_weights: Array, sizes: Array, count: int) -> Array:
    """The features with the largest weighted sums of squares, ``(n_samples, count)``."""
    count = min(count, Y.shape[1])
    score = squared_weights * sizes
    chosen = np.sort(np.argpartition(score, -count)[-count:])
    return np.hstack([Y.read(slice(int(j), int(j) + 1)) for j in chosen])
