"""Least squares with correlated samples of which some are missing: a map of its own for every pattern."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from latentadj.core.feature_fits import FeatureFits, checked_weights, level, observed, only
from latentadj.core.feature_grams import distinct_columns, pattern_powers
from latentadj.core.fits_kernel import FitsKernel
from latentadj.core.kernels import column_sum_of_squares
from latentadj.core.matrix import Array, FeatureMatrix
from latentadj.core.regression import design_basis
from latentadj.core.stacked_bases import Rows, StackedBases, bases_of_stack
from latentadj.core.whitening import Whitening

#: Bytes of the largest temporary.
_CHUNK_BYTES = 1 << 24
#: Bytes of the maps of patterns that are kept for later blocks.
_KEPT_BYTES = 1 << 26


class ObservedWhitening:
    """Maps of what was observed to independent samples of equal variance, a map for every pattern.

    Parameters
    ----------
    whitening : Whitening
        Dense, for all samples.

    Notes
    -----
    For a pattern S of observed samples the covariance is ``V[S, S]``, and its root comes from a Cholesky
    factorisation in which missing samples have the rows of the identity; patterns are factored as a stack. Maps are
    kept and shared by all workers of a pass, up to 64 megabytes of them.
    """

    def __init__(self, whitening: Whitening) -> None:
        root = np.linalg.inv(whitening.transform)
        self.covariance = root @ root.T
        self.complete = whitening.transform
        self._maps: dict[bytes, Array] = {}
        self._lock = Lock()

    def __getstate__(self) -> tuple[Array, Array]:
        """Travel to another process without the maps."""
        return self.covariance, self.complete

    def __setstate__(self, state: tuple[Array, Array]) -> None:
        """Begin without maps."""
        self.covariance, self.complete = state
        self._maps = {}
        self._lock = Lock()

    def maps(self, patterns: NDArray[np.bool_]) -> Iterator[tuple[int, Array]]:
        """Yield the position and the map ``(n_samples, n_samples)`` of every pattern, a column of `patterns`."""
        n = len(patterns)
        keys = [row.tobytes() for row in np.packbits(patterns, axis=0).T]
        unknown = []
        for i, key in enumerate(keys):
            known = self.complete if patterns[:, i].all() else self._maps.get(key)
            if known is None:
                unknown.append(i)
            else:
                yield i, known
        width = max(int(_CHUNK_BYTES // (8 * n * n)), 1)
        for start in range(0, len(unknown), width):
            some = unknown[start : start + width]
            for i, made in zip(some, self._factored(patterns[:, some].T), strict=True):
                self._keep(keys[i], made)
                yield i, made

    def _factored(self, seen: NDArray[np.bool_]) -> Array:
        """Maps ``(b, n_samples, n_samples)`` of patterns ``(b, n_samples)``; rows and columns of missing ones are 0."""
        both = seen[:, :, None] & seen[:, None, :]
        stack = np.where(both, self.covariance, np.eye(seen.shape[1]))
        inverse = np.linalg.inv(np.linalg.cholesky(stack))
        return np.where(both, inverse, 0.0)

    def _keep(self, key: bytes, made: Array) -> None:
        with self._lock:
            if (len(self._maps) + 1) * made.nbytes <= _KEPT_BYTES:
                self._maps.setdefault(key, made.copy())


class CorrelatedRegressionKernel(FitsKernel):
    """Generalised least squares of some features on the samples that were observed, for `run_pass` over just these.

    Parameters
    ----------
    design : ndarray of shape (n_samples, d)
    whitening : Whitening
        Dense: of the noise covariance of all samples.
    weights : FeatureMatrix of shape (n_samples, n_some) or None
        Of the observations; 0 or NaN leaves one out.
    fits : FeatureFits
        Of all features; written to.
    features : ndarray of int, shape (n_some,)
        Rows of `fits` that the features of the pass belong to.

    Notes
    -----
    Features of a block that miss the same samples are mapped by one product. Without weights they share a QR
    factorisation of the mapped design; with weights each has its own, made as a stack.
    """

    reads = {"weights": 1}

    def __init__(
        self, design: Array, whitening: Whitening, weights: FeatureMatrix | None, fits: FeatureFits, features: Rows
    ) -> None:
        self.design = design
        self.weights = weights
        self.whitening = ObservedWhitening(whitening)
        self.kept = design_basis(whitening.apply(design)).kept
        self.fits = fits
        self.features = features

    def update(self, block: Array, columns: slice) -> None:
        """Fit the features of one block."""
        weights = None if self.weights is None else checked_weights(self.weights.read(columns))
        seen = observed(block, weights)
        values, fits, rows = only(block, seen), self.fits, self.features[columns]
        count = fits.n_obs[rows] = seen.sum(axis=0)
        fits.mean[rows], fits.constant[rows] = level(values, seen, count, column_sum_of_squares(values))
        roots = None if weights is None else np.sqrt(only(weights, seen)).T
        scaled = values.T if roots is None else values.T * roots
        order, group = distinct_columns(pattern_powers(len(seen)) @ seen.astype(np.float64))
        ends = np.searchsorted(group, np.arange(group.max(initial=-1) + 2))
        for i, transform in self.whitening.maps(seen[:, order[ends[:-1]]]):
            here = order[ends[i] : ends[i + 1]]
            mapped = scaled[here] @ transform.T
            self._fit(transform, None if roots is None else roots[here], mapped, rows[here])

    def _fit(self, transform: Array, roots: Array | None, mapped: Array, features: Rows) -> None:
        """Fit features ``(b, n_samples)`` of one pattern."""
        if roots is None:
            (bases,) = bases_of_stack((transform @ self.design)[None], self.kept)
            self.fits.write_exact(bases, np.zeros(len(features), dtype=np.intp), mapped, features)
            return
        width = max(int(_CHUNK_BYTES // (8 * self.design.size)), 1)
        for start in range(0, len(features), width):
            chunk = slice(start, start + width)
            stack = np.matmul(transform, roots[chunk, :, None] * self.design)
            for own in bases_of_stack(stack, self.kept):
                self._write(own, mapped[chunk], features[chunk])

    def _write(self, bases: StackedBases, mapped: Array, features: Rows) -> None:
        rows = bases.rows
        self.fits.write_exact(bases, np.arange(len(rows)), mapped[rows], features[rows])

    def result(self) -> FeatureFits:
        """Return what was written to."""
        return self.fits
