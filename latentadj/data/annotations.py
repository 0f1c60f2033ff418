"""What a method is told about the samples beyond the design: replicate labels, technical covariates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.exceptions import AlignmentError, InputError


def resolve_annotation(
    name: str,
    value: Any,
    n_samples: int,
    sample_data: pd.DataFrame | None = None,
    sample_ids: Sequence[str] | None = None,
) -> NDArray[Any] | None:
    """Return a sample-aligned setting as an array in the order of the samples.

    Parameters
    ----------
    name : str
        Name of the setting, for messages.
    value : None, str, list of str, Series, DataFrame or array-like
        One or several columns of the sample table by name, labels with sample IDs as index, or values in the order
        of the samples.
    n_samples : int
    sample_data : pandas.DataFrame, optional
        Aligned sample table, a row per sample.
    sample_ids : sequence of str, optional
        IDs of the samples, for values that carry an index.

    Returns
    -------
    ndarray of shape (n_samples,) or (n_samples, c), or None

    Raises
    ------
    InputError
        A name that the sample table does not have, or a wrong number of values.
    AlignmentError
        Samples that an indexed value does not name.

    Examples
    --------
    >>> table = pd.DataFrame({"patient": ["a", "a", "b"]})
    >>> resolve_annotation("replicates", "patient", 3, table)
    array(['a', 'a', 'b'], dtype=object)
    """
    if value is None:
        return None
    if isinstance(value, str) or (isinstance(value, list) and _names_columns(value, sample_data, n_samples)):
        return _columns(name, value, sample_data)
    if isinstance(value, pd.Series | pd.DataFrame):
        return _indexed(name, value, n_samples, sample_ids)
    values = np.asarray(value)
    if values.ndim == 0 or len(values) != n_samples:
        raise InputError(
            f"{name} has {len(values) if values.ndim else 'a single'} value(s) for {n_samples} samples. Give one value "
            "per sample, a Series indexed by sample ID, or the name of a column of the sample table."
        )
    return values


def _names_columns(value: list[Any], sample_data: pd.DataFrame | None, n_samples: int) -> bool:
    """Whether a list of strings names columns rather than labelling the samples."""
    texts = bool(value) and all(isinstance(item, str) for item in value)
    if not texts or sample_data is None:
        return False
    return len(value) != n_samples or all(item in sample_data.columns for item in value)


def _columns(name: str, value: str | list[str], sample_data: pd.DataFrame | None) -> NDArray[Any]:
    wanted = [value] if isinstance(value, str) else value
    if sample_data is None:
        raise InputError(f"{name}={value!r} names a column of a sample table, but there is none. Pass sample_data=.")
    missing = [item for item in wanted if item not in sample_data.columns]
    if missing:
        raise InputError(
            f"{name}: the sample table has no column {', '.join(map(repr, missing))}; its columns are "
            f"{', '.join(map(str, sample_data.columns))}."
        )
    found = sample_data[value]
    numeric = isinstance(found, pd.DataFrame) or pd.api.types.is_numeric_dtype(found)
    return np.asarray(found) if numeric else np.asarray(found, dtype=object)


def _indexed(
    name: str, value: pd.Series[Any] | pd.DataFrame, n_samples: int, sample_ids: Sequence[str] | None
) -> NDArray[Any]:
    by_position = isinstance(value.index, pd.RangeIndex) and len(value) == n_samples
    if sample_ids is None or by_position:
        return resolve_annotation(name, np.asarray(value), n_samples)  # type: ignore[return-value]
    labelled = value.set_axis(value.index.map(str))
    missing = [sample for sample in sample_ids if sample not in labelled.index]
    if missing:
        raise AlignmentError(
            f"{name} has no value for {len(missing)} of {n_samples} samples: {', '.join(missing[:5])}. Index it by "
            "sample ID, or give plain values in the order of the samples."
        )
    return np.asarray(labelled.loc[list(sample_ids)])


def resolve_covariances(
    name: str,
    value: Any,
    n_samples: int,
    sample_data: pd.DataFrame | None = None,
    sample_ids: Sequence[str] | None = None,
) -> NDArray[np.float64]:
    """Return known covariances of the samples as a stack of matrices in the order of the samples.

    Parameters
    ----------
    name : str
        Name of the setting, for messages.
    value : None, or one or a list of: (n, n) array or DataFrame, str, Series, array of n labels
        A covariance matrix, or labels - a column of the sample table by name, or a label per sample - of groups
        whose members share noise: they stand for the matrix with 1 where two labels are equal.
    n_samples : int
    sample_data, sample_ids
        As for `resolve_annotation`.

    Returns
    -------
    ndarray of shape (n_matrices, n_samples, n_samples)
        Symmetric and positive semi-definite; no matrices for None.

    Raises
    ------
    InputError
        A matrix that is not of that shape, not finite, not symmetric or not positive semi-definite.
    AlignmentError
        Samples that an indexed matrix does not name.

    Examples
    --------
    >>> resolve_covariances("covariances", ["a", "a", "b"], 3)[0]
    array([[1., 1., 0.],
           [1., 1., 0.],
           [0., 0., 1.]])
    """
    items = _covariance_items(value, n_samples, sample_data)
    found = [_one_covariance(name, item, n_samples, sample_data, sample_ids) for item in items]
    return np.array(found).reshape(len(found), n_samples, n_samples)


def _covariance_items(value: Any, n_samples: int, sample_data: pd.DataFrame | None) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        stack = isinstance(value, np.ndarray) and value.ndim == 3
        return list(value) if stack else [value]
    if all(isinstance(item, str) for item in value):
        return list(value) if _names_columns(list(value), sample_data, n_samples) else [np.array(value, dtype=object)]
    labels = len(value) == n_samples and all(np.ndim(item) == 0 for item in value)
    return [np.asarray(value)] if labels else list(value)


def _one_covariance(
    name: str, value: Any, n_samples: int, sample_data: pd.DataFrame | None, sample_ids: Sequence[str] | None
) -> NDArray[np.float64]:
    square = np.ndim(value) == 2
    if isinstance(value, pd.DataFrame):
        if sample_ids is not None and not isinstance(value.index, pd.RangeIndex):
            aligned = value.set_axis(value.columns.map(str), axis=1)
            columns = _indexed(name, aligned.T, n_samples, sample_ids).T
            value = pd.DataFrame(columns, index=value.index)
        value = _indexed(name, value, n_samples, sample_ids)
    if not square:
        labels = resolve_annotation(name, value, n_samples, sample_data, sample_ids)
        codes = pd.factorize(np.asarray(labels).ravel())[0]
        return np.asarray(codes[:, None] == codes[None, :], dtype=np.float64)
    matrix = np.asarray(value, dtype=np.float64)
    _check_covariance(name, matrix, n_samples)
    return (matrix + matrix.T) / 2.0


def _check_covariance(name: str, matrix: NDArray[np.float64], n_samples: int) -> None:
    if matrix.shape != (n_samples, n_samples):
        raise InputError(
            f"{name} holds a matrix of shape {matrix.shape} for {n_samples} samples. Give {n_samples} x {n_samples} "
            "covariance matrices in the order of the samples, data frames indexed by sample ID, or labels of groups."
        )
    if not np.isfinite(matrix).all():
        raise InputError(f"{name} holds a matrix with missing or infinite entries; covariances must be finite.")
    size = float(np.abs(matrix).max(initial=0.0))
    if np.abs(matrix - matrix.T).max(initial=0.0) > 1e-8 * size:
        raise InputError(f"{name} holds a matrix that is not symmetric; a covariance matrix is.")
    if size == 0.0 or np.linalg.eigvalsh(matrix)[0] < -1e-6 * size:
        raise InputError(
            f"{name} holds a matrix that is zero or has negative eigenvalues; a covariance is positive semi-definite. "
            "Project it onto its positive part, or give the labels of related samples instead."
        )
