"""Design Grams of many features at once, in a basis that is orthonormal for all samples."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from latentadj.core.matrix import Array

#: Samples whose yes or no fit into one whole number that a float holds exactly.
_BITS = 50


def pattern_powers(n_samples: int) -> Array:
    """Powers of two that turn a yes or no for every sample into a few whole numbers.

    Parameters
    ----------
    n_samples : int

    Returns
    -------
    ndarray of shape (n_words, n_samples)
        Times a pattern of zeros and ones: its words, which floats hold exactly.

    Examples
    --------
    >>> pattern_powers(3) @ np.array([1.0, 0.0, 1.0])
    array([5.])
    """
    place = np.arange(n_samples)
    powers = np.zeros((max(-(-n_samples // _BITS), 1), n_samples))
    powers[place // _BITS, place] = 2.0 ** (place % _BITS)
    return powers


def patterns_of(words: Array, n_samples: int) -> Array:
    """Zeros and ones ``(n_samples, u)`` from the words ``(n_words, u)`` that `pattern_powers` made of them."""
    place = np.arange(n_samples)
    shifted = words[place // _BITS].astype(np.int64) >> (place % _BITS)[:, None]
    return (shifted & 1).astype(np.float64)


def distinct_columns(words: Array) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Number the different columns of a matrix, and put equal ones side by side.

    Parameters
    ----------
    words : ndarray of shape (n_words, b)

    Returns
    -------
    order : ndarray of int, shape (b,)
        Columns with equal ones side by side.
    group : ndarray of int, shape (b,)
        Number of the group of each of ``order``, from 0 up.

    Notes
    -----
    Columns are sorted by one number made of each. Should two different ones get the same, groups may be split, never
    joined.

    Examples
    --------
    >>> order, group = distinct_columns(np.array([[5.0, 1.0, 5.0]]))
    >>> sorted(order[group == 1].tolist())
    [0, 2]
    """
    if words.shape[1] == 0:
        return np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp)
    order = np.argsort(np.sqrt(np.arange(2.0, 2.0 + len(words))) @ words)
    ordered = words[:, order]
    group = np.zeros(words.shape[1], dtype=np.intp)
    np.cumsum((ordered[:, 1:] != ordered[:, :-1]).any(axis=0), out=group[1:])
    return order, group


def upper_products(basis: Array) -> Array:
    """Products of the columns i <= j of a basis, row by row of the triangle.

    Parameters
    ----------
    basis : ndarray of shape (n_samples, r)

    Returns
    -------
    ndarray of shape (n_samples, r (r + 1) / 2)
        Its transpose times weights ``(n_samples, u)``: upper triangles of u Gram matrices.

    Examples
    --------
    >>> upper_products(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([[ 1.,  2.,  4.],
           [ 9., 12., 16.]])
    """
    first, second = np.triu_indices(basis.shape[1])
    out: Array = basis[:, first] * basis[:, second]
    return out


def both_triangles(upper: Array, r: int) -> Array:
    """Symmetric matrices ``(r, r, u)`` from upper triangles ``(r (r + 1) / 2, u)``."""
    out: Array = upper[_place(r)]
    return out


@cache
def _place(r: int) -> NDArray[np.intp]:
    first, second = np.triu_indices(r)
    place = np.zeros((r, r), dtype=np.intp)
    place[first, second] = place[second, first] = np.arange(len(first))
    return place


def multiplied(rows: Array, matrices: Array, starts: NDArray[np.intp]) -> Array:
    """Multiply every row by the symmetric matrix of its group.

    Parameters
    ----------
    rows : ndarray of shape (b, r)
        Groups side by side.
    matrices : ndarray of shape (r, r, u)
    starts : ndarray of int, shape (u,)
        First row of each group.

    Returns
    -------
    ndarray of shape (b, r)

    Notes
    -----
    A product for every group, or all rows at once where groups are small.

    Examples
    --------
    >>> multiplied(np.ones((3, 1)), np.array([[[2.0, 5.0]]]), np.array([0, 2]))
    array([[2.],
           [2.],
           [5.]])
    """
    if len(starts) == len(rows):
        out: Array = (matrices * rows.T).sum(axis=1).T
        return out
    stack = np.ascontiguousarray(matrices.transpose(2, 0, 1))
    sizes = np.diff(starts, append=len(rows))
    if len(rows) < 8 * len(starts):
        member = np.repeat(np.arange(len(starts)), sizes)
        single: Array = np.matmul(stack[member], rows[:, :, None])[:, :, 0]
        return single
    grouped = np.empty_like(rows)
    for matrix, start, size in zip(stack, starts.tolist(), sizes.tolist(), strict=True):
        np.matmul(rows[start : start + size], matrix, out=grouped[start : start + size])
    return grouped


def inverse_grams(grams: Array) -> tuple[Array, Array]:
    """Invert positive definite matrices, all at once, and say how well they can be told from singular ones.

    Parameters
    ----------
    grams : ndarray of shape (r, r, u)

    Returns
    -------
    inverse : ndarray of shape (r, r, u)
        Not finite, or meaningless, where the condition says so.
    condition : ndarray of shape (u,)
        Product of the largest diagonal entries of matrix and inverse: at most the condition number, at least its
        ``1 / r^2``. Infinite for singular matrices.

    Notes
    -----
    The sweep operator (Beaton 1964): Gauss-Jordan elimination along the diagonal, a step for all matrices at once.
    Without exchanges of rows it is stable for positive definite matrices.

    Examples
    --------
    >>> inverse, condition = inverse_grams(np.array([[[2.0, 1.0], [0.0, 1.0]], [[0.0, 1.0], [4.0, 1.0]]]))
    >>> np.diagonal(inverse)[0].tolist(), bool(condition[1] > 1e12)
    ([0.5, 0.25], True)
    """
    inverse = grams.copy()
    positive = np.ones(grams.shape[2], dtype=bool)
    with np.errstate(all="ignore"):
        for i in range(len(grams)):
            positive &= inverse[i, i] > 0
            pivot = 1.0 / inverse[i, i]
            row = inverse[i] * pivot
            column = inverse[:, i].copy()
            inverse -= column[:, None] * row
            inverse[i] = row
            np.multiply(column, -pivot, out=inverse[:, i])
            inverse[i, i] = pivot
        condition = _largest(grams) * _largest(inverse)
    return inverse, np.where(positive & np.isfinite(condition), condition, np.inf)


def _largest(grams: Array) -> Array:
    """Largest diagonal entry of every matrix, shape (u,)."""
    out: Array = np.einsum("iik->ik", grams).max(axis=0, initial=0.0)
    return out
