"""Counts brought to a scale where effects add up, for pictures and tables of the data themselves."""

from __future__ import annotations

import numpy as np

from latentadj.core.counts import log_counts
from latentadj.core.matrix import FeatureMatrix

#: Features whose values are looked at.
LOOKED_AT = 1000
#: Whole numbers up to here may be anything; counts go beyond.
SMALL = 50.0


def looks_like_counts(matrix: FeatureMatrix) -> bool:
    """Tell whether values are whole numbers from 0 up, some of them large.

    Parameters
    ----------
    matrix : FeatureMatrix of shape (n_samples, n_features)
        Missing values are passed over; the first 1,000 features are looked at.

    Returns
    -------
    bool

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> looks_like_counts(ArrayMatrix(np.array([[0.0, 90.0]]))), looks_like_counts(ArrayMatrix(np.array([[0.5, 90.0]])))
    (True, False)
    """
    block = matrix.read(slice(0, min(LOOKED_AT, matrix.shape[1])))
    known = block[np.isfinite(block)]
    if not known.size or known.min() < 0 or known.max() <= SMALL:
        return False
    return bool(np.array_equal(known, np.round(known)))


def on_additive_scale(matrix: FeatureMatrix) -> FeatureMatrix:
    """Return log2 counts per million of what looks like counts, and anything else as it is.

    Parameters
    ----------
    matrix : FeatureMatrix of shape (n_samples, n_features)

    Returns
    -------
    FeatureMatrix
        A lazy view, or the same object.

    Notes
    -----
    ``log2((c + 0.5) / (L + 1) 1e6)`` with the library sizes L, the scale of voom (Law et al. 2014, Genome Biology
    15:R29).

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> counts = ArrayMatrix(np.array([[0.0, 99.0], [50.0, 149.0]]))
    >>> on_additive_scale(counts).read(slice(0, 2)).round(2).tolist()
    [[12.29, 19.92], [17.95, 19.51]]
    """
    return log_counts(matrix, per_million=True, prior=0.5) if looks_like_counts(matrix) else matrix
