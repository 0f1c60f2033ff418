"""Rank, linear relations and collinearity of design columns.

Every decision is taken on columns brought to one scale: each is centred when the design holds a constant
column, then divided by its length. Results therefore do not depend on units or origins (a year, a time
stamp).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr

RANK_TOLERANCE = 1e-8
_CONSTANT_TOLERANCE = 1e-12

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Alias:
    """A design column that is a linear combination of others.

    Attributes
    ----------
    column : str
        The column that adds nothing.
    relation : dict
        Other column -> coefficient, so that ``column`` equals the weighted sum.

    Examples
    --------
    >>> str(Alias("batch[T.3]", {"Intercept": 1.0, "site[T.B]": -1.0}))
    'batch[T.3] = Intercept - site[T.B]'
    """

    column: str
    relation: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.column} = {linear_text(self.relation)}"


def linear_text(relation: dict[str, float], limit: int = 8) -> str:
    """Write a weighted sum of columns in words.

    Examples
    --------
    >>> linear_text({"a": -1.0, "b": 0.5})
    '-a + 0.5 b'
    """
    parts: list[str] = []
    for name, weight in list(relation.items())[:limit]:
        size = "" if abs(abs(weight) - 1.0) < 1e-6 else f"{abs(weight):.4g} "
        sign = (" - " if weight < 0 else " + ") if parts else ("-" if weight < 0 else "")
        parts.append(f"{sign}{size}{name}")
    more = f" + {len(relation) - limit} more terms" if len(relation) > limit else ""
    return "".join(parts) + more if parts else "0"


def comparable_columns(matrix: Matrix) -> Matrix:
    """Centre columns when one of them is constant, and scale each to length one.

    Parameters
    ----------
    matrix : (n, d) float64

    Returns
    -------
    (n, d) float64
        Spans the same space as ``matrix``. The first constant column becomes ``1 / sqrt(n)``; a column
        without variation left becomes zero.

    Examples
    --------
    >>> comparable_columns(np.array([[1.0, 2020.0], [1.0, 2024.0]])).round(3)
    array([[ 0.707, -0.707],
           [ 0.707,  0.707]])
    """
    length = np.linalg.norm(matrix, axis=0)
    centred = matrix - matrix.mean(axis=0) if matrix.shape[0] else matrix
    spread = np.linalg.norm(centred, axis=0)
    constant = np.flatnonzero((spread <= _CONSTANT_TOLERANCE * length) & (length > 0))
    source, size = (
        (centred, np.where(spread > _CONSTANT_TOLERANCE * length, spread, 0.0)) if constant.size else (matrix, length)
    )
    scaled = np.divide(source, size, out=np.zeros_like(matrix), where=size > 0)
    if constant.size:
        scaled[:, constant[0]] = 1.0 / np.sqrt(matrix.shape[0])
    return scaled


def orthonormal_basis(matrix: Matrix) -> Matrix:
    """Return an orthonormal basis of the column space, by QR with column pivoting.

    Parameters
    ----------
    matrix : (n, d) float64

    Returns
    -------
    (n, rank) float64

    Notes
    -----
    A pivot counts when it exceeds 1e-8 after the columns are scaled to length one.

    Examples
    --------
    >>> orthonormal_basis(np.array([[1.0, 2.0], [1.0, 2.0]])).shape
    (2, 1)
    """
    if 0 in matrix.shape:
        return np.zeros((matrix.shape[0], 0))
    basis, rank, _ = _pivoted(comparable_columns(matrix))
    return basis[:, :rank]


def numerical_rank(matrix: Matrix) -> int:
    """Return the rank of an (n, d) matrix, columns compared on one scale.

    Examples
    --------
    >>> numerical_rank(np.array([[1.0, 1e-9], [1.0, 2e-9], [1.0, 0.0]]))
    2
    """
    return int(orthonormal_basis(matrix).shape[1])


def project_out(columns: Matrix, basis: Matrix) -> Matrix:
    """Remove from (n, p) columns what an (n, r) orthonormal basis explains; done twice against rounding.

    Examples
    --------
    >>> project_out(np.array([[3.0], [4.0]]), np.array([[1.0], [0.0]])).ravel()
    array([0., 4.])
    """
    left = columns - basis @ (basis.T @ columns)
    return np.asarray(left - basis @ (basis.T @ left), dtype=np.float64)


def spans_constant(matrix: Matrix) -> bool:
    """Tell whether the column of ones lies in the column space of an (n, d) matrix.

    Examples
    --------
    >>> spans_constant(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    True
    """
    ones = np.full((matrix.shape[0], 1), 1.0 / np.sqrt(max(matrix.shape[0], 1)))
    return bool(np.linalg.norm(project_out(ones, orthonormal_basis(matrix))) <= RANK_TOLERANCE)


def aliased_primary(adjustment: Matrix, primary: Matrix) -> list[int]:
    """Find tested columns that the adjustment columns and the other tested ones determine.

    Parameters
    ----------
    adjustment : (n, q) float64
        Nuisance and factor columns.
    primary : (n, p) float64
        Tested columns.

    Returns
    -------
    list of int
        Positions in ``primary``; empty when every tested column is estimable.

    Notes
    -----
    Exact rank test: the adjustment columns are projected out, the rest goes through QR with column pivoting,
    and the columns pivoted behind the rank are reported.

    Examples
    --------
    >>> aliased_primary(np.array([[1.0], [1.0], [1.0]]), np.array([[0.0, 2.0], [1.0, 2.0], [1.0, 2.0]]))
    [1]
    """
    q = adjustment.shape[1]
    if not primary.shape[1]:
        return []
    scaled = comparable_columns(np.hstack([adjustment, primary]))
    basis = orthonormal_basis(scaled[:, :q])
    _, rank, pivot = _pivoted(project_out(scaled[:, q:], basis))
    return sorted(int(position) for position in pivot[rank:])


def find_aliases(matrix: Matrix, names: Sequence[str], order: Sequence[int]) -> tuple[Alias, ...]:
    """Name every column that depends on the ones before it, with the exact relation.

    Parameters
    ----------
    matrix : (n, d) float64
    names : sequence of str
        Column names.
    order : sequence of int
        Order in which columns are taken; later columns are the ones called aliased.

    Returns
    -------
    tuple of Alias

    Examples
    --------
    >>> columns = np.array([[1.0, 0.0, 1.0], [1.0, 1.0, 0.0], [1.0, 1.0, 0.0]])
    >>> str(find_aliases(columns, ["one", "a", "b"], [0, 1, 2])[0])
    'b = one - a'
    """
    scaled = comparable_columns(matrix)
    basis = np.zeros((matrix.shape[0], 0))
    kept: list[int] = []
    aliases: list[Alias] = []
    for column in order:
        left = project_out(scaled[:, [column]], basis)
        size = float(np.linalg.norm(left))
        if size > RANK_TOLERANCE:
            basis = np.hstack([basis, left / size])
            kept.append(column)
        else:
            aliases.append(_relation(matrix, names, column, kept))
    return tuple(aliases)


def is_estimable(matrix: Matrix, weights: Matrix) -> bool:
    """Tell whether a weighted sum of coefficients is determined by the design.

    Parameters
    ----------
    matrix : (n, d) float64
        Design.
    weights : (d,) float64
        One weight per coefficient.

    Returns
    -------
    bool
        True when ``weights`` lies in the row space of ``matrix``.

    Examples
    --------
    >>> twice = np.array([[1.0, 1.0], [2.0, 2.0]])
    >>> is_estimable(twice, np.array([1.0, 0.0])), is_estimable(twice, np.array([1.0, 1.0]))
    (False, True)
    """
    length = np.linalg.norm(matrix, axis=0)
    scale = np.where(length > 0, length, 1.0)
    rotated = (weights / scale)[:, None]
    if not np.any(rotated):
        return True
    _, values, rows = np.linalg.svd(matrix / scale, full_matrices=False)
    rank = int(np.sum(values > RANK_TOLERANCE * values[0])) if values.size else 0
    left = project_out(rotated, rows[:rank].T)
    return bool(np.linalg.norm(left) <= 1e-6 * np.linalg.norm(rotated))


def explained_share(column: Matrix, others: Matrix, given: Matrix | None = None) -> float:
    """Return R2 of one column on others, beyond what given columns explain.

    Parameters
    ----------
    column : (n,) float64
    others : (n, q) float64
        Columns whose share is asked for.
    given : (n, r) float64, optional
        Columns that are in the model anyway. The constant is added when ``others`` and ``given`` span it.

    Returns
    -------
    float
        Between 0 and 1; 0 when nothing is left to explain.

    Notes
    -----
    1 / (1 - R2) is the factor by which ``others`` inflate the variance of the column's coefficient, compared
    with the model of ``column`` and ``given`` alone.

    Examples
    --------
    >>> x = np.array([0.0, 1.0, 2.0, 3.0])
    >>> round(explained_share(x, np.column_stack([np.ones(4), x**2])), 3)
    0.918
    """
    base = np.zeros((column.shape[0], 0)) if given is None else given
    everything = np.hstack([base, others])
    if spans_constant(everything):
        base = np.hstack([np.ones((column.shape[0], 1)), base])
    target = project_out(column[:, None], orthonormal_basis(base))
    total = float(np.sum(target**2))
    if total <= (RANK_TOLERANCE * float(np.linalg.norm(column))) ** 2:
        return 0.0
    left = project_out(target, orthonormal_basis(everything))
    return float(np.clip(1.0 - np.sum(left**2) / total, 0.0, 1.0))


def _pivoted(columns: Matrix) -> tuple[Matrix, int, NDArray[np.int64]]:
    """Return Q, the number of pivots that count, and the order of the columns."""
    basis, triangle, order = qr(columns, mode="economic", pivoting=True)
    rank = int(np.sum(np.abs(np.diag(np.asarray(triangle))) > RANK_TOLERANCE))
    return np.asarray(basis, dtype=np.float64), rank, np.asarray(order, dtype=np.int64)


def _relation(matrix: Matrix, names: Sequence[str], column: int, kept: Sequence[int]) -> Alias:
    """Solve for one column in terms of independent ones and drop what is rounding."""
    if not kept:
        return Alias(names[column], {})
    base = matrix[:, list(kept)]
    scale = np.linalg.norm(base, axis=0)
    solution = np.linalg.lstsq(base / scale, matrix[:, column], rcond=None)[0]
    size = max(float(np.linalg.norm(matrix[:, column])), np.finfo(float).tiny)
    relation = {
        names[position]: float(np.round(weight / width, 10))
        for position, weight, width in zip(kept, solution, scale, strict=True)
        if abs(weight) > 1e-7 * size
    }
    return Alias(names[column], relation)
