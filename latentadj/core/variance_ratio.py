"""Two variance components in one unknown: the profile likelihood of their ratio, for many features at once."""

from __future__ import annotations

import numpy as np

from latentadj.core.matrix import Array

__all__ = ["profile_maximum"]

#: Points at which the likelihood is looked at before it is refined, and most steps of the refinement.
N_GRID, MAX_STEPS = 96, 60
#: Length of the longest step, on the scale of the correlation, at which the refinement stops.
TOLERANCE = 1e-12
#: Features per refinement: the temporaries stay small.
_CHUNK = 4096


def profile_maximum(squares: Array, slope: Array, count: Array, limits: tuple[float, float]) -> Array:
    r"""Maximise the likelihood of squares with means ``s^2 (1 + rho slope)`` over rho, s free.

    Parameters
    ----------
    squares : ndarray of shape (n_features, k)
        Sums of squared normal coordinates, not negative.
    slope : ndarray of shape (k,) or (n_features, k)
        ``1 + rho slope`` is above 0 between the limits.
    count : ndarray of shape (k,) or (n_features, k)
        Coordinates in each sum; 0 leaves a column out, its squares being 0.
    limits : tuple of float
        Lowest and highest rho, between -1 and 1.

    Returns
    -------
    ndarray of shape (n_features,)
        NaN for features with missing squares, or without any above 0.

    Notes
    -----
    Minus twice the log-likelihood with s profiled out is :math:`N \log \sum_k S_k / w_k + \sum_k n_k \log w_k` with
    :math:`w_k = 1 + \rho c_k` and :math:`N = \sum n_k`. The best point of a grid that is even in atanh rho is refined
    by Newton steps, or by halving where those leave the bracket.

    Examples
    --------
    >>> squares = np.array([[30.0, 10.0], [10.0, 10.0]])  # mean squares 3 and 1; 1 and 1
    >>> profile_maximum(squares, np.array([1.0, -1.0]), np.array([10.0, 10.0]), (-0.9, 0.9)).round(9) + 0.0
    array([0.5, 0. ])
    """
    grid = np.tanh(np.linspace(np.arctanh(limits[0]), np.arctanh(limits[1]), N_GRID))
    rho = np.full(len(squares), np.nan)
    usable = np.flatnonzero(np.isfinite(squares).all(axis=1) & (squares.sum(axis=1) > 0))
    for start in range(0, len(usable), _CHUNK):
        rows = usable[start : start + _CHUNK]
        own = slope if slope.ndim == 1 else slope[rows]
        rho[rows] = _refined(squares[rows], own, count if count.ndim == 1 else count[rows], grid)
    return rho


def _refined(squares: Array, slope: Array, count: Array, grid: Array) -> Array:
    """Minimise from the best grid point on: Newton's step where it stays in the bracket, else the middle."""
    best = np.argmin(_deviances(squares, slope, count, grid), axis=1)
    low, high = grid[np.maximum(best - 1, 0)], grid[np.minimum(best + 1, len(grid) - 1)]
    rho: Array = grid[best]
    for _ in range(MAX_STEPS):
        first, second = _derivatives(squares, slope, count, rho)
        low, high = np.where(first <= 0, rho, low), np.where(first >= 0, rho, high)
        with np.errstate(invalid="ignore", divide="ignore"):
            newton = rho - first / second
        inside = (second > 0) & (newton > low) & (newton < high)
        step = np.where(inside, newton, (low + high) / 2.0) - rho
        rho = rho + step
        if np.abs(step).max() < TOLERANCE:
            break
    return rho


def _deviances(squares: Array, slope: Array, count: Array, grid: Array) -> Array:
    """Minus twice the profiled log-likelihood ``(n_features, n_grid)``."""
    n = count.sum(axis=-1)
    if slope.ndim == 1:
        weights = 1.0 + np.outer(slope, grid)
        shared: Array = n * np.log(squares @ (1.0 / weights)) + count @ np.log(weights)
        return shared
    out = np.empty((len(squares), len(grid)))
    for i, rho in enumerate(grid):
        weights = 1.0 + rho * slope
        out[:, i] = n * np.log((squares / weights).sum(axis=1)) + (count * np.log(weights)).sum(axis=1)
    return out


def _derivatives(squares: Array, slope: Array, count: Array, rho: Array) -> tuple[Array, Array]:
    """First and second derivative of the profiled deviance of each feature at its own rho."""
    weights = 1.0 + rho[:, None] * slope
    share = squares / weights
    relative = slope / weights
    total = share.sum(axis=1)
    down = np.einsum("mk,mk->m", share, relative) / total
    curve = 2.0 * np.einsum("mk,mk,mk->m", share, relative, relative) / total
    n = count.sum(axis=-1)
    first: Array = (relative * count).sum(axis=1) - n * down
    second: Array = n * (curve - down**2) - (relative**2 * count).sum(axis=1)
    return first, second
