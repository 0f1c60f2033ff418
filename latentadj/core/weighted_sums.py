"""Accumulators of surrogate variable analysis: sums along directions, with little memory traffic.

What a feature has along the directions is used while its block is in cache, and not kept.
"""

from __future__ import annotations

import numpy as np

from latentadj.core.matrix import Array, default_width
from latentadj.core.pass_kernel import PassKernel

#: Multiple of the usual block width: long rows are read faster, and there are fewer calls.
WIDER = 6
#: Up to so many directions one matrix-vector product each is faster than a matrix product.
FEW_DIRECTIONS = 2


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
