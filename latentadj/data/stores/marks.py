"""What was taken out of stored data, written into the store or beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from ...exceptions import FileFormatError
from ..provenance import KEY, AdjustmentRecord
from .opened import OpenedMatrix

#: Ending of the file beside a .npy file, which has no place for notes.
BESIDE = ".adjusted.json"
_PANDAS_NOTES = b"PANDAS_ATTRS"


class MarkedMatrix(OpenedMatrix):
    """An opened matrix that knows what was taken out of it before.

    Attributes
    ----------
    record : AdjustmentRecord or None
    """

    record: AdjustmentRecord | None = None


def with_stored_record(opened: OpenedMatrix, path: str | Path) -> OpenedMatrix:
    """Add what a file records about earlier adjustments, so that tests on its values are refused.

    Parameters
    ----------
    opened : OpenedMatrix
    path : path
        The file that it is read from.

    Returns
    -------
    OpenedMatrix
        The same object where nothing is recorded.

    Examples
    --------
    >>> import numpy as np
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> opened = OpenedMatrix(ArrayMatrix(np.ones((2, 3))))
    >>> with_stored_record(opened, "no-such-file.npy") is opened
    True
    """
    record = stored_record(path)
    if record is None:
        return opened
    marked = MarkedMatrix(*opened)
    marked.record = record
    return marked


def mark_group(group: Any, record: AdjustmentRecord | None) -> None:
    """Write a record into an open zarr or HDF5 group.

    Parameters
    ----------
    group : zarr.Group, zarr.Array or h5py.File
        HDF5 attributes are small: there the record is a text of its own, named as the attribute would be.
    record : AdjustmentRecord or None
        Nothing is written without one.
    """
    if record is None:
        return
    if type(group).__module__.partition(".")[0] == "h5py":
        group[KEY] = json.dumps(record.as_mapping())
    else:
        group.attrs[KEY] = record.as_mapping()


def stored_record(path: str | Path) -> AdjustmentRecord | None:
    """Read what is recorded in a stored matrix about earlier adjustments.

    Parameters
    ----------
    path : path
        .npy, .zarr, .h5, .hdf5, .h5ad or .parquet; other files have no record.

    Returns
    -------
    AdjustmentRecord or None

    Raises
    ------
    InputError
        There is a record that cannot be read.

    Examples
    --------
    >>> stored_record("no-such-file.npy") is None
    True
    """
    place = Path(path)
    reader = _READERS.get(place.suffix.lower())
    if reader is None or not place.exists():
        return None
    content = reader(place)
    return None if content is None else AdjustmentRecord.from_mapping(content)


def _beside(path: Path) -> Mapping[str, Any] | None:
    place = path.with_name(path.name + BESIDE)
    if not place.exists():
        return None
    try:
        content: Mapping[str, Any] = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FileFormatError(
            f"{place}, which says what was taken out of {path.name}, cannot be read ({error}). Write the adjusted data "
            "again."
        ) from error
    return content


def _in_zarr(path: Path) -> Mapping[str, Any] | None:
    with suppress(Exception):  # what cannot be opened is said by whoever reads the values
        root = import_module("zarr").open(str(path), mode="r")
        content = dict(root.attrs).get(KEY)
        return _from_anndata(root) if content is None else content
    return None


def _in_hdf5(path: Path) -> Mapping[str, Any] | None:
    with suppress(ImportError, OSError), import_module("h5py").File(path, "r") as file:
        found = file.get(KEY)
        if found is not None and not hasattr(found, "keys"):
            content: Mapping[str, Any] = json.loads(found.asstr()[()])
            return content
        return _from_anndata(file)
    return None


def _from_anndata(root: Any) -> Mapping[str, Any] | None:
    """Notes of an AnnData file."""
    if "uns" not in root or KEY not in root["uns"]:
        return None
    content: Mapping[str, Any] = import_module("anndata.io").read_elem(root["uns"][KEY])
    return content


def _in_parquet(path: Path) -> Mapping[str, Any] | None:
    with suppress(ImportError, OSError, ValueError):
        notes = import_module("pyarrow.parquet").read_schema(path).metadata or {}
        content: Mapping[str, Any] | None = json.loads(notes.get(_PANDAS_NOTES, b"{}")).get(KEY)
        return content
    return None


_READERS = {
    ".npy": _beside,
    ".zarr": _in_zarr,
    ".h5": _in_hdf5,
    ".hdf5": _in_hdf5,
    ".h5ad": _in_hdf5,
    ".parquet": _in_parquet,
    ".pq": _in_parquet,
}
