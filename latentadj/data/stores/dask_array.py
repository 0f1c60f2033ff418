"""Dask arrays, read by blocks of features."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cached_property
from importlib import import_module
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.matrix import FeatureMatrix
from ...exceptions import InputError
from ..adapters import Orientation, require_orientation
from ..parquet import require_extra
from .base import StoredMatrix, oriented_shape, require_real, require_shape
from .notices import warn_if_slow
from .slabs import Edges, gather_small_chunks, split_large_chunks

#: Bytes above one and a half times of which the chunks of some features are computed in parts: the usual chunk of
#: dask has 128 MB.
LARGE_CHUNK_BYTES = 1 << 27


class DaskMatrix(StoredMatrix):
    """A two-dimensional dask array; blocks follow its chunks, and it is never computed as a whole.

    Parameters
    ----------
    array : dask.array.Array
        Real numbers. Chunks along the samples are joined.
    orientation : {"samples", "features"}, default="samples"
        What the rows of the array are.

    Raises
    ------
    MissingExtraError
        dask is not installed.
    InputError
        Not two-dimensional, not of real numbers, or with chunks of unknown size.

    Warns
    -----
    SlowStorageWarning
        The chunks hold so many features that a pass computes them several times.

    Notes
    -----
    The threads of a pass compute the chunks that they need by themselves, each with dask's synchronous scheduler; a
    thread holds the chunks of one run of features. An array that lies in the memory of a cluster (``persist``) is
    fetched chunk by chunk; with a `DaskExecutor` passes go to where it lies instead.

    Examples
    --------
    >>> import dask.array
    >>> DaskMatrix(dask.array.arange(6, chunks=3).reshape(2, 3)).read(slice(1, 3))
    array([[1., 2.],
           [4., 5.]])
    """

    def __init__(self, array: Any, orientation: Orientation = "samples") -> None:
        require_extra("dask", "dask", Path("a dask array"))
        require_orientation(orientation)
        name = f"The dask array {getattr(array, 'name', '')}"
        if np.isnan(np.array(array.shape, dtype=float)).any():
            raise InputError(f"{name} has chunks of unknown size. Call its compute_chunk_sizes() first.")
        rows, columns = require_shape(array.shape, name)
        dtype = require_real(array.dtype, name)
        shape = oriented_shape(orientation, rows, columns)
        turned = array if orientation == "samples" else array.T
        self.array = turned
        parts, edges = _chunk_edges(turned.chunks[1], shape[0] * dtype.itemsize, name)
        self._parts = parts
        self._describe(name, shape, dtype, edges, (array, orientation))

    @property
    def slab_edges(self) -> Edges:
        """Where chunks begin, and the number of features."""
        return self._parts

    @cached_property
    def is_remote(self) -> bool:
        """Whether chunks lie in the memory of a cluster."""
        return "distributed" in sys.modules and bool(import_module("distributed").futures_of(self.array))

    def window(self, columns: slice) -> FeatureMatrix:
        """Return consecutive features, with the part of the task graph that they need.

        Parameters
        ----------
        columns : slice

        Returns
        -------
        DaskMatrix of shape (n_samples, width)
        """
        part = self.array[:, columns]
        if not self.is_remote:  # whose graph is not sent, and would lose what it stands for
            (part,) = import_module("dask").optimize(part)
        return DaskMatrix(part)

    def _load(self, start: int, stop: int) -> NDArray[Any]:
        part = self.array[:, start:stop]
        if self.is_remote:
            return np.asarray(part.compute())
        return np.asarray(part.compute(scheduler="synchronous"))


def is_dask_array(source: Any) -> bool:
    """Recognise a dask array by the name of its library; nothing is imported.

    Parameters
    ----------
    source : object

    Returns
    -------
    bool

    Examples
    --------
    >>> is_dask_array(np.ones(3))
    False
    """
    return type(source).__module__.partition(".")[0] == "dask" and hasattr(source, "chunks")


def _chunk_edges(chunks: Sequence[int], feature_bytes: int, name: str) -> tuple[Edges, Edges]:
    """Chunks, or parts of those that are too large, and slabs of one or several of these."""
    cuts = np.array([0, *accumulate(chunks)], dtype=np.int64)
    cuts = np.unique(cuts)
    widest = max(high - low for low, high in pairwise(cuts.tolist()))
    warn_if_slow(
        name,
        f"its chunks hold up to {widest} features each",
        widest * feature_bytes / LARGE_CHUNK_BYTES,
        "rechunk it so that a chunk has all samples and a few thousand features",
    )
    parts = split_large_chunks(cuts, feature_bytes, LARGE_CHUNK_BYTES)
    return parts, gather_small_chunks(parts, parts * feature_bytes)
