"""Features that follow a sample-space direction, by correlation tests and their q-values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from latentadj.core.kernels import ProjectionKernel
from latentadj.core.matrix import Array, FeatureMatrix
from latentadj.core.multiple import adjust_pvalues
from latentadj.core.passes import run_pass
from latentadj.core.qvalue import q_values
from latentadj.exceptions import InputError


def correlations(Y: FeatureMatrix, directions: Array, centred_squares: Array) -> Array:
    """Correlation of every feature with every direction, ``(n_features, k)``; one pass.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
    directions : ndarray of shape (n_samples, k)
    centred_squares : ndarray of shape (n_features,)
        Sum of squares of every feature about its mean.

    Returns
    -------
    ndarray of shape (n_features, k)
        0 for features that do not vary.
    """
    centred = directions - directions.mean(axis=0)
    centred = centred / np.linalg.norm(centred, axis=0)
    (products,) = run_pass(Y, ProjectionKernel(centred, Y.shape[1]))
    length = np.sqrt(centred_squares)[:, None]
    found = np.divide(products, length, out=np.zeros_like(products), where=length > 0)
    out: Array = np.clip(found, -1.0, 1.0)
    return out


def fisher_pvalues(correlation: Array, n_samples: int) -> Array:
    """Two-sided p-values of correlations ``(m,)`` by Fisher's z with standard error ``1 / sqrt(n - 3)``.

    Examples
    --------
    >>> fisher_pvalues(np.array([0.0, 0.5]), 30).round(4)
    array([1.    , 0.0043])
    """
    with np.errstate(divide="ignore"):
        z = np.arctanh(np.abs(correlation)) * np.sqrt(max(n_samples - 3, 1))
    out: Array = 2.0 * ndtr(-z)
    return out


def strongest_features(p: Array, *, level: float, at_least: int) -> NDArray[np.intp]:
    """Positions of the features with q-values below a level, and of the next ones up to a least number.

    Parameters
    ----------
    p : ndarray of shape (m,)
    level : float
    at_least : int

    Returns
    -------
    ndarray of int
        Increasing. Storey q-values; Benjamini-Hochberg where their share of nulls cannot be estimated.

    Examples
    --------
    >>> strongest_features(np.array([0.5, 1e-9, 0.9, 0.2]), level=0.05, at_least=2)
    array([1, 3])
    """
    try:
        q = q_values(p)
    except InputError:
        q = adjust_pvalues(p)
    wanted = max(int(np.sum(q < level)), min(at_least, len(p)))
    return np.sort(np.argsort(p, kind="stable")[:wanted])
