"""Counts on a scale where effects add up: lazy logarithms of counts, with library sizes from one pass."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from latentadj.core.matrix import Array, FeatureMatrix, FeatureView
from latentadj.core.pass_kernel import PassKernel
from latentadj.core.passes import run_pass
from latentadj.exceptions import DataScaleWarning, InputError

#: Reads per "million" in counts per million.
MILLION = 1e6


@dataclass(frozen=True)
class LogCounts(FeatureView):
    """Logarithms of another matrix's counts, made block by block.

    Parameters
    ----------
    base : FeatureMatrix of shape (n_samples, n_features)
        Counts, at least 0.
    library_sizes : ndarray of shape (n_samples,) or None
        Total of each sample for counts per million; None for plain logarithms of the counts.
    prior : float
        Added to every count, above 0.

    Notes
    -----
    With library sizes L: ``log2((c + prior) / (L + 2 prior) 1e6)``, which for ``prior = 0.5`` is the scale of
    voom (Law et al. 2014, Genome Biology 15:R29): the ratio stays below one whatever the count. Without:
    ``log(c + prior)``, natural, as in svaseq (Leek 2014), where depth is left for the factors to carry.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> counts = ArrayMatrix(np.array([[0.0, 1.0]]))
    >>> LogCounts(counts, None, 1.0).read(slice(0, 2)).round(3)
    array([[0.   , 0.693]])
    """

    base: FeatureMatrix
    library_sizes: Array | None
    prior: float

    def read(self, columns: slice) -> Array:
        """Return the logarithms of the block."""
        block = self.base.read(columns)
        if (block < 0).any():
            raise _negative()
        shifted = block + self.prior
        if self.library_sizes is None:
            return np.log(shifted)
        return np.log2(shifted) - np.log2((self.library_sizes + 2.0 * self.prior) / MILLION)[:, None]


class LibraryKernel(PassKernel):
    """Total count of every sample; raises `InputError` on a negative count, passes over values that are missing.

    Parameters
    ----------
    n_samples : int
    """

    sums = ("total",)

    def __init__(self, n_samples: int) -> None:
        self.total = np.zeros(n_samples)

    def update(self, block: Array, columns: slice) -> None:
        """Add one block's counts."""
        if (block < 0).any():
            raise _negative()
        self.total += np.where(np.isfinite(block), block, 0.0).sum(axis=1)

    def result(self) -> Array:
        """Return the totals ``(n_samples,)``."""
        return self.total


def library_sizes(matrix: FeatureMatrix) -> Array:
    """Total count of every sample, by one pass.

    Parameters
    ----------
    matrix : FeatureMatrix of shape (n_samples, n_features)
        Counts.

    Returns
    -------
    ndarray of shape (n_samples,)

    Raises
    ------
    InputError
        If a count is negative.

    Warns
    -----
    DataScaleWarning
        If a sample has no counts at all.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> library_sizes(ArrayMatrix(np.array([[0, 3], [2, 5]])))
    array([3., 7.])
    """
    (total,) = run_pass(matrix, LibraryKernel(matrix.shape[0]))
    empty = np.flatnonzero(total == 0)
    if empty.size:
        warnings.warn(
            f"{empty.size} of {len(total)} samples hold no counts at all (first: position {empty[0]}). Their counts "
            "per million say nothing; leave these samples out.",
            DataScaleWarning,
            stacklevel=3,
        )
    sizes: Array = total
    return sizes


def log_counts(matrix: FeatureMatrix, *, per_million: bool = True, prior: float = 0.5) -> LogCounts:
    """Return counts on the log scale as a lazy view; with ``per_million`` after one pass for the library sizes.

    Parameters
    ----------
    matrix : FeatureMatrix of shape (n_samples, n_features)
        Counts, at least 0.
    per_million : bool, default=True
        log2 counts per million (True) or natural logarithms of the counts (False).
    prior : float, default=0.5
        Added to every count.

    Returns
    -------
    LogCounts
    """
    return LogCounts(matrix, library_sizes(matrix) if per_million else None, prior)


def _negative() -> InputError:
    return InputError(
        "Negative values in data passed as counts. Give raw counts, or use a method for values on a log scale."
    )
