"""What every stored matrix shares: shape, blocks that follow the storage, cutting blocks from slabs, pickling."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.matrix import Array, default_width
from ...exceptions import FileFormatError, InputError, LatentAdjError
from .slabs import Edges, SlabCache, aligned_blocks


class StoredMatrix:
    """A matrix in a file, read by slabs of features; the base of every store.

    A store sets its layout with `_describe` and implements `_load`. Pickled, it keeps the arguments it was made
    with and opens the file again.

    Attributes
    ----------
    shape : tuple of int
        ``(n_samples, n_features)``.
    dtype : numpy.dtype
        Storage type; blocks are float64.
    name : str
        File and place in it, for messages.

    Notes
    -----
    A thread holds one slab at a time, of at most about 24 MB unless a single feature is larger. Blocks are new
    arrays, or parts of a slab that is never written to again: a caller may hold several.
    """

    name: str
    _shape: tuple[int, int]
    _dtype: np.dtype[Any]
    _edges: Edges
    _arguments: tuple[Any, ...]

    def _describe(
        self, name: str, shape: tuple[int, int], dtype: Any, edges: Edges, arguments: tuple[Any, ...]
    ) -> None:
        """Set the layout; called once, by the constructor."""
        self.name = name
        self._shape = require_shape(shape, name)
        self._dtype = require_real(dtype, name)
        self._edges = edges
        self._arguments = arguments
        self._cache = SlabCache()

    @property
    def shape(self) -> tuple[int, int]:
        """``(n_samples, n_features)``."""
        return self._shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Storage type."""
        return self._dtype

    @property
    def slab_edges(self) -> Edges:
        """Where runs of features that are read together begin, and the number of features."""
        return self._edges

    def column_blocks(self, width: int | None = None) -> Iterator[slice]:
        """Yield slices of at most `width` features that cover all of them once and follow the storage.

        Parameters
        ----------
        width : int, optional
            By default about a megabyte worth of float64.

        Yields
        ------
        slice
        """
        return aligned_blocks(self._edges, width or default_width(self.shape[0]))

    def read(self, columns: slice) -> Array:
        """Return the block ``(n_samples, width)`` as float64.

        Parameters
        ----------
        columns : slice
            Consecutive features.

        Returns
        -------
        ndarray of shape (n_samples, width)
            Not to be written to.

        Raises
        ------
        FileFormatError
            The file has been cut or damaged.
        InputError
            The slice has a step.
        """
        return self._block(columns, np.float64)

    def read_single(self, columns: slice) -> NDArray[np.float32]:
        """Return the block as float32, without a detour over float64; see `read`."""
        return self._block(columns, np.float32)

    def _block(self, columns: slice, dtype: type[np.floating[Any]]) -> Any:
        start, stop = self._bounds(columns)
        if stop <= start:
            return np.empty((self.shape[0], 0), dtype)
        return self._read(start, stop, dtype)

    def _bounds(self, columns: slice) -> tuple[int, int]:
        start, stop, step = columns.indices(self.shape[1])
        if step != 1:
            raise InputError(f"{self.name}: features are read in runs, not in steps of {step}. Use a slice of step 1.")
        return start, stop

    def _read(self, start: int, stop: int, dtype: type[np.floating[Any]]) -> NDArray[Any]:
        """Cut the block from its slab, or join what several slabs hold of it."""
        first = int(np.searchsorted(self._edges, start, side="right")) - 1
        last = int(np.searchsorted(self._edges, stop, side="left"))
        pieces = []
        for index in range(first, last):
            low, high = int(self._edges[index]), int(self._edges[index + 1])
            slab = self._cache.get(index, self._load_checked)
            pieces.append(self._cut(slab, max(start - low, 0), min(stop, high) - low, dtype))
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces, axis=1)

    def _load_checked(self, index: int) -> Any:
        """Load a slab; whatever goes wrong becomes one error that names the features."""
        low, high = int(self._edges[index]), int(self._edges[index + 1])
        try:
            slab = self._load(low, high)
        except (LatentAdjError, MemoryError):
            raise
        except Exception as error:  # every library raises kinds of its own for a damaged chunk
            raise FileFormatError(
                f"{self.name}: features {low} to {high - 1} cannot be read ({type(error).__name__}: {error}). "
                f"The file is damaged or was cut; copy or write it again."
            ) from error
        if slab.shape != (self.shape[0], high - low):
            raise FileFormatError(
                f"{self.name}: features {low} to {high - 1} came as an array of shape {slab.shape}, expected "
                f"{(self.shape[0], high - low)}. The file has changed since it was opened; open it again."
            )
        return slab

    def _load(self, start: int, stop: int) -> Any:
        """Read features `start` to `stop` as an array ``(n_samples, stop - start)`` of the storage type."""
        raise NotImplementedError

    def _cut(self, slab: Any, start: int, stop: int, dtype: type[np.floating[Any]]) -> NDArray[Any]:
        """Return some features of a slab as an array of a type."""
        out: NDArray[Any] = slab[:, start:stop].astype(dtype, order="K", copy=False)
        return out

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._arguments

    def __repr__(self) -> str:
        n_samples, n_features = self.shape
        return f"{type(self).__name__}({n_samples} samples x {n_features} features, {self.dtype}, {self.name!r})"


def require_shape(shape: tuple[int, ...], name: str) -> tuple[int, int]:
    """Raise unless a shape has two dimensions and holds something.

    Parameters
    ----------
    shape : tuple of int
    name : str
        For the message.

    Returns
    -------
    tuple of int

    Raises
    ------
    InputError

    Examples
    --------
    >>> require_shape((2, 3), "a.npy")
    (2, 3)
    """
    if len(shape) != 2 or min(shape) < 1:
        raise InputError(
            f"{name}: the matrix has shape {tuple(shape)}; two dimensions are needed, with at least one sample and "
            f"one feature."
        )
    return int(shape[0]), int(shape[1])


def require_real(dtype: Any, name: str) -> np.dtype[Any]:
    """Raise unless a storage type holds real numbers.

    Parameters
    ----------
    dtype : dtype-like
    name : str
        For the message.

    Returns
    -------
    numpy.dtype

    Raises
    ------
    InputError

    Examples
    --------
    >>> require_real("float32", "a.npy")
    dtype('float32')
    """
    try:
        kind = np.dtype(dtype)
    except TypeError as error:
        raise InputError(f"{name}: {dtype!r} is not a NumPy type. Allowed: booleans, integers and floats.") from error
    if kind.kind not in "biuf":
        raise InputError(f"{name}: the values are of type {kind}; real numbers are needed. Store them as floats.")
    return kind


def oriented_shape(orientation: str, n_rows: int, n_columns: int) -> tuple[int, int]:
    """Turn the shape of a stored table to ``(n_samples, n_features)``.

    Parameters
    ----------
    orientation : {"samples", "features"}
        What the rows are.
    n_rows, n_columns : int

    Returns
    -------
    tuple of int

    Examples
    --------
    >>> oriented_shape("features", 10, 3)
    (3, 10)
    """
    return (n_rows, n_columns) if orientation == "samples" else (n_columns, n_rows)
