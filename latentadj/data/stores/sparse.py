"""Compressed sparse matrices, in memory or in a file, made dense one block at a time."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ...core.matrix import FeatureMatrix, FeatureWindow
from ...exceptions import FileFormatError
from .base import StoredMatrix
from .notices import warn_if_slow
from .slabs import LARGE_SLAB_BYTES, SLAB_BYTES, Edges, gather_small_chunks, new_slab

#: Stored values of the rows that are looked at together when entries lie by sample.
BATCH_VALUES = 1 << 18


class SparseMatrix(StoredMatrix):
    """A matrix in compressed sparse form, of which at most a few megabytes are held as sparse slabs.

    Parameters
    ----------
    data, indices : array-like, shape (n_stored,)
        Values and their positions along the other axis: NumPy arrays, or anything that gives one when sliced.
    indptr : array-like, shape (n_features + 1,) or (n_samples + 1,)
        Where the entries of each feature (or sample) begin.
    shape : tuple of int
        ``(n_samples, n_features)``.
    by_feature : bool
        Whether the entries of a feature lie together (CSC of a samples x features matrix) or those of a sample
        (CSR).
    name : str
        For messages.

    Raises
    ------
    FileFormatError
        The three arrays do not fit together.

    Warns
    -----
    SlowStorageWarning
        Entries lie by sample and are too many to be gathered by feature in a few readings.

    Notes
    -----
    Entries by sample have to be read from the first to the last for every slab of features. A first reading of
    the positions counts the entries of every feature, so that the memory of a slab is known beforehand.

    Examples
    --------
    >>> values = sparse.csc_array([[0.0, 2.0], [1.0, 0.0]])
    >>> X = SparseMatrix(values.data, values.indices, values.indptr, (2, 2), by_feature=True, name="X")
    >>> X.read(slice(1, 2))
    array([[2.],
           [0.]])
    """

    def __init__(
        self, data: Any, indices: Any, indptr: Any, shape: tuple[int, int], by_feature: bool, name: str
    ) -> None:
        self._data, self._indices = data, indices
        self._starts = np.asarray(indptr[:], dtype=np.int64)
        self._by_feature = by_feature
        self._held = np.promote_types(data.dtype, np.float32)
        n_samples, n_features = shape
        _require_pointers(self._starts, data.shape[0], indices.shape[0], n_features if by_feature else n_samples, name)
        entry = self._held.itemsize + indices.dtype.itemsize
        before = self._starts if by_feature else self._count_by_feature(n_features, name)
        limit = SLAB_BYTES // 2 if by_feature else LARGE_SLAB_BYTES  # arrays of a file are copied once as they are read
        edges = gather_small_chunks(np.arange(n_features + 1), before * entry, limit)
        self._describe(name, shape, data.dtype, edges, (data, indices, indptr, shape, by_feature, name))
        self._before = before
        if not by_feature:
            layout, remedy = "its entries lie by sample (CSR)", "store it again in CSC form (adata.X.tocsc())"
            warn_if_slow(name, layout, len(edges) - 1, remedy)

    def window(self, columns: slice) -> FeatureMatrix:
        """Return consecutive features; in memory, with their entries only.

        Parameters
        ----------
        columns : slice

        Returns
        -------
        FeatureMatrix of shape (n_samples, width)
        """
        if not (self._by_feature and isinstance(self._data, np.ndarray) and columns.stop > columns.start):
            return FeatureWindow(self, columns.start, columns.stop)
        starts = self._starts[columns.start : columns.stop + 1]
        here, shape = slice(starts[0], starts[-1]), (self.shape[0], columns.stop - columns.start)
        return SparseMatrix(self._data[here], self._indices[here], starts - starts[0], shape, True, self.name)

    def _load(self, start: int, stop: int) -> sparse.csc_array:
        if not self._by_feature:
            return self._gather(start, stop)
        first, last = self._starts[start], self._starts[stop]
        values, rows = self._values(first, last), np.asarray(self._indices[first:last])
        return sparse.csc_array((values, rows, self._starts[start : stop + 1] - first), (self.shape[0], stop - start))

    def _cut(self, slab: Any, start: int, stop: int, dtype: type[np.floating[Any]]) -> NDArray[Any]:
        dense: NDArray[Any] = slab[:, start:stop].astype(dtype).toarray(order="F")
        return dense

    def _values(self, first: int, last: int) -> NDArray[Any]:
        """Stored values in a type that sparse arithmetic knows."""
        return np.asarray(self._data[first:last]).astype(self._held, copy=False)

    def _batches(self) -> Edges:
        """Boundaries of runs of samples with about a quarter of a million entries."""
        return gather_small_chunks(np.arange(len(self._starts)), self._starts, BATCH_VALUES)

    def _count_by_feature(self, n_features: int, name: str) -> NDArray[np.int64]:
        """Entries of all features before each feature, ``(n_features + 1,)``, from one reading of the positions."""
        counts = np.zeros(n_features, dtype=np.int64)
        batches = self._batches()
        for first, last in pairwise(self._starts[batches]):
            positions = np.asarray(self._indices[first:last])
            if len(positions) and (positions.min() < 0 or positions.max() >= n_features):
                raise FileFormatError(
                    f"{name}: an entry of the sparse matrix lies outside its {n_features} features. The file is "
                    f"damaged; write it again."
                )
            counts += np.bincount(positions, minlength=n_features)
        return np.append(0, np.cumsum(counts))

    def _gather(self, start: int, stop: int) -> sparse.csc_array:
        """Collect the entries of some features from all samples, in order of features and then of samples."""
        indptr = self._before[start : stop + 1] - self._before[start]
        free = indptr[:-1].copy()
        values = new_slab((int(indptr[-1]),), self._held)
        rows = new_slab((int(indptr[-1]),), np.dtype(np.int32 if self.shape[0] < 2**31 else np.int64))
        batches = self._batches()
        for low, high in pairwise(batches):
            part = self._rows(low, high)[:, start:stop].tocsc()
            counts = np.diff(part.indptr)
            places = np.repeat(free - part.indptr[:-1], counts) + np.arange(part.nnz)
            values[places], rows[places] = part.data, part.indices + low
            free += counts
        return sparse.csc_array((values, rows, indptr), (self.shape[0], stop - start))

    def _rows(self, low: int, high: int) -> sparse.csr_array:
        first, last = self._starts[low], self._starts[high]
        values, columns = self._values(first, last), np.asarray(self._indices[first:last])
        return sparse.csr_array((values, columns, self._starts[low : high + 1] - first), (high - low, self.shape[1]))


def _require_pointers(starts: NDArray[np.int64], n_values: int, n_indices: int, n_lines: int, name: str) -> None:
    fits = len(starts) == n_lines + 1 and starts[0] == 0 and starts[-1] == n_values == n_indices
    if not fits or np.any(np.diff(starts) < 0):
        raise FileFormatError(
            f"{name}: the parts of the sparse matrix do not fit together ({n_values} values, {n_indices} positions, "
            f"{len(starts)} starts for {n_lines} lines). The file is damaged or was cut; write it again."
        )
