"""Log counts per million with a prior in proportion to depth, made block by block."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latentadj.core.counts import MILLION
from latentadj.core.matrix import Array, FeatureMatrix, FeatureView


@dataclass(frozen=True)
class LogCountsPerMillion(FeatureView):
    """log2 counts per million of another matrix's counts, with a prior count in proportion to the library size.

    Parameters
    ----------
    base : FeatureMatrix of shape (n_samples, n_features)
        Counts, at least 0.
    library_sizes : ndarray of shape (n_samples,)
        Effective library sizes L, above 0.
    prior : float
        Average prior count, above 0.

    Notes
    -----
    ``log2((c + prior_i) / (L_i + 2 prior_i) 1e6)`` with ``prior_i = prior L_i / mean(L)``, as in edgeR (Robinson,
    McCarthy and Smyth 2010, Bioinformatics 26:139). A zero count is then the same value in every sample, whatever the
    depth, which a prior of equal size for all samples does not give.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> counts = ArrayMatrix(np.array([[0.0, 100.0], [0.0, 300.0]]))
    >>> LogCountsPerMillion(counts, np.array([100.0, 300.0]), 2.0).read(slice(0, 2)).round(3)
    array([[13.259, 19.917],
           [13.259, 19.917]])
    """

    base: FeatureMatrix
    library_sizes: Array
    prior: float

    def read(self, columns: slice) -> Array:
        """Return the logarithms of the block."""
        prior = self.prior * self.library_sizes / self.library_sizes.mean()
        out: Array = np.log2(self.base.read(columns) + prior[:, None])
        out -= np.log2((self.library_sizes + 2.0 * prior) / MILLION)[:, None]
        return out
