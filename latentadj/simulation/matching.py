"""Rearranging a variable so that it shares as much with hidden factors as it should."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

Array = NDArray[np.float64]
Labels = NDArray[np.intp]

#: Weights of the factors that are tried, from none to all.
WEIGHTS = np.linspace(0.0, 1.0, 41)


def shared_variation(columns: Array, factors: Array, given: Array) -> float:
    """R2 of columns on factors, both taken beyond what other columns explain.

    Parameters
    ----------
    columns : ndarray of shape (n_samples, d)
    factors : ndarray of shape (n_samples, k)
    given : ndarray of shape (n_samples, r)
        Orthonormal basis of the other columns.

    Returns
    -------
    float
        Mean of the squared canonical correlations of all directions of `columns`; 0 without factors.

    Examples
    --------
    >>> x, one = np.array([[-1.0], [-1.0], [1.0], [1.0]]), np.full((4, 1), 0.5)
    >>> round(shared_variation(x, 2 * x + 1, one), 12)
    1.0
    """
    left = _basis(columns - given @ (given.T @ columns))
    right = _basis(factors - given @ (given.T @ factors))
    if not left.shape[1]:
        return 0.0
    return float(np.sum((left.T @ right) ** 2) / left.shape[1])


def matched_order(
    columns: Array, factors: Array, given: Array, target: float, rng: np.random.Generator, strata: Labels | None = None
) -> Labels:
    """Permute rows so that columns share a given R2 with factors.

    Parameters
    ----------
    columns : ndarray of shape (n_samples, d)
        What is permuted.
    factors : ndarray of shape (n_samples, k)
    given : ndarray of shape (n_samples, r)
        Orthonormal basis of what both are taken beyond, as in `shared_variation`.
    target : float
        R2 between 0 and 1; the nearest that can be reached is taken.
    rng : numpy.random.Generator
    strata : ndarray of int, shape (n_samples,), optional
        Rows stay within samples of the same label.

    Returns
    -------
    ndarray of int, shape (n_samples,)
        ``columns[order]`` are the permuted columns.

    Notes
    -----
    After Gerard (2020), BMC Bioinformatics 21:206 (seqgendiff), section on correlated designs: a latent normal variable
    ``w F a + sqrt(1 - w^2) e`` that leans on the standardised factors is drawn for every sample, and rows are assigned
    to samples so that the sum of squared distances between columns and latent variables is smallest. For one column the
    assignment is that of the ranks, else it is found by the Hungarian algorithm (Kuhn 1955). Because values and ranks
    are given, the R2 of the outcome is lower than that of the latent variable; the weight ``w`` is therefore chosen,
    among 41, by the R2 of its outcome, with the same direction and the same noise for all.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> z, x = rng.normal(size=(200, 1)), np.repeat([[0.0], [1.0]], 100, axis=0)
    >>> one = np.full((200, 1), 200**-0.5)
    >>> order = matched_order(x, z, one, 0.4, rng)
    >>> abs(shared_variation(x[order], z, one) - 0.4) < 0.05
    True
    """
    n, d = columns.shape
    groups = _members(np.zeros(n, dtype=np.intp) if strata is None else strata)
    scores = _standardised(factors - given @ (given.T @ factors))
    lean = scores @ rng.normal(size=(scores.shape[1], d))
    noise = rng.normal(size=(n, d))
    order = _assigned(columns, noise, groups)
    if target <= 0 or not scores.shape[1]:
        return order
    lean = _standardised(lean)
    best, distance = order, np.inf
    for weight in WEIGHTS:
        order = _assigned(columns, weight * lean + np.sqrt(1 - weight**2) * noise, groups)
        away = abs(shared_variation(columns[order], factors, given) - target)
        if away < distance:
            best, distance = order, away
    return best


def _members(strata: Labels) -> list[Labels]:
    return [np.flatnonzero(strata == label) for label in np.unique(strata)]


def _assigned(columns: Array, latent: Array, groups: list[Labels]) -> Labels:
    """Give every sample the row nearest to its latent variable, each row once and within its group."""
    order = np.empty(len(columns), dtype=np.intp)
    for rows in groups:
        mine, wanted = columns[rows], latent[rows]
        if columns.shape[1] == 1:
            order[rows[np.argsort(wanted[:, 0], kind="stable")]] = rows[np.argsort(mine[:, 0], kind="stable")]
        else:
            samples, chosen = linear_sum_assignment(cdist(wanted, _standardised(mine), "sqeuclidean"))
            order[rows[samples]] = rows[chosen]
    return order


def _standardised(values: Array) -> Array:
    """Columns of mean 0 and variance 1; constant ones become 0."""
    centred = values - values.mean(axis=0)
    spread = np.sqrt(np.mean(centred**2, axis=0))
    return np.asarray(centred / np.where(spread > 1e-12, spread, np.inf))


def _basis(values: Array) -> Array:
    left, singular, _ = np.linalg.svd(values, full_matrices=False)
    keep = singular > 1e-10 * max(float(singular.max(initial=0.0)), 1e-10)
    return np.asarray(left[:, keep])
