"""Slabs: runs of features that are read and decoded together, and from which blocks are cut.

A block of a pass holds a few hundred features; a chunk of a file may hold thousands. A slab is what is read at
once: several small chunks, one chunk, or a part of one that is too large. It lives as long as a thread cuts
blocks from it, and threads that meet in a slab share it.
"""

from __future__ import annotations

import math
import mmap
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

Edges = NDArray[np.int64]

#: Bytes that small chunks are gathered to.
SLAB_BYTES = 1 << 22
#: Bytes of slabs of which each sample gives a piece: long pieces, as nothing has to be decoded.
PIECES_BYTES = 1 << 23
#: Bytes above one and a half times of which a chunk is read in parts.
LARGE_SLAB_BYTES = 1 << 24


def regular_cuts(n_features: int, chunk: int) -> Edges:
    """Boundaries of chunks of equal width.

    Parameters
    ----------
    n_features, chunk : int

    Returns
    -------
    ndarray of int64, shape (n_chunks + 1,)

    Examples
    --------
    >>> regular_cuts(10, 4)
    array([ 0,  4,  8, 10])
    """
    return np.append(np.arange(0, n_features, max(chunk, 1), dtype=np.int64), np.int64(n_features))


def split_large_chunks(cuts: Edges, feature_bytes: int, limit: int = LARGE_SLAB_BYTES) -> Edges:
    """Add boundaries inside chunks that are too large to be held at once.

    Parameters
    ----------
    cuts : ndarray of int64, shape (n_chunks + 1,)
        Boundaries of the chunks in features.
    feature_bytes : int
        Bytes of one feature, all samples.
    limit : int
        Bytes of a part, roughly: a chunk of up to one and a half times as much stays whole.

    Returns
    -------
    ndarray of int64

    Examples
    --------
    >>> split_large_chunks(np.array([0, 100, 130]), feature_bytes=8, limit=400)
    array([  0,  50, 100, 130])
    """
    pieces = [np.zeros(1, dtype=np.int64)]
    for low, high in pairwise(cuts):
        parts = max(1, min(round(float(high - low) * feature_bytes / limit), int(high - low)))
        pieces.append(np.linspace(low, high, parts + 1)[1:].round().astype(np.int64))
    return np.concatenate(pieces)


def gather_small_chunks(cuts: Edges, bytes_before: NDArray[Any], limit: int = SLAB_BYTES) -> Edges:
    """Choose among allowed boundaries those of slabs that are as large as a limit allows.

    Parameters
    ----------
    cuts : ndarray of int64, shape (n_cuts,)
        Allowed boundaries, from 0 to the number of features.
    bytes_before : ndarray, shape (n_cuts,)
        Bytes of all features before each of them.
    limit : int
        Bytes of a slab, unless the next boundary is farther away.

    Returns
    -------
    ndarray of int64

    Examples
    --------
    >>> gather_small_chunks(np.array([0, 4, 8, 10]), np.array([0, 32, 64, 80]), limit=64)
    array([ 0,  8, 10])
    """
    chosen = [0]
    while chosen[-1] < len(cuts) - 1:
        here = chosen[-1]
        farthest = int(np.searchsorted(bytes_before, bytes_before[here] + limit, side="right")) - 1
        chosen.append(max(farthest, here + 1))
    return cuts[chosen]


def slab_edges(cuts: Edges, feature_bytes: int) -> Edges:
    """Boundaries of slabs for chunks with a fixed number of bytes per feature.

    Parameters
    ----------
    cuts : ndarray of int64, shape (n_chunks + 1,)
        Boundaries of the chunks in features.
    feature_bytes : int
        Bytes of one feature, all samples.

    Returns
    -------
    ndarray of int64, shape (n_slabs + 1,)

    Examples
    --------
    >>> slab_edges(regular_cuts(100_000, 1000), feature_bytes=2000)[:3]
    array([   0, 2000, 4000])
    """
    parts = split_large_chunks(cuts, feature_bytes)
    return gather_small_chunks(parts, parts * feature_bytes)


def new_slab(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return an array on pages of its own, which go back to the system when it is no longer used.

    Parameters
    ----------
    shape : tuple of int
    dtype : numpy.dtype

    Returns
    -------
    ndarray, filled with zeros

    Notes
    -----
    The allocator of the C library keeps freed megabytes for each thread: a pass then holds several times the
    memory of its slabs.

    Examples
    --------
    >>> new_slab((2, 3), np.dtype("float32")).shape
    (2, 3)
    """
    size = math.prod(shape) * dtype.itemsize
    pages = mmap.mmap(-1, max(size, 1))
    return np.frombuffer(pages, dtype=np.uint8, count=size).view(dtype).reshape(shape)


def aligned_blocks(edges: Edges, width: int) -> Iterator[slice]:
    """Yield slices of at most `width` features that do not cross a slab larger than that.

    Parameters
    ----------
    edges : ndarray of int64, shape (n_slabs + 1,)
    width : int

    Yields
    ------
    slice
        Together they cover all features once, in order.

    Examples
    --------
    >>> [(b.start, b.stop) for b in aligned_blocks(np.array([0, 5, 10, 11]), 3)]
    [(0, 3), (3, 5), (5, 8), (8, 11)]
    """
    start = 0
    for low, high in pairwise(edges.tolist()):
        if start < low and high - start > width:
            yield slice(start, low)
            start = low
        while high - start > width:
            yield slice(start, start + width)
            start += width
    if start < edges[-1]:
        yield slice(start, int(edges[-1]))


class SlabCache:
    """The slab each thread works on; threads that ask for the same one get the same object.

    Examples
    --------
    >>> cache = SlabCache()
    >>> first = cache.get(0, lambda index: np.full(2, index))
    >>> cache.get(0, lambda index: None) is first
    True
    """

    def __init__(self) -> None:
        self._mine = threading.local()
        self._all: WeakValueDictionary[int, Any] = WeakValueDictionary()
        self._loading: dict[int, threading.Lock] = {}
        self._guard = threading.Lock()

    def get(self, index: int, load: Callable[[int], Any]) -> Any:
        """Return slab `index`, loading it when no thread holds it.

        Parameters
        ----------
        index : int
        load : callable
            Called with the index; one caller at a time for each slab.

        Returns
        -------
        object
            What `load` returned; must allow weak references.
        """
        held_index, held = getattr(self._mine, "slab", (None, None))
        if held_index == index:
            return held
        held = None
        self._mine.slab = None, None  # one slab per thread, also while the next one is loaded
        with self._guard:
            lock = self._loading.setdefault(index, threading.Lock())
        with lock:
            slab = self._all.get(index)
            if slab is None:
                slab = self._all[index] = load(index)
        with self._guard:
            self._loading.pop(index, None)
        self._mine.slab = (index, slab)
        return slab
