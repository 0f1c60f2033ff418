"""Matrices in HDF5 files."""

from __future__ import annotations

import os
import threading
from importlib import import_module
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ...exceptions import FileFormatError, InputError
from ..adapters import Orientation, require_orientation
from ..parquet import require_extra
from ..text_files import require_file
from .chunked import ChunkedMatrix


class Hdf5Matrix(ChunkedMatrix):
    """A dataset of an HDF5 file, chunked, compressed or plain; blocks follow its chunks.

    Parameters
    ----------
    file : path
    dataset : str, optional
        Name of the dataset; may be left out when the file holds only one table of numbers.
    orientation : {"samples", "features"}, default="samples"
        What the rows of the dataset are.

    Raises
    ------
    MissingExtraError
        h5py is not installed.
    FileFormatError
        Not an HDF5 file, one that is cut, or a chunk that cannot be decoded (when it is read).
    InputError
        No such dataset, not two-dimensional, or not of real numbers.

    Warns
    -----
    SlowStorageWarning
        The chunks span so many features that a pass decodes them several times.

    Notes
    -----
    The HDF5 library does one thing at a time in a process: threads share the arithmetic of a pass, not the
    reading and unpacking.

    Examples
    --------
    >>> import h5py, numpy as np, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "matrix.h5")
    ...     with h5py.File(path, "w") as file:
    ...         file["expression"] = np.arange(6.0).reshape(2, 3)
    ...     Hdf5Matrix(path).read(slice(1, 3))
    array([[1., 2.],
           [4., 5.]])
    """

    def __init__(
        self, file: str | os.PathLike[str], dataset: str | None = None, orientation: Orientation = "samples"
    ) -> None:
        require_orientation(orientation)
        place = Path(file).absolute()
        root = open_hdf5(place)
        dataset = dataset or _only_table(root, place)
        array = root.get(dataset)
        if not hasattr(array, "chunks"):
            raise InputError(
                f"{place} has no dataset {dataset!r}. Its two-dimensional datasets of numbers: "
                f"{', '.join(_tables(root)) or 'none'}."
            )
        self._lock = threading.Lock()
        self._lay_out(array, f"{place}:{dataset}", orientation, (place, dataset, orientation))

    def _load(self, start: int, stop: int) -> NDArray[Any]:
        with self._lock:
            return super()._load(start, stop)


def open_hdf5(path: Path) -> Any:
    """Open an HDF5 file for reading.

    Parameters
    ----------
    path : Path

    Returns
    -------
    h5py.File

    Raises
    ------
    MissingExtraError, FileFormatError

    Examples
    --------
    >>> open_hdf5(Path("no_such_file.h5"))
    Traceback (most recent call last):
    latentadj.exceptions.FileFormatError: There is no file no_such_file.h5. Check the path.
    """
    require_file(path)
    require_extra("h5py", "hdf5", path)
    try:
        return import_module("h5py").File(path, "r")
    except OSError as error:
        raise FileFormatError(
            f"{path} is not a whole HDF5 file that can be read ({error}). Copy or write it again; close it in "
            f"programs that write to it."
        ) from error


def _tables(root: Any) -> list[str]:
    found: list[str] = []

    def look(name: str, item: Any) -> None:
        if len(getattr(item, "shape", None) or ()) == 2 and item.dtype.kind in "biuf":
            found.append(name)

    root.visititems(look)
    return found


def _only_table(root: Any, path: Path) -> str:
    tables = _tables(root)
    if len(tables) != 1:
        raise InputError(
            f"{path} holds {len(tables)} two-dimensional datasets of numbers: {', '.join(tables) or 'none'}. Say which "
            f"one is meant with dataset=."
        )
    return tables[0]
