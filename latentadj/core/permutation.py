"""Spectra of residuals after every feature has been permuted on its own: the null of parallel analysis.

The data are read once. Each block's residuals stay in cache while every replicate permutes them and adds
its products to that replicate's Gram matrix; nothing of the size of the data is ever made. Random bits come
from a counter-based generator that is positioned by replicate and feature, so that the answer does not
depend on block width, threads or the order in which blocks are read.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.random import Generator, Philox
from numpy.typing import NDArray
from scipy.linalg import eigvalsh

from latentadj.core.matrix import Array, FeatureMatrix
from latentadj.core.passes import run_pass
from latentadj.core.regression import DesignBasis

#: Bytes of the Gram matrices that one worker may hold; more replicates than fit are done in further passes.
GRAM_BYTES = 1 << 26
#: Residual values that are permuted together; with their keys and the permuted copy they share the cache.
CHUNK_VALUES = 1 << 16
#: 64-bit numbers that the generator makes per step of its counter.
COUNTER_BLOCK = 4


def feature_orders(key: NDArray[np.uint64], replicate: int, features: slice, n_samples: int) -> NDArray[np.intp]:
    """Draw one random order of the samples for each feature of a slice.

    Parameters
    ----------
    key : ndarray of uint64, shape (2,)
        Key of the random stream.
    replicate : int
        Number of the replicate; each has a stream of its own.
    features : slice
        Features ``start <= j < stop``; the order of feature j does not depend on the slice it is asked in.
    n_samples : int

    Returns
    -------
    ndarray of int, shape (n_features_in_slice, n_samples)
        Each row is a permutation of ``range(n_samples)``.

    Notes
    -----
    A row of 64-bit random keys is sorted; the low bits of each key are first replaced by the position of
    the sample, so that the sorted keys carry the order with them and ties cannot lose a sample. At least 48
    random bits of a key are left for up to 65,536 samples. Philox is a counter-based generator (Salmon et
    al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): each step of its counter gives four numbers,
    and every feature owns a whole number of steps.

    Examples
    --------
    >>> key = np.array([1, 2], dtype=np.uint64)
    >>> wide = feature_orders(key, 0, slice(0, 4), 5)
    >>> bool((feature_orders(key, 0, slice(2, 4), 5) == wide[2:]).all())
    True
    >>> np.sort(wide[0])
    array([0, 1, 2, 3, 4])
    """
    steps = -(-n_samples // COUNTER_BLOCK)
    counter = np.array([features.start * steps, 0, replicate, 0], dtype=np.uint64)
    stream = Generator(Philox(counter=counter, key=key))
    shape = (features.stop - features.start, steps * COUNTER_BLOCK)
    keys = stream.integers(0, 2**64 - 1, size=shape, dtype=np.uint64, endpoint=True)[:, :n_samples]
    low_bits = np.uint64((1 << max(n_samples - 1, 1).bit_length()) - 1)
    keys = np.bitwise_and(keys, ~low_bits)
    np.bitwise_or(keys, np.arange(n_samples, dtype=np.uint64), out=keys)
    keys.sort(axis=1)
    np.bitwise_and(keys, low_bits, out=keys)
    return keys.view(np.intp)


class PermutedGramKernel:
    """Sample Gram matrices of residuals whose samples are permuted feature by feature, one per replicate.

    Parameters
    ----------
    basis : ndarray of shape (n_samples, rank)
        Orthonormal basis of the design that is removed from every feature.
    key : ndarray of uint64, shape (2,)
        Key of the random stream.
    replicates : range
        Numbers of the replicates.
    weights : ndarray of shape (n_features,), optional
        Factor of each feature's residuals.

    Notes
    -----
    ``G_b = sum_j w_j^2 (P_bj r_j)(P_bj r_j)'`` with residuals ``r_j = (I - QQ') y_j`` and independent
    permutations ``P_bj``. Work is about ``m n^2`` flops and ``m n`` random numbers per replicate.
    """

    def __init__(
        self, basis: Array, key: NDArray[np.uint64], replicates: range, *, weights: Array | None = None
    ) -> None:
        n_samples = basis.shape[0]
        self.basis = basis
        self.key = key
        self.replicates = replicates
        self.weights = weights
        self.grams = np.zeros((len(replicates), n_samples, n_samples))
        self._chunk = max(CHUNK_VALUES // n_samples, min(n_samples, 1024), 1)

    def fork(self) -> Self:
        """Return an empty accumulator of the same settings."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__, grams=np.zeros_like(self.grams))
        return twin

    def update(self, block: Array, columns: slice) -> None:
        """Add the products of one block's permuted residuals, replicate by replicate."""
        for start in range(columns.start, columns.stop, self._chunk):
            features = slice(start, min(start + self._chunk, columns.stop))
            part = block[:, features.start - columns.start : features.stop - columns.start]
            self._add_permuted(self._residuals(part, features), features)

    def _residuals(self, block: Array, features: slice) -> Array:
        """Weighted residuals of a few features, a contiguous row for each."""
        rows: Array = np.ascontiguousarray(block.T - (block.T @ self.basis) @ self.basis.T)
        if self.weights is not None:
            rows *= self.weights[features, None]
        return rows

    def _add_permuted(self, rows: Array, features: slice) -> None:
        n_features, n_samples = rows.shape
        first = np.arange(n_features)[:, None] * n_samples
        permuted, product = np.empty_like(rows), np.empty((n_samples, n_samples))
        for gram, replicate in zip(self.grams, self.replicates, strict=True):
            index = feature_orders(self.key, replicate, features, n_samples)
            index += first
            np.take(rows.reshape(-1), index, out=permuted, mode="clip")
            gram += np.matmul(permuted.T, permuted, out=product)

    def merge(self, other: Self) -> None:
        """Add another run's Gram matrices."""
        self.grams += other.grams

    def result(self) -> Array:
        """Return the Gram matrices ``(n_replicates, n_samples, n_samples)``."""
        return self.grams


