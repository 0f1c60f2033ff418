"""Matrices in zarr arrays."""

from __future__ import annotations

import os
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from ...exceptions import FileFormatError, InputError
from ..adapters import Orientation, require_orientation
from ..parquet import require_extra
from .chunked import ChunkedMatrix
from .notices import warn_if_missing


class ZarrMatrix(ChunkedMatrix):
    """A zarr array of version 3 or 2, compressed or not; blocks follow its chunks.

    Parameters
    ----------
    store : path, URL, zarr store, zarr.Array or zarr.Group
    path : str, optional
        Place of the array inside the store.
    orientation : {"samples", "features"}, default="samples"
        What the rows of the array are.

    Raises
    ------
    MissingExtraError
        zarr is not installed.
    FileFormatError
        No array there, or a chunk that cannot be decoded (when it is read).
    InputError
        Not two-dimensional, or not of real numbers.

    Warns
    -----
    MissingChunksWarning
        Some chunks are not stored; zarr reads them as the fill value.
    SlowStorageWarning
        The chunks span so many features that a pass decodes them several times.

    Notes
    -----
    Chunks are decoded by the threads of the pass, each its own. The array is best stored with a few hundred to
    a few thousand features and all samples in a chunk.

    Examples
    --------
    >>> import numpy as np, tempfile, zarr
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = zarr.create_array(folder, data=np.arange(6.0).reshape(2, 3), name="expression")
    ...     ZarrMatrix(folder, "expression").read(slice(1, 3))
    array([[1., 2.],
           [4., 5.]])
    """

    def __init__(self, store: Any, path: str | None = None, orientation: Orientation = "samples") -> None:
        require_orientation(orientation)
        place = absolute_store(store)
        array = open_zarr(place, path)
        if not hasattr(array, "chunks"):
            raise InputError(
                f"{_name(place, path)} is a group of arrays, not one array. Give the name of one: "
                f"{', '.join(sorted(array.keys())) or 'it holds none'}."
            )
        name = _name(place, path)
        _look_for_missing_chunks(array, name)
        self._lay_out(array, name, orientation, (place, path, orientation))


def absolute_store(store: Any) -> Any:
    """Make a local path absolute, so that a process in another folder finds it; leave the rest as it is.

    Parameters
    ----------
    store : object

    Returns
    -------
    str or object

    Examples
    --------
    >>> absolute_store("s3://bucket/a.zarr")
    's3://bucket/a.zarr'
    """
    if isinstance(store, os.PathLike) or (isinstance(store, str) and "://" not in store):
        return str(Path(store).absolute())
    return store


def open_zarr(store: Any, path: str | None = None) -> Any:
    """Open an array or a group for reading.

    Parameters
    ----------
    store : path, URL, zarr store, zarr.Array or zarr.Group
    path : str, optional

    Returns
    -------
    zarr.Array or zarr.Group

    Raises
    ------
    MissingExtraError, FileFormatError

    Examples
    --------
    >>> open_zarr("no_such_folder.zarr")
    Traceback (most recent call last):
    latentadj.exceptions.FileFormatError: There is no file no_such_folder.zarr. Check the path.
    """
    require_extra("zarr", "zarr", store)
    zarr = import_module("zarr")
    if isinstance(store, zarr.Array | zarr.Group):
        return store if path is None else store[path]
    if isinstance(store, str) and "://" not in store and not Path(store).exists():
        raise FileFormatError(f"There is no file {store}. Check the path.")
    try:
        return zarr.open(store, path=path, mode="r")
    except Exception as error:  # stores raise many kinds for what is missing or damaged
        raise FileFormatError(
            f"{_name(store, path)} is not a readable zarr array or group ({type(error).__name__}: {error}). Check the "
            f"path, and the name of the array in it."
        ) from error


def _name(store: Any, path: str | None) -> str:
    where = str(getattr(store, "store_path", store))
    return where if path is None else f"{where}:{path}"


def _look_for_missing_chunks(array: Any, name: str) -> None:
    """Warn about chunks that are not stored, where the store can list what it holds."""
    if not array.store.supports_listing:
        return
    with suppress(OSError, NotImplementedError):
        warn_if_missing(name, array.nchunks - array.nchunks_initialized, array.nchunks, array.fill_value)
