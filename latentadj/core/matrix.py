"""Matrices read by blocks of features: the protocol, the in-memory adapter and lazy views.

Everything above this module sees data as ``n_samples x n_features`` and only ever asks for a slice of
columns. A view does its arithmetic on the block that is read, so nothing of the size of the whole matrix is
made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Bytes of one float64 block: near a core's level-2 cache, and large beside the cost of calling NumPy.
BLOCK_BYTES = 1 << 20
#: Features in a block, whatever the number of samples.
MIN_WIDTH, MAX_WIDTH = 64, 8192
#: Features that a block has at least for products of samples with samples to run at full speed, as long as they
#: stay below `WIDE_BYTES`.
WIDE, WIDE_BYTES = 512, 1 << 26


@runtime_checkable
class FeatureMatrix(Protocol):
    """What every stage needs of the data: a shape, a type, and blocks of columns.

    Attributes
    ----------
    shape : tuple of int
        ``(n_samples, n_features)``.
    dtype : numpy.dtype
        Storage type; blocks are always delivered as float64.
    """

    @property
    def shape(self) -> tuple[int, int]:
        """``(n_samples, n_features)``."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Storage type."""
        ...

    def column_blocks(self, width: int | None = None) -> Iterator[slice]:
        """Yield slices that cover all columns once, in order."""
        ...

    def read(self, columns: slice) -> Array:
        """Return the block ``(n_samples, width)`` as float64; the caller must not write into it."""
        ...


@runtime_checkable
class StoresSingle(Protocol):
    """A matrix that can hand over single-precision values as they are stored, where its `dtype` is float32."""

    def read_single(self, columns: slice) -> NDArray[np.float32]:
        """Return the block ``(n_samples, width)`` as float32; the caller must not write into it."""
        ...


