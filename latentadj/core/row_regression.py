"""Least squares of single features by QR of their own rows, for those that nothing quicker is accurate for."""

from __future__ import annotations

import numpy as np

from latentadj.core.feature_fits import FeatureFits, observed, only
from latentadj.core.fits_kernel import FitsKernel
from latentadj.core.matrix import Array, FeatureMatrix
from latentadj.core.stacked_bases import Rows, stacked_bases

#: Bytes of the largest temporary.
_CHUNK_BYTES = 1 << 24


class RowRegressionKernel(FitsKernel):
    """Weighted least squares of some features, for `run_pass` over just these.

    Parameters
    ----------
    design : ndarray of shape (n_samples, d)
    fits : FeatureFits
        Of all features; written to.
    features : ndarray of int, shape (n_some,)
        Rows of `fits` that the features of the pass belong to.
    kept : tuple of int
        Columns of the design that are independent with all rows.
    weights : FeatureMatrix of shape (n_samples, n_some) or None
        Of the observations.
    factors : ndarray of shape (n_samples,)
        Root weights of the samples.

    Notes
    -----
    Rows of the design are scaled by root weights and factored by Householder QR; residuals are formed explicitly.
    """

    reads = {"weights": 1}

    def __init__(
        self,
        design: Array,
        fits: FeatureFits,
        features: Rows,
        kept: tuple[int, ...],
        weights: FeatureMatrix | None,
        factors: Array,
    ) -> None:
        self.design = design
        self.fits = fits
        self.features = features
        self.kept = kept
        self.weights = weights
        self.factors = factors

    def update(self, block: Array, columns: slice) -> None:
        """Fit the features of one block."""
        given = None if self.weights is None else self.weights.read(columns)
        seen = observed(block, given)
        roots = self.factors[:, None] * (seen if given is None else np.sqrt(only(given, seen)))
        values, features = np.where(roots > 0, block, 0.0) * roots, self.features[columns]
        width = max(int(_CHUNK_BYTES // (8 * max(self.design.size, 1))), 1)
        for start in range(0, block.shape[1], width):
            chunk = slice(start, start + width)
            self._fit(values[:, chunk].T, np.ascontiguousarray(roots[:, chunk].T), features[chunk])

    def _fit(self, values: Array, roots: Array, features: Rows) -> None:
        for bases in stacked_bases(self.design, roots, self.kept):
            rows = bases.rows
            self.fits.write_exact(bases, np.arange(len(rows)), values[rows], features[rows])

    def result(self) -> FeatureFits:
        """Return what was written to."""
        return self.fits
