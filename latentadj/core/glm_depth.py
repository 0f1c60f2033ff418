"""Offsets of count models: logarithms of the samples' sequencing depths."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from latentadj.core.depth import SIZE_FACTORS as DEPTH_METHODS
from latentadj.core.depth import size_factors_by_name
from latentadj.core.matrix import Array, FeatureMatrix, collect
from latentadj.core.size_factors import filled_totals, median_ratio_factors
from latentadj.exceptions import InputError

#: Names of ways to find size factors.
SIZE_FACTORS = ("library", *DEPTH_METHODS)


def depth_offset(Y: FeatureMatrix, total: Array, size_factors: str | ArrayLike | None) -> Array:
    """Logarithms of size factors with mean 0.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
        Counts; missing ones take no part.
    total : ndarray of shape (n_samples,)
        Sums of the samples' counts.
    size_factors : str or array-like of shape (n_samples,) or None
        One of `SIZE_FACTORS`, or numbers, of which only the ratios matter; None for no offset.

    Returns
    -------
    ndarray of shape (n_samples,)

    Raises
    ------
    InputError
        If numbers are not positive, one per sample, or there are no features without zeros for "median_ratio".

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> Y = ArrayMatrix(np.array([[1.0, 3.0], [4.0, 12.0]]))
    >>> np.exp(depth_offset(Y, np.array([4.0, 16.0]), "library")).round(6)
    array([0.5, 2. ])
    """
    if size_factors is None:
        return np.zeros(len(total))
    if isinstance(size_factors, str):
        sizes = _named_sizes(Y, total, size_factors)
    else:
        sizes = np.asarray(size_factors, dtype=np.float64)
    if sizes.shape != total.shape or not np.all(np.isfinite(sizes) & (sizes > 0)):
        raise InputError(
            f"Size factors must be {len(total)} positive numbers, one per sample; a sample without any count has "
            "none. Leave such samples out, check size_factors=, or use size_factors=None."
        )
    logs = np.log(sizes)
    out: Array = logs - logs.mean()
    return out


def _named_sizes(Y: FeatureMatrix, total: Array, name: str) -> Array:
    if name in ("library", "library_size"):
        return filled_totals(total)
    if name != "median_ratio":
        return size_factors_by_name(np.nan_to_num(collect(Y)), filled_totals(total), name)
    factors = median_ratio_factors(Y)
    if factors is None:
        raise InputError(
            "size_factors='median_ratio' needs features without zeros, and there are none. Use 'tmm' or 'library', "
            "or give the size factors."
        )
    return factors