def default_width(n_samples: int) -> int:
    """Features per block so that a float64 block fills about a megabyte, or holds 512 features.

    Parameters
    ----------
    n_samples : int
        Number of rows of a block.

    Returns
    -------
    int
        Between 64 and 8192.

    Examples
    --------
    >>> default_width(100), default_width(100_000)
    (1310, 83)
    """
    feature_bytes = 8 * max(n_samples, 1)
    wide = min(WIDE, WIDE_BYTES // feature_bytes)
    return int(np.clip(max(BLOCK_BYTES // feature_bytes, wide), MIN_WIDTH, MAX_WIDTH))


def iterate_slices(n_features: int, width: int) -> Iterator[slice]:
    """Yield consecutive slices of at most `width` that cover ``range(n_features)``."""
    for start in range(0, n_features, width):
        yield slice(start, min(start + width, n_features))


class _Blocked:
    """Shared block iteration of matrices that have a shape."""

    @property
    def shape(self) -> tuple[int, int]:
        raise NotImplementedError

    def column_blocks(self, width: int | None = None) -> Iterator[slice]:
        n_samples, n_features = self.shape
        return iterate_slices(n_features, width or default_width(n_samples))


@dataclass(frozen=True)
class ArrayMatrix(_Blocked):
    """A NumPy array in either memory order; the array is never copied or transposed as a whole.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_features)
        Any real numeric type.

    Examples
    --------
    >>> Y = ArrayMatrix(np.arange(6, dtype="float32").reshape(2, 3))
    >>> Y.read(slice(1, 3))
    array([[1., 2.],
           [4., 5.]])
    """

    values: NDArray[Any]

    @property
    def shape(self) -> tuple[int, int]:
        """``(n_samples, n_features)``."""
        n_samples, n_features = self.values.shape
        return n_samples, n_features

    @property
    def dtype(self) -> np.dtype[Any]:
        """Storage type of the array."""
        return self.values.dtype

    def read(self, columns: slice) -> Array:
        """Return the block as float64 (a view when the array already is float64)."""
        return self.values[:, columns].astype(np.float64, order="K", copy=False)

    def read_single(self, columns: slice) -> NDArray[np.float32]:
        """Return the block as float32, a view of a float32 array."""
        return self.values[:, columns].astype(np.float32, order="K", copy=False)


@dataclass(frozen=True)
class FeatureSubset(_Blocked):
    """Some features of another matrix, in increasing order, read through its own blocks.

    Parameters
    ----------
    base : FeatureMatrix of shape (n_samples, n_features)
    index : ndarray of int, shape (n_kept,)
        Positions of the kept features, strictly increasing.
    """

    base: FeatureMatrix
    index: NDArray[np.intp]

    @property
    def shape(self) -> tuple[int, int]:
        """``(n_samples, n_kept)``."""
        return self.base.shape[0], len(self.index)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Storage type of the underlying matrix."""
        return self.base.dtype

    def read(self, columns: slice) -> Array:
        """Gather the kept features that the requested slice names."""
        wanted = self.index[columns]
        if len(wanted) == 0:
            return np.empty((self.shape[0], 0))
        width = default_width(self.shape[0])
        parts = []
        for start in np.unique(wanted // width) * width:
            here = wanted[(wanted >= start) & (wanted < start + width)]
            block = self.base.read(slice(int(here[0]), int(here[-1]) + 1))
            parts.append(block[:, here - here[0]])
        return np.concatenate(parts, axis=1)


@dataclass(frozen=True)
class FeatureWindow(_Blocked):
    """Consecutive features of another matrix.

    Parameters
    ----------
    base : FeatureMatrix of shape (n_samples, n_features)
    start, stop : int
        First feature, and the one after the last.
    """

    base: FeatureMatrix
    start: int
    stop: int

    @property
    def shape(self) -> tuple[int, int]:
        """``(n_samples, stop - start)``."""
        return self.base.shape[0], self.stop - self.start

    @property
    def dtype(self) -> np.dtype[Any]:
        """Storage type of the underlying matrix."""
        return self.base.dtype

    def read(self, columns: slice) -> Array:
        """Read the block at its place in the whole matrix."""
        return self.base.read(slice(self.start + columns.start, self.start + columns.stop))


class FeatureView(_Blocked):
    """A view of another matrix, `base`, with its shape; values are made as float64 when a block is read."""

    base: FeatureMatrix
    #: Arrays and matrices that belong to features, and their axis of features, as in `PassKernel`.
    reads: ClassVar[Mapping[str, int]] = {"base": 1}

    @property
    def shape(self) -> tuple[int, int]:
        """``(n_samples, n_features)``."""
        return self.base.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Always float64."""
        return np.dtype(np.float64)


@dataclass(frozen=True)
class AdjustedMatrix(FeatureView):
    """A matrix minus ``scores @ loadings.T``, for display and prediction; made block by block.

    Parameters
    ----------
    base : FeatureMatrix of shape (n_samples, n_features)
    scores : ndarray of shape (n_samples, n_factors)
    loadings : ndarray of shape (n_features, n_factors)
    """

    base: FeatureMatrix
    scores: Array
    loadings: Array
    reads = {"base": 1, "loadings": 0}

    def read(self, columns: slice) -> Array:
        """Return the block with the factors' part subtracted."""
        return self.base.read(columns) - self.scores @ self.loadings[columns].T


def collect(matrix: FeatureMatrix) -> Array:
    """Read a whole matrix into one float64 array ``(n_samples, n_features)``; for small matrices and tests."""
    out = np.empty(matrix.shape)
    for columns in matrix.column_blocks():
        out[:, columns] = matrix.read(columns)
    return out


@dataclass(frozen=True)
class RotatedMatrix(_Blocked):
    """Another matrix in the coordinates of some sample-space directions: ``directions' Y``.

    Parameters
    ----------
    base : FeatureMatrix of shape (n_samples, n_features)
    directions : ndarray of shape (n_samples, k)
        Orthonormal columns.
    """

    base: FeatureMatrix
    directions: Array
    reads = {"base": 1}

    @property
    def shape(self) -> tuple[int, int]:
        """``(k, n_features)``."""
        return self.directions.shape[1], self.base.shape[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Always float64."""
        return np.dtype(np.float64)

    def read(self, columns: slice) -> Array:
        """Return the rotated block."""
        out: Array = self.directions.T @ self.base.read(columns)
        return out


@dataclass(frozen=True)
class PrecisionScaledResiduals(FeatureView):
    """What a design leaves of another matrix, times the roots of observation weights.

    Parameters
    ----------
    base : FeatureMatrix of shape (n_samples, n_features)
    basis : ndarray of shape (n_samples, rank)
        Orthonormal basis of the design.
    weights : FeatureMatrix of shape (n_samples, n_features)
        Proportional to one over the noise variance of each observation; NaN counts as 0.
    """

    base: FeatureMatrix
    basis: Array
    weights: FeatureMatrix
    reads = {"base": 1, "weights": 1}

    def read(self, columns: slice) -> Array:
        """Return the scaled residuals of the block."""
        block = self.base.read(columns)
        weights = np.nan_to_num(self.weights.read(columns), nan=0.0)
        mean = weights.mean(axis=0)
        relative = np.divide(weights, mean, out=np.zeros_like(weights), where=mean > 0)
        out: Array = (block - self.basis @ (self.basis.T @ block)) * np.sqrt(relative)
        return out


@dataclass(frozen=True)
class LeftOut(FeatureView):
    """Another matrix with NaN where an observation has no weight.

    Parameters
    ----------
    base : FeatureMatrix of shape (n_samples, n_features)
    weights : ndarray of shape (n_samples, n_features)
        0 or NaN leaves an observation out.
    """

    base: FeatureMatrix
    weights: Array
    reads = {"base": 1, "weights": 1}

    def read(self, columns: slice) -> Array:
        """Return the block with gaps."""
        return np.where(self.weights[:, columns] > 0, self.base.read(columns), np.nan)
