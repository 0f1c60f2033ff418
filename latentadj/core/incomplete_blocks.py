"""Correlation within blocks of features with missing values: every feature has a block kernel of its own."""

from __future__ import annotations

import numpy as np

from latentadj.core.matrix import Array
from latentadj.core.pass_kernel import PassKernel
from latentadj.core.variance_ratio import profile_maximum
from latentadj.core.weighted_regression import stacked_bases

__all__ = ["IncompleteBlocksKernel"]

#: Bytes of the largest temporary.
_CHUNK_BYTES = 1 << 24


class IncompleteBlocksKernel(PassKernel):
    """Restricted maximum likelihood correlation of the features that have missing values, for `run_pass`.

    Parameters
    ----------
    design : ndarray of shape (n_samples, d)
        Of full column rank.
    indicators : ndarray of shape (n_samples, n_blocks)
    n_features : int
    limits : tuple of float
        Lowest and highest correlation.

    Notes
    -----
    The likelihood of `latentadj.core.sample_correlation` with the rows of missing values deleted, the block kernels of
    a block of features decomposed as one stack. A feature says nothing with fewer than three residual degrees of
    freedom, one block, or hardly more samples than blocks.
    """

    rows = {"correlation": 0}

    def __init__(self, design: Array, indicators: Array, n_features: int, limits: tuple[float, float]) -> None:
        self.design = design
        self.indicators = indicators
        self.limits = limits
        self.correlation = np.full(n_features, np.nan)

    def update(self, block: Array, columns: slice) -> None:
        """Write the correlations of the features of one block that have missing values."""
        incomplete = np.flatnonzero(np.isnan(block).any(axis=0) & ~np.isinf(block).any(axis=0))
        width = max(int(_CHUNK_BYTES // (8 * self.indicators.size)), 1)
        for start in range(0, len(incomplete), width):
            here = incomplete[start : start + width]
            self.correlation[(columns.start or 0) + here] = self._estimate(block[:, here].T)

    def result(self) -> Array:
        """Return the correlations ``(n_features,)``; NaN for features without missing values."""
        return self.correlation

    def _estimate(self, values: Array) -> Array:
        """Correlations ``(b,)`` of features ``(b, n_samples)``."""
        seen = ~np.isnan(values)
        filled = np.where(seen, values, 0.0)
        correlation = np.full(len(values), np.nan)
        for bases in stacked_bases(self.design, seen.astype(np.float64), tuple(range(self.design.shape[1]))):
            rows = bases.rows
            usable = self._usable(seen[rows], len(bases.kept))
            rows, q = rows[usable], bases.q[usable]
            parts = self._coordinates(filled[rows], seen[rows], q)
            correlation[rows] = profile_maximum(*parts, self.limits)
        return correlation

    def _usable(self, seen: np.ndarray, rank: int) -> np.ndarray:
        n_seen, n_blocks = seen.sum(axis=1), (seen @ self.indicators > 0).sum(axis=1)
        return np.asarray((n_seen > rank + 2) & (n_blocks > 1) & (n_blocks < n_seen - 1))

    def _coordinates(self, values: Array, seen: np.ndarray, q: Array) -> tuple[Array, Array, Array]:
        """Squares, slopes and counts ``(b, n_blocks + 1)`` for `profile_maximum`; NaN squares where nothing varies."""
        outside = seen[:, :, None] * self.indicators
        residual = values[:, :, None]
        for _ in range(2):
            outside = outside - q @ (q.transpose(0, 2, 1) @ outside)
            residual = residual - q @ (q.transpose(0, 2, 1) @ residual)
        eigenvalues, vectors = np.linalg.eigh(outside.transpose(0, 2, 1) @ outside)
        used = eigenvalues > 1e-10 * self.indicators.sum(axis=0).max()
        inverse_root = np.where(used, 1.0 / np.sqrt(np.where(used, eigenvalues, 1.0)), 0.0)
        directions = (outside @ vectors) * inverse_root[:, None, :]
        coordinates = directions.transpose(0, 2, 1) @ residual
        rest = np.square(residual - directions @ coordinates).sum(axis=(1, 2))
        n_zero = seen.sum(axis=1) - q.shape[2] - used.sum(axis=1)
        squares = np.column_stack([np.square(coordinates[:, :, 0]), np.where(n_zero > 0, rest, 0.0)])
        total = np.square(values).sum(axis=1)
        lowest = np.where(n_zero > 0, 0.0, np.where(used, eigenvalues, np.inf).min(axis=1, initial=np.inf))
        flat = np.where(used, eigenvalues, 0.0).max(axis=1, initial=0.0) - lowest <= 1e-8
        squares[flat | (squares.sum(axis=1) <= 1e-24 * total)] = np.nan
        slope = np.column_stack([np.where(used, eigenvalues - 1.0, 0.0), np.full(len(values), -1.0)])
        return squares, slope, np.column_stack([used.astype(np.float64), n_zero.astype(np.float64)])
