"""Size factors of count samples by medians of ratios, which a few large features do not move."""

from __future__ import annotations

import numpy as np

from latentadj.core.matrix import Array, FeatureMatrix, FeatureSubset, collect
from latentadj.core.pass_kernel import PassKernel
from latentadj.core.passes import run_pass

#: Features whose ratios the medians are taken over, at most: those of the highest level.
MAX_FEATURES = 5000


class LogMeanKernel(PassKernel):
    """Mean logarithm of every feature over samples; minus infinity for features with a zero.

    Parameters
    ----------
    n_features : int
    """

    rows = {"log_mean": 0}

    def __init__(self, n_features: int) -> None:
        self.log_mean = np.empty(n_features)

    def update(self, block: Array, columns: slice) -> None:
        """Write the means of one block's features."""
        with np.errstate(divide="ignore"):
            self.log_mean[columns] = np.log(block).mean(axis=0)

    def result(self) -> Array:
        """Return the means ``(n_features,)``."""
        return self.log_mean


def filled_totals(totals: Array) -> Array:
    """Library sizes in which a sample without any count gets the smallest positive one; 1 when there is none.

    Such a sample says nothing, whatever its depth; a size of 0 would have no logarithm.

    Examples
    --------
    >>> filled_totals(np.array([0.0, 20.0, 5.0]))
    array([ 5., 20.,  5.])
    """
    positive = totals[totals > 0]
    return np.where(totals > 0, totals, positive.min() if positive.size else 1.0)


def median_ratio_factors(Y: FeatureMatrix) -> Array | None:
    """Size factors: the median over features of a sample's count over the feature's geometric mean.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
        Counts.

    Returns
    -------
    ndarray of shape (n_samples,) or None
        None when no feature is free of zeros.

    Notes
    -----
    Anders and Huber (2010), Genome Biology 11:R106, equation 5. Only features without any zero take part, at most the
    5000 of the highest level.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> median_ratio_factors(ArrayMatrix(np.outer([1.0, 4.0], [3.0, 5.0, 900.0])))
    array([0.5, 2. ])
    """
    log_mean = run_pass(Y, LogMeanKernel(Y.shape[1]))[0]
    kept = np.flatnonzero(np.isfinite(log_mean))
    if kept.size == 0:
        return None
    if kept.size > MAX_FEATURES:
        least = np.partition(log_mean[kept], -MAX_FEATURES)[-MAX_FEATURES]
        kept = kept[log_mean[kept] >= least]
    ratios = np.log(collect(FeatureSubset(Y, kept))) - log_mean[kept]
    out: Array = np.exp(np.median(ratios, axis=1))
    return out
