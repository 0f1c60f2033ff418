"""Matrices of any kind written as .npy with the values of a feature together: the fastest to read by blocks."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np

from ...core.matrix import Array, FeatureMatrix
from ...core.passes import run_pass
from ...exceptions import InputError
from ..writers import write_beside
from .base import require_real


class _BlockWriter:
    """A kernel that writes every block to its place in a file.

    Not a `PassKernel`: what it gathers is in the file, and cannot be sent to another process.
    """

    def __init__(self, file: BinaryIO, n_samples: int, dtype: np.dtype[Any]) -> None:
        self._file, self._dtype, self._start = file, dtype, file.tell()
        self._feature_bytes = n_samples * dtype.itemsize
        self._lock = threading.Lock()

    def fork(self) -> Self:
        """Return itself: places in the file do not overlap."""
        return self

    def update(self, block: Array, columns: slice) -> None:
        """Write one block, features in rows."""
        values = np.ascontiguousarray(block.T, dtype=self._dtype)
        with self._lock:
            self._file.seek(self._start + columns.start * self._feature_bytes)
            self._file.write(values.data)

    def merge(self, other: Self) -> None:
        """Nothing to add."""

    def result(self) -> None:
        """Nothing to return."""


def copy_to_npy(matrix: FeatureMatrix, path: str | os.PathLike[str], dtype: Any = None) -> None:
    """Write a matrix as a .npy file with features in rows, block by block.

    Parameters
    ----------
    matrix : FeatureMatrix of shape (n_samples, n_features)
    path : path
        Ends in .npy. Written beside and moved into place when it is complete.
    dtype : dtype, optional
        A float type; by default float32 for matrices stored as float32, float16 or integers of up to 16 bits, which
        it holds exactly, and float64 for others.

    Raises
    ------
    InputError
        The path does not end in .npy, or the type is not a float type.
    OutputError
        The file cannot be written.

    Notes
    -----
    Open the file with ``open_matrix(path, orientation="features")``.

    Examples
    --------
    >>> import tempfile
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "matrix.npy")
    ...     copy_to_npy(ArrayMatrix(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])), path)
    ...     np.load(path)
    array([[1., 4.],
           [2., 5.],
           [3., 6.]])
    """
    target = Path(path)
    storage = np.promote_types(matrix.dtype, np.float32) if dtype is None else require_real(dtype, str(target))
    if target.suffix != ".npy":
        raise InputError(f"{target} does not end in .npy. Name the file so; it is opened by its suffix.")
    if storage.kind != "f":
        raise InputError(f"dtype={storage} would cut off decimals and missing values. Use float32 or float64.")
    write_beside(target, lambda partial: write_npy(matrix, partial, storage))


def write_npy(matrix: FeatureMatrix, path: Path, dtype: np.dtype[Any], *, features_first: bool = True) -> None:
    """Write a matrix as a .npy file in which the values of a feature lie together, in place.

    Parameters
    ----------
    matrix : FeatureMatrix of shape (n_samples, n_features)
    path : Path
    dtype : numpy.dtype
    features_first : bool, default=True
        The array is ``(n_features, n_samples)`` in C order, else ``(n_samples, n_features)`` in Fortran order: the same
        bytes under another header.

    Examples
    --------
    >>> import tempfile
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "matrix.npy")
    ...     write_npy(ArrayMatrix(np.ones((2, 3))), path, np.dtype("float32"), features_first=False)
    ...     np.load(path).shape
    (2, 3)
    """
    n_samples, n_features = matrix.shape
    header = {
        "descr": np.lib.format.dtype_to_descr(dtype),
        "fortran_order": not features_first,
        "shape": (n_features, n_samples) if features_first else (n_samples, n_features),
    }
    with path.open("wb") as file:
        np.lib.format.write_array_header_2_0(file, header)
        run_pass(matrix, _BlockWriter(file, n_samples, dtype))
