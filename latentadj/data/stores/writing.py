"""Matrices written to files by blocks, with their IDs and with what was taken out of them."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any, Self

import numpy as np

from ...core.matrix import Array, FeatureMatrix
from ...core.passes import run_pass
from ...exceptions import InputError, MissingExtraError, OutputError
from ..provenance import AdjustmentRecord
from ..staging import atomic_directory
from .base import require_real
from .conversion import write_npy
from .marks import BESIDE, mark_group
from .opened import OpenedMatrix

#: Bytes of the values of a chunk, all samples of some features.
CHUNK_BYTES = 1 << 22
#: Name of the table in an HDF5 file.
DATASET = "values"


class ArrayWriter:
    """A kernel that writes every block to its columns of an array in a file.

    Not a `PassKernel`: what it gathers is in the file, and cannot be sent to another process.

    Parameters
    ----------
    array : zarr.Array or h5py.Dataset of shape (n_samples, n_features)
    """

    def __init__(self, array: Any) -> None:
        self._array = array
        self._lock = threading.Lock()

    def fork(self) -> Self:
        """Return itself: a lock keeps chunks that two runs share whole."""
        return self

    def update(self, block: Array, columns: slice) -> None:
        """Write one block."""
        values = block.astype(self._array.dtype)
        with self._lock:
            self._array[:, columns] = values

    def merge(self, other: Self) -> None:
        """Nothing to add."""

    def result(self) -> None:
        """Nothing to return."""


def write_matrix(
    matrix: FeatureMatrix | OpenedMatrix,
    path: str | os.PathLike[str],
    *,
    dtype: Any = None,
    record: AdjustmentRecord | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a matrix, or a view of one, to a file by blocks of features; it is never held as a whole.

    Parameters
    ----------
    matrix : FeatureMatrix of shape (n_samples, n_features) or OpenedMatrix
        With an OpenedMatrix sample and feature IDs are written beside the file, ``<name>.samples.txt`` and
        ``<name>.features.txt``, where `open_matrix` finds them.
    path : path
        .npy (values of a feature together), .zarr (needs zarr; chunks of all samples and about 4 MB), .h5 or .hdf5
        (needs h5py; the same chunks).
    dtype : dtype, optional
        A float type; by default float32 for matrices stored as float32, float16 or integers of up to 16 bits, and
        float64 for others.
    record : AdjustmentRecord, optional
        What was taken out of the values. It is kept in the store (for .npy in ``<name>.adjusted.json``), so that a test
        on them is refused.
    overwrite : bool, default=False
        Replace an earlier file, when the new one is complete.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        Unknown suffix, or not a float type.
    MissingExtraError
        zarr or h5py is needed and not installed.
    OutputError
        The file cannot be written, is there already, or files with IDs of an earlier one stand beside its place.

    Examples
    --------
    >>> import tempfile
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_matrix(ArrayMatrix(np.arange(6.0).reshape(2, 3)), Path(folder, "matrix.npy"))
    ...     np.load(path)
    array([[0., 1., 2.],
           [3., 4., 5.]])
    """
    opened = matrix if isinstance(matrix, OpenedMatrix) else OpenedMatrix(matrix)
    target, values = Path(path), opened.matrix
    write = _writer(target)
    storage = require_real(np.promote_types(values.dtype if dtype is None else dtype, np.float32), str(target))
    if storage.kind != "f" or (dtype is not None and np.dtype(dtype).kind != "f"):
        raise InputError(f"dtype={dtype} would cut off decimals and missing values. Use float32 or float64.")
    beside = _texts_beside(target, opened, record)
    _require_no_others(target, beside)
    with atomic_directory(target.parent, overwrite=overwrite, owned=[target.name, *beside]) as staging:
        write(values, staging / target.name, storage, record)
        for name, text in beside.items():
            (staging / name).write_text(text, encoding="utf-8")
    if overwrite and target.name + BESIDE not in beside:
        target.with_name(target.name + BESIDE).unlink(missing_ok=True)
    return target


