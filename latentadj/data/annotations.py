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
