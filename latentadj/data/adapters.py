"""Arrays, frames and AnnData objects turned into one labelled matrix, samples x features."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from ..exceptions import InputError
from .identifiers import id_array, require_unique
from .provenance import AdjustmentRecord, adjustment_record

Orientation = Literal["samples", "features"]


@dataclass(frozen=True, eq=False)
class LabelledMatrix:
    """A measured matrix with what is known about its rows and columns.

    Attributes
    ----------
    values : (n_samples, n_features) float32 or float64 array
        A view of the input wherever its type allows; either memory order; never to be written to.
    sample_ids : tuple of str, length n_samples, or None
    feature_ids : (n_features,) object array of str, or None
    feature_data : DataFrame, n_features rows, or None
        Annotation of the features (``var`` of an AnnData object).
    sample_data : DataFrame, n_samples rows, or None
        Sample table that came with the matrix (``obs`` of an AnnData object, header of a series matrix).
    notes : tuple of str
        What was done on the way in, for the report and the manifest.
    record : AdjustmentRecord or None
        What was taken out of the values before, where X remembers it.

    Examples
    --------
    >>> as_labelled_matrix([[1, 2, 3], [4, 5, 6]]).shape
    (2, 3)
    """

    values: NDArray[Any]
    sample_ids: tuple[str, ...] | None = None
    feature_ids: NDArray[np.object_] | None = None
    feature_data: pd.DataFrame | None = None
    sample_data: pd.DataFrame | None = None
    notes: tuple[str, ...] = ()
    record: AdjustmentRecord | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """``(n_samples, n_features)``."""
        return (self.values.shape[0], self.values.shape[1])


def as_labelled_matrix(X: Any, *, orientation: Orientation = "samples", layer: str | None = None) -> LabelledMatrix:
    """Read any accepted in-memory matrix without copying it where possible.

    Parameters
    ----------
    X : array, DataFrame, AnnData, scipy sparse matrix, list of lists, or LabelledMatrix
        Real numbers. float32 and float64 are kept as they are; integers, booleans and other floats become
        float64. Missing cells (NaN, None, pandas.NA) become NaN. A sparse matrix is made dense, because
        centring makes it dense anyway; a note says so. Text is an error, even if it reads like a number.
    orientation : {"samples", "features"}
        What the rows of ``X`` are. With "features" the transposed view is taken.
    layer : str, optional
        Layer of an AnnData object; without it, ``X.X`` is used.

    Returns
    -------
    LabelledMatrix
        Row labels of a frame become sample IDs, also when they are the running numbers of a frame without an
        index; running numbers of columns do not become feature IDs.

    Raises
    ------
    InputError
        Not two-dimensional, empty, complex, or holding text (names the first cell).
    AlignmentError
        Sample or feature IDs that occur twice.

    Examples
    --------
    >>> frame = pd.DataFrame({"s1": [1.0, 2.0], "s2": [3.0, 4.0]}, index=["g1", "g2"])
    >>> m = as_labelled_matrix(frame, orientation="features")
    >>> m.sample_ids, m.feature_ids.tolist(), m.values.tolist()
    (('s1', 's2'), ['g1', 'g2'], [[1.0, 2.0], [3.0, 4.0]])
    """
    require_orientation(orientation)
    if isinstance(X, LabelledMatrix):
        return X
    if isinstance(X, str | os.PathLike):
        raise InputError(
            f"X is the path {str(X)!r}, not a matrix. Read it first: latentadj.data.read_matrix({str(X)!r})."
        )
    if _is_anndata(X):
        return replace(_from_anndata(X, orientation, layer), record=adjustment_record(X))
    if layer is not None:
        raise InputError(f"layer={layer!r} was given, but X is a {type(X).__name__}; only AnnData has layers.")
    if isinstance(X, pd.DataFrame):
        return replace(_from_frame(X, orientation), record=adjustment_record(X))
    values, notes = _plain_array(X)
    return labelled(values, None, None, orientation, notes=notes)


def require_orientation(orientation: str) -> None:
    """Raise unless ``orientation`` is one of the two words.

    Parameters
    ----------
    orientation : str

    Raises
    ------
    InputError

    Examples
    --------
    >>> require_orientation("samples")
    """
    if orientation not in ("samples", "features"):
        raise InputError(
            f"orientation={orientation!r} is not known. Use 'samples' (rows are samples) or 'features' (rows "
            f"are features)."
        )


def labelled(
    values: NDArray[Any],
    row_ids: NDArray[np.object_] | None,
    column_ids: NDArray[np.object_] | None,
    orientation: Orientation,
    *,
    row_data: pd.DataFrame | None = None,
    column_data: pd.DataFrame | None = None,
    notes: tuple[str, ...] = (),
) -> LabelledMatrix:
    """Check shape and IDs of a numeric matrix and turn it to samples x features (a view).

    Parameters
    ----------
    values : (n_rows, n_columns) array
    row_ids, column_ids : object arrays of str, or None
    orientation : {"samples", "features"}
        What the rows are.
    row_data, column_data : DataFrame, optional
        Annotation of rows and columns.
    notes : tuple of str

    Returns
    -------
    LabelledMatrix

    Raises
    ------
    InputError, AlignmentError

    Examples
    --------
    >>> labelled(np.ones((2, 3)), None, None, "features").shape
    (3, 2)
    """
    if values.ndim != 2 or 0 in values.shape:
        raise InputError(
            f"The matrix has shape {values.shape}; two dimensions are needed, with at least one sample and "
            f"one feature. Use X.reshape(-1, 1) for a single feature, X.reshape(1, -1) for a single sample."
        )
    if orientation == "features":
        values, row_ids, column_ids, row_data, column_data = (
            values.T,
            column_ids,
            row_ids,
            column_data,
            row_data,
        )
    if row_ids is not None:
        require_unique(row_ids.tolist(), "sample", "the matrix")
    if column_ids is not None:
        require_unique(column_ids.tolist(), "feature", "the matrix")
    samples = None if row_ids is None else tuple(row_ids.tolist())
    return LabelledMatrix(values, samples, column_ids, column_data, row_data, notes)


def _is_anndata(X: Any) -> bool:
    """Recognise AnnData by the name of its library; nothing is imported."""
    return any(c.__module__.partition(".")[0] == "anndata" for c in type(X).__mro__) and hasattr(X, "obs_names")


def _from_anndata(X: Any, orientation: Orientation, layer: str | None) -> LabelledMatrix:
    if getattr(X, "isbacked", False):
        X = X.to_memory()
    if layer is not None and layer not in X.layers:
        known = ", ".join(repr(name) for name in X.layers) or "none"
        raise InputError(f"layer={layer!r} is not in the AnnData object. Its layers: {known}; without layer, X.X.")
    source = X.X if layer is None else X.layers[layer]
    if source is None:
        raise InputError("The AnnData object has no X. Name one of its layers with layer=.")
    values, notes = _plain_array(source)
    rows, columns = id_array(X.obs_names), id_array(X.var_names)
    return labelled(values, rows, columns, orientation, row_data=X.obs, column_data=X.var, notes=notes)


def _from_frame(frame: pd.DataFrame, orientation: Orientation) -> LabelledMatrix:
    rows, columns = id_array(frame.index), id_array(frame.columns)
    row_ids: NDArray[np.object_] | None = rows
    column_ids: NDArray[np.object_] | None = columns
    if orientation == "samples" and isinstance(frame.columns, pd.RangeIndex):
        column_ids = None
    if orientation == "features" and isinstance(frame.index, pd.RangeIndex):
        row_ids = None
    return labelled(_frame_values(frame, rows, columns), row_ids, column_ids, orientation)


def _frame_values(frame: pd.DataFrame, rows: NDArray[np.object_], columns: NDArray[np.object_]) -> NDArray[Any]:
    """Values of a frame as floats; a view if the frame is one block of float32 or float64."""
    kinds = set(frame.dtypes)
    if len(kinds) == 1 and next(iter(kinds)) in (np.dtype("float32"), np.dtype("float64")):
        return frame.to_numpy()
    objects = False
    for position, kind in enumerate(frame.dtypes):
        if not pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_complex_dtype(kind):
            _require_numbers(frame.iloc[:, position], str(columns[position]), rows)
            objects = True
    if not objects:
        return frame.to_numpy(dtype=np.float64, na_value=np.nan)
    cells = np.array(frame.to_numpy(dtype=object))
    cells[frame.isna().to_numpy()] = np.nan
    return cells.astype(np.float64)


def _require_numbers(column: pd.Series, name: str, rows: NDArray[np.object_]) -> None:
    """Raise unless an object column holds only numbers and missing values."""
    if not (pd.api.types.is_object_dtype(column.dtype) or pd.api.types.is_string_dtype(column.dtype)):
        raise InputError(
            f"Column {name!r} of the matrix is of type {column.dtype}; numbers are needed. Leave it out of "
            f"the matrix, or move it to sample_data."
        )
    cells = column.to_numpy(dtype=object)
    bad = [i for i, cell in enumerate(cells) if not _is_real(cell)]
    if not bad:
        return
    worst = next((i for i in bad if not _reads_as_number(cells[i])), bad[0])
    readable = _reads_as_number(cells[worst])
    hint = " It reads like a number: convert the matrix with X.astype(float)." if readable else ""
    raise InputError(
        f"The matrix holds {type(cells[worst]).__name__} where numbers are needed: row {str(rows[worst])!r}, "
        f"column {name!r}: {cells[worst]!r} ({len(bad)} such cell(s) in this column).{hint} Missing values "
        f"are NaN; columns of text belong to sample_data."
    )


def _is_real(cell: Any) -> bool:
    if cell is None or cell is pd.NA:
        return True
    return isinstance(cell, bool | int | float | np.bool_ | np.integer | np.floating)


def _reads_as_number(cell: Any) -> bool:
    try:
        float(cell)
    except (TypeError, ValueError):
        return False
    return True


def _plain_array(X: Any) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Return a float array of any shape, a view if it is one already, and notes."""
    notes: tuple[str, ...] = ()
    if sparse.issparse(X):
        X, notes = _densified(X)
    if isinstance(X, np.ma.MaskedArray):
        X = np.ma.filled(X.astype(np.float64), np.nan)
    try:
        values = np.asarray(X)
    except ValueError as error:
        raise InputError(
            f"X is a {type(X).__name__} that is not a rectangular table ({error}). Give every row the same length."
        ) from error
    if values.dtype.kind == "c":
        raise InputError("The matrix is complex; real numbers are needed. Take X.real if the rest is zero.")
    if values.dtype.kind in "OUSmMV":
        return _from_objects(values), notes
    if values.dtype in (np.float32, np.float64) and values.dtype.isnative:
        return values, notes
    return values.astype(np.float64), notes


def _densified(X: Any) -> tuple[NDArray[Any], tuple[str, ...]]:
    dense = X.toarray()
    note = f"The sparse matrix ({X.nnz} stored values) was made dense, {dense.nbytes / 1e6:.0f} MB."
    return dense, (note,)


def _from_objects(values: NDArray[Any]) -> NDArray[np.float64]:
    if values.ndim != 2:
        raise InputError(
            f"X is a {values.ndim}-dimensional array of {values.dtype}; a table of numbers, samples x "
            f"features, is needed."
        )
    frame = pd.DataFrame(values.astype(object))
    return np.asarray(_frame_values(frame, id_array(frame.index), id_array(frame.columns)))
