"""Marks for data that were adjusted elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..exceptions import InputError
from .adapters import Orientation, require_orientation
from .alignment import align_samples
from .identifiers import id_array
from .provenance import AdjustmentRecord, Array, attach_record


def mark_adjusted(
    X: Any,
    method: str,
    *,
    df: float | None = None,
    columns: Any = None,
    protected: Sequence[str] = (),
    orientation: Orientation = "samples",
) -> Any:
    """Say of data that something was taken out of them, so that a test on them is refused or charged for it.

    The transformers of this package and `remove_batch_effect` do this themselves for frames.

    Parameters
    ----------
    X : DataFrame or AnnData
    method : str
        What was done, as messages should name it.
    df : float, optional
        Degrees of freedom that it took from every feature; by default the rank of `columns` beside the mean.
    columns : Series, DataFrame or array-like of shape (n_samples,) or (n_samples, c), optional
        What was taken out, as columns in sample space: batch labels (coded by indicators), covariates, scores of
        factors. Matched to X by sample ID where they have IDs. With them a test on the data can be put right; without
        them only its degrees of freedom can.
    protected : sequence of str, optional
        Names of what was kept from being removed.
    orientation : {"samples", "features"}, default="samples"
        What the rows of X are.

    Returns
    -------
    DataFrame or AnnData
        A new frame that shares the values of X; an AnnData object is marked itself. If X was marked before, both
        adjustments are remembered.

    Raises
    ------
    InputError
        X cannot hold notes (an array), neither `df` nor `columns` is given, or columns have missing values.
    AlignmentError
        Columns that do not fit the samples of X.

    Examples
    --------
    >>> X = pd.DataFrame({"g1": [0.1, 0.2, 0.4]}, index=["s1", "s2", "s3"])
    >>> batch = pd.Series(["b", "a", "a"], index=["s3", "s1", "s2"], name="batch")
    >>> marked = mark_adjusted(X, "ComBat in R", columns=batch)
    >>> from latentadj.data.provenance import adjustment_record
    >>> adjustment_record(marked).columns.ravel(), adjustment_record(marked).df_spent
    (array([0., 0., 1.]), 1.0)
    """
    require_orientation(orientation)
    if columns is None and df is None:
        raise InputError(
            f"What {method!r} took out is not known. Give columns= (batch labels, say), or at least df=, the degrees "
            "of freedom that it took."
        )
    ids = _sample_ids(X, orientation)
    record = AdjustmentRecord((str(method),), 0.0 if df is None else df, protected=tuple(map(str, protected)))
    if columns is not None:
        table = _coded(_as_frame(columns, ids))
        names = tuple(str(name) for name in table.columns)
        record = AdjustmentRecord(record.methods, record.df_spent, ids, _numbers(table), names, record.protected)
    return attach_record(X, record.costing(record.rank) if df is None else record, made_from=X)


def _sample_ids(X: Any, orientation: Orientation) -> tuple[str, ...]:
    if isinstance(X, pd.DataFrame):
        return tuple(id_array(X.index if orientation == "samples" else X.columns).tolist())
    if hasattr(X, "obs_names"):
        return tuple(id_array(X.obs_names if orientation == "samples" else X.var_names).tolist())
    raise InputError(
        f"A {type(X).__name__} cannot be marked. Put the values into a DataFrame with the sample IDs as its index, or "
        "into an AnnData object."
    )


def _as_frame(columns: Any, ids: tuple[str, ...]) -> pd.DataFrame:
    """Columns as a frame, in the order of the samples."""
    if isinstance(columns, pd.Series):
        columns = columns.to_frame("removed" if columns.name is None else columns.name)
    if not isinstance(columns, pd.DataFrame):
        values = np.asarray(columns)
        columns = pd.DataFrame(values if values.ndim == 2 else values[:, None])
        columns.columns = [f"removed{i + 1}" for i in range(columns.shape[1])]
    return align_samples(ids, columns, len(ids))[0]


def _coded(table: pd.DataFrame) -> pd.DataFrame:
    """Numbers as they are, labels as indicators of all levels but the first."""
    if table.isna().any(axis=None):
        raise InputError("columns= has missing values. Give what was taken out of every sample.")
    parts = []
    for position in range(table.shape[1]):
        column = table.iloc[:, position]
        if pd.api.types.is_numeric_dtype(column.dtype):
            parts.append(column.to_frame())
        else:
            labels = column.astype(str)
            parts.append(
                pd.get_dummies(labels, dtype=np.float64, drop_first=True)
                .add_prefix(f"{column.name}[T.")
                .add_suffix("]")
            )
    return pd.concat(parts, axis=1)


def _numbers(table: pd.DataFrame) -> Array:
    values: Array = table.to_numpy(dtype=np.float64)
    if not np.isfinite(values).all():
        raise InputError("columns= has infinite values. Give what was taken out of every sample.")
    return values
