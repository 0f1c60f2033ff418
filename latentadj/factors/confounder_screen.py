"""Technical variables of the samples, and which candidate factors are kept in their light."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentadj.core.matrix import Array
from latentadj.core.regression import design_basis
from latentadj.core.tails import f_upper_p
from latentadj.exceptions import FactorLimitWarning

#: Largest p-value at which a candidate follows a confounder.
CONFOUNDER_LEVEL = 0.01


def independent_columns(basis: Array, columns: Array) -> Array:
    """Return the columns ``(n_samples, k)`` that neither `basis` nor the columns before them determine."""
    r = basis.shape[1]
    kept = [i - r for i in design_basis(np.column_stack([basis, columns])).kept if i >= r]
    if len(kept) < columns.shape[1]:
        warnings.warn(
            f"{columns.shape[1] - len(kept)} of {columns.shape[1]} factors repeat others and were dropped.",
            FactorLimitWarning,
            stacklevel=3,
        )
    return columns[:, kept]


def screened(columns: Array, primary: Array, confounders: NDArray[Any]) -> Array:
    """Keep candidates that follow a confounder, and follow it more closely than the primary variables.

    Parameters
    ----------
    columns : ndarray of shape (n_samples, k)
    primary : ndarray of shape (n_samples, p)
    confounders : ndarray of shape (n_samples,) or (n_samples, c)
        Numbers are taken as they are, anything else as categories.

    Returns
    -------
    ndarray of shape (n_samples, n_kept)
        F tests of each candidate on a confounder, or on the primary columns; kept when the smallest p-value over
        the confounders is below 0.01 and below that of the primary variables.
    """
    p = np.array([_association(columns, _coded(column)) for column in _as_table(confounders).T])
    smallest = p.min(axis=0)
    own = _association(columns, primary) if primary.shape[1] else np.ones(columns.shape[1])
    keep = (smallest < CONFOUNDER_LEVEL) & (smallest < own)
    if not keep.all():
        warnings.warn(
            f"{int((~keep).sum())} of {len(keep)} factors follow no confounder, or follow the primary variables more "
            "closely, and were dropped.",
            FactorLimitWarning,
            stacklevel=3,
        )
    return columns[:, keep]


def coded_columns(values: NDArray[Any]) -> Array:
    """Design columns ``(n_samples, c)`` of technical variables: numbers as they are, categories as indicators."""
    return np.column_stack([_coded(column) for column in _as_table(values).T])


def _as_table(values: NDArray[Any]) -> NDArray[Any]:
    return values[:, None] if values.ndim == 1 else values


def _coded(column: NDArray[Any]) -> Array:
    """Columns for one variable: itself, or an indicator of every level."""
    try:
        numbers = np.asarray(column, dtype=np.float64)
    except (TypeError, ValueError):
        labels = column.astype(str)
        return np.asarray(labels[:, None] == np.unique(labels), dtype=np.float64)
    return numbers[:, None]


def _association(columns: Array, predictors: Array) -> Array:
    """p-values ``(k,)`` of the F tests of columns on predictors beside an intercept."""
    n = len(columns)
    basis = design_basis(np.column_stack([np.ones(n), predictors]))
    df1, df2 = basis.rank - 1, n - basis.rank
    if df1 == 0 or df2 <= 0:
        return np.ones(columns.shape[1])
    centred = columns - columns.mean(axis=0)
    left = basis.project_out(centred)
    total, rest = (np.einsum("ij,ij->j", c, c) for c in (centred, left))
    f = (total - rest) / np.maximum(rest, np.finfo(float).tiny) * (df2 / df1)
    out: Array = f_upper_p(f, float(df1), float(df2))
    return out
