"""Fixed points of maps between subspaces, with extrapolation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import svd

from latentadj.core.alignment import subspace_distance
from latentadj.core.matrix import Array

#: Longest extrapolation, in units of a plain step.
MAX_STEP = 20.0


@dataclass(frozen=True, slots=True)
class FixedPoint:
    """Where an iteration of subspaces stopped.

    Attributes
    ----------
    basis : ndarray of shape (n, k)
        Orthonormal basis returned by the last evaluation of the map.
    converged : bool
    n_iter : int
        Evaluations of the map.
    change : float
        Sine of the largest angle between the last two subspaces.
    """

    basis: Array
    converged: bool
    n_iter: int
    change: float


def iterate(step: Callable[[Array], Array], start: Array, n_iter: int) -> FixedPoint:
    """Apply a map a fixed number of times.

    Parameters
    ----------
    step : callable
        Maps an orthonormal basis ``(n, k)`` to another.
    start : ndarray of shape (n, k)
    n_iter : int

    Returns
    -------
    FixedPoint
    """
    before = basis = start
    for _ in range(n_iter):
        before, basis = basis, step(basis)
    change = subspace_distance(basis, before) if n_iter else np.inf
    return FixedPoint(basis, change < 1e-4, n_iter, change)


def extrapolated_iteration(step: Callable[[Array], Array], start: Array, *, tol: float, max_iter: int) -> FixedPoint:
    """Find a fixed point of a map between subspaces by squared extrapolation.

    Parameters
    ----------
    step : callable
        Maps an orthonormal basis ``(n, k)`` to another.
    start : ndarray of shape (n, k)
    tol : float
        Sine of the largest angle between a subspace and its image at which it counts as fixed.
    max_iter : int
        Largest number of evaluations of `step`.

    Returns
    -------
    FixedPoint

    Notes
    -----
    SQUAREM (Varadhan and Roland 2008, scheme S3) on bases that are rotated onto each other first: two plain
    steps give ``r = b1 - b0`` and ``v = (b2 - b1) - r``; the next start is ``b0 - 2 a r + a^2 v`` with
    ``a = -|r| / |v|``, made orthonormal again.

    Examples
    --------
    >>> G = np.diag([4.0, 3.9, 1.0])
    >>> power = lambda b: np.linalg.qr(G @ b)[0]
    >>> point = extrapolated_iteration(power, np.ones((3, 1)) / 3**0.5, tol=1e-8, max_iter=500)
    >>> point.converged, bool(point.n_iter < 300)
    (True, True)
    """
    origin, n_iter = start, 0
    while n_iter + 2 <= max_iter:
        first = _rotated(step(origin), origin)
        n_iter += 1
        change = subspace_distance(first, origin)
        if change < tol:
            return FixedPoint(first, True, n_iter, change)
        second = _rotated(step(first), first)
        n_iter += 1
        change = subspace_distance(second, first)
        if change < tol:
            return FixedPoint(second, True, n_iter, change)
        origin = _extrapolate(origin, first, second)
    last = step(origin)
    change = subspace_distance(last, origin)
    return FixedPoint(last, change < tol, n_iter + 1, change)


def _extrapolate(origin: Array, first: Array, second: Array) -> Array:
    r = first - origin
    v = (second - first) - r
    length = np.linalg.norm(r) / max(float(np.linalg.norm(v)), np.finfo(float).tiny)
    a = -float(np.clip(length, 1.0, MAX_STEP))
    return _orthonormal(origin - 2.0 * a * r + a * a * v)


def _rotated(basis: Array, reference: Array) -> Array:
    """Rotate a basis within its span so that it lies closest to a reference basis (Procrustes)."""
    left, _, right = svd(basis.T @ reference)
    out: Array = basis @ (left @ right)
    return out


def _orthonormal(columns: Array) -> Array:
    left, _, right = svd(columns, full_matrices=False)
    out: Array = left @ right
    return out
