"""Labelled columns, and how the levels of a categorical variable are written in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.design.covariates import level_values


@dataclass(frozen=True)
class KnownColumns:
    """The known columns of a design, nuisance first.

    Attributes
    ----------
    matrix : (n, d) float64
        Values.
    names, roles, terms : tuple of str
        For each column its name, ``"primary"`` or ``"nuisance"``, and its formula term.
    variables : tuple of tuple of str
        For each column the columns of the sample table that it is computed from.

    Examples
    --------
    >>> KnownColumns(np.ones((2, 1)), ("Intercept",), ("nuisance",), ("Intercept",), ((),)).names
    ('Intercept',)
    """

    matrix: NDArray[np.float64]
    names: tuple[str, ...]
    roles: tuple[str, ...]
    terms: tuple[str, ...]
    variables: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class LevelCoding:
    """How the levels of one categorical variable are written in design columns.

    Attributes
    ----------
    levels : tuple of str
        The L levels.
    columns : tuple of str
        The c design columns of the variable's own term.
    rows : (L, c) float64
        Value of those columns in a sample of each level.

    Examples
    --------
    >>> LevelCoding(("a", "b"), ("g[T.b]",), np.array([[0.0], [1.0]])).rows.shape
    (2, 1)
    """

    levels: tuple[str, ...]
    columns: tuple[str, ...]
    rows: NDArray[np.float64]


def read_coding(name: str, values: pd.Series, columns: KnownColumns) -> LevelCoding | None:
    """Read the coding of a variable off the matrix.

    Parameters
    ----------
    name : str
        A categorical variable.
    values : Series of length n
        Its prepared column.
    columns : KnownColumns

    Returns
    -------
    LevelCoding or None
        None when the variable takes part in an interaction or a function, so that no column is its own.

    Examples
    --------
    >>> x = np.array([[0.0], [1.0]])
    >>> columns = KnownColumns(x, ("g[T.b]",), ("primary",), ("g",), (("g",),))
    >>> read_coding("g", pd.Series(["a", "b"], dtype="category"), columns).levels
    ('a', 'b')
    """
    terms = {term for term, names in zip(columns.terms, columns.variables, strict=True) if name in names}
    alone = {term for term, names in zip(columns.terms, columns.variables, strict=True) if names == (name,)}
    if len(terms) != 1 or terms != alone:
        return None
    picked = [position for position, term in enumerate(columns.terms) if term in alone]
    levels = level_values(values)
    plain = np.asarray(values.astype(object))
    first = [int(np.flatnonzero(plain == level)[0]) for level in levels]
    rows = columns.matrix[np.ix_(first, picked)]
    group = np.array([levels.index(value) for value in plain])
    if not np.allclose(rows[group], columns.matrix[:, picked]):
        return None
    return LevelCoding(tuple(str(level) for level in levels), _pick(columns.names, picked), rows)


def _pick(names: Sequence[str], positions: Sequence[int]) -> tuple[str, ...]:
    return tuple(names[position] for position in positions)
