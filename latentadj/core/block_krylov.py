"""Leading eigenvectors of a symmetric matrix that is only ever multiplied with, by block Krylov subspaces."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import numpy as np
from scipy.linalg import eigh, qr

from latentadj.core.matrix import Array

#: Columns that keep less than this share of their length outside the subspace add nothing to it.
DEPENDENT = 1e-8
#: Blocks at least: a start that holds some eigenvectors, but not all wanted ones, looks settled at once.
MIN_BLOCKS = 3


def leading_eigenvectors(
    multiply: Callable[[Array], Array], start: Array, k: int, *, tol: float = 3e-7, max_columns: int
) -> Array | None:
    """Find the eigenvectors of the k largest eigenvalues to a given angle, or say that it would take too long.

    Parameters
    ----------
    multiply : callable
        Multiplies a block ``(n, c)`` by a symmetric, non-negative definite matrix.
    start : ndarray of shape (n, l)
        Columns that have something of every wanted eigenvector; more than k of them.
    k : int
    tol : float, default=3e-7
        Residual length of every Ritz pair over the distance of its value to the nearest other one: a bound of the
        angle between Ritz vector and eigenvector.
    max_columns : int
        Largest number of columns to multiply in all.

    Returns
    -------
    ndarray of shape (n, k) or None
        Orthonormal, the largest eigenvalue first; None if `max_columns` did not suffice, or the k-th eigenvalue is
        not separated from the next.

    Notes
    -----
    Rayleigh-Ritz on the whole block Krylov space (Golub and Underwood 1977; Saad 2011, Numerical Methods for Large
    Eigenvalue Problems, ch. 6), with every new block made orthogonal to all others twice. The products of all blocks
    are kept, so that residuals cost no multiplication.

    Examples
    --------
    >>> A = np.diag(np.arange(1.0, 101.0) ** 3)
    >>> start = np.random.default_rng(0).normal(size=(100, 4))
    >>> np.abs(leading_eigenvectors(lambda V: A @ V, start, 2, max_columns=80)[-2:]).round(6)
    array([[0., 1.],
           [1., 0.]])
    """
    space = np.empty((len(start), 0))
    image, block = space, start
    for n_blocks in count(1):
        block = _new_directions(block, space)
        if space.shape[1] + block.shape[1] > max_columns:
            return None
        fresh = multiply(block) if block.shape[1] else block
        space, image = np.hstack([space, block]), np.hstack([image, fresh])
        if space.shape[1] <= k:
            return None
        vectors, angle = _ritz(space, image, k)
        if angle <= tol and (n_blocks >= MIN_BLOCKS or block.shape[1] == 0):
            return vectors
        if block.shape[1] == 0:
            break
        block = fresh
    return None


def _new_directions(block: Array, space: Array) -> Array:
    """Orthonormal basis of what a block adds to a space, columns of no length left out."""
    length = np.linalg.norm(block, axis=0)
    block = block[:, length > 0] / length[length > 0]
    for _ in range(2):
        block = block - space @ (space.T @ block)
    if block.shape[1] == 0:
        return block
    q, r, _ = qr(block, mode="economic", pivoting=True)
    out = np.asarray(q[:, np.abs(np.diag(r)) > DEPENDENT], dtype=np.float64)
    for _ in range(2):  # a short remainder is orthogonal to the space only up to its length
        out = np.asarray(qr(out - space @ (space.T @ out), mode="economic")[0], dtype=np.float64)
    return out


def _ritz(space: Array, image: Array, k: int) -> tuple[Array, float]:
    """The k leading Ritz vectors and the largest bound of their angles to eigenvectors.

    There is no bound as long as the next Ritz value could be that of a wanted eigenvector: while its residual, within
    which an eigenvalue lies, is longer than its distance to the last wanted one.
    """
    projected = space.T @ image
    values, weights = eigh((projected + projected.T) / 2)
    values, weights = values[::-1][: k + 1], weights[:, ::-1][:, : k + 1]
    vectors = space @ weights
    residual = np.linalg.norm(image @ weights - vectors * values, axis=0)
    steps = values[:-1] - values[1:]
    gap = np.minimum(steps, np.append(np.inf, steps[:-1]))
    settled = (gap > 0).all() and residual[k] < steps[-1]
    return vectors[:, :k], float((residual[:k] / gap).max()) if settled else np.inf