def random_key(rng: np.random.Generator) -> NDArray[np.uint64]:
    """Draw the key ``(2,)`` of a counter-based random stream from a generator."""
    return rng.integers(0, 2**64 - 1, size=2, dtype=np.uint64, endpoint=True)


def permuted_eigenvalues(
    Y: FeatureMatrix,
    basis: DesignBasis,
    n_permutations: int,
    rng: np.random.Generator,
    *,
    weights: Array | None = None,
    gram_bytes: int = GRAM_BYTES,
) -> Array:
    """Eigenvalues of the residual Gram matrix after permuting every feature's residuals on its own.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
    basis : DesignBasis
    n_permutations : int
    rng : numpy.random.Generator
        Gives the key of the random stream and nothing else.
    weights : ndarray of shape (n_features,), optional
        Factor of each feature's residuals (1 / standard deviation, say).
    gram_bytes : int
        Memory of the Gram matrices of one worker; what does not fit is done in further passes.

    Returns
    -------
    ndarray of shape (n_permutations, df_resid)
        Decreasing along rows; squared singular values of the permuted residuals from which the design has
        been removed again.

    References
    ----------
    Buja and Eyuboglu (1992), "Remarks on parallel analysis", Multivariate Behavioral Research 27, 509-540.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> from latentadj.core.regression import design_basis
    >>> rng = np.random.default_rng(0)
    >>> Y = ArrayMatrix(rng.normal(size=(8, 300)))
    >>> permuted_eigenvalues(Y, design_basis(np.ones((8, 1))), 5, rng).shape
    (5, 7)
    """
    key, complement = random_key(rng), basis.complement()
    out = np.empty((n_permutations, complement.shape[1]))
    group = max(gram_bytes // (8 * basis.n_samples**2), 1)
    for start in range(0, n_permutations, group):
        replicates = range(start, min(start + group, n_permutations))
        (grams,) = run_pass(Y, PermutedGramKernel(basis.q, key, replicates, weights=weights))
        for replicate, gram in zip(replicates, grams, strict=True):
            out[replicate] = eigvalsh(complement.T @ gram @ complement)[::-1]
    return np.maximum(out, 0.0)
