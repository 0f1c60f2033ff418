"""One way to open a matrix of any kind for reading by blocks."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ...core.matrix import ArrayMatrix, FeatureMatrix
from ...exceptions import AlignmentError, InputError
from ..adapters import LabelledMatrix, Orientation, as_labelled_matrix, require_orientation
from ..identifiers import id_array, require_unique
from ..readers import read_matrix
from ..text_files import text_suffix
from .anndata_file import AnnDataMatrix, is_anndata_root
from .dask_array import DaskMatrix, is_dask_array
from .hdf5 import Hdf5Matrix, open_hdf5
from .marks import with_stored_record
from .npy import NpyMatrix
from .opened import OpenedMatrix
from .parquet_table import ParquetMatrix
from .sidecars import read_sidecar
from .sparse import SparseMatrix
from .zarr_array import ZarrMatrix, absolute_store, open_zarr

HDF5_SUFFIXES = (".h5", ".hdf5", ".hdf", ".he5")


def open_matrix(
    source: Any, *, orientation: Orientation = "samples", layer: str | None = None, dataset: str | None = None
) -> OpenedMatrix:
    r"""Open a file or wrap an object so that its features are read by blocks; nothing large is loaded.

    Parameters
    ----------
    source : path, URL of a zarr store, or object
        By suffix: .npy, .h5ad, .zarr, .h5 or .hdf5, .parquet; other files are read into memory as by
        `read_matrix`. By type: AnnData (backed or not), zarr arrays and groups, h5py files, groups and datasets,
        dask arrays, SciPy sparse matrices, any FeatureMatrix, and what `as_labelled_matrix` takes.
    orientation : {"samples", "features"}
        What the rows of the table are.
    layer : str, optional
        Layer of AnnData.
    dataset : str, optional
        Name of the array inside a zarr group or an HDF5 file.

    Returns
    -------
    OpenedMatrix
        A tuple of the matrix, sample IDs, feature IDs and the sample table. IDs come from the file where its
        kind has them, else from ``name.samples.txt`` and ``name.features.txt`` beside it, else they are None.

    Raises
    ------
    FileFormatError, MissingExtraError
        The file cannot be read.
    InputError
        Not a matrix of numbers, or an option that the kind does not have.
    AlignmentError
        IDs that occur twice, or as many as there are not.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "matrix.npy")
    ...     np.save(path, np.arange(6.0).reshape(3, 2))
    ...     _ = Path(folder, "matrix.features.txt").write_text("g1\ng2\ng3\n")
    ...     opened = open_matrix(path, orientation="features")
    >>> opened.matrix.shape, opened.feature_ids.tolist(), opened.sample_ids
    ((2, 3), ['g1', 'g2', 'g3'], None)
    """
    require_orientation(orientation)
    if isinstance(source, str | os.PathLike):
        opened = _checked(_open_path(str(source), orientation, layer, dataset), str(source))
        return with_stored_record(opened, str(source))
    return _checked(_open_object(source, orientation, layer, dataset), f"the {type(source).__name__}")


def _open_path(source: str, orientation: Orientation, layer: str | None, dataset: str | None) -> OpenedMatrix:
    path, suffix = Path(source), text_suffix(source)
    name = path.name.rstrip("/").lower()
    is_hdf5 = suffix in HDF5_SUFFIXES
    if name.endswith((".zarr", ".zarr.zip")) or is_hdf5:
        root = open_hdf5(path) if is_hdf5 else open_zarr(absolute_store(source))
        if dataset is None and is_anndata_root(root):
            return _anndata(AnnDataMatrix(source, layer, orientation))
        _refuse("layer", layer, source)
        opened = (Hdf5Matrix if is_hdf5 else ZarrMatrix)(source, dataset, orientation)
        return _with_sidecars(opened, path)
    _refuse("dataset", dataset, source)
    if suffix == ".h5ad":
        return _anndata(AnnDataMatrix(source, layer, orientation))
    _refuse("layer", layer, source)
    if name.endswith(".npy"):
        return _with_sidecars(NpyMatrix(path, orientation), path)
    if suffix in (".parquet", ".pq"):
        return _parquet(ParquetMatrix(path, orientation), path, orientation)
    return _labelled(read_matrix(path, orientation=orientation))


def _open_object(source: Any, orientation: Orientation, layer: str | None, dataset: str | None) -> OpenedMatrix:
    library = type(source).__module__.partition(".")[0]
    if library in ("zarr", "h5py"):
        if dataset is None and is_anndata_root(source):
            return _anndata(AnnDataMatrix(_place_of(source), layer, orientation))
        _refuse("layer", layer, "an open array or group")
        if library == "zarr":
            return OpenedMatrix(ZarrMatrix(source, dataset, orientation))
        inner = source.name if dataset is None else f"{source.name.rstrip('/')}/{dataset}"
        return OpenedMatrix(Hdf5Matrix(source.file.filename, None if inner == "/" else inner, orientation))
    _refuse("dataset", dataset, f"a {type(source).__name__}")
    if hasattr(source, "obs_names") and library == "anndata":
        return _open_anndata(source, orientation, layer)
    if is_dask_array(source):
        _refuse("layer", layer, "a dask array")
        return OpenedMatrix(DaskMatrix(source, orientation))
    if isinstance(source, FeatureMatrix):
        if orientation == "features":
            raise InputError(f"A {type(source).__name__} is samples x features already. Leave orientation= out.")
        _refuse("layer", layer, f"a {type(source).__name__}")
        return OpenedMatrix(source)
    if hasattr(source, "tocsc") and hasattr(source, "nnz"):
        _refuse("layer", layer, f"a {type(source).__name__}")
        return OpenedMatrix(_sparse(source, orientation))
    return _labelled(as_labelled_matrix(source, orientation=orientation, layer=layer))


def _place_of(root: Any) -> str:
    """File or folder of an open AnnData group that is the root of its store."""
    store = root.file.filename if hasattr(root, "file") else getattr(root.store, "root", None)
    if store is None or root.name != "/":
        raise InputError(
            f"{root} is an AnnData object inside another store. Give its file, or name its array: dataset=."
        )
    return str(store)


def _open_anndata(source: Any, orientation: Orientation, layer: str | None) -> OpenedMatrix:
    """An object: its own tables, which may be newer than those of its file, and its matrix where that lies."""
    obs, var = (source.obs, source.var) if orientation == "samples" else (source.var, source.obs)
    if source.isbacked:
        matrix: FeatureMatrix = AnnDataMatrix(source, layer, orientation)
    else:
        values = source.X if layer is None else source.layers.get(layer)
        if not hasattr(values, "tocsc"):
            return _labelled(as_labelled_matrix(source, orientation=orientation, layer=layer))
        matrix = _sparse(values, orientation)
    return OpenedMatrix(matrix, tuple(id_array(obs.index)), id_array(var.index), obs)


def _anndata(matrix: AnnDataMatrix) -> OpenedMatrix:
    sample_data, feature_data = matrix.tables()
    return OpenedMatrix(matrix, tuple(id_array(sample_data.index)), id_array(feature_data.index), sample_data)


def _sparse(values: Any, orientation: Orientation) -> SparseMatrix:
    turned = (values if orientation == "samples" else values.T).tocsc()
    return SparseMatrix(turned.data, turned.indices, turned.indptr, turned.shape, True, "The sparse matrix")


def _parquet(matrix: ParquetMatrix, path: Path, orientation: Orientation) -> OpenedMatrix:
    rows, columns = matrix.row_ids, matrix.column_ids
    if orientation == "features":
        return _with_sidecars(matrix, path, tuple(columns), rows)
    return _with_sidecars(matrix, path, None if rows is None else tuple(rows), columns)


def _with_sidecars(
    matrix: FeatureMatrix,
    path: Path,
    sample_ids: tuple[str, ...] | None = None,
    feature_ids: Any = None,
) -> OpenedMatrix:
    """Fill in the IDs that the file does not hold from the text files beside it."""
    if sample_ids is None:
        beside = read_sidecar(path, "samples")
        sample_ids = None if beside is None else tuple(beside)
    if feature_ids is None:
        feature_ids = read_sidecar(path, "features")
    return OpenedMatrix(matrix, sample_ids, feature_ids)


def _labelled(matrix: LabelledMatrix) -> OpenedMatrix:
    return OpenedMatrix(ArrayMatrix(matrix.values), matrix.sample_ids, matrix.feature_ids, matrix.sample_data)


def _refuse(option: str, value: str | None, source: str) -> None:
    if value is None:
        return
    where = "AnnData" if option == "layer" else "zarr groups and HDF5 files"
    raise InputError(f"{option}={value!r} was given, but {source} has no such thing; it is for {where}. Leave it out.")


def _checked(opened: OpenedMatrix, where: str) -> OpenedMatrix:
    """Raise unless there are as many IDs as rows and columns, each once."""
    n_samples, n_features = opened.matrix.shape
    for kind, ids, count in (("sample", opened.sample_ids, n_samples), ("feature", opened.feature_ids, n_features)):
        if ids is not None:
            _require_count(len(ids), count, kind, where)
            require_unique(_as_list(ids), kind, where)
    return opened


def _as_list(ids: Iterable[str]) -> list[str]:
    return ids.tolist() if isinstance(ids, np.ndarray) else list(ids)


def _require_count(n_ids: int, count: int, kind: str, where: str) -> None:
    if n_ids != count:
        raise AlignmentError(
            f"{where} has {count} {kind}s, but {n_ids} {kind} IDs stand beside it or in it. Give one ID per {kind} and "
            f"line; if samples and features are exchanged, set orientation=."
        )
