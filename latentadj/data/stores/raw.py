"""Matrices in plain binary files."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...exceptions import FileFormatError, InputError
from .base import StoredMatrix, require_real, require_shape
from .file_bytes import FileBytes
from .notices import warn_if_slow
from .slabs import PIECES_BYTES, Edges, new_slab, regular_cuts

Order = Literal["C", "F"]

#: Bytes of one piece of a row below which whole disk pages are read for parts of them.
PAGE_BYTES = 4096


class RawMatrix(StoredMatrix):
    """A binary file without a header (or with one to skip), read at positions, not mapped.

    Parameters
    ----------
    path : path
    shape : tuple of int
        ``(n_samples, n_features)``.
    dtype : dtype
        Booleans, integers or floats of any size and byte order.
    order : {"C", "F"}
        As of a NumPy array of that shape. "F": the values of a feature lie together, and a block is one read.
        "C": those of a sample lie together; many features are read at once, a piece of every sample's row.
    offset : int, default=0
        Bytes before the first value.

    Raises
    ------
    FileFormatError
        The file is missing, or shorter or longer than shape, dtype and offset say.
    InputError
        Shape, dtype, order or offset is not one of the above.

    Notes
    -----
    Bytes that need a conversion go through one buffer per thread, which is used again for every block; others go
    straight into the block.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "values.bin")
    ...     np.arange(6, dtype="int16").tofile(path)
    ...     RawMatrix(path, (2, 3), "int16", "C").read(slice(1, 3))
    array([[1., 2.],
           [4., 5.]])
    """

    def __init__(
        self, path: str | os.PathLike[str], shape: tuple[int, int], dtype: Any, order: Order, offset: int = 0
    ) -> None:
        place = Path(path).absolute()
        self._open(place, shape, dtype, order, offset, (place, shape, dtype, order, offset))

    def _open(
        self, path: Path, shape: tuple[int, ...], dtype: Any, order: Order, offset: int, arguments: tuple[Any, ...]
    ) -> None:
        n_samples, n_features = require_shape(shape, str(path))
        storage = require_real(dtype, str(path))
        if order not in ("C", "F"):
            raise InputError(
                f"{path}: order={order!r} is not known. Use 'C' (the values of a sample lie together) or 'F' (those of "
                f"a feature)."
            )
        if offset < 0:
            raise InputError(f"{path}: offset={offset} is negative. Give the number of bytes before the values.")
        self._file = FileBytes(path)
        _require_size(self._file, (n_samples, n_features), storage, offset)
        self._order, self._offset = order, offset
        self._buffers = threading.local()
        edges = _edges(n_samples, n_features, storage.itemsize, order, str(path))
        self._describe(str(path), (n_samples, n_features), storage, edges, arguments)

    def _read(self, start: int, stop: int, dtype: type[np.floating[Any]]) -> NDArray[Any]:
        if self._order == "C":
            return super()._read(start, stop, dtype)
        n_samples = self.shape[0]
        position = self._offset + start * n_samples * self.dtype.itemsize
        if self.dtype == dtype:
            block = np.empty((stop - start, n_samples), dtype)
            self._file.read_into(block, position)
            return block.T
        stored = self._buffer((stop - start) * n_samples)
        self._file.read_into(stored, position)
        return stored.reshape(stop - start, n_samples).T.astype(dtype, order="K")

    def _buffer(self, size: int) -> NDArray[Any]:
        """The calling thread's buffer, at least as large as any block before."""
        held: NDArray[Any] | None = getattr(self._buffers, "array", None)
        if held is None or held.size < size:
            held = self._buffers.array = np.empty(size, dtype=self.dtype)
        return held[:size]

    def _load(self, start: int, stop: int) -> NDArray[Any]:
        """Read a piece of every sample's row."""
        n_samples, n_features = self.shape
        size = self.dtype.itemsize
        slab = new_slab((n_samples, stop - start), self.dtype)
        if stop - start == n_features:
            self._file.read_into(slab, self._offset)
            return slab
        for sample in range(n_samples):
            self._file.read_into(slab[sample], self._offset + (sample * n_features + start) * size)
        return slab


def _require_size(file: FileBytes, shape: tuple[int, int], dtype: np.dtype[Any], offset: int) -> None:
    needed = offset + shape[0] * shape[1] * dtype.itemsize
    if file.size() == needed:
        return
    what = "too short: it was cut, or these are not its shape and type" if file.size() < needed else "too long"
    raise FileFormatError(
        f"{file.path} has {file.size()} bytes; {shape[0]} samples x {shape[1]} features of {dtype} after {offset} "
        f"bytes take {needed}. The file is {what}. Check shape, dtype and offset, or copy the file again."
    )


def _edges(n_samples: int, n_features: int, size: int, order: Order, name: str) -> Edges:
    """Slabs of wide row pieces; one slab, never loaded as a whole, when blocks are read directly."""
    if order == "F":
        return np.array([0, n_features])
    width = min(max(1, PIECES_BYTES // (n_samples * size)), n_features)
    if width < n_features and width * size < PAGE_BYTES:
        layout = f"the values of a sample lie together and {n_samples} samples leave {width * size} bytes of each"
        warn_if_slow(name, layout, PAGE_BYTES / (width * size))
    return regular_cuts(n_features, width)
