"""Gram matrices of nested sets of features, in one pass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latentadj.core.matrix import Array
from latentadj.core.pass_kernel import PassKernel


class GroupedGramKernel(PassKernel):
    """One sample Gram matrix per group of features, in rotated coordinates.

    Parameters
    ----------
    rotation : ndarray of shape (n_samples, n_samples)
        Orthogonal; features enter as ``rotation' y``. With the design's basis in the leading columns the
        trailing block of each matrix is the Gram matrix of the residuals, and keeps its digits even when the
        means are large.
    labels : ndarray of int, shape (n_features,)
        Group of each feature, 0 to ``n_groups - 1``; other values leave the feature out.
    n_groups : int
    weights : ndarray of shape (n_features,), optional
        Factor of each feature.

    Examples
    --------
    >>> kernel = GroupedGramKernel(np.eye(2), np.array([0, 1, 0]), 2)
    >>> kernel.update(np.array([[1.0, 2.0, 3.0], [0.0, 1.0, 0.0]]), slice(0, 3))
    >>> kernel.result()[0]
    array([[10.,  0.],
           [ 0.,  0.]])
    """

    reads = {"labels": 0, "weights": 0}
    sums = ("grams",)

    def __init__(
        self, rotation: Array, labels: NDArray[np.intp], n_groups: int, *, weights: Array | None = None
    ) -> None:
        self.rotation = rotation
        self.labels = labels
        self.weights = weights
        self.grams = np.zeros((n_groups, *rotation.shape))

    def update(self, block: Array, columns: slice) -> None:
        """Add the products of one block's features to their groups."""
        labels = self.labels[columns]
        order = np.argsort(labels, kind="stable")
        rows = (block.T @ self.rotation)[order]
        if self.weights is not None:
            rows *= self.weights[columns][order, None]
        edges = np.searchsorted(labels[order], np.arange(len(self.grams) + 1))
        for gram, start, stop in zip(self.grams, edges[:-1], edges[1:], strict=True):
            part = rows[start:stop]
            gram += part.T @ part

    def result(self) -> Array:
        """Return the Gram matrices ``(n_groups, n_samples, n_samples)``."""
        return self.grams