def require_matrix_writer(path: str | os.PathLike[str]) -> None:
    """Raise unless matrices of this kind can be written here.

    Parameters
    ----------
    path : path

    Raises
    ------
    InputError, MissingExtraError

    Examples
    --------
    >>> require_matrix_writer("adjusted.npy")
    """
    _writer(Path(path))


def files_of(name: str) -> tuple[str, ...]:
    """Names of all files that `write_matrix` may write for a file.

    Parameters
    ----------
    name : str

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> files_of("a.h5")
    ('a.h5', 'a.h5.samples.txt', 'a.h5.features.txt', 'a.h5.adjusted.json')
    """
    return name, f"{name}.samples.txt", f"{name}.features.txt", f"{name}{BESIDE}"


def _writer(target: Path) -> Callable[[FeatureMatrix, Path, np.dtype[Any], AdjustmentRecord | None], None]:
    suffix = target.suffix.lower()
    if suffix == ".npy":
        return lambda matrix, place, dtype, record: write_npy(matrix, place, dtype, features_first=False)
    if suffix == ".zarr":
        _require("zarr", "zarr", target)
        return _write_zarr
    if suffix in (".h5", ".hdf5"):
        _require("h5py", "hdf5", target)
        return _write_hdf5
    raise InputError(f"{target}: matrices are written as .npy, .zarr, .h5 or .hdf5. Use one of these suffixes.")


def _require(module: str, extra: str, target: Path) -> None:
    try:
        import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f'Writing {target} needs {module}, which is not installed. Run: pip install "latentadj[{extra}]"'
        ) from error


def _write_zarr(matrix: FeatureMatrix, place: Path, dtype: np.dtype[Any], record: AdjustmentRecord | None) -> None:
    width = _chunk_width(matrix.shape, dtype)
    array = import_module("zarr").create_array(
        place, shape=matrix.shape, chunks=(matrix.shape[0], width), dtype=dtype, fill_value=np.nan
    )
    run_pass(matrix, ArrayWriter(array), width=width)
    mark_group(array, record)


def _write_hdf5(matrix: FeatureMatrix, place: Path, dtype: np.dtype[Any], record: AdjustmentRecord | None) -> None:
    width = _chunk_width(matrix.shape, dtype)
    with import_module("h5py").File(place, "w") as file:
        array = file.create_dataset(DATASET, shape=matrix.shape, dtype=dtype, chunks=(matrix.shape[0], width))
        run_pass(matrix, ArrayWriter(array), width=width)
        mark_group(file, record)


def _chunk_width(shape: tuple[int, int], dtype: np.dtype[Any]) -> int:
    return int(np.clip(CHUNK_BYTES // (shape[0] * dtype.itemsize), 1, shape[1]))


def _texts_beside(target: Path, opened: OpenedMatrix, record: AdjustmentRecord | None) -> dict[str, str]:
    """Files with IDs, and with the record of a .npy file."""
    _, samples, features, notes = files_of(target.name)
    texts = {
        name: _lines(ids)
        for name, ids in ((samples, opened.sample_ids), (features, opened.feature_ids))
        if ids is not None
    }
    if record is not None and target.suffix.lower() == ".npy":
        texts[notes] = json.dumps(record.as_mapping())
    return texts


def _lines(ids: Iterable[str]) -> str:
    names = [str(name) for name in ids]
    broken = [name for name in names if name.splitlines() != [name]]
    if broken:
        raise InputError(f"The ID {broken[0]!r} is not one line of text and cannot be written beside the matrix.")
    return "\n".join(names) + "\n"


def _require_no_others(target: Path, beside: dict[str, str]) -> None:
    """IDs of an earlier matrix must not become those of this one."""
    own = [name for name in files_of(target.name)[1:3] if name not in beside]
    short = [f"{target.stem}.{kind}.txt" for kind in ("samples", "features") if f"{target.name}.{kind}.txt" in own]
    found = [name for name in (*own, *short) if target.with_name(name).exists()]
    if found:
        raise OutputError(
            f"{', '.join(found)} beside {target} would be taken for the IDs of the new matrix. Remove them, or name "
            "another file."
        )
