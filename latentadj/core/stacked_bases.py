"""QR factorisations of many designs at once, each with the columns set aside that its own rows cannot tell apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentadj.core.matrix import Array
from latentadj.core.regression import RANK_TOLERANCE

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class StackedBases:
    """QR factorisations of designs with rows scaled or mapped, dependent columns set aside.

    Attributes
    ----------
    rows : ndarray of int, shape (b,)
        Which designs of the stack they belong to.
    kept : tuple of int
        Independent columns.
    q : ndarray of shape (b, n_samples, rank)
    r_inverse : ndarray of shape (b, rank, rank)
    """

    rows: Rows
    kept: tuple[int, ...]
    q: Array
    r_inverse: Array


def stacked_bases(design: Array, roots: Array, kept: tuple[int, ...]) -> list[StackedBases]:
    """Factor a design under many weightings of its rows.

    Parameters
    ----------
    design : ndarray of shape (n_samples, d)
    roots : ndarray of shape (b, n_samples)
        Factors of the rows, 0 for rows that are left out.
    kept : tuple of int
        Columns that are independent with all rows, at most `n_samples`.

    Returns
    -------
    list of StackedBases
        One for each set of columns that can be told apart; every weighting is in one of them.

    Examples
    --------
    >>> X = np.column_stack([np.ones(3), [0.0, 0.0, 1.0]])
    >>> [(b.kept, b.rows.tolist()) for b in stacked_bases(X, np.array([[1.0, 1, 1], [1.0, 1, 0]]), (0, 1))]
    [((0, 1), [0]), ((0,), [1])]
    """
    return bases_of_stack(roots[:, :, None] * design, kept)


def bases_of_stack(stack: Array, kept: tuple[int, ...]) -> list[StackedBases]:
    """Factor a stack of designs.

    Parameters
    ----------
    stack : ndarray of shape (b, n_samples, d)
    kept : tuple of int
        Columns to use of each, at most `n_samples`; of those that depend on each other the later are set aside.

    Returns
    -------
    list of StackedBases
        One for each set of columns that can be told apart; every design is in one of them.

    Examples
    --------
    >>> X = np.array([[[1.0, 2.0], [1.0, 2.0]], [[1.0, 0.0], [1.0, 1.0]]])
    >>> sorted((b.rows.tolist(), b.kept) for b in bases_of_stack(X, (0, 1)))
    [([0], (0,)), ([1], (0, 1))]
    """
    todo: list[tuple[Rows, tuple[int, ...]]] = [(np.arange(len(stack)), kept)]
    done = []
    while todo:
        rows, columns = todo.pop()
        here = stack[rows][:, :, list(columns)]
        q, r = np.linalg.qr(here)
        lengths = np.linalg.norm(here, axis=1)
        dependent = np.abs(np.diagonal(r, axis1=1, axis2=2)) <= RANK_TOLERANCE * lengths
        first = np.where(dependent.any(axis=1), dependent.argmax(axis=1) if columns else 0, -1)
        for position in np.unique(first):
            chosen = first == position
            if position < 0:
                done.append(StackedBases(rows[chosen], columns, q[chosen], np.linalg.inv(r[chosen])))
            else:
                todo.append((rows[chosen], columns[:position] + columns[position + 1 :]))
    return done
