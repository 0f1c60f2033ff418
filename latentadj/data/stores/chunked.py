"""Arrays stored in rectangular chunks: what zarr and HDF5 have in common."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..adapters import Orientation
from .base import StoredMatrix, oriented_shape, require_real, require_shape
from .notices import warn_if_slow
from .slabs import LARGE_SLAB_BYTES, PIECES_BYTES, Edges, regular_cuts, slab_edges


class ChunkedMatrix(StoredMatrix):
    """A two-dimensional array that is sliced like a NumPy array and read by chunks.

    A store calls `_lay_out` with its array. Each chunk is read once in a pass, unless a chunk holds so many
    features that only a part of it is kept at a time.
    """

    _array: Any
    _features_first: bool

    def _lay_out(self, array: Any, name: str, orientation: Orientation, arguments: tuple[Any, ...]) -> None:
        rows, columns = require_shape(array.shape, name)
        dtype = require_real(array.dtype, name)
        self._array = array
        self._features_first = orientation == "features"
        shape = oriented_shape(orientation, rows, columns)
        chunk = None if array.chunks is None else array.chunks[0 if self._features_first else 1]
        edges = _chunk_edges(shape, chunk, dtype.itemsize, self._features_first, name)
        self._describe(name, shape, dtype, edges, arguments)

    def _load(self, start: int, stop: int) -> NDArray[Any]:
        if self._features_first:
            return np.asarray(self._array[start:stop, :]).T
        return np.asarray(self._array[:, start:stop])


def _chunk_edges(shape: tuple[int, int], chunk: int | None, size: int, features_first: bool, name: str) -> Edges:
    """Slabs that follow the chunks; of an array without chunks, wide pieces of rows or runs of features."""
    n_samples, n_features = shape
    feature_bytes = n_samples * size
    if chunk is None:
        chunk = 1 if features_first else max(1, PIECES_BYTES // feature_bytes)
    else:
        layout = f"its chunks hold {min(chunk, n_features)} features each"
        warn_if_slow(name, layout, min(chunk, n_features) * feature_bytes / LARGE_SLAB_BYTES)
    return slab_edges(regular_cuts(n_features, chunk), feature_bytes)
