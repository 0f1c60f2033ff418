"""Matrices in parquet files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...exceptions import FileFormatError, InputError
from ..adapters import Orientation, require_orientation
from ..identifiers import id_array, show_ids
from ..parquet import require_extra
from ..text_files import require_file
from .base import StoredMatrix, oriented_shape, require_shape
from .notices import warn_if_slow
from .slabs import LARGE_SLAB_BYTES, Edges, new_slab, regular_cuts, slab_edges

#: Bytes of the columns of a row group that are decoded together.
BATCH_BYTES = 1 << 20


class ParquetMatrix(StoredMatrix):
    """A parquet table of numbers with an optional column of row IDs.

    Parameters
    ----------
    path : path
    orientation : {"samples", "features"}, default="samples"
        What the rows of the table are. Features in rows are read by row groups, features in columns by columns.

    Attributes
    ----------
    row_ids : (n_rows,) object array of str, or None
        The index that pandas wrote, or else a first column of text.
    column_ids : (n_columns,) object array of str

    Raises
    ------
    MissingExtraError
        pyarrow is not installed.
    FileFormatError
        Not a parquet file, one that is cut, or a page that cannot be decoded (when it is read).
    InputError
        A column of something else than numbers, or no numbers at all.

    Warns
    -----
    SlowStorageWarning
        The row groups hold so many features that a pass decodes them several times.

    Notes
    -----
    Missing values (nulls) become NaN. Features in rows are best written with a few thousand rows in a group
    (``row_group_size=`` of pandas and pyarrow); the usual million makes one group of the whole table.

    Examples
    --------
    >>> import pandas as pd, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "matrix.parquet")
    ...     pd.DataFrame({"s1": [1.0, 2.0], "s2": [3.0, 4.0]}, index=["g1", "g2"]).to_parquet(path)
    ...     X = ParquetMatrix(path, orientation="features")
    ...     X.read(slice(0, 2)), X.row_ids.tolist()
    (array([[1., 2.],
           [3., 4.]]), ['g1', 'g2'])
    """

    def __init__(self, path: str | os.PathLike[str], orientation: Orientation = "samples") -> None:
        require_orientation(orientation)
        place = Path(path).absolute()
        self._path, self._idle = place, [_open(place, None)]
        file = self._idle[0]
        self._metadata = file.metadata
        id_column, names, dtype = _columns(file.schema_arrow, place)
        rows, columns = require_shape((file.metadata.num_rows, len(names)), str(place))
        self.column_ids = id_array(names)
        self.row_ids = None if id_column is None else _texts(file, id_column)
        self._names = names
        self._by_group = orientation == "features"
        self._held = dtype if dtype.kind == "f" else np.promote_types(dtype, np.float32)
        sizes = [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]
        self._groups = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        shape = oriented_shape(orientation, rows, columns)
        self._describe(str(place), shape, dtype, self._layout(shape, str(place)), (place, orientation))

    def _layout(self, shape: tuple[int, int], name: str) -> Edges:
        feature_bytes = shape[0] * self._held.itemsize
        if not self._by_group:
            return slab_edges(regular_cuts(shape[1], 1), feature_bytes)
        largest = int(np.diff(self._groups).max())
        layout, remedy = f"a row group holds {largest} features", "write it with row_group_size=2000"
        warn_if_slow(name, layout, largest * feature_bytes / LARGE_SLAB_BYTES, remedy)
        return slab_edges(np.unique(self._groups), feature_bytes)

    def _load(self, start: int, stop: int) -> NDArray[Any]:
        with self._file() as file:
            return self._load_rows(file, start, stop) if self._by_group else self._load_columns(file, start, stop)

    def _load_columns(self, file: Any, start: int, stop: int) -> NDArray[Any]:
        slab = new_slab((stop - start, self.shape[0]), self._held).T
        for group in range(len(self._groups) - 1):
            rows = slice(int(self._groups[group]), int(self._groups[group + 1]))
            self._fill(slab[rows].T, file, group, slice(start, stop), slice(None))
        return slab

    def _load_rows(self, file: Any, start: int, stop: int) -> NDArray[Any]:
        """Fill the slab from the row groups it touches, some columns at a time."""
        slab = new_slab((self.shape[0], stop - start), self._held)
        first = int(np.searchsorted(self._groups, start, side="right")) - 1
        last = int(np.searchsorted(self._groups, stop, side="left"))
        for group in range(first, last):
            begin, end = int(self._groups[group]), int(self._groups[group + 1])
            low, high = max(start, begin), min(stop, end)
            width = max(1, BATCH_BYTES // (max(end - begin, 1) * self._held.itemsize))
            for column in range(0, self.shape[0], width):
                samples = slice(column, min(column + width, self.shape[0]))
                rows, place = slice(low - begin, high - begin), slice(low - start, high - start)
                self._fill(slab[samples, place], file, group, samples, rows)
        return slab

    def _fill(self, out: NDArray[Any], file: Any, group: int, columns: slice, rows: slice) -> None:
        """Write some columns of a row group into the rows of `out`, one after another: no copy of them together."""
        names = self._names[columns]
        table = file.read_row_group(group, columns=names, use_threads=False)
        for line, name in zip(out, names, strict=True):
            line[:] = table.column(name).to_numpy()[rows]

    @contextmanager
    def _file(self) -> Iterator[Any]:
        """A reader that no other thread is using; opened ones are kept."""
        try:
            file = self._idle.pop()
        except IndexError:
            file = _open(self._path, self._metadata)
        yield file
        self._idle.append(file)


def _open(path: Path, metadata: Any) -> Any:
    require_file(path)
    require_extra("pyarrow", "parquet", path)
    try:
        return import_module("pyarrow.parquet").ParquetFile(path, metadata=metadata)
    except (ValueError, OSError) as error:
        raise FileFormatError(
            f"{path} is not a readable parquet file ({error}). It may have been cut; copy or write it again."
        ) from error


def _columns(schema: Any, path: Path) -> tuple[str | None, list[str], np.dtype[Any]]:
    """Name of the ID column, names of the others, and the type that holds all their values."""
    types = import_module("pyarrow").types
    id_column = _id_column(schema, types, path)
    fields = [field for field in schema if field.name != id_column]
    bad = [f.name for f in fields if not (types.is_integer(f.type) or types.is_floating(f.type) or _is_bool(f, types))]
    if bad:
        raise InputError(
            f"{path}: {len(bad)} column(s) do not hold numbers: {show_ids(bad)}. Leave them out of the matrix, or move "
            f"them to the sample table; row IDs belong in the index or the first column."
        )
    if not fields:
        raise InputError(f"{path} has no column of numbers. Write a table of samples x features.")
    kinds = {np.dtype(field.type.to_pandas_dtype()) for field in fields}
    return id_column, [field.name for field in fields], np.result_type(*kinds)


def _is_bool(field: Any, types: Any) -> bool:
    return bool(types.is_boolean(field.type))


def _id_column(schema: Any, types: Any, path: Path) -> str | None:
    """The index as pandas noted it, or a first column of text."""
    index = [name for name in (schema.pandas_metadata or {}).get("index_columns", []) if isinstance(name, str)]
    if len(index) > 1:
        raise InputError(f"{path} has an index of {len(index)} levels; one ID per row is needed. Join the levels.")
    if index:
        return index[0]
    first = schema.field(0)
    value_type = first.type.value_type if types.is_dictionary(first.type) else first.type
    is_text = types.is_string(value_type) or types.is_large_string(value_type)
    return first.name if is_text and len(schema) > 1 else None


def _texts(file: Any, column: str) -> NDArray[np.object_]:
    return id_array(file.read(columns=[column], use_threads=False).column(column).to_pylist())
