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
from latentadj.core.regression import design_basis
from latentadj.data.identifiers import id_array
from latentadj.data.provenance import AdjustmentRecord, attach_record
from latentadj.design import Design
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
        A DataFrame with the index and the columns of X if X is one. It remembers what was removed
        (`AdjustmentRecord`), so that a test on it is refused; an array cannot.

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
    the batch into the design instead, so that it costs degrees of freedom. Tests that are told of the removal
    (``allow_adjusted=True``) put the removed columns back into the design and give the same answer.

    Examples
    --------
    >>> remove_batch_effect([[1.0], [2.0], [5.0], [6.0]], batch=["a", "a", "b", "b"]).ravel().round(10)
    array([3., 4., 3., 4.])
    """
    values = _values(X)
    parts = [_coded(labels, X, name) for labels, name in ((batch, "batch"), (batch2, "batch2")) if labels is not None]
    if covariates is not None:
        parts.append(_numbers(covariates, X, "covariates"))
    kept = _kept(design, X)
    removed = pd.concat(parts, axis=1) if parts else pd.DataFrame(index=kept.index)
    if parts:
        columns = removed.to_numpy()
        values = values - columns @ removal_coefficients(ArrayMatrix(values), kept.to_numpy(), columns)
    if not isinstance(X, pd.DataFrame):
        return values
    out = pd.DataFrame(values, index=X.index, columns=X.columns)
    marked: pd.DataFrame = attach_record(out, _record(X, kept, removed), made_from=X)
    return marked


def _kept(design: Any, X: Any) -> pd.DataFrame:
    """Columns whose effects stay; the intercept where there is no design."""
    if design is None:
        return pd.DataFrame({"Intercept": np.ones(len(X))})
    if isinstance(design, Design):
        design = pd.DataFrame(design.matrix, columns=list(design.names))
    return _numbers(design, X, "design")


def _record(X: pd.DataFrame, kept: pd.DataFrame, removed: pd.DataFrame) -> AdjustmentRecord | None:
    """What is said of the output; the degrees of freedom are those that the kept columns did not take anyway."""
    if removed.shape[1] == 0:
        return None
    ranks = [design_basis(columns).rank for columns in (kept.to_numpy(), np.hstack([kept, removed]))]
    return AdjustmentRecord(
        methods=("remove_batch_effect",),
        df_spent=float(ranks[1] - ranks[0]),
        sample_ids=tuple(id_array(X.index).tolist()),
        columns=removed.to_numpy(),
        names=tuple(str(name) for name in removed.columns),
        protected=tuple(str(name) for name in kept.columns if name != "Intercept"),
    )


def _values(X: Any) -> Array:
    try:
        values: Array = check_array(X, dtype=np.float64, ensure_all_finite="allow-nan", copy=True)
    except ValueError as error:
        raise InputError(str(error)) from error
    return values


def _coded(labels: Any, X: Any, name: str) -> pd.DataFrame:
    table = aligned_table(labels, X, name)
    if table.shape[1] != 1:
        raise InputError(f"{name}= has {table.shape[1]} columns; one label per sample is needed.")
    column = table.iloc[:, 0]
    levels = batch_levels(column)
    codes = sum_to_zero(batch_codes(column, levels), len(levels))
    return pd.DataFrame(codes, columns=[f"{name}[S.{level}]" for level in levels[:-1]])


def _numbers(values: Any, X: Any, name: str) -> pd.DataFrame:
    table = aligned_table(values, X, name)
    try:
        columns: Array = table.to_numpy(dtype=np.float64)
    except (TypeError, ValueError):
        raise DesignError(
            f"{name}= must hold numbers. Give labels as batch= or batch2=, or code them first (Design.from_formula)."
        ) from None
    if not np.isfinite(columns).all():
        raise DesignError(f"{name}= has missing or infinite values. Drop these samples, or fill the values in.")
    return pd.DataFrame(columns, columns=table.columns)
