"""Random orders of the samples, feature by feature, that do not depend on how features are visited.

Random bits come from a counter-based generator that is positioned by replicate and feature.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.random import Generator, Philox
from numpy.typing import NDArray

from latentadj.core.matrix import Array

Orders: TypeAlias = NDArray[np.uint32] | NDArray[np.uint64]

#: 64-bit numbers that the generator makes per step of its counter.
COUNTER_BLOCK = 4
#: Up to this many samples keys have 32 bits, of which at least 23 are random.
SHORT_KEYS = 512
#: Values that are permuted together; with their keys and the permuted copy they share the cache.
CHUNK_VALUES = 1 << 16
#: Fourth word of the counter: what a random stream is for.
FEATURES, GROUPS = 0, 1


def random_key(rng: np.random.Generator) -> NDArray[np.uint64]:
    """Draw the key ``(2,)`` of a counter-based random stream from a generator."""
    return rng.integers(0, 2**64 - 1, size=2, dtype=np.uint64, endpoint=True)


def random_orders(key: NDArray[np.uint64], stream: int, rows: slice, n_samples: int, purpose: int = FEATURES) -> Orders:
    """Draw one random order of the samples for each row of a slice.

    Parameters
    ----------
    key : ndarray of uint64, shape (2,)
        Key of the random stream.
    stream : int
        Number of the stream: of the replicate, say.
    rows : slice
        Rows ``start <= j < stop``, features for instance; the order of row j does not depend on the slice it is
        asked in.
    n_samples : int
    purpose : int, default=0
        Streams for different purposes are independent.

    Returns
    -------
    ndarray of uint32 or uint64, shape (n_rows, n_samples)
        Each row is a permutation of ``range(n_samples)``.

    Notes
    -----
    A row of random keys is sorted; the low bits of each key are first replaced by the position of the sample, so
    that the sorted keys carry the order with them and ties cannot lose a sample. Two samples that tie stay in their
    order: with keys of 32 bits and n samples a pair of them keeps it with probability ``1/2 + n / 2^33`` or less
    (``1/2 + 6e-8`` at the 512 samples where longer keys begin), and one row in 10,000 has a tie at 100 samples.
    Philox is a counter-based generator (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): each step
    of its counter gives four numbers of 64 bits, and every row owns a whole number of steps.

    Examples
    --------
    >>> key = np.array([1, 2], dtype=np.uint64)
    >>> wide = random_orders(key, 0, slice(0, 4), 5)
    >>> bool((random_orders(key, 0, slice(2, 4), 5) == wide[2:]).all())
    True
    >>> np.sort(wide[0]).tolist()
    [0, 1, 2, 3, 4]
    """
    kind: Any = np.uint32 if n_samples <= SHORT_KEYS else np.uint64
    per_step = COUNTER_BLOCK * 8 // np.dtype(kind).itemsize
    steps = -(-n_samples // per_step)
    counter = np.array([rows.start * steps, 0, stream, purpose], dtype=np.uint64)
    generator = Generator(Philox(counter=counter, key=key))
    shape = (rows.stop - rows.start, steps * COUNTER_BLOCK)
    bits = generator.integers(0, 2**64 - 1, size=shape, dtype=np.uint64, endpoint=True)
    drawn = bits.view(kind)[:, :n_samples]
    low_bits = kind((1 << max(n_samples - 1, 1).bit_length()) - 1)
    keys: Orders = np.bitwise_and(drawn, ~low_bits)
    np.bitwise_or(keys, np.arange(n_samples, dtype=kind), out=keys)
    keys.sort(axis=1)
    np.bitwise_and(keys, low_bits, out=keys)
    return keys


def permuted_rows(rows: Array, orders: Orders) -> Array:
    """Values ``(n_rows, n_samples)`` of rows that are each put into their own order.

    Examples
    --------
    >>> permuted_rows(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1, 0], [0, 1]], dtype=np.uint32))
    array([[2., 1.],
           [3., 4.]])
    """
    n_rows, n_samples = rows.shape
    index = np.add(orders, np.arange(n_rows, dtype=np.intp)[:, None] * n_samples, dtype=np.intp, casting="unsafe")
    out: Array = np.take(rows.reshape(-1), index, mode="clip")
    return out


def residual_rows(block: Array, columns: slice, basis: Array, weights: Array | None) -> Iterator[tuple[slice, Array]]:
    """Weighted residuals of a block, a few features at a time and a contiguous row for each.

    Parameters
    ----------
    block : ndarray of shape (n_samples, width)
    columns : slice
        Features of the block.
    basis : ndarray of shape (n_samples, rank)
        Orthonormal basis of the design.
    weights : ndarray of shape (n_features,), optional

    Yields
    ------
    features : slice
    rows : ndarray of shape (n_few, n_samples)
    """
    n_samples = block.shape[0]
    width = max(CHUNK_VALUES // n_samples, min(n_samples, 1024), 1)
    for start in range(columns.start, columns.stop, width):
        features = slice(start, min(start + width, columns.stop))
        part = block[:, features.start - columns.start : features.stop - columns.start].T
        rows: Array = np.ascontiguousarray(part - (part @ basis) @ basis.T)
        if weights is not None:
            rows *= weights[features, None]
        yield features, rows


def shifted(features: slice, by: int) -> slice:
    """The same features counted from another one."""
    return slice(features.start + by, features.stop + by)
