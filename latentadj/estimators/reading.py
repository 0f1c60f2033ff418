"""Data as a front gets them: in memory, or opened for reading by blocks."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.core.matrix import ArrayMatrix, FeatureMatrix
from latentadj.data import as_labelled_matrix
from latentadj.data.adapters import Orientation
from latentadj.data.provenance import AdjustmentRecord, adjustment_record
from latentadj.data.stores import OpenedMatrix, open_matrix
from latentadj.data.stores.dask_array import is_dask_array
from latentadj.exceptions import InputError
from latentadj.validation import plain_array, validated_array


@dataclass(frozen=True)
class MeasuredData:
    """A matrix that can be read by blocks, with what is known about its rows and columns.

    Attributes
    ----------
    matrix : FeatureMatrix of shape (n_samples, n_features)
    sample_ids : tuple of str or None
    feature_ids : ndarray of shape (n_features,) or None
    sample_data : pandas.DataFrame or None
    notes : tuple of str
    record : AdjustmentRecord or None
        What was taken out of the values before, where they remember it.
    """

    matrix: FeatureMatrix
    sample_ids: tuple[str, ...] | None = None
    feature_ids: NDArray[Any] | None = None
    sample_data: pd.DataFrame | None = None
    notes: tuple[str, ...] = ()
    record: AdjustmentRecord | None = None


def read_data(estimator: Any, X: Any, orientation: Orientation, layer: str | None) -> MeasuredData:
    """Open what a user gave.

    Parameters
    ----------
    estimator : BaseEstimator
        Gets ``n_features_in_`` and ``feature_names_in_``.
    X : array-like, DataFrame, AnnData, path, FeatureMatrix, dask, zarr or HDF5 array
        Paths, backed AnnData and stored arrays are read by blocks and never held as a whole, except for text files.
    orientation : {"samples", "features"}
    layer : str or None

    Returns
    -------
    MeasuredData

    Raises
    ------
    InputError
        Not a matrix of numbers, or fewer than two samples.
    """
    if _is_stored(X):
        opened = X if isinstance(X, OpenedMatrix) else open_matrix(X, orientation=orientation, layer=layer)
        return _stored(estimator, opened, adjustment_record(X) or adjustment_record(opened))
    labelled = as_labelled_matrix(plain_array(X), orientation=orientation, layer=layer)
    values = validated_array(estimator, labelled.values, training=True)
    if isinstance(X, pd.DataFrame) and all(isinstance(name, str) for name in X.columns):
        estimator.feature_names_in_ = np.asarray(X.columns, dtype=object)
    return MeasuredData(
        ArrayMatrix(values),
        labelled.sample_ids,
        labelled.feature_ids,
        labelled.sample_data,
        labelled.notes,
        labelled.record,
    )


def _is_stored(X: Any) -> bool:
    if isinstance(X, np.ndarray | pd.DataFrame | list):
        return False
    library = type(X).__module__.partition(".")[0]
    stored = library in ("zarr", "h5py") or is_dask_array(X)
    backed = bool(getattr(X, "isbacked", False))
    return isinstance(X, str | os.PathLike | OpenedMatrix | FeatureMatrix) or stored or backed


def _stored(estimator: Any, opened: OpenedMatrix, record: AdjustmentRecord | None) -> MeasuredData:
    n_samples, n_features = opened.matrix.shape
    if n_samples < 2 or n_features < 1:
        raise InputError(f"The matrix has {n_samples} samples and {n_features} features; 2 and 1 are the least.")
    estimator.n_features_in_ = n_features
    return MeasuredData(opened.matrix, opened.sample_ids, opened.feature_ids, opened.sample_data, (), record)
