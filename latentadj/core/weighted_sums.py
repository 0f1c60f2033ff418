"""Accumulators of surrogate variable analysis: weighted Gram matrices and sums of squares along directions.

They do what `latentadj.core.kernels` does in general, with less memory traffic: products are added in place by
BLAS to one triangle, and what a feature has along the directions is squared while its block is in cache.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg.blas import dsyrk

from latentadj.core.kernels import Scratch
from latentadj.core.matrix import Array, default_width
from latentadj.core.pass_kernel import PassKernel

#: Multiple of the usual block width: long rows are read faster, and there are fewer calls.
WIDER = 6
#: Up to so many directions one matrix-vector product each is faster than a matrix product.
FEW_DIRECTIONS = 2


class WeightedGramKernel(PassKernel):
    """Sample Gram matrix ``sum_j w_j^2 y_j y_j'`` of features times a factor each.

    Parameters
    ----------
    n_samples : int
    weights : ndarray of shape (n_features,)
        Factor of each feature.
    mean : ndarray of shape (n_features,), optional
        Subtracted from the features first.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> from latentadj.core.passes import run_pass
    >>> run_pass(ArrayMatrix(np.eye(2)), WeightedGramKernel(2, np.array([2.0, 3.0])))[0]
    array([[4., 0.],
           [0., 9.]])
    """

    reads = {"weights": 0, "mean": 0}
    sums = ("_triangle",)

    def __init__(self, n_samples: int, weights: Array, *, mean: Array | None = None) -> None:
        self.weights = weights
        self.mean = mean
        self._triangle = np.zeros((n_samples, n_samples), order="F")
        self._scratch = Scratch()

    def update(self, block: Array, columns: slice) -> None:
        """Add the products of one block to the upper triangle."""
        work = self._scratch.like(block)
        if self.mean is None:
            np.multiply(block, self.weights[columns], out=work)
        else:
            np.subtract(block, self.mean[columns], out=work)
            work *= self.weights[columns]
        by_sample = work.flags.c_contiguous
        factor = work.T if by_sample else work
        self._triangle = dsyrk(1.0, factor, beta=1.0, c=self._triangle, trans=by_sample, overwrite_c=1)

    def result(self) -> Array:
        """Return the Gram matrix ``(n_samples, n_samples)``."""
        upper = np.triu(self._triangle)
        out: Array = upper + np.triu(upper, 1).T
        return out


class ExplainedKernel(PassKernel):
    """Sums of squares of features along sets of directions, without keeping the coordinates.

    The coordinates are ``A Z'y - B e`` with the directions Z and coordinates e that are known already.

    Parameters
    ----------
    directions : ndarray of shape (n_samples, k)
        Z.
    combine : ndarray of shape (n_coordinates, k)
        A.
    remove : ndarray of shape (n_coordinates, rank)
        B.
    effects : ndarray of shape (n_features, rank)
        e of every feature.
    sets : tuple of int
        Number of coordinates in each set.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> from latentadj.core.passes import run_pass
    >>> kernel = ExplainedKernel(np.eye(2), np.eye(2), np.zeros((2, 1)), np.zeros((1, 1)), (1, 1))
    >>> run_pass(ArrayMatrix(np.array([[3.0], [4.0]])), kernel)[0]
    array([[ 9.],
           [16.]])
    """

    reads = {"effects": 0}
    rows = {"explained": 1}

    def __init__(self, directions: Array, combine: Array, remove: Array, effects: Array, sets: tuple[int, ...]) -> None:
        self.directions = np.ascontiguousarray(directions.T)
        self.combine, self.remove, self.effects = combine, remove, effects
        self.sets = sets
        self.explained = np.empty((len(sets), len(effects)))

    def update(self, block: Array, columns: slice) -> None:
        """Write the sums of one block's features."""
        coordinates = self.combine @ self._along(block)
        coordinates -= self.remove @ self.effects[columns].T
        np.multiply(coordinates, coordinates, out=coordinates)
        start = 0
        for row, size in zip(self.explained, self.sets, strict=True):
            coordinates[start : start + size].sum(axis=0, out=row[columns])
            start += size

    def _along(self, block: Array) -> Array:
        """Return ``Z' block`` by the product that is faster for so many directions."""
        if len(self.directions) > FEW_DIRECTIONS:
            together: Array = self.directions @ block
            return together
        return np.stack([direction @ block for direction in self.directions])

    def result(self) -> Array:
        """Return the sums of squares ``(n_sets, n_features)``."""
        return self.explained


class WeightedSweepKernel(PassKernel):
    """Product of the weighted Gram matrix with some directions, ``sum_j w_j^2 y_j (y_j' V)``.

    Parameters
    ----------
    directions : ndarray of shape (n_samples, k)
        V.
    squared_weights : ndarray of shape (n_features,)

    Notes
    -----
    Work is ``4 m n k``; the Gram matrix is never formed.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> from latentadj.core.passes import run_pass
    >>> run_pass(ArrayMatrix(np.eye(2)), WeightedSweepKernel(np.ones((2, 1)), np.array([4.0, 9.0])))[0]
    array([[4.],
           [9.]])
    """

    reads = {"squared_weights": 0}
    sums = ("total",)

    def __init__(self, directions: Array, squared_weights: Array) -> None:
        self.directions = np.ascontiguousarray(directions.T)
        self.squared_weights = squared_weights
        self.total = np.zeros((directions.shape[1], directions.shape[0]))

    def update(self, block: Array, columns: slice) -> None:
        """Add one block's contribution."""
        coordinates = self.directions @ block
        coordinates *= self.squared_weights[columns]
        self.total += coordinates @ block.T

    def result(self) -> Array:
        """Return the product ``(n_samples, k)``."""
        return self.total.T


def wide(n_samples: int) -> int:
    """Multiple of the usual block width that a pass of these kernels takes; 1 where blocks are long enough as is."""
    return max(1, min(WIDER, 8192 // default_width(n_samples)))
