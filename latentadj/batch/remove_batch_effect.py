"""Linear removal of known batches from a matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import check_array

from latentadj.batch.samples import aligned_table, batch_codes, batch_levels
from latentadj.core.batch_removal import removal_coefficients, sum_to_zero
from latentadj.core.matrix import ArrayMatrix
from latentadj.exceptions import DesignError, InputError

Array = NDArray[np.float64]


def remove_batch_effect(
    X: Any, batch: Any = None, batch2: Any = None, covariates: Any = None, design: Any = None
) -> Array | pd.DataFrame:
    """Subtract what batches and covariates explain beside a design, for pictures.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        NaN are left out feature by feature, and stay.
    batch, batch2 : Series or array-like of shape (n_samples,), optional
        Labels of one or two batch factors, whose effects add up.
    covariates : DataFrame, Series or array-like of shape (n_samples, c), optional
        Numbers whose linear effects are removed too. Centre them to keep the features' means.
    design : Design or array-like of shape (n_samples, p), optional
        Columns whose effects stay, with the intercept; by default the intercept alone.

    Returns
    -------
    ndarray or DataFrame of shape (n_samples, n_features)
        A DataFrame with the index and the columns of X if X is one.

    Raises
    ------
    InputError
        X is not numeric, or what describes the samples does not fit it.
    DesignError
        Missing labels, or missing or infinite covariates or design values.

    Notes
    -----
    As limma's function of this name (Ritchie et al. 2015): batch factors are coded so that their effects add up to
    zero, and columns that depend on those before them, design first, are not removed. Do not test the result: put
    the batch into the design instead, so that it costs degrees of freedom.

    Examples
    --------
    >>> remove_batch_effect([[1.0], [2.0], [5.0], [6.0]], batch=["a", "a", "b", "b"]).ravel().round(10)
    array([3., 4., 3., 4.])
    """
    values = _values(X)
    parts = [_coded(labels, X, name) for labels, name in ((batch, "batch"), (batch2, "batch2")) if labels is not None]
    if covariates is not None:
        parts.append(_numbers(covariates, X, "covariates"))
    if parts:
        kept = np.ones((len(values), 1)) if design is None else _numbers(getattr(design, "matrix", design), X, "design")
        removed = np.hstack(parts)
        values = values - removed @ removal_coefficients(ArrayMatrix(values), kept, removed)
    return pd.DataFrame(values, index=X.index, columns=X.columns) if isinstance(X, pd.DataFrame) else values


def _values(X: Any) -> Array:
    try:
        values: Array = check_array(X, dtype=np.float64, ensure_all_finite="allow-nan", copy=True)
    except ValueError as error:
        raise InputError(str(error)) from error
    return values


def _coded(labels: Any, X: Any, name: str) -> Array:
    table = aligned_table(labels, X, name)
    if table.shape[1] != 1:
        raise InputError(f"{name}= has {table.shape[1]} columns; one label per sample is needed.")
    column = table.iloc[:, 0]
    levels = batch_levels(column)
    return sum_to_zero(batch_codes(column, levels), len(levels))


def _numbers(values: Any, X: Any, name: str) -> Array:
    table = aligned_table(values, X, name)
    try:
        columns: Array = table.to_numpy(dtype=np.float64)
    except (TypeError, ValueError):
        raise DesignError(
            f"{name}= must hold numbers. Give labels as batch= or batch2=, or code them first (Design.from_formula)."
        ) from None
    if not np.isfinite(columns).all():
        raise DesignError(f"{name}= has missing or infinite values. Drop these samples, or fill the values in.")
    return columns
