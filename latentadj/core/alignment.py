"""Comparing and orienting factors: they are defined up to sign, often only as a space."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import svd
from scipy.optimize import linear_sum_assignment

from latentadj.core.matrix import Array


def sign_flips(loadings: Array) -> Array:
    """Signs that make each factor's largest absolute loading positive.

    Parameters
    ----------
    loadings : ndarray of shape (n_features, n_factors)

    Returns
    -------
    ndarray of shape (n_factors,)
        Entries 1 or -1.

    Examples
    --------
    >>> sign_flips(np.array([[1.0, 2.0], [-3.0, 0.5]]))
    array([-1.,  1.])
    """
    if loadings.size == 0:
        return np.ones(loadings.shape[1])
    largest = np.argmax(np.abs(loadings), axis=0)
    return np.where(loadings[largest, np.arange(loadings.shape[1])] < 0, -1.0, 1.0)


def canonical_correlations(a: Array, b: Array, *, centre: bool = True) -> Array:
    """Canonical correlations between two sets of columns, largest first.

    Parameters
    ----------
    a : ndarray of shape (n_samples, k)
    b : ndarray of shape (n_samples, l)
    centre : bool, default=True
        Remove column means first.

    Returns
    -------
    ndarray of shape (min(k, l),)

    Notes
    -----
    Singular values of ``Qa' Qb`` (Bjorck and Golub 1973); a rank-deficient set loses directions, not digits.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> a = rng.normal(size=(10, 2))
    >>> canonical_correlations(a, a @ [[1.0, 2.0], [0.0, 1.0]]).round(12)
    array([1., 1.])
    """
    qa, qb = _orthonormal(a, centre), _orthonormal(b, centre)
    correlations = np.zeros(min(a.shape[1], b.shape[1]))
    found = svd(qa.T @ qb, compute_uv=False) if qa.size and qb.size else np.empty(0)
    correlations[: len(found)] = np.clip(found[: len(correlations)], 0.0, 1.0)
    return correlations


def subspace_distance(a: Array, b: Array) -> float:
    """Sine of the largest principal angle between the spans of two sets of columns.

    Parameters
    ----------
    a, b : ndarray of shape (n_samples, k)

    Returns
    -------
    float
        0 for equal spans, 1 when a direction of one is orthogonal to the other.

    Examples
    --------
    >>> float(subspace_distance(np.eye(3)[:, :1], np.eye(3)[:, 1:2]))
    1.0
    """
    qa, qb = _orthonormal(a, centre=False), _orthonormal(b, centre=False)
    if qa.shape[1] == 0:
        return 0.0 if qb.shape[1] == 0 else 1.0
    singular = svd(qb - qa @ (qa.T @ qb), compute_uv=False)
    return float(min(1.0, singular[0]))


def align_factors(factors: Array, reference: Array) -> tuple[NDArray[np.intp], Array]:
    """Match factors one to one to a reference by absolute correlation and give them its signs.

    Parameters
    ----------
    factors : ndarray of shape (n_samples, k)
    reference : ndarray of shape (n_samples, l)

    Returns
    -------
    order : ndarray of int, shape (min(k, l),)
        Column of `factors` that goes with each matched reference column.
    signs : ndarray of shape (min(k, l),)

    Examples
    --------
    >>> order, signs = align_factors(np.eye(3)[:, [1, 0]], -np.eye(3)[:, :2])
    >>> order.tolist(), signs.tolist()
    ([1, 0], [-1.0, -1.0])
    """
    a = factors - factors.mean(axis=0)
    b = reference - reference.mean(axis=0)
    scale = np.outer(np.linalg.norm(b, axis=0), np.linalg.norm(a, axis=0))
    correlations = np.divide(b.T @ a, scale, out=np.zeros_like(scale), where=scale > 0)
    rows, columns = linear_sum_assignment(-np.abs(correlations))
    return np.asarray(columns, dtype=np.intp), np.where(correlations[rows, columns] < 0, -1.0, 1.0)


def _orthonormal(columns: Array, centre: bool) -> Array:
    if columns.shape[1] == 0:
        return columns
    if centre:
        columns = columns - columns.mean(axis=0)
    left, singular, _ = svd(columns, full_matrices=False)
    rank = int(np.sum(singular > 1e-10 * singular[0])) if singular.size and singular[0] > 0 else 0
    out: Array = left[:, :rank]
    return out
