"""Counts without the part that hidden factors explain, made block by block."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import lstsq

from latentadj.core.counts import MILLION, LogCounts
from latentadj.core.kernels import ProjectionKernel
from latentadj.core.matrix import Array, FeatureMatrix, FeatureView
from latentadj.core.passes import run_pass


@dataclass(frozen=True)
class NormalizedCounts(FeatureView):
    """Counts whose logarithms had ``scores @ loadings.T`` subtracted; whole numbers, at least 0.

    Parameters
    ----------
    base : LogCounts of shape (n_samples, n_features)
    scores : ndarray of shape (n_samples, k)
    loadings : ndarray of shape (n_features, k)

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> logs = LogCounts(ArrayMatrix(np.array([[3.0], [7.0]])), None, 1.0)
    >>> NormalizedCounts(logs, np.array([[0.0], [1.0]]), np.array([[np.log(2.0)]])).read(slice(0, 1))
    array([[3.],
           [3.]])
    """

    base: LogCounts
    scores: Array
    loadings: Array
    reads = {"base": 1, "loadings": 0}

    def read(self, columns: slice) -> Array:
        """Return the normalised counts of a block."""
        logs = self.base.read(columns) - self.scores @ self.loadings[columns].T
        prior, sizes = self.base.prior, self.base.library_sizes
        if sizes is None:
            shifted = np.exp(logs)
        else:
            shifted = np.exp2(logs) * ((sizes + 2.0 * prior) / MILLION)[:, None]
        out: Array = np.maximum(np.round(shifted - prior), 0.0)
        return out


def plain_loadings(Y: FeatureMatrix, scores: Array) -> Array:
    """Least-squares loadings ``(n_features, k)`` of the features on the scores alone: no intercept, no design."""
    (cross,) = run_pass(Y, ProjectionKernel(scores, Y.shape[1]))
    out: Array = lstsq(scores.T @ scores, cross.T)[0].T
    return out
