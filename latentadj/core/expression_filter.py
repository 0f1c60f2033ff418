"""Features with counts in enough samples for a test to say anything about them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentadj.core.matrix import Array, FeatureMatrix
from latentadj.core.pass_kernel import PassKernel
from latentadj.core.passes import run_pass

#: Round-off allowed in comparisons with a limit.
TOLERANCE = 1e-14


@dataclass(frozen=True, slots=True)
class ExpressionLimits:
    """When a feature is kept.

    Attributes
    ----------
    min_count : float
        Least count, in a sample of the median library size.
    min_total_count : float
        Least total over all samples.
    large_group : float
        Size of the smallest group above which not all of its samples need reach `min_count`.
    min_proportion : float
        Share of the samples beyond `large_group` that need.
    """

    min_count: float = 10.0
    min_total_count: float = 15.0
    large_group: float = 10.0
    min_proportion: float = 0.7

    def needed_samples(self, group_size: float) -> float:
        """Samples that must reach `min_count`, for a smallest group of `group_size`.

        Examples
        --------
        >>> ExpressionLimits().needed_samples(3), ExpressionLimits().needed_samples(20)
        (3, 17.0)
        """
        if group_size <= self.large_group:
            return group_size
        return self.large_group + (group_size - self.large_group) * self.min_proportion


class ExpressedKernel(PassKernel):
    """Number of samples in which a feature reaches a threshold, and its total count.

    Parameters
    ----------
    thresholds : ndarray of shape (n_samples,)
        Least count of each sample.
    n_features : int
    """

    rows = {"n_reached": 0, "total": 0}

    def __init__(self, thresholds: Array, n_features: int) -> None:
        self.thresholds = thresholds[:, None]
        self.n_reached = np.empty(n_features)
        self.total = np.empty(n_features)

    def update(self, block: Array, columns: slice) -> None:
        """Write the numbers of one block's features."""
        self.n_reached[columns] = (block >= self.thresholds).sum(axis=0)
        self.total[columns] = block.sum(axis=0)

    def result(self) -> tuple[Array, Array]:
        """Return ``n_reached`` and ``total``, both ``(n_features,)``."""
        return self.n_reached, self.total


def expressed_features(
    Y: FeatureMatrix, library_sizes: Array, group_size: float, limits: ExpressionLimits
) -> NDArray[np.bool_]:
    """Tell which features reach the least count per million in about as many samples as the smallest group holds.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
        Counts.
    library_sizes : ndarray of shape (n_samples,)
    group_size : float
        Samples in the smallest group, or the inverse of the largest leverage of a design.
    limits : ExpressionLimits

    Returns
    -------
    ndarray of bool, shape (n_features,)

    Notes
    -----
    The rule of Chen, Lun and Smyth (2016), F1000Research 5:1438, as in edgeR. A feature's counts are looked at without
    regard to which samples they are in, so that the selection does not depend on what is tested later.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> counts = np.array([[12.0, 2, 1000], [11, 3, 1000], [10, 50, 1000]])
    >>> expressed_features(ArrayMatrix(counts), np.full(3, 1050.0), 2, ExpressionLimits())
    array([ True, False,  True])
    """
    thresholds = limits.min_count * library_sizes / np.median(library_sizes)
    kernel = ExpressedKernel(thresholds * (1.0 - TOLERANCE), Y.shape[1])
    n_reached, total = run_pass(Y, kernel)[0]
    enough = n_reached >= limits.needed_samples(group_size) - TOLERANCE
    return np.asarray(enough & (total >= limits.min_total_count - TOLERANCE))
