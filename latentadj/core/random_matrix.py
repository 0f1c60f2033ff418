"""Dimension of a residual matrix by the upper edge of pure noise (Marchenko and Pastur 1967)."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigvalsh

from latentadj.core.matrix import Array


def random_matrix_dimension(gram: Array, total: Array, n_features: int) -> int:
    """Count the directions of residuals that are larger than noise of equal variance would make them.

    Parameters
    ----------
    gram : ndarray of shape (n_samples, n_samples)
        Gram matrix of the residuals.
    total : ndarray of shape (n_samples,)
        Sum of the residuals of every sample.
    n_features : int

    Returns
    -------
    int

    Notes
    -----
    Every sample is centred and scaled to unit variance over the features. Eigenvalues of the resulting
    correlation matrix count when above ``s2 (1 + n/m + 2 sqrt(n/m))``, the edge of noise of variance s2
    (Plerou et al. 2002, Physical Review E 65:066126; Teschendorff, Zhuang and Widschwendter 2011). Features of
    very unequal variance move the edge, and the count is then too high: a start for methods that want one, not a
    rule to rely on.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> R = np.outer(rng.normal(size=30), rng.normal(size=500)) + rng.normal(size=(30, 500))
    >>> random_matrix_dimension(R @ R.T, R.sum(axis=1), 500)
    1
    """
    n = len(gram)
    covariance = gram - np.outer(total, total) / n_features
    scale = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    usable = scale > 1e-12 * scale.max(initial=0.0)
    scale = scale[usable]
    correlation = covariance[np.ix_(usable, usable)] / np.outer(scale, scale)
    values = eigvalsh(correlation) * (n_features - 1) / n_features
    share = n / n_features
    variance = (n_features - 1) * n / (n_features * n - 1)
    return int(np.sum(values > variance * (1.0 + share + 2.0 * np.sqrt(share))))
